//! SQL Server and Oracle, played from their specifications (`testkit::replay`) through the whole engine: each
//! statement is told once, with its text, values, error, rows, user and database. The same when the
//! stream is cut in any way; when it is joined in the middle, or one segment is lost, whatever is told without a
//! word of QUALITY is true, and little else is missing.
//!
//! `UPDATE=1 cargo test -p mfnano --test replay` writes the scripts to `testdata/*/spec-*`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

#[path = "../common/mod.rs"]
mod common;
mod tds;
mod tns;

use common::{tell, testdata, value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use testkit::replay::{Played, Script, Told};
use testkit::{TimedFrame, cut, ethernet};

/// A script with its name (`protocol/case`) and what it shows.
struct Case {
    name: &'static str,
    shows: &'static str,
    script: Script,
    /// Most bytes of a segment.
    mss: usize,
    /// Without one of so many first steps nothing can be known of what follows.
    needs: usize,
}

fn cases() -> Vec<Case> {
    tds::cases().into_iter().chain(tns::cases()).collect()
}

/// A record of a statement, and the words of its QUALITY.
#[derive(Clone, Debug)]
struct Got {
    told: Told,
    quality: String,
}

impl Got {
    /// Nothing of it was missed.
    fn is_sure(&self) -> bool {
        !self.quality.contains("gap") && !self.quality.contains("no-response")
    }
}

fn unescaped(s: &str) -> String {
    s.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\")
}

fn statements(frames: &[TimedFrame]) -> Vec<Got> {
    let told = tell(frames.iter().map(|(time, data)| ethernet(*time, data)));
    let leaks = |r: &&String| r.contains("geheim") || r.contains("SECRETSECRET");
    assert_eq!(told.records.iter().find(leaks), None, "a secret of a login");
    let all = told.records.iter().filter(|r| value(r, "RECORD") == Some("sql"));
    let one = |r: &String| {
        let text = |key: &str| value(r, key).map(unescaped);
        let told = Told {
            sql: text("SQL").unwrap_or_default(),
            params: text("PARAMS"),
            err: text("ERR"),
            code: text("RET_CODE"),
            rows: text("ROWS").map(|n| n.parse().expect("a number")),
            user: text("USER").unwrap_or_default(),
            db: text("DB").unwrap_or_default(),
            ..Told::default()
        };
        Got { told, quality: text("QUALITY").unwrap_or_default() }
    };
    all.map(one).collect()
}

/// As the program tells it with its defaults: texts are cut at 1024 bytes.
fn plain(t: &Told) -> Told {
    let cut = |s: &String| s.chars().take(1024).collect::<String>();
    Told {
        sql: cut(&t.sql),
        params: t.params.as_ref().map(cut),
        // A cancelled request has an error of ours and no number.
        code: t.code.clone(),
        by_handle: false,
        steps: (0, 0),
        ..t.clone()
    }
}

fn truth(script: &Script) -> Vec<Told> {
    script.told.iter().map(plain).collect()
}

fn show(t: &Told) -> String {
    let cut = |s: &str| s.chars().take(90).collect::<String>();
    format!(
        "{:?} params {:?} err {:?} code {:?} rows {:?} user {:?} db {:?}",
        cut(&t.sql),
        t.params.as_deref().map(cut),
        t.err.as_deref().map(cut),
        t.code,
        t.rows,
        t.user,
        t.db
    )
}

/// What differs between the truth and what was told, in any order.
fn difference(want: &[Told], got: &[Got]) -> String {
    let mut count: BTreeMap<Told, i32> = BTreeMap::new();
    let mut out = String::new();
    want.iter().for_each(|t| *count.entry(t.clone()).or_default() += 1);
    got.iter().for_each(|g| *count.entry(g.told.clone()).or_default() -= 1);
    for (t, n) in count {
        match n {
            1.. => _ = writeln!(out, "  not told: {}", show(&t)),
            ..0 => _ = writeln!(out, "  not true: {}", show(&t)),
            0 => {}
        }
    }
    for g in got.iter().filter(|g| !g.quality.is_empty()) {
        _ = writeln!(out, "  QUALITY {}: {}", g.quality, show(&g.told));
    }
    out
}

fn first_lines(s: &str, n: usize) -> String {
    s.lines().take(n).map(|l| format!("{l}\n")).collect()
}

#[test]
fn each_statement_is_told_once_and_right() {
    let mut report = String::new();
    for case in cases() {
        let got = statements(&case.script.play(case.mss).frames);
        let differs = difference(&truth(&case.script), &got);
        if !differs.is_empty() {
            _ = writeln!(report, "{}:\n{differs}", case.name);
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn the_same_however_it_is_cut() {
    let mut report = String::new();
    for case in cases() {
        let frames = case.script.play(case.mss).frames;
        let want = truth(&case.script);
        let mut ways: Vec<(String, Vec<TimedFrame>)> = Vec::new();
        for mss in [1, 2, 3, 5, 7, 8, 9, 16, 17, 61, 536] {
            ways.push((format!("mss {mss}"), case.script.play(mss).frames));
        }
        for seed in 1..=3 {
            for most in [3, 40, 300] {
                let pieces = cut::split(&frames, most, seed);
                ways.push((format!("split {most}, seed {seed}"), pieces.clone()));
                ways.push((
                    format!("split {most}, reordered, seed {seed}"),
                    cut::reorder_runs(&pieces, 3, seed),
                ));
            }
            ways.push((format!("twice, seed {seed}"), cut::duplicate(&frames, 2, seed)));
        }
        for most in [2000, 60_000] {
            ways.push((format!("merged {most}"), cut::merge(&frames, most)));
        }
        for (way, cut) in ways {
            let differs = difference(&want, &statements(&cut));
            if !differs.is_empty() {
                _ = writeln!(report, "{}, {way}:\n{}", case.name, first_lines(&differs, 6));
            }
        }
    }
    assert!(report.is_empty(), "\n{}", first_lines(&report, 2000));
}

/// Is what was told what it should be, as far as it was seen? `begun`: the login may have been missed.
fn is_true(got: &Told, t: &Told, by_handle: bool, begun: bool) -> bool {
    let same = |a: &Told| (&a.params, &a.err, &a.code) == (&t.params, &t.err, &t.code);
    let name = |g: &String, t: &String| g == t || begun && g.is_empty();
    let unknown = by_handle && got.sql.is_empty();
    same(got)
        && (got.sql == t.sql || unknown)
        && (got.rows == t.rows || unknown && got.rows.is_none())
        && name(&got.user, &t.user)
        && name(&got.db, &t.db)
}

/// Pairs what was told and is sure with the truth, each once. Gives what is not true, and which truths were told.
fn judge(
    script: &Script,
    got: &[Got],
    begun: impl Fn(&Told) -> bool,
    may: impl Fn(&Told) -> bool,
) -> (String, Vec<bool>) {
    let want = truth(script);
    let mut told = vec![false; want.len()];
    let mut out = String::new();
    // Texts that are known choose first.
    let mut sure: Vec<&Got> = got.iter().filter(|g| g.is_sure()).collect();
    sure.sort_by_key(|g| g.told.sql.is_empty());
    for g in sure {
        let fits = |i: &usize| {
            let t = &script.told[*i];
            !told[*i] && may(t) && is_true(&g.told, &want[*i], t.by_handle, begun(t))
        };
        match (0..want.len()).find(fits) {
            Some(i) => told[i] = true,
            None => _ = writeln!(out, "  not true: {}", show(&g.told)),
        }
    }
    (out, told)
}

#[test]
fn joined_in_the_middle_what_is_told_is_true() {
    let (mut report, mut figures) = (String::new(), String::new());
    for case in cases() {
        let Played { frames, begins } = case.script.play(case.mss);
        let (mut whole, mut missed) = (0, 0);
        for from in 1..frames.len() {
            let got = statements(&frames[from..]);
            let (not_true, told) = judge(&case.script, &got, |_| true, |t| begins[t.steps.0] >= from);
            if !not_true.is_empty() {
                _ = writeln!(report, "{} from frame {from}:\n{not_true}", case.name);
            }
            // Within a handshake of TLS it is not known what follows.
            if case.needs > 0 && from > begins[0] && begins.get(case.needs).is_none_or(|b| from < *b) {
                continue;
            }
            let behind = case.script.told.iter().zip(&told).filter(|(t, _)| begins[t.steps.0] >= from);
            for (i, (t, told)) in behind.enumerate() {
                whole += 1;
                missed += usize::from(!told);
                // The first may go with the rest of the message in whose middle it was joined.
                if !told && i > 0 {
                    _ = writeln!(report, "{} from frame {from}:\n  not told: {}", case.name, show(&plain(t)));
                }
            }
        }
        _ = writeln!(
            figures,
            "{}: joined at {} places, {whole} statements behind, {missed} missed",
            case.name,
            frames.len() - 1
        );
    }
    println!("{figures}");
    assert!(report.is_empty(), "\n{}", first_lines(&report, 2000));
}

#[test]
fn with_one_segment_lost_what_is_told_is_true() {
    let (mut report, mut figures) = (String::new(), String::new());
    for case in cases() {
        let (mut lost, mut most, mut sum) = (0, 0, 0);
        for mss in [case.mss, 100] {
            let Played { frames, begins } = case.script.play(mss);
            let step_of = |frame: usize| begins.iter().take_while(|b| **b <= frame).count().saturating_sub(1);
            for at in 0..frames.len() {
                if cut::Segment::of(&frames[at].1).is_none_or(|s| s.payload.is_empty()) {
                    continue;
                }
                let step = step_of(at);
                let left: Vec<TimedFrame> =
                    frames.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, f)| f.clone()).collect();
                let got = statements(&left);
                // Names told before are known; those of a message that was hit are not.
                let (not_true, told) = judge(&case.script, &got, |t| t.steps.0 >= step, |_| true);
                if !not_true.is_empty() {
                    _ = writeln!(
                        report,
                        "{} mss {mss}, without frame {at} (step {step}):\n{not_true}",
                        case.name
                    );
                }
                let hit = |t: &Told| (t.steps.0..=t.steps.1).contains(&step);
                let cost = case.script.told.iter().zip(&told).filter(|(t, told)| !**told && !hit(t)).count();
                (lost, sum) = (lost + 1, sum + cost);
                if cost > COST && step >= case.needs {
                    _ = writeln!(
                        report,
                        "{} mss {mss}, without frame {at} (step {step}): costs {cost}",
                        case.name
                    );
                    for (t, _) in case.script.told.iter().zip(&told).filter(|(_, told)| !**told) {
                        _ = writeln!(report, "  not sure: {:?} {}", t.steps, show(&plain(t)));
                    }
                }
                most = most.max(cost);
            }
        }
        _ = writeln!(
            figures,
            "{}: {lost} segments lost one by one, {sum} statements beside not sure, {most} at most",
            case.name
        );
    }
    println!("{figures}");
    assert!(report.is_empty(), "\n{}", first_lines(&report, 80));
}

/// Statements that the loss of one segment may cost, beside those whose message it was.
const COST: usize = 1;

/// The scripts stand in `testdata/` as captures, so that the golden tests hold all that is told of them.
#[test]
fn captures_are_those_of_the_scripts() {
    /// Captures stay small.
    const LARGEST: usize = 64 * 1024;
    let update = std::env::var("UPDATE").is_ok_and(|v| v == "1");
    for case in cases() {
        let dir = testdata().join(case.name);
        let bytes = testkit::pcap::write(&case.script.play(case.mss).frames);
        assert!(bytes.len() <= LARGEST, "{}: {} bytes", case.name, bytes.len());
        let title = case.name.rsplit('/').next().unwrap();
        let note = format!(
            "# {title}\n\n{}\n\nBuilt from the specification by `testkit::replay` (script in `crates/probe/tests/replay`), not recorded:\nit proves that the specification is read right, not that a server speaks so.\n",
            case.shows
        );
        if update {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("in.pcap"), &bytes).unwrap();
            std::fs::write(dir.join("NOTE.md"), &note).unwrap();
        }
        let same = std::fs::read(dir.join("in.pcap")).is_ok_and(|b| b == bytes)
            && std::fs::read_to_string(dir.join("NOTE.md")).is_ok_and(|n| n == note);
        assert!(same, "{}: the capture is not the script's; UPDATE=1 writes it", case.name);
    }
}
