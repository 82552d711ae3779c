//! Publisher confirms: from confirm.select on the n-th publish of a channel has tag n, and the server's
//! basic.ack or basic.nack names a tag, or all up to it.

use super::tags::Confirms;
use super::talk::{Talk, heap};
use crate::session::{Cx, Txn};
use base::{Direction, Mark, Timestamp};
use record::{Quality, f};

/// Most confirms that are remembered while their publishes may come late.
const EARLY: usize = 64;

/// A confirm that came before its publish.
#[derive(Debug)]
pub(super) struct EarlyConfirm {
    pub(super) channel: u16,
    tag: u64,
    multiple: bool,
    ok: bool,
    pub(super) end: Mark,
}

/// A publish that waits for its confirm.
#[derive(Debug)]
pub(super) struct Publish {
    channel: u16,
    tag: u64,
    txn: Txn,
    /// Its confirm may have been lost.
    holed: bool,
    heap: usize,
}

impl Publish {
    /// It may have been confirmed before, unseen. (A confirm with its own number leaves no doubt.)
    fn doubted(mut self) -> Publish {
        if self.holed {
            self.txn.taint(Quality::GAP);
        }
        self
    }
}

impl Talk {
    /// A whole message waits.
    pub(super) fn await_confirm(&mut self, cx: &mut Cx<'_>, channel: u16, tag: u64, txn: Txn) {
        while self.publishes.len() >= cx.limits.pipeline.max(1)
            && let Some(oldest) = self.publishes.pop_front()
        {
            cx.anomaly("amqp-pipeline");
            self.unconfirmed(cx, oldest);
        }
        let heap = heap(&txn);
        self.heap = self.heap.saturating_add(heap);
        let p = Publish { channel, tag, txn, holed: false, heap };
        if !self.early_confirms.is_empty()
            && let Some((ok, end)) = self.confirm_passed(channel, tag, p.txn.began())
        {
            self.confirmed(cx, p, ok, end);
            return;
        }
        self.publishes.push_back(p);
    }

    fn confirmed(&mut self, cx: &mut Cx<'_>, p: Publish, ok: bool, end: Mark) {
        self.heap = self.heap.saturating_sub(p.heap);
        if let Some(ch) = self.channel(cx, p.channel) {
            ch.tags.took(p.tag, end.time.since(p.txn.began()));
        }
        let mut txn = p.txn;
        txn.answering(end);
        txn.word(&f::mq::RET_CODE, if ok { "0" } else { "nack" });
        cx.close(txn, end);
    }

    fn early_confirm(&mut self, early: EarlyConfirm) {
        if self.early_confirms.len() >= EARLY
            && let Some(e) = self.early_confirms.pop_front()
            && let Some(ch) = self.known_channel(e.channel)
        {
            ch.tags.learn(e.tag, e.end.time);
        }
        self.early_confirms.push_back(early);
    }

    /// What confirms tell of the tag of a publish that was sent at `time`.
    pub(super) fn learn_tags(&mut self, channel: u16, time: Timestamp) {
        if !self.early_confirms.iter().any(|e| e.channel == channel && e.end.time < time) {
            return;
        }
        for e in std::mem::take(&mut self.early_confirms) {
            if e.channel != channel || e.end.time >= time {
                self.early_confirms.push_back(e);
            } else if let Some(ch) = self.known_channel(channel) {
                ch.tags.learn(e.tag, e.end.time);
            }
        }
    }

    /// The confirm that passed by a publish of so late a delivery.
    fn confirm_passed(&mut self, channel: u16, tag: u64, began: Timestamp) -> Option<(bool, Mark)> {
        let at = self.early_confirms.iter().position(|e| {
            e.channel == channel && (e.tag == tag || e.multiple && e.tag > tag) && e.end.time >= began
        })?;
        let early = self.early_confirms.get(at)?;
        let told = (early.ok, early.end);
        if !early.multiple {
            self.early_confirms.remove(at);
        }
        Some(told)
    }

    fn unconfirmed(&mut self, cx: &mut Cx<'_>, p: Publish) {
        self.heap = self.heap.saturating_sub(p.heap);
        cx.give_up(p.doubted().txn);
    }

