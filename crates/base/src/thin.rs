//! Which flows are left out when not all packets can be looked at: the same answer in the kernel's filter, which
//! leaves them out before they cost anything, and in the engine, which sees what the filter cannot see through.
//!
//! Each flow has a place from 0 to 65,535, found by a hash of its two ends that is the same in both directions.
//! Flows whose place is below the share are kept: as the share shrinks and grows, whole flows go and come back,
//! and those with a low place are seen throughout. The arithmetic is of 32 bits, without division: the machine
//! of the kernel's filters (classic BPF) has no more.

use crate::{FlowKey, Side, ip_proto};
use std::net::IpAddr;

/// A share of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thin {
    /// Random, drawn at start: nobody can choose to be left out.
    pub salt: u32,
    /// Places that are kept, of [`Thin::ALL`].
    pub keep: u32,
}

impl Thin {
    /// The number of places.
    pub const ALL: u32 = 65_536;
    /// Folds the words of an IPv6 address.
    pub const FOLD: u32 = 0x01f3_5a6d;
    /// Weighs the sum of the addresses.
    pub const ADDRESSES: u32 = 0x9e37_79b1;
    /// Weighs the sum of the ports.
    pub const PORTS: u32 = 0x85eb_ca77;
    /// Mixes the addresses before the ports are added.
    pub const FIRST: u32 = 0x7feb_352d;
    /// Mixes all.
    pub const LAST: u32 = 0x846c_a68b;

    /// What is added to a port.
    #[must_use]
    pub const fn port_salt(self) -> u32 {
        self.salt.wrapping_shr(16)
    }

    /// The place of a flow. Of ICMP only the addresses count.
    #[must_use]
    pub fn place(self, key: &FlowKey) -> u32 {
        let ((a, p), (b, q)) = (key.end(Side::A), key.end(Side::B));
        let (p, q) = match key.proto() {
            ip_proto::ICMP | ip_proto::ICMPV6 => (0, 0),
            _ => (u32::from(p), u32::from(q)),
        };
        // A product and a sum: the same whichever end is first, and with the salt in it hard to aim at.
        let both = |a: u32, b: u32, weight: u32| {
            a.wrapping_mul(b).wrapping_add(a.wrapping_add(b).wrapping_mul(weight))
        };
        let h = both(folded(a) ^ self.salt, folded(b) ^ self.salt, Self::ADDRESSES);
        let h = (h ^ h.wrapping_shr(16)).wrapping_mul(Self::FIRST);
        let salt = self.port_salt();
        let h = h.wrapping_add(both(p.wrapping_add(salt), q.wrapping_add(salt), Self::PORTS));
        (h ^ h.wrapping_shr(15)).wrapping_mul(Self::LAST).wrapping_shr(16)
    }

    /// True when the packets of this flow are looked at.
    #[must_use]
    pub fn keeps(self, key: &FlowKey) -> bool {
        self.place(key) < self.keep
    }
}

fn folded(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => {
            let words = [96u32, 64, 32, 0].map(|shift| v6.to_bits().wrapping_shr(shift) as u32);
            words.into_iter().fold(0u32, |h, w| h.wrapping_mul(Thin::FOLD).wrapping_add(w))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    fn key(a: IpAddr, p: u16, b: IpAddr, q: u16, proto: u8) -> FlowKey {
        FlowKey::new((a, p), (b, q), proto).0
    }

    #[test]
    fn places_are_spread_evenly_whatever_differs() {
        let server = IpAddr::from([10, 0, 0, 1]);
        let v6 = |n: u32| IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n)));
        type Make = Box<dyn Fn(u32) -> FlowKey>;
        let kinds: [(&str, Make); 5] = [
            ("ports", Box::new(move |n| key(IpAddr::from([10, 0, 0, 2]), 1024 + n as u16, server, 80, 6))),
            ("addresses", Box::new(move |n| key(IpAddr::from((n * 2).to_be_bytes()), 4000, server, 53, 17))),
            (
                "both ports",
                Box::new(move |n| {
                    key(IpAddr::from([10, 0, 0, 2]), 1024 + n as u16, server, 40_000 - n as u16, 17)
                }),
            ),
            ("v6", Box::new(move |n| key(v6(n), 4000, v6(1 << 30), 53, 17))),
            ("echo", Box::new(move |n| key(IpAddr::from(n.to_be_bytes()), 7, server, 0, 1))),
        ];
        for (what, make) in kinds {
            for salt in [0, 1, 0xdead_beef, 0x1234_5678] {
                let mut cells = [0u32; 16];
                for n in 0..16_000 {
                    cells[(Thin { salt, keep: 0 }.place(&make(n)) >> 12) as usize] += 1;
                }
                assert!(cells.iter().all(|n| (800..1200).contains(n)), "{what} {salt:x}: {cells:?}");
            }
        }
    }

    #[test]
    fn a_smaller_share_keeps_a_part_of_a_larger_ones_flows() {
        let of = |n: u16| key(IpAddr::from([10, 0, 0, 2]), n, IpAddr::from([10, 0, 0, 1]), 80, 6);
        let (large, small) = (Thin { salt: 5, keep: 30_000 }, Thin { salt: 5, keep: 3000 });
        let kept = (0..10_000).filter(|n| small.keeps(&of(*n))).count();
        assert!((350..560).contains(&kept), "{kept}");
        assert!((0..10_000).all(|n| !small.keeps(&of(n)) || large.keeps(&of(n))));
        assert!((0..10_000).all(|n| Thin { salt: 5, keep: Thin::ALL }.keeps(&of(n))));
        assert!((0..10_000).all(|n| !Thin { salt: 5, keep: 0 }.keeps(&of(n))));
    }
}
