//! AMQP 0-9-1: each connection publishes messages and is given others, which it acknowledges.

use super::{Busy, Made, Script, Workload};
use record::Kind;
use testkit::Sender::{Client, Server};

pub const ALL: &[Workload] = &[Workload {
    name: "amqp",
    what: "AMQP publish and deliver, 300-byte messages over 50 connections",
    unit: "messages",
    make,
}];

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    const END: &[u8] = &[0xce];
    [&[kind], &channel.to_be_bytes()[..], &(payload.len() as u32).to_be_bytes(), payload, END].concat()
}

fn method(channel: u16, class: u16, id: u16, args: &[&[u8]]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes(), &id.to_be_bytes(), &args.concat()[..]].concat())
}

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn content(body: &[u8]) -> Vec<u8> {
    let header =
        [&[0, 60, 0, 0], &(body.len() as u64).to_be_bytes()[..], &[0x80, 0], &short("application/json")]
            .concat();
    [frame(2, 1, &header), frame(3, 1, body)].concat()
}

fn open() -> Script {
    let tune: &[&[u8]] = &[&[0x07, 0xff], &[0, 2, 0, 0], &[0, 60]];
    let login = [&long(b"")[..], &short("PLAIN"), &long(b"\0ann\0secret"), &short("en_US")];
    vec![
        (Client, b"AMQP\0\0\x09\x01".to_vec()),
        (Server, method(0, 10, 10, &[&[0, 9], &long(b""), &long(b"PLAIN"), &long(b"en_US")])),
        (Client, method(0, 10, 11, &login)),
        (Server, method(0, 10, 30, tune)),
        (Client, [method(0, 10, 31, tune), method(0, 10, 40, &[&short("/shop"), &short(""), &[0]])].concat()),
        (Server, method(0, 10, 41, &[&short("")])),
        (Client, method(1, 20, 10, &[&short("")])),
        (Server, method(1, 20, 11, &[&long(b"")])),
        (Client, method(1, 60, 20, &[&[0, 0], &short("orders"), &short("c1"), &[0], &long(b"")])),
        (Server, method(1, 60, 21, &[&short("c1")])),
    ]
}

fn make(scale: usize) -> Made {
    let busy = Busy { port: 5672, connections: 50, packets: 3 };
    let rounds = busy.rounds(scale);
    let body = br#"{"id":1234,"name":"a thing of some length","price":"12.50"},"#.repeat(5);
    let frames = busy.frames(rounds, &open(), |i| {
        let tag = (i / busy.connections) as u64 + 1;
        // What was delivered the round before is acknowledged with the next.
        let ack = if tag > 1 { method(1, 60, 80, &[&(tag - 1).to_be_bytes(), &[0]]) } else { Vec::new() };
        let publish = method(1, 60, 40, &[&[0, 0], &short("shop"), &short("order.new"), &[0]]);
        let deliver =
            method(1, 60, 60, &[&short("c1"), &tag.to_be_bytes(), &[0], &short("shop"), &short("order.new")]);
        ([ack, publish, content(&body)].concat(), [deliver, content(&body)].concat())
    });
    let units = busy.connections * rounds * 2;
    // Opening a connection and consuming are records too.
    let records = units + busy.connections * 2;
    Made { frames, units, flows: busy.connections, records: Some((Kind::Mq, records)) }
}
