//! Both ends of a conversation with a database that cannot be had, played from its specification.
//!
//! [`Tds`] writes SQL Server's protocol, [`Tns`] Oracle's. Each keeps a [`Script`]: the bytes that each
//! side sends, message by message, and beside them what a probe has to tell of each statement. The truth
//! comes from what the script was asked to say, never from reading the bytes again, and nothing here is
//! shared with the parsers. So a replay proves that the parsers read what the specification says; it does
//! not prove that a server says it.

mod tds;
mod tns;
mod values;

pub use tds::{Answer, Call, Login, Tds};
pub use tns::{Style, Tns, Verdict};
pub use values::Value;

use crate::{Conversation, Sender, TimedFrame};

/// What has to be told of one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// Its text; empty for a login and a connection.
    pub sql: String,
    /// Values bound, as SQL would have them.
    pub params: Option<String>,
    /// The message of its first error; `Some("")` for none.
    pub err: Option<String>,
    /// The number of that error; `0` for none.
    pub code: Option<String>,
    /// Rows, where the protocol tells them.
    pub rows: Option<u64>,
    /// Who is logged in.
    pub user: String,
    /// The database or service.
    pub db: String,
    /// Its text came with an earlier message: who did not see that one cannot know it.
    pub by_handle: bool,
    /// The step of its request, and the one that ends its answer.
    pub steps: (usize, usize),
}

/// What both sides send, and what has to be told of it.
#[derive(Clone, Debug)]
pub struct Script {
    client: String,
    server: String,
    steps: Vec<(Sender, Vec<u8>)>,
    /// One for each statement.
    pub told: Vec<Told>,
}

/// A script as frames.
#[derive(Clone, Debug)]
pub struct Played {
    /// All of them, with handshake and end.
    pub frames: Vec<TimedFrame>,
    /// The first frame of each step.
    pub begins: Vec<usize>,
}

impl Script {
    /// An empty one between two ends (`10.0.0.1:40000`).
    #[must_use]
    pub fn new(client: &str, server: &str) -> Script {
        Script { client: client.to_owned(), server: server.to_owned(), steps: Vec::new(), told: Vec::new() }
    }

    /// One side sends bytes: a step.
    pub fn send(&mut self, by: Sender, bytes: Vec<u8>) {
        self.steps.push((by, bytes));
    }

    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// As TCP segments of at most `mss` bytes, with a handshake in front and an end.
    #[must_use]
    pub fn play(&self, mss: usize) -> Played {
        let mut c = Conversation::new(&self.client, &self.server).mss(mss).handshake();
        let mut begins = Vec::new();
        for (by, bytes) in &self.steps {
            begins.push(c.len());
            c = c.send(*by, bytes);
        }
        Played { frames: c.close().frames(), begins }
    }
}
