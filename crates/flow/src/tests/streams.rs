//! The bytes of a stream in order, whatever the network did to it.

use super::kit::{ACK, Bench, FIN, RST, Rng, SYN, Told, config, ends, flip};
use crate::End;
use base::Direction::{ToClient, ToServer};

#[test]
fn request_and_answer_end_with_fin() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 1, 1001, b"GET /");
    b.tcp(flip(e), ACK, 1001, 6, b"200 OK");
    b.tcp(e, ACK | FIN, 6, 1007, b"");
    b.tcp(flip(e), ACK | FIN, 1007, 7, b"bye");
    b.tcp(e, ACK, 7, 1011, b"");
    b.pass(7000);
    let want = [
        Told::Data(ToServer, b"GET /".to_vec()),
        Told::Data(ToClient, b"200 OK".to_vec()),
        Told::End(ToServer),
        Told::Data(ToClient, b"bye".to_vec()),
        Told::End(ToClient),
        Told::Report(Some(End::Fin)),
    ];
    assert_eq!(b.ev.told, want);
    assert!(b.table.is_empty());
}

#[test]
fn any_cut_order_and_repetition_gives_the_same_bytes() {
    for seed in 1..400u64 {
        let mut r = Rng(seed * 0x9e37_79b9);
        let text: Vec<u8> = (0..r.below(4000) + 1).map(|_| r.next() as u8).collect();
        let first = if seed % 3 == 0 { 0u32.wrapping_sub(r.below(3000) as u32) } else { r.next() as u32 };
        let mut parts = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let n = (r.below(300) as usize + 1).min(text.len() - at);
            let again = r.below(5) == 0;
            for _ in 0..1 + usize::from(again) {
                // a repeated part may begin before and end after the first one
                let from = at - (r.below(20) as usize).min(if again { at } else { 0 });
                let to = (at + n + if again { r.below(30) as usize } else { 0 }).min(text.len());
                parts.push((from, to));
            }
            at += n;
        }
        for i in 0..parts.len() {
            let j = (i + r.below(12) as usize).min(parts.len() - 1);
            parts.swap(i, j);
        }
        let (mut b, e) = (Bench::new(config()), ends());
        b.open(e, first, 77);
        let fin = first.wrapping_add(text.len() as u32);
        let fin_at = r.below(parts.len() as u64 + 1) as usize;
        for (i, (from, to)) in parts.iter().enumerate() {
            if i == fin_at {
                b.tcp(e, ACK | FIN, fin, 77, b"");
            }
            b.tcp(e, ACK, first.wrapping_add(*from as u32), 77, &text[*from..*to]);
        }
        b.tcp(e, ACK | FIN, fin, 77, b"");
        assert_eq!(b.ev.bytes(ToServer), text, "seed {seed}");
        assert_eq!(b.ev.told.last(), Some(&Told::End(ToServer)), "seed {seed}");
        assert!(b.ev.marks.iter().zip(b.ev.marks.iter().skip(1)).all(|(a, b)| a.time <= b.time));
        b.finish();
        assert_eq!(b.table.counters().gaps + b.table.counters().overlap_conflicts, 0);
        assert_eq!(b.ev.count(&Told::Report(Some(End::Timeout))), 1);
    }
}

#[test]
fn a_hole_is_a_gap_after_the_wait() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 11, 1001, b"later");
    b.pass(2800);
    assert_eq!(b.ev.told, []);
    b.pass(500);
    assert_eq!(b.ev.told, [Told::Gap(ToServer, 10), Told::Data(ToServer, b"later".to_vec())]);
    b.tcp(e, ACK, 1, 1001, b"too late..");
    b.tcp(e, ACK, 16, 1001, b"on");
    assert_eq!(b.ev.told[2..], [Told::Data(ToServer, b"on".to_vec())]);
}

#[test]
fn an_acknowledged_hole_is_given_up_sooner() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 11, 1001, b"later");
    b.tcp(flip(e), ACK, 1001, 16, b"");
    b.pass(9);
    assert_eq!(b.ev.told, []);
    b.pass(1);
    assert_eq!(b.ev.told[0], Told::Gap(ToServer, 10));
    // and by packets, without any time passing
    b.tcp(e, ACK, 26, 1001, b"x");
    b.tcp(flip(e), ACK, 1001, 27, b"");
    for _ in 0..7 {
        b.tcp(flip(e), ACK, 1001, 27, b"");
    }
    assert_eq!(b.ev.told.len(), 2);
    b.tcp(flip(e), ACK, 1001, 27, b"");
    assert_eq!(b.ev.told[2..], [Told::Gap(ToServer, 10), Told::Data(ToServer, b"x".to_vec())]);
}

#[test]
fn missed_bytes_are_known_by_an_empty_segment_too() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 1, 1001, b"q");
    b.tcp(flip(e), ACK | FIN, 1501, 2, b"");
    b.tcp(e, ACK, 2, 1502, b"");
    b.pass(300);
    assert_eq!(b.ev.told[1..], [Told::Gap(ToClient, 500), Told::End(ToClient)]);
}

