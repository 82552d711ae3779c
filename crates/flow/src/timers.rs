//! Time-outs and reports without a timer for each flow.
//!
//! Beside the flows lies one small entry a slot: when it was last seen, when its report is due,
//! what kind of flow it is. As packet time goes on, a cursor walks over these entries so that
//! each is looked at about once a second: a flow's own memory is only touched when it is due.

use base::{SECOND, Timestamp};

/// Nanoseconds of a tick, as a power of two: 16.8 ms. 32 bits of ticks are two years.
const TICK_BITS: u32 = 24;
/// Time in which the cursor goes round.
const ROUND: u64 = SECOND;
/// Entries looked at to choose a flow to end when the table is full.
const SAMPLE: u32 = 24;
/// No report is due.
const NEVER: u32 = u32::MAX;

/// What a flow is to the timers; the order is that of eviction, most dispensable first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Closed, lingering for late packets.
    Closed,
    /// A connection that is not established.
    HalfOpen,
    /// UDP, ICMP and others.
    Pair,
    /// An established connection.
    Open,
    /// No flow in this slot.
    Free,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    last: u32,
    due: u32,
    class: Class,
    /// The second report comes early in a crowd, to spread reports over the interval.
    spread: bool,
    generation: u16,
}

/// What is due for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing.
    Nothing,
    /// Its interval is over.
    Report,
    /// It has been idle for its time.
    TimedOut,
}

/// Idle times by class, in ns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    pub(crate) linger: u64,
    pub(crate) half_open: u64,
    pub(crate) pair: u64,
    pub(crate) open: u64,
    pub(crate) interval: u64,
}

/// The entries and the cursor.
#[derive(Debug)]
pub(crate) struct Timers {
    entries: Vec<Entry>,
    origin: Option<Timestamp>,
    cursor: u32,
    swept: Timestamp,
    /// Time in which one entry is to be looked at.
    pace: u64,
    waits: [u32; 4],
    interval: u32,
    draws: u64,
}

/// Flows above which the second report of a flow is moved to spread the load.
const CROWD: usize = 8192;

const fn ticks(ns: u64) -> u32 {
    let t = ns >> TICK_BITS;
    if t >= NEVER as u64 { NEVER.wrapping_sub(1) } else { t as u32 }
}

impl Timers {
    /// Timers with these times.
    pub(crate) fn new(w: Waits) -> Timers {
        let up = |ns| ticks(ns).saturating_add(1);
        Timers {
            entries: Vec::new(),
            origin: None,
            cursor: 0,
            swept: Timestamp::default(),
            pace: 0,
            waits: [up(w.linger), up(w.half_open), up(w.pair), up(w.open)],
            interval: ticks(w.interval).max(1),
            draws: 0,
        }
    }

    /// Bytes of heap.
    pub(crate) fn held(&self) -> usize {
        self.entries.capacity().saturating_mul(size_of::<Entry>())
    }

    /// The tick of a moment. The first moment asked for is tick 0.
    #[inline]
    pub(crate) fn tick(&mut self, now: Timestamp) -> u32 {
        let origin = *self.origin.get_or_insert(now);
        ticks(now.since(origin))
    }

    fn wait(&self, class: Class) -> u32 {
        let [closed, half, pair, open] = self.waits;
        match class {
            Class::Closed => closed,
            Class::HalfOpen => half,
            Class::Pair => pair,
            Class::Open => open,
            Class::Free => NEVER,
        }
    }

    /// A packet of this slot at `tick`: `class` is what the flow is after it.
    #[inline]
    pub(crate) fn touch(&mut self, slot: u32, tick: u32, class: Class) {
        if let Some(e) = self.entries.get_mut(slot as usize) {
            e.last = tick;
            e.class = class;
            if e.due == NEVER {
                e.due = tick.saturating_add(self.interval);
            }
            return;
        }
        // Slots come in order: at most one entry is added at a time.
        self.entries.push(Entry {
            last: tick,
            due: tick.saturating_add(self.interval),
            class,
            spread: false,
            generation: 0,
        });
        self.pace = ROUND.checked_div(self.entries.len() as u64).unwrap_or(0);
    }

