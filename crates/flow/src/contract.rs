//! The contract between the flow table and the engine, on one page.

use base::{Direction, MILLI, Mark, SECOND, Seed, Timestamp};

/// How a frame came: what is not in its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it was captured.
    pub time: Timestamp,
    /// Bytes on the wire, link header included; the sum over the fragments of a datagram.
    pub wire_len: u32,
    /// Frames that carried the datagram: 1, or its number of fragments.
    pub frames: u32,
    /// How many of those frames held an IP datagram of at most 64 bytes.
    pub tiny: u32,
    /// Interface index; 0 when unknown (files without one).
    pub ifindex: u32,
}

/// Limits and times. All of memory that traffic can claim is bounded here.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Key of the hash; random in a live probe, fixed offline.
    pub seed: Seed,
    /// Most flows held at a time; above it the most dispensable one is ended ([`End::Evicted`]).
    pub max_flows: usize,
    /// Most bytes of flows and of what is held in reassembly together. Reassembly may always
    /// take an eighth of it; what it does not take, flows may.
    pub max_bytes: usize,
    /// Most bytes held in reassembly over all flows.
    pub max_held: usize,
    /// Most bytes held in reassembly for one direction of one flow.
    pub max_held_per_stream: usize,
    /// Length of a reporting interval in ns.
    pub interval: u64,
    /// A connection without packets for this long has ended (ns): default 300 s.
    pub idle_tcp: u64,
    /// A connection that never got beyond its SYN ends after this long without packets: default 30 s.
    pub idle_half_open: u64,
    /// A UDP or ICMP pair without packets for this long has ended: default 60 s.
    pub idle_udp: u64,
    /// A closed connection is kept this long for late packets: default 5 s.
    pub linger: u64,
    /// A hole in a stream that the receiver has not acknowledged is waited for this long: default 3 s.
    pub hole_wait: u64,
    /// A hole that the receiver has acknowledged (so only the capture missed it) is waited for
    /// this long, for capture reordering: default 10 ms. What answers the missing bytes waits too.
    pub acked_hole_wait: u64,
}

impl Config {
    /// Limits that fit into `bytes` of heap, with the default times and a fixed seed. Half is for
    /// the flows themselves, three eighths for reassembly; the rest is slack and the caller's.
    #[must_use]
    pub fn for_budget(bytes: usize) -> Config {
        let max_held = (bytes / 8).saturating_mul(3).max(1 << 20);
        Config {
            seed: Seed::default(),
            max_flows: 1 << 24,
            max_bytes: bytes.max(4 << 20),
            max_held,
            max_held_per_stream: (max_held / 8).clamp(256 << 10, 4 << 20),
            interval: SECOND.saturating_mul(10),
            idle_tcp: SECOND.saturating_mul(300),
            idle_half_open: SECOND.saturating_mul(30),
            idle_udp: SECOND.saturating_mul(60),
            linger: SECOND.saturating_mul(5),
            hole_wait: SECOND.saturating_mul(3),
            acked_hole_wait: MILLI.saturating_mul(10),
        }
    }
}

/// Why a flow ended: the field END_REASON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both sides sent FIN.
    Fin,
    /// The initiator sent RST.
    RstSrc,
    /// The other end sent RST on an established connection.
    RstDst,
    /// No packets for the idle time, or the end of the capture.
    Timeout,
    /// SYN answered by RST.
    Refused,
    /// SYN never answered.
    Unanswered,
    /// Ended for want of room.
    Evicted,
}

/// Mean of a delay: samples, their sum and the largest, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// Samples.
    pub cnt: u32,
    /// Largest sample.
    pub max: u64,
    /// Sum of the samples.
    pub sum: u64,
}

/// What one side sent in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideStats {
    /// Wire bytes.
    pub bytes: u64,
    /// Packets (fragments count each).
    pub pkts: u32,
    /// SYN without ACK.
    pub syn: u32,
    /// SYN with ACK.
    pub synack: u32,
    /// RST.
    pub rst: u32,
    /// FIN.
    pub fin: u32,
    /// Segments with bytes (or SYN, SYN-ACK, FIN) seen before; keep-alives left out.
    pub retrans: u32,
    /// IP datagrams of at most 64 bytes.
    pub tiny: u32,
    /// Window 0 without RST, SYN or FIN.
    pub zerowin: u32,
    /// Segments that fill a hole.
    pub ooo: u32,
    /// Data sent by this side to the first ACK that covers it, without retransmitted data.
    pub net_delay: Delay,
    /// Data of this side that had to be sent again: first sending to the ACK that covers it.
    pub retrans_delay: Delay,
}

/// The account of a flow over one interval, by direction of sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// `[ToServer, ToClient]`: what the initiator sent, what the other end sent.
    pub sent: [SideStats; 2],
    /// SYN to the ACK that ends the handshake, when that happened in this interval.
    pub hand_delay: Option<u64>,
    /// Last data segment of a request to the first of its answer.
    pub app_response: Delay,
    /// First to last data segment of an answer.
    pub load_trans: Delay,
    /// ICMP errors that quoted this flow.
    pub icmp_err: u32,
    /// First packet of the interval.
    pub begin: Timestamp,
    /// Last packet of the interval.
    pub end: Timestamp,
}

/// What the flow table tells while it works. `F` is the flow (see `Flow<T>`): it carries the
/// engine's own state `T`, the key, the initiator, MAC addresses, VLANs, interface.
pub trait Events<F> {
    /// Bytes of a TCP stream in order, or the payload of one UDP datagram. `mark` is the state
    /// of the flow at the packet that brought the bytes (at its arrival, when it was held).
    /// Cause comes before effect: bytes come after those of the other direction that their
    /// segment acknowledges, or after the gap that stands for these.
    fn data(&mut self, flow: &mut F, dir: Direction, mark: &Mark, bytes: &[u8]);

    /// `len` bytes of a TCP stream that will never come: lost to the capture, or cut from it.
    fn gap(&mut self, flow: &mut F, dir: Direction, mark: &Mark, len: u64);

    /// This direction brings no more bytes: FIN in sequence, RST (both directions), or the end
    /// of the flow. Told at most once a direction, and always before `report` with an end.
    fn end(&mut self, flow: &mut F, dir: Direction, mark: &Mark);

    /// After an ACK was looked at and before the packet's own bytes are given: all data that
    /// `dir` has sent so far is acknowledged. Told only while the flow's `watch_acks` is set. Of
    /// packets that were held it is told when their bytes are, with their mark.
    fn acked(&mut self, flow: &mut F, dir: Direction, mark: &Mark);

    /// An interval in which the flow had packets is over (`end` is `None`), or the flow is. The
    /// interval's numbers are the flow's `interval()` and are cleared afterwards. After an end
    /// the flow is gone.
    fn report(&mut self, flow: &mut F, now: Timestamp, end: Option<End>);
}

base::counters! {
    /// What happened in the table, since the start.
    pub struct Counters {
        /// Flows begun.
        flows_made,
        /// Flows ended for want of room.
        flows_evicted,
        /// Packets of a flow that came a second time by another interface.
        second_copies,
        /// Gaps told to the parsers.
        gaps,
        /// Bytes in those gaps.
        gap_bytes,
        /// Gaps told early because a reassembly share was used up.
        gaps_for_room,
        /// Bytes that overlapped held bytes with other contents (the first seen are kept).
        overlap_conflicts,
        /// Segments far outside the window: not taken into the stream.
        out_of_window,
        /// Fragments that came to the table without being put together: in no flow.
        loose_fragments,
        /// Delay samples not taken because too many segments were in flight.
        samples_skipped,
    }
}
