//! What is wrong with a configuration, and where.

use super::form::shown;
use super::keys::{KEYS, Key, nearest};
use std::fmt;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file and its line, from 1.
    Line(String, usize),
    /// The command line: the flag as written.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(name, line) => write!(f, "{name}:{line}"),
            Place::Flag(flag) => write!(f, "command line: {}", flag.escape_debug()),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The key as written; empty when the line has none.
    pub key: String,
    /// What is wrong.
    pub wrong: String,
    /// What was expected, and a known name that may have been meant.
    pub expected: String,
}

impl Problem {
    pub(crate) fn unknown(place: Place, name: &str) -> Problem {
        let near = nearest(name, KEYS.iter().map(|k| k.name));
        let near = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Problem {
            place,
            key: shown(name),
            wrong: "there is no such key".to_owned(),
            expected: format!("a key that `mfnano config` lists{near}"),
        }
    }

    pub(crate) fn value(place: Place, key: &Key, wrong: String) -> Problem {
        Problem { place, key: key.name.to_owned(), wrong, expected: key.form.expected() }
    }

    pub(crate) fn line(place: Place, wrong: &str, expected: &str) -> Problem {
        Problem { place, key: String::new(), wrong: wrong.to_owned(), expected: expected.to_owned() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; expected {}", self.wrong, self.expected)
    }
}

/// Everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, p) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            p.fmt(f)?;
        }
        Ok(())
    }
}
