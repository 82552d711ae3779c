//! What the engine needs for a packet and for a session, without capture and sinks around it.
//!
//! `bench [--packets N] [--rounds N] [NAME...]` prints a table of medians; `bench --once NAME...` runs
//! each workload once, for instruction counters and profilers; `bench --write FILE.pcap NAME` writes it as a
//! capture for other programs; `bench --write FILE.pcap site` two minutes of a small site. A workload that does not give the records that it must is an error.

mod run;
mod site;
mod workload;

/// The allocator of the program that is measured.
#[global_allocator]
static MEMORY: probe::memory::Cached = probe::memory::Cached;

use run::{Run, run};
use workload::{Made, WORKLOADS, Workload};

fn main() {
    let mut args = std::env::args().skip(1);
    let (mut packets, mut rounds, mut names, mut once, mut write) = (500_000, 5, Vec::new(), false, None);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| usage());
        match arg.as_str() {
            "--packets" => packets = number(),
            "--rounds" => rounds = number(),
            "--once" => once = true,
            "--list" => {
                all().for_each(|w| println!("{}", w.name));
                return;
            }
            "--write" => write = Some(args.next().unwrap_or_else(|| usage())),
            name if !name.starts_with('-') => names.push(name.to_owned()),
            _ => usage(),
        }
    }
    if let (Some(file), ["site"]) = (&write, names.iter().map(String::as_str).collect::<Vec<_>>().as_slice())
    {
        return save(file, &site::frames());
    }
    let chosen: Vec<&Workload> =
        if names.is_empty() { all().collect() } else { names.iter().map(|n| find(n)).collect() };
    match (write, chosen.as_slice()) {
        (None, _) if once => chosen.iter().for_each(|w| count(w, packets)),
        (None, _) => table(&chosen, packets, rounds),
        (Some(file), [w]) => save(&file, &(w.make)(packets).frames),
        (Some(_), _) => usage(),
    }
}

fn save(file: &str, frames: &[testkit::TimedFrame]) {
    std::fs::write(file, testkit::pcap::write(frames)).unwrap_or_else(|e| fail(&format!("{file}: {e}")));
}

/// One run each: for counters around it.
fn count(w: &Workload, packets: usize) {
    let made = (w.make)(packets);
    let r = the_run(w, &made);
    println!(
        "{} packets={} units={} unit={} records={} bytes={}",
        w.name,
        made.frames.len(),
        made.units,
        w.unit,
        r.records,
        r.bytes
    );
}

/// Medians: by the CPU's time, with the time that passed beside it.
fn table(chosen: &[&Workload], packets: usize, rounds: usize) {
    println!(
        "{:<15} {:>8} {:>9} {:>8} {:>8} {:>6} {:>7} {:<11} {:>8} {:>9} {:>8}",
        "workload",
        "packets",
        "ns/packet",
        "wall ns",
        "Mpps",
        "Gbit/s",
        "units",
        "",
        "ns/unit",
        "units/s",
        "records"
    );
    for w in chosen {
        let made = (w.make)(packets);
        let mut runs: Vec<Run> = (0..rounds.max(1)).map(|_| the_run(w, &made)).collect();
        runs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
        let Some(r) = runs.get(runs.len() / 2) else { continue };
        let bits: usize = made.frames.iter().map(|(_, f)| f.len() * 8).sum();
        let (n, units) = (made.frames.len() as f64, made.units as f64);
        println!(
            "{:<15} {:>8} {:>9.0} {:>8.0} {:>8.2} {:>6.1} {:>7} {:<11} {:>8.0} {:>9.0} {:>8}",
            w.name,
            made.frames.len(),
            r.cpu / n,
            r.wall / n,
            n / r.cpu * 1e3,
            bits as f64 / r.cpu,
            made.units,
            w.unit,
            r.cpu / units,
            units / r.cpu * 1e9,
            r.records
        );
    }
}

fn the_run(w: &Workload, made: &Made) -> Run {
    run(made).unwrap_or_else(|e| fail(&format!("{}: {e}", w.name)))
}

fn all() -> impl Iterator<Item = &'static Workload> {
    WORKLOADS.iter().flat_map(|room| room.iter())
}

fn find(name: &str) -> &'static Workload {
    all().find(|w| w.name == name).unwrap_or_else(|| usage())
}

fn fail(what: &str) -> ! {
    eprintln!("bench: {what}");
    std::process::exit(2)
}

fn usage() -> ! {
    eprintln!(
        "usage: bench [--packets N] [--rounds N] [--once] [NAME...]\n       bench [--packets N] --write FILE.pcap NAME|site\nworkloads:"
    );
    for w in all() {
        eprintln!("  {:<15} {} (counted in {})", w.name, w.what, w.unit);
    }
    std::process::exit(1)
}
