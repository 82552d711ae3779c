use super::*;
use crate::{Chunking, Counts, Destination, Transport};
use std::collections::HashMap;

/// A receiver as the specification has it: joins chunks, unpacks gzip.
fn receive(socket: &UdpSocket, records: usize, largest: usize) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let mut open: HashMap<[u8; 8], Vec<Option<Vec<u8>>>> = HashMap::new();
    let mut buffer = vec![0; 70_000];
    while got.len() < records {
        let n = socket.recv(&mut buffer).unwrap();
        assert!(n <= largest, "a datagram of {n} bytes");
        let datagram = &buffer[..n];
        if !datagram.starts_with(&[0x1e, 0x0f]) {
            got.push(unpacked(datagram));
            continue;
        }
        let (number, count) = (usize::from(datagram[10]), usize::from(datagram[11]));
        assert!(number < count && count <= 128 && n > 12);
        let id: [u8; 8] = datagram[2..10].try_into().unwrap();
        let parts = open.entry(id).or_insert_with(|| vec![None; count]);
        assert!(parts[number].replace(datagram[12..].to_vec()).is_none(), "a chunk twice");
        if parts.iter().all(Option::is_some) {
            let parts = open.remove(&id).unwrap();
            got.push(unpacked(&parts.into_iter().flatten().flatten().collect::<Vec<u8>>()));
        }
    }
    assert!(open.is_empty());
    got
}

fn unpacked(data: &[u8]) -> Vec<u8> {
    if data.starts_with(&[0x1f, 0x8b]) {
        miniz_oxide::inflate::decompress_to_vec(&data[10..data.len() - 8]).unwrap()
    } else {
        // Blanks behind it are none of a JSON text.
        data.trim_ascii_end().to_vec()
    }
}

fn sink(port: u16, compress: bool, chunk: Chunking) -> Udp {
    let to = Destination { host: "127.0.0.1".into(), port, transport: Transport::Udp };
    Udp::new(UdpConfig { to, compress, chunk })
}

fn receiver() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Texts that compress by half, of any length.
fn record(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed | 1;
    (0..len)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"0123456789abcdef"[(x >> 28) as usize]
        })
        .collect()
}

#[test]
fn plain_chunked_and_compressed_records_arrive_whole() {
    for compress in [false, true] {
        for (chunk, largest) in
            [(Chunking::default(), 1420), (Chunking::Datagram(8192), 8192), (Chunking::Off, 65_507)]
        {
            let (socket, port) = receiver();
            let mut sink = sink(port, compress, chunk);
            let queue = Queue::new(0);
            let mut batch = Batch::default();
            let want: Vec<Vec<u8>> = [2, 100, 1419, 1420, 1421, 3000, 9000, 60_000]
                .iter()
                .map(|n| record(*n, *n as u32))
                .collect();
            for record in &want {
                batch.add(|o| o.extend_from_slice(record));
            }
            sink.send(&batch, &queue);
            let mut got = receive(&socket, want.len(), largest);
            got.sort_by_key(Vec::len);
            assert_eq!(got, want);
            let counts = queue.account.read();
            assert_eq!((counts.sent, counts.dropped_all()), (want.len() as u64, 0));
        }
    }
}

#[test]
fn many_small_records_cross_the_calls() {
    let (socket, port) = receiver();
    for compress in [false, true] {
        let mut sink = sink(port, compress, Chunking::default());
        let queue = Queue::new(0);
        let want: Vec<Vec<u8>> = (0..200).map(|i| record(60 + i % 7, i as u32)).collect();
        let mut batch = Batch::default();
        for record in &want {
            batch.add(|o| o.extend_from_slice(record));
        }
        sink.send(&batch, &queue);
        let (mut got, mut want) = (receive(&socket, want.len(), 1420), want);
        got.sort();
        want.sort();
        assert!(got == want);
    }
}

/// Sends records, which arrive whole; gives back the account.
fn sent(sink: &mut Udp, socket: &UdpSocket, want: &[Vec<u8>]) -> Counts {
    let queue = Queue::new(0);
    let mut batch = Batch::default();
    want.iter().for_each(|r| batch.add(|o| o.extend_from_slice(r)));
    sink.send(&batch, &queue);
    // In the order of their size perhaps.
    let (mut got, mut want) = (receive(socket, want.len(), 1420), want.to_vec());
    got.sort();
    want.sort();
    assert!(got == want);
    queue.account.read()
}

