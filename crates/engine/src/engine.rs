//! The engine: the whole chain behind three calls.

use crate::account::Account;
use crate::config::{Config, Content};
use crate::conversation::Talk;
use crate::core::{Card, Core, Tap};
use crate::thrift::Thrift;
use base::{Frame, MacAddr, Timestamp};
use decode::{Decap, Layer4, Malformed, Packet};
use flow::{Arrival, Defrag, Fate, Table, Whose};
use record::Record;
use std::hint::black_box;
use std::net::IpAddr;

/// Where finished records go. A trait object: it is called once a record, and the whole chain
/// exists once in the program.
pub trait Output {
    /// One record: what all records share, and what its kind says. Both are used again
    /// afterwards: encode or copy now.
    fn record(&mut self, head: &Record, body: &Record);
}

impl<F: FnMut(&Record, &Record)> Output for F {
    fn record(&mut self, head: &Record, body: &Record) {
        self(head, body);
    }
}

/// Frames in, records out. See the crate's page.
pub struct Engine {
    table: Table<Talk>,
    defrag: Defrag,
    core: Core,
    decap: Decap,
    now: Timestamp,
}

impl Engine {
    /// A new engine, with nothing seen yet.
    #[must_use]
    pub fn new(config: Config) -> Engine {
        let mut table = Table::new(config.flow);
        table.set_follow_default(config.content != Content::Off);
        Engine {
            table,
            defrag: Defrag::new(config.flow.seed, config.defrag_bytes),
            decap: Decap { enabled: config.decap },
            core: Core::new(config),
            now: Timestamp::default(),
        }
    }

    /// Takes another configuration over while it works. What was sized at the start stays as it
    /// is: the flow table with its times, the memory shares. Open conversations go on.
    pub fn reconfigure(&mut self, config: Config) {
        self.table.set_follow_default(config.content != Content::Off);
        self.decap = Decap { enabled: config.decap };
        self.core.reconfigure(config);
    }

    /// Leaves out more, or less, from now on: see [`Thrift`]. Open conversations are parted with or taken up again
    /// with their next packet.
    pub fn set_thrift(&mut self, thrift: Thrift) {
        self.core.set_thrift(thrift, self.now);
    }

    /// Tells the name and address of an interface: the fields CARD and CARD_IP.
    pub fn set_interface(&mut self, ifindex: u32, name: &str, ip: Option<IpAddr>) {
        /// Interfaces of one host; containers come and go, so the oldest knowledge goes too.
        const CARDS: usize = 4096;
        if self.core.cards.len() >= CARDS {
            self.core.cards.clear();
        }
        self.core.cards.insert(ifindex, Card { name: name.to_owned(), ip });
    }

    /// True when the name of this interface was told.
    #[must_use]
    pub fn knows_interface(&self, ifindex: u32) -> bool {
        self.core.cards.contains_key(&ifindex)
    }

    /// Captured frames, in the order in which they came: the same as one [`Engine::frame`] after
    /// another, and faster, since the memory of several flows is waited for at once.
    pub fn frames(&mut self, frames: &[Frame<'_>], out: &mut dyn Output) {
        for frames in frames.chunks(AHEAD) {
            // First and last byte of the usual headers: reads that wait for each other nowhere.
            let touch =
                |sum, f: &Frame<'_>| sum ^ f.data.first().unwrap_or(&0) ^ f.data.get(HEADERS).unwrap_or(&0);
            black_box(frames.iter().fold(0, touch));
            let packets: [_; AHEAD] = std::array::from_fn(|n| match frames.get(n) {
                Some(frame) => decode::frame(frame, &self.decap),
                None => Err(Malformed::NotIp),
            });
            let mut whose: [_; AHEAD] = std::array::from_fn(|n| match packets.get(n) {
                Some(Ok(packet)) => self.table.whose(packet),
                _ => Whose::NOBODYS,
            });
            self.table.fetch(whose.get_mut(..frames.len()).unwrap_or_default());
            for ((frame, packet), whose) in frames.iter().zip(&packets).zip(&whose) {
                self.decoded(frame, packet, whose, out);
            }
        }
    }

    /// One captured frame.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut dyn Output) {
        let packet = decode::frame(frame, &self.decap);
        let whose = packet.as_ref().map_or(Whose::NOBODYS, |packet| self.table.whose(packet));
        self.decoded(frame, &packet, &whose, out);
    }

    #[inline]
    fn decoded(
        &mut self,
        frame: &Frame<'_>,
        packet: &Result<Packet<'_>, Malformed>,
        whose: &Whose,
        out: &mut dyn Output,
    ) {
        self.core.account.seen = self.core.account.seen.saturating_add(1);
        if frame.second_copy {
            return self.core.account.filtered.count("loopback-copy");
        }
        if frame.time > self.now {
            self.now = frame.time;
        }
        // What was due before this frame comes before it: a hole that was waited for long enough is
        // a gap, however the segments behind it come.
        let mut tap = Tap { core: &mut self.core, out };
        self.table.advance(self.now, &mut tap);
        match packet {
            Ok(packet) => {
                let tiny = u32::from(packet.ip_len <= TINY);
                let at = Arrival {
                    time: frame.time,
                    wire_len: frame.wire_len,
                    frames: 1,
                    tiny,
                    ifindex: frame.ifindex,
                };
                self.packet(packet, whose, &at, out);
            }
            Err(Malformed::NotIp) => {
                let a = &mut self.core.account;
                a.not_ip = a.not_ip.saturating_add(1);
                a.parsed = a.parsed.saturating_add(1);
            }
            Err(Malformed::Bad(why) | Malformed::Cut(why)) => self.core.account.malformed.count(why),
            Err(Malformed::TooDeep) => self.core.account.malformed.count("too-deep"),
        }
    }

