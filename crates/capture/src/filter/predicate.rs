//! What the primitives of the language mean: which bytes are compared with what.
//!
//! The meaning is that of libpcap, which users know from tcpdump: `tcp` on IPv6 looks at the
//! next header and past one fragment header; ports on IPv6 are looked for right behind the
//! fixed header; ports on IPv4 only in unfragmented datagrams and first fragments; `vlan`,
//! `mpls` and `pppoes` shift the offsets of all that is written after them.

mod encap;

use base::LinkType;

use super::code::{Cond, FALSE, Graph, Op, TRUE, Val};
use super::lex::Proto;
use super::vm::op;

/// Errors here are what was expected; the parser knows where.
pub(super) type Outcome<T> = Result<T, &'static str>;

const IP: u32 = 0x0800;
const ARP: u32 = 0x0806;
const RARP: u32 = 0x8035;
const IP6: u32 = 0x86dd;
const MPLS: u32 = 0x8847;
const PPPOE_DISCOVERY: u32 = 0x8863;
const PPPOE_SESSION: u32 = 0x8864;
const FRAGMENT_HEADER: u32 = 44;
/// Ethernet: up to here the field is a length (IEEE 802.3).
const MAX_LENGTH: u32 = 1500;

/// Which side of a packet an id is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dir {
    Either,
    Src,
    Dst,
    Both,
}

/// How VLAN tags show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VlanMode {
    /// In the frame.
    InFrame,
    /// The kernel took the outermost one off, on this frame.
    TakenOff,
    /// The kernel may take them off, but this frame had none, or kept it.
    NotTakenOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Ethernet,
    Ppp,
    Raw,
    Sll,
    Sll2,
    Null,
    Loop,
}

/// The graph, and where headers are at this point of the expression.
pub(super) struct Predicates {
    pub(super) graph: Graph,
    mode: VlanMode,
    /// `vlan` was met where the kernel's tag decides.
    pub(super) vlan_seen: bool,
    link: Link,
    /// Offset of the link header.
    hdr: u32,
    /// Offset of the field that tells the type of the payload.
    link_type: u32,
    /// Offset of the payload.
    payload: u32,
    /// MPLS labels on top of the payload.
    labels: u32,
    vlans: u32,
    encapsulated: bool,
}

impl Predicates {
    pub(super) fn new(link: LinkType, mode: VlanMode) -> Outcome<Predicates> {
        let (link, link_type, payload) = match link {
            LinkType::Ethernet => (Link::Ethernet, 12, 14),
            LinkType::Raw => (Link::Raw, 0, 0),
            LinkType::LinuxSll => (Link::Sll, 14, 16),
            LinkType::LinuxSll2 => (Link::Sll2, 0, 20),
            LinkType::Null => (Link::Null, 0, 4),
            LinkType::Loop => (Link::Loop, 0, 4),
            _ => return Err("a link layer that filters know: Ethernet, raw IP, Linux cooked, loopback"),
        };
        Ok(Predicates {
            graph: Graph::new(),
            mode,
            vlan_seen: false,
            link,
            hdr: 0,
            link_type,
            payload,
            labels: 0,
            vlans: 0,
            encapsulated: false,
        })
    }

    /// Back to the start of the frame, to read the expression once more.
    pub(super) fn restart(&mut self, link: LinkType, mode: VlanMode) -> Outcome<()> {
        let mut next = Predicates::new(link, mode)?;
        std::mem::swap(&mut next.graph, &mut self.graph);
        *self = next;
        Ok(())
    }

    /// Bytes of the network layer header.
    fn net(&mut self, size: u8, at: u32) -> Val {
        let base = self.payload + 4 * self.labels;
        self.graph.abs(size, base + at)
    }

    fn net_eq(&mut self, size: u8, at: u32, k: u32) -> Cond {
        let val = self.net(size, at);
        self.graph.eq(val, k)
    }

    fn type_eq(&mut self, k: u32) -> Cond {
        let val = self.graph.abs(2, self.link_type);
        self.graph.eq(val, k)
    }

