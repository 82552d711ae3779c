//! Brotli, RFC 7932: the first bytes of a stream, from as much of it as there is.
//!
//! Made for prefixes of a few kilobytes: codes are read bit by bit from their canonical counts,
//! without lookup tables, and all that was decoded so far is the window.

mod code;
mod words;

use code::{Bits, Code};
pub(super) use words::word;

/// The blocks of one category: literals, commands or distances (section 6).
#[derive(Debug)]
struct Blocks {
    types: usize,
    kinds: Code,
    counts: Code,
    left: usize,
    now: usize,
    before: usize,
}

/// Block count codes: base and extra bits.
#[rustfmt::skip]
const COUNTS: [(u32, u32); 26] = [
    (1, 2), (5, 2), (9, 2), (13, 2), (17, 3), (25, 3), (33, 3), (41, 3), (49, 4), (65, 4), (81, 4), (97, 4),
    (113, 5), (145, 5), (177, 5), (209, 5), (241, 6), (305, 6), (369, 7), (497, 8), (753, 9), (1265, 10),
    (2289, 11), (4337, 12), (8433, 13), (16625, 24),
];

impl Blocks {
    fn read(bits: &mut Bits<'_>) -> Option<Blocks> {
        let types = bits.number()?;
        let mut b = Blocks {
            types,
            kinds: Code::default(),
            counts: Code::default(),
            left: 1 << 24,
            now: 0,
            before: 1,
        };
        if types > 1 {
            b.kinds = Code::read(bits, types.saturating_add(2))?;
            b.counts = Code::read(bits, COUNTS.len())?;
            let code = b.counts.symbol(bits)?;
            b.left = bits.extra(COUNTS.get(code))?;
        }
        Some(b)
    }

    /// The type of the next symbol's block.
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<usize> {
        if self.left == 0 {
            let kind = match self.kinds.symbol(bits)? {
                0 => self.before,
                1 => self.now.saturating_add(1),
                n => n.saturating_sub(2),
            };
            let kind = if kind >= self.types { kind.saturating_sub(self.types) } else { kind };
            self.before = std::mem::replace(&mut self.now, kind);
            let code = self.counts.symbol(bits)?;
            self.left = bits.extra(COUNTS.get(code))?;
        }
        self.left = self.left.saturating_sub(1);
        Some(self.now)
    }
}

/// A context map of `size` entries over a number of codes (section 7.3), and that number.
fn context_map(bits: &mut Bits<'_>, size: usize) -> Option<(Vec<u8>, usize)> {
    let trees = bits.number()?;
    if trees == 1 {
        return Some((vec![0; size], 1));
    }
    let run_max = if bits.bit()? { bits.take(4)?.saturating_add(1) } else { 0 };
    let code = Code::read(bits, trees.saturating_add(run_max as usize))?;
    let mut map: Vec<u8> = Vec::with_capacity(size);
    while map.len() < size {
        let symbol = code.symbol(bits)?;
        if symbol == 0 {
            map.push(0);
        } else if symbol <= run_max as usize {
            let run = 1usize.wrapping_shl(symbol as u32).saturating_add(bits.take(symbol as u32)? as usize);
            let end = map.len().saturating_add(run);
            if end > size {
                return None;
            }
            map.resize(end, 0);
        } else {
            map.push(symbol.saturating_sub(run_max as usize) as u8);
        }
    }
    if bits.bit()? {
        // Move to front, undone.
        let mut order: Vec<u8> = (0..=255).collect();
        for m in &mut map {
            let at = usize::from(*m);
            *m = *order.get(at)?;
            order.get_mut(..=at)?.rotate_right(1);
        }
    }
    Some((map, trees))
}

/// The context of a literal from the two bytes before it (section 7.1).
fn literal_context(mode: u32, p1: u8, p2: u8) -> usize {
    /// What the last byte says of UTF-8 text, for ASCII.
    const ASCII: &[u8; 128] = b"\0\0\0\0\0\0\0\0\0\x04\x04\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x08\x0c\x10\x0c\x0c\x14\x0c\x10\x18\x1c\x0c\x0c\x20\x0c\x24\x0c\
        ,,,,,,,,,,\x20\x20\x18\x28\x1c\x0c\
        \x0c0444044404444404444404444\x34\x18\x0c\x1c\x0c\x0c\
        \x0c8<<<8<<<8<<<<<8<<<<<8<<<<<\x18\x0c\x1c\x0c\0";
    let first = match p1 {
        0..=127 => ASCII.get(usize::from(p1)).copied().unwrap_or(0),
        128..=191 => p1 & 1,
        _ => 2 | (p1 & 1),
    };
    let second = match p2 {
        b'a'..=b'z' => 3,
        b'A'..=b'Z' | b'0'..=b'9' | 224.. => 2,
        0x21..=0x7e => 1,
        _ => 0,
    };
    let size = |b: u8| match b {
        0 => 0u8,
        1..=15 => 1,
        16..=63 => 2,
        64..=127 => 3,
        128..=191 => 4,
        192..=239 => 5,
        240..=254 => 6,
        255 => 7,
    };
    usize::from(match mode {
        0 => p1 & 63,
        1 => p1.wrapping_shr(2),
        2 => first | second,
        _ => size(p1).wrapping_shl(3) | size(p2),
    })
}

