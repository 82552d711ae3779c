//! A call that waits for its answer.

use super::call::Call;
use crate::session::Txn;
use base::Mark;

/// Bytes kept of the end of an answer: the verdict and its message.
const TAIL: usize = 4096;

/// A call that waits for its answer.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) call: Call,
    /// `None` when it is not told.
    pub(super) txn: Option<Txn>,
    /// The message, as far as it is kept.
    pub(super) message: Vec<u8>,
    pub(super) cut: bool,
    /// Its last packet was full: it may go on.
    pub(super) goes_on: bool,
    /// Its text was looked for.
    pub(super) settled: bool,
    /// Its statement changes or returns rows.
    pub(super) counts: bool,
    /// The text of what it parses, for its cursor; of a login what it has executed.
    pub(super) text: Box<[u8]>,
    pub(super) begun: bool,
    /// The first kind of message in the answer.
    pub(super) first: u8,
    pub(super) tail: Vec<u8>,
    /// The packet under way is the last of the answer.
    pub(super) ends: bool,
    pub(super) last: Mark,
}

impl Ask {
    /// Keeps the end of the answer.
    pub(super) fn heard(&mut self, bytes: &[u8], last: Mark) {
        self.last = last;
        self.tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default());
        let more = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..more);
    }

    pub(super) fn heap(&self) -> usize {
        let record = self.txn.as_ref().and_then(|t| t.record.as_ref()).map_or(0, |r| r.heap());
        [self.message.capacity(), self.text.len(), self.tail.capacity()]
            .iter()
            .fold(record, |a, n| a.saturating_add(*n))
    }
}
