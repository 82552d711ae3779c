//! One readable line a record, for a person at a terminal.

use super::clock::Clock;
use super::{digits, json, moment, summary};
use crate::{Field, Kind, Record, Value, Zone, f};

/// Where the first columns begin, from the start of the line: time, protocol, both ends.
const PROTOCOL: usize = 13;
const ENDS: usize = 24;
/// The column of the ends is as wide as the widest seen, within this: two IPv4 ends fit the first
/// when they are short, and always the second. What is wider (IPv6) pushes its own line only.
const ENDS_WIDTH: (usize, usize) = (32, 46);
/// Digits of a delay, aligned at the right.
const DELAY: usize = 10;

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const OFF: &str = "\x1b[0m";

/// Writes records as lines; colours are the caller's choice (a terminal, and NO_COLOR is not set).
#[derive(Clone, Debug)]
pub struct Readable {
    clock: Clock,
    colour: bool,
    width: usize,
    line: Vec<u8>,
}

/// How a record looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// It took more than one attempt.
    Hard,
    Failed,
}

impl Readable {
    /// A writer of lines with local times of `zone`.
    #[must_use]
    pub fn new(zone: Zone, colour: bool) -> Readable {
        Readable { clock: Clock::new(zone), colour, width: ENDS_WIDTH.0, line: Vec::new() }
    }

    /// Appends what stands above the columns, without a line end.
    pub fn heading(&self, out: &mut Vec<u8>) {
        let mut line = b"TIME".to_vec();
        pad(&mut line, PROTOCOL);
        line.extend_from_slice(b"PROTOCOL");
        pad(&mut line, ENDS);
        line.extend_from_slice(b"WHO ASKED -> WHOM");
        pad(&mut line, ENDS.saturating_add(self.width).saturating_add(1));
        right(&mut line, b"ANSWER, ms");
        line.extend_from_slice(b"  WHAT");
        self.paint(out, &line, DIM);
    }

    /// Appends one line without its end: time, protocol, both ends, how long the answer took, what was
    /// asked and answered. Nothing of the traffic can move the cursor or set a colour.
    pub fn line(&mut self, head: &Record, body: &Record, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        if let Some(t) = moment(head, body) {
            let mut time = Vec::with_capacity(24);
            self.clock.local_millis(&mut time, t);
            line.extend_from_slice(time.get(11..).unwrap_or_default());
        }
        pad(&mut line, PROTOCOL);
        self.paint(out, &line, DIM);
        let mut at = line.len();
        line.clear();

        let is_flow = body.kind() == Kind::Flow;
        let name = [is_flow.then_some(&f::head::L4_PROTOCOL), Some(&f::head::L7_PROTOCOL)];
        match name.into_iter().flatten().find_map(|f| head.get(f)) {
            Some(value) => summary::plain_value(&mut line, head, value),
            None => line.extend_from_slice(body.kind().name().as_bytes()),
        }
        pad(&mut line, ENDS.saturating_sub(at));
        at = line.len();
        if head.get(&f::head::SRC_IP).is_some() {
            end(&mut line, head, &f::head::SRC_IP, &f::head::SRC_PORT);
            line.extend_from_slice(b" -> ");
            end(&mut line, head, &f::head::DST_IP, &f::head::DST_PORT);
        }
        self.width = self.width.max(line.len().saturating_sub(at).min(ENDS_WIDTH.1));
        pad(&mut line, at.saturating_add(self.width).saturating_add(1));
        let mut delay = Vec::with_capacity(16);
        if let Some(value) = summary::delay(head, body) {
            summary::plain_value(&mut delay, body, value);
        }
        right(&mut line, &delay);
        line.extend_from_slice(b"  ");
        self.paint(out, &line, "");

        line.clear();
        what(head, body, &mut line);
        let colour = match mood(head, body) {
            Mood::Well => "",
            Mood::Hard => YELLOW,
            Mood::Failed => RED,
        };
        self.paint(out, &line, colour);
        self.line = line;
    }

