//! Both ends of SQL Server's protocol, written from MS-TDS (7.4) and MC-SMP.

mod answer;
mod call;
mod login;

pub use answer::Answer;
pub use call::Call;
pub use login::Login;

use super::values::utf16;
use super::{Script, Told};
use crate::Sender;
use std::collections::{BTreeMap, VecDeque};

/// Kinds of messages, 2.2.3.1.1.
mod kind {
    pub(super) const BATCH: u8 = 1;
    pub(super) const RPC: u8 = 3;
    pub(super) const ANSWER: u8 = 4;
    pub(super) const ATTENTION: u8 = 6;
    pub(super) const TRANSACTION: u8 = 0x0e;
    pub(super) const LOGIN: u8 = 0x10;
    pub(super) const PRELOGIN: u8 = 0x12;
}

/// B_VARCHAR: a count of characters of one byte.
fn b_varchar(s: &str) -> Vec<u8> {
    [vec![s.encode_utf16().count() as u8], utf16(s)].concat()
}

/// A connection under way. Statements are asked and answered; with MARS in several sessions.
#[derive(Clone, Debug)]
pub struct Tds {
    script: Script,
    /// Size of packets.
    size: usize,
    user: String,
    db: String,
    /// Sessions multiplexed (MC-SMP): next numbers of both sides. Empty without MARS.
    mars: BTreeMap<u16, [u32; 2]>,
    session: u16,
    /// Statements that wait, by session: places in `told`, or `None` for what is not told.
    waiting: BTreeMap<u16, VecDeque<Vec<Option<usize>>>>,
}

