//! What the two sides say: methods, channels, messages, logins.

use super::ask::{Ask, Consumer, Early};
use super::confirm::{EarlyConfirm, Publish};
use super::content::{Content, Then};
use super::hole::Hole;
use super::tags::{Confirms, Guess, Tags};
use super::wire::{Args, Method, Role, method_id, user};
use crate::body::Collector;
use crate::session::{Cx, Txn};
use base::{Direction, Timestamp};
use record::{Kind, Quality, f};
use std::collections::VecDeque;

/// Most channels of one connection: RabbitMQ's own limit unless it is set otherwise.
const CHANNELS: usize = 2047;
/// A short string is no longer.
pub(super) const SHORT: usize = 255;

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: u16,
    pub(super) tags: Tags,
    /// The queue declared last: it is meant where none is named.
    pub(super) queue: Box<[u8]>,
    /// Requests were lost before the next.
    pub(super) holed: bool,
    /// So many requests in a row were sent when none was under way; one was sent otherwise.
    pub(super) alone: u8,
    pub(super) together: bool,
    /// Bytes were lost, and no frame of this channel came since.
    pub(super) hole: Option<Hole>,
    /// Requests that were told at once for want of room: their answers come after those that wait.
    pub(super) untracked: u32,
}

/// What was said on a connection.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) vhost: Option<Box<[u8]>>,
    user: Option<Box<[u8]>>,
    /// The login under way: told only if it fails.
    pub(super) login: Option<Txn>,
    /// Sorted by number.
    pub(super) channels: Vec<Channel>,
    /// In order of asking.
    pub(super) asks: VecDeque<Ask>,
    /// Answers whose requests were not here.
    pub(super) early: VecDeque<Early>,
    /// Confirms whose publishes were not here.
    pub(super) early_confirms: VecDeque<EarlyConfirm>,
    /// Bytes of the client were lost.
    holed: bool,
    /// How many.
    pub(super) lost_bytes: u64,
    /// Bytes of the server were lost, and nothing was understood since: when that was known.
    server_hole: Option<Timestamp>,
    /// In order of publishing.
    pub(super) publishes: VecDeque<Publish>,
    pub(super) consumers: Vec<Consumer>,
    pub(super) contents: Vec<Content>,
    /// Of a message that is done, for the next.
    pub(super) spare: Option<Box<Collector>>,
    /// Heap of what waits or is under way.
    pub(super) heap: usize,
}

/// Heap of a record under way.
pub(super) fn heap(txn: &Txn) -> usize {
    txn.record.as_ref().map_or(0, |r| r.heap())
}

/// A whole method and where it was said.
pub(super) struct Said<'a> {
    pub(super) dir: Direction,
    pub(super) channel: u16,
    pub(super) method: &'static Method,
    pub(super) args: Args<'a>,
    /// Offset of its last byte.
    pub(super) last: usize,
}

impl Talk {
    /// The client began a connection before our eyes.
    pub(super) fn greeted(&mut self) {
        (self.vhost, self.user) = (None, None);
    }

    /// What is known of a channel; a channel that was not opened before our eyes is made.
    pub(super) fn channel(&mut self, cx: &mut Cx<'_>, id: u16) -> Option<&mut Channel> {
        let at = match self.channels.binary_search_by_key(&id, |c| c.id) {
            Ok(at) => at,
            Err(_) if self.channels.len() >= CHANNELS => {
                cx.anomaly("amqp-channels");
                return None;
            }
            Err(at) => {
                let confirms =
                    if self.holed { Confirms::Maybe(0) } else { Confirms::Unknown(Guess::default()) };
                let tags = Tags::new(confirms);
                let queue = Box::default();
                self.channels.insert(
                    at,
                    Channel {
                        id,
                        tags,
                        queue,
                        holed: false,
                        alone: 0,
                        together: false,
                        hole: None,
                        untracked: 0,
                    },
                );
                at
            }
        };
        self.channels.get_mut(at)
    }

    /// What is known of a channel, if anything is.
    pub(super) fn known_channel(&mut self, id: u16) -> Option<&mut Channel> {
        let at = self.channels.binary_search_by_key(&id, |c| c.id).ok()?;
        self.channels.get_mut(at)
    }

    /// A transaction that begins with the first of the bytes given.
    pub(super) fn open(&self, cx: &mut Cx<'_>, s: &Said<'_>) -> Txn {
        let mut txn = cx.open(Kind::Mq, 0);
        txn.asked(cx.mark_at(s.last));
        if let Some(vhost) = &self.vhost {
            txn.text(&f::mq::HOST, vhost, SHORT);
        }
        if let Some(user) = &self.user {
            txn.text(&f::mq::USER, user, cx.limits.text);
        }
        txn.word(&f::mq::CLASS, s.method.class_name);
        txn.word(&f::mq::METHOD, s.method.name);
        txn
    }

