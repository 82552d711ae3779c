//! Layer 4: TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), ICMP (RFC 792), ICMPv6 (RFC 4443).
//!
//! A capture may end anywhere. Ports, sequence number and flags are enough to count a segment
//! for its flow; options and payload that were not captured are no reason to refuse it.

use crate::ip::{self, Ends, Extension};
use crate::tunnel;
use crate::walk::Walk;
use crate::{Icmp, IcmpKind, Layer4, Malformed, Packet, Tcp, TcpFlags};
use base::{Reader, ip_proto};
use std::net::{IpAddr, Ipv4Addr};

/// A TCP segment.
#[inline]
pub(crate) fn tcp<'a>(w: &mut Walk, e: &Ends, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some((h, _)) = data.split_first_chunk::<14>() else {
        return Err(w.short("tcp-header"));
    };
    let [p0, p1, q0, q1, s0, s1, s2, s3, a0, a1, a2, a3, off, flags] = *h;
    let header = usize::from(off >> 4) << 2;
    let real = w.real(data);
    if header < 20 || header > real {
        return Err(Malformed::Bad("tcp-offset"));
    }
    let mut tcp = Tcp {
        sport: u16::from_be_bytes([p0, p1]),
        dport: u16::from_be_bytes([q0, q1]),
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags(flags),
        window: match data.get(14..16) {
            Some([a, b]) => u16::from_be_bytes([*a, *b]),
            _ => 0,
        },
        wscale: None,
    };
    if tcp.flags.syn() {
        tcp.wscale = window_scale(data.get(20..header.min(data.len())).unwrap_or_default());
    }
    let payload = data.get(header..).unwrap_or_default();
    w.missing = real.saturating_sub(header).saturating_sub(payload.len());
    Ok(w.packet(e, ip_proto::TCP, Layer4::Tcp(tcp), payload))
}

/// The window scale option, RFC 7323 section 2.2: kind 3. Shifts above 14 mean 14.
fn window_scale(mut options: &[u8]) -> Option<u8> {
    loop {
        options = match options {
            [3, 3, shift, ..] => return Some(*shift.min(&14)),
            [1, rest @ ..] => rest,
            // At least two bytes forward: at most 20 rounds.
            [kind, len, ..] if *kind > 1 && *len > 1 => options.get(usize::from(*len)..)?,
            _ => return None,
        };
    }
}

/// A UDP datagram, and what may be tunnelled in it.
#[inline]
pub(crate) fn udp<'a>(w: &mut Walk, e: &Ends, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some(([p0, p1, q0, q1], rest)) = data.split_first_chunk::<4>() else {
        return Err(w.short("udp-header"));
    };
    let (sport, dport) = (u16::from_be_bytes([*p0, *p1]), u16::from_be_bytes([*q0, *q1]));
    let mut real = w.real(data);
    if let [l0, l1, ..] = *rest {
        // Shorter than the IP payload: the rest is padding. 0: a jumbogram or offload.
        match usize::from(u16::from_be_bytes([l0, l1])) {
            0 => {}
            len => real = real.min(len),
        }
    }
    if real < 8 {
        return Err(Malformed::Bad("udp-length"));
    }
    let payload = data.get(8..real.min(data.len())).unwrap_or_default();
    w.missing = real.saturating_sub(8).saturating_sub(payload.len());
    if w.decap
        && let Some(kind) = tunnel::carrier(sport, dport, payload)
        && let Some(inner) = tunnel::over_udp(w, kind, payload)?
    {
        return Ok(inner);
    }
    Ok(w.packet(e, ip_proto::UDP, Layer4::Udp { sport, dport }, payload))
}

/// Any other protocol of layer 4.
pub(crate) fn other<'a>(w: &mut Walk, e: &Ends, proto: u8, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    match proto {
        ip_proto::ICMP if e.src.is_ipv4() => icmp(w, e, proto, data),
        ip_proto::ICMPV6 if e.src.is_ipv6() => icmp(w, e, proto, data),
        ip_proto::SCTP => sctp(w, e, data),
        _ => match tunnel::over_ip(w, proto, data)? {
            Some(inner) => Ok(inner),
            None => Ok(w.packet(e, proto, Layer4::Other, data)),
        },
    }
}

/// The payload behind a header of fixed length, as far as it was captured.
fn after<'a>(w: &mut Walk, data: &'a [u8], header: usize) -> &'a [u8] {
    let left = w.real(data).saturating_sub(header);
    let payload = data.get(header..).unwrap_or_default();
    w.missing = left.saturating_sub(payload.len());
    payload
}

