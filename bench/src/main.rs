//! What the engine needs for a packet and for a session, without capture and sinks around it.
//!
//! `bench [--packets N] [--rounds N] [NAME...]` prints a table of medians; `bench --once NAME` runs a
//! workload once, for instruction counters and profilers; `bench --pcap NAME FILE` writes it as a
//! capture for other programs.

mod workload;

/// The allocator of the program that is measured.
#[global_allocator]
static MEMORY: probe::memory::Cached = probe::memory::Cached;

use base::{Frame, LinkType, SECOND};
use engine::{Config, Engine};
use record::{Format, Identity, Record, Writer, Zone};
use std::time::Instant;
use testkit::TimedFrame;
use workload::{WORKLOADS, Workload};

fn main() {
    let mut args = std::env::args().skip(1);
    let (mut packets, mut rounds, mut names, mut once) = (1_000_000, 5, Vec::new(), false);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| usage());
        match arg.as_str() {
            "--packets" => packets = number(),
            "--rounds" => rounds = number(),
            "--once" => once = true,
            "--pcap" => {
                let (Some(name), Some(file)) = (args.next(), args.next()) else { usage() };
                let (frames, _) = (find(&name).make)(packets);
                std::fs::write(&file, testkit::pcap::write(&frames)).unwrap_or_else(|e| {
                    eprintln!("bench: {file}: {e}");
                    std::process::exit(2)
                });
                return;
            }
            name if !name.starts_with('-') => names.push(name.to_owned()),
            _ => usage(),
        }
    }
    let chosen: Vec<&Workload> =
        if names.is_empty() { WORKLOADS.iter().collect() } else { names.iter().map(|n| find(n)).collect() };
    if !once {
        println!(
            "{:<12} {:>9} {:>10} {:>9} {:>9} {:>10} {:>9} {:>8}",
            "workload", "packets", "ns/packet", "Mpps", "Gbit/s", "units/s", "ns/unit", "records"
        );
    }
    for w in chosen {
        let (frames, units) = (w.make)(packets);
        if once {
            let (_, records, bytes) = run(&frames);
            println!(
                "{}: {} packets, {units} {}, {records} records, {bytes} bytes",
                w.name,
                frames.len(),
                w.unit
            );
            continue;
        }
        let mut times: Vec<(f64, usize)> =
            (0..rounds.max(1)).map(|_| run(&frames)).map(|(t, r, _)| (t, r)).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (secs, records) = times[times.len() / 2];
        let bits: usize = frames.iter().map(|(_, f)| f.len() * 8).sum();
        let n = frames.len() as f64;
        println!(
            "{:<12} {:>9} {:>10.1} {:>9.2} {:>9.2} {:>10.0} {:>9.0} {:>8}",
            w.name,
            frames.len(),
            secs * 1e9 / n,
            n / secs / 1e6,
            bits as f64 / secs / 1e9,
            units as f64 / secs,
            secs * 1e9 / units as f64,
            records
        );
    }
}

/// Seconds, records, bytes of JSON.
fn run(frames: &[TimedFrame]) -> (f64, usize, usize) {
    let mut config = Config::for_budget(80 << 20);
    config.flow.interval = 10 * SECOND;
    let mut engine = Engine::new(config);
    let identity = Identity {
        probe_ver: "bench".into(),
        host: "192.168.0.1".into(),
        system: "Linux".into(),
        nic: "any".into(),
        message: "bench".into(),
        collector: "1".into(),
        license: "free".into(),
        total_cpu: 2,
    };
    let mut writer = Writer::new(Format::Nano, false, &identity, Zone::utc());
    let (mut out, mut records, mut bytes) = (Vec::with_capacity(1 << 20), 0, 0);
    let begin = Instant::now();
    let mut sink = |head: &Record, body: &Record| {
        writer.write(head, body, &mut out);
        records += 1;
        if out.len() > 1 << 16 {
            bytes += out.len();
            out.clear();
        }
    };
    for (time, data) in frames {
        let frame = Frame {
            time: *time,
            link: LinkType::Ethernet,
            data,
            wire_len: data.len() as u32,
            ifindex: 1,
            vlan: None,
            second_copy: false,
        };
        engine.frame(&frame, &mut sink);
    }
    engine.finish(&mut sink);
    (begin.elapsed().as_secs_f64(), records, bytes)
}

fn find(name: &str) -> &'static Workload {
    WORKLOADS.iter().find(|w| w.name == name).unwrap_or_else(|| usage())
}

fn usage() -> ! {
    eprintln!(
        "usage: bench [--packets N] [--rounds N] [--once] [NAME...]\n       bench --pcap NAME FILE\nworkloads:"
    );
    for w in WORKLOADS {
        eprintln!("  {:<12} {} (counted in {})", w.name, w.what, w.unit);
    }
    std::process::exit(1)
}
