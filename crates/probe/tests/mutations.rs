//! Captures of `testdata/` with bytes changed, frames cut, lost, repeated and moved in time: whatever comes,
//! nothing panics, the account adds up and what was held is let go.
//!
//! `ROUNDS=1000 cargo test --release -p mfnano --test mutations` goes on for longer, from other seeds.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;

use base::{LinkType, Timestamp};
use capture::file::FileSource;
use common::{Captured, load, tell, testdata};
use testkit::{Noise, golden};

fn rounds() -> u64 {
    std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(3)
}

/// Heap that an engine may keep after every flow has ended: tables and pools, whatever came.
const KEPT: usize = 4 << 20;

/// Reads frames and holds what must be true of any.
fn hold(name: &str, frames: &[Captured]) {
    let told = tell(frames.iter().map(Captured::frame));
    let a = &told.account;
    assert_eq!(a.seen, frames.len() as u64, "{name}: seen");
    assert_eq!(a.seen, a.parsed + a.filtered.sum() + a.malformed.sum(), "{name}: {a:?}");
    assert_eq!(a.records + 1, told.records.len() as u64, "{name}: records");
    let sessions: u64 = a.sessions.iter().sum();
    assert!(sessions <= a.records, "{name}: {sessions} sessions, {} records", a.records);
    assert!(told.held <= KEPT, "{name}: {} bytes are still held", told.held);
    for record in &told.records {
        // Panics when it is no JSON object.
        assert!(golden::members(record).len() > 3, "{name}: {record}");
    }
}

fn mutate(frames: &[Captured], seed: u64) -> Vec<Captured> {
    let mut noise = Noise::new(seed);
    // Some captures get a few changes, some many.
    let one_in = [3, 10, 40][noise.below(3)];
    let mut out: Vec<Captured> = Vec::with_capacity(frames.len());
    for frame in frames {
        if noise.below(one_in) != 0 {
            out.push(frame.clone());
            continue;
        }
        let mut f = frame.clone();
        let len = f.data.len();
        match noise.below(10) {
            // A bit, a byte, a run of bytes.
            0 if len > 0 => f.data[noise.below(len)] ^= 1 << noise.below(8),
            1 if len > 0 => f.data[noise.below(len)] = [0, 0xff, 0x7f, 0x80, b'\n'][noise.below(5)],
            2 if len > 0 => {
                let (at, n) = (noise.below(len), noise.below(40));
                f.data.iter_mut().skip(at).take(n).for_each(|b| *b = noise.below(256) as u8);
            }
            // Headers are where the lengths are.
            3 if len > 0 => f.data[noise.below(len.min(60))] = noise.below(256) as u8,
            4 => f.data.truncate(noise.below(len + 1)),
            // Longer than it says.
            5 => f.data.extend((0..noise.below(100)).map(|i| i as u8)),
            // Bytes within are lost: all behind moves up.
            6 if len > 0 => {
                let at = noise.below(len);
                f.data.drain(at..(at + noise.below(30)).min(len));
            }
            7 => f.time = Timestamp(f.time.0.wrapping_add(noise.below(1 << 40) as u64).wrapping_sub(1 << 39)),
            8 => {
                f.wire_len = [0, 1, 60, 65_536, u32::MAX][noise.below(5)];
                f.ifindex = noise.below(3) as u32;
                f.link =
                    [LinkType::Raw, LinkType::LinuxSll, LinkType::Null, LinkType::Radiotap][noise.below(4)];
                f.vlan = Some((noise.below(4096) as u16, 0x8100));
            }
            // Lost, or said again later.
            _ if noise.below(2) == 0 => continue,
            _ if !out.is_empty() => f = out[noise.below(out.len())].clone(),
            _ => {}
        }
        out.push(f);
    }
    out
}

#[test]
fn whatever_frames_come_the_account_adds_up() {
    for case in golden::cases(&testdata()) {
        let name = case.strip_prefix(testdata()).expect("beneath it").display().to_string();
        let frames = load(&case.join("in.pcap"));
        hold(&name, &frames);
        for seed in 0..rounds() {
            hold(&format!("{name}, seed {seed}"), &mutate(&frames, seed));
        }
    }
}

/// All captures one through the other, as on a busy host, with everything that can happen to them.
#[test]
fn captures_mixed_and_changed() {
    let mut all: Vec<Captured> =
        golden::cases(&testdata()).iter().flat_map(|case| load(&case.join("in.pcap"))).collect();
    // By their place within the second: connections of days apart run side by side.
    all.sort_by_key(|f| f.time.0 % 1_000_000_000);
    let begin = all[0].time;
    for (i, f) in all.iter_mut().enumerate() {
        f.time = begin.plus(i as u64 * 20_000);
    }
    hold("mixed", &all);
    for seed in 0..rounds() {
        hold(&format!("mixed, seed {seed}"), &mutate(&all, seed));
    }
}

#[test]
fn whatever_is_in_the_file_it_is_read_or_refused() {
    for case in golden::cases(&testdata()) {
        let bytes = std::fs::read(case.join("in.pcap")).expect("a capture");
        for seed in 0..rounds() {
            let (mut noise, mut bytes) = (Noise::new(seed), bytes.clone());
            for _ in 0..=noise.below(20) {
                // Half of it in the file's and the first frame's header.
                let within = if noise.below(2) == 0 { bytes.len().min(80) } else { bytes.len() };
                let at = noise.below(within);
                bytes[at] = noise.below(256) as u8;
            }
            bytes.truncate(bytes.len() - noise.below(3) * noise.below(100).min(bytes.len() / 2));
            let Ok(mut source) = FileSource::from_reader("changed", std::io::Cursor::new(bytes)) else {
                continue;
            };
            let mut frames = Vec::new();
            while let Ok(Some(f)) = source.next_frame() {
                frames.push(Captured {
                    time: f.time,
                    link: f.link,
                    data: f.data.to_vec(),
                    wire_len: f.wire_len,
                    ifindex: f.ifindex,
                    vlan: f.vlan,
                });
            }
            hold(&format!("{}, file, seed {seed}", case.display()), &frames);
        }
    }
}
