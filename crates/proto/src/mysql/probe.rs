//! Is this MySQL? By the greeting and the login, or in the middle by commands and answers (compressed: `packed`).

use super::packed;
use super::wire::{self, FULL, HEADER, com, err, header, lenenc};
use crate::session::Verdict;
use base::Reader;

/// Packets looked at one behind the other.
const CHAIN: usize = 8;
/// This much of a statement that is not whole is proof enough.
const LONG: usize = 64;
/// Packets numbered one after the other that are proof enough.
const NUMBERED: usize = 4;

/// A packet at the beginning of some bytes: number, length, as much of the payload as is there, and what follows.
pub(super) fn packet(bytes: &[u8]) -> Option<(u8, usize, &[u8], &[u8])> {
    let (len, seq) = header(bytes)?;
    let rest = bytes.get(HEADER..)?;
    let (payload, tail) = rest.split_at_checked(len as usize).unwrap_or((rest, &[]));
    Some((seq, len as usize, payload, tail))
}

/// What a proxy can put before the client's bytes (PROXY protocol, versions 1 and 2).
const PROXY: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// What a client sends.
pub(super) fn client(head: &[u8]) -> Verdict {
    if PROXY.iter().any(|p| head.starts_with(p)) {
        // The server's greeting will tell.
        return Verdict::More;
    }
    match header(head) {
        None => Verdict::More,
        Some((_, 0)) => match command(head) {
            Verdict::No => packed::command(head),
            verdict => verdict,
        },
        Some((_, 1)) => login(head),
        Some(_) => Verdict::No,
    }
}

/// What a server sends.
pub(super) fn server(head: &[u8]) -> Verdict {
    match header(head) {
        None => Verdict::More,
        Some((_, 0)) => greeting(head),
        Some((len, _)) => match answer(head) {
            Verdict::No if packed::answer(len as usize, head.get(HEADER..).unwrap_or_default()) => {
                Verdict::More
            }
            verdict => verdict,
        },
    }
}

/// The server's first packet.
pub(super) fn greeting(head: &[u8]) -> Verdict {
    let Some((seq, len, payload, tail)) = packet(head) else { return Verdict::More };
    /// Longer than any greeting.
    const MOST: usize = 1024;
    if seq != 0 || !(11..MOST).contains(&len) {
        return Verdict::No;
    }
    let whole = payload.len() == len;
    match payload.first() {
        None => Verdict::More,
        Some(9 | 10) => {
            let version = payload.get(1..).unwrap_or_default();
            let text = version.iter().take_while(|b| **b != 0);
            if !text.clone().all(|b| matches!(b, b' '..=b'~')) {
                Verdict::No
            } else if !whole {
                Verdict::More
            } else if wire::greeting(payload).is_ok() && tail.is_empty() {
                Verdict::Yes
            } else {
                Verdict::No
            }
        }
        Some(0xff) => match err(payload) {
            Err(_) if !whole => Verdict::More,
            Ok(e) if is_error(e.code) && is_text(e.message) => {
                if whole && tail.is_empty() && !e.message.is_empty() { Verdict::Yes } else { Verdict::More }
            }
            _ => Verdict::No,
        },
        Some(_) => Verdict::No,
    }
}

fn is_error(code: u16) -> bool {
    code >= 1000
}

/// No control bytes but those of text.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b >= b' ' || b.is_ascii_whitespace())
}

/// The client's first packet.
pub(super) fn login(head: &[u8]) -> Verdict {
    let Some((seq, len, payload, _)) = packet(head) else { return Verdict::More };
    if seq != 1 || !(5..16 * 1024).contains(&len) {
        return Verdict::No;
    }
    let fixed = payload.get(9..28).unwrap_or_default();
    let new = Reader::new(payload).le16("caps").is_ok_and(|c| u32::from(c) & wire::cap::PROTOCOL_41 != 0);
    if new && !fixed.iter().all(|b| *b == 0) {
        return Verdict::No;
    }
    if payload.len() < len {
        return Verdict::More;
    }
    match wire::login(payload) {
        Ok(l) if new && is_text(l.user) => Verdict::Yes,
        Ok(l) if is_text(l.user) => Verdict::More,
        _ => Verdict::No,
    }
}

