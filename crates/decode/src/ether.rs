//! Ethernet and what lies between it and IP: VLAN tags (IEEE 802.1Q), LLC/SNAP (IEEE 802.2,
//! RFC 1042), MPLS (RFC 3032, pseudowires RFC 4448), PPPoE (RFC 2516), provider backbone
//! bridges (IEEE 802.1ah), NSH (RFC 8300).

use crate::{Malformed, Packet, ip, walk::Walk};
use base::{MacAddr, Tunnel};

/// VLAN tags in one frame header: two in practice, four where providers nest.
const MAX_TAGS: u8 = 8;
/// MPLS labels in one stack: service, transport, entropy and segment routing lists.
const MAX_LABELS: u8 = 24;

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;
const QINQ_OLD: u16 = 0x9100;
const QINQ_OLDER: u16 = 0x9200;
pub(crate) const MPLS: u16 = 0x8847;
pub(crate) const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const PBB: u16 = 0x88e7;
pub(crate) const NSH: u16 = 0x894f;
/// Transparent Ethernet bridging: an Ethernet frame as a payload.
pub(crate) const TEB: u16 = 0x6558;

/// An Ethernet frame.
#[inline]
pub(crate) fn ethernet<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some((h, rest)) = data.split_first_chunk::<14>() else {
        return Err(w.short("ethernet-header"));
    };
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *h;
    w.dmac = MacAddr([d0, d1, d2, d3, d4, d5]);
    w.smac = MacAddr([s0, s1, s2, s3, s4, s5]);
    match u16::from_be_bytes([t0, t1]) {
        IPV4 => ip::ipv4(w, rest),
        IPV6 => ip::ipv6(w, rest),
        ty => ethertype(w, ty, rest),
    }
}

/// What follows an EtherType, or an 802.3 length.
pub(crate) fn ethertype<'a>(w: &mut Walk, mut ty: u16, mut data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut tags: u8 = 0;
    while is_vlan(ty) {
        let Some(([a, b, c, d], rest)) = data.split_first_chunk::<4>() else {
            return Err(w.short("vlan-tag"));
        };
        if tags == MAX_TAGS {
            return Err(Malformed::TooDeep);
        }
        tags = tags.saturating_add(1);
        w.vlan(u16::from_be_bytes([*a, *b]));
        ty = u16::from_be_bytes([*c, *d]);
        data = rest;
    }
    match ty {
        IPV4 => ip::ipv4(w, data),
        IPV6 => ip::ipv6(w, data),
        MPLS | MPLS_MULTICAST => mpls(w, data),
        PPPOE_SESSION => pppoe(w, data),
        PBB => backbone(w, data),
        NSH => nsh(w, data),
        0..=0x05dc => llc(w, data),
        _ => Err(Malformed::NotIp),
    }
}

const fn is_vlan(ty: u16) -> bool {
    matches!(ty, VLAN | QINQ | QINQ_OLD | QINQ_OLDER)
}

/// An Ethernet frame within something: one layer deeper.
fn inner_ethernet<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    w.deeper()?;
    ethernet(w, data)
}

/// IEEE 802.2 LLC with SNAP, or IP right behind the LLC header.
pub(crate) fn llc<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match data {
        // RFC 1042, and the bridge-tunnel encapsulation of IEEE 802.1H.
        [0xaa, 0xaa, 3, 0, 0, 0 | 0xf8, t0, t1, rest @ ..] => {
            let ty = u16::from_be_bytes([*t0, *t1]);
            // A length here is no type: LLC within LLC would recurse without end.
            if ty <= 0x05dc { Err(Malformed::NotIp) } else { ethertype(w, ty, rest) }
        }
        [6, 6, 3, rest @ ..] => ip::ipv4(w, rest),
        _ => Err(Malformed::NotIp),
    }
}

