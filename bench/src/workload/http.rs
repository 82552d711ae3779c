//! HTTP/1.1 as an API is used: keep-alive with small and larger answers, a connection each.

use super::{Busy, Made, START, Workload, client, link};
use base::MICRO;
use record::Kind;
use testkit::{Conversation, Sender};

pub const ALL: &[Workload] = &[
    Workload {
        name: "http-small",
        what: "HTTP keep-alive over 100 connections, 1 kB answers",
        unit: "requests",
        make: |scale| keep_alive(scale, 1000, 3),
    },
    Workload {
        name: "http-10k",
        what: "HTTP keep-alive over 100 connections, 10 kB answers",
        unit: "requests",
        make: |scale| keep_alive(scale, 10_000, 9),
    },
    Workload {
        name: "http-conn",
        what: "HTTP, a connection each",
        unit: "requests",
        make: a_connection_each,
    },
];

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

fn keep_alive(scale: usize, bytes: usize, packets: usize) -> Made {
    let busy = Busy { port: 80, connections: 100, packets };
    let rounds = busy.rounds(scale);
    let answer = answer(bytes);
    let frames = busy.frames(rounds, &Vec::new(), |i| (request(i), answer.clone()));
    let units = busy.connections * rounds;
    Made { frames, units, flows: busy.connections, records: Some((Kind::Http, units)) }
}

fn a_connection_each(scale: usize) -> Made {
    let n = (scale / 10).max(1);
    let answer = answer(600);
    let mut frames = Vec::new();
    for i in 0..n {
        let c = Conversation::new(&client(i), "192.168.0.1:80")
            .at(START.plus(i as u64 * 20 * MICRO))
            .step(50 * MICRO)
            .handshake()
            .send_unacknowledged(Sender::Client, &request(i))
            .send(Sender::Server, &answer);
        frames.extend(c.close().frames());
    }
    Made { frames: link(frames, 2 * MICRO), units: n, flows: n, records: Some((Kind::Http, n)) }
}
