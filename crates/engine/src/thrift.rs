//! Doing less than is configured, when there is too little time for all of it: what is left out, and the memory of
//! what was left out lately, so that records say so.
//!
//! Three ways, each whole or by a share: header and body fields are cut shorter; the contents of some conversations
//! are not read (chosen by the hash of the flow, so that both directions and all requests of a connection are
//! read or not); the packets of some flows are not looked at ([`base::Thin`]), but for SYN, FIN and RST, so
//! that connections are still seen to come and go. Whoever sets it decides how much; see [`crate::Engine::set_thrift`].

use base::{FlowKey, Thin, Timestamp};
use decode::{IcmpKind, Layer4, Packet};
use proto::Limits;

/// What is left out. The default leaves out nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thrift {
    /// Share of `bodylen` that fields are cut at, of [`Thin::ALL`]; 0: no bodies at all.
    pub bodies: u32,
    /// Share of conversations whose contents are read, of [`Thin::ALL`].
    pub read: u32,
    /// Flows whose packets are looked at; `None`: all.
    pub thin: Option<Thin>,
}

impl Default for Thrift {
    fn default() -> Thrift {
        Thrift { bodies: Thin::ALL, read: Thin::ALL, thin: None }
    }
}

/// Fields are cut no shorter than this: what was asked for stays readable.
const LEAST_TEXT: usize = 64;

impl Thrift {
    /// The limits that follow from those that are configured.
    pub(crate) fn limits(self, full: &Limits) -> Limits {
        if self.bodies >= Thin::ALL {
            return *full;
        }
        let part = (full.text as u64).saturating_mul(u64::from(self.bodies)).wrapping_shr(16);
        let text = usize::try_from(part).unwrap_or(full.text).max(LEAST_TEXT).min(full.text);
        Limits { text, bodies: full.bodies && self.bodies > 0, ..*full }
    }

    /// True when the contents of the flow with this hash are not read.
    #[inline]
    pub(crate) const fn leaves_unread(self, flow_hash: u64) -> bool {
        flow_hash.wrapping_shr(48) >= self.read as u64
    }

    /// True when sessions beside those that are told are left out.
    pub(crate) const fn samples(self) -> bool {
        self.read < Thin::ALL || self.thin.is_some()
    }

    /// True when fields are cut shorter than configured.
    pub(crate) const fn shortens(self) -> bool {
        self.bodies < Thin::ALL
    }

    /// True when this packet is not looked at.
    #[inline]
    pub(crate) fn leaves_out(self, p: &Packet<'_>) -> bool {
        self.thin.is_some_and(|thin| is_thinned(thin, p))
    }
}

/// The same rule as in the kernel's filter (`capture`, `ring/thin.rs`).
#[cold]
fn is_thinned(thin: Thin, p: &Packet<'_>) -> bool {
    let (sport, dport) = match p.l4 {
        Layer4::Tcp(t) if !(t.flags.syn() || t.flags.fin() || t.flags.rst()) => (t.sport, t.dport),
        Layer4::Udp { sport, dport } => (sport, dport),
        Layer4::Icmp(i) if matches!(i.kind, IcmpKind::EchoRequest(..) | IcmpKind::EchoReply(..)) => (0, 0),
        _ => return false,
    };
    !thin.keeps(&FlowKey::new((p.src, sport), (p.dst, dport), p.proto).0)
}

/// The smallest shares of late: `(until when, share)`, both growing from entry to entry. A share that was not
/// smaller than a later one tells nothing that the later one does not.
#[derive(Debug, Default)]
pub(crate) struct Lately {
    past: Vec<(Timestamp, Thin)>,
}

/// Entries kept: shares change a few times a second at most, and only those count that shrank since.
const KEPT: usize = 64;

