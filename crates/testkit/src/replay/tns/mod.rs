//! Both ends of Oracle's protocol. There is no specification: the forms are those of drivers whose source
//! is public (python-oracledb in thin mode, for servers 12.2 to 23) and of traffic of versions 10 (JDBC's
//! thin driver, OCI).

mod forms;

pub use forms::{Style, Verdict};

use super::{Script, Told};
use crate::Sender;
use forms::{POINTER, counted, counted_oci, number, rows, verdict};
use std::collections::VecDeque;

/// Kinds of packets.
mod kind {
    pub(super) const CONNECT: u8 = 1;
    pub(super) const ACCEPT: u8 = 2;
    pub(super) const REFUSE: u8 = 4;
    pub(super) const REDIRECT: u8 = 5;
    pub(super) const DATA: u8 = 6;
    pub(super) const RESEND: u8 = 11;
    pub(super) const MARKER: u8 = 12;
}

/// What waits for its answer.
#[derive(Clone, Debug)]
enum Waiting {
    Told(usize),
    Untold,
    /// COMMIT, ROLLBACK, and the like: a status is the answer.
    Status(Option<usize>),
}

/// A connection under way.
#[derive(Clone, Debug)]
pub struct Tns {
    script: Script,
    style: Style,
    wide: bool,
    sdu: usize,
    seq: u8,
    user: String,
    db: String,
    waiting: VecDeque<Waiting>,
}

impl Tns {
    /// A connection between two ends; `sdu` is the size of packets.
    #[must_use]
    pub fn new(client: &str, server: &str, style: Style, sdu: usize) -> Tns {
        Tns {
            script: Script::new(client, server),
            style,
            wide: false,
            sdu,
            seq: 0,
            user: String::new(),
            db: String::new(),
            waiting: VecDeque::new(),
        }
    }

    /// What was played.
    #[must_use]
    pub fn script(self) -> Script {
        self.script
    }

    fn packet(&self, kind: u8, body: &[u8]) -> Vec<u8> {
        let n = body.len() + 8;
        let len = if self.wide { (n as u32).to_be_bytes() } else { ((n as u32) << 16).to_be_bytes() };
        [&len[..], &[kind, 0, 0, 0], body].concat()
    }

    fn send(&mut self, by: Sender, kind: u8, body: &[u8]) {
        let p = self.packet(kind, body);
        self.script.send(by, p);
    }

    /// A message in as many packets as it takes; each is a step.
    fn data(&mut self, by: Sender, message: &[u8]) {
        let room = self.sdu - 10;
        let count = message.len().div_ceil(room);
        for (i, c) in message.chunks(room).enumerate() {
            let ends = self.style == Style::Thin23 && by == Sender::Server && i + 1 == count;
            let body = [&[if ends { 0x20 } else { 0 }, 0], c].concat();
            self.send(by, kind::DATA, &body);
        }
    }

    /// CONNECT with a descriptor that asks for this service (or SID); in a packet of its own when `apart`.
    pub fn connect(&mut self, key: &str, db: &str, apart: bool) {
        self.db = db.to_owned();
        let text = format!(
            "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=10.0.0.2)(PORT=1521))(CONNECT_DATA=({key}={db})(CID=(PROGRAM=testkit)(HOST=client)(USER=os))))"
        );
        let mut body = Vec::new();
        // Version, oldest version, options, sizes, characteristics, turnaround, one; length and place of the text.
        let sdu = self.sdu as u16;
        for n in [319, 300, 1, sdu, sdu, 0x4f98, 0, 1, text.len() as u16, 74] {
            body.extend(n.to_be_bytes());
        }
        body.extend([0, 0, 0, 0, 0x84, 0x84]);
        body.resize(74 - 8 - 16, 0);
        body.extend([(self.sdu as u32).to_be_bytes(); 2].concat());
        body.extend([0; 8]);
        if !apart {
            body.extend(text.as_bytes());
        }
        self.send(Sender::Client, kind::CONNECT, &body);
        if apart {
            self.data(Sender::Client, text.as_bytes());
        }
    }

