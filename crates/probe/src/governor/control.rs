//! The controller: from (CPU time, wall time) to a place on the ladder. No clock of its own.
//!
//! The ladder is laid so that a unit of height divides the work by e where a step has an effect. So the way to climb is
//! a part of the logarithm of use over limit, less what was climbed just now and cannot show yet; where climbing
//! changes nothing (bodies are no matter in a flood of UDP), each further climb is at least twice as long as the
//! one before.

use std::collections::VecDeque;

/// Looks remembered: those of 3 s.
const KEPT: usize = 31;
const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// What is aimed at, of the limit: noise has room above it.
const TARGET: f64 = 0.94;
/// Below this part of the limit the governor comes down; between it and the limit it rests.
const EASY: f64 = 0.85;
/// Climbs begin above the limit for so many looks in a row: one burst is no reason.
const SURE: u32 = 4;
/// The part of the logarithm that is climbed at a time, and the most.
const CLIMB: f64 = 0.8;
const LONGEST_CLIMB: f64 = 1.2;
/// What a climb spares shows after this time: until then it is reckoned with.
const SHOWS_AFTER: u64 = 280 * MS;
/// While earlier climbs have not shown, only this much more is a reason for another.
const MUCH_MORE: f64 = 0.3;
/// The least that is climbed at a time; doubled with each climb in a row, up to eightfold.
const LEAST_CLIMB: f64 = 0.08;
/// The part of the logarithm that is descended at a look, the least and the most.
const DESCENT: f64 = 0.12;
const LEAST_DESCENT: f64 = 0.01;
const LONGEST_DESCENT: f64 = 0.25;
/// Time between a climb and the next descent; doubled when the descent before was wrong.
const PATIENCE: u64 = SECOND;
const LONGEST_PATIENCE: u64 = 8 * SECOND;
/// A climb this soon after a descent says that it was wrong.
const WRONG: u64 = 3 * SECOND;
/// So long after the first climb, or above the limit, the brake is armed: until then short and steep is forgiven.
const ARM_AFTER: u64 = 1800 * MS;
/// Climbed at a look when the brake has held anybody since the one before: it shall not be needed for long.
const UNDER_BRAKE: f64 = 0.2;
/// The last so many looks tell whether the brake is at work: at so many of them somebody had rested.
const LATELY: u32 = 5;
const AT_WORK: u32 = 3;
/// The limit cannot be held: exceeded by this much over 3 s although the brake is armed.
const FAILING: f64 = 0.02;

/// The controller.
#[derive(Clone, Debug)]
pub struct Control {
    limit: f64,
    height: f64,
    at: f64,
    looks: VecDeque<(u64, u64)>,
    /// Looks in a row above the limit.
    over: u32,
    over_since: Option<u64>,
    /// Climbs in a row.
    climbs: i32,
    /// Those that have not shown yet: when, how far.
    latest: VecDeque<(u64, f64)>,
    next_descent: u64,
    climbed: u64,
    descended: u64,
    patience: u64,
    /// Since when the brake is armed.
    armed: Option<u64>,
    /// The first climb from the ground.
    left_ground: u64,
    /// At which of the last looks somebody had rested: a bit each, the last one lowest.
    rests: u32,
}

/// What a look says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The place on the ladder.
    pub at: f64,
    /// The brake is armed: workers rest when they are above the rate.
    pub armed: bool,
    /// The brake is at work: the ladder alone does not do.
    pub braking: bool,
}

impl Control {
    /// Holds `limit` (of one CPU) on a ladder of this height.
    #[must_use]
    pub fn new(limit: f64, height: f64) -> Control {
        Control {
            limit,
            height,
            at: 0.0,
            looks: VecDeque::with_capacity(KEPT),
            over: 0,
            over_since: None,
            climbs: 0,
            latest: VecDeque::new(),
            next_descent: 0,
            climbed: 0,
            descended: 0,
            patience: PATIENCE,
            armed: None,
            left_ground: 0,
            rests: 0,
        }
    }

