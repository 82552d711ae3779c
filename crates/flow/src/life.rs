//! Datagrams, echoes, and the end of a flow of any kind.

use crate::contract::{End, Events};
use crate::flow::{Body, Flow};
use crate::shared::Shared;
use base::{Direction, Side, Timestamp};
use decode::{IcmpKind, Packet};

impl<T> Flow<T> {
    /// A UDP datagram of `side`.
    #[inline]
    pub(crate) fn datagram(&mut self, side: Side, p: &Packet<'_>, ev: &mut impl Events<Flow<T>>) {
        if side == self.initiator() {
            self.exchange.request(self.last_seen, &mut self.answers);
        } else {
            self.exchange.response(self.last_seen, &mut self.answers);
        }
        if self.follow && !p.payload.is_empty() {
            let (dir, mark) = (self.direction(side), self.mark());
            ev.data(self, dir, &mark, p.payload);
        }
    }

    /// An ICMP message: echoes are measured.
    pub(crate) fn echo(&mut self, kind: IcmpKind) {
        let now = self.last_seen;
        if let Body::Echo(echo) = &mut self.body {
            match kind {
                IcmpKind::EchoRequest(_, seq) => echo.request(seq, now),
                IcmpKind::EchoReply(_, seq) => echo.reply(seq, now),
                _ => {}
            }
        }
    }

    /// The flow ends: what is held is told, both directions end, the last report is made.
    pub(crate) fn finish(
        &mut self,
        now: Timestamp,
        reason: End,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) {
        if matches!(self.body, Body::Tcp(_)) {
            self.close_both(sh, ev);
        } else {
            let mark = self.mark();
            for dir in Direction::BOTH {
                if self.follow {
                    ev.end(self, dir, &mark);
                }
            }
        }
        self.exchange.close(&mut self.answers);
        ev.report(self, now, Some(reason));
        if let Body::Tcp(tcp) = std::mem::replace(&mut self.body, Body::Other) {
            sh.take_back(tcp);
        }
    }
}
