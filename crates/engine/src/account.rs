//! The account: what became of every packet and every session.

use proto::PROTOCOLS;

/// Counts by reason. Reasons are words of the code, so there are few; the rest go together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    rows: Vec<(&'static str, u64)>,
    other: u64,
}

/// More distinct reasons than the code has.
const REASONS: usize = 512;

impl Reasons {
    /// One more for `reason`.
    pub fn count(&mut self, reason: &'static str) {
        let known = self.rows.len();
        match self.rows.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, n)) => *n = n.saturating_add(1),
            None if known < REASONS => self.rows.push((reason, 1)),
            None => self.other = self.other.saturating_add(1),
        }
    }

    /// Each reason with its count.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let other = (self.other > 0).then_some(("other", self.other));
        self.rows.iter().copied().chain(other)
    }

    /// All together.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.each().fold(0, |n, (_, v)| n.saturating_add(v))
    }

    /// Adds another list to this one.
    pub fn add(&mut self, other: &Reasons) {
        for (reason, n) in &other.rows {
            let known = self.rows.len();
            match self.rows.iter_mut().find(|(r, _)| r == reason) {
                Some((_, m)) => *m = m.saturating_add(*n),
                None if known < REASONS => self.rows.push((reason, *n)),
                None => self.other = self.other.saturating_add(*n),
            }
        }
        self.other = self.other.saturating_add(other.other);
    }
}

/// What an engine has done since its start. `seen` is the sum of the others:
/// `seen = parsed + filtered + sampled + malformed` (what the kernel lost or sampled never came here).
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Frames given to the engine.
    pub seen: u64,
    /// Frames that were decoded and counted in a flow, are fragments of a datagram, or are not IP.
    pub parsed: u64,
    /// Of those: not IP.
    pub not_ip: u64,
    /// Frames left out, by reason.
    pub filtered: Reasons,
    /// Frames of flows that are left out ([`crate::Thrift`]).
    pub sampled: u64,
    /// Frames whose headers made no sense, by reason.
    pub malformed: Reasons,
    /// Sessions reported, by protocol in the order of the registry.
    pub sessions: Vec<u64>,
    /// Requests without an answer, and answers without a request.
    pub unpaired: u64,
    /// Sessions left out by sampling.
    pub sampled_out: u64,
    /// Conversations whose contents were left unread ([`crate::Thrift`]), in whole or from some point on.
    pub unread: u64,
    /// Bytes of theirs that were not read.
    pub unread_bytes: u64,
    /// Sessions told while fields were cut shorter than configured.
    pub shortened: u64,
    /// What parsers did not understand.
    pub anomalies: Reasons,
    /// Streams that were given up, and why.
    pub streams: Reasons,
    /// Records made.
    pub records: u64,
}

impl Account {
    pub(crate) fn session(&mut self, proto: usize) {
        if self.sessions.len() < PROTOCOLS.len() {
            self.sessions.resize(PROTOCOLS.len(), 0);
        }
        if let Some(n) = self.sessions.get_mut(proto) {
            *n = n.saturating_add(1);
        }
    }

    /// Adds the account of another worker.
    pub fn add(&mut self, other: &Account) {
        for (a, b) in [
            (&mut self.seen, other.seen),
            (&mut self.parsed, other.parsed),
            (&mut self.not_ip, other.not_ip),
            (&mut self.unpaired, other.unpaired),
            (&mut self.sampled_out, other.sampled_out),
            (&mut self.sampled, other.sampled),
            (&mut self.unread, other.unread),
            (&mut self.unread_bytes, other.unread_bytes),
            (&mut self.shortened, other.shortened),
            (&mut self.records, other.records),
        ] {
            *a = a.saturating_add(b);
        }
        self.filtered.add(&other.filtered);
        self.malformed.add(&other.malformed);
        self.anomalies.add(&other.anomalies);
        self.streams.add(&other.streams);
        if self.sessions.len() < other.sessions.len() {
            self.sessions.resize(other.sessions.len(), 0);
        }
        for (a, b) in self.sessions.iter_mut().zip(&other.sessions) {
            *a = a.saturating_add(*b);
        }
    }
}
