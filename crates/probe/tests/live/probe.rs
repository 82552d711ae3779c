//! The program under test, as a child process in the server's namespace.

use crate::lab::{CARD, Lab, until};
use crate::sys;
use crate::told::{Told, adds_up};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Lines = Arc<Mutex<Vec<String>>>;

pub struct Probe {
    child: Option<Child>,
    out: Lines,
    err: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// What a probe left behind.
pub struct Report {
    /// Records from standard output.
    pub records: Vec<Told>,
    /// What it said on standard error.
    pub said: String,
    pub code: Option<i32>,
    /// From the signal to the end.
    pub took: Duration,
}

fn collect(stream: impl Read + Send + 'static) -> (Lines, JoinHandle<()>) {
    let lines = Lines::default();
    let to = lines.clone();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            to.lock().unwrap().push(line);
        }
    });
    (lines, reader)
}

impl Probe {
    /// Starts `mfnano --device=web0 ARGS`.
    pub fn start(lab: &Lab, args: &[&str]) -> Probe {
        let device = format!("--device={CARD}");
        let mut all = vec![device.as_str()];
        all.extend(args);
        Probe::bare(lab, &all)
    }

    /// Starts `mfnano ARGS` and waits until it watches. Without a CPU limit, unless there is one in ARGS: what is told
    /// shall not depend on how fast this build and machine are.
    pub fn bare(lab: &Lab, args: &[&str]) -> Probe {
        let free = ["--cpu-limit=0"];
        let free = &free[usize::from(args.iter().any(|a| a.starts_with("--cpu-limit")))..];
        Probe::plain(lab, &[free, args].concat())
    }

    /// The same with ARGS only.
    pub fn plain(lab: &Lab, args: &[&str]) -> Probe {
        let mut child = lab.in_server(|| {
            // Another build may be put to the same tests.
            let program = std::env::var_os("MFNANO").unwrap_or_else(|| env!("CARGO_BIN_EXE_mfnano").into());
            Command::new(program)
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
        let (out, a) = collect(child.stdout.take().unwrap());
        let (err, b) = collect(child.stderr.take().unwrap());
        let probe = Probe { child: Some(child), out, err, readers: vec![a, b] };
        until("the probe watches", 10, || probe.said().contains(" watches "));
        probe
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.err.lock().unwrap().join("\n")
    }

    /// The records that it has written to standard output so far.
    pub fn records(&self) -> Vec<Told> {
        self.out.lock().unwrap().iter().map(|l| Told::parse(l)).collect()
    }

    /// Waits until that many records are such.
    pub fn wait_for(&self, what: &str, n: usize, such: impl Fn(&Told) -> bool) {
        until(what, 20, || self.records().iter().filter(|r| such(r)).count() >= n);
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: i32) {
        sys::signal(self.pid(), signal);
    }

    /// Ends it in order; every account has to add up.
    pub fn stop(self) -> Report {
        let report = self.end();
        adds_up(&report.records);
        report
    }

    /// Ends it in order when its records went elsewhere.
    pub fn end(mut self) -> Report {
        let mut child = self.child.take().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "the probe ended by itself: {}", self.said());
        sys::signal(child.id(), libc::SIGTERM);
        let asked = Instant::now();
        let mut code = None;
        until("the probe ends", 20, || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        let took = asked.elapsed();
        self.readers.drain(..).for_each(|r| r.join().unwrap());
        Report { records: self.records(), said: self.said(), code: code.and_then(|c| c.code()), took }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Report {
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Told> {
        self.records.iter().filter(move |r| r.kind() == kind)
    }

    pub fn count(&self, kind: &str) -> usize {
        self.of_kind(kind).count()
    }
}