impl Tds {
    /// A connection between two ends, with packets of so many bytes.
    #[must_use]
    pub fn new(client: &str, server: &str, size: usize) -> Tds {
        Tds {
            script: Script::new(client, server),
            size,
            user: String::new(),
            db: String::new(),
            mars: BTreeMap::new(),
            session: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// What was played.
    #[must_use]
    pub fn script(self) -> Script {
        self.script
    }

    /// Bytes that are no packet: those of TLS.
    pub fn raw(&mut self, by: Sender, bytes: &[u8]) {
        self.script.send(by, bytes.to_vec());
    }

    /// The packets of a message, 2.2.3: each in an SMP packet of its own in a session.
    fn packets(&mut self, by: Sender, kind: u8, body: &[u8]) -> Vec<Vec<u8>> {
        let chunks: Vec<&[u8]> =
            if body.is_empty() { vec![&[]] } else { body.chunks(self.size - 8).collect() };
        let mut out = Vec::new();
        for (i, c) in chunks.iter().enumerate() {
            let len = (c.len() + 8) as u16;
            let end = u8::from(i + 1 == chunks.len());
            let spid = if by == Sender::Server { [0, 51] } else { [0, 0] };
            let mut p = [&[kind, end][..], &len.to_be_bytes(), &spid, &[(i + 1) as u8, 0], c].concat();
            if !self.mars.is_empty() {
                p = [self.smp(8, by, p.len()), p].concat();
            }
            out.push(p);
        }
        out
    }

    /// A header of SMP, MC-SMP 2.2.1.
    fn smp(&mut self, flags: u8, by: Sender, len: usize) -> Vec<u8> {
        let seq = &mut self.mars.entry(self.session).or_default()[by as usize];
        *seq += u32::from(flags == 8);
        let head =
            [&[0x53, flags][..], &self.session.to_le_bytes(), &(16 + len as u32).to_le_bytes()].concat();
        [&head[..], &seq.to_le_bytes(), &(*seq + 4).to_le_bytes()].concat()
    }

    fn message(&mut self, by: Sender, kind: u8, body: &[u8]) {
        let all = self.packets(by, kind, body).concat();
        self.script.send(by, all);
    }

    /// Opens session `n` (SYN) and goes on in it.
    pub fn open(&mut self, n: u16) {
        self.session = n;
        let syn = self.smp(1, Sender::Client, 0);
        self.script.send(Sender::Client, syn);
    }

    /// Goes on in session `n`.
    pub fn on(&mut self, n: u16) {
        self.session = n;
    }

    /// ACK of one side in the session: its window moves.
    pub fn acknowledge(&mut self, by: Sender) {
        let ack = self.smp(2, by, 0);
        self.script.send(by, ack);
    }

    /// FIN of both sides in the session.
    pub fn finish(&mut self) {
        for by in [Sender::Client, Sender::Server] {
            let fin = self.smp(4, by, 0);
            self.script.send(by, fin);
        }
    }

    /// PRELOGIN of both sides, 2.2.6.5: what each says of encryption (0 off, 1 on, 2 not supported), and MARS.
    pub fn prelogin(&mut self, client: u8, server: u8, mars: bool) {
        for (by, kind, encryption) in
            [(Sender::Client, kind::PRELOGIN, client), (Sender::Server, kind::ANSWER, server)]
        {
            let options: [(u8, &[u8]); 5] = [
                (0, &[15, 0, 7, 0xd0, 0, 0]),
                (1, &[encryption]),
                (2, &[0]),
                (3, if by == Sender::Client { &[0, 0, 0x1a, 0x2b] } else { &[] }),
                (4, &[u8::from(mars)]),
            ];
            let (mut head, mut text) = (Vec::new(), Vec::new());
            for (t, v) in options {
                let at = (options.len() * 5 + 1 + text.len()) as u16;
                head.extend([&[t][..], &at.to_be_bytes(), &(v.len() as u16).to_be_bytes()].concat());
                text.extend_from_slice(v);
            }
            self.message(by, kind, &[&head[..], &[0xff], &text].concat());
        }
    }

    /// A message of TLS's handshake within a PRELOGIN packet, 3.2.5.2.
    pub fn handshake(&mut self, by: Sender, record: &[u8]) {
        self.message(by, kind::PRELOGIN, record);
    }

    /// LOGIN7, 2.2.6.4. Its answer comes by [`Tds::accept`] or [`Tds::refuse`].
    pub fn login(&mut self, l: &Login<'_>) {
        let body = login::login7(l, self.size as u32);
        self.hidden_login(l.user, l.db);
        self.message(Sender::Client, kind::LOGIN, &body);
    }

    /// A login that goes by under TLS.
    pub fn hidden_login(&mut self, user: &str, db: &str) {
        (self.user, self.db) = (user.to_owned(), db.to_owned());
        self.waiting.entry(self.session).or_default().push_back(vec![None]);
    }

    /// The server takes the login.
    pub fn accept(&mut self) {
        self.answer(Answer::accepts(&self.db, self.size));
    }

    /// The login is refused: it is told.
    pub fn refuse(&mut self, number: i32, text: &str) {
        let step = self.script.len() - 1;
        let told = Told { steps: (step, step), ..self.new_told("", None) };
        self.script.told.push(told);
        let at = self.script.told.len() - 1;
        if let Some(w) = self.waiting.get_mut(&self.session).and_then(|w| w.back_mut()) {
            *w = vec![Some(at)];
        }
        self.answer(Answer::new().error(number, 1, 14, text).done_failed());
    }

    fn new_told(&self, sql: &str, params: Option<String>) -> Told {
        let step = self.script.len();
        let (user, db) = (self.user.clone(), self.db.clone());
        Told { sql: sql.to_owned(), params, user, db, steps: (step, step), ..Told::default() }
    }

    /// A request and what it asks: `None` for what is not told.
    fn ask(&mut self, kind: u8, body: &[u8], told: Vec<Option<Told>>) {
        let mut places = Vec::new();
        for t in told {
            places.push(t.map(|t| {
                self.script.told.push(t);
                self.script.told.len() - 1
            }));
        }
        self.waiting.entry(self.session).or_default().push_back(places);
        // ALL_HEADERS, 2.2.5.3: the transaction and how many requests are under way.
        let headers = b"\x16\0\0\0\x12\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0";
        self.message(Sender::Client, kind, &[&headers[..], body].concat());
    }

    /// SQLBatch, 2.2.6.7.
    pub fn batch(&mut self, sql: &str) {
        let told = self.new_told(sql, None);
        self.ask(kind::BATCH, &utf16(sql), vec![Some(told)]);
    }

    /// TM_COMMIT_XACT without a name, 2.2.6.9.
    pub fn commit(&mut self) {
        let told = self.new_told("COMMIT TRANSACTION", None);
        self.ask(kind::TRANSACTION, &[7, 0, 0, 0], vec![Some(told)]);
    }

    /// One or more calls in a message, 2.2.6.6.
    pub fn calls(&mut self, all: &[Call]) {
        let body: Vec<Vec<u8>> = all.iter().map(Call::bytes).collect();
        let told = all.iter().map(|c| {
            let t = Told { by_handle: c.by_handle, ..self.new_told(&c.sql, c.shown()) };
            (!c.silent).then_some(t)
        });
        let told = told.collect();
        self.ask(kind::RPC, &body.join(&0xff), told);
    }

    /// One call.
    pub fn call(&mut self, call: Call) {
        self.calls(&[call]);
    }

    /// Attention, 2.2.6.2: what waits in the session is to be cancelled.
    pub fn attention(&mut self) {
        self.message(Sender::Client, kind::ATTENTION, &[]);
    }

    /// The oldest request of the session is answered.
    pub fn answer(&mut self, answer: Answer) {
        self.answers(&[(self.session, vec![answer])]);
    }

    /// An answer that no statement waits for: that of an attention which came too late.
    pub fn answer_to_nothing(&mut self, answer: Answer) {
        self.waiting.entry(self.session).or_default().push_front(vec![None]);
        self.answer(answer);
    }

    /// The calls of the oldest message are answered, one by one.
    pub fn answer_all(&mut self, answers: Vec<Answer>) {
        self.answers(&[(self.session, answers)]);
    }

    /// Sessions are answered, packet by packet in turns.
    pub fn answers(&mut self, all: &[(u16, Vec<Answer>)]) {
        let mut queues = Vec::new();
        for (session, answers) in all {
            self.session = *session;
            let bytes: Vec<u8> = answers.iter().flat_map(|a| a.bytes.clone()).collect();
            let packets = self.packets(Sender::Server, kind::ANSWER, &bytes);
            queues.push((*session, answers, VecDeque::from(packets)));
        }
        while queues.iter().any(|(.., q)| !q.is_empty()) {
            for (session, answers, queue) in &mut queues {
                let Some(packet) = queue.pop_front() else { continue };
                self.script.send(Sender::Server, packet);
                if queue.is_empty() {
                    self.answered(*session, answers);
                }
            }
        }
    }

    fn answered(&mut self, session: u16, answers: &[Answer]) {
        let step = self.script.len() - 1;
        let places = self.waiting.get_mut(&session).and_then(VecDeque::pop_front).expect("a request");
        assert_eq!(places.len(), answers.len(), "an answer for each call");
        for (place, a) in places.iter().zip(answers) {
            if let Some(t) = place.and_then(|p| self.script.told.get_mut(p)) {
                t.steps.1 = step;
                t.rows = (!t.sql.is_empty() || t.by_handle).then_some(a.rows);
                (t.code, t.err) = match (&a.error, a.cancelled) {
                    (Some((n, text)), _) => (Some(n.to_string()), Some(text.clone())),
                    // It has no number.
                    (None, true) => (None, Some("cancelled by the client".to_owned())),
                    (None, false) => (Some("0".to_owned()), Some(String::new())),
                };
            }
            if let Some(db) = &a.db {
                self.db.clone_from(db);
            }
        }
    }
}
