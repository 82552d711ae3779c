//! However a network cuts, orders or repeats the segments of a connection, the same is told of what
//! was said in it. Each capture of `testdata/` is read as it is, and again with its TCP segments
//! split, merged, reordered, sent twice, and all of that together; the session records must say
//! the same, but for times and counts of packets.
//!
//! `CAPTURES=DIR cargo test -p mfnano --test cut_every_way` does it with other captures too.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;

use base::LinkType;
use common::{Captured, load, tell, testdata, value};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use testkit::{TimedFrame, cut, ethernet, golden};

/// Where not the same can be told, and why: `protocol/case`, the beginning of the way, the reason.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    (
        "http/lost-answer",
        "split 7 ",
        "the first segment of 13 comes last: cut so small, more pieces wait for it than are held",
    ),
    (
        "redis/gap",
        "split 60, reordered",
        "the first answer behind a loss is known by its packet: reordered around the loss, it may not be",
    ),
    (
        "redis/gap",
        "merged, split 97",
        "the first answer behind a loss is known by its packet: reordered around the loss, it may not be",
    ),
];

/// Keys that tell of packets and time, not of what was said.
const OF_PACKETS: &[&str] = &[
    "BEGIN_TIME",
    "END_TIME",
    "TIMESTAMP",
    "TIME",
    "FLOW_ID",
    "SYNACK_PKTS",
    "BYTES",
    "SRC_NET_DELAY",
    "DST_NET_DELAY",
    "NET_DELAY",
    "RETRANS_PKTS",
    "RST_PKTS",
    "PAGELOAD",
    "SQL_LOAD",
];

/// What was said: the records of sessions without the keys of packets, sorted.
fn said(frames: &[TimedFrame]) -> Vec<String> {
    let frames = frames.iter().map(|(time, data)| ethernet(*time, data));
    let told = tell(frames);
    let is_session = |r: &&String| !matches!(value(r, "RECORD"), Some("flow" | "probe" | "host"));
    let content = |r: &String| {
        let kept = golden::members(r)
            .into_iter()
            .filter(|(k, _)| !OF_PACKETS.contains(k) && !k.ends_with("_RESPONSE"));
        format!("{{{}}}", kept.map(|(k, v)| format!("\"{k}\":{v}")).collect::<Vec<_>>().join(","))
    };
    let mut out: Vec<String> = told.records.iter().filter(is_session).map(content).collect();
    out.sort();
    out
}

/// The ways to cut, with their names. Pieces of one byte only for small captures: they make many frames.
fn ways(frames: &[TimedFrame]) -> Vec<(String, Vec<TimedFrame>)> {
    /// Bytes of a capture up to which it is cut into single bytes.
    const SMALL: usize = 20_000;
    let bytes: usize = frames.iter().map(|(_, f)| f.len()).sum();
    let mut out = Vec::new();
    for (most, seed) in [(1, 1), (2, 1), (7, 2), (7, 3), (100, 4), (100, 5), (700, 6), (1400, 7)] {
        if most < 7 && bytes > SMALL {
            continue;
        }
        out.push((format!("split {most} seed {seed}"), cut::split(frames, most, seed)));
    }
    for most in [2000, 9000, 60_000] {
        out.push((format!("merged {most}"), cut::merge(frames, most)));
    }
    for seed in 1..=3 {
        out.push((format!("reordered seed {seed}"), cut::reorder_runs(frames, 3, seed)));
        out.push((format!("twice seed {seed}"), cut::duplicate(frames, 3, seed)));
        let pieces = cut::split(frames, 60, seed);
        out.push((format!("split 60, reordered seed {seed}"), cut::reorder_runs(&pieces, 3, seed)));
        let merged = cut::merge(frames, 60_000);
        out.push((format!("merged, split 200 seed {seed}"), cut::split(&merged, 200, seed)));
        let all = cut::duplicate(&cut::reorder_runs(&cut::split(&merged, 97, seed), 3, seed), 4, seed);
        out.push((format!("merged, split 97, reordered, twice seed {seed}"), all));
    }
    out
}

/// Reads a capture every way. What differs is told.
fn differences(name: &str, frames: &[Captured]) -> String {
    let mut out = String::new();
    let frames: Vec<TimedFrame> = frames.iter().map(|f| (f.time, f.data.clone())).collect();
    let want = said(&frames);
    for (way, cut) in ways(&frames) {
        if let Some((.., why)) = LEFT_OUT.iter().find(|(n, w, _)| *n == name && way.starts_with(w)) {
            println!("{name}, {way}: left out: {why}");
            continue;
        }
        let got = said(&cut);
        if got != want {
            let _ = writeln!(out, "{name}, {way}: {} records as it is, {} cut", want.len(), got.len());
            let difference = golden::difference(&want, &got);
            // The first lines say what it is; all of them, in every way, say no more.
            difference.lines().take(12).for_each(|l| {
                let _ = writeln!(out, "{}", l.chars().take(600).collect::<String>());
            });
        }
    }
    out
}

/// What frames of this capture cannot be cut for, if anything.
fn uncut(frames: &[Captured]) -> Option<&'static str> {
    if frames.iter().any(|f| f.link != LinkType::Ethernet) {
        return Some("not Ethernet");
    }
    if !frames.iter().any(|f| cut::Segment::of(&f.data).is_some()) {
        return Some("no TCP");
    }
    None
}

fn check(captures: &[(String, PathBuf)]) -> usize {
    let (mut report, mut cut) = (String::new(), 0);
    for (name, path) in captures {
        let frames = load(path);
        match uncut(&frames) {
            Some(why) => println!("{name}: {why}"),
            None => {
                cut += 1;
                let differs = differences(name, &frames);
                println!("{name}: {}", if differs.is_empty() { "the same" } else { "DIFFERS" });
                report.push_str(&differs);
            }
        }
    }
    assert!(report.is_empty(), "{report}");
    cut
}

#[test]
fn the_same_is_told_however_it_was_cut() {
    let captures: Vec<_> = golden::cases(&testdata())
        .iter()
        .map(|case| {
            let name = case.strip_prefix(testdata()).expect("beneath it").display().to_string();
            (name, case.join("in.pcap"))
        })
        .collect();
    assert!(check(&captures) > 0, "no capture with TCP in testdata");
}

#[test]
fn the_same_is_told_of_other_captures() {
    let Some(root) = std::env::var_os("CAPTURES") else { return };
    /// Larger files take minutes.
    const LARGEST: u64 = 400_000;
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut captures = Vec::new();
    for entry in walk(Path::new(&root)) {
        let name = entry.strip_prefix(&root).expect("beneath it").display().to_string();
        let is_capture = [".pcap", ".pcapng", ".cap"].iter().any(|e| name.ends_with(e));
        if is_capture && name.contains(&only) && entry.metadata().is_ok_and(|m| m.len() <= LARGEST) {
            captures.push((name, entry));
        }
    }
    captures.sort();
    assert!(check(&captures) > 0, "no capture with TCP");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|e| e.expect("an entry").path());
    paths.flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}
