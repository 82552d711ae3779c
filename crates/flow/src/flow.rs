//! One flow: who, how much, and what layer 4 remembers of it.

use crate::contract::{Arrival, End, Interval};
use crate::echo::Echo;
use crate::exchange::{Answers, Exchange};
use crate::pair::Pair;
use crate::tcp::Tcp;
use crate::timers::Class;
use base::{Direction, FlowKey, MacAddr, Mark, Side, Timestamp, Tunnel};
use decode::{Packet, Vlans};
use std::net::IpAddr;

/// What is kept for each side, whatever the protocol.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End2 {
    /// Wire bytes sent in this interval.
    pub(crate) bytes: u64,
    /// When this side was last seen on the interface that it is bound to.
    pub(crate) seen: Timestamp,
    /// Packets sent in this interval.
    pub(crate) pkts: u32,
    /// IP datagrams of at most 64 bytes in this interval.
    pub(crate) tiny: u32,
    /// The interface that this side's packets are counted on; 0 for any.
    pub(crate) ifindex: u32,
}

/// What layer 4 remembers.
#[derive(Debug)]
pub(crate) enum Body {
    /// TCP.
    Tcp(Box<Tcp>),
    /// Datagrams with requests and answers.
    Udp,
    /// ICMP echo.
    Echo(Box<Echo>),
    /// Counted only.
    Other,
}

/// A flow of the table, with the engine's own state in `user`.
///
/// Laid out by cache lines: a packet of a pair touches the first three or four of them.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Flow<T> {
    // First line: who, and what is looked at first.
    key: FlowKey,
    initiator: Side,
    pub(crate) follow: bool,
    /// Tell [`crate::Events::acked`].
    pub watch_acks: bool,
    cut: bool,
    pub(crate) ended: Pair<bool>,
    /// Both Ethernet addresses are known, or as good as they get.
    macs_known: bool,
    /// Nobody follows, and nothing is held any more.
    pub(crate) released: bool,
    pub(crate) last_seen: Timestamp,
    bytes: u64,
    // Second line: how much.
    pub(crate) sides: Pair<End2>,
    // Third: what goes on.
    last_len: u32,
    /// Bytes, gaps or ends were told.
    pub(crate) told: bool,
    /// The beginning was not seen: the initiator is a guess.
    guessed: bool,
    first_report: bool,
    pub(crate) body: Body,
    /// The engine's own state.
    pub user: T,
    pub(crate) exchange: Exchange,
    // Fourth: what seldom changes.
    begin: Timestamp,
    hash: u64,
    first_seen: Timestamp,
    mac: Pair<MacAddr>,
    pub(crate) icmp_err: u32,
    vni: Option<u32>,
    vlans: Vlans,
    tunnel: Tunnel,
    // Fifth: only answers come here.
    pub(crate) answers: Answers,
}

/// What a new flow is made of.
pub(crate) struct Birth {
    pub(crate) key: FlowKey,
    pub(crate) hash: u64,
    pub(crate) initiator: Side,
    pub(crate) guessed: bool,
    pub(crate) follow: bool,
    pub(crate) body: Body,
}

impl<T: Default> Flow<T> {
    pub(crate) fn new(b: Birth, p: &Packet<'_>, at: &Arrival) -> Flow<T> {
        Flow {
            user: T::default(),
            watch_acks: false,
            follow: b.follow,
            first_report: true,
            initiator: b.initiator,
            guessed: b.guessed,
            cut: false,
            ended: Pair::default(),
            told: false,
            macs_known: false,
            released: false,
            mac: Pair::default(),
            tunnel: p.tunnel,
            vlans: p.vlans,
            vni: p.vni,
            key: b.key,
            hash: b.hash,
            first_seen: at.time,
            last_seen: at.time,
            begin: at.time,
            bytes: 0,
            last_len: 0,
            icmp_err: 0,
            sides: Pair::default(),
            exchange: Exchange::default(),
            answers: Answers::default(),
            body: b.body,
        }
    }
}

impl<T> Flow<T> {
    /// Who talks with whom.
    #[must_use]
    pub const fn key(&self) -> &FlowKey {
        &self.key
    }

    /// The hash of the key under the table's seed.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Which side began.
    #[must_use]
    pub const fn initiator(&self) -> Side {
        self.initiator
    }

