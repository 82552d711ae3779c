//! gzip (RFC 1952) of one record. Zlib is not used: a reader in wide use knows only one of its headers.

mod sys;

use crate::deflate::Deflate;
use base::Crc32;

/// Magic, deflate, no flags, no time, fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// CRC and length.
const TRAILER: usize = 8;

/// A compressor that is used again and again.
#[derive(Debug)]
pub(crate) struct Gzip {
    pub(crate) deflate: Deflate,
    crc32: Crc32,
}

impl Gzip {
    pub(crate) fn new() -> Gzip {
        Gzip { deflate: Deflate::new(), crc32: Crc32::new() }
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
        out.extend_from_slice(&crc32(&self.crc32, data).to_le_bytes());
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
            assert_eq!((crc, len as usize), (!gzip.crc32.add(!0, text), text.len()));
        } else {
            assert!(out.is_empty());
        }
    }
}

/// CRC-32 of IEEE 802.3, by the processor's own instruction where it has one.
fn crc32(tables: &Crc32, data: &[u8]) -> u32 {
    let (blocks, tail) = data.as_chunks();
    match sys::fold(!0, blocks) {
        // What is folded has the same remainder as all that it was made of.
        Some(folded) => !tables.add(tables.add(0, &folded), tail),
        None => !tables.add(!0, data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_standard_check() {
        let tables = Crc32::new();
        assert_eq!(crc32(&tables, b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(&tables, b""), 0);
    }

    #[test]
    fn folded_or_by_tables_is_the_same() {
        let data: Vec<u8> = (0..600u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        let tables = Crc32::new();
        for from in 0..20 {
            for to in (from..data.len()).step_by(7) {
                assert_eq!(crc32(&tables, &data[from..to]), !tables.add(!0, &data[from..to]));
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
            assert_eq!(gz[gz.len() - 8..gz.len() - 4], crc32(&Crc32::new(), &text).to_le_bytes());
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
