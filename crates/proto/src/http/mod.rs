//! To be written.

use crate::session::{Cx, Parser, Progress, Transport, Verdict};
use base::Direction;

/// Does the beginning of a stream speak this protocol?
#[must_use]
pub fn probe(_transport: Transport, _dir: Direction, _head: &[u8]) -> Verdict {
    Verdict::No
}

/// State of one flow.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {}
    }
}

impl Parser for Session {
    fn data(&mut self, _cx: &mut Cx<'_>, _dir: Direction, _bytes: &[u8]) -> Progress {
        Progress::Lost
    }

    fn gap(&mut self, _cx: &mut Cx<'_>, _dir: Direction, _n: u64) {}

    fn end(&mut self, _cx: &mut Cx<'_>, _dir: Direction) {}
}
