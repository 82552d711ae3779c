//! What is known so far on the way through the headers of one frame.

use crate::{Layer4, Malformed, Packet, Vlans, ip::Ends};
use base::{Frame, MacAddr, Tunnel};

/// Encapsulations within one another that are followed. Real networks nest two or three
/// (mirrored VXLAN in ERSPAN); more only costs time and stack.
pub const MAX_DEPTH: u8 = 8;

/// State of the walk. Each layer reads its header and adds to it; a copy is kept where a layer
/// may turn out not to be what it seemed.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) smac: MacAddr,
    pub(crate) dmac: MacAddr,
    pub(crate) vlans: Vlans,
    pub(crate) mpls: u8,
    pub(crate) tunnel: Tunnel,
    pub(crate) vni: Option<u32>,
    /// Encapsulations taken off.
    depth: u8,
    /// Tunnels are taken off.
    pub(crate) decap: bool,
    /// The capture cut the frame.
    cut: bool,
    /// Bytes that follow the slice at hand by what is known of its length, but were not captured.
    pub(crate) missing: usize,
}

impl Walk {
    #[inline]
    pub(crate) fn new(f: &Frame<'_>, decap: bool) -> Walk {
        let missing = (f.wire_len as usize).saturating_sub(f.data.len());
        let mut w = Walk {
            smac: MacAddr::default(),
            dmac: MacAddr::default(),
            vlans: Vlans::default(),
            mpls: 0,
            tunnel: Tunnel::None,
            vni: None,
            depth: 0,
            decap,
            cut: missing > 0,
            missing,
        };
        if let Some((tci, _)) = f.vlan {
            w.vlan(tci);
        }
        w
    }

    /// Goes on where the fragment `outer` stopped.
    pub(crate) fn again(outer: &Packet<'_>, decap: bool) -> Walk {
        Walk {
            smac: outer.smac,
            dmac: outer.dmac,
            vlans: outer.vlans,
            mpls: outer.mpls,
            tunnel: outer.tunnel,
            vni: outer.vni,
            depth: u8::from(outer.tunnel != Tunnel::None),
            decap,
            cut: false,
            missing: 0,
        }
    }

    /// The error for a header that ends outside the captured bytes.
    #[cold]
    pub(crate) fn short(&self, what: &'static str) -> Malformed {
        if self.cut { Malformed::Cut(what) } else { Malformed::Bad(what) }
    }

    /// Notes a VLAN tag.
    pub(crate) fn vlan(&mut self, tci: u16) {
        if let Some(id) = self.vlans.ids.get_mut(usize::from(self.vlans.count)) {
            *id = tci & 0x0fff;
        }
        self.vlans.count = self.vlans.count.saturating_add(1);
    }

    /// One encapsulation deeper.
    pub(crate) fn deeper(&mut self) -> Result<(), Malformed> {
        if self.depth >= MAX_DEPTH {
            return Err(Malformed::TooDeep);
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    /// Length of `data` on the wire.
    #[inline]
    pub(crate) const fn real(&self, data: &[u8]) -> usize {
        data.len().saturating_add(self.missing)
    }

    /// The packet, with `payload` and what is missing of it.
    #[inline]
    pub(crate) fn packet<'a>(&self, e: &Ends, proto: u8, l4: Layer4<'a>, payload: &'a [u8]) -> Packet<'a> {
        Packet {
            smac: self.smac,
            dmac: self.dmac,
            vlans: self.vlans,
            mpls: self.mpls,
            tunnel: self.tunnel,
            vni: self.vni,
            src: e.src,
            dst: e.dst,
            proto,
            ip_len: e.ip_len,
            l4,
            payload,
            payload_len: len32(self.real(payload)),
        }
    }
}

/// A length as it is told: frames never reach 4 GB.
#[inline]
pub(crate) fn len32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
