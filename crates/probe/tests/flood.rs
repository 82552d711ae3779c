//! Floods: traffic made to fill memory. The program stays inside `mem-limit`, ends in time, its account adds
//! up, and an honest request in the midst or after it is still told where that can be. The captures are
//! made while they are read: no large file is written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::golden::members;

/// Writes frames as a pcap into the program, with a time that goes on by itself.
struct Feed {
    out: BufWriter<ChildStdin>,
    pid: u32,
    micros: u64,
    frames: u64,
    peak: u64,
}

/// Peak resident memory of a process in bytes; 0 when it is gone.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

impl Feed {
    fn new(mut child_in: ChildStdin, pid: u32) -> Feed {
        let mut head = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
        head.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        head.extend(65_535u32.to_le_bytes());
        head.extend(1u32.to_le_bytes());
        child_in.write_all(&head).unwrap();
        Feed {
            out: BufWriter::with_capacity(1 << 16, child_in),
            pid,
            micros: 1_700_000_000_000_000,
            frames: 0,
            peak: 0,
        }
    }

    fn frame(&mut self, frame: &[u8]) {
        self.micros += 2;
        let mut head = [0; 16];
        head[..4].copy_from_slice(&((self.micros / 1_000_000) as u32).to_le_bytes());
        head[4..8].copy_from_slice(&((self.micros % 1_000_000) as u32).to_le_bytes());
        head[8..12].copy_from_slice(&(frame.len() as u32).to_le_bytes());
        head[12..].copy_from_slice(&(frame.len() as u32).to_le_bytes());
        // The program may have ended with an error: its exit code tells more than our panic.
        let _ = self.out.write_all(&head).and_then(|()| self.out.write_all(frame));
        self.frames += 1;
        if self.frames.is_multiple_of(16_384) {
            self.peak = self.peak.max(peak(self.pid));
        }
    }

    /// A TCP segment from `src` to `dst` (address, port).
    fn tcp(&mut self, src: (u32, u16), dst: (u32, u16), seq: u32, ack: u32, flags: u8, payload: &[u8]) {
        let mut l4 = [0; 20];
        l4[..2].copy_from_slice(&src.1.to_be_bytes());
        l4[2..4].copy_from_slice(&dst.1.to_be_bytes());
        l4[4..8].copy_from_slice(&seq.to_be_bytes());
        l4[8..12].copy_from_slice(&ack.to_be_bytes());
        l4[12] = 0x50;
        l4[13] = flags;
        l4[14..16].copy_from_slice(&8192u16.to_be_bytes());
        self.ip(src.0, dst.0, 6, 0, 0x4000, &[&l4, payload]);
    }

    fn udp(&mut self, src: (u32, u16), dst: (u32, u16), payload: &[u8]) {
        let mut l4 = [0; 8];
        l4[..2].copy_from_slice(&src.1.to_be_bytes());
        l4[2..4].copy_from_slice(&dst.1.to_be_bytes());
        l4[4..6].copy_from_slice(&(8 + payload.len() as u16).to_be_bytes());
        self.ip(src.0, dst.0, 17, 0, 0x4000, &[&l4, payload]);
    }

    /// An IPv4 packet; `offset` is the field with its flags.
    fn ip(&mut self, src: u32, dst: u32, proto: u8, id: u16, offset: u16, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|p| p.len()).sum();
        let mut f = Vec::with_capacity(34 + len);
        f.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0]);
        f.extend((20 + len as u16).to_be_bytes());
        f.extend(id.to_be_bytes());
        f.extend(offset.to_be_bytes());
        f.extend([64, proto, 0, 0]);
        f.extend(src.to_be_bytes());
        f.extend(dst.to_be_bytes());
        let sum: u32 = f[14..34].chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        f[24..26].copy_from_slice(&sum.to_be_bytes());
        parts.iter().for_each(|p| f.extend(*p));
        self.frame(&f);
    }

    /// The three segments that open a connection; both ends then stand at sequence number 1.
    fn open(&mut self, src: (u32, u16), dst: (u32, u16)) {
        self.tcp(src, dst, 0, 0, SYN, &[]);
        self.tcp(dst, src, 0, 1, SYN | ACK, &[]);
        self.tcp(src, dst, 1, 1, ACK, &[]);
    }
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;
const SERVER: (u32, u16) = (0x0a00_0001, 80);

