//! A packet builder, a virtual clock and a recorder of events.

use crate::{Arrival, Config, End, Events, Fate, Flow, Interval, Table};
use base::{Direction, MILLI, MacAddr, Mark, Timestamp, Tunnel, ip_proto};
use decode::{Icmp, IcmpKind, Layer4, Packet, Tcp, TcpFlags, Vlans};
use std::net::IpAddr;

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

pub(crate) type Ends = ((IpAddr, u16), (IpAddr, u16));

/// A client and a server.
pub(crate) fn ends() -> Ends {
    ((IpAddr::from([10, 0, 0, 9]), 40000), (IpAddr::from([10, 0, 0, 1]), 80))
}

pub(crate) fn flip(e: Ends) -> Ends {
    (e.1, e.0)
}

/// An event, as recorded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Data(Direction, Vec<u8>),
    Gap(Direction, u64),
    End(Direction),
    Acked(Direction),
    Report(Option<End>),
}

/// Records all events; the marks and accounts beside them.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) told: Vec<Told>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) accounts: Vec<(Interval, Option<End>)>,
    pub(crate) ends: Vec<Ends>,
    pub(crate) watch: bool,
    /// Turn `follow` off after this many bytes.
    pub(crate) enough: Option<usize>,
}

impl Recorder {
    pub(crate) fn bytes(&self, dir: Direction) -> Vec<u8> {
        let of = |t: &Told| match t {
            Told::Data(d, b) if *d == dir => b.clone(),
            _ => Vec::new(),
        };
        self.told.iter().flat_map(of).collect()
    }

    pub(crate) fn count(&self, what: &Told) -> usize {
        self.told.iter().filter(|t| *t == what).count()
    }

    pub(crate) fn last(&self) -> (Interval, Option<End>) {
        *self.accounts.last().unwrap()
    }
}

impl<T> Events<Flow<T>> for Recorder {
    fn data(&mut self, f: &mut Flow<T>, dir: Direction, mark: &Mark, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        f.watch_acks = self.watch;
        if let Some(n) = &mut self.enough {
            *n = n.saturating_sub(bytes.len());
            f.follow(*n > 0);
        }
        self.marks.push(*mark);
        self.told.push(Told::Data(dir, bytes.to_vec()));
    }
    fn gap(&mut self, _: &mut Flow<T>, dir: Direction, mark: &Mark, len: u64) {
        assert!(len > 0);
        self.marks.push(*mark);
        self.told.push(Told::Gap(dir, len));
    }
    fn end(&mut self, _: &mut Flow<T>, dir: Direction, _: &Mark) {
        self.told.push(Told::End(dir));
    }
    fn acked(&mut self, _: &mut Flow<T>, dir: Direction, _: &Mark) {
        self.told.push(Told::Acked(dir));
    }
    fn report(&mut self, f: &mut Flow<T>, _: Timestamp, end: Option<End>) {
        self.accounts.push((f.interval(), end));
        self.ends.push(f.ends());
        self.told.push(Told::Report(end));
    }
}

pub(crate) fn config() -> Config {
    Config::for_budget(16 << 20)
}

/// A table with its clock (in ms) and recorder.
pub(crate) struct Bench {
    pub(crate) table: Table<()>,
    pub(crate) ev: Recorder,
    pub(crate) ms: u64,
    pub(crate) ifindex: u32,
    /// Capture at most this much payload.
    pub(crate) snap: usize,
}

impl Bench {
    pub(crate) fn new(cfg: Config) -> Bench {
        Bench { table: Table::new(cfg), ev: Recorder::default(), ms: 1_000_000, ifindex: 1, snap: 1 << 20 }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.ms * MILLI)
    }

    pub(crate) fn send(&mut self, e: Ends, proto: u8, l4: Layer4<'_>, bytes: &[u8]) -> Fate {
        let (p, at) = self.packet(e, proto, l4, bytes);
        self.table.packet(&p, &at, &mut self.ev)
    }

    pub(crate) fn packet<'a>(
        &self,
        e: Ends,
        proto: u8,
        l4: Layer4<'a>,
        bytes: &'a [u8],
    ) -> (Packet<'a>, Arrival) {
        let at = Arrival {
            time: self.now(),
            wire_len: bytes.len() as u32 + 54,
            frames: 1,
            tiny: u32::from(bytes.len() <= 24),
            ifindex: self.ifindex,
        };
        let p = Packet {
            smac: MacAddr([2, 0, 0, 0, 0, e.0.1 as u8]),
            dmac: MacAddr([2, 0, 0, 0, 0, e.1.1 as u8]),
            vlans: Vlans::default(),
            mpls: 0,
            tunnel: Tunnel::None,
            vni: None,
            src: e.0.0,
            dst: e.1.0,
            proto,
            ip_len: bytes.len() as u32 + 40,
            l4,
            payload: &bytes[..bytes.len().min(self.snap)],
            payload_len: bytes.len() as u32,
        };
        (p, at)
    }

    pub(crate) fn tcp(&mut self, e: Ends, flags: u8, seq: u32, ack: u32, bytes: &[u8]) -> Fate {
        let h =
            Tcp { sport: e.0.1, dport: e.1.1, seq, ack, flags: TcpFlags(flags), window: 1000, wscale: None };
        self.send(e, ip_proto::TCP, Layer4::Tcp(h), bytes)
    }

    pub(crate) fn udp(&mut self, e: Ends, bytes: &[u8]) -> Fate {
        self.send(e, ip_proto::UDP, Layer4::Udp { sport: e.0.1, dport: e.1.1 }, bytes)
    }

    pub(crate) fn icmp(&mut self, e: Ends, kind: IcmpKind) -> Fate {
        self.send(e, ip_proto::ICMP, Layer4::Icmp(Icmp { ty: 0, code: 0, kind }), &[])
    }

    /// Time goes on.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.ms += ms;
        let now = self.now();
        self.table.advance(now, &mut self.ev);
    }

    pub(crate) fn finish(&mut self) {
        let now = self.now();
        self.table.finish(now, &mut self.ev);
    }

    /// SYN, SYN-ACK, ACK, 1 ms apart. Client data begins at `c`, server data at `s`.
    pub(crate) fn open(&mut self, e: Ends, c: u32, s: u32) {
        self.tcp(e, SYN, c.wrapping_sub(1), 0, b"");
        self.ms += 1;
        self.tcp(flip(e), SYN | ACK, s.wrapping_sub(1), c, b"");
        self.ms += 1;
        self.tcp(e, ACK, c, s, b"");
    }
}

/// A repeatable source of numbers.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 8) % n
    }
}
