//! Is this TDS? By pre-login and login, or in the middle by requests and answers.

use super::types::b_varchar;
use super::wire::{
    HEADER, Header, SMID, SMP, all_headers, header, is_tls, message, prelogin, smp, smp_header, status,
};
use crate::session::Verdict;
use base::Reader;

/// Characters of a statement that are looked at.
const TEXT: usize = 24;
/// Fewer are no proof.
const ENOUGH: usize = 6;

/// What frames and packets of one direction look like.
fn framed(head: &[u8], body: fn(Header, &[u8]) -> Verdict) -> Verdict {
    /// Frames looked at one behind the other.
    const CHAIN: usize = 4;
    let mut rest = head;
    let mut verdict = Verdict::More;
    if rest.first() == Some(&SMID) {
        for i in 0..CHAIN {
            let Some((smp, tail)) = rest.split_first_chunk::<SMP>() else {
                let fits = rest.is_empty() || rest.first() == Some(&SMID);
                return if fits { verdict } else { Verdict::No };
            };
            let Some(h) = smp_header(smp) else { return Verdict::No };
            if h.flags == smp::DATA {
                return match packet(tail.get(..h.len).unwrap_or(tail), body) {
                    Verdict::More if i > 0 => Verdict::Yes,
                    verdict => verdict,
                };
            }
            // Three headers in a row.
            if i >= 2 {
                verdict = Verdict::Yes;
            }
            rest = tail;
        }
        return verdict;
    }
    // A packet may fit and prove nothing, as an attention does: those behind it are looked at too.
    rest = head;
    for _ in 0..CHAIN {
        verdict = packet(rest, body);
        let len = rest.first_chunk().and_then(|h| header(*h)).map_or(usize::MAX, |h| h.len);
        match (verdict, rest.get(len.saturating_add(HEADER)..)) {
            (Verdict::More, Some(next)) if !next.is_empty() && next.first() != Some(&SMID) => rest = next,
            _ => break,
        }
    }
    verdict
}

fn packet(bytes: &[u8], body: fn(Header, &[u8]) -> Verdict) -> Verdict {
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER>() else {
        // What there is must fit.
        let mut first = [4, 0, 0, 8, 0, 0, 0, 0];
        first.iter_mut().zip(bytes).for_each(|(to, b)| *to = *b);
        return if header(first).is_some() { Verdict::More } else { Verdict::No };
    };
    let Some(h) = header(*head) else { return Verdict::No };
    let (whole, tail) = rest.split_at_checked(h.len).unwrap_or((rest, &[]));
    // What follows must be a packet, too, or TLS.
    if let Some(next) = tail.first_chunk::<HEADER>()
        && header(*next).is_none()
        && !is_tls(tail)
    {
        return Verdict::No;
    }
    body(h, whole)
}

/// What a client sends.
pub(super) fn client(head: &[u8]) -> Verdict {
    framed(head, request)
}

/// What a server sends.
pub(super) fn server(head: &[u8]) -> Verdict {
    framed(head, answer)
}

/// Text of two bytes a character: `Yes` when enough of it is plain letters.
fn text(bytes: &[u8]) -> Verdict {
    let mut seen = 0usize;
    for c in bytes.as_chunks::<2>().0.iter().take(TEXT) {
        match c {
            [b' '..=b'~' | b'\t' | b'\r' | b'\n', 0] => seen = seen.saturating_add(1),
            _ => return Verdict::No,
        }
    }
    if seen >= ENOUGH { Verdict::Yes } else { Verdict::More }
}

