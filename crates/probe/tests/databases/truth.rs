//! What a client says it asked and got, against what the records tell of it.
//!
//! Each line of a client's truth is a flat object. `mark` is a word that only this statement carries, in its text,
//! its values or its content; `ms` is how long the client waited; `early` says that it was before the client was
//! ready, `maybe` that it may not have been sent; all other keys are those of the record, with their values.

use crate::told::Told;
use std::collections::{BTreeMap, HashMap};

/// Texts in records end here (the default of `bodylen`).
const BODY_LEN: usize = 1024;
const DELAYS: [&str; 5] = ["SQL_RESPONSE", "SQL_LOAD", "REDIS_RESPONSE", "AMQ_RESPONSE", "MONGO_RESPONSE"];
const KINDS: [&str; 4] = ["sql", "redis", "mq", "mongo"];
/// A probe that came later knows none of them from the login.
const OF_THE_LOGIN: [&str; 3] = ["USER", "DB", "HOST"];
/// What a gap in the answer leaves incomplete, and QUALITY says so.
const OF_THE_WHOLE: [&str; 2] = ["ROWS", "RES"];

pub struct Truth {
    pub lines: Vec<Told>,
    /// Statements that a driver may send on its own account, by their beginning.
    pub own: &'static [&'static str],
    /// Were the connections there before the probe?
    pub late: bool,
}

/// What tells records of a protocol apart besides the mark: its first word.
fn text(r: &Told) -> String {
    match r.kind() {
        "mq" => format!("{}.{}", r.get("CLASS"), r.get("METHOD")),
        "mongo" => r.get("COMMAND").into(),
        "redis" => r.get("REQ").into(),
        _ => r.get("SQL").into(),
    }
}

/// The word `mk...z` in a record; with the method for messages, which are published and delivered.
fn mark(r: &Told) -> Option<String> {
    let fields = ["SQL", "PARAMS", "REQ", "TEXT", "ROUTING_KEY", "QUEUE", "EXCHANGE"];
    fields.iter().find_map(|f| {
        r.get(f).match_indices("mk").find_map(|(at, _)| {
            let rest = &r.get(f)[at + 2..];
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let found = digits > 0 && rest[digits..].starts_with('z');
            let word = &r.get(f)[at..at + digits + 3];
            found.then(|| if r.kind() == "mq" { format!("{}:{word}", text(r)) } else { word.to_owned() })
        })
    })
}

/// Records of the protocol by mark, and those without one.
fn sort(records: &[Told]) -> (HashMap<String, Vec<&Told>>, Vec<&Told>) {
    let (mut marked, mut others) = (HashMap::<String, Vec<&Told>>::new(), Vec::new());
    for r in records.iter().filter(|r| KINDS.contains(&r.kind())) {
        match mark(r) {
            Some(mark) => marked.entry(mark).or_default().push(r),
            None => others.push(r),
        }
    }
    (marked, others)
}

/// Is the value told the one of the truth, as far as texts go?
fn same(told: &str, true_value: &str) -> bool {
    told == true_value || told.len() >= BODY_LEN && true_value.starts_with(told)
}

/// What is wrong with the answer in a record; delays are between 0 and what the client saw.
fn wrong(truth: &Told, r: &Told, skip: &[&str]) -> Option<String> {
    // What was not seen is left out, and QUALITY says why.
    let gap = r.get("QUALITY").contains("gap");
    for (key, value) in &truth.keys {
        let ours = ["mark", "ms", "early", "maybe"].contains(&key.as_str());
        let unknown = gap && !r.has(key);
        if !ours && !unknown && !skip.contains(&key.as_str()) && !same(r.get(key), value) {
            return Some(format!("{key} is {:?}, not {value:?}", r.get(key)));
        }
    }
    // Where a part of the answer was lost, its end is when that was known.
    for key in DELAYS.iter().filter(|k| r.has(k) && !gap) {
        if !(0.0..=truth.num("ms")).contains(&r.num(key)) {
            return Some(format!("{key} is {}, and the client waited {}", r.num(key), truth.num("ms")));
        }
    }
    None
}

impl Truth {
    fn said(&self) -> impl Iterator<Item = &Told> {
        self.lines.iter().filter(|t| !(self.late && t.has("early")))
    }

