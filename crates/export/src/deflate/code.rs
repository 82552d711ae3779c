//! Huffman codes (RFC 1951, sections 3.2.2 and 3.2.7): from counts to lengths, codes and their description.

/// Literals, the end of the block, lengths.
pub(super) const LITERALS: usize = 286;
/// Distances.
pub(super) const DISTANCES: usize = 30;
/// The symbol that ends a block.
pub(super) const END: usize = 256;
/// No code is longer, in bits.
const LONGEST: usize = 15;
/// The same for the code that lengths are described with.
const LONGEST_META: usize = 7;
/// Symbols of that code.
const META: usize = 19;
/// The order in which its lengths are written.
const META_ORDER: [usize; META] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// What a symbol without a code costs: a record that has it must take another code.
const NO_CODE: i16 = i16::MAX / 4;

/// How often each symbol comes.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) literals: [u32; LITERALS],
    pub(super) distances: [u32; DISTANCES],
}

impl Counts {
    pub(super) const NONE: Counts = Counts { literals: [0; LITERALS], distances: [0; DISTANCES] };
}

/// A code and its length, as they are put into the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    pub(super) bits: u16,
    pub(super) len: u8,
}

/// A code for a whole block.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) literals: [Word; LITERALS],
    pub(super) distances: [Word; DISTANCES],
    /// The beginning of the block: that it is the last, its kind, the description of the code.
    pub(super) head: Bits,
    /// Bits of each symbol, for [`Code::cost`].
    literal_costs: [i16; LITERALS],
    distance_costs: [i16; DISTANCES],
}

impl Code {
    /// The code that needs no description.
    pub(super) fn fixed() -> Code {
        // The last two have codes that are never used.
        let mut lens = [8; LITERALS + 2];
        for (i, len) in lens.iter_mut().enumerate() {
            *len = match i {
                144..256 => 9,
                256..280 => 7,
                _ => 8,
            };
        }
        let mut head = Bits::default();
        head.put(1, 1);
        head.put(1, 2);
        let mut all = [Word::default(); LITERALS + 2];
        words(&lens, &mut all);
        let mut code = Code::of(&[8; LITERALS], &[5; DISTANCES], head);
        for ((word, cost), from) in code.literals.iter_mut().zip(&mut code.literal_costs).zip(all) {
            (*word, *cost) = (from, i16::from(from.len));
        }
        code
    }

    /// The best code for these counts.
    pub(super) fn made_for(counts: &Counts) -> Code {
        let (mut literals, mut distances) = ([0; LITERALS], [0; DISTANCES]);
        lengths(&counts.literals, LONGEST, &mut literals);
        lengths(&counts.distances, LONGEST, &mut distances);
        let head = describe(&literals, &distances);
        Code::of(&literals, &distances, head)
    }

    fn of(literals: &[u8; LITERALS], distances: &[u8; DISTANCES], head: Bits) -> Code {
        let cost = |len: u8| if len == 0 { NO_CODE } else { i16::from(len) };
        let mut code = Code {
            literals: [Word::default(); LITERALS],
            distances: [Word::default(); DISTANCES],
            head,
            literal_costs: literals.map(cost),
            distance_costs: distances.map(cost),
        };
        words(literals, &mut code.literals);
        words(distances, &mut code.distances);
        code
    }

    /// Bits of a block with these counts, without extra bits. Counts and costs are small, so that the compiler
    /// can multiply many at once.
    pub(super) fn cost(&self, literals: &[i16; LITERALS], distances: &[i16; DISTANCES]) -> i32 {
        let sum = |counts: &[i16], costs: &[i16]| -> i32 {
            counts.iter().zip(costs).map(|(n, c)| i32::from(*n) * i32::from(*c)).sum()
        };
        self.head.len() as i32 + sum(literals, &self.literal_costs) + sum(distances, &self.distance_costs)
    }

