//! What the engine leaves out when it is told to, and takes up again: nothing false is told meanwhile, records say
//! that they are a sample, and the account adds up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;

use base::{Thin, Timestamp};
use common::value;
use engine::Thrift;
use testkit::{Conversation, Sender, TimedFrame, ethernet};

const ALL: Thrift = Thrift { bodies: Thin::ALL, read: Thin::ALL, thin: None };

/// Gives frames to an engine; before those of the numbers in `turns` it is told to leave out so much.
fn told(frames: &[TimedFrame], turns: &[(usize, Thrift)]) -> (Vec<String>, engine::Account) {
    let told = common::told_by(common::engine(|_| ()), |engine, mut take| {
        for (n, (time, data)) in frames.iter().enumerate() {
            if let Some((_, thrift)) = turns.iter().find(|(at, _)| *at == n) {
                engine.set_thrift(*thrift);
            }
            engine.frame(&ethernet(*time, data), &mut take);
        }
    });
    let a = told.account;
    assert_eq!(a.seen, a.parsed + a.filtered.sum() + a.sampled + a.malformed.sum());
    // What is left is tables that grew, no more than without all this.
    if !turns.is_empty() {
        let without = common::tell(frames.iter().map(|(time, data)| ethernet(*time, data))).held;
        assert!(told.held <= without + 4096, "{}", told.held);
    }
    (told.records, a)
}

fn begin() -> Timestamp {
    Timestamp::new(1_700_000_000, 0)
}

/// A connection with `n` requests, and where the frames of each begin.
fn connection(client: &str, n: usize) -> (Vec<TimedFrame>, Vec<usize>) {
    let open = Conversation::new(client, "10.0.0.1:80").at(begin()).handshake();
    let mut c = open;
    let mut starts = Vec::new();
    for i in 0..n {
        starts.push(c.clone().frames().len());
        let body = format!("body of {i} ").repeat(40);
        c = c.send(Sender::Client, format!("GET /n{i} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        c = c.send(Sender::Server, answer.as_bytes());
    }
    (c.close().frames(), starts)
}

fn of_kind<'a>(records: &'a [String], kind: &str) -> Vec<&'a String> {
    records.iter().filter(|r| value(r, "RECORD") == Some(kind)).collect()
}

fn urls(records: &[String]) -> Vec<&str> {
    of_kind(records, "http").iter().map(|r| value(r, "URL").unwrap()).collect()
}

#[test]
fn contents_are_left_unread_and_read_again_in_the_middle_of_a_connection() {
    let (frames, starts) = connection("10.0.0.2:40000", 30);
    let off = Thrift { read: 0, ..ALL };
    // Whole requests, and with a request or its answer cut by the turn.
    for shift in 0..4 {
        let turns = [(starts[10] + shift, off), (starts[20] + shift, ALL)];
        let (records, account) = told(&frames, &turns);
        let urls = urls(&records);
        let before: Vec<String> = (0..10).map(|n| format!("/n{n}")).collect();
        let after: Vec<String> = (21..30).map(|n| format!("/n{n}")).collect();
        assert_eq!(urls[..10], before, "{shift}");
        assert_eq!(urls[urls.len() - 9..], after, "{shift}");
        // Of the two at the turns at most what was seen of them; nothing in between.
        assert!(urls.len() <= 21, "{urls:?}");
        for r in of_kind(&records, "http") {
            let url = value(r, "URL").unwrap_or_default();
            assert!(
                value(r, "RETCODE") == Some("200") || matches!(url, "/n10" | "/n20" | ""),
                "nobody knows that it had no answer: {r}"
            );
        }
        assert_eq!(account.unread, 1);
        assert!(account.unread_bytes > 4000, "{}", account.unread_bytes);
        // The connection itself was counted to the last packet.
        let flow = of_kind(&records, "flow")[0];
        assert_eq!(value(flow, "PKTS"), Some(&*frames.len().to_string()));
        assert_eq!(value(flow, "QUALITY"), None);
    }
}

