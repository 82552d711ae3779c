//! Messages, names and resource records on the wire: RFC 1035 sections 3.2 and 4, RFC 6891 (EDNS).
//!
//! Names are compressed by pointers to earlier octets. A pointer is followed only to an offset
//! before the run of labels that it ends, so every chain ends; names are held in 255 octets.

use base::{Reader, Seed, Short};
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hasher};

/// Octets of a name with its length octets and the root: RFC 1035 section 2.3.4.
const MAX_NAME: usize = 255;
/// Pointers in one name. A name has at most 127 labels; more pointers than that serve no sender.
const MAX_POINTERS: u32 = 127;
/// Octets of a header.
pub(super) const HEADER: usize = 12;
/// Octets of the shortest message that asks something: header, root name, type, class.
pub(super) const SHORTEST: usize = HEADER + 5;

/// What is wrong with a message: the name of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad(pub(super) &'static str);

impl From<Short> for Bad {
    fn from(s: Short) -> Bad {
        Bad(s.0)
    }
}

/// Opcodes, RFC 1035 section 4.1.1 and the IANA registry.
pub(super) mod opcode {
    /// A standard query.
    pub(in super::super) const QUERY: u8 = 0;
    /// A zone has changed, RFC 1996.
    pub(in super::super) const NOTIFY: u8 = 4;
    /// Change a zone, RFC 2136.
    pub(in super::super) const UPDATE: u8 = 5;
}

/// Types that the parser itself looks at.
pub(super) mod rtype {
    pub(in super::super) const A: u16 = 1;
    pub(in super::super) const SOA: u16 = 6;
    pub(in super::super) const AAAA: u16 = 28;
    pub(in super::super) const OPT: u16 = 41;
    pub(in super::super) const IXFR: u16 = 251;
    pub(in super::super) const AXFR: u16 = 252;
}

/// Class Internet.
pub(super) const IN: u16 = 1;

/// A place in a message, within some part of it (the rest, or the data of a record).
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    msg: &'a [u8],
    /// The part.
    pub(super) r: Reader<'a>,
    /// Offset in `msg` of the end of the part.
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(msg: &'a [u8]) -> Cursor<'a> {
        Cursor { msg, r: Reader::new(msg), end: msg.len() }
    }

    /// Offset in the message.
    fn at(&self) -> usize {
        self.end.saturating_sub(self.r.left())
    }

    /// The next `n` octets as a part of their own.
    fn part(&mut self, n: usize, what: &'static str) -> Result<Cursor<'a>, Short> {
        let end = self.at().saturating_add(n);
        Ok(Cursor { msg: self.msg, r: self.r.sub(n, what)?, end })
    }

    /// A name, with its pointers followed.
    pub(super) fn name(&mut self) -> Result<Name, Bad> {
        let mut name = Name { octets: [0; MAX_NAME], len: 0 };
        let (mut run, mut here, mut behind) = (self.at(), self.r, None);
        let mut pointers = 0u32;
        loop {
            match here.u8("name_short")? {
                0 => break,
                n @ 1..=63 => name.push(n, here.take(usize::from(n), "name_short")?)?,
                n @ 0xc0..=0xff => {
                    let to = usize::from(u16::from_be_bytes([n & 0x3f, here.u8("name_short")?]));
                    pointers = pointers.saturating_add(1);
                    if to >= run || pointers > MAX_POINTERS {
                        return Err(Bad("name_pointer"));
                    }
                    behind.get_or_insert(here);
                    run = to;
                    here = Reader::new(self.msg.get(to..).unwrap_or_default());
                }
                _ => return Err(Bad("name_label")),
            }
        }
        self.r = behind.unwrap_or(here);
        Ok(name)
    }

    /// Moves past a name; pointers are not followed, but must point back.
    fn skip_name(&mut self) -> Result<(), Bad> {
        let (start, mut octets) = (self.at(), 1usize);
        loop {
            match self.r.u8("name_short")? {
                0 => return Ok(()),
                n @ 1..=63 => {
                    octets = octets.saturating_add(usize::from(n)).saturating_add(1);
                    if octets > MAX_NAME {
                        return Err(Bad("name_long"));
                    }
                    self.r.skip(usize::from(n), "name_short")?;
                }
                n @ 0xc0..=0xff => {
                    let to = usize::from(u16::from_be_bytes([n & 0x3f, self.r.u8("name_short")?]));
                    return if to < start { Ok(()) } else { Err(Bad("name_pointer")) };
                }
                _ => return Err(Bad("name_label")),
            }
        }
    }

    /// A question.
    fn question(&mut self) -> Result<Question, Bad> {
        let name = self.name()?;
        Ok(Question { name, qtype: self.r.be16("question_short")?, class: self.r.be16("question_short")? })
    }

    /// A resource record; its owner's name is not looked at.
    pub(super) fn rr(&mut self) -> Result<Rr<'a>, Bad> {
        self.skip_name()?;
        let rtype = self.r.be16("record_short")?;
        let class = self.r.be16("record_short")?;
        let ttl = self.r.be32("record_short")?;
        let len = self.r.be16("record_short")?;
        Ok(Rr { rtype, class, ttl, data: self.part(usize::from(len), "record_short")? })
    }
}

