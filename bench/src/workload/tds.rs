//! SQL Server: batches in the Tabular Data Stream (MS-TDS), not encrypted. Ten rows each.

use super::{Busy, Made, Script, Workload};
use record::Kind;
use testkit::Sender::{Client, Server};

pub const ALL: &[Workload] = &[Workload {
    name: "tds",
    what: "SQL Server batches over 50 connections, 10 rows each",
    unit: "batches",
    make,
}];

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A message of one packet: type, "end of message", length, process, number, window.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 1], &(body.len() as u16 + 8).to_be_bytes()[..], &[0, 0, 1, 0], body].concat()
}

fn done(status: u8, rows: u64) -> Vec<u8> {
    [&[0xfd, status, 0, 0xc1, 0][..], &rows.to_le_bytes()].concat()
}

/// LOGIN7: a table of offsets and lengths, then the texts.
fn login7() -> Vec<u8> {
    let mut fixed = vec![0u8; 94];
    let mut texts = Vec::new();
    for (pair, text) in [(36, "host"), (40, "ann"), (44, "secret"), (68, "shop")] {
        let at = (fixed.len() + texts.len()) as u16;
        for (to, byte) in
            fixed.iter_mut().skip(pair).zip([at, text.len() as u16].map(u16::to_le_bytes).concat())
        {
            *to = byte;
        }
        texts.extend(utf16(text));
    }
    let head = [((fixed.len() + texts.len()) as u32).to_le_bytes(), [4, 0, 0, 0x74]].concat();
    let rest = fixed.split_off(head.len());
    [head, rest, texts].concat()
}

fn login() -> Script {
    // No encryption is possible.
    let prelogin = b"\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0f\0\x07\xd0\0\0\x02";
    let database = [&[1, 4][..], &utf16("shop"), &[0]].concat();
    let change = [&[0xe3][..], &(database.len() as u16).to_le_bytes(), &database].concat();
    let ack = b"\xad\x0e\0\x01\x74\0\0\x04\x02S\0Q\0\x10\0\0\0";
    vec![
        (Client, message(0x12, prelogin)),
        (Server, message(4, prelogin)),
        (Client, message(0x10, &login7())),
        (Server, message(4, &[&change[..], ack, &done(0, 0)].concat())),
    ]
}

fn make(scale: usize) -> Made {
    let busy = Busy { port: 1433, connections: 50, packets: 3 };
    let rounds = busy.rounds(scale);
    // An INT and a NVARCHAR(50).
    let mut answer = b"\x81\x02\0\0\0\0\0\x09\0\x38\x02i\0d\0".to_vec();
    answer.extend(b"\0\0\0\0\x09\0\xe7\x64\0\x09\x04\xd0\0\x34\x04n\0a\0m\0e\0");
    let name = utf16("a thing of some length");
    for i in 0..10u32 {
        answer.push(0xd1);
        answer.extend(i.to_le_bytes());
        answer.extend((name.len() as u16).to_le_bytes());
        answer.extend(&name);
    }
    answer.extend(done(0x10, 10));
    let answer = message(4, &answer);
    let frames = busy.frames(rounds, &login(), |i| {
        let sql =
            format!("SELECT TOP 10 id, name FROM items WHERE shop = {i} AND state = 'new' ORDER BY price");
        let headers = b"\x16\0\0\0\x12\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0";
        (message(1, &[&headers[..], &utf16(&sql)].concat()), answer.clone())
    });
    let units = busy.connections * rounds;
    Made { frames, units, flows: busy.connections, records: Some((Kind::Sql, units)) }
}
