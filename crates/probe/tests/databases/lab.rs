//! A lab for each server: two network namespaces, a veth pair between them, the server from Debian's package
//! in one, drivers in the other. All of it goes when the lab is dropped, also by a panic.

use crate::netns::{Namespaces, skip};
pub use crate::netns::{sh, until};
use crate::sys;
use std::fs;
use std::net::TcpStream;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The server's interface and the address it listens on.
pub const CARD: &str = "db0";
pub const SERVER: &str = "10.78.0.1";
const CLIENT: &str = "10.78.0.2";

pub struct Lab(Namespaces);

impl Deref for Lab {
    type Target = Namespaces;

    fn deref(&self) -> &Namespaces {
        &self.0
    }
}

impl DerefMut for Lab {
    fn deref_mut(&mut self) -> &mut Namespaces {
        &mut self.0
    }
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
        script(
            "need",
            &["ip:iproute2", "nft:nftables", "tcpdump:tcpdump", "curl:curl", "setpriv:util-linux"],
        )?;
        script("need-drivers", &[])
    });
    got.clone().and_then(|()| script("need", packages)).err()
}

/// True when the test is to be passed over; says why. In CI nothing is.
pub fn skipped(test: &str, packages: &[&str]) -> bool {
    let Some(why) = missing(packages) else { return false };
    skip(test, &why);
    true
}

impl Lab {
    /// Namespaces and the cable between them.
    pub fn new() -> Lab {
        let lab = Lab(Namespaces::new("mfd"));
        let (s, c) = (&lab.server, &lab.client);
        // One segment a packet, as on a wire: a loss is one of those, not 64 KiB at once.
        sh(&format!(
            "ip -n {s} link add {CARD} type veth peer name cli0 netns {c} && \
             ip -n {s} link set {CARD} gso_max_segs 1 && ip -n {c} link set cli0 gso_max_segs 1 && \
             ip -n {s} addr add {SERVER}/24 dev {CARD} && ip -n {c} addr add {CLIENT}/24 dev cli0 && \
             ip -n {s} link set {CARD} up && ip -n {c} link set cli0 up",
        ));
        lab
    }

    /// Waits until a server answers on its port. On a busy machine RabbitMQ takes more than a minute.
    pub fn wait_port(&self, port: u16) {
        let began = Instant::now();
        while !self.in_server(|| TcpStream::connect((SERVER, port)).is_ok()) {
            if began.elapsed() > Duration::from_secs(180) {
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

    /// Waits until what is recorded on a port has all been written: a segment that is sent last, from that port to one
    /// where nobody listens, is in the file.
    pub fn wait_written(&self, file: &Path, port: u16) {
        /// "Discard": nobody listens there.
        const LAST: u16 = 9;
        self.in_client(|| {
            let mut curl = Command::new("curl");
            curl.args(["-s", "-m", "2", "--local-port", &port.to_string()]);
            let _ = curl.arg(format!("http://{SERVER}:{LAST}/")).status().unwrap();
        });
        until("the capture is written", 60, || {
            let is_last = |s: testkit::cut::Segment| s.ends.iter().any(|(_, port)| *port == LAST);
            let frames = crate::common::load(file);
            frames.iter().rev().take(50).any(|f| testkit::cut::Segment::of(&f.data).is_some_and(is_last))
        });
    }

    /// Records what the server's interface sees, until the child is signalled.
    pub fn tcpdump(&self, file: &Path, port: u16) -> Child {
        let said = self.dir.join("tcpdump");
        let log = fs::File::create(&said).unwrap();
        let mut command = Command::new("tcpdump");
        // Not --immediate-mode: its ring has a slot of 64 KB for every segment, and soon none.
        command.args(["-q", "-i", CARD, "-p", "-U", "-B", "65536", "-s", "65535"]);
        command.arg("-w").arg(file).arg(format!("tcp port {port}"));
        let child = self.in_server(|| command.stdin(Stdio::null()).stderr(log).spawn().unwrap());
        until("tcpdump listens", 10, || fs::read_to_string(&said).unwrap().contains("listening"));
        child
    }
}
