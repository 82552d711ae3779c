//! The words everyone speaks: time, direction, addresses, flow keys, marks of packets,
//! and the reader that cannot panic.
//!
//! Everything here is plain data and pure functions. A word exists once: there is one
//! `Direction`, one `Timestamp`, one `FlowKey` in the whole house.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod counters;
mod crc;
mod direction;
mod frame;
mod hash;
mod key;
mod mac;
mod mark;
mod reader;
mod thin;
mod time;
mod tunnel;

pub use crc::Crc32;
pub use direction::Direction;
pub use frame::{Frame, LinkType};
pub use hash::{FastMap, FastSet, Hasher, Seed};
pub use key::{FlowKey, Side, ip_proto};
pub use mac::MacAddr;
pub use mark::Mark;
pub use reader::{Reader, Short};
pub use thin::Thin;
pub use time::{MICRO, MILLI, NANO, SECOND, Timestamp};
pub use tunnel::Tunnel;
