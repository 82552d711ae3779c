//! Help that teaches: made from the table of keys.

use crate::cli::COMMANDS;
use crate::config::Written;
use crate::config::keys::{Effect, Group, K, KEYS, Key, nearest};

/// How headings look: only a terminal gets colours.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With escape sequences.
    pub colours: bool,
}

impl Style {
    fn heading(self, text: &str) -> String {
        if self.colours { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

const INTRO: &str = "\
mfnano watches the packets of this host and tells, record by record, what went on:
each pair of ends with its delays and losses, each HTTP request, each DNS query.
";

const EXAMPLES: &str = "
  mfnano                               watch every interface, print what happens
  mfnano -i eth0 -o 10.0.0.0/8         one interface, only packets from or to these addresses
  mfnano -d graylog:12201              send records as GELF over UDP (host:port:tcp for TCP)
  mfnano @/etc/mfnano/mfnano.conf      run with a configuration file, as a service does
  mfnano check mfnano.conf             is the file right?
  mfnano read trace.pcapng --bpf 'port 80' --format ecs
";

/// The whole help.
#[must_use]
pub fn all(style: Style) -> String {
    let mut out = format!("{INTRO}\n{}\n  mfnano [COMMAND] [FLAGS] [@FILE]\n", style.heading("Usage"));
    out.push_str(&format!("\n{}{EXAMPLES}", style.heading("Examples")));
    out.push_str(&format!("\n{}\n", style.heading("Commands")));
    for (name, does) in COMMANDS {
        out.push_str(&format!("  {name:<9} {does}\n"));
    }
    out.push_str("\nEvery key of mfnano.conf is a flag, --key=value; a flag beats the file. `mfnano help KEY` tells more.\n");
    for group in Group::ALL {
        if group != Group::Accepted {
            out.push_str(&format!("\n{}\n", style.heading(group.title())));
            KEYS.iter().filter(|k| k.group == group).for_each(|key| out.push_str(&line(key)));
        }
    }
    out.push_str(&format!("\n{}\n", style.heading("Others")));
    out.push_str("  -k, --version          print the version\n  -h, --help             print this\n");
    out.push_str("  -r                     stay in front: always so, a service manager starts it\n");
    out.push_str("\nExit codes: 0 done, 1 wrong usage or configuration, 2 failed while running.\n");
    out
}

fn line(key: &Key) -> String {
    let short = key.short.map_or("    ".to_owned(), |s| format!("-{s}, "));
    let default = if key.default.is_empty() { String::new() } else { format!(" [{}]", key.default) };
    let not_yet = if key.effect == Effect::NotYet { " (not built yet)" } else { "" };
    format!("  {short}--{:<17} {}{default}{not_yet}\n", key.name, key.meaning)
}

/// Help on a command or key.
///
/// # Errors
/// When there is no such thing: what may have been meant.
pub fn topic(name: &str, style: Style) -> Result<String, String> {
    let plain = name.trim_start_matches('-');
    let mut chars = plain.chars();
    let short = match (chars.next(), chars.next()) {
        (Some(c), None) => K::by_short(c),
        _ => None,
    };
    if let Some(key) = K::by_name(plain).or(short) {
        return Ok(full(key.key(), style));
    }
    if let Some((name, does)) = COMMANDS.iter().find(|(c, _)| *c == plain) {
        return Ok(format!("{}\n  {does}\n\n{}", style.heading(&format!("mfnano {name}")), command(name)));
    }
    let known = COMMANDS.iter().map(|(c, _)| *c).chain(KEYS.iter().map(|k| k.name));
    Err(match nearest(plain, known) {
        Some(near) => format!("did you mean `mfnano help {near}`?"),
        None => "`mfnano help` lists the commands and keys".to_owned(),
    })
}

fn full(key: &Key, style: Style) -> String {
    let short = key.short.map_or(String::new(), |s| format!(", -{s}"));
    let mut out =
        format!("{}\n  {}\n", style.heading(&format!("{} (--{}{short})", key.name, key.name)), key.meaning);
    out.push_str(&format!("  value:   {}\n", key.form.expected()));
    let default = if key.default.is_empty() { "not set" } else { key.default };
    out.push_str(&format!("  default: {default}\n"));
    out.push_str(&format!(
        "  changes: {}\n",
        if key.reload { "while the probe runs" } else { "at the next start" }
    ));
    match key.effect {
        Effect::Full => {}
        Effect::None => out.push_str("  effect:  none, accepted so that files of the original load\n"),
        Effect::NotYet => out.push_str("  effect:  none yet, not built in this version\n"),
    }
    out
}

/// What a command takes, with examples.
fn command(name: &str) -> &'static str {
    match name {
        "run" => {
            "\
  mfnano run [FLAGS] [@FILE]

Needs root, or the capability CAP_NET_RAW. Without `exp-domain` and `json-path` records go to
standard output: a readable line each on a terminal, JSON otherwise. SIGHUP reads @FILE again;
a wrong file is refused whole and the configuration in force stays. SIGINT and SIGTERM end it:
what is under way is reported first.
"
        }
        "read" => {
            "\
  mfnano read FILE... [FLAGS]

Reads pcap and pcapng, plain or gzip; `-` is standard input. The same analysis as live, as fast as
it goes; the same file gives the same records. One JSON object a line.

  mfnano read a.pcap b.pcapng
  mfnano read a.pcap --bpf 'host 10.0.0.1' --auto-check=0 --l4-switch=off
"
        }
        "check" => {
            "\
  mfnano check FILE...

Every error with its line, the key, what was expected, and the nearest known key. Exit code 1 when
there is one. Nothing is started.
"
        }
        "config" => {
            "\
  mfnano config [FLAGS] [@FILE]

Each key with its meaning, default, the value in force, and where that came from.
"
        }
        "kpis" => "  mfnano kpis\n\nThe reference of all records: key, type, name in ECS, meaning.\n",
        "version" => "  mfnano version, mfnano -k\n",
        _ => "  mfnano help [COMMAND or KEY]\n",
    }
}

/// Every key with its meaning, default and value.
#[must_use]
pub fn config(written: &Written, style: Style) -> String {
    let mut out = String::new();
    for group in Group::ALL {
        out.push_str(&format!("{}\n", style.heading(group.title())));
        for key in KEYS.iter().filter(|k| k.group == group) {
            let (value, from) = written.display(key.id);
            let short = key.short.map_or(String::new(), |s| format!(" (-{s})"));
            let default = if key.default.is_empty() { "not set" } else { key.default };
            out.push_str(&format!("  {}{short}: {}\n", key.name, key.meaning));
            let effect = match key.effect {
                Effect::Full => "",
                Effect::None => "; without effect",
                Effect::NotYet => "; not built yet",
            };
            out.push_str(&format!("      value: {value}, from {from}; default: {default}{effect}\n"));
        }
        out.push('\n');
    }
    out
}

/// An example configuration file: every key, commented out, with its meaning.
#[must_use]
pub fn example() -> String {
    let mut out = String::from(
        "# mfnano.conf: key=value lines, # comments, an empty value means not set.\n\
         # Run with it: mfnano @mfnano.conf; check it: mfnano check mfnano.conf.\n\
         # Every key is commented out here with its default: take off the # to change it.\n",
    );
    for group in Group::ALL {
        if group == Group::Accepted {
            continue;
        }
        out.push_str(&format!("\n## {}\n", group.title()));
        for key in KEYS.iter().filter(|k| k.group == group) {
            let not_yet = if key.effect == Effect::NotYet { " (not built yet)" } else { "" };
            out.push_str(&format!("\n# {}{not_yet}\n", key.meaning));
            out.push_str(&format!("# value: {}\n#{}={}\n", key.form.expected(), key.name, key.default));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{File, load};

    const PLAIN: Style = Style { colours: false };

    #[test]
    fn the_help_names_every_key_that_has_a_use_and_stays_readable() {
        let help = all(PLAIN);
        for key in KEYS.iter().filter(|k| k.group != Group::Accepted) {
            assert!(help.contains(&format!("--{} ", key.name)), "{}", key.name);
        }
        assert!(help.lines().all(|l| l.chars().count() <= 140), "{:?}", help.lines().max_by_key(|l| l.len()));
        assert!(!help.contains('\x1b') && all(Style { colours: true }).contains("\x1b[1mUsage"));
    }

    #[test]
    fn topics() {
        assert!(topic("interval", PLAIN).unwrap().contains("a whole number from 1 to 604800"));
        assert!(topic("-i", PLAIN).unwrap().starts_with("device (--device, -i)"));
        assert!(topic("license", PLAIN).unwrap().contains("accepted so that"));
        for (name, _) in COMMANDS {
            assert!(topic(name, PLAIN).unwrap().contains("mfnano"));
        }
        assert_eq!(topic("devcie", PLAIN).unwrap_err(), "did you mean `mfnano help device`?");
    }

    /// `packaging/mfnano.conf` is this text. To renew it: UPDATE=1 cargo test -p mfnano example
    #[test]
    fn the_example_file_is_in_step_and_loads_with_every_line_taken_in() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/mfnano.conf");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, example()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), example(), "renew it, see above");
        let all: String = example()
            .lines()
            .map(|l| {
                l.strip_prefix('#').filter(|r| !r.starts_with([' ', '#'])).unwrap_or(l).to_owned() + "\n"
            })
            .collect();
        let set = load(Some(File { name: "example", bytes: all.as_bytes() }), &[]).unwrap();
        let none = load(None, &[]).unwrap();
        for key in KEYS.iter().filter(|k| k.group != Group::Accepted) {
            assert!(set.written.entry(key.id).is_some(), "{}", key.name);
            assert_eq!(set.written.effective(key.id), none.written.effective(key.id));
        }
    }

    #[test]
    fn config_tells_value_and_origin() {
        let s = load(Some(File { name: "c", bytes: b"interval=7\ntoken=secret" }), &[]).unwrap();
        let text = config(&s.written, PLAIN);
        assert!(text.contains("value: 7, from c:1; default: 10\n"));
        assert!(text.contains("value: (set, not shown), from c:2; default: not set; not built yet"));
        assert!(!text.contains("secret\n") && !text.contains("value: secret"));
    }
}
