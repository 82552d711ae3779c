//! Deflate (RFC 1951) of short texts that are much alike, fast.
//!
//! A record has one or two kilobytes and is compressed for itself. What costs there is what is done once for each: to
//! empty tables, to make a Huffman code, to describe it. So nothing is emptied: positions count on from record to
//! record, and those of earlier ones are out of reach. And codes are kept: each record takes the one that suits it
//! best, description included; a new one is made only where that would be worth it.

mod code;

use code::{Bits, Code, Counts, END, Word};

/// Bits of the hash of four bytes: 16 KB, half of a first-level cache.
const HASH_BITS: u32 = 12;
const HEADS: usize = 1 << HASH_BITS;
/// How far back a repetition can lie.
const WINDOW: u32 = 32_768;
/// The longest repetition.
const LONGEST: usize = 258;
/// A repetition of this length is good enough: no better one is looked for.
const GOOD: usize = 32;
/// Bits of the description of a code, about.
const HEADER: i32 = 550;
/// What came before loses one of so many with each new code.
const FADE: u32 = 4;
/// Codes kept beside the fixed one.
const CODES: usize = 12;
/// A code is made when it would save one bit in so many.
const WORTH: i32 = 20;

/// Literals, and then a repetition (of length 0 at the end of the text).
#[derive(Clone, Copy, Debug)]
struct Sequence {
    literals: u32,
    len: u16,
    distance: u16,
}

/// A code that is kept.
#[derive(Debug)]
struct Kept {
    code: Box<Code>,
    /// When it was taken last.
    taken: u64,
}

/// A compressor that is used again and again.
#[derive(Debug)]
pub(crate) struct Deflate {
    /// Where four bytes of this hash came last, counted from the first text on.
    heads: Box<[u32; HEADS]>,
    /// Where the text begins.
    base: u32,
    sequences: Vec<Sequence>,
    counts: Counts,
    /// What came before, fading: symbols that a code should have though the text has them not.
    before: Counts,
    extra: u64,
    fixed: Box<Code>,
    kept: Vec<Kept>,
    texts: u64,
}

impl Deflate {
    pub(crate) fn new() -> Deflate {
        Deflate {
            heads: vec![0; HEADS].try_into().unwrap_or_else(|_| Box::new([0; HEADS])),
            base: 1,
            sequences: Vec::new(),
            counts: Counts::NONE,
            before: Counts::NONE,
            extra: 0,
            fixed: Box::new(Code::fixed()),
            kept: Vec::with_capacity(CODES),
            texts: 0,
        }
    }

    /// Appends `text` compressed; false, and nothing appended, when that has more than `most` bytes.
    pub(crate) fn append(&mut self, text: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        self.search(text);
        let (code, bits) = self.choose();
        let bytes = bits.div_ceil(8) as usize;
        if bytes > most {
            return false;
        }
        let code = match code.and_then(|i| self.kept.get(i)) {
            Some(kept) => &kept.code,
            None => &self.fixed,
        };
        let start = out.len();
        // The last word is written whole.
        out.resize(start + bytes + 8, 0);
        if let Some(room) = out.get_mut(start..) {
            write(text, &self.sequences, code, room);
        }
        out.truncate(start + bytes);
        true
    }

