//! Lines to standard output: one write a batch.

use super::Sink;
use crate::Batch;
use crate::queue::{Queue, Reason};
use std::io::Write;

/// Standard output.
#[derive(Default)]
pub(super) struct Stdout {
    /// Nobody reads any more.
    dead: bool,
}

impl Sink for Stdout {
    fn send(&mut self, batch: &Batch, queue: &Queue) {
        let mut out = std::io::stdout().lock();
        if !self.dead && out.write_all(batch.lines()).and_then(|()| out.flush()).is_ok() {
            return queue.account.sent(batch.len());
        }
        self.dead = true;
        queue.account.drop(batch.len(), Reason::SendError);
    }

    fn is_dead(&self) -> bool {
        self.dead
    }
}
