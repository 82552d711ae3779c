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
    /// In the order of their bytes; IPv4 in the upper half of the first word.
    addr: [[u64; 2]; 2],
    port: [u16; 2],
    proto: u8,
    v6: bool,
}

/// An address as two numbers in the order of its bytes.
#[inline]
const fn wide(ip: IpAddr) -> ([u64; 2], bool) {
    match ip {
        IpAddr::V4(v4) => ([(v4.to_bits() as u64).wrapping_shl(32), 0], false),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            ([bits.wrapping_shr(64) as u64, bits as u64], true)
        }
    }
}

impl FlowKey {
    /// The key of a packet from `src` to `dst`, and which side sent it.
    #[inline]
    #[must_use]
    pub fn new(src: (IpAddr, u16), dst: (IpAddr, u16), proto: u8) -> (FlowKey, Side) {
        let (s @ [s0, s1], v6) = wide(src.0);
        let (d @ [d0, d1], d6) = wide(dst.0);
        // One comparison for IPv4: the port fits below the address.
        let first = if !(v6 | d6) {
            (s0 | u64::from(src.1)) <= (d0 | u64::from(dst.1))
        } else {
            (s0, s1, src.1) <= (d0, d1, dst.1)
        };
        if first {
            (FlowKey { addr: [s, d], port: [src.1, dst.1], proto, v6 }, Side::A)
        } else {
            (FlowKey { addr: [d, s], port: [dst.1, src.1], proto, v6 }, Side::B)
        }
    }

    /// Address and port of a side.
    #[must_use]
    pub fn end(&self, side: Side) -> (IpAddr, u16) {
        let ([a, b], [p, q]) = (self.addr, self.port);
        let ([high, low], port) = match side {
            Side::A => (a, p),
            Side::B => (b, q),
        };
        if self.v6 {
            let bits = u128::from(high).wrapping_shl(64) | u128::from(low);
            return (IpAddr::V6(Ipv6Addr::from_bits(bits)), port);
        }
        (IpAddr::V4(Ipv4Addr::from_bits(high.wrapping_shr(32) as u32)), port)
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
    #[inline(always)]
    #[must_use]
    pub fn hash(&self, seed: Seed) -> u64 {
        let ([[a, a_low], [b, b_low]], [p, q]) = (self.addr, self.port);
        let rest = u64::from(p) | u64::from(q) << 16 | u64::from(self.proto) << 32;
        if !self.v6 {
            return seed.pair(a.swap_bytes() | b.swap_bytes().rotate_left(32), rest);
        }
        let high = seed.pair(a.swap_bytes(), b.swap_bytes());
        let low = seed.pair(a_low.swap_bytes(), b_low.swap_bytes());
        seed.pair(high, low.rotate_left(32) ^ rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_end_is_a_and_the_hash_is_what_it_was() {
        let v4 = |n: u32, port| (IpAddr::from(Ipv4Addr::from_bits(n)), port);
        let v6 = |n: u128, port| (IpAddr::from(Ipv6Addr::from_bits(n)), port);
        let low = 0x2001_0db8 << 96;
        for (a, b) in [
            (v4(9, 65_535), v4(10, 1)),
            (v4(0x7fff_ffff, 1), v4(0x8000_0000, 1)),
            (v4(9, 1), v4(9, 2)),
            (v6(low | 1, 9), v6(low | 2, 1)),
            (v6(1, 2), v6(low, 1)),
            (v6(low, 1), v6(low, 2)),
            (v6(low, 65_535), v6(low | 1, 1)),
            (v6(low | 1 << 64, 9), v6(low | 2 << 64, 1)),
        ] {
            let (key, side) = FlowKey::new(a, b, 6);
            assert_eq!((side, key.end(Side::A), key.end(Side::B)), (Side::A, a, b));
            assert_eq!(FlowKey::new(b, a, 6), (key, Side::B));
        }
        let key = FlowKey::new(v4(0x0a00_0001, 80), v4(0x0a00_0002, 40_000), 6).0;
        assert_eq!(key.hash(Seed(1)), 0xd20d_d47a_b3c6_1182);
        let key = FlowKey::new(v6(low | 1, 53), v6(low | 2, 5_353), 17).0;
        assert_eq!(key.hash(Seed(1)), 0x5243_ac78_8233_92d0);
    }

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
