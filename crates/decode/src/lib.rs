//! Frame bytes to packets: link layer, VLAN, MPLS, IP, tunnels, TCP, UDP, ICMP.
//!
//! Stateless: one frame in, one [`Packet`] of borrowed slices out. No allocation, no panic, no
//! look past layer 4. Checksums are not verified: capture hosts offload them.
//! Fragments come out as [`Layer4::Fragment`]; the engine hands them to the defragmenter and
//! the whole datagram back through [`datagram`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod ether;
mod fuzz;
mod ip;
mod l4;
mod link;
mod packet;
#[cfg(test)]
mod tests;
mod tunnel;
mod walk;
mod wifi;

use base::{Frame, LinkType};
use walk::Walk;

#[doc(hidden)]
pub use fuzz::fuzz_frame;
pub use packet::{Fragment, Icmp, IcmpKind, Layer4, Malformed, Packet, Tcp, TcpFlags, Vlans};
pub use walk::MAX_DEPTH;

/// Which encapsulations are taken off: the configuration key `decap`.
///
/// VLAN, MPLS, PPPoE and what else lies below the first IP header always comes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decap {
    /// Tunnels in IP (GRE, VXLAN, IP in IP...) are taken off and the inner packet is told;
    /// else the outer one.
    pub enabled: bool,
}

impl Default for Decap {
    fn default() -> Decap {
        Decap { enabled: true }
    }
}

/// Decodes a frame down to its innermost IP datagram.
///
/// # Errors
/// [`Malformed`] says why the frame gave no packet.
#[inline]
pub fn frame<'a>(f: &Frame<'a>, decap: &Decap) -> Result<Packet<'a>, Malformed> {
    let mut w = Walk::new(f, decap.enabled);
    match f.link {
        LinkType::Ethernet => ether::ethernet(&mut w, f.data),
        LinkType::Raw => ip::by_version(&mut w, f.data),
        link => link::other(&mut w, link, f.data),
    }
}

/// Decodes the whole payload of a datagram whose fragments were [`Layer4::Fragment`]s, as if it
/// had never been fragmented. `outer` is one of the fragments; what carried it is kept.
/// The payload may be a tunnel, and the packet in it a fragment again.
///
/// # Errors
/// [`Malformed`] says why the datagram gave no packet.
pub fn datagram<'a>(outer: &Packet<'_>, payload: &'a [u8], decap: &Decap) -> Result<Packet<'a>, Malformed> {
    let mut w = Walk::again(outer, decap.enabled);
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let header = match outer.l4 {
        Layer4::Fragment(f) => outer.ip_len.saturating_sub(f.len),
        _ => 0,
    };
    let ends = ip::Ends { src: outer.src, dst: outer.dst, ip_len: header.saturating_add(len) };
    ip::upper(&mut w, &ends, outer.proto, payload)
}