fn client(i: u32) -> (u32, u16) {
    (0x0b00_0000 + i / 50_000, 10_000 + (i % 50_000) as u16)
}

/// What the program wrote.
struct Outcome {
    kinds: std::collections::BTreeMap<String, u64>,
    /// Lines with this in it.
    marked: u64,
    account: String,
}

impl Outcome {
    fn num(&self, key: &str) -> u64 {
        let value = members(&self.account).into_iter().find(|(k, _)| *k == key || *k == format!("\"{key}\""));
        let value = value.unwrap_or_else(|| panic!("{key} is not in {}", self.account)).1;
        value.trim_matches('"').parse().unwrap()
    }
}

fn read_all(child: &mut Child) -> std::thread::JoinHandle<Outcome> {
    let out = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut outcome = Outcome { kinds: Default::default(), marked: 0, account: String::new() };
        let (mut input, mut line) = (BufReader::with_capacity(1 << 18, out), String::new());
        while input.read_line(&mut line).unwrap() > 0 {
            let kind =
                line.split_once("\"RECORD\":\"").and_then(|(_, r)| r.split_once('"')).map_or("", |(k, _)| k);
            *outcome.kinds.entry(kind.to_owned()).or_default() += 1;
            outcome.marked += u64::from(line.contains("/honest"));
            if kind == "probe" {
                outcome.account.clone_from(&line);
            }
            line.clear();
        }
        outcome
    })
}

