//! Time zones: the offset of local time at a moment, from the bytes of a TZif file (RFC 8536,
//! versions 1 to 4) or a POSIX TZ string (`CET-1CEST,M3.5.0,M10.5.0/3`). A pure function of bytes:
//! the program reads /etc/localtime. Leap seconds are passed over, as clocks do.

use base::{Reader, Short};

/// A TZif file is a few kB; what is larger is none.
const MAX_FILE: usize = 1 << 20;
/// Offsets of real zones are far below; a TZ string can say 24:59:59 and an hour of summer time more.
const MAX_OFFSET: i32 = 27 * 3600;
const DAY: i64 = 86_400;

/// A time zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Offset before the first transition, in seconds east of Greenwich.
    first: i32,
    /// When the offset changes and what it is from then on; ascending.
    transitions: Vec<(i64, i32)>,
    /// What holds after the last transition.
    rule: Option<Rule>,
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Zone {
        Zone::default()
    }

    /// The zone of a TZif file.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    pub fn from_tzif(bytes: &[u8]) -> Result<Zone, &'static str> {
        if bytes.len() > MAX_FILE {
            return Err("larger than any time zone file");
        }
        let mut r = Reader::new(bytes);
        tzif(&mut r).map_err(|Short(what)| what)?.ok_or("not a TZif file")
    }

    /// The zone of a POSIX TZ string, without a leading colon.
    ///
    /// # Errors
    /// Says that it is none.
    pub fn from_posix(text: &str) -> Result<Zone, &'static str> {
        let rule = Rule::parse(text.as_bytes()).ok_or("not a POSIX time zone")?;
        Ok(Zone { first: rule.std, transitions: Vec::new(), rule: Some(rule) })
    }

    /// The offset in seconds east of Greenwich at `secs` since the epoch, and the span
    /// `from..until` of seconds in which it surely stands.
    #[must_use]
    pub fn span_at(&self, secs: i64) -> (i32, i64, i64) {
        let after = self.transitions.partition_point(|(at, _)| *at <= secs);
        let last = after.checked_sub(1).and_then(|i| self.transitions.get(i)).copied();
        let (from, offset) = last.unwrap_or((i64::MIN, self.first));
        match (self.transitions.get(after), &self.rule) {
            (Some((until, _)), _) => (offset, from, *until),
            (None, Some(rule)) => {
                let (offset, rule_from, until) = rule.span_at(secs);
                (offset, rule_from.max(from), until)
            }
            (None, None) => (offset, from, i64::MAX),
        }
    }

    /// The offset in seconds east of Greenwich at `secs` since the epoch.
    #[must_use]
    pub fn offset_at(&self, secs: i64) -> i32 {
        self.span_at(secs).0
    }
}

/// The six counts of a TZif header and the version.
struct Header {
    version: u8,
    isut: usize,
    isstd: usize,
    leap: usize,
    time: usize,
    types: usize,
    chars: usize,
}

fn header(r: &mut Reader<'_>) -> Result<Option<Header>, Short> {
    if r.take(4, "magic")? != b"TZif" {
        return Ok(None);
    }
    let version = r.u8("version")?;
    r.take(15, "header")?;
    let mut count = || Ok(r.be32("header")? as usize);
    Ok(Some(Header {
        version,
        isut: count()?,
        isstd: count()?,
        leap: count()?,
        time: count()?,
        types: count()?,
        chars: count()?,
    }))
}

fn tzif(r: &mut Reader<'_>) -> Result<Option<Zone>, Short> {
    let Some(first) = header(r)? else { return Ok(None) };
    if first.version == 0 {
        return block(r, &first, 4);
    }
    block(r, &first, 4)?;
    let Some(second) = header(r)? else { return Ok(None) };
    let Some(mut zone) = block(r, &second, 8)? else { return Ok(None) };
    // The footer: a TZ string between line ends; empty when the future is not known.
    let footer = r.rest().strip_prefix(b"\n").unwrap_or_default();
    let footer = footer.split(|b| *b == b'\n').next().unwrap_or_default();
    zone.rule = Rule::parse(footer);
    Ok(Some(zone))
}