    /// What the brake holds, of one CPU.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.limit * 0.97
    }

    /// The share of one CPU over the last `n` looks.
    fn used(&self, n: usize) -> f64 {
        let now = self.looks.back();
        let then = self.looks.iter().rev().nth(n).or(self.looks.front());
        let (Some((cpu, wall)), Some((cpu0, wall0))) = (now, then) else { return 0.0 };
        let passed = wall.saturating_sub(*wall0);
        if passed == 0 { 0.0 } else { cpu.saturating_sub(*cpu0) as f64 / passed as f64 }
    }

    /// A look at both clocks, ns; `held` when the brake made anybody rest since the last one.
    pub fn look(&mut self, cpu: u64, wall: u64, held: bool) -> Decision {
        if self.looks.len() >= KEPT {
            self.looks.pop_front();
        }
        self.looks.push_back((cpu, wall));
        self.rests = (self.rests << 1 | u32::from(held)) & ((1 << LATELY) - 1);
        if self.looks.len() > 2 {
            self.decide(wall, held);
        }
        Decision { at: self.at, armed: self.armed.is_some(), braking: self.rests.count_ones() >= AT_WORK }
    }

    fn decide(&mut self, now: u64, held: bool) {
        let (fast, slow, second) = (self.used(2), self.used(5), self.used(10));
        self.over = if fast > self.limit { self.over.saturating_add(1) } else { 0 };
        if slow > self.limit {
            self.over_since.get_or_insert(now);
        } else if slow < self.limit * 0.97 {
            self.over_since = None;
        }
        let grounded = self.at <= 0.0;
        self.latest.retain(|(when, _)| now.saturating_sub(*when) < SHOWS_AFTER);
        let excess = ln(fast / (self.limit * TARGET));
        if held {
            self.climb(now, UNDER_BRAKE.max(excess));
        } else if fast > self.limit && slow > self.limit * 0.97 {
            let more = excess - self.latest.iter().map(|(_, by)| by).sum::<f64>();
            let sure = !grounded || self.over >= SURE;
            if sure && (self.latest.is_empty() || more > MUCH_MORE) {
                self.climb(now, CLIMB * more);
            }
        } else if fast <= self.limit {
            self.climbs = 0;
            let easy = self.limit * EASY;
            if !grounded && second < easy && fast < easy && now >= self.next_descent && self.rests == 0 {
                self.descend(now, second);
            }
        }
        if grounded && self.at > 0.0 {
            self.left_ground = now;
        }
        let since = if self.at > 0.0 { Some(self.left_ground) } else { self.over_since };
        if since.is_some_and(|since| now.saturating_sub(since) >= ARM_AFTER) {
            self.armed.get_or_insert(now);
        } else if self.rests == 0 {
            self.armed = None;
        }
    }

    fn climb(&mut self, now: u64, by: f64) {
        let least = LEAST_CLIMB * f64::from(1u32 << self.climbs.min(3));
        self.climbs = self.climbs.saturating_add(1);
        let by = by.clamp(least, LONGEST_CLIMB);
        self.at = (self.at + by).min(self.height);
        self.latest.push_back((now, by));
        let wrong = self.descended > self.climbed && now.saturating_sub(self.descended) < WRONG;
        self.patience = match wrong {
            true => (self.patience * 2).min(LONGEST_PATIENCE),
            false if now.saturating_sub(self.climbed) > 2 * LONGEST_PATIENCE => PATIENCE,
            false => self.patience,
        };
        self.climbed = now;
        self.next_descent = now.saturating_add(self.patience);
    }

    fn descend(&mut self, now: u64, used: f64) {
        let room = ln(self.limit * TARGET / used.max(self.limit / 1000.0));
        self.at = (self.at - (DESCENT * room).clamp(LEAST_DESCENT, LONGEST_DESCENT)).max(0.0);
        self.descended = now;
    }

    /// The share used over 3 s, when the brake is armed for longer than that and does not hold it.
    #[must_use]
    pub fn failing(&self) -> Option<f64> {
        let (armed, now) = (self.armed?, self.looks.back()?.1);
        let used = self.used(KEPT);
        let long = now.saturating_sub(armed) > 4 * SECOND && self.looks.len() >= KEPT;
        (long && used > self.limit + FAILING).then_some(used)
    }
}

/// The natural logarithm of a number above 0, to seven digits; far below 0 for 0. The library's has 6 KB of tables.
fn ln(x: f64) -> f64 {
    const MANTISSA: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = x.to_bits();
    let exponent = (bits >> MANTISSA) as f64 - 1023.0;
    let m = f64::from_bits(bits & ((1 << MANTISSA) - 1) | 1f64.to_bits());
    // From 1 to 2: twice the area tangent of at most a third.
    let t = (m - 1.0) / (m + 1.0);
    let terms =
        [13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0].into_iter().fold(0.0, |sum, n: f64| sum * t * t + n.recip());
    exponent * std::f64::consts::LN_2 + 2.0 * t * terms
}

#[cfg(test)]
mod tests;
