//! The head of a record: what every record of a flow says, whatever the protocol.

use crate::community::community_id;
use crate::conversation::{Community, Talk};
use crate::core::Card;
use base::{Direction, Mark, Timestamp, ip_proto};
use flow::Flow;
use proto::{Finished, ProtoId};
use record::{Kind, Quality, Record, Value, f};

/// The original's words for flow records.
const IP: &[&str; 2] = &["ip", "ip"];
const IPV6: &[&str; 2] = &["ipv6", "ipv6"];

/// The head of a session record.
pub(crate) fn session(
    head: &mut Record,
    flow: &Flow<Talk>,
    card: Option<&Card>,
    community: &[u8],
    id: ProtoId,
    t: &Finished,
    now: &Mark,
) {
    head.reset(t.record.kind());
    head.word(&f::head::RECORD, t.record.kind().name());
    times(head, t.begin.time, t.end.time);
    ends(head, flow, card);
    if flow.proto() == ip_proto::TCP {
        head.num(&f::head::SYNACK_PKTS, u64::from(now.synack));
        delay(head, &t.begin, now);
        head.num(&f::head::RST_PKTS, u64::from(now.rst.saturating_sub(t.begin.rst)));
        head.num(&f::head::RETRANS_PKTS, u64::from(now.retrans.saturating_sub(t.begin.retrans)));
    }
    let before = t.begin.bytes.saturating_sub(u64::from(t.begin.len));
    head.num(&f::head::BYTES, t.end.bytes.saturating_sub(before));
    head.put(&f::head::L7_PROTOCOL, Value::Name(id.def().names));
    tail(head, flow, community);
    quality(head, t.quality);
}

/// The Community ID of a flow.
pub(crate) fn community(flow: &Flow<Talk>) -> Community {
    let (src, dst) = flow.ends();
    community_id(src, dst, flow.proto())
}

/// Response delay, load delay and RESP: the same reckoning for every protocol.
pub(crate) fn delays(t: &mut Finished, id: ProtoId) {
    let def = id.def();
    // Without the request there is nothing to measure from.
    if let Some(first) = t.answering.filter(|_| !t.unasked) {
        t.record.nanos(def.response, first.since(t.asked.time));
        if let Some(load) = def.load {
            t.record.nanos(load, t.end.time.since(t.asked.time));
        }
    }
    t.record.num(resp(t.record.kind()), u64::from(t.answering.is_some()));
}

fn resp(kind: Kind) -> &'static record::Field {
    match kind {
        Kind::Http => &f::http::RESP,
        Kind::Dns => &f::dns::RESP,
        Kind::Redis => &f::redis::RESP,
        Kind::Mongo => &f::mongo::RESP,
        Kind::Mq => &f::mq::RESP,
        Kind::Memcached => &f::memcached::RESP,
        Kind::Tls => &f::tls::RESP,
        Kind::Sql | Kind::Flow | Kind::Host | Kind::Probe => &f::sql::RESP,
    }
}

/// The head of a flow record.
pub(crate) fn flow(
    head: &mut Record,
    flow: &Flow<Talk>,
    card: Option<&Card>,
    community: &[u8],
    now: Timestamp,
    sampled: bool,
) {
    head.reset(Kind::Flow);
    head.word(&f::head::RECORD, Kind::Flow.name());
    head.put(&f::flow::TIME, Value::Time(now));
    let begin = flow.interval_begin();
    times(head, if begin == Timestamp::default() { flow.last_seen() } else { begin }, flow.last_seen());
    ends(head, flow, card);
    head.put(&f::head::L7_PROTOCOL, Value::Name(if flow.key().is_v6() { IPV6 } else { IP }));
    tail(head, flow, community);
    let mut q = Quality::PERFECT;
    if flow.is_midstream() {
        q = q.with(Quality::MIDSTREAM);
    }
    if flow.is_cut() {
        q = q.with(Quality::TRUNCATED);
    }
    if sampled {
        q = q.with(Quality::SAMPLED);
    }
    quality(head, q);
}

fn times(head: &mut Record, begin: Timestamp, end: Timestamp) {
    head.put(&f::head::BEGIN_TIME, Value::Time(begin));
    head.put(&f::head::END_TIME, Value::Time(end));
    head.put(&f::head::TIMESTAMP, Value::Time(begin));
}

fn ends(head: &mut Record, flow: &Flow<Talk>, card: Option<&Card>) {
    let ((src, sport), (dst, dport)) = flow.ends();
    head.put(&f::head::SRC_IP, Value::Ip(src));
    head.put(&f::head::DST_IP, Value::Ip(dst));
    head.num(&f::head::SRC_PORT, u64::from(sport));
    head.num(&f::head::DST_PORT, u64::from(dport));
    let (smac, dmac) = flow.macs();
    for (field, mac) in [(&f::head::SRC_MAC, smac), (&f::head::DST_MAC, dmac)] {
        if !mac.is_zero() {
            head.put(field, Value::Mac(mac));
        }
    }
    if let Some(card) = card {
        head.text(&f::head::CARD, card.name.as_bytes());
        if let Some(ip) = card.ip {
            head.put(&f::head::CARD_IP, Value::Ip(ip));
        }
    }
}

