//! Words, numbers and addresses of a filter expression.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::names::{CONSTANTS, find, keyword};

/// Longest expression taken; a list of some thousand hosts is shorter, and what is longer
/// would not fit into a program anyway.
pub(super) const MAX_EXPR: usize = 64 * 1024;

/// A protocol that can qualify an id, stand alone, or be indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proto {
    Link,
    Ip,
    Ip6,
    Arp,
    Rarp,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    Igmp,
    Igrp,
    Pim,
    Vrrp,
    Carp,
    Ah,
    Esp,
    /// Known by its ether type or its LLC service access point only.
    Ether(u32),
}

/// A word with a meaning in the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Proto(Proto),
    Src,
    Dst,
    Host,
    Net,
    Mask,
    Port,
    PortRange,
    ProtoWord,
    Broadcast,
    Multicast,
    Less,
    Greater,
    Len,
    Vlan,
    Mpls,
    Pppoed,
    Pppoes,
    Llc,
    Inbound,
    Outbound,
    Ifindex,
    And,
    Or,
    Not,
    /// libpcap has it, we do not.
    Unsupported,
}

/// A comparison as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rel {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Num(u32),
    /// An address of two to four parts, and the number of bits that were written.
    V4(u32, u32),
    V6([u32; 4]),
    Mac([u8; 6]),
    Name,
    Key(Key),
    Open,
    Close,
    BracketOpen,
    BracketClose,
    Colon,
    Rel(Rel),
    /// An arithmetic operator: `+ - * / % & | ^`, `l` for `<<`, `r` for `>>`.
    Op(u8),
}

/// What is wrong with an expression: where, how much of it, and what would have been right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bad {
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) expected: &'static str,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tok<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// For an opening parenthesis: what follows its closing one is arithmetic.
    pub(super) arith: bool,
}

/// All tokens of an expression; the last one is `End`.
pub(super) fn tokens(expr: &str) -> Result<Vec<Tok<'_>>, Bad> {
    let mut out: Vec<Tok<'_>> = Vec::new();
    if expr.len() > MAX_EXPR {
        return Err(Bad { at: MAX_EXPR, len: 0, expected: "no more than 65536 bytes" });
    }
    let (mut at, mut open, mut brackets) = (0, Vec::new(), 0u32);
    while let Some(c) = expr.as_bytes().get(at).copied() {
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let rest = expr.get(at..).unwrap_or_default();
        let (kind, len) = if is_word(c, brackets) {
            word(at, rest, brackets)?
        } else if c == b'\\' {
            let len = rest.find([' ', '\t', '\n', '(', ')', '!']).unwrap_or(rest.len());
            (Kind::Name, len)
        } else {
            {
                let len = rest.chars().next().map_or(1, char::len_utf8);
                symbol(rest).ok_or(Bad { at, len, expected: "a word, a number or an operator" })?
            }
        };
        match kind {
            Kind::BracketOpen => brackets += 1,
            Kind::BracketClose => brackets = brackets.saturating_sub(1),
            Kind::Open => open.push(out.len()),
            _ => {}
        }
        let text = rest.get(..len).unwrap_or_default();
        out.push(Tok { kind, text: text.strip_prefix('\\').unwrap_or(text), at, arith: false });
        at += len;
    }
    out.push(Tok { kind: Kind::End, text: "", at, arith: false });
    mark_arithmetic(&mut out);
    Ok(out)
}

/// Marks the parentheses that belong to arithmetic: an operator or a comparison follows the
/// closing one, or it stands in one that is marked.
fn mark_arithmetic(tokens: &mut [Tok<'_>]) {
    let mut stack: Vec<bool> = Vec::new();
    let mut next = Kind::End;
    for tok in tokens.iter_mut().rev() {
        match tok.kind {
            Kind::Close => {
                let inner = matches!(next, Kind::Rel(_) | Kind::Op(_));
                stack.push(inner || (next == Kind::Close && stack.last() == Some(&true)));
            }
            Kind::Open => tok.arith = stack.pop().unwrap_or(false),
            _ => {}
        }
        next = tok.kind;
    }
}

const fn is_word(c: u8, brackets: u32) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || (c == b':' && brackets == 0)
}

