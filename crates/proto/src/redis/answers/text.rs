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

/// How long one simple value at the beginning of some bytes is.
pub(super) enum Length {
    Is(usize),
    /// Not yet known, or not all there: look again when so many bytes are.
    Need(usize),
    None,
}

/// Measures a value that is no aggregate.
pub(super) fn length(bytes: &[u8]) -> Length {
    /// A longer value is not waited for.
    const MOST: usize = 4096;
    let need = |n: usize| if n > MOST { Length::None } else { Length::Need(n) };
    let more = need(bytes.len().saturating_add(1));
    match bytes.first() {
        Some(b'+' | b'-' | b':') => match bytes.iter().position(|b| matches!(b, b'\r' | b'\n')) {
            Some(at) if at > 1 => match bytes.get(at..).unwrap_or_default() {
                [b'\r', b'\n', ..] => Length::Is(at.saturating_add(2)),
                [b'\r'] => more,
                _ => Length::None,
            },
            Some(_) => Length::None,
            None => more,
        },
        Some(b'$') => match head(bytes) {
            Head::Whole(Count::Nil, used) => Length::Is(used),
            Head::Whole(Count::Is(n), used) => {
                let all = usize::try_from(n).unwrap_or(usize::MAX).saturating_add(used).saturating_add(2);
                match bytes.get(..all) {
                    Some(whole) if whole.ends_with(b"\r\n") => Length::Is(all),
                    Some(_) => Length::None,
                    None => need(all),
                }
            }
            Head::Open => more,
            Head::Whole(..) | Head::Bad => Length::None,
        },
        Some(b'_') if bytes.starts_with(b"_\r\n") => Length::Is(3),
        _ => Length::None,
    }
}
