//! The configuration does what it says, and can be read again while the probe runs.

use crate::http::Client;
use crate::lab::{CLIENT, Lab, SERVER, SERVER6, skipped, until};
use crate::probe::{Probe, Report};
use crate::told::Told;
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

fn to(ip: &str) -> SocketAddr {
    (ip.parse::<IpAddr>().unwrap(), 80).into()
}

/// A query for www.lab, type A.
const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x03lab\x00\x00\x01\x00\x01";

fn ask_dns(ip: &str) {
    let socket = UdpSocket::bind(if ip.contains(':') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(QUERY, (ip, 53)).unwrap();
    socket.recv(&mut [0; 512]).unwrap();
}

/// To everyone in the subnet, and to a group.
const CALLED: [(&str, u16); 2] = [("10.77.0.255", 9999), ("224.0.0.251", 9999)];

/// The same traffic for probes of every configuration, all at once.
#[test]
fn keys_do_what_they_say() {
    if skipped("keys_do_what_they_say") {
        return;
    }
    let lab = Lab::new();
    let start = |args: &[&str]| Probe::start(&lab, &[args, &["--log=info"]].concat());
    let plain = start(&[]);
    let keep = start(&["--filter-net=fd77::/16"]);
    let keep_port = start(&["--filter-net=53"]);
    let drop = start(&[&format!("--drop={SERVER}:80")]);
    let ignore = start(&["--ignorel7=http"]);
    let no_l4 = start(&["--l4-switch=off"]);
    let udp_l4 = start(&["--l4-switch=udp"]);
    let no_l7 = start(&["--auto-check=off"]);
    let headers = start(&["--auto-check=0"]);
    let short = start(&["--bodylen=7"]);
    let sample = start(&["--jsonsample=10"]);
    let open = start(&["--redact=none"]);
    let closed = start(&["--redact=cookie,key:pin"]);
    let bpf = start(&["--filter-bpf=udp port 53"]);
    let cut = start(&["--max-length=240"]);
    let pinned = start(&["--proto=dns", "--source=80"]);
    let background = start(&["--background=1"]);
    lab.in_client(|| {
        for ip in [SERVER, SERVER6] {
            let mut client = Client::connect(to(ip));
            for i in 0..200 {
                client.get(&format!("/json?n={i}"));
            }
            let secret =
                "Authorization: Bearer geheim\r\nCookie: sid=keks\r\nContent-Type: application/json\r\n";
            client.ask("POST", "/post?secret", secret, r#"{"user":"u","password":"wort","pin":"1234"}"#);
            ask_dns(ip);
        }
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_broadcast(true).unwrap();
        socket.send_to(b"is anybody there?", CALLED[0]).unwrap();
        let socket = UdpSocket::bind((CLIENT, 0)).unwrap();
        socket.send_to(b"to the group", CALLED[1]).unwrap();
    });
    let all: Report = plain.stop();
    assert_eq!((all.count("http"), all.count("dns")), (402, 2));
    let flows = |r: &Report, l4: &str, ip: &str| {
        r.of_kind("flow").filter(|f| f.get("L4_PROTOCOL") == l4 && f.get("DST_IP") == ip).count()
    };
    assert!(flows(&all, "tcp", SERVER) == 1 && flows(&all, "udp", SERVER) == 1);
    let secret = |r: &Report| -> Told {
        r.of_kind("http").find(|r| r.get("METHOD") == "POST").expect("it is told").clone()
    };
    let r = secret(&all);
    assert!(!r.get("REQ_HEADER").contains("geheim") && r.get("REQ_HEADER").contains("Authorization:"));
    assert!(!r.get("REQ_BODY").contains("wort") && r.get("REQ_BODY").contains("1234"), "{r:?}");
    assert!(r.get("COOKIE").contains("keks"));

    let r = keep.stop();
    assert_eq!((r.count("http"), r.count("dns")), (201, 1));
    assert!(r.records.iter().filter(|r| r.has("SRC_IP")).all(|r| r.get("SRC_IP").contains(':')));
    let r = keep_port.stop();
    assert_eq!((r.count("http"), r.count("dns")), (0, 2));
    assert_eq!(flows(&r, "tcp", SERVER), 0);
    let account = r.records.last().unwrap();
    assert!(account.num("PKTS_FILTERED") > 800.0 && account.get("FILTERED_BY").contains("filter-net"));
    let r = drop.stop();
    assert_eq!((r.count("http"), r.count("dns"), flows(&r, "tcp", SERVER)), (201, 2, 0));
    assert!(r.records.last().unwrap().get("FILTERED_BY").contains("drop"));
    assert_eq!(CALLED.map(|(to, _)| flows(&all, "udp", to)), [0, 0]);
    assert!(all.records.last().unwrap().get("FILTERED_BY").contains("background"));
    let r = background.stop();
    assert_eq!(CALLED.map(|(to, _)| flows(&r, "udp", to)), [1, 1]);
    let r = ignore.stop();
    assert_eq!((r.count("http"), r.count("dns"), flows(&r, "tcp", SERVER)), (0, 2, 1));
    let r = no_l4.stop();
    assert_eq!((r.count("http"), r.count("dns"), r.count("flow")), (402, 2, 0));
    let r = udp_l4.stop();
    assert_eq!((r.count("http"), flows(&r, "tcp", SERVER), flows(&r, "udp", SERVER)), (402, 0, 1));
    let r = no_l7.stop();
    assert_eq!((r.count("http"), r.count("dns"), flows(&r, "tcp", SERVER)), (0, 0, 1));
    let r = headers.stop();
    assert_eq!((r.count("http"), r.count("dns")), (402, 2));
    assert!(r.of_kind("http").all(|r| r.get("REQ_BODY").is_empty() && r.get("RSP_BODY").is_empty()));
    assert!(r.of_kind("http").all(|r| r.get("RSP_HEADER").starts_with("HTTP/1.1 20")));
    let r = short.stop();
    assert!(r.of_kind("http").all(|r| r.get("RSP_BODY").len() == 7 && r.get("REQ_HEADER").len() == 7), "cut");
    assert_eq!(secret(&r).num("RSP_BYTES"), 17.0, "the true size");
    let r = sample.stop();
    let kept = r.count("http");
    assert!((10..=90).contains(&kept), "1 in 10 of 402 is {kept}");
    let account = r.records.last().unwrap();
    assert_eq!(account.num("SESSIONS_SAMPLED") as usize + kept + r.count("dns"), 404);
    let r = secret(&open.stop());
    assert!(r.get("REQ_HEADER").contains("Bearer geheim") && r.get("REQ_BODY").contains("wort"));
    let r = secret(&closed.stop());
    assert!(!r.get("COOKIE").contains("keks") && !r.get("REQ_HEADER").contains("keks"));
    assert!(!r.get("REQ_BODY").contains("1234") && r.get("REQ_BODY").contains("wort"), "{r:?}");
    let r = bpf.stop();
    assert_eq!((r.count("http"), r.count("dns"), r.records.last().unwrap().num("PKTS_SEEN")), (0, 2, 4.0));
    let r = cut.stop();
    // Heads fit, the ends of the bodies do not.
    assert_eq!(r.count("http"), 402);
    let answered = r.of_kind("http").filter(|r| r.get("RETCODE").starts_with("20")).count();
    let odd = r.of_kind("http").find(|r| !r.get("RETCODE").starts_with("20"));
    assert!(answered >= 400, "{answered}: {odd:?}");
    let not_whole = r.of_kind("http").filter(|r| r.get("QUALITY").contains("truncated")).count();
    assert!(not_whole >= 390, "{not_whole} of 402 are marked");
    assert_eq!(flows(&r, "tcp", SERVER), 1);
    let bytes = |r: &Report| {
        r.of_kind("flow")
            .find(|f| f.get("DST_IP") == SERVER && f.get("DST_PORT") == "80")
            .unwrap()
            .num("BYTES")
    };
    assert_eq!(bytes(&r), bytes(&all), "bytes are those of the wire");
    let r = pinned.stop();
    assert_eq!((r.count("http"), r.count("dns")), (0, 2), "port 80 is said to speak DNS");
}

#[test]
fn a_hangup_reads_the_configuration_again() {
    if skipped("a_hangup_reads_the_configuration_again") {
        return;
    }
    let lab = Lab::new();
    let path = lab.dir.join("mfnano.conf");
    fs::write(&path, "# first\ninterval=1\n").unwrap();
    let file = format!("@{}", path.display());
    let probe = Probe::start(&lab, &[&file]);
    let (mut client, mut n) = (lab.in_client(|| Client::connect(to(SERVER))), 0);
    let mut get = |probe: &Probe| {
        n += 1;
        let url = format!("/json?n={n}");
        client.get(&url);
        let such = url.clone();
        // The account of the next second comes after the request.
        let accounts = probe.records().iter().filter(|r| r.kind() == "probe").count();
        probe.wait_for("two accounts", accounts + 2, |r| r.kind() == "probe");
        probe.records().iter().any(|r| r.get("URL") == such)
    };
    assert!(get(&probe));
    fs::write(&path, "ignorel7=http\ninterval=1\n").unwrap();
    probe.signal(libc::SIGHUP);
    until("the reload is said", 5, || probe.said().contains("the new configuration is in force"));
    get(&probe); // at the latest now it is in force
    assert!(!get(&probe), "ignored since the reload");
    fs::write(&path, "ignorel7=\nintervall=1\n").unwrap();
    probe.signal(libc::SIGHUP);
    until("the refusal is said", 5, || probe.said().contains("refused; the configuration stays as it was"));
    let said = probe.said();
    assert!(said.contains("intervall") && said.contains("interval") && said.contains(":2"), "{said}");
    get(&probe);
    assert!(!get(&probe), "the last good configuration is in force");
    fs::write(&path, "interval=1\n").unwrap();
    probe.signal(libc::SIGHUP);
    until("the reload is said", 5, || probe.said().matches("is in force").count() == 2);
    get(&probe);
    assert!(get(&probe), "and what was refused can be mended");
    assert_eq!(probe.stop().code, Some(0));
}

#[test]
fn root_is_given_up_and_the_capture_goes_on() {
    if skipped("root_is_given_up_and_the_capture_goes_on") {
        return;
    }
    let lab = Lab::new();
    let probe = Probe::start(&lab, &["--user=nobody"]);
    let status = fs::read_to_string(format!("/proc/{}/status", probe.pid())).unwrap();
    let ids = status.lines().find(|l| l.starts_with("Uid:")).unwrap().to_owned();
    assert!(ids.split_whitespace().skip(1).all(|id| id != "0"), "{ids}");
    lab.in_client(|| Client::connect(to(SERVER)).get("/json?unprivileged"));
    assert_eq!(probe.stop().count("http"), 1);
}
