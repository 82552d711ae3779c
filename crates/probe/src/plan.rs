//! From settings to what the parts are built with: the engine, the encoder, the sinks, and how
//! the memory budget is shared.

use crate::config::Settings;
use crate::governor::ladder::{Asked, Ladder};
use engine::Pin;
use export::{Encoder, FileConfig, SinkConfig, TcpConfig, Transport, UdpConfig};
use record::{Identity, Writer, Zone};

/// How `mem-limit` is shared. What remains is for code, stacks and the allocator's slack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Bytes of the capture ring of one worker.
    pub ring: usize,
    /// Bytes that the queue of one sink may hold.
    pub queue: usize,
    /// Bytes for flows, streams and sessions of one worker.
    pub engine: usize,
}

/// Code, stacks, tables of the program itself, and what the allocator holds back.
const BASE: usize = 10 << 20;
/// A ring or engine below this is of no use.
const LEAST: usize = 1 << 20;

impl Shares {
    /// Shares `limit` bytes among `workers` and `sinks`.
    #[must_use]
    pub fn of(limit: usize, ring: usize, workers: usize, sinks: usize) -> Shares {
        let free = limit.saturating_sub(BASE);
        // Never more than a third for rings: what is captured must also be held.
        let ring = ring.min(free / 3 / workers.max(1)).max(LEAST);
        let free = free.saturating_sub(ring * workers);
        // A busy host makes 60 MB of records a second: a quarter bridges a third of a second in which the
        // sink gets no CPU. It is held only while it is needed.
        let queue = (free / 4 / sinks.max(1)).max(LEAST);
        let free = free.saturating_sub(queue * sinks);
        // Buffers grow by doubling and freed memory is not always given back: a fifth is slack.
        Shares { ring, queue, engine: (free / 5 * 4 / workers.max(1)).max(LEAST) }
    }
}

/// The engine's configuration within `bytes`.
#[must_use]
pub fn engine_config(s: &Settings, bytes: usize, seed: base::Seed) -> engine::Config {
    let mut c = engine::Config::for_budget(bytes);
    c.flow.seed = seed;
    c.flow.interval = s.interval * base::SECOND;
    c.decap = s.decap;
    c.content = s.content;
    c.l4 = s.l4;
    c.limits.text = s.body_len;
    c.limits.bodies = s.content == engine::Content::Bodies;
    c.limits.base64 = s.base64;
    c.limits.sample = s.sample.max(1);
    c.ignore = s.ignore.clone();
    c.keep = s.keep.clone();
    c.drop = s.drop.clone();
    c.background = s.background;
    c.pin = s.pin.clone().map(|(ends, proto)| Pin { ends, proto });
    c.redactor = s.redactor.clone();
    c.flow_detail = s.flow_detail;
    c
}

/// What the governor may leave out.
#[must_use]
pub fn ladder(s: &Settings) -> Ladder {
    Ladder::new(Asked {
        compress: s.compress && s.destinations.iter().any(|d| d.transport == Transport::Udp),
        bodies: s.content == engine::Content::Bodies,
        contents: s.content != engine::Content::Off,
    })
}

/// A JSON writer in the configured format.
#[must_use]
pub fn writer(s: &Settings, identity: &Identity, zone: Zone) -> Writer {
    Writer::new(s.format, s.numbers, identity, zone)
}

/// The sinks that are configured.
#[must_use]
pub fn sinks(s: &Settings) -> Vec<SinkConfig> {
    let mut sinks = Vec::new();
    for to in &s.destinations {
        let to = to.clone();
        sinks.push(match to.transport {
            Transport::Tcp => SinkConfig::Tcp(TcpConfig { to }),
            Transport::Udp => SinkConfig::Udp(UdpConfig { to, compress: s.compress, chunk: s.chunk }),
        });
    }
    if let Some(json) = &s.json {
        sinks.push(SinkConfig::File(FileConfig { path: json.directory.clone(), cap: json.bytes }));
    }
    sinks
}

/// Records for standard output: readable on a terminal, JSON in a pipe.
#[must_use]
pub fn stdout_encoder(s: &Settings, identity: &Identity, zone: Zone) -> Encoder {
    Encoder::for_terminal(zone.clone()).unwrap_or_else(|| Encoder::Json(writer(s, identity, zone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_stay_within_the_limit() {
        for (limit, ring, workers, sinks) in [(110, 16, 1, 1), (110, 16, 4, 3), (64, 64, 2, 1), (30, 8, 1, 0)]
        {
            let s = Shares::of(limit << 20, ring << 20, workers, sinks);
            let sum = s.ring * workers + s.queue * sinks + s.engine * workers + BASE;
            assert!(sum <= limit << 20, "{limit} MB: {s:?} is {sum}");
        }
    }
}
