//! The body of a flow record: the KPIs of the interval.

use crate::config::Layer4Choice;
use crate::conversation::Talk;
use crate::head::net_delays;
use base::ip_proto;
use flow::{Delay, End, Flow, SideStats};
use proto::ProtoId;
use record::{Field, Record, f};

/// `l4-switch`: is a record wanted for pairs of this protocol?
pub(crate) fn is_wanted(choice: Layer4Choice, proto: u8) -> bool {
    let known =
        matches!(proto, ip_proto::TCP | ip_proto::UDP | ip_proto::ICMP | ip_proto::ICMPV6 | ip_proto::SCTP);
    match choice {
        Layer4Choice::Off => false,
        Layer4Choice::Net => known,
        Layer4Choice::Tcp => proto == ip_proto::TCP,
        Layer4Choice::Udp => proto == ip_proto::UDP,
    }
}

/// The counts of every flow: of the source, of the destination, in sum.
static ALL: [[&Field; 3]; 3] = [
    [&f::flow::SRC_BYTES, &f::flow::DST_BYTES, &f::head::BYTES],
    [&f::flow::SRC_PKTS, &f::flow::DST_PKTS, &f::flow::PKTS],
    [&f::flow::SRC_TINY_PKTS, &f::flow::DST_TINY_PKTS, &f::flow::TINY_PKTS],
];

/// Those of TCP.
static TCP: [[&Field; 3]; 7] = [
    [&f::flow::SRC_SYN_PKTS, &f::flow::DST_SYN_PKTS, &f::flow::SYN_PKTS],
    [&f::flow::SRC_SYN_ACK_PKTS, &f::flow::DST_SYN_ACK_PKTS, &f::flow::SYN_ACK_PKTS],
    [&f::flow::SRC_RST_PKTS, &f::flow::DST_RST_PKTS, &f::head::RST_PKTS],
    [&f::flow::SRC_FIN_PKTS, &f::flow::DST_FIN_PKTS, &f::flow::FIN_PKTS],
    [&f::flow::SRC_RETRANS_PKTS, &f::flow::DST_RETRANS_PKTS, &f::head::RETRANS_PKTS],
    [&f::flow::SRC_ZEROWIN_PKTS, &f::flow::DST_ZEROWIN_PKTS, &f::flow::ZEROWIN_PKTS],
    [&f::flow::SRC_OOO_PKTS, &f::flow::DST_OOO_PKTS, &f::flow::OOO_PKTS],
];

/// The numbers for [`ALL`].
fn all(s: &SideStats) -> [u64; 3] {
    [s.bytes, u64::from(s.pkts), u64::from(s.tiny)]
}

/// The numbers for [`TCP`].
fn tcp(s: &SideStats) -> [u64; 7] {
    [s.syn, s.synack, s.rst, s.fin, s.retrans, s.zerowin, s.ooo].map(u64::from)
}

/// Puts in a count by side and in sum.
fn count(body: &mut Record, fields: &[[&'static Field; 3]], src: &[u64], dst: &[u64]) {
    for ((fields, s), d) in fields.iter().zip(src).zip(dst) {
        for (field, n) in fields.iter().zip([*s, *d, s.saturating_add(*d)]) {
            body.num(field, n);
        }
    }
}

/// Fills `body` with the KPIs of the flow's interval.
pub(crate) fn body(
    body: &mut Record,
    flow: &Flow<Talk>,
    end: Option<End>,
    app: Option<ProtoId>,
    detail: bool,
) {
    let i = flow.interval();
    let [src, dst] = &i.sent;
    count(body, &ALL, &all(src), &all(dst));
    if flow.proto() == ip_proto::TCP {
        count(body, &TCP, &tcp(src), &tcp(dst));
    }
    let mut delay = |field, max, cnt, d: Delay| {
        if let Some(mean) = d.sum.checked_div(u64::from(d.cnt)) {
            body.nanos(field, mean);
            if detail {
                body.nanos(max, d.max);
                body.num(cnt, u64::from(d.cnt));
            }
        }
    };
    use f::flow as k;
    delay(&k::APP_RESPONSE, &k::APP_RESPONSE_MAX, &k::APP_RESPONSE_CNT, i.app_response);
    delay(&k::LOAD_TRANS_DELAY, &k::LOAD_TRANS_DELAY_MAX, &k::LOAD_TRANS_DELAY_CNT, i.load_trans);
    delay(&k::SRC_RETRANS_DELAY, &k::SRC_RETRANS_DELAY_MAX, &k::SRC_RETRANS_DELAY_CNT, dst.retrans_delay);
    delay(&k::DST_RETRANS_DELAY, &k::DST_RETRANS_DELAY_MAX, &k::DST_RETRANS_DELAY_CNT, src.retrans_delay);
    let mean = |d: &Delay| d.sum.checked_div(u64::from(d.cnt));
    net_delays(body, mean(&dst.net_delay), mean(&src.net_delay));
    if detail {
        let mut twin = |max, cnt, d: &Delay| {
            if d.cnt > 0 {
                body.nanos(max, d.max);
                body.num(cnt, u64::from(d.cnt));
            }
        };
        twin(&k::SRC_NET_DELAY_MAX, &k::SRC_NET_DELAY_CNT, &dst.net_delay);
        twin(&k::DST_NET_DELAY_MAX, &k::DST_NET_DELAY_CNT, &src.net_delay);
    }
    if let Some(ns) = i.hand_delay {
        body.nanos(&k::HAND_DELAY, ns);
        if detail {
            body.nanos(&k::HAND_DELAY_MAX, ns);
            body.num(&k::HAND_DELAY_CNT, 1);
        }
    }
    if i.icmp_err > 0 {
        body.num(&k::ICMP_ERR, u64::from(i.icmp_err));
    }
    body.word(&k::APP, app.map_or("unknown", |id| id.def().names[1]));
    body.word(&k::STATE, state(flow, end));
    if let Some(end) = end {
        body.word(&k::END_REASON, end_name(end));
    }
    body.nanos(&k::DURATION, flow.last_seen().since(flow.first_seen()));
    body.word(&k::VALID_TIME, "1970-01-01");
}

fn state(flow: &Flow<Talk>, end: Option<End>) -> &'static str {
    match end {
        Some(_) => "closed",
        None if flow.is_first_report() => "new",
        None => "active",
    }
}

fn end_name(end: End) -> &'static str {
    match end {
        End::Fin => "fin",
        End::RstSrc => "rst-src",
        End::RstDst => "rst-dst",
        End::Timeout => "timeout",
        End::Refused => "refused",
        End::Unanswered => "unanswered",
        End::Evicted => "evicted",
    }
}
