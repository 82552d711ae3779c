//! Sets of ends: the syntax of `filter-net`, `drop` and `source`, and a fast membership test.
//!
//! A comma list of `IP`, `IP/mask` (prefix length, for IPv4 also dotted), `IP~IP`, `port`,
//! `port~port`, and an address part with a port: `IP:port`, `IP/mask:port`, `IP~IP:port`,
//! `[IPv6]:port`. A packet matches when one of its ends is in one of the items.
//!
//! Addresses become sorted, merged ranges, so that a test is a binary search; ports become a
//! bitmap. A test allocates nothing.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Most items of one list: far more than anybody writes by hand, little enough to sort at once.
const MAX_ITEMS: usize = 10_000;

/// An item that is not of the syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetError {
    /// The item as written.
    pub item: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.item, self.why)
    }
}

/// Addresses as sorted ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Addresses {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// A set of ports, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ports([u64; 1024]);

/// A set of ends (address and port) of packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetFilter {
    any_port: Addresses,
    ports: Option<Box<Ports>>,
    /// Addresses that are meant with one port only, sorted by port.
    by_port: Vec<(u16, Addresses)>,
}

/// A range of addresses of one family.
#[derive(Clone, Copy)]
enum Range {
    V4(u32, u32),
    V6(u128, u128),
}

impl Addresses {
    fn push(&mut self, range: Range) {
        match range {
            Range::V4(a, b) => self.v4.push((a, b)),
            Range::V6(a, b) => self.v6.push((a, b)),
        }
    }

    fn finish(&mut self) {
        merge(&mut self.v4, |a, b| a.checked_add(1).is_none_or(|next| b <= next));
        merge(&mut self.v6, |a, b| a.checked_add(1).is_none_or(|next| b <= next));
    }

    #[inline]
    fn has(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => within(&self.v4, u32::from(ip)),
            IpAddr::V6(ip) => within(&self.v6, u128::from(ip)),
        }
    }

    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

/// Sorts ranges and joins those that overlap or touch.
fn merge<T: Copy + Ord>(ranges: &mut Vec<(T, T)>, touches: impl Fn(T, T) -> bool) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let joined = touches(last.1, next.0);
        if joined {
            last.1 = last.1.max(next.1);
        }
        joined
    });
}

#[inline]
fn within<T: Copy + Ord>(ranges: &[(T, T)], x: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= x);
    after.checked_sub(1).and_then(|i| ranges.get(i)).is_some_and(|(_, last)| x <= *last)
}

impl Ports {
    fn add(&mut self, range: RangeInclusive<u16>) {
        for port in range {
            if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
                *word |= 1u64.wrapping_shl(u32::from(port));
            }
        }
    }

    #[inline]
    fn has(&self, port: u16) -> bool {
        self.0.get(usize::from(port >> 6)).is_some_and(|w| w.wrapping_shr(u32::from(port)) & 1 == 1)
    }
}

impl NetFilter {
    /// What a list looks like, for messages.
    pub const SYNTAX: &'static str =
        "a comma list of IP, IP/mask, IP~IP, port or IP:port (IPv6 with a port: [IP]:port)";

    /// Reads a list. Blanks around items do not matter, nor do empty items.
    ///
    /// # Errors
    /// The first item that is not of the syntax, and why.
    pub fn parse(text: &str) -> Result<NetFilter, NetError> {
        let mut filter = NetFilter::default();
        let mut pairs = Vec::new();
        for (n, item) in text.split(',').map(str::trim).filter(|i| !i.is_empty()).enumerate() {
            let wrong = |why| NetError { item: item.chars().take(80).collect(), why };
            if n >= MAX_ITEMS {
                return Err(wrong("the list is too long"));
            }
            match item_of(item).map_err(wrong)? {
                Item::Ports(range) => filter.add_ports(range),
                Item::Addresses(range, None) => filter.any_port.push(range),
                Item::Addresses(range, Some(port)) => pairs.push((port, range)),
            }
        }
        filter.finish(pairs);
        Ok(filter)
    }

    /// The set of exactly these ends.
    pub fn of_ends(ends: impl IntoIterator<Item = (IpAddr, u16)>) -> NetFilter {
        let mut filter = NetFilter::default();
        filter.finish(ends.into_iter().map(|(ip, port)| (port, single(ip))).collect());
        filter
    }

