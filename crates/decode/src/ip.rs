//! IPv4 (RFC 791) and IPv6 (RFC 8200) with extension headers.
//!
//! Frames of large send offload: the total length of IPv4, or the payload length of IPv6, is 0
//! when the packet is larger than the field can say ("BIG TCP"); the frame tells its length.

use crate::walk::{Walk, len32};
use crate::{Fragment, Layer4, Malformed, Packet, l4};
use base::ip_proto;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Extension headers of one packet. RFC 8200 section 4.1 orders seven; hosts may send more.
pub(crate) const MAX_EXTENSIONS: usize = 16;

/// The most that a length field can say.
const MAX_FIELD: usize = 65_535;

/// What the IP header says and layer 4 passes on.
pub(crate) struct Ends {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// Length of the datagram by its header.
    pub(crate) ip_len: u32,
}

/// IP of either version, told by the first nibble.
pub(crate) fn by_version<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match data.first().map(|b| b >> 4) {
        Some(4) => ipv4(w, data),
        Some(6) => ipv6(w, data),
        Some(_) => Err(Malformed::NotIp),
        None => Err(w.short("ip-header")),
    }
}

/// The length that an IP header at this place would claim; `None` when there is none: version,
/// header length or a length beyond what carries it say so.
pub(crate) fn claimed(w: &Walk, data: &[u8]) -> Option<usize> {
    let real = w.real(data);
    let field = |a, b| usize::from(u16::from_be_bytes([a, b]));
    let (least, len) = match *data {
        [v @ 0x45..=0x4f, _, l0, l1, ..] => (usize::from(v & 15) << 2, field(l0, l1)),
        [0x60..=0x6f, _, _, _, 0, 0, ..] if real > MAX_FIELD => (40, 0),
        [0x60..=0x6f, _, _, _, l0, l1, ..] => (40, field(l0, l1).saturating_add(40)),
        _ => return None,
    };
    // Large send offload, see above.
    let len = if len == 0 && real > MAX_FIELD { real } else { len };
    (least..=real).contains(&len).then_some(len)
}

/// True when an IP header seems to be here.
pub(crate) fn plausible(w: &Walk, data: &[u8]) -> bool {
    claimed(w, data).is_some()
}

/// An IPv4 packet.
#[inline]
pub(crate) fn ipv4<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some((h, _)) = data.split_first_chunk::<20>() else {
        return Err(w.short("ipv4-header"));
    };
    let [v, _, l0, l1, i0, i1, f0, f1, _, proto, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *h;
    if v >> 4 != 4 {
        return Err(Malformed::Bad("ipv4-version"));
    }
    let header = usize::from(v & 15) << 2;
    let total = match u16::from_be_bytes([l0, l1]) {
        0 => w.real(data),
        n => usize::from(n),
    };
    if header < 20 || total < header {
        return Err(Malformed::Bad("ipv4-length"));
    }
    let Some(body) = data.get(header..total.min(data.len())) else {
        return Err(w.short("ipv4-options"));
    };
    w.missing = total.saturating_sub(data.len());
    let e = Ends {
        src: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        dst: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        ip_len: len32(total),
    };
    let frag = u16::from_be_bytes([f0, f1]);
    if frag & 0x3fff != 0 {
        let id = u32::from(u16::from_be_bytes([i0, i1]));
        return Ok(fragment(w, &e, proto, id, u32::from(frag & 0x1fff) << 3, frag & 0x2000 != 0, body));
    }
    upper(w, &e, proto, body)
}

/// An IPv6 packet.
#[inline]
pub(crate) fn ipv6<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some((h, rest)) = data.split_first_chunk::<40>() else {
        return Err(w.short("ipv6-header"));
    };
    let [v, _, _, _, l0, l1, next, _, addresses @ ..] = *h;
    if v >> 4 != 6 {
        return Err(Malformed::Bad("ipv6-version"));
    }
    let len = match u16::from_be_bytes([l0, l1]) {
        // A jumbogram (RFC 2675), or offload that leaves the option out.
        0 if next != NO_NEXT => w.real(rest),
        n => usize::from(n),
    };
    let body = rest.get(..len).unwrap_or(rest);
    w.missing = len.saturating_sub(rest.len());
    let (src, dst) = halves(&addresses);
    let e = Ends { src, dst, ip_len: len32(len.saturating_add(40)) };
    upper(w, &e, next, body)
}

