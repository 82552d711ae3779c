//! Words of the language and small tables of names: services, IP protocols, ether types.
//! Hosts are never looked up: a probe must not wait for a name server to start.

use super::lex::{Key, Proto};

/// Transport that a service name stands for.
pub(super) const TCP: u8 = 1;
/// See [`TCP`].
pub(super) const UDP: u8 = 2;
const BOTH: u8 = TCP | UDP;

/// Services as `/etc/services` of common systems has them: name, port, transports.
pub(super) static SERVICES: &[(&str, u16, u8)] = &[
    ("amqp", 5672, TCP),
    ("amqps", 5671, TCP),
    ("bgp", 179, TCP),
    ("bootpc", 68, UDP),
    ("bootps", 67, UDP),
    ("cassandra", 9042, TCP),
    ("dhcp", 67, UDP),
    ("dns", 53, BOTH),
    ("domain", 53, BOTH),
    ("ftp", 21, TCP),
    ("ftp-data", 20, TCP),
    ("http", 80, TCP),
    ("http-alt", 8080, TCP),
    ("https", 443, BOTH),
    ("imap", 143, TCP),
    ("imap2", 143, TCP),
    ("imaps", 993, TCP),
    ("isakmp", 500, UDP),
    ("kafka", 9092, TCP),
    ("kerberos", 88, BOTH),
    ("ldap", 389, BOTH),
    ("ldaps", 636, BOTH),
    ("mdns", 5353, UDP),
    ("memcached", 11211, BOTH),
    ("microsoft-ds", 445, TCP),
    ("mongodb", 27017, TCP),
    ("mqtt", 1883, TCP),
    ("ms-sql-s", 1433, TCP),
    ("mssql", 1433, TCP),
    ("mysql", 3306, TCP),
    ("netbios-ns", 137, UDP),
    ("netbios-ssn", 139, TCP),
    ("nfs", 2049, BOTH),
    ("ntp", 123, UDP),
    ("oracle", 1521, TCP),
    ("pop3", 110, TCP),
    ("pop3s", 995, TCP),
    ("postgres", 5432, TCP),
    ("postgresql", 5432, TCP),
    ("radius", 1812, BOTH),
    ("rdp", 3389, TCP),
    ("redis", 6379, TCP),
    ("rtsp", 554, BOTH),
    ("secure-mqtt", 8883, TCP),
    ("sip", 5060, BOTH),
    ("sip-tls", 5061, BOTH),
    ("smtp", 25, TCP),
    ("smtps", 465, TCP),
    ("snmp", 161, BOTH),
    ("snmp-trap", 162, BOTH),
    ("ssh", 22, TCP),
    ("submission", 587, TCP),
    ("sunrpc", 111, BOTH),
    ("syslog", 514, UDP),
    ("telnet", 23, TCP),
    ("tftp", 69, UDP),
    ("www", 80, TCP),
];