/// Commands of a client, one or more.
pub(super) fn command(head: &[u8]) -> Verdict {
    let mut rest = head;
    let mut verdict = Verdict::More;
    for _ in 0..CHAIN {
        let Some((seq, len, payload, tail)) = packet(rest) else { break };
        if seq != 0 {
            // The client's part in an exchange of authentication, or a file: only behind a command.
            break;
        }
        match one_command(len, payload) {
            Verdict::No => return Verdict::No,
            Verdict::Yes => verdict = Verdict::Yes,
            Verdict::More => {}
        }
        if tail.is_empty() || len == FULL as usize {
            break;
        }
        rest = tail;
    }
    verdict
}

pub(super) fn one_command(len: usize, payload: &[u8]) -> Verdict {
    let Some((command, body)) = payload.split_first() else {
        return if len == 0 { Verdict::No } else { Verdict::More };
    };
    let whole = payload.len() == len;
    let fits = match *command {
        com::QUIT | com::STATISTICS | com::PROCESS_INFO | com::DEBUG | com::PING | com::RESET_CONNECTION => {
            len == 1
        }
        com::INIT_DB | com::CREATE_DB | com::DROP_DB => (2..=512).contains(&len) && is_text(body),
        com::REFRESH => len == 2,
        com::SHUTDOWN => len <= 2,
        com::SET_OPTION => len == 3,
        com::PROCESS_KILL | com::STMT_CLOSE | com::STMT_RESET => len == 5,
        com::STMT_FETCH => len == 9,
        com::FIELD_LIST => (2..=1024).contains(&len),
        com::CHANGE_USER => (4..4096).contains(&len),
        com::STMT_SEND_LONG_DATA | com::STMT_BULK_EXECUTE => len >= 7,
        com::BINLOG_DUMP | com::BINLOG_DUMP_GTID => len >= 11,
        com::REGISTER_SLAVE => (18..4096).contains(&len),
        com::QUERY | com::STMT_PREPARE => return statement(*command, body, whole),
        com::STMT_EXECUTE => match body.get(5..9) {
            // One iteration, always.
            Some([1, 0, 0, 0]) if len >= 10 => return if whole { Verdict::Yes } else { Verdict::More },
            Some(_) => false,
            None => !whole,
        },
        _ => false,
    };
    if fits { Verdict::More } else { Verdict::No }
}

/// Words that statements begin with.
const VERBS: &[&[u8]] = &[
    b"ALTER",
    b"ANALYZE",
    b"BEGIN",
    b"CALL",
    b"CHANGE",
    b"CHECK",
    b"CHECKSUM",
    b"COMMIT",
    b"CREATE",
    b"DEALLOCATE",
    b"DELETE",
    b"DESC",
    b"DESCRIBE",
    b"DO",
    b"DROP",
    b"EXECUTE",
    b"EXPLAIN",
    b"FLUSH",
    b"GRANT",
    b"HANDLER",
    b"INSERT",
    b"INSTALL",
    b"KILL",
    b"LOAD",
    b"LOCK",
    b"OPTIMIZE",
    b"PREPARE",
    b"PURGE",
    b"RELEASE",
    b"RENAME",
    b"REPAIR",
    b"REPLACE",
    b"RESET",
    b"REVOKE",
    b"ROLLBACK",
    b"SAVEPOINT",
    b"SELECT",
    b"SET",
    b"SHOW",
    b"START",
    b"STOP",
    b"TABLE",
    b"TRUNCATE",
    b"UNINSTALL",
    b"UNLOCK",
    b"UPDATE",
    b"USE",
    b"VALUES",
    b"WITH",
    b"XA",
];

