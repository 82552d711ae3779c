//! Application protocols: one room each, all on one contract.
//!
//! A parser sees (direction, bytes | gap | end) and time; never a packet, a flow table or a
//! socket. So TLS plaintext enters by the same door as reassembled TCP.
//! `session` is the contract, `table` the registry, `identify` finds out who speaks.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod amqp;
mod body;
pub mod dns;
#[doc(hidden)]
pub mod harness;
pub mod http;
mod identify;
pub mod llmnr;
pub mod mdns;
pub mod mongodb;
pub mod mysql;
pub mod postgresql;
pub mod redis;
pub mod session;
mod table;
pub mod tds;
#[doc(hidden)]
pub mod template;
pub mod tns;

pub use identify::{Candidates, Identity, identify};
pub use session::{Anomaly, Cx, Finished, Limits, MarkSpan, Parser, Pool, Progress, Transport, Txn, Verdict};
pub use table::{AnySession, PROTOCOLS, ProtoDef, ProtoId, ROOMS};
