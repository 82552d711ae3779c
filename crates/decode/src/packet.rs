//! What a frame says, up to layer 4.

use base::{MacAddr, Tunnel};
use std::net::IpAddr;

/// VLAN ids from the outside in; `count` may exceed what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlans {
    /// The first four ids (12 bits each).
    pub ids: [u16; 4],
    /// Tags seen.
    pub count: u8,
}

/// Flags of a TCP segment, RFC 9293 section 3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.0 & 1 != 0
    }
    /// SYN.
    #[must_use]
    pub const fn syn(self) -> bool {
        self.0 & 2 != 0
    }
    /// RST.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.0 & 4 != 0
    }
    /// PSH.
    #[must_use]
    pub const fn psh(self) -> bool {
        self.0 & 8 != 0
    }
    /// ACK.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.0 & 16 != 0
    }
}

/// A TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; meaningless without the flag.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Window as in the header, unscaled.
    pub window: u16,
    /// Window scale option of a SYN.
    pub wscale: Option<u8>,
}

/// An IP fragment: what the defragmenter needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Identification (16 bits in IPv4).
    pub id: u32,
    /// Offset of `data` in the datagram's payload, in bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// Payload of this fragment as captured.
    pub data: &'a [u8],
    /// Payload length by the header; more than `data.len()` when the frame was cut.
    pub len: u32,
}

/// What an ICMP message is, as far as flows care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpKind {
    /// Echo request with identifier and sequence number.
    EchoRequest(u16, u16),
    /// Echo reply with identifier and sequence number.
    EchoReply(u16, u16),
    /// An error that quotes the packet that caused it: the ends of the quoted packet.
    Error {
        /// Source of the quoted packet.
        src: (IpAddr, u16),
        /// Destination of the quoted packet.
        dst: (IpAddr, u16),
        /// IP protocol of the quoted packet.
        proto: u8,
    },
    /// Anything else, errors with an unreadable quotation included.
    Other,
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub ty: u8,
    /// Code.
    pub code: u8,
    /// What it is.
    pub kind: IcmpKind,
}

/// Layer 4 of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer4<'a> {
    /// TCP; the payload is in [`Packet::payload`].
    Tcp(Tcp),
    /// UDP ports; the payload is in [`Packet::payload`].
    Udp {
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
    },
    /// ICMP or ICMPv6.
    Icmp(Icmp),
    /// SCTP ports: counted, not followed.
    Sctp {
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
    },
    /// A fragment of a datagram that is not whole.
    Fragment(Fragment<'a>),
    /// Another IP protocol.
    Other,
}

/// A packet: the innermost IP datagram of a frame, with what carried it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Ethernet source of the innermost Ethernet header; zero without one.
    pub smac: MacAddr,
    /// Ethernet destination of the innermost Ethernet header; zero without one.
    pub dmac: MacAddr,
    /// All VLAN tags that were taken off, outermost first, inner frames' included.
    pub vlans: Vlans,
    /// MPLS labels that were taken off.
    pub mpls: u8,
    /// The innermost encapsulation.
    pub tunnel: Tunnel,
    /// Its network number: VNI, GRE key, TEID, ERSPAN session.
    pub vni: Option<u32>,
    /// Innermost source address.
    pub src: IpAddr,
    /// Innermost destination address.
    pub dst: IpAddr,
    /// Innermost IP protocol number (of the datagram, also in fragments).
    pub proto: u8,
    /// Length of the innermost IP datagram by its header, in bytes.
    pub ip_len: u32,
    /// Layer 4.
    pub l4: Layer4<'a>,
    /// Layer 4 payload as captured, padding left out.
    pub payload: &'a [u8],
    /// Length of the layer 4 payload by the headers; more than `payload.len()` when cut.
    pub payload_len: u32,
}

impl Packet<'_> {
    /// True when the frame was captured shorter than it was.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        (self.payload.len() as u64) < u64::from(self.payload_len)
    }
}

/// Why a frame gave no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not IP: ARP, LLDP, STP, 802.11 management and the like. Not an error: counted apart.
    NotIp,
    /// A header ends outside the captured bytes, though the frame was captured whole, or says
    /// something impossible. The field or rule that was broken.
    Bad(&'static str),
    /// A header ends outside the captured bytes because the capture cut the frame.
    Cut(&'static str),
    /// Encapsulated deeper than the limit.
    TooDeep,
}
