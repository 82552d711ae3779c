//! Where records go: GELF over UDP and TCP, files in a cycle, receivers that are not there.

use crate::gelf::Receiver;
use crate::http::{Asked, Client, exactly};
use crate::lab::{Lab, SERVER, skipped, until};
use crate::probe::Probe;
use crate::told::{Told, adds_up};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn server() -> SocketAddr {
    (SERVER.parse::<IpAddr>().unwrap(), 80).into()
}

fn gets(lab: &Lab, n: usize) -> Vec<Asked> {
    lab.in_client(|| {
        let mut client = Client::connect(server());
        (0..n).map(|i| client.get(&format!("/json?n={i}&pad={}", "x".repeat(i * 7 % 1900)))).collect()
    })
}

/// The records of the files in a directory, the oldest first.
fn files(dir: &Path) -> Vec<Told> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let text: String = names.iter().map(|n| fs::read_to_string(n).unwrap()).collect();
    text.lines().map(Told::parse).collect()
}

#[test]
fn all_sinks_get_all_records_and_a_dead_one_harms_none() {
    if skipped("all_sinks_get_all_records_and_a_dead_one_harms_none") {
        return;
    }
    let lab = Lab::new();
    let (udp, tcp) = (Receiver::udp(&lab), Receiver::tcp(&lab));
    let dir = lab.dir.join("json");
    // Nobody listens on port 9: its queue fills.
    let to = format!("--exp-domain=127.0.0.1:{},127.0.0.1:{}:tcp,127.0.0.1:9:tcp", udp.port, tcp.port);
    let path = format!("--json-path={}", dir.display());
    let probe = Probe::start(&lab, &[&to, &path, "--interval=1", "--mem-limit=40", "--bodylen=200"]);
    let asked = lab.in_client(|| {
        let mut client = Client::connect(server());
        let get = |i: usize| {
            // The living must not lag behind: only the dead one's queue is to fill.
            until("the receivers follow", 20, || udp.count().min(tcp.count()) + 300 > i);
            client.get(&format!("/json?n={i}&pad={}", "x".repeat(i * 7 % 1900)))
        };
        (0..3000).map(get).collect::<Vec<_>>()
    });
    std::thread::sleep(Duration::from_millis(1300));
    let report = probe.end();
    let (udp, tcp, files) = (udp.stop(), tcp.stop(), files(&dir));
    for (name, records) in [("udp", &udp.records), ("tcp", &tcp.records), ("files", &files)] {
        println!("{name}: {} records", records.len());
        exactly(&asked, records, 200);
        adds_up(records);
    }
    assert!(udp.chunked > 0, "long records go in chunks");
    assert!(udp.largest <= 1420, "a datagram of {}", udp.largest);
    let account = files.iter().rfind(|r| r.kind() == "probe").unwrap();
    assert!(account.num("RECORDS_DROPPED") > 100.0, "{account:?}");
    assert!(account.get("DROPPED_BY").contains("127.0.0.1:9"), "{account:?}");
    assert!(!account.get("DROPPED_BY").contains(','), "only the dead one drops: {account:?}");
    assert!(report.said.contains("127.0.0.1:9") && report.said.contains("dropped"), "{}", report.said);
    assert!(report.took < Duration::from_secs(6), "a dead receiver holds up the end: {:?}", report.took);
    assert_eq!(report.code, Some(0));
}

