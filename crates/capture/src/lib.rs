//! Edge in: frames from the kernel ([`ring`]) and from capture files ([`mod@file`]).
//!
//! Both give [`base::Frame`]s that borrow the buffer they arrived in; nothing is copied.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "edge crate; numbers that come from files or traffic are checked where they enter"
)]

pub mod file;
pub mod filter;
mod insn;
mod link;
mod pcap_write;
#[cfg(target_os = "linux")]
pub mod ring;

pub use insn::Insn;
pub use link::{KNOWN_LINK_TYPES, link_number, link_type};
pub use pcap_write::PcapWriter;
