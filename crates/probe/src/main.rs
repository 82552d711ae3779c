//! mfnano: the probe.
fn main() {}
