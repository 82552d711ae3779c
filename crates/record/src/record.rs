//! A record: a kind and its fields, in one allocation for the fields and one for all text.

use crate::redact::Span;
use crate::{Field, Kind};
use base::{MacAddr, Timestamp};
use std::net::IpAddr;

/// The value of a field. Text lies in the record's own text buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A range of the record's text: start and length.
    Text(u32, u32),
    /// A word known at compile time.
    Word(&'static str),
    /// A name that the original spells in its own way: `[nano, standard]`.
    Name(&'static [&'static str; 2]),
    /// A count, a number of bytes, a port, a code.
    Num(u64),
    /// A number that can be negative (codes of some protocols).
    Int(i64),
    /// Nanoseconds, written as milliseconds with three decimals.
    Nanos(u64),
    /// Hundredths, written with two decimals.
    Hundredths(u64),
    /// An address.
    Ip(IpAddr),
    /// An Ethernet address.
    Mac(MacAddr),
    /// A moment.
    Time(Timestamp),
}

/// A field and its value.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Row of the field table.
    pub field: &'static Field,
    /// What was measured.
    pub value: Value,
}

/// A record under construction or finished. Cleared and used again: its buffers are pooled.
///
/// What was not measured is not put in. A field is put in at most once.
#[derive(Debug, Default)]
pub struct Record {
    kind: Kind,
    entries: Vec<Entry>,
    text: Vec<u8>,
}

/// The text of one record: far above any field cap, so that offsets fit 32 bits.
const MAX_TEXT: usize = 64 << 20;

impl Record {
    /// An empty record of `kind`.
    #[must_use]
    pub fn new(kind: Kind) -> Record {
        Record { kind, ..Record::default() }
    }

    /// Empties it for another use as `kind`; keeps the buffers.
    pub fn reset(&mut self, kind: Kind) {
        self.kind = kind;
        self.entries.clear();
        self.text.clear();
    }

    /// What it tells of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The fields, in the order in which they were put in.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Bytes of heap held: for the memory budget.
    #[must_use]
    pub fn heap(&self) -> usize {
        self.text
            .capacity()
            .saturating_add(self.entries.capacity().saturating_mul(std::mem::size_of::<Entry>()))
    }

    /// Puts in any value but text.
    pub fn put(&mut self, field: &'static Field, value: Value) {
        self.entries.push(Entry { field, value });
    }

    /// Puts in text: any bytes, the formats make valid UTF-8 of them.
    pub fn text(&mut self, field: &'static Field, bytes: &[u8]) {
        let at = self.text.len();
        let bytes = bytes.get(..MAX_TEXT.saturating_sub(at)).unwrap_or(bytes);
        self.text.extend_from_slice(bytes);
        self.put(field, Value::Text(at as u32, bytes.len() as u32));
    }

    /// Begins a text to which [`Record::append`] adds, until another text is begun.
    pub fn begin_text(&mut self, field: &'static Field) {
        let at = self.text.len() as u32;
        self.put(field, Value::Text(at, 0));
    }

    /// Adds to the text that was begun last. Does nothing without one.
    pub fn append(&mut self, bytes: &[u8]) {
        let room = MAX_TEXT.saturating_sub(self.text.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        if let Some(Entry { value: Value::Text(at, len), .. }) =
            self.entries.iter_mut().rev().find(|e| matches!(e.value, Value::Text(..)))
            && at.saturating_add(*len) as usize == self.text.len()
        {
            self.text.extend_from_slice(bytes);
            *len = len.saturating_add(bytes.len() as u32);
        }
    }

    /// Puts in a word known at compile time.
    pub fn word(&mut self, field: &'static Field, word: &'static str) {
        self.put(field, Value::Word(word));
    }

    /// Puts in a number.
    pub fn num(&mut self, field: &'static Field, n: u64) {
        self.put(field, Value::Num(n));
    }

    /// Puts in a delay in nanoseconds.
    pub fn nanos(&mut self, field: &'static Field, ns: u64) {
        self.put(field, Value::Nanos(ns));
    }

    /// Replaces parts of the text of entry `i`; `spans` are ascending and lie inside it. The new text
    /// is put behind all others, the old one is wiped.
    pub(crate) fn rewrite(&mut self, i: usize, spans: &[Span]) {
        let Some(Entry { value: Value::Text(at, len), .. }) = self.entries.get_mut(i) else { return };
        let (old, new) = (*at as usize, self.text.len());
        let mut from = old;
        let end = old.saturating_add(*len as usize);
        for span in spans {
            let until = old.saturating_add(span.from).clamp(from, end);
            self.text.extend_from_within(from..until);
            self.text.extend_from_slice(span.with);
            from = old.saturating_add(span.to).clamp(until, end);
        }
        self.text.extend_from_within(from..end);
        *at = new as u32;
        *len = self.text.len().saturating_sub(new) as u32;
        if let Some(old) = self.text.get_mut(old..end) {
            old.fill(0);
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &'static Field) -> Option<Value> {
        self.entries.iter().find(|e| std::ptr::eq(e.field, field)).map(|e| e.value)
    }

    /// The bytes of a text value of this record; empty for other values.
    #[must_use]
    pub fn bytes(&self, value: Value) -> &[u8] {
        match value {
            Value::Text(at, len) => {
                self.text.get(at as usize..at.saturating_add(len) as usize).unwrap_or_default()
            }
            Value::Word(w) => w.as_bytes(),
            _ => &[],
        }
    }

    /// The bytes of a text field of this record; empty when it is not there.
    #[must_use]
    pub fn text_of(&self, field: &'static Field) -> &[u8] {
        self.get(field).map_or(&[], |v| self.bytes(v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::f;

    #[test]
    fn text_can_grow_while_it_is_the_last() {
        let mut r = Record::new(Kind::Http);
        r.text(&f::http::METHOD, b"GET");
        r.begin_text(&f::http::URL);
        r.append(b"/a");
        r.num(&f::http::RETCODE, 200);
        r.append(b"/b");
        assert_eq!(r.text_of(&f::http::URL), b"/a/b");
        assert_eq!(r.text_of(&f::http::METHOD), b"GET");
        assert_eq!(r.get(&f::http::RETCODE), Some(Value::Num(200)));
        r.reset(Kind::Dns);
        assert!(r.entries().is_empty() && r.text_of(&f::http::URL).is_empty());
    }
}
