//! The flow table: finds the flow of a packet, begins and ends flows, keeps their time.

use crate::ahead::Whose;
use crate::contract::{Arrival, Config, Counters, End, Events};
use crate::flow::{Birth, Body, Flow};
use crate::index::Index;
use crate::initiator;
use crate::shared::Shared;
use crate::slab::Slab;
use crate::tcp::{Segment, Verdict};
use crate::timers::{Due, Timers, Waits};
use base::{FlowKey, Side, Timestamp, ip_proto};
use decode::{Icmp, IcmpKind, Layer4, Packet};

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was counted in its flow.
    Counted,
    /// It is a second copy: of a direction that is bound to another interface.
    SecondCopy,
}

/// All flows of a worker.
#[derive(Debug)]
pub struct Table<T> {
    pub(crate) slab: Slab<Flow<T>>,
    pub(crate) index: Index,
    pub(crate) timers: Timers,
    pub(crate) shared: Shared,
    follow: bool,
    now: Timestamp,
}

/// The key of a packet, and who sent it. ICMP echo has the identifier as the requester's port.
pub(crate) fn key_of(p: &Packet<'_>) -> Option<(FlowKey, Side)> {
    let (sport, dport) = match p.l4 {
        Layer4::Tcp(t) => (t.sport, t.dport),
        Layer4::Udp { sport, dport } | Layer4::Sctp { sport, dport } => (sport, dport),
        Layer4::Icmp(Icmp { kind: IcmpKind::EchoRequest(id, _), .. }) => (id, 0),
        Layer4::Icmp(Icmp { kind: IcmpKind::EchoReply(id, _), .. }) => (0, id),
        Layer4::Icmp(_) | Layer4::Other => (0, 0),
        Layer4::Fragment(_) => return None,
    };
    Some(FlowKey::new((p.src, sport), (p.dst, dport), p.proto))
}

impl<T: Default> Table<T> {
    /// What a flow takes in the slab, in the index (at most half full) and among the timers.
    const FLOW_BYTES: usize = size_of::<Option<Flow<T>>>().saturating_add(24);

    /// An empty table.
    #[must_use]
    pub fn new(cfg: Config) -> Table<T> {
        let waits = Waits {
            linger: cfg.linger,
            half_open: cfg.idle_half_open,
            pair: cfg.idle_udp,
            open: cfg.idle_tcp,
            interval: cfg.interval,
        };
        Table {
            slab: Slab::new(),
            index: Index::new(),
            timers: Timers::new(waits),
            shared: Shared::new(cfg),
            follow: true,
            now: Timestamp::default(),
        }
    }

