//! Does a stream speak it? By the form of its commands and answers, whatever the port.

use super::wire::{Count, Head, command, head, inline, is_text, line};
use crate::session::{Transport, Verdict};
use base::Direction;

/// Values or lines that are looked at for one that is sure.
const LOOKED_AT: usize = 16;
/// An inline command longer than this is not waited for.
const LINE: usize = 1024;

/// Does the beginning of a stream speak this protocol?
#[must_use]
pub fn probe(transport: Transport, dir: Direction, bytes: &[u8]) -> Verdict {
    if transport == Transport::Udp {
        return Verdict::No;
    }
    if bytes.starts_with(b"RCmb\0") {
        // The cluster's own bus: told and left alone.
        return Verdict::Yes;
    }
    let mut rest = bytes;
    for _ in 0..LOOKED_AT {
        let one = match dir {
            Direction::ToServer => request(rest),
            Direction::ToClient => answer(rest),
        };
        match one {
            One::Is(verdict) => return verdict,
            One::Maybe(used) => rest = rest.get(used..).unwrap_or_default(),
        }
        if rest.is_empty() {
            return Verdict::More;
        }
    }
    Verdict::More
}

/// What one command or answer says.
enum One {
    Is(Verdict),
    /// It may be one; it is so long.
    Maybe(usize),
}

fn request(bytes: &[u8]) -> One {
    match bytes.first() {
        None => One::Is(Verdict::More),
        Some(b'\r' | b'\n') => One::Maybe(1),
        Some(b'*') => match head(bytes) {
            // Empty commands are no commands.
            Head::Whole(Count::Is(0) | Count::Nil, used) => One::Maybe(used),
            _ => One::Is(command(bytes, false)),
        },
        Some(_) => match line(bytes, 0) {
            Some((_, used)) if used > LINE => One::Is(Verdict::No),
            Some((text, used)) => match inline(text) {
                Verdict::More => One::Maybe(used),
                sure => One::Is(sure),
            },
            None => {
                let text = bytes.strip_suffix(b"\r").unwrap_or(bytes);
                One::Is(if is_text(text) && bytes.len() <= LINE { Verdict::More } else { Verdict::No })
            }
        },
    }
}

/// Errors that only this server makes.
const ERRORS: [&[u8]; 20] = [
    b"ERR unknown command",
    b"ERR unknown subcommand",
    b"ERR wrong number of arguments",
    b"ERR Protocol error",
    b"ERR syntax error",
    b"ERR value is not an",
    b"ERR no such key",
    b"NOAUTH ",
    b"WRONGTYPE ",
    b"WRONGPASS ",
    b"NOPERM ",
    b"NOSCRIPT ",
    b"NOPROTO ",
    b"MOVED ",
    b"ASK ",
    b"LOADING ",
    b"READONLY ",
    b"MISCONF ",
    b"EXECABORT ",
    b"CROSSSLOT ",
];

fn answer(bytes: &[u8]) -> One {
    let no = One::Is(Verdict::No);
    let more = One::Is(Verdict::More);
    let yes = One::Is(Verdict::Yes);
    match bytes.first() {
        None => more,
        Some(b'\r' | b'\n') => One::Maybe(1),
        Some(b'+' | b'-') => {
            let is_error = bytes.first() == Some(&b'-');
            let Some((text, used)) = line(bytes, 0) else {
                let text = bytes.strip_suffix(b"\r").unwrap_or(bytes);
                return if is_text(text) && bytes.len() <= LINE { more } else { no };
            };
            let said = text.get(1..).unwrap_or_default();
            if bytes.get(used.saturating_sub(2)) != Some(&b'\r') || !is_text(said) || used > LINE {
                no
            } else if is_error && ERRORS.iter().any(|e| said.starts_with(e))
                || !is_error && matches!(said, b"PONG" | b"QUEUED")
            {
                yes
            } else {
                // POP3 and NATS have `+OK` and `-ERR` too.
                One::Maybe(used)
            }
        }
        Some(b':') => {
            let digits = bytes.get(1..).unwrap_or_default();
            let digits = digits.strip_prefix(b"-").unwrap_or(digits);
            let n = digits.iter().take_while(|b| b.is_ascii_digit()).count();
            match digits.get(n..).unwrap_or_default() {
                [b'\r', b'\n', ..] if (1..20).contains(&n) => yes,
                [] | [b'\r'] if n < 20 => more,
                _ => no,
            }
        }
        Some(b'$' | b'=' | b'!') => match head(bytes) {
            Head::Whole(..) => yes,
            Head::Open => more,
            Head::Bad => no,
        },
        // What may be a command says nothing of a server: the sides may be the other way round.
        Some(b'*')
            if !matches!(
                (command(bytes, false), command(bytes, true)),
                (Verdict::No, _) | (Verdict::More, Verdict::Yes)
            ) =>
        {
            more
        }
        Some(b'*' | b'%' | b'~' | b'>' | b'|') => match head(bytes) {
            Head::Whole(Count::Is(0) | Count::Nil, used) => One::Maybe(used),
            Head::Whole(_, used) => match bytes.get(used) {
                Some(b'+' | b'-' | b':' | b'$' | b'*' | b'_' | b'#' | b',' | b'(' | b'!' | b'=') => yes,
                Some(b'%' | b'~' | b'|' | b'.') => yes,
                Some(_) => no,
                None => more,
            },
            Head::Open => more,
            Head::Bad => no,
        },
        Some(b'_') => form(bytes, b"_\r\n"),
        Some(b'#') => match bytes.get(1) {
            Some(b'f') => form(bytes, b"#f\r\n"),
            _ => form(bytes, b"#t\r\n"),
        },
        Some(b',' | b'(') => {
            let text = bytes.get(1..).unwrap_or_default();
            let is_number = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
            let n = text.iter().take(64).take_while(|b| is_number(b)).count();
            match text.get(n..).unwrap_or_default() {
                [b'\r', b'\n', ..] if n > 0 => yes,
                [] | [b'\r'] if n < 64 => more,
                _ => no,
            }
        }
        Some(_) => no,
    }
}

fn form(bytes: &[u8], want: &[u8]) -> One {
    One::Is(if bytes.starts_with(want) {
        Verdict::Yes
    } else if want.starts_with(bytes) {
        Verdict::More
    } else {
        Verdict::No
    })
}
