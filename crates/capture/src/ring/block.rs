//! A block of the ring: its frames, read where they lie (`linux/if_packet.h`, TPACKET_V3).
//!
//! The kernel is trusted, yet every offset that it gives is checked against the block.

use super::sys;
use base::{Frame, LinkType, Timestamp};

// struct tpacket_block_desc: number of frames, offset of the first.
const NUM_PKTS: usize = 12;
const FIRST_PKT: usize = 16;
/// `struct tpacket3_hdr` (48 bytes) and the `struct sockaddr_ll` behind it (20 bytes).
const HEADERS: usize = 68;

const STATUS_VLAN_VALID: u32 = 1 << 4;
const STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
const TPID_8021Q: u16 = 0x8100;

const PACKET_OUTGOING: u8 = 4;
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_HDLC: u16 = 513;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_FDDI: u16 = 774;
const ARPHRD_IEEE80211: u16 = 801;
const ARPHRD_IEEE80211_RADIOTAP: u16 = 803;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// What became of a block's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// Given to the sink.
    pub(super) frames: u64,
    /// Of interfaces that were not asked for.
    pub(super) filtered: u64,
    /// Of link layers that we cannot read, and not IP.
    pub(super) unknown_link: u64,
    /// Headers that point outside the block; the rest of the block is lost.
    pub(super) broken: u64,
}

/// Frames given to the sink at a time: some steps of the engine, which looks at 16 together.
const BATCH: usize = 64;
/// Headers this many frames ahead are asked for before they are read, when frames are of one size.
const AHEAD: usize = 16;

const NO_FRAME: Frame<'static> = Frame {
    time: Timestamp(0),
    link: LinkType::Ethernet,
    data: &[],
    wire_len: 0,
    ifindex: 0,
    vlan: None,
    second_copy: false,
};

/// Gives every frame of a block to `sink`, many at a time; `admit` is asked by interface index.
#[inline]
pub(super) fn walk<'a>(
    block: &'a [u8],
    mut admit: impl FnMut(u32) -> bool,
    sink: &mut impl FnMut(&[Frame<'a>]),
) -> Walked {
    let mut walked = Walked::default();
    let mut batch: [Frame<'a>; BATCH] = [NO_FRAME; BATCH];
    let mut filled = 0;
    let mut give = |frame: Option<Frame<'a>>| {
        if let Some(frame) = frame
            && let Some(place) = batch.get_mut(filled)
        {
            *place = frame;
            filled += 1;
        }
        if (frame.is_none() && filled > 0) || filled == BATCH {
            sink(batch.get(..filled).unwrap_or_default());
            filled = 0;
        }
    };
    let (Some(count), Some(first)) = (word(block, NUM_PKTS), word(block, FIRST_PKT)) else {
        walked.broken = 1;
        return walked;
    };
    let mut rest = block.get(first as usize..).unwrap_or_default();
    for left in (0..count).rev() {
        let Some(next) = frame(rest, &mut admit, &mut give, &mut walked) else {
            walked.broken += 1;
            break;
        };
        sys::fetch(rest, next * AHEAD);
        if left == 0 {
            break;
        }
        // Always ahead, so that the walk ends.
        match rest.get(next..).filter(|_| next >= HEADERS) {
            Some(ahead) => rest = ahead,
            None => {
                walked.broken += 1;
                break;
            }
        }
    }
    give(None);
    walked
}

/// Frames in a block.
pub(super) fn count(block: &[u8]) -> u32 {
    word(block, NUM_PKTS).unwrap_or(0)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|&bytes| u32::from_ne_bytes(bytes))
}