/// A name without pointers, as length-prefixed labels without the root's.
#[derive(Clone, Copy)]
pub(super) struct Name {
    octets: [u8; MAX_NAME],
    len: u8,
}

impl Name {
    fn push(&mut self, n: u8, label: &[u8]) -> Result<(), Bad> {
        let start = usize::from(self.len);
        let end = start.saturating_add(label.len()).saturating_add(1);
        // One octet is the root's.
        if end >= MAX_NAME {
            return Err(Bad("name_long"));
        }
        let (head, tail) =
            self.octets.get_mut(start..end).and_then(<[u8]>::split_first_mut).ok_or(Bad("name_long"))?;
        *head = n;
        tail.copy_from_slice(label);
        self.len = end as u8;
        Ok(())
    }

    /// Is the first label a name of NetBIOS, each half octet a letter (RFC 1001 section 14.1)?
    pub(super) fn is_netbios(&self) -> bool {
        let (first, label) = self.wire().split_at_checked(1).unwrap_or_default();
        first == [32] && label.iter().take(32).all(|b| matches!(b, b'A'..=b'P'))
    }

    fn wire(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The text of a name: RFC 1035 section 5.1, without the last dot; the root is `.`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut r = Reader::new(self.wire());
        if r.is_empty() {
            return f.write_char('.');
        }
        while let Ok(n) = r.u8("") {
            escaped(f, r.take_up_to(usize::from(n)), b'.')?;
            if !r.is_empty() {
                f.write_char('.')?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Octets as text of a zone file: `special` and the backslash get a backslash, what is not
/// printable ASCII (in names also the blank) becomes `\DDD`.
pub(super) fn escaped(out: &mut dyn fmt::Write, octets: &[u8], special: u8) -> fmt::Result {
    let blank = special == b'"';
    let plain = |b: u8| (b.is_ascii_graphic() && b != special && b != b'\\') || (blank && b == b' ');
    let mut rest = octets;
    while !rest.is_empty() {
        let n = rest.iter().position(|b| !plain(*b)).unwrap_or(rest.len());
        let (run, tail) = rest.split_at_checked(n).unwrap_or((rest, &[]));
        out.write_str(std::str::from_utf8(run).unwrap_or_default())?;
        rest = tail;
        if let Some((b, tail)) = rest.split_first() {
            if b.is_ascii_graphic() {
                write!(out, "\\{}", char::from(*b))?;
            } else {
                write!(out, "\\{b:03}")?;
            }
            rest = tail;
        }
    }
    Ok(())
}

/// A question: RFC 1035 section 4.1.2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// Name asked for.
    pub(super) name: Name,
    /// Type asked for.
    pub(super) qtype: u16,
    /// Class.
    pub(super) class: u16,
}

impl Question {
    /// A hash by which an answer finds its query; letter case does not count (RFC 4343).
    pub(super) fn hash(&self) -> u64 {
        let mut lower = self.name;
        lower.octets.iter_mut().take(usize::from(lower.len)).for_each(u8::make_ascii_lowercase);
        let mut h = Seed::default().build_hasher();
        h.write(lower.wire());
        h.write_u32(u32::from(self.qtype) << 16 | u32::from(self.class));
        h.finish()
    }
}

/// A resource record: RFC 1035 section 4.1.3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rr<'a> {
    /// Type.
    pub(super) rtype: u16,
    /// Class; of OPT the sender's UDP payload size.
    pub(super) class: u16,
    /// Time to live in seconds; of OPT extended RCODE, version and flags.
    pub(super) ttl: u32,
    /// Its data.
    pub(super) data: Cursor<'a>,
}

/// A header: RFC 1035 section 4.1.1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Copied from the query into the answer.
    pub(super) id: u16,
    flags: u16,
    /// Questions, answers, authority records, additional records.
    pub(super) counts: [u16; 4],
}

impl Header {
    pub(super) fn parse(r: &mut Reader<'_>) -> Result<Header, Short> {
        let id = r.be16("header_short")?;
        let flags = r.be16("header_short")?;
        let mut counts = [0; 4];
        for c in &mut counts {
            *c = r.be16("header_short")?;
        }
        Ok(Header { id, flags, counts })
    }

