//! A lab of its own for each test: two network namespaces, a veth pair between them, nginx and dnsmasq in
//! the server's, clients in the other. All of it goes when the lab is dropped, also by a panic.

use crate::netns::{Namespaces, skip};
pub use crate::netns::{sh, until};
use crate::sys;
use std::fs;
use std::net::TcpStream;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;

/// The server's interface and the addresses.
pub const CARD: &str = "web0";
pub const SERVER: &str = "10.77.0.1";
pub const SERVER6: &str = "fd77::1";
pub const CLIENT: &str = "10.77.0.2";
/// The static file with compressible text.
pub const TEXT_LEN: usize = 6000;

pub struct Lab(Namespaces);

impl Deref for Lab {
    type Target = Namespaces;

    fn deref(&self) -> &Namespaces {
        &self.0
    }
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
    skip(test, &why);
    true
}

impl Lab {
    /// Namespaces and cable, both servers running.
    pub fn new() -> Lab {
        let mut lab = Lab(Namespaces::new("mft"));
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
        self.0.daemon(Command::new("nginx").args(args));
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
        self.0.daemon(Command::new("dnsmasq").args(args));
        self.in_server(|| until("dnsmasq answers", 10, || TcpStream::connect((SERVER, 53)).is_ok()));
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
