//! Frames of every layer, by hand. Hex is written as it is on the wire, one header a line.

use crate::{Decap, Fragment, IcmpKind, Layer4, MAX_DEPTH, Malformed, Packet, datagram, frame, fuzz_frame};
use base::{Frame, LinkType, MacAddr, Timestamp, Tunnel};
use std::net::IpAddr;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|d| (d[0] * 16 + d[1]) as u8).collect()
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Ethernet from 02..01 to 02..02.
fn eth(ty: u16, body: &[u8]) -> Vec<u8> {
    join(&[&hex("020000000002 020000000001"), &ty.to_be_bytes(), body])
}

fn ip4_full(proto: u8, frag: u16, body: &[u8]) -> Vec<u8> {
    let len = (20 + body.len()) as u16;
    let ends = hex("0a000001 0a000002");
    join(&[&[0x45, 0], &len.to_be_bytes(), &[0, 7], &frag.to_be_bytes(), &[64, proto, 0, 0], &ends, body])
}

/// IPv4 from 10.0.0.1 to 10.0.0.2.
fn ip4(proto: u8, body: &[u8]) -> Vec<u8> {
    ip4_full(proto, 0, body)
}

/// IPv6 from 2001:db8::1 to 2001:db8::2.
fn ip6(next: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16).to_be_bytes();
    let ends = hex("20010db8000000000000000000000001 20010db8000000000000000000000002");
    join(&[&[0x60, 0, 0, 0], &len, &[next, 64], &ends, body])
}

fn udp(dport: u16, body: &[u8]) -> Vec<u8> {
    let len = (8 + body.len()) as u16;
    join(&[&[0x30, 0x39], &dport.to_be_bytes(), &len.to_be_bytes(), &[0, 0], body])
}

/// SYN from 12345 to 80 with MSS, NOP, window scale 7 and no payload.
fn syn() -> Vec<u8> {
    hex("3039 0050 00000001 00000000 7002 ffff 0000 0000 020405b4 01030307")
}

/// What travels in the tunnels: 192.168.0.1:12345 to 192.168.0.2:53 with `hello`.
fn inner() -> Vec<u8> {
    let mut p = ip4(17, &udp(53, b"hello"));
    p[12..20].copy_from_slice(&[192, 168, 0, 1, 192, 168, 0, 2]);
    p
}

fn decode(link: LinkType, data: &[u8]) -> Result<Packet<'_>, Malformed> {
    cut(link, data, data.len())
}

fn cut(link: LinkType, data: &[u8], wire: usize) -> Result<Packet<'_>, Malformed> {
    let f = Frame {
        time: Timestamp(0),
        link,
        data,
        wire_len: wire as u32,
        ifindex: 0,
        vlan: None,
        second_copy: false,
    };
    frame(&f, &Decap::default())
}

fn ether(data: &[u8]) -> Result<Packet<'_>, Malformed> {
    decode(LinkType::Ethernet, data)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Asserts that the packet is [`inner`].
#[track_caller]
fn assert_inner(p: &Result<Packet<'_>, Malformed>) {
    let p = p.as_ref().unwrap();
    assert_eq!((p.src, p.dst), (ip("192.168.0.1"), ip("192.168.0.2")));
    assert_eq!(p.l4, Layer4::Udp { sport: 12345, dport: 53 });
    assert_eq!((p.payload, p.payload_len, p.ip_len), (&b"hello"[..], 5, 33));
}

#[track_caller]
fn assert_tunnel(data: &[u8], tunnel: Tunnel, vni: Option<u32>) {
    let p = ether(data);
    assert_inner(&p);
    let p = p.unwrap();
    assert_eq!((p.tunnel, p.vni), (tunnel, vni));
    let f = Frame {
        time: Timestamp(0),
        link: LinkType::Ethernet,
        data,
        wire_len: data.len() as u32,
        ifindex: 0,
        vlan: None,
        second_copy: false,
    };
    let outer = frame(&f, &Decap { enabled: false }).unwrap();
    assert_eq!((outer.src, outer.tunnel, outer.vni), (ip("10.0.0.1"), Tunnel::None, None), "decap off");
}

/// Asserts that the plain outer packet is told.
#[track_caller]
fn assert_outer(data: &[u8]) {
    let p = ether(data).unwrap();
    assert_eq!((p.src, p.tunnel, p.vni), (ip("10.0.0.1"), Tunnel::None, None));
}

mod layer4 {
    use super::*;

    #[test]
    fn tcp_with_options_and_padding() {
        // Two bytes of Ethernet padding do not become payload.
        let data = join(&[&eth(0x0800, &ip4(6, &syn())), &[0, 0]]);
        let p = ether(&data).unwrap();
        let Layer4::Tcp(t) = p.l4 else { panic!("{p:?}") };
        assert_eq!((t.sport, t.dport, t.seq, t.window, t.wscale), (12345, 80, 1, 65535, Some(7)));
        assert!(t.flags.syn() && !t.flags.ack());
        assert_eq!((p.payload_len, p.ip_len, p.is_cut()), (0, 48, false));
        assert_eq!(p.smac, MacAddr([2, 0, 0, 0, 0, 1]));
        assert_eq!(p.dmac, MacAddr([2, 0, 0, 0, 0, 2]));
    }

