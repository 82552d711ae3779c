//! Where records go, as `exp-domain` says it: `host:port` is GELF UDP, `host:port:tcp` GELF TCP.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// What carries the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// GELF UDP.
    Udp,
    /// GELF TCP.
    Tcp,
}

/// One receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What carries the records.
    pub transport: Transport,
}

impl Destination {
    /// True when `host` is an address: it need not be asked for again.
    pub(crate) fn is_literal(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// Its first address; asks the name service and may take seconds.
    pub(crate) fn resolve(&self) -> Option<SocketAddr> {
        (self.host.as_str(), self.port).to_socket_addrs().ok()?.next()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let tcp = if self.transport == Transport::Tcp { ":tcp" } else { "" };
        write!(f, "{open}{}{close}:{}{tcp}", self.host, self.port)
    }
}

/// Parses a comma list of destinations; empty items are passed over.
///
/// # Errors
/// Names the item and what is wrong with it.
pub fn parse_destinations(list: &str) -> Result<Vec<Destination>, String> {
    list.split(',').map(str::trim).filter(|i| !i.is_empty()).map(parse).collect()
}

fn parse(item: &str) -> Result<Destination, String> {
    let bad = |why: &str| {
        Err(format!("`{item}`: {why}; expected host:port (GELF UDP) or host:port:tcp (GELF TCP)"))
    };
    let (host, rest) = match item.strip_prefix('[') {
        Some(inside) => match inside.split_once(']') {
            Some((host, rest)) if host.parse::<std::net::Ipv6Addr>().is_ok() => {
                (host, rest.strip_prefix(':'))
            }
            _ => return bad("no IPv6 address in the brackets"),
        },
        None => match item.split_once(':') {
            Some((host, rest)) => (host, Some(rest)),
            None => (item, None),
        },
    };
    let Some(rest) = rest else { return bad("the port is missing") };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') {
        return bad("this is no host name");
    }
    if item.parse::<std::net::Ipv6Addr>().is_ok() || (!item.starts_with('[') && rest.matches(':').count() > 1)
    {
        return bad("an IPv6 address stands in brackets, `[::1]:12201`");
    }
    let (port, transport) = match rest.split_once(':') {
        None => (rest, Transport::Udp),
        Some((port, word)) if word.eq_ignore_ascii_case("udp") => (port, Transport::Udp),
        Some((port, word)) if word.eq_ignore_ascii_case("tcp") => (port, Transport::Tcp),
        Some(_) => return bad("after the port only `:tcp` or `:udp` can stand"),
    };
    match port.parse::<u16>() {
        Ok(port) if port != 0 => Ok(Destination { host: host.to_string(), port, transport }),
        _ => bad("the port is no number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let got = parse_destinations("10.0.0.1:12201, log.example.com:5555:tcp,[::1]:12201:TCP,[fe80::1]:1,")
            .unwrap();
        let shown: Vec<String> = got.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.1:12201", "log.example.com:5555:tcp", "[::1]:12201:tcp", "[fe80::1]:1"]);
        assert_eq!(parse_destinations(" , ").unwrap(), []);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (item, why) in [
            ("host", "port is missing"),
            ("[::1]", "port is missing"),
            ("host:", "no number"),
            ("host:0", "no number"),
            ("host:65536", "no number"),
            ("host:1:sctp", "only `:tcp`"),
            (":1", "no host name"),
            ("a b:1", "no host name"),
            ("::1", "no host name"),
            ("fe80::1:12201", "brackets"),
            ("[x]:1", "brackets"),
        ] {
            let e = parse_destinations(&format!("ok:1,{item}")).unwrap_err();
            assert!(e.contains(why) && e.contains(item), "{item}: {e}");
        }
    }
}
