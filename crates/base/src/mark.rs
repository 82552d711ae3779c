//! The state of a flow's counters at one packet, so that what happened between two packets
//! can be told by subtraction.

use crate::Timestamp;

/// A snapshot of a flow at one of its packets, taken after the packet was counted and its
/// ACK was looked at. Everything but `time` and `len` is cumulative over the flow's life.
///
/// A session between a first packet `a` and a last packet `b` has
/// `b.bytes - (a.bytes - a.len)` wire bytes, `b.retrans - a.retrans` retransmissions, and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// When the packet was captured.
    pub time: Timestamp,
    /// Wire bytes of the flow so far, both ways, this packet included.
    pub bytes: u64,
    /// Wire bytes of this packet.
    pub len: u32,
    /// Retransmitted segments so far, both ways.
    pub retrans: u32,
    /// RST segments so far, both ways.
    pub rst: u32,
    /// SYN-ACK segments so far.
    pub synack: u32,
    /// Samples of the network delay of data sent by (ToServer, ToClient), and their sum in ns.
    pub delay_cnt: [u32; 2],
    /// Sums in nanoseconds that belong to `delay_cnt`.
    pub delay_sum: [u64; 2],
}