    /// The same, exactly.
    pub(super) fn bits(&self, counts: &Counts) -> u64 {
        let sum = |counts: &[u32], words: &[Word]| -> u64 {
            counts.iter().zip(words).map(|(n, w)| u64::from(*n) * u64::from(w.len)).sum()
        };
        self.head.len() as u64
            + sum(&counts.literals, &self.literals)
            + sum(&counts.distances, &self.distances)
    }

    /// Has every symbol that comes a code?
    pub(super) fn can_say(&self, counts: &Counts) -> bool {
        let all =
            |counts: &[u32], words: &[Word]| !counts.iter().zip(words).any(|(n, w)| *n > 0 && w.len == 0);
        all(&counts.literals, &self.literals) && all(&counts.distances, &self.distances)
    }
}

/// Bits, the lowest of each byte first.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    /// The bits after the last whole byte, and how many.
    pub(super) rest: u64,
    pub(super) used: u32,
}

impl Bits {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() * 8 + self.used as usize
    }

    fn put(&mut self, bits: u64, len: u32) {
        self.rest |= bits << self.used;
        self.used += len;
        while self.used >= 8 {
            self.bytes.push(self.rest as u8);
            self.rest >>= 8;
            self.used -= 8;
        }
    }
}

/// Lengths of a Huffman code that is no longer than `longest`. At least two symbols get a code.
fn lengths<const N: usize>(counts: &[u32; N], longest: usize, lens: &mut [u8; N]) {
    let mut leaves: Vec<(u32, usize)> =
        counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| (*n, i)).collect();
    // A code of less than two symbols is refused by some readers.
    for i in 0..2 {
        if leaves.len() < 2 && !leaves.iter().any(|(_, s)| *s == i) {
            leaves.push((1, i));
        }
    }
    leaves.sort_unstable();
    let mut of_length = [0usize; 64];
    for depth in depths(&leaves) {
        if let Some(n) = of_length.get_mut(depth.min(longest)) {
            *n += 1;
        }
    }
    shorten(&mut of_length, longest);
    // The rarest get the longest.
    let by_length = (1..=longest).rev().flat_map(|len| {
        let n = of_length.get(len).copied().unwrap_or(0);
        std::iter::repeat_n(len, n)
    });
    for ((_, symbol), len) in leaves.iter().zip(by_length) {
        if let Some(l) = lens.get_mut(*symbol) {
            *l = len as u8;
        }
    }
}

/// The depth of each leaf in the Huffman tree, the leaves ascending. The two smallest are always at the front of
/// one of two queues: leaves, and nodes in the order in which they were made.
fn depths(leaves: &[(u32, usize)]) -> Vec<usize> {
    let n = leaves.len();
    let mut nodes: Vec<u64> = Vec::with_capacity(n);
    // The parent of each leaf, then of each node, as the number of a node.
    let mut parents = vec![0usize; 2 * n];
    let (mut leaf, mut node) = (0, 0);
    while nodes.len() + 1 < n {
        let mut weight = 0;
        for _ in 0..2 {
            let from_leaf = leaves.get(leaf).map(|l| u64::from(l.0));
            let from_node = nodes.get(node).copied();
            let child = match (from_leaf, from_node) {
                (Some(a), b) if b.is_none_or(|b| a <= b) => {
                    weight += a;
                    leaf += 1;
                    leaf - 1
                }
                (_, b) => {
                    weight += b.unwrap_or(0);
                    node += 1;
                    n + node - 1
                }
            };
            if let Some(p) = parents.get_mut(child) {
                *p = nodes.len();
            }
        }
        nodes.push(weight);
    }
    // From the root down: a parent is made after its children.
    let mut depth = vec![0usize; nodes.len()];
    for i in (0..nodes.len().saturating_sub(1)).rev() {
        let parent = parents.get(n + i).copied().unwrap_or(0);
        let above = depth.get(parent).copied().unwrap_or(0);
        if let Some(d) = depth.get_mut(i) {
            *d = above + 1;
        }
    }
    parents.iter().take(n).map(|p| depth.get(*p).copied().unwrap_or(0) + 1).collect()
}

