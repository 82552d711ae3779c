//! A worker: one thread with its own ring and its own engine. It shares nothing with the others
//! but the outlet, and tells its account once a second.

use crate::account::WorkerAccount;
use crate::clock;
use crate::governor;
use crate::sys;
use base::{Frame, Timestamp};
use capture::ring::{InterfaceTable, Ring, RingEvent};
use engine::Engine;
use export::{Batch, Encoder, Outlet};
use record::Record;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Frames wait in the ring for at most this long before the kernel hands them over (ms); the
/// engine's clock stays behind the wall clock by a little more, or late frames would seem to
/// come from the past.
pub const RETIRE_MS: u32 = 50;
const CLOCK_LAG: u64 = 120 * base::MILLI;
/// Longest wait for frames: how soon a worker sees that it is to stop.
const WAIT_MS: i32 = 250;
/// Records wait in a batch for at most this long.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// A worker that is to stop waits so long for the block that the kernel still fills.
const LAST_BLOCK: Duration = Duration::from_millis(2 * RETIRE_MS as u64);
/// And reads no more often behind that: a host that is never quiet must not hold it.
const LAST_ROUNDS: u32 = 64;
/// How often the account is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What the program and its workers tell each other.
#[derive(Default)]
pub struct Shared {
    /// The workers are to end.
    pub stop: AtomicBool,
    /// DISK_RATIO in hundredths of a percent.
    pub disk_ratio: AtomicU64,
    /// What the governor says.
    pub governor: governor::Desk,
}

/// What the program and one worker tell each other.
#[derive(Default)]
pub struct Desk {
    account: Mutex<WorkerAccount>,
    config: Mutex<Option<Box<engine::Config>>>,
    events: Mutex<Vec<RingEvent>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// The worker's account as it was told last.
    pub fn account(&self) -> WorkerAccount {
        lock(&self.account).clone()
    }

    /// Gives the worker another configuration of its engine.
    pub fn reconfigure(&self, config: engine::Config) {
        *lock(&self.config) = Some(Box::new(config));
    }

    /// What happened to the interfaces.
    pub fn take_events(&self) -> Vec<RingEvent> {
        std::mem::take(&mut *lock(&self.events))
    }
}

/// Encodes records into batches for the outlet.
pub struct Out<'a> {
    encoder: Encoder,
    batch: Batch,
    outlet: &'a Outlet,
    pushed: Instant,
}

impl<'a> Out<'a> {
    /// Records of this encoder for this outlet.
    pub fn new(encoder: Encoder, outlet: &'a Outlet) -> Out<'a> {
        Out { encoder, batch: outlet.batch(), outlet, pushed: Instant::now() }
    }

    /// One record.
    #[inline]
    pub fn record(&mut self, head: &Record, body: &Record) {
        self.batch.add(|bytes| self.encoder.encode(head, body, bytes));
        if self.batch.is_full() {
            self.push();
        }
    }

    /// Gives what was collected to the sinks.
    pub fn push(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::replace(&mut self.batch, self.outlet.batch());
            self.outlet.push(batch);
        }
        self.pushed = Instant::now();
    }

    /// Sets DISK_RATIO for the records to come.
    pub fn set_disk_ratio(&mut self, hundredths: u64) {
        self.encoder.set_disk_ratio(hundredths);
    }
}

