//! Which database a text chooses: `USE name`, alone or as one of several statements.

/// What stands at the beginning of some text.
enum Token {
    /// A blank or a comment.
    Blank,
    /// The beginning of a comment that some servers execute.
    Condition,
    /// The end of a statement.
    End,
    /// Something in quotes, or a byte of anything else.
    Other,
}

/// The first token and what follows it.
fn token(text: &[u8]) -> Option<(Token, &[u8])> {
    let (first, rest) = text.split_first()?;
    Some(match first {
        b' ' | b'\t'..=b'\r' => (Token::Blank, rest),
        b';' => (Token::End, rest),
        b'#' => (Token::Blank, behind(rest, b"\n")),
        b'-' if matches!(rest, [b'-'] | [b'-', ..=b' ', ..]) => (Token::Blank, behind(rest, b"\n")),
        b'/' if matches!(rest, [b'*', b'!', ..] | [b'*', b'M', b'!', ..]) => {
            let digits = |b: &u8| b"*M!".contains(b) || b.is_ascii_digit();
            let n = rest.iter().take_while(|b| digits(b)).count();
            (Token::Condition, rest.get(n..).unwrap_or_default())
        }
        b'/' if rest.starts_with(b"*") => (Token::Blank, behind(rest.get(1..).unwrap_or_default(), b"*/")),
        b'\'' | b'"' | b'`' => {
            let mut escaped = false;
            let end = rest.iter().position(|b| {
                let is_end = b == first && !escaped;
                escaped = *b == b'\\' && *first != b'`' && !escaped;
                is_end
            });
            (Token::Other, end.and_then(|n| rest.get(n.saturating_add(1)..)).unwrap_or_default())
        }
        _ => (Token::Other, rest),
    })
}

/// What stands behind the first of these; nothing without it.
fn behind<'a>(text: &'a [u8], end: &[u8]) -> &'a [u8] {
    let at = text.windows(end.len()).position(|w| w == end);
    at.and_then(|n| text.get(n.saturating_add(end.len())..)).unwrap_or_default()
}

/// The database that is the default one once a text was executed, if it chooses one (`cut`: only its beginning is
/// there); an empty name when it cannot be said.
pub(super) fn used(text: &[u8], cut: bool) -> Option<&[u8]> {
    let several = text.contains(&b';');
    if !several && text.first().is_some_and(|b| b.is_ascii_alphabetic() && b | 0x20 != b'u') {
        return None;
    }
    let mut found = None;
    let mut rest = text.trim_ascii_end();
    rest = rest.strip_suffix(b";").unwrap_or(rest);
    let (mut begins, mut sure) = (true, true);
    while let Some((what, next)) = token(rest) {
        match what {
            Token::Blank => {}
            Token::Condition => sure = false,
            Token::End if cut => return Some(&[]),
            Token::End => (begins, sure) = (true, true),
            Token::Other => {
                if std::mem::take(&mut begins) {
                    found = chosen(rest).map(|name| if sure { name } else { &[] }).or(found);
                    if !several {
                        break;
                    }
                }
            }
        }
        rest = next;
    }
    found
}

/// The name behind USE.
fn chosen(statement: &[u8]) -> Option<&[u8]> {
    let (verb, behind) = statement.split_first_chunk::<3>()?;
    if !verb.eq_ignore_ascii_case(b"use") {
        return None;
    }
    let mut rest = behind;
    while let Some((Token::Blank, next)) = token(rest) {
        rest = next;
    }
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..);
    match rest.split_first() {
        Some((quote @ (b'`' | b'"'), name)) => {
            let end = name.iter().position(|b| b == quote)?;
            // A quote within the name is doubled.
            let is_plain = name.get(end.saturating_add(1)) != Some(quote);
            name.get(..end).filter(|_| is_plain).or(Some(&[]))
        }
        _ if rest.len() == behind.len() => None,
        _ => rest.get(..rest.iter().take_while(|b| part(b)).count()),
    }
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn the_database_of_use() {
        let is = |text: &str, name: Option<&str>| {
            assert_eq!(used(text.as_bytes(), false), name.map(str::as_bytes), "{text}");
        };
        for text in [
            " USE shop ;",
            "use`shop`",
            "use \"shop\"",
            "/* x */ use shop",
            "-- x\nuse/**/shop",
            "#;\nuse shop\0",
        ] {
            is(text, Some("shop"));
        }
        is("use `my shop`;", Some("my shop"));
        for text in [
            "user",
            "use",
            "select 1",
            "",
            "/* use a */ select 1",
            "select 'x; use a'",
            "select 1 -- ; use a",
        ] {
            is(text, None);
        }
        // The last of several counts.
        is("select 'it\\'s; '; use one; Use two ; select \"a'\", `b'`", Some("two"));
        is("use one; select 1;", Some("one"));
        is("select 2*/* it's */3;\n\n use\ttwo", Some("two"));
        is("select 1;--2;use two", Some("two"));
        // It may be, or not.
        is("/*!40000 use two */", Some(""));
        is("use `a``b`", Some(""));
        is("use /*M!100100 two */", Some(""));
        is("/*!40101 set names utf8 */; use two", Some("two"));
        assert_eq!(used(b"select 1; select", true), Some(&b""[..]), "what follows was not seen");
        assert_eq!(used(b"insert into t values ('a;b', 'a", true), None);
    }
}
