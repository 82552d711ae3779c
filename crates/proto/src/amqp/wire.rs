//! Frames, methods and content headers (AMQP 0-9-1 sections 2.3.5, 4.2): bytes to facts, no state.

use base::{Direction, Reader, Short};

/// Type, channel and size in front of a frame's payload.
pub(super) const HEADER: usize = 7;
/// What a frame has beside its payload: the header and the end octet.
pub(super) const AROUND: usize = 8;
/// The octet that ends every frame.
pub(super) const END: u8 = 0xce;
/// A protocol header.
pub(super) const GREETING: usize = 8;
/// The largest payload that is believed before the two sides have agreed on one: far above RabbitMQ's 128 KiB.
pub(super) const LARGEST: u32 = 16 << 20;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Method,
    Header,
    Body,
    Heartbeat,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) kind: FrameKind,
    pub(super) channel: u16,
    /// Bytes of payload.
    pub(super) size: u32,
}

/// The beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Is(FrameHead),
    /// More bytes are needed.
    Short,
    /// No frame begins so.
    None,
}

impl FrameHead {
    /// Reads one. `largest`: no payload is larger.
    pub(super) fn parse(bytes: &[u8], largest: u32) -> Head {
        let Some((&[kind, c1, c0, s3, s2, s1, s0], _)) = bytes.split_first_chunk::<HEADER>() else {
            return match bytes {
                [] | [1..=3 | 8, ..] => Head::Short,
                _ => Head::None,
            };
        };
        let channel = u16::from_be_bytes([c1, c0]);
        let size = u32::from_be_bytes([s3, s2, s1, s0]);
        let (kind, fits) = match kind {
            1 => (FrameKind::Method, size >= 4),
            // Contents are never on channel 0, which is the connection's.
            2 => (FrameKind::Header, size >= 14 && channel != 0),
            3 => (FrameKind::Body, channel != 0),
            8 => (FrameKind::Heartbeat, size == 0 && channel == 0),
            _ => return Head::None,
        };
        if !fits || size > largest {
            return Head::None;
        }
        Head::Is(FrameHead { kind, channel, size })
    }

    /// Bytes of the whole frame.
    pub(super) fn total(self) -> usize {
        (self.size as usize).saturating_add(AROUND)
    }
}

/// Who sends a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
    Both,
}

/// The arguments of a method as they lie: `o` octet or bits, `s` short, `l` long, `L` long long, `S` short
/// string, `X` long string, `T` table.
type Layout = &'static [u8];

/// What is done with a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A request that is told; the server answers unless told not to by this bit of its octet.
    Ask(u8),
    /// The answer of one that is told.
    Answer,
    /// Told, content follows.
    Publish,
    Deliver,
    Return,
    Get,
    GetOk,
    GetEmpty,
    /// Publisher confirms come so.
    Ack,
    Nack,
    Close,
    CloseOk,
    StartOk,
    Tune,
    TuneOk,
    Blocked,
    ChannelOpen,
    /// Of no interest.
    Pass,
}

/// One method of the specification.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) class: u16,
    pub(super) id: u16,
    pub(super) class_name: &'static str,
    pub(super) name: &'static str,
    pub(super) from: Sender,
    pub(super) role: Role,
    layout: Layout,
}

macro_rules! methods {
    ($($class:literal $cname:literal { $($id:literal $name:literal $from:ident $layout:literal $role:expr;)* })*) => {
        /// Every method of the specification and of RabbitMQ's extensions; those of each message come first.
        static METHODS: &[Method] = &[$($(Method {
            class: $class, id: $id, class_name: $cname, name: $name, from: Sender::$from, role: $role, layout: $layout,
        },)*)*];
    };
}

/// Such a request cannot be sent without wanting an answer.
const ALWAYS: Role = Role::Ask(0);