/// A data block, with transition times of `width` bytes.
fn block(r: &mut Reader<'_>, h: &Header, width: usize) -> Result<Option<Zone>, Short> {
    let times = r.take(h.time.saturating_mul(width), "transition times")?;
    let indexes = r.take(h.time, "transition types")?;
    let types = r.take(h.types.saturating_mul(6), "local time types")?;
    let rest = h.chars.saturating_add(h.leap.saturating_mul(width.saturating_add(4)));
    r.take(rest.saturating_add(h.isstd).saturating_add(h.isut), "names and leap seconds")?;
    let offset = |i: usize| {
        let (bytes, _) = types.as_chunks::<6>().0.get(i)?.split_first_chunk::<4>()?;
        Some(i32::from_be_bytes(*bytes)).filter(|o| o.abs_diff(0) <= MAX_OFFSET.unsigned_abs())
    };
    let Some(first) = offset(0) else { return Ok(None) };
    let mut transitions: Vec<(i64, i32)> = Vec::with_capacity(h.time);
    for (time, index) in times.chunks_exact(width).zip(indexes) {
        let mut r = Reader::new(time);
        let at = if width == 8 { r.be64("time")? as i64 } else { i64::from(r.be32("time")? as i32) };
        let (Some(offset), true) = (offset(usize::from(*index)), transitions.last().is_none_or(|t| t.0 < at))
        else {
            return Ok(None);
        };
        transitions.push((at, offset));
    }
    Ok(Some(Zone { first, transitions, rule: None }))
}

/// A POSIX TZ string (RFC 8536, section 3.3): offsets east of Greenwich in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    std: i32,
    summer: Option<Summer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Summer {
    offset: i32,
    start: (Date, i32),
    end: (Date, i32),
}

/// A day of any year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Date {
    /// `Jn`: 1 to 365, without 29 February.
    Julian(i64),
    /// `n`: 0 to 365, with it.
    Day(i64),
    /// `Mm.w.d`: weekday `d` (0 Sunday) of week `w` (5 the last) of month `m`.
    Week(i64, i64, i64),
}

impl Rule {
    fn parse(text: &[u8]) -> Option<Rule> {
        let p = &mut Parser(text);
        p.name()?;
        let std = p.hms(25)?.checked_neg()?;
        if p.0.is_empty() {
            return Some(Rule { std, summer: None });
        }
        p.name()?;
        let offset = match p.0.first() {
            Some(b',') | None => std.checked_add(3600)?,
            _ => p.hms(25)?.checked_neg()?,
        };
        if p.0.is_empty() {
            // No rule: what all do then is that of the United States.
            p.0 = b",M3.2.0,M11.1.0";
        }
        let (start, end) = (p.change()?, p.change()?);
        p.0.is_empty().then_some(Rule { std, summer: Some(Summer { offset, start, end }) })
    }

    fn span_at(&self, secs: i64) -> (i32, i64, i64) {
        let Some(summer) = &self.summer else { return (self.std, i64::MIN, i64::MAX) };
        let year = year_of(secs.saturating_add(i64::from(self.std)));
        let mut changes = [(0, 0); 6];
        let years = [year.saturating_sub(1), year, year.saturating_add(1)];
        for (pair, year) in changes.as_chunks_mut::<2>().0.iter_mut().zip(years) {
            *pair = [
                (moment(year, summer.start, self.std), summer.offset),
                (moment(year, summer.end, summer.offset), self.std),
            ];
        }
        changes.sort_unstable();
        let after = changes.partition_point(|(at, _)| *at <= secs);
        let last = after.checked_sub(1).and_then(|i| changes.get(i)).copied();
        let (from, offset) = last.unwrap_or((i64::MIN, self.std));
        (offset, from, changes.get(after).map_or(secs.saturating_add(1), |c| c.0))
    }
}

/// The second since the epoch of a change in a year, under the offset that stood before.
fn moment(year: i64, (date, time): (Date, i32), before: i32) -> i64 {
    let first = days_to(year, 1);
    let leap = days_to(year, 3).saturating_sub(days_to(year, 2)) == 29;
    let day = match date {
        Date::Julian(n) => {
            first.saturating_add(n).saturating_sub(1).saturating_add(i64::from(leap && n >= 60))
        }
        Date::Day(n) => first.saturating_add(n),
        Date::Week(month, week, weekday) => {
            let first = days_to(year, month);
            let next = if month == 12 {
                days_to(year.saturating_add(1), 1)
            } else {
                days_to(year, month.saturating_add(1))
            };
            // 1970-01-01 was a Thursday, day 4.
            let of_first = first.saturating_add(4).rem_euclid(7);
            let to = weekday.saturating_sub(of_first).rem_euclid(7);
            let day = first.saturating_add(to).saturating_add(week.saturating_sub(1).saturating_mul(7));
            if day >= next { day.saturating_sub(7) } else { day }
        }
    };
    day.saturating_mul(DAY).saturating_add(i64::from(time)).saturating_sub(i64::from(before))
}

