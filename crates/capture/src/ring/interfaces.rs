//! The interfaces of this host, and which of them are wanted.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::{Duration, Instant};

use base::MacAddr;

use super::sys;

/// The table is not read more often than this: interfaces that come in crowds cost one read.
const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// An interface of this network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's index, as in [`base::Frame::ifindex`].
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address; zero when it has none.
    pub mac: MacAddr,
    /// Its first IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its first IPv6 address, a link-local one only when there is no other.
    pub ipv6: Option<Ipv6Addr>,
    /// Is it up?
    pub up: bool,
    /// Is it the loopback?
    pub loopback: bool,
}

impl Interface {
    /// Its first address, IPv4 preferred.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.ipv4.map(IpAddr::V4).or(self.ipv6.map(IpAddr::V6))
    }
}

/// All interfaces, by index.
///
/// # Errors
/// The kernel does not tell.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut out: Vec<Interface> = Vec::new();
    for entry in sys::entries()? {
        // An address may have a label of its own: "eth0:1".
        let name = entry.name.split(':').next().unwrap_or_default();
        let at = match out.iter().position(|interface| interface.name == name) {
            Some(at) => at,
            None => {
                // An interface without hardware address (tun) has no link entry.
                let index = match entry.address {
                    sys::Address::Link { ifindex, .. } => Some(ifindex),
                    _ => sys::index_of(name),
                };
                let Some(index) = index else { continue };
                out.push(Interface {
                    index,
                    name: name.to_owned(),
                    mac: MacAddr::default(),
                    ipv4: None,
                    ipv6: None,
                    up: entry.up,
                    loopback: entry.loopback,
                });
                out.len() - 1
            }
        };
        let Some(interface) = out.get_mut(at) else { continue };
        match entry.address {
            sys::Address::Link { mac, .. } => interface.mac = MacAddr(mac),
            sys::Address::Ip(IpAddr::V4(ip)) => interface.ipv4 = interface.ipv4.or(Some(ip)),
            sys::Address::Ip(IpAddr::V6(ip)) => {
                if interface.ipv6.is_none_or(|old| old.is_unicast_link_local() && !ip.is_unicast_link_local())
                {
                    interface.ipv6 = Some(ip);
                }
            }
            sys::Address::None => {}
        }
    }
    out.sort_unstable_by_key(|interface| interface.index);
    Ok(out)
}

/// The interfaces as they were when last looked at.
#[derive(Debug)]
pub struct InterfaceTable {
    list: Vec<Interface>,
    read: Instant,
}

impl InterfaceTable {
    /// Reads the table.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn new() -> io::Result<InterfaceTable> {
        Ok(InterfaceTable { list: interfaces()?, read: Instant::now() })
    }

    /// All of them, by index.
    #[must_use]
    pub fn all(&self) -> &[Interface] {
        &self.list
    }

    /// The interface with this index.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Interface> {
        let at = self.list.binary_search_by_key(&index, |interface| interface.index).ok()?;
        self.list.get(at)
    }

    /// Reads the table again, when a frame has an unknown index or the ring told of a change; not more often
    /// than twice a second, so it may be called for every such frame. `true` when it was read.
    pub fn refresh(&mut self) -> bool {
        if self.read.elapsed() < REFRESH_EVERY {
            return false;
        }
        self.read = Instant::now();
        match interfaces() {
            Ok(list) => self.list = list,
            // The old table is better than none.
            Err(_) => return false,
        }
        true
    }
}

/// Which interfaces are wanted: `any`, `eth0`, `eth0,eth1`, `eth*`, `!docker0`, `eth*,!eth3`.
///
/// A list of names gives these; names behind `!` are taken out; only such names: all but these.
/// A `*` at the end stands for any rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Wanted names; empty: all.
    pub only: Vec<String>,
    /// Unwanted names.
    pub except: Vec<String>,
}

/// A name in the list of interfaces that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadInterface(pub String);

impl fmt::Display for BadInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" cannot be an interface; expected `any` or names such as eth0,eth1 or !docker0",
            self.0
        )
    }
}

impl std::error::Error for BadInterface {}

impl FromStr for Interfaces {
    type Err = BadInterface;