impl Lately {
    /// At `now` the share changed from `old` to another one.
    pub(crate) fn note(&mut self, now: Timestamp, old: Thin) {
        self.past.retain(|(_, thin)| thin.keep < old.keep);
        if self.past.len() >= KEPT {
            // Two neighbours become one that says no less than both.
            let second = self.past.get(1).map(|(until, _)| *until);
            if let (Some(until), Some(first)) = (second, self.past.first_mut()) {
                first.0 = until;
            }
            self.past.remove(1);
        }
        self.past.push((now, old));
    }

    /// Were packets of this flow left out after `since`? `now` is the share in force.
    pub(crate) fn left_out(&self, key: &FlowKey, since: Timestamp, now: Option<Thin>) -> bool {
        let earlier = self.past.iter().find(|(until, _)| *until > since).map(|(_, thin)| *thin);
        [earlier, now].into_iter().flatten().any(|thin| !thin.keeps(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Seed;
    use std::net::IpAddr;

    fn key(n: u16) -> FlowKey {
        FlowKey::new((IpAddr::from([10, 0, 0, 2]), n), (IpAddr::from([10, 0, 0, 1]), 80), 6).0
    }

    fn thin(keep: u32) -> Thin {
        Thin { salt: 7, keep }
    }

    #[test]
    fn bodies_become_shorter_and_then_none() {
        let full = Limits { text: 1000, ..Limits::default() };
        let cut = |bodies| {
            let l = Thrift { bodies, ..Thrift::default() }.limits(&full);
            (l.text, l.bodies)
        };
        assert_eq!(
            [Thin::ALL, 32_768, 700, 0].map(cut),
            [(1000, true), (500, true), (64, true), (64, false)]
        );
        let tiny = Limits { text: 10, ..full };
        assert_eq!(Thrift { bodies: 0, ..Thrift::default() }.limits(&tiny).text, 10);
    }

    #[test]
    fn a_share_of_conversations_is_read() {
        let unread = |read: u32| {
            let t = Thrift { read, ..Thrift::default() };
            (0..10_000u64).filter(|n| t.leaves_unread(Seed(1).word(*n))).count()
        };
        assert_eq!((unread(Thin::ALL), unread(0)), (0, 10_000));
        assert!((7200..7800).contains(&unread(Thin::ALL / 4)));
    }

    #[test]
    fn what_was_left_out_lately_is_remembered_as_long_as_it_matters() {
        let low = (0..10_000).find(|n| (1000..2000).contains(&thin(0).place(&key(*n)))).map(key).unwrap();
        let high = (0..10_000).find(|n| thin(0).place(&key(*n)) > 60_000).map(key).unwrap();
        let mut l = Lately::default();
        let asked = |l: &Lately, k: &FlowKey, since| l.left_out(k, Timestamp(since), None);
        assert!(!asked(&l, &low, 0));
        // Half until 10, a hundredth until 20, half until 30, nothing left out since.
        for (until, keep) in [(10, 32_768), (20, 655), (30, 32_768)] {
            l.note(Timestamp(until), thin(keep));
        }
        assert_eq!(l.past.len(), 2, "the first half says nothing that the hundredth does not");
        assert_eq!(
            [0, 15, 19, 20, 25, 30].map(|t| asked(&l, &low, t)),
            [true, true, true, false, false, false]
        );
        assert_eq!(
            [0, 15, 19, 20, 25, 30].map(|t| asked(&l, &high, t)),
            [true, true, true, true, true, false]
        );
        assert!(l.left_out(&high, Timestamp(99), Some(thin(10))));
        // Growing without end: bounded, and never forgets a share that is lower than it says.
        let mut l = Lately::default();
        for n in 0..1000u32 {
            l.note(Timestamp(u64::from(n)), thin(n * 60));
        }
        assert_eq!(l.past.len(), KEPT);
        assert!(l.left_out(&high, Timestamp(0), None) && l.left_out(&key(1), Timestamp(0), None));
        assert!(l.past.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1.keep < w[1].1.keep));
    }
}
