//! gzip (RFC 1952) of one record. Zlib is not used: a reader in wide use knows only one of its headers.

mod sys;

use crate::deflate::Deflate;

/// Magic, deflate, no flags, no time, fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// CRC and length.
const TRAILER: usize = 8;

/// A compressor that is used again and again.
#[derive(Debug)]
pub(crate) struct Gzip {
    pub(crate) deflate: Deflate,
}

impl Gzip {
    pub(crate) fn new() -> Gzip {
        Gzip { deflate: Deflate::new() }
    }

    /// Appends `data` compressed; false, and nothing appended, when it would not be smaller.
    pub(crate) fn append(&mut self, data: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(most) = data.len().checked_sub(HEADER.len() + TRAILER + 1) else { return false };
        let start = out.len();
        out.extend_from_slice(&HEADER);
        if !self.deflate.append(data, most, out) {
            out.truncate(start);
            return false;
        }
        out.extend_from_slice(&crc32(data).to_le_bytes());
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        true
    }
}

/// For fuzzing: texts one after the other, as records come, read back by a reader that is none of ours.
#[doc(hidden)]
pub fn fuzz_gzip(data: &[u8]) {
    let mut gzip = Gzip::new();
    let size = usize::from(data.first().copied().unwrap_or(0)) * 16 + 1;
    let mut out = Vec::new();
    for text in data.chunks(size).chain([data]) {
        out.clear();
        let least = text.len() * 9 / 8 + 64;
        assert!(
            gzip.deflate.append(text, least, &mut out),
            "the fixed code has at most nine bits for a byte"
        );
        let back = miniz_oxide::inflate::decompress_to_vec_with_limit(&out, text.len());
        assert!(back.is_ok_and(|b| b == text), "what was written is read");
        out.clear();
        if gzip.append(text, &mut out) {
            assert!(out.len() < text.len() && out.starts_with(&HEADER));
            let trailer: Option<[u8; TRAILER]> = out.last_chunk().copied();
            let [crc, len] = trailer.map_or([0; 2], |[a, b, c, d, e, f, g, h]| {
                [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
            });
            assert_eq!((crc, len as usize), (!by_tables(!0, text), text.len()));
        } else {
            assert!(out.is_empty());
        }
    }
}

/// CRC-32 of IEEE 802.3.
fn crc32(data: &[u8]) -> u32 {
    let (blocks, tail) = data.as_chunks();
    match sys::fold(!0, blocks) {
        // What is folded has the same remainder as all that it was made of.
        Some(folded) => !by_tables(by_tables(0, &folded), tail),
        None => !by_tables(!0, data),
    }
}

/// Goes on with `crc`, four bytes a step.
fn by_tables(mut crc: u32, data: &[u8]) -> u32 {
    let at = |t: usize, i: u32| TABLES.get(t).and_then(|t| t.get((i & 255) as usize)).copied().unwrap_or(0);
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let x = crc ^ u32::from_le_bytes(*word);
        crc = at(3, x) ^ at(2, x >> 8) ^ at(1, x >> 16) ^ at(0, x >> 24);
    }
    for b in tail {
        crc = at(0, crc ^ u32::from(*b)) ^ (crc >> 8);
    }
    crc
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
    fn folded_or_by_tables_is_the_same() {
        let data: Vec<u8> = (0..600u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        for from in 0..20 {
            for to in (from..data.len()).step_by(7) {
                assert_eq!(crc32(&data[from..to]), !by_tables(!0, &data[from..to]));
            }
        }
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

    #[test]
    fn arbitrary_bytes_are_read_back() {
        let mut x = 9u64;
        let mut next = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as usize
        };
        for round in 0..300 {
            let len = next() % 3000;
            let mut data: Vec<u8> =
                (0..len).map(|i| if round % 3 == 0 { next() as u8 } else { (i % 97) as u8 }).collect();
            for _ in 0..round % 20 {
                if let Some(b) = data.get_mut(next() % len.max(1)) {
                    *b = next() as u8;
                }
            }
            fuzz_gzip(&data);
        }
    }

    #[test]
    fn the_program_gzip_reads_it() {
        use std::io::Write;
        let (mut gzip, mut out, mut want) = (Gzip::new(), Vec::new(), Vec::new());
        for i in 0..50 {
            let text = format!("{{\"RECORD\":\"flow\",\"SRC_PKTS\":\"{i}\",\"DST_PKTS\":\"{}\"}}", i * 7)
                .repeat(i % 5 + 2);
            assert!(gzip.append(text.as_bytes(), &mut out));
            want.extend_from_slice(text.as_bytes());
        }
        let mut reader = std::process::Command::new("gzip")
            .arg("-dc")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        reader.stdin.take().unwrap().write_all(&out).unwrap();
        let output = reader.wait_with_output().unwrap();
        assert!(output.status.success() && output.stdout == want);
    }
}
