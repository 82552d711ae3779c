//! Is this the compressed protocol? By the first command of a connection that was joined in the middle: a client sends
//! short ones as they are, longer ones packed.

use super::probe::{self, one_command, packet};
use super::wire::{HEADER, header};
use crate::body::Coding;
use crate::session::Verdict;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// What a frame of zstd begins with.
pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Length of a compressed packet's header.
const LONG_HEADER: usize = 7;
/// This much of a packed command is looked at.
const SHOWN: usize = 256;
/// zstd is made by blocks of this size at most.
const BLOCK: usize = 128 * 1024;

/// Does this begin like zlib or zstd?
pub(super) fn is_coded(body: &[u8]) -> bool {
    let zlib = matches!(body, [0x78, flags, ..] if u16::from_be_bytes([0x78, *flags]).is_multiple_of(31));
    zlib || body.starts_with(&ZSTD)
}

/// A compressed packet that begins with a command: its number, and what it holds.
pub(super) fn command(head: &[u8]) -> Verdict {
    let Some((len, 0)) = header(head) else { return Verdict::No };
    let (len, Some(size), Some(body)) = (len as usize, size(head), head.get(LONG_HEADER..)) else {
        return if head.len() < LONG_HEADER && len > 0 { Verdict::More } else { Verdict::No };
    };
    let whole = body.len() >= len;
    let body = body.get(..len).unwrap_or(body);
    if size == 0 {
        return inner(body, len, whole);
    }
    if size < len || len < LONG_HEADER {
        return Verdict::No;
    }
    if body.len() < ZSTD.len() {
        return Verdict::More;
    }
    if !is_coded(body) {
        return Verdict::No;
    }
    let mut shown = [0; SHOWN];
    let made = begin(body, whole, &mut shown);
    match inner(made, size, made.len() == size) {
        // What can be made of it all is there, or nothing can.
        Verdict::More if whole && made.len() < HEADER => Verdict::No,
        verdict => verdict,
    }
}

/// Length of what a compressed packet holds when it is unpacked; 0: it is not packed.
fn size(head: &[u8]) -> Option<usize> {
    let [_, _, _, _, a, b, c] = head.first_chunk::<LONG_HEADER>()?;
    Some(u32::from_le_bytes([*a, *b, *c, 0]) as usize)
}

/// The first bytes of what was packed.
fn begin<'a>(body: &[u8], whole: bool, shown: &'a mut [u8; SHOWN]) -> &'a [u8] {
    let made = if body.starts_with(&ZSTD) {
        let all = Coding::Zstd.decode(body, SHOWN, BLOCK);
        let made = all.get(..SHOWN).unwrap_or(&all);
        if let Some(to) = shown.get_mut(..made.len()) {
            to.copy_from_slice(made);
        }
        made.len()
    } else {
        let more = if whole { 0 } else { inflate_flags::TINFL_FLAG_HAS_MORE_INPUT };
        let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
            | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
            | more;
        decompress(&mut DecompressorOxide::new(), body, shown, 0, flags).2
    };
    shown.get(..made).unwrap_or_default()
}

/// What a packet holds is one command, or several and the beginning of more.
fn inner(body: &[u8], size: usize, whole: bool) -> Verdict {
    let Some((seq, len, command, rest)) = packet(body) else {
        return if whole { Verdict::No } else { Verdict::More };
    };
    let all = len.saturating_add(HEADER);
    if seq != 0 || all > size {
        return Verdict::No;
    }
    match one_command(len, command) {
        // One command fills it, or another stands behind it.
        Verdict::Yes if all == size => Verdict::Yes,
        Verdict::Yes if !rest.is_empty() => probe::command(rest),
        verdict => verdict,
    }
}

/// Answers in the compressed protocol look like this; it is not proof.
pub(super) fn answer(len: usize, payload: &[u8]) -> bool {
    let Some(([a, b, c], body)) = payload.split_first_chunk::<3>() else { return false };
    match u32::from_le_bytes([*a, *b, *c, 0]) as usize {
        // The length does not count the length behind it.
        0 => matches!(packet(body), Some((1, inner, ..)) if inner.saturating_add(HEADER) <= len),
        size => size >= len && is_coded(body),
    }
}

/// Is a connection that was joined in the middle compressed? By the first bytes of its client; `None`: more must be seen.
pub(super) fn is_packed(head: &[u8]) -> Option<bool> {
    /// Behind the longer header more bytes of a command than another command's text would have in common with it.
    const ENOUGH: usize = LONG_HEADER + HEADER + 1;
    let (len, _) = header(head)?;
    let all = HEADER.saturating_add(len as usize);
    let is_enough = head.len() >= all.min(ENOUGH);
    match (probe::command(head), command(head)) {
        (Verdict::No, Verdict::Yes) => Some(true),
        (Verdict::No, Verdict::More) if head.len() >= all.saturating_add(LONG_HEADER - HEADER).min(SHOWN) => {
            Some(true)
        }
        (Verdict::No, Verdict::More) => None,
        (Verdict::No, Verdict::No) => Some(false),
        _ if is_enough => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `select * from t where a = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'` by Python's zlib, as a client sends it.
    const QUERY: &[u8] = b"\x2b\x00\x00\x00\x41\x00\x00\x78\x9c\xb3\x65\x60\x60\x60\x2e\x4e\xcd\x49\x4d\x2e\x51\xd0\x52\x48\x2b\xca\xcf\x55\x28\x51\x28\xcf\x48\x2d\x4a\x55\x48\x54\xb0\x55\x50\xaf\x20\x00\xd4\x01\xb4\x1d\x17\xfa";

    #[test]
    fn packed_commands_are_known_by_what_they_hold() {
        assert_eq!(command(QUERY), Verdict::Yes);
        assert_eq!(is_packed(QUERY), Some(true));
        let plain = b"\x0d\0\0\0\0\0\0\x09\0\0\0\x03select 1";
        assert_eq!((command(plain), is_packed(plain)), (Verdict::Yes, Some(true)));
        let ping = b"\x05\0\0\0\0\0\0\x01\0\0\0\x0e";
        assert_eq!((command(ping), is_packed(ping)), (Verdict::More, Some(true)));
        let not = b"\x09\0\0\0\x03select 1";
        assert_eq!((command(not), is_packed(not)), (Verdict::No, Some(false)));
        for all in [QUERY, plain, ping] {
            for n in 0..all.len() {
                let head = &all[..n];
                assert_ne!(is_packed(head), Some(false), "{n} of {all:?}");
                assert!(n < HEADER || command(head) != Verdict::No, "{n} of {all:?}");
            }
        }
        for n in 0..not.len() {
            assert_ne!(is_packed(&not[..n]), Some(true));
        }
        let mut other = QUERY.to_vec();
        other[9] ^= 0x40;
        assert_ne!(command(&other), Verdict::Yes, "no deflate, or no command");
    }
}
