//! The application side of one flow: who speaks, the parser, and what it has not consumed yet.

use crate::buffer::Buffer;
use crate::core::{Core, Told};
use base::{Direction, Mark};
use proto::{AnySession, Candidates, Identity, MarkSpan, Parser, Progress, ProtoId, Transport, identify};
use std::net::IpAddr;

/// What the engine keeps with a flow: two words, whatever a conversation weighs.
#[derive(Debug, Default)]
pub(crate) enum Talk {
    /// No bytes came yet.
    #[default]
    Silent,
    /// Datagrams came that nobody knew, so many.
    Unknown(u8),
    /// A parser is at work, or is being sought.
    Open(Box<Conversation>),
    /// Between two exchanges of datagrams, parted with to make room: the next is a beginning.
    Resting(ProtoId),
    /// Nothing more is looked at; it was this protocol, if any was found. What was made of the ends for the
    /// records so far stays for the last one.
    Closed(Option<ProtoId>, Option<Box<Community>>),
    /// What comes is not read for want of time ([`crate::Thrift`]); it was this protocol before.
    Unread(Option<ProtoId>),
}

/// A Community ID in letters.
pub(crate) type Community = [u8; 30];

impl Talk {
    /// What it speaks, or spoke last, if that was found out.
    pub(crate) fn app(&self) -> Option<ProtoId> {
        match self {
            Talk::Silent | Talk::Unknown(_) => None,
            Talk::Open(c) => c.app(),
            Talk::Resting(id) => Some(*id),
            Talk::Closed(id, _) | Talk::Unread(id) => *id,
        }
    }

    /// Takes an open conversation out, to be put back; leaves anything else as it is.
    pub(crate) fn take_open(&mut self) -> Option<Box<Conversation>> {
        match std::mem::take(self) {
            Talk::Open(c) => Some(c),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// What the first bytes of a flow say.
pub(crate) enum Opening {
    /// A conversation is worth having.
    Talk(Box<Conversation>),
    /// These bytes are nobody's, and no later ones will be looked at.
    Nobody,
    /// This datagram is nobody's; a later one may be somebody's.
    Later(u8),
}

/// Datagrams looked at before a pair is left alone.
const DATAGRAMS: u8 = 4;

/// Looks at the first bytes of a flow. Most are recognised or refused by them: then nothing is
/// allocated for those that are of no interest.
pub(crate) fn open(
    core: &mut Core,
    facts: &Facts,
    transport: Transport,
    tried: u8,
    dir: Direction,
    bytes: &[u8],
) -> Opening {
    let mut talk = Conversation::new(transport, facts.midstream);
    let turnable = facts.turnable || transport == Transport::Udp;
    match talk.recognise(core, facts, only(dir, bytes), turnable) {
        Identity::Is { id, turned: false } => {
            core.learn(facts.server, id);
            talk.begin(id);
        }
        Identity::Unknown if transport == Transport::Udp => {
            let tried = tried.saturating_add(1);
            return if tried < DATAGRAMS { Opening::Later(tried) } else { Opening::Nobody };
        }
        Identity::Unknown if !facts.midstream => {
            core.account.streams.count("unknown");
            return Opening::Nobody;
        }
        // Not clear yet, or the other way round: the conversation goes on with it.
        Identity::Is { .. } | Identity::More | Identity::Unknown => {}
    }
    Opening::Talk(Box::new(talk))
}

/// Who speaks.
#[derive(Debug)]
enum Speaker {
    /// Not found out yet; bytes wait in the buffers.
    Sought,
    /// This one.
    Found(AnySession),
}

/// The parser of a flow and the streams in front of it.
#[derive(Debug)]
pub(crate) struct Conversation {
    speaker: Speaker,
    buffers: [Buffer; 2],
    ended: [bool; 2],
    transport: Transport,
    /// Sessions begun on this flow.
    sessions: u32,
    /// Of those, finished.
    finished: u32,
    /// What the search for the protocol has cost, in bytes (of datagrams: their number), since something
    /// was found.
    sought: u32,
    /// A guess that was taken back.
    except: Option<ProtoId>,
    /// What was recognised last, also when its parser was parted with.
    known: Option<ProtoId>,
    /// The beginning of the stream was not seen.
    midstream: bool,
    /// It was joined in the middle of a flow that was not read before, or its beginning was lost: to parsers that is the
    /// middle of a stream.
    pub(crate) joined: bool,
    /// A finished transaction that waits for the ACK of its answer, to tell the network delay.
    pub(crate) held: Option<Box<Told>>,
    /// Bytes of heap that were told to the budget.
    pub(crate) accounted: usize,
    /// Made when the first record needs it.
    pub(crate) community: Option<Box<Community>>,
}

/// What the flow is to its conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) ports: [u16; 2],
    pub(crate) server: (IpAddr, u16),
    pub(crate) client: (IpAddr, u16),
    pub(crate) turnable: bool,
    pub(crate) hash: u64,
    pub(crate) midstream: bool,
}

/// What the conversation wants done with its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Go on.
    Go,
    /// The initiator is the other end.
    Turn,
    /// No more bytes are wanted.
    Close,
}

/// A conversation and the parser's own state, without what they hold.
const SELF: usize = size_of::<Conversation>().saturating_add(512);
/// Bytes of each direction that a protocol must be recognised by.
const HEAD: usize = 4096;
/// Bytes looked at in vain on one flow, one after the other: a stream joined in the middle of a message is
/// tried again with later packets, but not for ever, and two parsers that know the same beginning and not
/// what follows cannot pass it to and fro.
const SEARCHED: u32 = 64 * 1024;
/// What one try counts as, at least and at most: tries are some dozens, or some thousands of a few bytes.
const TRY: (usize, u32) = (16, 1400);

/// Bytes for the parser, and which packets brought them.
struct Given<'a> {
    bytes: &'a [u8],
    spans: &'a [MarkSpan],
    /// Offset of `bytes` within the spans.
    base: usize,
}

