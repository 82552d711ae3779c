//! The table of keys: every key of `mfnano.conf`, which is also every long flag.
//!
//! One row says everything there is to say of a key: its names, what its value looks like, its
//! default, what it means, whether it can change while the probe runs, whether it does anything yet.
//! The file reader, the flags, the help, `mfnano config`, `mfnano check` and the example
//! configuration are made from it.

use super::form::{self, Form};

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The original probe has it: its files load unchanged.
    Original,
    /// Ours.
    Ours,
}

/// What a key does in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its meaning says.
    Full,
    /// Nothing, and never will: accepted so that files of the original load.
    None,
    /// Nothing yet: accepted with a warning.
    NotYet,
}

/// What a key is for: the sections of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Which packets are looked at.
    Capture,
    /// What is reported of them.
    Report,
    /// Where records go, and in which form.
    Send,
    /// Raw packets: kept, forwarded, replayed.
    Packets,
    /// CPU and memory.
    Limits,
    /// Who the probe says it is.
    Identity,
    /// How it is managed.
    Manage,
    /// Accepted, without effect.
    Accepted,
}

impl Group {
    /// All, in the order of the help.
    pub const ALL: [Group; 8] = [
        Group::Capture,
        Group::Report,
        Group::Send,
        Group::Packets,
        Group::Limits,
        Group::Identity,
        Group::Manage,
        Group::Accepted,
    ];

    /// Its title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Group::Capture => "Which packets",
            Group::Report => "What is reported",
            Group::Send => "Where records go, and how",
            Group::Packets => "Raw packets",
            Group::Limits => "Limits",
            Group::Identity => "Who the probe says it is",
            Group::Manage => "Running and management",
            Group::Accepted => "Accepted from files of the original, without effect",
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Which.
    pub id: K,
    /// Its name in the file, and of the long flag.
    pub name: &'static str,
    /// Its short flag.
    pub short: Option<char>,
    /// What it is for.
    pub group: Group,
    /// Whose it is.
    pub origin: Origin,
    /// What it does in this version.
    pub effect: Effect,
    /// Can it change while the probe runs?
    pub reload: bool,
    /// What its value looks like.
    pub form: Form,
    /// The value when it is not given; empty for none.
    pub default: &'static str,
    /// The value that an empty one stands for; without one it stands for the default.
    pub empty: Option<&'static str>,
    /// What it means, in a line.
    pub meaning: &'static str,
}

macro_rules! keys {
    ($($id:ident $name:literal $short:expr, $origin:ident $effect:ident $group:ident $change:ident,
        $form:expr, $default:literal $(empty $empty:literal)?, $meaning:literal;)*) => {
        /// The keys by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum K { $(#[doc = $meaning] $id,)* }

        /// How many.
        pub const COUNT: usize = [$(K::$id),*].len();

        /// All keys, by what they are for.
        pub static KEYS: [Key; COUNT] = [$(Key {
            id: K::$id, name: $name, short: $short, origin: Origin::$origin, effect: Effect::$effect,
            group: Group::$group, reload: keys!(@ $change), form: $form, default: $default,
            empty: keys!(@empty $($empty)?), meaning: $meaning,
        },)*];
    };
    (@ live) => { true };
    (@ start) => { false };
    (@empty) => { None };
    (@empty $word:literal) => { Some($word) };
}

