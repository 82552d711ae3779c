//! One side's bytes, step by step: both sides are gone through alike.

use crate::session::Progress;

/// What one step came to.
pub(super) enum Step {
    Used(usize),
    Need(usize),
    /// A command or an answer has ended.
    Whole(usize),
    Bad,
    Done,
}

/// Goes on until something is whole, or bytes are missing.
pub(super) fn steps(bytes: &[u8], mut step: impl FnMut(&[u8], usize) -> Step) -> Progress {
    let mut at = 0usize;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Progress::Consumed(at);
        }
        match step(rest, at) {
            Step::Used(n) => at = at.saturating_add(n),
            Step::Whole(n) => return Progress::Consumed(at.saturating_add(n)),
            Step::Need(_) if at > 0 => return Progress::Consumed(at),
            Step::Need(n) => return Progress::Need(n),
            Step::Done => return Progress::Done,
            Step::Bad => return Progress::Lost,
        }
    }
}
