//! For labs: two network namespaces, what runs in them, and a folder; all of it goes with the lab, also by a panic.

use crate::sys;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub struct Namespaces {
    pub server: String,
    pub client: String,
    pub dir: PathBuf,
    daemons: Vec<Child>,
}

/// Passes a test over for this reason; in CI that is a failure.
pub fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test}: {why}, and in CI nothing is skipped");
    println!("skipped {test}: {why}");
    if let Some(path) = std::env::var_os("MFNANO_SKIPS") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{test}: {why}").unwrap();
    }
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

impl Namespaces {
    /// New ones, their names begin with `prefix`, the process and a number.
    pub fn new(prefix: &str) -> Namespaces {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(&name);
        fs::create_dir_all(&dir).unwrap();
        let all =
            Namespaces { server: format!("{name}s"), client: format!("{name}c"), dir, daemons: Vec::new() };
        sh(&format!("chmod 755 {}", all.dir.display()));
        for ns in [&all.server, &all.client] {
            sh(&format!("ip netns add {ns} && ip -n {ns} link set lo up"));
        }
        all
    }

    /// Starts a server; it lives as long as the lab does. What it says is in `log0` and so on.
    pub fn daemon(&mut self, command: &mut Command) {
        let log = fs::File::create(self.dir.join(format!("log{}", self.daemons.len()))).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = self.in_server(|| command.spawn().unwrap());
        self.daemons.push(child);
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

impl Drop for Namespaces {
    fn drop(&mut self) {
        // Servers have children that outlive them (workers, machines, scripts): all that lives in our own
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
