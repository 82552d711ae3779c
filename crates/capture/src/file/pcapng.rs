//! pcapng (draft-ietf-opsawg-pcapng): blocks of (type, length, body, length again) in sections that each
//! have their byte order and their interfaces.
//!
//! Read: section header (section 4.1), interface description (4.2), enhanced and simple packet (4.3, 4.4),
//! and the obsolete packet block (appendix A). All other blocks are skipped without being buffered.

use base::{LinkType, SECOND, Timestamp};

use super::input::Input;
use super::{Fault, Found, MAX_BLOCK, MAX_FRAME, Problem, Step};
use crate::link::link_type;

/// A section header's type: the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Interfaces of one section: no host has more, and each costs memory.
pub(super) const MAX_INTERFACES: usize = 4096;
/// Bytes of an interface's name that are kept: Windows' names have some 50.
const MAX_NAME: usize = 128;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const ORDER_LITTLE: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];
const ORDER_BIG: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

/// Type, length, and the length again.
const FRAMING: usize = 12;

const OPTION_END: u16 = 0;
const OPTION_NAME: u16 = 2;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;

/// A section, and an interface of Ethernet without options.
#[rustfmt::skip]
pub(super) const HEADER_FOR_FUZZ: [u8; 48] = [
    0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
    1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 20, 0, 0, 0,
];

/// What one unit of an interface's clock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// Nanoseconds of a unit.
    Times(u64),
    /// Units of a nanosecond; 0 when there are too many to count.
    Per(u64),
    /// 2 to this power units are a second.
    Binary(u32),
}

impl Clock {
    /// `if_tsresol`: a negative power of 10, or of 2 when the highest bit is set.
    fn new(resolution: u8) -> Clock {
        let power = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            Clock::Binary(power)
        } else if power <= 9 {
            Clock::Times(10_u64.pow(9 - power))
        } else {
            Clock::Per(10_u64.checked_pow(power - 9).unwrap_or(0))
        }
    }

    #[inline]
    fn nanos(self, units: u64) -> u64 {
        match self {
            Clock::Times(n) => units.saturating_mul(n),
            Clock::Per(n) => units.checked_div(n).unwrap_or(0),
            Clock::Binary(power) => {
                u64::try_from((u128::from(units) * u128::from(SECOND)) >> power).unwrap_or(u64::MAX)
            }
        }
    }
}

struct Interface {
    link: Result<LinkType, u32>,
    /// 0 when unlimited.
    snaplen: u32,
    clock: Clock,
    /// Seconds to add to each time.
    offset: i64,
    name: Option<Box<str>>,
}

#[derive(Default)]
pub(super) struct PcapNg {
    big: bool,
    interfaces: Vec<Interface>,
    /// Of the last frame that had one; simple packet blocks have none.
    last_time: Timestamp,
}

impl PcapNg {
    pub(super) fn interface_name(&self, ifindex: u32) -> Option<&str> {
        self.interfaces.get(usize::try_from(ifindex).ok()?.checked_sub(1)?)?.name.as_deref()
    }

