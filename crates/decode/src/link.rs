//! Link layers other than Ethernet, as capture files and tunnel interfaces have them
//! (tcpdump.org "Link-layer header types").

use crate::{Malformed, Packet, ether, ip, walk::Walk, wifi};
use base::{LinkType, MacAddr, Reader};

/// Attributes looked at in an NFLOG message: the kernel sends some ten.
const MAX_ATTRIBUTES: usize = 64;

/// Decodes by link type.
#[cold]
pub(crate) fn other<'a>(w: &mut Walk, link: LinkType, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match link {
        LinkType::Ethernet => ether::ethernet(w, data),
        LinkType::Raw => ip::by_version(w, data),
        LinkType::Null | LinkType::Loop => family(w, data),
        LinkType::Ppp => ppp(w, data),
        LinkType::Fddi => fddi(w, data),
        LinkType::CiscoHdlc => hdlc(w, data),
        LinkType::Ieee80211 => wifi::ieee80211(w, data),
        LinkType::Radiotap => wifi::radiotap(w, data),
        LinkType::LinuxSll => sll(w, data),
        LinkType::LinuxSll2 => sll2(w, data),
        LinkType::NfLog => nflog(w, data),
    }
}

/// BSD loopback: the address family in the byte order of who wrote it. IPv6 has a number of its
/// own in each system: 10 Linux, 23 Windows, 24 NetBSD and OpenBSD, 28 FreeBSD, 30 Darwin.
fn family<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some((word, rest)) = data.split_first_chunk::<4>() else {
        return Err(w.short("null-header"));
    };
    match u32::from_be_bytes(*word).min(u32::from_le_bytes(*word)) {
        2 | 10 | 23 | 24 | 28 | 30 => ip::by_version(w, rest),
        _ => Err(Malformed::NotIp),
    }
}

/// PPP, or Cisco HDLC on a line that was taken for PPP.
fn ppp<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match data {
        [0x0f | 0x8f, 0, ..] => hdlc(w, data),
        _ => ether::ppp_framed(w, data),
    }
}

/// Cisco HDLC: address, control, EtherType.
fn hdlc<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some(([_, _, t0, t1], rest)) = data.split_first_chunk::<4>() else {
        return Err(w.short("hdlc-header"));
    };
    ether::ethertype(w, u16::from_be_bytes([*t0, *t1]), rest)
}

/// FDDI: frame control, addresses, LLC.
fn fddi<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut r = Reader::new(data);
    let (Ok(control), Ok(dmac), Ok(smac)) = (r.u8(""), r.array(""), r.array("")) else {
        return Err(w.short("fddi-header"));
    };
    // LLC frames, asynchronous or synchronous: 0x5x and 0xdx.
    if control & 0x70 != 0x50 {
        return Err(Malformed::NotIp);
    }
    (w.smac, w.dmac) = (MacAddr(smac), MacAddr(dmac));
    ether::llc(w, r.rest())
}

/// The protocol of a Linux cooked header: an EtherType, or 802.2 without Ethernet (4).
fn cooked<'a>(
    w: &mut Walk,
    proto: u16,
    len: u16,
    mac: [u8; 8],
    data: &'a [u8],
) -> Result<Packet<'a>, Malformed> {
    let [a, b, c, d, e, f, ..] = mac;
    if len == 6 {
        w.smac = MacAddr([a, b, c, d, e, f]);
    }
    match proto {
        4 => ether::llc(w, data),
        0..=0x05ff => Err(Malformed::NotIp),
        ty => ether::ethertype(w, ty, data),
    }
}

/// Linux cooked capture: packet type, device type, address length, address, protocol.
fn sll<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some((h, rest)) = data.split_first_chunk::<16>() else {
        return Err(w.short("sll-header"));
    };
    let [_, _, _, _, l0, l1, mac @ .., p0, p1] = *h;
    cooked(w, u16::from_be_bytes([p0, p1]), u16::from_be_bytes([l0, l1]), mac, rest)
}

/// Linux cooked capture 2: protocol, interface, device type, packet type, address.
fn sll2<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some((h, rest)) = data.split_first_chunk::<20>() else {
        return Err(w.short("sll2-header"));
    };
    let [p0, p1, _, _, _, _, _, _, _, _, _, len, mac @ ..] = *h;
    cooked(w, u16::from_be_bytes([p0, p1]), u16::from(len), mac, rest)
}

/// Linux netfilter log: family, version, resource; then attributes in host byte order.
fn nflog<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    const PACKET_HEADER: u16 = 1;
    const HARDWARE_ADDRESS: u16 = 8;
    const PAYLOAD: u16 = 9;
    let mut r = Reader::new(data);
    let Ok([family, version, _, _]) = r.array::<4>("nflog") else {
        return Err(w.short("nflog-header"));
    };
    if version != 0 {
        return Err(Malformed::Bad("nflog-version"));
    }
    let mut ethertype = 0;
    for _ in 0..MAX_ATTRIBUTES {
        let Ok([l0, l1, t0, t1]) = r.array::<4>("nflog") else { break };
        // Types are small: the byte that is zero tells the order.
        let swapped = t0 == 0 && t1 != 0;
        let word = |a, b| if swapped { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
        let (len, ty) = (usize::from(word(l0, l1)), word(t0, t1) & 0x7fff);
        let Some(len) = len.checked_sub(4) else { return Err(Malformed::Bad("nflog-attribute")) };
        let value = r.take_up_to(len);
        match (ty, value) {
            (PACKET_HEADER, [p0, p1, ..]) => ethertype = u16::from_be_bytes([*p0, *p1]),
            (HARDWARE_ADDRESS, [0, 6, _, _, a, b, c, d, e, f, ..]) => {
                w.smac = MacAddr([*a, *b, *c, *d, *e, *f]);
            }
            (PAYLOAD, _) => {
                return match family {
                    2 | 10 => ip::by_version(w, value),
                    _ => ether::ethertype(w, ethertype, value),
                };
            }
            _ => {}
        }
        // Attributes are padded to four bytes.
        r.take_up_to(len.wrapping_neg() & 3);
    }
    if r.is_empty() { Err(Malformed::NotIp) } else { Err(w.short("nflog-attribute")) }
}
