//! `nano` has every key of the original's records, in its spelling and form, whatever else it has. The
//! original leaves nothing out; ours leaves out what was not measured, so here everything is provoked.

use crate::http::Client;
use crate::lab::{CARD, CLIENT, Lab, SERVER, sh, skipped};
use crate::probe::Probe;
use crate::told::Told;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// The forms that values of the original have.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// `2026-11-21 09:47:06`
    Seconds,
    /// `2024-05-30 07:16:48.917`
    Millis,
    /// `0.163`: three decimals here.
    Delay,
    /// `46.73`
    Percent,
    Count,
    Text,
    NotEmpty,
    Is(&'static str),
}
use Form::{Count, Delay, Is, NotEmpty, Percent, Seconds, Text};

impl Form {
    fn fits(self, value: &str) -> bool {
        let like = |pattern: &str| {
            value.len() == pattern.len()
                && value
                    .bytes()
                    .zip(pattern.bytes())
                    .all(|(v, p)| if p == b'0' { v.is_ascii_digit() } else { v == p })
        };
        let decimals = |n: usize| {
            value.split_once('.').is_some_and(|(a, b)| {
                b.len() == n && !a.is_empty() && (a.to_owned() + b).bytes().all(|c| c.is_ascii_digit())
            })
        };
        match self {
            Seconds => like("0000-00-00 00:00:00"),
            Form::Millis => like("0000-00-00 00:00:00.000"),
            Delay => decimals(3),
            Percent => decimals(2),
            Count => value.parse::<u64>().is_ok_and(|n| n.to_string() == value),
            Text => true,
            NotEmpty => !value.trim().is_empty(),
            Is(word) => value == word,
        }
    }
}

#[track_caller]
fn has(record: &Told, keys: &[(&str, Form)]) {
    assert!(record.numbers.is_empty(), "every value is a string: {:?}", record.numbers);
    for (key, form) in keys {
        assert!(record.has(key), "{key} is not in {record:?}");
        assert!(form.fits(record.get(key)), "{key} is {:?}, not {form:?}", record.get(key));
    }
}

/// Every record has these.
const ALL: &[(&str, Form)] = &[
    ("PROBE_VER", NotEmpty),
    ("host", Is(SERVER)),
    ("SYSTEM", NotEmpty),
    ("SRC_IP", Is(CLIENT)),
    ("DST_IP", Is(SERVER)),
    ("SRC_PORT", Count),
    ("DST_PORT", Count),
    ("NIC", Is(CARD)),
    ("CARD", Is(CARD)),
    ("CARD_IP", Is(SERVER)),
    ("BYTES", Count),
    ("message", NotEmpty),
    ("message-type", Is("comm")),
    ("gl2_source_collector", Count),
    ("DISK_RATIO", Percent),
    ("TOTAL_CPU", Count),
    ("LICENSE", NotEmpty),
];

/// Records of applications over TCP have these besides.
const SESSION: &[(&str, Form)] = &[
    ("BEGIN_TIME", Form::Millis),
    ("END_TIME", Form::Millis),
    ("SRC_NET_DELAY", Delay),
    ("DST_NET_DELAY", Delay),
    ("NET_DELAY", Delay),
    ("RST_PKTS", Count),
    ("RETRANS_PKTS", Count),
];

const HTTP: &[(&str, Form)] = &[
    ("HTTP_RESPONSE", Delay),
    ("PAGELOAD", Delay),
    ("RETCODE", Count),
    ("METHOD", NotEmpty),
    ("URL", NotEmpty),
    ("DOMAIN", NotEmpty),
    ("FORWARD", Is("0.0.0.0")),
    ("AGENT", NotEmpty),
    ("REQ_HEADER", NotEmpty),
    ("REQ_BODY", Text),
    ("RSP_HEADER", NotEmpty),
    ("RSP_BODY", Text),
    ("L7_PROTOCOL", Is("http")),
    ("L4_PROTOCOL", Is("tcp")),
];

const FLOW: &[(&str, Form)] = &[
    ("TIME", Seconds),
    ("SRC_BYTES", Count),
    ("DST_BYTES", Count),
    ("SRC_PKTS", Count),
    ("DST_PKTS", Count),
    ("PKTS", Count),
    ("SRC_SYN_PKTS", Count),
    ("DST_SYN_PKTS", Count),
    ("SYN_PKTS", Count),
    ("SRC_SYN_ACK_PKTS", Count),
    ("DST_SYN_ACK_PKTS", Count),
    ("SYN_ACK_PKTS", Count),
    ("SRC_RST_PKTS", Count),
    ("DST_RST_PKTS", Count),
    ("RST_PKTS", Count),
    ("SRC_FIN_PKTS", Count),
    ("DST_FIN_PKTS", Count),
    ("FIN_PKTS", Count),
    ("SRC_RETRANS_PKTS", Count),
    ("DST_RETRANS_PKTS", Count),
    ("RETRANS_PKTS", Count),
    ("SRC_TINY_PKTS", Count),
    ("DST_TINY_PKTS", Count),
    ("TINY_PKTS", Count),
    ("SRC_ZEROWIN_PKTS", Count),
    ("DST_ZEROWIN_PKTS", Count),
    ("ZEROWIN_PKTS", Count),
    ("VALID-TIME", Is("1970-01-01")),
    ("L7_PROTOCOL", Is("ip")),
    ("L4_PROTOCOL", Is("tcp")),
];