/// Takes frames from the ring, many at a time: one type, so that the ring's loop is there once.
type Sink<'a> = &'a mut dyn FnMut(&[Frame<'_>]);

/// One worker with all that it owns.
pub struct Worker<'a> {
    /// Its frames.
    pub ring: Ring,
    /// Its engine. It goes with the program: to take it apart before would be 6 KB of code.
    pub engine: ManuallyDrop<Engine>,
    /// Its records.
    pub out: Out<'a>,
    /// The interfaces of the host.
    pub interfaces: InterfaceTable,
    /// What all workers are told.
    pub shared: &'a Shared,
    /// What this worker is told, and tells.
    pub desk: &'a Desk,
}

impl Worker<'_> {
    /// Works until told to stop, then ends every flow. The last account is on the desk.
    ///
    /// # Errors
    /// The ring is beyond repair.
    pub fn work(mut self) -> io::Result<()> {
        self.out.set_disk_ratio(self.shared.disk_ratio.load(Ordering::Relaxed));
        let mut known = Known::default();
        known.learn(&self.interfaces, &mut self.engine);
        let mut told = Instant::now();
        let mut orders = 0;
        let outcome = loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            if let Some(orders) = self.shared.governor.news(&mut orders) {
                self.obey(&orders);
            }
            if self.shared.governor.brake.is_on() && self.rest() {
                if told.elapsed() >= TELL_EVERY {
                    told = Instant::now();
                    self.tell();
                }
                continue;
            }
            let mut stranger = false;
            let (engine, out) = (&mut self.engine, &mut self.out);
            let mut sink: Sink<'_> = &mut |frames| {
                stranger |= frames.iter().any(|frame| !known.has(frame.ifindex));
                engine.frames(frames, &mut |h: &Record, b: &Record| out.record(h, b));
            };
            let frames = match self.ring.poll(WAIT_MS, &mut sink) {
                Ok(n) => n,
                Err(e) => break Err(e),
            };
            while let Some(event) = self.ring.take_event() {
                stranger |= event == RingEvent::InterfacesChanged;
                lock(&self.desk.events).push(event);
            }
            if stranger && self.interfaces.refresh() {
                known.learn(&self.interfaces, &mut self.engine);
            }
            if frames == 0 {
                self.advance();
            }
            if frames == 0 || self.out.pushed.elapsed() >= FLUSH_EVERY {
                self.out.push();
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                self.advance();
                self.tell();
            }
        };
        // What lies in the ring was seen: it is reported too, once the kernel gives the last block away.
        self.ring.set_pace(None);
        let (begun, mut rounds) = (Instant::now(), 0);
        while rounds < LAST_ROUNDS {
            let left = LAST_BLOCK.saturating_sub(begun.elapsed());
            let (engine, out) = (&mut self.engine, &mut self.out);
            let mut sink: Sink<'_> = &mut |frames| {
                engine.frames(frames, &mut |h: &Record, b: &Record| out.record(h, b));
            };
            match self.ring.poll(left.as_millis() as i32, &mut sink) {
                Ok(0) if left.is_zero() => break,
                // Within the time it is the clock that ends it, behind it the count.
                Ok(_) => rounds += u32::from(left.is_zero()),
                Err(_) => break,
            }
        }
        let (engine, out) = (&mut self.engine, &mut self.out);
        engine.finish(&mut |h: &Record, b: &Record| out.record(h, b));
        self.out.push();
        self.tell();
        outcome
    }

    /// Leaves out what the governor says.
    fn obey(&mut self, orders: &governor::Orders) {
        self.engine.set_thrift(orders.thrift);
        // A filter that the kernel refuses costs time, nothing else: the engine leaves out the same flows.
        let _ = self.ring.set_thin(orders.thrift.thin);
        self.ring.set_pace(orders.armed.then_some(1));
    }

    /// Rests when the CPU time of the program is used up for now; what has waited for too long is passed over then.
    fn rest(&mut self) -> bool {
        let Some(pause) = self.shared.governor.brake.rest(sys::own_cpu_ns(), sys::steady_ns()) else {
            return false;
        };
        self.out.push();
        std::thread::sleep(pause);
        self.ring.skip_old();
        true
    }

    /// No frames came: time passes all the same.
    fn advance(&mut self) {
        let now = Timestamp(clock::now().0.saturating_sub(CLOCK_LAG));
        let (engine, out) = (&mut self.engine, &mut self.out);
        engine.advance(now, &mut |h: &Record, b: &Record| out.record(h, b));
    }

    /// Tells the account, hears the news.
    fn tell(&mut self) {
        let mut account = WorkerAccount::of(&self.engine);
        let ring = self.ring.stats();
        account.lost = ring.dropped;
        account.filtered.push(("interface", ring.filtered));
        account.sampled.push(("kernel", ring.thinned));
        account.sampled.push(("brake", ring.skipped));
        account.malformed.push(("unknown-link-layer", ring.unknown_link));
        account.malformed.push(("ring-block", ring.broken));
        *lock(&self.desk.account) = account;
        if let Some(config) = lock(&self.desk.config).take() {
            self.engine.reconfigure(*config);
        }
        self.out.set_disk_ratio(self.shared.disk_ratio.load(Ordering::Relaxed));
    }
}

/// Interfaces whose names the engine knows, by index: asked for each frame.
#[derive(Default)]
struct Known {
    by_index: Vec<bool>,
}

/// Indices above this are asked for each time; the kernel counts up slowly.
const INDICES: usize = 65_536;

impl Known {
    #[inline]
    fn has(&self, ifindex: u32) -> bool {
        self.by_index.get(ifindex as usize).copied().unwrap_or(false)
    }

    fn learn(&mut self, table: &InterfaceTable, engine: &mut Engine) {
        for i in table.all() {
            engine.set_interface(i.index, &i.name, i.address());
            let at = i.index as usize;
            if at < INDICES {
                if self.by_index.len() <= at {
                    self.by_index.resize(at + 1, false);
                }
                if let Some(known) = self.by_index.get_mut(at) {
                    *known = true;
                }
            }
        }
    }
}
