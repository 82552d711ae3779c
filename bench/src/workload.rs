//! Workloads: traffic made on the spot, the same on every machine.

use base::{MICRO, SECOND, Timestamp};
use testkit::{Conversation, Noise, Packet, Sender, TimedFrame};

/// A workload by name.
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What it is counted in besides packets.
    pub unit: &'static str,
    /// Its frames and how many units they are; the scale is about the number of packets.
    pub make: fn(scale: usize) -> (Vec<TimedFrame>, usize),
}

/// All workloads.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "udp-small",
        what: "64-byte UDP over 100 k flows in random order",
        unit: "packets",
        make: udp_small,
    },
    Workload {
        name: "tcp-bulk",
        what: "1,400-byte TCP segments over 200 connections, acknowledged",
        unit: "segments",
        make: tcp_bulk,
    },
    Workload {
        name: "connections",
        what: "short connections, SYN to FIN, no data",
        unit: "connections",
        make: connections,
    },
    Workload {
        name: "syn-flood",
        what: "SYNs from distinct ports, never answered",
        unit: "SYNs",
        make: syn_flood,
    },
    Workload {
        name: "http-small",
        what: "HTTP keep-alive over 100 connections, 1 kB answers",
        unit: "requests",
        make: http_small,
    },
    Workload {
        name: "http-10k",
        what: "HTTP keep-alive over 100 connections, 10 kB answers",
        unit: "requests",
        make: http_10k,
    },
    Workload { name: "http-conn", what: "HTTP, a connection each", unit: "requests", make: http_conn },
    Workload {
        name: "dns",
        what: "DNS queries and answers over UDP, a port each",
        unit: "queries",
        make: dns,
    },
];

const START: Timestamp = Timestamp(1_700_000_000 * SECOND);

/// Orders frames by time and gives them even spacing, so that a workload is one busy link.
fn link(mut frames: Vec<TimedFrame>, spacing: u64) -> Vec<TimedFrame> {
    frames.sort_by_key(|(t, _)| *t);
    for (i, (t, _)) in frames.iter_mut().enumerate() {
        *t = START.plus(i as u64 * spacing);
    }
    frames
}

fn udp_small(scale: usize) -> (Vec<TimedFrame>, usize) {
    const FLOWS: usize = 100_000;
    let mut noise = Noise::new(1);
    let frames = (0..scale)
        .map(|i| {
            let n = noise.below(FLOWS);
            let src =
                format!("10.{}.{}.{}:{}", 1 + n / 50_000, (n / 250) % 200, 1 + n % 250, 10_000 + n % 40_000);
            let frame = Packet::udp(&src, "192.168.0.1:9999").payload(&[b'x'; 22]).build();
            (START.plus(i as u64 * MICRO), frame)
        })
        .collect();
    (frames, scale)
}

fn tcp_bulk(scale: usize) -> (Vec<TimedFrame>, usize) {
    const FLOWS: usize = 200;
    let rounds = (scale / FLOWS / 3).max(1);
    let mut frames = Vec::new();
    for f in 0..FLOWS {
        let mut c = Conversation::new(&format!("10.0.0.{}:{}", 1 + f % 250, 20_000 + f), "192.168.0.1:443")
            .at(START.plus(f as u64 * MICRO))
            .step(FLOWS as u64 * MICRO)
            .mss(1346)
            .handshake();
        for _ in 0..rounds {
            c = c.send(Sender::Client, &[0xa5; 2 * 1346]);
        }
        frames.extend(c.frames());
    }
    (link(frames, MICRO), FLOWS * rounds * 2)
}

fn connections(scale: usize) -> (Vec<TimedFrame>, usize) {
    let n = (scale / 7).max(1);
    let mut frames = Vec::new();
    for i in 0..n {
        let client =
            format!("10.{}.{}.{}:{}", 1 + i / 65_536, (i / 256) % 256, i % 250 + 1, 1024 + i % 60_000);
        let c = Conversation::new(&client, "192.168.0.1:443")
            .at(START.plus(i as u64 * 4 * MICRO))
            .step(50 * MICRO);
        frames.extend(c.handshake().close().frames());
    }
    (link(frames, MICRO / 2), n)
}

fn syn_flood(scale: usize) -> (Vec<TimedFrame>, usize) {
    let frames = (0..scale)
        .map(|i| {
            let src = format!("10.{}.{}.{}:{}", i >> 16 & 255, i >> 8 & 255, i & 255, 1024 + i % 60_000);
            let frame = Packet::tcp(&src, "192.168.0.1:80").seq(i as u32).flag(testkit::Flag::Syn).build();
            (START.plus(i as u64 * MICRO), frame)
        })
        .collect();
    (frames, scale)
}

