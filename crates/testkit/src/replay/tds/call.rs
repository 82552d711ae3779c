//! Calls, MS-TDS 2.2.6.6.

use super::b_varchar;
use crate::replay::Value;
use crate::replay::values::utf16;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    name: Vec<u8>,
    /// Name, is it output, value, is it told.
    params: Vec<(String, bool, Value, bool)>,
    pub(super) sql: String,
    pub(super) by_handle: bool,
    pub(super) silent: bool,
}

impl Call {
    /// A procedure by its name: told by it.
    #[must_use]
    pub fn named(name: &str) -> Call {
        let bytes = [(name.encode_utf16().count() as u16).to_le_bytes().to_vec(), utf16(name)].concat();
        Call { name: bytes, params: Vec::new(), sql: name.to_owned(), by_handle: false, silent: false }
    }

    /// A procedure by its number (ProcID), told by this text.
    #[must_use]
    pub fn numbered(number: u16, sql: &str) -> Call {
        Call { name: [[0xff; 2], number.to_le_bytes()].concat(), ..Call::named(sql) }
    }

    /// It is told by this text.
    #[must_use]
    pub fn told_as(self, sql: &str) -> Call {
        Call { sql: sql.to_owned(), ..self }
    }

    /// Its text came with an earlier message.
    #[must_use]
    pub fn by_handle(self) -> Call {
        Call { by_handle: true, ..self }
    }

    /// It is not told.
    #[must_use]
    pub fn silent(self) -> Call {
        Call { silent: true, ..self }
    }

    /// A parameter that is not told: a handle, the statement.
    #[must_use]
    pub fn with(mut self, v: Value) -> Call {
        self.params.push((String::new(), false, v, false));
        self
    }

    /// The same, filled by the server.
    #[must_use]
    pub fn with_output(mut self, v: Value) -> Call {
        self.params.push((String::new(), true, v, false));
        self
    }

    /// A value that is told.
    #[must_use]
    pub fn bind(mut self, name: &str, v: Value) -> Call {
        self.params.push((name.to_owned(), false, v, true));
        self
    }

    /// The same, filled by the server.
    #[must_use]
    pub fn bind_output(mut self, name: &str, v: Value) -> Call {
        self.params.push((name.to_owned(), true, v, true));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = [&self.name[..], &[0, 0]].concat();
        for (name, output, v, _) in &self.params {
            out.extend([&b_varchar(name)[..], &[u8::from(*output)], &v.info, &v.bytes].concat());
        }
        out
    }

    pub(super) fn shown(&self) -> Option<String> {
        let told = self.params.iter().filter(|p| p.3);
        let all: Vec<String> = told
            .map(
                |(name, _, v, _)| {
                    if name.is_empty() { v.shown.clone() } else { format!("{name}={}", v.shown) }
                },
            )
            .collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}
