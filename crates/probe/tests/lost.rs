//! Every two neighbouring data segments of each capture of `testdata/` kept from the probe: what is told of a
//! transaction without QUALITY `gap` is what is told of it when nothing is missing.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;

use common::{Captured, load, tell, testdata, value};
use std::collections::HashMap;
use testkit::cut::Segment;
use testkit::golden;

/// What makes a transaction out: when it began, between whom, and what was asked.
const ASKED: [&str; 11] =
    ["RECORD", "TIMESTAMP", "SRC_PORT", "SQL", "PARAMS", "REQ", "URL", "COMMAND", "METHOD", "TEXT", "QUEUE"];
/// What came of it.
const OUTCOME: [&str; 8] = ["RET_CODE", "ERR", "ROWS", "RES", "RETCODE", "RSP_BODY", "RESULT_IP", "RCODE"];
/// Of each capture so many segments are the first to be lost in turn, and the second is at most so far behind it.
const FIRST: usize = 40;
const APART: usize = 2;

type Asked<'a> = Vec<Option<&'a str>>;

fn parts<'a>(record: &'a str, keys: &[&str]) -> Asked<'a> {
    keys.iter().map(|k| value(record, k)).collect()
}

fn sessions(records: &[String]) -> impl Iterator<Item = &String> {
    records.iter().filter(|r| !matches!(value(r, "RECORD"), Some("flow" | "probe" | "host")))
}

/// Is there one among those of the whole capture that came of the same, as far as it is told?
fn is_true(record: &str, whole: &HashMap<Asked<'_>, Vec<&String>>) -> bool {
    let Some(same) = whole.get(&parts(record, &ASKED)) else { return true };
    // Where it is not known whose answer it is, secrets of either are masked.
    let fits = |told: Option<&str>, w: Option<&str>| told.is_none_or(|v| v == "***" || w == Some(v));
    same.iter().any(|w| OUTCOME.iter().all(|k| fits(value(record, k), value(w, k))))
}

#[test]
fn what_is_told_without_gap_is_true() {
    let (mut cases, mut told, mut wrong) = (0, 0, Vec::new());
    // Of a connection that stood before, nothing tells that the first segment of an end was lost.
    let captures = golden::cases(&testdata()).into_iter().filter(|case| !case.ends_with("midstream"));
    for case in captures {
        let frames = load(&case.join("in.pcap"));
        let records = tell(frames.iter().map(Captured::frame)).records;
        let mut whole: HashMap<Asked<'_>, Vec<&String>> = HashMap::new();
        for r in sessions(&records) {
            whole.entry(parts(r, &ASKED)).or_default().push(r);
        }
        let has_data = |f: &Captured| Segment::of(&f.data).is_some_and(|s| !s.payload.is_empty());
        let data: Vec<usize> = (0..frames.len()).filter(|i| has_data(&frames[*i])).collect();
        for (n, first) in data.iter().take(FIRST).enumerate() {
            for second in data[n..].iter().take(APART + 1) {
                let kept = frames.iter().enumerate().filter(|(i, _)| i != first && i != second);
                let lossy = tell(kept.map(|(_, f)| f.frame())).records;
                cases += 1;
                for r in sessions(&lossy).filter(|r| !value(r, "QUALITY").unwrap_or_default().contains("gap"))
                {
                    told += 1;
                    if !is_true(r, &whole) {
                        let at = case.strip_prefix(testdata()).unwrap().display();
                        let (asked, told) = (parts(r, &ASKED), parts(r, &OUTCOME));
                        let some = |p: Asked<'_>| p.into_iter().flatten().collect::<Vec<_>>().join(" | ");
                        let quality = value(r, "QUALITY").unwrap_or_default();
                        wrong.push(format!(
                            "{at}: without frames {first} and {second}: {:.150} => {:.100} {quality}",
                            some(asked),
                            some(told)
                        ));
                    }
                }
            }
        }
    }
    println!("{cases} pairs of segments, {told} records without `gap`");
    wrong.truncate(40);
    assert!(wrong.is_empty(), "untrue:\n{}", wrong.join("\n"));
    assert!(cases > 4000);
}
