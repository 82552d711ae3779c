//! The account: counts and delays by their definitions.

use super::kit::{ACK, Bench, FIN, SYN, config, ends, flip};
use crate::{Delay, End};
use base::{MILLI, ip_proto};
use decode::{IcmpKind, Layer4, Tcp, TcpFlags};

const fn ms(n: u64) -> u64 {
    n * MILLI
}

#[test]
fn handshake_exchange_and_network_delays() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001); // 2 ms
    b.ms += 5;
    b.tcp(e, ACK, 1, 1001, &[0; 10]);
    b.ms += 1;
    b.tcp(e, ACK, 11, 1001, &[0; 10]);
    b.ms += 3;
    b.tcp(flip(e), ACK, 1001, 21, b""); // 4 ms and 3 ms
    b.ms += 6;
    b.tcp(flip(e), ACK, 1001, 21, &[0; 10]); // 9 ms after the request
    b.ms += 2;
    b.tcp(flip(e), ACK, 1011, 21, &[0; 10]);
    b.ms += 1;
    b.tcp(e, ACK, 21, 1021, b""); // 3 ms and 1 ms
    b.finish();
    let (i, end) = b.ev.last();
    assert_eq!((i.hand_delay, end), (Some(ms(2)), Some(End::Timeout)));
    assert_eq!(i.sent[0].net_delay, Delay { cnt: 2, max: ms(4), sum: ms(7) });
    assert_eq!(i.sent[1].net_delay, Delay { cnt: 2, max: ms(3), sum: ms(4) });
    assert_eq!(i.app_response, Delay { cnt: 1, max: ms(9), sum: ms(9) });
    assert_eq!(i.load_trans, Delay { cnt: 1, max: ms(2), sum: ms(2) });
    assert_eq!((i.sent[0].syn, i.sent[1].synack, i.sent[0].pkts, i.sent[1].pkts), (1, 1, 5, 4));
    assert_eq!((i.sent[0].bytes, i.sent[0].tiny), (5 * 54 + 20, 5));
}

#[test]
fn sent_again_counts_and_gives_no_network_delay() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.tcp(e, SYN, 0, 0, b"");
    b.ms += 1000;
    b.tcp(e, SYN, 0, 0, b"");
    b.tcp(flip(e), SYN | ACK, 1000, 1, b"");
    b.tcp(flip(e), SYN | ACK, 1000, 1, b"");
    b.tcp(e, ACK, 1, 1001, b"");
    b.tcp(e, ACK, 1, 1001, &[1; 10]);
    b.ms += 200;
    b.tcp(e, ACK, 1, 1001, &[1; 10]);
    b.ms += 10;
    b.tcp(flip(e), ACK, 1001, 11, b"");
    b.tcp(e, ACK, 10, 1001, &[1]); // keep-alives
    b.tcp(e, ACK, 10, 1001, b"");
    b.tcp(e, ACK | FIN, 11, 1001, b"");
    b.tcp(e, ACK | FIN, 11, 1001, b"");
    b.finish();
    let (i, _) = b.ev.last();
    assert_eq!((i.sent[0].retrans, i.sent[1].retrans, i.sent[0].fin), (3, 1, 2));
    assert_eq!(i.sent[0].net_delay.cnt, 0);
    assert_eq!(i.sent[0].retrans_delay, Delay { cnt: 1, max: ms(210), sum: ms(210) });
    assert_eq!(b.table.len(), 0);
    let m = b.ev.marks.last().unwrap();
    assert_eq!((m.synack, m.len), (2, 64));
}

#[test]
fn overtaken_is_out_of_order_and_lost_before_us_is_a_retransmission() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 11, 1001, &[1; 10]);
    b.tcp(e, ACK, 1, 1001, &[1; 10]);
    b.tcp(e, ACK, 31, 1001, &[1; 10]);
    b.ms += 300;
    b.tcp(e, ACK, 21, 1001, &[1; 10]);
    b.finish();
    let (i, _) = b.ev.last();
    assert_eq!((i.sent[0].ooo, i.sent[0].retrans), (1, 1));
}

#[test]
fn zero_windows_are_counted_without_rst_syn_fin() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    for flags in [ACK, ACK | FIN] {
        let flags = TcpFlags(flags);
        let h = Tcp { sport: 80, dport: 40000, seq: 1001, ack: 1, flags, window: 0, wscale: None };
        b.send(flip(e), ip_proto::TCP, Layer4::Tcp(h), b"");
    }
    b.finish();
    assert_eq!(b.ev.last().0.sent[1].zerowin, 1);
}

#[test]
fn intervals_are_reported_while_there_are_packets() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    for n in 0..35u32 {
        b.tcp(e, ACK, 1 + n * 10, 1001, &[0; 10]);
        b.pass(1000);
    }
    b.pass(60_000);
    b.finish();
    let seq: Vec<_> = b.ev.accounts.iter().map(|(i, e)| (i.sent[0].pkts + i.sent[1].pkts, *e)).collect();
    assert_eq!(seq.len(), 5, "{seq:?}");
    assert_eq!(seq.iter().map(|s| s.0).sum::<u32>(), 38);
    assert_eq!(seq.last(), Some(&(0, Some(End::Timeout))));
    let hands: Vec<_> = b.ev.accounts.iter().map(|(i, _)| i.hand_delay.is_some()).collect();
    assert_eq!(hands, [true, false, false, false, false]);
}

#[test]
fn many_segments_under_way_are_sampled_within_the_cap() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    for n in 0..1000u32 {
        b.tcp(e, ACK, 1 + n * 10, 1001, &[0; 10]);
    }
    b.ms += 7;
    b.tcp(flip(e), ACK, 1001, 10_001, b"");
    b.finish();
    let d = b.ev.last().0.sent[0].net_delay;
    assert_eq!((u64::from(d.cnt) + b.table.counters().samples_skipped, d.max), (1000, ms(7)));
    assert!(d.cnt >= 256);
}

#[test]
fn echo_pairs_are_measured_and_errors_counted_on_what_they_quote() {
    let (mut b, e) = (Bench::new(config()), ends());
    let ping = ((e.0.0, 0), (e.1.0, 0));
    for seq in 0..3u16 {
        b.icmp(ping, IcmpKind::EchoRequest(7, seq));
        b.ms += 4;
        b.icmp(flip(ping), IcmpKind::EchoReply(7, seq));
    }
    b.udp(e, b"x");
    b.icmp(flip(ping), IcmpKind::Error { src: e.0, dst: e.1, proto: ip_proto::UDP });
    b.finish();
    let (i, _) = b.ev.accounts[0];
    assert_eq!(i.sent[0].net_delay, Delay { cnt: 3, max: ms(4), sum: ms(12) });
    assert_eq!(b.ev.ends[0], ((e.0.0, 7), (e.1.0, 0)));
    assert_eq!((b.ev.accounts.len(), b.ev.accounts[1].0.icmp_err), (3, 1));
}

#[test]
fn marks_add_up_between_two_packets() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 1, 1001, &[0; 10]);
    b.ms += 3;
    b.tcp(flip(e), ACK, 1001, 11, &[0; 20]);
    let [a, z] = [b.ev.marks[0], b.ev.marks[1]];
    assert_eq!(z.bytes - (a.bytes - u64::from(a.len)), 64 + 74);
    assert_eq!((z.delay_cnt, z.delay_sum, z.time.since(a.time)), ([1, 0], [ms(3), 0], ms(3)));
}
