//! Encapsulations in IP and UDP.
//!
//! GRE (RFC 2784, 2890; routing of RFC 1701; PPTP RFC 2637), ERSPAN (draft-foschiano-erspan),
//! VXLAN (RFC 7348) and VXLAN-GPE, Geneve (RFC 8926), GTP-U (3GPP TS 29.281), Teredo (RFC 4380),
//! MPLS in UDP (RFC 7510) and IP (RFC 4023), IP in IP (RFC 2003, 2473, 4213), EtherIP (RFC 3378).
//!
//! A port number proves nothing: each header must hold what its specification demands, and an
//! IP packet must follow. Else the caller reports the outer packet.

use crate::{Malformed, Packet, ether, ip, walk::Walk, wifi};
use base::{Reader, Short, Tunnel};

const IPIP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const ETHERIP: u8 = 97;
const MPLS_IN_IP: u8 = 137;

const GTP_U_PORT: u16 = 2152;
const TEREDO_PORT: u16 = 3544;
const GENEVE_PORT: u16 = 6081;
const MPLS_PORT: u16 = 6635;
const VXLAN_PORT: u16 = 4789;
const VXLAN_GPE_PORT: u16 = 4790;
/// The port of Linux before the assignment; flannel keeps it.
const VXLAN_OLD_PORT: u16 = 8472;

/// Source routes in one GRE header, and GTP-U extension headers: none in practice.
const MAX_PARTS: usize = 8;

/// The inner packet; `None` when there is none that we understand.
type Inner<'a> = Result<Option<Packet<'a>>, Malformed>;

/// Too deep is told as such: whoever nests that deep shall not hide behind an outer flow.
fn settle(inner: Result<Packet<'_>, Malformed>) -> Inner<'_> {
    match inner {
        Ok(p) => Ok(Some(p)),
        Err(Malformed::TooDeep) => Err(Malformed::TooDeep),
        Err(_) => Ok(None),
    }
}

/// A header that is too short, or does not hold what it must.
const NOT_THIS: Malformed = Malformed::Bad("tunnel");

/// In this file a header that ends early is another way of not being a tunnel: see [`settle`].
impl From<Short> for Malformed {
    fn from(s: Short) -> Malformed {
        Malformed::Bad(s.0)
    }
}

/// Takes off what travels directly in IP.
pub(crate) fn over_ip<'a>(outer: &Walk, proto: u8, data: &'a [u8]) -> Inner<'a> {
    if !outer.decap || !matches!(proto, IPIP | IPV6_IN_IP | GRE | ETHERIP | MPLS_IN_IP) {
        return Ok(None);
    }
    let mut w = *outer;
    w.deeper()?;
    settle(match proto {
        GRE => gre(&mut w, data),
        ETHERIP => ether_ip(&mut w, data),
        MPLS_IN_IP => {
            enter(&mut w, Tunnel::Other, None);
            ether::mpls(&mut w, data)
        }
        _ => {
            enter(&mut w, Tunnel::IpIp, None);
            plausible_ip(&mut w, data)
        }
    })
}

/// What a UDP datagram may carry.
#[derive(Clone, Copy)]
pub(crate) enum Carrier {
    Vxlan,
    /// A VXLAN header on a port that is not VXLAN's.
    MaybeVxlan,
    Geneve,
    Gtp,
    Teredo,
    Mpls,
}

/// The hint of the ports and the first bytes; for nearly all datagrams `None`.
#[inline]
pub(crate) fn carrier(sport: u16, dport: u16, payload: &[u8]) -> Option<Carrier> {
    match dport {
        VXLAN_PORT | VXLAN_GPE_PORT | VXLAN_OLD_PORT => Some(Carrier::Vxlan),
        GENEVE_PORT => Some(Carrier::Geneve),
        GTP_U_PORT => Some(Carrier::Gtp),
        TEREDO_PORT => Some(Carrier::Teredo),
        MPLS_PORT => Some(Carrier::Mpls),
        _ if sport == GTP_U_PORT => Some(Carrier::Gtp),
        _ if sport == TEREDO_PORT => Some(Carrier::Teredo),
        _ if payload.starts_with(&[8, 0, 0, 0]) => Some(Carrier::MaybeVxlan),
        _ => None,
    }
}

