//! Expected records: `testdata/<protocol>/<case>/{in.pcap, records.jsonl, NOTE.md}`.
//!
//! ```text
//! #[test]
//! fn captures_give_the_expected_records() {
//!     golden::check(Path::new("../../testdata"), &["PROBE_VER", "host"], |pcap| records_of(pcap));
//! }
//! ```
//!
//! `UPDATE=1 cargo test` writes what is told now as what is expected: to be reviewed in the diff.
//! `ONLY=dns/` looks only at cases whose `protocol/case` has this in it.
//! NOTE.md says where the capture is from and what it shows; a case without one fails.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The cases under `root`, in the order of their names.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn cases(root: &Path) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = folders(root)
        .iter()
        .flat_map(|protocol| folders(protocol))
        .filter(|case| ["in.pcap", "records.jsonl", "NOTE.md"].iter().any(|f| case.join(f).exists()))
        .collect();
    out.sort();
    out
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    entries.map(|e| e.expect("an entry").path()).filter(|p| p.is_dir()).collect()
}

/// Holds the records of every case against the expected ones, without the keys in `volatile`.
/// Returns how many cases there are.
///
/// # Panics
/// With a readable difference when a case is not as expected, or has no note.
pub fn check(root: &Path, volatile: &[&str], records: impl FnMut(&Path) -> Vec<String>) -> usize {
    let update = std::env::var("UPDATE").is_ok_and(|v| v == "1");
    let only = std::env::var("ONLY").unwrap_or_default();
    match run(root, volatile, update, &only, records) {
        Ok(n) => n,
        Err(report) => panic!("{report}\nUPDATE=1 takes this as what is expected"),
    }
}

/// [`check`] without a panic or a look at the environment.
///
/// # Errors
/// The differences of all cases that are not as expected.
pub fn run(
    root: &Path,
    volatile: &[&str],
    update: bool,
    only: &str,
    mut records: impl FnMut(&Path) -> Vec<String>,
) -> Result<usize, String> {
    let (cases, mut report) = (cases(root), String::new());
    for case in &cases {
        let name = case.strip_prefix(root).unwrap_or(case).display().to_string();
        if !name.contains(only) {
            continue;
        }
        for file in ["in.pcap", "NOTE.md"] {
            if !case.join(file).is_file() {
                let _ = writeln!(report, "{name}: there is no {file}");
            }
        }
        let pcap = case.join("in.pcap");
        if !pcap.is_file() {
            continue;
        }
        let got: Vec<String> = records(&pcap).iter().map(|l| without(l, volatile)).collect();
        let file = case.join("records.jsonl");
        if update {
            let text = got.iter().map(|l| format!("{l}\n")).collect::<String>();
            std::fs::write(&file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            continue;
        }
        let want = std::fs::read_to_string(&file).unwrap_or_default();
        let want: Vec<String> = want.lines().map(|l| without(l, volatile)).collect();
        if got != want {
            let _ = write!(
                report,
                "{name}: {} records expected, {} told\n{}",
                want.len(),
                got.len(),
                difference(&want, &got)
            );
        }
    }
    if report.is_empty() { Ok(cases.len()) } else { Err(report) }
}

/// The members of a JSON object on one line: key and value, both as written.
///
/// # Panics
/// When the line is no JSON object.
#[must_use]
pub fn members(line: &str) -> Vec<(&str, &str)> {
    let inner = line.trim().strip_prefix('{').and_then(|l| l.strip_suffix('}'));
    let mut rest = inner.unwrap_or_else(|| panic!("no JSON object: {line}")).trim();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let key = value(rest);
        let after = rest[key.len()..].trim_start().strip_prefix(':');
        let after = after.unwrap_or_else(|| panic!("no value of {key}: {line}")).trim_start();
        let v = value(after);
        assert!(!v.is_empty(), "no value of {key}: {line}");
        out.push((key.trim_matches('"'), v));
        rest = after[v.len()..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    out
}

/// One JSON value at the beginning of `s`, as written.
fn value(s: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (i, c) in s.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' if depth > 0 => depth -= 1,
            ',' | ':' if depth == 0 => return s[..i].trim_end(),
            _ => {}
        }
    }
    s.trim_end()
}

/// The record without some keys.
fn without(line: &str, volatile: &[&str]) -> String {
    let kept = members(line).into_iter().filter(|(k, _)| !volatile.contains(k));
    format!("{{{}}}", kept.map(|(k, v)| format!("\"{k}\":{v}")).collect::<Vec<_>>().join(","))
}

/// What differs, record by record; records that are on both sides in order are left out.
#[must_use]
pub fn difference(want: &[String], got: &[String]) -> String {
    /// Above this many lines a difference tells nobody more.
    const MOST: usize = 60;
    let mut out = String::new();
    let mut lines = 0;
    let mut say = |line: String| {
        if lines < MOST {
            out.push_str(&line);
            out.push('\n');
        }
        lines += 1;
    };
    let kept = common(want, got);
    let (mut w, mut g) = (0, 0);
    for (kw, kg) in kept.into_iter().chain([(want.len(), got.len())]) {
        // What lies between two common records is told in pairs, by key.
        while w < kw || g < kg {
            match (w < kw, g < kg) {
                (true, true) => {
                    say(format!("  record {}:", g + 1));
                    pair(&want[w], &got[g], &mut say);
                    (w, g) = (w + 1, g + 1);
                }
                (true, false) => {
                    say(format!("  missing: {}", want[w]));
                    w += 1;
                }
                _ => {
                    say(format!("  not expected, record {}: {}", g + 1, got[g]));
                    g += 1;
                }
            }
        }
        (w, g) = (kw + 1, kg + 1);
    }
    if lines > MOST {
        let _ = writeln!(out, "  ... and {} lines more", lines - MOST);
    }
    out
}

