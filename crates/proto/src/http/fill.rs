//! From the head of a message to the fields of the record.

use super::head::{Head, Name, RequestLine, Version, known, lists, trim, unfold};
use crate::session::{Limits, Txn};
use record::{Field, Record, Value, f::http as f};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Puts in what a request's head says.
pub(super) fn request(txn: &mut Txn, limits: &Limits, line: &RequestLine<'_>, head: &Head<'_>) {
    let Some(r) = &mut txn.record else { return };
    match known(line.method) {
        Some(m) => r.word(&f::METHOD, m),
        None => r.text(&f::METHOD, line.method),
    }
    put(r, &f::URL, line.target, limits.text);
    let host = head.get(Name::Host);
    let host = if host.is_empty() { authority(line) } else { host };
    if !host.is_empty() {
        put(r, &f::DOMAIN, host, limits.text);
    }
    forward(r, head, limits.text);
    for (name, field) in [
        (Name::UserAgent, &f::AGENT),
        (Name::Cookie, &f::COOKIE),
        (Name::Referer, &f::REFERER),
        (Name::RequestId, &f::X_REQUEST_ID),
    ] {
        if head.has(name) {
            put(r, field, head.get(name), limits.text);
        }
    }
    trace(r, head);
    match line.number.strip_suffix(b".").unwrap_or(line.number) {
        number if line.version == Version::Other && !number.is_empty() => {
            put_raw(r, &f::HTTP_VERSION, number, NUMBER)
        }
        _ => r.word(&f::HTTP_VERSION, line.version.name()),
    }
    put_raw(r, &f::REQ_HEADER, head.bytes, limits.text);
}

/// More digits of a version tell nothing.
const NUMBER: usize = 16;

/// Puts in what an answer's head says.
pub(super) fn response(txn: &mut Txn, limits: &Limits, code: Option<u16>, head: &Head<'_>) {
    let Some(r) = &mut txn.record else { return };
    if let Some(code) = code {
        r.num(&f::RETCODE, u64::from(code));
    }
    if head.has(Name::ContentType) {
        put(r, &f::CONTENTTYPE, head.get(Name::ContentType), limits.text);
    }
    put_raw(r, &f::RSP_HEADER, head.bytes, limits.text);
}

/// A value, folds taken out.
fn put(r: &mut Record, field: &'static Field, value: &[u8], cap: usize) {
    put_raw(r, field, &unfold(value), cap);
}

fn put_raw(r: &mut Record, field: &'static Field, value: &[u8], cap: usize) {
    r.text(field, value.get(..cap).unwrap_or(value));
}

/// Host of an absolute target, or the authority that CONNECT names (RFC 9112 section 3.2).
fn authority<'a>(line: &RequestLine<'a>) -> &'a [u8] {
    if line.method == b"CONNECT" {
        return line.target;
    }
    let Some(at) = line.target.windows(3).take(8).position(|w| w == b"://") else { return &[] };
    let rest = line.target.get(at.saturating_add(3)..).unwrap_or_default();
    let host = rest.split(|b| matches!(b, b'/' | b'?' | b'#')).next().unwrap_or_default();
    host.rsplit(|b| *b == b'@').next().unwrap_or_default()
}

/// The first address that proxies on the way named; `0.0.0.0` when none did.
fn forward(r: &mut Record, head: &Head<'_>, cap: usize) {
    let field = &f::FORWARD;
    let by_list = head.get(Name::ForwardedFor).split(|b| *b == b',').next().map(trim).unwrap_or_default();
    let found = if !by_list.is_empty() {
        by_list
    } else if let Some(node) = forwarded_for(head.get(Name::Forwarded)) {
        node
    } else {
        head.get(Name::RealIp)
    };
    match address(found) {
        _ if found.is_empty() => r.put(field, Value::Ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
        Some(ip) => r.put(field, Value::Ip(ip)),
        None => put(r, field, found, cap),
    }
}

/// The first `for=` of Forwarded, RFC 7239 section 4.
fn forwarded_for(value: &[u8]) -> Option<&[u8]> {
    value.split(|b| matches!(b, b',' | b';')).map(trim).find_map(|pair| {
        let (name, node) = pair.split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then(|| {
            let node = trim(node);
            node.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")).unwrap_or(node)
        })
    })
}

/// An address with or without brackets and port.
fn address(text: &[u8]) -> Option<IpAddr> {
    /// `[` IPv6 with a mapped IPv4 `]:` port.
    const LONGEST: usize = 64;
    let text = std::str::from_utf8(text.get(..LONGEST.min(text.len()))?).ok()?;
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|s| s.ip()))
}

/// Trace and span: W3C Trace Context, else B3 in many headers, else B3 in one.
fn trace(r: &mut Record, head: &Head<'_>) {
    let hex = |s: &[u8]| (16..=32).contains(&s.len()) && s.iter().all(u8::is_ascii_hexdigit);
    let parts = |name: Name, skip: usize| {
        let mut parts = head.get(name).split(|b| *b == b'-').skip(skip);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    };
    let found = if head.has(Name::TraceParent) {
        parts(Name::TraceParent, 1)
    } else if head.has(Name::B3Trace) {
        (head.get(Name::B3Trace), head.get(Name::B3Span))
    } else if head.has(Name::B3) {
        parts(Name::B3, 0)
    } else {
        return;
    };
    for (id, field) in [(found.0, &f::TRACE_ID), (found.1, &f::SPAN_ID)] {
        if hex(id) {
            r.text(field, id);
        }
    }
}

/// Does the request ask to leave HTTP when the answer allows?
pub(super) fn wants_upgrade(head: &Head<'_>) -> bool {
    head.has(Name::Upgrade) && lists(head.get(Name::Connection), b"upgrade")
}
