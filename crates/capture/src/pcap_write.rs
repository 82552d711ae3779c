//! A writer of classic pcap with nanoseconds (draft-ietf-opsawg-pcap), for raw capture and for tests.

use std::io::{self, Write};

use base::{Frame, LinkType};

use crate::link::link_number;

/// Bytes before each frame.
const RECORD: usize = 16;
/// Bytes of an Ethernet frame before the place of a VLAN tag.
const ADDRESSES: usize = 12;

/// Writes frames of one link layer. The writer beneath should be buffered.
pub struct PcapWriter<W: Write> {
    out: W,
    link: LinkType,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header.
    ///
    /// # Errors
    /// Those of the writer beneath.
    pub fn new(mut out: W, link: LinkType) -> io::Result<PcapWriter<W>> {
        out.write_all(&0xa1b2_3c4d_u32.to_le_bytes())?;
        out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        out.write_all(&262_144_u32.to_le_bytes())?;
        out.write_all(&link_number(link).to_le_bytes())?;
        Ok(PcapWriter { out, link })
    }

    /// Writes one frame. A VLAN tag that the kernel took off an Ethernet frame is put back.
    ///
    /// # Errors
    /// Those of the writer beneath; `InvalidInput` for a frame of another link layer.
    pub fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        if frame.link != self.link {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame of another link layer"));
        }
        let tag = frame.vlan.filter(|_| self.link == LinkType::Ethernet);
        let (before, after, tag) = match (frame.data.split_at_checked(ADDRESSES), tag) {
            (Some((before, after)), Some((tci, tpid))) => (before, after, Some((tci, tpid))),
            _ => (frame.data, &[][..], None),
        };
        let more = if tag.is_some() { 4 } else { 0 };
        let captured = u32::try_from(frame.data.len()).unwrap_or(u32::MAX).saturating_add(more);
        let secs = u32::try_from(frame.time.secs()).unwrap_or(u32::MAX);
        let mut head = [0; RECORD];
        let fields = [secs, frame.time.subsec_nanos(), captured, frame.wire_len.saturating_add(more)];
        for (slot, field) in head.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *slot = field.to_le_bytes();
        }
        self.out.write_all(&head)?;
        self.out.write_all(before)?;
        if let Some((tci, tpid)) = tag {
            let ([a, b], [c, d]) = (tpid.to_be_bytes(), tci.to_be_bytes());
            self.out.write_all(&[a, b, c, d])?;
        }
        self.out.write_all(after)
    }

    /// Hands what is buffered to the operating system.
    ///
    /// # Errors
    /// Those of the writer beneath.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer beneath.
    pub fn into_inner(self) -> W {
        self.out
    }
}
