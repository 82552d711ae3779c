//! Text as a JSON string (RFC 8259, section 7), for any bytes and fast.
//!
//! This is the hot path of the export: texts are looked through in words of eight bytes. One without
//! anything to escape is copied whole. Else words are copied whole into room for twice the text, and an
//! escape is written over what of the last word was too much. UTF-8 is validated only from the first
//! byte above 0x7f on. What is not UTF-8 becomes U+FFFD, as in `String::from_utf8_lossy`.

/// Appends `text` in quotes.
#[inline]
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len().saturating_add(2));
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// Appends `text` escaped, without quotes.
pub(crate) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let rest = escape_run::<true>(out, text);
    if rest.is_empty() {
        return;
    }
    // The first byte above 0x7f: from here on validity matters.
    let (valid, rest) = match std::str::from_utf8(rest) {
        Ok(_) => (rest, &[][..]),
        Err(e) => rest.split_at_checked(e.valid_up_to()).unwrap_or((&[], rest)),
    };
    escape_run::<false>(out, valid);
    for chunk in rest.utf8_chunks() {
        escape_run::<false>(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Every byte of a word set to `b`.
const fn splat(b: u8) -> u64 {
    u64::from_ne_bytes([b; 8])
}

/// Bit 7 is set in bytes that need a look: `"`, `\`, below 0x20 and, with `HIGH`, above 0x7f.
/// Bytes after the first such byte can be marked wrongly (the borrow runs upwards), the first is exact.
#[inline]
const fn marks<const HIGH: bool>(w: u64) -> u64 {
    let quote = (w ^ splat(b'"')).wrapping_sub(splat(1));
    let slash = (w ^ splat(b'\\')).wrapping_sub(splat(1));
    let some = quote | slash | w.wrapping_sub(splat(0x20));
    // Of bytes below 0x80, bit 7 is set only by the borrow; of others it says nothing.
    (if HIGH { some | w } else { some & !w }) & splat(0x80)
}

/// Length of the beginning of `text` that can be copied as it is.
#[inline]
fn plain<const HIGH: bool>(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    let mut n: usize = 0;
    for word in words {
        let m = marks::<HIGH>(u64::from_le_bytes(*word));
        if m != 0 {
            return n.saturating_add((m.trailing_zeros() >> 3) as usize);
        }
        n = n.saturating_add(8);
    }
    let tail =
        tail.iter().take_while(|b| !(**b < 0x20 || **b == b'"' || **b == b'\\' || (HIGH && **b > 0x7f)));
    n.saturating_add(tail.count())
}

/// Escapes up to the end or, with `HIGH`, up to the first byte above 0x7f; gives back the rest.
#[inline]
fn escape_run<'a, const HIGH: bool>(out: &mut Vec<u8>, text: &'a [u8]) -> &'a [u8] {
    let Some((run, mut rest)) = text.split_at_checked(plain::<HIGH>(text)) else { return &[] };
    out.extend_from_slice(run);
    while rest.first().is_some_and(|b| !HIGH || *b < 0x80) {
        let n = escape_piece::<HIGH>(out, rest);
        rest = rest.get(n..).unwrap_or_default();
    }
    rest
}

/// What each byte is written as, and in the last place how many bytes that is.
static WRITTEN: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut b = 0u8;
    let mut left = table.as_mut_slice();
    while let Some((place, rest)) = left.split_first_mut() {
        *place = match b {
            b'"' | b'\\' => [b'\\', b, 0, 0, 0, 0, 0, 2],
            b'\n' => [b'\\', b'n', 0, 0, 0, 0, 0, 2],
            b'\r' => [b'\\', b'r', 0, 0, 0, 0, 0, 2],
            b'\t' => [b'\\', b't', 0, 0, 0, 0, 0, 2],
            0..0x20 => [b'\\', b'u', b'0', b'0', super::digits::hex(b >> 4), super::digits::hex(b), 0, 6],
            _ => [b, 0, 0, 0, 0, 0, 0, 1],
        };
        b = b.wrapping_add(1);
        left = rest;
    }
    table
};

/// Bytes that are given room at a time.
const PIECE: usize = 512;

/// Room that is left free behind a piece: for a word and an escape beyond what is meant of it.
const SLACK: usize = 16;

