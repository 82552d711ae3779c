//! Sends known records by the sinks of this crate, for `scripts/test-gelf`.
//!
//! usage: gelf_send DESTINATION COUNT [compress] [chunk=N|off]
#![allow(clippy::arithmetic_side_effects, reason = "a test program: its numbers are small")]

use export::{Chunking, Encoder, Outlet, SinkConfig, TcpConfig, Transport, UdpConfig, parse_destinations};
use record::{Format, Identity, Kind, Record, Value, Writer, Zone, f};
use std::time::Duration;

/// Records sent at once: receivers in scripts have small buffers.
const BURST: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let to = parse_destinations(&args.next().ok_or("no destination")?)?;
    let count: usize = args.next().ok_or("no count")?.parse()?;
    let (mut compress, mut chunk) = (false, Chunking::default());
    for arg in args {
        match arg.strip_prefix("chunk=") {
            Some(n) => chunk = Chunking::parse(n)?,
            None => compress = arg == "compress",
        }
    }
    let sinks = to.into_iter().map(|to| match to.transport {
        Transport::Udp => SinkConfig::Udp(UdpConfig { to, compress, chunk }),
        Transport::Tcp => SinkConfig::Tcp(TcpConfig { to }),
    });
    let outlet = Outlet::start(sinks.collect(), 64 << 20)?;
    let identity = Identity { host: "192.0.2.1".into(), message: "sender".into(), ..Identity::default() };
    let mut encoder = Encoder::Json(Writer::new(Format::Gelf, false, &identity, Zone::utc()));
    let (mut head, mut body) = (Record::new(Kind::Http), Record::new(Kind::Http));
    let mut batch = outlet.batch();
    for i in 0..count {
        head.reset(Kind::Http);
        head.put(
            &f::head::TIMESTAMP,
            Value::Time(base::Timestamp::new(1_700_000_000 + i as u64, 123_456_000)),
        );
        body.reset(Kind::Http);
        body.num(&f::http::RETCODE, i as u64);
        // What escaping and UTF-8 can get wrong; the receiver makes the same text.
        body.text(
            &f::http::REQ_BODY,
            format!("{i};\u{e9}\"\\\n\u{6f22}\u{1f600}").repeat(i * 13 % 900).as_bytes(),
        );
        batch.add(|out| encoder.encode(&head, &body, out));
        if batch.len() == BURST || i + 1 == count {
            outlet.push_wait(std::mem::replace(&mut batch, outlet.batch()));
            std::thread::sleep(Duration::from_millis(3));
        }
    }
    for report in outlet.close(Duration::from_secs(10)) {
        println!("{}: {:?}", report.name, report.counts);
        if report.counts.sent != count as u64 {
            return Err("not all were sent".into());
        }
    }
    Ok(())
}