#[test]
fn cut_packets_give_what_was_captured_and_a_gap() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.snap = 3;
    b.tcp(e, ACK, 7, 1001, b"ghijkl"); // out of order and cut
    b.tcp(e, ACK, 1, 1001, b"abcdef");
    let data = |b: &[u8]| Told::Data(ToServer, b.to_vec());
    assert_eq!(b.ev.told, [data(b"abc"), Told::Gap(ToServer, 3), data(b"ghi"), Told::Gap(ToServer, 3)]);
}

#[test]
fn first_bytes_win_and_conflicts_are_counted() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 3, 1001, b"cd");
    b.tcp(e, ACK, 2, 1001, b"bXYe");
    b.tcp(e, ACK, 1, 1001, b"aZ");
    assert_eq!(b.ev.bytes(ToServer), b"abcde");
    assert_eq!(b.table.counters().overlap_conflicts, 3);
}

#[test]
fn midstream_starts_with_the_first_segment() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.tcp(e, ACK, 500, 9, b"");
    b.tcp(e, ACK, 490, 9, b"0123456789"); // nothing was told yet: the stream begins earlier
    b.tcp(e, ACK, 480, 9, b"9876543210"); // this is too late
    b.tcp(e, ACK, 500, 9, b"abc");
    assert_eq!(b.ev.bytes(ToServer), b"0123456789abc");
    b.finish();
    assert_eq!(b.ev.last().0.sent[0].retrans, 0);
}

#[test]
fn midstream_does_not_begin_again_behind_what_was_held() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.tcp(e, ACK, 500, 9, b"");
    b.tcp(flip(e), ACK, 9, 501, b"");
    b.tcp(e, ACK, 501, 9, b"q"); // behind a missing byte; what answers it waits too
    b.tcp(flip(e), ACK, 9, 502, b"ab");
    b.tcp(flip(e), ACK, 11, 502, b"cd");
    b.pass(300);
    b.tcp(flip(e), ACK, 11, 502, b"cd"); // sent again
    assert_eq!(b.ev.bytes(ToServer), b"q");
    assert_eq!(b.ev.bytes(ToClient), b"abcd");
}

#[test]
fn no_more_is_held_than_allowed() {
    let mut cfg = config();
    (cfg.max_held_per_stream, cfg.max_held) = (20_000, 30_000);
    let mut b = Bench::new(cfg);
    let base = b.table.held();
    for host in 0..20u16 {
        let mut e = ends();
        e.0.1 += host;
        b.open(e, 1, 1);
        for n in 0..100u32 {
            b.tcp(e, ACK, 100 + n * 1000, 1, &[n as u8; 900]);
        }
    }
    let flows = 20 * 900 + 256 * 600;
    assert!(b.table.held() < base + 30_000 + flows, "{}", b.table.held());
    assert!(b.table.counters().gaps_for_room > 0);
    b.finish();
    let total: usize = b.ev.bytes(ToServer).len();
    assert_eq!(total, 20 * 100 * 900, "nothing that was captured is lost");
}

#[test]
fn rst_ends_both_directions_when_it_is_valid() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 11, 1001, b"held");
    b.tcp(flip(e), RST, 0x7000_0000, 0, b"");
    assert_eq!(b.ev.told, [], "out of the window");
    b.tcp(flip(e), RST | ACK, 1001, 1, b"");
    let want = [
        Told::Gap(ToServer, 10),
        Told::Data(ToServer, b"held".to_vec()),
        Told::End(ToServer),
        Told::End(ToClient),
    ];
    assert_eq!(b.ev.told, want);
    b.pass(7000);
    let (i, end) = b.ev.last();
    assert_eq!((i.sent[1].rst, end), (2, Some(End::RstDst)));
}

#[test]
fn data_in_the_syn_is_data() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.tcp(e, SYN, 100, 0, b"early");
    b.tcp(flip(e), SYN | ACK, 900, 106, b"");
    b.tcp(e, ACK, 106, 901, b" late");
    assert_eq!(b.ev.bytes(ToServer), b"early late");
}

#[test]
fn acked_is_told_once_and_before_data() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.ev.watch = true;
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 1, 1001, b"ab");
    b.tcp(e, ACK, 3, 1001, b"cd");
    b.tcp(flip(e), ACK, 1001, 3, b"");
    b.tcp(flip(e), ACK, 1001, 5, b"ok");
    b.tcp(flip(e), ACK, 1003, 5, b"");
    assert_eq!(b.ev.told[2..], [Told::Acked(ToServer), Told::Data(ToClient, b"ok".to_vec())]);
}

#[test]
fn a_flow_that_nobody_follows_tells_no_more() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.ev.enough = Some(3);
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 4, 1001, b"def");
    b.tcp(e, ACK, 7, 1001, b"ghi");
    b.tcp(e, ACK, 1, 1001, b"abc");
    b.tcp(e, ACK, 10, 1001, b"jkl");
    b.pass(1);
    b.finish();
    assert_eq!(b.ev.told, [Told::Data(ToServer, b"abc".to_vec()), Told::Report(Some(End::Timeout))]);
    assert_eq!(b.ev.last().0.sent[0].pkts, 6, "the account goes on");
}
