//! Drives one parser in tests and fuzzing as the engine does, so that every room is tried on
//! the same loop.
//!
//! ```text
//! let mut h = Harness::new(Session::new(Transport::Tcp)).limits(Limits { text: 64, ..Limits::default() });
//! h.feed(C, b"GET / HTTP/1.1\r\n\r\n");         // one packet from the client, 1 ms after the last
//! h.feed(S, b"HTTP/1.1 200 OK\r\n...");         // one packet from the server
//! h.gap(S, 100);                                 // 100 bytes of the server were lost
//! h.finish();                                    // both directions end
//! let rows = h.rows();                           // the records so far, as texts
//! assert_eq!(rows[0].get("METHOD"), "GET");
//! assert_eq!((rows[0].asked, rows[0].answering, rows[0].end), (1, Some(2), 2)); // ms
//! ```
//!
//! * Bytes that the parser does not consume are kept and given again, `Need(n)` is honoured, the
//!   spans tell which packet brought which byte, `Done`, `Upgrade` and `Lost` end the session
//!   ([`Harness::outcome`]; [`Harness::left`] has the bytes behind an upgrade).
//! * Breaches of the contract fail at once: `Consumed` of nothing or of more than was given, a
//!   `Need` of no more than was given, a field put in twice.
//! * [`cut_every_way`] feeds one script whole, merged, byte by byte and in random cuts, and fails
//!   when the records differ. Nearly every test of a stream protocol should go through it.
//! * [`fuzz`] drives a parser with arbitrary bytes (chunks of both directions, gaps, ends); each
//!   room's `fuzz_<name>` is one line over it. [`mutations`] makes the inputs for `cargo test`.
//! * Datagram protocols: [`Harness::datagrams`]; what is not consumed of a datagram is dropped.

use crate::session::{Anomaly, Cx, Finished, Limits, MarkSpan, Parser, Pool, Progress};
use base::{Direction, MILLI, Mark, SECOND, Timestamp};
use record::{Kind, Quality, Record, Value};

/// From the client.
pub const C: Direction = Direction::ToServer;
/// From the server.
pub const S: Direction = Direction::ToClient;

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Open,
    /// It wants no more bytes.
    Done,
    /// Both directions are another protocol from here on.
    Upgraded,
    /// It was not the protocol.
    Lost,
}

/// A record as texts, and its times in whole milliseconds of the harness' clock (the first
/// packet comes at 1).
#[derive(Clone, Debug)]
pub struct Row {
    /// Its kind.
    pub kind: Kind,
    /// Key in `nano` and value, in the order in which they were put in.
    pub fields: Vec<(&'static str, String)>,
    /// What is wrong with it.
    pub quality: Quality,
    /// First packet of the request.
    pub begin: u64,
    /// Last packet of the request.
    pub asked: u64,
    /// First packet of the answer.
    pub answering: Option<u64>,
    /// Last packet.
    pub end: u64,
}

impl Row {
    /// The value of a field as text; empty when it is not there.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.fields.iter().find(|(k, _)| *k == key).map_or("", |(_, v)| v)
    }

    /// Is the field there?
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|(k, _)| *k == key)
    }

    /// The words of QUALITY, comma separated.
    #[must_use]
    pub fn quality(&self) -> String {
        self.quality.words().collect::<Vec<_>>().join(",")
    }

    fn new(f: &Finished) -> Row {
        let ms = |t: Timestamp| t.0 / MILLI;
        let mut fields: Vec<(&'static str, String)> = Vec::new();
        for e in f.record.entries() {
            assert!(fields.iter().all(|(k, _)| *k != e.field.key()), "{} was put in twice", e.field.key());
            fields.push((e.field.key(), text_of(&f.record, e.value)));
        }
        Row {
            kind: f.record.kind(),
            fields,
            quality: f.quality,
            begin: ms(f.begin.time),
            asked: ms(f.asked.time),
            answering: f.answering.map(ms),
            end: ms(f.end.time),
        }
    }
}

