//! The record schema: what the probe says, field by field, and the formats that it says it in.
//!
//! A [`Record`] is a kind and a list of (field, value). A [`Field`] is one row of the field
//! table: its key in each format, type, unit and meaning. Every format, the reference page and
//! index templates are generated from that table, so they cannot disagree.
//!
//! This crate is a leaf: it knows no protocol parser, no flow and no sink.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod field;
mod format;
mod kind;
pub mod kinds;
mod quality;
mod record;
mod redact;
mod reference;
#[cfg(test)]
mod testing;
mod zone;

pub use field::{Field, Type};
#[doc(hidden)]
pub use format::fuzz_json;
pub use format::{Format, Identity, Readable, Writer};
pub use kind::Kind;
pub use kinds as f;
pub use quality::Quality;
pub use record::{Entry, Record, Value};
pub use redact::Redactor;
#[doc(hidden)]
pub use redact::fuzz_redact;
pub use reference::reference_markdown;
pub use zone::Zone;
#[doc(hidden)]
pub use zone::fuzz_zone;