    fn add_ports(&mut self, range: RangeInclusive<u16>) {
        self.ports.get_or_insert_with(|| Box::new(Ports([0; 1024]))).add(range);
    }

    fn finish(&mut self, mut pairs: Vec<(u16, Range)>) {
        pairs.sort_by_key(|(port, _)| *port);
        for (port, range) in pairs {
            match self.by_port.last_mut() {
                Some((last, addresses)) if *last == port => addresses.push(range),
                _ => {
                    let mut addresses = Addresses::default();
                    addresses.push(range);
                    self.by_port.push((port, addresses));
                }
            }
        }
        self.any_port.finish();
        for (_, addresses) in &mut self.by_port {
            addresses.finish();
        }
    }

    /// Holds nothing: matches no packet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.any_port.is_empty() && self.ports.is_none() && self.by_port.is_empty()
    }

    /// Is this end in the set? Port 0 stands for a packet without ports.
    #[inline]
    #[must_use]
    pub fn has(&self, ip: IpAddr, port: u16) -> bool {
        if self.ports.as_ref().is_some_and(|p| p.has(port)) || self.any_port.has(ip) {
            return true;
        }
        match self.by_port.binary_search_by_key(&port, |(p, _)| *p) {
            Ok(i) => self.by_port.get(i).is_some_and(|(_, addresses)| addresses.has(ip)),
            Err(_) => false,
        }
    }

    /// Is one of the two ends in the set?
    #[inline]
    #[must_use]
    pub fn matches(&self, src: (IpAddr, u16), dst: (IpAddr, u16)) -> bool {
        self.has(src.0, src.1) || self.has(dst.0, dst.1)
    }
}

enum Item {
    Ports(RangeInclusive<u16>),
    Addresses(Range, Option<u16>),
}

fn item_of(item: &str) -> Result<Item, &'static str> {
    if item.bytes().all(|b| b.is_ascii_digit() || b == b'~') {
        let (first, last) = item.split_once('~').unwrap_or((item, item));
        let (first, last) = (port_of(first)?, port_of(last)?);
        return if first <= last { Ok(Item::Ports(first..=last)) } else { Err(BACKWARDS) };
    }
    if let Some(rest) = item.strip_prefix('[') {
        let (range, port) = rest.split_once(']').ok_or("`]` is missing")?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(port_of(port)?),
            None if port.is_empty() => None,
            None => return Err("after `]` only :port may follow"),
        };
        return Ok(Item::Addresses(range_of(range)?, port));
    }
    // One colon is a port behind IPv4; IPv6 addresses have at least two.
    match item.split_once(':') {
        Some((range, port)) if !port.contains(':') => {
            Ok(Item::Addresses(range_of(range)?, Some(port_of(port)?)))
        }
        _ => Ok(Item::Addresses(range_of(item)?, None)),
    }
}

const BACKWARDS: &str = "the range ends before it begins";

fn port_of(text: &str) -> Result<u16, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

fn single(ip: IpAddr) -> Range {
    match ip {
        IpAddr::V4(ip) => Range::V4(u32::from(ip), u32::from(ip)),
        IpAddr::V6(ip) => Range::V6(u128::from(ip), u128::from(ip)),
    }
}

fn ip_of(text: &str) -> Result<IpAddr, &'static str> {
    text.trim().parse().map_err(|_| "not an IP address, a port, or a range of them")
}

fn range_of(text: &str) -> Result<Range, &'static str> {
    if let Some((first, last)) = text.split_once('~') {
        return match (single(ip_of(first)?), single(ip_of(last)?)) {
            (Range::V4(a, _), Range::V4(b, _)) if a <= b => Ok(Range::V4(a, b)),
            (Range::V6(a, _), Range::V6(b, _)) if a <= b => Ok(Range::V6(a, b)),
            (Range::V4(..), Range::V4(..)) | (Range::V6(..), Range::V6(..)) => Err(BACKWARDS),
            _ => Err("a range has two addresses of one family"),
        };
    }
    let Some((ip, mask)) = text.split_once('/') else {
        return Ok(single(ip_of(text)?));
    };
    match single(ip_of(ip)?) {
        Range::V4(ip, _) => {
            let host = host_bits_v4(mask)?;
            Ok(Range::V4(ip & !host, ip | host))
        }
        Range::V6(ip, _) => {
            let bits = prefix(mask, 128).ok_or("the mask of IPv6 is a number from 0 to 128")?;
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            Ok(Range::V6(ip & !host, ip | host))
        }
    }
}

