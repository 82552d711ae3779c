//! What all flows of an engine share: configuration, pools, counters; and what the flow table's
//! events become.

use crate::account::Account;
use crate::config::Config;
use crate::conversation::{self, Community, Conversation, Facts, Opening, Talk, Wish};
use crate::engine::Output;
use crate::thrift::{Lately, Thrift};
use crate::{head, report};
use base::{Direction, FastMap, Mark, Timestamp, ip_proto};
use flow::{End, Events, Flow};
use proto::{Anomaly, Cx, Finished, Limits, MarkSpan, Pool, ProtoId, Transport};
use record::{Quality, Record};
use std::net::IpAddr;

/// An interface: the fields CARD and CARD_IP.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) ip: Option<IpAddr>,
}

/// A finished transaction and whose it is: a connection may change its protocol in between.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: ProtoId,
    pub(crate) finished: Finished,
}

/// Shared by all flows of an engine.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) account: Account,
    pub(crate) pool: Pool,
    /// Transactions that the parser finished in its last calls.
    pub(crate) done: Vec<Finished>,
    /// The same with the parser's name.
    pub(crate) told: Vec<Told>,
    pub(crate) anomalies: Vec<Anomaly>,
    /// Bytes held by all conversations.
    pub(crate) held: usize,
    pub(crate) cards: FastMap<u32, Card>,
    /// What servers were found to speak: tried first there.
    servers: FastMap<(IpAddr, u16), ProtoId>,
    pub(crate) thrift: Thrift,
    /// `limits` as configured, without thrift.
    full: Limits,
    lately: Lately,
    /// Used again for each record.
    head: Record,
    body: Record,
    ignored: u64,
}

/// Servers remembered: a hint that may be forgotten.
const SERVERS: usize = 4096;

impl Core {
    pub(crate) fn new(config: Config) -> Core {
        let seed = config.flow.seed;
        let ignored = set_of(&config.ignore);
        Core {
            thrift: Thrift::default(),
            full: config.limits,
            lately: Lately::default(),
            config,
            account: Account::default(),
            pool: Pool::default(),
            done: Vec::new(),
            told: Vec::new(),
            anomalies: Vec::new(),
            held: 0,
            cards: FastMap::with_hasher(seed),
            servers: FastMap::with_hasher(seed),
            head: Record::default(),
            body: Record::default(),
            ignored,
        }
    }

    /// Another configuration within the memory that the first one planned.
    pub(crate) fn reconfigure(&mut self, config: Config) {
        let Config { flow, defrag_bytes, session_bytes, .. } = self.config;
        self.ignored = set_of(&config.ignore);
        self.full = config.limits;
        let limits = self.thrift.limits(&self.full);
        self.config = Config { flow, defrag_bytes, session_bytes, limits, ..config };
    }

    /// Leaves out more, or less, from now on.
    pub(crate) fn set_thrift(&mut self, thrift: Thrift, now: Timestamp) {
        if let Some(old) = self.thrift.thin.filter(|old| Some(*old) != thrift.thin) {
            self.lately.note(now, old);
        }
        self.thrift = thrift;
        self.config.limits = thrift.limits(&self.full);
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.config.limits
    }

    pub(crate) fn learned(&self, server: (IpAddr, u16)) -> Option<ProtoId> {
        self.servers.get(&server).copied()
    }

    pub(crate) fn learn(&mut self, server: (IpAddr, u16), id: ProtoId) {
        if self.servers.get(&server) == Some(&id) {
            return;
        }
        if self.servers.len() >= SERVERS {
            self.servers.clear();
        }
        self.servers.insert(server, id);
    }

    /// What the configuration says that these ends speak.
    pub(crate) fn pinned(&self, facts: &Facts) -> Option<ProtoId> {
        let pin = self.config.pin.as_ref()?;
        pin.ends.matches(facts.client, facts.server).then_some(pin.proto)
    }

    fn is_ignored(&self, id: ProtoId) -> bool {
        self.ignored & 1u64.wrapping_shl(id as u32) != 0
    }