/// Takes off what travels in UDP.
#[cold]
pub(crate) fn over_udp<'a>(outer: &Walk, kind: Carrier, data: &'a [u8]) -> Inner<'a> {
    if matches!(kind, Carrier::MaybeVxlan) && !exact_vxlan(outer, data) {
        return Ok(None);
    }
    let mut w = *outer;
    w.deeper()?;
    settle(match kind {
        Carrier::Vxlan | Carrier::MaybeVxlan => vxlan(&mut w, data),
        Carrier::Geneve => geneve(&mut w, data),
        Carrier::Gtp => gtp(&mut w, data),
        Carrier::Teredo => teredo(&mut w, data),
        Carrier::Mpls => {
            enter(&mut w, Tunnel::MplsUdp, None);
            ether::mpls(&mut w, data)
        }
    })
}

fn enter(w: &mut Walk, tunnel: Tunnel, vni: Option<u32>) {
    w.tunnel = tunnel;
    w.vni = vni;
}

fn plausible_ip<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    if ip::plausible(w, data) { ip::by_version(w, data) } else { Err(NOT_THIS) }
}

/// A payload named by an EtherType, as GRE, Geneve and others do.
fn typed<'a>(w: &mut Walk, ty: u16, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match ty {
        ether::TEB => ether::ethernet(w, data),
        ether::IPV4 | ether::IPV6 | ether::MPLS | ether::MPLS_MULTICAST | ether::NSH => {
            ether::ethertype(w, ty, data)
        }
        _ => Err(Malformed::NotIp),
    }
}

const GRE_CHECKSUM: u16 = 0x8000;
const GRE_ROUTING: u16 = 0x4000;
const GRE_KEY: u16 = 0x2000;
const GRE_SEQUENCE: u16 = 0x1000;
const GRE_ACK: u16 = 0x0080;

fn gre<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut r = Reader::new(data);
    let flags = r.be16("gre")?;
    let ty = r.be16("gre")?;
    match flags & 7 {
        // Strict source route and recursion control of RFC 1701 may be set; the rest is reserved.
        0 if flags & 0x00f8 == 0 => {}
        1 => return enhanced_gre(w, flags, ty, r),
        _ => return Err(NOT_THIS),
    }
    if flags & (GRE_CHECKSUM | GRE_ROUTING) != 0 {
        r.skip(4, "gre-checksum")?;
    }
    let key = if flags & GRE_KEY != 0 { Some(r.be32("gre-key")?) } else { None };
    if flags & GRE_SEQUENCE != 0 {
        r.skip(4, "gre-sequence")?;
    }
    if flags & GRE_ROUTING != 0 {
        source_routes(&mut r)?;
    }
    enter(w, Tunnel::Gre, key);
    let data = r.rest();
    match ty {
        0x88be if flags & GRE_SEQUENCE == 0 => {
            enter(w, Tunnel::Erspan, None);
            ether::ethernet(w, data)
        }
        0x88be | 0x22eb => erspan(w, r),
        // WCCP: version 2 puts a redirect header of four bytes before the packet.
        0x883e if ip::plausible(w, data) => ip::by_version(w, data),
        0x883e => {
            r.skip(4, "wccp")?;
            plausible_ip(w, r.rest())
        }
        0x880b => ether::ppp_framed(w, data),
        // Access points of Aruba (by traffic class) and Aerohive send 802.11 frames.
        0x8200..=0x83f0 if ty & 0xf == 0 => wifi::ieee80211(w, data),
        0xfeae => wifi::ieee80211(w, data),
        _ => typed(w, ty, data),
    }
}