/// The keys in which two records differ.
fn pair(want: &str, got: &str, say: &mut impl FnMut(String)) {
    let (want, got) = (members(want), members(got));
    let of = |m: &[(&str, &str)], key: &str| m.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned());
    let mut any = false;
    for (k, v) in &want {
        match of(&got, k) {
            Some(other) if other == *v => continue,
            Some(other) => say(format!("    {k}: expected {v}, told {other}")),
            None => say(format!("    {k}: expected {v}, not told")),
        }
        any = true;
    }
    for (k, v) in &got {
        if of(&want, k).is_none() {
            say(format!("    {k}: not expected, told {v}"));
            any = true;
        }
    }
    if !any {
        say("    the same keys in another order".to_owned());
    }
}

/// The longest list of records that are on both sides in order.
fn common(want: &[String], got: &[String]) -> Vec<(usize, usize)> {
    /// Longer lists are only compared from both ends: the table would be too large.
    const TABLE: usize = 4_000_000;
    let head = want.iter().zip(got).take_while(|(a, b)| a == b).count();
    let (w, g) = (&want[head..], &got[head..]);
    let tail = w.iter().rev().zip(g.iter().rev()).take_while(|(a, b)| a == b).count();
    let (w, g) = (&w[..w.len() - tail], &g[..g.len() - tail]);
    let mut out: Vec<(usize, usize)> = (0..head).map(|i| (i, i)).collect();
    if w.len() * g.len() <= TABLE {
        let width = g.len() + 1;
        let mut best = vec![0u32; (w.len() + 1) * width];
        for i in (0..w.len()).rev() {
            for j in (0..g.len()).rev() {
                let at = i * width + j;
                best[at] =
                    if w[i] == g[j] { best[at + width + 1] + 1 } else { best[at + width].max(best[at + 1]) };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < w.len() && j < g.len() {
            let at = i * width + j;
            if w[i] == g[j] {
                out.push((head + i, head + j));
                (i, j) = (i + 1, j + 1);
            } else if best[at + width] >= best[at + 1] {
                i += 1;
            } else {
                j += 1;
            }
        }
    }
    out.extend((0..tail).map(|i| (want.len() - tail + i, got.len() - tail + i)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(l: &[&str]) -> Vec<String> {
        l.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn members_are_read_whatever_is_in_them() {
        let line = r#"{"a":"x,\"}:{", "b" : -1.5,"c":{"d":[1,2,{"e":"]"}]},"f":null}"#;
        assert_eq!(
            members(line),
            [("a", r#""x,\"}:{""#), ("b", "-1.5"), ("c", r#"{"d":[1,2,{"e":"]"}]}"#), ("f", "null")]
        );
        assert_eq!(without(line, &["a", "c"]), r#"{"b":-1.5,"f":null}"#);
        assert_eq!(without("{}", &[]), "{}");
    }

    #[test]
    fn differences_are_told_by_record_and_key() {
        let want = lines(&[r#"{"a":1}"#, r#"{"a":2,"b":"x"}"#, r#"{"a":3}"#, r#"{"a":4}"#]);
        let got = lines(&[r#"{"a":1}"#, r#"{"a":2,"b":"y","c":0}"#, r#"{"a":3}"#]);
        let text = difference(&want, &got);
        assert_eq!(
            text,
            "  record 2:\n    b: expected \"x\", told \"y\"\n    c: not expected, told 0\n  missing: {\"a\":4}\n"
        );
        assert_eq!(difference(&want, &want), "");
        assert_eq!(difference(&[], &lines(&["{}"])), "  not expected, record 1: {}\n");
    }

    #[test]
    fn cases_are_held_against_their_files_and_updated_on_demand() {
        let root = std::env::temp_dir().join(format!("golden-{}", std::process::id()));
        let case = root.join("dns/one");
        std::fs::create_dir_all(&case).unwrap();
        std::fs::write(case.join("in.pcap"), b"x").unwrap();
        let told = |_: &Path| lines(&[r#"{"T":5,"DOMAIN":"a"}"#]);
        let first = run(&root, &["T"], false, "", told).unwrap_err();
        assert!(first.contains("there is no NOTE.md") && first.contains("not expected, record 1"), "{first}");
        std::fs::write(case.join("NOTE.md"), "made here").unwrap();
        assert_eq!(run(&root, &["T"], true, "dns/", told), Ok(1));
        assert_eq!(std::fs::read_to_string(case.join("records.jsonl")).unwrap(), "{\"DOMAIN\":\"a\"}\n");
        assert_eq!(run(&root, &["T"], false, "", told), Ok(1));
        let other = run(&root, &["T"], false, "one", |_| lines(&[r#"{"DOMAIN":"b"}"#])).unwrap_err();
        assert_eq!(run(&root, &["T"], false, "http/", |_| panic!("left out")), Ok(1));
        assert!(other.contains("DOMAIN: expected \"a\", told \"b\""), "{other}");
        std::fs::remove_dir_all(&root).unwrap();
    }
}
