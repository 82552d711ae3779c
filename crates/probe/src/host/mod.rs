//! Host records: how the host and its processes are doing, over the time between two samples.
//!
//! Everything is read from `/proc` (proc(5)) and `statvfs`. Processes come and go while they are
//! looked at, and their names hold any characters: what cannot be read is left out.

mod proc;

#[doc(hidden)]
pub use proc::fuzz_proc;

use crate::config::form::ProcList;
use crate::sys;
use base::{FastMap, Seed, Timestamp};
use proc::{Cpu, Process};
use record::{Kind, Record, Value, f};
use std::path::{Path, PathBuf};

/// Most host records of one interval: a name may stand for hundreds of workers.
const MAX_RECORDS: usize = 100;

/// Most processes looked at: as many as Linux has pids by default on large hosts, four times over.
const MAX_PROCESSES: usize = 131_072;

/// A GB of the records.
const GB: u64 = 1 << 30;

/// CPU time in ns and resident memory in bytes of the probe itself. Cheap: two system calls.
#[must_use]
pub fn self_usage() -> (u64, u64) {
    let mut buffer = [0; 256];
    let rss = proc::read_into(Path::new("/proc/self/statm"), &mut buffer).and_then(proc::statm_resident);
    (sys::own_cpu_ns(), rss.unwrap_or(0).saturating_mul(sys::page_size()))
}

/// Disk use of the root file system in hundredths of a percent, for DISK_RATIO.
#[must_use]
pub fn disk_ratio() -> Option<u64> {
    let d = sys::disk(Path::new("/"))?;
    hundredths(d.used, d.used.saturating_add(d.free))
}

/// `part` of `whole` in hundredths of a percent.
fn hundredths(part: u64, whole: u64) -> Option<u64> {
    let n = u128::from(part) * 10_000 / u128::from(whole).max(1);
    (whole > 0).then_some(n.min(u128::from(u64::MAX)) as u64)
}

/// Bytes in hundredths of a GB.
fn gigabytes(bytes: u64) -> u64 {
    (u128::from(bytes) * 100 / u128::from(GB)) as u64
}

/// CPU time of a process by its id and start, so that a reused id is another process.
type Ticks = FastMap<(u64, u64), u64>;

/// What was counted at the last sample.
struct Before {
    time: Timestamp,
    cpu: Option<Cpu>,
    own_cpu: u64,
    ticks: Ticks,
}

/// Makes host records.
pub struct Sampler {
    /// `/proc`; another directory in tests.
    proc: PathBuf,
    /// Of which file system the space is told.
    disk: PathBuf,
    host_name: Vec<u8>,
    sys_info: String,
    ticks_per_second: u64,
    page: u64,
    before: Option<Before>,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sampler").field("proc", &self.proc).finish_non_exhaustive()
    }
}