/// One frame; gives the distance to the next, `None` when it is broken.
#[inline]
#[rustfmt::skip]
fn frame<'a>(rest: &'a [u8], admit: &mut impl FnMut(u32) -> bool, give: &mut impl FnMut(Option<Frame<'a>>), walked: &mut Walked) -> Option<usize> {
    let &[
        n0, n1, n2, n3, s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, // next, sec, nsec, snaplen
        l0, l1, l2, l3, t0, t1, t2, t3, m0, m1, w0, w1, _, _, _, _, // len, status, mac, net, hash
        v0, v1, _, _, p0, p1, _, _, _, _, _, _, _, _, _, _, // VLAN tag, its TPID
        _, _, e0, e1, i0, i1, i2, i3, h0, h1, pkttype, _, _, _, _, _, _, _, _, _, // family, protocol, ifindex, hatype
    ] = rest.first_chunk::<HEADERS>()?;
    let next = u32::from_ne_bytes([n0, n1, n2, n3]) as usize;
    let (mac, net) = (usize::from(u16::from_ne_bytes([m0, m1])), usize::from(u16::from_ne_bytes([w0, w1])));
    let captured = u32::from_ne_bytes([c0, c1, c2, c3]) as usize;
    let data = rest.get(mac..)?.get(..captured)?;
    let ifindex = u32::from_ne_bytes([i0, i1, i2, i3]);
    if !admit(ifindex) {
        walked.filtered += 1;
        return Some(next);
    }
    let hatype = u16::from_ne_bytes([h0, h1]);
    let mut wire_len = u32::from_ne_bytes([l0, l1, l2, l3]);
    let (link, data) = match hatype {
        ARPHRD_ETHER | ARPHRD_LOOPBACK => (LinkType::Ethernet, data),
        ARPHRD_HDLC => (LinkType::CiscoHdlc, data),
        ARPHRD_FDDI => (LinkType::Fddi, data),
        ARPHRD_IEEE80211 => (LinkType::Ieee80211, data),
        ARPHRD_IEEE80211_RADIOTAP => (LinkType::Radiotap, data),
        // Tunnels, tun, PPP, InfiniBand...: the kernel knows where IP begins, whatever is before it.
        _ if matches!(u16::from_be_bytes([e0, e1]), ETHERTYPE_IPV4 | ETHERTYPE_IPV6) => {
            let header = net.saturating_sub(mac);
            wire_len = wire_len.saturating_sub(header as u32);
            (LinkType::Raw, data.get(header..).unwrap_or_default())
        }
        _ => {
            walked.unknown_link += 1;
            return Some(next);
        }
    };
    let status = u32::from_ne_bytes([t0, t1, t2, t3]);
    let vlan = (status & STATUS_VLAN_VALID != 0).then(|| {
        let tpid = if status & STATUS_VLAN_TPID_VALID != 0 { u16::from_ne_bytes([p0, p1]) } else { TPID_8021Q };
        (u16::from_ne_bytes([v0, v1]), tpid)
    });
    let (secs, nanos) = (u32::from_ne_bytes([s0, s1, s2, s3]), u32::from_ne_bytes([f0, f1, f2, f3]));
    give(Some(Frame {
        time: Timestamp::new(u64::from(secs), u64::from(nanos)),
        link,
        data,
        wire_len: wire_len.max(data.len() as u32),
        ifindex,
        vlan,
        second_copy: pkttype == PACKET_OUTGOING && hatype == ARPHRD_LOOPBACK,
    }));
    walked.frames += 1;
    Some(next)
}