    /// The context of one call of a parser.
    pub(crate) fn context<'a>(
        &'a mut self,
        facts: &Facts,
        now: &Mark,
        spans: &'a [MarkSpan],
        base: usize,
        sessions: &'a mut u32,
    ) -> Cx<'a> {
        Cx {
            limits: &self.config.limits,
            spans,
            base,
            ports: facts.ports,
            now: *now,
            flow_hash: facts.hash,
            sessions,
            pool: &mut self.pool,
            done: &mut self.done,
            anomalies: &mut self.anomalies,
            sampled_out: &mut self.account.sampled_out,
            midstream: facts.midstream,
        }
    }

    /// Puts a name to what the parser has finished; says how many.
    pub(crate) fn collect(&mut self, id: ProtoId) -> u32 {
        let n = self.done.len();
        if n == 0 {
            return 0;
        }
        self.told.extend(self.done.drain(..).map(|finished| Told { id, finished }));
        u32::try_from(n).unwrap_or(u32::MAX)
    }

    /// Tells one finished transaction, with the state of its flow now.
    fn tell(
        &mut self,
        out: &mut dyn Output,
        flow: &Flow<Talk>,
        talk: &mut Conversation,
        told: Told,
        now: &Mark,
    ) {
        let Told { id, finished: mut t } = told;
        self.account.session(id as usize);
        if t.answering.is_none() {
            self.account.unpaired = self.account.unpaired.saturating_add(1);
        }
        if flow.is_cut() {
            t.quality = t.quality.with(Quality::TRUNCATED);
        }
        if self.thrift.samples() {
            t.quality = t.quality.with(Quality::SAMPLED);
        }
        if self.thrift.shortens() {
            self.account.shortened = self.account.shortened.saturating_add(1);
        }
        if !self.is_ignored(id) {
            let community = talk.community.get_or_insert_with(|| Box::new(head::community(flow)));
            let card = self.cards.get(&flow.ifindex());
            head::session(&mut self.head, flow, card, community.as_slice(), id, &t, now);
            head::delays(&mut t, id);
            if let Some(r) = &self.config.redactor {
                r.apply(&mut t.record);
            }
            self.account.records = self.account.records.saturating_add(1);
            out.record(&self.head, &t.record);
        }
        self.pool.give(t.record);
    }
}

/// Protocols as a set of bits by their place in the registry.
fn set_of(ids: &[ProtoId]) -> u64 {
    ids.iter().fold(0u64, |set, id| set | 1u64.wrapping_shl(*id as u32))
}

/// The core and where its records go, as the flow table sees them.
pub(crate) struct Tap<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) out: &'a mut dyn Output,
}

fn facts(flow: &Flow<Talk>) -> Facts {
    let (client, server) = flow.ends();
    Facts {
        ports: [client.1, server.1],
        client,
        server,
        turnable: flow.is_turnable(),
        hash: flow.hash(),
        midstream: flow.is_midstream(),
    }
}

