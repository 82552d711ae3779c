//! The value that belongs to a name: where it begins and ends.

use super::{MASK, MASK_QUOTED, is_word};
use std::ops::Range;

/// Blanks passed over between a name and its value, each time: real texts have one or two.
const MAX_BLANKS: usize = 16;
/// Backslashes before an escaped quote: JSON in JSON in JSON has seven.
const MAX_SLASHES: usize = 15;
/// Bytes of `SET PASSWORD FOR 'user'@'host' =` and of `IDENTIFIED WITH plugin BY`.
const MAX_CLAUSE: usize = 256;

/// A part of a text and what takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) with: &'static [u8],
}

/// What kind of name stands before the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Any value after `=` or `:`.
    Key,
    /// The rest of the header line.
    Header,
    /// A header whose scheme is kept.
    Authorization,
    /// SQL: `IDENTIFIED [WITH plugin] BY '...'`.
    Identified,
}

/// One byte as it is meant, percent-decoded, and the bytes that it takes; 0 at the end.
fn meant(text: &[u8]) -> (u8, usize) {
    match text {
        [b'%', a, b, ..] => match (hex(*a), hex(*b)) {
            (Some(a), Some(b)) => (a << 4 | b, 3),
            _ => (b'%', 1),
        },
        [b, ..] => (*b, 1),
        [] => (0, 0),
    }
}

fn hex(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).map(|d| d as u8)
}

/// Is it what MySQL says of a refused login, `(using password: YES)`? That is no password, and who tries without
/// one is worth knowing.
pub(super) fn says_whether(text: &[u8], word: &Range<usize>) -> bool {
    let before = text.get(..word.start).unwrap_or_default();
    let after = text.get(word.end..).unwrap_or_default();
    before.ends_with(b"(using ") && (after.starts_with(b": YES)") || after.starts_with(b": NO)"))
}

/// Is a letter percent-encoded somewhere?
pub(super) fn has_coded_letter(text: &[u8]) -> bool {
    if !text.contains(&b'%') {
        return false; // faster than looking for its place
    }
    let mut rest = text;
    while let Some(i) = rest.iter().position(|b| *b == b'%') {
        rest = rest.get(i..).unwrap_or_default();
        let (b, n) = meant(rest);
        if n == 3 && is_word(b) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// Decodes the end of a name into `out`; gives back its length.
pub(super) fn decode(name: &[u8], out: &mut [u8]) -> usize {
    // All of the name when it fits even with every byte encoded, else its last bytes.
    let from = name.len().saturating_sub(out.len().saturating_mul(3));
    let mut rest = name.get(from..).unwrap_or_default();
    let mut used: usize = 0;
    while !rest.is_empty() {
        let (b, n) = meant(rest);
        rest = rest.get(n.max(1)..).unwrap_or_default();
        let Some(place) = out.get_mut(used) else { return 0 };
        *place = b;
        used = used.saturating_add(1);
    }
    used
}

/// A place in a text that moves on.
#[derive(Clone, Copy)]
struct At<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> At<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self, n: usize) {
        self.at = self.at.saturating_add(n).min(self.text.len());
    }

    fn eat(&mut self, b: u8) -> bool {
        let (got, n) = meant(self.rest());
        let yes = n > 0 && got == b;
        if yes {
            self.step(n);
        }
        yes
    }

    /// Passes over blanks; with `lines` also over line ends.
    fn blanks(&mut self, lines: bool) {
        for _ in 0..MAX_BLANKS {
            match meant(self.rest()) {
                (b' ' | b'\t', n) => self.step(n),
                (b'\r' | b'\n', n) if lines && n > 0 => self.step(n),
                _ => return,
            }
        }
    }

    /// Takes a word without regard to case.
    fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let n = rest.iter().take_while(|b| is_word(**b)).count();
        self.step(n);
        rest.get(..n).unwrap_or_default()
    }

    /// Takes an opening quote: its backslashes and itself as they are written.
    fn quote(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let mut look = *self;
        let slashes = rest.iter().take(MAX_SLASHES).take_while(|b| **b == b'\\').count();
        look.step(slashes);
        let (b, n) = meant(look.rest());
        if n == 0 || !matches!(b, b'"' | b'\'' | b'`') {
            return None;
        }
        look.step(n);
        let quote = self.text.get(self.at..look.at)?;
        self.at = look.at;
        Some(quote)
    }

    /// Where the text that began with `quote` ends: before the same quote, or at the end.
    fn close(&self, quote: &[u8], sql: bool) -> usize {
        let slashes = quote.iter().take_while(|b| **b == b'\\').count();
        let mark = quote.get(slashes..).unwrap_or_default();
        let Some(first) = mark.first() else { return self.text.len() };
        let mut at = *self;
        let mut before: usize = 0; // backslashes right before
        while let Some(b) = at.rest().first() {
            if *b == b'\\' {
                before = before.saturating_add(1);
            } else if b == first && at.rest().get(..mark.len()).is_some_and(|m| m.eq_ignore_ascii_case(mark))
            {
                // A quote inside the value has more backslashes than the one that closes it.
                let closes = if slashes == 0 { before.is_multiple_of(2) } else { before <= slashes };
                let doubled = sql && slashes == 0 && at.rest().get(1) == Some(b);
                if closes && !doubled {
                    return at.at.saturating_sub(before.min(slashes));
                }
                if doubled {
                    at.step(1);
                }
                before = 0;
            } else {
                before = 0;
            }
            at.step(1);
        }
        self.text.len()
    }

    /// Where an unquoted value ends: before the first byte for which `end` holds.
    fn until(&self, end: impl Fn(u8) -> bool) -> usize {
        let n = self.rest().iter().take_while(|b| !end(**b)).count();
        self.at.saturating_add(n)
    }
}