    fn any(&mut self, of: &[Cond]) -> Cond {
        of.iter().fold(FALSE, |sum, &c| self.graph.or(sum, c))
    }

    /// The payload of the link layer is of this ether type (or, below 256, LLC access point).
    pub(super) fn ether_type(&mut self, proto: u32) -> Outcome<Cond> {
        if self.labels > 0 {
            let version = match proto {
                IP => 0x40,
                IP6 => 0x60,
                _ => return Err("a protocol over MPLS: ip or ip6"),
            };
            // The label before is the bottom of the stack, and an IP header follows.
            let bottom = self.graph.abs(1, self.payload + 4 * self.labels - 2);
            let bottom = self.graph.masked(bottom, 1, 1);
            let first = self.net(1, 0);
            let first = self.graph.masked(first, 0xf0, version);
            return Ok(self.graph.and(bottom, first));
        }
        Ok(match self.link {
            Link::Ethernet | Link::Sll | Link::Sll2 => self.ethernet_type(proto),
            Link::Ppp => {
                // PPP protocol numbers (RFC 1661 and IANA).
                let ppp = match proto {
                    IP => 0x0021,
                    IP6 => 0x0057,
                    MPLS => 0x0281,
                    0x6003 => 0x0027,
                    0x809b => 0x0029,
                    0xfe => 0x0023,
                    0xe0 => 0x002b,
                    0x42 => 0x0031,
                    other => other,
                };
                self.type_eq(ppp)
            }
            Link::Raw => {
                let first = self.net(1, 0);
                match proto {
                    IP => self.graph.masked(first, 0xf0, 0x40),
                    IP6 => self.graph.masked(first, 0xf0, 0x60),
                    _ => FALSE,
                }
            }
            Link::Null | Link::Loop => {
                // The family as the writer's system numbers it: AF_INET is 2 everywhere,
                // AF_INET6 is not; `Null` is in the writer's byte order.
                let families: &[u32] = match proto {
                    IP => &[2],
                    IP6 => &[10, 24, 28, 30],
                    _ => &[],
                };
                let field = self.graph.abs(4, self.hdr);
                let mut sum = FALSE;
                for &family in families {
                    let big = self.graph.eq(field, family);
                    sum = self.graph.or(sum, big);
                    if self.link == Link::Null {
                        let little = self.graph.eq(field, family.swap_bytes());
                        sum = self.graph.or(sum, little);
                    }
                }
                sum
            }
        })
    }

    /// Ether type, or LLC behind a length (Ethernet) or behind the mark for LLC (cooked).
    fn ethernet_type(&mut self, proto: u32) -> Cond {
        let (access_point, snap) = match proto {
            0x809b => (FALSE, self.snap(0x0008_0007, proto)),
            0x80f3 => (FALSE, self.snap(0, proto)),
            0xe0 => {
                let byte = self.llc_eq(1, 0xe0);
                // Novell's raw 802.3; cooked captures have a mark of their own for it.
                let raw = if self.link == Link::Ethernet { self.llc_eq(2, 0xffff) } else { FALSE };
                let snap = self.snap(0, 0x8137);
                (self.any(&[byte, raw]), snap)
            }
            0x06 | 0xf0 | 0xfe => (self.llc_eq(2, proto << 8 | proto), FALSE),
            _ if proto <= MAX_LENGTH => (self.llc_eq(1, proto), FALSE),
            _ => (FALSE, FALSE),
        };
        let llc = self.any(&[access_point, snap]);
        let llc = if llc == FALSE {
            FALSE
        } else {
            let is_llc = self.is_llc();
            self.graph.and(is_llc, llc)
        };
        let direct = match proto {
            0xe0 => {
                let direct = self.type_eq(0x8137);
                let raw = if self.link == Link::Ethernet { FALSE } else { self.type_eq(1) };
                self.graph.or(direct, raw)
            }
            _ if proto <= MAX_LENGTH => FALSE,
            _ => self.type_eq(proto),
        };
        self.graph.or(direct, llc)
    }

    fn llc_eq(&mut self, size: u8, k: u32) -> Cond {
        let val = self.graph.abs(size, self.payload);
        self.graph.eq(val, k)
    }

