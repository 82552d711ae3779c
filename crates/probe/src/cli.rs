//! The command line: which command, which configuration file, which flags.
//!
//! `mfnano [COMMAND] [FLAGS] [@FILE]`. Every key of the table is a flag: `--key=value`,
//! `--key value`, and its short flag as `-i eth0` or `-ieth0`. Reading it touches nothing:
//! the commands do.

use crate::config::Flag;
use crate::config::keys::{K, KEYS, nearest};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Most arguments: more than any person writes, fewer than a runaway script.
const MAX_ARGS: usize = 65_536;

/// The commands, with what they do.
pub const COMMANDS: [(&str, &str); 7] = [
    ("run", "capture and report until stopped (also without any command)"),
    ("read", "report what is in capture files, to standard output"),
    ("check", "say what is wrong in configuration files, start nothing"),
    ("config", "list every key with its meaning, default and value"),
    ("kpis", "list every field of every record with its meaning"),
    ("version", "print the version"),
    ("help", "print this, or what is to say of a command or key"),
];

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Capture and report.
    Run,
    /// Report what is in these files; `-` is standard input.
    Read(Vec<PathBuf>),
    /// Say what is wrong in these configuration files.
    Check(Vec<PathBuf>),
    /// List the keys.
    Config,
    /// List the fields.
    Kpis,
    /// Print the version.
    Version,
    /// Print help, of a command or key when one is named.
    Help(Option<String>),
}

/// The command line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What to do.
    pub command: Command,
    /// `@FILE`: the configuration file.
    pub file: Option<PathBuf>,
    /// The flags, in the order in which they were written.
    pub flags: Vec<Flag>,
}

/// Why a command line makes no sense: what, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The argument.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.what.escape_debug(), self.why, self.remedy)
    }
}

fn usage(what: &str, why: &str, remedy: impl Into<String>) -> Usage {
    Usage { what: what.chars().take(80).collect(), why: why.to_owned(), remedy: remedy.into() }
}

/// Reads the arguments (without the program's name).
///
/// # Errors
/// The first argument that makes no sense.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, Usage> {
    let mut args = args.into_iter().take(MAX_ARGS);
    let mut state = State::default();
    let mut only_names = false;
    while let Some(arg) = args.next() {
        let Some(text) = arg.to_str() else {
            // A file may be named by any bytes; a flag or a key never is.
            state.name(arg.clone(), None)?;
            continue;
        };
        match text {
            _ if only_names => state.name(arg.clone(), None)?,
            "--" => only_names = true,
            "-k" | "-V" | "--version" => state.instead = Some(Command::Version),
            "-h" | "--help" => state.help = true,
            "-r" => {} // stay in front: always so
            "-" => state.name(arg.clone(), None)?,
            _ => match (text.strip_prefix("--"), text.strip_prefix('-'), text.strip_prefix('@')) {
                (Some(long), _, _) => state.long(long, &mut args)?,
                (None, Some(short), _) => state.short(short, &mut args)?,
                (None, None, Some(file)) => state.config_file(file)?,
                (None, None, None) => state.name(arg.clone(), Some(text))?,
            },
        }
    }
    state.finish()
}

#[derive(Default)]
struct State {
    command: Option<&'static str>,
    names: Vec<PathBuf>,
    file: Option<PathBuf>,
    flags: Vec<Flag>,
    instead: Option<Command>,
    help: bool,
}

impl State {
    fn config_file(&mut self, file: &str) -> Result<(), Usage> {
        if file.is_empty() {
            return Err(usage(
                "@",
                "a file name is missing",
                "write it right behind: @/etc/mfnano/mfnano.conf",
            ));
        }
        if self.file.replace(PathBuf::from(file)).is_some() {
            return Err(usage(&format!("@{file}"), "a second configuration file", "name one"));
        }
        Ok(())
    }

