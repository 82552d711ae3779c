//! Contents under way: a method that has one, its header, and bodies until its size is reached. Those of different
//! channels may be interleaved.

use super::talk::Talk;
use super::wire::ContentHead;
use crate::body::{Coding, Collector};
use crate::session::{Cx, Txn};
use base::Direction;
use record::{Quality, f};

/// Most contents under way on one connection: each holds some text, and senders finish one before the next
/// but for those of other channels.
const CONTENTS: usize = 128;

/// What becomes of a message when it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing answers it.
    Told,
    /// It is confirmed with this tag.
    Confirmed(u64),
    /// The server sent it.
    Pushed,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Content {
    channel: u16,
    dir: Direction,
    txn: Txn,
    then: Then,
    /// Bytes that are to come; `None` before the header.
    left: Option<u64>,
    text: Box<Collector>,
    /// The beginning of its text was lost: what it said is not known.
    headless: bool,
    /// Heap told to the account.
    counted: usize,
}

impl Content {
    pub(super) fn is_of(&self, dir: Direction, channel: u16) -> bool {
        self.channel == channel && self.dir == dir
    }

    /// Bytes that are to come; `None` before the header.
    pub(super) fn left(&self) -> Option<u64> {
        self.left
    }

    fn heap(&self) -> usize {
        let record = self.txn.record.as_ref().map_or(0, |r| r.heap());
        self.text.held().saturating_add(record).saturating_add(size_of::<Collector>())
    }
}

impl Talk {
    fn content_at(&self, dir: Direction, channel: u16) -> Option<usize> {
        self.contents.iter().position(|c| c.is_of(dir, channel))
    }

    /// A message is under way on this channel.
    pub(super) fn is_under_way(&self, dir: Direction, channel: u16) -> bool {
        self.content_at(dir, channel).is_some()
    }

    /// A method with a content has come.
    pub(super) fn content(&mut self, cx: &mut Cx<'_>, dir: Direction, channel: u16, txn: Txn, then: Then) {
        if self.contents.len() >= CONTENTS {
            cx.anomaly("amqp-contents");
            cx.forget(txn);
            return;
        }
        let text = self.spare.take().unwrap_or_default();
        let mut content = Content { channel, dir, txn, then, left: None, text, headless: false, counted: 0 };
        content.counted = content.heap();
        self.heap = self.heap.saturating_add(content.counted);
        self.contents.push(content);
    }

    /// The header of a content, whose last byte lies at `last`.
    pub(super) fn content_head(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        channel: u16,
        head: &ContentHead<'_>,
        last: usize,
    ) {
        let Some(at) = self.content_at(dir, channel) else { return };
        let Some(content) = self.contents.get_mut(at) else { return };
        if content.left.is_some() {
            self.cut(cx, dir, channel);
            return;
        }
        content.left = Some(head.size);
        content.txn.num(&f::mq::MSG_BYTES, head.size);
        // Of messages this says nothing: some clients put it on all.
        let said = !head.content_type.eq_ignore_ascii_case(b"application/octet-stream");
        let content_type = if said { head.content_type } else { b"" };
        // Names of charsets and words of its own stand there as well.
        let known = Coding::of(head.encoding) != Coding::Unknown;
        let encoding = if known { head.encoding } else { b"" };
        let wanted = content.txn.record.is_some();
        content.text.begin(cx.limits, wanted, content_type, [encoding, b""]);
        if head.size == 0 {
            self.whole(cx, at, last);
        }
    }

    /// A piece of a content.
    pub(super) fn piece(&mut self, cx: &mut Cx<'_>, dir: Direction, channel: u16, piece: &[u8]) {
        let Some(content) = self.content_at(dir, channel).and_then(|at| self.contents.get_mut(at)) else {
            return;
        };
        let Some(left) = &mut content.left else { return };
        let piece = match piece.get(..usize::try_from(*left).unwrap_or(usize::MAX)) {
            Some(piece) if piece.len() as u64 == *left => {
                *left = 0;
                piece
            }
            _ => {
                *left = left.saturating_sub(piece.len() as u64);
                piece
            }
        };
        content.text.add(piece);
        let heap = content.heap();
        self.heap = self.heap.saturating_sub(content.counted).saturating_add(heap);
        content.counted = heap;
        let at = cx.mark_at(piece.len().saturating_sub(1));
        if dir == Direction::ToServer {
            content.txn.asked(at);
        }
    }

    /// `n` bytes of a content were lost; where it goes on is known.
    pub(super) fn hole_in(&mut self, dir: Direction, channel: u16, n: u64) {
        let Some(content) = self.content_at(dir, channel).and_then(|at| self.contents.get_mut(at)) else {
            return;
        };
        let Some(left) = &mut content.left else { return };
        *left = left.saturating_sub(n);
        content.headless |= content.text.size() == 0;
        content.text.lost(n);
        content.txn.taint(Quality::GAP);
    }

    /// A body frame has ended with the first of the bytes given.
    pub(super) fn body_end(&mut self, cx: &mut Cx<'_>, dir: Direction, channel: u16) {
        if let Some(at) = self.content_at(dir, channel)
            && self.contents.get(at).is_some_and(|c| c.left == Some(0))
        {
            self.whole(cx, at, 0);
        }
    }

    /// Takes a content out, its text told.
    fn take(&mut self, cx: &mut Cx<'_>, at: usize) -> Option<(u16, Txn, Then)> {
        if at >= self.contents.len() {
            return None;
        }
        let Content { channel, mut txn, then, left, mut text, headless, counted, .. } =
            self.contents.swap_remove(at);
        self.heap = self.heap.saturating_sub(counted);
        if let Some(left) = left {
            let known = !headless && (left == 0 || text.size() > 0);
            text.finish(cx.limits, txn.record.as_deref_mut().filter(|_| known), &f::mq::TEXT);
            self.spare.get_or_insert(text);
        }
        Some((channel, txn, then))
    }

    /// A message is whole with the byte at `last`.
    fn whole(&mut self, cx: &mut Cx<'_>, at: usize, last: usize) {
        let Some((channel, mut txn, then)) = self.take(cx, at) else { return };
        let end = cx.mark_at(last);
        match then {
            Then::Pushed => cx.close(txn, end),
            Then::Told => {
                txn.asked(end);
                Talk::told(cx, txn, end);
            }
            Then::Confirmed(tag) => {
                txn.asked(end);
                self.await_confirm(cx, channel, tag, txn);
            }
        }
    }

    /// The message under way on this channel, if any, does not become whole.
    pub(super) fn cut(&mut self, cx: &mut Cx<'_>, dir: Direction, channel: u16) {
        if let Some(at) = self.content_at(dir, channel)
            && let Some((_, mut txn, _)) = self.take(cx, at)
        {
            txn.taint(Quality::GAP);
            cx.give_up(txn);
        }
    }

    /// None of the messages under way in this direction becomes whole.
    pub(super) fn cut_all(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        while let Some(content) = self.contents.iter().find(|c| c.dir == dir) {
            self.cut(cx, dir, content.channel);
        }
    }

    /// The rest of the messages under way in this direction was not seen.
    pub(super) fn hole_all(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        while let Some(at) = self.contents.iter().position(|c| c.dir == dir) {
            let Some((channel, mut txn, then)) = self.take(cx, at) else { return };
            txn.taint(Quality::GAP);
            match then {
                Then::Pushed => cx.give_up(txn),
                Then::Told => Talk::told(cx, txn, cx.now),
                Then::Confirmed(tag) => self.await_confirm(cx, channel, tag, txn),
            }
        }
    }
}