    /// QR: an answer.
    pub(super) fn is_answer(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) fn opcode(&self) -> u8 {
        (self.flags >> 11) as u8 & 15
    }

    /// RD: recursion desired (in LLMNR: tentative).
    pub(super) fn recursion_desired(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// The reserved bit.
    pub(super) fn z(&self) -> bool {
        self.flags & 0x0040 != 0
    }

    /// The lower four bits of the response code.
    pub(super) fn rcode(&self) -> u16 {
        self.flags & 15
    }
}

/// A message as far as its first question; the records behind are read on demand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// The header.
    pub(super) header: Header,
    /// The first question. More than one has no meaning in practice (RFC 9619).
    pub(super) question: Option<Question>,
    /// Where the answers begin.
    records: Cursor<'a>,
}

/// What all sections together say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Survey<'a> {
    /// Response code with the extension of EDNS.
    pub(super) rcode: u16,
    /// The answer section has an address.
    pub(super) addresses: bool,
    /// The answer section has something else.
    pub(super) others: bool,
    /// Whole records of the answer section.
    pub(super) answers: u16,
    /// Why not all records could be read.
    pub(super) bad: Option<Bad>,
    /// Octets behind the last record.
    pub(super) trailing: &'a [u8],
}

impl<'a> Message<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Message<'a>, Bad> {
        let mut at = Cursor::new(bytes);
        let header = Header::parse(&mut at.r)?;
        let [questions, ..] = header.counts;
        let question = if questions > 0 { Some(at.question()?) } else { None };
        for _ in 1..questions {
            at.skip_name()?;
            at.r.skip(4, "question_short")?;
        }
        Ok(Message { header, question, records: at })
    }

    /// Reads all records once: every message is walked to its end, so that what is malformed
    /// is known before anything of it is told.
    pub(super) fn survey(&self) -> Survey<'a> {
        let mut s = Survey { rcode: self.header.rcode(), ..Survey::default() };
        let mut at = self.records;
        let [_, counts @ ..] = self.header.counts;
        for (section, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                let rr = match at.rr() {
                    Ok(rr) => rr,
                    Err(bad) => {
                        s.bad = Some(bad);
                        return s;
                    }
                };
                if section == 0 {
                    s.answers = s.answers.saturating_add(1);
                    if rr.address().is_some() {
                        s.addresses = true;
                    } else {
                        s.others = true;
                    }
                } else if rr.rtype == rtype::OPT && section == 2 {
                    s.rcode |= (rr.ttl >> 20) as u16 & 0x0ff0;
                }
            }
        }
        s.trailing = at.r.rest();
        s
    }

    /// The whole records of the answer section.
    pub(super) fn answers(&self) -> impl Iterator<Item = Rr<'a>> {
        let [_, count, ..] = self.header.counts;
        let mut at = self.records;
        (0..count).map_while(move |_| at.rr().ok())
    }
}