fn request(h: Header, body: &[u8]) -> Verdict {
    let whole = body.len() == h.len;
    let ends = h.status & status::END != 0;
    // The length of the headers in front, if there are any.
    let headed = |body: &[u8]| {
        let total = Reader::new(body).le32("length").map_or(usize::MAX, |n| n as usize);
        !whole && (body.len() < 4 || total > body.len() && total < 4096)
    };
    match h.kind {
        message::PRELOGIN if is_tls(body) => Verdict::Yes,
        message::PRELOGIN => match prelogin(body, |_, _| ()) {
            true => Verdict::Yes,
            false if whole => Verdict::No,
            false => Verdict::More,
        },
        message::LOGIN => {
            let mut r = Reader::new(body);
            match (r.le32("length"), r.array::<4>("version")) {
                // All of the login is in one packet as a rule.
                (Ok(n), Ok([_, _, _, 0x70..=0x7f | 8])) if n as usize == h.len || !ends => Verdict::Yes,
                (Ok(_), Ok(_)) => Verdict::No,
                _ if whole => Verdict::No,
                _ => Verdict::More,
            }
        }
        message::OLD_LOGIN => match (h.len, body.get(30), body.get(61)) {
            (500..=1024, Some(0..=30), Some(0..=30)) => Verdict::Yes,
            (500..=1024, ..) if body.len() < 62 => Verdict::More,
            _ => Verdict::No,
        },
        message::BATCH | message::RPC | message::TRANSACTION if all_headers(body).is_some() => Verdict::Yes,
        message::BATCH | message::RPC | message::TRANSACTION if headed(body) => Verdict::More,
        message::BATCH => match text(body) {
            // 4.2: one byte a character.
            Verdict::No if ends && words(body) && (whole || body.len() >= TEXT) => Verdict::Yes,
            Verdict::No if ends && !whole && body.len() < TEXT && body.iter().all(|b| is_plain(*b)) => {
                Verdict::More
            }
            Verdict::More if !whole => Verdict::More,
            Verdict::More => Verdict::No,
            verdict => verdict,
        },
        message::RPC => match body {
            [0xff, 0xff, 1..=15, 0, ..] => Verdict::Yes,
            [n, 0, name @ ..] if *n > 2 => {
                match text(name.get(..usize::from(*n).saturating_mul(2)).unwrap_or(name)) {
                    Verdict::More if whole => Verdict::No,
                    verdict => verdict,
                }
            }
            [] | [_] if !whole => Verdict::More,
            _ => Verdict::No,
        },
        // LANGUAGE.
        message::TOKENS => match body.split_at_checked(6) {
            Some(([0x21, ..], text)) if words(text) => Verdict::Yes,
            Some(([0x21, ..], text)) if text.len() < ENOUGH.saturating_mul(2) && !whole => Verdict::More,
            Some(_) => Verdict::No,
            None => Verdict::More,
        },
        message::ATTENTION if h.len == 0 && ends => Verdict::More,
        message::BULK if body.first() == Some(&0x81) => Verdict::More,
        message::SSPI if body.starts_with(b"NTLMSSP") || body.starts_with(&[0xa1]) => Verdict::More,
        _ => Verdict::No,
    }
}

fn is_plain(b: u8) -> bool {
    matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n')
}

/// Begins like a statement, in one byte a character.
fn words(body: &[u8]) -> bool {
    let head = body.get(..TEXT).unwrap_or(body);
    head.len() >= ENOUGH
        && head.iter().all(|b| is_plain(*b))
        && head.iter().filter(|b| b.is_ascii_alphabetic()).count() >= ENOUGH
}

