//! Rules of the house that no compiler holds: who may use whom, where `unsafe` is, how long a file
//! gets, what each capture and fuzz entry needs beside it. What is wrong is told with its file and line.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The crates without clock, socket, file and thread.
const CORE: [&str; 6] = ["base", "record", "decode", "flow", "proto", "engine"];
/// The crates that may speak to the system.
const EDGE: [&str; 3] = ["capture", "export", "probe"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All files beneath a folder; what was built or fuzzed is left out.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut out = Vec::new();
    for path in entries.map(|e| e.expect("an entry").path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // In a worktree `.git` is a file that names a path.
        let left_out = name == ".git" || path.is_symlink();
        if left_out || name.starts_with("target") && path.is_dir() && !path.ends_with("fuzz/targets") {
            continue;
        }
        match path.is_dir() {
            true if matches!(&*name, "corpus" | "artifacts" | "node_modules") => {}
            true => out.extend(walk(&path)),
            false => out.push(path),
        }
    }
    out.sort();
    out
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// A source file of a crate.
struct Source {
    name: String,
    krate: String,
    text: String,
    /// Holds nothing but tests, examples or benches.
    is_test: bool,
}

impl Source {
    /// Lines before the tests, with their numbers; comments left out when not wanted.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test { 0 } else { usize::MAX };
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|w| w[0] == "#[cfg(test)]" && w[1].starts_with("mod tests"));
        // What follows `mod tests;` elsewhere is code again; a module in place goes to the end.
        let inline = tests.filter(|at| lines[at + 1].ends_with('{'));
        lines.into_iter().take(inline.unwrap_or(usize::MAX).min(end)).enumerate().map(|(i, l)| (i + 1, l))
    }

    /// The same without lines that are comments.
    fn statements(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(_, l)| !l.trim_start().starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let crates = root().join("crates");
    let rust = walk(&crates).into_iter().filter(|p| p.extension().is_some_and(|e| e == "rs"));
    let out: Vec<Source> = rust
        .map(|path| {
            let inside = path.strip_prefix(&crates).expect("beneath it").to_path_buf();
            let parts: Vec<String> = inside.iter().map(|p| p.to_string_lossy().into_owned()).collect();
            let is_test = parts[1..]
                .iter()
                .any(|p| matches!(p.as_str(), "tests" | "tests.rs" | "testing.rs" | "benches" | "examples"))
                || parts[0] == "testkit";
            Source { name: name(&path), krate: parts[0].clone(), text: read(&path), is_test }
        })
        .collect();
    assert!(out.len() > 50, "the crates were not found");
    out
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Which crates of the workspace may be used by whom: the table of ARCHITECTURE.md.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in read(&root().join("ARCHITECTURE.md")).lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, room, _, uses, _] = cells[..] else { continue };
        let Some(room) = room.strip_prefix('`').and_then(|r| r.strip_suffix('`')) else { continue };
        let before = || out.keys().cloned().collect();
        let uses = match uses {
            "nothing" => BTreeSet::new(),
            "all of the above" | "anything" => before(),
            list => list.split_whitespace().map(str::to_owned).collect(),
        };
        out.insert(room.to_owned(), uses);
    }
    assert!(CORE.iter().chain(&EDGE).all(|c| out.contains_key(*c)), "no table of crates in ARCHITECTURE.md");
    out
}

#[test]
fn crates_use_only_those_that_they_may() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("crates") {
        let folder = entry.expect("an entry").path();
        if !folder.is_dir() {
            continue;
        }
        let krate = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(may) = allowed.get(&krate) else {
            wrong.push(format!("crates/{krate}: not in the table of ARCHITECTURE.md"));
            continue;
        };
        let manifest = read(&folder.join("Cargo.toml"));
        let mut section = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let used = line.split(['=', '.', ' ']).next().unwrap_or_default();
            // Tests may use anything.
            if section.contains("dependencies")
                && !section.contains("dev-")
                && allowed.contains_key(used)
                && !may.contains(used)
            {
                wrong.push(format!("crates/{krate}/Cargo.toml: may not use {used}"));
            }
        }
    }
    none(&wrong);
}

