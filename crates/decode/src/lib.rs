//! Frame bytes to packets: link layer, VLAN, MPLS, IP, tunnels, TCP, UDP, ICMP.
//!
//! Stateless: one frame in, one [`Packet`] of borrowed slices out. No allocation, no panic, no
//! look past layer 4. Checksums are not verified: capture hosts offload them.
//! Fragments come out as [`Layer4::Fragment`]; the engine hands them to the defragmenter and
//! the whole datagram back through [`datagram`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod packet;

pub use packet::{Fragment, Icmp, IcmpKind, Layer4, Malformed, Packet, Tcp, TcpFlags, Vlans};