methods! {
    60 "basic" {
        40 "publish" Client b"sSSo" Role::Publish;
        60 "deliver" Server b"SLoSS" Role::Deliver;
        80 "ack" Both b"Lo" Role::Ack;
        70 "get" Client b"sSo" Role::Get;
        71 "get-ok" Server b"LoSSl" Role::GetOk;
        72 "get-empty" Server b"S" Role::GetEmpty;
        120 "nack" Both b"Lo" Role::Nack;
        90 "reject" Client b"Lo" Role::Pass;
        50 "return" Server b"sSSS" Role::Return;
        20 "consume" Client b"sSSoT" Role::Ask(8);
        21 "consume-ok" Server b"S" Role::Answer;
        30 "cancel" Both b"So" Role::Ask(1);
        31 "cancel-ok" Both b"S" Role::Answer;
        10 "qos" Client b"lso" Role::Pass;
        11 "qos-ok" Server b"" Role::Pass;
        100 "recover-async" Client b"o" Role::Pass;
        110 "recover" Client b"o" Role::Pass;
        111 "recover-ok" Server b"" Role::Pass;
    }
    10 "connection" {
        10 "start" Server b"ooTXX" Role::Pass;
        11 "start-ok" Client b"TSXS" Role::StartOk;
        20 "secure" Server b"X" Role::Pass;
        21 "secure-ok" Client b"X" Role::Pass;
        30 "tune" Server b"sls" Role::Tune;
        31 "tune-ok" Client b"sls" Role::TuneOk;
        40 "open" Client b"SSo" ALWAYS;
        41 "open-ok" Server b"S" Role::Answer;
        50 "close" Both b"sSss" Role::Close;
        51 "close-ok" Both b"" Role::CloseOk;
        60 "blocked" Server b"S" Role::Blocked;
        61 "unblocked" Server b"" Role::Blocked;
        70 "update-secret" Client b"XS" Role::Pass;
        71 "update-secret-ok" Server b"" Role::Pass;
    }
    20 "channel" {
        10 "open" Client b"S" Role::ChannelOpen;
        11 "open-ok" Server b"X" Role::Pass;
        20 "flow" Both b"o" Role::Pass;
        21 "flow-ok" Both b"o" Role::Pass;
        40 "close" Both b"sSss" Role::Close;
        41 "close-ok" Both b"" Role::CloseOk;
    }
    30 "access" {
        10 "request" Client b"So" Role::Pass;
        11 "request-ok" Server b"s" Role::Pass;
    }
    40 "exchange" {
        10 "declare" Client b"sSSoT" Role::Ask(16);
        11 "declare-ok" Server b"" Role::Answer;
        20 "delete" Client b"sSo" Role::Ask(2);
        21 "delete-ok" Server b"" Role::Answer;
        30 "bind" Client b"sSSSoT" Role::Ask(1);
        31 "bind-ok" Server b"" Role::Answer;
        40 "unbind" Client b"sSSSoT" Role::Ask(1);
        51 "unbind-ok" Server b"" Role::Answer;
    }
    50 "queue" {
        10 "declare" Client b"sSoT" Role::Ask(16);
        11 "declare-ok" Server b"Sll" Role::Answer;
        20 "bind" Client b"sSSSoT" Role::Ask(1);
        21 "bind-ok" Server b"" Role::Answer;
        50 "unbind" Client b"sSSST" ALWAYS;
        51 "unbind-ok" Server b"" Role::Answer;
        30 "purge" Client b"sSo" Role::Ask(1);
        31 "purge-ok" Server b"l" Role::Answer;
        40 "delete" Client b"sSo" Role::Ask(4);
        41 "delete-ok" Server b"l" Role::Answer;
    }
    85 "confirm" {
        10 "select" Client b"o" Role::Ask(1);
        11 "select-ok" Server b"" Role::Answer;
    }
    90 "tx" {
        10 "select" Client b"" ALWAYS;
        11 "select-ok" Server b"" Role::Answer;
        20 "commit" Client b"" ALWAYS;
        21 "commit-ok" Server b"" Role::Answer;
        30 "rollback" Client b"" ALWAYS;
        31 "rollback-ok" Server b"" Role::Answer;
    }
}

impl Method {
    /// By class and number.
    pub(super) fn of(class: u16, id: u16) -> Option<&'static Method> {
        METHODS.iter().find(|m| m.id == id && m.class == class)
    }

    /// The number of the request of this class that this answers.
    pub(super) fn answers(&self) -> u16 {
        match (self.class, self.id) {
            (40, 51) => 40,
            (60, 72) => 70,
            (_, id) => id.wrapping_sub(1),
        }
    }

    /// May this side send it?
    pub(super) fn is_from(&self, dir: Direction) -> bool {
        match self.from {
            Sender::Both => true,
            Sender::Client => dir == Direction::ToServer,
            Sender::Server => dir == Direction::ToClient,
        }
    }

    /// Its arguments, or as many of them as there are.
    pub(super) fn args<'a>(&self, bytes: &'a [u8]) -> Args<'a> {
        let mut args = Args::default();
        args.whole = self.fill(&mut args, bytes).is_ok();
        args
    }

    fn fill<'a>(&self, args: &mut Args<'a>, bytes: &'a [u8]) -> Result<(), Short> {
        let mut r = Reader::new(bytes);
        let (mut texts, mut shorts) = (0, 0);
        for kind in self.layout {
            match kind {
                b'o' => args.bits = r.u8("bits")?,
                b's' => {
                    let n = r.be16("short")?;
                    if let Some(slot) = args.shorts.get_mut(shorts) {
                        (*slot, shorts) = (n, shorts.saturating_add(1));
                    }
                }
                b'l' => args.long = r.be32("long")?,
                b'L' => args.tag = r.be64("tag")?,
                b'S' => {
                    let n = usize::from(r.u8("string")?);
                    let text = r.take(n, "string")?;
                    if let Some(slot) = args.texts.get_mut(texts) {
                        (*slot, texts) = (text, texts.saturating_add(1));
                    }
                }
                // Tables are not wanted, and the long strings that are come last.
                _ => {
                    let n = r.be32("long string")? as usize;
                    args.long_text = r.take(n, "long string")?;
                }
            }
        }
        args.rest = r.left();
        Ok(())
    }
}