    /// The frame carries LLC.
    fn is_llc(&mut self) -> Cond {
        if self.link == Link::Ethernet {
            let field = self.graph.abs(2, self.link_type);
            let longer = self.graph.test(field, op::JGT, MAX_LENGTH);
            self.graph.not(longer)
        } else {
            self.type_eq(4)
        }
    }

    /// LLC with SNAP: organisation (24 bits) and type.
    fn snap(&mut self, organisation: u32, kind: u32) -> Cond {
        let head = self.llc_eq(4, 0xaaaa_0300 | organisation >> 16);
        let tail = self.graph.abs(4, self.payload + 4);
        let tail = self.graph.eq(tail, organisation << 16 | kind);
        self.graph.and(head, tail)
    }

    /// `llc`.
    pub(super) fn llc(&mut self) -> Outcome<Cond> {
        if !matches!(self.link, Link::Ethernet | Link::Sll | Link::Sll2) {
            return Err("a link layer with LLC");
        }
        let is_llc = self.is_llc();
        let novell = self.llc_eq(2, 0xffff);
        let not = self.graph.not(novell);
        Ok(self.graph.and(is_llc, not))
    }

    /// A protocol name alone.
    pub(super) fn proto(&mut self, proto: Proto) -> Outcome<Cond> {
        match proto {
            Proto::Link => Err("host, src, dst, proto, broadcast or multicast after `ether`"),
            Proto::Ip => self.ether_type(IP),
            Proto::Ip6 => self.ether_type(IP6),
            Proto::Arp => self.ether_type(ARP),
            Proto::Rarp => self.ether_type(RARP),
            Proto::Ether(number) => self.ether_type(number),
            Proto::Icmp6 => self.ip_proto(Some(Proto::Ip6), 58),
            Proto::Icmp | Proto::Igmp | Proto::Igrp | Proto::Vrrp | Proto::Carp => {
                self.ip_proto(Some(Proto::Ip), number(proto))
            }
            _ => self.ip_proto(None, number(proto)),
        }
    }

    /// `proto N` with its qualifier.
    pub(super) fn ip_proto(&mut self, under: Option<Proto>, number: u32) -> Outcome<Cond> {
        match under {
            Some(Proto::Link) => self.ether_type(number),
            Some(Proto::Ip) => {
                let ip = self.ether_type(IP)?;
                let proto = self.net_eq(1, 9, number);
                Ok(self.graph.and(ip, proto))
            }
            Some(Proto::Ip6) => {
                let ip6 = self.ether_type(IP6)?;
                let next = self.net_eq(1, 6, number);
                let fragment = self.net_eq(1, 6, FRAGMENT_HEADER);
                let inner = self.net_eq(1, 40, number);
                let inner = self.graph.and(fragment, inner);
                let either = self.graph.or(next, inner);
                Ok(self.graph.and(ip6, either))
            }
            None => {
                let v4 = self.ip_proto(Some(Proto::Ip), number)?;
                let v6 = self.ip_proto(Some(Proto::Ip6), number)?;
                Ok(self.graph.or(v4, v6))
            }
            Some(_) => Err("ip, ip6 or ether before `proto`"),
        }
    }

    /// Joins a test of the source and one of the destination.
    fn sides(&mut self, dir: Dir, [src, dst]: [Cond; 2]) -> Cond {
        match dir {
            Dir::Src => src,
            Dir::Dst => dst,
            Dir::Either => self.graph.or(src, dst),
            Dir::Both => self.graph.and(src, dst),
        }
    }