keys! {
    Device "device" Some('i'), Original Full Capture start, form::DEVICES, "any",
        "interfaces to listen on: `any` for all, a comma list, `!name` leaves one out";
    FilterBpf "filter-bpf" Some('g'), Original Full Capture start, form::BPF, "",
        "capture filter in pcap-filter(7) syntax; the kernel drops the rest at little cost";
    FilterNet "filter-net" Some('o'), Original Full Capture live, form::NETS, "",
        "keep only packets with an end in this list";
    Drop "drop" Some('v'), Original Full Capture live, form::NETS, "",
        "leave out packets with an end in this list";
    Background "background" None, Ours Full Capture live, form::SWITCH, "0",
        "1 reports broadcast and multicast too (mDNS and LLMNR are such); files are always read whole";
    MaxLength "max-length" Some('b'), Original Full Capture start, Form::Number(64, 262_144), "",
        "cut packets at this many bytes; not set: whole packets";
    Decap "decap" None, Ours Full Capture live, Form::Words(&["all", "none"]), "all",
        "look inside VXLAN, GRE, Geneve and other tunnels, or report the tunnels themselves";
    Workers "workers" None, Ours Full Capture start, Form::Number(1, 64), "1",
        "threads that capture and analyse; flows are spread over them";
    Ring "ring" None, Ours Full Capture start, Form::Number(1, 1024), "16",
        "MB of the buffer between kernel and probe, for each worker";

    AutoCheck "auto-check" Some('c'), Original Full Report live, Form::Words(&["0", "1", "off"]), "1" empty "off",
        "application records: 1 with bodies, 0 of HTTP only headers, off (or empty) none";
    L4Switch "l4-switch" Some('w'), Original Full Report live, Form::Words(&["net", "tcp", "udp", "off"]), "net" empty "off",
        "flow records: net for TCP, UDP and ICMP, tcp, udp, off (or empty) none";
    Interval "interval" None, Original Full Report start, Form::Number(1, 604_800), "10",
        "seconds between flow records of a pair, and between host records";
    IgnoreL7 "ignorel7" Some('8'), Original Full Report live, form::PROTOCOLS, "",
        "protocols not to report, a comma list; the flag may repeat";
    JsonSample "jsonsample" Some('e'), Original Full Report live, Form::Number(1, 1_000_000), "1",
        "keep 1 of N application sessions";
    BodyLen "bodylen" Some('3'), Original Full Report live, Form::Number(0, 1_048_576), "1024",
        "cut header and body fields at this many bytes";
    Base64 "base64" None, Original Full Report live, Form::Present, "",
        "any value: binary bodies are reported, in base64";
    Proto "proto" Some('t'), Original Full Report live, form::PROTOCOL, "",
        "protocol that the ends in `source` speak, without guessing";
    Source "source" Some('s'), Original Full Report live, form::NETS, "",
        "ends that speak the protocol in `proto`";
    ProcList "proclist" None, Original Full Report live, form::PROC_LIST, "",
        "processes in host records: names, or N for the N busiest; not set: no host records";
    Redact "redact" None, Ours Full Report live, form::REDACT, "authorization,password",
        "secrets replaced by stars: authorization, cookie, password, card, key:NAME, or none";
    FlowDetail "flow-detail" None, Ours Full Report live, form::SWITCH, "0",
        "1: every delay of a flow record also with its largest value and its count";

    ExpDomain "exp-domain" Some('d'), Original Full Send start, form::DESTINATIONS, "",
        "where GELF goes: host:port (UDP) or host:port:tcp, a comma list";
    JsonPath "json-path" Some('j'), Original Full Send start, Form::Text("a directory"), "",
        "directory of JSON files, written in a cycle";
    JsonSize "json-size" Some('y'), Original Full Send start, Form::Hundreds(100, 100_000_000), "1000",
        "MB that the JSON files may take; the oldest goes first";
    Format "format" None, Ours Full Send start, form::FORMAT, "nano",
        "nano (the original's, all values strings), gelf (strict 1.1) or ecs (Elastic)";
    Numbers "numbers" None, Ours Full Send start, form::SWITCH, "0",
        "1: numbers are JSON numbers in nano too";
    Compress "compress" None, Original Full Send start, form::SWITCH, "0",
        "1: what is sent over UDP is compressed";
    Chunk "chunk" None, Ours Full Send start, form::CHUNK, "1420",
        "bytes of a datagram, longer records go in chunks; off: one datagram a record";
    Encrypt "encrypt" Some('6'), Original NotYet Send start, Form::Secret, "",
        "key with which what is sent is encrypted";

    PcapPath "pcap-path" Some('l'), Original NotYet Packets start, Form::Text("a directory"), "",
        "directory of PCAP files, written in a cycle";
    PcapSize "pcap-size" Some('z'), Original NotYet Packets start, Form::Hundreds(100, 100_000_000), "1000",
        "MB that the PCAP files may take; the oldest goes first";
    PcapFileSize "pcap-file-size" None, Original NotYet Packets start, Form::Number(1, 100_000), "50",
        "MB of one PCAP file";
    Forward "forward" Some('x'), Original NotYet Packets start, Form::Text("an address, or vxlan: and an address"), "",
        "send raw packets to this address over GRE; `vxlan:` before it: over VXLAN";
    ForwardIp "forward-ip" Some('9'), Original NotYet Packets start, form::NETS, "",
        "forward only packets with an end in this list";
    Play "play" Some('f'), Original NotYet Packets start, Form::Text("a file or directory"), "",
        "PCAP files to replay to `forward`";

    CpuLimit "cpu-limit" None, Ours Full Limits live, Form::Number(0, 6400), "20",
        "percent of one CPU that the probe may use, 0 for no limit; above it it samples, and says so";
    MemLimit "mem-limit" None, Ours Full Limits start, Form::Number(16, 1_048_576), "110",
        "MB that the probe may use";

    ProbeId "probe-id" Some('1'), Original Full Identity start, Form::Text("a word"), "",
        "id of the probe; not set: made from MAC address and host name";
    HostAddress "host-address" Some('7'), Original Full Identity start, Form::Text("an address"), "",
        "address of the probe; not set: the first that is not loopback";
    SysVersion "sys-version" Some('2'), Original Full Identity start, Form::Text("a word"), "",
        "version that records carry; not set: that of the program";

    User "user" None, Ours Full Manage start, Form::Text("the name of a user"), "",
        "user to become once the interfaces are open";
    Log "log" None, Ours Full Manage live, Form::Words(&["error", "warn", "info", "debug"]), "info",
        "how much the probe says of itself on stderr";
    Graylog "graylog" Some('n'), Original NotYet Manage start, Form::Text("host:port"), "",
        "Graylog (or collector) that manages the probe through the Sidecar protocol";
    Token "token" Some('a'), Original NotYet Manage start, Form::Secret, "",
        "token for `graylog`";
    ConfigUrl "config-url" None, Ours NotYet Manage start, Form::Text("a URL"), "",
        "configuration fetched from here every minute";
    ConfigCommand "config-command" None, Ours NotYet Manage start, Form::Text("a command"), "",
        "configuration printed by this command every minute";
    Status "status" None, Ours NotYet Manage start, Form::Text("a path"), "",
        "unix socket on which the probe tells its state";
    TlsPlaintext "tls-plaintext" None, Ours NotYet Manage start, Form::Text("a list of programs"), "",
        "read TLS of these programs before it is encrypted";
    Policy "policy" None, Ours NotYet Manage start, Form::Text("a file"), "",
        "rules for who may talk with whom";

    License "license" None, Original None Accepted live, Form::Secret, "", "licence key";
    Bytecode "bytecode" None, Original None Accepted live, Form::Any, "", "scripts of the original";
    Dolphin "dolphin" None, Original None Accepted live, Form::Any, "", "service of the original";
    Username "username" None, Original None Accepted live, Form::Any, "", "account at a service of the original";
    Password "password" None, Original None Accepted live, Form::Secret, "", "its password";
    ExpPort "exp-port" None, Original None Accepted live, Form::Any, "", "port of older versions; see exp-domain";
    RunMode "run-mode" None, Original None Accepted live, Form::Any, "", "the probe always stays in front";
}