    /// RESEND: the client is to send its CONNECT again.
    pub fn resend(&mut self) {
        self.send(Sender::Server, kind::RESEND, &[]);
    }

    /// ACCEPT of a version; from 315 on lengths have four bytes.
    pub fn accept(&mut self, version: u16) {
        let mut body = Vec::new();
        for n in [version, 1, self.sdu as u16, 0x7fff, 1, 0, 45, 0x4101] {
            body.extend(n.to_be_bytes());
        }
        body.resize(24, 0);
        body.extend([(self.sdu as u32).to_be_bytes(); 2].concat());
        body.extend([0; 5]);
        self.send(Sender::Server, kind::ACCEPT, &body);
        self.wide = version >= 315;
    }

    /// REDIRECT: nothing is told.
    pub fn redirect(&mut self, address: &str) {
        let body = [&(address.len() as u16).to_be_bytes()[..], address.as_bytes()].concat();
        self.send(Sender::Server, kind::REDIRECT, &body);
    }

    /// REFUSE with the listener's number: told.
    pub fn refuse(&mut self, number: u32) {
        let text = format!(
            "(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR={number})(ERROR_STACK=(ERROR=(CODE={number})(EMFI=4))))"
        );
        let body = [&[34, 0][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
        let step = self.script.len();
        self.script.told.push(Told {
            err: Some(text),
            code: Some(number.to_string()),
            db: self.db.clone(),
            steps: (step - 1, step),
            ..Told::default()
        });
        self.send(Sender::Server, kind::REFUSE, &body);
    }

    /// What both agree on before a login: protocol and data types.
    pub fn negotiate(&mut self) {
        self.data(Sender::Client, b"\x01\x06\0testkit\0");
        self.data(Sender::Server, b"\x01\x06\0x86_64/Linux 2.4.xx\0\x69\x03\0\0\0\0");
        self.data(Sender::Client, &[&[2, 0x69, 3, 0x69, 3][..], &[1; 300]].concat());
        self.data(Sender::Server, &[&[2][..], &[1; 200]].concat());
    }

    fn next(&mut self) -> u8 {
        self.seq = self.seq % 127 + 1;
        self.seq
    }

    /// The head of a call.
    fn head(&mut self, function: u8) -> Vec<u8> {
        let seq = self.next();
        let token: &[u8] = if self.style == Style::Thin23 { &[0] } else { &[] };
        [&[3, function, seq], token].concat()
    }

    /// A login: two calls with their answers, the second with this error if any. As drivers do, it brings along what
    /// the server is to execute when it lets the client in.
    pub fn login(&mut self, user: &str, error: Option<(u32, &str)>) {
        self.user = user.to_owned();
        // OCI sends all it knows, in chunks.
        let nls = "NLS_LANGUAGE= 'AMERICAN' NLS_TERRITORY= 'AMERICA' NLS_CURRENCY= '$' NLS_DATE_FORMAT= 'DD-MON-RR' ";
        let nls = if self.style == Style::Oci { nls.repeat(3) } else { String::new() };
        let alter = format!("ALTER SESSION SET {nls}TIME_ZONE= '-05:00'");
        for (function, key, value) in
            [(0x76, "AUTH_TERMINAL", "unknown"), (0x73, "AUTH_SESSKEY", "SECRETSECRETSECRET")]
        {
            let pair =
                |s: &str| [number(s.len() as u64), vec![s.len() as u8], s.as_bytes().to_vec()].concat();
            // Thin clients count the zero behind it.
            let more = match (function, self.style) {
                (0x73, Style::Oci) => {
                    let text = [(alter.len() as u32).to_le_bytes().to_vec(), counted_oci(alter.as_bytes())];
                    [&b"\x12\0\0\0\x12AUTH_ALTER_SESSION"[..], &text.concat(), &[0; 4]].concat()
                }
                (0x73, _) => [pair("AUTH_ALTER_SESSION"), pair(&format!("{alter}\0")), number(0)].concat(),
                _ => Vec::new(),
            };
            let head = self.head(function);
            let body = if self.style == Style::Oci {
                let n = |n: usize| (n as u32).to_le_bytes().to_vec();
                let text = |s: &str| [vec![s.len() as u8], s.as_bytes().to_vec()].concat();
                let all = [POINTER.to_vec(), n(user.len()), n(0x101), POINTER.to_vec(), n(1)];
                let pairs = [text(user), n(key.len()), text(key), n(value.len()), text(value), n(0)];
                [all.concat(), POINTER.to_vec(), POINTER.to_vec(), pairs.concat(), more].concat()
            } else {
                // python-oracledb writes a count in front of the name, JDBC 10 does not.
                let count: &[u8] = if self.style == Style::Jdbc10 { &[] } else { &[user.len() as u8] };
                let all = [vec![1], number(user.len() as u64), number(0x101), vec![1], number(1), vec![1, 1]];
                let name = [count, user.as_bytes()].concat();
                [all.concat(), name, pair(key), pair(value), number(0), more].concat()
            };
            let step = self.script.len();
            self.data(Sender::Client, &[head, body].concat());
            match error {
                Some((n, text)) if function == 0x73 => {
                    let at = self.tell("", (step, step), false);
                    self.waiting.push_back(Waiting::Told(at));
                    self.answer(&Verdict::error(n, text, 0));
                }
                _ => {
                    if function == 0x73 {
                        let at = self.tell(&alter, (step, self.script.len()), false);
                        let t = &mut self.script.told[at];
                        (t.code, t.err) = (Some("0".to_owned()), Some(String::new()));
                    }
                    let answer =
                        [&[8][..], &number(1), &pair("AUTH_VFR_DATA"), &pair("0011"), &number(0)].concat();
                    let v = verdict(self.style, self.seq, &Verdict::default());
                    self.data(Sender::Server, &[answer, v].concat());
                }
            }
        }
    }

    fn tell(&mut self, sql: &str, steps: (usize, usize), by_handle: bool) -> usize {
        let (user, db) = (self.user.clone(), self.db.clone());
        self.script.told.push(Told { sql: sql.to_owned(), user, db, steps, by_handle, ..Told::default() });
        self.script.told.len() - 1
    }

    /// Cursors are closed by what rides on the next call.
    fn rider(&mut self, cursors: &[u8]) -> Vec<u8> {
        let seq = self.next();
        let mut out = vec![0x11, 0x69, seq];
        if self.style == Style::Oci {
            out.extend(POINTER);
            out.extend((cursors.len() as u32).to_le_bytes());
            out.extend(cursors.iter().flat_map(|c| u32::from(*c).to_le_bytes()));
            return out;
        }
        if self.style == Style::Thin23 {
            out.push(0);
        }
        out.push(1);
        out.extend(number(cursors.len() as u64));
        out.extend(cursors.iter().flat_map(|c| number(u64::from(*c))));
        out
    }

    /// A statement is parsed and executed; cursors may be closed with it.
    pub fn execute(&mut self, sql: &str, close: &[u8]) {
        let rider = if close.is_empty() { Vec::new() } else { self.rider(close) };
        let head = self.head(0x5e);
        let body = self.all8(sql, 0);
        self.ask(sql, &[rider, head, body].concat(), false);
    }

    /// A cursor is executed again, by the whole call, or by the short ones (4; 0x4e with a fetch).
    pub fn again(&mut self, function: u8, cursor: u8, sql: &str) {
        let head = self.head(function);
        let body = match (function, self.style) {
            (0x5e, _) => self.all8("", cursor),
            (_, Style::Oci) => [u32::from(cursor), 1, 0, 0].map(u32::to_le_bytes).concat(),
            _ => [number(u64::from(cursor)), number(1), number(0x20), number(0)].concat(),
        };
        self.ask(sql, &[head, body].concat(), true);
    }

    fn ask(&mut self, sql: &str, message: &[u8], by_handle: bool) {
        let step = self.script.len();
        let at = self.tell(sql, (step, step), by_handle);
        self.waiting.push_back(Waiting::Told(at));
        self.data(Sender::Client, message);
    }

    /// OALL8 behind its head: with a text, or of a cursor.
    fn all8(&self, sql: &str, cursor: u8) -> Vec<u8> {
        // Not PL/SQL, execute, and parse or fetch.
        let options = if cursor == 0 { 0x8021 } else { 0x8060 };
        let text = sql.as_bytes();
        if self.style == Style::Oci {
            let n = |n: u32| n.to_le_bytes();
            let head = [
                &n(options)[..],
                &n(u32::from(cursor)),
                &POINTER,
                &n(text.len() as u32),
                &POINTER,
                &n(13),
                &POINTER,
            ];
            let counted = if text.is_empty() { Vec::new() } else { counted_oci(text) };
            return [&head.concat()[..], &[0; 60], &counted, &n(1), &[1], &[0; 40]].concat();
        }
        let mut out = [number(u64::from(options)), number(u64::from(cursor))].concat();
        out.push(u8::from(!text.is_empty()));
        out.extend(number(text.len() as u64));
        // A vector of 13 numbers, no buffer, ten rows, LONGs up to 2 GB.
        out.extend([&[1][..], &number(13), &[0, 0, 0], &number(10), &number(0x7fff_ffff)].concat());
        // No binds, no defines, no application and so on; an object's length.
        let none = if self.style == Style::Jdbc10 { 11 } else { 24 };
        out.extend(vec![0; none]);
        if !text.is_empty() {
            out.extend(if self.style == Style::Jdbc10 { text.to_vec() } else { counted(text) });
        }
        out.extend([number(u64::from(cursor == 0)), number(1)].concat());
        out.extend([0; 5]);
        out.extend([number(1), vec![0], number(0x8000), vec![0; 3]].concat());
        out
    }

    /// COMMIT or ROLLBACK.
    pub fn commit(&mut self, rollback: bool) {
        let head = self.head(if rollback { 0x0f } else { 0x0e });
        let step = self.script.len();
        let at = self.tell(if rollback { "ROLLBACK" } else { "COMMIT" }, (step, step), false);
        self.waiting.push_back(Waiting::Status(Some(at)));
        self.data(Sender::Client, &head);
    }

    /// More rows of a cursor: not told.
    pub fn fetch(&mut self, cursor: u8) {
        let head = self.head(5);
        let body = match self.style {
            Style::Oci => [u32::from(cursor), 10].map(u32::to_le_bytes).concat(),
            _ => [number(u64::from(cursor)), number(10)].concat(),
        };
        self.waiting.push_back(Waiting::Untold);
        self.data(Sender::Client, &[head, body].concat());
    }

    /// A marker: 1 breaks, 2 resets, 3 interrupts.
    pub fn marker(&mut self, by: Sender, what: u8) {
        self.send(by, kind::MARKER, &[1, 0, what]);
    }

    /// The oldest call is answered.
    pub fn answer(&mut self, v: &Verdict) {
        let waiting = self.waiting.pop_front().expect("a call");
        if v.breaks {
            self.marker(Sender::Server, 1);
            self.marker(Sender::Server, 2);
            self.marker(Sender::Client, 2);
        }
        let mut message = match v.query {
            Some(each) => rows(v.rows, each),
            None => Vec::new(),
        };
        if let (Waiting::Status(_), None) = (&waiting, &v.error) {
            message.extend([&[9][..], &number(1), &number(u64::from(self.seq))].concat());
        } else {
            message.extend(verdict(self.style, self.seq, v));
        }
        if self.style == Style::Thin23 {
            message.push(0x1d);
        }
        self.data(Sender::Server, &message);
        let (Waiting::Told(at) | Waiting::Status(Some(at))) = waiting else { return };
        let step = self.script.len() - 1;
        let t = &mut self.script.told[at];
        t.steps.1 = step;
        (t.code, t.err) = match &v.error {
            Some((n, text)) => (Some(n.to_string()), Some(text.clone())),
            None => (Some("0".to_owned()), Some(String::new())),
        };
        let counts = ["select", "insert", "update", "delete"].iter().any(|w| t.sql.starts_with(w));
        t.rows = (counts && !v.more).then_some(u64::from(v.rows));
    }
}