/// Escapes the beginning of `text`, at least one byte, as far as the room of a piece goes or, with
/// `HIGH`, up to a byte above 0x7f. Gives back how much it was.
fn escape_piece<const HIGH: bool>(out: &mut Vec<u8>, text: &[u8]) -> usize {
    let begin = out.len();
    let room = text.len().min(PIECE).saturating_mul(2).saturating_add(SLACK);
    out.resize(begin.saturating_add(room), 0);
    let room = out.get_mut(begin..).unwrap_or_default();
    let (mut at, mut to) = (0usize, 0usize);
    while let Some(word) = text.get(at..at.wrapping_add(8)).and_then(<[u8]>::first_chunk)
        && let Some(place) =
            room.get_mut(to..to.wrapping_add(SLACK)).and_then(<[u8]>::first_chunk_mut::<SLACK>)
    {
        let w = u64::from_le_bytes(*word);
        let m = marks::<HIGH>(w);
        put(place, 0, word);
        if m == 0 {
            (at, to) = (at.wrapping_add(8), to.wrapping_add(8));
            continue;
        }
        let n = m.trailing_zeros() >> 3;
        let b = w.wrapping_shr(n.wrapping_mul(8)) as u8;
        (at, to) = (at.wrapping_add(n as usize), to.wrapping_add(n as usize));
        if HIGH && b > 0x7f {
            out.truncate(begin.saturating_add(to));
            return at;
        }
        let Some(written @ [.., len]) = WRITTEN.get(usize::from(b)) else { break };
        put(place, n as usize, written);
        (at, to) = (at.wrapping_add(1), to.wrapping_add(usize::from(*len)));
    }
    // The last bytes, too few for a word.
    let tail = text.get(at..).filter(|t| t.len() < 8).unwrap_or_default();
    for b in tail.iter().take_while(|b| !HIGH || **b < 0x80) {
        let Some(place) = room.get_mut(to..to.wrapping_add(8)).and_then(<[u8]>::first_chunk_mut::<8>) else {
            break;
        };
        let Some(written @ [.., len]) = WRITTEN.get(usize::from(*b)) else { break };
        *place = *written;
        (at, to) = (at.wrapping_add(1), to.wrapping_add(usize::from(*len)));
    }
    out.truncate(begin.saturating_add(to));
    at
}

/// Puts eight bytes at a place from 0 to 8.
#[inline]
fn put(room: &mut [u8; SLACK], at: usize, eight: &[u8; 8]) {
    if let Some(place) = room.get_mut(at..at.wrapping_add(8)).and_then(<[u8]>::first_chunk_mut) {
        *place = *eight;
    }
}

/// Appends text for a terminal: every control character (C0, C1 and DEL) becomes a dot.
pub(crate) fn printable(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            let c = if c.is_control() { '.' } else { c };
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// For fuzzing: any bytes as a JSON string, read back.
#[doc(hidden)]
pub fn fuzz_json(data: &[u8]) {
    let mut out = Vec::new();
    string(&mut out, data);
    let text = std::str::from_utf8(&out).unwrap_or_default();
    let mut chars = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or_default().chars();
    let mut back = String::new();
    while let Some(c) = chars.next() {
        assert!(c >= ' ' && c != '"', "unescaped");
        back.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let code = chars.by_ref().take(4).try_fold(0, |n, c| Some(n << 4 | c.to_digit(16)?));
                    code.and_then(char::from_u32).unwrap_or('\u{fffd}')
                }
                other => other.unwrap_or('\u{fffd}'),
            },
            c => c,
        });
    }
    assert_eq!(back, String::from_utf8_lossy(data), "what was written is read");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rng;

    fn check(text: &[u8]) {
        let mut out = Vec::new();
        string(&mut out, text);
        fuzz_json(text);
        let back: String = serde_json::from_slice(&out).unwrap();
        assert_eq!(back, String::from_utf8_lossy(text));
        assert!(out.iter().all(|b| *b >= 0x20));
    }

    #[test]
    fn every_byte_at_every_place() {
        for b in 0..=255u8 {
            for at in 0..20 {
                let mut text = *b"abcdefghijklmnopqrst";
                text[at] = b;
                check(&text);
            }
        }
    }

    #[test]
    fn random_texts_come_back() {
        let mut rng = Rng::new(7);
        let bits = ["\r\n", "\"", "\\", "ü", "漢字", "😀", "plain text ", "\u{0}", "\u{7f}", "\u{2028}"];
        for _ in 0..2000 {
            let mut text = Vec::new();
            for _ in 0..rng.below(12) {
                match rng.below(4) {
                    0 => text.push(rng.next() as u8),
                    _ => text.extend_from_slice(bits[rng.below(bits.len())].as_bytes()),
                }
            }
            text.truncate(rng.below(text.len() + 1));
            check(&text);
        }
    }

    #[test]
    fn a_cut_character_becomes_one_replacement() {
        let mut out = Vec::new();
        string(&mut out, &"ab漢".as_bytes()[..4]);
        assert_eq!(out, "\"ab\u{fffd}\"".as_bytes());
    }
}
