//! Expressions against synthetic frames: a table of who passes what.

use super::*;
use crate::Insn;

const A: [u8; 6] = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55];
const B: [u8; 6] = [0x00, 0x11, 0x22, 0x33, 0x44, 0x66];

fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// IPv4: protocol, the field of flags and fragment offset, options, source, destination.
fn ip4(proto: u8, fragment: u16, options: &[u8], src: [u8; 4], dst: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + options.len() + payload.len()).unwrap();
    let head = [0x45 + u8::try_from(options.len() / 4).unwrap(), 0];
    let rest = [0x12, 0x34];
    let ttl = [64, proto, 0, 0];
    cat(&[&head, &len.to_be_bytes(), &rest, &fragment.to_be_bytes(), &ttl, &src, &dst, options, payload])
}

fn ip6(next: u8, src: u8, dst: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = ([0; 16], [0; 16]);
    from[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    from[15] = src;
    to[..2].copy_from_slice(&dst);
    to[15] = 2;
    let len = u16::try_from(payload.len()).unwrap();
    cat(&[&[0x60, 0, 0, 0], &len.to_be_bytes(), &[next, 64], &from, &to, payload])
}

fn tcp(src: u16, dst: u16, flags: u8, data: &[u8]) -> Vec<u8> {
    cat(&[
        &src.to_be_bytes(),
        &dst.to_be_bytes(),
        &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0],
        data,
    ])
}

fn udp(src: u16, dst: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + data.len()).unwrap();
    cat(&[&src.to_be_bytes(), &dst.to_be_bytes(), &len.to_be_bytes(), &[0, 0], data])
}

fn arp(src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
    cat(&[&[0, 1, 8, 0, 6, 4, 0, 1], &A, &src, &[0; 6], &dst, &[0; 18]])
}

fn ether(kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&B, &A, &kind.to_be_bytes(), payload])
}

fn tagged(outer: u16, id: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    ether(outer, &cat(&[&id.to_be_bytes(), &kind.to_be_bytes(), payload]))
}

const CLIENT: [u8; 4] = [10, 1, 2, 3];
const SERVER: [u8; 4] = [192, 168, 7, 9];

