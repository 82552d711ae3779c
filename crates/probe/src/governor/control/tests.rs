//! The controller against a simulated probe: work that steps of the ladder spare in part, late effects, noise.

use super::super::brake::Brake;
use super::super::ladder::{Asked, Ladder, Step};
use super::*;
use base::Thin;

/// What there is to do, in CPU seconds a second if all of it is done.
#[derive(Clone, Copy, Debug)]
struct Work {
    /// Nothing spares it.
    fixed: f64,
    /// Contents: of that a part is bodies.
    contents: f64,
    bodies: f64,
    /// Packets of flows.
    packets: f64,
    /// SYNs: only the brake spares them.
    syns: f64,
    /// The flows are so few: a share of them is a matter of steps.
    elephants: Option<u32>,
    noise: f64,
}

const IDLE: Work =
    Work { fixed: 0.002, contents: 0.0, bodies: 0.0, packets: 0.0, syns: 0.0, elephants: None, noise: 0.05 };

impl Work {
    fn cost(&self, p: &super::super::ladder::Place) -> f64 {
        let of = |n: u32| f64::from(n) / f64::from(Thin::ALL);
        let keep = match self.elephants {
            Some(n) => (of(p.keep) * f64::from(n)).floor() / f64::from(n),
            None => of(p.keep),
        };
        let contents = self.contents * (1.0 - self.bodies * (1.0 - of(p.bodies)));
        self.fixed + keep * (contents * of(p.read) + self.packets) + self.syns
    }
}

/// The probe: 10 ms at a time; what the governor says takes effect `lag` of these later.
struct Plant {
    ladder: Ladder,
    control: Control,
    brake: Brake,
    places: VecDeque<super::super::ladder::Place>,
    cpu: u64,
    wall: u64,
    noise: u64,
    step: Step,
    climbs: u32,
    /// (wall, cpu) at each 100 ms.
    trace: Vec<(u64, u64)>,
}

impl Plant {
    fn new(limit: f64) -> Plant {
        let ladder = Ladder::new(Asked { compress: false, bodies: true, contents: true });
        Plant {
            control: Control::new(limit, ladder.height()),
            places: VecDeque::from(vec![ladder.place(0.0, false); 12]),
            ladder,
            brake: Brake::default(),
            cpu: 0,
            wall: 0,
            noise: 0x2545_f491_4f6c_dd1d,
            step: Step::None,
            climbs: 0,
            trace: Vec::new(),
        }
    }

    fn random(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
    }

    /// `seconds` of this work.
    fn run(&mut self, seconds: f64, work: &Work) {
        for n in 0..(seconds * 100.0) as u64 {
            let place = *self.places.front().unwrap();
            let noise = 1.0 + work.noise * self.random() * 3.0;
            let want = (work.cost(&place) * noise).clamp(0.0, 1.0);
            // A worker that has to rest does nothing but what is fixed.
            let rests = self.brake.is_on() && self.brake.rest(self.cpu, self.wall).is_some();
            let share = if rests { work.fixed } else { want };
            self.cpu += (share * 10e6) as u64;
            self.wall += 10 * MS;
            if n % 10 == 9 {
                let before = self.control.at;
                let held = self.brake.was_held();
                let Decision { at, armed, braking } = self.control.look(self.cpu, self.wall, held);
                self.climbs += u32::from(at > before);
                self.brake.set(armed.then(|| self.control.rate()), self.cpu, self.wall);
                let place = self.ladder.place(at, braking);
                self.step = place.step;
                self.places.push_back(place);
                self.trace.push((self.wall, self.cpu));
            } else {
                let last = *self.places.back().unwrap();
                self.places.push_back(last);
            }
            self.places.pop_front();
        }
    }

    /// The largest share over any 3 s of the trace that begin `from` seconds after its beginning or later.
    fn worst(&self, from: f64) -> f64 {
        let begin = (from * 10.0) as usize;
        let windows = self.trace.get(begin..).unwrap_or_default().windows(31);
        windows.map(|w| (w[30].1 - w[0].1) as f64 / (w[30].0 - w[0].0) as f64).fold(0.0, f64::max)
    }

    fn mean(&self, from: f64) -> f64 {
        let (a, b) = (self.trace[(from * 10.0) as usize], *self.trace.last().unwrap());
        (b.1 - a.1) as f64 / (b.0 - a.0) as f64
    }
}

const LIMITS: [f64; 4] = [0.02, 0.05, 0.2, 0.5];

