//! Offline reading: the command `read`. The same engine as live, fed from files: the same file
//! and configuration give the same records, to the byte.

use crate::account::{self, WorkerAccount};
use crate::commands::{Failure, say};
use crate::config::Settings;
use crate::plan::{self, Shares};
use base::{Frame, LinkType, Seed};
use capture::file::FileSource;
use capture::filter::{self, Program};
use engine::Engine;
use export::{Batch, Encoder, Outlet};
use record::{Identity, Record};
use std::io::{ErrorKind, IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Reports what is in capture files: records to standard output, or to the sinks when any are
/// configured. At the end comes the account (RECORD=probe).
///
/// # Errors
/// A file cannot be read, or standard output cannot be written.
pub fn read(settings: Settings, files: &[PathBuf]) -> Result<(), Failure> {
    let sinks = plan::sinks(&settings);
    let shares = Shares::of(settings.mem_limit, 0, 1, sinks.len());
    let identity = identity(&settings);
    let zone = crate::identity::zone();
    let mut out = if sinks.is_empty() {
        let encoder = plan::stdout_encoder(&settings, &identity, zone);
        let _ = std::io::stdout().write_all(&encoder.heading());
        Out { encoder, batch: Batch::default(), to: To::Stdout, broken: None }
    } else {
        let outlet =
            Outlet::start(sinks, shares.queue).map_err(|e| Failure::Runtime(format!("sinks: {e}")))?;
        let encoder = Encoder::Json(plan::writer(&settings, &identity, zone));
        Out { encoder, batch: outlet.batch(), to: To::Sinks(outlet), broken: None }
    };
    let mut reader = Reader {
        engine: ManuallyDrop::new(Engine::new(patient(plan::engine_config(
            &settings,
            shares.engine,
            Seed::default(),
        )))),
        filters: Filters::new(settings.filter_bpf.clone()),
        max_length: settings.max_length.map_or(usize::MAX, |n| n as usize),
        filtered: 0,
        progress: Progress::new(),
    };
    for file in files {
        reader.file(file, &mut out)?;
    }
    reader.progress.clear();
    reader.engine.finish(&mut |h: &Record, b: &Record| out.record(h, b));
    let mut sum = WorkerAccount::of(&reader.engine);
    sum.filtered.push(("filter-bpf", reader.filtered));
    let (head, body) = account::record(reader.engine.now(), &sum, None);
    out.record(&head, &body);
    out.finish()
}

/// Nobody waits for the records of a file: quiet connections are given more time than live, so
/// that late packets find theirs.
fn patient(mut c: engine::Config) -> engine::Config {
    c.flow.idle_tcp = 3600 * base::SECOND;
    c.flow.idle_half_open = 300 * base::SECOND;
    c.flow.linger = 300 * base::SECOND;
    c.background = true;
    c
}

/// What is said of the probe: only what was configured, so that the output does not depend on
/// the machine that reads.
fn identity(s: &Settings) -> Identity {
    Identity {
        probe_ver: s.sys_version.clone().unwrap_or_else(|| crate::VERSION.to_owned()),
        host: s.host_address.clone().unwrap_or_default(),
        collector: s.probe_id.clone().unwrap_or_default(),
        license: "free".to_owned(),
        ..Identity::default()
    }
}

struct Reader {
    /// It goes with the program.
    engine: ManuallyDrop<Engine>,
    filters: Filters,
    max_length: usize,
    filtered: u64,
    progress: Progress,
}

impl Reader {
    fn file(&mut self, path: &PathBuf, out: &mut Out) -> Result<(), Failure> {
        let mut source = FileSource::open(path).map_err(|e| Failure::Runtime(e.to_string()))?;
        let mut last_interface = 0;
        loop {
            let ifindex = match source.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    self.frame(frame, out)?;
                    frame.ifindex
                }
                Err(e) => {
                    // What was read before stands; the rest of this file cannot be had.
                    self.engine.finish(&mut |h: &Record, b: &Record| out.record(h, b));
                    out.finish_batch()?;
                    return Err(Failure::Runtime(e.to_string()));
                }
            };
            if ifindex != last_interface {
                last_interface = ifindex;
                if !self.engine.knows_interface(ifindex)
                    && let Some(name) = source.interface_name(ifindex)
                {
                    self.engine.set_interface(ifindex, name, None);
                }
            }
        }
        if let Some(cut) = source.cut() {
            say(&format!("{}: {cut}", path.display()));
        }
        Ok(())
    }

    #[inline]
    fn frame(&mut self, mut frame: Frame<'_>, out: &mut Out) -> Result<(), Failure> {
        if !self.filters.pass(&frame)? {
            self.filtered += 1;
            return Ok(());
        }
        if let Some(data) = frame.data.get(..self.max_length) {
            frame.data = data;
        }
        self.engine.frame(&frame, &mut |h: &Record, b: &Record| out.record(h, b));
        if let Some(error) = out.broken.take() {
            return Err(error);
        }
        self.progress.step();
        Ok(())
    }
}