/// Those of a flow that had what they measure.
const FLOW_DELAYS: &[&str] = &[
    "APP_RESPONSE",
    "SRC_NET_DELAY",
    "DST_NET_DELAY",
    "NET_DELAY",
    "HAND_DELAY",
    "LOAD_TRANS_DELAY",
    "SRC_RETRANS_DELAY",
    "DST_RETRANS_DELAY",
];

#[test]
fn nano_has_every_key_of_the_original() {
    if skipped("nano_has_every_key_of_the_original") {
        return;
    }
    let lab = Lab::new();
    // Some of the packets get lost after the server's interface has seen them, or before.
    sh(&format!(
        "ip netns exec {} nft 'add table ip lossy; \
         add chain ip lossy in {{ type filter hook input priority 0; }}; \
         add rule ip lossy in tcp sport 80 numgen random mod 100 < 6 drop'",
        lab.client
    ));
    sh(&format!(
        "ip netns exec {} nft 'add table ip lossy; \
         add chain ip lossy in {{ type filter hook input priority 0; }}; \
         add rule ip lossy in tcp dport 80 numgen random mod 100 < 6 drop'",
        lab.server
    ));
    let probe = Probe::start(&lab, &[]);
    let to: SocketAddr = (SERVER.parse::<IpAddr>().unwrap(), 80).into();
    let mut wanted: Vec<&str> = FLOW_DELAYS.to_vec();
    let mut round = 0;
    // Loss is by chance; each round is another connection, until one of them had all of it.
    while !wanted.is_empty() {
        assert!(round < 40, "never measured: {wanted:?}");
        lab.in_client(|| {
            let mut client = Client::connect(to);
            for i in 0..12 {
                client.ask("POST", &format!("/post?{round}-{i}"), "User-Agent: test\r\n", "a body");
                client.ask("GET", &format!("/big.txt?{round}-{i}"), "User-Agent: test\r\n", "");
            }
        });
        round += 1;
        if round == 3 {
            lab.in_client(|| {
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let query =
                    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x03lab\x00\x00\x01\x00\x01";
                socket.send_to(query, (SERVER, 53)).unwrap();
                socket.recv(&mut [0; 512]).unwrap();
            });
        }
        std::thread::sleep(Duration::from_millis(150));
        for r in probe.records().iter().filter(|r| r.kind() == "flow") {
            wanted.retain(|k| !r.has(k));
        }
    }
    let report = probe.stop();
    let (mut full, mut repeated) = (0, 0);
    for r in report.of_kind("flow").filter(|r| r.get("DST_PORT") == "80") {
        has(r, ALL);
        has(r, FLOW);
        for key in FLOW_DELAYS.iter().filter(|k| r.has(k)) {
            has(r, &[(key, Delay)]);
        }
        full += usize::from(FLOW_DELAYS.iter().all(|k| r.has(k)));
        repeated += usize::from(r.num("RETRANS_PKTS") > 0.0);
        // What has no delay had nothing to measure.
        if r.get("SRC_RETRANS_PKTS") == "0" {
            assert!(!r.has("DST_RETRANS_DELAY"), "{r:?}");
        }
    }
    println!("{round} connections, {full} flow records with every delay, {repeated} with retransmissions");
    let mut sessions = 0;
    for r in report.of_kind("http").filter(|r| r.get("RESP") == "1") {
        has(r, ALL);
        has(r, HTTP);
        has(r, &SESSION[..2]);
        // The mean over a session that was sent twice may have nothing to count.
        sessions += usize::from(SESSION.iter().all(|(k, form)| r.has(k) && form.fits(r.get(k))));
    }
    assert!(sessions * 2 > report.count("http"), "{sessions} of {} have every key", report.count("http"));
    let dns = report.of_kind("dns").next().expect("a query");
    has(dns, ALL);
    has(dns, &SESSION[..2]);
    has(
        dns,
        &[
            ("DNS_RESPONSE", Delay),
            ("DOMAIN", Is("www.lab")),
            ("RESULT_IP", Is("192.0.2.1")),
            ("L7_PROTOCOL", Is("dns")),
            ("L4_PROTOCOL", Is("udp")),
        ],
    );
}