    /// Tells what nothing answers, or what the server said by itself: there is no delay.
    pub(super) fn told(cx: &mut Cx<'_>, mut txn: Txn, end: base::Mark) {
        txn.unasked();
        txn.answering(end);
        cx.close(txn, end);
    }

    /// What the server says by itself.
    pub(super) fn push(&self, cx: &mut Cx<'_>, s: &Said<'_>) -> Txn {
        let mut txn = self.open(cx, s);
        txn.unasked();
        txn.answering(cx.mark_at(0));
        txn
    }

    /// A method, of which a long one's tables may be cut. `None`: it was not understood. What the two
    /// sides agreed on as the largest frame.
    pub(super) fn method(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        channel: u16,
        payload: &[u8],
        is_whole: bool,
        last: usize,
    ) -> Option<Option<u32>> {
        let (class, id, args) = method_id(payload)?;
        let method = Method::of(class, id).filter(|m| m.is_from(dir))?;
        let args = method.args(args);
        if is_whole && !args.whole {
            return None;
        }
        self.cut(cx, dir, channel);
        if dir == Direction::ToClient
            && let Some(time) = self.server_hole.take()
        {
            self.hole_before(time);
        }
        let s = Said { dir, channel, method, args, last };
        match method.role {
            Role::Ask(unless) if dir == Direction::ToServer => self.ask(cx, &s, unless),
            Role::Get => self.ask(cx, &s, 0),
            Role::Ask(_) => self.canceled(cx, &s),
            Role::Answer if dir == Direction::ToServer => {}
            Role::Answer | Role::GetEmpty => self.answer(cx, &s),
            Role::Publish => self.publish(cx, &s),
            Role::Deliver => self.deliver(cx, &s),
            Role::Return => self.returned(cx, &s),
            Role::GetOk => self.got(cx, &s),
            Role::Ack | Role::Nack => {
                if dir == Direction::ToClient {
                    self.confirm(cx, channel, args.tag, args.bits & 1 != 0, method.role == Role::Ack, last);
                }
            }
            Role::Close => self.close(cx, &s),
            Role::CloseOk => self.closed(cx, &s),
            Role::StartOk => self.login(cx, &s),
            Role::Tune => {
                if let Some(login) = self.login.take() {
                    cx.forget(login);
                }
            }
            Role::TuneOk => return Some(Some(args.long)),
            Role::Blocked => {
                let mut txn = self.push(cx, &s);
                let [reason, ..] = args.texts;
                if !reason.is_empty() {
                    txn.text(&f::mq::ERR, reason, SHORT);
                }
                cx.close(txn, cx.mark_at(last));
            }
            Role::ChannelOpen => {
                let time = cx.mark_at(0).time;
                self.early.retain(|e| e.channel != channel || e.begin.time >= time);
                self.early_confirms.retain(|e| e.channel != channel || e.end.time >= time);
                self.drop_channel(cx, channel);
                if let Some(ch) = self.channel(cx, channel) {
                    ch.tags = Tags::new(Confirms::Off);
                }
            }
            Role::Pass => {}
        }
        Some(None)
    }

    fn publish(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        let mut txn = self.open(cx, s);
        let [exchange, key, ..] = s.args.texts;
        route(&mut txn, exchange, key, None);
        let now = cx.mark_at(0).time;
        let mut tag = None;
        if let Some(ch) = self.channel(cx, s.channel) {
            if matches!(ch.tags.confirms, Confirms::Unknown(_) | Confirms::Next { .. }) {
                self.learn_tags(s.channel, now);
            }
            if let Some(ch) = self.known_channel(s.channel) {
                tag = ch.tags.next(now);
                // Whether it was confirmed will not be known.
                if tag.is_none() && ch.tags.is_hidden() {
                    txn.taint(Quality::GAP);
                }
            }
        }
        self.content(cx, s.dir, s.channel, txn, tag.map_or(Then::Told, Then::Confirmed));
    }

    fn deliver(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        let mut txn = self.push(cx, s);
        let [tag, exchange, key, _] = s.args.texts;
        let consumer = self.consumers.iter().find(|c| c.channel == s.channel && *c.tag == *tag);
        route(&mut txn, exchange, key, consumer.map(|c| &*c.queue).filter(|q| !q.is_empty()));
        self.content(cx, s.dir, s.channel, txn, Then::Pushed);
    }

    fn returned(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        let mut txn = self.push(cx, s);
        let [_, exchange, key, _] = s.args.texts;
        route(&mut txn, exchange, key, None);
        fault(&mut txn, &s.args);
        self.content(cx, s.dir, s.channel, txn, Then::Pushed);
    }

    /// A login; it is told when it fails.
    fn login(&mut self, cx: &mut Cx<'_>, s: &Said<'_>) {
        if let Some(before) = self.login.take() {
            cx.forget(before);
        }
        let [mechanism, ..] = s.args.texts;
        self.user = user(mechanism, s.args.long_text).map(|u| u.get(..SHORT).unwrap_or(u).into());
        self.login = Some(self.open(cx, s));
    }