/// Insert length codes (section 5).
#[rustfmt::skip]
const INSERT: [(u32, u32); 24] = [
    (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 1), (8, 1), (10, 2), (14, 2), (18, 3), (26, 3),
    (34, 4), (50, 4), (66, 5), (98, 5), (130, 6), (194, 7), (322, 8), (578, 9), (1090, 10), (2114, 12),
    (6210, 14), (22594, 24),
];
/// Copy length codes.
#[rustfmt::skip]
const COPY: [(u32, u32); 24] = [
    (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 1), (12, 1), (14, 2), (18, 2),
    (22, 3), (30, 3), (38, 4), (54, 4), (70, 5), (102, 5), (134, 6), (198, 7), (326, 8), (582, 9),
    (1094, 10), (2118, 24),
];
/// Where the codes of a command's cell of 64 begin: insert, copy.
#[rustfmt::skip]
const CELLS: [(usize, usize); 11] = [
    (0, 0), (0, 8), (0, 0), (0, 8), (8, 0), (8, 8), (0, 16), (16, 0), (8, 16), (16, 8), (16, 16),
];

/// What lives on from meta-block to meta-block.
#[derive(Debug)]
struct Decoder {
    out: Vec<u8>,
    cap: usize,
    window: usize,
    /// The last four distances, latest first.
    ring: [usize; 4],
}

/// The first bytes of what `coded` holds, up to `cap`.
pub(super) fn decode(coded: &[u8], cap: usize) -> Vec<u8> {
    let mut bits = Bits::new(coded);
    let mut d = Decoder { out: Vec::new(), cap, window: 0, ring: [4, 11, 15, 16] };
    // `None` is the end of what there is, or nonsense: what came before stands.
    let _ = d.stream(&mut bits);
    d.out.truncate(cap);
    d.out
}

impl Decoder {
    fn stream(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let window_bits = match bits.bit()? {
            false => 16,
            true => match bits.take(3)? {
                0 => match bits.take(3)? {
                    0 => 17,
                    1 => return None,
                    n => n.saturating_add(8),
                },
                n => n.saturating_add(17),
            },
        };
        self.window = 1usize.wrapping_shl(window_bits).saturating_sub(16);
        loop {
            let is_last = bits.bit()?;
            if (is_last && bits.bit()?) || self.out.len() >= self.cap {
                return Some(());
            }
            let nibbles = bits.take(2)?;
            if nibbles == 3 {
                if bits.bit()? {
                    return None;
                }
                let bytes = bits.take(2)?;
                let skip = if bytes > 0 { bits.take(bytes.saturating_mul(8))?.saturating_add(1) } else { 0 };
                bits.align();
                for _ in 0..skip {
                    bits.take(8)?;
                }
            } else {
                let low = bits.take(16)?;
                let high = bits.take(nibbles.saturating_mul(4))?;
                let len = (high.wrapping_shl(16) | low).saturating_add(1) as usize;
                if !is_last && bits.bit()? {
                    bits.align();
                    for _ in 0..len.min(self.cap.saturating_sub(self.out.len())) {
                        self.out.push(bits.take(8)? as u8);
                    }
                } else {
                    self.meta_block(bits, len)?;
                }
            }
            if is_last {
                return Some(());
            }
        }
    }

