//! Payment card numbers: 13 to 19 digits in groups, with a right check digit (ISO/IEC 7812, Luhn).

use super::value::Span;

const SHORTEST: usize = 13;
const LONGEST: usize = 19;
/// What stays: the first six digits tell the issuer, the last four the card to its owner.
const KEEP_FRONT: usize = 6;
const KEEP_BACK: usize = 4;

/// Separators between groups, as they stand in texts and in forms.
const SEPARATORS: [&[u8]; 5] = [b" ", b"-", b"+", b"%20", b"%2D"];

/// Finds the digits to be masked: one span for each run of them.
pub(super) fn find(text: &[u8], spans: &mut Vec<Span>) {
    let mut at = 0;
    let mut before = None;
    while let Some(b) = text.get(at) {
        let starts = matches!(b, b'2'..=b'6') && !before.is_some_and(|b: u8| b.is_ascii_alphanumeric());
        match starts.then(|| number_at(text, at)).flatten() {
            Some(end) => {
                mask(text, at, end, spans);
                at = end;
            }
            // To the end of this group, or one byte on.
            None => {
                let digits =
                    text.get(at..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
                at = at.saturating_add(digits.max(1));
            }
        }
        before = at.checked_sub(1).and_then(|i| text.get(i)).copied();
    }
}

/// The end of a card number that begins here and ends with a group.
fn number_at(text: &[u8], at: usize) -> Option<usize> {
    let mut digits = [0u8; LONGEST];
    let mut count: usize = 0;
    let mut i = at;
    let mut found = None;
    loop {
        while let Some(b) = text.get(i).filter(|b| b.is_ascii_digit()) {
            let Some(place) = digits.get_mut(count) else { return found };
            *place = b & 15;
            count = count.saturating_add(1);
            i = i.saturating_add(1);
        }
        let rest = text.get(i..).unwrap_or_default();
        let ended = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
        if ended && count >= SHORTEST && luhn(digits.get(..count).unwrap_or_default()) {
            found = Some(i);
        }
        let separator = SEPARATORS.iter().find(|s| rest.starts_with(s));
        let Some(separator) = separator else { return found };
        i = i.saturating_add(separator.len());
        if !text.get(i).is_some_and(u8::is_ascii_digit) {
            return found;
        }
    }
}

/// The check digit: from the right, every second digit doubled, sum divisible by ten.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d);
            match (i % 2, d) {
                (0, d) => d,
                (_, 0..=4) => d.saturating_mul(2),
                (_, d) => d.saturating_mul(2).saturating_sub(9),
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Masks the digits of `from..to` but the first and last ones, digit by digit.
fn mask(text: &[u8], from: usize, to: usize, spans: &mut Vec<Span>) {
    let number = text.get(from..to).unwrap_or_default();
    // In `%20` the digits belong to the separator.
    let mut skip: usize = 0;
    let places: Vec<usize> = number
        .iter()
        .enumerate()
        .filter(|(_, b)| {
            if **b == b'%' {
                skip = 3;
            }
            let digit = skip == 0 && b.is_ascii_digit();
            skip = skip.saturating_sub(1);
            digit
        })
        .map(|(i, _)| from.saturating_add(i))
        .collect();
    let end = places.len().saturating_sub(KEEP_BACK);
    for i in places.get(KEEP_FRONT..end).unwrap_or_default() {
        spans.push(Span { from: *i, to: i.saturating_add(1), with: b"*" });
    }
}