impl Tap<'_> {
    /// Works on the conversation of a flow, then sees to what came of it.
    fn with(
        &mut self,
        flow: &mut Flow<Talk>,
        mark: &Mark,
        work: impl FnOnce(&mut Core, &mut Conversation, &Facts) -> Wish,
    ) {
        let Some(mut talk) = flow.user.take_open() else { return };
        let known = |flow: &Flow<Talk>, joined: bool| {
            let facts = facts(flow);
            Facts { midstream: facts.midstream || joined, ..facts }
        };
        let joined = talk.joined;
        let mut wish = work(self.core, &mut talk, &known(flow, joined));
        if wish == Wish::Turn {
            flow.turn();
            wish = talk.replay(self.core, &known(flow, joined));
            // A second turn would be a contradiction: let it rest.
            if wish == Wish::Turn {
                wish = Wish::Close;
            }
        }
        self.settle(flow, talk, mark, wish);
    }

    /// Holds or tells what was finished, keeps the budget, closes what wants to be closed.
    fn settle(&mut self, flow: &mut Flow<Talk>, mut talk: Box<Conversation>, mark: &Mark, mut wish: Wish) {
        let app = talk.app();
        if !self.core.anomalies.is_empty() {
            for a in self.core.anomalies.drain(..) {
                self.core.account.anomalies.count(a);
            }
        }
        if !self.core.told.is_empty() {
            let mut told = std::mem::take(&mut self.core.told);
            for f in told.drain(..) {
                if let Some(earlier) = talk.held.take() {
                    self.tell(flow, &mut talk, *earlier, mark);
                }
                if f.finished.answering.is_some() && talk.transport() == Transport::Tcp && wish != Wish::Close
                {
                    talk.held = Some(Box::new(f));
                } else {
                    self.tell(flow, &mut talk, f, mark);
                }
            }
            self.core.told = told;
        }
        flow.watch_acks = talk.held.is_some();
        let heap = talk.heap();
        self.core.held = self.core.held.saturating_sub(talk.accounted).saturating_add(heap);
        talk.accounted = heap;
        if wish != Wish::Close && self.core.held > self.core.config.session_bytes && heap > 0 {
            // Who asks for more when all is taken loses: the budget is a promise.
            self.core.account.streams.count("given-up-for-room");
            talk.end_all(self.core, &facts(flow), mark);
            wish = Wish::Close;
            for f in std::mem::take(&mut self.core.told) {
                self.tell(flow, &mut talk, f, mark);
            }
        }
        if wish == Wish::Close {
            if let Some(f) = talk.held.take() {
                self.tell(flow, &mut talk, *f, mark);
            }
            self.core.held = self.core.held.saturating_sub(talk.accounted);
            flow.watch_acks = false;
            flow.follow(false);
            if talk.community.is_some() {
                self.core.held = self.core.held.saturating_add(size_of::<Community>());
            }
            flow.user = Talk::Closed(app, talk.community.take());
        } else if let Some(app) = talk.rests().filter(|_| self.core.held > self.core.config.session_bytes / 2)
        {
            // Pairs of datagrams have no end: each stays for its idle time. Resolvers ask from another port each
            // time, and what they asked before would take the room of what they ask now.
            self.core.held = self.core.held.saturating_sub(talk.accounted);
            flow.user = Talk::Resting(app);
        } else {
            flow.user = Talk::Open(talk);
        }
    }

    /// There is no time for the contents of this flow: its conversation is parted with. What it had finished is told;
    /// what it had not is not told at all, since nobody knows how it would have gone on.
    #[cold]
    fn leave(&mut self, flow: &mut Flow<Talk>, mark: &Mark, bytes: usize) {
        if matches!(flow.user, Talk::Closed(..)) {
            return;
        }
        let account = &mut self.core.account;
        account.unread_bytes = account.unread_bytes.saturating_add(bytes as u64);
        if matches!(flow.user, Talk::Unread(_)) {
            return;
        }
        account.unread = account.unread.saturating_add(1);
        flow.watch_acks = false;
        let app = flow.user.app();
        let talk = flow.user.take_open();
        flow.user = Talk::Unread(app);
        if let Some(mut talk) = talk {
            self.core.held = self.core.held.saturating_sub(talk.accounted);
            if let Some(f) = talk.held.take() {
                self.tell(flow, &mut talk, *f, mark);
            }
        }
    }

    fn tell(&mut self, flow: &Flow<Talk>, talk: &mut Conversation, t: Told, mark: &Mark) {
        self.core.tell(self.out, flow, talk, t, mark);
    }

    /// The answer is acknowledged: its network delay is known.
    fn release(&mut self, flow: &mut Flow<Talk>, mark: &Mark) {
        flow.watch_acks = false;
        let Some(mut talk) = flow.user.take_open() else { return };
        if let Some(f) = talk.held.take() {
            self.tell(flow, &mut talk, *f, mark);
        }
        flow.user = Talk::Open(talk);
    }
}