/// Days from 1970-01-01 to the first day of a month, Gregorian.
fn days_to(year: i64, month: i64) -> i64 {
    // The year that begins in March, so that the leap day is its last.
    let (year, month) = if month <= 2 {
        (year.saturating_sub(1), month.saturating_add(9))
    } else {
        (year, month.saturating_sub(3))
    };
    let leaps = year.div_euclid(4).saturating_sub(year.div_euclid(100)).saturating_add(year.div_euclid(400));
    let of_year = month.saturating_mul(153).saturating_add(2) / 5;
    year.saturating_mul(365).saturating_add(leaps).saturating_add(of_year).saturating_sub(719_468)
}

/// The year of a second.
fn year_of(secs: i64) -> i64 {
    // A guess by the mean length of a year is at most one off.
    let guess = secs.div_euclid(31_556_952).saturating_add(1970);
    let day = secs.div_euclid(DAY);
    if day < days_to(guess, 1) {
        guess.saturating_sub(1)
    } else if day >= days_to(guess.saturating_add(1), 1) {
        guess.saturating_add(1)
    } else {
        guess
    }
}

/// Reads the parts of a TZ string.
struct Parser<'a>(&'a [u8]);

impl Parser<'_> {
    /// Takes the next byte when it is `b`.
    fn eat(&mut self, b: u8) -> bool {
        let rest = self.0.strip_prefix(&[b]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Passes over a name: at least three letters, or anything in angle brackets.
    fn name(&mut self) -> Option<()> {
        if self.eat(b'<') {
            let end = self.0.iter().position(|b| *b == b'>')?;
            self.0 = self.0.get(end.checked_add(1)?..)?;
            return Some(());
        }
        let n = self.0.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        self.0 = self.0.get(n..)?;
        (n >= 3).then_some(())
    }

    /// A number of at most three digits, up to `max`.
    fn number(&mut self, max: i32) -> Option<i32> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let number: i32 =
            (digits <= 3).then_some(number).and_then(|n| std::str::from_utf8(n).ok())?.parse().ok()?;
        (number <= max).then_some(number)
    }

    /// `[+-]hh[:mm[:ss]]` in seconds, up to `max` hours.
    fn hms(&mut self, max: i32) -> Option<i32> {
        let negative = self.eat(b'-');
        if !negative {
            self.eat(b'+');
        }
        let mut secs = self.number(max)?.checked_mul(3600)?;
        for unit in [60, 1] {
            if !self.eat(b':') {
                break;
            }
            secs = secs.checked_add(self.number(59)?.checked_mul(unit)?)?;
        }
        if negative { secs.checked_neg() } else { Some(secs) }
    }

    /// `,date[/time]`.
    fn change(&mut self) -> Option<(Date, i32)> {
        if !self.eat(b',') {
            return None;
        }
        let date = if self.eat(b'M') {
            let month = self.number(12)?;
            let week = self.eat(b'.').then(|| self.number(5))??;
            let day = self.eat(b'.').then(|| self.number(6))??;
            if month == 0 || week == 0 {
                return None;
            }
            Date::Week(month.into(), week.into(), day.into())
        } else if self.eat(b'J') {
            Date::Julian(self.number(365)?.max(1).into())
        } else {
            Date::Day(self.number(365)?.into())
        };
        let time = if self.eat(b'/') { self.hms(167)? } else { 2 * 3600 };
        Some((date, time))
    }
}

