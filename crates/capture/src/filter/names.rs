//! Words of the language and small tables of names: services, IP protocols, ether types.
//! Hosts are never looked up: a probe must not wait for a name server to start.

use super::lex::{Key, Proto};

/// Transport that a service name stands for.
pub(super) const TCP: u8 = 1;
/// See [`TCP`].
pub(super) const UDP: u8 = 2;

/// Names and numbers, `name=number` with spaces between. One string instead of an array of
/// pairs: no pointers that the loader must relocate, a third of the size.
pub(super) type Table = &'static str;

fn entries(table: Table) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.split(' ').filter_map(|entry| entry.split_once('='))
}

/// The number of a name.
pub(super) fn find(table: Table, name: &str) -> Option<u32> {
    entries(table).find(|entry| entry.0 == name)?.1.parse().ok()
}

/// A service: its port and its transports.
pub(super) fn service(name: &str) -> Option<(u32, u8)> {
    let entry = entries(SERVICES).find(|entry| entry.0 == name)?.1;
    let transports = match entry.bytes().last() {
        Some(b't') => TCP,
        Some(b'u') => UDP,
        _ => TCP | UDP,
    };
    Some((entry.trim_end_matches(['t', 'u']).parse().ok()?, transports))
}

/// The meaning of a word of the grammar.
pub(super) fn keyword(name: &str) -> Option<Key> {
    KEYS.get(find(KEYWORDS, name)? as usize).copied()
}

/// Services as `/etc/services` of common systems has them: name and port; `t` or `u` behind it
/// when TCP or UDP is the only transport.
pub(super) static SERVICES: Table = "\
    amqp=5672t amqps=5671t bgp=179t bootpc=68u bootps=67u cassandra=9042t dhcp=67u dns=53 \
    domain=53 ftp=21t ftp-data=20t http=80t http-alt=8080t https=443 imap=143t imap2=143t \
    imaps=993t isakmp=500u kafka=9092t kerberos=88 ldap=389 ldaps=636 mdns=5353u memcached=11211 \
    microsoft-ds=445t mongodb=27017t mqtt=1883t ms-sql-s=1433t mssql=1433t mysql=3306t \
    netbios-ns=137u netbios-ssn=139t nfs=2049 ntp=123u oracle=1521t pop3=110t pop3s=995t \
    postgres=5432t postgresql=5432t radius=1812 rdp=3389t redis=6379t rtsp=554 secure-mqtt=8883t \
    sip=5060 sip-tls=5061 smtp=25t smtps=465t snmp=161 snmp-trap=162 ssh=22t submission=587t \
    sunrpc=111 syslog=514u telnet=23t tftp=69u www=80t";

/// IP protocols by name (IANA "Protocol Numbers").
pub(super) static IP_PROTOS: Table = "\
    ah=51 carp=112 egp=8 eigrp=88 esp=50 gre=47 icmp=1 icmp6=58 igmp=2 igrp=9 ipencap=4 ipip=94 \
    ipv6=41 ipv6-frag=44 ipv6-icmp=58 ipv6-nonxt=59 ipv6-opts=60 ipv6-route=43 l2tp=115 ospf=89 \
    pim=103 rsvp=46 sctp=132 tcp=6 udp=17 udplite=136 vrrp=112";

/// Ether types, and LLC service access points below 256.
pub(super) static ETHER_PROTOS: Table = "\
    aarp=33011 arp=2054 atalk=32923 decnet=24579 ip=2048 ip6=34525 ipx=224 iso=254 lat=24580 \
    loopback=36864 mopdl=24577 moprc=24578 netbeui=240 rarp=32821 sca=24583 stp=66";

/// Words with a meaning in the grammar.
pub(super) static KEYWORDS: Table = "\
    aarp=0 ah=1 and=2 arp=3 atalk=4 broadcast=5 byte=6 carp=7 decnet=8 dst=9 esp=10 ether=11 \
    gateway=12 geneve=13 greater=14 host=15 icmp=16 icmp6=17 ifindex=18 igmp=19 igrp=20 \
    inbound=21 ip=22 ip6=23 ipx=24 iso=25 lat=26 len=27 length=28 less=29 link=30 llc=31 mask=32 \
    mopdl=33 moprc=34 mpls=35 multicast=36 net=37 netbeui=38 not=39 or=40 outbound=41 pim=42 \
    port=43 portrange=44 pppoed=45 pppoes=46 proto=47 protochain=48 rarp=49 sca=50 sctp=51 \
    src=52 stp=53 tcp=54 udp=55 vlan=56 vrrp=57 vxlan=58";