#[test]
fn a_share_of_connections_is_read_whole_and_says_that_it_is_a_sample() {
    let mut frames = Vec::new();
    for n in 0..200 {
        frames.extend(connection(&format!("10.0.0.2:{}", 20_000 + n), 3).0);
    }
    frames.sort_by_key(|(time, _)| *time);
    let (records, account) = told(&frames, &[(0, Thrift { read: Thin::ALL / 4, ..ALL })]);
    let mut by_port = std::collections::BTreeMap::new();
    for r in of_kind(&records, "http") {
        assert_eq!(value(r, "QUALITY"), Some("sampled"));
        *by_port.entry(value(r, "SRC_PORT").unwrap()).or_insert(0) += 1;
    }
    assert!(by_port.values().all(|n| *n == 3), "whole connections: {by_port:?}");
    assert!((25..75).contains(&by_port.len()), "{}", by_port.len());
    assert_eq!(account.unread, 200 - by_port.len() as u64);
    assert_eq!(of_kind(&records, "flow").len(), 200);
}

#[test]
fn bodies_become_shorter_and_are_counted() {
    let (frames, starts) = connection("10.0.0.2:40000", 9);
    let turns =
        [(starts[3], Thrift { bodies: Thin::ALL / 8, ..ALL }), (starts[6], Thrift { bodies: 0, ..ALL })];
    let (records, account) = told(&frames, &turns);
    let lens: Vec<usize> =
        of_kind(&records, "http").iter().map(|r| value(r, "RSP_BODY").unwrap_or_default().len()).collect();
    assert_eq!(lens, [400, 400, 400, 128, 128, 128, 0, 0, 0]);
    // A transaction is told when its answer is acknowledged: the third came before the turn, or just after it.
    assert!((6..=7).contains(&account.shortened), "{}", account.shortened);
}

#[test]
fn flows_left_out_are_seen_to_come_and_go_and_say_so() {
    let mut frames = Vec::new();
    for n in 0..100 {
        frames.extend(connection(&format!("10.0.0.2:{}", 20_000 + n), 2).0);
    }
    frames.sort_by_key(|(time, _)| *time);
    let thin = Thin { salt: 4711, keep: Thin::ALL / 2 };
    let (records, account) = told(&frames, &[(0, Thrift { read: Thin::ALL, thin: Some(thin), ..ALL })]);
    let flows = of_kind(&records, "flow");
    assert_eq!(flows.len(), 100, "each connection is known by its SYN and FIN");
    let (whole, thinned): (Vec<&String>, Vec<&String>) =
        flows.iter().partition(|r| value(r, "QUALITY").is_none());
    assert!((30..70).contains(&whole.len()), "{}", whole.len());
    let packets = |r: &str| value(r, "PKTS").unwrap().parse::<u64>().unwrap();
    let of_each = frames.len() as u64 / 100;
    assert!(whole.iter().all(|r| packets(r) == of_each), "what is kept is exact");
    for r in &thinned {
        assert_eq!(value(r, "QUALITY"), Some("sampled"));
        // SYN, SYN-ACK, two FINs.
        assert_eq!(
            (packets(r), value(r, "SYN_PKTS"), value(r, "FIN_PKTS")),
            (4, Some("1"), Some("2")),
            "{r}"
        );
        assert_eq!(value(r, "END_REASON"), Some("fin"));
    }
    assert_eq!(account.sampled, thinned.len() as u64 * (of_each - 4));
    let sessions = of_kind(&records, "http");
    assert_eq!(sessions.len(), whole.len() * 2);
    assert!(sessions.iter().all(|r| value(r, "QUALITY") == Some("sampled")));
}

#[test]
fn a_flow_of_which_packets_were_left_out_for_a_while_says_so() {
    let (frames, starts) = connection("10.0.0.2:40000", 30);
    let thin = Thrift { read: 0, bodies: 0, thin: Some(Thin { salt: 1, keep: 0 }) };
    let (records, account) = told(&frames, &[(starts[10], thin), (starts[20], ALL)]);
    let flow = of_kind(&records, "flow")[0];
    assert_eq!(value(flow, "QUALITY"), Some("sampled"));
    assert_eq!(account.sampled as usize, starts[20] - starts[10]);
    let urls = urls(&records);
    let known = |url: &&str| !(url.starts_with("/n1") && url.len() == 4);
    assert!(urls.iter().all(known), "{urls:?}");
    assert!(urls.len() >= 18, "{urls:?}");
}
