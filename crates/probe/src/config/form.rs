//! What values look like: the check of a value, and the types that structured ones become.

use capture::filter;
use capture::ring::Interfaces;
use engine::NetFilter;
use export::Chunking;
use proto::ProtoId;
use record::Redactor;

/// What the value of a key looks like.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Text; the words say what of.
    Text(&'static str),
    /// Text that is never shown.
    Secret,
    /// Anything at all.
    Any,
    /// Any value means yes.
    Present,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number, from and to.
    Number(u64, u64),
    /// A multiple of 100, from and to.
    Hundreds(u64, u64),
    /// A syntax of its own: what is expected, and a check that tells what was wrong.
    Syntax(&'static str, fn(&str) -> Result<(), String>),
}

/// Yes or no.
pub const SWITCH: Form = Form::Words(&["0", "1"]);
/// See [`Interfaces`].
pub const DEVICES: Form =
    Form::Syntax("`any`, or names of interfaces in a comma list, `!name` to leave one out", |v| {
        v.parse::<Interfaces>().map(drop).map_err(|e| e.to_string())
    });
/// See [`NetFilter`].
pub const NETS: Form =
    Form::Syntax(NetFilter::SYNTAX, |v| NetFilter::parse(v).map(drop).map_err(|e| e.to_string()));
/// See [`capture::filter`]. Compiled for Ethernet as it is captured live, where a filter may ask
/// the kernel (`inbound`); files know less, and are told apart when they are read.
pub const BPF: Form = Form::Syntax("a filter in the syntax of pcap-filter(7)", |v| {
    let live = filter::Options { kernel_vlan: true };
    filter::compile_with(v, base::LinkType::Ethernet, u32::MAX, live).map(drop).map_err(|e| e.to_string())
});
/// See [`Protocol`].
pub const PROTOCOL: Form = Form::Syntax(PROTOCOL_NAMES, |v| Protocol::parse(v).map(drop));
/// A list of [`Protocol`]s.
pub const PROTOCOLS: Form = Form::Syntax(PROTOCOL_NAMES, |v| protocols(v).map(drop));
/// See [`ProcList`].
pub const PROC_LIST: Form =
    Form::Syntax("names of processes in a comma list, or a number from 1 to 100", |v| {
        ProcList::parse(v).map(drop)
    });
/// See [`Redactor`].
pub const REDACT: Form =
    Form::Syntax("`none`, or a comma list of authorization, cookie, password, card, key:NAME", |v| {
        Redactor::new(v).map(drop)
    });
/// See [`export::Destination`].
pub const DESTINATIONS: Form =
    Form::Syntax("host:port or host:port:tcp, in a comma list", |v| export::parse_destinations(v).map(drop));
/// See [`Chunking`].
pub const CHUNK: Form =
    Form::Syntax("bytes of a datagram from 256 to 8192, or off", |v| Chunking::parse(v).map(drop));
/// See [`record::Format`].
pub const FORMAT: Form = Form::Words(&["nano", "gelf", "ecs"]);

const PROTOCOL_NAMES: &str = "the name of a protocol, such as http, mysql, dns, redis";

/// Most names in a list of interfaces, destinations, processes or keys.
const MAX_LIST: usize = 64;

/// Longest part of a value that a message repeats.
const SHOWN: usize = 60;

/// A value as messages show it.
pub(crate) fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(SHOWN).collect();
    if text.len() < value.len() {
        text.push_str("...");
    }
    format!("`{}`", text.escape_debug())
}

impl Form {
    /// Words for what is expected.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Form::Text(what) | Form::Syntax(what, _) => (*what).to_owned(),
            Form::Secret | Form::Any | Form::Present => "any value".to_owned(),
            Form::Words(words) => match words.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                _ => words.concat(),
            },
            Form::Number(least, most) => format!("a whole number from {least} to {most}"),
            Form::Hundreds(least, most) => format!("a multiple of 100 from {least} to {most}"),
        }
    }

    /// Is this a value of the form? If not, what is wrong with it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if value.contains(char::is_control) {
            return Err("it has control characters".to_owned());
        }
        let right = match self {
            Form::Text(_) | Form::Secret | Form::Any | Form::Present => true,
            Form::Words(words) => words.contains(&value),
            Form::Number(least, most) => number(value).is_some_and(|n| (*least..=*most).contains(&n)),
            Form::Hundreds(least, most) => {
                number(value).is_some_and(|n| (*least..=*most).contains(&n) && n.is_multiple_of(100))
            }
            Form::Syntax(_, check) => return check(value),
        };
        if right { Ok(()) } else { Err(format!("{} is not that", shown(value))) }
    }
}

