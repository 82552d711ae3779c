//! The ladder of the governor: what a place on it leaves out.
//!
//! A place is a number from 0 to the height; one unit stands for a factor e in the work of the step that it lies in,
//! as far as that step has an effect.

use base::Thin;

/// A step of the ladder, the last one reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Nothing is left out.
    None = 0,
    /// No compression.
    Compress = 1,
    /// Shorter fields.
    Bodies = 2,
    /// Contents of some conversations.
    Sessions = 3,
    /// No contents.
    L7Off = 4,
    /// Packets of some flows.
    Packets = 5,
    /// Workers rest.
    Brake = 6,
}

impl Step {
    /// All, from the least.
    pub const ALL: [Step; 7] =
        [Step::None, Step::Compress, Step::Bodies, Step::Sessions, Step::L7Off, Step::Packets, Step::Brake];

    /// Its name in the account.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Step::None => "none",
            Step::Compress => "compress",
            Step::Bodies => "bodies",
            Step::Sessions => "sessions",
            Step::L7Off => "l7-off",
            Step::Packets => "packets",
            Step::Brake => "brake",
        }
    }

    /// How far it goes, in units of the ladder, and the smallest share that is left at its end.
    const fn span(self) -> (f64, f64) {
        match self {
            Step::None | Step::Brake => (0.0, 1.0),
            Step::Compress | Step::L7Off => (0.3, 1.0),
            // A part of the work only: passed over quickly.
            Step::Bodies => (1.5, 1.0 / 16.0),
            Step::Sessions => (4.0, 1.0 / 64.0),
            // A million packets a second at a limit of 2 % leave time for one in a hundred or two.
            Step::Packets => (7.0, 1.0 / 1024.0),
        }
    }
}

/// What a place leaves out. Shares are of [`Thin::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The step that it lies in.
    pub step: Step,
    /// No compression.
    pub plain: bool,
    /// Share of `bodylen`.
    pub bodies: u32,
    /// Share of conversations that are read.
    pub read: u32,
    /// Share of flows whose packets are looked at.
    pub keep: u32,
}

/// What the configuration asks for: only that can be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `compress`.
    pub compress: bool,
    /// `auto-check=1`.
    pub bodies: bool,
    /// `auto-check` is not off.
    pub contents: bool,
}

/// The steps in the order in which they are taken.
#[derive(Clone, Debug)]
pub struct Ladder {
    steps: Vec<Step>,
}

impl Ladder {
    /// The ladder for a configuration.
    #[must_use]
    pub fn new(asked: Asked) -> Ladder {
        let wanted = |s: &Step| match s {
            Step::None | Step::Brake => false,
            Step::Compress => asked.compress,
            Step::Bodies => asked.bodies,
            Step::Sessions | Step::L7Off => asked.contents,
            Step::Packets => true,
        };
        Ladder { steps: Step::ALL.into_iter().filter(wanted).collect() }
    }

    /// Where it ends.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.steps.iter().map(|s| s.span().0).sum()
    }

    /// What the place at this height leaves out.
    #[must_use]
    pub fn place(&self, height: f64, braking: bool) -> Place {
        let mut place =
            Place { step: Step::None, plain: false, bodies: Thin::ALL, read: Thin::ALL, keep: Thin::ALL };
        let mut rest = height;
        for step in &self.steps {
            let (span, least) = step.span();
            let part = (rest / span).clamp(0.0, 1.0);
            rest -= span;
            if part <= 0.0 {
                break;
            }
            place.step = *step;
            // In 256 parts, rounded up: the filter of the kernel is not changed for less.
            let parts = (part * 256.0) as u32;
            let parts = parts + u32::from(f64::from(parts) < part * 256.0);
            let share = (power(least, parts) * f64::from(Thin::ALL)) as u32;
            match step {
                Step::None | Step::Brake => {}
                Step::Compress => place.plain = true,
                Step::Bodies => place.bodies = if parts < 256 { share } else { 0 },
                Step::Sessions => place.read = share,
                Step::L7Off => place.read = 0,
                Step::Packets => place.keep = share,
            }
        }
        if braking {
            place.step = Step::Brake;
        }
        place
    }
}

/// `base` to the power of `n` 256ths, by square roots: powers of any kind would bring 9 KB of tables.
fn power(base: f64, n: u32) -> f64 {
    let (mut root, mut product) = (base, if n >= 256 { base } else { 1.0 });
    for bit in (0..8).rev() {
        root = root.sqrt();
        if n >> bit & 1 == 1 {
            product *= root;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: Asked = Asked { compress: true, bodies: true, contents: true };

    #[test]
    fn powers_are_those_of_the_library() {
        for base in [1.0f64, 0.5, 1.0 / 16.0, 1.0 / 1024.0] {
            for n in 0..=256u32 {
                let want = base.powf(f64::from(n) / 256.0);
                assert!((power(base, n) / want - 1.0).abs() < 1e-12, "{base} {n}");
            }
        }
    }

    #[test]
    fn each_place_leaves_out_no_less_than_those_below() {
        for asked in [EVERYTHING, Asked::default(), Asked { contents: true, ..Asked::default() }] {
            let ladder = Ladder::new(asked);
            let mut before = ladder.place(0.0, false);
            let whole = Place { step: Step::None, plain: false, bodies: 65_536, read: 65_536, keep: 65_536 };
            assert_eq!(before, whole);
            for n in 1..=1000 {
                let p = ladder.place(ladder.height() * f64::from(n) / 1000.0, false);
                assert!(p.step >= before.step && p.plain >= before.plain, "{p:?}");
                assert!(p.bodies <= before.bodies && p.read <= before.read && p.keep <= before.keep, "{p:?}");
                // Whole steps before the next one begins.
                assert!(p.read == 65_536 || p.bodies == 0 || !asked.bodies, "{p:?}");
                assert!(p.keep == 65_536 || p.read == 0 || !asked.contents, "{p:?}");
                before = p;
            }
            assert_eq!((before.step, before.keep), (Step::Packets, 64));
            assert_eq!(ladder.place(1.0, true).step, Step::Brake);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_a_step() {
        let ladder = Ladder::new(Asked::default());
        assert_eq!(ladder.place(0.1, false).step, Step::Packets);
        let ladder = Ladder::new(EVERYTHING);
        let named: Vec<&str> =
            [0.0, 0.2, 1.0, 4.0, 6.0, 7.0].map(|h| ladder.place(h, false).step.name()).to_vec();
        assert_eq!(named, ["none", "compress", "bodies", "sessions", "l7-off", "packets"]);
    }
}
