//! The outlet: all sinks, their threads and queues, and the pool of batches.

use crate::queue::{Next, Queue};
use crate::sink::{Sink, SinkConfig};
use crate::{Batch, Counts};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Empty batches kept for another use.
const POOL: usize = 16;
/// How often an idle sink looks after its connection or file.
const TICK: Duration = Duration::from_secs(1);

type Pool = Mutex<Vec<Batch>>;

/// The account of one sink.
#[derive(Clone, Debug)]
pub struct SinkReport {
    /// What it is: its destination or path.
    pub name: String,
    /// Its account.
    pub counts: Counts,
    /// False after its output was closed for good (a pipe without a reader).
    pub alive: bool,
}

#[derive(Debug)]
struct Running {
    name: String,
    queue: Arc<Queue>,
    dead: Arc<std::sync::atomic::AtomicBool>,
}

/// Sends batches to all sinks.
#[derive(Debug)]
pub struct Outlet {
    sinks: Vec<Running>,
    pool: Arc<Pool>,
}

impl Outlet {
    /// Opens the sinks and starts a thread for each; `budget` is the bytes that each queue may hold.
    ///
    /// # Errors
    /// When a directory or thread cannot be made. A receiver that is not there is no error: it may come.
    pub fn start(configs: Vec<SinkConfig>, budget: usize) -> std::io::Result<Outlet> {
        let pool = Arc::new(Pool::default());
        let mut sinks = Vec::new();
        for config in configs {
            let name = config.name();
            let mut sink = config.open()?;
            let queue = Arc::new(Queue::new(budget));
            let dead = Arc::new(std::sync::atomic::AtomicBool::new(false));
            sinks.push(Running { name, queue: Arc::clone(&queue), dead: Arc::clone(&dead) });
            let pool = Arc::clone(&pool);
            std::thread::Builder::new().name("export".into()).spawn(move || {
                run(&mut *sink, &queue, &pool, &dead);
                queue.end();
            })?;
        }
        Ok(Outlet { sinks, pool })
    }

    /// An empty batch, an old buffer where there is one.
    #[must_use]
    pub fn batch(&self) -> Batch {
        let mut pool = self.pool.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pool.pop().unwrap_or_default()
    }

    /// Gives a batch to all sinks. Never waits: a sink whose queue is full drops and counts it.
    pub fn push(&self, batch: Batch) {
        self.give(batch, false);
    }

    /// The same, but waits for room: for reading files, where nothing may be lost and nobody is in a hurry.
    pub fn push_wait(&self, batch: Batch) {
        self.give(batch, true);
    }

    fn give(&self, batch: Batch, wait: bool) {
        let batch = Arc::new(batch);
        if !batch.is_empty() {
            for sink in &self.sinks {
                sink.queue.push(&batch, wait);
            }
        }
        recycle(&self.pool, batch);
    }

    /// From now on sinks that are to compress do so, or not: it is what can be saved first when the CPU is short.
    pub fn set_compression(&self, on: bool) {
        for sink in &self.sinks {
            sink.queue.compress.store(on, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// The account of each sink.
    #[must_use]
    pub fn counts(&self) -> Vec<SinkReport> {
        self.sinks
            .iter()
            .map(|s| SinkReport {
                name: s.name.clone(),
                counts: s.queue.account.read(),
                alive: !s.dead.load(std::sync::atomic::Ordering::Relaxed),
            })
            .collect()
    }

    /// Bytes waiting in the queues. A batch that waits for two sinks counts twice.
    #[must_use]
    pub fn held(&self) -> usize {
        self.sinks.iter().map(|s| s.queue.held()).sum()
    }

    /// Lets the sinks send what they have, up to `patience`; what is left then is dropped and counted. Gives back
    /// the last account.
    pub fn close(self, patience: Duration) -> Vec<SinkReport> {
        let deadline = Instant::now() + patience;
        for sink in &self.sinks {
            sink.queue.close();
        }
        for sink in &self.sinks {
            sink.queue.finish(deadline);
        }
        // A moment for those that were told to give up, so that their account is whole.
        for sink in &self.sinks {
            sink.queue.finish(Instant::now() + Duration::from_millis(100));
        }
        let mut reports = self.counts();
        for report in &mut reports {
            report.counts.settle();
        }
        reports
    }
}

/// The life of a sink's thread.
fn run(sink: &mut dyn Sink, queue: &Queue, pool: &Pool, dead: &std::sync::atomic::AtomicBool) {
    loop {
        match queue.next(TICK) {
            Next::Batch(batch) => {
                sink.send(&batch, queue);
                recycle(pool, batch);
            }
            Next::Idle => sink.tick(),
            Next::End => return,
        }
        if sink.is_dead() {
            dead.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Puts a batch that nobody else holds back into the pool.
fn recycle(pool: &Pool, batch: Arc<Batch>) {
    if let Some(mut batch) = Arc::into_inner(batch)
        && batch.recycle()
    {
        let mut pool = pool.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if pool.len() < POOL {
            pool.push(batch);
        }
    }
}

#[cfg(test)]
mod tests;