/// A whole number without sign.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The items of a comma list without blanks and empty ones.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|i| !i.is_empty())
}

fn not_too_long<T>(list: Vec<T>) -> Result<Vec<T>, String> {
    if list.len() > MAX_LIST { Err(format!("more than {MAX_LIST} items")) } else { Ok(list) }
}

/// A protocol by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// It has a parser.
    Built(ProtoId),
    /// It is a known name, but has no parser in this version.
    Known(&'static str),
}

/// Names of protocols that the original or its successors have, whether or not they have a parser here.
const KNOWN: [&str; 23] = [
    "http",
    "mysql",
    "pgsql",
    "postgresql",
    "sqlserver",
    "mssql",
    "oracle",
    "dns",
    "redis",
    "mongo",
    "mongodb",
    "amq",
    "amqp",
    "http2",
    "grpc",
    "kafka",
    "mqtt",
    "nats",
    "tls",
    "cassandra",
    "memcached",
    "quic",
    "mariadb",
];

impl Protocol {
    /// The protocol of that name, in any case.
    ///
    /// # Errors
    /// Unknown, with the nearest known name.
    pub fn parse(name: &str) -> Result<Protocol, String> {
        if let Some(id) = ProtoId::by_name(name) {
            return Ok(Protocol::Built(id));
        }
        if let Some(known) = KNOWN.iter().find(|k| k.eq_ignore_ascii_case(name)) {
            return Ok(Protocol::Known(known));
        }
        let built = proto::PROTOCOLS.iter().flat_map(|p| p.names.iter().copied());
        Err(match super::keys::nearest(name, built.chain(KNOWN)) {
            Some(near) => format!("{} is not known; did you mean `{near}`?", shown(name)),
            None => format!("{} is not known", shown(name)),
        })
    }
}

/// A list of protocols.
///
/// # Errors
/// The first unknown one.
pub fn protocols(text: &str) -> Result<Vec<Protocol>, String> {
    not_too_long(items(text).map(Protocol::parse).collect::<Result<_, _>>()?)
}

/// `proclist`: which processes have host records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcList {
    /// Those of these names.
    Names(Vec<String>),
    /// The busiest, so many.
    Busiest(usize),
}

impl ProcList {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<ProcList, String> {
        match number(text) {
            Some(n @ 1..=100) => Ok(ProcList::Busiest(n as usize)),
            Some(_) => Err(format!("{text} is not from 1 to 100")),
            None => Ok(ProcList::Names(not_too_long(items(text).map(str::to_owned).collect())?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers() {
        assert_eq!(Form::Number(1, 9).check("9"), Ok(()));
        for wrong in ["", "0", "10", "-1", "+1", "1.0", " 1", "99999999999999999999"] {
            assert!(Form::Number(1, 9).check(wrong).is_err(), "{wrong}");
        }
        assert!(Form::Hundreds(100, 1000).check("150").is_err());
        assert_eq!(Form::Hundreds(100, 1000).check("300"), Ok(()));
        assert_eq!(Form::Words(&["a", "b", "c"]).expected(), "a, b or c");
        assert!(Form::Any.check("a\u{1b}[0m").is_err());
        assert_eq!(CHUNK.check("off"), Ok(()));
        assert!(CHUNK.check("100").is_err());
        assert_eq!(DESTINATIONS.check("log.example:12201,[::1]:5:tcp"), Ok(()));
        assert!(DESTINATIONS.check("log.example").is_err());
        assert_eq!(DEVICES.check("eth0,!lo"), Ok(()));
        assert!(DEVICES.check("eth 0").is_err());
    }

    #[test]
    fn lists_of_words() {
        assert_eq!(REDACT.check("card,key:session_id,card"), Ok(()));
        assert_eq!(REDACT.check("none"), Ok(()));
        assert!(REDACT.check("pasword").unwrap_err().contains("pasword"));
        assert_eq!(ProcList::parse("3"), Ok(ProcList::Busiest(3)));
        assert!(ProcList::parse("0").is_err());
        assert_eq!(
            ProcList::parse("nginx, my sql"),
            Ok(ProcList::Names(vec!["nginx".into(), "my sql".into()]))
        );
        assert_eq!(
            protocols("HTTP,dns").unwrap(),
            [Protocol::Built(ProtoId::Http), Protocol::Built(ProtoId::Dns)]
        );
        assert!(matches!(Protocol::parse("Oracle"), Ok(Protocol::Known(_) | Protocol::Built(_))));
        assert!(protocols("http,mysqll").unwrap_err().contains("did you mean `mysql`"));
    }
}
