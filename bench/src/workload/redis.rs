//! Redis, RESP2: commands in pipelines of twenty, as caches are filled and asked.

use super::{Busy, Made, Workload};
use record::Kind;

pub const ALL: &[Workload] = &[Workload {
    name: "redis",
    what: "Redis SET, GET, HGETALL, INCR in pipelines of 20 over 50 connections",
    unit: "commands",
    make,
}];

const PIPELINE: usize = 20;

/// A command as an array of bulk strings.
fn command(args: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for a in args {
        out.extend_from_slice(format!("${}\r\n{a}\r\n", a.len()).as_bytes());
    }
}

fn round(i: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut ask, mut answer) = (Vec::new(), Vec::new());
    for n in 0..PIPELINE / 4 {
        let key = format!("user:{}", i * PIPELINE + n);
        let value = r#"{"id":1234,"name":"a thing of some length","price":"12.50"}"#;
        command(&["SET", &key, value], &mut ask);
        command(&["GET", &key], &mut ask);
        command(&["HGETALL", &key], &mut ask);
        command(&["INCR", "visits"], &mut ask);
        answer.extend_from_slice(b"+OK\r\n");
        answer.extend_from_slice(format!("${}\r\n{value}\r\n", value.len()).as_bytes());
        answer.extend_from_slice(b"*4\r\n$4\r\nname\r\n$3\r\nAda\r\n$4\r\ncity\r\n$6\r\nLondon\r\n");
        answer.extend_from_slice(format!(":{}\r\n", i + n).as_bytes());
    }
    (ask, answer)
}

fn make(scale: usize) -> Made {
    let busy = Busy { port: 6379, connections: 50, packets: 6 };
    let rounds = busy.rounds(scale);
    let frames = busy.frames(rounds, &Vec::new(), round);
    let units = busy.connections * rounds * PIPELINE;
    Made { frames, units, flows: busy.connections, records: Some((Kind::Redis, units)) }
}