    fn paint(&self, out: &mut Vec<u8>, text: &[u8], colour: &str) {
        let colour = if self.colour { colour } else { "" };
        out.extend_from_slice(colour.as_bytes());
        json::printable(out, text);
        if !colour.is_empty() {
            out.extend_from_slice(OFF.as_bytes());
        }
    }
}

/// What was asked and answered.
fn what(head: &Record, body: &Record, line: &mut Vec<u8>) {
    let mut piece = |before: &str, field: &'static Field, after: &str| {
        let found = body.get(field).map(|v| (body, v)).or_else(|| head.get(field).map(|v| (head, v)));
        let Some((record, value)) = found else { return };
        // A count of 0 is no news here.
        if value == Value::Num(0) {
            return;
        }
        line.extend_from_slice(before.as_bytes());
        summary::plain_value(line, record, value);
        line.extend_from_slice(after.as_bytes());
    };
    match body.kind() {
        Kind::Flow => {
            piece("", &f::flow::APP, " ");
            piece("", &f::flow::PKTS, " packets");
            piece(", ", &f::head::BYTES, " bytes");
            piece(", handshake ", &f::flow::HAND_DELAY, " ms");
            piece(", ", &f::head::RETRANS_PKTS, " sent again");
            piece(", ", &f::flow::ICMP_ERR, " ICMP errors");
            piece(", ", &f::flow::STATE, "");
            piece(" (", &f::flow::END_REASON, ")");
        }
        Kind::Http => {
            piece("", &f::http::METHOD, " ");
            piece("", &f::http::DOMAIN, "");
            piece("", &f::http::URL, "");
            piece(" ", &f::http::RETCODE, "");
            piece(", ", &f::http::RSP_BYTES, " bytes");
        }
        Kind::Probe => {
            piece("this probe: ", &f::probe::PKTS_SEEN, " packets seen");
            piece(", ", &f::probe::PKTS_LOST, " lost");
            piece(", ", &f::probe::RECORDS_MADE, " records");
            piece(", ", &f::probe::RECORDS_DROPPED, " dropped");
            piece(", CPU ", &f::probe::CPU, "%");
        }
        _ => summary::parts_of(head, body, false, line),
    }
}

/// `address:port`, IPv6 in brackets.
fn end(line: &mut Vec<u8>, head: &Record, ip: &'static Field, port: &'static Field) {
    let (ip, port) = (head.get(ip), head.get(port));
    let brackets = matches!((ip, port), (Some(Value::Ip(a)), Some(_)) if a.is_ipv6());
    if brackets {
        line.push(b'[');
    }
    if let Some(ip) = ip {
        summary::plain_value(line, head, ip);
    }
    if brackets {
        line.push(b']');
    }
    if let Some(Value::Num(port)) = port {
        line.push(b':');
        digits::int(line, port);
    }
}

/// Did what the record tells of fail, or go hard?
fn mood(head: &Record, body: &Record) -> Mood {
    let is_bad_end = |text: &[u8]| matches!(text, b"refused" | b"unanswered" | b"rst-src" | b"rst-dst");
    let failed = body.entries().iter().any(|e| {
        let is = |f: &'static Field| std::ptr::eq(e.field, f);
        match e.value {
            Value::Num(0) => e.field.key() == "RESP",
            Value::Num(n) => is(&f::http::RETCODE) && n >= 400,
            Value::Text(..) | Value::Word(_) => {
                let text = body.bytes(e.value);
                (e.field.key() == "ERR" && !text.is_empty())
                    || (is(&f::flow::END_REASON) && is_bad_end(text))
                    || (is(&f::dns::RCODE) && text != b"NOERROR")
            }
            _ => false,
        }
    });
    let again = body.kind() == Kind::Flow
        && [body, head].iter().any(|r| matches!(r.get(&f::head::RETRANS_PKTS), Some(Value::Num(1..))));
    match (failed, again) {
        (true, _) => Mood::Failed,
        (_, true) => Mood::Hard,
        _ => Mood::Well,
    }
}

/// Blanks up to a column, one at least.
fn pad(line: &mut Vec<u8>, column: usize) {
    line.push(b' ');
    line.resize(line.len().max(column), b' ');
}

