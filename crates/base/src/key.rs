//! Who talks with whom: the key of a flow, the same for both directions.

use crate::Seed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IP protocol numbers used here (IANA "Assigned Internet Protocol Numbers").
pub mod ip_proto {
    /// ICMP, RFC 792.
    pub const ICMP: u8 = 1;
    /// TCP, RFC 9293.
    pub const TCP: u8 = 6;
    /// UDP, RFC 768.
    pub const UDP: u8 = 17;
    /// ICMPv6, RFC 4443.
    pub const ICMPV6: u8 = 58;
    /// SCTP, RFC 9260.
    pub const SCTP: u8 = 132;
}

/// One of the two ends of a flow, by the order of (address, port): `A` is the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end with the lower (address, port).
    A = 0,
    /// The other end.
    B = 1,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }

    /// 0 or 1, for arrays of two.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Addresses, ports and protocol of a flow in canonical order, so that both directions have
/// one key. VLANs and the numbers of virtual networks are not part of it: they may differ by
/// direction (routed VXLAN, Geneve in overlay networks, GTP), and a connection of which the two
/// directions are not joined is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    addr: [[u8; 16]; 2],
    port: [u16; 2],
    proto: u8,
    v6: bool,
}

/// IPv4 in the first four bytes: only those are hashed and compared in effect.
fn wide(ip: IpAddr) -> ([u8; 16], bool) {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            ([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], false)
        }
        IpAddr::V6(v6) => (v6.octets(), true),
    }
}

impl FlowKey {
    /// The key of a packet from `src` to `dst`, and which side sent it.
    #[inline]
    #[must_use]
    pub fn new(src: (IpAddr, u16), dst: (IpAddr, u16), proto: u8) -> (FlowKey, Side) {
        let (s, v6) = wide(src.0);
        let (d, _) = wide(dst.0);
        if (s, src.1) <= (d, dst.1) {
            (FlowKey { addr: [s, d], port: [src.1, dst.1], proto, v6 }, Side::A)
        } else {
            (FlowKey { addr: [d, s], port: [dst.1, src.1], proto, v6 }, Side::B)
        }
    }

    /// Address and port of a side.
    #[must_use]
    pub fn end(&self, side: Side) -> (IpAddr, u16) {
        let ([a, b], [p, q]) = (self.addr, self.port);
        let (addr, port) = match side {
            Side::A => (a, p),
            Side::B => (b, q),
        };
        if self.v6 {
            return (IpAddr::V6(Ipv6Addr::from(addr)), port);
        }
        let [w, x, y, z, ..] = addr;
        (IpAddr::V4(Ipv4Addr::new(w, x, y, z)), port)
    }

    /// IP protocol number, see [`ip_proto`].
    #[must_use]
    pub const fn proto(&self) -> u8 {
        self.proto
    }

    /// True for IPv6.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.v6
    }

    /// The hash of the key, the same for both directions.
    #[inline]
    #[must_use]
    pub fn hash(&self, seed: Seed) -> u64 {
        let ([a, b], [p, q]) = (self.addr, self.port);
        let (a, b) = (u128::from_le_bytes(a), u128::from_le_bytes(b));
        let rest = u64::from(p) | u64::from(q) << 16 | u64::from(self.proto) << 32;
        if !self.v6 {
            return seed.pair(a as u64 | (b as u64).rotate_left(32), rest);
        }
        let low = seed.pair(a as u64, b as u64);
        let high = seed.pair(a.wrapping_shr(64) as u64, b.wrapping_shr(64) as u64);
        seed.pair(low, high.rotate_left(32) ^ rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key() {
        let (c, s) = ((IpAddr::from([10, 0, 0, 9]), 40000), (IpAddr::from([10, 0, 0, 1]), 80));
        let (k1, side1) = FlowKey::new(c, s, ip_proto::TCP);
        let (k2, side2) = FlowKey::new(s, c, ip_proto::TCP);
        assert_eq!((k1, side1), (k2, side2.other()));
        assert_eq!(k1.end(side1), c);
        assert_eq!(k1.end(side2), s);
        assert_eq!(k1.hash(Seed(7)), k2.hash(Seed(7)));
        assert_ne!(k1, FlowKey::new(c, s, ip_proto::UDP).0);
    }

    #[test]
    fn a_mapped_address_is_not_its_ipv4() {
        let v4 = (IpAddr::from([1, 2, 3, 4]), 1);
        let six = (IpAddr::V6(Ipv6Addr::from([1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), 1);
        assert_ne!(FlowKey::new(v4, v4, 6).0, FlowKey::new(six, six, 6).0);
    }

    #[test]
    fn v6_ends_that_differ_only_in_the_low_half_hash_apart() {
        let ip = |n: u16| (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n)), 53);
        let h = |n| FlowKey::new(ip(1), ip(n), 17).0.hash(Seed(1));
        assert_ne!(h(2), h(3));
    }
}