    fn long(&mut self, flag: &str, args: &mut impl Iterator<Item = OsString>) -> Result<(), Usage> {
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        // tcpdump's users look for the filter under this name.
        let key = if name == "bpf" { Some(K::FilterBpf) } else { K::by_name(name) };
        let spelled = format!("--{name}");
        let Some(key) = key else {
            let near = nearest(name, KEYS.iter().map(|k| k.name).chain(["help", "version", "bpf"]));
            let near = near.map(|n| format!("did you mean --{n}? ")).unwrap_or_default();
            return Err(usage(
                &spelled,
                "there is no such flag",
                format!("{near}`mfnano config` lists all keys"),
            ));
        };
        self.value(key, spelled, value, args)
    }

    fn short(&mut self, flag: &str, args: &mut impl Iterator<Item = OsString>) -> Result<(), Usage> {
        let mut chars = flag.chars();
        let letter = chars.next().unwrap_or_default();
        let spelled = format!("-{letter}");
        let Some(key) = K::by_short(letter) else {
            return Err(usage(&spelled, "there is no such flag", "`mfnano help` lists all flags"));
        };
        let attached = chars.as_str();
        let attached =
            (!attached.is_empty()).then(|| attached.strip_prefix('=').unwrap_or(attached).to_owned());
        self.value(key, spelled, attached, args)
    }

    fn value(
        &mut self,
        key: K,
        spelled: String,
        value: Option<String>,
        args: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), Usage> {
        let value = match value {
            Some(value) => value,
            None => {
                let expected = || format!("expected {}", key.key().form.expected());
                let next = args.next().ok_or_else(|| usage(&spelled, "its value is missing", expected()))?;
                next.into_string().map_err(|_| usage(&spelled, "its value is not UTF-8", expected()))?
            }
        };
        self.flags.push(Flag { key, value, spelled });
        Ok(())
    }

