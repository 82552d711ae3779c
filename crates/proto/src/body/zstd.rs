//! Zstandard, RFC 8878: the first blocks of a frame, by the crate `ruzstd`.
//!
//! A block can be decoded only as a whole, and the decoder gives out its window only at the end
//! of a frame. So the whole blocks of the prefix are made a frame of their own.

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read as _;

/// Largest block, coded or not (section 3.1.1.2.3).
const BLOCK: usize = 128 * 1024;
/// Bytes of the coded body that hold the first block: header, block header, block.
pub(super) const PREFIX: usize = BLOCK + 64;
/// Largest window that is allowed as a content coding (RFC 9659).
const WINDOW: u64 = 8 << 20;

/// The first bytes of what `coded` holds, up to `cap`; no more than `most` are decoded for it.
pub(super) fn decode(coded: &[u8], cap: usize, most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(frame) = first_blocks(coded, cap, most) {
        let mut decoder = FrameDecoder::new();
        let mut rest = frame.as_slice();
        if decoder.reset(&mut rest).is_ok()
            && decoder.decode_blocks(&mut rest, BlockDecodingStrategy::All).is_ok()
        {
            out.resize(decoder.can_collect().min(cap), 0);
            let n = decoder.read(&mut out).unwrap_or(0);
            out.truncate(n);
        }
    }
    out
}

/// A frame of the first blocks that are whole and likely to give `cap` bytes.
fn first_blocks(coded: &[u8], cap: usize, most: usize) -> Option<Vec<u8>> {
    let rest = coded.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = rest.split_first()?;
    let is_single = descriptor & 0x20 != 0;
    let dictionary = [0usize, 1, 2, 4].into_iter().nth(usize::from(descriptor & 3))?;
    let size = match descriptor.wrapping_shr(6) {
        0 => usize::from(is_single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    if !is_single {
        let window = rest.first()?;
        let base = 1u64.wrapping_shl(u32::from(window.wrapping_shr(3)).saturating_add(10));
        let window = base.saturating_add((base / 8).saturating_mul(u64::from(window & 7)));
        if window > WINDOW {
            return None;
        }
    } else {
        let mut bytes = [0u8; 8];
        let from = rest.get(dictionary..)?.get(..size)?;
        bytes.iter_mut().zip(from).for_each(|(to, b)| *to = *b);
        if u64::from_le_bytes(bytes) > WINDOW {
            return None;
        }
    }
    let header = usize::from(!is_single).saturating_add(dictionary).saturating_add(size).saturating_add(5);
    let mut frame = coded.get(..header)?.to_vec();
    if let Some(d) = frame.get_mut(4) {
        // No checksum: ours has other content.
        *d &= !4;
    }
    let (mut at, mut last, mut likely, mut largest) = (header, None, 0usize, 0usize);
    while likely < cap && largest.saturating_add(BLOCK) <= most.max(BLOCK) {
        let Some([a, b, c]) = coded.get(at..).and_then(|r| r.first_chunk::<3>()) else { break };
        let word = u32::from_le_bytes([*a, *b, *c, 0]);
        let size = word.wrapping_shr(3) as usize;
        let is_run = word.wrapping_shr(1) & 3 == 1;
        let end = at.saturating_add(3).saturating_add(if is_run { 1 } else { size });
        let Some(block) = coded.get(at..end).filter(|_| size <= BLOCK) else { break };
        last = Some(frame.len());
        frame.extend_from_slice(block);
        likely = likely.saturating_add(size);
        largest = largest.saturating_add(BLOCK);
        at = end;
        if word & 1 == 1 {
            break;
        }
    }
    *frame.get_mut(last?)? |= 1;
    Some(frame)
}