    /// Address and port of the initiator, then of the other end.
    #[must_use]
    pub fn ends(&self) -> ((IpAddr, u16), (IpAddr, u16)) {
        (self.key.end(self.initiator), self.key.end(self.initiator.other()))
    }

    /// The initiator is the other end: found out by what the flow carries. Does nothing when
    /// the beginning of the flow was seen ([`Flow::is_turnable`]).
    pub fn turn(&mut self) {
        if self.guessed {
            self.initiator = self.initiator.other();
            // measured the wrong way round
            (self.exchange, self.answers) = (Exchange::default(), Answers::default());
        }
    }

    /// TCP whose SYN and SYN-ACK were not seen.
    #[must_use]
    pub const fn is_midstream(&self) -> bool {
        self.guessed && matches!(self.body, Body::Tcp(_))
    }

    /// The initiator is a guess, and [`Flow::turn`] may be called.
    #[must_use]
    pub const fn is_turnable(&self) -> bool {
        self.guessed
    }

    /// The beginning was seen after all: `side` began. What was told already keeps its
    /// directions: then it stays a guess, for the engine to turn.
    pub(crate) fn begun_by(&mut self, side: Side) {
        if self.initiator != side {
            if self.told {
                return;
            }
            self.turn();
        }
        self.guessed = false;
    }

    /// IP protocol number.
    #[must_use]
    pub const fn proto(&self) -> u8 {
        self.key.proto()
    }

    /// Ethernet addresses, the initiator's first.
    #[must_use]
    pub fn macs(&self) -> (MacAddr, MacAddr) {
        (*self.mac.of(self.initiator), *self.mac.of(self.initiator.other()))
    }

    /// VLAN tags of the first packet.
    #[must_use]
    pub const fn vlans(&self) -> Vlans {
        self.vlans
    }

    /// What carried the first packet.
    #[must_use]
    pub const fn tunnel(&self) -> Tunnel {
        self.tunnel
    }

    /// Network number of the first packet's encapsulation.
    #[must_use]
    pub const fn vni(&self) -> Option<u32> {
        self.vni
    }

    /// The interface that the initiator's packets are counted on, or the other end's while the
    /// initiator was not seen.
    #[must_use]
    pub fn ifindex(&self) -> u32 {
        match self.sides.of(self.initiator).ifindex {
            0 => self.sides.of(self.initiator.other()).ifindex,
            n => n,
        }
    }

    /// When the first packet came.
    #[must_use]
    pub const fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    /// When the last packet came.
    #[must_use]
    pub const fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    /// Some packet of it was captured shorter than it was.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// No report was made of it before the current one.
    #[must_use]
    pub const fn is_first_report(&self) -> bool {
        self.first_report
    }

    /// With `false`, no more data, gaps and ends are told and no bytes are held; the account
    /// goes on.
    pub const fn follow(&mut self, yes: bool) {
        self.follow = yes;
        self.released = false;
    }

    /// The direction of what `side` sends.
    #[inline]
    pub(crate) fn direction(&self, side: Side) -> Direction {
        if side == self.initiator { Direction::ToServer } else { Direction::ToClient }
    }

    /// The side that sends in a direction.
    #[inline]
    #[must_use]
    pub(crate) const fn sender(&self, dir: Direction) -> Side {
        match dir {
            Direction::ToServer => self.initiator,
            Direction::ToClient => self.initiator.other(),
        }
    }

    /// All data that was sent in this direction so far is acknowledged (TCP).
    #[must_use]
    pub fn all_acked(&self, dir: Direction) -> bool {
        match &self.body {
            Body::Tcp(tcp) => tcp.all_acked(self.sender(dir)),
            _ => true,
        }
    }