/// SCTP: only the ports of the common header.
fn sctp<'a>(w: &mut Walk, e: &Ends, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some([p0, p1, q0, q1]) = data.first_chunk::<4>() else {
        return Err(w.short("sctp-header"));
    };
    let (sport, dport) = (u16::from_be_bytes([*p0, *p1]), u16::from_be_bytes([*q0, *q1]));
    let payload = after(w, data, 12);
    Ok(w.packet(e, ip_proto::SCTP, Layer4::Sctp { sport, dport }, payload))
}

/// ICMP and ICMPv6.
fn icmp<'a>(w: &mut Walk, e: &Ends, proto: u8, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some([ty, code]) = data.first_chunk::<2>() else {
        return Err(w.short("icmp-header"));
    };
    let kind = kind(proto, *ty, data).unwrap_or(IcmpKind::Other);
    let icmp = Icmp { ty: *ty, code: *code, kind };
    let payload = after(w, data, 8);
    Ok(w.packet(e, proto, Layer4::Icmp(icmp), payload))
}

/// What the message is; `None` when it is of no kind that flows care for.
fn kind(proto: u8, ty: u8, data: &[u8]) -> Option<IcmpKind> {
    let (header, quoted) = data.split_first_chunk::<8>()?;
    let [.., i0, i1, s0, s1] = *header;
    let (id, seq) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1]));
    match (proto, ty) {
        (ip_proto::ICMP, 8) | (ip_proto::ICMPV6, 128) => Some(IcmpKind::EchoRequest(id, seq)),
        (ip_proto::ICMP, 0) | (ip_proto::ICMPV6, 129) => Some(IcmpKind::EchoReply(id, seq)),
        // Unreachable, quench, redirect, time exceeded, parameter problem.
        (ip_proto::ICMP, 3 | 4 | 5 | 11 | 12) => quoted_v4(quoted),
        // Unreachable, too big, time exceeded, parameter problem.
        (ip_proto::ICMPV6, 1..=4) => quoted_v6(quoted),
        _ => None,
    }
}

/// The ends of a quoted IPv4 packet.
fn quoted_v4(data: &[u8]) -> Option<IcmpKind> {
    let (h, _) = data.split_first_chunk::<20>()?;
    let [v, _, _, _, _, _, f0, f1, _, proto, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *h;
    let header = usize::from(v & 15) << 2;
    if v >> 4 != 4 || header < 20 {
        return None;
    }
    let first = u16::from_be_bytes([f0, f1]) & 0x1fff == 0;
    let (sport, dport) = ports(proto, first, data.get(header..).unwrap_or_default())?;
    let src = (IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)), sport);
    let dst = (IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)), dport);
    Some(IcmpKind::Error { src, dst, proto })
}

/// The ends of a quoted IPv6 packet, behind its extension headers.
fn quoted_v6(data: &[u8]) -> Option<IcmpKind> {
    let (h, mut rest) = data.split_first_chunk::<40>()?;
    let [v, _, _, _, _, _, mut proto, _, addresses @ ..] = *h;
    if v >> 4 != 6 {
        return None;
    }
    let mut first = true;
    for _ in 0..ip::MAX_EXTENSIONS {
        let len = match ip::extension(true, proto, rest) {
            Extension::Header(len) => len,
            Extension::Fragment => {
                let [_, _, o0, o1, ..] = *rest else { return None };
                first = u16::from_be_bytes([o0, o1]) & 0xfff8 == 0;
                8
            }
            Extension::No => {
                let (sport, dport) = ports(proto, first, rest)?;
                let (src, dst) = ip::halves(&addresses);
                return Some(IcmpKind::Error { src: (src, sport), dst: (dst, dport), proto });
            }
            Extension::Short => return None,
        };
        proto = *rest.first()?;
        rest = rest.get(len..)?;
        if !first {
            rest = &[];
        }
    }
    None
}

/// Ports of a quoted packet: of an echo its identifier, on both sides; 0 where there are none.
/// `None` when there must be some but they are not quoted.
fn ports(proto: u8, first: bool, data: &[u8]) -> Option<(u16, u16)> {
    let mut r = Reader::new(data);
    match proto {
        ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP => {
            if !first {
                return None;
            }
            Some((r.be16("port").ok()?, r.be16("port").ok()?))
        }
        ip_proto::ICMP | ip_proto::ICMPV6 if first => match *data {
            [8 | 128 | 0 | 129, _, _, _, i0, i1, ..] => {
                let id = u16::from_be_bytes([i0, i1]);
                Some((id, id))
            }
            _ => Some((0, 0)),
        },
        _ => Some((0, 0)),
    }
}
