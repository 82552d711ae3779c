//! What a byte may cost. Captures of `testdata/` in which one end goes on with long messages that begin like its own and
//! hold one byte over and over: no parser and no search may need time that grows faster than what came.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;

use common::{load, tell, testdata};
use probe::sys::own_cpu_ns;
use std::collections::HashSet;
use testkit::cut::{Segment, swell};
use testkit::{TimedFrame, ethernet, golden};

/// Bytes of a message, how many are sent, and of how many one is lost.
const SHAPES: [(usize, usize, usize); 2] = [(8000, 8, usize::MAX), (400, 160, 3)];
/// CPU that a byte may cost, in ns: what a search that begins anew at each byte is far above.
const MOST: u64 = 400;
/// What stands behind the head of a message.
const FILLS: [&[u8]; 7] = [b"\0", b" ", b"q", b"(", b"\"", b"\xff", b"\r\n"];

/// CPU of reading the frames, in ns a byte of the last `bytes`.
fn cost(frames: &[TimedFrame], bytes: usize) -> u64 {
    let began = own_cpu_ns();
    tell(frames.iter().map(|(time, data)| ethernet(*time, data)));
    (own_cpu_ns() - began) / bytes as u64
}

#[test]
fn no_byte_costs_more_than_it_should() {
    // Messages that begin alike are tried once.
    let mut seen = HashSet::new();
    let (mut cases, mut worst, mut wrong) = (0, 0, Vec::new());
    for case in golden::cases(&testdata()) {
        let frames: Vec<TimedFrame> =
            load(&case.join("in.pcap")).into_iter().map(|c| (c.time, c.data)).collect();
        let data = frames
            .iter()
            .filter_map(|(_, f)| Some((Segment::of(f)?, f)))
            .filter(|(s, _)| !s.payload.is_empty());
        for (n, (s, frame)) in data.enumerate().take(60) {
            let payload = &frame[s.payload.clone()];
            let ports = s.ends.map(|(_, port)| port.min(32_768));
            for keep in [12, 40] {
                if !seen.insert((ports, payload[..keep.min(payload.len())].to_vec())) {
                    continue;
                }
                for (fill, (size, times, one_in)) in FILLS.iter().flat_map(|f| SHAPES.map(|s| (*f, s))) {
                    let Some(mut swollen) = swell(&frames, n, keep, fill, (size, times)) else { continue };
                    let (mut i, from) = (0, swollen.len() - times);
                    swollen.retain(|_| {
                        i += 1;
                        i <= from || !(i - from).is_multiple_of(one_in)
                    });
                    cases += 1;
                    // A machine may be busy; what costs too much does so each time.
                    let mut least = cost(&swollen, size * times);
                    for _ in 0..3 {
                        if least > MOST {
                            least = least.min(cost(&swollen, size * times));
                        }
                    }
                    if least > MOST {
                        let at = case.strip_prefix(testdata()).unwrap().display();
                        wrong.push(format!(
                            "{at}: segment {n}, {keep} bytes of it, then {fill:?}: {least} ns a byte"
                        ));
                    }
                    worst = worst.max(least);
                }
            }
        }
    }
    println!("{cases} cases, {worst} ns a byte at most");
    assert!(wrong.is_empty(), "{} cost too much:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 1000);
}