impl Rr<'_> {
    /// Its address, when it is one.
    pub(super) fn address(&self) -> Option<std::net::IpAddr> {
        let data = self.data.r.rest();
        match (self.class, self.rtype) {
            (IN, rtype::A) => <[u8; 4]>::try_from(data).ok().map(Into::into),
            (IN, rtype::AAAA) => <[u8; 16]>::try_from(data).ok().map(Into::into),
            _ => None,
        }
    }
}

macro_rules! names {
    ($($n:literal $name:literal)*) => {
        &[$(($n, $name)),*]
    };
}

/// The IANA registry "Resource Record (RR) TYPEs", ordered by number.
static TYPES: &[(u16, &str)] = names! {
    1 "A" 2 "NS" 3 "MD" 4 "MF" 5 "CNAME" 6 "SOA" 7 "MB" 8 "MG" 9 "MR" 10 "NULL" 11 "WKS" 12 "PTR"
    13 "HINFO" 14 "MINFO" 15 "MX" 16 "TXT" 17 "RP" 18 "AFSDB" 19 "X25" 20 "ISDN" 21 "RT" 22 "NSAP"
    23 "NSAP-PTR" 24 "SIG" 25 "KEY" 26 "PX" 27 "GPOS" 28 "AAAA" 29 "LOC" 30 "NXT" 31 "EID"
    32 "NIMLOC" 33 "SRV" 34 "ATMA" 35 "NAPTR" 36 "KX" 37 "CERT" 38 "A6" 39 "DNAME" 40 "SINK" 41 "OPT"
    42 "APL" 43 "DS" 44 "SSHFP" 45 "IPSECKEY" 46 "RRSIG" 47 "NSEC" 48 "DNSKEY" 49 "DHCID" 50 "NSEC3"
    51 "NSEC3PARAM" 52 "TLSA" 53 "SMIMEA" 55 "HIP" 56 "NINFO" 57 "RKEY" 58 "TALINK" 59 "CDS"
    60 "CDNSKEY" 61 "OPENPGPKEY" 62 "CSYNC" 63 "ZONEMD" 64 "SVCB" 65 "HTTPS" 66 "DSYNC" 67 "HHIT"
    68 "BRID" 99 "SPF" 100 "UINFO" 101 "UID" 102 "GID" 103 "UNSPEC" 104 "NID" 105 "L32" 106 "L64"
    107 "LP" 108 "EUI48" 109 "EUI64" 128 "NXNAME" 249 "TKEY" 250 "TSIG" 251 "IXFR" 252 "AXFR"
    253 "MAILB" 254 "MAILA" 255 "ANY" 256 "URI" 257 "CAA" 258 "AVC" 259 "DOA" 260 "AMTRELAY"
    261 "RESINFO" 262 "WALLET" 263 "CLA" 264 "IPN" 32768 "TA" 32769 "DLV"
};

/// The IANA registry "DNS RCODEs" (16 is BADVERS here: BADSIG occurs only inside TSIG records).
static RCODES: &[(u16, &str)] = names! {
    0 "NOERROR" 1 "FORMERR" 2 "SERVFAIL" 3 "NXDOMAIN" 4 "NOTIMP" 5 "REFUSED" 6 "YXDOMAIN" 7 "YXRRSET"
    8 "NXRRSET" 9 "NOTAUTH" 10 "NOTZONE" 11 "DSOTYPENI" 16 "BADVERS" 17 "BADKEY" 18 "BADTIME"
    19 "BADMODE" 20 "BADNAME" 21 "BADALG" 22 "BADTRUNC" 23 "BADCOOKIE"
};

