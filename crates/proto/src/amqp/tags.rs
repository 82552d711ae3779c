//! The tags of publishes: which one the next has, and how that is found out again after a loss.
//!
//! A confirm proves that its tag was published: so many publishes there were at least. That is
//! all of them when nothing waits for its confirm; a client shows that it is so when it publishes
//! only after each confirm, or when it was silent for much longer than confirms take.

use base::{SECOND, Timestamp};

/// After a confirm and no publish for so long, nothing is under way and the tag is the last publish's.
const SETTLED: u64 = 2 * SECOND;
/// Who has published so often only when nothing was under way always does.
const ALONE: u8 = 4;
/// A channel with so many publishes and no confirm does not confirm.
const UNCONFIRMED: u8 = 8;

/// Confirms take no longer, as long as none was seen (ns): servers answer in one or two milliseconds.
const SLOW: u64 = 10_000_000;

/// What is known of the tags of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirms {
    /// There are none.
    Off,
    /// Whether there are is not known: what turns them on may be lost. Publishes since.
    Maybe(u8),
    /// Not known: the beginning or a publish was not seen.
    Unknown(Guess),
    /// The next publish has this tag; `counted` from the beginning, not taken from a confirm.
    Next { tag: u64, counted: bool },
}

/// What confirms tell of tags that are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Guess {
    /// The tag of the next publish is no less, and no more (0: not known).
    next: u64,
    most: u64,
    /// The highest tag confirmed, and when.
    confirmed: Option<(u64, Timestamp)>,
    /// The latest publish, or loss.
    last: Timestamp,
    /// By a loss, not for want of the beginning.
    pub(super) gap: bool,
}

/// The tags of one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tags {
    pub(super) confirms: Confirms,
    /// The highest tag confirmed.
    confirmed: u64,
    /// When the last confirm came that no publish followed.
    heard: Option<Timestamp>,
    /// How often in a row the client, when it published behind a confirm, did so with nothing under way.
    alone: u8,
    /// It did so with something under way, and not `ALONE` times otherwise since.
    together: bool,
    /// The longest that confirms took of late (ns).
    slowest: u64,
    /// Something was published and not confirmed.
    plain: bool,
}

impl Tags {
    pub(super) fn new(confirms: Confirms) -> Tags {
        let heard = Some(Timestamp(0));
        Tags { confirms, confirmed: 0, heard, alone: 0, together: false, slowest: 0, plain: false }
    }

