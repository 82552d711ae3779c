//! The data of resource records as text, as in a zone file: RFC 1035 section 5, RFC 3597 for
//! what has no form of its own, and the RFCs named beside the types. Names are written without
//! the last dot. Output is printable ASCII.

use super::wire::{Bad, Cursor, Rr, escaped, write_type};
use base::Short;
use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Why a value was not written to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The output takes no more.
    Full,
    /// The data are not what the type says.
    Bad,
}

impl From<fmt::Error> for Stop {
    fn from(_: fmt::Error) -> Stop {
        Stop::Full
    }
}

impl From<Bad> for Stop {
    fn from(_: Bad) -> Stop {
        Stop::Bad
    }
}

impl From<Short> for Stop {
    fn from(_: Short) -> Stop {
        Stop::Bad
    }
}

type Done = Result<(), Stop>;

/// Writes `TYPE value`. Malformed data end in `<malformed>`.
pub(super) fn write_rr(out: &mut dyn Write, rr: &Rr<'_>) -> Done {
    write_type(out, rr.rtype)?;
    out.write_char(' ')?;
    let mut data = rr.data;
    let done = value(out, rr.rtype, &mut data);
    if done == Err(Stop::Bad) {
        out.write_str("<malformed>")?;
    }
    done
}

/// How the fixed parts of a type's data are written, one letter each:
/// `b` `w` `d` a number of 8, 16, 32 bits; `t` a type; `n` a name; `s` a string in quotes;
/// `S` all that is left as strings; `4` an IPv4 address; `x` the rest in hex; `X` it in hex with a
/// length octet, `-` when empty; `h` it with a length octet in base32hex; `6` the rest in base64;
/// `u` the rest as one string in quotes; `m` type bitmaps.
fn form(rtype: u16) -> Option<&'static str> {
    Some(match rtype {
        2 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 23 | 39 => "n",
        6 => "nnddddd",
        13 | 16 | 19 | 20 | 27 | 56 | 99 | 258 | 261 | 262 => "S",
        14 | 17 | 58 => "nn",
        15 | 18 | 21 | 36 | 107 => "wn",
        24 | 46 => "tbbdddwn6", // RRSIG, RFC 4034 section 3; times as numbers, section 3.2
        25 | 48 | 57 | 60 => "wbb6", // DNSKEY, RFC 4034 section 2
        26 => "wnn",            // PX, RFC 2163
        33 => "wwwn",           // SRV, RFC 2782
        35 => "wwsssn",         // NAPTR, RFC 3403
        37 => "wwb6",           // CERT, RFC 4398
        43 | 59 | 32768 | 32769 => "wbbx", // DS, RFC 4034 section 5
        44 => "bbx",            // SSHFP, RFC 4255
        47 => "nm",             // NSEC, RFC 4034 section 4
        49 | 61 => "6",         // DHCID, OPENPGPKEY
        50 => "bbwXhm",         // NSEC3, RFC 5155 section 3
        51 => "bbwX",           // NSEC3PARAM, RFC 5155 section 4
        52 | 53 => "bbbx",      // TLSA, RFC 6698; SMIMEA, RFC 8162
        62 => "dwm",            // CSYNC, RFC 7477
        63 => "dbbx",           // ZONEMD, RFC 8976
        66 => "tbwn",           // DSYNC, RFC 9859
        105 => "w4",            // L32, RFC 6742
        256 => "wwu",           // URI, RFC 7553
        _ => return None,
    })
}

fn value(out: &mut dyn Write, rtype: u16, c: &mut Cursor<'_>) -> Done {
    match rtype {
        28 => write!(out, "{}", Ipv6Addr::from(c.r.array::<16>("")?))?,
        1 => write!(out, "{}", Ipv4Addr::from(c.r.array::<4>("")?))?,
        29 if c.r.peek() == Some(0) => location(out, c)?,
        42 => prefixes(out, c)?,
        45 => ipsec_key(out, c)?,
        64 | 65 => service(out, c)?,
        104 | 106 => {
            // NID, L64: RFC 6742.
            let (pref, [a, b, e, f, g, h, i, j]) = (c.r.be16("")?, c.r.array::<8>("")?);
            write!(out, "{pref} {a:02x}{b:02x}:{e:02x}{f:02x}:{g:02x}{h:02x}:{i:02x}{j:02x}")?;
        }
        108 | 109 => dashed(out, c)?,
        257 => {
            // CAA, RFC 8659.
            write!(out, "{} ", c.r.u8("")?)?;
            let n = c.r.u8("")?;
            escaped(out, c.r.take(usize::from(n), "")?, b' ')?;
            out.write_char(' ')?;
            quoted(out, take_all(c))?;
        }
        _ => match form(rtype) {
            Some(form) => {
                for (i, part) in form.bytes().enumerate() {
                    write_part(out, part, c, i > 0)?;
                }
            }
            None => return unknown(out, c),
        },
    }
    if c.r.is_empty() { Ok(()) } else { Err(Stop::Bad) }
}

