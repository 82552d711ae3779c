//! Values as text: what stands between them, and what of them may be told.

use super::{Answers, Kind, Level};
use crate::redis::command::{Secret, is_secret};
use crate::redis::pairs::{Pairs, is_quote};
use crate::redis::wire::{Count, Head, head};

impl Answers {
    /// What stands before a value in its aggregate.
    pub(super) fn before(&mut self, pairs: &mut Pairs) {
        let previous = std::mem::take(&mut self.word);
        self.mask = self.secret == Secret::Whole && self.hidden == 0;
        let Some(l) = self.levels.last().copied() else {
            if self.mask {
                pairs.text(b"***");
            }
            return;
        };
        if self.hidden > 0 {
            return;
        }
        let between = match l.kind {
            _ if !l.begun => "",
            Kind::Map if l.odd => ": ",
            _ => ", ",
        };
        self.put(pairs, between.as_bytes());
        if self.secret == Secret::Config && l.odd && is_secret(previous.get()) {
            self.put(pairs, b"***");
            self.mask = true;
        }
    }

    /// Text of the value.
    pub(super) fn put(&mut self, pairs: &mut Pairs, text: &[u8]) {
        if self.hidden == 0 && !self.mask {
            pairs.text(text);
        }
    }

    /// A piece of a string.
    pub(super) fn string(&mut self, pairs: &mut Pairs, mut text: &[u8]) {
        match self.secret {
            Secret::Config => self.word.push(text),
            Secret::Quoted if self.is_error && !self.mask => {
                if let Some(quote) = text.iter().position(|b| is_quote(*b)) {
                    text = text.get(..quote).unwrap_or_default();
                    self.put(pairs, text);
                    self.put(pairs, b"***");
                    self.mask = true;
                    return;
                }
            }
            _ => {}
        }
        if pairs.wants_text() {
            self.put(pairs, text);
        }
    }

    /// The innermost aggregate has all its elements.
    pub(super) fn close_level(&mut self, pairs: &mut Pairs) {
        match self.levels.pop() {
            Some(Level { kind: Kind::Map, .. }) => self.put_closing(pairs, b"}"),
            Some(Level { kind: Kind::List, .. }) => self.put_closing(pairs, b"]"),
            Some(Level { kind: Kind::Attribute, .. }) => self.hidden = self.hidden.saturating_sub(1),
            None => {}
        }
    }

    pub(super) fn put_closing(&mut self, pairs: &mut Pairs, text: &[u8]) {
        self.mask = self.secret == Secret::Whole;
        self.put(pairs, text);
    }
}

/// Are these bytes one simple value and nothing else?
pub(super) fn is_one_value(bytes: &[u8]) -> bool {
    let is_line = |text: &[u8]| {
        text.strip_suffix(b"\r\n")
            .is_some_and(|t| !t.is_empty() && !t.iter().any(|b| matches!(b, b'\r' | b'\n')))
    };
    match bytes {
        [b'+' | b'-', rest @ ..] => is_line(rest),
        [b':', rest @ ..] => is_line(rest) && rest.iter().all(|b| !b.is_ascii_alphabetic()),
        [b'_', rest @ ..] => rest == b"\r\n",
        [b'$', ..] => match head(bytes) {
            Head::Whole(Count::Nil, used) => used == bytes.len(),
            Head::Whole(Count::Is(n), used) => {
                n.saturating_add(used as u64).saturating_add(2) == bytes.len() as u64
                    && bytes.ends_with(b"\r\n")
            }
            _ => false,
        },
        _ => false,
    }
}