/// In each form of datagram the same records arrive.
#[test]
fn datagrams_plain_packed_chunked_and_whole() {
    if skipped("datagrams_plain_packed_chunked_and_whole") {
        return;
    }
    let lab = Lab::new();
    let forms: [&[&str]; 5] = [
        &[],
        &["--compress=1"],
        &["--chunk=off"],
        &["--compress=1", "--chunk=512", "--format=gelf"],
        &["--format=gelf"],
    ];
    let mut running = Vec::new();
    for form in forms {
        let receiver = Receiver::udp(&lab);
        let to = format!("--exp-domain=127.0.0.1:{}", receiver.port);
        let args = [form, &[to.as_str(), "--bodylen=16384"]].concat();
        running.push((form, Probe::start(&lab, &args), receiver));
    }
    let mut asked = gets(&lab, 300);
    asked.push(lab.in_client(|| Client::connect(server()).get("/text.txt?long")));
    // Noise does not pack: this record needs chunks also when it is packed.
    let mut x = 1u64;
    let noise: String = std::iter::repeat_with(|| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (x >> 58) as u8)
    })
    .filter(|c| *c != '\\')
    .take(12_000)
    .collect();
    asked.push(lab.in_client(|| {
        Client::connect(server()).ask("POST", "/post?noise", "Content-Type: text/plain\r\n", &noise)
    }));
    for (form, probe, receiver) in running {
        let report = probe.end();
        let inbox = receiver.stop();
        let gelf = form.contains(&"--format=gelf");
        println!("{form:?}: {} records, {} chunks", inbox.records.len(), inbox.chunked);
        let plain: Vec<Told> =
            inbox.records.into_iter().map(|r| if gelf { without_prefix(r) } else { r }).collect();
        exactly(&asked, &plain, 16_384);
        assert_eq!(inbox.chunked > 0, !form.contains(&"--chunk=off"), "{form:?}");
        assert_eq!(inbox.gzipped > 300, form.contains(&"--compress=1"), "{form:?}");
        assert_eq!(inbox.largest > 8192, form.contains(&"--chunk=off"), "{form:?}: {}", inbox.largest);
        assert!(report.said.contains(", 0 dropped"), "{}", report.said);
    }
}

/// GELF 1.1 to the plain keys; what GELF demands is checked on the way.
fn without_prefix(gelf: Told) -> Told {
    assert_eq!(gelf.get("version"), "1.1");
    assert!(!gelf.get("host").is_empty() && !gelf.get("short_message").trim().is_empty());
    assert!(gelf.numbers.iter().any(|k| k == "timestamp") && gelf.num("timestamp") > 1.7e9);
    assert_eq!(gelf.get("level"), "6");
    let standard = ["version", "host", "short_message", "timestamp", "level"];
    let mut plain = Told::default();
    for (key, value) in &gelf.keys {
        if standard.contains(&key.as_str()) {
            continue;
        }
        let bare = key.strip_prefix('_').unwrap_or_else(|| panic!("{key} has no underscore"));
        assert!(
            bare != "id" && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)),
            "{key}"
        );
        plain.keys.insert(bare.to_owned(), value.clone());
    }
    plain
}

/// A shipper that follows the files as `tail -F` does reads every line once over all rotations.
#[test]
fn a_reader_that_follows_the_files_loses_nothing() {
    if skipped("a_reader_that_follows_the_files_loses_nothing") {
        return;
    }
    let lab = Lab::new();
    let dir = lab.dir.join("json");
    let path = format!("--json-path={}", dir.display());
    let probe = Probe::start(
        &lab,
        &[&path, "--json-size=100", "--bodylen=1048576", "--l4-switch=off", "--interval=1"],
    );
    let (stop, read) = (AtomicBool::new(false), AtomicUsize::new(0));
    let current = dir.join("mfnano.json");
    let (lines, asked) = std::thread::scope(|scope| {
        let _end = Set(&stop);
        let reader = scope.spawn(|| follow(&current, &stop, &read));
        // More than the files may take together.
        let body = "some text, and more of it; ".repeat(15_000);
        let asked = lab.in_client(|| {
            let mut client = Client::connect(server());
            let post = |i: usize| {
                // No more than the ring holds may be under way: loss is not the matter here.
                until("the reader follows", 20, || read.load(Ordering::Relaxed) + 8 > i);
                client.ask("POST", &format!("/post?n={i}"), "Content-Type: text/plain\r\n", &body)
            };
            (0..300).map(post).collect::<Vec<_>>()
        });
        let report = probe.end();
        assert!(report.said.contains(", 0 dropped"), "{}", report.said);
        stop.store(true, Ordering::Relaxed);
        (reader.join().unwrap(), asked)
    });
    let records: Vec<Told> = lines.lines().map(Told::parse).collect();
    exactly(&asked, &records, 1 << 20);
    adds_up(&records);
    let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).collect();
    let total = left.iter().sum::<u64>();
    assert!(total <= 100 << 20 && total > 80 << 20, "{total} bytes are kept");
    assert!(left.len() >= 9, "{left:?}");
    assert!(lines.len() > 110 << 20, "files were deleted: {} bytes", lines.len());
}