    /// Every statement is told exactly once, with what the client knows of it; nothing else is told.
    #[track_caller]
    pub fn exactly(&self, what: &str, records: &[Told]) {
        let (marked, others) = sort(records);
        let account = || records.iter().rfind(|r| r.kind() == "probe");
        let mut all_wrong = Vec::new();
        let skip = if self.late { &OF_THE_LOGIN[..] } else { &[] };
        let mut unmarked: BTreeMap<&str, i64> = BTreeMap::new();
        let mut n = 0;
        for t in self.said() {
            if t.get("mark").is_empty() {
                *unmarked.entry(t.get("SQL")).or_default() += 1;
                continue;
            }
            n += 1;
            match marked.get(t.get("mark")).map_or(&[][..], Vec::as_slice) {
                [r] => {
                    // Numbers of confirms are not known in the middle: a publish is told without what was said to it.
                    let unconfirmed = self.late && r.get("METHOD") == "publish" && !r.has("RET_CODE");
                    let more = [skip, &["RET_CODE"][..]].concat();
                    if let Some(why) = wrong(t, r, if unconfirmed { &more } else { skip }) {
                        all_wrong.push(format!("{why}: {:?} is told as {:?}", t.keys, r.keys));
                    }
                }
                [] if t.has("maybe") => {}
                other => all_wrong.push(format!("{t:?} is told {} times: {other:?}", other.len())),
            }
        }
        for r in others {
            let text = text(r);
            match unmarked.get_mut(text.as_str()) {
                Some(n) => *n -= 1,
                None if self.own.iter().any(|own| text.starts_with(own)) => {}
                None => all_wrong.push(format!("nobody asked: {r:?}")),
            }
        }
        all_wrong
            .extend(unmarked.iter().filter(|(_, n)| **n != 0).map(|(t, n)| format!("{t:?}: {n} too few")));
        let known: Vec<_> = self.lines.iter().map(|t| t.get("mark")).collect();
        all_wrong.extend(
            marked.keys().filter(|m| !known.contains(&m.as_str())).map(|m| format!("{m} is unknown")),
        );
        let tainted = marked.values().flatten().filter(|r| r.get("QUALITY").contains("gap"));
        all_wrong.extend(tainted.map(|r| format!("a gap where nothing was lost: {r:?}")));
        assert!(n > 0, "{what}: nothing was asked");
        let few: Vec<_> = all_wrong.iter().take(8).map(|w| format!("\n  {w:.900}")).collect();
        assert!(
            all_wrong.is_empty(),
            "{what}: {} of {n} wrong:{}\n{:?}",
            all_wrong.len(),
            few.concat(),
            account()
        );
    }

    /// A part of the packets was kept from the probe: how many of the untouched statements were told right and how
    /// many not; and what is false: pairs, errors, and records that are not whole and do not say so.
    pub fn with_losses(
        &self,
        records: &[Told],
        untouched: impl Fn(&str) -> bool,
    ) -> (usize, usize, Vec<String>) {
        let (marked, _) = sort(records);
        let (mut right, mut missed, mut wrongs) = (0, 0, Vec::new());
        for t in self.said().filter(|t| !t.get("mark").is_empty()) {
            let told = marked.get(t.get("mark")).map_or(&[][..], Vec::as_slice);
            let why = match told {
                [] => None,
                [r] => judge(t, r),
                more => Some(format!("told {} times", more.len())),
            };
            let whole =
                told.iter().any(|r| !r.get("QUALITY").contains("gap") && r.get("RESP") == t.get("RESP"));
            if let Some(why) = why {
                wrongs.push(format!(
                    "{why}: {:?} is told as {:?}",
                    t.keys,
                    told.iter().map(|r| &r.keys).collect::<Vec<_>>()
                ));
            } else if untouched(t.get("mark")) {
                if !whole && std::env::var_os("MISSED").is_some() {
                    println!("missed: {:?} is told as {:?}", t.keys, told);
                }
                *if whole { &mut right } else { &mut missed } += 1;
            }
        }
        (right, missed, wrongs)
    }
}

/// What is false in a record when packets were lost to the probe.
fn judge(t: &Told, r: &Told) -> Option<String> {
    let quality = r.get("QUALITY");
    if r.get("RESP") == "0" && t.get("RESP") != "0" {
        let why = if quality.is_empty() {
            "no answer, and it does not say why"
        } else {
            "an error without an answer"
        };
        return (quality.is_empty() || !r.get("ERR").is_empty()).then(|| why.to_owned());
    }
    let mut skip = OF_THE_LOGIN.to_vec();
    if quality.contains("gap") {
        skip.extend(OF_THE_WHOLE);
    }
    // The preparation was lost: no text, and no types to read the values by.
    if r.kind() == "sql" && r.get("SQL").is_empty() {
        skip.extend(["SQL", "PARAMS"]);
    }
    wrong(t, r, &skip)
}

/// Of each statement in records of the whole capture: the client's port, when it began and ended (us).
pub fn spans(records: &[Told]) -> HashMap<String, (u16, u64, u64)> {
    let (marked, _) = sort(records);
    let span = |r: &Told| {
        let (s, us) = r.get("TIMESTAMP").split_once('.').unwrap();
        let begin = s.parse::<u64>().unwrap() * 1_000_000 + us.parse::<u64>().unwrap();
        let longest = DELAYS.iter().filter(|k| r.has(k)).map(|k| r.num(k)).fold(0.0, f64::max);
        // END_TIME has milliseconds of a second, and is never a minute later here.
        let ms = |key: &str| r.get(key)[17..].replace('.', "").parse::<u64>().unwrap();
        let all = (60_000 + ms("END_TIME") - ms("BEGIN_TIME")) % 60_000 * 1000;
        (r.num("SRC_PORT") as u16, begin, begin + all.max((longest * 1000.0) as u64) + 1000)
    };
    marked.into_iter().map(|(mark, r)| (mark, span(r[0]))).collect()
}
