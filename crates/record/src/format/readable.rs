//! One readable line a record, for a person at a terminal.

use super::clock::Clock;
use super::{digits, json, moment, summary};
use crate::{Field, Kind, Record, Value, Zone, f};

/// Where the columns begin, from the start of the line: time, protocol, ends, summary.
const PROTOCOL: usize = 13;
const ENDS: usize = 24;
const SUMMARY: usize = 71;

/// Writes records as lines; colours are the caller's choice (a terminal, and NO_COLOR is not set).
#[derive(Clone, Debug)]
pub struct Readable {
    clock: Clock,
    colour: bool,
    line: Vec<u8>,
}

impl Readable {
    /// A writer of lines with local times of `zone`.
    #[must_use]
    pub fn new(zone: Zone, colour: bool) -> Readable {
        Readable { clock: Clock::new(zone), colour, line: Vec::new() }
    }

    /// Appends one line without its end: time, protocol, both ends, what was asked and answered.
    /// Nothing of the traffic can move the cursor or set a colour.
    pub fn line(&mut self, head: &Record, body: &Record, out: &mut Vec<u8>) {
        self.line.clear();
        if let Some(t) = moment(head, body) {
            let mut time = Vec::with_capacity(24);
            self.clock.local_millis(&mut time, t);
            self.line.extend_from_slice(time.get(11..).unwrap_or_default());
        }
        pad(&mut self.line, PROTOCOL);
        let time_end = self.line.len();
        let name =
            [(body.kind() == Kind::Flow).then_some(&f::head::L4_PROTOCOL), Some(&f::head::L7_PROTOCOL)];
        let name = name.into_iter().flatten().find_map(|f| head.get(f));
        match name {
            Some(value) => summary::plain_value(&mut self.line, head, value),
            None => self.line.extend_from_slice(body.kind().name().as_bytes()),
        }
        pad(&mut self.line, ENDS);
        if head.get(&f::head::SRC_IP).is_some() {
            self.end(head, &f::head::SRC_IP, &f::head::SRC_PORT);
            self.line.extend_from_slice(b" -> ");
            self.end(head, &f::head::DST_IP, &f::head::DST_PORT);
            pad(&mut self.line, SUMMARY);
        }
        let ends = self.line.len();
        summary::parts_of(head, body, &mut self.line);
        let bad = body_failed(body);
        let parts =
            self.line.split_at_checked(ends).and_then(|(a, c)| Some((a.split_at_checked(time_end)?, c)));
        let Some(((time, ends), rest)) = parts else { return };
        for (text, colour) in [(time, "\x1b[2m"), (ends, ""), (rest, if bad { "\x1b[31m" } else { "" })] {
            let colour = if self.colour { colour } else { "" };
            out.extend_from_slice(colour.as_bytes());
            json::printable(out, text);
            if !colour.is_empty() {
                out.extend_from_slice(b"\x1b[0m");
            }
        }
    }

    /// `address:port`, IPv6 in brackets.
    fn end(&mut self, head: &Record, ip: &'static Field, port: &'static Field) {
        let (ip, port) = (head.get(ip), head.get(port));
        let brackets = matches!((ip, port), (Some(Value::Ip(a)), Some(_)) if a.is_ipv6());
        if brackets {
            self.line.push(b'[');
        }
        if let Some(ip) = ip {
            summary::plain_value(&mut self.line, head, ip);
        }
        if brackets {
            self.line.push(b']');
        }
        if let Some(Value::Num(port)) = port {
            self.line.push(b':');
            digits::int(&mut self.line, port);
        }
    }
}

/// Did what the record tells of fail?
fn body_failed(body: &Record) -> bool {
    body.entries().iter().any(|e| {
        let is = |f: &'static Field| std::ptr::eq(e.field, f);
        match e.value {
            Value::Num(0) => e.field.key == "RESP",
            Value::Num(n) => is(&f::http::RETCODE) && n >= 400,
            Value::Text(..) => e.field.key == "ERR" && !body.bytes(e.value).is_empty(),
            _ => false,
        }
    })
}

/// Blanks up to a column, one at least.
fn pad(line: &mut Vec<u8>, column: usize) {
    line.push(b' ');
    line.resize(line.len().max(column), b' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::http;

    #[test]
    fn a_line_reads_well() {
        let (head, mut body) = http();
        let mut out = Vec::new();
        Readable::new(Zone::utc(), false).line(&head, &body, &mut out);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "23:16:48.917 postgresql 192.168.1.105:46152 -> [2001:db8::55]:80       GET /?t=../../etc/passwd 403 0.792 ms"
        );
        out.clear();
        body.reset(Kind::Sql);
        body.text(&f::sql::SQL, "select '\u{1b}[31m\u{9b}1m\n \u{e9}\u{ff}'".as_bytes());
        body.text(&f::sql::ERR, b"no \xff");
        Readable::new(Zone::utc(), true).line(&head, &body, &mut out);
        let line = String::from_utf8(out).unwrap();
        assert!(line.ends_with("\x1b[31mselect '.[31m.1m. \u{e9}\u{ff}' no \u{fffd}\x1b[0m"), "{line:?}");
        assert_eq!(line.matches('\x1b').count(), 4, "only our own");
    }
}
