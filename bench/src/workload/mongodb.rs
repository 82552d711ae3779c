//! MongoDB: OP_MSG with a find and a batch of ten documents.

use super::{Busy, Made, Workload};
use record::Kind;

pub const ALL: &[Workload] = &[Workload {
    name: "mongodb",
    what: "MongoDB find by OP_MSG over 50 connections, 10 documents each",
    unit: "commands",
    make,
}];

/// An element of a document: type, name, value.
fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind][..], name.as_bytes(), b"\0", value].concat()
}

fn text(name: &str, value: &str) -> Vec<u8> {
    element(2, name, &[&(value.len() as u32 + 1).to_le_bytes(), value.as_bytes(), b"\0"].concat())
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let all = elements.concat();
    [&(all.len() as u32 + 5).to_le_bytes()[..], &all, b"\0"].concat()
}

/// OP_MSG with one body.
fn message(id: u32, to: u32, body: &[Vec<u8>]) -> Vec<u8> {
    const OP_MSG: u32 = 2013;
    let body = document(body);
    let words = [16 + 5 + body.len() as u32, id, to, OP_MSG, 0];
    [words.map(u32::to_le_bytes).concat(), vec![0], body].concat()
}

fn make(scale: usize) -> Made {
    let busy = Busy { port: 27017, connections: 50, packets: 3 };
    let rounds = busy.rounds(scale);
    let item = document(&[
        element(7, "_id", &[0x65; 12]),
        text("name", "a thing of some length"),
        element(1, "price", &12.5f64.to_le_bytes()),
        element(0x10, "shop", &[42, 0, 0, 0]),
    ]);
    let batch: Vec<Vec<u8>> = (0..10).map(|n| element(3, &n.to_string(), &item)).collect();
    let cursor =
        [element(4, "firstBatch", &document(&batch)), element(0x12, "id", &[0; 8]), text("ns", "shop.items")];
    let answer = [element(3, "cursor", &document(&cursor)), element(1, "ok", &1f64.to_le_bytes())];
    let frames = busy.frames(rounds, &Vec::new(), |i| {
        let id = i as u32 + 1;
        let filter = document(&[element(0x10, "shop", &id.to_le_bytes()), text("state", "new")]);
        let ask = [
            text("find", "items"),
            element(3, "filter", &filter),
            element(0x10, "limit", &[10, 0, 0, 0]),
            text("$db", "shop"),
        ];
        (message(id, 0, &ask), message(id + (1 << 24), id, &answer))
    });
    let units = busy.connections * rounds;
    Made { frames, units, flows: busy.connections, records: Some((Kind::Mongo, units)) }
}