/// The arguments of a method, in the order of their kinds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Args<'a> {
    pub(super) texts: [&'a [u8]; 4],
    pub(super) shorts: [u16; 3],
    /// The last long.
    pub(super) long: u32,
    /// The delivery tag.
    pub(super) tag: u64,
    /// The last octet: mostly flags.
    pub(super) bits: u8,
    /// The last long string or table.
    pub(super) long_text: &'a [u8],
    /// Bytes behind the arguments: none in a method as specified.
    pub(super) rest: usize,
    /// All arguments were there.
    pub(super) whole: bool,
}

/// Class and number in front of a method's arguments.
pub(super) fn method_id(payload: &[u8]) -> Option<(u16, u16, &[u8])> {
    let (&[c1, c0, m1, m0], args) = payload.split_first_chunk::<4>()?;
    Some((u16::from_be_bytes([c1, c0]), u16::from_be_bytes([m1, m0]), args))
}

/// What a content header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ContentHead<'a> {
    /// Bytes of content.
    pub(super) size: u64,
    pub(super) content_type: &'a [u8],
    pub(super) encoding: &'a [u8],
}

/// Reads a content header: only messages (class basic) have one.
pub(super) fn content_head(payload: &[u8]) -> Option<ContentHead<'_>> {
    let mut r = Reader::new(payload);
    let (60, 0) = (r.be16("class").ok()?, r.be16("weight").ok()?) else { return None };
    let mut head = ContentHead { size: r.be64("size").ok()?, ..ContentHead::default() };
    let flags = r.be16("flags").ok()?;
    // More words of flags would stand in front of the properties: the class has 14.
    if flags & 1 == 0 {
        for (bit, slot) in [(0x8000, &mut head.content_type), (0x4000, &mut head.encoding)] {
            if flags & bit != 0
                && let Ok(n) = r.u8("length")
                && let Ok(text) = r.take(usize::from(n), "property")
            {
                *slot = text;
            }
        }
    }
    Some(head)
}

/// What a protocol header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 0-8, 0-9 or 0-9-1, which share their frames.
    Ours,
    /// 0-10, or 1.0 with or without its security layers.
    Other,
}

/// The version of a protocol header; `None` when it is none.
pub(super) fn version(bytes: &[u8]) -> Option<Version> {
    let (head, _) = bytes.split_first_chunk::<GREETING>()?;
    match head.strip_prefix(b"AMQP")? {
        [0, 0, 9, 1] | [1, 1, 0 | 8, 0 | 9] | [1, 1, 9, 1] => Some(Version::Ours),
        [0 | 2 | 3, 1, 0, 0] | [1, 1, 0, 10] => Some(Version::Other),
        _ => None,
    }
}

