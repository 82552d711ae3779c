//! The formats: a record as one JSON object, in `nano`, `gelf` or `ecs`.
//!
//! `nano` is the shape of the original: one flat object, every value a string. `gelf` is GELF 1.1
//! as strict readers want it. `ecs` has the dotted keys of the Elastic Common Schema, typed.
//! What never changes (identity of probe and host) is rendered once and copied in.

mod clock;
pub(crate) mod digits;
pub(crate) mod json;
mod readable;
mod summary;

use crate::{Entry, Field, Kind, Record, Type, Value, Zone, f};
use base::Timestamp;
use clock::Clock;
pub use json::fuzz_json;
pub use readable::Readable;
use std::net::IpAddr;

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The original's keys, every value a JSON string.
    #[default]
    Nano,
    /// Strict GELF 1.1.
    Gelf,
    /// Elastic Common Schema.
    Ecs,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Nano, Format::Gelf, Format::Ecs];

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Nano => "nano",
            Format::Gelf => "gelf",
            Format::Ecs => "ecs",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// Who speaks: what every record says of the probe and its host. Empty texts are left out.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// PROBE_VER: version of the probe.
    pub probe_ver: String,
    /// `host`: address of the probe.
    pub host: String,
    /// SYSTEM: name and version of the operating system.
    pub system: String,
    /// NIC: the configured device.
    pub nic: String,
    /// `message`: host name.
    pub message: String,
    /// `gl2_source_collector`: id of the probe.
    pub collector: String,
    /// LICENSE.
    pub license: String,
    /// TOTAL_CPU: number of CPUs; 0 is left out.
    pub total_cpu: u64,
}

/// The ECS version whose names the table uses.
const ECS_VERSION: &str = "8.17.0";

/// What GELF says for `host` when the probe knows neither its address nor its name.
const NO_HOST: &str = "unknown";

/// Writes records as JSON objects.
#[derive(Clone, Debug)]
pub struct Writer {
    format: Format,
    style: Style,
    clock: Clock,
    identity: Identity,
    disk_ratio: Option<u64>,
    /// `{` and the first constants.
    start: Vec<u8>,
    /// The last constants and `}` of traffic records, of host records and of the probe's.
    end: Vec<u8>,
    end_host: Vec<u8>,
    end_probe: Vec<u8>,
    /// Where the summary is put together.
    summary: Vec<u8>,
}

impl Writer {
    /// A writer of `format`; with `numbers` also `nano` writes numbers as JSON numbers.
    #[must_use]
    pub fn new(format: Format, numbers: bool, identity: &Identity, zone: Zone) -> Writer {
        let mut writer = Writer {
            format,
            style: Style { format, numbers: numbers || format != Format::Nano },
            clock: Clock::new(zone),
            identity: identity.clone(),
            disk_ratio: None,
            start: Vec::new(),
            end: Vec::new(),
            end_host: Vec::new(),
            end_probe: Vec::new(),
            summary: Vec::new(),
        };
        writer.render();
        writer
    }

    /// Sets DISK_RATIO, in hundredths of a percent, for the records to come.
    pub fn set_disk_ratio(&mut self, hundredths: u64) {
        if self.disk_ratio != Some(hundredths) {
            self.disk_ratio = Some(hundredths);
            self.render();
        }
    }

