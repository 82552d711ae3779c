//! Real databases and brokers, real drivers of two languages, a lab of namespaces for each: every statement that a
//! client sent is told exactly once, with its text, values, error, rows, user, and a delay between 0 and what the
//! client saw. So too with the probe started after the connections stood, and with 1 % of the packets lost on
//! the wire. With 1 % lost to the probe only, nothing false is told, and of what was untouched 95 % shall be found
//! (`Server::least` has what is demanded, which leaves room for captures of a busy machine).
//!
//! Needs root; installs the servers' packages and the drivers (scripts/need, scripts/need-drivers). `ONLY=py` or
//! `ONLY=js` runs one client. `KEEP=folder` keeps what was captured and what the clients said; `KEPT=folder` puts losses to
//! the probe to it once more, without servers, with `SEEDS=100` in so many ways; `MISSED=1` shows what was missed, and
//! what was lost.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly; each uses its part of what is shared"
)]

#[path = "../common/mod.rs"]
mod common;
mod lab;
#[path = "../common/netns.rs"]
mod netns;
#[path = "../live/probe.rs"]
mod probe;
mod servers;
#[path = "../live/sys.rs"]
mod sys;
#[path = "../live/told.rs"]
mod told;
mod truth;

use lab::{Lab, SERVER, drivers, root, until};
use probe::Probe as Program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use testkit::{TimedFrame, ethernet};
use told::Told;
use truth::Truth;

/// A client on its way.
struct Running {
    child: Child,
    out: String,
}

/// Starts a client. It connects, says that it is ready, and asks once it may.
fn start(lab: &Lab, client: &str, run: &str) -> Running {
    let script = root().join("crates/probe/tests/databases/clients").join(client);
    let out = format!("{}/{client}.{run}", lab.dir.display());
    let program = if client.ends_with(".py") { drivers().join("venv/bin/python") } else { "node".into() };
    let log = fs::File::create(format!("{out}.log")).unwrap();
    let mut command = Command::new("timeout");
    command.arg("90").arg(program).arg(script).args([SERVER, &out]);
    command.env("NODE_PATH", drivers().join("node_modules")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Running { child: lab.in_client(|| command.spawn().unwrap()), out }
}

impl Running {
    fn go(&self) {
        fs::write(format!("{}.go", self.out), "").unwrap();
    }

    fn wait_ready(&mut self) {
        let ready = format!("{}.ready", self.out);
        until("the client is ready", 60, || {
            fs::exists(&ready).unwrap() || self.child.try_wait().unwrap().is_some()
        });
    }

    /// Waits for the end; what it says it did.
    fn end(mut self) -> Vec<Told> {
        let status = self.child.wait().unwrap();
        let log = fs::read_to_string(format!("{}.log", self.out)).unwrap();
        assert!(status.success(), "{}: {status}\n{log}", self.out);
        said(Path::new(&self.out))
    }
}

/// What a client wrote down.
fn said(file: &Path) -> Vec<Told> {
    fs::read_to_string(file).unwrap().lines().map(Told::parse).collect()
}

struct Server {
    name: &'static str,
    port: u16,
    packages: &'static [&'static str],
    start: fn(&mut Lab),
    /// What drivers send on their own account.
    own: &'static [&'static str],
    /// With losses to the probe, at least so many per cent of what was untouched are found.
    least: f64,
}

/// All that is asked of a server, with two clients.
fn all(server: &Server) {
    let truth = |lines, late| Truth { lines, own: server.own, late };
    let languages =
        ["py", "js"].into_iter().filter(|l| std::env::var("ONLY").map_or(true, |only| only == *l));
    if let Some(kept) = std::env::var_os("KEPT").map(PathBuf::from) {
        for client in languages.map(|l| format!("{}-client.{l}", server.name)) {
            let plain = truth(said(&kept.join(&client)), false);
            lost_to_the_probe(&client, &plain, &kept.join(format!("{client}.pcap")), server);
        }
        return;
    }
    if lab::skipped(server.name, server.packages) {
        return;
    }
    let began = Instant::now();
    let mut lab = Lab::new();
    (server.start)(&mut lab);
    println!("{}: up after {:.1} s", server.name, began.elapsed().as_secs_f64());
    for client in languages.map(|l| format!("{}-client.{l}", server.name)) {
        let probe = || Program::start(&lab, &["--interval=3600"]);

        // As it should be; recorded besides.
        let pcap = lab.dir.join(format!("{client}.pcap"));
        let mut dump = lab.tcpdump(&pcap, server.port);
        let watching = probe();
        let running = start(&lab, &client, "plain");
        running.go();
        let plain = truth(running.end(), false);
        // Ended while it is behind, it would leave out the rest.
        lab.wait_written(&pcap, server.port);
        sys::signal(dump.id(), libc::SIGTERM);
        dump.wait().unwrap();
        if let Some(kept) = std::env::var_os("KEEP").map(PathBuf::from) {
            fs::create_dir_all(&kept).unwrap();
            fs::copy(&pcap, kept.join(format!("{client}.pcap"))).unwrap();
            fs::copy(format!("{}/{client}.plain", lab.dir.display()), kept.join(&client)).unwrap();
        }
        plain.exactly(&format!("{client}, plain"), &watching.stop().records);
        println!("{client}: {} statements after {:.1} s", plain.lines.len(), began.elapsed().as_secs_f64());

        lost_to_the_probe(&client, &plain, &pcap, server);

        // The connections stand, then the probe comes.
        let mut running = start(&lab, &client, "late");
        running.wait_ready();
        let watching = probe();
        running.go();
        let late = truth(running.end(), true);
        late.exactly(&format!("{client}, connected before the probe came"), &watching.stop().records);

        // The wire loses, and TCP sends again.
        let watching = probe();
        lab.lose_on_the_wire();
        let running = start(&lab, &client, "lossy");
        running.go();
        let lossy = truth(running.end(), false);
        let lost = lab.wire_is_whole();
        lossy.exactly(&format!("{client}, loss on the wire"), &watching.stop().records);
        println!(
            "{client}: {lost} packets lost on the wire, all told; after {:.1} s",
            began.elapsed().as_secs_f64()
        );
    }
}