fn floods() -> Vec<(&'static str, Work)> {
    let mut all = Vec::new();
    for size in [0.26, 0.6, 1.0, 4.0] {
        all.push(("udp", Work { packets: size, ..IDLE }));
        all.push(("http", Work { contents: size * 0.8, bodies: 0.3, packets: size * 0.2, ..IDLE }));
        all.push(("bodies", Work { contents: size, bodies: 0.9, packets: 0.01, ..IDLE }));
        all.push(("syn", Work { syns: size, ..IDLE }));
        all.push(("mixed", Work { syns: size / 2.0, packets: size / 2.0, noise: 0.2, ..IDLE }));
        all.push(("elephants", Work { packets: size, elephants: Some(4), ..IDLE }));
        all.push(("noisy", Work { contents: size / 2.0, packets: size / 2.0, noise: 0.3, ..IDLE }));
    }
    all
}

#[test]
fn each_limit_is_held_after_three_seconds_of_each_flood() {
    for limit in LIMITS {
        for (what, work) in floods() {
            let mut p = Plant::new(limit);
            p.run(5.0, &IDLE);
            assert_eq!(p.step, Step::None);
            p.run(60.0, &work);
            let worst = p.worst(5.0 + 3.0);
            assert!(worst <= limit + 0.02, "{what} {work:?}: {worst:.4} of {limit}");
            assert!(p.control.failing().is_none());
            if work.cost(&p.ladder.place(0.0, false)) > limit * 1.1 {
                assert!(p.step > Step::None, "{what} {work:?} at {limit}");
            }
            p.run(25.0, &IDLE);
            assert_eq!(p.step, Step::None, "{what} at {limit}: comes back");
        }
    }
}

#[test]
fn the_limit_is_used_not_only_undercut() {
    for limit in LIMITS {
        for (what, work) in floods() {
            // Elephants are seen whole or not at all.
            if what == "elephants" || work.cost(&Plant::new(limit).ladder.place(0.0, false)) < limit {
                continue;
            }
            let mut p = Plant::new(limit);
            p.run(40.0, &work);
            assert!(p.mean(15.0) > limit * 0.4, "{what} {work:?}: {:.4} of {limit}", p.mean(15.0));
        }
    }
}

#[test]
fn steady_work_brings_a_steady_place() {
    for limit in LIMITS {
        let mut p = Plant::new(limit);
        let work = Work { contents: 0.5, bodies: 0.2, packets: 0.5, ..IDLE };
        p.run(20.0, &work);
        let (climbs, at) = (p.climbs, p.control.at);
        p.run(60.0, &work);
        assert!(p.climbs - climbs < 60, "{} climbs in a minute at {limit}", p.climbs - climbs);
        assert!((p.control.at - at).abs() < 1.5, "{at} {}", p.control.at);
    }
}

#[test]
fn below_the_limit_and_in_short_bursts_nothing_is_left_out() {
    let mut p = Plant::new(0.2);
    for _ in 0..20 {
        p.run(2.0, &Work { packets: 0.1, noise: 0.2, ..IDLE });
        p.run(0.2, &Work { packets: 0.6, ..IDLE });
        assert_eq!(p.step, Step::None);
    }
    assert_eq!(p.climbs, 0);
}

#[test]
fn floods_that_come_and_go_are_held_all_the_same() {
    for limit in LIMITS {
        let mut p = Plant::new(limit);
        for n in 0..20 {
            p.run(2.0, &Work { packets: 2.0, ..IDLE });
            p.run(0.5 + f64::from(n % 4), &IDLE);
        }
        assert!(p.worst(3.0) < limit + 0.15, "{:.3} at {limit}", p.worst(3.0));
    }
}

#[test]
fn a_probe_that_cannot_rest_says_so() {
    let mut p = Plant::new(0.05);
    p.run(20.0, &Work { fixed: 0.3, ..IDLE });
    assert!(p.control.failing().is_some_and(|used| (0.28..0.32).contains(&used)));
    assert_eq!(p.step, Step::Brake);
    p.run(20.0, &IDLE);
    assert_eq!((p.step, p.control.failing()), (Step::None, None));
}

#[test]
fn clocks_that_stand_or_jump_do_no_harm() {
    let mut c = Control::new(0.2, 10.0);
    for (cpu, wall) in [(0, 0), (0, 0), (5, 0), (u64::MAX, 10), (3, u64::MAX), (0, 5), (9, 9)] {
        let at = c.look(cpu, wall, false).at;
        assert!((0.0..=10.0).contains(&at), "{at}");
    }
}
