//! What bytes of the client that were lost may have held, counted by the least that frames take.
//!
//! Between the last frame before a gap and the first behind it there were whole frames, so many bytes together. A
//! message under way needs some of them for its end, and one whose middle comes behind the gap has its
//! beginning there. What is left over holds so many publishes at most, and may be too small for any request. Often
//! that says exactly what was lost: a segment that a client sends for each frame is one frame.

use super::talk::Talk;
use super::wire::FrameKind;
use crate::session::Cx;
use base::{Direction, Timestamp};

/// The least bytes of frames: a request (tx.select), a basic.publish, a content header, and what a body has
/// around it.
const REQUEST: u64 = 12;
const PUBLISH: u64 = 17;
const HEADER: u64 = 22;
const AROUND: u64 = 8;

/// The message that was under way on a channel when bytes were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// None.
    Nothing,
    /// Its header was to come.
    Header,
    /// So much of its content was.
    Body(u64),
}

/// Bytes lost since the last frame of a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    open: Open,
    /// Of all that was lost on the connection: where it began.
    from: u64,
    time: Timestamp,
}

/// What a hole may have held of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Publishes: no fewer and no more.
    pub(super) least: u64,
    pub(super) most: u64,
    /// Something else besides.
    requests: bool,
    /// There was no room for anything of other channels.
    is_all: bool,
}

/// What a hole of `span` bytes may have held, by what was under way before it and what comes behind.
fn held(open: Open, span: u64, next: FrameKind) -> Held {
    let exact = |is_all| Held { least: 0, most: 0, requests: false, is_all };
    let (start, end) = match (open, next) {
        // Nothing comes between the two.
        (Open::Header, FrameKind::Body) => return exact(span < HEADER + REQUEST),
        // The same content goes on, or it ended and another began.
        (Open::Body(left), FrameKind::Body) => {
            let both = left.saturating_add(AROUND + PUBLISH + HEADER);
            if span < both {
                return exact(false);
            }
            let most = span / (PUBLISH + HEADER);
            return Held { least: 0, most, requests: true, is_all: false };
        }
        (Open::Header, FrameKind::Header) => (0, 0),
        (Open::Header, _) => (HEADER, 0),
        (Open::Body(left), FrameKind::Header) => (left.saturating_add(AROUND), PUBLISH),
        (Open::Body(left), _) => (left.saturating_add(AROUND), 0),
        (Open::Nothing, FrameKind::Header) => (0, PUBLISH),
        (Open::Nothing, FrameKind::Body) => (0, PUBLISH + HEADER),
        (Open::Nothing, _) => (0, 0),
    };
    let Some(free) = span.checked_sub(start).and_then(|n| n.checked_sub(end)) else {
        // It was not ended properly.
        return Held { least: 0, most: span, requests: true, is_all: false };
    };
    let least = u64::from(end > 0);
    let most = least.saturating_add(free / (PUBLISH + HEADER));
    Held { least, most, requests: free >= REQUEST, is_all: free < REQUEST }
}

impl Talk {
    /// Whole frames of the client were lost, `span` bytes; what was under way is still known.
    pub(super) fn hole(&mut self, cx: &Cx<'_>, span: u64) {
        let from = self.lost_bytes;
        for ch in &mut self.channels {
            let content = self.contents.iter().find(|c| c.is_of(Direction::ToServer, ch.id));
            let open = match content.map(|c| c.left()) {
                Some(None) => Open::Header,
                Some(Some(left)) if left > 0 => Open::Body(left),
                _ => Open::Nothing,
            };
            ch.hole.get_or_insert(Hole { open, from, time: cx.now.time });
        }
        self.pass(span);
    }

    /// So many bytes of the client were passed by in search of a frame.
    pub(super) fn pass(&mut self, n: u64) {
        self.lost_bytes = self.lost_bytes.saturating_add(n);
    }

    /// A frame of the client: the first of its channel behind a hole says what that may have held.
    pub(super) fn behind_hole(&mut self, channel: u16, next: FrameKind) {
        let lost = self.lost_bytes;
        let Some(ch) = self.known_channel(channel) else { return };
        let Some(hole) = ch.hole.take() else { return };
        let held = held(hole.open, lost.saturating_sub(hole.from), next);
        ch.holed |= held.requests;
        ch.tags.lost(hole.time, held.least, held.most, held.requests);
        if held.is_all {
            // No other channel has lost anything.
            for ch in &mut self.channels {
                ch.hole.take_if(|other| other.from >= hole.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hole_held() {
        use FrameKind::{Body, Header as Head, Method};
        let of = |open, span, next| {
            let h = held(open, span, next);
            (h.least, h.most, h.requests)
        };
        // A frame of a message that was begun.
        assert_eq!(of(Open::Header, 22, Body), (0, 0, false));
        assert_eq!(of(Open::Header, 500, Body), (0, 0, false));
        assert_eq!(of(Open::Body(10), 18, Method), (0, 0, false));
        assert_eq!(of(Open::Body(10), 29, Method), (0, 0, false));
        // Its end and more.
        assert_eq!(of(Open::Body(10), 30, Method), (0, 0, true));
        assert_eq!(of(Open::Body(10), 57, Method), (0, 1, true));
        assert_eq!(of(Open::Header, 61, Method), (0, 1, true));
        assert_eq!(of(Open::Body(10), 35, Head), (1, 1, false));
        assert_eq!(of(Open::Body(10), 56, Body), (0, 0, false));
        assert_eq!(of(Open::Body(10), 70, Body), (0, 1, true));
        // The beginning of one.
        assert_eq!(of(Open::Nothing, 21, Head), (1, 1, false));
        assert_eq!(of(Open::Nothing, 40, Body), (1, 1, false));
        assert_eq!(of(Open::Nothing, 100, Body), (1, 2, true));
        // Anything.
        assert_eq!(of(Open::Nothing, 11, Method), (0, 0, false));
        assert_eq!(of(Open::Nothing, 38, Method), (0, 0, true));
        assert_eq!(of(Open::Nothing, 80, Method), (0, 2, true));
        // Another channel's: the header comes only now, or it is the next one's.
        assert_eq!(of(Open::Header, 21, Head), (0, 0, true));
        assert_eq!(of(Open::Header, 60, Head), (0, 1, true));
        // That cannot be.
        assert_eq!(of(Open::Body(1000), 100, Method), (0, 100, true));
        assert_eq!(of(Open::Nothing, u64::MAX, Body), (1, 1 + (u64::MAX - 39) / 39, true));
    }
}
