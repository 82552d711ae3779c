//! Classic pcap, Ethernet: enough to turn the captures of `testdata/` into frames and back.
//! Frames that were captured short stay so; their length on the wire is not kept.

use crate::TimedFrame;
use base::Timestamp;

/// The frames of a capture in memory; microseconds or nanoseconds, either byte order.
///
/// # Errors
/// Says what is wrong when it is no Ethernet pcap file.
pub fn read(bytes: &[u8]) -> Result<Vec<TimedFrame>, String> {
    let (head, mut rest) = bytes.split_at_checked(24).ok_or("no pcap header")?;
    let (big, unit) = match [head[0], head[1], head[2], head[3]] {
        [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000),
        [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000),
        [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
        [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
        _ => return Err("no pcap file".into()),
    };
    let word = |b: &[u8], at: usize| {
        let four = [b[at], b[at + 1], b[at + 2], b[at + 3]];
        if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    if word(head, 20) != 1 {
        return Err(format!("link type {} is not Ethernet", word(head, 20)));
    }
    let mut out = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(16) {
        let time = Timestamp::new(word(head, 0).into(), u64::from(word(head, 4)) * unit);
        let (frame, tail) = tail.split_at_checked(word(head, 8) as usize).ok_or("cut within a frame")?;
        out.push((time, frame.to_vec()));
        rest = tail;
    }
    if rest.is_empty() { Ok(out) } else { Err("cut within a frame's header".into()) }
}

/// A capture file of these frames, in nanoseconds.
#[must_use]
pub fn write(frames: &[TimedFrame]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 0x0004_0000, 1] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for (time, frame) in frames {
        let len = frame.len() as u32;
        for word in [time.secs() as u32, time.subsec_nanos(), len, len] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(frame);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let frames = vec![(Timestamp(1_700_000_000_123_456_789), vec![1, 2, 3]), (Timestamp(7), vec![])];
        let file = write(&frames);
        assert_eq!(read(&file), Ok(frames));
        assert!(read(&file[..file.len() - 1]).is_err() && read(b"x").is_err());
    }
}
