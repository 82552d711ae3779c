//! Flows: who talks with whom, how well, and the bytes of each direction in order.
//!
//! In go packets with their capture time; out come, through [`Events`], the bytes of TCP
//! streams in order, gaps, ends, and the account of a flow at each interval and at its end.
//! This crate never looks inside a payload and knows no protocol above layer 4.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod ahead;
mod contract;
mod defrag;
mod echo;
mod exchange;
mod flow;
mod fuzz;
mod index;
mod initiator;
mod life;
mod pair;
mod shared;
mod slab;
mod table;
mod tcp;
#[cfg(test)]
mod tests;
mod timers;

pub use ahead::Whose;
pub use contract::{Arrival, Config, Counters, Delay, End, Events, Interval, SideStats};
pub use defrag::{Defrag, DefragCounters, Whole};
pub use flow::Flow;
#[doc(hidden)]
pub use fuzz::fuzz_flow;
pub use table::{Fate, Table};
