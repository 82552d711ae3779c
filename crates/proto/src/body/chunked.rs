//! The chunked transfer coding, RFC 9112 section 7.1, taken off piece by piece.

/// More digits than 64 bits hold make no size.
const MAX_DIGITS: u8 = 16;
/// Chunk extensions and trailers are walked over, but not without end.
const MAX_IDLE: u32 = 64 * 1024;

/// Where in the coding the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the hexadecimal digits.
    Size,
    /// Behind the digits, to the end of the line.
    Extension,
    /// In the data: bytes still to come.
    Data(u64),
    /// At the line end behind the data.
    DataEnd,
    /// At the beginning of a line of the trailer.
    Trailer,
    /// Within a line of the trailer.
    TrailerLine,
}

/// State of one chunked body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunked {
    at: At,
    size: u64,
    digits: u8,
    idle: u32,
}

/// What comes next in the bytes given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Data from here to there.
    Data(usize, usize),
    /// All was walked over.
    More,
    /// The body ended before this offset.
    End(usize),
    /// This is not the chunked coding.
    Bad,
}

impl Chunked {
    pub(crate) fn new() -> Chunked {
        Chunked { at: At::Size, size: 0, digits: 0, idle: 0 }
    }

    /// True between chunks, where a gap of known length still leaves the length of the rest unknown.
    fn next_size(&mut self) {
        *self = Chunked { idle: self.idle, ..Chunked::new() };
    }

    /// The next piece of `bytes` at or behind `from`.
    pub(crate) fn next(&mut self, bytes: &[u8], from: usize) -> Piece {
        let mut at = from;
        while let Some(rest) = bytes.get(at..)
            && let Some(b) = rest.first()
        {
            if let At::Data(left) = self.at {
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let left = left.saturating_sub(n as u64);
                self.at = if left == 0 { At::DataEnd } else { At::Data(left) };
                return Piece::Data(at, at.saturating_add(n));
            }
            at = at.saturating_add(1);
            if !matches!(self.at, At::Size) {
                self.idle = self.idle.saturating_add(1);
                if self.idle > MAX_IDLE {
                    return Piece::Bad;
                }
            }
            match (self.at, *b) {
                (At::Size, b) if b.is_ascii_hexdigit() => {
                    self.digits = self.digits.saturating_add(1);
                    if self.digits > MAX_DIGITS {
                        return Piece::Bad;
                    }
                    let digit = (b as char).to_digit(16).unwrap_or(0);
                    self.size = self.size.wrapping_shl(4) | u64::from(digit);
                }
                (At::Size, b' ' | b'\t') if self.digits == 0 => {
                    // Blanks before the size: seen, and harmless when few.
                    self.idle = self.idle.saturating_add(1024);
                    if self.idle > MAX_IDLE {
                        return Piece::Bad;
                    }
                }
                (At::Size | At::Extension, b'\n') if self.digits > 0 => {
                    self.at = if self.size == 0 { At::Trailer } else { At::Data(self.size) };
                }
                (At::Size, b';' | b' ' | b'\t' | b'\r') if self.digits > 0 => self.at = At::Extension,
                (At::Extension, _) => {}
                (At::DataEnd, b'\r') => {}
                (At::DataEnd, b'\n') => {
                    self.idle = 0;
                    self.next_size();
                }
                (At::Trailer, b'\n') => return Piece::End(at),
                (At::Trailer, b'\r') => {}
                (At::Trailer, _) => self.at = At::TrailerLine,
                (At::TrailerLine, b'\n') => self.at = At::Trailer,
                (At::TrailerLine, _) => {}
                _ => return Piece::Bad,
            }
        }
        Piece::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> (Vec<u8>, Piece) {
        let (mut c, mut at, mut out) = (Chunked::new(), 0, Vec::new());
        loop {
            match c.next(bytes, at) {
                Piece::Data(a, b) => {
                    out.extend_from_slice(&bytes[a..b]);
                    at = b;
                }
                end => return (out, end),
            }
        }
    }

    #[test]
    fn sizes_extensions_and_trailers() {
        let text = b"5;a=\"b\"\r\nhello\r\n00a \r\n, world...\r\n0\r\nX: y\r\nZ: \r\n\r\nGET";
        assert_eq!(decode(text), (b"hello, world...".to_vec(), Piece::End(text.len() - 3)));
        assert_eq!(decode(b"3\nabc\n0\n\n"), (b"abc".to_vec(), Piece::End(9)));
        assert_eq!(decode(b"3\r\nab"), (b"ab".to_vec(), Piece::More));
    }

    #[test]
    fn nonsense_is_bad_and_ends() {
        assert_eq!(decode(b"<html>").1, Piece::Bad);
        assert_eq!(decode(b"\r\n").1, Piece::Bad);
        assert_eq!(decode(b"3\r\nabcd").1, Piece::Bad);
        assert_eq!(decode(b"11112222333344445\r\n").1, Piece::Bad);
        let mut long = b"1;".to_vec();
        long.resize(70_000, b'x');
        assert_eq!(decode(&long).1, Piece::Bad);
        assert_eq!(decode(&vec![b' '; 1000]).1, Piece::Bad);
    }
}