fn request(i: usize) -> Vec<u8> {
    format!(
        "GET /api/items/{i}?user=42&page=3 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Bench/1.0\r\n\
         Accept: application/json, text/plain, */*\r\nAccept-Encoding: identity\r\nX-Request-Id: {i:032x}\r\nCookie: session=abcdef0123456789\r\n\r\n"
    )
    .into_bytes()
}

fn answer(bytes: usize) -> Vec<u8> {
    let item = br#"{"id":1234,"name":"a thing of some length","price":"12.50","tags":["new","blue"]},"#;
    let mut body: Vec<u8> = item.iter().copied().cycle().take(bytes).collect();
    if let Some(last) = body.last_mut() {
        *last = b'}';
    }
    let mut out = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Type: application/json\r\n\
         Content-Length: {bytes}\r\nConnection: keep-alive\r\nCache-Control: no-store\r\n\r\n"
    )
    .into_bytes();
    out.append(&mut body);
    out
}

fn http(scale: usize, bytes: usize, packets: usize) -> (Vec<TimedFrame>, usize) {
    const FLOWS: usize = 100;
    let rounds = (scale / FLOWS / packets).max(1);
    let mut frames = Vec::new();
    for f in 0..FLOWS {
        let mut c = Conversation::new(&format!("10.0.0.{}:{}", 1 + f, 20_000 + f), "192.168.0.1:80")
            .at(START.plus(f as u64 * MICRO))
            .step(FLOWS as u64 * MICRO)
            .mss(1448)
            .handshake();
        for r in 0..rounds {
            c = c
                .send_unacknowledged(Sender::Client, &request(r * FLOWS + f))
                .send(Sender::Server, &answer(bytes));
        }
        frames.extend(c.frames());
    }
    (link(frames, 2 * MICRO), FLOWS * rounds)
}

fn http_small(scale: usize) -> (Vec<TimedFrame>, usize) {
    http(scale, 1000, 3)
}

fn http_10k(scale: usize) -> (Vec<TimedFrame>, usize) {
    http(scale, 10_000, 9)
}

fn http_conn(scale: usize) -> (Vec<TimedFrame>, usize) {
    let n = (scale / 10).max(1);
    let mut frames = Vec::new();
    for i in 0..n {
        let client =
            format!("10.{}.{}.{}:{}", 1 + i / 65_536, (i / 256) % 256, i % 250 + 1, 1024 + i % 60_000);
        let c = Conversation::new(&client, "192.168.0.1:80")
            .at(START.plus(i as u64 * 20 * MICRO))
            .step(50 * MICRO)
            .handshake()
            .send_unacknowledged(Sender::Client, &request(i))
            .send(Sender::Server, &answer(600));
        frames.extend(c.close().frames());
    }
    (link(frames, 2 * MICRO), n)
}

fn dns(scale: usize) -> (Vec<TimedFrame>, usize) {
    let n = (scale / 2).max(1);
    let mut frames = Vec::new();
    for i in 0..n {
        let client =
            format!("10.{}.{}.{}:{}", 1 + i / 65_536, (i / 256) % 256, i % 250 + 1, 1024 + i % 60_000);
        let (query, reply) = dns_pair(i as u16);
        let at = START.plus(i as u64 * 10 * MICRO);
        frames.push((at, Packet::udp(&client, "192.168.0.1:53").payload(&query).build()));
        frames.push((at.plus(5 * MICRO), Packet::udp("192.168.0.1:53", &client).payload(&reply).build()));
    }
    (frames, n)
}

/// A query for an address and its answer, RFC 1035 section 4.
fn dns_pair(id: u16) -> (Vec<u8>, Vec<u8>) {
    let question = b"\x03www\x07example\x03com\x00\x00\x01\x00\x01";
    let header = |flags: u16, answers: u16| {
        let mut h = Vec::new();
        for word in [id, flags, 1, answers, 0, 0] {
            h.extend_from_slice(&word.to_be_bytes());
        }
        h
    };
    let mut query = header(0x0100, 0);
    query.extend_from_slice(question);
    let mut reply = header(0x8180, 1);
    reply.extend_from_slice(question);
    reply.extend_from_slice(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01");
    (query, reply)
}
