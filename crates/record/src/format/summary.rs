//! One line that says what a record tells: `short_message` of GELF, `message` of ECS, and the
//! readable line of a terminal.

use super::digits;
use crate::{Field, Kind, Record, Value, f};

/// What is shown of one text, in bytes: a line stays a line.
const MAX_PART: usize = 160;

/// The unit of delays, which tells them from other pieces.
const MS: &str = " ms";

/// A piece of the summary: what stands before the value, the field, what stands after.
type Part = (&'static str, &'static Field, &'static str);

/// Declares the pieces of each kind.
macro_rules! parts {
    ($($kind:ident: $(($before:literal $room:ident $name:ident $after:literal))*;)*) => {
        /// The pieces of each kind; what a record does not have is passed over.
        fn parts(kind: Kind) -> &'static [Part] {
            match kind {$(
                Kind::$kind => {
                    static PARTS: &[Part] = &[$(($before, &f::$room::$name, $after)),*];
                    PARTS
                }
            )*}
        }
    };
}

parts! {
    Flow: ("" flow APP "") ("" flow STATE "") ("" flow END_REASON "") ("" flow PKTS " packets") ("" head BYTES " bytes") ("" flow APP_RESPONSE " ms");
    Http: ("" http METHOD "") ("" http URL "") ("" http RETCODE "") ("" http HTTP_RESPONSE " ms");
    Dns: ("" dns QTYPE "") ("" dns DOMAIN "") ("" dns RCODE "") ("" dns RESULT_IP "") ("" dns ANSWERS "") ("" dns DNS_RESPONSE " ms");
    Sql: ("" sql SQL "") ("code " sql RET_CODE "") ("" sql ERR "") ("" sql SQL_RESPONSE " ms");
    Redis: ("" redis REQ "") ("" redis ERR "") ("" redis REDIS_RESPONSE " ms");
    Mongo: ("" mongo COMMAND "") ("" mongo DB "") ("" mongo COLLECTION "") ("" mongo ERR "") ("" mongo MONGO_RESPONSE " ms");
    Mq: ("" mq METHOD "") ("" mq TOPIC "") ("" mq EXCHANGE "") ("" mq QUEUE "") ("" mq ERR "") ("" mq AMQ_RESPONSE " ms") ("" mq MQ_RESPONSE " ms");
    Memcached: ("" memcached METHOD "") ("" memcached KEY "") ("" memcached RET_CODE "") ("" memcached MEMCACHED_RESPONSE " ms");
    Tls: ("" tls DOMAIN "") ("" tls TLS_VERSION "") ("" tls ALPN "") ("" tls ERR "") ("" tls TLS_DELAY " ms");
    Host: ("" host PROC_NAME "") ("pid " host PROC_PID "") ("cpu " host PROC_CPU "%") ("host cpu " host HOST_CPU "%") ("mem " host HOST_MEM "%");
    Probe: ("" probe PKTS_SEEN " packets") ("lost " probe PKTS_LOST "") ("" probe RECORDS_MADE " records") ("dropped " probe RECORDS_DROPPED "") ("cpu " probe CPU "%");
}

/// Appends the summary: never blank, no control characters, bounded, any other bytes as they are.
pub(crate) fn summary(head: &Record, body: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(body.kind().name().as_bytes());
    out.push(b' ');
    let bare = out.len();
    parts_of(head, body, true, out);
    if out.len() == bare {
        out.pop();
    }
    for b in out.iter_mut().skip(start) {
        if *b < 0x20 || *b == 0x7f {
            *b = b' ';
        }
    }
}

/// The delay that a summary ends with: how long the other end took to answer.
pub(crate) fn delay(head: &Record, body: &Record) -> Option<Value> {
    let delays = parts(body.kind()).iter().filter(|(_, _, after)| *after == MS);
    delays.into_iter().find_map(|(_, field, _)| body.get(field).or_else(|| head.get(field)))
}

/// Appends the pieces, a blank between them, as they are; without the delay when it stands elsewhere.
pub(crate) fn parts_of(head: &Record, body: &Record, with_delay: bool, out: &mut Vec<u8>) {
    let start = out.len();
    for (before, field, after) in parts(body.kind()) {
        if !with_delay && *after == MS {
            continue;
        }
        let (record, value) = match (body.get(field), head.get(field)) {
            (Some(v), _) => (body, v),
            (None, Some(v)) => (head, v),
            (None, None) => continue,
        };
        let mark = out.len();
        if mark > start {
            out.push(b' ');
        }
        out.extend_from_slice(before.as_bytes());
        let bare = out.len();
        plain_value(out, record, value);
        if out.len() == bare {
            out.truncate(mark);
            continue;
        }
        out.extend_from_slice(after.as_bytes());
    }
}

/// Appends a value as a person reads it.
pub(crate) fn plain_value(out: &mut Vec<u8>, record: &Record, value: Value) {
    match value {
        Value::Text(..) | Value::Word(_) => out.extend_from_slice(cut(record.bytes(value))),
        Value::Name([_, standard]) => out.extend_from_slice(standard.as_bytes()),
        Value::Num(n) => digits::int(out, n),
        Value::Int(n) => digits::signed(out, n),
        Value::Nanos(n) => digits::millis(out, n),
        Value::Hundredths(n) => digits::hundredths(out, n),
        Value::Ip(a) => digits::ip(out, a),
        Value::Mac(a) => digits::mac(out, a, false),
        Value::Time(t) => super::clock::iso(out, t),
    }
}

/// The beginning of a text, not cut inside a character.
fn cut(text: &[u8]) -> &[u8] {
    let Some((part, rest)) = text.split_at_checked(MAX_PART) else { return text };
    if rest.first().is_none_or(|b| b & 0xc0 != 0x80) {
        return part;
    }
    // Back to before the first byte of the character that goes on in `rest`.
    let tail = part.iter().rev().take(4).take_while(|b| **b & 0xc0 == 0x80).count().saturating_add(1);
    part.get(..part.len().saturating_sub(tail)).unwrap_or(part)
}