/// The meaning of a keyword, by its number in [`KEYWORDS`].
pub(super) static KEYS: [Key; 59] = [
    Key::Proto(Proto::Ether(0x80f3)),
    Key::Proto(Proto::Ah),
    Key::And,
    Key::Proto(Proto::Arp),
    Key::Proto(Proto::Ether(0x809b)),
    Key::Broadcast,
    Key::Unsupported,
    Key::Proto(Proto::Carp),
    Key::Proto(Proto::Ether(0x6003)),
    Key::Dst,
    Key::Proto(Proto::Esp),
    Key::Proto(Proto::Link),
    Key::Unsupported,
    Key::Unsupported,
    Key::Greater,
    Key::Host,
    Key::Proto(Proto::Icmp),
    Key::Proto(Proto::Icmp6),
    Key::Ifindex,
    Key::Proto(Proto::Igmp),
    Key::Proto(Proto::Igrp),
    Key::Inbound,
    Key::Proto(Proto::Ip),
    Key::Proto(Proto::Ip6),
    Key::Proto(Proto::Ether(0xe0)),
    Key::Proto(Proto::Ether(0xfe)),
    Key::Proto(Proto::Ether(0x6004)),
    Key::Len,
    Key::Len,
    Key::Less,
    Key::Proto(Proto::Link),
    Key::Llc,
    Key::Mask,
    Key::Proto(Proto::Ether(0x6001)),
    Key::Proto(Proto::Ether(0x6002)),
    Key::Mpls,
    Key::Multicast,
    Key::Net,
    Key::Proto(Proto::Ether(0xf0)),
    Key::Not,
    Key::Or,
    Key::Outbound,
    Key::Proto(Proto::Pim),
    Key::Port,
    Key::PortRange,
    Key::Pppoed,
    Key::Pppoes,
    Key::ProtoWord,
    Key::Unsupported,
    Key::Proto(Proto::Rarp),
    Key::Proto(Proto::Ether(0x6007)),
    Key::Proto(Proto::Sctp),
    Key::Src,
    Key::Proto(Proto::Ether(0x42)),
    Key::Proto(Proto::Tcp),
    Key::Proto(Proto::Udp),
    Key::Vlan,
    Key::Proto(Proto::Vrrp),
    Key::Unsupported,
];

/// Words that stand for numbers.
pub(super) static CONSTANTS: Table = "\
    icmp-echo=8 icmp-echoreply=0 icmp-ireq=15 icmp-ireqreply=16 icmp-maskreply=18 \
    icmp-maskreq=17 icmp-paramprob=12 icmp-redirect=5 icmp-routeradvert=9 icmp-routersolicit=10 \
    icmp-sourcequench=4 icmp-timxceed=11 icmp-tstamp=13 icmp-tstampreply=14 icmp-unreach=3 \
    icmp6-certpathadvert=149 icmp6-certpathsolicit=148 icmp6-destinationrunreach=1 \
    icmp6-echo=128 icmp6-echoreply=129 icmp6-homeagentdiscoveryreply=145 \
    icmp6-homeagentdiscoveryrequest=144 icmp6-ineighbordiscoveryadvert=142 \
    icmp6-ineighbordiscoverysolicit=141 icmp6-mobileprefixadvert=147 \
    icmp6-mobileprefixsolicit=146 icmp6-multicastlistenerdone=132 \
    icmp6-multicastlistenerquery=130 icmp6-multicastlistenerreportv1=131 \
    icmp6-multicastlistenerreportv2=143 icmp6-multicastrouteradvert=151 \
    icmp6-multicastroutersolicit=152 icmp6-multicastrouterterm=153 icmp6-neighboradvert=136 \
    icmp6-neighborsolicit=135 icmp6-nodeinformationquery=139 icmp6-nodeinformationresponse=140 \
    icmp6-packettoobig=2 icmp6-parameterproblem=4 icmp6-redirect=137 icmp6-routeradvert=134 \
    icmp6-routerrenum=138 icmp6-routersolicit=133 icmp6-timeexceeded=3 icmp6code=1 icmp6type=0 \
    icmpcode=1 icmptype=0 tcp-ack=16 tcp-cwr=128 tcp-ece=64 tcp-fin=1 tcp-push=8 tcp-rst=4 \
    tcp-syn=2 tcp-urg=32 tcpflags=13";

/// The known word that a mistyped one may have meant; none for one that is known.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    let all = [KEYWORDS, SERVICES, IP_PROTOS, CONSTANTS].into_iter().flat_map(entries).map(|entry| entry.0);
    let limit = if word.len() < 4 { 1 } else { 2 };
    // The difference of their lengths is the least that two words are apart.
    all.filter(|known| known.len().abs_diff(word.len()) <= limit)
        .map(|known| (distance(word.as_bytes(), known.as_bytes()), known))
        .min_by_key(|&(far, _)| far)
        .filter(|&(far, _)| far > 0 && far <= limit)
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
        assert_eq!(nearest("port"), None);
        assert_eq!(nearest("70000"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"x".repeat(10_000)), None);
    }

    #[test]
    fn tables_are_sorted_and_whole() {
        for table in [KEYWORDS, SERVICES, IP_PROTOS, CONSTANTS, ETHER_PROTOS] {
            assert_eq!(entries(table).count(), table.split(' ').count());
            assert!(entries(table).map(|e| e.0).is_sorted_by(|a, b| a < b), "{table}");
        }
        for (name, _) in entries(SERVICES) {
            assert!(service(name).is_some_and(|s| s.0 > 0 && s.0 < 65536), "{name}");
        }
        for (number, (name, _)) in entries(KEYWORDS).enumerate() {
            assert_eq!(find(KEYWORDS, name), u32::try_from(number).ok());
        }
        assert_eq!(entries(KEYWORDS).count(), KEYS.len());
        assert_eq!(service("domain"), Some((53, TCP | UDP)));
        assert_eq!(service("syslog"), Some((514, UDP)));
        assert_eq!(keyword("vlan"), Some(Key::Vlan));
        assert_eq!(keyword("udp"), Some(Key::Proto(Proto::Udp)));
        assert_eq!(find(CONSTANTS, "tcp-cwr"), Some(128));
    }
}