    /// Finds what comes again, and counts the symbols.
    fn search(&mut self, text: &[u8]) {
        self.sequences.clear();
        self.counts = Counts::NONE;
        self.extra = 0;
        if self.base.checked_add(text.len() as u32).is_none_or(|end| end > u32::MAX / 2) {
            self.heads.fill(0);
            self.base = 1;
        }
        let (heads, counts, base) = (&mut *self.heads, &mut self.counts, self.base);
        let (mut at, mut from) = (0, 0);
        while let Some(here) = look(heads, base, text, at) {
            if here == NOTHING {
                // Of a literal the first byte of the four is the one.
                count_literal(counts, text, at);
                at += 1;
                continue;
            }
            let mut here = here;
            let mut len = common(text.get(here..).unwrap_or_default(), text.get(at..).unwrap_or_default());
            // One further there may be a longer one.
            if len < GOOD
                && let Some(next) = look(heads, base, text, at + 1)
                && next != NOTHING
            {
                let longer =
                    common(text.get(next..).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
                if longer > len {
                    count_literal(counts, text, at);
                    at += 1;
                    (here, len) = (next, longer);
                }
            }
            let (length, distance) = (length_of(len as u16), distance_of((at - here) as u16));
            self.extra += u64::from(length.extra + distance.extra);
            if let Some(n) = counts.literals.get_mut(length.symbol) {
                *n += 1;
            }
            if let Some(n) = counts.distances.get_mut(distance.symbol) {
                *n += 1;
            }
            self.sequences.push(Sequence {
                literals: (at - from) as u32,
                len: len as u16,
                distance: (at - here) as u16,
            });
            for i in at + 1..at + len {
                let Some(word) = text.get(i..).and_then(|t| t.first_chunk()) else { break };
                if let Some(head) = heads.get_mut(hash(u32::from_le_bytes(*word))) {
                    *head = base + i as u32;
                }
            }
            at += len;
            from = at;
        }
        for at in at..text.len() {
            count_literal(counts, text, at);
        }
        if let Some(n) = counts.literals.get_mut(END) {
            *n += 1;
        }
        self.sequences.push(Sequence { literals: (text.len() - from) as u32, len: 0, distance: 0 });
        self.base += text.len() as u32;
    }

    /// The code that suits the counts best (`None`: the fixed one), and the bits of the block.
    fn choose(&mut self) -> (Option<usize>, u64) {
        self.texts += 1;
        // What does not fit 16 bits is scaled: the choice may then be less than the best.
        let most = self.counts.literals.iter().sum::<u32>();
        let scale = (u32::BITS - most.leading_zeros()).saturating_sub(15);
        let literals = self.counts.literals.map(|n| (n >> scale) as i16);
        let distances = self.counts.distances.map(|n| (n >> scale) as i16);
        let mut best = (None, self.fixed.cost(&literals, &distances));
        for (i, kept) in self.kept.iter().enumerate() {
            let cost = kept.code.cost(&literals, &distances);
            if cost < best.1 && kept.code.can_say(&self.counts) {
                best = (Some(i), cost);
            }
        }
        let least = entropy(&literals) + entropy(&distances) + HEADER;
        if best.1 - least > best.1 / WORTH {
            best.0 = self.make();
        }
        let code = match best.0.and_then(|i| self.kept.get_mut(i)) {
            Some(kept) => {
                kept.taken = self.texts;
                &kept.code
            }
            None => &self.fixed,
        };
        (best.0, code.bits(&self.counts) + self.extra)
    }

    /// Makes a code for the counts, in the place of the one that was not taken for longest.
    fn make(&mut self) -> Option<usize> {
        let fade = |before: &mut u32, now: &u32| *before = *before - *before / FADE + now;
        self.before.literals.iter_mut().zip(&self.counts.literals).for_each(|(b, n)| fade(b, n));
        self.before.distances.iter_mut().zip(&self.counts.distances).for_each(|(b, n)| fade(b, n));
        let code = Box::new(Code::made_for(&self.before));
        let kept = Kept { code, taken: self.texts };
        if self.kept.len() < CODES {
            self.kept.push(kept);
            return Some(self.kept.len() - 1);
        }
        let (i, oldest) = self.kept.iter_mut().enumerate().min_by_key(|(_, k)| k.taken)?;
        *oldest = kept;
        Some(i)
    }
}

/// No repetition.
const NOTHING: usize = usize::MAX;

/// Where the four bytes that stand at `at` stood before, near enough; `None` at the end of the text.
#[inline]
fn look(heads: &mut [u32; HEADS], base: u32, text: &[u8], at: usize) -> Option<usize> {
    let word: &[u8; 4] = text.get(at..)?.first_chunk()?;
    let head = heads.get_mut(hash(u32::from_le_bytes(*word)))?;
    // Of an earlier text: wraps around, and is far beyond this one.
    let before = head.wrapping_sub(base);
    *head = base + at as u32;
    let near = (before < at as u32) & (at as u32 - before.min(at as u32) <= WINDOW);
    // One branch that cannot be foreseen is enough: without a place the text is compared with its beginning.
    let place = if near { before as usize } else { 0 };
    let there: &[u8; 4] = text.get(place..)?.first_chunk()?;
    Some(if near & (there == word) { place } else { NOTHING })
}

#[inline]
fn count_literal(counts: &mut Counts, text: &[u8], at: usize) {
    if let Some(n) = text.get(at).and_then(|b| counts.literals.get_mut(usize::from(*b))) {
        *n += 1;
    }
}

#[inline]
fn hash(word: u32) -> usize {
    (word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// How many bytes two texts have in common at their beginning.
#[inline]
fn common(a: &[u8], b: &[u8]) -> usize {
    let b = b.get(..LONGEST).unwrap_or(b);
    let (words, tail) = b.as_chunks::<8>();
    let mut n = 0;
    for (x, y) in a.as_chunks::<8>().0.iter().zip(words) {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return n + (differ.trailing_zeros() / 8) as usize;
        }
        n += 8;
    }
    let a = a.get(n..).unwrap_or_default();
    n + a.iter().zip(tail).take_while(|(x, y)| x == y).count()
}

/// A length or distance as the stream has it.
#[derive(Clone, Copy, Debug)]
struct Coded {
    symbol: usize,
    extra: u32,
    value: u64,
}

/// RFC 1951, section 3.2.5.
#[inline]
fn length_of(len: u16) -> Coded {
    let n = u32::from(len) - 3;
    match n {
        ..8 => Coded { symbol: 257 + n as usize, extra: 0, value: 0 },
        255 => Coded { symbol: 285, extra: 0, value: 0 },
        _ => {
            let extra = 29 - n.leading_zeros();
            let step = (n >> extra) & 3;
            let symbol = 261 + 4 * extra + step;
            Coded { symbol: symbol as usize, extra, value: u64::from(n & ((1 << extra) - 1)) }
        }
    }
}

/// RFC 1951, section 3.2.5.
#[inline]
fn distance_of(distance: u16) -> Coded {
    let n = u32::from(distance) - 1;
    if n < 4 {
        return Coded { symbol: n as usize, extra: 0, value: 0 };
    }
    let extra = 30 - n.leading_zeros();
    let symbol = 2 + 2 * extra + ((n >> extra) & 1);
    Coded { symbol: symbol as usize, extra, value: u64::from(n & ((1 << extra) - 1)) }
}

/// The place where bits are put.
struct Pen<'a> {
    room: &'a mut [u8],
    at: usize,
    bits: u64,
    used: u32,
}

impl Pen<'_> {
    /// At most 56 bits between two calls of [`Pen::flush`].
    #[inline]
    fn put(&mut self, bits: u64, len: u32) {
        self.bits |= bits << self.used;
        self.used += len;
    }

