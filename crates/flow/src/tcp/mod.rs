//! TCP: state, account and the bytes in order (RFC 9293).
//!
//! For each segment, in this order: the counts ([`state`], [`seen`]), the delays that its ACK
//! ends ([`delay`]), the bytes in order ([`reassembly`], [`holes`], [`deliver`]), the end.

mod delay;
mod deliver;
mod holes;
mod reassembly;
mod seen;
mod seq;
mod state;

pub(crate) use delay::Pool;
pub(crate) use reassembly::COST as HELD_COST;
pub(crate) use state::{Segment, Tcp};

use crate::contract::Events;
use crate::flow::{Body, Flow};
use crate::shared::Shared;
use base::Side;
use seen::Kind;

/// What the table is to do after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Done,
    /// Look at the holes of this flow again after the long wait.
    Waits,
    /// Look at them again after the short wait.
    WaitsBriefly,
}

impl<T> Flow<T> {
    /// True when this segment begins another connection between the same ends.
    #[inline]
    pub(crate) fn begins_anew(&self, side: Side, seg: &Segment<'_>) -> bool {
        matches!(&self.body, Body::Tcp(tcp) if tcp.begins_anew(side, seg))
    }

    /// Takes a segment of `side`, which is counted already.
    pub(crate) fn segment(
        &mut self,
        side: Side,
        seg: &Segment<'_>,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) -> Verdict {
        let now = self.last_seen;
        let flags = seg.h.flags;
        if flags.syn() && !flags.rst() {
            let server = if flags.ack() { side } else { side.other() };
            if self.is_midstream() {
                self.begun_by(server.other());
            }
            if flags.ack() {
                sh.learned.learn(sh.cfg.seed, self.key().end(server));
            }
        }
        let Body::Tcp(tcp) = &mut self.body else { return Verdict::Done };
        let held = tcp.held();
        let facts = tcp.account(side, seg, now, &mut sh.pool, &mut sh.counters);
        sh.rough = sh.rough.saturating_sub(held).saturating_add(tcp.held());
        if facts.fresh {
            if side == self.initiator() {
                self.exchange.request(now, &mut self.answers);
            } else {
                self.exchange.response(now, &mut self.answers);
            }
        }
        if facts.all_acked && self.watch_acks {
            let (dir, mark) = (self.direction(side.other()), self.mark());
            ev.acked(self, dir, &mark);
        }
        if !self.follow {
            self.release(sh);
            return Verdict::Done;
        }
        if facts.kind == Kind::Far {
            return Verdict::Done;
        }
        if facts.reset {
            self.close_both(sh, ev);
            return Verdict::Done;
        }
        self.take_in(side, seg, sh, ev);
        self.look_at_holes(now, true, sh, ev)
    }
}
