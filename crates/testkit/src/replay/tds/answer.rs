//! Answers: the tokens of MS-TDS 2.2.7.

use super::b_varchar;
use crate::replay::Value;
use crate::replay::values::utf16;

/// Tokens, 2.2.7.
mod token {
    pub(super) const RETURN_STATUS: u8 = 0x79;
    pub(super) const COLUMNS: u8 = 0x81;
    pub(super) const ERROR: u8 = 0xaa;
    pub(super) const INFO: u8 = 0xab;
    pub(super) const RETURN_VALUE: u8 = 0xac;
    pub(super) const LOGIN_ACK: u8 = 0xad;
    pub(super) const ROW: u8 = 0xd1;
    pub(super) const ROW_WITH_NULLS: u8 = 0xd2;
    pub(super) const CHANGE: u8 = 0xe3;
    pub(super) const DONE: u8 = 0xfd;
    pub(super) const DONE_PROC: u8 = 0xfe;
    pub(super) const DONE_IN_PROC: u8 = 0xff;
}

const MORE: u16 = 1;
const FAILED: u16 = 2;
const COUNT: u16 = 0x10;
const ATTENTION: u16 = 0x20;
const IN_BATCH: u16 = 0x80;

/// A token with a length of two bytes.
fn counted(token: u8, body: &[u8]) -> Vec<u8> {
    [&[token][..], &(body.len() as u16).to_le_bytes(), body].concat()
}

/// The tokens of an answer, and what they say.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    pub(super) error: Option<(i32, String)>,
    pub(super) cancelled: bool,
    pub(super) db: Option<String>,
}

impl Answer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Answer {
        Answer::default()
    }

    fn put(mut self, bytes: &[u8]) -> Answer {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// COLMETADATA, 2.2.7.4: the types are those of the values.
    #[must_use]
    pub fn columns(self, all: &[(&str, Value)]) -> Answer {
        let mut out = [&[token::COLUMNS][..], &(all.len() as u16).to_le_bytes()].concat();
        for (name, v) in all {
            // User type, flags: nullable, may be written.
            out.extend([0, 0, 0, 0, 9, 0]);
            out.extend([&v.info[..], &b_varchar(name)].concat());
        }
        self.put(&out)
    }

    /// ROW, 2.2.7.19.
    #[must_use]
    pub fn row(self, values: &[Value]) -> Answer {
        let all: Vec<u8> = values.iter().flat_map(|v| v.bytes.clone()).collect();
        self.put(&[token::ROW]).put(&all)
    }

    /// NBCROW, 2.2.7.15: which are NULL stands in front.
    #[must_use]
    pub fn row_with_nulls(self, values: &[Option<Value>]) -> Answer {
        let mut nulls = vec![0u8; values.len().div_ceil(8)];
        for (i, _) in values.iter().enumerate().filter(|(_, v)| v.is_none()) {
            nulls[i / 8] |= 1 << (i % 8);
        }
        let all: Vec<u8> = values.iter().flatten().flat_map(|v| v.bytes.clone()).collect();
        self.put(&[token::ROW_WITH_NULLS]).put(&nulls).put(&all)
    }

    fn done_token(mut self, t: u8, status: u16, count: u64) -> Answer {
        if status & COUNT != 0 && t != token::DONE_PROC {
            self.rows += count;
        }
        let fields = [status.to_le_bytes(), 0xc1u16.to_le_bytes()].concat();
        self.put(&[t]).put(&fields).put(&count.to_le_bytes())
    }

    /// DONE with a count, 2.2.7.6; `more` statements of the batch follow.
    #[must_use]
    pub fn done(self, rows: u64, more: bool) -> Answer {
        self.done_token(token::DONE, COUNT | (u16::from(more) * MORE), rows)
    }

    /// DONE of what has no count.
    #[must_use]
    pub fn done_without_count(self) -> Answer {
        self.done_token(token::DONE, 0, 0)
    }

    /// DONE behind an error.
    #[must_use]
    pub fn done_failed(self) -> Answer {
        self.done_token(token::DONE, FAILED, 0)
    }

    /// DONE with DONE_ATTN: the cancellation is acknowledged.
    #[must_use]
    pub fn done_cancelled(mut self) -> Answer {
        self.cancelled = true;
        self.done_token(token::DONE, ATTENTION, 0)
    }

    /// DONEINPROC with a count.
    #[must_use]
    pub fn done_in_proc(self, rows: u64) -> Answer {
        self.done_token(token::DONE_IN_PROC, COUNT | MORE, rows)
    }

    /// RETURNSTATUS and DONEPROC: the end of a call; `more`: another of the same message follows (DONE_RPCINBATCH).
    #[must_use]
    pub fn done_proc(self, status: i32, more: bool) -> Answer {
        let failed = if self.error.is_some() { FAILED } else { 0 };
        self.put(&[token::RETURN_STATUS]).put(&status.to_le_bytes()).done_token(
            token::DONE_PROC,
            failed | (u16::from(more) * (MORE | IN_BATCH)),
            0,
        )
    }

    /// RETURNVALUE, 2.2.7.18: an output parameter.
    #[must_use]
    pub fn output(self, ordinal: u16, name: &str, v: &Value) -> Answer {
        self.put(&[token::RETURN_VALUE])
            .put(&ordinal.to_le_bytes())
            .put(&b_varchar(name))
            .put(&[1, 0, 0, 0, 0, 0, 0])
            .put(&v.info)
            .put(&v.bytes)
    }

    fn message(t: u8, number: i32, state: u8, class: u8, text: &str) -> Vec<u8> {
        let text16 = utf16(text);
        let body = [
            &number.to_le_bytes()[..],
            &[state, class],
            &(text.encode_utf16().count() as u16).to_le_bytes(),
            &text16,
            &b_varchar("SRV"),
            &b_varchar(""),
            &1u32.to_le_bytes(),
        ];
        counted(t, &body.concat())
    }

    /// ERROR, 2.2.7.10: number, state, class (severity), message.
    #[must_use]
    pub fn error(mut self, number: i32, state: u8, class: u8, text: &str) -> Answer {
        self.error.get_or_insert((number, text.to_owned()));
        self.put(&Answer::message(token::ERROR, number, state, class, text))
    }

    /// INFO, 2.2.7.13: no error, whatever it says.
    #[must_use]
    pub fn info(self, number: i32, text: &str) -> Answer {
        self.put(&Answer::message(token::INFO, number, 1, 0, text))
    }

    /// ENVCHANGE of the database, 2.2.7.9.
    #[must_use]
    pub fn database(mut self, new: &str, old: &str) -> Answer {
        self.db = Some(new.to_owned());
        self.put(&counted(token::CHANGE, &[&[1][..], &b_varchar(new), &b_varchar(old)].concat()))
    }

    /// The server takes a login: LOGINACK, 2.2.7.14, with what it changes.
    pub(super) fn accepts(db: &str, size: usize) -> Answer {
        let ack = [&[1, 0x74, 0, 0, 4][..], &b_varchar("Microsoft SQL Server"), &[16, 0, 7, 0xd0]].concat();
        let sizes = [&[4][..], &b_varchar(&size.to_string()), &b_varchar("4096")].concat();
        Answer::new()
            .database(db, "master")
            .info(5701, &format!("Changed database context to '{db}'."))
            .put(&counted(token::CHANGE, &[7, 5, 9, 4, 0xd0, 0, 0x34, 0]))
            .put(&counted(token::LOGIN_ACK, &ack))
            .put(&counted(token::CHANGE, &sizes))
            .done_without_count()
    }
}