fn write_part(out: &mut dyn Write, part: u8, c: &mut Cursor<'_>, space: bool) -> Done {
    if space && part != b'm' {
        out.write_char(' ')?;
    }
    match part {
        b'b' => write!(out, "{}", c.r.u8("")?)?,
        b'w' => write!(out, "{}", c.r.be16("")?)?,
        b'd' => write!(out, "{}", c.r.be32("")?)?,
        b't' => write_type(out, c.r.be16("")?)?,
        b'n' => write!(out, "{}", c.name()?)?,
        b's' => string(out, c)?,
        b'S' => {
            string(out, c)?;
            while !c.r.is_empty() {
                out.write_char(' ')?;
                string(out, c)?;
            }
        }
        b'4' => write!(out, "{}", Ipv4Addr::from(c.r.array::<4>("")?))?,
        b'x' => hex(out, take_all(c))?,
        b'X' => match counted(c)? {
            [] => out.write_char('-')?,
            salt => hex(out, salt)?,
        },
        b'h' => base32(out, counted(c)?)?,
        b'6' => base64(out, take_all(c))?,
        b'u' => quoted(out, take_all(c))?,
        _ => bitmaps(out, c)?,
    }
    Ok(())
}

fn take_all<'a>(c: &mut Cursor<'a>) -> &'a [u8] {
    let n = c.r.left();
    c.r.take_up_to(n)
}

/// Octets behind a length octet.
fn counted<'a>(c: &mut Cursor<'a>) -> Result<&'a [u8], Short> {
    let n = c.r.u8("")?;
    c.r.take(usize::from(n), "")
}

fn quoted(out: &mut dyn Write, octets: &[u8]) -> fmt::Result {
    out.write_char('"')?;
    escaped(out, octets, b'"')?;
    out.write_char('"')
}

fn string(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    Ok(quoted(out, counted(c)?)?)
}

fn hex(out: &mut dyn Write, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|b| write!(out, "{b:02x}"))
}

/// RFC 3597 section 5: `\# length hex`.
fn unknown(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    let octets = take_all(c);
    write!(out, "\\# {}", octets.len())?;
    if !octets.is_empty() {
        out.write_char(' ')?;
    }
    Ok(hex(out, octets)?)
}

/// Writes groups of `bits` bits by `alphabet`; padding is left to the caller.
fn radix(out: &mut dyn Write, octets: &[u8], bits: u32, alphabet: &[u8]) -> fmt::Result {
    let mut put = |v: u32| out.write_char(alphabet.get(v as usize).map_or('?', |b| char::from(*b)));
    let mask = 1u32.wrapping_shl(bits).wrapping_sub(1);
    let (mut held, mut have) = (0u32, 0u32);
    for b in octets {
        held = held.wrapping_shl(8) & 0xffff | u32::from(*b);
        have = have.saturating_add(8);
        while have >= bits {
            have = have.saturating_sub(bits);
            put(held.wrapping_shr(have) & mask)?;
        }
    }
    if have > 0 {
        put(held.wrapping_shl(bits.saturating_sub(have)) & mask)?;
    }
    Ok(())
}

