//! From bytes, gaps and ends to messages.

use super::answer::succeed;
use super::names::{Answered, Names};
use super::queue::Queue;
use super::wire::{First, HEADER, Head, Startup, messages, parameter, startup};
use crate::session::{Cx, Parser, Progress, Transport, Txn, Verdict};
use base::{Direction, Mark};
use record::{Kind, Quality, f::sql as f};

/// Where a direction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing came yet.
    New,
    /// At the beginning of a message.
    Message,
    /// In what is left of one that is not looked at.
    Rest(usize),
    /// Lost: looking for the next message.
    Search,
}

/// The encryption that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Tls,
    Gss,
}

/// State of one flow.
#[derive(Debug)]
pub struct Session {
    stages: [Stage; 2],
    ended: [bool; 2],
    wanted: Option<Wanted>,
    /// The login under way: told only if it fails.
    pub(super) login: Option<Txn>,
    pub(super) user: Vec<u8>,
    pub(super) db: Vec<u8>,
    pub(super) queue: Queue,
    pub(super) names: Names,
    /// The group being asked is skipped by the server: it had an error.
    pub(super) skipping: bool,
    /// A Parse was skipped: the Bind of its statement is not told again.
    pub(super) skipped: bool,
    /// Bytes of the client were lost: what gives a statement its text may be among them.
    pub(super) holed: bool,
    /// The client sends data for a COPY.
    pub(super) copying: bool,
    /// The last request's end is in a later piece of it.
    asking: bool,
    /// The statement under way: rows by its tags, rows that came, an error was told.
    pub(super) rows: u64,
    pub(super) data_rows: u64,
    pub(super) failed: bool,
    /// The answer's beginning may be lost: its rows cannot be counted.
    pub(super) partial: bool,
    /// An Execute that is complete; an error at Sync is its too.
    pub(super) complete: Option<Answered>,
    /// Parses to be told: never executed.
    pub(super) told: Vec<Answered>,
    /// Something was PostgreSQL.
    spoken: bool,
    /// Replication began.
    pub(super) streaming: bool,
}

