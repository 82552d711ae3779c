//! TCP: state, account and the bytes in order (RFC 9293).

pub(crate) mod seq;

use crate::contract::{End, Events, SideStats};
use crate::flow::{Body, Flow};
use crate::pair::Pair;
use crate::shared::Shared;
use crate::timers::Class;
use base::{Direction, Mark, Side, Timestamp};
use decode::{IcmpKind, Layer4, Packet, Tcp as Header};

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) h: Header,
    pub(crate) len: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The segment of a packet, if it is TCP.
    #[inline]
    pub(crate) fn new(p: &Packet<'a>) -> Option<Segment<'a>> {
        match p.l4 {
            Layer4::Tcp(h) => Some(Segment { h, len: p.payload_len, payload: p.payload }),
            _ => None,
        }
    }
}

/// What the table is to do after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// Look at the holes of this flow again later.
    Waits,
}

#[derive(Debug, Default)]
struct Stream {
    next: Option<u32>,
    ack: Option<u32>,
}

/// The state of a connection.
#[derive(Debug, Default)]
pub(crate) struct Tcp {
    streams: Pair<Stream>,
}

impl Tcp {
    pub(crate) fn all_acked(&self, side: Side) -> bool {
        self.streams.of(side).next == self.streams.of(side.other()).ack
    }
    pub(crate) fn fill_mark(&self, _initiator: Side, _m: &mut Mark) {}
    pub(crate) fn fill_stats(&self, _side: Side, _st: &mut SideStats) {}
    pub(crate) fn hand_delay(&self) -> Option<u64> {
        None
    }
    pub(crate) fn clear_interval(&mut self) {}
    pub(crate) fn class(&self) -> Class {
        Class::Open
    }
    pub(crate) fn end_reason(&self, _initiator: Side, why: End) -> End {
        why
    }
}

impl<T> Flow<T> {
    pub(crate) fn begins_anew(&self, _side: Side, _seg: &Segment<'_>) -> bool {
        false
    }

    pub(crate) fn segment(
        &mut self,
        side: Side,
        seg: &Segment<'_>,
        _sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) -> Verdict {
        let Body::Tcp(tcp) = &mut self.body else { return Verdict::Done };
        let s = tcp.streams.of_mut(side);
        s.ack = Some(seg.h.ack);
        let next = s.next.unwrap_or(seg.h.seq);
        s.next = Some(next);
        if seg.h.flags.syn() {
            s.next = Some(seg.h.seq.wrapping_add(1));
        } else if seg.h.seq == next && seg.len > 0 && self.follow {
            s.next = Some(next.wrapping_add(seg.len));
            let (dir, mark) = (self.direction(side), self.mark());
            ev.data(self, dir, &mark, seg.payload);
        }
        Verdict::Done
    }

    pub(crate) fn check_holes(
        &mut self,
        _now: Timestamp,
        _sh: &mut Shared,
        _ev: &mut impl Events<Flow<T>>,
    ) -> Verdict {
        Verdict::Done
    }

    /// A UDP datagram of `side`.
    pub(crate) fn datagram(&mut self, side: Side, p: &Packet<'_>, ev: &mut impl Events<Flow<T>>) {
        if side == self.initiator() {
            self.exchange.request(self.last_seen);
        } else {
            self.exchange.response(self.last_seen);
        }
        if self.follow && !p.payload.is_empty() {
            let (dir, mark) = (self.direction(side), self.mark());
            ev.data(self, dir, &mark, p.payload);
        }
    }

    /// An ICMP echo message.
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

    /// The flow ends: both directions, then the last report.
    pub(crate) fn finish(
        &mut self,
        now: Timestamp,
        reason: End,
        sh: &mut Shared,
        ev: &mut impl Events<Flow<T>>,
    ) {
        let mark = self.mark();
        for dir in Direction::BOTH {
            let ended = self.ended.of_mut(self.sender(dir));
            if !*ended && self.follow {
                *ended = true;
                ev.end(self, dir, &mark);
            }
        }
        self.exchange.close();
        ev.report(self, now, Some(reason));
        if let Body::Tcp(tcp) = std::mem::replace(&mut self.body, Body::Other) {
            sh.take_back(tcp);
        }
    }
}
