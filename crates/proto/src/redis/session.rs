//! State of one flow: both sides, and what is under way between them.

use super::answers::Answers;
use super::pairs::Pairs;
use super::requests::Requests;
use crate::session::{Cx, Parser, Progress, Transport};
use base::Direction;

/// State of one flow.
#[derive(Debug)]
pub struct Session {
    requests: Requests,
    answers: Answers,
    pairs: Pairs,
    started: bool,
    /// The client's side has ended, the server's.
    ended: [bool; 2],
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {
            requests: Requests::default(),
            answers: Answers::default(),
            pairs: Pairs::default(),
            started: false,
            ended: [false; 2],
        }
    }

    /// The first call of all.
    fn start(&mut self, cx: &Cx<'_>) {
        if !std::mem::replace(&mut self.started, true) && cx.midstream {
            self.pairs.joined();
        }
    }
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        self.start(cx);
        match dir {
            Direction::ToServer => {
                self.requests.is_server_idle = self.answers.is_idle();
                let progress = self.requests.data(cx, &mut self.pairs, bytes);
                if std::mem::take(&mut self.requests.settled) {
                    self.answers.resume();
                }
                // One side that is understood is enough.
                self.answers.proven |= self.requests.proven;
                progress
            }
            Direction::ToClient => {
                let progress = self.answers.data(cx, &mut self.pairs, bytes);
                if let Progress::Consumed(n) = progress {
                    let last = cx.mark_at(n.saturating_sub(1));
                    self.pairs.heard(last);
                }
                self.requests.proven |= self.answers.proven;
                progress
            }
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        self.start(cx);
        match dir {
            Direction::ToServer => self.requests.gap(cx, &mut self.pairs, n),
            Direction::ToClient => self.answers.gap(cx, &mut self.pairs, n),
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.start(cx);
        let [client, server] = &mut self.ended;
        match dir {
            Direction::ToServer => {
                *client = true;
                self.requests.end(cx);
            }
            Direction::ToClient => *server = true,
        }
        if *server {
            self.pairs.end(cx, *client);
        }
    }

    fn held(&self) -> usize {
        self.requests.held().saturating_add(self.answers.held()).saturating_add(self.pairs.held())
    }
}
