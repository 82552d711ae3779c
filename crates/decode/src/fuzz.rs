//! The fuzz entry: arbitrary bytes as a frame, and what must hold whatever they are.

use crate::{Decap, Layer4, Malformed, Packet, datagram, frame};
use base::{Frame, LinkType, Timestamp, Tunnel};

const LINKS: [LinkType; 12] = [
    LinkType::Ethernet,
    LinkType::Null,
    LinkType::Ppp,
    LinkType::Fddi,
    LinkType::Raw,
    LinkType::CiscoHdlc,
    LinkType::Ieee80211,
    LinkType::Loop,
    LinkType::LinuxSll,
    LinkType::Radiotap,
    LinkType::NfLog,
    LinkType::LinuxSll2,
];

/// The first byte picks the link type, the second whether the frame was cut (bit 0) and whether
/// a VLAN tag came beside it (bit 1); the rest is the frame.
#[doc(hidden)]
pub fn fuzz_frame(data: &[u8]) {
    let [link, how, data @ ..] = data else { return };
    let Some(link) = LINKS.iter().cycle().nth(usize::from(*link)) else { return };
    let missing = u32::from(*how & 1).saturating_mul(100);
    let f = Frame {
        time: Timestamp(0),
        link: *link,
        data,
        wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_add(missing),
        ifindex: 0,
        vlan: (how & 2 != 0).then_some((5, 0x8100)),
        second_copy: false,
    };
    let plain = frame(&f, &Decap { enabled: false });
    let inner = frame(&f, &Decap::default());
    match (&plain, &inner) {
        (Ok(p), Ok(i)) => {
            check(p, data);
            check(i, data);
            assert!(matches!(p.tunnel, Tunnel::None | Tunnel::Other), "a tunnel was taken off");
            assert!(i.payload_len <= p.ip_len || i.is_cut(), "more inside than outside");
        }
        (Ok(_), Err(e)) => assert_eq!(*e, Malformed::TooDeep, "the outer packet is lost"),
        (Err(p), Err(i)) => assert_eq!(p, i),
        (Err(e), Ok(i)) => assert_eq!((Some(e), i.tunnel), (None, i.tunnel), "only with decapsulation"),
    }
    if missing == 0 {
        assert!(!matches!(inner, Err(Malformed::Cut(_))), "nothing was cut");
    }
    if let Ok(p) = inner
        && let Layer4::Fragment(f) = p.l4
        // A datagram has no more in it than its fragments: never the packet that they came in.
        && let Ok(whole) = datagram(&p, f.data, &Decap::default())
    {
        check(&whole, data);
        assert!(whole.l4 != p.l4 || whole.tunnel != p.tunnel, "the same fragment again");
    }
}

fn check(p: &Packet<'_>, data: &[u8]) {
    let (bytes, whole) = (p.payload.as_ptr_range(), data.as_ptr_range());
    let inside = whole.start <= bytes.start && bytes.end <= whole.end;
    assert!(inside || p.payload.is_empty(), "the payload is not of the frame");
    assert!(p.payload.len() <= p.payload_len as usize, "more payload than there is");
    assert!(p.payload_len <= p.ip_len, "more payload than IP");
    assert_eq!(p.src.is_ipv4(), p.dst.is_ipv4());
    if let Layer4::Fragment(f) = p.l4 {
        assert!(f.data.len() <= f.len as usize && f.offset % 8 == 0, "{f:?}");
    }
}
