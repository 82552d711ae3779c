//! PostgreSQL: simple queries, and the extended protocol as drivers speak it. Ten rows each.

use super::{Busy, Made, Script, Workload};
use record::Kind;
use testkit::Sender::{Client, Server};

pub const ALL: &[Workload] = &[
    Workload {
        name: "pgsql-simple",
        what: "PostgreSQL simple queries over 50 connections, 10 rows each",
        unit: "queries",
        make: simple,
    },
    Workload {
        name: "pgsql-extended",
        what: "PostgreSQL Parse, Bind, Describe, Execute, Sync, 2 values, 10 rows each",
        unit: "executions",
        make: extended,
    },
];

const BUSY: Busy = Busy { port: 5432, connections: 50, packets: 3 };

/// A message: type, length, body.
fn message(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), &body].concat()
}

fn login() -> Script {
    let body = b"\0\x03\0\0user\0ann\0database\0shop\0application_name\0bench\0\0";
    let startup = [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat();
    let welcome = [
        message(b'R', &[&[0; 4]]),
        message(b'S', &[b"server_version\x0015.3\0"]),
        message(b'S', &[b"client_encoding\0UTF8\0"]),
        message(b'K', &[&[0, 0, 0, 1, 0, 0, 0, 2]]),
        message(b'Z', &[b"I"]),
    ];
    vec![(Client, startup), (Server, welcome.concat())]
}

/// RowDescription of three columns as text, ten rows, the end.
fn result() -> Vec<u8> {
    let mut columns = vec![0, 3];
    for (name, oid) in [("id", 20u32), ("name", 25), ("price", 1700)] {
        columns.extend_from_slice(name.as_bytes());
        columns.extend_from_slice(&[0, 0, 0, 0x40, 0, 0, 1]);
        columns.extend_from_slice(&oid.to_be_bytes());
        columns.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    }
    let mut row = vec![0, 3];
    for value in ["1234", "a thing of some length", "12.50"] {
        row.extend_from_slice(&(value.len() as u32).to_be_bytes());
        row.extend_from_slice(value.as_bytes());
    }
    let rows = message(b'D', &[&row]).repeat(10);
    [message(b'T', &[&columns]), rows, message(b'C', &[b"SELECT 10\0"]), message(b'Z', &[b"I"])].concat()
}

fn made(scale: usize, answer: &[u8], ask: impl Fn(usize) -> Vec<u8>) -> Made {
    let rounds = BUSY.rounds(scale);
    let frames = BUSY.frames(rounds, &login(), |i| (ask(i), answer.to_vec()));
    let units = BUSY.connections * rounds;
    Made { frames, units, flows: BUSY.connections, records: Some((Kind::Sql, units)) }
}

fn simple(scale: usize) -> Made {
    made(scale, &result(), |i| {
        let sql = format!(
            "SELECT id, name, price FROM items WHERE shop = {i} AND state = 'new' ORDER BY price LIMIT 10\0"
        );
        message(b'Q', &[sql.as_bytes()])
    })
}

fn extended(scale: usize) -> Made {
    let answer = [&b"1\0\0\0\x042\0\0\0\x04"[..], &result()].concat();
    made(scale, &answer, |i| {
        let sql =
            b"SELECT id, name, price FROM items WHERE shop = $1 AND state = $2 ORDER BY price LIMIT 10\0";
        let shop = i.to_string();
        let values =
            [&(shop.len() as u32).to_be_bytes()[..], shop.as_bytes(), &[0, 0, 0, 3], b"new"].concat();
        [
            message(b'P', &[b"\0", sql, &[0, 2, 0, 0, 0, 20, 0, 0, 0, 25]]),
            message(b'B', &[b"\0\0\0\0", &[0, 2], &values, &[0, 0]]),
            message(b'D', &[b"P\0"]),
            message(b'E', &[b"\0", &[0; 4]]),
            message(b'S', &[]),
        ]
        .concat()
    })
}