/// The bits that a mask leaves to hosts.
fn host_bits_v4(mask: &str) -> Result<u32, &'static str> {
    const WRONG: &str = "the mask of IPv4 is a number from 0 to 32, or like 255.255.255.0";
    if let Some(bits) = prefix(mask, 32) {
        return Ok(u32::MAX.checked_shr(bits).unwrap_or(0));
    }
    let host = !u32::from(mask.parse::<std::net::Ipv4Addr>().map_err(|_| WRONG)?);
    // Ones from the left without a hole: the host bits and one more are a power of two.
    if host & host.wrapping_add(1) == 0 { Ok(host) } else { Err(WRONG) }
}

fn prefix(text: &str, most: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= most)
}

/// Fuzz entry: any text is a set or an error; a set knows its own ends.
#[doc(hidden)]
pub fn fuzz_netfilter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(filter) = NetFilter::parse(text) {
        let mut ends = Vec::new();
        for (first, last) in &filter.any_port.v4 {
            ends.extend([(IpAddr::from(first.to_be_bytes()), 0), (IpAddr::from(last.to_be_bytes()), 0)]);
        }
        for (first, last) in &filter.any_port.v6 {
            ends.extend([(IpAddr::from(first.to_be_bytes()), 0), (IpAddr::from(last.to_be_bytes()), 0)]);
        }
        for (port, addresses) in &filter.by_port {
            ends.extend(addresses.v4.iter().map(|(a, _)| (IpAddr::from(a.to_be_bytes()), *port)));
        }
        assert!(ends.iter().all(|(ip, port)| filter.has(*ip, *port)), "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(list: &str, ip: &str, port: u16) -> bool {
        NetFilter::parse(list).unwrap().has(ip.parse().unwrap(), port)
    }

    #[test]
    fn every_form_of_the_syntax() {
        for (list, ip, port, want) in [
            ("10.0.0.1", "10.0.0.1", 80, true),
            ("10.0.0.1", "10.0.0.2", 80, false),
            ("10.1.2.3/8", "10.255.255.255", 0, true),
            ("10.1.2.3/8", "11.0.0.0", 0, false),
            ("10.1.0.0/255.255.0.0", "10.1.255.1", 0, true),
            ("10.1.0.0/255.255.0.0", "10.2.0.0", 0, false),
            ("0.0.0.0/0", "255.255.255.255", 0, true),
            ("0.0.0.0/0", "::1", 0, false),
            ("10.0.0.5~10.0.0.9", "10.0.0.9", 0, true),
            ("10.0.0.5~10.0.0.9", "10.0.0.10", 0, false),
            ("80", "10.0.0.5", 80, true),
            ("80", "10.0.0.5", 81, false),
            ("8000~8010", "::1", 8010, true),
            ("8000~8010", "::1", 8011, false),
            ("1~65535", "10.0.0.1", 0, false),
            ("10.0.0.1:80", "10.0.0.1", 80, true),
            ("10.0.0.1:80", "10.0.0.1", 81, false),
            ("10.0.0.1:80", "10.0.0.2", 80, false),
            ("10.0.0.0/24:80", "10.0.0.77", 80, true),
            ("10.0.0.1~10.0.0.4:80", "10.0.0.3", 80, true),
            ("2001:db8::1", "2001:db8::1", 1, true),
            ("2001:db8::/32", "2001:db8:ffff::1", 1, true),
            ("2001:db8::/32", "2001:db9::", 1, false),
            ("::/0", "ffff::", 1, true),
            ("::/0", "1.2.3.4", 1, false),
            ("fe80::1~fe80::5", "fe80::3", 1, true),
            ("[::1]:53", "::1", 53, true),
            ("[::1]:53", "::1", 54, false),
            ("[2001:db8::/32]:53", "2001:db8::9", 53, true),
            ("[::1]", "::1", 54, true),
            (" 1.1.1.1 , ,2.2.2.2,", "2.2.2.2", 0, true),
        ] {
            assert_eq!(has(list, ip, port), want, "{list} {ip}:{port}");
        }
    }

    #[test]
    fn wrong_items_are_named_with_the_reason() {
        for (list, item, why) in [
            ("1.1.1.1,host", "host", "not an IP address"),
            ("0", "0", "1 to 65535"),
            ("65536", "65536", "1 to 65535"),
            ("90~80", "90~80", "ends before"),
            ("10.0.0.9~10.0.0.1", "10.0.0.9~10.0.0.1", "ends before"),
            ("1.1.1.1~::1", "1.1.1.1~::1", "one family"),
            ("10.0.0.0/33", "10.0.0.0/33", "0 to 32"),
            ("10.0.0.0/+8", "10.0.0.0/+8", "0 to 32"),
            ("10.0.0.0/255.0.255.0", "10.0.0.0/255.0.255.0", "0 to 32"),
            ("::/129", "::/129", "0 to 128"),
            ("[::1", "[::1", "is missing"),
            ("[::1]53", "[::1]53", "only :port"),
            ("1.1.1.1:", "1.1.1.1:", "1 to 65535"),
            ("~", "~", "1 to 65535"),
        ] {
            let e = NetFilter::parse(list).unwrap_err();
            assert_eq!(e.item, item);
            assert!(e.why.contains(why), "{list}: {e}");
        }
        let many = vec!["80"; MAX_ITEMS + 1].join(",");
        assert_eq!(NetFilter::parse(&many).unwrap_err().why, "the list is too long");
    }

    #[test]
    fn ranges_are_merged_and_either_end_matches() {
        let f = NetFilter::parse("10.0.0.1,10.0.0.2,10.0.0.0/30,10.0.0.4~10.0.0.9,255.255.255.255").unwrap();
        assert_eq!(f.any_port.v4, [(0x0a00_0000, 0x0a00_0009), (u32::MAX, u32::MAX)]);
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        assert!(f.matches((ip("1.1.1.1"), 1), (ip("10.0.0.7"), 2)));
        assert!(f.matches((ip("10.0.0.7"), 1), (ip("1.1.1.1"), 2)));
        assert!(!f.matches((ip("1.1.1.1"), 1), (ip("1.1.1.2"), 2)));
        assert!(NetFilter::parse(" , ").unwrap().is_empty());
        let own = NetFilter::of_ends([(ip("9.9.9.9"), 12201), (ip("9.9.9.9"), 53), (ip("::1"), 53)]);
        assert!(own.has(ip("9.9.9.9"), 53) && own.has(ip("::1"), 53) && !own.has(ip("::1"), 12201));
    }

    /// The binary search against a plain walk over all items.
    #[test]
    fn agrees_with_a_plain_search() {
        let mut x = 0x2545_f491_4f6c_dd1du64;
        let mut next = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        for _ in 0..50 {
            let ranges: Vec<(u32, u32)> = (0..20)
                .map(|_| {
                    let a = next() as u32 % 1000;
                    (a, a + next() as u32 % 20)
                })
                .collect();
            let ip = |n: u32| std::net::Ipv4Addr::from(n);
            let list: Vec<String> = ranges.iter().map(|(a, b)| format!("{}~{}", ip(*a), ip(*b))).collect();
            let f = NetFilter::parse(&list.join(",")).unwrap();
            for n in 0..1100 {
                let want = ranges.iter().any(|(a, b)| (*a..=*b).contains(&n));
                assert_eq!(f.has(IpAddr::V4(ip(n)), 1), want, "{n} in {list:?}");
            }
        }
    }

    #[test]
    fn any_text_is_a_set_or_an_error() {
        const SEEDS: [&str; 4] =
            ["10.0.0.1:80,80~90", "[2001:db8::/32]:53,::/0", "1.1.1.1~2.2.2.2,1/2", "1.2.3.4/255.0.0.0"];
        let mut x = 88_172_645_463_325_252u64;
        let mut next = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        for i in 0..2000 {
            let mut text = SEEDS[i % 4].as_bytes().to_vec();
            for _ in 0..1 + next() % 4 {
                let at = next() as usize % text.len();
                text[at] = b"0123456789.:/~,[]af "[next() as usize % 20];
            }
            fuzz_netfilter(&text);
        }
    }
}
