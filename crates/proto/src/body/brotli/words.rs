//! The static dictionary of brotli and the transforms of its words, RFC 7932 section 8, appendices A
//! and B. The dictionary is kept deflated (59 KB for 123 KB) and inflated when it is first met.

use super::super::coding::inflate_all;
use std::sync::OnceLock;

/// Bytes of the dictionary.
const SIZE: usize = 122_784;
/// Words of a length: two to the power of this; 0 where there are none.
const BITS: [u32; 25] = [0, 0, 0, 0, 10, 10, 11, 11, 10, 10, 10, 10, 10, 9, 9, 8, 7, 7, 8, 7, 7, 6, 6, 5, 5];

/// What is done to a word.
#[derive(Clone, Copy, Debug)]
enum Form {
    Same,
    OmitFirst(usize),
    OmitLast(usize),
    UpperFirst,
    UpperAll,
}

impl Form {
    /// As it is written in [`TRANSFORMS`].
    fn of(written: &[u8]) -> Option<Form> {
        let number = |digit: u8| usize::from(digit.wrapping_sub(b'0'));
        Some(match *written {
            [b'='] => Form::Same,
            [b'+', n] => Form::OmitFirst(number(n)),
            [b'-', n] => Form::OmitLast(number(n)),
            [b'u'] => Form::UpperFirst,
            [b'U'] => Form::UpperAll,
            _ => return None,
        })
    }
}

/// Puts out word number `id` of length `len`, transformed. `None`: there is no such word.
pub(in crate::body) fn word(len: usize, id: usize, out: &mut Vec<u8>) -> Option<()> {
    static WORDS: OnceLock<Vec<u8>> = OnceLock::new();
    let words = WORDS.get_or_init(|| inflate_all(include_bytes!("../tables/brotli.bin"), SIZE));
    let bits = *BITS.get(len).filter(|b| **b > 0)?;
    let before = BITS.iter().enumerate().take(len).filter(|(_, b)| **b > 0);
    let begin = before.fold(0usize, |n, (len, b)| n.saturating_add(len.wrapping_shl(*b)));
    let number = id & 1usize.wrapping_shl(bits).wrapping_sub(1);
    let word = words.get(begin.saturating_add(number.saturating_mul(len))..)?.get(..len)?;
    let mut transform = TRANSFORMS.split(|b| *b == b'~').nth(id.wrapping_shr(bits))?.split(|b| *b == b'|');
    let (prefix, form, suffix) = (transform.next()?, Form::of(transform.next()?)?, transform.next()?);
    out.extend_from_slice(prefix);
    let at = out.len();
    match form {
        Form::OmitFirst(n) => out.extend_from_slice(word.get(n..).unwrap_or_default()),
        Form::OmitLast(n) => out.extend_from_slice(word.get(..len.saturating_sub(n)).unwrap_or_default()),
        _ => out.extend_from_slice(word),
    }
    let written = out.get_mut(at..)?;
    match form {
        Form::UpperFirst => {
            upper(written);
        }
        Form::UpperAll => {
            let mut rest = written;
            while !rest.is_empty() {
                let n = upper(rest).min(rest.len());
                rest = rest.get_mut(n..)?;
            }
        }
        _ => {}
    }
    out.extend_from_slice(suffix);
    Some(())
}

/// Makes the first character large in brotli's way; gives its length.
fn upper(text: &mut [u8]) -> usize {
    match text {
        [a, ..] if *a < 0xc0 => {
            if a.is_ascii_lowercase() {
                *a ^= 32;
            }
            1
        }
        [a, rest @ ..] if *a < 0xe0 => {
            if let [b, ..] = rest {
                *b ^= 32;
            }
            2
        }
        [_, rest @ ..] => {
            if let [_, c, ..] = rest {
                *c ^= 5;
            }
            3
        }
        [] => 1,
    }
}

/// All transforms: before the word, what is done to it (see [`Form::of`]), behind it. One text takes less than a table.
static TRANSFORMS: &[u8] = b"\
    |=|~|=| ~ |=| ~|+1|~|u| ~|=| the ~ |=|~s |=| ~|=| of ~|u|~|=| and ~|+2|~|-1|~, |=| ~|=|, ~ |u| ~|=| in ~\
    |=| to ~e |=| ~|=|\"~|=|.~|=|\">~|=|\n~|-3|~|=|]~|=| for ~|+3|~|-2|~|=| a ~|=| that ~ |u|~|=|. ~.|=|~ |=|, ~\
    |+4|~|=| with ~|=|'~|=| from ~|=| by ~|+5|~|+6|~ the |=|~|-4|~|=|. The ~|U|~|=| on ~|=| as ~|=| is ~\
    |-7|~|-1|ing ~|=|\n\t~|=|:~ |=|. ~|=|ed ~|+9|~|+7|~|-6|~|=|(~|u|, ~|-8|~|=| at ~|=|ly ~ the |=| of ~\
    |-5|~|-9|~ |u|, ~|u|\"~.|=|(~|U| ~|u|\">~|=|=\"~ |=|.~.com/|=|~ the |=| of the ~|u|'~|=|. This ~|=|,~\
    .|=| ~|u|(~|u|.~|=| not ~ |=|=\"~|=|er ~ |U| ~|=|al ~ |U|~|=|='~|U|\"~|u|. ~ |=|(~|=|ful ~ |u|. ~\
    |=|ive ~|=|less ~|U|'~|=|est ~ |u|.~|U|\">~ |=|='~|u|,~|=|ize ~|U|.~\xc2\xa0|=|~ |=|,~|u|=\"~|U|=\"~\
    |=|ous ~|U|, ~|u|='~ |u|,~ |U|=\"~ |U|, ~|U|,~|U|(~|U|. ~ |U|.~|U|='~ |U|. ~ |u|=\"~ |U|='~ |u|='";