    /// Appends the record as one JSON object, without a line end.
    ///
    /// `head` holds fields of `record::f::head` but none of the identity's; `body` gives the kind.
    pub fn write(&mut self, head: &Record, body: &Record, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.start);
        match self.format {
            Format::Nano => {}
            Format::Gelf => {
                self.summary(b",\"short_message\":", head, body, out);
                if let Some(t) = moment(head, body) {
                    out.extend_from_slice(b",\"timestamp\":");
                    clock::epoch_millis(out, t);
                }
            }
            Format::Ecs => self.ecs_only(head, body, out),
        }
        for record in [head, body] {
            for entry in record.entries() {
                self.style.field(&mut self.clock, out, record, entry);
            }
        }
        out.extend_from_slice(match body.kind() {
            Kind::Host => &self.end_host,
            Kind::Probe => &self.end_probe,
            _ => &self.end,
        });
    }

    /// What ECS wants beside the table: a line to read, the duration, and always a time.
    fn ecs_only(&mut self, head: &Record, body: &Record, out: &mut Vec<u8>) {
        self.summary(b",\"message\":", head, body, out);
        let begin = head.get(&f::head::BEGIN_TIME);
        if let (Some(Value::Time(a)), Some(Value::Time(b))) = (begin, head.get(&f::head::END_TIME)) {
            out.extend_from_slice(b",\"event.duration\":");
            digits::int(out, b.since(a));
        }
        if head.get(&f::head::TIMESTAMP).is_none()
            && let Some(t) = moment(head, body)
        {
            let entry = Entry { field: &f::head::TIMESTAMP, value: Value::Time(t) };
            self.style.field(&mut self.clock, out, head, &entry);
        }
    }

    /// The summary under a key.
    fn summary(&mut self, key: &[u8], head: &Record, body: &Record, out: &mut Vec<u8>) {
        self.summary.clear();
        summary::summary(head, body, &mut self.summary);
        out.extend_from_slice(key);
        json::string(out, &self.summary);
    }

    /// Renders what does not change from record to record.
    fn render(&mut self) {
        let (id, style) = (&self.identity, self.style);
        let mut start = Vec::new();
        match self.format {
            Format::Nano => {}
            Format::Gelf => {
                start.extend_from_slice(b",\"version\":\"1.1\",\"host\":");
                let host = [&*id.host, &*id.message].into_iter().find(|h| !h.trim().is_empty());
                json::string(&mut start, host.unwrap_or(NO_HOST).as_bytes());
                start.extend_from_slice(b",\"level\":6");
            }
            Format::Ecs => {
                start.extend_from_slice(b",\"ecs.version\":");
                json::string(&mut start, ECS_VERSION.as_bytes());
                start.extend_from_slice(b",\"event.module\":\"mfnano\"");
            }
        }
        if id.probe_ver.is_empty() && self.format == Format::Nano {
            start.extend_from_slice(f::head::PROBE_VER.quoted_in(self.format).as_bytes());
            start.extend_from_slice(b"\"\"");
        }
        style.constant(&mut start, &f::head::PROBE_VER, &id.probe_ver);
        if self.format != Format::Gelf {
            style.constant(&mut start, &f::head::HOST, &id.host);
        }
        style.constant(&mut start, &f::head::SYSTEM, &id.system);
        style.constant(&mut start, &f::head::NIC, &id.nic);
        if let Some(comma) = start.first_mut() {
            *comma = b'{';
        }
        self.start = start;
        // In GELF the body of host records has the host name under the key that is free for it.
        let named = self.format != Format::Gelf;
        self.end = self.render_end("comm", true);
        self.end_probe = self.render_end("proc", true);
        self.end_host = self.render_end("proc", named);
    }

    fn render_end(&self, message_type: &str, named: bool) -> Vec<u8> {
        let (id, style) = (&self.identity, self.style);
        let mut end = Vec::new();
        if named {
            style.constant(&mut end, &f::head::MESSAGE, &id.message);
        }
        style.constant(&mut end, &f::head::MESSAGE_TYPE, message_type);
        style.constant(&mut end, &f::head::COLLECTOR, &id.collector);
        if let Some(n) = self.disk_ratio {
            style.number(&mut end, &f::head::DISK_RATIO, Value::Hundredths(n));
        }
        if id.total_cpu != 0 {
            style.number(&mut end, &f::head::TOTAL_CPU, Value::Num(id.total_cpu));
        }
        style.constant(&mut end, &f::head::LICENSE, &id.license);
        end.push(b'}');
        end
    }
}

/// When it was: TIMESTAMP, else BEGIN_TIME, else TIME.
fn moment(head: &Record, body: &Record) -> Option<Timestamp> {
    let value = head.get(&f::head::TIMESTAMP).or_else(|| head.get(&f::head::BEGIN_TIME));
    match value.or_else(|| body.get(&f::flow::TIME)) {
        Some(Value::Time(t)) => Some(t),
        _ => None,
    }
}

/// How one field is written.
#[derive(Clone, Copy, Debug)]
struct Style {
    format: Format,
    numbers: bool,
}