fn answer(h: Header, body: &[u8]) -> Verdict {
    let whole = body.len() == h.len;
    let ends = h.status & status::END != 0;
    match (h.kind, body) {
        (message::PRELOGIN | message::ANSWER, [0x16, 3, ..]) => return Verdict::Yes,
        (message::PRELOGIN, [] | [0x16]) if h.len > 0 => return Verdict::More,
        (message::ANSWER, []) if h.len > 0 => return Verdict::More,
        (message::ANSWER | message::TOKENS, _) => {}
        _ => return Verdict::No,
    }
    if prelogin(body, |_, _| ()) {
        return Verdict::Yes;
    }
    let mut r = Reader::new(body);
    let first = r.u8("token").unwrap_or_default();
    let length = r.le16("length").map_or(0, usize::from);
    let named = |body: &[u8]| {
        // After the number, state and class: a message.
        let mut r = Reader::new(body);
        r.skip(6, "number, state, class").is_ok() && {
            let n = r.le16("length").map_or(0, usize::from);
            n.saturating_mul(2) <= length && n > 0 && text(r.take_up_to(n.saturating_mul(2))) != Verdict::No
        }
    };
    match first {
        0 if !whole => Verdict::More,
        0xaa | 0xab if length > 12 && named(r.rest()) => Verdict::Yes,
        0xe3 if (2..1024).contains(&length) => {
            let mut r = Reader::new(r.take_up_to(length));
            match (r.u8("what"), b_varchar(&mut r)) {
                (Ok(1..=5), Ok(new)) if text(new) != Verdict::No => Verdict::Yes,
                (Ok(1..=20), _) => Verdict::More,
                _ => Verdict::No,
            }
        }
        0xad if (10..512).contains(&length) => Verdict::More,
        // DONE alone.
        0xfd..=0xff if whole && ends && matches!(h.len, 9 | 13) => Verdict::Yes,
        0xfd..=0xff if length & !0x1f7 == 0 && h.len >= 9 => Verdict::More,
        0x81 if length <= 4096 => Verdict::More,
        0xd1 | 0xd2 | 0x79 | 0x78 | 0xa9 | 0xac | 0xae | 0xe4 | 0xed | 0xee | 0xe5 | 0xaa | 0xab => {
            Verdict::More
        }
        _ => Verdict::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u(s: &str) -> Vec<u8> {
        s.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn pack(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 1][..], &(body.len() as u16 + 8).to_be_bytes(), &[0, 0, 1, 0], body].concat()
    }

    #[test]
    fn requests_are_known_anywhere_in_a_connection() {
        let headers = b"\x16\0\0\0\x12\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0";
        let all: &[Vec<u8>] = &[
            pack(0x12, b"\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x08\0\x01\x55\0\0\x02"),
            pack(1, &[&headers[..], &u("select 1")].concat()),
            pack(1, &u("select 1")),
            pack(3, &[&headers[..], &[0xff, 0xff, 10, 0, 0, 0]].concat()),
            pack(3, &[&[6, 0][..], &u("p_test"), &[0, 0]].concat()),
            pack(0x0e, &[&headers[..], &[5, 0, 0, 0]].concat()),
            pack(0x0f, b"\x21\x09\0\0\0\0select 1"),
            pack(1, b"select 1"),
        ];
        for p in all {
            assert_eq!(client(p), Verdict::Yes, "{p:?}");
            assert_eq!(server(p), Verdict::No, "{p:?}");
            for n in 1..p.len() {
                assert_ne!(client(&p[..n]), Verdict::No, "{n} of {p:?}");
            }
            let smp = [&b"\x53\x08\0\0"[..], &(p.len() as u32 + 16).to_le_bytes(), &[0; 8], p].concat();
            assert_eq!(client(&smp), Verdict::Yes);
        }
    }

    #[test]
    fn answers_are_known_too() {
        let done = b"\xfd\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(server(&pack(4, done)), Verdict::Yes);
        assert_eq!(server(&pack(4, b"\xe3\x0b\0\x01\x03a\0b\0c\0\0\0\0")), Verdict::Yes);
        assert_eq!(server(&pack(4, b"\x81\x01\0\0\0\0\0")), Verdict::More);
        assert_eq!(server(&pack(4, &[0x16, 3, 3, 0])), Verdict::Yes);
    }

    #[test]
    fn others_are_left_alone() {
        let others: &[&[u8]] = &[
            b"GET / HTTP/1.1\r\n",
            b"\x03\0\0\0\x01ab",                 // MySQL
            b"\x12\0\0\0\x03select 1 from t",    // MySQL
            b"\0\0\0\x08\x04\xd2\x16\x2f",       // PostgreSQL
            b"*1\r\n$4\r\nPING\r\n",             // Redis
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc", // TLS
            b"SSH-2.0-OpenSSH_9\r\n",
            b"\x10\x1b\0\x04MQTT\x04\x02\0\x3c\0\x0fcccc", // MQTT
            b"\0\x3a\0\0\x01\0\0\0\x01\x3a\x01\x2c",       // TNS
            b"\x04\x01\0\x09\0\0\0\x01XXXX",               // CQL
        ];
        for o in others {
            assert_eq!(client(o), Verdict::No, "{o:?}");
            assert_eq!(server(o), Verdict::No, "{o:?}");
        }
    }
}