    /// Nothing more comes on this channel.
    pub(super) fn drop_channel(&mut self, cx: &mut Cx<'_>, channel: u16) {
        for dir in Direction::BOTH {
            self.cut(cx, dir, channel);
        }
        self.drop_publishes(cx, channel);
        while let Some(at) = self.asks.iter().position(|a| a.channel == channel)
            && let Some(ask) = self.asked(at)
        {
            cx.give_up(ask.doubted().txn);
        }
        self.consumers.retain(|c| c.channel != channel);
        if let Ok(at) = self.channels.binary_search_by_key(&channel, |c| c.id) {
            self.channels.remove(at);
        }
    }

    /// Nothing more comes on any channel.
    pub(super) fn drop_all(&mut self, cx: &mut Cx<'_>) {
        for dir in Direction::BOTH {
            self.cut_all(cx, dir);
        }
        self.drop_all_publishes(cx);
        while let Some(ask) = self.asked(0) {
            cx.give_up(ask.doubted().txn);
        }
        if let Some(login) = self.login.take() {
            cx.give_up(login);
        }
        self.consumers.clear();
        self.channels.clear();
        self.early.clear();
        self.early_confirms.clear();
    }

    /// Bytes of this direction were lost, and with them the boundaries of frames; not `proven`: it is the beginning
    /// in the middle of a frame.
    pub(super) fn lost(&mut self, cx: &mut Cx<'_>, dir: Direction, proven: bool, span: u64) {
        if dir == Direction::ToServer {
            self.hole(cx, span);
        }
        self.hole_all(cx, dir);
        match dir {
            Direction::ToServer => self.holed |= proven,
            Direction::ToClient => {
                self.hole_before(cx.now.time);
                self.server_hole = Some(cx.now.time);
                for ch in &mut self.channels {
                    ch.untracked = 0;
                }
                // Whether it was accepted is not known.
                if let Some(login) = self.login.take() {
                    cx.forget(login);
                }
            }
        }
    }

    /// What was sent before this time may have lost its answer, for bytes of the server were lost. What was sent
    /// later has not: requests may come before them while the engine waits for the lost bytes.
    fn hole_before(&mut self, time: Timestamp) {
        self.doubt_confirms(time);
        for a in self.asks.iter_mut().filter(|a| a.txn.began() <= time) {
            a.holed = true;
        }
    }

    /// A direction has ended.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.cut_all(cx, dir);
        // A client may close its direction and still wait for answers.
        if dir == Direction::ToClient {
            self.drop_all(cx);
        }
    }

    pub(super) fn held(&self) -> usize {
        let spare = self.spare.as_ref().map_or(0, |s| s.held());
        let lists = [
            self.channels.capacity().saturating_mul(size_of::<Channel>().saturating_add(SHORT)),
            self.consumers.capacity().saturating_mul(size_of::<Consumer>()),
            self.consumers.len().saturating_mul(SHORT.saturating_mul(2)),
            self.asks.capacity().saturating_mul(size_of::<Ask>()),
            self.early.capacity().saturating_mul(size_of::<Early>()),
            self.early_confirms.capacity().saturating_mul(size_of::<EarlyConfirm>()),
            self.publishes.capacity().saturating_mul(size_of::<Publish>()),
            self.contents.capacity().saturating_mul(size_of::<Content>()),
        ];
        lists.into_iter().fold(self.heap.saturating_add(spare), usize::saturating_add)
    }
}

/// Puts in where a message goes or comes from.
fn route(txn: &mut Txn, exchange: &[u8], key: &[u8], queue: Option<&[u8]>) {
    txn.text(&f::mq::EXCHANGE, exchange, SHORT);
    // The default exchange has a binding to each queue by its name.
    if let Some(queue) = queue.or(exchange.is_empty().then_some(key)) {
        txn.text(&f::mq::QUEUE, queue, SHORT);
    }
    txn.text(&f::mq::ROUTING_KEY, key, SHORT);
}

/// Puts in a reply code and text; 200 is success.
pub(super) fn fault(txn: &mut Txn, args: &Args<'_>) {
    let [code, ..] = args.shorts;
    let [text, ..] = args.texts;
    if matches!(code, 0 | 200) {
        txn.word(&f::mq::RET_CODE, "0");
        return;
    }
    let digit = |unit: u16| b'0'.saturating_add((code.checked_div(unit).unwrap_or(0) % 10) as u8);
    let digits = [10_000, 1000, 100, 10, 1].map(digit);
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    txn.text(&f::mq::RET_CODE, digits.get(zeros..).unwrap_or_default(), SHORT);
    txn.text(&f::mq::ERR, text, SHORT);
}