    #[inline]
    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    #[inline]
    fn half(&self, bytes: [u8; 2]) -> u16 {
        if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    #[inline]
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Step, Fault> {
        loop {
            let at = input.offset();
            let io = |e| (at, Problem::Io(e));
            if !input.need(FRAMING).map_err(io)? {
                return Ok(if input.head().is_empty() { Step::End } else { Step::Cut });
            }
            let Some(&[k0, k1, k2, k3, l0, l1, l2, l3, o0, o1, o2, o3]) =
                input.head().first_chunk::<FRAMING>()
            else {
                return Ok(Step::Cut);
            };
            if [k0, k1, k2, k3] == MAGIC {
                self.big = match [o0, o1, o2, o3] {
                    ORDER_LITTLE => false,
                    ORDER_BIG => true,
                    _ => return Err((at, Problem::ByteOrder)),
                };
            }
            let (kind, total) = (self.word([k0, k1, k2, k3]), self.word([l0, l1, l2, l3]));
            let len = total as usize;
            if len < FRAMING || !len.is_multiple_of(4) {
                return Err((at, Problem::BlockLength(total)));
            }
            if !matches!(kind, SECTION | INTERFACE | OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
                if !input.skip(u64::from(total) - 4).map_err(io)? || !input.need(4).map_err(io)? {
                    return Ok(Step::Cut);
                }
                self.trailer(at, total, input.head())?;
                input.take(4);
                continue;
            }
            if len > MAX_BLOCK {
                return Err((at, Problem::BlockLength(total)));
            }
            if !input.need(len).map_err(io)? {
                return Ok(Step::Cut);
            }
            let block = input.head().get(..len).unwrap_or_default();
            self.trailer(at, total, block.get(len - 4..).unwrap_or_default())?;
            let body = block.get(8..len - 4).unwrap_or_default();
            let found = match kind {
                SECTION => self.section(body).map(|()| None),
                INTERFACE => self.interface(body).map(|()| None),
                _ => self.packet(kind, body).map(Some),
            };
            match found {
                Ok(None) => input.take(len),
                Err(Damage::Length) => return Err((at, Problem::BlockLength(total))),
                Err(Damage::Other(problem)) => return Err((at, problem)),
                Ok(Some((skip, captured, mut found))) => {
                    let block = input.take(len);
                    let from = block.start + 8 + skip;
                    found.data = from..from + captured;
                    return Ok(Step::Frame(found));
                }
            };
        }
    }

    /// The length again, at the block's end.
    #[inline]
    fn trailer(&self, at: u64, total: u32, bytes: &[u8]) -> Result<(), Fault> {
        let again = bytes.first_chunk::<4>().map_or(0, |&bytes| self.word(bytes));
        if again == total { Ok(()) } else { Err((at, Problem::BlockTrailer(total, again))) }
    }

    /// A new section: its interfaces count from 0 again.
    #[cold]
    fn section(&mut self, body: &[u8]) -> Result<(), Damage> {
        let Some(&[_, _, _, _, a, b, c, d, ..]) = body.first_chunk::<16>() else {
            return Err(Damage::Length);
        };
        let (major, minor) = (self.half([a, b]), self.half([c, d]));
        if major != 1 {
            return Err(Damage::Other(Problem::Version(major, minor)));
        }
        self.interfaces.clear();
        Ok(())
    }

    #[cold]
    fn interface(&mut self, body: &[u8]) -> Result<(), Damage> {
        let Some((&[a, b, _, _, s0, s1, s2, s3], mut options)) = body.split_first_chunk::<8>() else {
            return Err(Damage::Length);
        };
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Damage::Other(Problem::TooManyInterfaces));
        }
        let number = u32::from(self.half([a, b]));
        let mut interface = Interface {
            // An interface that we cannot read matters when it has a frame.
            link: link_type(number).ok_or(number),
            snaplen: self.word([s0, s1, s2, s3]),
            clock: Clock::Times(1_000),
            offset: 0,
            name: None,
        };
        while let Some((&[c0, c1, l0, l1], rest)) = options.split_first_chunk::<4>() {
            let (code, len) = (self.half([c0, c1]), usize::from(self.half([l0, l1])));
            let Some(value) = rest.get(..len).filter(|_| code != OPTION_END) else { break };
            match (code, value) {
                (OPTION_NAME, name) => {
                    let name = name.get(..MAX_NAME).unwrap_or(name);
                    let name = String::from_utf8_lossy(name);
                    interface.name = Some(name.trim_end_matches('\0').into());
                }
                (OPTION_RESOLUTION, &[resolution, ..]) => interface.clock = Clock::new(resolution),
                (OPTION_OFFSET, value) => {
                    if let Ok(bytes) = <[u8; 8]>::try_from(value) {
                        interface.offset =
                            if self.big { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
                    }
                }
                _ => {}
            }
            options = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// A frame: bytes of the body before it, its length, and what is known of it.
    #[inline]
    fn packet(&mut self, kind: u32, body: &[u8]) -> Result<(usize, usize, Found), Damage> {
        let (skip, number, units, captured, wire) = if kind == SIMPLE_PACKET {
            let Some(&wire) = body.first_chunk::<4>() else { return Err(Damage::Length) };
            let wire = self.word(wire);
            let snaplen = self.interfaces.first().map_or(0, |interface| interface.snaplen);
            let room = u32::try_from(body.len() - 4).unwrap_or(u32::MAX);
            let captured = wire.min(room).min(if snaplen == 0 { u32::MAX } else { snaplen });
            (4, 0, None, captured, wire)
        } else {
            let Some(&[i0, i1, i2, i3, h0, h1, h2, h3, l0, l1, l2, l3, c0, c1, c2, c3, w0, w1, w2, w3]) =
                body.first_chunk::<20>()
            else {
                return Err(Damage::Length);
            };
            let number = if kind == ENHANCED_PACKET {
                self.word([i0, i1, i2, i3])
            } else {
                u32::from(self.half([i0, i1]))
            };
            let units = u64::from(self.word([h0, h1, h2, h3])) << 32 | u64::from(self.word([l0, l1, l2, l3]));
            (20, number, Some(units), self.word([c0, c1, c2, c3]), self.word([w0, w1, w2, w3]))
        };
        let Some(interface) = self.interfaces.get(number as usize) else {
            return Err(Damage::Other(Problem::Interface(number, self.interfaces.len())));
        };
        let link = interface.link.map_err(|number| Damage::Other(Problem::LinkType(number)))?;
        let len = captured as usize;
        if len > MAX_FRAME {
            return Err(Damage::Other(Problem::FrameLength(captured)));
        }
        if len > body.len() - skip {
            return Err(Damage::Length);
        }
        if let Some(units) = units {
            let nanos = interface.clock.nanos(units);
            self.last_time = Timestamp(if interface.offset == 0 {
                nanos
            } else {
                let offset = interface.offset.unsigned_abs().saturating_mul(SECOND);
                if interface.offset > 0 { nanos.saturating_add(offset) } else { nanos.saturating_sub(offset) }
            });
        }
        let found = Found {
            data: 0..0,
            time: self.last_time,
            link,
            wire_len: wire.max(captured),
            ifindex: number.saturating_add(1),
        };
        Ok((skip, len, found))
    }
}

/// What a block's content can have wrong.
enum Damage {
    /// It does not fit the block's length.
    Length,
    Other(Problem),
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn resolutions_are_powers_of_10_and_2() {
        assert_eq!(Clock::new(6).nanos(1_500_000), 1_500_000_000);
        assert_eq!(Clock::new(0).nanos(3), 3_000_000_000);
        assert_eq!(Clock::new(9).nanos(7), 7);
        assert_eq!(Clock::new(12).nanos(7_999), 7);
        assert_eq!(Clock::new(127).nanos(u64::MAX), 0);
        assert_eq!(Clock::new(0x80 | 1).nanos(3), 1_500_000_000);
        assert_eq!(Clock::new(0x80 | 32).nanos(1 << 31), 500_000_000);
        assert_eq!(Clock::new(0xff).nanos(u64::MAX), 0);
        assert_eq!(Clock::new(0x80).nanos(u64::MAX), u64::MAX);
    }
}