/// Why the parser stopped taking bytes.
enum Stop {
    /// It needs more.
    Dry,
    Done,
    Upgrade,
    Lost,
}

impl Conversation {
    pub(crate) fn new(transport: Transport, midstream: bool) -> Conversation {
        Conversation {
            speaker: Speaker::Sought,
            buffers: [Buffer::default(), Buffer::default()],
            ended: [false; 2],
            transport,
            sessions: 0,
            finished: 0,
            sought: 0,
            except: None,
            known: None,
            midstream,
            joined: false,
            held: None,
            accounted: 0,
            community: None,
        }
    }

    pub(crate) fn app(&self) -> Option<ProtoId> {
        self.known
    }

    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// What it is, when nothing waits between two exchanges of datagrams: no more than memories would be lost with it.
    pub(crate) fn rests(&self) -> Option<ProtoId> {
        let idle = self.transport == Transport::Udp && self.finished == self.sessions && self.held.is_none();
        self.known.filter(|_| idle)
    }

    /// Heap held by streams and parser.
    pub(crate) fn heap(&self) -> usize {
        let [a, b] = &self.buffers;
        let parser = match &self.speaker {
            Speaker::Found(s) => s.held(),
            Speaker::Sought => 0,
        };
        let held = self.held.as_ref().map_or(0, |t| t.finished.record.heap());
        a.held().saturating_add(b.held()).saturating_add(parser).saturating_add(held).saturating_add(SELF)
    }

    fn buffer(&mut self, dir: Direction) -> &mut Buffer {
        let [up, down] = &mut self.buffers;
        match dir {
            Direction::ToServer => up,
            Direction::ToClient => down,
        }
    }

    /// Bytes in order, or one datagram. Finished transactions are in `core.told` afterwards.
    pub(crate) fn data(
        &mut self,
        core: &mut Core,
        facts: &Facts,
        dir: Direction,
        mark: &Mark,
        bytes: &[u8],
    ) -> Wish {
        let finished = self.finished;
        let wish = match (&self.speaker, self.transport) {
            (Speaker::Found(_), _) => self.talk(core, facts, dir, mark, bytes),
            (Speaker::Sought, Transport::Udp) => self.seek_datagram(core, facts, dir, mark, bytes),
            (Speaker::Sought, Transport::Tcp) => {
                self.buffer(dir).push(bytes, mark);
                self.seek(core, facts)
            }
        };
        // Only from packet to packet: within one, searches nest.
        if self.finished > finished {
            self.sought = 0;
        }
        wish
    }

