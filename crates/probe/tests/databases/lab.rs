//! A lab for each server: two network namespaces, a veth pair between them, the server from Debian's package
//! in one, drivers in the other. All of it goes when the lab is dropped, also by a panic.

use crate::sys;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The server's interface and the address it listens on.
pub const CARD: &str = "db0";
pub const SERVER: &str = "10.78.0.1";
const CLIENT: &str = "10.78.0.2";

pub struct Lab {
    pub server: String,
    pub client: String,
    pub dir: PathBuf,
    daemons: Vec<Child>,
}

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the drivers are, installed by scripts/need-drivers.
pub fn drivers() -> PathBuf {
    std::env::var_os("DRIVERS").map_or_else(|| root().join("target/drivers"), PathBuf::from)
}

/// Installs what is missing, once; says why when it cannot.
fn missing(packages: &[&str]) -> Option<String> {
    static DRIVERS: OnceLock<Result<(), String>> = OnceLock::new();
    if !sys::is_root() {
        return Some("needs root, for network namespaces".into());
    }
    let script = |name: &str, args: &[&str]| {
        let out = Command::new(root().join("scripts").join(name)).args(args).output().unwrap();
        if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
    };
    let got = DRIVERS.get_or_init(|| {
        script("need", &["ip:iproute2", "nft:nftables", "tcpdump:tcpdump", "setpriv:util-linux"])?;
        script("need-drivers", &[])
    });
    got.clone().and_then(|()| script("need", packages)).err()
}

/// True when the test is to be passed over; says why. In CI nothing is.
pub fn skipped(test: &str, packages: &[&str]) -> bool {
    let Some(why) = missing(packages) else { return false };
    assert!(std::env::var_os("CI").is_none(), "{test}: {why}, and in CI nothing is skipped");
    println!("skipped {test}: {why}");
    if let Some(path) = std::env::var_os("MFNANO_SKIPS") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{test}: {why}").unwrap();
    }
    true
}

/// Runs a command that has to succeed.
pub fn sh(command: &str) -> String {
    let out = Command::new("sh").arg("-c").arg(command).output().unwrap();
    let said = [&out.stdout[..], &out.stderr[..]].concat();
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&said));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Waits until something is so.
pub fn until(what: &str, seconds: u64, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "{what}: not after {seconds} s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Lab {
    /// Namespaces and the cable between them.
    pub fn new() -> Lab {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("mfd{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(&name);
        fs::create_dir_all(&dir).unwrap();
        let (s, c) = (format!("{name}s"), format!("{name}c"));
        let lab = Lab { server: s.clone(), client: c.clone(), dir, daemons: Vec::new() };
        // One segment a packet, as on a wire: a loss is one of those, not 64 KiB at once.
        sh(&format!(
            "chmod 755 {dir} && ip netns add {s} && ip -n {s} link set lo up && \
             ip netns add {c} && ip -n {c} link set lo up && \
             ip -n {s} link add {CARD} type veth peer name cli0 netns {c} && \
             ip -n {s} link set {CARD} gso_max_segs 1 && ip -n {c} link set cli0 gso_max_segs 1 && \
             ip -n {s} addr add {SERVER}/24 dev {CARD} && ip -n {c} addr add {CLIENT}/24 dev cli0 && \
             ip -n {s} link set {CARD} up && ip -n {c} link set cli0 up",
            dir = lab.dir.display(),
        ));
        lab
    }

    /// Starts a server; it lives as long as the lab does.
    pub fn daemon(&mut self, command: &mut Command) {
        let log = fs::File::create(self.dir.join(format!("log{}", self.daemons.len()))).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = self.in_server(|| command.spawn().unwrap());
        self.daemons.push(child);
    }

    /// Waits until a server answers on its port.
    pub fn wait_port(&self, port: u16) {
        let began = Instant::now();
        while !self.in_server(|| TcpStream::connect((SERVER, port)).is_ok()) {
            if began.elapsed() > Duration::from_secs(60) {
                panic!(
                    "nothing listens on {port}: {}",
                    sh(&format!("tail -n 20 {}/log*", self.dir.display()))
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Loses 1 % of the packets on the wire, both ways, until `wire_is_whole`.
    pub fn lose_on_the_wire(&self) {
        let rule = "meta l4proto tcp numgen random mod 1000 < 10 counter drop";
        let nft = |what: &str| sh(&format!("ip netns exec {} nft '{what}'", self.client));
        nft("add table inet loss");
        for (chain, hook) in [("i", "input"), ("o", "postrouting")] {
            nft(&format!("add chain inet loss {chain} {{ type filter hook {hook} priority 0; }}"));
            nft(&format!("add rule inet loss {chain} {rule}"));
        }
    }

    /// Ends the loss; how many packets it took.
    pub fn wire_is_whole(&self) -> u64 {
        let c = &self.client;
        let table = sh(&format!(
            "ip netns exec {c} nft list table inet loss && ip netns exec {c} nft delete table inet loss"
        ));
        let after = |t: &str| t.split_whitespace().next().and_then(|n| n.parse::<u64>().ok());
        table.split("counter packets ").skip(1).filter_map(after).sum()
    }

    /// Records what the server's interface sees, until the child is signalled.
    pub fn tcpdump(&self, file: &Path, port: u16) -> Child {
        let said = self.dir.join("tcpdump");
        let log = fs::File::create(&said).unwrap();
        let mut command = Command::new("tcpdump");
        command.args(["-q", "-i", CARD, "-p", "-U", "--immediate-mode", "-B", "65536", "-s", "65535"]);
        command.arg("-w").arg(file).arg(format!("tcp port {port}"));
        let child = self.in_server(|| command.stdin(Stdio::null()).stderr(log).spawn().unwrap());
        until("tcpdump listens", 10, || fs::read_to_string(&said).unwrap().contains("listening"));
        child
    }

    /// Runs in the server's namespace.
    pub fn in_server<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        within(&self.server, f)
    }

    /// Runs in the clients' namespace.
    pub fn in_client<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        within(&self.client, f)
    }
}

/// Runs in a namespace, in a thread of its own; its sockets and processes stay there.
fn within<T: Send>(namespace: &str, f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            sys::enter(namespace);
            f()
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Servers have children that outlive them (RabbitMQ's machine, its scripts): all that lives in our own
        // namespaces goes.
        for ns in [&self.client, &self.server] {
            let kill = format!("pids=$(ip netns pids {ns}) && [ -z \"$pids\" ] || kill -9 $pids");
            let _ = Command::new("sh").arg("-c").arg(kill).stderr(Stdio::null()).status();
        }
        for child in &mut self.daemons {
            let _ = child.kill();
            let _ = child.wait();
        }
        for ns in [&self.server, &self.client] {
            let _ = Command::new("ip").args(["netns", "del", ns]).status();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}
