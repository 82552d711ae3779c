//! Tables of our own, kept small: each bit is foretold by what stands before it, in five contexts, whose votes are
//! weighed by how right they were so far (as PAQ does it), and an arithmetic decoder needs the less of a bit the
//! better it was foretold. A quarter less than deflate, for 2 KB of code; `tables/pack.py` is the other half.

/// What a number is foretold by.
pub(super) const CONTEXTS: usize = 5;
/// Kinds of numbers, whose weights are apart.
const SETS: usize = 3;
/// And they are apart for each bit of a number, which has no more.
const BITS: usize = 16;
/// What came is remembered in so many places (a power of two), found by a hash: 2 MB while a table is unpacked.
const SLOT_BITS: u32 = 20;
/// A place counts how often it was used, up to here.
const LIMIT: u16 = 15;
/// How fast weights learn.
const RATE: i32 = 6;
/// Of what is wrong with a place, so much is put right when it was used so often before, in 65536ths.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const STEPS: [u32; 16] = {
    let mut steps = [0; 16];
    let mut n = 0;
    while n < 16 {
        steps[n] = 131_072 / (2 * n as u32 + 3);
        n += 1;
    }
    steps
};

/// Reads one packed table.
pub(super) struct Unpacker<'a> {
    rest: std::slice::Iter<'a, u8>,
    low: u32,
    high: u32,
    code: u32,
    /// Each the chance of a 1 in 4096ths, and below it in four bits how often it was used.
    slots: Vec<u16>,
    weights: Vec<[i32; CONTEXTS]>,
    curve: Curve,
}

impl Unpacker<'_> {
    pub(super) fn new(packed: &[u8]) -> Unpacker<'_> {
        let mut rest = packed.iter();
        let code = rest.by_ref().take(4).fold(0, |code, b| code << 8 | u32::from(*b));
        Unpacker {
            rest,
            low: 0,
            high: u32::MAX,
            code,
            slots: vec![2048 << 4; 1 << SLOT_BITS],
            weights: vec![[65536 / 4; CONTEXTS]; SETS.saturating_mul(BITS)],
            curve: Curve::new(),
        }
    }

    /// The next number: of kind `set`, in `bits` bits, as these contexts foretell it.
    pub(super) fn number(&mut self, set: usize, contexts: [u32; CONTEXTS], bits: usize) -> u32 {
        let mut salt = 0u32;
        let hashes = contexts.map(|c| {
            let h = c.wrapping_add(1).wrapping_mul(0x9e37_79b1).wrapping_add(salt);
            salt = salt.wrapping_add(0x7feb_352d);
            h ^ h >> 15
        });
        // The bits so far, behind a 1.
        let mut node = 1u32;
        for bit in (0..bits).rev() {
            node = node << 1 | u32::from(self.bit(set.wrapping_mul(BITS).wrapping_add(bit), &hashes, node));
        }
        node & u32::MAX.wrapping_shr(u32::BITS.wrapping_sub(bits as u32))
    }

    fn bit(&mut self, set: usize, hashes: &[u32; CONTEXTS], node: u32) -> bool {
        let Some(weights) = self.weights.get_mut(set) else { return false };
        let mut used = [(0usize, 0i32); CONTEXTS];
        let mut sum = 0i64;
        for (((at, vote), hash), weight) in used.iter_mut().zip(hashes).zip(&*weights) {
            let x = hash.wrapping_add(node).wrapping_mul(0x85eb_ca6b);
            *at = ((x ^ x >> 13).wrapping_mul(0xc2b2_ae35) >> (u32::BITS - SLOT_BITS)) as usize;
            let state = self.slots.get(*at).copied().unwrap_or_default();
            if state & 15 != 0 {
                *vote = self.curve.stretch(state >> 4);
                sum = sum.wrapping_add(i64::from(*vote).wrapping_mul(i64::from(*weight)));
            }
        }
        let chance = self.curve.squash((sum >> 16).clamp(-2047, 2047) as i32);
        let middle =
            self.low.wrapping_add((self.high.wrapping_sub(self.low) >> 12).wrapping_mul(chance as u32));
        let one = self.code <= middle;
        if one {
            self.high = middle;
        } else {
            self.low = middle.wrapping_add(1);
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 255;
            self.code = self.code << 8 | self.rest.next().map_or(0, |b| u32::from(*b));
        }
        let wrong = (i32::from(one) << 12).wrapping_sub(chance).wrapping_mul(RATE);
        let aim = if one { 4095u32 } else { 0 };
        for (weight, (at, vote)) in weights.iter_mut().zip(used) {
            *weight = weight.wrapping_add(vote.wrapping_mul(wrong).wrapping_add(0x2000) >> 14);
            let Some(slot) = self.slots.get_mut(at) else { continue };
            let (chance, used) = (u32::from(*slot >> 4), *slot & 15);
            let step = STEPS.get(usize::from(used)).copied().unwrap_or_default();
            let part = aim.abs_diff(chance).wrapping_mul(step) >> 16;
            let chance = if one { chance.wrapping_add(part) } else { chance.wrapping_sub(part) };
            *slot = (chance as u16) << 4 | used.saturating_add(1).min(LIMIT);
        }
        one
    }
}

/// The logistic curve and its inverse, in whole numbers: chances in 4096ths, votes in 256ths.
struct Curve {
    points: [i32; 33],
    inverse: Vec<i16>,
}

impl Curve {
    fn new() -> Curve {
        // Points half a unit apart: 4096 x / (1 + x), x a power of the root of e.
        let mut x = 65536u64;
        let mut points = [0; 33];
        for k in 0..=16usize {
            let up =
                x.wrapping_mul(4096).checked_div(x.wrapping_add(65536)).unwrap_or_default().min(4095) as i32;
            for (at, y) in
                [(16usize.wrapping_add(k), up), (16usize.wrapping_sub(k), 4096i32.wrapping_sub(up))]
            {
                if let Some(point) = points.get_mut(at) {
                    *point = y;
                }
            }
            x = x.wrapping_mul(108_051) >> 16;
        }
        // The middle is both.
        let mut curve = Curve { points, inverse: Vec::new() };
        for x in -2047i16..=2047 {
            while curve.inverse.len() as i32 <= curve.squash(i32::from(x)) {
                curve.inverse.push(x);
            }
        }
        curve
    }

    /// The chance of a sum of votes from -2047 to 2047.
    fn squash(&self, sum: i32) -> i32 {
        let at = (sum >> 7).wrapping_add(16) as usize;
        let Some([a, b, ..]) = self.points.get(at..) else { return 0 };
        let part = sum & 127;
        a.wrapping_mul(128i32.wrapping_sub(part)).wrapping_add(b.wrapping_mul(part)).wrapping_add(64) >> 7
    }

    /// The vote of a chance.
    fn stretch(&self, chance: u16) -> i32 {
        self.inverse.get(usize::from(chance)).map_or(2047, |x| i32::from(*x))
    }
}