    /// The state of the counters after the latest packet.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let mut m = Mark { time: self.last_seen, bytes: self.bytes, len: self.last_len, ..Mark::default() };
        match &self.body {
            Body::Tcp(tcp) => tcp.fill_mark(self.initiator, &mut m),
            Body::Echo(echo) => echo.fill_mark(&mut m),
            Body::Udp | Body::Other => {}
        }
        m
    }

    /// The account of the interval so far.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let mut out = Interval {
            app_response: self.answers.app_response,
            load_trans: self.answers.load_trans,
            icmp_err: self.icmp_err,
            begin: self.begin,
            end: self.last_seen,
            ..Interval::default()
        };
        if let Body::Tcp(tcp) = &self.body {
            out.hand_delay = tcp.hand_delay();
        }
        for (st, s) in out.sent.iter_mut().zip([self.initiator, self.initiator.other()]) {
            let e = self.sides.of(s);
            (st.bytes, st.pkts, st.tiny) = (e.bytes, e.pkts, e.tiny);
            match &self.body {
                Body::Tcp(tcp) => tcp.fill_stats(s, st),
                Body::Echo(echo) if s == self.initiator => st.net_delay = echo.delay,
                _ => {}
            }
        }
        out
    }

    /// The first packet of the interval; 0 without one.
    #[must_use]
    pub fn interval_begin(&self) -> Timestamp {
        self.begin
    }

    /// A new interval begins: the numbers of the old one are cleared.
    pub(crate) fn clear_interval(&mut self) {
        self.first_report = false;
        for side in [Side::A, Side::B] {
            let e = self.sides.of_mut(side);
            (e.bytes, e.pkts, e.tiny) = (0, 0, 0);
        }
        self.begin = self.last_seen;
        self.icmp_err = 0;
        self.answers = Answers::default();
        match &mut self.body {
            Body::Tcp(tcp) => tcp.clear_interval(),
            Body::Echo(echo) => echo.delay = crate::Delay::default(),
            Body::Udp | Body::Other => {}
        }
    }

    /// There were packets in this interval.
    #[inline]
    pub(crate) fn has_packets(&self) -> bool {
        self.sides.of(Side::A).pkts | self.sides.of(Side::B).pkts != 0
    }

    /// A word of each line that a packet touches.
    #[inline]
    pub(crate) fn glance(&self) -> u64 {
        self.last_seen.0 ^ self.sides.of(Side::A).bytes ^ self.begin.0 ^ self.hash
    }

    /// Its TCP state.
    #[inline]
    pub(crate) fn tcp(&self) -> Option<&Tcp> {
        match &self.body {
            Body::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// Counts a packet of `side`. The flow's clock never steps back.
    #[inline]
    pub(crate) fn count(&mut self, side: Side, p: &Packet<'_>, at: &Arrival) {
        let idle = !self.has_packets();
        self.last_seen = self.last_seen.max(at.time);
        if idle {
            self.begin = self.last_seen;
        }
        self.bytes = self.bytes.saturating_add(u64::from(at.wire_len));
        self.last_len = at.wire_len;
        let now = self.last_seen;
        let e = self.sides.of_mut(side);
        e.bytes = e.bytes.saturating_add(u64::from(at.wire_len));
        e.pkts = e.pkts.saturating_add(at.frames);
        e.tiny = e.tiny.saturating_add(at.tiny);
        if e.ifindex == at.ifindex || e.ifindex == 0 {
            e.ifindex = at.ifindex;
            e.seen = now;
        }
        if !self.macs_known {
            self.learn_macs(side, p);
        }
        self.cut |= p.is_cut();
    }

    /// The sender's address, and the receiver's until it sends itself.
    fn learn_macs(&mut self, side: Side, p: &Packet<'_>) {
        let (own, other) = self.mac.both_mut(side);
        *own = p.smac;
        if other.is_zero() && !p.dmac.is_group() {
            *other = p.dmac;
        } else {
            self.macs_known = self.sides.of(side.other()).pkts > 0;
        }
    }

    /// True for a packet of a direction that is bound to another interface: the kernel shows
    /// one packet on several (bridge, veth, VLAN, bond). A binding that was silent for
    /// [`REBIND`] is given up.
    #[inline]
    pub(crate) fn is_second_copy(&mut self, side: Side, at: &Arrival) -> bool {
        let e = self.sides.of_mut(side);
        if at.ifindex == e.ifindex || at.ifindex == 0 || e.ifindex == 0 {
            return false;
        }
        if at.time.since(e.seen) < REBIND {
            return true;
        }
        e.ifindex = at.ifindex;
        false
    }

    /// What the flow is to the timers.
    #[inline]
    pub(crate) fn class(&self) -> Class {
        match &self.body {
            Body::Tcp(tcp) => tcp.class(),
            _ => Class::Pair,
        }
    }

    /// Why the flow ends, when `why` brings the end about.
    pub(crate) fn end_reason(&self, why: End) -> End {
        match &self.body {
            Body::Tcp(tcp) => tcp.end_reason(self.initiator, why),
            _ => why,
        }
    }
}

/// Silence on the bound interface after which another one may take its place (ns).
pub(crate) const REBIND: u64 = base::SECOND;