fn statement(command: u8, body: &[u8], whole: bool) -> Verdict {
    let text = match body {
        // Attributes come first; the usual case is none.
        [n, 1, rest @ ..] if command == com::QUERY && *n < b'\t' => {
            if *n == 0 {
                rest
            } else if whole {
                match super::params::query_attributes(&mut Reader::new(body)) {
                    Ok(text) => text,
                    Err(_) => return Verdict::No,
                }
            } else {
                return Verdict::More;
            }
        }
        _ => body,
    };
    let shown = text.get(..LONG).unwrap_or(text);
    if !is_text(shown) || whole && text.is_empty() {
        return Verdict::No;
    }
    let sql = shown.trim_ascii_start();
    let word = sql.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (word, next) = sql.split_at_checked(word).unwrap_or_default();
    let known = VERBS.iter().any(|v| v.eq_ignore_ascii_case(word))
        && next.first().is_none_or(|b| b.is_ascii_whitespace() || b"(;`'\"@*-/".contains(b));
    let comment = sql.starts_with(b"/*") || sql.starts_with(b"-- ");
    if (known || comment) && (whole || shown.len() == LONG) { Verdict::Yes } else { Verdict::More }
}

/// Packets of answers.
pub(super) fn answer(head: &[u8]) -> Verdict {
    let mut rest = head;
    let mut last: Option<u8> = None;
    let mut run = 0usize;
    for _ in 0..CHAIN {
        let Some((seq, len, payload, tail)) = packet(rest) else { break };
        if last.is_some_and(|l| seq != l.wrapping_add(1)) && seq != 1 || len == 0 {
            return Verdict::No;
        }
        let whole = payload.len() == len;
        match one_answer(seq, len, payload, whole) {
            Verdict::No => return Verdict::No,
            // In the middle of an answer there is nothing to go by but the numbers.
            Verdict::Yes => return Verdict::Yes,
            Verdict::More => {}
        }
        if whole {
            run = if last == Some(seq.wrapping_sub(1)) { run.saturating_add(1) } else { 1 };
            if run >= NUMBERED {
                return Verdict::Yes;
            }
        }
        last = Some(seq);
        if tail.is_empty() {
            break;
        }
        rest = tail;
    }
    Verdict::More
}

fn one_answer(seq: u8, len: usize, payload: &[u8], whole: bool) -> Verdict {
    let text = |bytes: &[u8]| is_text(bytes);
    match payload {
        [] => Verdict::More,
        // A definition: the catalog is always "def".
        [3, b'd', b'e', b'f', ..] if whole && seq > 1 => Verdict::Yes,
        [0xff, rest @ ..] if len <= 2048 => match (err(payload), rest) {
            (Ok(e), [_, _, b'#', state @ ..]) if is_error(e.code) && text(e.message) => {
                let state = state.get(..5).unwrap_or(state);
                if !state.iter().all(u8::is_ascii_alphanumeric) {
                    Verdict::No
                } else if whole && !e.message.is_empty() {
                    Verdict::Yes
                } else {
                    Verdict::More
                }
            }
            (Ok(e), _) if is_error(e.code) && text(e.message) => Verdict::More,
            (Err(_), _) if !whole => Verdict::More,
            _ => Verdict::No,
        },
        _ if seq > 1 => Verdict::More,
        [0, ..] if (5..64 * 1024).contains(&len) => match wire::ok(payload) {
            Ok(_) => Verdict::More,
            Err(_) if !whole => Verdict::More,
            Err(_) => Verdict::No,
        },
        [0xfe, ..] if len < 1024 => Verdict::More,
        [0xfb, rest @ ..] if len < 4096 && text(rest) => Verdict::More,
        [n @ 1..=0xfc, ..] if len <= 5 => {
            let count = lenenc(&mut Reader::new(payload));
            if count.is_ok() || !whole || *n == 0xfc { Verdict::More } else { Verdict::No }
        }
        // COM_STATISTICS.
        [b'U', ..] if text(payload) => Verdict::More,
        _ => Verdict::No,
    }
}
