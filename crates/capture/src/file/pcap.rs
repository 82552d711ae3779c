//! Classic pcap: a header of 24 bytes, then records of 16 bytes and the frame
//! (draft-ietf-opsawg-pcap sections 4 and 5).
//!
//! Both byte orders, micro- and nanoseconds, and the "modified" format of patched libpcaps, whose records
//! carry the interface's index. The snapshot length in the header is not believed: writers lie.

use base::{LinkType, Timestamp};

use super::input::Input;
use super::{Fault, Found, MAX_FRAME, Problem, Step};
use crate::link::link_type;

const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;
/// Kuznetsov's patch of libpcap: 8 bytes more in each record.
const MODIFIED: u32 = 0xa1b2_cd34;

const FILE_HEADER: usize = 24;
const RECORD: usize = 16;
const MODIFIED_RECORD: usize = 24;

/// Nanoseconds, version 2.4, Ethernet.
pub(super) const HEADER_FOR_FUZZ: [u8; FILE_HEADER] =
    [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];

/// Which of a record's two lengths comes first: it changed in version 2.3.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// Version 2.3 had both: the captured one cannot be the longer.
    Shorter,
}

pub(super) struct Pcap {
    big: bool,
    /// Nanoseconds of one unit of a record's second time field.
    unit: u64,
    record: usize,
    lengths: Lengths,
    link: LinkType,
}

impl Pcap {
    /// Reads the file's header; `None` when the magic is not ours.
    pub(super) fn open(magic: [u8; 4], input: &mut Input) -> Result<Option<Pcap>, Fault> {
        let known = |magic: u32| match magic {
            MICROS => Some((1_000, RECORD)),
            NANOS => Some((1, RECORD)),
            MODIFIED => Some((1_000, MODIFIED_RECORD)),
            _ => None,
        };
        let little = known(u32::from_le_bytes(magic)).map(|found| (false, found));
        let Some((big, (unit, record))) =
            little.or(known(u32::from_be_bytes(magic)).map(|found| (true, found)))
        else {
            return Ok(None);
        };
        if !input.need(FILE_HEADER).map_err(|e| (0, Problem::Io(e)))? {
            return Err((0, Problem::Short));
        }
        let Some(&[_, _, _, _, a, b, c, d, .., w, x, y, z]) = input.head().first_chunk::<FILE_HEADER>()
        else {
            return Err((0, Problem::Short));
        };
        let half = |bytes| if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let lengths = match (half([a, b]), half([c, d])) {
            // 543 is Digital Unix's tcpdump, with the old order.
            (543, _) | (2, 0..=2) => Lengths::WireFirst,
            (2, 3) => Lengths::Shorter,
            (2, _) => Lengths::CapturedFirst,
            (major, minor) => return Err((4, Problem::Version(major, minor))),
        };
        // The upper half of the field tells of a frame check sequence; the decoder ignores what follows a packet.
        let number = word(big, [w, x, y, z]) & 0xffff;
        let link = link_type(number).ok_or((20, Problem::LinkType(number)))?;
        input.take(FILE_HEADER);
        Ok(Some(Pcap { big, unit, record, lengths, link }))
    }

    #[inline]
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Step, Fault> {
        if !input.need(self.record).map_err(|e| (input.offset(), Problem::Io(e)))? {
            return Ok(if input.head().is_empty() { Step::End } else { Step::Cut });
        }
        let Some(&[s0, s1, s2, s3, f0, f1, f2, f3, a0, a1, a2, a3, b0, b1, b2, b3]) =
            input.head().first_chunk::<RECORD>()
        else {
            return Ok(Step::Cut);
        };
        let (secs, fraction) = (word(self.big, [s0, s1, s2, s3]), word(self.big, [f0, f1, f2, f3]));
        let (a, b) = (word(self.big, [a0, a1, a2, a3]), word(self.big, [b0, b1, b2, b3]));
        let (captured, wire) = match self.lengths {
            Lengths::CapturedFirst => (a, b),
            Lengths::WireFirst => (b, a),
            Lengths::Shorter => (a.min(b), a.max(b)),
        };
        let len = captured as usize;
        if len > MAX_FRAME {
            return Err((input.offset(), Problem::FrameLength(captured)));
        }
        if !input.need(self.record + len).map_err(|e| (input.offset(), Problem::Io(e)))? {
            return Ok(Step::Cut);
        }
        let ifindex = if self.record == RECORD { 0 } else { self.ifindex(input.head()) };
        input.take(self.record);
        Ok(Step::Frame(Found {
            data: input.take(len),
            time: Timestamp::new(u64::from(secs), u64::from(fraction) * self.unit),
            link: self.link,
            wire_len: wire.max(captured),
            ifindex,
        }))
    }

    /// The first field that a modified record has more.
    #[cold]
    fn ifindex(&self, record: &[u8]) -> u32 {
        let bytes = record.get(RECORD..).and_then(|more| more.first_chunk::<4>());
        bytes.map_or(0, |&bytes| word(self.big, bytes))
    }
}

#[inline]
fn word(big: bool, bytes: [u8; 4]) -> u32 {
    if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}