impl K {
    /// Its row of the table.
    #[must_use]
    pub fn key(self) -> &'static Key {
        let [first, ..] = &KEYS;
        KEYS.get(self as usize).unwrap_or(first)
    }

    /// The key of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<K> {
        KEYS.iter().find(|k| k.name == name).map(|k| k.id)
    }

    /// The key of that short flag.
    #[must_use]
    pub fn by_short(short: char) -> Option<K> {
        KEYS.iter().find(|k| k.short == Some(short)).map(|k| k.id)
    }
}

/// The candidate with the smallest edit distance, when it is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are typed by no one, and the reckoning is quadratic.
    const LONGEST: usize = 48;
    let word: Vec<char> = word.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    let most = (word.len() / 3).max(2);
    candidates
        .into_iter()
        .map(|c| (distance(&word, c), c))
        .filter(|(d, c)| *d <= most && *d < c.len())
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Levenshtein distance with one row; `_` is as good as `-`.
fn distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, cb) in b.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, ca) in cells.zip(a) {
            let same = *ca == cb || (*ca == '_' && cb == '-');
            let best = (diagonal + usize::from(!same)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_short_flags_are_unique_and_defaults_are_valid() {
        let mut names = BTreeSet::new();
        let mut shorts = BTreeSet::from(['k', 'h', 'r', 'V']);
        for key in &KEYS {
            assert!(names.insert(key.name), "{}", key.name);
            assert!(key.short.is_none_or(|s| shorts.insert(s)), "{}", key.name);
            assert_eq!(K::by_name(key.name), Some(key.id));
            assert!(std::ptr::eq(key.id.key(), key));
            for value in [Some(key.default), key.empty].into_iter().flatten().filter(|v| !v.is_empty()) {
                assert_eq!(key.form.check(value), Ok(()), "{}={value}", key.name);
            }
            assert!(!key.meaning.ends_with('.') && key.meaning.len() < 100, "{}", key.meaning);
        }
    }

    #[test]
    fn the_nearest_name_is_found_and_nothing_far_is_offered() {
        let near = |w: &str| nearest(w, KEYS.iter().map(|k| k.name));
        assert_eq!(near("devcie"), Some("device"));
        assert_eq!(near("filter_net"), Some("filter-net"));
        assert_eq!(near("Interval"), Some("interval"));
        assert_eq!(near("json-pth"), Some("json-path"));
        assert_eq!(near("xyzzyxyzzy"), None);
        let long = "é".repeat(10_000);
        assert_eq!(near(&long), None);
        assert_eq!(near(""), None);
        let a: Vec<char> = "kitten".chars().collect();
        assert_eq!(distance(&a, "sitting"), 3);
    }
}