/// Source route entries of RFC 1701: family, offset, length; a zero family and length ends them.
fn source_routes(r: &mut Reader<'_>) -> Result<(), Malformed> {
    for _ in 0..MAX_PARTS {
        let family = r.be16("gre-route")?;
        let [_, len] = r.array::<2>("gre-route")?;
        if family == 0 && len == 0 {
            return Ok(());
        }
        r.skip(usize::from(len), "gre-route")?;
    }
    Err(NOT_THIS)
}

/// GRE version 1: PPTP (RFC 2637 section 4.1), and MikroTik's Ethernet over IP.
fn enhanced_gre<'a>(w: &mut Walk, flags: u16, ty: u16, mut r: Reader<'a>) -> Result<Packet<'a>, Malformed> {
    if flags & 0xef78 != GRE_KEY {
        return Err(NOT_THIS);
    }
    let len = usize::from(r.be16("gre-length")?);
    let [c0, c1] = r.array("gre-call")?;
    match ty {
        0x880b => {
            enter(w, Tunnel::Gre, Some(u32::from(u16::from_be_bytes([c0, c1]))));
            if flags & GRE_SEQUENCE != 0 {
                r.skip(4, "gre-sequence")?;
            }
            if flags & GRE_ACK != 0 {
                r.skip(4, "gre-ack")?;
            }
            ether::ppp_framed(w, r.rest())
        }
        0x6400 if len == w.real(r.rest()) => {
            enter(w, Tunnel::Gre, Some(u32::from(u16::from_le_bytes([c0, c1]))));
            ether::ethernet(w, r.rest())
        }
        _ => Err(NOT_THIS),
    }
}

/// ERSPAN types II and III: version, VLAN; session; then the mirrored frame.
fn erspan<'a>(w: &mut Walk, mut r: Reader<'a>) -> Result<Packet<'a>, Malformed> {
    let version = r.be16("erspan")? >> 12;
    let session = u32::from(r.be16("erspan")? & 0x03ff);
    r.skip(4, "erspan")?;
    enter(w, Tunnel::Erspan, Some(session));
    match version {
        1 => ether::ethernet(w, r.rest()),
        2 => {
            let word = r.be32("erspan")?;
            // The O bit announces a platform specific subheader.
            if word & 1 == 1 {
                r.skip(8, "erspan-platform")?;
            }
            // Frame type: 0 is Ethernet, 2 a bare IP packet.
            match (word >> 10) & 0x1f {
                0 => ether::ethernet(w, r.rest()),
                2 => plausible_ip(w, r.rest()),
                _ => Err(NOT_THIS),
            }
        }
        _ => Err(NOT_THIS),
    }
}

fn vxlan<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut r = Reader::new(data);
    let [flags, _, _, next] = r.array("vxlan")?;
    let vni = r.be24("vxlan")?;
    r.skip(1, "vxlan")?;
    enter(w, Tunnel::Vxlan, Some(vni));
    let data = r.rest();
    // I must be set; P (draft-ietf-nvo3-vxlan-gpe) makes the fourth byte the next protocol.
    // Group policy (G, 0x80) and other extensions use the reserved bytes: they are not judged,
    // what follows is.
    match (flags & 0x3c, next) {
        (0x08, _) if ether::plausible(data) => ether::ethernet(w, data),
        (0x0c, 1 | 2) => plausible_ip(w, data),
        (0x0c, 3) if ether::plausible(data) => ether::ethernet(w, data),
        (0x0c, 4) => ether::nsh(w, data),
        (0x0c, 5) => ether::mpls(w, data),
        _ => Err(NOT_THIS),
    }
}

