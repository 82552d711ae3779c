//! Requests and their answers. Those of a channel are answered in order; a close names the one that failed.

use super::content::Then;
use super::tags::{Confirms, Tags};
use super::talk::{SHORT, Said, Talk, fault, heap};
use super::wire::{Method, Role};
use crate::session::{Cx, Txn};
use base::{Direction, Mark, Timestamp};
use record::{Quality, f};

/// Most answers that are remembered while their requests may come late.
const EARLY: usize = 64;
/// Most consumers of one connection whose queues are remembered; they are looked up for each delivery.
const CONSUMERS: usize = 256;
/// A channel on which so many requests were sent, none while another waited, has one at a time.
const ALONE: u8 = 8;

/// A request in wait for its answer.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) channel: u16,
    method: &'static Method,
    pub(super) txn: Txn,
    /// The server is asked to name the queue.
    nameless: bool,
    /// Its answer may have been lost.
    pub(super) holed: bool,
    heap: usize,
}

/// An answer that came before its request.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) channel: u16,
    /// What it answers.
    class: u16,
    id: u16,
    pub(super) begin: Mark,
    end: Mark,
}

/// Who gets deliveries, and from which queue.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) channel: u16,
    /// Empty until the server has named it.
    pub(super) tag: Box<[u8]>,
    pub(super) queue: Box<[u8]>,
}

impl Ask {
    /// Its answer may have been lost.
    pub(super) fn doubted(mut self) -> Ask {
        if self.holed {
            self.txn.taint(Quality::GAP);
        }
        self
    }
}

