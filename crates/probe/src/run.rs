//! Live capture: the command `run`. Opens the rings, starts the workers and sinks, then keeps the
//! household: signals, host metrics, the account.

use crate::account::{self, Governed, Running, WorkerAccount};
use crate::commands::{Failure, read_config, say};
use crate::config::{self, File, Flag, LogLevel, Settings};
use crate::governor::{self, Governor, ladder::Step};
use crate::host::{self, Sampler};
use crate::plan::{self, Shares};
use crate::worker::{Desk, Out, RETIRE_MS, Shared, Worker};
use crate::{clock, identity, sys, user};
use base::{LinkType, Seed};
use capture::filter;
use capture::ring::{Fanout, InterfaceTable, Ring, RingConfig, RingEvent};
use engine::{Engine, NetFilter};
use export::{Encoder, Outlet, SinkConfig, SinkReport};
use record::Identity;
use std::io::{IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How often the household looks at signals, when there is no governor that looks more often.
const TICK: Duration = Duration::from_millis(200);
/// What the governor does is said at most this often.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// How long the sinks may take to send what they have when the program ends.
const PATIENCE: Duration = Duration::from_secs(3);

/// Captures and reports until a signal ends it. `file` and `flags` are for reading the
/// configuration again.
///
/// # Errors
/// Why it cannot start or had to stop.
pub fn run(settings: Settings, file: Option<&Path>, flags: &[Flag]) -> Result<(), Failure> {
    sys::watch_signals();
    let identity = identity::identity(&settings);
    let sinks = plan::sinks(&settings);
    let to_stdout = sinks.is_empty();
    let shares = Shares::of(settings.mem_limit, settings.ring_bytes, settings.workers, sinks.len().max(1));
    let seed = seed()?;

    let rings = rings(&settings, &shares)?;
    if let Some(name) = &settings.user {
        user::become_user(name).map_err(Failure::Runtime)?;
    }
    let sinks = if to_stdout { vec![SinkConfig::Stdout] } else { sinks };
    let outlet = Outlet::start(sinks, shares.queue).map_err(|e| Failure::Runtime(format!("sinks: {e}")))?;
    let shared = Shared::default();
    shared.disk_ratio.store(host::disk_ratio().unwrap_or(0), Ordering::Relaxed);
    let encoder = || {
        let mut encoder = if to_stdout {
            plan::stdout_encoder(&settings, &identity, identity::zone())
        } else {
            Encoder::Json(plan::writer(&settings, &identity, identity::zone()))
        };
        encoder.set_disk_ratio(shared.disk_ratio.load(Ordering::Relaxed));
        encoder
    };

    let desks: Vec<Desk> = rings.iter().map(|_| Desk::default()).collect();
    announce(&settings, &identity, &outlet);
    if to_stdout {
        // Who does not read the heading does not read the records either: that is seen there.
        let _ = std::io::stdout().write_all(&encoder().heading());
    }
    let worked = thread::scope(|scope| {
        let mut workers = Vec::new();
        for (ring, desk) in rings.into_iter().zip(&desks) {
            let mut config = plan::engine_config(&settings, shares.engine, seed);
            config.own = own(&settings);
            let worker = Worker {
                ring,
                engine: ManuallyDrop::new(Engine::new(config)),
                out: Out::new(encoder(), &outlet),
                interfaces: InterfaceTable::new()
                    .map_err(|e| Failure::Runtime(format!("listing the interfaces: {e}")))?,
                shared: &shared,
                desk,
            };
            let started = thread::Builder::new().name("capture".into()).spawn_scoped(scope, || worker.work());
            workers.push(started.map_err(|e| Failure::Runtime(format!("starting a worker: {e}")))?);
        }
        let mut household = Household {
            settings: &settings,
            out: Out::new(encoder(), &outlet),
            outlet: &outlet,
            shared: &shared,
            desks: &desks,
            sampler: Sampler::new(),
            usage: (Instant::now(), host::self_usage().0),
            lost: 0,
            governor: None,
            salt: (seed.0 >> 32) as u32,
            said: (None, Said::Nothing),
        };
        household.govern(&settings);
        household
            .keep(|| workers.iter().any(|w| w.is_finished()), || again(&settings, file, flags, shares, seed));
        shared.stop.store(true, Ordering::Relaxed);
        let mut failed = None;
        for worker in workers {
            match worker.join() {
                Ok(Ok(())) => {}
                Ok(Err(e)) => failed = Some(format!("capture: {e}")),
                Err(_) => failed = Some("capture: a worker panicked; please report this".to_owned()),
            }
        }
        household.account();
        household.out.push();
        failed.map_or(Ok(()), |why| Err(Failure::Runtime(why)))
    });
    farewell(&settings, &sum(&desks), &outlet.close(PATIENCE));
    worked
}

/// The rings, one a worker.
fn rings(s: &Settings, shares: &Shares) -> Result<Vec<Ring>, Failure> {
    let filter = match &s.filter_bpf {
        None => None,
        Some(text) => {
            let options = filter::Options { kernel_vlan: true };
            let program =
                filter::compile_with(text, LinkType::Ethernet, s.max_length.unwrap_or(u32::MAX), options)
                    .map_err(|e| Failure::Usage(format!("filter-bpf: {e}")))?;
            Some(program.insns().to_vec())
        }
    };
    let config = RingConfig {
        interfaces: s.device.clone(),
        memory: u32::try_from(shares.ring).unwrap_or(u32::MAX),
        retire_ms: RETIRE_MS,
        snaplen: s.max_length,
        filter,
        fanout: (s.workers > 1).then(|| Fanout { group: std::process::id() as u16, defrag: true }),
        ..RingConfig::default()
    };
    // One of them counts for all what the governor leaves out.
    (0..s.workers)
        .map(|n| Ring::open(&RingConfig { count_thinned: n == 0, ..config.clone() }))
        .map(|ring| ring.map_err(|e| Failure::Runtime(e.to_string())))
        .collect()
}

/// A random key for the hash tables, so that nobody can aim at one bucket.
fn seed() -> Result<Seed, Failure> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut bytes))
        .map_err(|e| Failure::Runtime(format!("/dev/urandom: {e}; the probe needs random numbers")))?;
    Ok(Seed(u64::from_ne_bytes(bytes)))
}