/// The contents of a flow are read again: a stream is joined in the middle.
fn again(proto: u8) -> Talk {
    match proto {
        ip_proto::TCP => {
            let mut talk = Conversation::new(Transport::Tcp, true);
            talk.joined = true;
            Talk::Open(Box::new(talk))
        }
        _ => Talk::Silent,
    }
}

impl Events<Flow<Talk>> for Tap<'_> {
    fn data(&mut self, flow: &mut Flow<Talk>, dir: Direction, mark: &Mark, bytes: &[u8]) {
        if self.core.thrift.leaves_unread(flow.hash()) {
            return self.leave(flow, mark, bytes.len());
        }
        if let Talk::Unread(_) = flow.user {
            flow.user = again(flow.proto());
        }
        let tried = match flow.user {
            Talk::Silent | Talk::Resting(_) | Talk::Unread(_) => Some(0),
            Talk::Unknown(tried) => Some(tried),
            Talk::Open(_) | Talk::Closed(..) => None,
        };
        if let Some(tried) = tried {
            let transport = match flow.proto() {
                ip_proto::TCP => Transport::Tcp,
                _ => Transport::Udp,
            };
            flow.user = match conversation::open(self.core, &facts(flow), transport, tried, dir, bytes) {
                Opening::Talk(talk) => Talk::Open(talk),
                Opening::Later(tried) => Talk::Unknown(tried),
                Opening::Nobody => {
                    flow.follow(false);
                    Talk::Closed(None, None)
                }
            };
        }
        self.with(flow, mark, |core, talk, facts| talk.data(core, facts, dir, mark, bytes));
    }

    fn gap(&mut self, flow: &mut Flow<Talk>, dir: Direction, mark: &Mark, len: u64) {
        if self.core.thrift.leaves_unread(flow.hash()) {
            return self.leave(flow, mark, 0);
        }
        if let Talk::Silent = flow.user {
            flow.user = Talk::Open(Box::new(Conversation::new(Transport::Tcp, true)));
        }
        self.with(flow, mark, |core, talk, facts| talk.gap(core, facts, dir, mark, len));
    }

    fn end(&mut self, flow: &mut Flow<Talk>, dir: Direction, mark: &Mark) {
        if self.core.thrift.leaves_unread(flow.hash()) {
            return self.leave(flow, mark, 0);
        }
        self.with(flow, mark, |core, talk, facts| talk.end(core, facts, dir, mark));
    }

    fn acked(&mut self, flow: &mut Flow<Talk>, dir: Direction, mark: &Mark) {
        if dir == Direction::ToClient {
            self.release(flow, mark);
        }
    }

    fn report(&mut self, flow: &mut Flow<Talk>, now: Timestamp, end: Option<End>) {
        let mark = flow.mark();
        if end.is_some() && self.core.thrift.leaves_unread(flow.hash()) {
            self.leave(flow, &mark, 0);
        } else if end.is_some() {
            self.with(flow, &mark, |core, talk, facts| {
                talk.end_all(core, facts, &mark);
                Wish::Close
            });
        } else if flow.watch_acks {
            self.release(flow, &mark);
        }
        let core = &mut *self.core;
        if end.is_some() && matches!(flow.user, Talk::Closed(_, Some(_))) {
            core.held = core.held.saturating_sub(size_of::<Community>());
        }
        if !report::is_wanted(core.config.l4, flow.proto()) {
            return;
        }
        let app = flow.user.app();
        let known = match &flow.user {
            Talk::Open(c) => c.community.as_deref(),
            Talk::Closed(_, known) => known.as_deref(),
            _ => None,
        };
        let community = known.copied().unwrap_or_else(|| head::community(flow));
        let sampled = core.lately.left_out(flow.key(), flow.interval_begin(), core.thrift.thin);
        head::flow(&mut core.head, flow, core.cards.get(&flow.ifindex()), &community, now, sampled);
        core.body.reset(record::Kind::Flow);
        report::body(&mut core.body, flow, end, app, core.config.flow_detail);
        core.account.records = core.account.records.saturating_add(1);
        self.out.record(&core.head, &core.body);
    }
}
