//! Oracle: statements of a thin client in TNS, as far as its form is known. Ten rows each.

use super::{Busy, Made, Script, Workload};
use record::Kind;
use testkit::Sender::{Client, Server};

pub const ALL: &[Workload] = &[Workload {
    name: "tns",
    what: "Oracle statements over 50 connections, 10 rows each",
    unit: "statements",
    make,
}];

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16 + 8).to_be_bytes()[..], &[0, 0, kind, 0, 0, 0], body].concat()
}

fn data(message: &[u8]) -> Vec<u8> {
    packet(6, &[&[0, 0], message].concat())
}

/// A connect packet with its descriptor, version 313, and a login of two calls.
fn login() -> Script {
    let descriptor =
        b"(DESCRIPTION=(CONNECT_DATA=(SID=shop)(CID=(PROGRAM=bench)(HOST=h)(USER=ann)))(ADDRESS=(PROTOCOL=TCP)(HOST=x)(PORT=1521)))";
    let connect = [
        &[1, 0x3c, 1, 0x2c][..],
        &[0; 12],
        &(descriptor.len() as u16).to_be_bytes(),
        &[0, 58],
        &[0; 30],
        descriptor,
    ]
    .concat();
    vec![
        (Client, packet(1, &connect)),
        (Server, packet(2, b"\x01\x39\x0c\x01\x07\xff\x7f\xff\x01\0\0\0\0\x20\xc1\x01\0\0\0\0\0\0\0\0")),
        (Client, data(b"\x03\x76\x01\x01\x01\x03\x01\x21\x01\x01\x05\x01\x01ANN\x01\x0d\x0dAUTH_TERMINAL\x01\x01xx\0")),
        (Server, data(b"\x08\x01\x02\x01\x0c\x0cAUTH_SESSKEY\x01\x40\x40")),
        (
            Client,
            data(b"\x03\x73\x02\x01\x01\x03\x02\x01\x21\x01\x01\x0d\x01\x01ANN\x01\x0d\x0dAUTH_PASSWORD\x01\x06\x06secret\0"),
        ),
        (Server, data(b"\x08\x01\x23\x01\x13\x13AUTH_VERSION_STRING")),
    ]
}

/// OALL8: parse, execute and fetch in one call.
fn call(seq: u8, sql: &[u8]) -> Vec<u8> {
    let head = [3, 0x5e, seq, 2, 0x80, 0x21, 0, 1, 1, sql.len() as u8];
    let behind =
        b"\x01\x01\x0d\0\0\x04\xff\xff\xff\xff\x01\x0a\x04\x7f\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\x01";
    [&head[..], behind, sql, b"\x01\x01\0\0\0\0\0\0\x01\x01\0\x02\x80\0\0\0\0\0"].concat()
}

/// Columns, rows, and the verdict: ten rows, and no more there (ORA-01403).
fn answer(seq: u8) -> Vec<u8> {
    let mut out = b"\x10\x17\x01\x02\x03".to_vec();
    for _ in 0..10 {
        out.extend_from_slice(b"\x06\x02\xc1\x0d\x16a thing of some length");
    }
    out.extend_from_slice(&[4, 1, 1, 1, seq, 1, 10, 2, 0x05, 0x7b, 0, 0, 1, 1, 0, 3, 0, 1, 0x20]);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&[seq, 0, 1, 1, 0, 0, 0, 0]);
    let text = b"ORA-01403: no data found\n";
    out.push(text.len() as u8);
    out.extend_from_slice(text);
    data(&out)
}

fn make(scale: usize) -> Made {
    let busy = Busy { port: 1521, connections: 50, packets: 3 };
    let rounds = busy.rounds(scale);
    let frames = busy.frames(rounds, &login(), |i| {
        let seq = ((i / busy.connections) % 120 + 3) as u8;
        let sql = format!("select id, name from items where shop = {i} and state = 'new' order by price");
        (data(&call(seq, sql.as_bytes())), answer(seq))
    });
    let units = busy.connections * rounds;
    Made { frames, units, flows: busy.connections, records: Some((Kind::Sql, units)) }
}
