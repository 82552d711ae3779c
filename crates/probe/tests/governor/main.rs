//! The CPU limit under each kind of flood at limits of 2, 5, 20 and 50 %: `make governor`. Alone on its machine: two
//! cores serve the flood and the probe. Needs root, nginx and dnsmasq-base.
//!
//! Over 3 s that begin 3 s after the flood the probe takes at most 2 points more than its limit; what it left out is
//! counted, to 2 % of what was sent; after the flood it tells everything again. `ONLY=udp` runs one kind.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly; each uses its part of what is shared"
)]

#[path = "../live/floods.rs"]
mod floods;
#[path = "../live/http.rs"]
mod http;
#[path = "../live/lab.rs"]
mod lab;
#[path = "../common/netns.rs"]
mod netns;
#[path = "../live/probe.rs"]
mod probe;
#[path = "../live/sys.rs"]
mod sys;
#[path = "../live/told.rs"]
mod told;

use floods::{Flood, run};

#[test]
fn every_limit_is_held_in_every_flood() {
    if lab::skipped("every_limit_is_held_in_every_flood") {
        return;
    }
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut wrong = Vec::new();
    println!("| flood | a second | limit | used | highest step | parsed | sampled | lost | back after |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for flood in Flood::ALL {
        let name = format!("{flood:?}").to_lowercase();
        for limit in [2, 5, 20, 50] {
            if !only.is_empty() && only != name {
                continue;
            }
            let o = run(flood, limit);
            println!(
                "| {name} | {:.0} k | {limit} % | {:.1} % | {} | {:.1} % | {:.1} % | {:.1} % | {:.0} s |",
                o.rate / 1000.0,
                o.used,
                o.step,
                o.parsed,
                o.sampled,
                o.lost,
                o.back
            );
            if let Err(panic) = std::panic::catch_unwind(|| o.holds()) {
                wrong.push(panic.downcast_ref::<String>().cloned().unwrap_or_default());
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
