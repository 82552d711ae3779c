//! Redaction: secrets inside texts become `***` before a record leaves the engine.
//!
//! The texts are looked through once for stems (the first three bytes of the names in question),
//! in blocks of 16 bytes that the compiler turns into vector code, so that a text without any costs
//! little. At a stem the whole word is taken, and what follows decides: `name=value` (query, form,
//! cookie, SQL), `"name": value` (JSON, also inside a JSON string or percent-encoded),
//! `Name: value` (header), `PASSWORD '...'` and `IDENTIFIED BY '...'` (SQL). A value that is cut off
//! by the end of the text is masked to that end. What is in doubt is masked rather than shown.
//!
//! Not found: values that no name stands before (`INSERT ... VALUES ('x')`).

mod card;
mod value;

use crate::{Field, Record, Type, Value, f};
use value::Name;
pub(crate) use value::Span;

/// What stands in place of a secret.
const MASK: &[u8] = b"***";
/// The same where JSON wants a string.
const MASK_QUOTED: &[u8] = b"\"***\"";
/// Names given by `key:NAME`: each is one more comparison in the scan.
const MAX_KEYS: usize = 32;
/// The longest name of a key.
const MAX_NAME: usize = 64;

/// What `redact=` can hold.
const KNOWN: &str = "authorization, cookie, password, card, key:NAME";

/// Masks secrets in the texts of records.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    authorization: bool,
    cookie: bool,
    password: bool,
    card: bool,
    /// Lower case.
    keys: Vec<Vec<u8>>,
    /// First three bytes of all names, folded as the scan folds.
    stems: Vec<Stem>,
}

impl Redactor {
    /// From a comma list of `authorization`, `cookie`, `password`, `card` and `key:NAME`; an empty
    /// list or `none` masks nothing.
    ///
    /// # Errors
    /// Names the item that is not known, and the known ones.
    pub fn new(list: &str) -> Result<Redactor, String> {
        let mut r = Redactor::default();
        for item in list.split(',').map(str::trim).filter(|i| !i.is_empty() && *i != "none") {
            match item {
                "authorization" => r.authorization = true,
                "cookie" => r.cookie = true,
                "password" => r.password = true,
                "card" => r.card = true,
                _ => r.key(item)?,
            }
        }
        let mut stem = |name: &[u8]| {
            let mut folded = name.iter().map(|b| b | FOLD);
            if let (Some(a), Some(b), Some(c)) = (folded.next(), folded.next(), folded.next()) {
                r.stems.push([[a; BLOCK], [b; BLOCK], [c; BLOCK]]);
            }
        };
        if r.authorization {
            stem(b"authorization");
        }
        if r.cookie {
            stem(b"cookie");
        }
        if r.password {
            // `ide` is for IDENTIFIED BY.
            [&b"pas"[..], b"pwd", b"sec", b"ide"].into_iter().for_each(&mut stem);
        }
        r.keys.iter().for_each(|k| stem(k));
        r.stems.sort_unstable();
        r.stems.dedup();
        Ok(r)
    }

    fn key(&mut self, item: &str) -> Result<(), String> {
        let Some(name) = item.strip_prefix("key:").map(str::trim) else {
            return Err(format!("`{item}` is not known; known are {KNOWN}"));
        };
        if !(3..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_word) {
            return Err(format!("`{item}`: a name has 3 to {MAX_NAME} letters, digits, `_` or `-`"));
        }
        if self.keys.len() >= MAX_KEYS {
            return Err(format!("`{item}` is one too many: at most {MAX_KEYS} names"));
        }
        self.keys.push(name.to_ascii_lowercase().into_bytes());
        Ok(())
    }