    #[inline]
    fn word(&mut self, word: Word) {
        self.put(u64::from(word.bits), u32::from(word.len));
    }

    #[inline]
    fn flush(&mut self) {
        if let Some(place) = self.room.get_mut(self.at..).and_then(|r| r.first_chunk_mut::<8>()) {
            *place = self.bits.to_le_bytes();
        }
        self.at += (self.used / 8) as usize;
        self.bits >>= self.used & !7;
        self.used &= 7;
    }
}

/// Writes the block.
fn write(text: &[u8], sequences: &[Sequence], code: &Code, room: &mut [u8]) {
    let Bits { bytes, rest, used } = &code.head;
    if let Some(place) = room.get_mut(..bytes.len()) {
        place.copy_from_slice(bytes);
    }
    let mut pen = Pen { room, at: bytes.len(), bits: *rest, used: *used };
    let word = |b: &u8| code.literals.get(usize::from(*b)).copied().unwrap_or_default();
    let mut left = text;
    for s in sequences {
        let (literals, after) = left.split_at_checked(s.literals as usize).unwrap_or((left, &[]));
        for three in literals.chunks(3) {
            three.iter().for_each(|b| pen.word(word(b)));
            pen.flush();
        }
        left = after.get(usize::from(s.len)..).unwrap_or_default();
        if s.len > 0 {
            // 15 and 5 bits, 15 and 13: with what is left of the byte before, 55.
            let (length, distance) = (length_of(s.len), distance_of(s.distance));
            pen.word(code.literals.get(length.symbol).copied().unwrap_or_default());
            pen.put(length.value, length.extra);
            pen.word(code.distances.get(distance.symbol).copied().unwrap_or_default());
            pen.put(distance.value, distance.extra);
            pen.flush();
        }
    }
    pen.word(code.literals.get(END).copied().unwrap_or_default());
    pen.flush();
    // The rest of the last byte.
    pen.flush();
}

/// Bits that no Huffman code for these counts can go below, nearly.
fn entropy(counts: &[i16]) -> i32 {
    let all: u32 = counts.iter().map(|n| *n as u32).sum();
    // Most counts are small, and few are 0 in a row: a table is read without a branch.
    let each = counts.iter().map(|n| match SMALL.get(*n as usize) {
        Some(x) => *x,
        None => n_log2(*n as u32),
    });
    (n_log2(all).saturating_sub(each.sum()) / 16) as i32
}

/// `n` times its logarithm, in 16ths; between two powers the logarithm is a line.
const fn n_log2(n: u32) -> u32 {
    if n == 0 {
        return 0;
    }
    let whole = 31 - n.leading_zeros();
    n * 16 * whole + ((n as u64 * 16 * (n - (1 << whole)) as u64) >> whole) as u32
}

/// The same of counts up to 255.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static SMALL: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < table.len() {
        table[n] = n_log2(n as u32);
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests;
