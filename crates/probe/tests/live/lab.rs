//! A lab of its own for each test: two network namespaces, a veth pair between them, nginx and dnsmasq in
//! the server's, clients in the other. All of it goes when the lab is dropped, also by a panic.

use crate::sys;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The server's interface and the addresses.
pub const CARD: &str = "web0";
pub const SERVER: &str = "10.77.0.1";
pub const SERVER6: &str = "fd77::1";
pub const CLIENT: &str = "10.77.0.2";
/// The static file with compressible text.
pub const TEXT_LEN: usize = 6000;

pub struct Lab {
    pub server: String,
    pub client: String,
    pub dir: PathBuf,
    daemons: Vec<Child>,
}

/// Without root or without a program the tests here cannot run: that is told, and in CI it is a failure.
fn missing() -> Option<String> {
    if !sys::is_root() {
        return Some("needs root, for network namespaces".into());
    }
    let there = |name: &str| {
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"]
            .iter()
            .any(|dir| Path::new(dir).join(name).exists())
    };
    let absent: Vec<_> = ["ip", "nginx", "dnsmasq"].into_iter().filter(|p| !there(p)).collect();
    (!absent.is_empty()).then(|| format!("needs {}", absent.join(", ")))
}

/// True when the test is to be passed over; says why.
pub fn skipped(test: &str) -> bool {
    let Some(why) = missing() else { return false };
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
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
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
    /// Namespaces and cable, both servers running.
    pub fn new() -> Lab {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("mft{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(&name);
        fs::create_dir_all(&dir).unwrap();
        let mut lab =
            Lab { server: format!("{name}s"), client: format!("{name}c"), dir, daemons: Vec::new() };
        for ns in [&lab.server, &lab.client] {
            sh(&format!("ip netns add {ns} && ip -n {ns} link set lo up"));
        }
        lab.cable();
        lab.nginx();
        lab.dnsmasq();
        lab
    }

    /// Lays the cable; also again after the interface was deleted.
    pub fn cable(&self) {
        let (s, c) = (&self.server, &self.client);
        sh(&format!(
            "ip -n {s} link add {CARD} type veth peer name cli0 netns {c} && \
             ip -n {s} addr add {SERVER}/24 dev {CARD} && ip -n {c} addr add {CLIENT}/24 dev cli0 && \
             ip -n {s} addr add {SERVER6}/64 dev {CARD} nodad && ip -n {c} addr add fd77::2/64 dev cli0 nodad && \
             ip -n {s} link set {CARD} up && ip -n {c} link set cli0 up"
        ));
    }

    fn nginx(&mut self) {
        let dir = self.dir.display();
        fs::create_dir_all(self.dir.join("www")).unwrap();
        fs::create_dir_all(self.dir.join("tmp")).unwrap();
        fs::write(self.dir.join("www/text.txt"), text()).unwrap();
        fs::write(self.dir.join("www/big.txt"), text().repeat(100)).unwrap();
        let conf = format!(
            "worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
             events {{ worker_connections 4096; }}
             http {{
               access_log off; gzip on; gzip_min_length 10; gzip_types text/plain; gzip_http_version 1.0;
               types {{ text/plain txt; }} default_type application/json;
               client_max_body_size 64m; keepalive_requests 10000000;
               client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
               uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
               server {{
                 listen 0.0.0.0:80 backlog=4096; listen [::]:80 backlog=4096; root {dir}/www;
                 location /json {{ return 200 '{{\"ok\":true,\"query\":\"$args\"}}'; }}
                 location /post {{ return 201 '{{\"made\":\"$args\"}}'; }}
               }}
             }}"
        );
        fs::write(self.dir.join("nginx.conf"), conf).unwrap();
        sh(&format!("chmod -R a+rX {dir} && chmod 1777 {dir}/tmp"));
        let args = ["-c".into(), format!("{dir}/nginx.conf"), "-p".into(), format!("{dir}")];
        self.daemon("nginx", &args);
        self.in_server(|| until("nginx answers", 10, || TcpStream::connect((SERVER, 80)).is_ok()));
    }

    fn dnsmasq(&mut self) {
        let listen = [format!("--listen-address={SERVER}"), format!("--listen-address={SERVER6}")];
        let mut args: Vec<String> = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--user=root",
            "--pid-file=",
            "--bind-interfaces",
            "--local=/lab/",
            "--address=/www.lab/192.0.2.1",
            "--address=/www.lab/2001:db8::1",
            "--mx-host=www.lab,mail.lab,10",
        ]
        .map(String::from)
        .to_vec();
        args.extend(listen);
        self.daemon("dnsmasq", &args);
        self.in_server(|| until("dnsmasq answers", 10, || TcpStream::connect((SERVER, 53)).is_ok()));
    }

    fn daemon(&mut self, program: &str, args: &[String]) {
        let child = self.in_server(|| {
            Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        });
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

impl Drop for Lab {
    fn drop(&mut self) {
        // nginx's worker ends with its master only when that ends in order.
        for child in &self.daemons {
            sys::signal(child.id(), libc::SIGTERM);
        }
        for child in &mut self.daemons {
            let _ = child.wait();
        }
        for ns in [&self.server, &self.client] {
            let _ = Command::new("ip").args(["netns", "del", ns]).status();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The text of `/text.txt`.
pub fn text() -> String {
    let mut text = String::new();
    for i in 0.. {
        if text.len() >= TEXT_LEN {
            break;
        }
        text.push_str(&format!("line {i} of some text that packs well\n"));
    }
    text.truncate(TEXT_LEN);
    text
}
