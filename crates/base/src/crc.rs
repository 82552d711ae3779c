//! The CRC-32 of gzip (RFC 1952, section 8) and Ethernet.

/// Its tables, made when they are first needed: in the program they would be 8 KB.
#[derive(Clone, Debug)]
pub struct Crc32 {
    /// The remainder of a byte, and of one that is followed by one to seven others.
    tables: Box<[[u32; 256]; 8]>,
}

impl Crc32 {
    /// Makes the tables: some thousands of steps.
    #[must_use]
    pub fn new() -> Crc32 {
        let mut tables = Box::new([[0; 256]; 8]);
        let [first, others @ ..] = &mut *tables;
        for (n, crc) in (0..).zip(first.iter_mut()) {
            *crc = (0..8).fold(n, |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 });
        }
        let mut last = *first;
        for table in others {
            for (to, crc) in table.iter_mut().zip(&mut last) {
                *crc = *crc >> 8 ^ at(first, *crc as u8);
                *to = *crc;
            }
        }
        Crc32 { tables }
    }

    /// Goes on with `crc` over `data`, eight bytes at a time. It begins with `!0`, and in the end is inverted.
    #[must_use]
    pub fn add(&self, mut crc: u32, data: &[u8]) -> u32 {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &*self.tables;
        let (chunks, rest) = data.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in chunks {
            let [i, j, k, l] = crc.to_le_bytes();
            crc = at(t7, a ^ i) ^ at(t6, b ^ j) ^ at(t5, c ^ k) ^ at(t4, d ^ l);
            crc ^= at(t3, e) ^ at(t2, f) ^ at(t1, g) ^ at(t0, h);
        }
        for byte in rest {
            crc = crc >> 8 ^ at(t0, crc as u8 ^ byte);
        }
        crc
    }
}

impl Default for Crc32 {
    fn default() -> Crc32 {
        Crc32::new()
    }
}

#[inline]
fn at(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_check_string() {
        let crc = Crc32::new();
        assert_eq!(!crc.add(!0, b"123456789"), 0xcbf4_3926);
        assert_eq!(!crc.add(!0, b""), 0);
        let whole = b"1234567890123456789abcdefgh";
        for cut in 0..whole.len() {
            let (a, b) = whole.split_at(cut);
            assert_eq!(crc.add(crc.add(!0, a), b), crc.add(!0, whole));
        }
    }
}