/// Feeds a flood to the program under each of two limits, with honest requests before and after.
fn flood(name: &str, make: impl Fn(&mut Feed)) {
    for limit in [110, 40] {
        let mut child =
            Command::new(std::env::var_os("MFNANO").unwrap_or_else(|| env!("CARGO_BIN_EXE_mfnano").into()))
                .args(["read", "-", &format!("--mem-limit={limit}")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap();
        let reader = read_all(&mut child);
        let began = Instant::now();
        let mut feed = Feed::new(child.stdin.take().unwrap(), child.id());
        honest(&mut feed, 1);
        make(&mut feed);
        honest(&mut feed, 2);
        let frames = feed.frames;
        let mut high = feed.peak.max(peak(child.id()));
        drop(feed);
        let status = loop {
            high = high.max(peak(child.id()));
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if began.elapsed() > Duration::from_secs(240) => {
                    child.kill().unwrap();
                    panic!("{name}: not done after 240 s");
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        assert!(status.success(), "{name}: {status}");
        let outcome = reader.join().unwrap();
        let took = began.elapsed().as_secs_f64();
        println!(
            "{name}, {limit} MB: {frames} packets in {took:.1} s, peak {:.1} MB, records {:?}, {}",
            high as f64 / 1e6,
            outcome.kinds,
            outcome.account.trim_end()
        );
        assert!(high <= limit << 20, "{name}: {high} bytes at the peak, the limit is {limit} MB");
        assert_eq!(outcome.num("PKTS_SEEN"), frames);
        let parts = ["PKTS_PARSED", "PKTS_FILTERED", "PKTS_SAMPLED", "PKTS_LOST", "PKTS_MALFORMED"];
        assert_eq!(parts.iter().map(|k| outcome.num(k)).sum::<u64>(), frames, "the account adds up");
        let made: u64 = outcome.kinds.values().sum();
        assert_eq!(outcome.num("RECORDS_MADE") + 1, made, "every record made is there, and the account");
        assert_eq!(outcome.marked, 2, "{name}: honest requests before and after the flood are told");
    }
}

/// A request as there are many, answered at once.
fn honest(feed: &mut Feed, n: u16) {
    let src = (0x0c00_0001, 1000 + n);
    let request = b"GET /honest HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    feed.open(src, SERVER);
    let (up, down) = (1 + request.len() as u32, 1 + answer.len() as u32);
    feed.tcp(src, SERVER, 1, 1, ACK, request);
    feed.tcp(SERVER, src, 1, up, ACK, answer);
    feed.tcp(src, SERVER, up, down, ACK | FIN, &[]);
    feed.tcp(SERVER, src, down, up + 1, ACK | FIN, &[]);
    feed.tcp(src, SERVER, up + 1, down + 1, ACK, &[]);
}

#[test]
fn a_million_syns() {
    flood("SYNs", |feed| {
        for i in 0..1_000_000 {
            feed.tcp(client(i), SERVER, i, 0, SYN, &[]);
        }
    });
}

#[test]
fn a_million_udp_flows() {
    flood("UDP flows", |feed| {
        for i in 0..1_000_000 {
            feed.udp(client(i), (0x0a00_0001, 9999), b"what is this");
        }
    });
}

#[test]
fn a_million_dns_queries_without_answers() {
    flood("DNS queries", |feed| {
        let mut query = *b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x0c000000000000\x03lab\0\0\x01\0\x01";
        for i in 0..1_000_000u32 {
            query[..2].copy_from_slice(&(i as u16).to_be_bytes());
            query[13..21].copy_from_slice(format!("{i:08}").as_bytes());
            feed.udp(client(i % 200), (0x0a00_0001, 53), &query);
        }
    });
}

#[test]
fn headers_without_end() {
    flood("headers", |feed| {
        let line = b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(22);
        let start = b"GET /endless HTTP/1.1\r\nHost: a\r\n";
        for i in 0..1000 {
            feed.open(client(i), SERVER);
            feed.tcp(client(i), SERVER, 1, 1, ACK, start);
        }
        for round in 0..300u32 {
            for i in 0..1000 {
                let seq = 1 + start.len() as u32 + round * line.len() as u32;
                feed.tcp(client(i), SERVER, seq, 1, ACK, &line);
            }
        }
    });
}

#[test]
fn chunked_bodies_without_end() {
    flood("chunked", |feed| {
        let start = b"POST /endless HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk =
            [b"1\r\nx\r\n".repeat(120), b"200\r\n".to_vec(), vec![b'y'; 512], b"\r\n".to_vec()].concat();
        for i in 0..1000 {
            feed.open(client(i), SERVER);
            feed.tcp(client(i), SERVER, 1, 1, ACK, start);
        }
        for round in 0..300u32 {
            for i in 0..1000 {
                let seq = 1 + start.len() as u32 + round * chunk.len() as u32;
                feed.tcp(client(i), SERVER, seq, 1, ACK, &chunk);
            }
        }
    });
}

#[test]
fn pipelines_without_answers() {
    flood("pipelines", |feed| {
        let requests =
            b"GET /half/open HTTP/1.1\r\nHost: a\r\nCookie: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"
                .repeat(16);
        for i in 0..10_000 {
            feed.open(client(i), SERVER);
            for round in 0..16u32 {
                feed.tcp(client(i), SERVER, 1 + round * requests.len() as u32, 1, ACK, &requests);
            }
        }
    });
}

#[test]
fn a_million_fragments_of_which_none_is_whole() {
    flood("fragments", |feed| {
        for i in 0..1_000_000u32 {
            // More fragments follow; the first 8 bytes of a datagram that never comes.
            let offset = 0x2000 | ((i % 7) as u16);
            feed.ip(client(i).0 + i % 64, 0x0a00_0001, 17, (i / 7) as u16, offset, &[b"fragment"]);
        }
    });
}

#[test]
fn streams_full_of_holes() {
    flood("holes", |feed| {
        let piece = [b'h'; 700];
        for i in 0..2000 {
            feed.open(client(i), SERVER);
            feed.tcp(
                client(i),
                SERVER,
                1,
                1,
                ACK,
                b"POST /holes HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
            );
        }
        for round in 0..200u32 {
            for i in 0..2000 {
                // Every second piece is missing, and all come before the first hole is ever filled.
                feed.tcp(client(i), SERVER, 2000 + round * 1400, 1, ACK, &piece);
            }
        }
    });
}

#[test]
fn connections_that_hold_half_of_every_protocol() {
    flood("first bytes", |feed| {
        let firsts: [&[u8]; 8] = [
            b"GET / HT",
            b"\x16\x03\x01\x40\x00\x01",
            b"*99999\r\n$1",
            b"\x00\x00\x7f\xff\x00\x01",
            b"\xff\xff\xff\x00\x0a8.0",
            b"AMQP\x00",
            b"\x10\xff\xff\xff\x7f",
            b"\x00\x00\x40\x00\x00\x12\x00\x09",
        ];
        for i in 0..150_000 {
            feed.open(client(i), (SERVER.0, [80, 443, 6379, 53, 3306, 5672, 1883, 9092][i as usize % 8]));
            let to = (SERVER.0, [80, 443, 6379, 53, 3306, 5672, 1883, 9092][i as usize % 8]);
            feed.tcp(client(i), to, 1, 1, ACK, firsts[i as usize % 8]);
        }
    });
}