/// The probe's own traffic: what it sends to its receivers is no news.
fn own(s: &Settings) -> Option<NetFilter> {
    let ends: Vec<_> = s
        .destinations
        .iter()
        .filter_map(|d| (d.host.as_str(), d.port).to_socket_addrs().ok())
        .flatten()
        .map(|a| (a.ip(), a.port()))
        .collect();
    (!ends.is_empty()).then(|| NetFilter::of_ends(ends))
}

/// SIGHUP: the engine's configuration from the file as it is now. What is wrong is refused whole.
fn again(
    now: &Settings,
    file: Option<&Path>,
    flags: &[Flag],
    shares: Shares,
    seed: Seed,
) -> Option<(engine::Config, Settings)> {
    let Some(path) = file else {
        say("reload: there is no configuration file to read again");
        return None;
    };
    let read = read_config(path).map_err(|e| match e {
        Failure::Usage(text) | Failure::Runtime(text) => text,
    });
    let new = read.and_then(|bytes| {
        config::reload(now, flags, File { name: &path.to_string_lossy(), bytes: &bytes })
            .map_err(|p| p.to_string())
    });
    match new {
        Ok(new) => {
            new.warnings.iter().for_each(|w| say(w));
            say("reload: the new configuration is in force");
            let mut config = plan::engine_config(&new, shares.engine, seed);
            config.own = own(&new);
            Some((config, new))
        }
        Err(text) => {
            text.lines().for_each(say);
            say("reload: refused; the configuration stays as it was");
            None
        }
    }
}

/// What the main thread does while the workers work.
struct Household<'a> {
    settings: &'a Settings,
    out: Out<'a>,
    outlet: &'a Outlet,
    shared: &'a Shared,
    desks: &'a [Desk],
    sampler: Sampler,
    /// When the CPU time was looked at last, and what it was.
    usage: (Instant, u64),
    /// Frames lost by the kernel that were told already.
    lost: u64,
    /// The governor and its limit, when there is one.
    governor: Option<(Governor, u32)>,
    /// For the governor's choice of flows.
    salt: u32,
    /// When something was said of it last, and what.
    said: (Option<Instant>, Said),
}

/// What is said of the governor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// All is well.
    Nothing,
    /// The brake is at work.
    Braking,
    /// Even that does not do.
    Failing,
}