/// Walks arbitrary bytes as a block.
#[doc(hidden)]
pub fn fuzz_block(data: &[u8]) {
    let mut seen = 0;
    let walked = walk(data, |ifindex| ifindex != 13, &mut |frames| {
        let good = |f: &Frame<'_>| f.data.len() <= data.len() && f.wire_len as usize >= f.data.len();
        assert!(!frames.is_empty() && frames.len() <= BATCH && frames.iter().all(good));
        seen += frames.len() as u64;
    });
    assert_eq!(walked.frames, seen);
    assert!(walked.broken <= 1);
    let headers = walked.frames + walked.filtered + walked.unknown_link;
    assert!(headers as usize <= data.len() / HEADERS + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as the kernel lays it: headers, 12 bytes of air, the bytes.
    struct Put {
        data: &'static [u8],
        status: u32,
        tag: (u32, u16),
        protocol: u16,
        ifindex: u32,
        hatype: u16,
        pkttype: u8,
        net: u16,
    }

    const PLAIN: Put = Put {
        data: b"frame",
        status: 1,
        tag: (0, 0),
        protocol: 0x0800,
        ifindex: 2,
        hatype: 1,
        pkttype: 0,
        net: 94,
    };

    fn block(frames: &[Put]) -> Vec<u8> {
        let mut out = vec![0; 48];
        out[NUM_PKTS..NUM_PKTS + 4].copy_from_slice(&(frames.len() as u32).to_ne_bytes());
        out[FIRST_PKT..FIRST_PKT + 4].copy_from_slice(&48_u32.to_ne_bytes());
        for put in frames {
            let len = (80 + put.data.len()).next_multiple_of(8);
            let end = out.len() + len;
            for word in [len as u32, 5, 6, put.data.len() as u32, 90, put.status] {
                out.extend(word.to_ne_bytes());
            }
            out.extend([80_u16.to_ne_bytes(), put.net.to_ne_bytes()].concat());
            out.extend([0; 4]);
            out.extend(put.tag.0.to_ne_bytes());
            out.extend(put.tag.1.to_ne_bytes());
            out.extend([0; 10]);
            out.extend(17_u16.to_ne_bytes());
            out.extend(put.protocol.to_be_bytes());
            out.extend(put.ifindex.to_ne_bytes());
            out.extend(put.hatype.to_ne_bytes());
            out.extend([put.pkttype, 6]);
            out.extend([0; 8 + 12]);
            out.extend(put.data);
            out.resize(end, 0);
        }
        out
    }

    type Row = (LinkType, Vec<u8>, u32, u32, Option<(u16, u16)>, bool);

    fn rows(block: &[u8]) -> (Vec<Row>, Walked) {
        let mut rows = Vec::new();
        let walked = walk(block, |ifindex| ifindex != 9, &mut |frames| {
            for f in frames {
                assert_eq!(f.time, Timestamp::new(5, 6));
                rows.push((f.link, f.data.to_vec(), f.wire_len, f.ifindex, f.vlan, f.second_copy));
            }
        });
        (rows, walked)
    }

    #[test]
    fn every_field_of_a_frame() {
        let block = block(&[
            PLAIN,
            Put { status: 0x51, tag: (0x6005, 0x88a8), ..PLAIN },
            Put { status: 0x11, tag: (7, 0), ..PLAIN },
            Put { hatype: 772, pkttype: 4, ifindex: 1, ..PLAIN },
            Put { hatype: 772, pkttype: 0, ifindex: 1, ..PLAIN },
            Put { pkttype: 4, ..PLAIN },
            Put { ifindex: 9, ..PLAIN },
            // tun, and a link layer of two bytes that only the kernel understands.
            Put { hatype: 65534, net: 80, ..PLAIN },
            Put { hatype: 32, net: 82, protocol: 0x86dd, ..PLAIN },
            Put { hatype: 32, protocol: 0x0806, ..PLAIN },
        ]);
        let (rows, walked) = rows(&block);
        let plain = || (LinkType::Ethernet, b"frame".to_vec(), 90, 2, None, false);
        assert_eq!(
            rows,
            [
                plain(),
                (LinkType::Ethernet, b"frame".to_vec(), 90, 2, Some((0x6005, 0x88a8)), false),
                (LinkType::Ethernet, b"frame".to_vec(), 90, 2, Some((7, 0x8100)), false),
                (LinkType::Ethernet, b"frame".to_vec(), 90, 1, None, true),
                (LinkType::Ethernet, b"frame".to_vec(), 90, 1, None, false),
                plain(),
                (LinkType::Raw, b"frame".to_vec(), 90, 2, None, false),
                (LinkType::Raw, b"ame".to_vec(), 88, 2, None, false),
            ]
        );
        assert_eq!(walked, Walked { frames: 8, filtered: 1, unknown_link: 1, broken: 0 });
    }

    #[test]
    fn offsets_outside_the_block_end_it() {
        let whole = block(&[PLAIN, PLAIN, PLAIN]);
        for len in 0..whole.len() {
            let (rows, walked) = rows(&whole[..len]);
            assert!(rows.len() <= 3);
            assert!(walked.broken == 1 || rows.len() == 3, "{len}");
        }
        for next in [0_u32, 1, 67, 1 << 20, u32::MAX] {
            let mut block = whole.clone();
            block[48..52].copy_from_slice(&next.to_ne_bytes());
            assert_eq!(rows(&block).1, Walked { frames: 1, broken: 1, ..Walked::default() });
        }
    }

    #[test]
    fn arbitrary_blocks_are_walked_safely() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let whole = block(&[PLAIN, PLAIN, PLAIN, PLAIN]);
        for _ in 0..500 {
            let mut block = whole.clone();
            for _ in 0..random() % 8 {
                let at = random() as usize % block.len();
                block[at] = random() as u8;
            }
            fuzz_block(&block);
            let noise: Vec<u8> = (0..random() % 400).map(|_| random() as u8).collect();
            fuzz_block(&noise);
        }
    }
}