    fn meta_block(&mut self, bits: &mut Bits<'_>, len: usize) -> Option<()> {
        let end = self.out.len().saturating_add(len);
        let mut literals = Blocks::read(bits)?;
        let mut commands = Blocks::read(bits)?;
        let mut distances = Blocks::read(bits)?;
        let postfix = bits.take(2)?;
        let direct = bits.take(4)?.wrapping_shl(postfix);
        let mut modes = Vec::with_capacity(literals.types);
        for _ in 0..literals.types {
            modes.push(bits.take(2)?);
        }
        let (literal_map, literal_trees) = context_map(bits, literals.types.saturating_mul(64))?;
        let (distance_map, distance_trees) = context_map(bits, distances.types.saturating_mul(4))?;
        let codes = |bits: &mut Bits<'_>, n: usize, alphabet: usize| -> Option<Vec<Code>> {
            (0..n).map(|_| Code::read(bits, alphabet)).collect()
        };
        let literal_codes = codes(bits, literal_trees, 256)?;
        let command_codes = codes(bits, commands.types, 704)?;
        let alphabet = 48u32.wrapping_shl(postfix).saturating_add(direct).saturating_add(16);
        let distance_codes = codes(bits, distance_trees, alphabet as usize)?;
        while self.out.len() < end && self.out.len() < self.cap {
            let command = command_codes.get(commands.next(bits)?)?.symbol(bits)?;
            let (insert_base, copy_base) = CELLS.get(command / 64)?;
            let insert = insert_base.saturating_add(command / 8 % 8);
            let copy = copy_base.saturating_add(command % 8);
            let insert = bits.extra(INSERT.get(insert))?;
            let copy = bits.extra(COPY.get(copy))?;
            for _ in 0..insert {
                let block = literals.next(bits)?;
                let (p1, p2) = match self.out.as_slice() {
                    [.., p2, p1] => (*p1, *p2),
                    [p1] => (*p1, 0),
                    [] => (0, 0),
                };
                let context = literal_context(*modes.get(block)?, p1, p2);
                let tree = literal_map.get(block.saturating_mul(64).saturating_add(context))?;
                let byte = literal_codes.get(usize::from(*tree))?.symbol(bits)?;
                self.out.push(byte as u8);
                if self.out.len() >= self.cap {
                    return Some(());
                }
            }
            if self.out.len() >= end {
                break;
            }
            let mut code = 0;
            if command >= 128 {
                let block = distances.next(bits)?;
                let context = copy.saturating_sub(2).min(3);
                let tree = distance_map.get(block.saturating_mul(4).saturating_add(context))?;
                code = distance_codes.get(usize::from(*tree))?.symbol(bits)?;
            }
            let distance = self.distance(bits, code as u32, postfix, direct)?;
            self.copy(distance, copy, code, end)?;
        }
        Some(())
    }

    /// A distance from its code (section 4).
    fn distance(&self, bits: &mut Bits<'_>, code: u32, postfix: u32, direct: u32) -> Option<usize> {
        let [last, second, third, fourth] = self.ring;
        if code < 16 {
            let (base, step) = match code {
                0 => (last, 0),
                1 => (second, 0),
                2 => (third, 0),
                3 => (fourth, 0),
                4..=9 => (last, code.saturating_sub(4)),
                _ => (second, code.saturating_sub(10)),
            };
            if code < 4 {
                return Some(base);
            }
            let by = (step / 2).saturating_add(1) as usize;
            return if step % 2 == 0 {
                base.checked_sub(by).filter(|d| *d > 0)
            } else {
                base.checked_add(by)
            };
        }
        let code = code.saturating_sub(16);
        if code < direct {
            return Some(code.saturating_add(1) as usize);
        }
        let code = code.saturating_sub(direct);
        let high = code.wrapping_shr(postfix);
        let low = code & 1u32.wrapping_shl(postfix).wrapping_sub(1);
        let width = high.wrapping_shr(1).saturating_add(1);
        let offset = (2 | (high & 1)).wrapping_shl(width).saturating_sub(4);
        let far = offset.saturating_add(bits.take(width)?);
        Some(far.wrapping_shl(postfix).saturating_add(low).saturating_add(direct).saturating_add(1) as usize)
    }

    fn copy(&mut self, distance: usize, len: usize, code: usize, end: usize) -> Option<()> {
        let far = self.out.len().min(self.window);
        if distance > far {
            let id = distance.saturating_sub(far).saturating_sub(1);
            return word(len, id, &mut self.out);
        }
        if code != 0 {
            let [a, b, c, _] = self.ring;
            self.ring = [distance, a, b, c];
        }
        if self.out.len().saturating_add(len) > end {
            return None;
        }
        for _ in 0..len.min(self.cap.saturating_sub(self.out.len())) {
            let b = *self.out.get(self.out.len().checked_sub(distance)?)?;
            self.out.push(b);
        }
        Some(())
    }
}
