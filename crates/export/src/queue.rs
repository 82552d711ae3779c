//! The bounded queue between the engine and the thread of a sink, and the sink's account.

use crate::Batch;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Why a record was dropped before or in a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The sink was too slow: its queue was full.
    QueueFull,
    /// The system refused to send, or the receiver was not there.
    SendError,
    /// Larger than the transport can carry.
    TooBig,
    /// The name of the destination had no address.
    NoAddress,
    /// The disk was full or the file could not be written.
    DiskFull,
    /// Still waiting when the program ended.
    Closed,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 6] = [
        Reason::QueueFull,
        Reason::SendError,
        Reason::TooBig,
        Reason::NoAddress,
        Reason::DiskFull,
        Reason::Closed,
    ];

    /// The word in the account of the probe.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue-full",
            Reason::SendError => "send-error",
            Reason::TooBig => "too-big",
            Reason::NoAddress => "no-address",
            Reason::DiskFull => "disk-full",
            Reason::Closed => "closed",
        }
    }
}

/// The account of one sink, in records. `made` is `sent`, all of `dropped`, and what is in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Given to the sink.
    pub made: u64,
    /// Handed to the system.
    pub sent: u64,
    /// Dropped, in the order of [`Reason::ALL`].
    pub dropped: [u64; 6],
    /// Not compressed for want of time ([`crate::Outlet::set_compression`]), of those tried.
    pub uncompressed: u64,
}

impl Counts {
    /// Dropped for one reason.
    #[must_use]
    pub fn dropped_for(&self, reason: Reason) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or(0)
    }

    /// At the end: what a sink that hangs (a disk that does not answer) still has in hand is lost too.
    pub(crate) fn settle(&mut self) {
        let in_hand = self.made.saturating_sub(self.sent).saturating_sub(self.dropped_all());
        if let Some(closed) = self.dropped.get_mut(Reason::Closed as usize) {
            *closed += in_hand;
        }
    }

    /// Dropped for any reason.
    #[must_use]
    pub fn dropped_all(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// The same, counted by several threads.
#[derive(Debug, Default)]
pub(crate) struct Account {
    made: AtomicU64,
    sent: AtomicU64,
    dropped: [AtomicU64; 6],
    uncompressed: AtomicU64,
}

impl Account {
    pub(crate) fn uncompressed(&self) {
        self.uncompressed.fetch_add(1, Relaxed);
    }

    pub(crate) fn sent(&self, n: usize) {
        self.sent.fetch_add(n as u64, Relaxed);
    }

    pub(crate) fn drop(&self, n: usize, reason: Reason) {
        if let Some(counter) = self.dropped.get(reason as usize) {
            counter.fetch_add(n as u64, Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Counts {
        let mut counts = Counts {
            made: self.made.load(Relaxed),
            sent: self.sent.load(Relaxed),
            dropped: [0; 6],
            uncompressed: self.uncompressed.load(Relaxed),
        };
        for (n, counter) in counts.dropped.iter_mut().zip(&self.dropped) {
            *n = counter.load(Relaxed);
        }
        counts
    }
}

/// What a sink's thread finds in its queue.
#[derive(Debug)]
pub(crate) enum Next {
    Batch(Arc<Batch>),
    /// Nothing came in time.
    Idle,
    /// Closed and empty.
    End,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// No more batches will come.
    closed: bool,
    /// Give up, also what is being tried.
    aborted: bool,
    /// The sink's thread has ended.
    ended: bool,
}

/// A queue bounded by bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    budget: usize,
    pub(crate) account: Account,
    /// A sink that compresses may do so now.
    pub(crate) compress: AtomicBool,
}

impl Queue {
    pub(crate) fn new(budget: usize) -> Queue {
        Queue {
            state: Mutex::default(),
            changed: Condvar::new(),
            budget,
            account: Account::default(),
            compress: AtomicBool::new(true),
        }
    }

    /// The state; a thread that panicked left it whole, as each change is one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts a batch in; drops and counts it when there is no room. With `wait`, waits for room instead.
    pub(crate) fn push(&self, batch: &Arc<Batch>, wait: bool) {
        self.account.made.fetch_add(batch.len() as u64, Relaxed);
        let mut state = self.lock();
        // One batch larger than the budget may still be the only one.
        let full = |s: &State| !s.batches.is_empty() && s.bytes + batch.heap() > self.budget;
        while wait && full(&state) && !state.closed && !state.ended {
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        if state.closed || state.ended {
            self.account.drop(batch.len(), Reason::Closed);
        } else if full(&state) {
            self.account.drop(batch.len(), Reason::QueueFull);
        } else {
            state.bytes += batch.heap();
            state.batches.push_back(Arc::clone(batch));
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next batch, waiting up to `patience`.
    pub(crate) fn next(&self, patience: Duration) -> Next {
        let mut state = self.lock();
        let until = Instant::now() + patience;
        loop {
            if let Some(batch) = state.batches.pop_front() {
                state.bytes -= batch.heap();
                drop(state);
                self.changed.notify_all();
                return Next::Batch(batch);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.closed {
                return Next::End;
            } else if left.is_zero() {
                return Next::Idle;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Waits; false when the sink must give up.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let mut state = self.lock();
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.aborted || left.is_zero() {
                return !state.aborted;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Must the sink give up?
    pub(crate) fn aborted(&self) -> bool {
        self.lock().aborted
    }

    /// No more batches will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The sink's thread ends.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits until the sink's thread has ended; at `deadline` makes it give up and drops what is left.
    pub(crate) fn finish(&self, deadline: Instant) {
        let mut state = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                break;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        state.aborted = true;
        state.bytes = 0;
        for batch in state.batches.drain(..) {
            self.account.drop(batch.len(), Reason::Closed);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Bytes waiting.
    pub(crate) fn held(&self) -> usize {
        self.lock().bytes
    }
}
