use super::*;
use crate::{Destination, Transport};
use std::io::Read;
use std::net::TcpListener;

fn sink(port: u16) -> Tcp {
    Tcp::new(TcpConfig { to: Destination { host: "127.0.0.1".into(), port, transport: Transport::Tcp } })
}

fn batch(from: usize, count: usize) -> Batch {
    let mut batch = Batch::default();
    for i in from..from + count {
        batch.add(|o| {
            o.extend_from_slice(format!("{{\"n\":{i},\"fill\":\"{}\"}}", "x".repeat(i % 997)).as_bytes())
        });
    }
    batch
}

/// The whole messages of a stream; what comes after the last zero byte is no message.
fn messages(stream: &[u8]) -> Vec<&[u8]> {
    let end = stream.iter().rposition(|b| *b == 0).map_or(0, |i| i + 1);
    stream[..end].split_inclusive(|b| *b == 0).map(|m| &m[..m.len() - 1]).collect()
}

#[test]
fn records_are_framed_by_zero_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = sink(listener.local_addr().unwrap().port());
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
        all
    });
    let queue = Queue::new(0);
    let batches = [batch(0, 100), batch(100, 1)];
    for b in &batches {
        sink.send(b, &queue);
    }
    drop(sink);
    let all = reader.join().unwrap();
    let want: Vec<&[u8]> = batches.iter().flat_map(Batch::records).collect();
    assert_eq!(messages(&all), want);
    assert_eq!(queue.account.read().sent, 101);
}

/// The receiver breaks the connection in the middle of a record, again and again: each connection has
/// whole records from its beginning, and what was cut comes again.
#[test]
fn a_broken_connection_never_leaves_a_part_before_another_record() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = sink(listener.local_addr().unwrap().port());
    let reader = std::thread::spawn(move || {
        let mut streams: Vec<Vec<u8>> = Vec::new();
        for limit in [10_000, 123_457, usize::MAX] {
            let (stream, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            stream.take(limit as u64).read_to_end(&mut got).unwrap();
            streams.push(got);
        }
        streams
    });
    let queue = Queue::new(0);
    let count = 20_000; // 10 MB: more than the socket buffers hold
    let all = batch(0, count);
    sink.send(&all, &queue);
    drop(sink);
    let streams = reader.join().unwrap();
    assert_eq!(queue.account.read().sent, count as u64);
    let want: Vec<&[u8]> = all.records().collect();
    let mut last = None;
    for stream in &streams {
        let got = messages(stream);
        assert!(!got.is_empty());
        let first = want.iter().position(|r| *r == got[0]).expect("a whole record first");
        assert_eq!(got[..], want[first..first + got.len()], "one after the other");
        assert!(last.is_none_or(|l| first > l));
        last = Some(first + got.len() - 1);
    }
    assert_eq!(last, Some(count - 1));
}

#[test]
fn giving_up_is_counted() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let mut sink = sink(port);
    let queue = Queue::new(0);
    queue.finish(Instant::now());
    sink.send(&batch(0, 3), &queue);
    assert_eq!(queue.account.read().dropped_for(Reason::Closed), 3);
    assert!(sink.wait <= BACK_OFF.1);
}