fn text_of(r: &Record, v: Value) -> String {
    match v {
        Value::Text(..) | Value::Word(_) => String::from_utf8_lossy(r.bytes(v)).into_owned(),
        Value::Name([_, standard]) => (*standard).to_owned(),
        Value::Num(n) => n.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Nanos(n) => format!("{}.{:03}", n / MILLI, n % MILLI / 1000),
        Value::Hundredths(n) => format!("{}.{:02}", n / 100, n % 100),
        Value::Ip(ip) => ip.to_string(),
        Value::Mac(mac) => mac.to_string(),
        Value::Time(t) => format!("{}.{:06}", t.0 / SECOND, t.0 % SECOND / 1000),
    }
}

/// One direction of the flow.
#[derive(Debug, Default)]
struct Stream {
    held: Vec<u8>,
    /// Marks of the bytes held: offsets count from the first byte held.
    spans: Vec<MarkSpan>,
    /// Bytes that must be there for the next call.
    need: usize,
    /// Bytes of `held` that the parser has seen in its last call.
    given: usize,
    ended: bool,
}

/// A session and all that the engine would have around it.
#[derive(Debug)]
pub struct Harness<P> {
    session: P,
    limits: Limits,
    streams: [Stream; 2],
    outcome: Outcome,
    datagrams: bool,
    midstream: bool,
    ports: [u16; 2],
    flow_hash: u64,
    now: Mark,
    sessions: u32,
    sampled_out: u64,
    pool: Pool,
    done: Vec<Finished>,
    anomalies: Vec<Anomaly>,
    rows: Vec<Row>,
}