impl Talk {
    /// A request. `unless`: with this bit the server does not answer.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, s: &Said<'_>, unless: u8) {
        let [a, b, c, _] = s.args.texts;
        if s.method.class == 10 {
            self.vhost = Some(a.into());
        }
        let mut txn = self.open(cx, s);
        let mut nameless = false;
        let exchange = |txn: &mut Txn, name| txn.text(&f::mq::EXCHANGE, name, SHORT);
        let key = |txn: &mut Txn, key| txn.text(&f::mq::ROUTING_KEY, key, SHORT);
        match (s.method.class, s.method.id) {
            (40, 30 | 40) => {
                exchange(&mut txn, b);
                key(&mut txn, c);
            }
            (40, _) => exchange(&mut txn, a),
            (50, 10) => {
                nameless = a.is_empty();
                if !nameless {
                    txn.text(&f::mq::QUEUE, a, SHORT);
                }
                if let Some(ch) = self.channel(cx, s.channel) {
                    ch.queue = a.into();
                }
            }
            (50, 20 | 50) => {
                exchange(&mut txn, b);
                self.queue(cx, &mut txn, s.channel, a);
                key(&mut txn, c);
            }
            (50, _) | (60, 70) => {
                self.queue(cx, &mut txn, s.channel, a);
            }
            (60, 20) => {
                let queue = self.queue(cx, &mut txn, s.channel, a);
                self.consumer(s.channel, b, queue);
            }
            (60, 30) => {
                if let Some(consumer) = self.remove_consumer(s.channel, a) {
                    txn.text(&f::mq::QUEUE, &consumer.queue, SHORT);
                }
            }
            (85, _) => {
                if let Some(ch) = self.channel(cx, s.channel)
                    && !matches!(ch.tags.confirms, Confirms::Next { .. })
                {
                    // On a channel whose opening was not seen it may be the second time.
                    let counted = ch.tags.confirms == Confirms::Off;
                    ch.tags = Tags::new(Confirms::Next { tag: 1, counted });
                }
            }
            _ => {}
        }
        if s.args.bits & unless != 0 {
            Talk::told(cx, txn, cx.mark_at(s.last));
        } else {
            self.wait(cx, s, txn, nameless);
        }
    }

    /// Puts a request in wait.
    fn wait(&mut self, cx: &mut Cx<'_>, s: &Said<'_>, mut txn: Txn, nameless: bool) {
        let full = self.asks.len() >= cx.limits.pipeline.max(1);
        let singly = self.asks_singly(cx, s.channel);
        if self.channel(cx, s.channel).is_some_and(|ch| std::mem::take(&mut ch.holed)) && !singly {
            txn.taint(Quality::GAP);
        }
        // Who waits for each answer has got those that were lost.
        while singly
            && let Some(at) = self.asks.iter().position(|a| a.holed && a.channel == s.channel)
            && let Some(ask) = self.asked(at)
        {
            cx.give_up(ask.doubted().txn);
        }
        if !self.early.is_empty()
            && let Some(answer) = self.passed(s.channel, s.method, cx.mark_at(s.last).time)
        {
            // What a get got was told by itself.
            if s.method.role == Role::Get {
                cx.forget(txn);
                return;
            }
            txn.answering(answer.begin);
            if s.method.role != Role::Close {
                txn.word(&f::mq::RET_CODE, "0");
            }
            cx.close(txn, answer.end);
            if s.method.role == Role::Close {
                self.leave(cx, s);
            }
            return;
        }
        if let Some(ch) = self.channel(cx, s.channel)
            && (full || ch.untracked > 0)
        {
            ch.untracked = ch.untracked.saturating_add(1);
            cx.anomaly("amqp-pipeline");
            cx.give_up(txn);
            return;
        }
        let heap = heap(&txn);
        self.heap = self.heap.saturating_add(heap);
        let (channel, method) = (s.channel, s.method);
        self.asks.push_back(Ask { channel, method, txn, nameless, holed: false, heap });
    }

    /// A request comes: has this client always waited for the answer to one before the next on this channel?
    fn asks_singly(&mut self, cx: &mut Cx<'_>, channel: u16) -> bool {
        let waits = self.asks.iter().any(|a| !a.holed && a.channel == channel);
        let Some(ch) = self.channel(cx, channel) else { return false };
        ch.together |= waits;
        ch.alone = ch.alone.saturating_add(1);
        !ch.together && ch.alone > ALONE
    }

    /// An answer whose request is not here, and may come: while the engine waits for lost bytes of the client, the
    /// server's pass by.
    fn early(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        cx.anomaly("amqp-unpaired");
        if self.early.len() >= EARLY {
            self.early.pop_front();
        }
        let (class, id) = (s.method.class, s.method.answers());
        let [begin, end] = [cx.mark_at(0), cx.mark_at(s.last)];
        self.early.push_back(Early { channel: s.channel, class, id, begin, end });
    }

    /// The answer that passed by a request of so late a delivery.
    fn passed(&mut self, channel: u16, method: &Method, asked: Timestamp) -> Option<Early> {
        let same = |e: &Early| e.channel == channel && e.class == method.class && e.id == method.id;
        self.early.retain(|e| !same(e) || e.begin.time >= asked);
        let at = self.early.iter().position(same)?;
        self.early.remove(at)
    }

    /// Takes a request off the account.
    pub(super) fn asked(&mut self, at: usize) -> Option<Ask> {
        let ask = self.asks.remove(at)?;
        self.heap = self.heap.saturating_sub(ask.heap);
        Some(ask)
    }

    /// The request that a method of the server answers.
    pub(super) fn find(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) -> Option<Ask> {
        let (class, id) = (s.method.class, s.method.answers());
        let time = cx.mark_at(0).time;
        let same = |a: &Ask| {
            a.channel == s.channel && a.method.class == class && a.method.id == id && a.txn.began() <= time
        };
        let Some(at) = self.asks.iter().position(same) else {
            match self.channel(cx, s.channel) {
                Some(ch) if ch.untracked > 0 => ch.untracked = ch.untracked.saturating_sub(1),
                _ => self.early(cx, s),
            }
            return None;
        };
        // Is this the answer of the one before the gap, or was that one lost, and it is the next one's?
        let alone = self.asks.iter().filter(|a| same(a)).nth(1).is_none();
        let doubtful = self.asks.get(at).is_some_and(|a| a.holed) && !(alone && self.sees_all(s.channel));
        let ask = self.asked(at)?;
        if !doubtful {
            return Some(ask);
        }
        cx.give_up(ask.doubted().txn);
        while let Some(at) = self.asks.iter().position(same)
            && let Some(mut ask) = self.asked(at)
        {
            ask.txn.taint(Quality::GAP);
            cx.give_up(ask.txn);
        }
        None
    }

    /// No request can have been lost on this channel behind those that wait.
    fn sees_all(&mut self, channel: u16) -> bool {
        self.known_channel(channel).is_some_and(|ch| !ch.holed && ch.hole.is_none())
    }

    /// An answer without content.
    pub(super) fn answer(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        let Some(Ask { mut txn, nameless, .. }) = self.find(cx, s) else { return };
        txn.answering(cx.mark_at(0));
        let [name, ..] = s.args.texts;
        match (s.method.class, s.method.id) {
            (50, 11) => {
                if nameless {
                    txn.text(&f::mq::QUEUE, name, SHORT);
                }
                if let Some(ch) = self.channel(cx, s.channel) {
                    ch.queue = name.into();
                }
            }
            (60, 21) => {
                let mut own = self.consumers.iter_mut().filter(|c| c.channel == s.channel);
                if let Some(consumer) = own.find(|c| c.tag.is_empty()) {
                    consumer.tag = name.into();
                }
            }
            _ => {}
        }
        txn.word(&f::mq::RET_CODE, "0");
        cx.close(txn, cx.mark_at(s.last));
    }

    /// Puts in the queue that is meant: the one declared last where none is named.
    pub(super) fn queue(&mut self, cx: &mut Cx<'_>, txn: &mut Txn, channel: u16, name: &[u8]) -> Box<[u8]> {
        let queue = match self.channel(cx, channel) {
            Some(ch) if name.is_empty() => ch.queue.clone(),
            _ => name.into(),
        };
        if !queue.is_empty() {
            txn.text(&f::mq::QUEUE, &queue, SHORT);
        }
        queue
    }

    pub(super) fn consumer(&mut self, channel: u16, tag: &[u8], queue: Box<[u8]>) {
        if self.consumers.len() < CONSUMERS {
            self.consumers.push(Consumer { channel, tag: tag.into(), queue });
        }
    }

    pub(super) fn remove_consumer(&mut self, channel: u16, tag: &[u8]) -> Option<Consumer> {
        let at = self.consumers.iter().position(|c| c.channel == channel && *c.tag == *tag)?;
        Some(self.consumers.swap_remove(at))
    }

    /// The server has ended a consumer, for its queue is gone.
    pub(super) fn canceled(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        let mut txn = self.push(cx, s);
        let [tag, ..] = s.args.texts;
        if let Some(consumer) = self.remove_consumer(s.channel, tag) {
            txn.text(&f::mq::QUEUE, &consumer.queue, SHORT);
        }
        cx.close(txn, cx.mark_at(s.last));
    }

    /// What a basic.get got.
    pub(super) fn got(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        let [exchange, key, ..] = s.args.texts;
        let mut txn = match self.find(cx, s) {
            Some(ask) => ask.txn,
            // The request was not seen: the message is told all the same.
            None => {
                let Some(get) = Method::of(60, 70) else { return };
                let mut txn = self.push(cx, &Said { method: get, ..*s });
                txn.taint(Quality::GAP);
                if exchange.is_empty() {
                    txn.text(&f::mq::QUEUE, key, SHORT);
                }
                txn
            }
        };
        txn.answering(cx.mark_at(0));
        txn.text(&f::mq::EXCHANGE, exchange, SHORT);
        txn.text(&f::mq::ROUTING_KEY, key, SHORT);
        txn.word(&f::mq::RET_CODE, "0");
        self.content(cx, s.dir, s.channel, txn, Then::Pushed);
    }

    /// One side closes a channel or the connection.
    pub(super) fn close(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        if s.dir == Direction::ToServer {
            let mut txn = self.open(cx, s);
            fault(&mut txn, &s.args);
            self.wait(cx, s, txn, false);
            return;
        }
        let end = cx.mark_at(s.last);
        let connection = s.method.class == 10;
        let [_, class, id] = s.args.shorts;
        // It names the method at fault. (That a close is one is a liar's word: it has a code of its own.)
        let at = self.asks.iter().position(|a| {
            let here = connection || a.channel == s.channel;
            here && a.method.class == class && a.method.id == id && a.method.role != Role::Close
        });
        let holed = at.and_then(|at| self.asks.get(at)).filter(|a| a.holed).map(|a| a.channel);
        let sees_all = holed.is_none_or(|channel| self.sees_all(channel));
        let at_fault = match (at, &self.login) {
            // Its answer may have been lost, and the request that is at fault.
            (Some(_), _) if !sees_all => None,
            (Some(at), _) => self.asked(at).map(|a| a.doubted().txn),
            (None, Some(_)) if connection => self.login.take(),
            (None, _) if (class, id) == (60, 40) && !connection => self.refused_publish(s.channel),
            (None, _) => None,
        };
        if let Some(mut txn) = at_fault {
            txn.answering(cx.mark_at(0));
            fault(&mut txn, &s.args);
            cx.close(txn, end);
        }
        let mut txn = self.push(cx, s);
        fault(&mut txn, &s.args);
        cx.close(txn, end);
        self.leave(cx, s);
    }

    /// The other side agrees.
    pub(super) fn closed(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        // The client's follows a close of the server, which was dealt with or lost.
        if s.dir == Direction::ToServer {
            self.leave(cx, s);
            return;
        }
        // Without its request, that one is held back, and what was sent before it as well.
        let Some(Ask { mut txn, .. }) = self.find(cx, s) else { return };
        txn.answering(cx.mark_at(0));
        cx.close(txn, cx.mark_at(s.last));
        self.leave(cx, s);
    }

    /// Nothing more comes on what this method is about.
    fn leave(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        if s.method.class == 10 {
            self.drop_all(cx);
        } else {
            self.drop_channel(cx, s.channel);
        }
    }
}
