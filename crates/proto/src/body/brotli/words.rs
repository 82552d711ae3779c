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

/// Puts out word number `id` of length `len`, transformed. `None`: there is no such word.
pub(in crate::body) fn word(len: usize, id: usize, out: &mut Vec<u8>) -> Option<()> {
    static WORDS: OnceLock<Vec<u8>> = OnceLock::new();
    let words = WORDS.get_or_init(|| inflate_all(include_bytes!("../tables/brotli.bin"), SIZE));
    let bits = *BITS.get(len).filter(|b| **b > 0)?;
    let before = BITS.iter().enumerate().take(len).filter(|(_, b)| **b > 0);
    let begin = before.fold(0usize, |n, (len, b)| n.saturating_add(len.wrapping_shl(*b)));
    let number = id & 1usize.wrapping_shl(bits).wrapping_sub(1);
    let word = words.get(begin.saturating_add(number.saturating_mul(len))..)?.get(..len)?;
    let (prefix, form, suffix) = TRANSFORMS.get(id.wrapping_shr(bits))?;
    out.extend_from_slice(prefix);
    let at = out.len();
    match form {
        Form::OmitFirst(n) => out.extend_from_slice(word.get(*n..).unwrap_or_default()),
        Form::OmitLast(n) => out.extend_from_slice(word.get(..len.saturating_sub(*n)).unwrap_or_default()),
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

/// Before the word, what is done to it, behind it.
#[rustfmt::skip]
static TRANSFORMS: [(&[u8], Form, &[u8]); 121] = [
    (b"", Form::Same, b""),
    (b"", Form::Same, b" "),
    (b" ", Form::Same, b" "),
    (b"", Form::OmitFirst(1), b""),
    (b"", Form::UpperFirst, b" "),
    (b"", Form::Same, b" the "),
    (b" ", Form::Same, b""),
    (b"s ", Form::Same, b" "),
    (b"", Form::Same, b" of "),
    (b"", Form::UpperFirst, b""),
    (b"", Form::Same, b" and "),
    (b"", Form::OmitFirst(2), b""),
    (b"", Form::OmitLast(1), b""),
    (b", ", Form::Same, b" "),
    (b"", Form::Same, b", "),
    (b" ", Form::UpperFirst, b" "),
    (b"", Form::Same, b" in "),
    (b"", Form::Same, b" to "),
    (b"e ", Form::Same, b" "),
    (b"", Form::Same, b"\""),
    (b"", Form::Same, b"."),
    (b"", Form::Same, b"\">"),
    (b"", Form::Same, b"\n"),
    (b"", Form::OmitLast(3), b""),
    (b"", Form::Same, b"]"),
    (b"", Form::Same, b" for "),
    (b"", Form::OmitFirst(3), b""),
    (b"", Form::OmitLast(2), b""),
    (b"", Form::Same, b" a "),
    (b"", Form::Same, b" that "),
    (b" ", Form::UpperFirst, b""),
    (b"", Form::Same, b". "),
    (b".", Form::Same, b""),
    (b" ", Form::Same, b", "),
    (b"", Form::OmitFirst(4), b""),
    (b"", Form::Same, b" with "),
    (b"", Form::Same, b"'"),
    (b"", Form::Same, b" from "),
    (b"", Form::Same, b" by "),
    (b"", Form::OmitFirst(5), b""),
    (b"", Form::OmitFirst(6), b""),
    (b" the ", Form::Same, b""),
    (b"", Form::OmitLast(4), b""),
    (b"", Form::Same, b". The "),
    (b"", Form::UpperAll, b""),
    (b"", Form::Same, b" on "),
    (b"", Form::Same, b" as "),
    (b"", Form::Same, b" is "),
    (b"", Form::OmitLast(7), b""),
    (b"", Form::OmitLast(1), b"ing "),
    (b"", Form::Same, b"\n\t"),
    (b"", Form::Same, b":"),
    (b" ", Form::Same, b". "),
    (b"", Form::Same, b"ed "),
    (b"", Form::OmitFirst(9), b""),
    (b"", Form::OmitFirst(7), b""),
    (b"", Form::OmitLast(6), b""),
    (b"", Form::Same, b"("),
    (b"", Form::UpperFirst, b", "),
    (b"", Form::OmitLast(8), b""),
    (b"", Form::Same, b" at "),
    (b"", Form::Same, b"ly "),
    (b" the ", Form::Same, b" of "),
    (b"", Form::OmitLast(5), b""),
    (b"", Form::OmitLast(9), b""),
    (b" ", Form::UpperFirst, b", "),
    (b"", Form::UpperFirst, b"\""),
    (b".", Form::Same, b"("),
    (b"", Form::UpperAll, b" "),
    (b"", Form::UpperFirst, b"\">"),
    (b"", Form::Same, b"=\""),
    (b" ", Form::Same, b"."),
    (b".com/", Form::Same, b""),
    (b" the ", Form::Same, b" of the "),
    (b"", Form::UpperFirst, b"'"),
    (b"", Form::Same, b". This "),
    (b"", Form::Same, b","),
    (b".", Form::Same, b" "),
    (b"", Form::UpperFirst, b"("),
    (b"", Form::UpperFirst, b"."),
    (b"", Form::Same, b" not "),
    (b" ", Form::Same, b"=\""),
    (b"", Form::Same, b"er "),
    (b" ", Form::UpperAll, b" "),
    (b"", Form::Same, b"al "),
    (b" ", Form::UpperAll, b""),
    (b"", Form::Same, b"='"),
    (b"", Form::UpperAll, b"\""),
    (b"", Form::UpperFirst, b". "),
    (b" ", Form::Same, b"("),
    (b"", Form::Same, b"ful "),
    (b" ", Form::UpperFirst, b". "),
    (b"", Form::Same, b"ive "),
    (b"", Form::Same, b"less "),
    (b"", Form::UpperAll, b"'"),
    (b"", Form::Same, b"est "),
    (b" ", Form::UpperFirst, b"."),
    (b"", Form::UpperAll, b"\">"),
    (b" ", Form::Same, b"='"),
    (b"", Form::UpperFirst, b","),
    (b"", Form::Same, b"ize "),
    (b"", Form::UpperAll, b"."),
    (b"\xc2\xa0", Form::Same, b""),
    (b" ", Form::Same, b","),
    (b"", Form::UpperFirst, b"=\""),
    (b"", Form::UpperAll, b"=\""),
    (b"", Form::Same, b"ous "),
    (b"", Form::UpperAll, b", "),
    (b"", Form::UpperFirst, b"='"),
    (b" ", Form::UpperFirst, b","),
    (b" ", Form::UpperAll, b"=\""),
    (b" ", Form::UpperAll, b", "),
    (b"", Form::UpperAll, b","),
    (b"", Form::UpperAll, b"("),
    (b"", Form::UpperAll, b". "),
    (b" ", Form::UpperAll, b"."),
    (b"", Form::UpperAll, b"='"),
    (b" ", Form::UpperAll, b". "),
    (b" ", Form::UpperFirst, b"=\""),
    (b" ", Form::UpperAll, b"='"),
    (b" ", Form::UpperFirst, b"='"),
];
