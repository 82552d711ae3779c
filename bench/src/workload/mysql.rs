//! MySQL 8: queries as text, and prepared statements with their values. Ten rows each.

use super::{Busy, Made, Script, Workload};
use record::Kind;
use testkit::Sender::{Client, Server};

pub const ALL: &[Workload] = &[
    Workload {
        name: "mysql-text",
        what: "MySQL queries over 50 connections, 10 rows each",
        unit: "queries",
        make: text,
    },
    Workload {
        name: "mysql-prepared",
        what: "MySQL prepared statements executed, 2 values, 10 rows each",
        unit: "executions",
        make: prepared,
    },
];

const BUSY: Busy = Busy { port: 3306, connections: 50, packets: 3 };
/// CLIENT_PROTOCOL_41, CONNECT_WITH_DB, SECURE_CONNECTION, PLUGIN_AUTH, and DEPRECATE_EOF: what clients of today ask for.
const CAPABILITIES: u32 = 0x0108_8209 | 0x0020_0000;
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
/// OK in place of EOF.
const END: &[u8] = &[0xfe, 0, 0, 2, 0, 0, 0];

/// Packets numbered from `seq` on: three bytes of length, the number, the payload.
fn packets(seq: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, p) in payloads.iter().enumerate() {
        out.extend_from_slice(&(p.len() as u32).to_le_bytes()[..3]);
        out.push(seq.wrapping_add(i as u8));
        out.extend_from_slice(p);
    }
    out
}

fn login() -> Script {
    let mut greeting = b"\x0a8.0.29\0\x3b\0\0\0IZ\x086Ceh\x13\0".to_vec();
    greeting
        .extend(b"\xff\xff\xff\x02\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0ABCDEFGHIJKL\0caching_sha2_password\0");
    let mut answer = CAPABILITIES.to_le_bytes().to_vec();
    answer.extend([0, 0, 0, 1, 255]);
    answer.extend([0; 23]);
    answer.extend(b"ann\0\x04\x01\x02\x03\x04shop\0caching_sha2_password\0");
    vec![
        (Server, packets(0, &[&greeting])),
        (Client, packets(1, &[&answer])),
        (Server, [packets(2, &[&[1, 3]]), packets(3, &[OK])].concat()),
    ]
}

/// The definition of a column, of a type.
fn column(name: &str, kind: u8) -> Vec<u8> {
    let mut out = b"\x03def\x04shop\x05items\x05items".to_vec();
    for _ in 0..2 {
        out.push(name.len() as u8);
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(&[12, 0x3f, 0, 11, 0, 0, 0, kind, 0x81, 0, 0, 0, 0]);
    out
}

/// Three columns, ten rows of that form.
fn result(row: &[u8]) -> Vec<u8> {
    let columns = [column("id", 8), column("name", 253), column("price", 246)];
    let mut parts: Vec<&[u8]> = vec![&[3]];
    parts.extend(columns.iter().map(Vec::as_slice));
    parts.extend([row; 10]);
    parts.push(END);
    packets(1, &parts)
}

fn text(scale: usize) -> Made {
    let rounds = BUSY.rounds(scale);
    let answer = result(b"\x041234\x16a thing of some length\x0512.50");
    let frames = BUSY.frames(rounds, &login(), |i| {
        let sql = format!(
            "\x03SELECT id, name, price FROM items WHERE shop = {i} AND state = 'new' ORDER BY price LIMIT 10"
        );
        (packets(0, &[sql.as_bytes()]), answer.clone())
    });
    let units = BUSY.connections * rounds;
    Made { frames, units, flows: BUSY.connections, records: Some((Kind::Sql, units)) }
}

fn prepared(scale: usize) -> Made {
    let rounds = BUSY.rounds(scale);
    let mut open = login();
    open.push((
        Client,
        packets(
            0,
            &[b"\x16SELECT id, name, price FROM items WHERE shop = ? AND state = ? ORDER BY price LIMIT 10"],
        ),
    ));
    let columns =
        [column("?", 253), column("?", 253), column("id", 8), column("name", 253), column("price", 246)];
    let mut parts: Vec<&[u8]> = vec![&[0, 7, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0]];
    parts.extend(columns.iter().map(Vec::as_slice));
    open.push((Server, packets(1, &parts)));
    // Header, map of NULLs, then the values as their types have them.
    let answer = result(b"\0\0\xd2\x04\0\0\0\0\0\0\x16a thing of some length\x0512.50");
    let frames = BUSY.frames(rounds, &open, |i| {
        let mut body = b"\x17\x07\0\0\0\0\x01\0\0\0\0\x01\x08\0\xfd\0".to_vec();
        body.extend_from_slice(&(i as u64).to_le_bytes());
        body.extend_from_slice(b"\x03new");
        (packets(0, &[&body]), answer.clone())
    });
    let units = BUSY.connections * rounds;
    // To prepare is a record of its own.
    let records = units + BUSY.connections;
    Made { frames, units, flows: BUSY.connections, records: Some((Kind::Sql, records)) }
}