/// Text in the column of delays, at its right end.
fn right(line: &mut Vec<u8>, text: &[u8]) {
    let blanks = DELAY.saturating_sub(text.len());
    line.resize(line.len().saturating_add(blanks), b' ');
    line.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::http;

    fn written(readable: &mut Readable, head: &Record, body: &Record) -> String {
        let mut out = Vec::new();
        readable.line(head, body, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_stand_in_columns_under_their_heading() {
        let (mut head, mut body) = http();
        let mut readable = Readable::new(Zone::utc(), false);
        let wide = written(&mut readable, &head, &body);
        let short = "23:16:48.917 postgresql 192.168.1.105:46152 -> [2001:db8::55]:80      0.792  \
                     GET 192.168.1.55/?t=../../etc/passwd 403";
        assert!(wide.starts_with(short), "{wide}");
        head.reset(Kind::Flow);
        head.put(&f::head::TIMESTAMP, Value::Time(base::Timestamp::new(1_717_024_608, 917_400_000)));
        head.put(&f::head::SRC_IP, Value::Ip("192.168.1.105".parse().unwrap()));
        head.put(&f::head::DST_IP, Value::Ip("10.0.0.1".parse().unwrap()));
        head.num(&f::head::SRC_PORT, 46152);
        head.num(&f::head::DST_PORT, 80);
        head.num(&f::head::BYTES, 1171);
        head.word(&f::head::L4_PROTOCOL, "tcp");
        body.reset(Kind::Flow);
        body.num(&f::flow::PKTS, 7);
        body.nanos(&f::flow::HAND_DELAY, 18_000);
        head.num(&f::head::RETRANS_PKTS, 0);
        body.word(&f::flow::STATE, "closed");
        body.word(&f::flow::END_REASON, "fin");
        assert_eq!(
            written(&mut readable, &head, &body),
            "23:16:48.917 tcp        192.168.1.105:46152 -> 10.0.0.1:80                   7 packets, 1171 bytes, \
             handshake 0.018 ms, closed (fin)",
            "the columns of the widest line so far; no answer, no delay"
        );
        let mut heading = Vec::new();
        readable.heading(&mut heading);
        let heading = String::from_utf8(heading).unwrap();
        assert_eq!(heading.find("WHAT"), short.find("GET"), "{heading}");
        assert_eq!(heading.find("WHO"), short.find("192."));
    }

    #[test]
    fn traffic_cannot_paint() {
        let (head, mut body) = http();
        body.reset(Kind::Sql);
        body.text(&f::sql::SQL, "select '\u{1b}[31m\u{9b}1m\n \u{e9}\u{ff}'".as_bytes());
        body.text(&f::sql::ERR, b"no \xff");
        let line = written(&mut Readable::new(Zone::utc(), true), &head, &body);
        assert!(line.ends_with("\x1b[31mselect '.[31m.1m. \u{e9}\u{ff}' no \u{fffd}\x1b[0m"), "{line:?}");
        assert_eq!(line.matches('\x1b').count(), 4, "only our own");
    }

    #[test]
    fn failures_are_red_and_repeats_yellow() {
        let (mut head, mut body) = http();
        let mut readable = Readable::new(Zone::utc(), true);
        assert!(written(&mut readable, &head, &body).contains("\x1b[31mGET"));
        body.reset(Kind::Http);
        body.num(&f::http::RETCODE, 200);
        assert!(!written(&mut readable, &head, &body).contains("\x1b[31m"));
        body.reset(Kind::Flow);
        body.word(&f::flow::END_REASON, "refused");
        assert!(written(&mut readable, &head, &body).contains("\x1b[31m"));
        body.reset(Kind::Flow);
        body.word(&f::flow::END_REASON, "fin");
        head.reset(Kind::Flow);
        head.num(&f::head::RETRANS_PKTS, 2);
        let line = written(&mut readable, &head, &body);
        assert!(line.contains("\x1b[33m") && line.contains("2 sent again"), "{line}");
    }
}