    #[test]
    fn tcp_cut_after_its_flags_still_counts() {
        let segment = hex("3039 0050 00000001 00000002 8018 0100 00000000 0101080a0000000100000002 61626364");
        let data = eth(0x0800, &ip4(6, &segment));
        let p = cut(LinkType::Ethernet, &data[..14 + 20 + 14], data.len()).unwrap();
        let Layer4::Tcp(t) = p.l4 else { panic!("{p:?}") };
        assert_eq!((t.seq, t.ack, t.window), (1, 2, 0));
        assert_eq!((p.payload, p.payload_len), (&[][..], 4));
        let short = cut(LinkType::Ethernet, &data[..14 + 20 + 13], data.len());
        assert_eq!(short.unwrap_err(), Malformed::Cut("tcp-header"));
        let whole = cut(LinkType::Ethernet, &data[..14 + 20 + 13], 14 + 20 + 13);
        assert_eq!(whole.unwrap_err(), Malformed::Bad("tcp-header"));
    }

    #[test]
    fn tcp_offsets_that_cannot_be() {
        for off in [0x40, 0xf0] {
            let mut segment = syn();
            segment[12] = off;
            assert_eq!(ether(&eth(0x0800, &ip4(6, &segment))).unwrap_err(), Malformed::Bad("tcp-offset"));
        }
    }

    #[test]
    fn tcp_options_that_end_nowhere() {
        for (options, scale) in [
            ("03", None),
            ("0303", None),
            ("030310", Some(14)),
            ("0200 0303 07 000000", None),
            ("0000 0303 07 000000", None),
            ("fe ff 0303 07 000000", None),
            ("01 01 01 01 01 03 03 09", Some(9)),
        ] {
            let mut o = hex(options);
            o.resize(8, 1);
            let mut s = syn();
            s[20..28].copy_from_slice(&o);
            if scale.is_none() && options.len() <= 4 {
                s[12] = 0x60; // Only four bytes of options.
                s[20..24].copy_from_slice(&hex("01 01 01 03"));
            }
            let data = eth(0x0800, &ip4(6, &s));
            let Layer4::Tcp(t) = ether(&data).unwrap().l4 else { panic!() };
            assert_eq!(t.wscale, scale, "{options}");
        }
    }

    #[test]
    fn udp_lengths() {
        for (len, payload) in [(9, Ok(1)), (0, Ok(5)), (13, Ok(5)), (200, Ok(5)), (8, Ok(0)), (7, Err(()))] {
            let mut d = udp(53, b"hello");
            d[5] = len;
            let data = eth(0x0800, &ip4(17, &d));
            let got = ether(&data).map(|p| p.payload.len());
            assert_eq!(got.map_err(|e| assert_eq!(e, Malformed::Bad("udp-length"))), payload, "{len}");
        }
    }

    #[test]
    fn udp_cut_after_its_ports_still_counts() {
        let data = eth(0x0800, &ip4(17, &udp(53, b"hello")));
        let p = cut(LinkType::Ethernet, &data[..14 + 20 + 4], data.len()).unwrap();
        assert_eq!((p.l4, p.payload_len), (Layer4::Udp { sport: 12345, dport: 53 }, 5));
        assert!(p.is_cut());
    }

    #[test]
    fn sctp_ports() {
        let data = eth(0x0800, &ip4(132, &hex("0b59 0b5a 00000000 00000000 01000014")));
        let p = ether(&data).unwrap();
        assert_eq!((p.l4, p.payload_len), (Layer4::Sctp { sport: 2905, dport: 2906 }, 4));
    }

