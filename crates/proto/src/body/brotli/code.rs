//! Bits and prefix codes of brotli, RFC 7932 sections 1.5.1 and 3.

/// Bits, lowest first (section 1.5.1).
#[derive(Debug)]
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    hold: u64,
    count: u32,
}

impl Bits<'_> {
    pub(super) fn new(rest: &[u8]) -> Bits<'_> {
        Bits { rest, hold: 0, count: 0 }
    }

    /// The next `n` (up to 24) bits; `None` at the end of what there is.
    pub(super) fn take(&mut self, n: u32) -> Option<u32> {
        while self.count < n {
            let (b, rest) = self.rest.split_first()?;
            self.rest = rest;
            self.hold |= u64::from(*b).wrapping_shl(self.count);
            self.count = self.count.saturating_add(8);
        }
        let got = self.hold & 1u64.wrapping_shl(n).wrapping_sub(1);
        self.hold = self.hold.wrapping_shr(n);
        self.count = self.count.saturating_sub(n);
        Some(got as u32)
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    /// A number of `base` and extra bits.
    pub(super) fn extra(&mut self, code: Option<&(u32, u32)>) -> Option<usize> {
        let (base, bits) = *code?;
        Some(base.saturating_add(self.take(bits)?) as usize)
    }

    /// To the next whole byte.
    pub(super) fn align(&mut self) {
        let n = self.count & 7;
        let _ = self.take(n);
    }

    /// 1 to 256 (section 9.2, NBLTYPES).
    pub(super) fn number(&mut self) -> Option<usize> {
        if !self.bit()? {
            return Some(1);
        }
        let n = self.take(3)?;
        Some(1u32.wrapping_shl(n).saturating_add(1).saturating_add(self.take(n)?) as usize)
    }
}

/// Longest code.
const LONGEST: usize = 15;

/// A canonical prefix code (section 3.2).
#[derive(Debug, Default)]
pub(super) struct Code {
    /// Codes of each length.
    counts: [u16; LONGEST + 1],
    /// Symbols in the order of their codes.
    symbols: Vec<u16>,
}

impl Code {
    /// From the lengths of the codes of all symbols. One symbol alone has a code of no bits.
    fn new(lengths: &[u8]) -> Code {
        let mut code = Code::default();
        for want in 1..=LONGEST as u8 {
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, l)| **l == want) {
                code.symbols.push(symbol as u16);
                if let Some(n) = code.counts.get_mut(usize::from(want)) {
                    *n = n.saturating_add(1);
                }
            }
        }
        if code.symbols.len() == 1 {
            code.counts = [0; LONGEST + 1];
        }
        code
    }

    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Option<usize> {
        if let [only] = self.symbols.as_slice() {
            return Some(usize::from(*only));
        }
        let (mut code, mut first, mut index) = (0u32, 0u32, 0u32);
        for count in self.counts.iter().skip(1) {
            let count = u32::from(*count);
            code |= bits.take(1)?;
            let offset = code.wrapping_sub(first);
            if offset < count {
                return self.symbols.get(index.saturating_add(offset) as usize).map(|s| usize::from(*s));
            }
            index = index.saturating_add(count);
            first = first.saturating_add(count).wrapping_shl(1);
            code = code.wrapping_shl(1);
        }
        None
    }

    /// Reads a code for an alphabet (sections 3.4 and 3.5).
    pub(super) fn read(bits: &mut Bits<'_>, alphabet: usize) -> Option<Code> {
        let skip = bits.take(2)?;
        if skip == 1 {
            return Code::simple(bits, alphabet);
        }
        const ORDER: [usize; 18] = [1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let mut lengths = [0u8; 18];
        let (mut space, mut found) = (32u32, 0u32);
        for at in ORDER.into_iter().skip(skip as usize) {
            let len = Code::length_of_length(bits)?;
            *lengths.get_mut(at)? = len;
            if len > 0 {
                space = space.checked_sub(32u32.wrapping_shr(u32::from(len)))?;
                found = found.saturating_add(1);
                if space == 0 {
                    break;
                }
            }
        }
        if space != 0 && found != 1 {
            return None;
        }
        Code::complex(bits, alphabet, &Code::new(&lengths))
    }

    fn length_of_length(bits: &mut Bits<'_>) -> Option<u8> {
        Some(match bits.take(2)? {
            0 => 0,
            1 => 4,
            2 => 3,
            _ if !bits.bit()? => 2,
            _ if !bits.bit()? => 1,
            _ => 5,
        })
    }

    fn complex(bits: &mut Bits<'_>, alphabet: usize, of_lengths: &Code) -> Option<Code> {
        let mut lengths: Vec<u8> = Vec::with_capacity(alphabet);
        let (mut space, mut last, mut repeat, mut repeated) = (32_768u32, 8u8, 0u32, 0usize);
        while lengths.len() < alphabet && space > 0 {
            let symbol = of_lengths.symbol(bits)?;
            if symbol < 16 {
                lengths.push(symbol as u8);
                if symbol > 0 {
                    last = symbol as u8;
                    space = space.checked_sub(32_768u32.wrapping_shr(symbol as u32))?;
                }
                repeat = 0;
                continue;
            }
            // 16: the last length again, 17: zeros; the same symbol twice multiplies.
            let (extra, value) = if symbol == 16 { (2, last) } else { (3, 0) };
            if repeated != symbol {
                repeat = 0;
            }
            repeated = symbol;
            let before = repeat;
            if repeat > 0 {
                repeat = repeat.saturating_sub(2).wrapping_shl(extra);
            }
            repeat = repeat.saturating_add(bits.take(extra)?).saturating_add(3);
            let more = repeat.checked_sub(before)?;
            if lengths.len().saturating_add(more as usize) > alphabet {
                return None;
            }
            if value > 0 {
                let used = more.saturating_mul(32_768u32.wrapping_shr(u32::from(value)));
                space = space.checked_sub(used)?;
            }
            lengths.resize(lengths.len().saturating_add(more as usize), value);
        }
        (space == 0).then(|| Code::new(&lengths))
    }

    fn simple(bits: &mut Bits<'_>, alphabet: usize) -> Option<Code> {
        let count = bits.take(2)?.saturating_add(1);
        let width = usize::BITS.saturating_sub(alphabet.saturating_sub(1).leading_zeros());
        let mut symbols = Vec::with_capacity(4);
        for _ in 0..count {
            let s = bits.take(width)? as u16;
            if usize::from(s) >= alphabet || symbols.contains(&s) {
                return None;
            }
            symbols.push(s);
        }
        let lengths: &[u8] = match count {
            1 => &[0],
            2 => &[1, 1],
            3 => &[1, 2, 2],
            _ if bits.bit()? => &[1, 2, 3, 3],
            _ => &[2, 2, 2, 2],
        };
        let mut code = Code::default();
        for want in 0..=3u8 {
            let mut same: Vec<u16> =
                symbols.iter().zip(lengths).filter(|(_, l)| **l == want).map(|(s, _)| *s).collect();
            same.sort_unstable();
            if want > 0 {
                *code.counts.get_mut(usize::from(want))? = same.len() as u16;
            }
            code.symbols.append(&mut same);
        }
        Some(code)
    }
}
