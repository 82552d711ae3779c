//! A frame as it was captured, live or from a file.

use crate::Timestamp;

/// The link layers that frames can come with, by their number in capture files
/// (tcpdump.org "Link-layer header types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// BSD loopback: address family in host byte order of the writer (0).
    Null,
    /// Ethernet (1).
    Ethernet,
    /// PPP, optionally with HDLC framing (9, 50).
    Ppp,
    /// FDDI (10).
    Fddi,
    /// Raw IP, version by the first nibble (12, 14, 101, 228, 229).
    Raw,
    /// Cisco HDLC (104).
    CiscoHdlc,
    /// IEEE 802.11 (105).
    Ieee80211,
    /// OpenBSD loopback: address family in network byte order (108).
    Loop,
    /// Linux cooked capture (113).
    LinuxSll,
    /// IEEE 802.11 with radiotap (127).
    Radiotap,
    /// Linux netfilter log (239).
    NfLog,
    /// Linux cooked capture 2 (276).
    LinuxSll2,
}

/// A frame and what is known of it besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// What its first header is.
    pub link: LinkType,
    /// The bytes captured.
    pub data: &'a [u8],
    /// Bytes on the wire; more than `data.len()` when the capture cut it.
    pub wire_len: u32,
    /// Interface by the kernel's index; in files the interface's number plus 1; 0 when unknown.
    pub ifindex: u32,
    /// A VLAN tag that the kernel took off before the capture: (TCI, TPID).
    pub vlan: Option<(u16, u16)>,
    /// The kernel shows it a second time: the sender's copy on the loopback interface.
    pub second_copy: bool,
}
