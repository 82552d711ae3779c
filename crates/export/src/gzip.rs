//! gzip (RFC 1952) of one record, fast. Zlib is not used: a reader in wide use knows only one of its headers.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};

/// Magic, deflate, no flags, no time, fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// Deflate level: the fast one; the next levels win few percent for twice the time.
const LEVEL: i32 = 1;

/// A compressor that is used again and again.
pub(crate) struct Gzip {
    deflate: Box<CompressorOxide>,
}

impl Gzip {
    pub(crate) fn new() -> Gzip {
        // A window size below zero: raw deflate, without the header of zlib.
        let flags = create_comp_flags_from_zip_params(LEVEL, -15, 0);
        Gzip { deflate: Box::new(CompressorOxide::new(flags)) }
    }

    /// Appends `data` compressed; false, and nothing appended, when it would not be smaller.
    pub(crate) fn append(&mut self, data: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.extend_from_slice(&HEADER);
        let body = out.len();
        out.resize(start + data.len(), 0);
        let room = out.get_mut(body..).and_then(|r| r.len().checked_sub(8).and_then(|n| r.get_mut(..n)));
        let written = room.and_then(|room| {
            self.deflate.reset();
            let (status, _, written) = compress(&mut self.deflate, data, room, TDEFLFlush::Finish);
            (status == TDEFLStatus::Done).then_some(written)
        });
        let Some(written) = written else {
            out.truncate(start);
            return false;
        };
        out.truncate(body + written);
        out.extend_from_slice(&crc32(data).to_le_bytes());
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        true
    }
}

/// CRC-32 of IEEE 802.3, four bytes a step.
fn crc32(data: &[u8]) -> u32 {
    let at = |t: usize, i: u32| TABLES.get(t).and_then(|t| t.get((i & 255) as usize)).copied().unwrap_or(0);
    let (words, tail) = data.as_chunks::<4>();
    let mut crc = !0u32;
    for word in words {
        let x = crc ^ u32::from_le_bytes(*word);
        crc = at(3, x) ^ at(2, x >> 8) ^ at(1, x >> 16) ^ at(0, x >> 24);
    }
    for b in tail {
        crc = at(0, crc ^ u32::from(*b)) ^ (crc >> 8);
    }
    !crc
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static TABLES: [[u32; 256]; 4] = {
    let mut t = [[0u32; 256]; 4];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        t[0][i] = crc;
        i += 1;
    }
    let mut i = 0;
    while i < 256 {
        let mut k = 1;
        while k < 4 {
            t[k][i] = t[k - 1][i] >> 8 ^ t[0][(t[k - 1][i] & 255) as usize];
            k += 1;
        }
        i += 1;
    }
    t
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_standard_check() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn comes_back_and_only_when_smaller() {
        let mut gzip = Gzip::new();
        for text in
            [b"{\"a\":\"b\"}".repeat(40), b"x".repeat(70_000), b"GET /index.html HTTP/1.1\r\n".repeat(9)]
        {
            let mut out = b"before".to_vec();
            assert!(gzip.append(&text, &mut out));
            let gz = &out[6..];
            assert!(gz.len() < text.len() && gz[..4] == [0x1f, 0x8b, 8, 0]);
            let back = miniz_oxide::inflate::decompress_to_vec(&gz[10..gz.len() - 8]).unwrap();
            assert_eq!(back, text);
            assert_eq!(gz[gz.len() - 8..gz.len() - 4], crc32(&text).to_le_bytes());
        }
        let mut out = b"before".to_vec();
        let random: Vec<u8> = (0..300u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for text in [&b""[..], b"{}", b"{\"short\":\"text\"}", &random] {
            assert!(!gzip.append(text, &mut out));
            assert_eq!(out, b"before");
        }
    }
}