/// VXLAN beyond doubt, for ports that are not its own: all reserved bits zero, and an IP packet
/// in Ethernet that fills the datagram to the byte (or is padded to the least Ethernet payload).
fn exact_vxlan(w: &Walk, data: &[u8]) -> bool {
    let [8, 0, 0, 0, _, _, _, 0, inner @ ..] = data else { return false };
    let Some((h, rest)) = inner.split_first_chunk::<14>() else { return false };
    let [.., t0, t1] = *h;
    let (len, body) = match (u16::from_be_bytes([t0, t1]), rest) {
        (ether::IPV4, [0x45..=0x4f, _, a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        (ether::IPV6, [0x60..=0x6f, _, _, _, a, b, ..]) => {
            (usize::from(u16::from_be_bytes([*a, *b])).saturating_add(40), rest)
        }
        _ => return false,
    };
    let real = w.real(body);
    len >= 20 && (len == real || (len < real && real == 46))
}

fn geneve<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut r = Reader::new(data);
    let [first, flags] = r.array("geneve")?;
    let ty = r.be16("geneve")?;
    let vni = r.be24("geneve")?;
    let reserved = r.u8("geneve")?;
    if first >> 6 != 0 || flags & 0x3f != 0 || reserved != 0 {
        return Err(NOT_THIS);
    }
    r.skip(usize::from(first & 0x3f) << 2, "geneve-options")?;
    enter(w, Tunnel::Geneve, Some(vni));
    typed(w, ty, r.rest())
}

fn gtp<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut r = Reader::new(data);
    let [flags, 255] = r.array::<2>("gtp")? else { return Err(NOT_THIS) };
    let len = usize::from(r.be16("gtp")?);
    let teid = r.be32("gtp")?;
    // Version 1, protocol type GTP, spare bit 0.
    if flags & 0xf8 != 0x30 || len > w.real(r.rest()) {
        return Err(NOT_THIS);
    }
    if flags & 7 != 0 {
        r.skip(3, "gtp-options")?;
        let mut next = r.u8("gtp-options")?;
        let mut parts: usize = 0;
        while flags & 4 != 0 && next != 0 {
            // Length in units of four bytes, the length and next type included.
            let len = usize::from(r.u8("gtp-extension")?) << 2;
            if len == 0 || parts == MAX_PARTS {
                return Err(NOT_THIS);
            }
            r.skip(len.saturating_sub(2), "gtp-extension")?;
            next = r.u8("gtp-extension")?;
            parts = parts.saturating_add(1);
        }
    }
    enter(w, Tunnel::Gtp, Some(teid));
    plausible_ip(w, r.rest())
}

/// Teredo, RFC 4380 section 5.1.1: authentication and origin indication may come first.
fn teredo<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let mut r = Reader::new(data);
    if r.rest().starts_with(&[0, 1]) {
        r.skip(2, "teredo")?;
        let [id, auth] = r.array("teredo")?;
        r.skip(usize::from(id), "teredo-id")?;
        r.skip(usize::from(auth), "teredo-auth")?;
        // Nonce and confirmation.
        r.skip(9, "teredo-nonce")?;
    }
    if r.rest().starts_with(&[0, 0]) {
        r.skip(8, "teredo-origin")?;
    }
    let data = r.rest();
    let Some((h, _)) = data.split_first_chunk::<40>() else { return Err(NOT_THIS) };
    let [v, _, _, _, _, _, _, _, addresses @ ..] = *h;
    // One end is a Teredo address (2001::/32) or, in setup, a link-local one.
    let (src, dst) = addresses.split_at(16);
    let known = |a: &[u8]| a.starts_with(&[0x20, 1, 0, 0]) || a.starts_with(&[0xfe, 0x80]);
    if v >> 4 != 6 || !(known(src) || known(dst)) {
        return Err(NOT_THIS);
    }
    enter(w, Tunnel::Teredo, None);
    plausible_ip(w, data)
}

fn ether_ip<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let [0x30, 0, frame @ ..] = data else { return Err(NOT_THIS) };
    enter(w, Tunnel::Other, None);
    ether::ethernet(w, frame)
}
