//! The sans-io chain: frames in, records out, time comes with the packets.
//!
//! [`Engine::frame`] takes a captured frame through decode, defragmentation, the flow table and
//! the application parsers; finished records go to an [`Output`] on the way. [`Engine::advance`]
//! tells the time when no frames come; [`Engine::finish`] ends every flow. Live capture and
//! offline reading are the same engine; one engine belongs to one thread and shares nothing.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod account;
mod buffer;
mod community;
mod config;
mod conversation;
mod core;
mod engine;
mod head;
mod netfilter;
mod report;
mod thrift;

pub use account::{Account, Reasons};
pub use config::{Config, Content, Layer4Choice, Pin};
pub use engine::{Engine, Output};
pub use flow::{Counters as FlowCounters, DefragCounters};
pub use netfilter::{NetFilter, fuzz_netfilter};
pub use thrift::Thrift;