/// The user of a login, where the mechanism tells it. What follows it in the response is the password: never told.
pub(super) fn user<'a>(mechanism: &[u8], response: &'a [u8]) -> Option<&'a [u8]> {
    match mechanism {
        // RFC 4616: for whom, who, password.
        b"PLAIN" => response.split(|b| *b == 0).nth(1),
        b"AMQPLAIN" => {
            let mut r = Reader::new(response);
            while let Ok(n) = r.u8("key") {
                let key = r.take(usize::from(n), "key").ok()?;
                let b'S' = r.u8("type").ok()? else { return None };
                let n = r.be32("value").ok()? as usize;
                let value = r.take(n, "value").ok()?;
                if key == b"LOGIN" {
                    return Some(value);
                }
            }
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    #[test]
    fn frame_headers() {
        //                                   type, channel, size
        let head = FrameHead::parse(&[1, 0, 1, 0, 0, 0, 5, 0, 20], LARGEST);
        let Head::Is(head) = head else { panic!("{head:?}") };
        assert_eq!((head.kind, head.channel, head.size, head.total()), (FrameKind::Method, 1, 5, 13));
        assert_eq!(FrameHead::parse(&[1, 0, 1, 0, 0, 0], LARGEST), Head::Short);
        for bad in [
            [0, 0, 1, 0, 0, 0, 5], // no such type
            [4, 0, 0, 0, 0, 0, 0],
            [1, 0, 1, 0, 0, 0, 3], // too short for a method
            [3, 0, 0, 0, 0, 0, 5], // content on channel 0
            [8, 0, 0, 0, 0, 0, 1], // a heartbeat says nothing
            [3, 0, 1, 2, 0, 0, 0], // larger than agreed
        ] {
            assert_eq!(FrameHead::parse(&bad, LARGEST), Head::None, "{bad:?}");
        }
        assert_eq!(FrameHead::parse(b"G", LARGEST), Head::None, "at the first byte");
    }

    #[test]
    fn methods_are_known_by_number_and_side() {
        let m = Method::of(60, 40).unwrap();
        assert_eq!((m.class_name, m.name), ("basic", "publish"));
        assert!(m.is_from(ToServer) && !m.is_from(ToClient));
        assert!(Method::of(60, 41).is_none());
        for m in METHODS.iter().filter(|m| matches!(m.role, Role::Answer | Role::GetOk | Role::GetEmpty)) {
            let asked = Method::of(m.class, m.answers()).expect(m.name);
            assert!(m.name.starts_with(asked.name), "{} answers {}", m.name, asked.name);
        }
        for (i, m) in METHODS.iter().enumerate() {
            assert!(METHODS[..i].iter().all(|o| (o.class, o.id) != (m.class, m.id)), "{} twice", m.name);
        }
    }

    #[test]
    fn arguments_in_order() {
        // ticket 0, exchange "ex", routing key "k", mandatory
        let a = Method::of(60, 40).unwrap().args(b"\0\0\x02ex\x01k\x01");
        assert_eq!((a.texts[0], a.texts[1], a.bits, a.rest, a.whole), (&b"ex"[..], &b"k"[..], 1, 0, true));
        // consumer "c", delivery tag 7, not redelivered, exchange "", key "q"
        let a = Method::of(60, 60).unwrap().args(b"\x01c\0\0\0\0\0\0\0\x07\0\0\x01q");
        assert_eq!((a.texts[0], a.tag, a.texts[1], a.texts[2]), (&b"c"[..], 7, &b""[..], &b"q"[..]));
        // 404 "NOT_FOUND", caused by queue.declare
        let a = Method::of(20, 40).unwrap().args(b"\x01\x94\x09NOT_FOUND\0\x32\0\x0a");
        assert_eq!((a.shorts, a.texts[0]), ([404, 50, 10], &b"NOT_FOUND"[..]));
        assert!(!Method::of(60, 40).unwrap().args(b"\0\0\x09ex").whole, "a string beyond the end");
        assert!(!Method::of(50, 10).unwrap().args(b"\0\0\0\0\xff\xff\xff\xff").whole, "a table beyond it");
    }

    #[test]
    fn content_headers() {
        // class 60, weight 0, 5 bytes, content-type and encoding and delivery mode
        let head = content_head(b"\0\x3c\0\0\0\0\0\0\0\0\0\x05\xd0\0\x0atext/plain\x04gzip\x02").unwrap();
        assert_eq!((head.size, head.content_type, head.encoding), (5, &b"text/plain"[..], &b"gzip"[..]));
        let head = content_head(b"\0\x3c\0\0\0\0\0\0\0\0\0\x05\x10\0\x02").unwrap();
        assert_eq!((head.size, head.content_type), (5, &b""[..]));
        assert_eq!(content_head(b"\0\x32\0\0\0\0\0\0\0\0\0\x05\0\0"), None, "class queue");
    }

    #[test]
    fn versions() {
        assert_eq!(version(b"AMQP\0\0\x09\x01"), Some(Version::Ours));
        assert_eq!(version(b"AMQP\x01\x01\0\x09"), Some(Version::Ours));
        assert_eq!(version(b"AMQP\x03\x01\0\0"), Some(Version::Other));
        assert_eq!(version(b"AMQP/1.1"), None);
    }

    #[test]
    fn users_without_their_passwords() {
        assert_eq!(user(b"PLAIN", b"\0guest\0secret"), Some(&b"guest"[..]));
        assert_eq!(user(b"PLAIN", b"noseparator"), None);
        let response = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x06secret";
        assert_eq!(user(b"AMQPLAIN", response), Some(&b"guest"[..]));
        let turned = b"\x08PASSWORDS\0\0\0\x06secret\x05LOGINS\0\0\0\x05guest";
        assert_eq!(user(b"AMQPLAIN", turned), Some(&b"guest"[..]));
        assert_eq!(user(b"AMQPLAIN", b"\x05LOGINS\xff\xff\xff\xffguest"), None);
        assert_eq!(user(b"EXTERNAL", b"guest"), None);
    }
}