/// The value after the name that lies at `word`.
pub(super) fn after(text: &[u8], word: &Range<usize>, name: Name, sql: bool) -> Option<Span> {
    let mut at = At { text, at: word.end };
    if name == Name::Identified {
        return identified(at);
    }
    at.eat(b']');
    let quoted = at.quote().is_some();
    at.blanks(sql);
    if sql && name == Name::Key {
        return sql_value(at);
    }
    let (separator, n) = meant(at.rest());
    at.step(n);
    match separator {
        b'=' => {
            at.eat(b'>'); // Ruby and PHP print `"name" => "value"`
            at.blanks(false);
            form_value(at, text, word, name)
        }
        b':' => {
            at.blanks(quoted);
            match at.quote() {
                Some(quote) => {
                    let to = at.close(quote, false);
                    let from = if name == Name::Authorization { scheme(text, at.at, to) } else { at.at };
                    span(from, to, MASK)
                }
                None if quoted => json_value(at),
                None => {
                    let to = at.until(|b| matches!(b, b'\r' | b'\n'));
                    let from = if name == Name::Authorization { scheme(text, at.at, to) } else { at.at };
                    span(from, to, MASK)
                }
            }
        }
        _ => None,
    }
}

fn span(from: usize, to: usize, with: &'static [u8]) -> Option<Span> {
    (from < to).then_some(Span { from, to, with })
}

/// Where the credentials begin: after the scheme, when there is one.
fn scheme(text: &[u8], from: usize, to: usize) -> usize {
    let value = text.get(from..to).unwrap_or_default();
    let n = value.iter().take_while(|b| is_word(**b)).count();
    if value.get(n) == Some(&b' ') { from.saturating_add(n).saturating_add(1) } else { from }
}

/// `name=value` of a query, a form, a cookie.
fn form_value(at: At<'_>, text: &[u8], word: &Range<usize>, name: Name) -> Option<Span> {
    let mut inner = at;
    if let Some(quote) = inner.quote() {
        return span(inner.at, inner.close(quote, false), MASK);
    }
    // `name==` and `name=` of a comparison or an empty value.
    if name != Name::Key || text.get(word.end..).is_some_and(|t| t.starts_with(b"==")) {
        return None;
    }
    let ends = |b: u8| matches!(b, b'&' | b'"' | b'<' | b'>' | 0..=b' ');
    let mut to = at.until(ends);
    // `; ` ends a cookie; a bare `;` can be part of a password.
    let value = text.get(at.at..to).unwrap_or_default();
    if value.ends_with(b";") {
        to = to.saturating_sub(1);
    }
    span(at.at, to, MASK)
}

