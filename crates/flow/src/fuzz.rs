//! Arbitrary packets from arbitrary bytes, with the promises of the crate checked.

use crate::{Arrival, Config, Defrag, End, Events, Flow, Table};
use base::{Direction, MILLI, MacAddr, Mark, Reader, SECOND, Seed, Short, Timestamp, Tunnel, ip_proto};
use decode::{Fragment, Icmp, IcmpKind, Layer4, Packet, Tcp, TcpFlags, Vlans};
use std::net::IpAddr;

/// What a flow was told, to check that nothing follows an end.
#[derive(Debug, Default)]
struct Told {
    ended: [bool; 2],
    follow: bool,
}

struct Check(u64);

impl Check {
    fn alive(f: &Flow<Told>, dir: Direction) {
        let [s, c] = f.user.ended;
        let ended = if dir == Direction::ToServer { s } else { c };
        assert!(!ended, "told after the end");
    }
}

impl Events<Flow<Told>> for Check {
    fn data(&mut self, f: &mut Flow<Told>, dir: Direction, mark: &Mark, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "empty data");
        assert!(mark.bytes >= u64::from(mark.len), "a mark that does not add up");
        Check::alive(f, dir);
        self.0 = self.0.wrapping_add(1);
        f.watch_acks = self.0.is_multiple_of(3);
        f.user.follow = !self.0.is_multiple_of(17);
        f.follow(f.user.follow);
    }
    fn gap(&mut self, f: &mut Flow<Told>, dir: Direction, _: &Mark, len: u64) {
        assert!(len > 0, "empty gap");
        Check::alive(f, dir);
    }
    fn end(&mut self, f: &mut Flow<Told>, dir: Direction, _: &Mark) {
        Check::alive(f, dir);
        let [s, c] = &mut f.user.ended;
        *(if dir == Direction::ToServer { s } else { c }) = true;
    }
    fn acked(&mut self, f: &mut Flow<Told>, _: Direction, _: &Mark) {
        assert!(f.watch_acks, "not asked for");
    }
    fn report(&mut self, f: &mut Flow<Told>, _: Timestamp, end: Option<End>) {
        let [a, b] = f.interval().sent;
        assert!(end.is_some() || a.pkts.max(b.pkts) > 0, "an empty interval");
    }
}

/// Few ends and numbers close together, so that packets meet.
fn packet<'a>(r: &mut Reader<'a>) -> Result<(Packet<'a>, Arrival), Short> {
    let (kind, who, flags, gap) = (r.u8("kind")?, r.u8("who")?, r.u8("flags")?, r.u8("gap")?);
    let (seq, ack, len) = (r.be16("seq")?, r.be16("ack")?, r.u8("len")?);
    let payload = r.take_up_to(usize::from(len));
    let wide = |n: u16| if flags & 0x80 != 0 { u32::from(n).rotate_left(18) } else { u32::from(n) };
    let seq = wide(seq).wrapping_sub(300);
    let ip = |n: u8| IpAddr::from([10, 0, 0, n]);
    let (src, dst) = (ip(who & 1), ip(who >> 1 & 1));
    let (sport, dport) = (80, 1000_u16.wrapping_add(u16::from(who >> 2 & 3)));
    let (sport, dport) = if who & 1 == 0 { (sport, dport) } else { (dport, sport) };
    let (proto, l4) = match kind & 15 {
        0 => (ip_proto::UDP, Layer4::Udp { sport, dport }),
        1 => {
            let kind = match flags & 3 {
                0 => IcmpKind::EchoRequest(1, ack),
                1 => IcmpKind::EchoReply(1, ack),
                2 => IcmpKind::Error { src: (src, sport), dst: (dst, dport), proto: ip_proto::TCP },
                _ => IcmpKind::Other,
            };
            (ip_proto::ICMP, Layer4::Icmp(Icmp { ty: 0, code: 0, kind }))
        }
        2 => (ip_proto::SCTP, Layer4::Sctp { sport, dport }),
        3 | 4 => {
            let f = Fragment {
                id: u32::from(who),
                offset: u32::from(ack & 63).wrapping_mul(8),
                more: flags & 1 != 0,
                data: payload,
                len: u32::from(len),
            };
            (ip_proto::UDP, Layer4::Fragment(f))
        }
        _ => {
            let window = u16::from(flags & 0x40);
            // SYN, FIN and RST are rare, as in life
            let rare = if kind & 0xe0 == 0 { 0xff } else { 0xf8 };
            let flags = TcpFlags(flags & 0x3f & rare);
            let h = Tcp { sport, dport, seq, ack: wide(ack), flags, window, wscale: None };
            (ip_proto::TCP, Layer4::Tcp(h))
        }
    };
    let p = Packet {
        smac: MacAddr([2; 6]),
        dmac: MacAddr([4; 6]),
        vlans: Vlans::default(),
        mpls: 0,
        tunnel: if kind & 16 == 0 { Tunnel::None } else { Tunnel::Vxlan },
        vni: Some(u32::from(kind >> 6)),
        src,
        dst,
        proto,
        ip_len: u32::from(len),
        l4,
        payload,
        payload_len: u32::from(len).max(payload.len() as u32),
    };
    let time = Timestamp(u64::from(gap).wrapping_mul(u64::from(gap)).wrapping_mul(MILLI));
    Ok((p, Arrival { time, wire_len: 60, frames: 1, tiny: 1, ifindex: u32::from(gap & 1) }))
}

/// Runs packets made of `data` through a small table and the defragmenter.
///
/// # Panics
/// When a promise is broken: that is what fuzzing looks for.
#[doc(hidden)]
pub fn fuzz_flow(data: &[u8]) {
    let cfg = Config {
        max_flows: 6,
        max_held: 20_000,
        max_held_per_stream: 3000,
        interval: SECOND.wrapping_mul(2),
        ..Config::for_budget(0)
    };
    let (mut t, mut d): (Table<Told>, _) = (Table::new(cfg), Defrag::new(Seed::default(), 5000));
    let (mut ev, mut now, mut r) = (Check(0), Timestamp(1), Reader::new(data));
    while let Ok((p, mut at)) = packet(&mut r) {
        now = now.plus(at.time.0);
        at.time = now;
        if let Some(whole) = d.push(&p, &at) {
            assert!(whole.payload.len() <= 65_535 && whole.arrival.frames > 0, "not a datagram");
        }
        t.packet(&p, &at, &mut ev);
        t.advance(now, &mut ev);
        assert!(t.len() <= cfg.max_flows, "too many flows");
        assert!(t.held() < 400_000, "too much memory: {}", t.held());
        assert!(d.held() < 5000 + 2 * 65_536, "too many fragments");
    }
    t.finish(now, &mut ev);
    assert_eq!(t.len(), 0, "flows are left");
}
