//! Configuration: `mfnano.conf` and the flags, first as written, then resolved.
//!
//! [`Written`] holds the text of each key and where it came from; [`Settings`] the typed values that
//! the program runs with. All errors are found and told together, each with its place, the key, what
//! was expected and, for an unknown key, the nearest known one. A flag beats the file, the file
//! beats the default.

pub mod form;
pub mod keys;
mod problem;
mod settings;
mod written;

pub use problem::{Place, Problem, Problems};
pub use settings::{Cycle, LogLevel, PcapCycle, Settings};
pub use written::{Entry, File, Flag, Written};

/// Reads a file and flags, and resolves them.
///
/// # Errors
/// Everything that is wrong, in the order of file and flags.
pub fn load(file: Option<File<'_>>, flags: &[Flag]) -> Result<Settings, Problems> {
    let mut problems = Vec::new();
    let mut written = Written::default();
    if let Some(file) = file {
        written.add_file(&file, &mut problems);
    }
    written.add_flags(flags, &mut problems);
    if problems.is_empty() { Ok(Settings::resolve(written)) } else { Err(Problems(problems)) }
}

/// Reads a file anew for a probe that runs: the flags of its start still beat it, and keys that
/// cannot change while it runs keep their value, with a warning.
///
/// # Errors
/// Everything that is wrong: then the settings in force stay.
pub fn reload(now: &Settings, flags: &[Flag], file: File<'_>) -> Result<Settings, Problems> {
    let mut next = load(Some(file), flags)?;
    let mut fixed = Vec::new();
    for key in keys::KEYS.iter().filter(|k| !k.reload) {
        if now.written.effective(key.id) != next.written.effective(key.id) {
            fixed.push(key.name);
            next.written.take_over(key.id, &now.written);
        }
    }
    if !fixed.is_empty() {
        next = Settings::resolve(next.written);
        next.warnings.push(format!("{}: changes at the next start only", fixed.join(", ")));
    }
    Ok(next)
}

/// Fuzz entry: any bytes load or give errors, each of which names its line.
#[doc(hidden)]
pub fn fuzz_config(data: &[u8]) {
    let lines = data.split(|b| *b == b'\n').count();
    match load(Some(File { name: "fuzz", bytes: data }), &[]) {
        Ok(settings) => {
            let again = reload(&settings, &[], File { name: "fuzz", bytes: data });
            assert!(again.is_ok_and(|s| s.warnings == settings.warnings));
        }
        Err(Problems(problems)) => {
            assert!(!problems.is_empty());
            for p in problems {
                let Place::Line(name, line) = &p.place else { panic_place(&p) };
                assert!(name == "fuzz" && (1..=lines).contains(line), "{p}");
                assert!(!p.to_string().contains(char::is_control), "{p:?}");
            }
        }
    }
}

#[expect(clippy::panic, reason = "a fuzz target tells what it found by a panic")]
fn panic_place(p: &Problem) -> ! {
    panic!("a problem without its line: {p}")
}

#[cfg(test)]
mod tests;
