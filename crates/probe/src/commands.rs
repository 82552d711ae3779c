//! The commands that start nothing, and the way to those that do.
//!
//! Exit codes: 0 done, 1 wrong usage or configuration, 2 failed while running. Errors go to
//! standard error as `mfnano: what: why; remedy`.

use crate::cli::{Command, Invocation};
use crate::config::{File, Flag, Problems, Settings, load};
use crate::help::{self, Style};
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Larger configuration files are not read; the reader says so at a lower size already.
const MAX_CONFIG: u64 = 4 << 20;

/// How a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Wrong usage or configuration: exit code 1.
    Usage(String),
    /// Failed while running: exit code 2.
    Runtime(String),
}

/// Does what the command line says.
#[must_use]
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let result = crate::cli::parse(args).map_err(|e| Failure::Usage(e.to_string())).and_then(dispatch);
    let (text, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => (text, 1),
        Err(Failure::Runtime(text)) => (text, 2),
    };
    for line in text.lines() {
        say(line);
    }
    ExitCode::from(code)
}

/// A line on standard error.
pub fn say(line: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "mfnano: {line}");
}

fn dispatch(invocation: Invocation) -> Result<(), Failure> {
    let Invocation { command, file, flags } = invocation;
    match command {
        Command::Run => crate::run::run(settings(file.as_deref(), &flags)?, file.as_deref(), &flags),
        Command::Read(files) => crate::read::read(settings(file.as_deref(), &flags)?, &files),
        Command::Check(files) => check(&files, &flags),
        Command::Config => {
            let (loaded, warnings) = load_file(file.as_deref(), &flags)?;
            warnings.iter().for_each(|w| say(w));
            print(&help::config(&loaded.written, style()))
        }
        Command::Kpis => print(&record::reference_markdown()),
        Command::Version => print(&format!("mfnano {}\n", crate::VERSION)),
        Command::Help(None) => print(&help::all(style())),
        Command::Help(Some(topic)) => {
            let text = help::topic(&topic, style());
            print(
                &text.map_err(|e| {
                    Failure::Usage(format!("help {topic}: there is no such command or key; {e}"))
                })?,
            )
        }
    }
}

/// The settings for a start; says its warnings.
fn settings(file: Option<&Path>, flags: &[Flag]) -> Result<Settings, Failure> {
    let (settings, warnings) = load_file(file, flags)?;
    warnings.iter().for_each(|w| say(w));
    Ok(settings)
}

fn load_file(file: Option<&Path>, flags: &[Flag]) -> Result<(Settings, Vec<String>), Failure> {
    let wrong = |p: Problems| Failure::Usage(p.to_string());
    let settings = match file {
        None => load(None, flags).map_err(wrong)?,
        Some(path) => {
            let bytes = read_config(path)?;
            load(Some(File { name: &path.to_string_lossy(), bytes: &bytes }), flags).map_err(wrong)?
        }
    };
    let warnings = settings.warnings.clone();
    Ok((settings, warnings))
}

/// The bytes of a configuration file.
///
/// # Errors
/// It cannot be read.
pub fn read_config(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(MAX_CONFIG).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(e) => {
            let remedy = match e.kind() {
                ErrorKind::NotFound => "is the path right?",
                ErrorKind::PermissionDenied => "who may read it?",
                _ => "is it a file?",
            };
            Err(Failure::Usage(format!("{}: cannot read it: {e}; {remedy}", path.display())))
        }
    }
}

fn check(files: &[PathBuf], flags: &[Flag]) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    for path in files {
        match load_file(Some(path), flags) {
            Ok((_, warnings)) => {
                warnings.iter().for_each(|w| say(w));
                print(&format!("{}: ok\n", path.display()))?;
            }
            Err(Failure::Usage(text) | Failure::Runtime(text)) => wrong.push(text),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Usage(wrong.join("\n"))) }
}

fn style() -> Style {
    Style { colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
}

/// Prints; a reader that went away (`mfnano help | head`) is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(format!("standard output: cannot write: {e}; is the disk full?")))
        }
        _ => Ok(()),
    }
}