/// From outside come only these: each costs size, and is somebody else's code that runs as root.
#[test]
fn dependencies_from_outside_are_few_and_in_their_place() {
    const OUTSIDE: &[(&str, &[&str])] = &[
        ("libc", &["capture", "export", "probe"]),
        ("miniz_oxide", &["capture", "export", "proto"]),
        ("ruzstd", &["proto"]),
    ];
    let (ours, mut wrong) = (allowed(), Vec::new());
    for krate in ours.keys() {
        let manifest = read(&root().join("crates").join(krate).join("Cargo.toml"));
        let mut section = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section.contains("dependencies") && !section.contains("dev-") && line.contains('=') {
                let used = line.split(['=', '.', ' ']).next().unwrap_or_default();
                let fits = |(name, users): &(&str, &[&str])| *name == used && users.contains(&krate.as_str());
                if !used.starts_with('#') && !ours.contains_key(used) && !OUTSIDE.iter().any(fits) {
                    wrong.push(format!(
                        "crates/{krate}/Cargo.toml: {used} is not among the dependencies of that crate"
                    ));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn files_stay_short() {
    const MOST: usize = 600;
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|s| !s.is_test)
        .map(|s| (s, s.code().count()))
        .filter(|(_, n)| *n > MOST)
        .map(|(s, n)| format!("{}: {n} lines without its tests: more than {MOST}", s.name))
        .collect();
    none(&wrong);
}

#[test]
fn each_file_begins_with_what_it_is() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|s| !s.is_test && !s.text.starts_with("//!"))
        .map(|s| format!("{}: begins without //!", s.name))
        .collect();
    none(&wrong);
}

#[test]
fn unsafe_is_in_sys_files_of_the_edge_only_and_says_why() {
    let mut wrong = Vec::new();
    for s in &sources() {
        let may = EDGE.contains(&s.krate.as_str()) && (s.name.ends_with("/sys.rs") || s.is_test);
        let lines: Vec<&str> = s.text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is = ["{", "fn", "impl", "extern"].iter().any(|w| code.contains(&["unsafe", w].join(" ")));
            if is && !may {
                wrong.push(format!("{}:{}: unsafe", s.name, i + 1));
            }
            let near = &lines[i.saturating_sub(8)..=i];
            if is && may && !near.iter().any(|l| l.contains("SAFETY") || l.contains("# Safety")) {
                wrong.push(format!("{}:{}: unsafe without its SAFETY line", s.name, i + 1));
            }
        }
        let forbids = s.text.contains("#![forbid(unsafe_code)]");
        if CORE.contains(&s.krate.as_str()) && s.name.ends_with("src/lib.rs") && !forbids {
            wrong.push(format!("{}: does not forbid unsafe code", s.name));
        }
    }
    none(&wrong);
}