    /// An IPv4 address or network, in IP, ARP and RARP.
    pub(super) fn host4(&mut self, under: Option<Proto>, dir: Dir, addr: u32, mask: u32) -> Outcome<Cond> {
        let (ether_type, src, dst) = match under {
            None => {
                let ip = self.host4(Some(Proto::Ip), dir, addr, mask)?;
                if self.labels > 0 {
                    return Ok(ip);
                }
                let arp = self.host4(Some(Proto::Arp), dir, addr, mask)?;
                let rarp = self.host4(Some(Proto::Rarp), dir, addr, mask)?;
                return Ok(self.any(&[ip, arp, rarp]));
            }
            Some(Proto::Ip) => (IP, 12, 16),
            Some(Proto::Arp) => (ARP, 14, 24),
            Some(Proto::Rarp) => (RARP, 14, 24),
            Some(Proto::Link) => return Err("an Ethernet address after `ether`"),
            Some(_) => return Err("ip, arp or rarp before an IPv4 address, or `port`"),
        };
        let guard = self.ether_type(ether_type)?;
        let sides = [src, dst].map(|at| {
            let field = self.net(4, at);
            self.graph.masked(field, mask, addr)
        });
        let hit = self.sides(dir, sides);
        Ok(self.graph.and(guard, hit))
    }

    /// An IPv6 address or network.
    pub(super) fn host6(
        &mut self,
        under: Option<Proto>,
        dir: Dir,
        addr: [u32; 4],
        mask: [u32; 4],
    ) -> Outcome<Cond> {
        if !matches!(under, None | Some(Proto::Ip6)) {
            return Err("ip6 or nothing before an IPv6 address");
        }
        let guard = self.ether_type(IP6)?;
        let sides = [8, 24].map(|start| {
            let (mut at, mut all) = (start, TRUE);
            for (word, mask) in addr.into_iter().zip(mask) {
                let field = self.net(4, at);
                let hit = self.graph.masked(field, mask, word);
                all = self.graph.and(all, hit);
                at += 4;
            }
            all
        });
        let hit = self.sides(dir, sides);
        Ok(self.graph.and(guard, hit))
    }

    /// An Ethernet address.
    pub(super) fn ether_host(&mut self, under: Option<Proto>, dir: Dir, mac: [u8; 6]) -> Outcome<Cond> {
        if under != Some(Proto::Link) {
            return Err("`ether` before an Ethernet address");
        }
        if self.link != Link::Ethernet {
            return Err("Ethernet frames: this link layer has no Ethernet addresses");
        }
        let [a, b, tail @ ..] = mac;
        let sides = [6, 0].map(|at| {
            let low = self.graph.abs(4, self.hdr + at + 2);
            let low = self.graph.eq(low, u32::from_be_bytes(tail));
            let high = self.graph.abs(2, self.hdr + at);
            let high = self.graph.eq(high, u32::from(u16::from_be_bytes([a, b])));
            self.graph.and(low, high)
        });
        Ok(self.sides(dir, sides))
    }

    /// A port, or a range of ports, of TCP, UDP or SCTP.
    pub(super) fn port(&mut self, under: Option<Proto>, dir: Dir, low: u32, high: u32) -> Outcome<Cond> {
        let protos: &[u32] = match under {
            None => &[132, 6, 17],
            Some(Proto::Tcp) => &[6],
            Some(Proto::Udp) => &[17],
            Some(Proto::Sctp) => &[132],
            Some(_) => return Err("tcp, udp, sctp or nothing before `port`"),
        };
        let mut sum = FALSE;
        for (ether_type, field) in [(IP6, 6), (IP, 9)] {
            let mut guard = self.ether_type(ether_type)?;
            let mut known = FALSE;
            for &number in protos {
                let hit = self.net_eq(1, field, number);
                known = self.graph.or(known, hit);
            }
            guard = self.graph.and(guard, known);
            if ether_type == IP {
                let first = self.not_fragment();
                guard = self.graph.and(guard, first);
            }
            let sides = [0, 2].map(|at| {
                let val = if ether_type == IP { self.transport(2, at) } else { self.net(2, 40 + at) };
                if low == high {
                    return self.graph.eq(val, low);
                }
                let ge = self.graph.test(val, op::JGE, low);
                let gt = self.graph.test(val, op::JGT, high);
                let le = self.graph.not(gt);
                self.graph.and(ge, le)
            });
            let hit = self.sides(dir, sides);
            let hit = self.graph.and(guard, hit);
            sum = self.graph.or(sum, hit);
        }
        Ok(sum)
    }

