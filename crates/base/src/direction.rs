//! Which way bytes go between the two ends of a flow.

/// The way of bytes between the initiator (client) and the other end (server) of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the initiator: requests.
    ToServer = 0,
    /// From the other end: answers.
    ToClient = 1,
}

impl Direction {
    /// Both, in index order.
    pub const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

    /// The other way.
    #[must_use]
    pub const fn flip(self) -> Direction {
        match self {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        }
    }

    /// 0 or 1, for arrays of two.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
