//! Workloads: traffic made on the spot, the same on every machine. Each says which records it must
//! give: what is fast because it understood nothing is no figure.

mod amqp;
mod dns;
mod http;
mod l4;
mod mongodb;
mod mysql;
mod postgresql;
mod redis;
mod tds;
mod tns;

use base::{MICRO, SECOND, Timestamp};
use record::Kind;
use testkit::{Conversation, Sender, TimedFrame};

/// A workload by name.
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What it is counted in besides packets.
    pub unit: &'static str,
    /// Makes it; the scale is about the number of packets.
    pub make: fn(scale: usize) -> Made,
}

/// A workload made.
pub struct Made {
    /// Its frames.
    pub frames: Vec<TimedFrame>,
    /// What it is counted in.
    pub units: usize,
    /// How many flow records it gives when it fits into one interval.
    pub flows: usize,
    /// How many records of its own kind it gives.
    pub records: Option<(Kind, usize)>,
}

/// All workloads.
pub const WORKLOADS: &[&[Workload]] = &[
    l4::ALL,
    http::ALL,
    dns::ALL,
    mysql::ALL,
    postgresql::ALL,
    redis::ALL,
    mongodb::ALL,
    amqp::ALL,
    tds::ALL,
    tns::ALL,
];

/// When all of them begin: at the beginning of an interval.
pub const START: Timestamp = Timestamp(1_700_000_000 * SECOND);
const SERVER: &str = "192.168.0.1";

/// Orders frames by time and gives them even spacing, so that a workload is one busy link.
fn link(mut frames: Vec<TimedFrame>, spacing: u64) -> Vec<TimedFrame> {
    frames.sort_by_key(|(t, _)| *t);
    for (i, (t, _)) in frames.iter_mut().enumerate() {
        *t = START.plus(i as u64 * spacing);
    }
    frames
}

/// The client of the n-th of many connections: an end that no other of some millions has.
fn client(n: usize) -> String {
    format!("10.{}.{}.{}:{}", 1 + n / 65_536, (n / 256) % 256, n % 250 + 1, 1024 + n % 60_000)
}

/// What both ends say, in turn.
type Script = Vec<(Sender, Vec<u8>)>;

/// Long connections that are busy all the time, a request and its answer after the other: how much
/// traffic services have among themselves.
struct Busy {
    port: u16,
    connections: usize,
    /// Packets of a round: decides how many rounds there are.
    packets: usize,
}

impl Busy {
    fn rounds(&self, scale: usize) -> usize {
        (scale / self.connections / self.packets).max(1)
    }

    /// All frames: each connection opens, then there are rounds of a request and its answer.
    fn frames(
        &self,
        rounds: usize,
        open: &Script,
        round: impl Fn(usize) -> (Vec<u8>, Vec<u8>),
    ) -> Vec<TimedFrame> {
        let mut frames = Vec::new();
        for f in 0..self.connections {
            let client = format!("10.0.0.{}:{}", 1 + f % 250, 20_000 + f);
            let mut c = Conversation::new(&client, &format!("{SERVER}:{}", self.port))
                .at(START.plus(f as u64 * MICRO))
                .step(self.connections as u64 * MICRO)
                .mss(1448)
                .handshake();
            for (by, bytes) in open {
                c = c.send(*by, bytes);
            }
            for r in 0..rounds {
                let (request, answer) = round(r * self.connections + f);
                c = c.send_unacknowledged(Sender::Client, &request).send(Sender::Server, &answer);
            }
            frames.extend(c.frames());
        }
        link(frames, 2 * MICRO)
    }
}