/// IP protocols by name (IANA "Protocol Numbers").
pub(super) static IP_PROTOS: &[(&str, u32)] = &[
    ("ah", 51),
    ("carp", 112),
    ("egp", 8),
    ("eigrp", 88),
    ("esp", 50),
    ("gre", 47),
    ("icmp", 1),
    ("icmp6", 58),
    ("igmp", 2),
    ("igrp", 9),
    ("ipencap", 4),
    ("ipip", 94),
    ("ipv6", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("l2tp", 115),
    ("ospf", 89),
    ("pim", 103),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// Ether types, and LLC service access points below 256.
pub(super) static ETHER_PROTOS: &[(&str, u32)] = &[
    ("aarp", 0x80f3),
    ("arp", 0x0806),
    ("atalk", 0x809b),
    ("decnet", 0x6003),
    ("ip", 0x0800),
    ("ip6", 0x86dd),
    ("ipx", 0xe0),
    ("iso", 0xfe),
    ("lat", 0x6004),
    ("loopback", 0x9000),
    ("mopdl", 0x6001),
    ("moprc", 0x6002),
    ("netbeui", 0xf0),
    ("rarp", 0x8035),
    ("sca", 0x6007),
    ("stp", 0x42),
];

/// Words with a meaning in the grammar.
pub(super) static KEYWORDS: &[(&str, Key)] = &[
    ("aarp", Key::Proto(Proto::Ether(0x80f3))),
    ("ah", Key::Proto(Proto::Ah)),
    ("and", Key::And),
    ("arp", Key::Proto(Proto::Arp)),
    ("atalk", Key::Proto(Proto::Ether(0x809b))),
    ("broadcast", Key::Broadcast),
    ("byte", Key::Unsupported),
    ("carp", Key::Proto(Proto::Carp)),
    ("decnet", Key::Proto(Proto::Ether(0x6003))),
    ("dst", Key::Dst),
    ("esp", Key::Proto(Proto::Esp)),
    ("ether", Key::Proto(Proto::Link)),
    ("gateway", Key::Unsupported),
    ("geneve", Key::Unsupported),
    ("greater", Key::Greater),
    ("host", Key::Host),
    ("icmp", Key::Proto(Proto::Icmp)),
    ("icmp6", Key::Proto(Proto::Icmp6)),
    ("ifindex", Key::Ifindex),
    ("igmp", Key::Proto(Proto::Igmp)),
    ("igrp", Key::Proto(Proto::Igrp)),
    ("inbound", Key::Inbound),
    ("ip", Key::Proto(Proto::Ip)),
    ("ip6", Key::Proto(Proto::Ip6)),
    ("ipx", Key::Proto(Proto::Ether(0xe0))),
    ("iso", Key::Proto(Proto::Ether(0xfe))),
    ("lat", Key::Proto(Proto::Ether(0x6004))),
    ("len", Key::Len),
    ("length", Key::Len),
    ("less", Key::Less),
    ("link", Key::Proto(Proto::Link)),
    ("llc", Key::Llc),
    ("mask", Key::Mask),
    ("mopdl", Key::Proto(Proto::Ether(0x6001))),
    ("moprc", Key::Proto(Proto::Ether(0x6002))),
    ("mpls", Key::Mpls),
    ("multicast", Key::Multicast),
    ("net", Key::Net),
    ("netbeui", Key::Proto(Proto::Ether(0xf0))),
    ("not", Key::Not),
    ("or", Key::Or),
    ("outbound", Key::Outbound),
    ("pim", Key::Proto(Proto::Pim)),
    ("port", Key::Port),
    ("portrange", Key::PortRange),
    ("pppoed", Key::Pppoed),
    ("pppoes", Key::Pppoes),
    ("proto", Key::ProtoWord),
    ("protochain", Key::Unsupported),
    ("rarp", Key::Proto(Proto::Rarp)),
    ("sca", Key::Proto(Proto::Ether(0x6007))),
    ("sctp", Key::Proto(Proto::Sctp)),
    ("src", Key::Src),
    ("stp", Key::Proto(Proto::Ether(0x42))),
    ("tcp", Key::Proto(Proto::Tcp)),
    ("udp", Key::Proto(Proto::Udp)),
    ("vlan", Key::Vlan),
    ("vrrp", Key::Proto(Proto::Vrrp)),
    ("vxlan", Key::Unsupported),
];

/// Words that stand for numbers.
pub(super) static CONSTANTS: &[(&str, u32)] = &[
    ("icmp-echo", 8),
    ("icmp-echoreply", 0),
    ("icmp-ireq", 15),
    ("icmp-ireqreply", 16),
    ("icmp-maskreply", 18),
    ("icmp-maskreq", 17),
    ("icmp-paramprob", 12),
    ("icmp-redirect", 5),
    ("icmp-routeradvert", 9),
    ("icmp-routersolicit", 10),
    ("icmp-sourcequench", 4),
    ("icmp-timxceed", 11),
    ("icmp-tstamp", 13),
    ("icmp-tstampreply", 14),
    ("icmp-unreach", 3),
    ("icmp6-certpathadvert", 149),
    ("icmp6-certpathsolicit", 148),
    ("icmp6-destinationrunreach", 1),
    ("icmp6-echo", 128),
    ("icmp6-echoreply", 129),
    ("icmp6-homeagentdiscoveryreply", 145),
    ("icmp6-homeagentdiscoveryrequest", 144),
    ("icmp6-ineighbordiscoveryadvert", 142),
    ("icmp6-ineighbordiscoverysolicit", 141),
    ("icmp6-mobileprefixadvert", 147),
    ("icmp6-mobileprefixsolicit", 146),
    ("icmp6-multicastlistenerdone", 132),
    ("icmp6-multicastlistenerquery", 130),
    ("icmp6-multicastlistenerreportv1", 131),
    ("icmp6-multicastlistenerreportv2", 143),
    ("icmp6-multicastrouteradvert", 151),
    ("icmp6-multicastroutersolicit", 152),
    ("icmp6-multicastrouterterm", 153),
    ("icmp6-neighboradvert", 136),
    ("icmp6-neighborsolicit", 135),
    ("icmp6-nodeinformationquery", 139),
    ("icmp6-nodeinformationresponse", 140),
    ("icmp6-packettoobig", 2),
    ("icmp6-parameterproblem", 4),
    ("icmp6-redirect", 137),
    ("icmp6-routeradvert", 134),
    ("icmp6-routerrenum", 138),
    ("icmp6-routersolicit", 133),
    ("icmp6-timeexceeded", 3),
    ("icmp6code", 1),
    ("icmp6type", 0),
    ("icmpcode", 1),
    ("icmptype", 0),
    ("tcp-ack", 0x10),
    ("tcp-cwr", 0x80),
    ("tcp-ece", 0x40),
    ("tcp-fin", 0x01),
    ("tcp-push", 0x08),
    ("tcp-rst", 0x04),
    ("tcp-syn", 0x02),
    ("tcp-urg", 0x20),
    ("tcpflags", 13),
];

/// The known word that a mistyped one may have meant.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    let all = (KEYWORDS.iter().map(|k| k.0))
        .chain(SERVICES.iter().map(|s| s.0))
        .chain(IP_PROTOS.iter().map(|p| p.0))
        .chain(CONSTANTS.iter().map(|c| c.0));
    let limit = if word.len() < 4 { 1 } else { 2 };
    all.map(|known| (distance(word.as_bytes(), known.as_bytes()), known))
        .filter(|&(far, _)| far > 0 && far <= limit)
        .min_by_key(|&(far, _)| far)
        .map(|(_, known)| known)
}

/// Edits between two words (a swap of neighbours counts as one); longer words than any known
/// one are far from all.
fn distance(a: &[u8], b: &[u8]) -> usize {
    const WIDTH: usize = 40;
    if a.len() >= WIDTH || b.len() >= WIDTH {
        return WIDTH;
    }
    let mut before = [0usize; WIDTH];
    let mut last: [usize; WIDTH] = std::array::from_fn(|i| i);
    let get = |row: &[usize; WIDTH], i: usize| row.get(i).copied().unwrap_or(WIDTH);
    for (i, &ca) in a.iter().enumerate() {
        let mut row = [0usize; WIDTH];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let mut cost = get(&last, j) + usize::from(!ca.eq_ignore_ascii_case(&cb));
            cost = cost.min(get(&last, j + 1) + 1).min(get(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(&cb) && b.get(j - 1) == Some(&ca) {
                cost = cost.min(get(&before, j - 1) + 1);
            }
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = cost;
            }
        }
        before = last;
        last = row;
    }
    get(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_meant() {
        assert_eq!(nearest("hots"), Some("host"));
        assert_eq!(nearest("prot"), Some("port"));
        assert_eq!(nearest("mysqll"), Some("mysql"));
        assert_eq!(nearest("tcp-sny"), Some("tcp-syn"));
        assert_eq!(nearest("www.example.com"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"x".repeat(10_000)), None);
    }

    #[test]
    fn tables_are_sorted_and_unique() {
        assert!(KEYWORDS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(SERVICES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(IP_PROTOS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(CONSTANTS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
