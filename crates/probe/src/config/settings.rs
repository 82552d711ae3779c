//! The configuration resolved: typed values that the program runs with.

use super::form::{self, ProcList, Protocol};
use super::keys::{Effect, K};
use super::written::Written;
use capture::ring::Interfaces;
use engine::{Content, Layer4Choice, NetFilter};
use export::{Chunking, Destination};
use proto::ProtoId;
use record::{Format, Redactor};
use std::path::PathBuf;

/// A megabyte of the configuration.
const MB: u64 = 1 << 20;

/// Files written in a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Where.
    pub directory: PathBuf,
    /// Bytes that they may take together.
    pub bytes: u64,
}

/// PCAP files written in a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcapCycle {
    /// Where and how much.
    pub cycle: Cycle,
    /// Bytes of one file.
    pub file_bytes: u64,
}

/// How much the probe says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Why it stopped.
    Error,
    /// And what it misses.
    Warn,
    /// And what it does.
    Info,
    /// And why.
    Debug,
}

/// What the program runs with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `device`.
    pub device: Interfaces,
    /// `filter-bpf`.
    pub filter_bpf: Option<String>,
    /// `filter-net`.
    pub keep: Option<NetFilter>,
    /// `drop`.
    pub drop: Option<NetFilter>,
    /// `background`: broadcast and multicast too.
    pub background: bool,
    /// `max-length`: bytes captured of a packet; `None`: all.
    pub max_length: Option<u32>,
    /// `decap`: encapsulations are taken off.
    pub decap: bool,
    /// `workers`: threads of capture and analysis.
    pub workers: usize,
    /// `ring`: bytes of the buffer between kernel and probe, each worker.
    pub ring_bytes: usize,
    /// `auto-check`.
    pub content: Content,
    /// `l4-switch`.
    pub l4: Layer4Choice,
    /// `interval`, seconds.
    pub interval: u64,
    /// `ignorel7`.
    pub ignore: Vec<ProtoId>,
    /// `jsonsample`: keep one of so many sessions.
    pub sample: u32,
    /// `bodylen`: bytes of a header or body field.
    pub body_len: usize,
    /// `base64`: binary bodies are wanted.
    pub base64: bool,
    /// `source` and `proto`: these ends speak this.
    pub pin: Option<(NetFilter, ProtoId)>,
    /// `proclist`.
    pub proc_list: Option<ProcList>,
    /// `redact`; `None`: nothing is masked.
    pub redactor: Option<Redactor>,
    /// `flow-detail`.
    pub flow_detail: bool,
    /// `exp-domain`.
    pub destinations: Vec<Destination>,
    /// `json-path` and `json-size`.
    pub json: Option<Cycle>,
    /// `format`.
    pub format: Format,
    /// `numbers`.
    pub numbers: bool,
    /// `compress`.
    pub compress: bool,
    /// `chunk`: how large a datagram may be.
    pub chunk: Chunking,
    /// `pcap-path`, `pcap-size` and `pcap-file-size`.
    pub pcap: Option<PcapCycle>,
    /// `cpu-limit`, percent of one CPU; `None`: no limit.
    pub cpu_limit: Option<u32>,
    /// `mem-limit`, bytes.
    pub mem_limit: usize,
    /// `probe-id`.
    pub probe_id: Option<String>,
    /// `host-address`.
    pub host_address: Option<String>,
    /// `sys-version`.
    pub sys_version: Option<String>,
    /// `user`.
    pub user: Option<String>,
    /// `log`.
    pub log: LogLevel,
    /// What the user should know before the start: keys without effect, values given twice.
    pub warnings: Vec<String>,
    /// As written.
    pub written: Written,
}