    fn from_str(text: &str) -> Result<Interfaces, BadInterface> {
        let mut out = Interfaces::default();
        let mut any = false;
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (list, name) = match item.strip_prefix('!') {
                Some(name) => (&mut out.except, name.trim()),
                None => (&mut out.only, item),
            };
            let stem = name.strip_suffix('*').unwrap_or(name);
            // The kernel's rules (dev_valid_name): 15 bytes, no slash, no blank.
            let wrong = |c: char| c.is_whitespace() || matches!(c, '/' | '*' | '!');
            if name.is_empty() || stem.len() > 15 || stem.contains(wrong) {
                return Err(BadInterface(item.to_owned()));
            }
            if name == "any" {
                any = true;
            } else {
                list.push(name.to_owned());
            }
        }
        if any {
            out.only.clear();
        }
        Ok(out)
    }
}

impl Interfaces {
    /// Is an interface of this name wanted?
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        let in_list = |list: &[String]| {
            list.iter().any(|item| match item.strip_suffix('*') {
                Some(stem) => name.starts_with(stem),
                None => item == name,
            })
        };
        (self.only.is_empty() || in_list(&self.only)) && !in_list(&self.except)
    }

    /// The one name that is wanted, if it is exactly one.
    pub(super) fn single(&self) -> Option<&str> {
        match (self.only.as_slice(), self.except.as_slice()) {
            ([name], []) if !name.ends_with('*') => Some(name),
            _ => None,
        }
    }

    /// What that means for the interfaces that there are now.
    pub(super) fn scope(&self, list: &[Interface]) -> Scope {
        let indices = |wanted: bool| {
            list.iter().filter(|interface| self.wants(&interface.name) == wanted).map(|i| i.index).collect()
        };
        if !self.only.is_empty() {
            Scope::Only(indices(true))
        } else if !self.except.is_empty() {
            Scope::Except(indices(false))
        } else {
            Scope::All
        }
    }
}

/// Wanted interfaces by index, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Only(Vec<u32>),
    Except(Vec<u32>),
}

impl Scope {
    #[inline]
    pub(super) fn admits(&self, ifindex: u32) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(list) => list.binary_search(&ifindex).is_ok(),
            Scope::Except(list) => list.binary_search(&ifindex).is_err(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_in_the_table() {
        let table = InterfaceTable::new().unwrap();
        let lo = table.all().iter().find(|interface| interface.loopback).unwrap();
        assert_eq!((lo.name.as_str(), table.get(lo.index)), ("lo", Some(lo)));
        assert_eq!(sys::index_of("lo"), Some(lo.index));
        assert!(table.get(u32::MAX).is_none());
        assert_eq!(sys::index_of("no-such-if"), None);
    }

    #[test]
    fn lists_as_people_write_them() {
        let parse = |text: &str| text.parse::<Interfaces>().unwrap();
        let wanted = |text: &str| {
            ["lo", "eth0", "eth1", "docker0", "veth12"].map(|name| u8::from(parse(text).wants(name)))
        };
        assert_eq!(wanted("any"), [1, 1, 1, 1, 1]);
        assert_eq!(wanted(""), [1, 1, 1, 1, 1]);
        assert_eq!(wanted("eth0"), [0, 1, 0, 0, 0]);
        assert_eq!(wanted("eth0, lo"), [1, 1, 0, 0, 0]);
        assert_eq!(wanted("!docker0,!veth*"), [1, 1, 1, 0, 0]);
        assert_eq!(wanted("any,!lo"), [0, 1, 1, 1, 1]);
        assert_eq!(wanted("eth*,!eth1"), [0, 1, 0, 0, 0]);
        assert_eq!(parse("eth0").single(), Some("eth0"));
        assert_eq!(parse("eth*").single(), None);
        assert_eq!(parse("eth0,eth1").single(), None);
        for wrong in ["!", "eth 0", "a/b", "a*b", "name-of-16-bytes", "!!x"] {
            assert!(wrong.parse::<Interfaces>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn scopes_follow_the_interfaces() {
        let at = |index: u32, name: &str| Interface {
            index,
            name: name.to_owned(),
            mac: MacAddr::default(),
            ipv4: None,
            ipv6: None,
            up: true,
            loopback: false,
        };
        let list = [at(1, "lo"), at(4, "eth0"), at(7, "eth1")];
        let scope = |text: &str| text.parse::<Interfaces>().unwrap().scope(&list);
        assert_eq!(scope("any"), Scope::All);
        assert_eq!(scope("eth1,eth0,wlan0"), Scope::Only(vec![4, 7]));
        assert_eq!(scope("!lo"), Scope::Except(vec![1]));
        assert!(scope("!lo").admits(99) && !scope("!lo").admits(1));
        assert!(!scope("eth0").admits(99) && scope("eth0").admits(4));
    }
}
