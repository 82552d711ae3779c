//! The running program on live traffic, in labs of network namespaces with real servers: what clients did is
//! what records tell. Needs root, nginx and dnsmasq-base; without them each test says that it is skipped.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

mod capture;
mod config;
#[allow(dead_code, reason = "all of it is used by `make governor`")]
mod floods;
mod format;
mod gelf;
mod governor;
mod http;
mod lab;
#[path = "../common/netns.rs"]
mod netns;
mod probe;
mod sinks;
mod sys;
mod told;