    /// An IPv4 datagram that is whole, or its first fragment.
    fn not_fragment(&mut self) -> Cond {
        let field = self.net(2, 6);
        let set = self.graph.test(field, op::JSET, 0x1fff);
        self.graph.not(set)
    }

    /// Bytes behind the IPv4 header.
    fn transport(&mut self, size: u8, at: u32) -> Val {
        let base = self.payload + 4 * self.labels;
        let header = self.graph.val(Op::Msh(base));
        self.graph.ind(size, header, base + at)
    }

    /// `proto[index:size]`: the value, and what must hold for it to mean something.
    pub(super) fn accessor(&mut self, proto: Proto, at: Val, size: u8) -> Outcome<(Val, Cond)> {
        let base = self.payload + 4 * self.labels;
        let guard = match proto {
            Proto::Link => {
                let val = self.graph.ind(size, at, self.hdr);
                return Ok((val, TRUE));
            }
            Proto::Ip | Proto::Ip6 | Proto::Arp | Proto::Rarp | Proto::Ether(_) => {
                let guard = self.proto(proto)?;
                let val = self.graph.ind(size, at, base);
                return Ok((val, guard));
            }
            Proto::Icmp6 => {
                let ip6 = self.ether_type(IP6)?;
                let next = self.net_eq(1, 6, 58);
                let guard = self.graph.and(ip6, next);
                let val = self.graph.ind(size, at, base + 40);
                return Ok((val, guard));
            }
            Proto::Ah | Proto::Esp => return Err("a protocol whose bytes can be indexed"),
            _ => self.ip_proto(Some(Proto::Ip), number(proto))?,
        };
        let first = self.not_fragment();
        let guard = self.graph.and(guard, first);
        let header = self.graph.val(Op::Msh(base));
        let at = self.graph.alu(op::ADD, header, at).unwrap_or(at);
        let val = self.graph.ind(size, at, base);
        Ok((val, guard))
    }

    /// `broadcast`; with `ip`, of networks whose mask is not known: all ones or all zeros.
    pub(super) fn broadcast(&mut self, under: Option<Proto>) -> Outcome<Cond> {
        match under {
            None | Some(Proto::Link) => self.ether_host(Some(Proto::Link), Dir::Dst, [0xff; 6]),
            Some(Proto::Ip) => {
                let ip = self.ether_type(IP)?;
                let dst = self.net(4, 16);
                let (zeros, ones) = (self.graph.eq(dst, 0), self.graph.eq(dst, u32::MAX));
                let either = self.graph.or(zeros, ones);
                Ok(self.graph.and(ip, either))
            }
            Some(_) => Err("ether, ip or nothing before `broadcast`"),
        }
    }

    /// `multicast`.
    pub(super) fn multicast(&mut self, under: Option<Proto>) -> Outcome<Cond> {
        match under {
            None | Some(Proto::Link) if self.link != Link::Ethernet => {
                Err("Ethernet frames, or ip or ip6 before `multicast`")
            }
            None | Some(Proto::Link) => {
                let first = self.graph.abs(1, self.hdr);
                Ok(self.graph.test(first, op::JSET, 1))
            }
            Some(Proto::Ip) => {
                let ip = self.ether_type(IP)?;
                let dst = self.net(1, 16);
                let group = self.graph.test(dst, op::JGE, 224);
                Ok(self.graph.and(ip, group))
            }
            Some(Proto::Ip6) => {
                let ip6 = self.ether_type(IP6)?;
                let group = self.net_eq(1, 24, 255);
                Ok(self.graph.and(ip6, group))
            }
            Some(_) => Err("ether, ip, ip6 or nothing before `multicast`"),
        }
    }
}

/// Protocol numbers of IP.
const fn number(proto: Proto) -> u32 {
    match proto {
        Proto::Icmp => 1,
        Proto::Igmp => 2,
        Proto::Tcp => 6,
        Proto::Igrp => 9,
        Proto::Udp => 17,
        Proto::Esp => 50,
        Proto::Ah => 51,
        Proto::Icmp6 => 58,
        Proto::Pim => 103,
        Proto::Vrrp | Proto::Carp => 112,
        Proto::Sctp => 132,
        _ => 0,
    }
}
