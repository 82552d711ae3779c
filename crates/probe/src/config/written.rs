//! The configuration as written: the text of each key, and where it stands.

use super::form::Form;
use super::keys::{COUNT, K, KEYS};
use super::problem::{Place, Problem};

/// A configuration file is a page; a larger one is something else.
const MAX_FILE: usize = 1 << 20;

/// After so many errors a file is something else, too.
const MAX_PROBLEMS: usize = 100;

/// A configuration file, read.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// A flag of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Which key.
    pub key: K,
    /// Its value.
    pub value: String,
    /// The flag as written, for messages: `-i`, `--device`.
    pub spelled: String,
}

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The text, without blanks around it; may be empty.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// What was written for each key.
#[derive(Clone, Debug)]
pub struct Written {
    entries: [Option<Entry>; COUNT],
    /// What is odd but not wrong.
    pub(crate) odd: Vec<String>,
}

impl Default for Written {
    fn default() -> Written {
        Written { entries: [const { None }; COUNT], odd: Vec::new() }
    }
}

impl Written {
    /// Reads a file: `key=value` lines, `#` comments, blank lines, line ends of any system.
    pub fn add_file(&mut self, file: &File<'_>, problems: &mut Vec<Problem>) {
        let place = |line: usize| Place::Line(file.name.to_owned(), line);
        if file.bytes.len() > MAX_FILE {
            problems.push(Problem::line(place(1), "the file is larger than 1 MB", "key=value lines"));
            return;
        }
        let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes);
        for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let place = place(i + 1);
            if problems.len() >= MAX_PROBLEMS {
                problems.push(Problem::line(
                    place,
                    "too many errors, the rest is not looked at",
                    "key=value lines",
                ));
                return;
            }
            let Ok(line) = std::str::from_utf8(line) else {
                problems.push(Problem::line(place, "the line is not UTF-8", "key=value"));
                continue;
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                // Without its `=` a key is still known.
                let wrong =
                    if K::by_name(line).is_some() { "`=` is missing" } else { "this is no key=value" };
                problems.push(Problem::line(place, wrong, "key=value, or # before a comment"));
                continue;
            };
            match K::by_name(name.trim_end()) {
                Some(id) => self.add(id, value.trim(), place, problems),
                None => problems.push(Problem::unknown(place, name.trim_end())),
            }
        }
    }

    /// Adds the flags, which beat what a file says.
    pub fn add_flags(&mut self, flags: &[Flag], problems: &mut Vec<Problem>) {
        for flag in flags {
            self.add(flag.key, flag.value.trim(), Place::Flag(flag.spelled.clone()), problems);
        }
    }

    fn add(&mut self, id: K, text: &str, place: Place, problems: &mut Vec<Problem>) {
        let key = id.key();
        if !text.is_empty()
            && let Err(wrong) = key.form.check(text)
        {
            problems.push(Problem::value(place, key, wrong));
            return;
        }
        let Some(slot) = self.entries.get_mut(id as usize) else { return };
        let mut entry = Entry { text: text.to_owned(), place };
        if let Some(before) = slot.as_ref().filter(|b| !b.text.is_empty())
            && matches!(before.place, Place::Flag(_)) == matches!(entry.place, Place::Flag(_))
        {
            if id == K::IgnoreL7 && !text.is_empty() {
                entry.text = format!("{},{text}", before.text);
                if let Err(wrong) = key.form.check(&entry.text) {
                    problems.push(Problem::value(entry.place, key, wrong));
                    return;
                }
            } else if before.text != entry.text && self.odd.len() < MAX_PROBLEMS {
                self.odd.push(format!(
                    "{}: {}: given a second time; this value counts, not that of {}",
                    entry.place, key.name, before.place
                ));
            }
        }
        *slot = Some(entry);
    }

    /// What was written for a key.
    #[must_use]
    pub fn entry(&self, id: K) -> Option<&Entry> {
        self.entries.get(id as usize).and_then(Option::as_ref)
    }

    /// The text in force: as written, else the default; empty when there is neither.
    #[must_use]
    pub fn effective(&self, id: K) -> &str {
        let key = id.key();
        match self.entry(id) {
            Some(entry) if !entry.text.is_empty() => &entry.text,
            Some(_) => key.empty.unwrap_or(key.default),
            None => key.default,
        }
    }

    /// The text in force, when there is one.
    #[must_use]
    pub fn get(&self, id: K) -> Option<&str> {
        Some(self.effective(id)).filter(|t| !t.is_empty())
    }

    /// The keys that have a value in the file or on the command line.
    pub fn given(&self) -> impl Iterator<Item = K> + '_ {
        KEYS.iter().map(|k| k.id).filter(|id| self.entry(*id).is_some_and(|e| !e.text.is_empty()))
    }

    /// Takes the value of a key over from another one.
    pub(crate) fn take_over(&mut self, id: K, from: &Written) {
        if let Some(slot) = self.entries.get_mut(id as usize) {
            *slot = from.entry(id).cloned();
        }
    }

    /// The value in force as it may be shown, and where it came from.
    #[must_use]
    pub fn display(&self, id: K) -> (String, String) {
        let key = id.key();
        let from = match self.entry(id) {
            Some(entry) if !entry.text.is_empty() || key.empty.is_some() => entry.place.to_string(),
            _ => "default".to_owned(),
        };
        let value = match self.get(id) {
            None => "(not set)".to_owned(),
            Some(_) if matches!(key.form, Form::Secret) => "(set, not shown)".to_owned(),
            Some(text) => text.to_owned(),
        };
        (value, from)
    }
}
