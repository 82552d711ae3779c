//! Tests of the whole crate through its public door.

mod causes;
mod kit;
mod kpi;
mod lives;
mod streams;
