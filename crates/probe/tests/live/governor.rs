//! The CPU limit under floods, in short; `make governor` does all kinds at all limits.

use crate::floods::{Flood, run};
use crate::lab::skipped;

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
