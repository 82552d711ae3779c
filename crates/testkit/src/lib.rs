//! For tests only: frames built, conversations scripted, captures cut every way, golden records.
//!
//! * [`Packet`] builds one Ethernet frame with right lengths and checksums.
//! * [`Conversation`] scripts a TCP connection and gives its frames.
//! * [`cut`] changes a list of frames as networks do (split, merge, reorder, duplicate, drop): what
//!   a probe tells of it must not change, or only as far as something was lost.
//! * [`pcap`] turns captures into lists of frames and back.
//! * [`replay`] plays both ends of databases that cannot be had, from their specifications.
//! * [`golden`] holds what is told of `testdata/` against what is expected.
//!
//! Everything is repeatable: noise comes from a seed, time from the script.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "runs in tests only, over their own input: to fail loudly is right here"
)]

mod conversation;
pub mod cut;
pub mod golden;
mod packet;
pub mod pcap;
pub mod replay;

pub use conversation::{Conversation, Sender};
pub use packet::{Flag, Packet};

use base::{Frame, LinkType, Timestamp};

/// A frame and when it came.
pub type TimedFrame = (Timestamp, Vec<u8>);

/// A frame as a capture gives it: Ethernet, whole, of no interface.
#[must_use]
pub fn ethernet(time: Timestamp, data: &[u8]) -> Frame<'_> {
    Frame {
        time,
        link: LinkType::Ethernet,
        data,
        wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
        ifindex: 0,
        vlan: None,
        second_copy: false,
    }
}

/// A small, repeatable source of noise (xorshift64).
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as usize).checked_rem(n).unwrap_or(0)
    }
}
