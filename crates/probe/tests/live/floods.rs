//! Floods, as fast as one core sends them, and the probe under a CPU limit in them: how much of a CPU it takes, what
//! it tells of itself, and that it comes back.

use crate::http::Client;
use crate::lab::{Lab, SERVER, until};
use crate::probe::Probe;
use crate::sys;
use crate::told::{Told, adds_up};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What comes in floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// UDP datagrams of 64 bytes, each of another pair in turn; a million pairs.
    Udp,
    /// SYNs from a million ends that nobody answers.
    Syn,
    /// Segments of 1,400 bytes on 200 connections.
    Bulk,
    /// Requests over keep-alive connections, pipelined, to a real server.
    Http,
}

impl Flood {
    pub const ALL: [Flood; 4] = [Flood::Udp, Flood::Syn, Flood::Bulk, Flood::Http];
}

/// An IPv4 frame whose ends are still to be filled in.
fn frame(proto: u8, l4: &[u8]) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    f.extend((20 + l4.len() as u16).to_be_bytes());
    // Of nobody here: no kernel answers.
    f.extend([0, 0, 0x40, 0, 64, proto, 0, 0, 10, 80, 0, 2, 10, 80, 0, 1]);
    f.extend(l4);
    f
}

/// Fills in what differs in the `n`th frame.
fn vary(flood: Flood, n: u64, f: &mut [u8]) {
    match flood {
        Flood::Udp | Flood::Syn => {
            let n = (n % 1_000_000) as u32;
            f[26..30].copy_from_slice(&(0x0b00_0000 + n / 50_000).to_be_bytes());
            f[34..36].copy_from_slice(&(10_000 + (n % 50_000) as u16).to_be_bytes());
        }
        _ => {
            f[34..36].copy_from_slice(&(20_000 + (n % 200) as u16).to_be_bytes());
            f[38..42].copy_from_slice(&((n / 200) as u32).wrapping_mul(1346).to_be_bytes());
        }
    }
}

/// Sends until told to stop; gives the number of frames.
fn send(flood: Flood, stop: &AtomicBool) -> u64 {
    let socket = sys::packet_sender("cli0");
    let mut l4 = [0; 20];
    let mut one = match flood {
        Flood::Udp => {
            l4[2..6].copy_from_slice(&[0x27, 0x0f, 0, 30]);
            frame(17, &[&l4[..8], &[b'x'; 22]].concat())
        }
        Flood::Syn => {
            l4[2..4].copy_from_slice(&[0, 80]);
            l4[12..16].copy_from_slice(&[0x50, 2, 0x20, 0]);
            frame(6, &l4)
        }
        _ => {
            l4[2..4].copy_from_slice(&[1, 0xbb]);
            l4[11..16].copy_from_slice(&[1, 0x50, 0x10, 0x20, 0]);
            frame(6, &[&l4[..], b"\x17\x03\x03\x05\x3d", &[0x5a; 1341]].concat())
        }
    };
    one.resize(one.len().max(60), 0);
    let mut batch = vec![one; 64];
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        for (n, f) in batch.iter_mut().enumerate() {
            vary(flood, sent + n as u64, f);
        }
        sent += sys::send_frames(&socket, &batch) as u64;
    }
    sent
}

/// Asks until told to stop; gives the number of answers.
fn ask(stop: &AtomicBool) -> u64 {
    let to: SocketAddr = (SERVER.parse::<std::net::IpAddr>().unwrap(), 80).into();
    let mut clients: Vec<Client> = (0..32).map(|_| Client::connect(to)).collect();
    let urls: Vec<String> = (0..16).map(|n| format!("/json?n={n}")).collect();
    let mut answers = 0;
    while !stop.load(Ordering::Relaxed) {
        for client in &mut clients {
            answers += client.pipeline(&urls).len() as u64;
        }
    }
    answers
}

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    pub flood: Flood,
    pub limit: u32,
    /// Percent of one CPU, over 3 s that began 3 s after the flood.
    pub used: f64,
    /// Frames (or requests) a second.
    pub rate: f64,
    /// The highest step.
    pub step: String,
    /// Of the packets: looked at, left out, lost by the kernel, in percent.
    pub parsed: f64,
    pub sampled: f64,
    pub lost: f64,
    /// Seconds from the end of the flood until nothing was left out any more.
    pub back: f64,
    /// Packets told as seen for each that was sent, where that is known.
    pub seen: Option<f64>,
}

const STEPS: [&str; 7] = ["none", "compress", "bodies", "sessions", "l7-off", "packets", "brake"];

