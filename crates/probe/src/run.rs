//! Live capture: the command `run`.

use crate::commands::Failure;
use crate::config::{Flag, Settings};
use std::path::Path;

/// Captures and reports until a signal ends it. `file` and `flags` are for reading the
/// configuration again.
///
/// # Errors
/// Why it cannot start or had to stop.
pub fn run(_settings: Settings, _file: Option<&Path>, _flags: &[Flag]) -> Result<(), Failure> {
    Err(Failure::Runtime("run: live capture is not part of this build; use `mfnano read FILE`".to_owned()))
}