impl Settings {
    /// Types what was written and checked.
    #[must_use]
    pub fn resolve(w: Written) -> Settings {
        let mut warnings = w.odd.clone();
        warnings.extend(without_effect(&w));
        let number = |k| form::number(w.effective(k)).unwrap_or_default();
        let on = |k| w.effective(k) == "1";
        let text = |k| w.get(k).map(str::to_owned);
        // The checks of the table ran when a value was written: it parses again.
        let nets = |k| w.get(k).and_then(|t| NetFilter::parse(t).ok()).filter(|n| !n.is_empty());
        let cycle =
            |path, size| w.get(path).map(|p| Cycle { directory: PathBuf::from(p), bytes: number(size) * MB });
        let content = match w.effective(K::AutoCheck) {
            "off" => Content::Off,
            "0" => Content::Headers,
            _ => Content::Bodies,
        };
        let l4 = match w.effective(K::L4Switch) {
            "off" => Layer4Choice::Off,
            "tcp" => Layer4Choice::Tcp,
            "udp" => Layer4Choice::Udp,
            _ => Layer4Choice::Net,
        };
        let proc_list = w.get(K::ProcList).and_then(|t| ProcList::parse(t).ok());
        if content == Content::Off && l4 == Layer4Choice::Off && proc_list.is_none() {
            warnings.push("auto-check and l4-switch are off: nothing will be reported".to_owned());
        }
        let ignore = w.get(K::IgnoreL7).and_then(|t| form::protocols(t).ok()).unwrap_or_default();
        let ignore = ignore.into_iter().filter_map(|p| match p {
            Protocol::Built(id) => Some(id),
            Protocol::Known(_) => None, // not reported anyway
        });
        Settings {
            device: w.effective(K::Device).parse().unwrap_or_default(),
            filter_bpf: text(K::FilterBpf),
            keep: nets(K::FilterNet),
            drop: nets(K::Drop),
            background: on(K::Background),
            max_length: w.get(K::MaxLength).map(|_| number(K::MaxLength) as u32),
            decap: w.effective(K::Decap) == "all",
            workers: number(K::Workers) as usize,
            ring_bytes: (number(K::Ring) * MB) as usize,
            content,
            l4,
            interval: number(K::Interval),
            ignore: ignore.collect(),
            sample: number(K::JsonSample) as u32,
            body_len: number(K::BodyLen) as usize,
            base64: w.get(K::Base64).is_some(),
            pin: pin(&w, &mut warnings),
            proc_list,
            redactor: Redactor::new(w.effective(K::Redact)).ok().filter(|r| !r.is_idle()),
            flow_detail: on(K::FlowDetail),
            destinations: export::parse_destinations(w.effective(K::ExpDomain)).unwrap_or_default(),
            json: cycle(K::JsonPath, K::JsonSize),
            format: Format::from_name(w.effective(K::Format)).unwrap_or_default(),
            numbers: on(K::Numbers),
            compress: on(K::Compress),
            chunk: Chunking::parse(w.effective(K::Chunk)).unwrap_or_default(),
            pcap: cycle(K::PcapPath, K::PcapSize)
                .map(|cycle| PcapCycle { cycle, file_bytes: number(K::PcapFileSize) * MB }),
            cpu_limit: Some(number(K::CpuLimit) as u32).filter(|n| *n > 0),
            mem_limit: (number(K::MemLimit) * MB) as usize,
            probe_id: text(K::ProbeId),
            host_address: text(K::HostAddress),
            sys_version: text(K::SysVersion),
            user: text(K::User),
            log: match w.effective(K::Log) {
                "error" => LogLevel::Error,
                "warn" => LogLevel::Warn,
                "debug" => LogLevel::Debug,
                _ => LogLevel::Info,
            },
            warnings,
            written: w,
        }
    }
}

/// `source` and `proto` go together.
fn pin(w: &Written, warnings: &mut Vec<String>) -> Option<(NetFilter, ProtoId)> {
    match (w.get(K::Source), w.get(K::Proto)) {
        (Some(source), Some(name)) => {
            let ends = NetFilter::parse(source).ok()?;
            match Protocol::parse(name) {
                Ok(Protocol::Built(id)) => return Some((ends, id)),
                Ok(Protocol::Known(name)) => {
                    warnings.push(format!(
                        "proto: {name} is accepted, but this version has no parser for it yet"
                    ));
                }
                Err(_) => {}
            }
        }
        (None, Some(_)) => warnings.push("proto: has no effect without source".to_owned()),
        (Some(_), None) => warnings.push("source: has no effect without proto".to_owned()),
        (None, None) => {}
    }
    None
}

/// One warning for all keys that are accepted without effect, one for those that are not built yet.
fn without_effect(w: &Written) -> Vec<String> {
    [
        (Effect::None, "accepted, without effect"),
        (Effect::NotYet, "accepted, but not built yet: without effect"),
    ]
    .into_iter()
    .filter_map(|(effect, says)| {
        let names: Vec<&str> = w.given().map(K::key).filter(|k| k.effect == effect).map(|k| k.name).collect();
        (!names.is_empty()).then(|| format!("{}: {says}", names.join(", ")))
    })
    .collect()
}