    /// A word of a slot's entry.
    #[inline]
    pub(crate) fn glance(&self, slot: u32) -> u64 {
        self.entries.get(slot as usize).map_or(0, |e| u64::from(e.last) ^ e.class as u64)
    }

    /// What is due for a slot at `tick`.
    #[inline]
    pub(crate) fn due(&self, slot: u32, tick: u32) -> Due {
        match self.entries.get(slot as usize) {
            Some(e) if tick.saturating_sub(e.last) >= self.wait(e.class) => Due::TimedOut,
            Some(e) if tick >= e.due => Due::Report,
            _ => Due::Nothing,
        }
    }

    /// The report of a slot was made at `tick`; `more` packets come at once. `hash` spreads.
    pub(crate) fn reported(&mut self, slot: u32, hash: u64) {
        let crowd = self.entries.len() > CROWD;
        let part = ((hash >> 32) as u32).checked_rem(self.interval).unwrap_or(0);
        if let Some(e) = self.entries.get_mut(slot as usize) {
            e.due = NEVER;
            if crowd && !e.spread {
                e.spread = true;
                // due again between half an interval and a whole one from now
                e.due = e.last.saturating_add(self.interval / 2).saturating_add(part / 2).max(1);
            }
        }
    }

    /// The generation of a slot: another flow in the same slot has another one.
    pub(crate) fn generation(&self, slot: u32) -> u16 {
        self.entries.get(slot as usize).map_or(0, |e| e.generation)
    }

    /// The flow of this slot is gone.
    pub(crate) fn free(&mut self, slot: u32) {
        if let Some(e) = self.entries.get_mut(slot as usize) {
            *e = Entry {
                last: 0,
                due: NEVER,
                class: Class::Free,
                spread: false,
                generation: e.generation.wrapping_add(1),
            };
        }
    }

    /// How many entries are to be looked at until `now`.
    #[inline]
    pub(crate) fn share(&mut self, now: Timestamp) -> u32 {
        if now.since(self.swept) < self.pace { 0 } else { self.share_now(now) }
    }

    fn share_now(&mut self, now: Timestamp) -> u32 {
        let slots = self.entries.len() as u64;
        let elapsed = now.since(self.swept).min(ROUND);
        let share = slots.saturating_mul(elapsed) / ROUND;
        if share > 0 || slots == 0 {
            self.swept = now;
        }
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// Walks on, over at most `budget` entries, to the next slot for which something is due.
    pub(crate) fn walk(&mut self, tick: u32, budget: &mut u32) -> Option<(u32, Due)> {
        while *budget > 0 {
            *budget = budget.saturating_sub(1);
            let slot = self.cursor;
            self.cursor = self.cursor.wrapping_add(1);
            if self.cursor as usize >= self.entries.len() {
                self.cursor = 0;
            }
            match self.due(slot, tick) {
                Due::Nothing => {}
                due => return Some((slot, due)),
            }
        }
        None
    }

    /// A flow to end for want of room: of a sample, the most dispensable class, idle longest.
    pub(crate) fn victim(&mut self) -> Option<u32> {
        let slots = self.entries.len() as u64;
        let mut best: Option<(Class, u32, u32)> = None;
        for _ in 0..SAMPLE {
            self.draws = self.draws.wrapping_add(1);
            let slot = base::Seed::default().word(self.draws).checked_rem(slots)? as u32;
            let Some(e) = self.entries.get(slot as usize) else { continue };
            if e.class != Class::Free && best.is_none_or(|b| (e.class, e.last) < (b.0, b.1)) {
                best = Some((e.class, e.last, slot));
            }
        }
        best.map(|b| b.2)
    }
}
