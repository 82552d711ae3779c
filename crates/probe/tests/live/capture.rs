//! Every request, query and connection is told exactly once, whatever happens to the probe or its interface.

use crate::http::{Asked, Client, exactly};
use crate::lab::{CARD, CLIENT, Lab, SERVER, SERVER6, TEXT_LEN, sh, skipped, text, until};
use crate::probe::Probe;
use crate::sys;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// One of each way to ask and answer. Every URL is asked once.
fn requests(to: SocketAddr) -> Vec<Asked> {
    let mut asked = Vec::new();
    let mut client = Client::connect(to);
    for i in 0..20 {
        asked.push(client.get(&format!("/json?kept={i}")));
    }
    asked.extend(client.pipeline(&(0..10).map(|i| format!("/json?piped={i}")).collect::<Vec<_>>()));
    asked.push(client.ask("POST", "/post?n=1", "Content-Type: application/json\r\n", r#"{"n":1,"s":"ü"}"#));
    asked.push(client.raw(
        "POST",
        "/post?n=2",
        "first, second",
        "POST /post?n=2 HTTP/1.1\r\nHost: www.lab\r\nContent-Type: text/plain\r\n\
         Transfer-Encoding: chunked\r\n\r\n7\r\nfirst, \r\n6\r\nsecond\r\n0\r\n\r\n",
    ));
    let large = "0123456789".repeat(30_000);
    asked.push(client.ask("POST", "/post?n=3", "Content-Type: text/plain\r\n", &large));
    let mut gzip = client.ask("GET", "/text.txt?gzip", "Accept-Encoding: gzip\r\n", "");
    assert!(gzip.answer.is_none(), "the server packed it");
    gzip.answer = Some(text());
    asked.push(gzip);
    asked.push(client.get("/text.txt?plain"));
    asked.push(client.ask("HEAD", "/text.txt?head", "", ""));
    asked.push(client.get("/nothing/here?404"));
    asked.push(client.get("/big.txt?long"));
    // HTTP/1.0 and packed on the fly: only the end of the connection ends the body.
    let mut client = Client::connect(to);
    let mut closed = client.raw(
        "GET",
        "/text.txt?closed",
        "",
        "GET /text.txt?closed HTTP/1.0\r\nHost: www.lab\r\nAccept-Encoding: gzip\r\n\r\n",
    );
    assert!(closed.answer.is_none(), "the server packed it");
    closed.answer = Some(text());
    asked.push(closed);
    for i in 0..20 {
        asked.push(Client::connect(to).ask("GET", &format!("/json?own={i}"), "Connection: close\r\n", ""));
    }
    // Heads in pieces, bodies late.
    let mut client = Client::connect(to);
    let mut slow = client.stream().try_clone().unwrap();
    slow.write_all(b"POST /post?slow HT").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    slow.write_all(b"TP/1.1\r\nHost: www.lab\r\nContent-Type: text/plain\r\nContent-Length: 4\r").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    slow.write_all(b"\n\r\nsl").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    asked.push(client.raw("POST", "/post?slow", "slow", "ow"));
    asked
}

fn all_told(test: &str, ip: &str, args: &[&str]) {
    if skipped(test) {
        return;
    }
    let lab = Lab::new();
    let probe = Probe::start(&lab, &[&["--bodylen=4096"], args].concat());
    let to = SocketAddr::new(ip.parse().unwrap(), 80);
    let asked = lab.in_client(|| requests(to));
    let report = probe.stop();
    exactly(&asked, &report.records, 4096);
    // What stands in the records besides.
    let of = |url: &str| report.of_kind("http").find(|r| r.get("URL") == url).unwrap();
    assert_eq!(of("/post?n=3").num("REQ_BYTES"), 300_000.0);
    assert_eq!(of("/text.txt?plain").num("RSP_BYTES"), TEXT_LEN as f64);
    assert_eq!(of("/text.txt?plain").get("DOMAIN"), "www.lab");
    assert!(of("/text.txt?head").get("RSP_HEADER").starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(of("/nothing/here?404").get("CONTENTTYPE"), "text/html");
    for r in report.of_kind("http") {
        assert_eq!((r.get("DST_IP"), r.get("DST_PORT")), (ip, "80"));
        assert_eq!(r.get("QUALITY"), "", "{r:?}");
    }
    // Each connection is told to its end, by the way it ended.
    let connections: std::collections::BTreeSet<_> =
        report.of_kind("http").map(|r| r.get("SRC_PORT").to_owned()).collect();
    assert_eq!(connections.len(), 23);
    for port in connections {
        let flows: Vec<_> = report
            .of_kind("flow")
            .filter(|r| r.get("SRC_PORT") == port && r.get("DST_PORT") == "80")
            .collect();
        let last = flows.last().unwrap();
        assert_eq!((last.get("STATE"), last.get("END_REASON")), ("closed", "fin"), "{last:?}");
        assert_eq!(last.get("APP"), "http");
        let sum = |key: &str| flows.iter().map(|f| f.num(key)).sum::<f64>();
        // A busy machine may send a SYN or FIN again: then it is counted among the retransmissions.
        let again = sum("RETRANS_PKTS");
        let flags = sum("SYN_PKTS") + sum("SYN_ACK_PKTS") + sum("FIN_PKTS");
        assert!((4.0..=4.0 + again).contains(&flags), "{flows:?}");
    }
    assert_eq!(report.records.last().unwrap().num("PKTS_LOST"), 0.0);
}

#[test]
fn every_http_request_is_told_once() {
    all_told("every_http_request_is_told_once", SERVER, &[]);
}

#[test]
fn every_http_request_over_ipv6_is_told_once() {
    all_told("every_http_request_over_ipv6_is_told_once", SERVER6, &[]);
}

#[test]
fn two_workers_tell_the_same() {
    all_told("two_workers_tell_the_same", SERVER, &["--workers=2"]);
}

#[test]
fn any_interface_tells_the_same() {
    all_told("any_interface_tells_the_same", SERVER, &["--device=any"]);
}

/// A DNS query, RFC 1035 section 4.1.
fn query(id: u16, name: &str, qtype: u16) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.extend([0, (qtype >> 8) as u8, qtype as u8, 0, 1]);
    out
}

#[test]
fn every_dns_query_is_told_once() {
    if skipped("every_dns_query_is_told_once") {
        return;
    }
    let lab = Lab::new();
    let probe = Probe::start(&lab, &[]);
    lab.in_client(|| {
        for (server, from) in [(SERVER, "0.0.0.0:0"), (SERVER6, "[::]:0")] {
            let to = SocketAddr::new(server.parse::<IpAddr>().unwrap(), 53);
            let mut answer = [0; 4096];
            for i in 0..50 {
                let socket = UdpSocket::bind(from).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                socket.send_to(&query(i, &format!("u{i}.lab"), 1), to).unwrap();
                socket.recv(&mut answer).unwrap();
            }
            for (qtype, name) in [(1, "www.lab"), (28, "www.lab"), (15, "www.lab")] {
                let mut stream = TcpStream::connect(to).unwrap();
                for i in 0..5 {
                    let message = query(i, name, qtype);
                    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
                    framed.extend(message);
                    stream.write_all(&framed).unwrap();
                    let mut length = [0; 2];
                    stream.read_exact(&mut length).unwrap();
                    stream.read_exact(&mut answer[..usize::from(u16::from_be_bytes(length))]).unwrap();
                }
            }
        }
    });
    let report = probe.stop();
    assert_eq!(report.count("dns"), 2 * (50 + 15));
    for server in [SERVER, SERVER6] {
        let told = |l4: &str, name: &str, qtype: &str| {
            let mine = report.of_kind("dns").filter(|r| {
                r.get("DST_IP") == server
                    && r.get("L4_PROTOCOL") == l4
                    && r.get("DOMAIN") == name
                    && r.get("QTYPE") == qtype
                    && r.get("RESP") == "1"
                    && (0.0..1000.0).contains(&r.num("DNS_RESPONSE"))
            });
            mine.cloned().collect::<Vec<_>>()
        };
        for i in 0..50 {
            let one = told("udp", &format!("u{i}.lab"), "A");
            assert_eq!(one.len(), 1);
            assert_eq!(one[0].get("RCODE"), "NXDOMAIN");
        }
        for (qtype, result) in [("A", "192.0.2.1"), ("AAAA", "2001:db8::1"), ("MX", "")] {
            let five = told("tcp", "www.lab", qtype);
            assert_eq!(five.len(), 5, "{qtype}");
            assert!(five.iter().all(|r| r.get("RESULT_IP") == result && r.get("RCODE") == "NOERROR"));
        }
    }
}

#[test]
fn connections_end_as_they_ended() {
    if skipped("connections_end_as_they_ended") {
        return;
    }
    let lab = Lab::new();
    let probe = Probe::start(&lab, &["--interval=1"]);
    let (mut reset, mut closed) = (Vec::new(), Vec::new());
    lab.in_client(|| {
        for i in 0..10 {
            let mut client = Client::connect((SERVER.parse::<IpAddr>().unwrap(), 80).into());
            client.get(&format!("/json?{i}"));
            let port = client.stream().local_addr().unwrap().port().to_string();
            if i < 5 {
                sys::reset_on_close(client.stream());
                reset.push(port);
            } else {
                closed.push(port);
            }
        }
        for _ in 0..5 {
            assert!(TcpStream::connect((SERVER, 81)).is_err());
        }
    });
    let report = probe.stop();
    let ends = |reason: &str, port: &str| {
        let mut ports: Vec<_> = report
            .of_kind("flow")
            .filter(|r| r.get("END_REASON") == reason && r.get("DST_PORT") == port)
            .map(|r| r.get("SRC_PORT").to_owned())
            .collect();
        ports.sort();
        ports
    };
    reset.sort();
    closed.sort();
    assert_eq!(ends("rst-src", "80"), reset);
    assert_eq!(ends("fin", "80"), closed);
    assert_eq!(ends("refused", "81").len(), 5);
}

#[test]
fn a_connection_that_stood_before_is_read_on() {
    if skipped("a_connection_that_stood_before_is_read_on") {
        return;
    }
    let lab = Lab::new();
    let (mut client, mut body) = lab.in_client(|| {
        let to = SocketAddr::new(SERVER.parse().unwrap(), 80);
        let (mut a, mut b) = (Client::connect(to), Client::connect(to));
        a.get("/json?before=1");
        // This one is in the midst of a request body when the probe comes.
        b.stream()
            .write_all(b"POST /post?halved HTTP/1.1\r\nHost: www.lab\r\nContent-Length: 9\r\n\r\nGET / ")
            .unwrap();
        until("half a body is there", 2, || true);
        let _ = &mut b;
        (a, b)
    });
    let probe = Probe::start(&lab, &[]);
    let mut asked: Vec<_> = (0..10).map(|i| client.get(&format!("/json?after={i}"))).collect();
    body.raw("POST", "", "", "HTT");
    asked.extend((0..10).map(|i| body.get(&format!("/json?rest={i}"))));
    drop((client, body));
    let report = probe.stop();
    let whole: Vec<_> = report
        .records
        .iter()
        .filter(|r| r.kind() == "http" && r.get("URL").starts_with("/json"))
        .cloned()
        .collect();
    exactly(&asked, &whole, 1024);
    let others: Vec<_> = report.of_kind("http").filter(|r| !r.get("URL").starts_with("/json")).collect();
    assert!(others.len() <= 1 && others.iter().all(|r| r.get("METHOD").is_empty()), "{others:?}");
    for r in &whole {
        // What was in full sight is perfect again.
        let first = r.get("URL") == "/json?after=0";
        assert!(
            r.get("QUALITY") == if first { "midstream" } else { "" } || r.get("URL") == "/json?rest=0",
            "{r:?}"
        );
        assert_eq!((r.get("SRC_IP"), r.get("DST_IP")), (CLIENT, SERVER), "who asks is the source");
    }
}

#[test]
fn an_interface_goes_and_comes_back() {
    if skipped("an_interface_goes_and_comes_back") {
        return;
    }
    let lab = Lab::new();
    let probe = Probe::start(&lab, &[]);
    let get = |url: &str| {
        lab.in_client(|| {
            until("the network is there again", 10, || {
                let to: SocketAddr = (SERVER.parse::<IpAddr>().unwrap(), 80).into();
                TcpStream::connect_timeout(&to, Duration::from_millis(200)).is_ok()
            });
            Client::connect((SERVER.parse::<IpAddr>().unwrap(), 80).into()).get(url);
        });
        let such = url.to_owned();
        probe.wait_for(url, 1, |r| r.get("URL") == such);
    };
    get("/json?first");
    sh(&format!("ip -n {} link set {CARD} down", lab.server));
    until("that it is down is said", 10, || probe.said().contains("web0: down"));
    sh(&format!("ip -n {} link set {CARD} up", lab.server));
    until("that it is back is said", 10, || probe.said().contains("web0: back"));
    get("/json?second");
    sh(&format!("ip -n {} link del {CARD}", lab.server));
    std::thread::sleep(Duration::from_millis(700));
    lab.cable();
    until("that it is back is said", 10, || probe.said().matches("web0: back").count() >= 2);
    get("/json?third");
    let report = probe.stop();
    for url in ["/json?first", "/json?second", "/json?third"] {
        assert_eq!(report.of_kind("http").filter(|r| r.get("URL") == url).count(), 1, "{url}");
    }
}

#[test]
fn the_end_reports_what_was_seen_to_the_last_packet() {
    if skipped("the_end_reports_what_was_seen_to_the_last_packet") {
        return;
    }
    let lab = Lab::new();
    for round in 0..5 {
        let probe = Probe::start(&lab, &[]);
        let url = format!("/json?last={round}");
        let asked =
            lab.in_client(|| Client::connect((SERVER.parse::<IpAddr>().unwrap(), 80).into()).get(&url));
        let report = probe.stop();
        exactly(&[asked], &report.records, 1024);
        assert_eq!(report.code, Some(0));
        assert!(report.took < Duration::from_secs(3), "{:?}", report.took);
        let last = report.records.last().unwrap();
        let farewell = format!(
            "stopped: {} packets seen, 0 lost by the kernel, {} flows, {} records made, 0 dropped",
            last.get("PKTS_SEEN"),
            last.get("FLOWS_MADE"),
            last.get("RECORDS_MADE"),
        );
        assert!(report.said.contains(&farewell), "{farewell}\n{}", report.said);
        assert_eq!(last.num("RECORDS_MADE"), (report.records.len() - 1) as f64, "all but the account itself");
    }
}

#[test]
fn without_any_configuration_it_tells_what_happens_everywhere() {
    if skipped("without_any_configuration_it_tells_what_happens_everywhere") {
        return;
    }
    let lab = Lab::new();
    let probe = Probe::bare(&lab, &[]);
    let url = "/json?plain";
    let mut asked =
        vec![lab.in_client(|| Client::connect((SERVER.parse::<IpAddr>().unwrap(), 80).into()).get(url))];
    // Over loopback each packet passes twice, out and in; it is told once.
    asked.push(lab.in_server(|| Client::connect(([127, 0, 0, 1], 80).into()).get("/json?loopback")));
    let report = probe.stop();
    exactly(&asked, &report.records, 1024);
    let card =
        |url: &str| report.of_kind("http").find(|r| r.get("URL") == url).unwrap().get("CARD").to_owned();
    assert_eq!((card(url), card("/json?loopback")), (CARD.into(), "lo".into()));
    assert!(report.of_kind("http").all(|r| r.get("NIC") == "any"));
}

/// Most memory that the process ever had, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// Half a million pairs in some seconds: the ring, the tables and the queues stay inside the limit, what is
/// lost is counted, and it goes on as if nothing had been.
#[test]
fn a_live_flood_of_pairs_stays_inside_the_limit() {
    if skipped("a_live_flood_of_pairs_stays_inside_the_limit") {
        return;
    }
    let lab = Lab::new();
    let probe = Probe::start(&lab, &["--mem-limit=40", "--interval=1", "--l4-switch=tcp"]);
    lab.in_client(|| {
        let sockets: Vec<_> = (0..100).map(|_| UdpSocket::bind("0.0.0.0:0").unwrap()).collect();
        for port in 10_000..15_000u16 {
            for socket in &sockets {
                // The server's refusals come back as errors of later sends: all the same here.
                let _ = socket.send_to(b"what is this", (SERVER, port));
            }
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    let url = "/json?after=the-flood";
    let asked = lab.in_client(|| Client::connect((SERVER.parse::<IpAddr>().unwrap(), 80).into()).get(url));
    probe.wait_for(url, 1, |r| r.get("URL") == url);
    let high = peak(probe.pid());
    let report = probe.stop();
    let last = report.records.last().unwrap();
    println!("peak {:.1} MB, {last:?}", high as f64 / 1e6);
    assert!(high <= 40 << 20, "{high} bytes");
    assert!(last.num("PKTS_SEEN") >= 500_000.0 && last.num("FLOWS_EVICTED") > 0.0, "{last:?}");
    exactly(&[asked], &report.records, 1024);
}