/// The capture filter, compiled for each link layer that comes.
struct Filters {
    text: Option<String>,
    compiled: Vec<(LinkType, Program)>,
}

impl Filters {
    fn new(text: Option<String>) -> Filters {
        Filters { text, compiled: Vec::new() }
    }

    fn pass(&mut self, frame: &Frame<'_>) -> Result<bool, Failure> {
        let Some(text) = &self.text else { return Ok(true) };
        if let Some((_, program)) = self.compiled.iter().find(|(link, _)| *link == frame.link) {
            return Ok(program.matches(frame.data, frame.wire_len));
        }
        let program = filter::compile(text, frame.link, u32::MAX)
            .map_err(|e| Failure::Usage(format!("filter-bpf: {e}")))?;
        let passed = program.matches(frame.data, frame.wire_len);
        self.compiled.push((frame.link, program));
        Ok(passed)
    }
}

enum To {
    Stdout,
    Sinks(Outlet),
}

/// Where records go: encoded into a batch, written when it is full.
struct Out {
    encoder: Encoder,
    batch: Batch,
    to: To,
    /// Standard output failed; told at the next chance.
    broken: Option<Failure>,
}

impl Out {
    #[inline]
    fn record(&mut self, head: &Record, body: &Record) {
        self.batch.add(|bytes| self.encoder.encode(head, body, bytes));
        if self.batch.is_full()
            && let Err(e) = self.finish_batch()
        {
            self.broken = Some(e);
        }
    }

    fn finish_batch(&mut self) -> Result<(), Failure> {
        match &self.to {
            To::Sinks(outlet) => {
                let batch = std::mem::replace(&mut self.batch, outlet.batch());
                outlet.push_wait(batch);
            }
            To::Stdout => {
                let written = std::io::stdout().lock().write_all(self.batch.lines());
                self.batch.clear();
                match written {
                    // `mfnano read x | head`: the reader has what it wanted.
                    Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
                    Err(e) => {
                        return Err(Failure::Runtime(format!(
                            "standard output: cannot write: {e}; is the disk full?"
                        )));
                    }
                    Ok(()) => {}
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.finish_batch()?;
        if let To::Sinks(outlet) = self.to {
            /// A receiver that takes nothing for so long will not.
            const PATIENCE: Duration = Duration::from_secs(30);
            for sink in outlet.close(PATIENCE) {
                let dropped = sink.counts.dropped_all();
                if dropped > 0 {
                    say(&format!("{}: {} records sent, {dropped} dropped", sink.name, sink.counts.sent));
                }
            }
        }
        Ok(())
    }
}

/// A line on the terminal while long files are read.
struct Progress {
    frames: u64,
    began: Instant,
    told: Option<Instant>,
    on: bool,
}

impl Progress {
    fn new() -> Progress {
        let on = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Progress { frames: 0, began: Instant::now(), told: None, on }
    }

    #[inline]
    fn step(&mut self) {
        self.frames += 1;
        // The clock is asked rarely: it costs more than a packet.
        if self.on && self.frames.is_multiple_of(1 << 16) {
            self.tell();
        }
    }

    #[cold]
    fn tell(&mut self) {
        if self.told.unwrap_or(self.began).elapsed() < Duration::from_secs(1) {
            return;
        }
        self.told = Some(Instant::now());
        let secs = self.began.elapsed().as_secs_f64();
        eprint!(
            "\rmfnano: {:.1} M packets, {:.1} M/s ",
            self.frames as f64 / 1e6,
            self.frames as f64 / 1e6 / secs
        );
    }

    fn clear(&self) {
        if self.told.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