    /// A command, or a name behind one.
    fn name(&mut self, arg: OsString, text: Option<&str>) -> Result<(), Usage> {
        match self.command {
            Some("read" | "check" | "help") => self.names.push(PathBuf::from(arg)),
            Some(command) => {
                let remedy = format!("`mfnano help {command}` tells what it takes");
                return Err(usage(&arg.to_string_lossy(), "not expected here", remedy));
            }
            None => {
                let known = COMMANDS.iter().map(|(name, _)| *name);
                self.command = known.clone().find(|name| Some(*name) == text);
                if self.command.is_none() {
                    let shown = arg.to_string_lossy();
                    let remedy = match nearest(&shown, known) {
                        Some(near) => format!("did you mean `mfnano {near}`?"),
                        None if shown.ends_with(".conf") => format!("to run with this file: mfnano @{shown}"),
                        None if shown.contains(".pcap") => format!("to read this file: mfnano read {shown}"),
                        None => "`mfnano help` lists the commands".to_owned(),
                    };
                    return Err(usage(&shown, "there is no such command", remedy));
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Invocation, Usage> {
        let State { command, names, mut file, flags, instead, help } = self;
        let missing =
            |name: &str, example| usage(name, "a file is missing", format!("for example: {example}"));
        let command = match command {
            _ if instead.is_some() => instead.unwrap_or(Command::Version),
            Some(name) if help => Command::Help((name != "help").then(|| name.to_owned())),
            None if help => Command::Help(None),
            Some("read") if names.is_empty() => return Err(missing("read", "mfnano read trace.pcap")),
            Some("read") => Command::Read(names),
            Some("check") => {
                let files: Vec<PathBuf> = file.take().into_iter().chain(names).collect();
                if files.is_empty() {
                    return Err(missing("check", "mfnano check mfnano.conf"));
                }
                Command::Check(files)
            }
            Some("help") => Command::Help(names.first().map(|n| n.to_string_lossy().into_owned())),
            Some("config") => Command::Config,
            Some("kpis") => Command::Kpis,
            Some("version") => Command::Version,
            _ => Command::Run,
        };
        Ok(Invocation { command, file, flags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Invocation, Usage> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn flags(line: &str) -> Vec<(K, String)> {
        args(line).unwrap().flags.into_iter().map(|f| (f.key, f.value)).collect()
    }

    #[test]
    fn flags_in_every_spelling() {
        let want = [(K::Device, "eth0".to_owned()), (K::BodyLen, "64".to_owned())];
        for line in
            ["-i eth0 -3 64", "-ieth0 -364", "--device=eth0 --bodylen 64", "run -i=eth0 --bodylen=64 -r"]
        {
            assert_eq!(flags(line), want, "{line}");
            assert_eq!(args(line).unwrap().command, Command::Run);
        }
        assert_eq!(flags("-8 dns -8 http"), [(K::IgnoreL7, "dns".into()), (K::IgnoreL7, "http".into())]);
        assert_eq!(flags("--filter-net="), [(K::FilterNet, String::new())]);
        assert_eq!(flags("-g -x"), [(K::FilterBpf, "-x".into())], "a value may look like a flag");
        let spaced = parse(["-g", "tcp port 80"].map(OsString::from)).unwrap();
        assert_eq!(spaced.flags[0].value, "tcp port 80");
        for key in KEYS.iter() {
            if let Some(short) = key.short {
                assert_eq!(flags(&format!("-{short} v")), [(key.id, "v".into())]);
            }
            assert_eq!(flags(&format!("--{} v", key.name)), [(key.id, "v".into())]);
        }
    }

    #[test]
    fn commands() {
        let is = |line: &str, want: Command| assert_eq!(args(line).unwrap().command, want, "{line}");
        is("", Command::Run);
        is("run", Command::Run);
        is("@/etc/mfnano.conf", Command::Run);
        is("read a.pcap b.pcapng --format ecs", Command::Read(vec!["a.pcap".into(), "b.pcapng".into()]));
        is("read -", Command::Read(vec!["-".into()]));
        is("read -- -odd.pcap", Command::Read(vec!["-odd.pcap".into()]));
        is("check c.conf", Command::Check(vec!["c.conf".into()]));
        is("check @c.conf", Command::Check(vec!["c.conf".into()]));
        is("config -i eth0", Command::Config);
        is("kpis", Command::Kpis);
        is("-k", Command::Version);
        is("--version", Command::Version);
        is("-h", Command::Help(None));
        is("help", Command::Help(None));
        is("help read", Command::Help(Some("read".into())));
        is("read --help", Command::Help(Some("read".into())));
        assert_eq!(args("@c -i x").unwrap().file, Some("c".into()));
        assert_eq!(flags("read x --bpf udp"), [(K::FilterBpf, "udp".into())]);
    }

    #[test]
    fn wrong_ones_say_what_why_and_the_remedy() {
        for (line, want) in [
            (
                "--devcie=eth0",
                "--devcie: there is no such flag; did you mean --device? `mfnano config` lists all keys",
            ),
            ("-q", "-q: there is no such flag; `mfnano help` lists all flags"),
            ("--interval", "--interval: its value is missing; expected a whole number from 1 to 604800"),
            ("chek", "chek: there is no such command; did you mean `mfnano check`?"),
            ("x.pcap", "x.pcap: there is no such command; to read this file: mfnano read x.pcap"),
            ("my.conf", "my.conf: there is no such command; to run with this file: mfnano @my.conf"),
            ("run eth0", "eth0: not expected here; `mfnano help run` tells what it takes"),
            ("read", "read: a file is missing; for example: mfnano read trace.pcap"),
            ("check", "check: a file is missing; for example: mfnano check mfnano.conf"),
            ("@a @b", "@b: a second configuration file; name one"),
        ] {
            assert_eq!(args(line).unwrap_err().to_string(), want);
        }
        assert!(args("@").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn files_may_have_any_name_and_values_may_not() {
        use std::os::unix::ffi::OsStringExt;
        let odd = || OsString::from_vec(vec![b'a', 0xff]);
        let got = parse(["read".into(), odd()]).unwrap();
        assert_eq!(got.command, Command::Read(vec![odd().into()]));
        assert_eq!(parse(["-i".into(), odd()]).unwrap_err().why, "its value is not UTF-8");
        assert_eq!(parse([odd()]).unwrap_err().why, "there is no such command");
    }
}
