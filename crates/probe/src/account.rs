//! RECORD=probe: the account of the probe itself. Everything that was seen is somewhere in it:
//! seen = parsed + filtered + sampled + lost + malformed.

use crate::governor::Times;
use crate::governor::ladder::Step;
use base::Timestamp;
use engine::{Account, Engine};
use export::{Reason, SinkReport};
use proto::PROTOCOLS;
use record::{Kind, Record, Value, f};

/// What one worker has done so far.
#[derive(Clone, Debug, Default)]
pub struct WorkerAccount {
    /// Its engine's account.
    pub engine: Account,
    /// Its flow table's counters.
    pub flows: engine::FlowCounters,
    /// Its defragmenter's counters.
    pub fragments: engine::DefragCounters,
    /// Flows in its table.
    pub flows_live: u64,
    /// Bytes of heap that it holds.
    pub held: u64,
    /// Frames that the kernel had no room for.
    pub lost: u64,
    /// Frames that were dropped before the engine, by reason.
    pub filtered: Vec<(&'static str, u64)>,
    /// Frames that were left out before the engine, by place.
    pub sampled: Vec<(&'static str, u64)>,
    /// Frames before the engine whose link layer or block made no sense.
    pub malformed: Vec<(&'static str, u64)>,
}

impl WorkerAccount {
    /// The account of an engine; what lies before it is added by who knows it.
    #[must_use]
    pub fn of(engine: &Engine) -> WorkerAccount {
        WorkerAccount {
            engine: engine.account().clone(),
            flows: *engine.flows(),
            fragments: *engine.fragments(),
            flows_live: engine.flows_live() as u64,
            held: engine.held() as u64,
            ..WorkerAccount::default()
        }
    }

    /// Everything that there was.
    #[must_use]
    pub fn seen(&self) -> u64 {
        let before = self.filtered.iter().chain(&self.sampled).chain(&self.malformed);
        self.engine.seen + self.lost + before.map(|(_, n)| n).sum::<u64>()
    }

    /// Adds another worker's.
    pub fn add(&mut self, other: &WorkerAccount) {
        self.engine.add(&other.engine);
        self.flows.add(&other.flows);
        self.fragments.add(&other.fragments);
        self.flows_live += other.flows_live;
        self.held += other.held;
        self.lost += other.lost;
        for (mine, theirs) in [
            (&mut self.filtered, &other.filtered),
            (&mut self.sampled, &other.sampled),
            (&mut self.malformed, &other.malformed),
        ] {
            for (reason, n) in theirs {
                match mine.iter_mut().find(|(r, _)| r == reason) {
                    Some((_, m)) => *m += n,
                    None => mine.push((reason, *n)),
                }
            }
        }
    }
}

/// What only a running program knows.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// Bytes in the queues of the sinks.
    pub queued: u64,
    /// The sinks' accounts.
    pub sinks: Vec<SinkReport>,
    /// The memory budget in bytes.
    pub mem_limit: u64,
    /// Hundredths of a percent of one CPU, over the last interval.
    pub cpu: Option<u64>,
    /// Resident memory in bytes.
    pub rss: Option<u64>,
    /// What the governor did, when there is one.
    pub governed: Option<Governed>,
}

/// What the governor did over the last interval.
#[derive(Clone, Debug)]
pub struct Governed {
    /// `cpu-limit`.
    pub limit: u32,
    /// The step it is in.
    pub step: Step,
    /// Time in each step, ns.
    pub times: Times,
}

/// The record: head and body.
#[must_use]
pub fn record(now: Timestamp, w: &WorkerAccount, running: Option<&Running>) -> (Record, Record) {
    let mut head = Record::new(Kind::Probe);
    head.word(&f::head::RECORD, Kind::Probe.name());
    head.put(&f::head::TIMESTAMP, Value::Time(now));
    let mut b = Record::new(Kind::Probe);
    use f::probe as k;
    let a = &w.engine;
    let filtered: Vec<(&str, u64)> = a.filtered.each().chain(w.filtered.iter().copied()).collect();
    let malformed: Vec<(&str, u64)> = a.malformed.each().chain(w.malformed.iter().copied()).collect();
    let sum = |list: &[(&str, u64)]| list.iter().map(|(_, n)| n).sum::<u64>();
    let sampled: Vec<(&str, u64)> = w.sampled.iter().copied().chain([("engine", a.sampled)]).collect();
    b.num(&k::PKTS_SEEN, w.seen());
    b.num(&k::PKTS_PARSED, a.parsed);
    b.num(&k::PKTS_FILTERED, sum(&filtered));
    b.num(&k::PKTS_SAMPLED, sum(&sampled));
    b.num(&k::PKTS_LOST, w.lost);
    b.num(&k::PKTS_MALFORMED, sum(&malformed));
    list(&mut b, &k::FILTERED_BY, filtered);
    list(&mut b, &k::MALFORMED_BY, malformed);
    list(&mut b, &k::SAMPLED_BY, sampled);
    b.num(&k::NOT_IP, a.not_ip);
    b.num(&k::FLOWS_LIVE, w.flows_live);
    b.num(&k::FLOWS_MADE, w.flows.flows_made);
    b.num(&k::FLOWS_EVICTED, w.flows.flows_evicted);
    list(&mut b, &k::SESSIONS, PROTOCOLS.iter().map(|p| p.names[1]).zip(a.sessions.iter().copied()));
    b.num(&k::UNPAIRED, a.unpaired);
    b.num(&k::SESSIONS_SAMPLED, a.sampled_out);
    list(&mut b, &k::ANOMALIES, a.anomalies.each());
    let mut stream: Vec<(&str, u64)> = Vec::new();
    w.flows.each(|name, n| {
        if !matches!(name, "flows_made" | "flows_evicted") {
            stream.push((name, n));
        }
    });
    w.fragments.each(|name, n| stream.push((name, n)));
    stream.extend(a.streams.each());
    list(&mut b, &k::STREAM, stream);
    if let Some(r) = running {
        b.num(&k::MEM_HELD, w.held + r.queued);
        b.num(&k::MEM_LIMIT, r.mem_limit);
    }
    b.num(&k::RECORDS_MADE, a.records);
    if let Some(r) = running {
        b.num(&k::RECORDS_SENT, r.sinks.iter().map(|s| s.counts.sent).sum());
        b.num(&k::RECORDS_DROPPED, r.sinks.iter().map(|s| s.counts.dropped_all()).sum());
        dropped(&mut b, &r.sinks);
        if let Some(cpu) = r.cpu {
            b.put(&k::CPU, Value::Hundredths(cpu));
        }
        if let Some(rss) = r.rss {
            b.num(&k::RSS, rss);
        }
        let uncompressed = r.sinks.iter().map(|s| s.counts.uncompressed).sum();
        let shed = [
            ("uncompressed", uncompressed),
            ("shortened", a.shortened),
            ("unread", a.unread),
            ("unread-bytes", a.unread_bytes),
        ];
        list(&mut b, &k::SHED, shed);
        if let Some(g) = &r.governed {
            b.word(&k::GOVERNOR, g.step.name());
            let times = Step::ALL.iter().zip(g.times).map(|(s, ns)| (s.name(), ns / 1_000_000));
            list(&mut b, &k::GOVERNOR_TIME, times);
            b.num(&k::CPU_LIMIT, u64::from(g.limit));
        }
    }
    (head, b)
}

/// `name=n` of what is not 0, comma list; left out when nothing is.
fn list<'a>(
    body: &mut Record,
    field: &'static record::Field,
    rows: impl IntoIterator<Item = (&'a str, u64)>,
) {
    let text: Vec<String> =
        rows.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name}={n}")).collect();
    if !text.is_empty() {
        body.text(field, text.join(",").as_bytes());
    }
}

/// `sink.reason=n` of what was dropped.
fn dropped(body: &mut Record, sinks: &[SinkReport]) {
    let mut text = Vec::new();
    for sink in sinks {
        for reason in Reason::ALL {
            let n = sink.counts.dropped_for(reason);
            if n > 0 {
                text.push(format!("{}.{}={n}", sink.name, reason.name()));
            }
        }
    }
    if !text.is_empty() {
        body.text(&f::probe::DROPPED_BY, text.join(",").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num(r: &Record, field: &'static record::Field) -> u64 {
        match r.get(field) {
            Some(Value::Num(n)) => n,
            other => panic!("{}: {other:?}", field.key()),
        }
    }

    #[test]
    fn seen_is_the_sum_of_what_became_of_the_packets() {
        let mut w = WorkerAccount { lost: 5, ..WorkerAccount::default() };
        w.engine.seen = 102;
        w.engine.parsed = 90;
        w.engine.sampled = 2;
        (0..7).for_each(|_| w.engine.filtered.count("drop"));
        (0..3).for_each(|_| w.engine.malformed.count("ipv4-header"));
        w.filtered.push(("interface", 11));
        w.sampled.push(("kernel", 13));
        let mut both = w.clone();
        both.add(&w);
        let (_, b) = record(Timestamp(0), &both, None);
        let parts = [
            &f::probe::PKTS_PARSED,
            &f::probe::PKTS_FILTERED,
            &f::probe::PKTS_LOST,
            &f::probe::PKTS_SAMPLED,
            &f::probe::PKTS_MALFORMED,
        ];
        assert_eq!(num(&b, &f::probe::PKTS_SEEN), parts.iter().map(|k| num(&b, k)).sum::<u64>());
        assert_eq!(num(&b, &f::probe::PKTS_SAMPLED), 30);
        assert_eq!(b.text_of(&f::probe::FILTERED_BY), b"drop=14,interface=22");
        assert_eq!(b.text_of(&f::probe::SAMPLED_BY), b"kernel=26,engine=4");
    }
}