/// Names of users and databases are not longer than 63 bytes (NAMEDATALEN), elsewhere a little.
const LOGIN_NAME: usize = 256;

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {
            stages: [Stage::New; 2],
            ended: [false; 2],
            wanted: None,
            login: None,
            user: Vec::new(),
            db: Vec::new(),
            queue: Queue::new(),
            names: Names::new(),
            skipping: false,
            skipped: false,
            holed: false,
            copying: false,
            asking: false,
            rows: 0,
            data_rows: 0,
            failed: false,
            partial: false,
            complete: None,
            told: Vec::new(),
            spoken: false,
            streaming: false,
        }
    }

    fn stage(&mut self, dir: Direction) -> &mut Stage {
        let [c, s] = &mut self.stages;
        match dir {
            Direction::ToServer => c,
            Direction::ToClient => s,
        }
    }

    /// Keeps the name of the user; an empty one says nothing.
    pub(super) fn learn_user(&mut self, name: &[u8]) {
        self.user = name.get(..LOGIN_NAME).unwrap_or(name).into();
    }

    /// The first bytes of a direction.
    fn first(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if dir == Direction::ToClient {
            if let Some(wanted) = self.wanted.take() {
                let (yes, what) = match wanted {
                    Wanted::Tls => (b'S', "postgresql-tls"),
                    Wanted::Gss => (b'G', "postgresql-gss"),
                };
                match bytes.first() {
                    Some(b) if *b == yes => {
                        cx.anomaly(what);
                        // Behind the one byte TLS begins, and the engine may know it.
                        return if wanted == Wanted::Tls { Progress::Upgrade(1) } else { Progress::Done };
                    }
                    Some(b'N') => return Progress::Consumed(1),
                    // A server that does not know the request.
                    _ => {}
                }
            }
            *self.stage(dir) = Stage::Message;
            self.queue.lossy |= !self.spoken;
            return self.message(cx, dir, bytes);
        }
        if bytes.first() != Some(&0) {
            *self.stage(dir) = Stage::Message;
            self.queue.lossy = true;
            return self.message(cx, dir, bytes);
        }
        match startup(bytes) {
            First::None => Progress::Lost,
            First::Need(n) if n <= bytes.len() => Progress::Lost,
            First::Need(n) => Progress::Need(n),
            First::Whole(what, len) => {
                self.spoken = true;
                match what {
                    Startup::Tls => self.wanted = Some(Wanted::Tls),
                    Startup::Gss => self.wanted = Some(Wanted::Gss),
                    // It has no answer, and nothing follows it.
                    Startup::Cancel => return Progress::Done,
                    Startup::Login(params) => {
                        let mut txn = cx.open(Kind::Sql, 0);
                        txn.asked(cx.mark_at(len.saturating_sub(1)));
                        self.login = Some(txn);
                        let user = parameter(params, b"user").unwrap_or_default();
                        self.learn_user(user);
                        let db = parameter(params, b"database").unwrap_or(user);
                        self.db = db.get(..LOGIN_NAME).unwrap_or(db).into();
                        *self.stage(dir) = Stage::Message;
                        return Progress::Consumed(len);
                    }
                }
                // The server answers with one byte, then the client begins anew.
                *self.stage(Direction::ToClient) = Stage::New;
                Progress::Consumed(len)
            }
        }
    }

    /// Not a message.
    fn nonsense(&mut self, cx: &mut Cx<'_>, dir: Direction) -> Progress {
        if !self.spoken {
            return Progress::Lost;
        }
        cx.anomaly("postgresql-message");
        self.lost(cx, dir);
        Progress::Consumed(1)
    }

    /// At the beginning of a message.
    fn message(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        let head = match Head::read(dir, bytes) {
            Ok(head) => head,
            Err(Some(n)) => return Progress::Need(n),
            Err(None) => return self.nonsense(cx, dir),
        };
        if matches!(head.kind, b'D' | b'd') && (dir == Direction::ToClient || head.kind == b'd') {
            return self.data_messages(cx, dir, bytes);
        }
        // So much of a message is waited for; a longer one is read in part.
        let wants = match (dir, head.kind) {
            (Direction::ToServer, b'p' | b'f') | (Direction::ToClient, b'T' | b'A' | b'V' | b'v' | b'K') => 4,
            _ => cx.limits.text.saturating_mul(4).saturating_add(4096),
        };
        let held = head.len.min(wants).min(cx.limits.stream.saturating_sub(HEADER));
        let body = bytes.get(HEADER..).unwrap_or_default();
        let Some(body) = body.get(..held) else { return Progress::Need(held.saturating_add(HEADER)) };
        let used = held.saturating_add(HEADER);
        let rest = head.len.saturating_sub(held);
        let last = cx.mark_at(used.saturating_sub(1));
        self.asking = false;
        let understood = match dir {
            Direction::ToServer => self.ask(cx, head, body, last),
            Direction::ToClient => self.answer(cx, head, body, last),
        };
        if !understood {
            return self.nonsense(cx, dir);
        }
        self.spoken = true;
        self.tell(cx);
        if self.streaming {
            cx.anomaly("postgresql-replication");
            return Progress::Done;
        }
        if rest > 0 {
            self.asking = dir == Direction::ToServer && matches!(head.kind, b'Q' | b'P' | b'B' | b'F');
            *self.stage(dir) = Stage::Rest(rest);
        }
        Progress::Consumed(used)
    }

    /// A run of rows or COPY data: counted, not looked at.
    fn data_messages(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        let mut used = 0usize;
        let mut rows = 0u64;
        let kind = bytes.first().copied().unwrap_or_default();
        while let Some(rest) = bytes.get(used..)
            && rest.first() == Some(&kind)
            && let Ok(head) = Head::read(dir, rest)
        {
            rows = rows.saturating_add(1);
            let whole = head.len.saturating_add(HEADER);
            if let Some(left) = whole.checked_sub(rest.len()).filter(|n| *n > 0) {
                *self.stage(dir) = Stage::Rest(left);
                used = bytes.len();
                break;
            }
            used = used.saturating_add(whole);
        }
        if dir == Direction::ToClient {
            if kind == b'D' {
                self.data_rows = self.data_rows.saturating_add(rows);
            }
            let at = cx.mark_at(0);
            self.touch(at);
        }
        Progress::Consumed(used)
    }

    /// In what is left of a message.
    fn rest(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8], left: usize) -> Progress {
        let n = left.min(bytes.len());
        let left = left.saturating_sub(n);
        *self.stage(dir) = if left == 0 { Stage::Message } else { Stage::Rest(left) };
        if left == 0 && dir == Direction::ToServer && std::mem::take(&mut self.asking) {
            let last = cx.mark_at(n.saturating_sub(1));
            if let Some(txn) = self.queue.last_txn() {
                txn.asked(last);
            }
        }
        Progress::Consumed(n)
    }

    /// Looks for the next message: the first offset where some follow one another. What is found does
    /// not depend on how the bytes were cut.
    fn search(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        /// So many bytes decide: this bounds what is looked at again with each packet.
        const WINDOW: usize = 512;
        /// Longer messages are not waited for: text read as a length gives such.
        const LONG: usize = 1 << 20;
        let short = |rest: &[u8]| match Head::read(dir, rest) {
            Ok(h) if matches!(h.kind, b'Q' | b'P' | b'B' | b'T' | b't' | b'E' | b'N') => h.len < LONG,
            Ok(h) => h.len < WINDOW,
            Err(more) => more.is_some(),
        };
        let mut at = 0usize;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            let window = rest.get(..WINDOW);
            let verdict = if short(rest) { messages(dir, window.unwrap_or(rest)) } else { Verdict::No };
            match verdict {
                Verdict::Yes => break,
                Verdict::More if window.is_none() && at == 0 => {
                    return Progress::Need(bytes.len().saturating_add(1));
                }
                Verdict::More if window.is_none() => return Progress::Consumed(at),
                Verdict::More | Verdict::No => at = at.saturating_add(1),
            }
        }
        if at > 0 {
            return Progress::Consumed(at);
        }
        *self.stage(dir) = Stage::Message;
        let first = cx.mark_at(0).time;
        match (dir, bytes.first()) {
            (Direction::ToServer, _) => {}
            (Direction::ToClient, Some(b'Z')) => {
                let end = cx.mark_at(HEADER).time;
                self.queue.ready(end);
                self.queue.realign_behind(cx, end);
                return Progress::Consumed(HEADER.saturating_add(1));
            }
            (Direction::ToClient, _) => {
                self.queue.realign(cx, first);
                self.partial = true;
            }
        }
        self.message(cx, dir, bytes)
    }

    /// Bytes of a direction are missing.
    fn lost(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        *self.stage(dir) = Stage::Search;
        self.flush(cx);
        if let Some(txn) = self.login.take() {
            cx.forget(txn);
        }
        self.copying = false;
        match dir {
            Direction::ToServer => {
                (self.skipping, self.skipped) = (false, false);
                self.asking = false;
                self.holed = true;
                self.queue.lost_requests(cx);
                // Not executed, as far as was seen.
                let mut idle = Vec::new();
                self.names.doubt(&mut idle);
                idle.iter_mut().for_each(|(txn, _)| txn.taint(Quality::GAP));
                self.told.append(&mut idle);
            }
            Direction::ToClient => {
                (self.rows, self.data_rows) = (0, 0);
                (self.failed, self.partial) = (false, false);
                self.queue.lost_answers(cx);
            }
        }
        self.tell(cx);
    }

    /// The Execute that is complete has its end.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>) {
        if let Some((mut txn, end)) = self.complete.take() {
            succeed(&mut txn);
            self.close(cx, txn, end);
        }
    }

    /// Tells of what was given up, and of the Parses that were never executed.
    fn tell(&mut self, cx: &mut Cx<'_>) {
        if self.queue.gone.is_empty() && self.told.is_empty() {
            return;
        }
        for (txn, end) in std::mem::take(&mut self.queue.gone) {
            self.close(cx, txn, end);
        }
        for (mut txn, end) in std::mem::take(&mut self.told) {
            if txn.is_answered() && !txn.quality.has(Quality::GAP) {
                succeed(&mut txn);
            }
            self.close(cx, txn, end);
        }
    }

    /// Ends a transaction with what is known of the login.
    pub(super) fn close(&mut self, cx: &mut Cx<'_>, mut txn: Txn, end: Mark) {
        if !self.user.is_empty() {
            txn.text(&f::USER, &self.user, LOGIN_NAME);
        }
        if !self.db.is_empty() {
            txn.text(&f::DB, &self.db, LOGIN_NAME);
        }
        cx.close(txn, end);
    }
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        match *self.stage(dir) {
            Stage::New => self.first(cx, dir, bytes),
            Stage::Message => self.message(cx, dir, bytes),
            Stage::Rest(left) => self.rest(cx, dir, bytes, left),
            Stage::Search => self.search(cx, dir, bytes),
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        // Inside a message that is walked over nothing is lost but its bytes.
        if let Stage::Rest(left) = self.stage(dir)
            && let Some(left) = usize::try_from(n).ok().and_then(|n| left.checked_sub(n))
        {
            *self.stage(dir) = if left == 0 { Stage::Message } else { Stage::Rest(left) };
            return;
        }
        if *self.stage(dir) != Stage::New || self.spoken {
            self.lost(cx, dir);
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        let [c, s] = &mut self.ended;
        *(if dir == Direction::ToServer { &mut *c } else { &mut *s }) = true;
        // A client may close its direction and still wait for answers.
        if !*s {
            return;
        }
        self.flush(cx);
        if let Some(txn) = self.login.take() {
            cx.forget(txn);
        }
        if self.failed && self.queue.front(cx.now.time).is_some() {
            let end = cx.now;
            self.finish_front(cx, end);
        }
        while let Some(item) = self.queue.pop() {
            if let Some(mut txn) = item.txn {
                if self.queue.lossy && txn.is_answered() {
                    txn.taint(Quality::GAP);
                }
                let end = cx.now;
                self.close(cx, txn, end);
            }
        }
        self.names.doubt(&mut self.told);
        self.names.discard(u64::MAX, &mut self.told);
        self.tell(cx);
    }

    fn held(&self) -> usize {
        let texts = self.user.capacity().saturating_add(self.db.capacity());
        self.queue.held().saturating_add(self.names.held()).saturating_add(texts)
    }
}
