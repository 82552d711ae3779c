//! Two of a kind, one for each side of a flow, taken by side without indexing.

use base::Side;

/// A value for side A and one for side B.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair<T>([T; 2]);

impl<T> Pair<T> {
    /// The value of `side`.
    #[inline]
    pub(crate) fn of(&self, side: Side) -> &T {
        let [a, b] = &self.0;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    /// The value of `side`, to change.
    #[inline]
    pub(crate) fn of_mut(&mut self, side: Side) -> &mut T {
        let [a, b] = &mut self.0;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    /// The value of `side` and that of the other, to change.
    #[inline]
    pub(crate) fn both_mut(&mut self, side: Side) -> (&mut T, &mut T) {
        let [a, b] = &mut self.0;
        match side {
            Side::A => (a, b),
            Side::B => (b, a),
        }
    }
}