    /// Flows held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// True without flows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.len() == 0
    }

    /// Bytes of heap, the engine's own state within `T` left out.
    #[must_use]
    pub fn held(&self) -> usize {
        self.slab
            .held()
            .saturating_add(self.index.held())
            .saturating_add(self.timers.held())
            .saturating_add(self.shared.heap())
    }

    /// What happened since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Whether new flows are followed ([`Flow::follow`]); they are by default.
    pub const fn set_follow_default(&mut self, yes: bool) {
        self.follow = yes;
    }

    /// Takes a packet.
    pub fn packet(&mut self, p: &Packet<'_>, at: &Arrival, ev: &mut impl Events<Flow<T>>) -> Fate {
        let whose = self.whose(p);
        self.packet_of(&whose, p, at, ev)
    }

    /// Takes a packet of which is known whose it is.
    pub fn packet_of(
        &mut self,
        whose: &Whose,
        p: &Packet<'_>,
        at: &Arrival,
        ev: &mut impl Events<Flow<T>>,
    ) -> Fate {
        let Some((key, side)) = whose.key else {
            self.shared.counters.loose_fragments = self.shared.counters.loose_fragments.wrapping_add(1);
            return Fate::Counted;
        };
        if let Layer4::Icmp(Icmp { kind: IcmpKind::Error { src, dst, proto }, .. }) = p.l4 {
            self.icmp_error(FlowKey::new(src, dst, proto).0);
        }
        self.now = self.now.max(at.time);
        let tick = self.timers.tick(self.now);
        let hash = whose.hash;
        let segment = Segment::new(p);
        // The slot that was found ahead is right when its flow has this key: there is only one.
        let is_its = |slot| self.slab.get(slot).is_some_and(|f| *f.key() == key);
        let mut found =
            whose.slot.filter(|slot| is_its(*slot)).or_else(|| self.index.find(hash as u32, is_its));
        if let Some(slot) = found {
            if let Some(flow) = self.slab.get_mut(slot)
                && flow.is_second_copy(side, at)
            {
                self.shared.counters.second_copies = self.shared.counters.second_copies.wrapping_add(1);
                return Fate::SecondCopy;
            }
            match self.timers.due(slot, tick) {
                Due::TimedOut => {
                    self.end(slot, End::Timeout, ev);
                    found = None;
                }
                Due::Report => self.report(slot, ev),
                Due::Nothing => {}
            }
        }
        if let (Some(slot), Some(seg)) = (found, &segment)
            && self.slab.get(slot).is_some_and(|f| f.begins_anew(side, seg))
        {
            self.end(slot, End::Timeout, ev);
            found = None;
        }
        let Some(slot) = found.or_else(|| self.begin(key, hash, side, p, at, ev)) else {
            return Fate::Counted;
        };
        let Some(flow) = self.slab.get_mut(slot) else { return Fate::Counted };
        flow.count(side, p, at);
        let mut verdict = Verdict::Done;
        match (p.l4, segment) {
            (_, Some(seg)) => verdict = flow.segment(side, &seg, &mut self.shared, ev),
            (Layer4::Udp { .. }, _) => flow.datagram(side, p, ev),
            (Layer4::Icmp(Icmp { kind, .. }), _) => flow.echo(kind),
            _ => {}
        }
        let class = flow.class();
        if verdict != Verdict::Done {
            self.shared.wait(self.now, verdict, slot, self.timers.generation(slot));
        }
        self.timers.touch(slot, tick, class);
        Fate::Counted
    }

    /// An ICMP error is counted on the flow that it quotes, if that is known.
    fn icmp_error(&mut self, quoted: FlowKey) {
        let tag = quoted.hash(self.shared.cfg.seed) as u32;
        let slot = self.index.find(tag, |slot| self.slab.get(slot).is_some_and(|f| *f.key() == quoted));
        if let Some(flow) = slot.and_then(|s| self.slab.get_mut(s)) {
            flow.icmp_err = flow.icmp_err.saturating_add(1);
        }
    }

    /// Begins a flow; ends another one when the table is full.
    fn begin(
        &mut self,
        key: FlowKey,
        hash: u64,
        side: Side,
        p: &Packet<'_>,
        at: &Arrival,
        ev: &mut impl Events<Flow<T>>,
    ) -> Option<u32> {
        while self.slab.len() >= self.shared.cfg.max_flows.max(1) || self.shared.is_crowded() {
            let victim = self.timers.victim()?;
            self.end(victim, End::Evicted, ev);
        }
        let ends = [key.end(Side::A), key.end(Side::B)];
        let (initiator, guessed, body) = match p.l4 {
            Layer4::Tcp(t) => {
                let body = Body::Tcp(self.shared.tcp());
                match (t.flags.syn(), t.flags.ack()) {
                    (true, false) => (side, false, body),
                    (true, true) => (side.other(), false, body),
                    _ => {
                        let s = &self.shared;
                        (initiator::of_tcp(ends, side, &s.learned, s.cfg.seed), true, body)
                    }
                }
            }
            Layer4::Udp { .. } => (initiator::of_udp(ends, side), true, Body::Udp),
            Layer4::Icmp(Icmp { kind: IcmpKind::EchoRequest(..), .. }) => {
                (side, false, Body::Echo(Box::default()))
            }
            Layer4::Icmp(Icmp { kind: IcmpKind::EchoReply(..), .. }) => {
                (side.other(), false, Body::Echo(Box::default()))
            }
            _ => (side, key.proto() == ip_proto::SCTP, Body::Other),
        };
        let birth = Birth { key, hash, initiator, guessed, follow: self.follow, body };
        let slot = self.slab.insert(Flow::new(birth, p, at))?;
        self.index.insert(hash as u32, slot);
        self.shared.flow_bytes = self.shared.flow_bytes.saturating_add(Self::FLOW_BYTES);
        self.shared.counters.flows_made = self.shared.counters.flows_made.wrapping_add(1);
        Some(slot)
    }

    /// Ends a flow: tells the ends and the last report.
    fn end(&mut self, slot: u32, why: End, ev: &mut impl Events<Flow<T>>) {
        let Some(flow) = self.slab.get_mut(slot) else { return };
        let reason = flow.end_reason(why);
        if reason == End::Evicted {
            self.shared.counters.flows_evicted = self.shared.counters.flows_evicted.wrapping_add(1);
        }
        flow.finish(self.now, reason, &mut self.shared, ev);
        self.index.remove(flow.hash() as u32, slot);
        self.slab.remove(slot);
        self.shared.flow_bytes = self.shared.flow_bytes.saturating_sub(Self::FLOW_BYTES);
        self.timers.free(slot);
    }

    /// Reports an interval of a flow, if it had packets.
    fn report(&mut self, slot: u32, ev: &mut impl Events<Flow<T>>) {
        let Some(flow) = self.slab.get_mut(slot) else { return };
        if flow.has_packets() {
            ev.report(flow, self.now, None);
            flow.clear_interval();
        }
        self.timers.reported(slot, flow.hash());
    }

    /// Packet time has come to `now`: ends, reports and gives up holes that are due. Cheap to
    /// call with each batch of packets.
    #[inline]
    pub fn advance(&mut self, now: Timestamp, ev: &mut impl Events<Flow<T>>) {
        self.now = self.now.max(now);
        while let Some(check) = self.shared.next_check(self.now) {
            if self.timers.generation(check.slot) != check.generation {
                continue;
            }
            if let Some(flow) = self.slab.get_mut(check.slot) {
                let verdict = flow.check_holes(self.now, check.brief, &mut self.shared, ev);
                self.shared.wait(self.now, verdict, check.slot, check.generation);
            }
        }
        let mut budget = self.timers.share(self.now);
        if budget == 0 {
            return;
        }
        let tick = self.timers.tick(self.now);
        while let Some((slot, due)) = self.timers.walk(tick, &mut budget) {
            match due {
                Due::TimedOut => self.end(slot, End::Timeout, ev),
                Due::Report => self.report(slot, ev),
                Due::Nothing => {}
            }
        }
    }

    /// The capture is over: all flows end, the oldest first.
    pub fn finish(&mut self, now: Timestamp, ev: &mut impl Events<Flow<T>>) {
        self.advance(now, ev);
        let mut all: Vec<(Timestamp, u32)> = (0..self.slab.slots())
            .filter_map(|slot| self.slab.get(slot).map(|f| (f.first_seen(), slot)))
            .collect();
        all.sort_unstable();
        for (_, slot) in all {
            self.end(slot, End::Timeout, ev);
        }
    }
}
