//! One run of a workload through an engine: frames in, JSON out, one thread, no capture, no sinks.

use crate::workload::{Made, START};
use base::SECOND;
use engine::{Config, Engine};
use record::{Format, Identity, Kind, Record, Writer, Zone};
use std::time::Instant;
use testkit::{TimedFrame, ethernet};

/// Interval of flow records: the program's default.
const INTERVAL: u64 = 10 * SECOND;

/// Frames given to the engine at a time, as a block of the ring has them.
const BATCH: usize = 64;

/// What a run took and gave.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Time that passed, in ns.
    pub wall: f64,
    /// Time that the thread had a CPU, in ns.
    pub cpu: f64,
    /// Records of all kinds.
    pub records: usize,
    /// Bytes of their JSON.
    pub bytes: usize,
}

/// Runs it, and holds the records against what the workload must give.
pub fn run(made: &Made) -> Result<Run, String> {
    // Hashes with a fixed seed: the same work every time.
    let mut config = Config::for_budget(80 << 20);
    config.flow.interval = INTERVAL;
    let mut told = Told::new();
    let mut engine = Engine::new(config);
    let (wall, cpu) = (Instant::now(), cpu());
    the_engine_at_work(&mut engine, &made.frames, &mut told);
    let run = Run {
        wall: wall.elapsed().as_nanos() as f64,
        cpu: cpu_since(cpu).unwrap_or(wall.elapsed().as_nanos() as f64),
        records: told.kinds.iter().sum(),
        bytes: told.bytes + told.out.len(),
    };
    told.hold_against(made)?;
    Ok(run)
}

/// What is measured; never inlined, for instructions are counted between its begin and its end.
#[inline(never)]
fn the_engine_at_work(engine: &mut Engine, frames: &[TimedFrame], told: &mut Told) {
    let mut sink = |head: &Record, body: &Record| told.record(head, body);
    let mut batch = Vec::with_capacity(BATCH);
    for frames in frames.chunks(BATCH) {
        batch.clear();
        batch.extend(frames.iter().map(|(time, data)| ethernet(*time, data)));
        engine.frames(&batch, &mut sink);
    }
    engine.finish(&mut sink);
}

/// What came out.
struct Told {
    writer: Writer,
    out: Vec<u8>,
    bytes: usize,
    kinds: [usize; Kind::ALL.len()],
    /// Records with a word of complaint.
    imperfect: usize,
}

impl Told {
    fn new() -> Told {
        let identity = Identity {
            probe_ver: "bench".into(),
            host: "192.168.0.1".into(),
            system: "Linux".into(),
            nic: "any".into(),
            message: "bench".into(),
            collector: "1".into(),
            license: "free".into(),
            total_cpu: 2,
        };
        Told {
            writer: Writer::new(Format::Nano, false, &identity, Zone::utc()),
            out: Vec::with_capacity(1 << 20),
            bytes: 0,
            kinds: [0; Kind::ALL.len()],
            imperfect: 0,
        }
    }

    fn record(&mut self, head: &Record, body: &Record) {
        self.writer.write(head, body, &mut self.out);
        if let Some(n) = self.kinds.get_mut(body.kind() as usize) {
            *n += 1;
        }
        if body.kind() != Kind::Flow && !head.text_of(&record::f::head::QUALITY).is_empty() {
            self.imperfect += 1;
        }
        if self.out.len() > 1 << 16 {
            self.bytes += self.out.len();
            self.out.clear();
        }
    }

    /// All records that must come came, and no other.
    fn hold_against(&self, made: &Made) -> Result<(), String> {
        if self.imperfect > 0 {
            return Err(format!("{} records have a word in QUALITY", self.imperfect));
        }
        let one_interval = made.frames.last().is_none_or(|(t, _)| t.0 < START.0 + INTERVAL);
        for (kind, n) in Kind::ALL.into_iter().zip(self.kinds) {
            let (least, most) = match (kind, made.records) {
                // Flows are told again in each interval.
                (Kind::Flow, _) => (made.flows, if one_interval { made.flows } else { usize::MAX }),
                (_, Some((k, n))) if k == kind => (n, n),
                _ => (0, 0),
            };
            if !(least..=most).contains(&n) {
                return Err(format!("{n} records of kind {} instead of {least}", kind.name()));
            }
        }
        Ok(())
    }
}

/// Time that this thread has had a CPU, in ns: what the scheduler says. Up to a tick old.
fn cpu() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn cpu_since(begin: Option<u64>) -> Option<f64> {
    Some(cpu()?.checked_sub(begin?)? as f64)
}