/// What all host records of one sample say of the host: `(field, value)`.
type HostValues = Vec<(&'static record::Field, Value)>;

impl Sampler {
    /// A sampler of this host.
    #[must_use]
    pub fn new() -> Sampler {
        Sampler {
            proc: PathBuf::from("/proc"),
            disk: PathBuf::from("/"),
            host_name: sys::host_name(),
            sys_info: crate::identity::sys_info(),
            ticks_per_second: sys::ticks_per_second(),
            page: sys::page_size(),
            before: None,
        }
    }

    /// The host records for the time since the last sample, each as (head, body). The first
    /// sample makes none: it only begins the interval.
    pub fn sample(&mut self, now: Timestamp, list: &ProcList) -> Vec<(Record, Record)> {
        let (own_cpu, own_rss) = self_usage();
        let mut buffer = [0; proc::BUFFER];
        let cpu = proc::read_into(&self.proc.join("stat"), &mut buffer).and_then(proc::cpu);
        let mem = proc::read_into(&self.proc.join("meminfo"), &mut buffer).and_then(proc::memory);
        let load = proc::read_into(&self.proc.join("loadavg"), &mut buffer).and_then(proc::load_5);
        let processes = proc::processes(&self.proc, MAX_PROCESSES);

        let mut ticks = Ticks::with_capacity_and_hasher(processes.len(), Seed::default());
        ticks.extend(processes.iter().map(|p| ((p.pid, p.start), p.ticks)));
        let before = self.before.replace(Before { time: now, cpu, own_cpu, ticks });
        let Some(before) = before else { return Vec::new() };
        let nanos = now.since(before.time);
        if nanos == 0 {
            return Vec::new(); // the clock stepped back: no interval to divide by
        }

        let mut host: HostValues = Vec::with_capacity(16);
        let mut put = |field, value: Option<Value>| host.extend(value.map(|v| (field, v)));
        if let (Some(now), Some(before)) = (cpu, before.cpu) {
            let all = now.total().saturating_sub(before.total());
            let waited = now.iowait.saturating_sub(before.iowait);
            let idle = now.idle.saturating_sub(before.idle).saturating_add(waited);
            put(&f::host::HOST_CPU, hundredths(all.saturating_sub(idle), all).map(Value::Hundredths));
            put(&f::host::HOST_WA, hundredths(waited, all).map(Value::Hundredths));
        }
        put(&f::host::HOST_CPU_CORE, Some(Value::Num(sys::cpus())));
        if let Some(mem) = mem {
            put(&f::host::HOST_MEM, hundredths(mem.used(), mem.total).map(Value::Hundredths));
            put(&f::host::HOST_MEM_USAGE, Some(Value::Hundredths(gigabytes(mem.used()))));
            put(&f::host::HOST_MEM_TOTAL, Some(Value::Hundredths(gigabytes(mem.total))));
        }
        put(&f::host::HOST_LOAD, load.map(Value::Hundredths));
        if let Some(d) = sys::disk(&self.disk) {
            let ratio = hundredths(d.used, d.used.saturating_add(d.free));
            put(&f::host::HOST_DISK, ratio.map(Value::Hundredths));
            put(&f::host::HOST_DISK_USE, Some(Value::Hundredths(gigabytes(d.used))));
            put(&f::host::HOST_DISK_TOTAL, Some(Value::Hundredths(gigabytes(d.total))));
        }
        let own = hundredths(own_cpu.saturating_sub(before.own_cpu), nanos);
        put(&f::host::SELF_CPU, own.map(Value::Hundredths));
        let memory = mem.map_or(0, |m| m.total);
        put(&f::host::SELF_MEM, hundredths(own_rss, memory).map(Value::Hundredths));

        let used = |p: &Process| {
            let since = before.ticks.get(&(p.pid, p.start)).copied();
            // A process that was not there before has used all of its time since.
            p.ticks.saturating_sub(since.unwrap_or(0))
        };
        let chosen = choose(processes, list, used);
        let mut records = Vec::with_capacity(chosen.len().max(1));
        for (process, ticks) in &chosen {
            let cpu_ns = u128::from(*ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
            let cpu = hundredths(u64::try_from(cpu_ns).unwrap_or(u64::MAX), nanos);
            let mem = hundredths(process.pages.saturating_mul(self.page), memory);
            records.push(self.record(now, &host, Some((process, cpu, mem))));
        }
        if records.is_empty() {
            // None of the listed runs: how the host is doing is told all the same.
            records.push(self.record(now, &host, None));
        }
        records
    }

    fn record(
        &self,
        now: Timestamp,
        host: &HostValues,
        process: Option<(&Process, Option<u64>, Option<u64>)>,
    ) -> (Record, Record) {
        let mut head = Record::new(Kind::Host);
        head.word(&f::head::RECORD, Kind::Host.name());
        head.put(&f::head::TIMESTAMP, Value::Time(now));
        let mut body = Record::new(Kind::Host);
        body.text(&f::host::HOST_NAME, &self.host_name);
        for (field, value) in host {
            body.put(field, *value);
        }
        if let Some((process, cpu, mem)) = process {
            body.text(&f::host::PROC_NAME, &process.name);
            body.num(&f::host::PROC_PID, process.pid);
            body.text(&f::host::PROC_STS, &[process.state]);
            for (field, value) in [(&f::host::PROC_CPU, cpu), (&f::host::PROC_MEM, mem)] {
                if let Some(n) = value {
                    body.put(field, Value::Hundredths(n));
                }
            }
        }
        body.text(&f::host::SYS_INFO, self.sys_info.as_bytes());
        (head, body)
    }
}

impl Default for Sampler {
    fn default() -> Sampler {
        Sampler::new()
    }
}

/// The listed processes with the CPU time that they used, the busiest first.
fn choose(processes: Vec<Process>, list: &ProcList, used: impl Fn(&Process) -> u64) -> Vec<(Process, u64)> {
    let meant = |p: &Process| match list {
        ProcList::Busiest(_) => true,
        ProcList::Names(names) => names.iter().any(|n| p.is_named(n)),
    };
    let mut chosen: Vec<(Process, u64)> =
        processes.into_iter().filter(meant).map(|p| (used(&p), p)).map(|(n, p)| (p, n)).collect();
    // With equal CPU time the larger one first, then by id: a repeatable order.
    chosen.sort_unstable_by_key(|(p, n)| (std::cmp::Reverse((*n, p.pages)), p.pid));
    chosen.truncate(match list {
        ProcList::Busiest(n) => (*n).min(MAX_RECORDS),
        ProcList::Names(_) => MAX_RECORDS,
    });
    chosen
}

#[cfg(test)]
mod tests;