/// A JSON value that is no string: a number, a word, or all of an object or array.
fn json_value(at: At<'_>) -> Option<Span> {
    let to = match at.rest().first() {
        Some(b'{' | b'[') => closing_bracket(at),
        _ => at.until(|b| matches!(b, b',' | b'}' | b']' | 0..=b' ')),
    };
    let value = at.text.get(at.at..to).unwrap_or_default();
    // Nothing secret: `"password": null`.
    if matches!(value, b"null" | b"true" | b"false") {
        return None;
    }
    span(at.at, to, MASK_QUOTED)
}

/// The end of an object or array that begins here.
fn closing_bracket(mut at: At<'_>) -> usize {
    let mut depth: usize = 0;
    while let Some(b) = at.rest().first() {
        match b {
            b'"' => {
                at.step(1);
                at.at = at.close(b"\"", false);
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at.at.saturating_add(1).min(at.text.len());
                }
            }
            _ => {}
        }
        at.step(1);
    }
    at.text.len()
}

/// After `password` in a statement: `= 'x'`, ` 'x'`, `('x')`, `FOR user = 'x'`.
fn sql_value(mut at: At<'_>) -> Option<Span> {
    let mut look = at;
    if look.word().eq_ignore_ascii_case(b"for") {
        let clause = look.rest();
        let clause = clause.get(..MAX_CLAUSE).unwrap_or(clause);
        look.step(clause.iter().position(|b| *b == b'=')?);
        at = look;
    }
    let assigned = at.eat(b':') | at.eat(b'=');
    at.blanks(true);
    let mut look = at;
    if look.word().eq_ignore_ascii_case(b"password") {
        at = look;
        at.blanks(true);
    }
    let called = at.eat(b'(');
    at.blanks(true);
    // National and escaped strings: N'x', E'x'.
    if matches!(at.rest(), [b'N' | b'n' | b'E' | b'e', b'\'', ..]) {
        at.step(1);
    }
    if let Some(quote) = at.quote() {
        // `"password" "x"` and `password `x`` are names, not values.
        return if quote == b"'" || assigned || called {
            span(at.at, at.close(quote, true), MASK)
        } else {
            None
        };
    }
    if !assigned || matches!(at.rest().first(), Some(b'?' | b'$' | b':' | b'@')) {
        return None; // a parameter: its value is not here
    }
    // A call or an expression: to the next blank outside quotes.
    let mut end = at;
    while let Some(b) = end.rest().first() {
        match b {
            b'\'' | b'"' => {
                let quote = [*b];
                end.step(1);
                end.at = end.close(&quote, true);
            }
            0..=b' ' | b';' => break,
            _ => {}
        }
        end.step(1);
    }
    span(at.at, end.at, MASK)
}

/// After `IDENTIFIED`: `[WITH plugin] BY|AS [PASSWORD] 'x'`.
fn identified(mut at: At<'_>) -> Option<Span> {
    at.blanks(true);
    let mut word = at.word();
    if word.eq_ignore_ascii_case(b"with") {
        at.blanks(true);
        match at.quote() {
            Some(quote) => {
                let clause = at.text.get(..at.at.saturating_add(MAX_CLAUSE)).unwrap_or(at.text);
                at.at = At { text: clause, at: at.at }.close(quote, true);
                at.step(quote.len());
            }
            None => {
                at.word();
            }
        }
        at.blanks(true);
        word = at.word();
    }
    if !word.eq_ignore_ascii_case(b"by") && !word.eq_ignore_ascii_case(b"as") {
        return None;
    }
    at.blanks(true);
    let mut look = at;
    if look.word().eq_ignore_ascii_case(b"password") {
        at = look;
        at.blanks(true);
    }
    match at.quote() {
        Some(quote) => span(at.at, at.close(quote, true), MASK),
        // Oracle takes it bare.
        None => span(at.at, at.until(|b| matches!(b, b';' | 0..=b' ')), MASK),
    }
}
