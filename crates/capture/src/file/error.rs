//! What can be wrong with a capture file, in words that name the byte and what was expected.

use std::fmt;
use std::io;

use super::{MAX_BLOCK, MAX_FRAME};
use crate::link::KNOWN_LINK_TYPES;

/// What is wrong.
#[derive(Debug)]
pub enum Problem {
    /// The operating system, or the decompressor.
    Io(io::Error),
    /// No byte at all.
    Empty,
    /// The file ends inside its own header.
    Short,
    /// Neither pcap nor pcapng nor gzip.
    Magic([u8; 4]),
    /// A version whose layout we do not know.
    Version(u16, u16),
    /// A link layer that we cannot read.
    LinkType(u32),
    /// A frame longer than any: its length in bytes.
    FrameLength(u32),
    /// A pcapng block whose length cannot be.
    BlockLength(u32),
    /// A pcapng block's second length differs from its first.
    BlockTrailer(u32, u32),
    /// A pcapng section does not tell its byte order.
    ByteOrder,
    /// A frame of an interface that was not described: number, interfaces described.
    Interface(u32, usize),
    /// More interfaces than we keep.
    TooManyInterfaces,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Io(e) => write!(f, "{e}"),
            Problem::Empty => write!(f, "the file is empty; expected a pcap or pcapng capture"),
            Problem::Short => write!(f, "the file ends inside its header"),
            Problem::Magic([a, b, c, d]) => {
                write!(
                    f,
                    "begins with {a:02x} {b:02x} {c:02x} {d:02x}; expected a pcap or pcapng capture, plain or gzip"
                )
            }
            Problem::Version(major, minor) => {
                write!(f, "format version {major}.{minor}; expected pcap 2.x or pcapng 1.x")
            }
            Problem::LinkType(n) => write!(f, "link type {n} is not known; known are {KNOWN_LINK_TYPES}"),
            Problem::FrameLength(n) => {
                write!(f, "a frame of {n} bytes; expected at most {MAX_FRAME}: the file is damaged here")
            }
            Problem::BlockLength(n) => {
                write!(
                    f,
                    "a block of {n} bytes; expected a multiple of 4 that holds its fields, at most {MAX_BLOCK}: the file is damaged here"
                )
            }
            Problem::BlockTrailer(a, b) => {
                write!(f, "a block of {a} bytes ends with the length {b}: the file is damaged here")
            }
            Problem::ByteOrder => {
                write!(f, "a section without the byte order mark 1a2b3c4d: the file is damaged here")
            }
            Problem::Interface(n, known) => write!(f, "a frame of interface {n}, but {known} are described"),
            Problem::TooManyInterfaces => write!(f, "more than {} interfaces", super::pcapng::MAX_INTERFACES),
        }
    }
}

/// A capture file that cannot be read, or not further.
#[derive(Debug)]
pub struct FileError {
    /// The file, as it was given.
    pub name: String,
    /// Byte that the problem is at.
    pub offset: u64,
    /// The offset counts uncompressed bytes.
    pub gzip: bool,
    /// What is wrong.
    pub problem: Problem,
}

impl FileError {
    #[cold]
    pub(super) fn new(name: &str, offset: u64, gzip: bool, problem: Problem) -> FileError {
        FileError { name: name.to_owned(), offset, gzip, problem }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        if self.offset > 0
            || !matches!(self.problem, Problem::Io(_) | Problem::Empty | Problem::Short | Problem::Magic(_))
        {
            write!(f, "byte {}{}: ", self.offset, if self.gzip { " (uncompressed)" } else { "" })?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(e) => Some(e),
            _ => None,
        }
    }
}

/// A file that ends in the middle of a record. Not an error: what came before was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Byte at which the incomplete record begins; all before it was read.
    pub record: u64,
    /// Byte at which the file ends.
    pub end: u64,
    /// Both count uncompressed bytes.
    pub gzip: bool,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.gzip { " of the uncompressed data" } else { "" };
        write!(
            f,
            "the file is cut: it ends at byte {}{what} inside the record that begins at byte {}",
            self.end, self.record
        )
    }
}