impl Style {
    /// A text that never changes; nothing when it is empty.
    fn constant(self, out: &mut Vec<u8>, field: &Field, text: &str) {
        if !text.is_empty() {
            out.extend_from_slice(field.quoted_in(self.format).as_bytes());
            json::string(out, text.as_bytes());
        }
    }

    /// A number that seldom changes.
    fn number(self, out: &mut Vec<u8>, field: &'static Field, value: Value) {
        let mut clock = Clock::new(Zone::utc()); // no moment is written
        self.field(&mut clock, out, &Record::default(), &Entry { field, value });
    }

    /// `,"KEY":VALUE`.
    #[inline]
    fn field(self, clock: &mut Clock, out: &mut Vec<u8>, record: &Record, entry: &Entry) {
        let Entry { field, value } = *entry;
        // 0.0.0.0 is the original's word for "none": no address at all in ECS.
        if self.format == Format::Ecs && matches!(value, Value::Ip(IpAddr::V4(a)) if a.is_unspecified()) {
            return;
        }
        key(out, field.quoted_in(self.format).as_bytes());
        match value {
            // Most counts of most records.
            Value::Num(n) if n < 10 && !self.numbers => out.extend_from_slice(&[b'"', b'0' | n as u8, b'"']),
            Value::Text(..) | Value::Word(_) => {
                let text = record.bytes(value);
                if self.format == Format::Ecs && matches!(field.ty, Type::IpList | Type::WordList) {
                    list(out, text);
                } else {
                    json::string(out, text);
                }
            }
            Value::Name([nano, standard]) => {
                let name = if self.format == Format::Nano { nano } else { standard };
                json::string(out, name.as_bytes());
            }
            _ => {
                let bare = self.numbers && self.is_number(field.ty);
                if !bare {
                    out.push(b'"');
                }
                match value {
                    Value::Num(n) => digits::int(out, n),
                    Value::Int(n) => digits::signed(out, n),
                    Value::Nanos(n) => digits::millis(out, n),
                    Value::Hundredths(n) => digits::hundredths(out, n),
                    Value::Ip(a) => digits::ip(out, a),
                    Value::Mac(a) => digits::mac(out, a, self.format == Format::Ecs),
                    Value::Time(t) => self.time(clock, out, field.ty, t),
                    Value::Text(..) | Value::Word(_) | Value::Name(_) => {}
                }
                if !bare {
                    out.push(b'"');
                }
            }
        }
    }

    /// Is a value of this type a JSON number where numbers are?
    #[inline]
    fn is_number(self, ty: Type) -> bool {
        match ty {
            Type::Count | Type::Bytes | Type::Millis | Type::Hundredths | Type::Port => true,
            Type::EpochTime => self.format != Format::Ecs,
            _ => false,
        }
    }

    #[inline]
    fn time(self, clock: &mut Clock, out: &mut Vec<u8>, ty: Type, t: Timestamp) {
        match ty {
            _ if self.format == Format::Ecs => clock::iso(out, t),
            Type::EpochTime => clock::epoch_micros(out, t),
            Type::LocalSeconds => clock.local(out, t),
            _ => clock.local_millis(out, t),
        }
    }
}

/// Appends a key. Two copies of one size, the second to the end, need no call of `memcpy`.
#[inline]
fn key(out: &mut Vec<u8>, key: &[u8]) {
    #[inline]
    fn twice<const N: usize>(out: &mut Vec<u8>, key: &[u8]) -> Option<()> {
        let (first, last) = (key.first_chunk::<N>()?, key.last_chunk::<N>()?);
        let second = out.len().saturating_add(key.len()).saturating_sub(N);
        out.extend_from_slice(first);
        out.truncate(second);
        out.extend_from_slice(last);
        Some(())
    }
    match key.len() {
        8..=16 => twice::<8>(out, key).unwrap_or(()),
        17..=32 => twice::<16>(out, key).unwrap_or(()),
        _ => out.extend_from_slice(key),
    }
}

/// A comma list as a JSON array.
fn list(out: &mut Vec<u8>, text: &[u8]) {
    let mut separator = b'[';
    for item in text.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|i| !i.is_empty()) {
        out.push(separator);
        json::string(out, item);
        separator = b',';
    }
    if separator == b'[' {
        out.push(b'[');
    }
    out.push(b']');
}

#[cfg(test)]
mod tests;