#[test]
fn records_of_any_mixture_arrive_together_or_one_by_one() {
    let (socket, port) = receiver();
    let mut sink = sink(port, false, Chunking::default());
    let mut x = 7u32;
    for round in 0..60 {
        let want: Vec<Vec<u8>> = (0..round % 9 * 4 + 1)
            .map(|_| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let kinds = [700 + x % 9, 2400 + x % 60, 1300 + x % 200, 30 + x % 6000];
                record(kinds[((x >> 16) % (1 + round % 4)) as usize] as usize, x)
            })
            .collect();
        let counts = sent(&mut sink, &socket, &want);
        assert_eq!((counts.sent, counts.dropped_all()), (want.len() as u64, 0));
        if round == 40 {
            // As on a system before Linux 4.18.
            sink.together = false;
        }
    }
}

#[test]
fn a_way_that_carries_no_messages_gets_datagrams() {
    let (socket, port) = receiver();
    let mut sink = sink(port, false, Chunking::default());
    sink.look_up();
    let refuses = sink.socket.as_ref().map(|(s, _)| sys::refuse_segments(s));
    assert_eq!((refuses, sink.together), (Some(true), true));
    let want: Vec<Vec<u8>> = (0..40).map(|i| record(2400 + i % 5, i as u32)).collect();
    let counts = sent(&mut sink, &socket, &want);
    assert_eq!((counts.sent, counts.dropped_all(), sink.together), (40, 0, false));
}

#[test]
fn compression_can_be_switched_off_and_on() {
    let (socket, port) = receiver();
    let mut sink = sink(port, true, Chunking::default());
    let queue = Queue::new(0);
    let mut batch = Batch::default();
    batch.add(|o| o.extend_from_slice(&record(1000, 1)));
    for on in [true, false, true] {
        queue.compress.store(on, Relaxed);
        sink.send(&batch, &queue);
        let mut buffer = [0; 2000];
        let n = socket.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..n].starts_with(&[0x1f, 0x8b]), on);
    }
}

#[test]
fn too_big_is_counted_and_the_next_goes() {
    let (socket, port) = receiver();
    for (chunk, too_big) in [(Chunking::Datagram(256), 128 * 244 + 1), (Chunking::Off, 65_508)] {
        let mut sink = sink(port, false, chunk);
        let queue = Queue::new(0);
        let mut batch = Batch::default();
        batch.add(|o| o.extend_from_slice(&record(too_big, 1)));
        batch.add(|o| o.extend_from_slice(b"{}"));
        sink.send(&batch, &queue);
        assert_eq!(receive(&socket, 1, 256), [b"{}"]);
        let counts = queue.account.read();
        assert_eq!((counts.sent, counts.dropped_for(Reason::TooBig)), (1, 1));
    }
}

#[test]
fn nobody_there_is_counted_and_not_fatal() {
    let (socket, port) = receiver();
    drop(socket);
    let mut sink = sink(port, false, Chunking::default());
    let queue = Queue::new(0);
    let mut batch = Batch::default();
    (0..50).for_each(|_| batch.add(|o| o.extend_from_slice(b"{}")));
    for _ in 0..20 {
        sink.send(&batch, &queue);
    }
    let counts = queue.account.read();
    assert_eq!(counts.sent + counts.dropped_all(), 1000);
    assert!(counts.dropped_for(Reason::SendError) > 0);
    // The receiver comes back.
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    sink.send(&batch, &queue);
    assert!(!receive(&socket, 40, 1420).is_empty());
}

#[test]
fn no_address_is_counted() {
    let mut sink = sink(1, false, Chunking::default());
    sink.config.to.host = "no-such-host.invalid".into();
    let queue = Queue::new(0);
    let mut batch = Batch::default();
    batch.add(|o| o.extend_from_slice(b"{}"));
    sink.send(&batch, &queue);
    assert_eq!(queue.account.read().dropped_for(Reason::NoAddress), 1);
}
