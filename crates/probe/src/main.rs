//! mfnano: the probe.

use std::process::ExitCode;

#[global_allocator]
static MEMORY: probe::memory::Cached = probe::memory::Cached;

fn main() -> ExitCode {
    probe::commands::main(std::env::args_os().skip(1))
}