fn find(table: &'static [(u16, &'static str)], n: u16) -> Option<&'static str> {
    let at = table.binary_search_by_key(&n, |row| row.0).ok()?;
    table.get(at).map(|row| row.1)
}

/// The name of a type.
pub(super) fn type_name(n: u16) -> Option<&'static str> {
    find(TYPES, n)
}

/// The name of a response code.
pub(super) fn rcode_name(n: u16) -> Option<&'static str> {
    find(RCODES, n)
}

/// Writes the name of a type, `TYPEnnn` when it has none (RFC 3597 section 5).
pub(super) fn write_type(out: &mut dyn fmt::Write, n: u16) -> fmt::Result {
    match type_name(n) {
        Some(name) => out.write_str(name),
        None => write!(out, "TYPE{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(msg: &[u8], at: usize) -> Result<String, Bad> {
        let mut c = Cursor::new(msg);
        c.r.skip(at, "").unwrap();
        c.name().map(|n| n.to_string())
    }

    #[test]
    fn tables_are_in_order_so_that_they_can_be_searched() {
        for table in [TYPES, RCODES] {
            assert!(table.windows(2).all(|w| w[0].0 < w[1].0));
        }
        assert_eq!((type_name(65), type_name(54), rcode_name(23)), (Some("HTTPS"), None, Some("BADCOOKIE")));
    }

    #[test]
    fn names_are_followed_back_only() {
        // 0: 3www, 4: 2de, 7: root; 8: 1a then pointer to 4; 12: pointer to 8; 14: to itself
        let msg = b"\x03www\x02de\0\x01a\xc0\x04\xc0\x08\xc0\x0e";
        assert_eq!(name(msg, 0).unwrap(), "www.de");
        assert_eq!(name(msg, 8).unwrap(), "a.de");
        assert_eq!(name(msg, 12).unwrap(), "a.de");
        assert_eq!(name(msg, 14), Err(Bad("name_pointer")), "to itself");
        assert_eq!(name(b"\xc0\x02\xc0\x00", 0), Err(Bad("name_pointer")), "forward");
        // The pointer at 2 leads to 0, whose run of labels runs into that pointer again.
        assert_eq!(name(b"\x01a\xc0\x00", 0), Err(Bad("name_pointer")), "into its own run");
        assert_eq!(name(b"\x01a\xc0\x00", 2), Err(Bad("name_pointer")));
        assert_eq!(name(b"\x40a", 0), Err(Bad("name_label")));
        assert_eq!(name(b"\x05ab", 0), Err(Bad("name_short")));
    }

    #[test]
    fn names_are_held_in_255_octets() {
        let label = [&[63u8][..], &[b'x'; 63]].concat();
        let mut wire = label.repeat(3);
        wire.extend_from_slice(&[&[61u8][..], &[b'y'; 61], &[0]].concat());
        assert_eq!(wire.len(), 255);
        assert_eq!(name(&wire, 0).unwrap().len(), 253);
        wire[192] = 62;
        wire.insert(200, b'y');
        assert_eq!(name(&wire, 0), Err(Bad("name_long")));
    }

    #[test]
    fn a_long_chain_of_pointers_is_not_followed() {
        let mut msg = vec![0u8];
        let mut to = 0u16;
        for _ in 0..200 {
            let here = msg.len() as u16;
            msg.extend_from_slice(&(0xc000 | to).to_be_bytes());
            to = here;
        }
        assert_eq!(name(&msg, 1 + 2 * 126), Ok(".".into()));
        assert_eq!(name(&msg, 1 + 2 * 127), Err(Bad("name_pointer")));
    }

    #[test]
    fn odd_octets_are_escaped_and_the_root_is_a_dot() {
        assert_eq!(name(b"\0", 0).unwrap(), ".");
        assert_eq!(name(b"\x07a.b\\c \xff\x01z\0", 0).unwrap(), "a\\.b\\\\c\\032\\255.z");
        let mut s = String::new();
        escaped(&mut s, b"a \"q\" \n", b'"').unwrap();
        assert_eq!(s, "a \\\"q\\\" \\010");
    }
}