impl Household<'_> {
    /// Until a signal, the end of a worker, or of every sink.
    fn keep(&mut self, ended: impl Fn() -> bool, again: impl Fn() -> Option<(engine::Config, Settings)>) {
        let interval = Duration::from_secs(self.settings.interval);
        let mut due = Instant::now() + interval;
        if let Some(list) = &self.settings.proc_list {
            self.sampler.sample(clock::now(), list);
        }
        while !sys::stop_asked() && !ended() {
            thread::sleep(if self.governor.is_some() { governor::EVERY } else { TICK });
            self.look();
            self.events();
            if sys::reload_asked()
                && let Some((config, new)) = again()
            {
                self.desks.iter().for_each(|d| d.reconfigure(config.clone()));
                self.govern(&new);
            }
            if Instant::now() >= due {
                due += interval;
                self.interval();
                if self.outlet.counts().iter().all(|s| !s.alive) {
                    return; // nobody reads any more: `mfnano | head`
                }
            }
        }
    }

    /// Begins to hold the limit of these settings, or none.
    fn govern(&mut self, s: &Settings) {
        let limit = s.cpu_limit;
        if limit.is_none() {
            Governor::release(&self.shared.governor);
            self.outlet.set_compression(true);
        }
        self.governor = limit.map(|limit| (Governor::new(limit, plan::ladder(s), self.salt), limit));
    }

    /// Lets the governor look at the clocks.
    fn look(&mut self) {
        let Some((governor, limit)) = &mut self.governor else { return };
        let step = governor.look(sys::own_cpu_ns(), sys::steady_ns(), &self.shared.governor);
        self.outlet.set_compression(!governor.is_plain());
        // Steps are in the account; here it is said when the limit costs packets, and when that is over.
        let (said, line) = match (governor.failing(), step) {
            (Some(used), _) => (
                Said::Failing,
                format!(
                    "cpu-limit: {limit} % cannot be held: {:.1} % used though workers rest",
                    used * 100.0
                ),
            ),
            (None, Step::Brake) => (
                Said::Braking,
                format!(
                    "cpu-limit: more traffic than {limit} % of a CPU can follow: packets are passed over, and counted"
                ),
            ),
            (None, Step::None) => (Said::Nothing, "cpu-limit: all traffic is followed again".to_owned()),
            _ => return,
        };
        let (when, before) = self.said;
        if said == before || when.is_some_and(|w| w.elapsed() < SAY_EVERY && said != Said::Nothing) {
            return;
        }
        self.said = (Some(Instant::now()), said);
        if self.settings.log >= LogLevel::Warn {
            say(&line);
        }
    }

    /// The end of an interval: host metrics and the account.
    fn interval(&mut self) {
        if let Some(ratio) = host::disk_ratio() {
            self.shared.disk_ratio.store(ratio, Ordering::Relaxed);
            self.out.set_disk_ratio(ratio);
        }
        if let Some(list) = &self.settings.proc_list {
            for (head, body) in self.sampler.sample(clock::now(), list) {
                self.out.record(&head, &body);
            }
        }
        self.account();
        self.out.push();
    }

    fn account(&mut self) {
        let workers = sum(self.desks);
        let (cpu, rss) = host::self_usage();
        let (then, before) = self.usage;
        let wall = then.elapsed().as_nanos() as u64;
        self.usage = (Instant::now(), cpu);
        let running = Running {
            queued: self.outlet.held() as u64,
            sinks: self.outlet.counts(),
            mem_limit: self.settings.mem_limit as u64,
            cpu: cpu.saturating_sub(before).saturating_mul(10_000).checked_div(wall),
            rss: Some(rss),
            governed: self.governor.as_mut().map(|(g, limit)| Governed {
                limit: *limit,
                step: g.step(),
                times: g.take_times(),
            }),
        };
        if workers.lost > self.lost && self.settings.log >= LogLevel::Warn {
            say(&format!(
                "{} packets lost by the kernel because the ring was full; a larger `ring` or a filter helps",
                workers.lost - self.lost
            ));
        }
        self.lost = workers.lost;
        let (head, body) = account::record(clock::now(), &workers, Some(&running));
        self.out.record(&head, &body);
    }

    fn events(&self) {
        for event in self.desks.iter().flat_map(Desk::take_events) {
            match event {
                RingEvent::Down(name) => say(&format!("{name}: down or gone; waiting for it to come back")),
                RingEvent::Up(name) => say(&format!("{name}: back")),
                RingEvent::InterfacesChanged => {}
            }
        }
    }
}

fn sum(desks: &[Desk]) -> WorkerAccount {
    desks.iter().fold(WorkerAccount::default(), |mut sum, d| {
        sum.add(&d.account());
        sum
    })
}

fn announce(s: &Settings, identity: &Identity, outlet: &Outlet) {
    if s.log < LogLevel::Info {
        return;
    }
    let sinks: Vec<String> = outlet.counts().into_iter().map(|s| s.name).collect();
    say(&format!("{} watches {}, records go to {}", crate::VERSION, identity.nic, sinks.join(", ")));
    if std::io::stdout().is_terminal() && sinks.iter().any(|s| s == "stdout") {
        say("Ctrl-C stops; `mfnano help` says how to send records elsewhere");
    }
}

/// What was done, when it ends.
fn farewell(s: &Settings, w: &WorkerAccount, sinks: &[SinkReport]) {
    if s.log < LogLevel::Info {
        return;
    }
    let dropped: u64 = sinks.iter().map(|s| s.counts.dropped_all()).sum();
    say(&format!(
        "stopped: {} packets seen, {} lost by the kernel, {} flows, {} records made, {dropped} dropped",
        w.seen(),
        w.lost,
        w.flows.flows_made,
        w.engine.records,
    ));
    for sink in sinks.iter().filter(|s| s.counts.dropped_all() > 0) {
        let why: Vec<String> = export::Reason::ALL
            .into_iter()
            .filter(|r| sink.counts.dropped_for(*r) > 0)
            .map(|r| format!("{} {}", sink.counts.dropped_for(r), r.name()))
            .collect();
        say(&format!("{}: {} sent, dropped: {}", sink.name, sink.counts.sent, why.join(", ")));
    }
}