    fn packet(&mut self, packet: &Packet<'_>, whose: &Whose, at: &Arrival, out: &mut dyn Output) {
        if let Layer4::Fragment(_) = packet.l4 {
            if let Some(why) = self.left_out(packet) {
                return self.core.account.filtered.count(why);
            }
            self.core.account.parsed = self.core.account.parsed.saturating_add(1);
            let Some(whole) = self.defrag.push(packet, at) else { return };
            match decode::datagram(packet, whole.payload, &self.decap) {
                Ok(inner) if !matches!(inner.l4, Layer4::Fragment(_)) => {
                    let mut tap = Tap { core: &mut self.core, out };
                    self.table.packet(&inner, &whole.arrival, &mut tap);
                }
                // Fragments within reassembled fragments: nobody sends that; counted, not followed.
                Ok(_) => self.core.account.streams.count("fragment-in-fragment"),
                Err(_) => self.core.account.streams.count("datagram-malformed"),
            }
            return;
        }
        if let Some(why) = self.left_out(packet) {
            return self.core.account.filtered.count(why);
        }
        if self.core.thrift.leaves_out(packet) {
            self.core.account.sampled = self.core.account.sampled.saturating_add(1);
            return;
        }
        let mut tap = Tap { core: &mut self.core, out };
        match self.table.packet_of(whose, packet, at, &mut tap) {
            Fate::Counted => self.core.account.parsed = self.core.account.parsed.saturating_add(1),
            Fate::SecondCopy => self.core.account.filtered.count("other-interface-copy"),
        }
    }

    /// Background traffic, `filter-net`, `drop` and the probe's own traffic.
    fn left_out(&self, p: &Packet<'_>) -> Option<&'static str> {
        let c = &self.core.config;
        if !c.background && is_background(p) {
            return Some("background");
        }
        if c.keep.is_none() && c.drop.is_none() && c.own.is_none() {
            return None;
        }
        let (sport, dport) = match p.l4 {
            Layer4::Tcp(t) => (t.sport, t.dport),
            Layer4::Udp { sport, dport } | Layer4::Sctp { sport, dport } => (sport, dport),
            Layer4::Icmp(_) | Layer4::Fragment(_) | Layer4::Other => (0, 0),
        };
        let (src, dst) = ((p.src, sport), (p.dst, dport));
        if c.own.as_ref().is_some_and(|n| n.matches(src, dst)) {
            return Some("own");
        }
        if c.keep.as_ref().is_some_and(|n| !n.matches(src, dst)) {
            return Some("filter-net");
        }
        if c.drop.as_ref().is_some_and(|n| n.matches(src, dst)) {
            return Some("drop");
        }
        None
    }

    /// Time has come so far, with or without frames: intervals end and idle flows go.
    pub fn advance(&mut self, now: Timestamp, out: &mut dyn Output) {
        if now > self.now {
            self.now = now;
        }
        self.defrag.expire(self.now);
        let mut tap = Tap { core: &mut self.core, out };
        self.table.advance(self.now, &mut tap);
    }

    /// Ends every flow, with its record.
    pub fn finish(&mut self, out: &mut dyn Output) {
        let mut tap = Tap { core: &mut self.core, out };
        self.table.finish(self.now, &mut tap);
    }

    /// What became of everything so far.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.core.account
    }

    /// The flow table's counters.
    #[must_use]
    pub fn flows(&self) -> &flow::Counters {
        self.table.counters()
    }

    /// The defragmenter's counters.
    #[must_use]
    pub fn fragments(&self) -> &flow::DefragCounters {
        self.defrag.counters()
    }

    /// Flows in the table.
    #[must_use]
    pub fn flows_live(&self) -> usize {
        self.table.len()
    }

    /// Heap held by flows, reassembly, fragments and sessions, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.table.held().saturating_add(self.core.held).saturating_add(self.defrag.held())
    }

    /// The time as the engine knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

/// Where the headers of TCP over IPv4 over Ethernet end.
const HEADERS: usize = 53;

/// Packets looked at together: enough that their waits for memory overlap, few enough that what
/// was brought near is still there when its turn comes.
const AHEAD: usize = 16;

/// The largest IP datagram that counts as tiny.
const TINY: u32 = 64;

/// To everyone, or to a group: no pair of ends, but a host that calls into the room. A broadcast in a
/// subnet is known by its Ethernet address alone.
fn is_background(p: &Packet<'_>) -> bool {
    let everyone = matches!(p.dst, IpAddr::V4(a) if a.is_broadcast());
    p.dst.is_multicast() || everyone || p.dmac == MacAddr([0xff; 6])
}