    /// Asks the registry, unless the configuration says what this is.
    fn recognise(&self, core: &Core, facts: &Facts, heads: [&[u8]; 2], turnable: bool) -> Identity {
        if let Some(id) = core.pinned(facts) {
            return Identity::Is { id, turned: false };
        }
        identify(&Candidates {
            transport: self.transport,
            heads,
            ports: facts.ports,
            turnable,
            learned: core.learned(facts.server),
            except: self.except,
        })
    }

    /// Bytes that will never come.
    pub(crate) fn gap(
        &mut self,
        core: &mut Core,
        facts: &Facts,
        dir: Direction,
        mark: &Mark,
        n: u64,
    ) -> Wish {
        // What waited for more is lost with what is missing.
        let n = n.saturating_add(self.buffer(dir).len() as u64);
        self.buffer(dir).clear();
        match &mut self.speaker {
            // Whatever speaks here is joined behind its beginning.
            Speaker::Sought => (self.midstream, self.joined) = (true, true),
            Speaker::Found(session) => {
                let mut cx = core.context(facts, mark, &[], 0, &mut self.sessions);
                session.gap(&mut cx, dir, n);
            }
        }
        self.tally(core);
        Wish::Go
    }

    /// A direction has ended; after both the conversation has.
    pub(crate) fn end(&mut self, core: &mut Core, facts: &Facts, dir: Direction, mark: &Mark) -> Wish {
        if let Some(ended) = self.ended.get_mut(dir.index()) {
            if *ended {
                return Wish::Go;
            }
            *ended = true;
        }
        if let Speaker::Found(session) = &mut self.speaker {
            let mut cx = core.context(facts, mark, &[], 0, &mut self.sessions);
            session.end(&mut cx, dir);
            self.tally(core);
        }
        if self.ended == [true; 2] { Wish::Close } else { Wish::Go }
    }

    /// Ends what has not ended.
    pub(crate) fn end_all(&mut self, core: &mut Core, facts: &Facts, mark: &Mark) {
        for dir in Direction::BOTH {
            self.end(core, facts, dir, mark);
        }
    }

    /// Puts the name of the parser to what it has finished, and counts it.
    fn tally(&mut self, core: &mut Core) {
        let Some(id) = self.app() else { return };
        self.finished = self.finished.saturating_add(core.collect(id));
    }

    /// Gives bytes to the parser, straight from the packet when nothing waits.
    fn talk(&mut self, core: &mut Core, facts: &Facts, dir: Direction, mark: &Mark, bytes: &[u8]) -> Wish {
        let waiting = !self.buffer(dir).is_empty();
        let stop = if waiting && self.transport == Transport::Tcp {
            let buffer = self.buffer(dir);
            buffer.push(bytes, mark);
            if buffer.len() < buffer.need {
                return Wish::Go;
            }
            let mut taken = std::mem::take(buffer);
            let (used, need, stop) = self.drive(
                core,
                facts,
                dir,
                mark,
                &Given { bytes: taken.bytes(), spans: taken.spans(), base: taken.base() },
            );
            taken.consume(used);
            taken.need = need;
            *self.buffer(dir) = taken;
            stop
        } else {
            let span = [MarkSpan { end: bytes.len(), mark: *mark }];
            let (used, need, stop) =
                self.drive(core, facts, dir, mark, &Given { bytes, spans: &span, base: 0 });
            if self.transport == Transport::Tcp && matches!(stop, Stop::Dry | Stop::Upgrade | Stop::Lost) {
                let buffer = self.buffer(dir);
                buffer.push(bytes.get(used..).unwrap_or_default(), mark);
                buffer.need = need;
            }
            stop
        };
        self.tally(core);
        match stop {
            Stop::Dry => Wish::Go,
            Stop::Done => {
                self.end_session(core, facts, mark);
                Wish::Close
            }
            Stop::Upgrade => {
                self.end_session(core, facts, mark);
                (self.midstream, self.joined) = (false, false);
                self.search_again(core, facts, None)
            }
            Stop::Lost => self.take_back(core, facts, mark),
        }
    }

