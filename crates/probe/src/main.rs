//! mfnano: the probe.

use std::process::ExitCode;

fn main() -> ExitCode {
    probe::commands::main(std::env::args_os().skip(1))
}
