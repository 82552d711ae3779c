//! GELF UDP framing: a record is one datagram, or chunks of twelve bytes of header and a part.
//!
//! Chunk header: `1e 0f`, eight bytes of message id, sequence number, sequence count. Receivers join by the id
//! alone, also across senders, so it is random.

/// Bytes before the part of a chunk.
pub(crate) const HEADER: usize = 12;
/// Receivers take no more chunks of one record.
const MAX_CHUNKS: usize = 128;
/// Some receivers read no more of a datagram.
const MAX_DATAGRAM: usize = 8192;
/// The largest payload of UDP over IPv4.
const MAX_UDP: usize = 65_507;
/// Fits an Ethernet frame through common tunnels, as GELF libraries have it.
const DEFAULT: usize = 1420;
/// Below this, records of ordinary length would need more than 128 chunks.
const SMALLEST: usize = 256;

/// How large a datagram may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunking {
    /// At most this many bytes, header of the chunk included.
    Datagram(usize),
    /// Never in chunks: one datagram of up to 65,507 bytes.
    Off,
}

impl Default for Chunking {
    fn default() -> Chunking {
        Chunking::Datagram(DEFAULT)
    }
}

impl Chunking {
    /// As `chunk=` says it: a number of bytes, or `off`.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn parse(text: &str) -> Result<Chunking, String> {
        match text.trim() {
            "off" => Ok(Chunking::Off),
            n => match n.parse::<usize>() {
                Ok(n) if (SMALLEST..=MAX_DATAGRAM).contains(&n) => Ok(Chunking::Datagram(n)),
                _ => Err(format!("`{text}`: expected {SMALLEST} to {MAX_DATAGRAM} bytes, or `off`")),
            },
        }
    }

    /// The parts of a payload of `len` bytes: how many, and how many bytes each but the last has. `None`
    /// when it is too big; one part is a datagram without header.
    pub(crate) fn parts(self, len: usize) -> Option<(usize, usize)> {
        match self {
            Chunking::Off => (len <= MAX_UDP).then_some((1, len)),
            Chunking::Datagram(max) if len <= max => Some((1, len)),
            Chunking::Datagram(max) => {
                let part = max.checked_sub(HEADER).filter(|p| *p > 0)?;
                let count = len.div_ceil(part);
                (count <= MAX_CHUNKS).then_some((count, part))
            }
        }
    }
}

/// The header of one chunk.
pub(crate) fn chunk_header(id: u64, number: usize, count: usize) -> [u8; HEADER] {
    let [a, b, c, d, e, f, g, h] = id.to_be_bytes();
    [0x1e, 0x0f, a, b, c, d, e, f, g, h, number as u8, count as u8]
}

/// Message ids: a counter from a random start through a mixing bijection (splitmix64), so that one
/// sender repeats none in 2^64 and two senders are not alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids(u64);

impl Ids {
    pub(crate) fn new(random: u64) -> Ids {
        Ids(random)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_all_and_no_datagram_is_too_large() {
        for max in [256, 1420, 8192] {
            let chunking = Chunking::Datagram(max);
            let largest = 128 * (max - HEADER);
            for len in [0, 1, max - 1, max, max + 1, 2 * max, largest - 1, largest] {
                let (count, part) = chunking.parts(len).unwrap();
                assert!(
                    (count == 1 && len <= max)
                        || (count * part >= len && (count - 1) * part < len && part + HEADER <= max)
                );
            }
            assert_eq!(chunking.parts(largest + 1), None);
        }
        assert_eq!(Chunking::Off.parts(65_507), Some((1, 65_507)));
        assert_eq!(Chunking::Off.parts(65_508), None);
    }

    #[test]
    fn settings() {
        assert_eq!(Chunking::parse("off"), Ok(Chunking::Off));
        assert_eq!(Chunking::parse("1420"), Ok(Chunking::default()));
        for bad in ["", "255", "8193", "on", "-1"] {
            assert!(Chunking::parse(bad).unwrap_err().contains("8192"));
        }
    }

    #[test]
    fn header_and_ids() {
        assert_eq!(chunk_header(0x0102_0304_0506_0708, 2, 128), [0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, 2, 128]);
        let mut ids = Ids::new(1);
        let seen: std::collections::HashSet<u64> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(seen.len(), 10_000);
    }
}
