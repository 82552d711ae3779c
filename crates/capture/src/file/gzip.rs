//! gzip as a stream (RFC 1952; the deflate inside is RFC 1951): members one after the other, each with
//! its CRC and length checked. Never more in memory than the input buffer and deflate's window.

use std::io::{self, Read};

use miniz_oxide::inflate::stream::{InflateState, MinReset, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use super::input::Bytes;
use base::Crc32;

/// Compressed bytes read at once.
const CHUNK: usize = 64 * 1024;

const FLAG_CRC: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before a member.
    Header,
    Body,
    Trailer,
    /// After the last member.
    End,
}

/// The decompressor between a file and its reader.
pub(super) struct Gzip {
    bytes: Bytes,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    state: Box<InflateState>,
    stage: Stage,
    crc: u32,
    crc32: Crc32,
    size: u32,
    cut: bool,
}

/// The compressed stream ended in the middle of something.
struct Ended;

/// `Ok(Err(Ended))` is a cut file; `Err` is a failed read or damage.
type Part<T> = io::Result<Result<T, Ended>>;

impl Gzip {
    /// `first` was already read from `bytes`.
    pub(super) fn new(first: Vec<u8>, bytes: Bytes) -> Gzip {
        let mut buf = first;
        let end = buf.len();
        buf.resize(end.max(CHUNK), 0);
        Gzip {
            bytes,
            buf,
            start: 0,
            end,
            state: InflateState::new_boxed(DataFormat::Raw),
            stage: Stage::Header,
            crc: !0,
            crc32: Crc32::new(),
            size: 0,
            cut: false,
        }
    }

    /// Did the stream end before its end mark? Known when [`Gzip::read`] has returned 0.
    pub(super) fn cut(&self) -> bool {
        self.cut
    }

    /// Uncompressed bytes; 0 at the end, also at a premature one.
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let part = match self.stage {
                Stage::Header => self.header().map(|part| part.map(|()| 0)),
                Stage::Body => self.body(out),
                Stage::Trailer => self.trailer().map(|part| part.map(|()| 0)),
                Stage::End => return Ok(0),
            };
            match part? {
                Ok(0) => {}
                Ok(n) => return Ok(n),
                Err(Ended) => {
                    self.cut = true;
                    self.stage = Stage::End;
                }
            }
        }
    }

    /// Are there unread compressed bytes? Reads more when not.
    fn more(&mut self) -> io::Result<bool> {
        while self.start >= self.end {
            (self.start, self.end) = (0, 0);
            self.end = match self.bytes.read(&mut self.buf) {
                Ok(0) => return Ok(false),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
                Err(e) => return Err(e),
            };
        }
        Ok(true)
    }

    fn byte(&mut self) -> Part<u8> {
        if !self.more()? {
            return Ok(Err(Ended));
        }
        let byte = self.buf.get(self.start).copied();
        self.start += 1;
        Ok(byte.ok_or(Ended))
    }

    fn array<const N: usize>(&mut self) -> Part<[u8; N]> {
        let mut out = [0; N];
        for slot in &mut out {
            match self.byte()? {
                Ok(byte) => *slot = byte,
                Err(Ended) => return Ok(Err(Ended)),
            }
        }
        Ok(Ok(out))
    }

    /// A member's header (RFC 1952 section 2.3), or the end of the file.
    fn header(&mut self) -> Part<()> {
        if !self.more()? {
            self.stage = Stage::End;
            return Ok(Ok(()));
        }
        let Ok([id1, id2, method, flags, ..]) = self.array::<10>()? else {
            return Ok(Err(Ended));
        };
        if [id1, id2] != [0x1f, 0x8b] {
            // Padding after the last member; gzip(1) leaves it aside too.
            self.stage = Stage::End;
            return Ok(Ok(()));
        }
        if method != 8 {
            return Err(damaged("gzip: compression method is not deflate"));
        }
        if flags & FLAG_EXTRA != 0 {
            let Ok(len) = self.array::<2>()? else { return Ok(Err(Ended)) };
            for _ in 0..u16::from_le_bytes(len) {
                if self.byte()?.is_err() {
                    return Ok(Err(Ended));
                }
            }
        }
        for text in [FLAG_NAME, FLAG_COMMENT] {
            if flags & text == 0 {
                continue;
            }
            loop {
                match self.byte()? {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(Ended) => return Ok(Err(Ended)),
                }
            }
        }
        if flags & FLAG_CRC != 0 && self.array::<2>()?.is_err() {
            return Ok(Err(Ended));
        }
        self.state.reset_as(MinReset);
        self.stage = Stage::Body;
        self.crc = !0;
        self.size = 0;
        Ok(Ok(()))
    }

    fn body(&mut self, out: &mut [u8]) -> Part<usize> {
        loop {
            let more = self.more()?;
            let input = self.buf.get(self.start..self.end).unwrap_or_default();
            let result = inflate(&mut self.state, input, out, MZFlush::None);
            self.start += result.bytes_consumed;
            let written = out.get(..result.bytes_written).unwrap_or_default();
            self.crc = self.crc32.add(self.crc, written);
            self.size = self.size.wrapping_add(written.len() as u32);
            match result.status {
                Ok(MZStatus::StreamEnd) => {
                    self.stage = Stage::Trailer;
                    return Ok(Ok(written.len()));
                }
                // What came out before damage is given first: the state keeps its error.
                _ if !written.is_empty() => return Ok(Ok(written.len())),
                Ok(_) | Err(MZError::Buf) if !more => return Ok(Err(Ended)),
                Ok(_) | Err(MZError::Buf) if result.bytes_consumed > 0 => {}
                _ => return Err(damaged("gzip: deflate data is damaged")),
            }
        }
    }

    /// CRC and length after a member's data (RFC 1952 section 2.3.1).
    fn trailer(&mut self) -> Part<()> {
        self.stage = Stage::Header;
        let (Ok(crc), Ok(size)) = (self.array::<4>()?, self.array::<4>()?) else {
            return Ok(Err(Ended));
        };
        if u32::from_le_bytes(crc) != !self.crc || u32::from_le_bytes(size) != self.size {
            return Err(damaged("gzip: checksum does not match"));
        }
        Ok(Ok(()))
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