/// RFC 4648 section 4.
fn base64(out: &mut dyn Write, octets: &[u8]) -> fmt::Result {
    radix(out, octets, 6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")?;
    out.write_str(match octets.len() % 3 {
        1 => "==",
        2 => "=",
        _ => "",
    })
}

/// RFC 4648 section 7 without padding, as in NSEC3 (RFC 5155 section 3.3).
fn base32(out: &mut dyn Write, octets: &[u8]) -> fmt::Result {
    radix(out, octets, 5, b"0123456789abcdefghijklmnopqrstuv")
}

/// Type bitmaps, RFC 4034 section 4.1.2; each type with a blank before it.
fn bitmaps(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    while !c.r.is_empty() {
        let window = u16::from(c.r.u8("")?);
        let bytes = counted(c)?;
        if bytes.len() > 32 {
            return Err(Stop::Bad);
        }
        for (i, byte) in (0u16..).zip(bytes) {
            for bit in (0u16..8).filter(|bit| byte & 0x80u8.wrapping_shr(u32::from(*bit)) != 0) {
                out.write_char(' ')?;
                write_type(out, window << 8 | i << 3 | bit)?;
            }
        }
    }
    Ok(())
}

/// EUI48 and EUI64, RFC 7043.
fn dashed(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    for (i, b) in take_all(c).iter().enumerate() {
        write!(out, "{}{b:02x}", if i > 0 { "-" } else { "" })?;
    }
    Ok(())
}

/// LOC, RFC 1876 section 3.
fn location(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    let [_version, size, horizontal, vertical] = c.r.array::<4>("")?;
    for [plus, minus] in [["N", "S"], ["E", "W"]] {
        let v = i64::from(c.r.be32("")?).saturating_sub(1 << 31);
        let (ms, side) = (v.unsigned_abs(), if v < 0 { minus } else { plus });
        let (d, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(out, "{d} {m} {s}.{:03} {side} ", ms % 1000)?;
    }
    let altitude = i64::from(c.r.be32("")?).saturating_sub(10_000_000);
    let (sign, cm) = (if altitude < 0 { "-" } else { "" }, altitude.unsigned_abs());
    write!(out, "{sign}{}.{:02}m", cm / 100, cm % 100)?;
    for p in [size, horizontal, vertical] {
        let cm = u64::from(p >> 4).saturating_mul(10u64.saturating_pow(u32::from(p & 15)));
        write!(out, " {}.{:02}m", cm / 100, cm % 100)?;
    }
    Ok(())
}

/// APL, RFC 3123: `1:192.0.2.0/24`, `!` for exclusion.
fn prefixes(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    let mut first = true;
    while !c.r.is_empty() {
        let (family, prefix, n) = (c.r.be16("")?, c.r.u8("")?, c.r.u8("")?);
        let part = c.r.take(usize::from(n & 0x7f), "")?;
        let mut octets = [0u8; 16];
        octets.get_mut(..part.len()).ok_or(Stop::Bad)?.copy_from_slice(part);
        let sep = if std::mem::take(&mut first) { "" } else { " " };
        write!(out, "{sep}{}{family}:", if n & 0x80 != 0 { "!" } else { "" })?;
        match (family, octets) {
            (1, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => write!(out, "{a}.{b}.{c}.{d}")?,
            (2, octets) => write!(out, "{}", Ipv6Addr::from(octets))?,
            _ => hex(out, part)?,
        }
        write!(out, "/{prefix}")?;
    }
    Ok(())
}

/// IPSECKEY, RFC 4025.
fn ipsec_key(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    let [precedence, gateway, algorithm] = c.r.array::<3>("")?;
    write!(out, "{precedence} {gateway} {algorithm} ")?;
    match gateway {
        0 => out.write_char('.')?,
        1 => write!(out, "{}", Ipv4Addr::from(c.r.array::<4>("")?))?,
        2 => write!(out, "{}", Ipv6Addr::from(c.r.array::<16>("")?))?,
        3 => write!(out, "{}", c.name()?)?,
        _ => return Err(Stop::Bad),
    }
    out.write_char(' ')?;
    Ok(base64(out, take_all(c))?)
}

/// SVCB and HTTPS, RFC 9460: `1 . alpn=h2,h3 ipv4hint=192.0.2.1`.
fn service(out: &mut dyn Write, c: &mut Cursor<'_>) -> Done {
    let priority = c.r.be16("")?;
    write!(out, "{priority} {}", c.name()?)?;
    while !c.r.is_empty() {
        let (key, n) = (c.r.be16("")?, c.r.be16("")?);
        let mut v = c.r.sub(usize::from(n), "")?;
        /// The IANA registry "SVCB Service Parameters", by number.
        const KEYS: [&str; 11] = [
            "mandatory",
            "alpn",
            "no-default-alpn",
            "port",
            "ipv4hint",
            "ech",
            "ipv6hint",
            "dohpath",
            "ohttp",
            "tls-supported-groups",
            "docpath",
        ];
        let name = |out: &mut dyn Write, key: u16| match KEYS.get(usize::from(key)) {
            Some(name) => out.write_str(name),
            None => write!(out, "key{key}"),
        };
        out.write_char(' ')?;
        name(out, key)?;
        if v.is_empty() {
            continue;
        }
        out.write_char('=')?;
        let mut first = true;
        while !v.is_empty() {
            if !std::mem::take(&mut first) {
                out.write_char(',')?;
            }
            match key {
                0 => name(out, v.be16("")?)?,
                1 => {
                    let n = v.u8("")?;
                    escaped(out, v.take(usize::from(n), "")?, b',')?;
                }
                3 | 9 => write!(out, "{}", v.be16("")?)?,
                4 => write!(out, "{}", Ipv4Addr::from(v.array::<4>("")?))?,
                5 => base64(out, v.take_up_to(usize::MAX))?,
                6 => write!(out, "{}", Ipv6Addr::from(v.array::<16>("")?))?,
                _ => escaped(out, v.take_up_to(usize::MAX), b' ')?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of one record: name `.`, class IN, TTL 0.
    fn text(rtype: u16, data: &[u8]) -> String {
        let mut msg = vec![0];
        msg.extend_from_slice(&rtype.to_be_bytes());
        msg.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
        msg.extend_from_slice(&(data.len() as u16).to_be_bytes());
        msg.extend_from_slice(data);
        let mut out = String::new();
        let _ = write_rr(&mut out, &Cursor::new(&msg).rr().unwrap());
        assert!(out.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{out}");
        out
    }

    #[test]
    fn common_types() {
        assert_eq!(text(5, b"\x03www\x01x\0"), "CNAME www.x");
        assert_eq!(text(15, b"\0\x0a\x02mx\x01x\0"), "MX 10 mx.x");
        assert_eq!(text(16, b"\x05v=1 \"\x02\xc3\xa9"), "TXT \"v=1 \\\"\" \"\\195\\169\"");
        assert_eq!(text(33, b"\0\x01\0\x02\x13\xc4\x01a\0"), "SRV 1 2 5060 a");
        assert_eq!(
            text(6, b"\x01a\0\x01b\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05"),
            "SOA a b 1 2 3 4 5"
        );
        assert_eq!(text(13, b"\x03x86\x05Linux"), "HINFO \"x86\" \"Linux\"");
        assert_eq!(
            text(35, b"\0\x0a\0\x14\x01u\x07E2U+sip\x03!a!\0"),
            "NAPTR 10 20 \"u\" \"E2U+sip\" \"!a!\" ."
        );
        assert_eq!(text(257, b"\0\x05issueca.example"), "CAA 0 issue \"ca.example\"");
        assert_eq!(text(256, b"\0\x0a\0\x01ftp://x/"), "URI 10 1 \"ftp://x/\"");
    }

    #[test]
    fn dnssec_types() {
        assert_eq!(text(43, b"\xed\x5e\x08\x02\xab\xcd"), "DS 60766 8 2 abcd");
        assert_eq!(text(48, b"\x01\x01\x03\x08\x03\x01\0\x01"), "DNSKEY 257 3 8 AwEAAQ==");
        assert_eq!(
            text(46, b"\0\x01\x08\x02\0\0\x0e\x10\0\0\0\x02\0\0\0\x01\xab\xcd\x01x\0\xff\xff"),
            "RRSIG A 8 2 3600 2 1 43981 x //8="
        );
        // A NS SOA in window 0, CAA (257) in window 1.
        assert_eq!(text(47, b"\x01b\0\0\x01\x62\x01\x01\x40"), "NSEC b A NS SOA CAA");
        assert_eq!(
            text(50, b"\x01\x00\0\x0a\x02\xaa\xbb\x05fooba\0\x01\x40"),
            "NSEC3 1 0 10 aabb cpnmuoj1 A"
        );
        assert_eq!(text(51, b"\x01\x00\0\x00\x00"), "NSEC3PARAM 1 0 0 -");
        assert_eq!(text(44, b"\x04\x02\x12\x34"), "SSHFP 4 2 1234");
        assert_eq!(text(52, b"\x03\x01\x01\xff"), "TLSA 3 1 1 ff");
    }

    #[test]
    fn rarer_types() {
        assert_eq!(
            text(
                65,
                b"\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\x01\xbb\0\x04\0\x04\xc0\0\x02\x01\0\x02\0\0"
            ),
            "HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1 no-default-alpn"
        );
        // RFC 1876 section 4: 42 21 54 N 71 06 18 W -24m 30m (10000m 10m)
        assert_eq!(
            text(29, b"\0\x33\x16\x13\x89\x17\x2d\xd0\x70\xbe\x15\xf0\0\x98\x8d\x20"),
            "LOC 42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"
        );
        assert_eq!(text(42, b"\0\x01\x18\x03\xc0\0\x02\0\x02\x08\x81\xfe"), "APL 1:192.0.2.0/24 !2:fe00::/8");
        assert_eq!(text(45, b"\x0a\x01\x02\xc0\0\x02\x26\xff\xff\xff"), "IPSECKEY 10 1 2 192.0.2.38 ////");
        assert_eq!(text(108, b"\0\0\x5e\0\x53\x2a"), "EUI48 00-00-5e-00-53-2a");
        assert_eq!(text(104, b"\0\x0a\0\x14\x4f\xff\xff\x20\xee\x64"), "NID 10 0014:4fff:ff20:ee64");
        assert_eq!(text(731, b"\xab\xcd"), "TYPE731 \\# 2 abcd");
        assert_eq!(text(10, b""), "NULL \\# 0");
    }

    #[test]
    fn malformed_data_are_named_so() {
        assert_eq!(text(15, b"\0"), "MX <malformed>");
        assert_eq!(text(5, b"\x01a\0x"), "CNAME a<malformed>", "something behind the name");
        assert_eq!(text(16, b"\x05ab"), "TXT <malformed>");
        assert_eq!(text(1, b"\x01\x02\x03"), "A <malformed>");
    }
}