    /// True when nothing is ever masked.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stems.is_empty() && !self.card
    }

    /// Masks what is secret in the texts of `record`; gives back how many places.
    pub fn apply(&self, record: &mut Record) -> usize {
        if self.is_idle() {
            return 0;
        }
        let mut masked: usize = 0;
        let mut spans = Vec::new();
        for i in 0..record.entries().len() {
            let Some(entry) = record.entries().get(i) else { break };
            let (field, value) = (entry.field, entry.value);
            if field.ty != Type::Text || !matches!(value, Value::Text(..)) {
                continue;
            }
            spans.clear();
            self.find(field, record.bytes(value), &mut spans);
            if !spans.is_empty() {
                record.rewrite(i, &spans);
                masked = masked.saturating_add(spans.len());
            }
        }
        masked
    }

    /// The spans of a text to be replaced, ascending, not overlapping.
    fn find(&self, field: &'static Field, text: &[u8], spans: &mut Vec<Span>) {
        if self.cookie && std::ptr::eq(field, &f::http::COOKIE) {
            if !text.is_empty() {
                spans.push(Span { from: 0, to: text.len(), with: MASK });
            }
            return;
        }
        let sql = std::ptr::eq(field, &f::sql::SQL);
        let mut at = 0;
        while let Some(hit) = stem_at(&self.stems, text, at) {
            let word = word_around(text, at, hit);
            at = word.end.max(hit.saturating_add(1));
            let Some(name) = text.get(word.clone()).and_then(|w| self.name(w, sql)) else { continue };
            if value::says_whether(text, &word) {
                continue;
            }
            if let Some(span) = value::after(text, &word, name, sql) {
                at = at.max(span.to);
                spans.push(span);
            }
        }
        if !self.stems.is_empty() && value::has_coded_letter(text) {
            self.coded_names(text, spans);
        }
        if self.card {
            card::find(text, spans);
        }
        if spans.len() > 1 {
            spans.sort_unstable_by_key(|s| (s.from, s.to));
            let mut end = 0;
            spans.retain(|s| {
                let keep = s.from >= end;
                end = end.max(s.to);
                keep
            });
        }
    }

    /// What a word means here, if anything.
    fn name(&self, word: &[u8], sql: bool) -> Option<Name> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if self.authorization && (is(b"authorization") || is(b"proxy-authorization")) {
            return Some(Name::Authorization);
        }
        if self.cookie && (is(b"cookie") || is(b"set-cookie")) {
            return Some(Name::Header);
        }
        if self.password {
            if sql && is(b"identified") {
                return Some(Name::Identified);
            }
            let has = |part: &[u8]| word.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part));
            if is(b"pass") || has(b"passw") || has(b"pwd") || has(b"passphrase") || has(b"secret") {
                return Some(Name::Key);
            }
        }
        self.keys.iter().any(|k| is(k)).then_some(Name::Key)
    }

    /// Names of a query or form in which letters are percent-encoded (`p%61ssword=x`): rare, so the
    /// text is gone through again from each `=`.
    fn coded_names(&self, text: &[u8], spans: &mut Vec<Span>) {
        let (mut start, mut coded, mut done) = (0, false, 0);
        for (i, b) in text.iter().enumerate() {
            match b {
                _ if i < done => {}
                b'=' if coded => {
                    let mut name = [0; MAX_NAME];
                    let len = value::decode(text.get(start..i).unwrap_or_default(), &mut name);
                    let word = name.get(..len).unwrap_or_default();
                    let word = word.strip_suffix(b"]").unwrap_or(word);
                    let word = word.rsplit(|b| !is_word(*b)).next().unwrap_or_default();
                    let value = self
                        .name(word, false)
                        .and_then(|_| value::after(text, &(start..i), Name::Key, false));
                    if let Some(span) = value {
                        done = span.to;
                        spans.push(span);
                    }
                    (start, coded) = (i.saturating_add(1), false);
                }
                b'%' => coded = true,
                b'=' | b'&' | b'?' | b';' | b' ' | b'\n' => (start, coded) = (i.saturating_add(1), false),
                _ => {}
            }
        }
    }
}

/// Set in every byte before comparing: letters become small, and what else becomes alike is told
/// apart when the word is looked at.
const FOLD: u8 = 0x20;

/// May this byte be in a name?
fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// Bytes of a block of the scan: what the compiler makes vector code of.
const BLOCK: usize = 32;

/// The first three bytes of a name, folded, each repeated over a block.
type Stem = [[u8; BLOCK]; 3];

