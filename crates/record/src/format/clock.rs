//! Moments as text: local time, ISO 8601 in UTC, epoch seconds.
//!
//! Most records of a batch share their second, so the text of the last one is kept, and with it
//! the span of seconds for which the offset of the zone stands.

use super::digits::{int, pair, three};
use crate::Zone;
use base::Timestamp;

/// Writes moments; remembers the last second.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: Zone,
    /// Seconds since the epoch of which `text` tells, in local time.
    second: Option<u64>,
    text: [u8; 19],
    offset: i64,
    /// First second at which `offset` stands, and the first at which it no longer does.
    span: (i64, i64),
}

impl Clock {
    /// A clock of `zone`.
    pub(crate) fn new(zone: Zone) -> Clock {
        Clock { zone, second: None, text: [0; 19], offset: 0, span: (0, 0) }
    }

    /// Appends `2024-05-30 07:16:48`.
    pub(crate) fn local(&mut self, out: &mut Vec<u8>, t: Timestamp) {
        let secs = t.secs();
        if self.second != Some(secs) {
            let at = secs as i64;
            if at < self.span.0 || at >= self.span.1 {
                let (offset, from, until) = self.zone.span_at(at);
                self.offset = i64::from(offset);
                self.span = (from, until);
            }
            self.text = text(at.saturating_add(self.offset), b' ');
            self.second = Some(secs);
        }
        out.extend_from_slice(&self.text);
    }

    /// Appends `2024-05-30 07:16:48.917`.
    pub(crate) fn local_millis(&mut self, out: &mut Vec<u8>, t: Timestamp) {
        self.local(out, t);
        out.push(b'.');
        three(out, u64::from(t.subsec_nanos() / 1_000_000));
    }
}

/// Appends `2024-05-29T23:16:48.917123Z`.
pub(crate) fn iso(out: &mut Vec<u8>, t: Timestamp) {
    out.extend_from_slice(&text(t.secs() as i64, b'T'));
    out.push(b'.');
    micros(out, t);
    out.push(b'Z');
}

/// Appends seconds since the epoch with three decimals.
pub(crate) fn epoch_millis(out: &mut Vec<u8>, t: Timestamp) {
    int(out, t.secs());
    out.push(b'.');
    three(out, u64::from(t.subsec_nanos() / 1_000_000));
}

/// Appends seconds since the epoch with six decimals.
pub(crate) fn epoch_micros(out: &mut Vec<u8>, t: Timestamp) {
    int(out, t.secs());
    out.push(b'.');
    micros(out, t);
}

fn micros(out: &mut Vec<u8>, t: Timestamp) {
    let n = u64::from(t.subsec_nanos() / 1000);
    three(out, n / 1000);
    three(out, n % 1000);
}

/// Date and time of day of seconds since the epoch, in the proleptic Gregorian calendar.
fn text(secs: i64, between: u8) -> [u8; 19] {
    let secs = secs.max(0) as u64; // a zone west of Greenwich in the first hours of 1970
    let (days, second) = (secs / 86_400, secs % 86_400);
    // Days from 0000-03-01, so that the leap day is the last day of its year.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let leaps = (day / 1_460).saturating_add(day / 146_096);
    let year = day.saturating_add(day / 36_524).saturating_sub(leaps) / 365;
    let of_year = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let day = day.saturating_sub(of_year);
    let month = day.saturating_mul(5).saturating_add(2) / 153;
    let day = day.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let year = era.saturating_mul(400).saturating_add(year).saturating_add(u64::from(month >= 10));
    let month = if month < 10 { month.saturating_add(3) } else { month.saturating_sub(9) };
    let ([c0, c1], [y0, y1]) = (pair(year / 100), pair(year % 100));
    let ([m0, m1], [d0, d1]) = (pair(month), pair(day));
    let ([h0, h1], [i0, i1], [s0, s1]) = (pair(second / 3600), pair(second / 60 % 60), pair(second % 60));
    [c0, c1, y0, y1, b'-', m0, m1, b'-', d0, d1, between, h0, h1, b':', i0, i1, b':', s0, s1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts day by day: slow and plainly right.
    #[test]
    fn dates_as_counted_day_by_day() {
        let (mut y, mut m, mut d) = (1970u32, 1u32, 1u32);
        for day in 0..220_000i64 {
            let got = text(day * 86_400 + 86_399, b' ');
            assert_eq!(std::str::from_utf8(&got).unwrap(), format!("{y:04}-{m:02}-{d:02} 23:59:59"));
            let leap = y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
            let len = match m {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            d += 1;
            if d > len {
                (d, m) = (1, m + 1);
            }
            if m > 12 {
                (m, y) = (1, y + 1);
            }
        }
    }

    #[test]
    fn forms() {
        let t = Timestamp::new(1_717_024_608, 917_123_999);
        let mut out = Vec::new();
        let mut clock = Clock::new(Zone::utc());
        clock.local_millis(&mut out, t);
        out.push(b' ');
        clock.local(&mut out, t);
        out.push(b' ');
        iso(&mut out, t);
        out.push(b' ');
        epoch_millis(&mut out, t);
        out.push(b' ');
        epoch_micros(&mut out, t);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "2024-05-29 23:16:48.917 2024-05-29 23:16:48 2024-05-29T23:16:48.917123Z 1717024608.917 1717024608.917123"
        );
    }
}