    /// The tag of a publish that comes now, if there is one and it is known.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<u64> {
        let (tag, counted) = match &mut self.confirms {
            Confirms::Off => {
                self.plain = true;
                return None;
            }
            Confirms::Maybe(n) => {
                *n = n.saturating_add(1);
                if *n >= UNCONFIRMED {
                    self.confirms = Confirms::Off;
                }
                return None;
            }
            Confirms::Next { tag, counted } => {
                let (tag, counted) = (*tag, *counted);
                self.publishes(now, self.confirmed.saturating_add(1) == tag);
                (tag, counted)
            }
            Confirms::Unknown(guess) => {
                let silent = now.since(guess.last);
                let slowest = if self.slowest > 0 { self.slowest } else { SLOW };
                let quiet = silent >= slowest.saturating_mul(2);
                let confirmed = guess.confirmed.map(|(tag, _)| tag);
                // Where nothing was published before the loss, and nothing confirmed since, the first comes.
                let next = confirmed.or((guess.next == 1).then_some(0)).map(|tag| tag.saturating_add(1));
                let drained = guess.gap && next == Some(guess.next);
                let settled =
                    silent >= SETTLED && guess.confirmed.is_some_and(|(_, at)| now.since(at) >= SETTLED);
                // There was no room for more to be lost than was confirmed since.
                let exact = guess.next > 0 && guess.next == guess.most;
                let sure = exact || settled || drained && (self.alone >= ALONE || quiet);
                let next = if exact { Some(guess.next) } else { next };
                guess.last = now;
                if !sure && guess.next > 0 {
                    guess.next = guess.next.saturating_add(1);
                    guess.most = if guess.most == 0 { 0 } else { guess.most.saturating_add(1) };
                }
                if !sure && guess.gap && next.is_some() {
                    // A client that was seen to publish without waiting may have done so unseen.
                    self.publishes(now, drained && !self.together);
                }
                match next.filter(|_| sure) {
                    Some(tag) => (tag, false),
                    None => return None,
                }
            }
        };
        self.confirms = Confirms::Next { tag: tag.saturating_add(1), counted };
        Some(tag)
    }

    /// A publish comes, when nothing is under way or when something is. Of several in a row, one by one or many at
    /// a time, the first shows what the client waits for.
    fn publishes(&mut self, now: Timestamp, alone: bool) {
        if self.heard.take_if(|at| *at < now).is_none() {
            return;
        }
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
        self.together = if alone { self.together && self.alone < ALONE } else { true };
    }

    /// A confirm came.
    pub(super) fn hear(&mut self, at: Timestamp) {
        self.heard = Some(at);
    }

    /// Confirms may have been lost: what the next publish waited for is not known.
    pub(super) fn deafened(&mut self) {
        self.heard = None;
    }

    /// A confirm came whose publish was not seen, before the publish that is looked at now.
    pub(super) fn learn(&mut self, tag: u64, at: Timestamp) {
        self.confirmed = self.confirmed.max(tag);
        if let Confirms::Unknown(guess) = &mut self.confirms {
            guess.next = guess.next.max(tag.saturating_add(1));
            if guess.next > guess.most {
                guess.most = 0;
            }
            // That of the latest publish is the last of them.
            let took = at.since(guess.last);
            // They need not come in order.
            let before = guess.confirmed.map_or(0, |(tag, _)| tag);
            guess.confirmed = Some((tag.max(before), at));
            if guess.gap {
                self.took(tag, took);
            }
        }
    }

    /// A publish is confirmed, so long after it was sent.
    pub(super) fn took(&mut self, tag: u64, took: u64) {
        self.confirmed = self.confirmed.max(tag);
        self.slowest = took.max(self.slowest.saturating_sub(self.slowest / 16));
    }

    /// So many publishes were lost at least and at most; `requests`: something else may have been, too.
    pub(super) fn lost(&mut self, now: Timestamp, least: u64, most: u64, requests: bool) {
        let confirmed = (self.confirmed > 0).then_some((self.confirmed, now));
        self.confirms = match self.confirms {
            // What turns them on comes before the first publish.
            Confirms::Off if self.plain || !requests => return,
            Confirms::Maybe(_) if !requests => return,
            Confirms::Off | Confirms::Maybe(_) => Confirms::Maybe(0),
            Confirms::Unknown(guess) => {
                let above = if guess.most == 0 { 0 } else { guess.most.saturating_add(most) };
                let next = if guess.next == 0 { 0 } else { guess.next.saturating_add(least) };
                Confirms::Unknown(Guess { gap: true, last: now, next, most: above, ..guess })
            }
            Confirms::Next { tag, counted } if least == most => {
                Confirms::Next { tag: tag.saturating_add(least), counted }
            }
            Confirms::Next { tag, .. } => {
                let (next, most) = (tag.saturating_add(least), tag.saturating_add(most));
                Confirms::Unknown(Guess { next, most, confirmed, last: now, gap: true })
            }
        };
    }

    /// Tags were wrong, or there are confirms where none were thought of.
    pub(super) fn doubt(&mut self, now: Timestamp, gap: bool) {
        (self.alone, self.together) = (0, false);
        self.confirms = Confirms::Unknown(Guess { last: now, gap, ..Guess::default() });
    }

    /// A publish that is told without its outcome: was it a loss that hides it?
    pub(super) fn is_hidden(&self) -> bool {
        match self.confirms {
            Confirms::Maybe(_) => true,
            Confirms::Unknown(guess) => guess.gap,
            Confirms::Off | Confirms::Next { .. } => false,
        }
    }
}