/// Every frame has a letter, by which the table names it.
fn frames() -> Vec<(char, Vec<u8>)> {
    let syn = ip4(6, 0, &[], CLIENT, SERVER, &tcp(40000, 80, 0x02, b""));
    let dns = ip4(17, 0, &[], CLIENT, SERVER, &udp(40001, 53, b"12345678"));
    let stack = |label: u32, bottom: u32| (label << 12 | bottom << 8 | 64).to_be_bytes();
    vec![
        // s: SYN; a: SYN+ACK back; g: data with IP options; f: a later fragment of TCP.
        ('s', ether(0x0800, &syn)),
        ('a', ether(0x0800, &ip4(6, 0, &[], SERVER, CLIENT, &tcp(80, 40000, 0x12, b"")))),
        (
            'g',
            ether(
                0x0800,
                &ip4(6, 0x4000, &[1; 8], CLIENT, SERVER, &tcp(40000, 8080, 0x18, b"GET / HTTP/1.1")),
            ),
        ),
        ('f', ether(0x0800, &ip4(6, 0x0010, &[], CLIENT, SERVER, &tcp(80, 80, 0x02, b"")))),
        // u: DNS; i: ping; x: SCTP; m: UDP to a multicast group; b: to everyone.
        ('u', ether(0x0800, &dns)),
        ('i', ether(0x0800, &ip4(1, 0, &[], CLIENT, SERVER, &[8, 0, 0, 0, 0, 1, 0, 1]))),
        ('x', ether(0x0800, &ip4(132, 0, &[], SERVER, CLIENT, &udp(80, 443, b"")))),
        (
            'm',
            cat(&[
                &[1, 0, 0x5e, 0, 0, 5],
                &A,
                &[8, 0],
                &ip4(17, 0, &[], CLIENT, [224, 0, 0, 5], &udp(5353, 5353, b"")),
            ]),
        ),
        ('b', cat(&[&[0xff; 6], &A, &[8, 0], &ip4(17, 0, &[], CLIENT, [0xff; 4], &udp(68, 67, b""))])),
        // 6: TCP; 7: TCP behind a fragment header; 8: ICMPv6 to a group.
        ('6', ether(0x86dd, &ip6(6, 1, [0x20, 1], &tcp(40000, 443, 0x02, b"")))),
        ('7', ether(0x86dd, &ip6(44, 1, [0x20, 1], &cat(&[&[6, 0, 0, 1, 0, 0, 0, 1], &tcp(1, 80, 2, b"")])))),
        ('8', ether(0x86dd, &ip6(58, 3, [0xff, 2], &[135, 0, 0, 0, 0, 0, 0, 0]))),
        ('r', ether(0x0806, &arp(CLIENT, [10, 1, 2, 9]))),
        // v: VLAN 5; w: VLAN 5 in 100; p: PPPoE session 7; l: MPLS 5; k: MPLS 7 under 6.
        ('v', tagged(0x8100, 0x6005, 0x0800, &syn)),
        ('w', tagged(0x88a8, 100, 0x8100, &cat(&[&[0, 5, 8, 0], &dns]))),
        ('p', ether(0x8864, &cat(&[&[0x11, 0, 0, 7, 0, 62, 0, 0x21], &syn]))),
        ('l', ether(0x8847, &cat(&[&stack(5, 1), &syn]))),
        ('k', ether(0x8847, &cat(&[&stack(6, 0), &stack(7, 1), &dns]))),
        // t: spanning tree; c: cut inside the IP header; e: empty.
        ('t', ether(38, &cat(&[&[0x42, 0x42, 3], &[0; 35]]))),
        ('c', ether(0x0800, syn.get(..9).unwrap())),
        ('e', Vec::new()),
    ]
}