/// Operators and punctuation: the longest first.
fn symbol(rest: &str) -> Option<(Kind, usize)> {
    let b = rest.as_bytes();
    let two = match b.first_chunk::<2>() {
        Some(b"&&") => Some(Kind::Key(Key::And)),
        Some(b"||") => Some(Kind::Key(Key::Or)),
        Some(b"==") => Some(Kind::Rel(Rel::Eq)),
        Some(b"!=") => Some(Kind::Rel(Rel::Ne)),
        Some(b"<=") => Some(Kind::Rel(Rel::Le)),
        Some(b">=") => Some(Kind::Rel(Rel::Ge)),
        Some(b"<<") => Some(Kind::Op(b'l')),
        Some(b">>") => Some(Kind::Op(b'r')),
        _ => None,
    };
    if let Some(kind) = two {
        return Some((kind, 2));
    }
    let one = match *b.first()? {
        b'(' => Kind::Open,
        b')' => Kind::Close,
        b'[' => Kind::BracketOpen,
        b']' => Kind::BracketClose,
        b':' => Kind::Colon,
        b'!' => Kind::Key(Key::Not),
        b'=' => Kind::Rel(Rel::Eq),
        b'<' => Kind::Rel(Rel::Lt),
        b'>' => Kind::Rel(Rel::Gt),
        c @ (b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^') => Kind::Op(c),
        _ => return None,
    };
    Some((one, 1))
}

fn word(at: usize, rest: &str, brackets: u32) -> Result<(Kind, usize), Bad> {
    let end =
        rest.bytes().position(|c| !(is_word(c, brackets) || c == b'.' || c == b'-')).unwrap_or(rest.len());
    let text = rest.get(..end).unwrap_or_default().trim_end_matches(['-', '_']);
    if text.is_empty() {
        return Err(Bad { at, len: 1, expected: "a word, a number or an operator" });
    }
    let bad = |expected| Bad { at, len: text.len(), expected };
    let digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let kind = if let Some(mac) = mac(text) {
        Kind::Mac(mac)
    } else if text.contains(':') {
        let addr: Ipv6Addr = text.parse().map_err(|_| bad("an IPv6 or Ethernet address"))?;
        let [a, b, c, d, e, f, g, h] = addr.segments().map(u32::from);
        Kind::V6([a << 16 | b, c << 16 | d, e << 16 | f, g << 16 | h])
    } else if digit && text.bytes().all(|c| c.is_ascii_digit()) {
        // As in C, a leading zero means octal.
        let radix = if text.len() > 1 && text.starts_with('0') { 8 } else { 10 };
        Kind::Num(u32::from_str_radix(text, radix).map_err(|_| bad("a number of 32 bits"))?)
    } else if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Kind::Num(u32::from_str_radix(hex, 16).map_err(|_| bad("a hexadecimal number of 32 bits"))?)
    } else if digit && text.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        let (addr, bits) = dotted(text).ok_or_else(|| bad("an IPv4 address or the first parts of one"))?;
        Kind::V4(addr, bits)
    } else if let Some(key) = keyword(text) {
        Kind::Key(key)
    } else if let Some(value) = find(CONSTANTS, text) {
        Kind::Num(value)
    } else {
        Kind::Name
    };
    Ok((kind, text.len()))
}

/// `a.b`, `a.b.c` or `a.b.c.d`, left-aligned, and how many bits that is.
fn dotted(text: &str) -> Option<(u32, u32)> {
    let parts = text.bytes().filter(|&c| c == b'.').count();
    if parts == 3
        && let Ok(addr) = text.parse::<Ipv4Addr>()
    {
        return Some((u32::from(addr), 32));
    }
    let (mut addr, mut bits) = (0u32, 0u32);
    for part in text.split('.') {
        if bits == 32 {
            return None;
        }
        addr |= u32::from(part.parse::<u8>().ok()?) << (24 - bits);
        bits += 8;
    }
    Some((addr, bits))
}

/// `aa:bb:cc:dd:ee:ff` (also with `-` or `.`), `aabb.ccdd.eeff` or `aabbccddeeff`.
fn mac(text: &str) -> Option<[u8; 6]> {
    let mut out = [0; 6];
    let sep = text.bytes().find(|c| !c.is_ascii_hexdigit());
    let digits = match sep {
        None => 12,
        Some(b'.') if text.len() == 14 => 4,
        Some(b':' | b'-' | b'.') => {
            let mut parts = text.split(sep.map_or(':', char::from));
            for byte in &mut out {
                let part = parts.next().filter(|p| p.len() <= 2)?;
                *byte = u8::from_str_radix(part, 16).ok()?;
            }
            return if parts.next().is_none() { Some(out) } else { None };
        }
        Some(_) => return None,
    };
    let mut nibbles = 0u64;
    let mut count = 0;
    for part in text.split('.') {
        if part.len() != digits {
            return None;
        }
        nibbles = nibbles << (digits * 4) | u64::from_str_radix(part, 16).ok()?;
        count += part.len();
    }
    if count != 12 {
        return None;
    }
    let [_, _, mac @ ..] = nibbles.to_be_bytes();
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(expr: &str) -> Vec<Kind> {
        tokens(expr).unwrap().iter().map(|t| t.kind).collect()
    }

    #[test]
    fn words_and_addresses() {
        assert_eq!(kinds("10.1 0x10 010")[..3], [Kind::V4(0x0a01_0000, 16), Kind::Num(16), Kind::Num(8)]);
        assert_eq!(kinds("::1")[0], Kind::V6([0, 0, 0, 1]));
        let mac = Kind::Mac([0, 0x11, 0x22, 0xaa, 0xbb, 0xcc]);
        for text in ["00:11:22:aa:bb:cc", "0-11-22-aa-bb-cc", "0011.22aa.bbcc", "001122aabbcc"] {
            assert_eq!(kinds(text)[0], mac, "{text}");
        }
        assert_eq!(kinds("ip[2:2]")[2..5], [Kind::Num(2), Kind::Colon, Kind::Num(2)]);
        assert_eq!(kinds("80-90 \\tcp")[..2], [Kind::Name, Kind::Name]);
        assert_eq!(tokens("a \\tcp").unwrap()[1].text, "tcp");
        assert_eq!(tokens("ip é").unwrap_err().at, 3);
        assert!(tokens("1.2.3.4.5").is_err());
        assert!(tokens("host 1.2.3.999").is_err());
        assert!(tokens("4294967296").is_err());
    }

    #[test]
    fn arithmetic_parentheses() {
        let marks = |expr| tokens(expr).unwrap().iter().map(|t| t.arith).collect::<Vec<_>>();
        assert!(marks("(len) > 5")[0]);
        assert!(!marks("(len > 5)")[0]);
        assert!(!marks("(ip)")[0]);
        let nested = marks("((1) + len) = 5");
        assert!(nested[0] && nested[1]);
    }
}