    fn kind(data: &[u8]) -> IcmpKind {
        match ether(data).unwrap().l4 {
            Layer4::Icmp(i) => i.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn echoes() {
        let echo = |ty: u8| [ty, 0, 0, 0, 0x12, 0x34, 0, 9, b'x'];
        assert_eq!(kind(&eth(0x0800, &ip4(1, &echo(8)))), IcmpKind::EchoRequest(0x1234, 9));
        assert_eq!(kind(&eth(0x0800, &ip4(1, &echo(0)))), IcmpKind::EchoReply(0x1234, 9));
        assert_eq!(kind(&eth(0x86dd, &ip6(58, &echo(128)))), IcmpKind::EchoRequest(0x1234, 9));
        assert_eq!(kind(&eth(0x86dd, &ip6(58, &echo(129)))), IcmpKind::EchoReply(0x1234, 9));
        assert_eq!(kind(&eth(0x0800, &ip4(1, &echo(13)))), IcmpKind::Other);
        assert_eq!(kind(&eth(0x0800, &ip4(1, &[8, 0]))), IcmpKind::Other);
    }

    #[test]
    fn errors_tell_the_ends_of_the_quoted_packet() {
        let unreachable = |quoted: &[u8]| join(&[&hex("0303 0000 00000000"), quoted]);
        let e = |proto, sport, dport| IcmpKind::Error {
            src: (ip("10.0.0.1"), sport),
            dst: (ip("10.0.0.2"), dport),
            proto,
        };
        let quote = |quoted: &[u8]| kind(&eth(0x0800, &ip4(1, &unreachable(quoted))));
        assert_eq!(quote(&ip4(17, &udp(161, b""))), e(17, 12345, 161));
        // Eight bytes of the segment are what RFC 792 demands.
        assert_eq!(quote(&ip4(6, &syn()[..8])), e(6, 12345, 80));
        assert_eq!(quote(&ip4(6, &syn()[..3])), IcmpKind::Other);
        assert_eq!(quote(&ip4(1, &hex("0800 0000 0077 0001"))), e(1, 0x77, 0x77));
        assert_eq!(quote(&ip4(47, &[])), e(47, 0, 0));
        assert_eq!(quote(&ip4_full(17, 0x0010, &udp(161, b""))), IcmpKind::Other, "a later fragment");
        assert_eq!(quote(&ip6(17, &udp(161, b""))), IcmpKind::Other);
    }

    #[test]
    fn errors_of_icmpv6_look_behind_extension_headers() {
        let dest_opts = hex("1100 0104 00000000");
        let quoted = ip6(60, &join(&[&dest_opts, &udp(161, b"")]));
        let data = eth(0x86dd, &ip6(58, &join(&[&hex("0104 0000 00000000"), &quoted])));
        let want =
            IcmpKind::Error { src: (ip("2001:db8::1"), 12345), dst: (ip("2001:db8::2"), 161), proto: 17 };
        assert_eq!(kind(&data), want);
        let fragment = ip6(44, &join(&[&hex("1100 0008 00000001"), &udp(161, b"")]));
        let later = eth(0x86dd, &ip6(58, &join(&[&hex("0104 0000 00000000"), &fragment])));
        assert_eq!(kind(&later), IcmpKind::Other);
    }
}

mod layer3 {
    use super::*;

    #[test]
    fn options_of_ipv4() {
        let mut p = ip4(17, &join(&[&[1, 1, 1, 0], &udp(53, b"hello")]));
        p[0] = 0x46;
        let data = eth(0x0800, &p);
        assert_eq!(ether(&data).unwrap().payload, b"hello");
    }

    #[test]
    fn impossible_ipv4() {
        for (at, value, why) in [(0, 0x44, "ipv4-length"), (0, 0x55, "ipv4-version"), (3, 19, "ipv4-length")]
        {
            let mut p = ip4(17, &udp(53, b""));
            p[at] = value;
            assert_eq!(ether(&eth(0x0800, &p)).unwrap_err(), Malformed::Bad(why));
        }
    }

    #[test]
    fn the_length_says_more_than_the_frame() {
        let mut p = ip4(17, &udp(53, b"hello"));
        p[3] += 10;
        let mut d = p.clone();
        d[25] += 10;
        let data = eth(0x0800, &d);
        let p = ether(&data).unwrap();
        assert_eq!((p.payload, p.payload_len, p.is_cut()), (&b"hello"[..], 15, true));
    }

    #[test]
    fn large_send_offload_leaves_the_length_zero() {
        let mut segment = hex("3039 0050 00000001 00000002 5018 0100 00000000");
        segment.resize(70_020, b'x');
        let mut p = ip4(6, &segment);
        p[2..4].copy_from_slice(&[0, 0]);
        let data = eth(0x0800, &p);
        let p = ether(&data).unwrap();
        assert_eq!((p.payload_len, p.ip_len), (70_000, 70_040));
        let mut p = ip6(6, &segment);
        p[4..6].copy_from_slice(&[0, 0]);
        let data = eth(0x86dd, &p);
        assert_eq!(ether(&data).unwrap().payload_len, 70_000);
        // The same as a jumbogram with its option, and cut by the capture.
        let mut p = ip6(0, &join(&[&hex("0600 c204 00011194"), &segment]));
        p[4..6].copy_from_slice(&[0, 0]);
        let data = eth(0x86dd, &p);
        let p = cut(LinkType::Ethernet, &data[..200], data.len()).unwrap();
        assert_eq!((p.payload_len, p.is_cut()), (70_000, true));
    }

    #[test]
    fn ipv6_with_no_next_header_and_padding() {
        let data = join(&[&eth(0x86dd, &ip6(59, &[])), &[0; 6]]);
        let p = ether(&data).unwrap();
        assert_eq!((p.l4, p.ip_len, p.payload_len), (Layer4::Other, 40, 0));
    }

    #[test]
    fn extension_headers() {
        let hop = hex("2b00 0502 0000 0100");
        let routing = hex("3c02 0400 00000000 20010db8000000000000000000000003");
        let dest = hex("3300 0104 00000000");
        let auth = hex("1104 0000 00000001 00000001 000000000000000000000000");
        let data = eth(0x86dd, &ip6(0, &join(&[&hop, &routing, &dest, &auth, &udp(53, b"hello")])));
        let p = ether(&data).unwrap();
        assert_eq!((p.l4, p.proto), (Layer4::Udp { sport: 12345, dport: 53 }, 17));
        assert_eq!((p.payload, p.payload_len), (&b"hello"[..], 5));
        let endless = eth(0x86dd, &ip6(60, &hex("3c00 0104 00000000").repeat(40)));
        assert_eq!(ether(&endless).unwrap_err(), Malformed::Bad("ipv6-extensions"));
        let short = eth(0x86dd, &ip6(60, &hex("11ff 0104 00000000")));
        assert_eq!(ether(&short).unwrap_err(), Malformed::Bad("ipv6-extension"));
    }

    #[test]
    fn authentication_header_in_ipv4() {
        let auth = hex("1104 0000 00000001 00000001 000000000000000000000000");
        let data = eth(0x0800, &ip4(51, &join(&[&auth, &udp(53, b"hello")])));
        assert_eq!(ether(&data).unwrap().payload, b"hello");
    }

    #[test]
    fn fragments_of_ipv4_and_the_datagram() {
        let whole = udp(53, b"hello, world");
        let data = eth(0x0800, &ip4_full(17, 0x2000, &whole[..16]));
        let first = ether(&data).unwrap();
        let want = Fragment { id: 7, offset: 0, more: true, data: &whole[..16], len: 16 };
        assert_eq!((first.l4, first.proto), (Layer4::Fragment(want), 17));
        let data = eth(0x0800, &ip4_full(17, 0x0002, &whole[16..]));
        let last = ether(&data).unwrap();
        let want = Fragment { id: 7, offset: 16, more: false, data: &whole[16..], len: 4 };
        assert_eq!(last.l4, Layer4::Fragment(want));
        let p = datagram(&last, &whole, &Decap::default()).unwrap();
        assert_eq!(p.l4, Layer4::Udp { sport: 12345, dport: 53 });
        assert_eq!((p.payload, p.ip_len), (&b"hello, world"[..], 40));
        assert_eq!((p.src, p.smac), (ip("10.0.0.1"), MacAddr([2, 0, 0, 0, 0, 1])));
    }

    #[test]
    fn fragments_of_ipv6_and_the_datagram() {
        let whole = join(&[&hex("1100 0104 00000000"), &udp(53, b"hello, world")]);
        let header = hex("3c00 0011 0000abcd");
        let data = eth(0x86dd, &ip6(44, &join(&[&header, &whole[16..24]])));
        let p = ether(&data).unwrap();
        let want = Fragment { id: 0xabcd, offset: 16, more: true, data: &whole[16..24], len: 8 };
        assert_eq!((p.l4, p.proto), (Layer4::Fragment(want), 60));
        let p = datagram(&p, &whole, &Decap::default()).unwrap();
        assert_eq!((p.payload, p.proto, p.ip_len), (&b"hello, world"[..], 17, 40 + 8 + 28));
    }

    #[test]
    fn an_atomic_fragment_is_whole() {
        let data = eth(0x86dd, &ip6(44, &join(&[&hex("1100 0000 00000001"), &udp(53, b"hello")])));
        assert_eq!(ether(&data).unwrap().payload, b"hello");
    }

    #[test]
    fn a_tunnel_that_was_fragmented_and_holds_a_fragment() {
        let gre = join(&[&hex("0000 0800"), &ip4_full(17, 0x2000, &udp(53, b"12345678"))]);
        let data = eth(0x0800, &ip4_full(47, 0x2000, &gre[..24]));
        let outer = ether(&data).unwrap();
        let p = datagram(&outer, &gre, &Decap::default()).unwrap();
        assert!(matches!(p.l4, Layer4::Fragment(Fragment { more: true, len: 16, .. })), "{p:?}");
        assert_eq!((p.tunnel, p.proto), (Tunnel::Gre, 17));
        let whole = udp(53, b"12345678abcdefgh");
        let p = datagram(&p, &whole, &Decap::default()).unwrap();
        assert_eq!((p.payload, p.tunnel), (&b"12345678abcdefgh"[..], Tunnel::Gre));
        let p = datagram(&outer, &gre, &Decap { enabled: false }).unwrap();
        assert_eq!((p.l4, p.proto, p.tunnel), (Layer4::Other, 47, Tunnel::None));
    }
}

mod layer2 {
    use super::*;

    #[test]
    fn vlan_tags_in_order_and_the_kernels_first() {
        let tags = hex("2064 88a8 0065 9100 0066 9200 0067 0800");
        let data = eth(0x8100, &join(&[&tags, &inner()]));
        let p = ether(&data);
        assert_inner(&p);
        assert_eq!((p.unwrap().vlans.ids, p.unwrap().vlans.count), ([100, 101, 102, 103], 4));
        let f = Frame {
            time: Timestamp(0),
            link: LinkType::Ethernet,
            data: &data,
            wire_len: data.len() as u32,
            ifindex: 0,
            vlan: Some((0x0fff, 0x88a8)),
            second_copy: false,
        };
        let p = frame(&f, &Decap::default()).unwrap();
        assert_eq!((p.vlans.ids, p.vlans.count), ([4095, 100, 101, 102], 5));
        let endless = eth(0x8100, &hex("0001 8100").repeat(100));
        assert_eq!(ether(&endless).unwrap_err(), Malformed::TooDeep);
    }

    #[test]
    fn what_is_not_ip() {
        for data in
            [eth(0x0806, &[0; 28]), eth(0x88cc, &[0; 28]), eth(38, &hex("4242 03 0000")), eth(0x0600, &[])]
        {
            assert_eq!(ether(&data).unwrap_err(), Malformed::NotIp);
        }
        assert_eq!(ether(&[0; 13]).unwrap_err(), Malformed::Bad("ethernet-header"));
        assert_eq!(cut(LinkType::Ethernet, &[0; 13], 60).unwrap_err(), Malformed::Cut("ethernet-header"));
    }

    #[test]
    fn llc_and_snap() {
        assert_inner(&ether(&eth(41, &join(&[&hex("aaaa03 000000 0800"), &inner()]))));
        assert_inner(&ether(&eth(36, &join(&[&hex("060603"), &inner()]))));
    }

    #[test]
    fn mpls_with_ip_and_pseudowires() {
        let labels = hex("00010040 00021040");
        let p = eth(0x8847, &join(&[&labels, &inner()]));
        assert_eq!(ether(&p).unwrap_err(), Malformed::Bad("mpls-label"), "no bottom of stack");
        let mut bottom = labels.clone();
        bottom[6] |= 1;
        let p = eth(0x8848, &join(&[&bottom, &inner()]));
        assert_inner(&ether(&p));
        assert_eq!(ether(&p).unwrap().mpls, 2);
        let frame = eth(0x0800, &inner());
        assert_inner(&ether(&eth(0x8847, &join(&[&bottom, &frame]))));
        let mut other = eth(0x0800, &inner());
        other[..6].copy_from_slice(&hex("45000000000a")); // A MAC address like an IPv4 header.
        let p = eth(0x8847, &join(&[&bottom, &hex("00000001"), &other]));
        assert_inner(&ether(&p));
        let p = ether(&p).unwrap();
        assert_eq!(p.dmac, MacAddr([0x45, 0, 0, 0, 0, 0x0a]), "the inner frame's");
        assert_inner(&ether(&eth(0x8847, &join(&[&bottom, &other]))));
        let deep = eth(0x8847, &hex("00010040").repeat(40));
        assert_eq!(ether(&deep).unwrap_err(), Malformed::TooDeep);
    }

    #[test]
    fn pppoe_and_backbone_bridges_and_nsh() {
        assert_inner(&ether(&eth(0x8864, &join(&[&hex("1100 0001 0023 0021"), &inner()]))));
        assert_eq!(
            ether(&eth(0x8864, &hex("1109 0000 0000 0021"))).unwrap_err(),
            Malformed::Bad("pppoe-header")
        );
        let p = eth(0x88e7, &join(&[&hex("00012345"), &eth(0x0800, &inner())]));
        assert_inner(&ether(&p));
        assert_eq!(ether(&p).unwrap().vni, Some(0x12345));
        assert_inner(&ether(&eth(0x894f, &join(&[&hex("0fc2 0201 000001ff"), &inner()]))));
    }
}

mod links {
    use super::*;

    #[test]
    fn loopback_in_both_orders() {
        for (link, head) in
            [(LinkType::Null, "02000000"), (LinkType::Null, "00000002"), (LinkType::Loop, "00000002")]
        {
            assert_inner(&decode(link, &join(&[&hex(head), &inner()])));
        }
        let v6 = ip6(17, &udp(53, b"hello"));
        for family in ["1e000000", "18000000", "0000001c", "0a000000"] {
            assert_eq!(decode(LinkType::Null, &join(&[&hex(family), &v6])).unwrap().payload, b"hello");
        }
        assert_eq!(decode(LinkType::Null, &hex("07000000 45")).unwrap_err(), Malformed::NotIp);
    }

    #[test]
    fn raw_and_serial_lines() {
        assert_inner(&decode(LinkType::Raw, &inner()));
        assert_eq!(decode(LinkType::Raw, &ip6(17, &udp(53, b"hello"))).unwrap().payload, b"hello");
        for head in ["ff03 0021", "ff03 21", "0021", "21", "0f00 0800"] {
            assert_inner(&decode(LinkType::Ppp, &join(&[&hex(head), &inner()])));
        }
        assert_inner(&decode(LinkType::CiscoHdlc, &join(&[&hex("0f00 0800"), &inner()])));
        assert_eq!(decode(LinkType::Ppp, &hex("c021 0101")).unwrap_err(), Malformed::NotIp);
    }

    #[test]
    fn cooked_captures() {
        let sll = join(&[&hex("0000 0001 0006 0a0b0c0d0e0f 0000 0800"), &inner()]);
        let p = decode(LinkType::LinuxSll, &sll);
        assert_inner(&p);
        assert_eq!(
            (p.unwrap().smac, p.unwrap().dmac),
            (MacAddr([10, 11, 12, 13, 14, 15]), MacAddr::default())
        );
        let sll2 = join(&[&hex("0800 0000 00000003 0001 00 06 0a0b0c0d0e0f 0000"), &inner()]);
        let p = decode(LinkType::LinuxSll2, &sll2);
        assert_inner(&p);
        assert_eq!(p.unwrap().smac, MacAddr([10, 11, 12, 13, 14, 15]));
        let tagged = join(&[&hex("0000 0001 0006 0a0b0c0d0e0f 0000 8100 0007 0800"), &inner()]);
        assert_eq!(decode(LinkType::LinuxSll, &tagged).unwrap().vlans.ids[0], 7);
    }

    #[test]
    fn netfilter_log_in_both_orders() {
        let little = hex("02 00 0000  0800 0100 0800 01 00  0500 0a00 00 000000");
        let p = join(&[&little, &hex("2500 0900"), &inner(), &[0, 0, 0]]);
        assert_inner(&decode(LinkType::NfLog, &p));
        let big = hex("07 00 0000  0008 0001 0800 01 00");
        let p = join(&[&big, &hex("0025 0009"), &inner(), &[0, 0, 0]]);
        assert_inner(&decode(LinkType::NfLog, &p));
        let bad = hex("02 00 0000  0300 0100");
        assert_eq!(decode(LinkType::NfLog, &bad).unwrap_err(), Malformed::Bad("nflog-attribute"));
    }

    #[test]
    fn fddi() {
        let p = join(&[&hex("50 020000000002 020000000001 aaaa03 000000 0800"), &inner()]);
        assert_inner(&decode(LinkType::Fddi, &p));
        assert_eq!(decode(LinkType::Fddi, &p).unwrap().smac, MacAddr([2, 0, 0, 0, 0, 1]));
    }

    const SNAP: &str = "aaaa03 000000 0800";

    #[test]
    fn wifi_data_frames() {
        let macs = "0a0000000001 0a0000000002 0a0000000003 1000";
        let mac = |n| MacAddr([10, 0, 0, 0, 0, n]);
        for (head, four, smac, dmac) in [
            ("0800 0000", "", 2, 1),
            ("0801 0000", "", 2, 3),
            ("0802 0000", "", 3, 1),
            ("0803 0000", "0a0000000004", 4, 3),
            ("8801 0000", "0000", 2, 3),
            ("8881 0000", "0000 00000000", 2, 3), // QoS with HT control.
        ] {
            let p = join(&[&hex(head), &hex(macs), &hex(four), &hex(SNAP), &inner()]);
            let got = decode(LinkType::Ieee80211, &p);
            assert_inner(&got);
            assert_eq!((got.unwrap().smac, got.unwrap().dmac), (mac(smac), mac(dmac)), "{head}");
        }
        for head in ["8000 0000", "0841 0000", "4801 0000", "d400 0000"] {
            let p = join(&[&hex(head), &hex(macs), &hex(SNAP), &inner()]);
            assert_eq!(decode(LinkType::Ieee80211, &p).unwrap_err(), Malformed::NotIp, "{head}");
        }
        let part = hex("020000000002 020000000001 0029");
        let p = join(&[&hex("8801 0000"), &hex(macs), &hex("8000"), &part, &hex(SNAP), &inner(), &[0; 9]]);
        assert_inner(&decode(LinkType::Ieee80211, &p));
    }

    #[test]
    fn radiotap_with_padding_after_the_header() {
        // TSFT and flags, the latter with the bit for padding; two presence words.
        let tap = hex("00 00 1900 03000080 00000000 00000000 0000000000000000 20");
        let macs = hex("0a0000000001 0a0000000002 0a0000000003 1000");
        let p = join(&[&tap, &hex("8801 0000"), &macs, &hex("0000 0000"), &hex(SNAP), &inner()]);
        assert_inner(&decode(LinkType::Radiotap, &p));
        let plain = join(&[&hex("00 00 0800 00000000 0801 0000"), &macs, &hex(SNAP), &inner()]);
        assert_inner(&decode(LinkType::Radiotap, &plain));
    }
}

mod tunnels {
    use super::*;

    fn gre(header: &str, body: &[u8]) -> Vec<u8> {
        eth(0x0800, &ip4(47, &join(&[&hex(header), body])))
    }

    fn in_udp(port: u16, header: &str, body: &[u8]) -> Vec<u8> {
        eth(0x0800, &ip4(17, &udp(port, &join(&[&hex(header), body]))))
    }

    #[test]
    fn gre_with_every_optional_field() {
        assert_tunnel(&gre("0000 0800", &inner()), Tunnel::Gre, None);
        assert_tunnel(&gre("b000 0800 ffff0000 00000009 00000001", &inner()), Tunnel::Gre, Some(9));
        // A route of one entry with four bytes, then the end.
        let routed = "4000 0800 00000000 0800 00 04 0a000009 0000 00 00";
        assert_tunnel(&gre(routed, &inner()), Tunnel::Gre, None);
        assert_tunnel(&gre("2000 6558 00000009", &eth(0x0800, &inner())), Tunnel::Gre, Some(9));
        assert_tunnel(&gre("0000 8847", &join(&[&hex("00010140"), &inner()])), Tunnel::Gre, None);
        assert_tunnel(&gre("0000 883e", &inner()), Tunnel::Gre, None);
        assert_tunnel(&gre("0000 883e", &join(&[&hex("01020304"), &inner()])), Tunnel::Gre, None);
        assert_tunnel(&gre("0000 894f", &join(&[&hex("0fc2 0201 000001ff"), &inner()])), Tunnel::Gre, None);
        let wifi = hex("0801 0000 0a0000000001 0a0000000002 0a0000000003 1000 aaaa03 000000 0800");
        assert_tunnel(&gre("0000 8210", &join(&[&wifi, &inner()])), Tunnel::Gre, None);
        let v6 = gre("0000 86dd", &ip6(17, &udp(53, b"hello")));
        assert_eq!(ether(&v6).unwrap().src, ip("2001:db8::1"));
    }

    #[test]
    fn gre_of_pptp_and_mikrotik() {
        assert_tunnel(
            &gre("3081 880b 0025 0007 00000001 00000001 ff03 0021", &inner()),
            Tunnel::Gre,
            Some(7),
        );
        let frame = eth(0x0800, &inner());
        assert_tunnel(&gre("2001 6400 002f 0700", &frame), Tunnel::Gre, Some(7));
    }

    #[test]
    fn gre_that_is_none() {
        assert_outer(&gre("0002 0800", &inner()));
        assert_outer(&gre("0008 0800", &inner()));
        assert_outer(&gre("0000 0000", &[]));
        assert_outer(&gre("0000 0806", &[0; 28]));
        assert_outer(&gre("8000", &[]));
        let p = gre("0000 0000", &[]);
        let p = ether(&p).unwrap();
        assert_eq!((p.l4, p.proto, p.payload_len), (Layer4::Other, 47, 4));
    }

    #[test]
    fn erspan_of_three_types() {
        let mut frame = eth(0x0800, &inner());
        frame[11] = 9;
        assert_tunnel(&gre("0000 88be", &frame), Tunnel::Erspan, None);
        let two = gre("1000 88be 00000001 1064 0007 00000003", &frame);
        assert_tunnel(&two, Tunnel::Erspan, Some(7));
        assert_eq!(ether(&two).unwrap().smac, MacAddr([2, 0, 0, 0, 0, 9]), "the mirrored frame's");
        assert_tunnel(
            &gre("1000 22eb 00000001 2064 0007 00000000 0000 0000", &frame),
            Tunnel::Erspan,
            Some(7),
        );
        let sub = "1000 22eb 00000001 2064 0007 00000000 0000 0001 0000000000000000";
        assert_tunnel(&gre(sub, &frame), Tunnel::Erspan, Some(7));
        assert_tunnel(
            &gre("1000 22eb 00000001 2064 0007 00000000 0000 0800", &inner()),
            Tunnel::Erspan,
            Some(7),
        );
        assert_outer(&gre("1000 22eb 00000001 3064 0007 00000000 0000 0000", &frame));
    }

    #[test]
    fn vxlan_and_its_extensions() {
        let frame = eth(0x0800, &inner());
        for port in [4789, 4790, 8472, 58678] {
            assert_tunnel(&in_udp(port, "08000000 00002a00", &frame), Tunnel::Vxlan, Some(42));
        }
        assert_tunnel(&in_udp(4789, "88000011 00002a00", &frame), Tunnel::Vxlan, Some(42));
        assert_tunnel(&in_udp(4790, "0c000003 00002a00", &frame), Tunnel::Vxlan, Some(42));
        assert_tunnel(&in_udp(4790, "0c000001 00002a00", &inner()), Tunnel::Vxlan, Some(42));
        let nsh = join(&[&hex("0fc2 0201 000001ff"), &inner()]);
        assert_tunnel(&in_udp(4790, "0c000004 00002a00", &nsh), Tunnel::Vxlan, Some(42));
        assert_outer(&in_udp(4789, "00000000 00002a00", &frame));
        assert_outer(&in_udp(58678, "08000000 00002a01", &frame));
        assert_outer(&in_udp(58678, "08000000 00002a00", &join(&[&frame, &[0]])));
        assert_outer(&in_udp(4789, "08000000 00002a00", &eth(0x0806, &[0; 28])));
    }

    #[test]
    fn vlans_add_up_from_the_outside_in() {
        let tagged = eth(0x8100, &join(&[&hex("0014 0800"), &inner()]));
        let outer = ip4(17, &udp(4789, &join(&[&hex("08000000 00002a00"), &tagged])));
        let p = eth(0x8100, &join(&[&hex("000a 0800"), &outer]));
        let p = ether(&p);
        assert_inner(&p);
        assert_eq!((p.unwrap().vlans.ids, p.unwrap().vlans.count), ([10, 20, 0, 0], 2));
    }

    #[test]
    fn a_cut_inner_packet_tells_its_length() {
        let data = in_udp(4789, "08000000 00002a00", &eth(0x0800, &inner()));
        let p = cut(LinkType::Ethernet, &data[..data.len() - 3], data.len()).unwrap();
        assert_eq!((p.payload, p.payload_len, p.tunnel), (&b"he"[..], 5, Tunnel::Vxlan));
        let p = cut(LinkType::Ethernet, &data[..data.len() - 20], data.len()).unwrap();
        assert_eq!((p.tunnel, p.payload_len), (Tunnel::None, 55), "the outer packet at least");
    }

    #[test]
    fn geneve() {
        let frame = eth(0x0800, &inner());
        assert_tunnel(&in_udp(6081, "0000 6558 00002a00", &frame), Tunnel::Geneve, Some(42));
        assert_tunnel(&in_udp(6081, "0240 6558 00002a00 0102000100000000", &frame), Tunnel::Geneve, Some(42));
        assert_tunnel(&in_udp(6081, "0000 0800 00002a00", &inner()), Tunnel::Geneve, Some(42));
        assert_outer(&in_udp(6081, "4000 6558 00002a00", &frame));
        assert_outer(&in_udp(6081, "3f00 6558 00002a00", &frame));
    }

    #[test]
    fn gtp_u() {
        assert_tunnel(&in_udp(2152, "30ff 0021 0000002a", &inner()), Tunnel::Gtp, Some(42));
        // Sequence number and a PDU session container.
        let extended = "36ff 0029 0000002a 0001 00 85 01 0009 00";
        assert_tunnel(&in_udp(2152, extended, &inner()), Tunnel::Gtp, Some(42));
        assert_outer(&in_udp(2152, "3001 0021 0000002a", &inner()));
        assert_outer(&in_udp(2152, "50ff 0021 0000002a", &inner()));
        assert_outer(&in_udp(2152, "30ff 0921 0000002a", &inner()));
        assert_outer(&in_udp(2152, "34ff 0029 0000002a 0001 00 85 00 0009 00", &inner()));
    }

    #[test]
    fn teredo() {
        let mut six = ip6(17, &udp(53, b"hello"));
        six[8..16].copy_from_slice(&hex("2001000000000001"));
        for head in [
            "",
            "0000 1234 0a0b0c0d",
            "0001 0000 0102030405060708 00",
            "0001 0000 0102030405060708 00 0000 1234 0a0b0c0d",
        ] {
            let data = in_udp(3544, head, &six);
            let p = ether(&data).unwrap();
            assert_eq!((p.payload, p.tunnel), (&b"hello"[..], Tunnel::Teredo), "{head}");
        }
        assert_outer(&in_udp(3544, "", &ip6(17, &udp(53, b"hello"))));
    }

    #[test]
    fn ip_in_ip() {
        assert_tunnel(&eth(0x0800, &ip4(4, &inner())), Tunnel::IpIp, None);
        let six_in_four = eth(0x0800, &ip4(41, &ip6(17, &udp(53, b"hello"))));
        assert_eq!(ether(&six_in_four).unwrap().src, ip("2001:db8::1"));
        let four_in_six = eth(0x86dd, &ip6(4, &inner()));
        assert_inner(&ether(&four_in_six));
        assert_outer(&eth(0x0800, &ip4(4, &hex("4400 0000"))));
        assert_tunnel(
            &eth(0x0800, &ip4(97, &join(&[&[0x30, 0], &eth(0x0800, &inner())]))),
            Tunnel::Other,
            None,
        );
        assert_tunnel(&eth(0x0800, &ip4(137, &join(&[&hex("00010140"), &inner()]))), Tunnel::Other, None);
    }

    #[test]
    fn mpls_in_udp() {
        assert_tunnel(&in_udp(6635, "00010140", &inner()), Tunnel::MplsUdp, None);
        assert_outer(&in_udp(6635, "00010040", &[]));
    }

    #[test]
    fn nested_to_the_limit_and_no_deeper() {
        let nest = |n: u8| {
            let mut p = inner();
            for _ in 0..n {
                p = ip4(4, &p);
            }
            eth(0x0800, &p)
        };
        assert_inner(&ether(&nest(MAX_DEPTH)));
        assert_eq!(ether(&nest(MAX_DEPTH + 1)).unwrap_err(), Malformed::TooDeep);
        let data = eth(0x0800, &ip4(47, &join(&[&hex("2000 0800 00000009"), &ip4(4, &inner())])));
        let p = ether(&data).unwrap();
        assert_eq!((p.tunnel, p.vni), (Tunnel::IpIp, None), "the innermost");
    }
}

/// A seeded generator (xorshift64).
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn seeds() -> Vec<Vec<u8>> {
    let frame = eth(0x0800, &inner());
    let vxlan = ip4(17, &udp(4789, &join(&[&hex("08000000 00002a00"), &frame])));
    let gre = |h: &str, b: &[u8]| ip4(47, &join(&[&hex(h), b]));
    let mut teredo = ip6(6, &syn());
    teredo[8..16].copy_from_slice(&hex("2001000000000001"));
    let ethernet = [
        frame.clone(),
        eth(0x0800, &ip4(6, &syn())),
        eth(0x86dd, &ip6(6, &syn())),
        eth(0x8100, &join(&[&hex("0014 0800"), &vxlan])),
        eth(0x0800, &vxlan),
        eth(0x0800, &ip4(17, &udp(9999, &join(&[&hex("08000000 00002a00"), &frame])))),
        eth(0x0800, &gre("f000 0800 00000000 00000001 00000001 0000 00 00", &inner())),
        eth(0x0800, &gre("1000 88be 00000001 1064 0007 00000003", &frame)),
        eth(0x0800, &gre("1000 22eb 00000001 2064 0007 00000000 0000 0001 0000000000000000", &frame)),
        eth(0x0800, &gre("3081 880b 0025 0007 00000001 00000001 ff03 0021", &inner())),
        eth(
            0x0800,
            &ip4(17, &udp(2152, &join(&[&hex("36ff 0029 0000002a 0001 00 85 01 0009 00"), &inner()]))),
        ),
        eth(0x0800, &ip4(17, &udp(3544, &teredo))),
        eth(0x0800, &ip4(17, &udp(6081, &join(&[&hex("0240 6558 00002a00 0102000100000000"), &frame])))),
        eth(0x0800, &ip4(17, &udp(6635, &join(&[&hex("00010140"), &inner()])))),
        eth(0x0800, &ip4(4, &ip4(41, &ip6(4, &inner())))),
        eth(0x0800, &ip4_full(47, 0x2000, &gre("0000 0800", &inner()))),
        eth(0x86dd, &ip6(44, &join(&[&hex("1100 0009 00000001"), &udp(53, b"12345678")]))),
        eth(0x86dd, &ip6(0, &join(&[&hex("3c00 0104 00000000 1100 0104 00000000"), &udp(53, b"x")]))),
        eth(0x0800, &ip4(1, &join(&[&hex("0303 0000 00000000"), &ip4(6, &syn())]))),
        eth(0x86dd, &ip6(58, &join(&[&hex("0104 0000 00000000"), &ip6(17, &udp(161, b""))]))),
        eth(0x8847, &join(&[&hex("00010040 00020140 00000001"), &frame])),
        eth(0x8847, &join(&[&hex("00010140 00000001"), &frame])),
        eth(0x8864, &join(&[&hex("1100 0001 0023 0021"), &inner()])),
        eth(0x88e7, &join(&[&hex("00012345"), &frame])),
        eth(0x894f, &join(&[&hex("0fc2 0201 000001ff"), &inner()])),
    ];
    let wifi = hex("8801 0000 0a0000000001 0a0000000002 0a0000000003 1000 0000 aaaa03 000000 0800");
    let links = [
        join(&[&[1, 0], &hex("02000000"), &inner()]),
        join(&[&[2, 0], &hex("ff03 0021"), &inner()]),
        join(&[&[3, 0], &hex("50 020000000002 020000000001 aaaa03 000000 0800"), &inner()]),
        join(&[&[4, 0], &inner()]),
        join(&[&[5, 0], &hex("0f00 0800"), &inner()]),
        join(&[&[6, 0], &wifi, &inner()]),
        join(&[&[8, 0], &hex("0000 0001 0006 0a0b0c0d0e0f 0000 0800"), &inner()]),
        join(&[&[9, 0], &hex("00 00 1900 03000080 00000000 00000000 0000000000000000 00"), &wifi, &inner()]),
        join(&[&[10, 0], &hex("02 00 0000  0800 0100 0800 01 00 2500 0900"), &inner()]),
        join(&[&[11, 0], &hex("0800 0000 00000003 0001 00 06 0a0b0c0d0e0f 0000"), &inner()]),
    ];
    ethernet.iter().map(|f| join(&[&[0, 0], f])).chain(links).collect()
}

#[test]
fn arbitrary_and_mutated_bytes_hold_the_invariants() {
    let mut s = 0x1234_5678_9abc_def1;
    for _ in 0..2_000 {
        let len = (random(&mut s) % 200) as usize;
        let bytes: Vec<u8> = (0..len).map(|_| random(&mut s) as u8).collect();
        fuzz_frame(&bytes);
    }
    for seed in seeds() {
        for _ in 0..300 {
            let mut f = seed.clone();
            f[1] = random(&mut s) as u8;
            for _ in 0..random(&mut s) % 4 {
                let at = 2 + (random(&mut s) as usize) % (f.len() - 2);
                f[at] = match random(&mut s) % 3 {
                    0 => random(&mut s) as u8,
                    1 => f[at] ^ (1 << (random(&mut s) % 8)),
                    _ => [0, 1, 4, 8, 0x40, 0x7f, 0x80, 0xff][(random(&mut s) % 8) as usize],
                };
            }
            if random(&mut s).is_multiple_of(3) {
                f.truncate(2 + (random(&mut s) as usize) % (f.len() - 2));
            }
            fuzz_frame(&f);
        }
    }
}

#[test]
fn a_frame_cut_anywhere_is_cut_and_never_bad() {
    for seed in seeds().iter().filter(|s| s[0] == 0) {
        let data = &seed[2..];
        ether(data).unwrap();
        for n in 0..data.len() {
            let got = cut(LinkType::Ethernet, &data[..n], data.len());
            assert!(!matches!(got, Err(Malformed::Bad(_))), "{n} of {data:02x?}: {got:?}");
        }
    }
}
