//! How complete the traffic behind a record was.

/// A set of the words of the field QUALITY; empty means perfect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality(u8);

impl Quality {
    /// Nothing to complain of.
    pub const PERFECT: Quality = Quality(0);
    /// The connection began before the probe saw it.
    pub const MIDSTREAM: Quality = Quality(1);
    /// Bytes inside the session were never seen.
    pub const GAP: Quality = Quality(2);
    /// Packets were captured shorter than they were.
    pub const TRUNCATED: Quality = Quality(4);
    /// Some sessions beside this one were left out by sampling.
    pub const SAMPLED: Quality = Quality(8);
    /// No answer was seen.
    pub const NO_RESPONSE: Quality = Quality(16);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Quality) -> Quality {
        Quality(self.0 | other.0)
    }

    /// True when all of `other` is in this set.
    #[must_use]
    pub const fn has(self, other: Quality) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when nothing is wrong.
    #[must_use]
    pub const fn is_perfect(self) -> bool {
        self.0 == 0
    }

    /// The words in their fixed order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        const WORDS: [(Quality, &str); 5] = [
            (Quality::MIDSTREAM, "midstream"),
            (Quality::GAP, "gap"),
            (Quality::TRUNCATED, "truncated"),
            (Quality::SAMPLED, "sampled"),
            (Quality::NO_RESPONSE, "no-response"),
        ];
        WORDS.into_iter().filter(move |(q, _)| self.has(*q)).map(|(_, w)| w)
    }
}