impl<P: Parser> Harness<P> {
    /// A session of a flow that began before our eyes, with default limits, ports 40000 and 80.
    #[must_use]
    pub fn new(session: P) -> Harness<P> {
        Harness {
            session,
            limits: Limits::default(),
            streams: Default::default(),
            outcome: Outcome::Open,
            datagrams: false,
            midstream: false,
            ports: [40000, 80],
            flow_hash: 1,
            now: Mark::default(),
            sessions: 0,
            sampled_out: 0,
            pool: Pool::default(),
            done: Vec::new(),
            anomalies: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Harness<P> {
        self.limits = limits;
        self
    }

    /// The flow stood before the probe.
    #[must_use]
    pub fn midstream(mut self) -> Harness<P> {
        self.midstream = true;
        self
    }

    /// Every feed is a datagram.
    #[must_use]
    pub fn datagrams(mut self) -> Harness<P> {
        self.datagrams = true;
        self
    }

    /// Ports of the initiator and of the other end.
    #[must_use]
    pub fn ports(mut self, ports: [u16; 2]) -> Harness<P> {
        self.ports = ports;
        self
    }

    /// One packet with these bytes, 1 ms after the one before.
    pub fn feed(&mut self, dir: Direction, bytes: &[u8]) {
        self.tick(bytes.len());
        self.take(dir, bytes);
    }

    /// Lets `ms` milliseconds pass.
    pub fn wait(&mut self, ms: u64) {
        self.now.time = self.now.time.plus(ms.saturating_mul(MILLI));
    }

    /// Steps the clock back by `ms` milliseconds: what was held for a hole comes late, with its own time.
    pub fn back(&mut self, ms: u64) {
        self.now.time = Timestamp(self.now.time.0.saturating_sub(ms.saturating_mul(MILLI)));
    }

    /// `n` bytes of this direction were lost (no packet, the clock stands).
    pub fn gap(&mut self, dir: Direction, n: u64) {
        if self.outcome != Outcome::Open {
            return;
        }
        let s = stream(&mut self.streams, dir);
        // What waited for a Need was never given: for the parser it is part of the gap.
        let unseen = s.held.len().saturating_sub(s.given) as u64;
        *s = Stream { ended: s.ended, ..Stream::default() };
        self.call(&[], 0, |p, cx| p.gap(cx, dir, n.saturating_add(unseen)));
    }

    /// This direction ends (no packet, the clock stands).
    pub fn end(&mut self, dir: Direction) {
        let s = stream(&mut self.streams, dir);
        if self.outcome == Outcome::Open && !std::mem::replace(&mut s.ended, true) {
            self.call(&[], 0, |p, cx| p.end(cx, dir));
        }
    }

    /// Both directions end, the client's first.
    pub fn finish(&mut self) {
        self.end(C);
        self.end(S);
    }

    /// The records so far.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The anomalies so far.
    #[must_use]
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// How the session stands.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Bytes of a direction that were not consumed.
    #[must_use]
    pub fn left(&self, dir: Direction) -> &[u8] {
        let [c, s] = &self.streams;
        if dir == C { &c.held } else { &s.held }
    }

    /// The session itself.
    #[must_use]
    pub fn session(&self) -> &P {
        &self.session
    }

    /// Sessions left out by sampling.
    #[must_use]
    pub fn sampled_out(&self) -> u64 {
        self.sampled_out
    }

    fn tick(&mut self, len: usize) {
        /// Ethernet, IPv4 and TCP without options.
        const HEADERS: usize = 54;
        self.wait(1);
        self.now.len = len.saturating_add(HEADERS) as u32;
        self.now.bytes = self.now.bytes.saturating_add(u64::from(self.now.len));
    }

    /// Bytes of the packet at `now`.
    fn take(&mut self, dir: Direction, bytes: &[u8]) {
        let s = stream(&mut self.streams, dir);
        s.held.extend_from_slice(bytes);
        s.spans.push(MarkSpan { end: s.held.len(), mark: self.now });
        if self.outcome == Outcome::Open && !s.ended {
            self.pump(dir);
        }
    }

    fn pump(&mut self, dir: Direction) {
        let s = std::mem::take(stream(&mut self.streams, dir));
        let Stream { mut held, mut spans, mut need, ended, .. } = s;
        let mut at = 0usize;
        let mut given = 0;
        loop {
            let rest = held.get(at..).unwrap_or_default();
            if rest.is_empty() || rest.len() < need {
                break;
            }
            let len = rest.len();
            match self.call(&spans, at, |p, cx| p.data(cx, dir, rest)) {
                Progress::Consumed(n) => {
                    assert!(n > 0 && n <= len, "consumed {n} of {len}");
                    at = at.saturating_add(n);
                    (need, given) = (0, 0);
                }
                Progress::Need(n) => {
                    assert!(n > len, "needs {n} and was given {len}");
                    (need, given) = (n, len);
                    if n > self.limits.stream {
                        self.outcome = Outcome::Lost;
                        break;
                    }
                }
                Progress::Done => self.outcome = Outcome::Done,
                Progress::Upgrade(n) => {
                    assert!(n <= len, "upgrades behind {n} of {len}");
                    at = at.saturating_add(n);
                    self.outcome = Outcome::Upgraded;
                }
                Progress::Lost => self.outcome = Outcome::Lost,
            }
            if self.outcome != Outcome::Open {
                break;
            }
        }
        held.drain(..at.min(held.len()));
        spans.retain_mut(|s| {
            let keep = s.end > at;
            s.end = s.end.saturating_sub(at);
            keep
        });
        if self.datagrams {
            held.clear();
            spans.clear();
            (need, given) = (0, 0);
        }
        *stream(&mut self.streams, dir) = Stream { held, spans, need, given, ended };
    }

    fn call<T>(&mut self, spans: &[MarkSpan], base: usize, f: impl FnOnce(&mut P, &mut Cx<'_>) -> T) -> T {
        let whole = [MarkSpan { end: usize::MAX, mark: self.now }];
        let mut cx = Cx {
            limits: &self.limits,
            spans: if spans.is_empty() { &whole } else { spans },
            base,
            ports: self.ports,
            now: self.now,
            flow_hash: self.flow_hash,
            sessions: &mut self.sessions,
            pool: &mut self.pool,
            done: &mut self.done,
            anomalies: &mut self.anomalies,
            sampled_out: &mut self.sampled_out,
            midstream: self.midstream,
        };
        let got = f(&mut self.session, &mut cx);
        for f in self.done.drain(..) {
            self.rows.push(Row::new(&f));
            self.pool.give(f.record);
        }
        got
    }
}

fn stream(streams: &mut [Stream; 2], dir: Direction) -> &mut Stream {
    let [c, s] = streams;
    match dir {
        Direction::ToServer => c,
        Direction::ToClient => s,
    }
}

/// A small, repeatable source of noise (xorshift64).
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Noise {
        Noise(seed | 1)
    }

    /// The next number below `n` (0 when `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        let mut x = self.0;
        x ^= x.wrapping_shl(13);
        x ^= x.wrapping_shr(7);
        x ^= x.wrapping_shl(17);
        self.0 = x;
        (x.wrapping_shr(11) as usize).checked_rem(n).unwrap_or(0)
    }
}

/// Who sends what, in turn.
pub type Script = Vec<(Direction, Vec<u8>)>;

/// A script as [`cut_every_way`] and [`mutations`] take it.
#[must_use]
pub fn slices(script: &[(Direction, Vec<u8>)]) -> Vec<(Direction, &[u8])> {
    script.iter().map(|(d, b)| (*d, b.as_slice())).collect()
}

/// Feeds the script to fresh sessions: as it is, byte by byte, with neighbours of one direction
/// merged, and in 40 random cuts; ends both directions; fails when the fields, the qualities or
/// the outcomes differ. Gives the rows of the script fed as it is.
pub fn cut_every_way<P: Parser>(make: impl Fn() -> Harness<P>, script: &[(Direction, &[u8])]) -> Vec<Row> {
    let run = |cut: &mut dyn FnMut(usize) -> usize, script: &[(Direction, &[u8])]| {
        let mut h = make();
        for (dir, bytes) in script {
            let mut rest = *bytes;
            while !rest.is_empty() {
                let n = cut(rest.len()).clamp(1, rest.len());
                let (head, tail) = rest.split_at(n);
                h.feed(*dir, head);
                rest = tail;
            }
        }
        h.finish();
        (std::mem::take(&mut h.rows), h.outcome)
    };
    let whole = run(&mut |n| n, script);
    let check = |name: &str, got: (Vec<Row>, Outcome)| {
        let show = |rows: &[Row]| {
            rows.iter().map(|r| format!("{:?} {:?} {}", r.kind, r.fields, r.quality())).collect::<Vec<_>>()
        };
        assert_eq!(show(&got.0), show(&whole.0), "records differ when fed {name}");
        assert_eq!(got.1, whole.1, "outcomes differ when fed {name}");
    };
    check("byte by byte", run(&mut |_| 1, script));
    let mut merged: Vec<(Direction, Vec<u8>)> = Vec::new();
    for (dir, bytes) in script {
        match merged.last_mut() {
            Some((d, m)) if d == dir => m.extend_from_slice(bytes),
            _ => merged.push((*dir, bytes.to_vec())),
        }
    }
    let merged: Vec<(Direction, &[u8])> = merged.iter().map(|(d, m)| (*d, m.as_slice())).collect();
    check("merged", run(&mut |n| n, &merged));
    for seed in 1..=40u64 {
        let mut noise = Noise::new(seed.wrapping_mul(0x9e37_79b9));
        let most = [3, 17, 200, 1500].into_iter().nth(noise.below(4)).unwrap_or(3);
        let script = if seed % 2 == 0 { &merged } else { script };
        check(&format!("in cuts of seed {seed}"), run(&mut |_| noise.below(most).saturating_add(1), script));
    }
    whole.0
}

/// Drives a session with arbitrary bytes: each step takes one byte that says which way and what
/// (bytes, a gap, an end) and one that says how many. Checks the contract on the way, that the
/// session holds no more than `held_cap` bytes, and that bytes make no more than one record each.
pub fn fuzz<P: Parser>(session: P, limits: Limits, held_cap: usize, data: &[u8]) {
    let mut h = Harness::new(session).limits(limits);
    let mut rest = data;
    while let Some(([what, n], tail)) = rest.split_first_chunk::<2>() {
        let dir = if what & 1 == 0 { C } else { S };
        let n = usize::from(*n);
        rest = tail;
        match what.wrapping_shr(1) & 31 {
            0 => h.gap(dir, n as u64),
            1 if what & 64 != 0 => h.end(dir),
            long => {
                // Mostly short pieces, sometimes all that is left.
                let n = if long == 31 { rest.len() } else { n.min(rest.len()) };
                let (head, tail) = rest.split_at_checked(n).unwrap_or((rest, &[]));
                h.feed(dir, head);
                rest = tail;
            }
        }
        assert!(h.session.held() <= held_cap, "holds {} bytes", h.session.held());
    }
    h.finish();
    assert!(h.rows.len() <= data.len(), "{} records of {} bytes", h.rows.len(), data.len());
}

/// Calls `f` with `count` repeatable inputs for a fuzz entry: noise, and the seeds (scripts of
/// a conversation) written as steps for [`fuzz`] with bytes changed, dropped and doubled.
pub fn mutations(seeds: &[&[(Direction, &[u8])]], count: usize, mut f: impl FnMut(&[u8])) {
    let mut noise = Noise::new(0x6d66_6e61_6e6f);
    for i in 0..count {
        let mut data = Vec::new();
        match seeds.get(i.checked_rem(seeds.len().saturating_add(1)).unwrap_or(0)) {
            None => {
                let n = noise.below(600);
                data.extend((0..n).map(|_| noise.below(256) as u8));
            }
            Some(script) => {
                for (dir, bytes) in *script {
                    for chunk in bytes.chunks(noise.below(255).saturating_add(1)) {
                        data.extend([(*dir as u8) | 4, chunk.len() as u8]);
                        data.extend_from_slice(chunk);
                    }
                }
                // The first round over the seeds is unchanged.
                let changes = if i <= seeds.len() { 0 } else { noise.below(8).saturating_add(1) };
                for _ in 0..changes {
                    if data.is_empty() {
                        break;
                    }
                    let at = noise.below(data.len());
                    match noise.below(4) {
                        0 => {
                            data.remove(at);
                        }
                        1 => data.insert(at, noise.below(256) as u8),
                        2 => {
                            let end = at.saturating_add(noise.below(40)).min(data.len());
                            let copy = data.get(at..end).unwrap_or_default().to_vec();
                            data.splice(at..at, copy);
                        }
                        _ => {
                            if let Some(b) = data.get_mut(at) {
                                *b ^= 1u8.wrapping_shl(noise.below(8) as u32);
                            }
                        }
                    }
                }
            }
        }
        f(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Txn;
    use record::f;

    /// Lines asked, lines answered.
    #[derive(Debug, Default)]
    struct Echo {
        open: Option<Txn>,
        lost: u64,
    }

    impl Parser for Echo {
        fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
            let Some(n) = bytes.iter().position(|b| *b == b'\n') else {
                return Progress::Need(bytes.len() + 1);
            };
            if dir == C {
                let mut txn = cx.open(Kind::Redis, 0);
                txn.text(&f::redis::REQ, &bytes[..n], 99);
                txn.asked(cx.mark_at(n));
                self.open = Some(txn);
            } else if let Some(mut txn) = self.open.take() {
                txn.answering(cx.mark_at(0));
                cx.close(txn, cx.mark_at(n));
            }
            Progress::Consumed(n + 1)
        }

        fn gap(&mut self, cx: &mut Cx<'_>, _dir: Direction, n: u64) {
            cx.anomaly("gap");
            self.lost += n;
        }

        fn end(&mut self, cx: &mut Cx<'_>, _dir: Direction) {
            if let Some(txn) = self.open.take() {
                cx.give_up(txn);
            }
        }
    }

    #[test]
    fn marks_follow_the_packets_and_rows_do_not_depend_on_the_cuts() {
        let script: &[(Direction, &[u8])] = &[(C, b"one\n"), (S, b"a\n"), (C, b"two\n")];
        let rows = cut_every_way(|| Harness::new(Echo::default()), script);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].get("REQ"), rows[0].quality().as_str()), ("one", ""));
        assert_eq!((rows[1].get("REQ"), rows[1].quality().as_str()), ("two", "no-response"));

        let mut h = Harness::new(Echo::default());
        h.feed(C, b"o");
        h.feed(C, b"ne\n");
        h.feed(S, b"ab");
        h.feed(S, b"c\nd");
        let r = &h.rows()[0];
        assert_eq!((r.begin, r.asked, r.answering, r.end), (1, 2, Some(3), 4));
        assert_eq!(h.left(S), b"d");
        h.gap(S, 10);
        assert_eq!((h.session().lost, h.left(S).len(), h.anomalies()), (10, 0, &["gap"][..]));
    }

    #[test]
    fn mutations_are_repeatable_and_run() {
        let seed: &[(Direction, &[u8])] = &[(C, b"one\n"), (S, b"a\n")];
        let (mut a, mut b) = (Vec::new(), Vec::new());
        mutations(&[seed, &[]], 50, |d| a.push(d.to_vec()));
        mutations(&[seed, &[]], 50, |d| b.push(d.to_vec()));
        assert_eq!(a, b);
        assert!(a.iter().collect::<std::collections::HashSet<_>>().len() > 25, "they differ");
        a.iter().for_each(|d| fuzz(Echo::default(), Limits::default(), 0, d));
    }
}