/// Makes room for the codes that were too long (all now counted at `longest`): some shorter one becomes longer
/// and takes one of them beside it, until all have a place.
fn shorten(of_length: &mut [usize; 64], longest: usize) {
    let full = 1usize << longest;
    let mut taken: usize =
        of_length.iter().enumerate().take(longest + 1).skip(1).map(|(len, n)| n << (longest - len)).sum();
    while taken > full {
        let shorter = (1..longest).rev().find(|len| of_length.get(*len).is_some_and(|n| *n > 0));
        let Some(len) = shorter else { return };
        for (at, more) in [(longest, -1), (len, -1), (len + 1, 2)] {
            if let Some(n) = of_length.get_mut(at) {
                *n = n.saturating_add_signed(more);
            }
        }
        taken -= 1;
    }
}

/// The codes of these lengths: the shorter first, those of one length by symbol; turned, as the first bit of a
/// code goes into the lowest place.
fn words<const N: usize>(lens: &[u8; N], words: &mut [Word; N]) {
    let mut next: u16 = 0;
    for len in 1..=LONGEST as u8 {
        next <<= 1;
        for (word, _) in words.iter_mut().zip(lens).filter(|(_, l)| **l == len) {
            *word = Word { bits: next.reverse_bits() >> (16 - u32::from(len)), len };
            next = next.wrapping_add(1);
        }
    }
}

/// The beginning of the last block with a code of its own.
fn describe(literals: &[u8; LITERALS], distances: &[u8; DISTANCES]) -> Bits {
    let used = |lens: &[u8], least: usize| lens.iter().rposition(|l| *l > 0).map_or(0, |i| i + 1).max(least);
    let (n_literals, n_distances) = (used(literals, 257), used(distances, 1));
    let all: Vec<u8> =
        literals.iter().take(n_literals).chain(distances.iter().take(n_distances)).copied().collect();
    // (symbol, extra bits, how many of them)
    let mut runs: Vec<(usize, u64, u32)> = Vec::new();
    for run in all.chunk_by(|a, b| a == b) {
        let len = run.first().copied().unwrap_or(0);
        let mut left = run.len();
        if len != 0 {
            runs.push((usize::from(len), 0, 0));
            left -= 1;
        }
        while left > 0 {
            let n = match (len, left) {
                (_, ..3) => {
                    runs.push((usize::from(len), 0, 0));
                    1
                }
                (0, ..11) => {
                    runs.push((17, left as u64 - 3, 3));
                    left
                }
                (0, _) => {
                    let n = left.min(138);
                    runs.push((18, n as u64 - 11, 7));
                    n
                }
                _ => {
                    let n = left.min(6);
                    runs.push((16, n as u64 - 3, 2));
                    n
                }
            };
            left -= n;
        }
    }
    let mut counts = [0; META];
    for (symbol, ..) in &runs {
        if let Some(n) = counts.get_mut(*symbol) {
            *n += 1;
        }
    }
    let (mut lens, mut codes) = ([0; META], [Word::default(); META]);
    lengths(&counts, LONGEST_META, &mut lens);
    words(&lens, &mut codes);
    let ordered = META_ORDER.map(|i| lens.get(i).copied().unwrap_or(0));
    let n_meta = used(&ordered, 4);

    let mut head = Bits::default();
    head.put(1, 1);
    head.put(2, 2);
    head.put(n_literals as u64 - 257, 5);
    head.put(n_distances as u64 - 1, 5);
    head.put(n_meta as u64 - 4, 4);
    ordered.iter().take(n_meta).for_each(|len| head.put(u64::from(*len), 3));
    for (symbol, extra, bits) in runs {
        let word = codes.get(symbol).copied().unwrap_or_default();
        head.put(u64::from(word.bits), u32::from(word.len));
        head.put(extra, bits);
    }
    head
}