#[test]
fn the_core_has_no_clock_socket_file_or_thread() {
    const BANNED: &[&str] = &[
        "std::time::Instant",
        "std::time::SystemTime",
        "time::{Instant",
        "Instant::now",
        "SystemTime",
        "std::thread",
        "net::Tcp",
        "net::Udp",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::fs",
        "std::env::",
        "std::process",
        "std::io::std",
        "println!",
        "eprintln!",
    ];
    let mut wrong = Vec::new();
    for s in sources().iter().filter(|s| CORE.contains(&s.krate.as_str())) {
        for (n, line) in s.statements() {
            for word in BANNED.iter().filter(|w| line.contains(**w)) {
                wrong.push(format!("{}:{n}: {word}", s.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_capture_has_its_note_its_records_and_little_weight() {
    const MOST: u64 = 64 * 1024;
    // `make demo` shows it: long enough to see something.
    const DEMO: u64 = 256 * 1024;
    let testdata = root().join("testdata");
    let cases = testkit::golden::cases(&testdata);
    assert!(!cases.is_empty(), "no captures");
    let mut wrong = Vec::new();
    for case in &cases {
        for file in ["in.pcap", "records.jsonl", "NOTE.md"] {
            match std::fs::metadata(case.join(file)) {
                Err(e) => wrong.push(format!("{}/{file}: {e}", name(case))),
                Ok(m) if m.len() == 0 => wrong.push(format!("{}/{file}: empty", name(case))),
                Ok(m) if file == "in.pcap" => {
                    let most = if case.starts_with(testdata.join("demo")) { DEMO } else { MOST };
                    if m.len() > most {
                        wrong.push(format!("{}/{file}: {} bytes, more than {most}", name(case), m.len()));
                    }
                }
                Ok(_) => {}
            }
        }
    }
    none(&wrong);
}

/// `fuzz_x` in a crate, `fuzz/targets/x.rs` for it, and the other way round.
#[test]
fn every_fuzz_entry_has_a_target() {
    let targets: BTreeMap<String, String> = walk(&root().join("fuzz/targets"))
        .into_iter()
        .map(|p| (p.file_stem().unwrap_or_default().to_string_lossy().into_owned(), read(&p)))
        .collect();
    let manifest = read(&root().join("fuzz/Cargo.toml"));
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for s in sources().iter().filter(|s| !s.is_test) {
        for (n, line) in s.statements() {
            let Some(rest) = line.trim_start().strip_prefix("pub fn fuzz_") else { continue };
            let entry: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !targets.get(&entry).is_some_and(|t| t.contains(&format!("fuzz_{entry}"))) {
                wrong.push(format!("{}:{n}: fuzz_{entry} has no fuzz/targets/{entry}.rs", s.name));
            } else if !manifest.contains(&format!("targets/{entry}.rs")) {
                wrong.push(format!("fuzz/Cargo.toml: does not build targets/{entry}.rs"));
            }
            known.insert(entry);
        }
    }
    wrong.extend(
        targets.keys().filter(|t| !known.contains(*t)).map(|t| format!("fuzz/targets/{t}.rs: no fuzz_{t}")),
    );
    none(&wrong);
}

/// Every room of the registry has its folder or file, its tests and its fuzz entry.
#[test]
fn every_protocol_has_its_room() {
    let table = read(&root().join("crates/proto/src/table.rs"));
    let rows: Vec<&str> = table
        .lines()
        .skip_while(|l| !l.starts_with("protocols! {"))
        .take_while(|l| !l.starts_with('}'))
        .filter_map(|l| {
            l.strip_prefix("    ")?.split_once(" = ")?.1.split_once(" { name:").map(|(room, _)| room)
        })
        .collect();
    assert!(rows.len() >= 2, "no rows in table.rs");
    let mut wrong = Vec::new();
    for room in rows {
        let folder = root().join("crates/proto/src").join(room);
        let files = if folder.is_dir() { walk(&folder) } else { vec![folder.with_extension("rs")] };
        let text: String = files.iter().map(|f| read(f)).collect();
        if !text.contains("#[test]") {
            wrong.push(format!("proto::{room}: has no tests"));
        }
        // A protocol that is another one on other ports has its parser, and its fuzz entry.
        if folder.is_dir() && !text.contains(&format!("fn fuzz_{room}(")) {
            wrong.push(format!("proto::{room}: has no fuzz_{room}"));
        }
    }
    none(&wrong);
}

#[test]
fn nothing_names_a_place_on_somebodys_machine() {
    let places: Vec<String> = ["work", "root", "home/user"].iter().map(|p| format!("/{p}/")).collect();
    let mut wrong = Vec::new();
    for path in walk(&root()) {
        let is_text = path
            .extension()
            .is_none_or(|e| !matches!(e.to_str(), Some("pcap" | "pcapng" | "bin" | "jsonl" | "gz")));
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if !is_text || path.ends_with("tests/tidy.rs") {
            continue;
        }
        for (i, line) in text.lines().enumerate() {
            // A path, not the end of a longer one.
            for place in &places {
                let found = line.match_indices(place.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|c| {
                        !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '}' | '$' | '*')
                    })
                });
                if found {
                    wrong.push(format!(
                        "{}:{}: {}",
                        name(&path),
                        i + 1,
                        line.trim().chars().take(100).collect::<String>()
                    ));
                }
            }
        }
    }
    none(&wrong);
}

/// Each step of "Adding ..." in CONTRIBUTING.md names what holds it.
#[test]
fn contributing_says_who_checks_each_step() {
    let text = read(&root().join("CONTRIBUTING.md"));
    for list in ["Adding a protocol", "Adding a field", "Adding a sink"] {
        let (_, rest) =
            text.split_once(&format!("## {list}\n")).unwrap_or_else(|| panic!("no list \"{list}\""));
        let body = rest.split("\n## ").next().unwrap_or_default();
        let mut steps: Vec<String> = Vec::new();
        for line in body.lines() {
            let is_step = line.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
            match steps.last_mut() {
                _ if is_step => steps.push(line.to_owned()),
                Some(last) if line.starts_with("   ") => last.push_str(line),
                _ => {}
            }
        }
        assert!(steps.len() >= 3, "{list}: too few steps");
        let unchecked: Vec<String> = steps.into_iter().filter(|s| !s.contains("Held by")).collect();
        none(&unchecked);
    }
}