/// The two addresses of an IPv6 header.
#[inline]
pub(crate) fn halves(both: &[u8; 32]) -> (IpAddr, IpAddr) {
    let (mut src, mut dst) = ([0; 16], [0; 16]);
    if let (Some(s), Some(d)) = (both.first_chunk::<16>(), both.last_chunk::<16>()) {
        (src, dst) = (*s, *d);
    }
    (IpAddr::V6(Ipv6Addr::from(src)), IpAddr::V6(Ipv6Addr::from(dst)))
}

fn fragment<'a>(
    w: &Walk,
    e: &Ends,
    proto: u8,
    id: u32,
    offset: u32,
    more: bool,
    data: &'a [u8],
) -> Packet<'a> {
    let f = Fragment { id, offset, more, data, len: len32(w.real(data)) };
    w.packet(e, proto, Layer4::Fragment(f), data)
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTH: u8 = 51;
const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Layer 4, or the headers before it.
#[inline]
pub(crate) fn upper<'a>(w: &mut Walk, e: &Ends, proto: u8, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match proto {
        ip_proto::TCP => l4::tcp(w, e, data),
        ip_proto::UDP => l4::udp(w, e, data),
        _ => extensions(w, e, proto, data),
    }
}

/// The headers between IP and layer 4: of IPv6, and AH in either.
fn extensions<'a>(
    w: &mut Walk,
    e: &Ends,
    mut proto: u8,
    mut data: &'a [u8],
) -> Result<Packet<'a>, Malformed> {
    for _ in 0..MAX_EXTENSIONS {
        let len = match extension(e.src.is_ipv6(), proto, data) {
            Extension::Header(len) => len,
            Extension::Fragment => {
                let Some(([next, _, o0, o1, i0, i1, i2, i3], rest)) = data.split_first_chunk::<8>() else {
                    return Err(w.short("ipv6-fragment"));
                };
                let word = u16::from_be_bytes([*o0, *o1]);
                // An atomic fragment (RFC 6946) is whole; the rest waits for the defragmenter.
                if word & 0xfff9 != 0 {
                    let id = u32::from_be_bytes([*i0, *i1, *i2, *i3]);
                    return Ok(fragment(w, e, *next, id, u32::from(word & 0xfff8), word & 1 == 1, rest));
                }
                8
            }
            Extension::Short => return Err(w.short("ipv6-extension")),
            Extension::No => {
                return match proto {
                    ip_proto::TCP => l4::tcp(w, e, data),
                    ip_proto::UDP => l4::udp(w, e, data),
                    _ => l4::other(w, e, proto, data),
                };
            }
        };
        let Some((head, rest)) = data.split_at_checked(len) else {
            return Err(w.short("ipv6-extension"));
        };
        proto = head.first().copied().unwrap_or(NO_NEXT);
        data = rest;
    }
    Err(Malformed::Bad("ipv6-extensions"))
}

/// What a protocol number means on the way to layer 4.
pub(crate) enum Extension {
    /// A header of this length, whose first byte names the next.
    Header(usize),
    /// A fragment header.
    Fragment,
    /// Layer 4.
    No,
    /// A header whose length was not captured.
    Short,
}

/// Tells extension headers and their length.
pub(crate) fn extension(v6: bool, proto: u8, data: &[u8]) -> Extension {
    let units = |f: fn(usize) -> usize| match data.get(1) {
        Some(n) => Extension::Header(f(usize::from(*n))),
        None => Extension::Short,
    };
    match proto {
        HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 if v6 => {
            units(|n| n.saturating_add(1).saturating_mul(8))
        }
        FRAGMENT if v6 => Extension::Fragment,
        AUTH => units(|n| n.saturating_add(2).saturating_mul(4)),
        _ => Extension::No,
    }
}