/// Where the next stem begins, from `at` on.
fn stem_at(stems: &[Stem], text: &[u8], at: usize) -> Option<usize> {
    let mut rest = text.get(at..)?;
    while let Some((a, next)) = rest.split_first_chunk::<BLOCK>()
        && let Some(b) = rest.get(1..).and_then(<[u8]>::first_chunk)
        && let Some(c) = rest.get(2..).and_then(<[u8]>::first_chunk)
    {
        if block_has(stems, a, b, c) {
            break;
        }
        rest = next;
    }
    // What is too short for a block is looked at with zeros behind it.
    let mut padded = [0; BLOCK.saturating_mul(2)];
    if let Some(short) = padded.get_mut(..rest.len())
        && rest.len() < BLOCK.saturating_add(2)
    {
        short.copy_from_slice(rest);
        let (a, b) = (padded.first_chunk()?, padded.get(1..)?.first_chunk()?);
        if !block_has(stems, a, b, padded.get(2..)?.first_chunk()?) {
            return None;
        }
    }
    let is_stem = |w: &[u8]| {
        let same = |s: &[u8; BLOCK], b: &u8| s.first() == Some(&(b | FOLD));
        matches!(w, [a, b, c] if stems.iter().any(|[x, y, z]| same(x, a) && same(y, b) && same(z, c)))
    };
    let passed = text.len().saturating_sub(rest.len());
    rest.windows(3).position(is_stem).map(|i| passed.saturating_add(i))
}

/// Does a stem begin in this block? `b` and `c` are the block one and two bytes on.
#[inline]
fn block_has(stems: &[Stem], a: &[u8; BLOCK], b: &[u8; BLOCK], c: &[u8; BLOCK]) -> bool {
    let [a, b, c] = [a, b, c].map(|block| block.map(|b| b | FOLD));
    let mut any = [0u8; BLOCK];
    for [x, y, z] in stems {
        let bytes = a.iter().zip(x).zip(b.iter().zip(y)).zip(c.iter().zip(z));
        for (any, (((a, x), (b, y)), (c, z))) in any.iter_mut().zip(bytes) {
            // Zero where all three bytes are the stem's.
            *any |= u8::from((a ^ x) | (b ^ y) | (c ^ z) == 0);
        }
    }
    any.iter().fold(0, |all, b| all | b) != 0
}

/// The word that holds `hit`, looking back no further than `floor`.
fn word_around(text: &[u8], floor: usize, hit: usize) -> std::ops::Range<usize> {
    let before = text.get(floor..hit).unwrap_or_default();
    let mut back = before.iter().rev().take_while(|b| is_word(**b)).count();
    // A percent-encoded byte is no part of the word: `%5Bpassword`.
    if let Some([b'%', x, y]) =
        before.get(before.len().saturating_sub(back.saturating_add(1))..).and_then(<[u8]>::first_chunk)
        && x.is_ascii_hexdigit()
        && y.is_ascii_hexdigit()
    {
        back = back.saturating_sub(2);
    }
    let ahead = text.get(hit..).unwrap_or_default().iter().take_while(|b| is_word(**b)).count();
    hit.saturating_sub(back)..hit.saturating_add(ahead)
}

/// For fuzzing: any bytes as URL, header, body and SQL; what is masked is gone, the rest stands.
#[doc(hidden)]
pub fn fuzz_redact(data: &[u8]) {
    let Ok(redactor) = Redactor::new("authorization,cookie,password,card,key:session_id") else { return };
    let mut record = Record::new(crate::Kind::Http);
    let fields = [&f::http::URL, &f::http::REQ_HEADER, &f::http::REQ_BODY, &f::sql::SQL, &f::http::COOKIE];
    for field in fields {
        record.text(field, data);
    }
    redactor.apply(&mut record);
    let mut spans = Vec::new();
    for field in fields {
        spans.clear();
        redactor.find(field, data, &mut spans);
        let mut end = 0;
        let mut want = Vec::new();
        for s in &spans {
            assert!(end <= s.from && s.from <= s.to && s.to <= data.len(), "ascending and inside");
            want.extend_from_slice(data.get(end..s.from).unwrap_or_default());
            want.extend_from_slice(s.with);
            end = s.to;
        }
        want.extend_from_slice(data.get(end..).unwrap_or_default());
        assert_eq!(record.text_of(field), want, "what is not masked stands");
    }
}

#[cfg(test)]
mod tests;
