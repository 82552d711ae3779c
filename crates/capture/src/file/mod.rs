//! Capture files: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), plain or gzip,
//! from a path or from standard input.
//!
//! Frames are given where they lie in the read buffer. A file that ends in the middle of a record is read
//! to its last whole record; [`FileSource::cut`] tells of it. Damage in the middle is an error that names
//! the byte: there is no way to find the next record without guessing.

mod error;
mod gzip;
mod input;
mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use base::{Frame, LinkType, Timestamp};

pub use error::{Cut, FileError, Problem};
use input::Input;

/// Largest frame: GSO frames reach 64 KiB, "big TCP" ones 512 KiB. A greater length is damage.
pub const MAX_FRAME: usize = 1024 * 1024;
/// Largest pcapng block that is looked into: a frame with its options. Others are skipped unbuffered.
pub const MAX_BLOCK: usize = 2 * MAX_FRAME;

enum Format {
    Pcap(pcap::Pcap),
    PcapNg(pcapng::PcapNg),
}

/// A frame that a format found: where it lies in the buffer, and what is known of it.
struct Found {
    data: Range<usize>,
    time: Timestamp,
    link: LinkType,
    wire_len: u32,
    ifindex: u32,
}

/// What a format says when asked for the next frame.
enum Step {
    Frame(Found),
    End,
    /// The stream ends inside a record.
    Cut,
}

/// A problem and the byte it is at.
type Fault = (u64, Problem);

/// A capture file that is read frame by frame.
pub struct FileSource {
    name: Box<str>,
    input: Input,
    format: Format,
    cut: Option<Cut>,
    done: bool,
}

impl FileSource {
    /// Opens a capture file; `-` is standard input.
    ///
    /// # Errors
    /// The file cannot be read, is no capture, or has a link layer that we do not know.
    pub fn open(path: impl AsRef<Path>) -> Result<FileSource, FileError> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        if name == "-" {
            let stdin =
                owned_stdin().map_err(|e| FileError::new("standard input", 0, false, Problem::Io(e)))?;
            return FileSource::from_reader("standard input", stdin);
        }
        match File::open(path) {
            Ok(file) => FileSource::from_reader(&name, file),
            Err(e) => Err(FileError::new(&name, 0, false, Problem::Io(e))),
        }
    }

    /// Reads a capture from anything; `name` is for messages.
    ///
    /// # Errors
    /// As [`FileSource::open`].
    pub fn from_reader(name: &str, bytes: impl Read + Send + 'static) -> Result<FileSource, FileError> {
        let mut input =
            Input::new(Box::new(bytes)).map_err(|e| FileError::new(name, 0, false, Problem::Io(e)))?;
        match recognise(&mut input) {
            Ok(format) => Ok(FileSource { name: name.into(), input, format, cut: None, done: false }),
            Err((offset, problem)) => Err(FileError::new(name, offset, input.is_gzip(), problem)),
        }
    }

    /// The next frame; `None` at the end, also after an error.
    ///
    /// # Errors
    /// The file cannot be read on, is damaged, or has a frame with a link layer that we do not know.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FileError> {
        if self.done {
            return Ok(None);
        }
        let step = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.input),
            Format::PcapNg(pcapng) => pcapng.next(&mut self.input),
        };
        match step {
            Ok(Step::Frame(found)) => Ok(Some(Frame {
                time: found.time,
                link: found.link,
                data: self.input.bytes(found.data),
                wire_len: found.wire_len,
                ifindex: found.ifindex,
                vlan: None,
                second_copy: false,
            })),
            Ok(Step::End) => self.end(self.input.gzip_cut()),
            Ok(Step::Cut) => self.end(true),
            Err((offset, problem)) => {
                self.done = true;
                Err(FileError::new(&self.name, offset, self.input.is_gzip(), problem))
            }
        }
    }

    #[cold]
    fn end(&mut self, cut: bool) -> Result<Option<Frame<'_>>, FileError> {
        self.done = true;
        if cut {
            let record = self.input.offset();
            self.cut = Some(Cut {
                record,
                end: record + self.input.head().len() as u64,
                gzip: self.input.is_gzip(),
            });
        }
        Ok(None)
    }

    /// Where the file was cut; known when [`FileSource::next_frame`] has returned `None`.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// The name of an interface (`if_name` of pcapng), by [`Frame::ifindex`].
    #[must_use]
    pub fn interface_name(&self, ifindex: u32) -> Option<&str> {
        match &self.format {
            Format::Pcap(_) => None,
            Format::PcapNg(pcapng) => pcapng.interface_name(ifindex),
        }
    }

    /// The name for messages: the path as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Standard input as a file of its own, without the buffer of [`std::io::Stdin`].
fn owned_stdin() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
    }
}

/// Tells the format by the first four bytes and reads the file's header.
fn recognise(input: &mut Input) -> Result<Format, Fault> {
    let whole = input.need(4).map_err(|e| (0, Problem::Io(e)))?;
    let Some(&magic) = input.head().first_chunk::<4>().filter(|_| whole) else {
        return Err((0, if input.head().is_empty() { Problem::Empty } else { Problem::Short }));
    };
    if magic == pcapng::MAGIC {
        return Ok(Format::PcapNg(pcapng::PcapNg::default()));
    }
    match pcap::Pcap::open(magic, input)? {
        Some(pcap) => Ok(Format::Pcap(pcap)),
        None => Err((0, Problem::Magic(magic))),
    }
}

/// Drives the reader with arbitrary bytes, as they are and behind each kind of file header.
#[doc(hidden)]
pub fn fuzz_file(data: &[u8]) {
    for head in
        [&[][..], &pcap::HEADER_FOR_FUZZ, &pcapng::HEADER_FOR_FUZZ, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]]
    {
        let bytes = [head, data].concat();
        let Ok(mut source) = FileSource::from_reader("fuzz", io::Cursor::new(bytes)) else { continue };
        let mut frames = 0_usize;
        loop {
            match source.next_frame() {
                Ok(Some(frame)) => {
                    assert!(frame.data.len() <= MAX_FRAME);
                    assert!(frame.wire_len as usize >= frame.data.len());
                    frames += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    break;
                }
            }
        }
        assert!(matches!(source.next_frame(), Ok(None)));
        // The shortest record of all has 16 bytes; deflate makes 1032 of one at most.
        assert!(frames <= 1 + (head.len() + data.len()) * 1032 / 16);
    }
}