/// Network delays over the packets between two marks; left out when nothing was measured.
fn delay(head: &mut Record, begin: &Mark, now: &Mark) {
    let mean = |dir: Direction| {
        let pick = |m: &Mark| {
            let (cnt, sum) = (m.delay_cnt.get(dir.index())?, m.delay_sum.get(dir.index())?);
            Some((u64::from(*cnt), *sum))
        };
        let ((c0, s0), (c1, s1)) = (pick(begin)?, pick(now)?);
        s1.saturating_sub(s0).checked_div(c1.saturating_sub(c0))
    };
    let (src, dst) = (mean(Direction::ToClient), mean(Direction::ToServer));
    net_delays(head, src, dst);
}

/// SRC_NET_DELAY, DST_NET_DELAY and their sum (of what was measured).
pub(crate) fn net_delays(record: &mut Record, src: Option<u64>, dst: Option<u64>) {
    if let Some(ns) = src {
        record.nanos(&f::head::SRC_NET_DELAY, ns);
    }
    if let Some(ns) = dst {
        record.nanos(&f::head::DST_NET_DELAY, ns);
    }
    if src.is_some() || dst.is_some() {
        record.nanos(&f::head::NET_DELAY, src.unwrap_or(0).saturating_add(dst.unwrap_or(0)));
    }
}

fn tail(head: &mut Record, flow: &Flow<Talk>, community: &[u8]) {
    head.word(&f::head::L4_PROTOCOL, l4_name(flow.proto()));
    head.text(&f::head::FLOW_ID, &hex(flow.hash() ^ flow.first_seen().0));
    head.text(&f::head::COMMUNITY_ID, community);
    let vlans = flow.vlans();
    if vlans.count > 0 {
        head.begin_text(&f::head::VLAN);
        for (i, vlan) in vlans.ids.iter().take(usize::from(vlans.count)).enumerate() {
            let mut digits = [0u8; 5];
            if i > 0 {
                head.append(b",");
            }
            head.append(decimal(*vlan, &mut digits));
        }
    }
    let tunnel = flow.tunnel().name();
    if !tunnel.is_empty() {
        head.word(&f::head::TUNNEL, tunnel);
        if let Some(vni) = flow.vni() {
            head.num(&f::head::VNI, u64::from(vni));
        }
    }
}

fn quality(head: &mut Record, q: Quality) {
    if q.is_perfect() {
        return;
    }
    head.begin_text(&f::head::QUALITY);
    for (i, word) in q.words().enumerate() {
        if i > 0 {
            head.append(b",");
        }
        head.append(word.as_bytes());
    }
}

/// The value of L4_PROTOCOL.
fn l4_name(proto: u8) -> &'static str {
    match proto {
        ip_proto::TCP => "tcp",
        ip_proto::UDP => "udp",
        ip_proto::ICMP | ip_proto::ICMPV6 => "icmp",
        ip_proto::SCTP => "sctp",
        _ => "ip",
    }
}

/// Sixteen digits; eight at a time, each in a byte of its own, so that no digit costs a step.
fn hex(n: u64) -> [u8; 16] {
    let digits = |n: u64| {
        let n = (n | n << 16) & 0x0000_ffff_0000_ffff;
        let n = (n | n << 8) & 0x00ff_00ff_00ff_00ff;
        let n = (n | n << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        let letters = n.wrapping_add(0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        let between = u64::from(b'a' - b'9' - 1);
        n.wrapping_add(0x3030_3030_3030_3030).wrapping_add(letters.wrapping_mul(between))
    };
    let both = u128::from(digits(n >> 32)) << 64 | u128::from(digits(n & 0xffff_ffff));
    both.to_be_bytes()
}

fn decimal(mut n: u16, out: &mut [u8; 5]) -> &[u8] {
    let mut used = 0usize;
    for to in out.iter_mut().rev() {
        *to = b'0'.wrapping_add((n % 10) as u8);
        used = used.saturating_add(1);
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.get(5usize.saturating_sub(used)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_text() {
        let mut d = [0; 5];
        assert_eq!(decimal(0, &mut d), b"0");
        assert_eq!(decimal(4095, &mut d), b"4095");
        assert_eq!(decimal(65535, &mut d), b"65535");
        assert_eq!(&hex(0x0123_4567_89ab_cdef), b"0123456789abcdef");
        assert_eq!(&hex(0xfedc_ba98_7654_3210), b"fedcba9876543210");
    }
}
