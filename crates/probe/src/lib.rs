//! The parts of the program `mfnano`: configuration, command line, host metrics, identity.
//!
//! The program's `main` is thin; everything is here, so that tests and fuzz targets reach it.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "edge crate; numbers that others control are checked where they enter"
)]

pub mod account;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod governor;
pub mod help;
pub mod host;
pub mod identity;
pub mod memory;
pub mod plan;
pub mod read;
pub mod run;
pub mod sys;
pub mod user;
pub mod worker;

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
