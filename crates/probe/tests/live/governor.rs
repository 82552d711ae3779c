//! The CPU limit under floods, in short; `make governor` does all kinds at all limits.

use crate::floods::{Flood, accounts, run, used, within};
use crate::lab::{CARD, Lab, skipped, until};
use crate::probe::Probe;
use crate::told::adds_up;
use std::fs;
use std::time::Duration;

#[test]
fn a_flood_of_packets_is_thinned_in_the_kernel_and_counted() {
    if skipped("a_flood_of_packets_is_thinned_in_the_kernel_and_counted") {
        return;
    }
    let outcome = run(Flood::Udp, 5);
    outcome.holds();
    assert!(outcome.sampled > 10.0, "{outcome:?}");
}

#[test]
fn a_flood_of_requests_does_not_cost_more_than_the_limit() {
    if skipped("a_flood_of_requests_does_not_cost_more_than_the_limit") {
        return;
    }
    run(Flood::Http, 10).holds();
}

#[test]
fn two_workers_follow_a_limit_that_changes() {
    if skipped("two_workers_follow_a_limit_that_changes") {
        return;
    }
    let lab = Lab::new();
    let path = lab.dir.join("mfnano.conf");
    let limit =
        |percent: u32| fs::write(&path, format!("cpu-limit={percent}\nworkers=2\ninterval=1\n")).unwrap();
    limit(30);
    let (file, out) =
        (format!("@{}", path.display()), format!("--json-path={}", lab.dir.join("out").display()));
    let probe = Probe::plain(&lab, &[&format!("--device={CARD}"), &out, "--json-size=1000", &file]);
    let mut reloads = 0;
    let mut change = |percent| {
        limit(percent);
        probe.signal(libc::SIGHUP);
        reloads += 1;
        until("the reload is said", 5, || probe.said().matches("is in force").count() == reloads);
    };
    let ((high, low, free), ..) = within(&lab, Flood::Udp, || {
        std::thread::sleep(Duration::from_secs(3));
        let high = used(probe.pid(), 2);
        change(5);
        std::thread::sleep(Duration::from_secs(3));
        let low = used(probe.pid(), 2);
        change(0);
        (high, low, used(probe.pid(), 2))
    });
    assert!(high <= 32.0 && low <= 7.0 && free > 10.0, "used: {high:.1} %, {low:.1} %, {free:.1} %");
    let report = probe.end();
    assert_eq!(report.code, Some(0), "{}", report.said);
    adds_up(&accounts(&lab.dir.join("out")));
}
