//! IEEE 802.11 data frames, and radiotap before them.
//!
//! Of an aggregate (A-MSDU) the first frame is told. Encrypted frames are not IP to us.

use crate::{Malformed, Packet, ether, walk::Walk};
use base::{MacAddr, Reader};

/// Presence words of a radiotap header: one, and one for each antenna.
const MAX_PRESENT: usize = 32;

/// Radiotap: version, length, fields; of those only whether the 802.11 header is padded.
pub(crate) fn radiotap<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    let Some([version, _, l0, l1]) = data.first_chunk::<4>() else {
        return Err(w.short("radiotap-header"));
    };
    let len = usize::from(u16::from_le_bytes([*l0, *l1]));
    if *version != 0 || len < 8 {
        return Err(Malformed::Bad("radiotap-header"));
    }
    let Some((head, frame)) = data.split_at_checked(len) else {
        return Err(w.short("radiotap-header"));
    };
    let padded = flags(head).is_some_and(|f| f & 0x20 != 0);
    data_frame(w, frame, padded)
}

/// The flags field of a radiotap header.
fn flags(head: &[u8]) -> Option<u8> {
    const TSFT: u32 = 1;
    const FLAGS: u32 = 2;
    const MORE: u32 = 1 << 31;
    let mut r = Reader::new(head);
    r.skip(4, "").ok()?;
    let present = r.le32("").ok()?;
    let mut word = present;
    for _ in 0..MAX_PRESENT {
        if word & MORE == 0 {
            break;
        }
        word = r.le32("").ok()?;
    }
    if present & FLAGS == 0 {
        return None;
    }
    if present & TSFT != 0 {
        // The timer is aligned to its eight bytes, counted from the start of the header.
        let at = head.len().saturating_sub(r.left());
        r.skip(at.wrapping_neg() & 7, "").ok()?;
        r.skip(8, "").ok()?;
    }
    r.u8("").ok()
}

/// An 802.11 frame.
pub(crate) fn ieee80211<'a>(w: &mut Walk, data: &'a [u8]) -> Result<Packet<'a>, Malformed> {
    data_frame(w, data, false)
}

fn data_frame<'a>(w: &mut Walk, data: &'a [u8], padded: bool) -> Result<Packet<'a>, Malformed> {
    const TO_DS: u8 = 1;
    const FROM_DS: u8 = 2;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    const NO_DATA: u8 = 0x40;
    const QOS: u8 = 0x80;
    let mut r = Reader::new(data);
    let Ok([control, flags, _, _]) = r.array::<4>("") else {
        return Err(w.short("wifi-header"));
    };
    // Version 0, type data, with a body in clear.
    if control & 0x0f != 0x08 || control & NO_DATA != 0 || flags & PROTECTED != 0 {
        return Err(Malformed::NotIp);
    }
    let (Ok(a1), Ok(a2), Ok(a3), Ok(sequence)) = (r.array(""), r.array(""), r.array(""), r.le16("")) else {
        return Err(w.short("wifi-header"));
    };
    let mut a4 = [0; 6];
    if flags & TO_DS != 0 && flags & FROM_DS != 0 {
        a4 = r.array("").map_err(|_| w.short("wifi-header"))?;
    }
    let mut qos = 0;
    if control & QOS != 0 {
        qos = r.le16("").map_err(|_| w.short("wifi-header"))?;
        if flags & ORDER != 0 {
            r.skip(4, "").map_err(|_| w.short("wifi-header"))?;
        }
    }
    if padded {
        let at = data.len().saturating_sub(r.left());
        r.skip(at.wrapping_neg() & 3, "").map_err(|_| w.short("wifi-header"))?;
    }
    // Only the first fragment has a beginning.
    if sequence & 0x0f != 0 {
        return Err(Malformed::NotIp);
    }
    let (dmac, smac) = match (flags & TO_DS != 0, flags & FROM_DS != 0) {
        (false, false) => (a1, a2),
        (true, false) => (a3, a2),
        (false, true) => (a1, a3),
        (true, true) => (a3, a4),
    };
    (w.smac, w.dmac) = (MacAddr(smac), MacAddr(dmac));
    if qos & 0x80 == 0 {
        return ether::llc(w, r.rest());
    }
    let (Ok(dmac), Ok(smac), Ok(len)) = (r.array(""), r.array(""), r.be16("")) else {
        return Err(w.short("wifi-amsdu"));
    };
    (w.smac, w.dmac) = (MacAddr(smac), MacAddr(dmac));
    let part = r.take_up_to(usize::from(len));
    w.missing = usize::from(len).saturating_sub(part.len());
    ether::llc(w, part)
}