const TABLE: &[(&str, &str)] = &[
    ("", "sagfuixmb678rvwplktce"),
    ("ip", "sagfuixmbc"),
    ("ip6", "678"),
    ("arp", "r"),
    ("tcp", "sagf67"),
    ("udp", "umb"),
    ("icmp", "i"),
    ("icmp6", "8"),
    ("sctp", "x"),
    ("stp", "t"),
    ("llc", "t"),
    ("ah or esp or vrrp or pim or igmp", ""),
    ("not ip", "678rvwplkt"),
    ("host 10.1.2.3", "sagfuixmbr"),
    ("src host 10.1.2.3", "sgfuimbr"),
    ("dst 10.1.2.3", "ax"),
    ("src or dst 192.168.7.9", "sagfuix"),
    ("src and dst host 10.1.2.3", ""),
    ("ip host 10.1.2.3", "sagfuixmb"),
    ("arp host 10.1.2.9", "r"),
    ("host 10.1.2.9 or 224.0.0.5", "mr"),
    ("host (10.1.2.9 or 224.0.0.5)", "mr"),
    ("net 10.1", "sagfuixmbr"),
    ("dst net 192.168.0.0/16", "sgfui"),
    ("dst net 192.168.0.0 mask 255.255.0.0", "sgfui"),
    ("net 224.0.0.0/4", "m"),
    ("net 192", "sagfuix"),
    ("net 0.0.0.0/0 and tcp", "sagf"),
    ("host 2001:db8::1", "67"),
    ("ip6 net 2001:db8::/32", "678"),
    ("dst net ff00::/8", "8"),
    ("port 80", "sax"),
    ("tcp port 80", "sa"),
    ("tcp dst port 80", "s"),
    ("port http", "sa"),
    ("port domain", "u"),
    ("udp port dns or bootpc", "ub"),
    ("port 80 or 443", "sax6"),
    ("tcp port (80 or 443)", "sa6"),
    ("not port 80 and tcp", "gf67"),
    ("port 80 and not sctp", "sa"),
    ("portrange 80-443", "sax6"),
    ("portrange domain-http", "saxub"),
    ("tcp portrange 8000-9000 or 443", "g6"),
    ("tcp port 80 or udp", "saumb"),
    ("udp or tcp and host 192.168.7.9", "sagfu"),
    ("udp or (tcp and host 192.168.7.9)", "sagfumb"),
    ("host 10.1.2.3 && (port 80 or 53) && !udp", "sax"),
    ("ether host 00:11:22:33:44:55", "sagfuixmb678rvwplktc"),
    ("ether dst 00-11-22-33-44-66 and arp", "r"),
    ("broadcast", "b"),
    ("multicast", "mb"),
    ("ip broadcast", "b"),
    ("ip multicast", "mb"),
    ("ip6 multicast", "8"),
    ("ether proto \\arp", "r"),
    ("ether proto 0x86dd", "678"),
    ("ip proto 6", "sagf"),
    ("ip proto \\udp", "umb"),
    ("ip proto udp", "umb"),
    ("ip6 proto 6", "67"),
    ("proto \\tcp", "sagf67"),
    ("less 33", "ce"),
    ("greater 95", ""),
    ("len = 62 && ip6", "8"),
    ("tcp[13] & 2 != 0", "sa"),
    ("tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", "s"),
    ("tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "g"),
    ("ip[6:2] & 0x1fff != 0", "f"),
    ("ip[0] & 0xf > 5", "g"),
    ("ip[2:2] - ((ip[0] & 0xf) << 2) > 20", "g"),
    ("udp[4:2] >= 16", "u"),
    ("icmp[icmptype] = icmp-echo", "i"),
    ("icmp6[icmp6type] == icmp6-neighborsolicit", "8"),
    ("ether[0] & 1 = 1", "mb"),
    ("udp[0:2] = udp[2:2]", "m"),
    ("1 + udp[1] = 0xea", "m"),
    ("5 > ip[9]", "i"),
    ("(len - 14) * 2 % 7 ^ 1 | 0 = 2 and len / 2 = 27", "saf"),
    ("len + 1 * 2 = 56 and ip", "saf"),
    ("vlan", "vw"),
    ("vlan 5", "v"),
    ("vlan 5 and tcp port 80", "v"),
    ("vlan 100 and vlan 5 and udp", "w"),
    ("ip and vlan", ""),
    ("mpls", "lk"),
    ("mpls 5 and tcp", "l"),
    ("mpls and mpls 7 and host 10.1.2.3", "k"),
    ("pppoes", "p"),
    ("pppoes 7 and tcp port 80", "p"),
    ("pppoes 8", ""),
];

#[test]
fn table_of_frames() {
    let frames = frames();
    for (expr, expected) in TABLE {
        let program = match compile(expr, LinkType::Ethernet, 0) {
            Ok(program) => program,
            // No frame at all can pass: only where none is expected.
            Err(error) if error.expected == "a filter that some frame can pass" => {
                assert_eq!(*expected, "", "{expr}");
                continue;
            }
            Err(error) => panic!("{expr}: {error}"),
        };
        for (name, frame) in &frames {
            let wire = u32::try_from(frame.len()).unwrap();
            assert_eq!(program.matches(frame, wire), expected.contains(*name), "{expr}: frame {name}");
        }
    }
}

#[test]
fn other_link_layers() {
    let syn = ip4(6, 0, &[], CLIENT, SERVER, &tcp(40000, 80, 0x02, b""));
    let six = ip6(17, 1, [0x20, 1], &udp(53, 40000, b""));
    let sll = |kind: u16, p: &[u8]| cat(&[&[0, 4, 0, 1, 0, 6], &A, &[0, 0], &kind.to_be_bytes(), p]);
    let sll2 =
        |kind: u16, p: &[u8]| cat(&[&kind.to_be_bytes(), &[0, 0, 0, 0, 0, 3, 0, 1, 4, 6], &A, &[0, 0], p]);
    for (link, v4, v6) in [
        (LinkType::Raw, syn.clone(), six.clone()),
        (LinkType::LinuxSll, sll(0x0800, &syn), sll(0x86dd, &six)),
        (LinkType::LinuxSll2, sll2(0x0800, &syn), sll2(0x86dd, &six)),
        (LinkType::Null, cat(&[&[2, 0, 0, 0], &syn]), cat(&[&[0, 0, 0, 30], &six])),
        (LinkType::Loop, cat(&[&[0, 0, 0, 2], &syn]), cat(&[&[0, 0, 0, 24], &six])),
    ] {
        let pass = |expr: &str, frame: &[u8]| compile(expr, link, 0).unwrap().matches(frame, 100);
        assert!(pass("tcp dst port 80 and src net 10", &v4), "{link:?}");
        assert!(!pass("tcp dst port 80", &v6), "{link:?}");
        assert!(pass("udp src port 53 and host 2001:db8::1", &v6), "{link:?}");
        assert!(pass("tcp[13] = 2", &v4) && !pass("ip6", &v4), "{link:?}");
        assert!(compile("vlan", link, 0).is_err() && compile("broadcast", link, 0).is_err());
    }
    assert!(
        compile("outbound and ifindex 3", LinkType::LinuxSll2, 0).unwrap().matches(&sll2(0x0800, &syn), 1)
    );
    assert!(!compile("inbound", LinkType::LinuxSll, 0).unwrap().matches(&sll(0x0800, &syn), 1));
    assert!(compile("ip", LinkType::Ieee80211, 0).is_err());
}

#[test]
fn vlan_tags_that_the_kernel_took_off() {
    let syn = ip4(6, 0, &[], CLIENT, SERVER, &tcp(40000, 80, 0x02, b""));
    let plain = ether(0x0800, &syn);
    let inner = tagged(0x8100, 7, 0x0800, &syn);
    let live = Options { kernel_vlan: true };
    let run = |expr: &str, frame: &[u8], vlan: Option<(u16, u16)>| {
        let program = compile_with(expr, LinkType::Ethernet, 128, live).unwrap();
        program.run(frame, 100, &Aux { vlan, ..Aux::default() })
    };
    let tag = Some((0x6005, 0x8100));
    for (expr, frame, vlan, expected) in [
        ("vlan", &plain, tag, true),
        ("vlan", &plain, None, false),
        ("vlan", &inner, None, true),
        ("vlan 5 and tcp port 80", &plain, tag, true),
        ("vlan 6 and tcp port 80", &plain, tag, false),
        ("vlan 7 and tcp port 80", &inner, None, true),
        ("vlan 5 and vlan 7 and tcp", &inner, tag, true),
        ("vlan 5 and tcp", &inner, tag, false),
        ("tcp port 80", &plain, tag, true),
        ("tcp or vlan", &plain, None, true),
        ("not vlan", &plain, tag, false),
    ] {
        assert_eq!(run(expr, frame, vlan), if expected { 128 } else { 0 }, "{expr}");
    }
    let program = compile_with("vlan 5", LinkType::Ethernet, 0, live).unwrap();
    assert!(program.insns().iter().any(|i| i.k == vm::anc::VLAN_TAG));
    let plain_program = compile_with("tcp", LinkType::Ethernet, 0, live).unwrap();
    assert_eq!(plain_program, compile("tcp", LinkType::Ethernet, 0).unwrap());
    let frame = base::Frame {
        time: base::Timestamp::default(),
        link: LinkType::Ethernet,
        data: &plain,
        wire_len: 54,
        ifindex: 1,
        vlan: tag,
        second_copy: false,
    };
    assert!(program.accepts(&frame));
}

#[test]
fn errors_point_and_explain() {
    for (expr, column, part) in [
        ("hots 10.0.0.1", 1, "did you mean `host`"),
        ("tcp prot 80", 5, "did you mean `port`"),
        ("host www.example.com", 6, "not looked up"),
        ("port mysqll", 6, "did you mean `mysql`"),
        ("port 70000", 6, "up to 65535"),
        ("10.0.0.1", 1, "host, net, port"),
        ("(80 or 443)", 2, "host, net, port"),
        ("tcp or 80", 8, "host, net, port"),
        ("tcp src 80", 9, "`port`"),
        ("host 10.0.0.1 and", 18, "found `the end`"),
        ("(tcp", 5, "closing parenthesis"),
        ("tcp)", 4, "and, or, or the end"),
        ("net 10.1.2.3/24", 5, "bits are set"),
        ("net 10.0.0.0/33", 14, "up to 32"),
        ("host 10.0.0.0/8", 6, "`net`"),
        ("host 1.2.3.999", 6, "IPv4"),
        ("ip host ::1", 9, "ip6"),
        ("host 00:11:22:33:44:55", 6, "`ether`"),
        ("tcp[13", 7, "]"),
        ("tcp[0:3] = 1", 7, "1, 2 or 4"),
        ("len / 0 = 1", 7, "divisor"),
        ("len", 4, "comparison"),
        ("vlan 5000", 1, "4095"),
        ("mpls and vlan", 10, "before `mpls`"),
        ("geneve", 1, "not supported"),
        ("inbound", 1, "direction"),
        ("ip and ip6", 1, "some frame"),
        ("port 80 $ 5", 9, "operator"),
        ("ip and é", 8, "`é`"),
    ] {
        let error = compile(expr, LinkType::Ethernet, 0).expect_err(expr);
        let text = error.to_string();
        assert_eq!(error.column, column, "{expr}: {text}");
        assert!(text.contains(part), "{expr}: {text}");
    }
}

#[test]
fn long_and_deep_expressions() {
    // Far jumps: more than 255 instructions between a test and its target.
    let hosts: Vec<String> = (0..400).map(|n| format!("10.9.{}.{}", n / 200, n % 200)).collect();
    let program = compile(&format!("tcp and ip host {}", hosts.join(" or ")), LinkType::Ethernet, 0).unwrap();
    assert!(program.insns().len() > 800);
    assert!(program.insns().iter().any(|i| i.code == vm::op::JA));
    let to = |dst: [u8; 4]| ether(0x0800, &ip4(6, 0, &[], SERVER, dst, &tcp(1, 2, 2, b"")));
    assert!(program.matches(&to([10, 9, 0, 0]), 60));
    assert!(program.matches(&to([10, 9, 1, 199]), 60));
    assert!(!program.matches(&to([10, 9, 1, 200]), 60));
    let too_many: Vec<String> = (0..3000).map(|n| format!("10.{}.{}.1", n / 250, n % 250)).collect();
    let error = compile(&format!("host {}", too_many.join(" or ")), LinkType::Ethernet, 0).unwrap_err();
    assert!(error.to_string().contains("4096"));
    for deep in ["(", "not ", "!(", "tcp[", "-", "port ("] {
        assert!(compile(&deep.repeat(10_000), LinkType::Ethernet, 0).is_err());
    }
    let nested = format!("{}tcp{}", "(".repeat(60), ")".repeat(60));
    assert!(compile(&nested, LinkType::Ethernet, 0).is_ok());
    assert!(compile(&format!("len{} = 1", "+len".repeat(10_000)), LinkType::Ethernet, 0).is_err());
    assert!(compile(&"a".repeat(70_000), LinkType::Ethernet, 0).is_err());
    let right = |n: usize| format!("{}len{} = 1", "len - (".repeat(n), ")".repeat(n));
    let left = |n: usize| format!("len{} = 1", " - len".repeat(n));
    let value = |expr: &str| compile(expr, LinkType::Ethernet, 0).map(|p| p.matches(&[], 1));
    assert_eq!((value(&right(18)), value(&right(17))), (Ok(true), Ok(false)));
    assert_eq!((value(&left(2)), value("0 - len - len + 40 = 38")), (Ok(false), Ok(true)));
    assert_eq!(value(&format!("len{} = 41", " + len".repeat(40))), Ok(true));
    assert!(value(&right(60)).is_err() && value(&left(60)).is_err());
}

#[test]
fn code_is_short() {
    for (expr, most) in [
        ("tcp", 12),
        ("host 10.1.2.3", 15),
        ("port 80", 24),
        ("port 80 or 443 or 53", 40),
        ("tcp port 80", 20),
    ] {
        let len = compile(expr, LinkType::Ethernet, 0).unwrap().insns().len();
        assert!(len <= most, "{expr}: {len} instructions");
    }
    assert_eq!(compile("", LinkType::Ethernet, 77).unwrap().insns(), [Insn::stmt(6, 77)]);
    let cut = compile("tcp", LinkType::Ethernet, 0).unwrap().with_snaplen(96);
    assert_eq!(cut.insns().iter().filter(|i| i.code == 6).map(|i| i.k).collect::<Vec<_>>(), [96, 0]);
}

#[test]
fn machine_checks_programs() {
    let ret = Insn::stmt(0x06, 1);
    let check = |insns: &[Insn]| Program::new(insns.to_vec()).map(|_| ());
    assert_eq!(check(&[]), Err(Invalid::Length));
    assert_eq!(check(&vec![ret; MAX_INSNS + 1]), Err(Invalid::Length));
    assert_eq!(check(&[Insn::stmt(0x00, 1)]), Err(Invalid::NoReturn));
    assert_eq!(check(&[Insn::stmt(0x05, 1), ret]), Err(Invalid::Jump(0)));
    assert_eq!(check(&[Insn::stmt(0x05, u32::MAX), ret]), Err(Invalid::Jump(0)));
    assert_eq!(check(&[Insn::jump(0x15, 0, 0, 1), ret]), Err(Invalid::Jump(0)));
    assert_eq!(check(&[Insn::stmt(0x02, 16), ret]), Err(Invalid::Memory(0)));
    assert_eq!(check(&[Insn::stmt(0x34, 0), ret]), Err(Invalid::Constant(0)));
    assert_eq!(check(&[Insn::stmt(0x64, 32), ret]), Err(Invalid::Constant(0)));
    for code in [0x55, 0x0d, 0xb4, 0x8c, 0x104, 0x38, 0xff, 0xffff] {
        assert_eq!(check(&[Insn::stmt(code, 1), ret]), Err(Invalid::Code(0)), "{code:#x}");
    }
    // A load behind the end, a division by a zero in X: reject.
    let run = |insns: &[Insn], frame: &[u8]| Program::new(insns.to_vec()).unwrap().matches(frame, 4);
    assert!(run(&[Insn::stmt(0x20, 0), ret], &[0; 4]));
    assert!(!run(&[Insn::stmt(0x20, 1), ret], &[0; 4]));
    assert!(!run(&[Insn::stmt(0x01, u32::MAX), Insn::stmt(0x50, 2), ret], &[0; 4]));
    assert!(!run(&[Insn::stmt(0x3c, 0), ret], &[0; 4]));
}

/// Seeded xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn any_bytes_are_survived() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let words: Vec<&str> = TABLE.iter().flat_map(|t| t.0.split_inclusive(' ')).collect();
    for round in 0..500 {
        let len = (random.next() % 200) as usize;
        let noise: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        vm::fuzz_bpf_run(&noise);
        if round % 10 == 0 {
            fuzz_filter_expr(&noise);
        }
        // Words of real filters in random order, then with a byte changed.
        let count = random.next() % 12;
        let mut expr: Vec<u8> =
            (0..count).flat_map(|_| words[(random.next() % words.len() as u64) as usize].bytes()).collect();
        fuzz_filter_expr(&expr);
        if !expr.is_empty() {
            let at = (random.next() % expr.len() as u64) as usize;
            expr[at] = random.next() as u8 & 0x7f;
            fuzz_filter_expr(&expr);
        }
    }
}
