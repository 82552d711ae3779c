//! The CPU governor: holds the probe within `cpu-limit` percent of one CPU, by doing less.
//!
//! Every 100 ms the CPU time of the process (all its threads, user and system) is held against the wall clock.
//! Above the limit the governor climbs a ladder, below it it comes down; each step leaves out a little more:
//!
//! | step | name | what is left out | what says so |
//! |---|---|---|---|
//! | 0 | `none` | nothing | |
//! | 1 | `compress` | compression of what is sent (`compress=1`) | SHED `uncompressed` |
//! | 2 | `bodies` | ends of header and body fields, by a growing part of `bodylen`; at the end bodies | SHED `shortened` |
//! | 3 | `sessions` | contents of a growing share of conversations, chosen by their hash, each as a whole | QUALITY `sampled`, SHED `unread` |
//! | 4 | `l7-off` | contents of all conversations | SHED `unread` |
//! | 5 | `packets` | packets of a growing share of flows, in the kernel; SYN, FIN and RST are always kept | PKTS_SAMPLED; QUALITY `sampled` of flows of which packets were left out |
//! | 6 | `brake` | whatever there is no time for: workers rest, what waits is passed over | PKTS_SAMPLED, PKTS_LOST, a line on standard error |
//!
//! What the configuration does not ask for is no step. Within a step the share moves without jumps, so that the limit
//! is met and not only undercut. Up it goes at once (after 0.3 s above the limit, that a burst alone is no reason),
//! the faster the farther above; down it goes slowly, after a second of rest, and the more reluctantly the oftener
//! that was wrong. From 2 s on the brake is armed, and holds whatever the traffic is, until the ladder has found the
//! place where that is not needed; for a flood of SYNs there is no other. The governor never restarts anything.
//!
//! Rooms: [`control`] is the controller, pure arithmetic over (CPU time, wall time); [`ladder`] says what a place on
//! the ladder leaves out; [`brake`] makes workers rest. The door to the effects is [`Desk`]: the household asks the
//! controller and writes orders, workers read them. They are applied by `Engine::set_thrift`, `Ring::set_thin`,
//! `Ring::skip_old` and `Outlet::set_compression`.
//!
//! What is not the probe's own time it does not govern: the kernel's copying into the ring is charged to whoever
//! sends or receives. Steps 5 and 6 spare that, too.

pub mod brake;
pub mod control;
pub mod ladder;

use base::Thin;
use brake::Brake;
use control::{Control, Decision};
use engine::Thrift;
use ladder::{Ladder, Place, Step};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How often the CPU time is looked at.
pub const EVERY: std::time::Duration = std::time::Duration::from_millis(100);

/// What workers are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// What the engine leaves out; the ring leaves out the same flows.
    pub thrift: Thrift,
    /// Work in small pieces: the brake is armed.
    pub armed: bool,
}

/// Where orders lie.
#[derive(Debug, Default)]
pub struct Desk {
    orders: Mutex<Orders>,
    /// Counts the changes.
    turn: AtomicU64,
    /// Makes workers rest.
    pub brake: Brake,
}

impl Desk {
    /// The orders, when they are others than at `turn`.
    pub fn news(&self, turn: &mut u64) -> Option<Orders> {
        let now = self.turn.load(Ordering::Acquire);
        if now == *turn {
            return None;
        }
        *turn = now;
        Some(*self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, orders: Orders) {
        let mut held = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != orders {
            *held = orders;
            self.turn.fetch_add(1, Ordering::Release);
        }
    }
}

/// Time spent in each step, in ns.
pub type Times = [u64; Step::ALL.len()];

/// The controller with its ladder, as the household keeps it.
#[derive(Debug)]
pub struct Governor {
    control: Control,
    ladder: Ladder,
    salt: u32,
    place: Place,
    /// Wall time of the last look, ns.
    looked: Option<u64>,
    times: Times,
}

impl Governor {
    /// A governor that holds `limit` percent of one CPU; `salt` is random.
    #[must_use]
    pub fn new(limit: u32, ladder: Ladder, salt: u32) -> Governor {
        Governor {
            control: Control::new(f64::from(limit) / 100.0, ladder.height()),
            place: ladder.place(0.0, false),
            ladder,
            salt,
            looked: None,
            times: Times::default(),
        }
    }

    /// Looks at the clocks (ns since any beginning), gives orders. Says in which step it is now.
    pub fn look(&mut self, cpu: u64, wall: u64, desk: &Desk) -> Step {
        if let Some(before) = self.looked.replace(wall)
            && let Some(time) = self.times.get_mut(self.place.step as usize)
        {
            *time += wall.saturating_sub(before);
        }
        let held = desk.brake.was_held();
        let Decision { at, armed, braking } = self.control.look(cpu, wall, held);
        desk.brake.set(armed.then(|| self.control.rate()), cpu, wall);
        self.place = self.ladder.place(at, braking);
        let p = self.place;
        let thin = (p.keep < Thin::ALL).then_some(Thin { salt: self.salt, keep: p.keep });
        desk.write(Orders { thrift: Thrift { bodies: p.bodies, read: p.read, thin }, armed });
        p.step
    }

    /// Batches go out uncompressed.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.place.plain
    }

    /// The step that it is in.
    #[must_use]
    pub fn step(&self) -> Step {
        self.place.step
    }

    /// The limit cannot be held: it was exceeded for the last seconds although everything was tried. The share of
    /// one CPU that was used, then.
    #[must_use]
    pub fn failing(&self) -> Option<f64> {
        self.control.failing()
    }

    /// Time spent in each step since the last call, ns.
    pub fn take_times(&mut self) -> Times {
        std::mem::take(&mut self.times)
    }

    /// Gives orders to leave out nothing: it is let go.
    pub fn release(desk: &Desk) {
        desk.write(Orders::default());
        desk.brake.set(None, 0, 0);
    }
}