/// For fuzzing: any bytes as a TZif file and as a TZ string.
#[doc(hidden)]
pub fn fuzz_zone(data: &[u8]) {
    let zones =
        [Zone::from_tzif(data).ok(), std::str::from_utf8(data).ok().and_then(|t| Zone::from_posix(t).ok())];
    for zone in zones.into_iter().flatten() {
        for secs in [i64::MIN, -1, 0, 1_717_024_608, 4_102_444_800, 18_446_744_073, i64::MAX] {
            let (offset, from, until) = zone.span_at(secs);
            assert!(from <= secs && (secs < until || secs == i64::MAX), "the span holds the moment");
            assert!(offset.abs_diff(0) <= MAX_OFFSET.unsigned_abs());
            assert!(from == i64::MIN || zone.offset_at(from) == offset, "one offset in a span");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rng;

    /// A TZif file: version 2, two transitions, and a footer.
    fn file(footer: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for (version, width) in [(b'2', 4usize), (b'2', 8)] {
            out.extend_from_slice(b"TZif");
            out.push(version);
            out.extend_from_slice(&[0; 15]);
            for n in [0u32, 0, 0, 2, 2, 8] {
                out.extend_from_slice(&n.to_be_bytes());
            }
            for at in [1_000_000_000u64, 1_100_000_000] {
                out.extend_from_slice(&at.to_be_bytes()[8 - width..]);
            }
            out.extend_from_slice(&[1, 0]);
            for (offset, dst) in [(3600i32, 0u8), (7200, 1)] {
                out.extend_from_slice(&offset.to_be_bytes());
                out.extend_from_slice(&[dst, 0]);
            }
            out.extend_from_slice(b"CET\0CES\0");
        }
        out.extend_from_slice(format!("\n{footer}\n").as_bytes());
        out
    }

    #[test]
    fn a_file_and_its_footer() {
        let zone = Zone::from_tzif(&file("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
        assert_eq!(zone.span_at(0), (3600, i64::MIN, 1_000_000_000));
        assert_eq!(zone.span_at(1_000_000_000), (7200, 1_000_000_000, 1_100_000_000));
        // 2024: summer time from 2024-03-31 01:00 UTC to 2024-10-27 01:00 UTC.
        assert_eq!(zone.span_at(1_711_846_799).0, 3600);
        assert_eq!(zone.span_at(1_711_846_800), (7200, 1_711_846_800, 1_729_990_800));
        assert_eq!(zone.span_at(1_729_990_800).0, 3600);
        let zone = Zone::from_tzif(&file("")).unwrap();
        assert_eq!(zone.span_at(1_711_846_800), (3600, 1_100_000_000, i64::MAX));
        assert!(Zone::from_tzif(b"TZif2").is_err() && Zone::from_tzif(b"no zone at all").is_err());
    }

    #[test]
    fn posix_strings() {
        let at = |zone: &str, secs| Zone::from_posix(zone).unwrap().offset_at(secs);
        assert_eq!(at("UTC0", 0), 0);
        assert_eq!(at("<+0330>-3:30", 0), 12_600);
        assert_eq!(at("EST5EDT,M3.2.0,M11.1.0", 1_720_000_000), -14_400);
        assert_eq!(at("EST5EDT,M3.2.0,M11.1.0", 1_705_000_000), -18_000);
        assert_eq!(at("EST5EDT", 1_720_000_000), -14_400);
        // The southern hemisphere: summer over the turn of the year.
        assert_eq!(at("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_705_000_000), 39_600);
        assert_eq!(at("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_720_000_000), 36_000);
        // Hours outside the day (RFC 8536, version 3): Nuuk.
        assert_eq!(at("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_720_000_000), -3600);
        // Julian days count no leap day: 2024-03-01 is J60.
        assert_eq!(at("AAA0BBB,J60/0,J61/0", 1_709_251_199), 0);
        assert_eq!(at("AAA0BBB,J60/0,J61/0", 1_709_251_200), 3600);
        assert_eq!(at("AAA0BBB,60/0,61/0", 1_709_251_200), 3600);
        for bad in [
            "",
            "UTC",
            "AB0",
            "EST5EDT,M3.2.0",
            "EST5EDT,M13.2.0,M1.1.1",
            "EST5EDT,M3.2.0,M11.1.0x",
            "A\u{e9}C1",
        ] {
            assert!(Zone::from_posix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_bytes_are_a_zone_or_not() {
        let mut rng = Rng::new(3);
        let seeds = [file("CET-1CEST,M3.5.0,M10.5.0/3"), b"EST5EDT,M3.2.0/-100,J365/167".to_vec()];
        for _ in 0..4000 {
            let mut data = seeds[rng.below(2)].clone();
            for _ in 0..rng.below(6) {
                let at = rng.below(data.len());
                data[at] =
                    if rng.below(2) == 0 { rng.next() as u8 } else { b"0123456789,./JM-+<>"[rng.below(19)] };
            }
            data.truncate(data.len() - rng.below(4));
            fuzz_zone(&data);
        }
    }
}