/// An MPLS label stack. Labels do not say what they carry: IP is told by its version, Ethernet
/// pseudowires by an EtherType where one must be.
pub(crate) fn mpls<'a>(w: &mut Walk, mut data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut labels: u8 = 0;
    loop {
        let Some(([_, _, low, _], rest)) = data.split_first_chunk::<4>() else {
            return Err(w.short("mpls-label"));
        };
        if labels == MAX_LABELS {
            return Err(Malformed::TooDeep);
        }
        labels = labels.saturating_add(1);
        data = rest;
        if low & 1 == 1 {
            break;
        }
    }
    w.mpls = w.mpls.saturating_add(labels);
    // A MAC address may begin like IP: then the length decides, which is exact for IP but in
    // frames that Ethernet has padded.
    if let Some(len) = ip::claimed(w, data)
        && (len == w.real(data) || !plausible(data))
    {
        return ip::by_version(w, data);
    }
    // The control word of RFC 4385 begins with a zero nibble; so do many MAC addresses.
    match data.split_first_chunk::<4>() {
        Some(([word, ..], frame)) if word >> 4 == 0 && plausible(frame) => inner_ethernet(w, frame),
        _ if plausible(data) => inner_ethernet(w, data),
        _ => Err(Malformed::NotIp),
    }
}

/// True when this looks like an Ethernet frame that we could follow.
pub(crate) fn plausible(data: &[u8]) -> bool {
    let Some((h, rest)) = data.split_first_chunk::<14>() else { return false };
    let [.., t0, t1] = *h;
    let version = rest.first().map(|b| b >> 4);
    match u16::from_be_bytes([t0, t1]) {
        IPV4 => version == Some(4),
        IPV6 => version == Some(6),
        ARP | MPLS | MPLS_MULTICAST | PPPOE_SESSION | PBB | NSH => true,
        0..=0x05dc => rest.starts_with(&[0xaa, 0xaa, 3]),
        ty => is_vlan(ty),
    }
}

/// The session stage of PPPoE.
fn pppoe<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some(([0x11, 0, _, _, _, _], rest)) = data.split_first_chunk::<6>() else {
        return Err(if data.len() < 6 { w.short("pppoe-header") } else { Malformed::Bad("pppoe-header") });
    };
    ppp(w, rest)
}

/// PPP from its protocol field on, RFC 1661 section 2; compressed to one odd byte or not.
fn ppp<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let (proto, rest) = match data {
        [p, rest @ ..] if p & 1 == 1 => (u16::from(*p), rest),
        [p, q, rest @ ..] => (u16::from_be_bytes([*p, *q]), rest),
        _ => return Err(w.short("ppp-header")),
    };
    match proto {
        0x0021 => ip::ipv4(w, rest),
        0x0057 => ip::ipv6(w, rest),
        0x0281 | 0x0283 => mpls(w, rest),
        _ => Err(Malformed::NotIp),
    }
}

/// PPP with the address and control bytes of RFC 1662, or without.
pub(crate) fn ppp_framed<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match data {
        [0xff, 3, rest @ ..] => ppp(w, rest),
        _ => ppp(w, data),
    }
}

/// Provider backbone bridges: the I-TAG, then the customer's frame.
fn backbone<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some(([_, a, b, c], rest)) = data.split_first_chunk::<4>() else {
        return Err(w.short("pbb-tag"));
    };
    w.tunnel = Tunnel::Other;
    w.vni = Some(u32::from_be_bytes([0, *a, *b, *c]));
    inner_ethernet(w, rest)
}

/// Network service header: length in words, next protocol; the path is not ours to tell.
pub(crate) fn nsh<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some(([v, len, _, next], _)) = data.split_first_chunk::<4>() else {
        return Err(w.short("nsh-header"));
    };
    let len = usize::from(len & 0x3f) << 2;
    if v >> 6 != 0 || len < 8 {
        return Err(Malformed::Bad("nsh-header"));
    }
    let Some(rest) = data.get(len..) else { return Err(w.short("nsh-header")) };
    w.deeper()?;
    if w.tunnel == Tunnel::None {
        w.tunnel = Tunnel::Other;
    }
    match next {
        1 => ip::ipv4(w, rest),
        2 => ip::ipv6(w, rest),
        3 => ethernet(w, rest),
        4 => nsh(w, rest),
        5 => mpls(w, rest),
        _ => Err(Malformed::NotIp),
    }
}
