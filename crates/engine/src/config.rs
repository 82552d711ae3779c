//! What the engine is told to do.

use proto::{Limits, ProtoId};
use record::Redactor;

use crate::NetFilter;

/// `auto-check`: how much of the application layer is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Nothing above layer 4.
    Off,
    /// Requests and answers, of HTTP only headers.
    Headers,
    /// With bodies.
    #[default]
    Bodies,
}

/// `l4-switch`: of which pairs flow records are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layer4Choice {
    /// None.
    Off,
    /// TCP, UDP and ICMP.
    #[default]
    Net,
    /// TCP only.
    Tcp,
    /// UDP only.
    Udp,
}

/// `proto` and `source`: these ends speak this protocol, without guessing.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Which ends.
    pub ends: NetFilter,
    /// What they speak.
    pub proto: ProtoId,
}

/// The engine's configuration, resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// Flow table: limits and times.
    pub flow: flow::Config,
    /// Most bytes held for incomplete datagrams.
    pub defrag_bytes: usize,
    /// Most bytes held by parsers and the streams in front of them.
    pub session_bytes: usize,
    /// Encapsulations are taken off.
    pub decap: bool,
    /// Application layer.
    pub content: Content,
    /// Flow records.
    pub l4: Layer4Choice,
    /// Caps and wishes for the parsers.
    pub limits: Limits,
    /// `ignorel7`: protocols that are recognised but not reported.
    pub ignore: Vec<ProtoId>,
    /// `filter-net`: keep only these.
    pub keep: Option<NetFilter>,
    /// `drop`: leave these out.
    pub drop: Option<NetFilter>,
    /// Broadcast and multicast are told too.
    pub background: bool,
    /// The probe's own traffic: where its records go.
    pub own: Option<NetFilter>,
    /// `proto` with `source`.
    pub pin: Option<Pin>,
    /// `redact`.
    pub redactor: Option<Redactor>,
    /// `flow-detail`: `_MAX` and `_CNT` twins of the delays.
    pub flow_detail: bool,
}

impl Config {
    /// The defaults within a memory budget for flows, streams and sessions, in bytes.
    #[must_use]
    pub fn for_budget(bytes: usize) -> Config {
        let share = |percent: usize| (bytes / 100).saturating_mul(percent);
        Config {
            flow: flow::Config::for_budget(share(70)),
            defrag_bytes: share(5),
            session_bytes: share(25),
            decap: true,
            content: Content::default(),
            l4: Layer4Choice::default(),
            limits: Limits::default(),
            ignore: Vec::new(),
            keep: None,
            drop: None,
            background: true,
            own: None,
            pin: None,
            redactor: None,
            flow_detail: false,
        }
    }
}