/// Ends the reader also when the test fails: a scope waits for its threads.
struct Set<'a>(&'a AtomicBool);

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads a file to its end, and on in the one that takes its name; counts the lines in `read`.
fn follow(path: &Path, stop: &AtomicBool, read: &AtomicUsize) -> String {
    let mut text = Vec::new();
    while !path.exists() && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut file = File::open(path).unwrap();
    loop {
        let ending = stop.load(Ordering::Relaxed);
        // The next file's name is looked at before the rest of this one is read: nothing is written to it after.
        let next = File::open(path).ok();
        let n = file.read_to_end(&mut text).unwrap();
        let lines = text[text.len() - n..].iter().filter(|b| **b == b'\n').count();
        read.fetch_add(lines, Ordering::Relaxed);
        let inode = |f: &File| f.metadata().unwrap().ino();
        match next {
            Some(next) if inode(&next) != inode(&file) => file = next,
            _ if n == 0 && ending => return String::from_utf8(text).unwrap(),
            _ => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// The probe's own datagrams, on an interface that it watches, are not told of again.
#[test]
fn its_own_traffic_is_no_news() {
    if skipped("its_own_traffic_is_no_news") {
        return;
    }
    let lab = Lab::new();
    let receiver = Receiver::udp(&lab);
    let to = format!("--exp-domain=127.0.0.1:{}", receiver.port);
    let probe = Probe::bare(&lab, &["--device=any", &to, "--interval=1"]);
    let asked = gets(&lab, 50);
    let strange = lab.in_server(|| UdpSocket::bind("127.0.0.1:0").unwrap());
    strange.send_to(b"not its own", "127.0.0.1:9").unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    probe.end();
    let port = receiver.port.to_string();
    let inbox = receiver.stop();
    exactly(&asked, &inbox.records, 1024);
    adds_up(&inbox.records);
    assert!(!inbox.records.iter().any(|r| r.get("DST_PORT") == port), "it tells of itself");
    let account = inbox.records.iter().rfind(|r| r.kind() == "probe").unwrap();
    assert!(account.get("FILTERED_BY").contains("own"), "{account:?}");
    assert!(inbox.records.iter().any(|r| r.kind() == "flow" && r.get("DST_PORT") == "9"), "others are told");
}

/// A receiver that begins to listen late gets what was kept for it.
#[test]
fn a_tcp_receiver_may_come_late() {
    if skipped("a_tcp_receiver_may_come_late") {
        return;
    }
    let lab = Lab::new();
    let port =
        lab.in_server(|| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let to = format!("--exp-domain=127.0.0.1:{port}:tcp");
    let probe = Probe::start(&lab, &[&to]);
    let asked = gets(&lab, 200);
    std::thread::sleep(Duration::from_millis(300));
    let listener = lab.in_server(|| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
    let (text, report) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut bytes = Vec::new();
            let (mut stream, _) = listener.accept().unwrap();
            stream.flush().unwrap();
            stream.read_to_end(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        });
        std::thread::sleep(Duration::from_millis(1500));
        let report = probe.end();
        (reader.join().unwrap(), report)
    });
    assert!(report.said.contains(", 0 dropped"), "{}", report.said);
    assert!(text.ends_with('\0'));
    let records: Vec<Told> = text.split_terminator('\0').map(Told::parse).collect();
    exactly(&asked, &records, 1024);
}