/// Keeps 1 % of the segments with data from the probe, in some dozens of ways: a few losses in a bad place say little.
fn lost_to_the_probe(client: &str, truth: &Truth, pcap: &Path, server: &Server) {
    const ONE_IN: usize = 100;
    let captured = common::load(pcap);
    let tell = |frames: &[TimedFrame]| -> Vec<Told> {
        let link = captured[0].link;
        common::tell(frames.iter().map(|(time, data)| base::Frame { link, ..ethernet(*time, data) }))
            .records
            .iter()
            .map(|r| Told::parse(r))
            .collect()
    };
    let whole: Vec<TimedFrame> = captured.iter().map(|c| (c.time, c.data.clone())).collect();
    let records = tell(&whole);
    truth.exactly(&format!("{client}, recorded"), &records);
    let spans = truth::spans(&records);
    let (mut right, mut missed, mut lost, mut touched) = (0, 0, 0, 0);
    let mut wrongs = Vec::new();
    let seeds = std::env::var("SEEDS").map_or(40, |n| n.parse().unwrap());
    for seed in 0..seeds {
        let kept = testkit::cut::lose(&whole, ONE_IN, seed);
        // What was taken out: whose, and when.
        let mut holes = Vec::new();
        let mut rest = kept.iter().peekable();
        for frame in &whole {
            if rest.peek().is_some_and(|k| *k == frame) {
                rest.next();
                continue;
            }
            let ends = testkit::cut::Segment::of(&frame.1).unwrap().ends;
            let client = if ends[0].1 == server.port { ends[1].1 } else { ends[0].1 };
            holes.push((client, frame.0.0 / 1000));
        }
        let untouched = |mark: &str| {
            // What was not told even without losses (it may not have been sent) cannot be untouched.
            let Some((client, begin, end)) = spans.get(mark).copied() else { return false };
            !holes.iter().any(|(c, at)| *c == client && (begin..=end).contains(at))
        };
        touched += spans.keys().filter(|m| !untouched(m)).count();
        lost += holes.len();
        let (r, m, w) = truth.with_losses(&tell(&kept), untouched);
        if std::env::var_os("MISSED").is_some() {
            println!(
                "seed {seed}: {r} told, {m} missed; lost, by the client's port and the time (us): {holes:?}"
            );
        }
        (right, missed) = (right + r, missed + m);
        wrongs.extend(w.into_iter().map(|w| format!("\n  seed {seed}: {w:.1200}")));
    }
    let share = 100.0 * right as f64 / (right + missed).max(1) as f64;
    println!(
        "{client}: {lost} segments kept from the probe, {touched} statements touched; {right} of {} untouched told: {share:.2} %",
        right + missed
    );
    assert!(
        lost > 0 && share >= server.least,
        "{client}: {share:.2} % of the untouched statements were told"
    );
    let first: String = wrongs.iter().take(5).map(String::as_str).collect();
    assert!(wrongs.is_empty(), "{client}, loss to the probe: {} are false:{first}", wrongs.len());
}

#[test]
fn postgresql() {
    all(&Server {
        name: "postgresql",
        port: 5432,
        packages: &["pg_createcluster:postgresql"],
        start: servers::postgresql,
        least: 93.0,
        own: &["BEGIN", "COMMIT"],
    });
}

#[test]
fn mysql() {
    all(&Server {
        name: "mysql",
        port: 3306,
        packages: &["mariadbd:mariadb-server", "mariadb:mariadb-client"],
        start: servers::mysql,
        least: 93.0,
        own: &["SET ", "set ", "SELECT @@", "select @@"],
    });
}

#[test]
fn redis() {
    all(&Server {
        name: "redis",
        port: 6379,
        packages: &["redis-server:redis-server"],
        start: servers::redis,
        // A client that sends on while its first answers come is paired again behind a silence only: some 90 % where it
        // does so in most batches, which hangs on the machine.
        least: 75.0,
        own: &[
            "CLIENT SETINFO",
            "client setinfo",
            "client SETINFO",
            "HELLO",
            "PING",
            "ping",
            "QUIT",
            "MULTI",
            "EXEC",
            "SET text x",
            "FLUSHALL",
            "flushall",
        ],
    });
}

#[test]
fn amqp() {
    all(&Server {
        name: "amqp",
        port: 5672,
        packages: &["rabbitmq-server:rabbitmq-server"],
        start: servers::amqp,
        least: 95.0,
        own: &[
            "connection.",
            "channel.",
            "confirm.select",
            "basic.consume",
            "basic.cancel",
            "basic.qos",
            "queue.declare",
            "queue.purge",
        ],
    });
}

#[test]
fn mongodb() {
    all(&Server {
        name: "mongodb",
        port: 27017,
        packages: &["java:default-jre-headless"],
        start: servers::mongodb,
        least: 95.0,
        own: &[
            "hello",
            "ismaster",
            "isMaster",
            "endSessions",
            "getMore",
            "killCursors",
            "buildInfo",
            "ping",
            "drop",
        ],
    });
}