/// The accounts in a directory of records, in order.
pub fn accounts(dir: &Path) -> Vec<Told> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort_by_key(|f| (fs::metadata(f).and_then(|m| m.modified()).ok(), f.clone()));
    let mut out = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines = text.lines().filter(|l| l.contains(r#""RECORD":"probe""#) && l.ends_with('}'));
        out.extend(lines.map(Told::parse));
    }
    out
}

/// Percent of one CPU that a process uses in the next seconds.
pub fn used(pid: u32, seconds: u64) -> f64 {
    let (cpu, wall) = (sys::cpu_ns(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    (sys::cpu_ns(pid) - cpu) as f64 * 100.0 / wall.elapsed().as_nanos() as f64
}

/// Does `work` in a flood. Gives what it gives, frames (or requests) sent, and seconds.
pub fn within<T>(lab: &Lab, flood: Flood, work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let (out, seconds) = std::thread::scope(|scope| {
        let began = Instant::now();
        scope.spawn(|| {
            let n = lab.in_client(|| if flood == Flood::Http { ask(&stop) } else { send(flood, &stop) });
            sent.store(n, Ordering::Relaxed);
        });
        let out = work();
        stop.store(true, Ordering::Relaxed);
        (out, began.elapsed().as_secs_f64())
    });
    (out, sent.into_inner() as f64, seconds)
}

/// The probe with this limit in this flood.
pub fn run(flood: Flood, limit: u32) -> Outcome {
    let lab = Lab::new();
    let dir = lab.dir.join("out");
    let (path, limit_flag) = (format!("--json-path={}", dir.display()), format!("--cpu-limit={limit}"));
    let probe = Probe::start(&lab, &[&limit_flag, "--interval=1", "--json-size=1000", &path]);
    let pid = probe.pid();
    std::thread::sleep(Duration::from_secs(1));
    let (used, sent, seconds) = within(&lab, flood, || {
        std::thread::sleep(Duration::from_secs(3));
        used(pid, 3)
    });
    let ended = Instant::now();
    let step = |a: &Told| a.get("GOVERNOR").to_owned();
    // An account that was begun after the end.
    let before = accounts(&dir).len() + 1;
    until("nothing is left out any more", 60, || {
        let all = accounts(&dir);
        all.len() > before && all.last().is_some_and(|a| step(a) == "none")
    });
    let back = ended.elapsed().as_secs_f64();
    // It tells again what is asked, whole.
    let to: SocketAddr = (SERVER.parse::<std::net::IpAddr>().unwrap(), 80).into();
    lab.in_client(|| (0..5).for_each(|n| drop(Client::connect(to).get(&format!("/json?after={n}")))));
    std::thread::sleep(Duration::from_millis(500));
    let report = probe.end();
    assert_eq!(report.code, Some(0), "{}", report.said);
    let all = accounts(&dir);
    adds_up(&all);
    let last = all.last().unwrap();
    let text = last_file(&dir);
    for n in 0..5 {
        let asked = format!("/json?after={n}\"");
        let line = text.lines().find(|l| l.contains(&asked)).unwrap_or_else(|| panic!("{asked} is not told"));
        assert!(!line.contains("sampled"), "{line}");
    }
    let steps = all.iter().flat_map(|a| {
        let spent = a.get("GOVERNOR_TIME").to_owned();
        (0..STEPS.len()).filter(move |n| spent.contains(&format!("{}=", STEPS[*n])))
    });
    let highest = steps.max().unwrap_or(0);
    let part = |key: &str| last.num(key) * 100.0 / last.num("PKTS_SEEN").max(1.0);
    Outcome {
        flood,
        limit,
        used,
        rate: sent / seconds,
        step: STEPS[highest].to_owned(),
        parsed: part("PKTS_PARSED"),
        sampled: part("PKTS_SAMPLED"),
        lost: part("PKTS_LOST"),
        back,
        seen: (flood != Flood::Http).then(|| last.num("PKTS_SEEN") / sent.max(1.0)),
    }
}

fn last_file(dir: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort_by_key(|f| (fs::metadata(f).and_then(|m| m.modified()).ok(), f.clone()));
    files.iter().rev().take(2).map(|f| fs::read_to_string(f).unwrap_or_default()).collect()
}

impl Outcome {
    /// The limit was held, everything was counted.
    #[track_caller]
    pub fn holds(&self) {
        assert!(self.used <= f64::from(self.limit) + 2.0, "{self:?}");
        assert!(self.seen.is_none_or(|s| (0.98..1.02).contains(&s)), "{self:?}");
    }
}