    /// Calls the parser until it wants no more of what is given: (consumed, needed, why it stopped).
    fn drive(
        &mut self,
        core: &mut Core,
        facts: &Facts,
        dir: Direction,
        mark: &Mark,
        given: &Given<'_>,
    ) -> (usize, usize, Stop) {
        let Given { bytes, spans, base } = *given;
        let Speaker::Found(session) = &mut self.speaker else { return (0, 0, Stop::Dry) };
        let limit = core.limits().stream;
        let mut used = 0usize;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            if rest.is_empty() {
                return (used, 0, Stop::Dry);
            }
            let mut cx = core.context(facts, mark, spans, base.saturating_add(used), &mut self.sessions);
            let progress = session.data(&mut cx, dir, rest);
            match progress {
                Progress::Consumed(n) if n > 0 => used = used.saturating_add(n.min(rest.len())),
                // Consuming nothing is asking for more.
                Progress::Consumed(_) => return (used, rest.len().saturating_add(1), Stop::Dry),
                Progress::Need(n) if n <= limit => {
                    return (used, n.max(rest.len().saturating_add(1)), Stop::Dry);
                }
                Progress::Need(_) => {
                    core.account.streams.count("message-too-long");
                    return (used, 0, Stop::Lost);
                }
                Progress::Done => return (used, 0, Stop::Done),
                Progress::Upgrade(n) => {
                    return (used.saturating_add(n).min(bytes.len()), 0, Stop::Upgrade);
                }
                Progress::Lost => return (used, 0, Stop::Lost),
            }
            if self.transport == Transport::Udp {
                return (bytes.len(), 0, Stop::Dry);
            }
        }
    }

    /// Lets the parser report what is pending, and parts with it.
    fn end_session(&mut self, core: &mut Core, facts: &Facts, mark: &Mark) {
        if let Speaker::Found(mut session) = std::mem::replace(&mut self.speaker, Speaker::Sought) {
            for dir in Direction::BOTH {
                if self.ended.get(dir.index()) == Some(&false) {
                    let mut cx = core.context(facts, mark, &[], 0, &mut self.sessions);
                    session.end(&mut cx, dir);
                }
            }
            self.tally(core);
        }
    }

    /// The parser says that this is not its protocol.
    fn take_back(&mut self, core: &mut Core, facts: &Facts, mark: &Mark) -> Wish {
        let id = self.app();
        self.sought = self.sought.saturating_add(TRY.1);
        if self.sought >= SEARCHED {
            core.account.streams.count("unknown");
            self.end_session(core, facts, mark);
            return Wish::Close;
        }
        if self.finished > 0 {
            // It was the protocol, and something went wrong: look for its next beginning.
            core.account.streams.count("resynchronised");
            self.end_session(core, facts, mark);
            self.midstream = true;
            return self.search_again(core, facts, None);
        }
        core.account.streams.count("guess-taken-back");
        self.speaker = Speaker::Sought;
        self.known = None;
        self.search_again(core, facts, id)
    }

    fn search_again(&mut self, core: &mut Core, facts: &Facts, except: Option<ProtoId>) -> Wish {
        self.except = except;
        self.seek(core, facts)
    }

    /// Tries to find out who speaks, from the first bytes of both directions.
    fn seek(&mut self, core: &mut Core, facts: &Facts) -> Wish {
        let [up, down] = &self.buffers;
        if up.is_empty() && down.is_empty() {
            return Wish::Go;
        }
        let head = |b: &'_ Buffer| b.len().min(HEAD);
        let heads = [
            up.bytes().get(..head(up)).unwrap_or_default(),
            down.bytes().get(..head(down)).unwrap_or_default(),
        ];
        let full = up.len() >= HEAD || down.len() >= HEAD;
        let found = self.recognise(core, facts, heads, facts.turnable);
        match found {
            Identity::Is { id, turned } => {
                if turned {
                    self.buffers.reverse();
                    self.ended.reverse();
                    self.begin(id);
                    // The flow turns first; the buffered bytes are given on the next call.
                    return Wish::Turn;
                }
                core.learn(facts.server, id);
                self.begin(id);
                self.replay(core, facts)
            }
            Identity::More if !full => Wish::Go,
            Identity::More | Identity::Unknown => self.unknown(core),
        }
    }

    /// Nobody knows these bytes: forget them, and try later ones if the beginning was missed.
    fn unknown(&mut self, core: &mut Core) -> Wish {
        let mut bytes = 0usize;
        for b in &mut self.buffers {
            bytes = bytes.saturating_add(b.len());
            b.clear();
        }
        let cost = u32::try_from(bytes.max(TRY.0)).unwrap_or(TRY.1).min(TRY.1);
        self.sought = self.sought.saturating_add(cost);
        if self.midstream && self.sought < SEARCHED {
            return Wish::Go;
        }
        core.account.streams.count("unknown");
        Wish::Close
    }

    fn begin(&mut self, id: ProtoId) {
        self.speaker = Speaker::Found(AnySession::new(id, self.transport));
        self.known = Some(id);
    }

    /// Gives the parser what came while it was sought, packet by packet in the order of arrival.
    pub(crate) fn replay(&mut self, core: &mut Core, facts: &Facts) -> Wish {
        let [up, down] = std::mem::take(&mut self.buffers);
        let mut waiting = [up, down];
        loop {
            let order = |b: &Buffer| b.first_mark().map(|m| (m.bytes, m.time));
            let [up, down] = &waiting;
            let dir = match (order(up), order(down)) {
                (None, None) => return Wish::Go,
                (Some(a), Some(b)) if b < a => Direction::ToClient,
                (Some(_), _) => Direction::ToServer,
                (None, Some(_)) => Direction::ToClient,
            };
            let Some(next) = waiting.get_mut(dir.index()).and_then(Buffer::take_span) else {
                return Wish::Go;
            };
            let (mark, bytes) = next;
            let wish = match &self.speaker {
                Speaker::Found(_) => self.talk(core, facts, dir, &mark, &bytes),
                Speaker::Sought => {
                    self.buffer(dir).push(&bytes, &mark);
                    self.seek(core, facts)
                }
            };
            if wish == Wish::Close {
                return wish;
            }
            if wish == Wish::Turn {
                // What still waits belongs behind what was just put back.
                waiting.reverse();
                for (d, rest) in Direction::BOTH.into_iter().zip(&mut waiting) {
                    while let Some((mark, bytes)) = rest.take_span() {
                        self.buffer(d).push(&bytes, &mark);
                    }
                }
                return wish;
            }
        }
    }

    /// A datagram shows at once whose it is.
    fn seek_datagram(
        &mut self,
        core: &mut Core,
        facts: &Facts,
        dir: Direction,
        mark: &Mark,
        bytes: &[u8],
    ) -> Wish {
        let found = self.recognise(core, facts, only(dir, bytes), true);
        match found {
            Identity::Is { id, turned } => {
                self.begin(id);
                if turned {
                    self.buffer(dir.flip()).push(bytes, mark);
                    return Wish::Turn;
                }
                self.talk(core, facts, dir, mark, bytes)
            }
            Identity::More | Identity::Unknown => {
                self.sought = self.sought.saturating_add(1);
                if self.sought < u32::from(DATAGRAMS) { Wish::Go } else { Wish::Close }
            }
        }
    }
}

/// Heads of which only one direction has bytes.
fn only(dir: Direction, bytes: &[u8]) -> [&[u8]; 2] {
    match dir {
        Direction::ToServer => [bytes, &[]],
        Direction::ToClient => [&[], bytes],
    }
}