    /// The server confirms a tag, or all up to it, or refuses.
    pub(super) fn confirm(
        &mut self,
        cx: &mut Cx<'_>,
        channel: u16,
        tag: u64,
        multiple: bool,
        ok: bool,
        last: usize,
    ) {
        let end = cx.mark_at(last);
        let Some(ch) = self.channel(cx, channel) else { return };
        let is_known = matches!(ch.tags.confirms, Confirms::Next { .. });
        ch.tags.hear(end.time);
        match ch.tags.confirms {
            Confirms::Next { tag: next, .. } if tag < next => {}
            Confirms::Next { counted, .. } if counted || ch.hole.is_some() => {
                // The publish is held back for lost bytes, or was among them.
                self.early_confirm(EarlyConfirm { channel, tag, multiple, ok, end });
                if !multiple {
                    return;
                }
            }
            Confirms::Next { .. } => {
                // It confirms what we do not know of: our numbers are wrong.
                ch.tags.doubt(end.time, true);
                ch.tags.learn(tag, end.time);
                cx.anomaly("amqp-confirm");
                self.doubt_publishes(channel);
                self.drop_publishes(cx, channel);
                return;
            }
            // What waits from before has its number still.
            Confirms::Off => ch.tags.doubt(end.time, false),
            Confirms::Maybe(_) => ch.tags.doubt(end.time, true),
            Confirms::Unknown(_) => {}
        }
        if !multiple {
            let Some(at) = self.publishes.iter().position(|p| p.tag == tag && p.channel == channel) else {
                self.early_confirm(EarlyConfirm { channel, tag, multiple, ok, end });
                return;
            };
            let Some(p) = self.publishes.remove(at) else { return };
            if !is_known {
                self.early_confirm(EarlyConfirm { channel, tag, multiple, ok, end });
            }
            let sure = !p.holed;
            self.confirmed(cx, p, ok, end);
            // The confirm of an older one does not come any more.
            while sure
                && self.publishes.front().is_some_and(|p| p.holed && p.channel == channel && p.tag < tag)
            {
                let Some(p) = self.publishes.pop_front() else { return };
                self.unconfirmed(cx, p);
            }
            return;
        }
        if !is_known || self.is_under_way(Direction::ToServer, channel) {
            self.early_confirm(EarlyConfirm { channel, tag, multiple, ok, end });
        }
        // 0 means all so far.
        let upto = if tag == 0 { u64::MAX } else { tag };
        while self.publishes.front().is_some_and(|p| p.channel == channel && p.tag <= upto) {
            let Some(p) = self.publishes.pop_front() else { return };
            self.confirmed(cx, p.doubted(), ok, end);
        }
        // Others stand between them only when channels publish by turns.
        if self.publishes.iter().any(|p| p.channel == channel && p.tag <= upto) {
            for p in std::mem::take(&mut self.publishes) {
                if p.channel == channel && p.tag <= upto {
                    self.confirmed(cx, p.doubted(), ok, end);
                } else {
                    self.publishes.push_back(p);
                }
            }
        }
    }

    /// The server closes the channel for the sake of a publish: if only one waits, it is that one.
    pub(super) fn refused_publish(&mut self, channel: u16) -> Option<Txn> {
        let mut waiting = self.publishes.iter().enumerate().filter(|(_, p)| p.channel == channel);
        let (Some((at, _)), None) = (waiting.next(), waiting.next()) else { return None };
        let p = self.publishes.remove(at)?;
        self.heap = self.heap.saturating_sub(p.heap);
        Some(p.doubted().txn)
    }

    /// Confirms of what was published so far, if not later than this, may have been lost.
    pub(super) fn doubt_confirms(&mut self, time: Timestamp) {
        for p in self.publishes.iter_mut().filter(|p| p.txn.began() <= time) {
            p.holed = true;
        }
        for ch in &mut self.channels {
            ch.tags.deafened();
        }
    }

    fn doubt_publishes(&mut self, channel: u16) {
        for p in self.publishes.iter_mut().filter(|p| p.channel == channel) {
            p.txn.taint(Quality::GAP);
        }
    }

    /// No confirm will come on this channel.
    pub(super) fn drop_publishes(&mut self, cx: &mut Cx<'_>, channel: u16) {
        if self.publishes.iter().all(|p| p.channel != channel) {
            return;
        }
        for p in std::mem::take(&mut self.publishes) {
            if p.channel == channel {
                self.unconfirmed(cx, p);
            } else {
                self.publishes.push_back(p);
            }
        }
    }

    /// No confirm will come at all.
    pub(super) fn drop_all_publishes(&mut self, cx: &mut Cx<'_>) {
        for p in std::mem::take(&mut self.publishes) {
            self.unconfirmed(cx, p);
        }
    }
}
