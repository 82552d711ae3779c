//! How flows begin and end, who began them, and how many there may be.

use super::kit::{ACK, Bench, Ends, FIN, RST, Rng, SYN, Told, config, ends, flip};
use crate::{Config, End, Fate};
use base::Direction::{ToClient, ToServer};
use base::{Side, ip_proto};
use decode::{Layer4, Tcp, TcpFlags};

fn client(n: u32) -> Ends {
    let mut e = ends();
    e.0 = (std::net::IpAddr::from((0x0a01_0000 + n / 50_000).to_be_bytes()), 10_000 + (n % 50_000) as u16);
    e
}

#[test]
fn reasons_of_the_end() {
    let e = ends();
    let run = |f: &dyn Fn(&mut Bench)| {
        let mut b = Bench::new(config());
        f(&mut b);
        b.finish();
        assert_eq!(b.ev.accounts.len(), 1);
        b.ev.last().1.unwrap()
    };
    assert_eq!(run(&|b| b.open(e, 1, 1)), End::Timeout);
    assert_eq!(run(&|b| _ = b.tcp(e, SYN, 1, 0, b"")), End::Unanswered);
    let refused = run(&|b| {
        b.tcp(e, SYN, 1, 0, b"");
        b.tcp(flip(e), RST | ACK, 0, 2, b"");
    });
    assert_eq!(refused, End::Refused);
    let src = run(&|b| {
        b.open(e, 1, 1);
        b.tcp(e, RST, 1, 0, b"");
    });
    assert_eq!(src, End::RstSrc);
    let fin = run(&|b| {
        b.open(e, 1, 1);
        b.tcp(flip(e), ACK | FIN, 1, 1, b"");
        b.tcp(e, ACK | FIN, 1, 2, b"");
        b.tcp(e, RST, 2, 0, b"");
    });
    assert_eq!(fin, End::Fin);
}

#[test]
fn half_open_idle_and_lingering_flows_end_in_their_time() {
    let mut b = Bench::new(config());
    b.tcp(client(1), SYN, 1, 0, b"");
    b.open(client(2), 1, 1);
    b.udp(client(3), b"x");
    b.open(client(4), 1, 1);
    b.tcp(client(4), RST, 1, 1, b"");
    let mut left = Vec::new();
    for s in 1..=310 {
        b.pass(1000);
        if left.last().is_none_or(|(_, n)| *n != b.table.len()) {
            left.push((s, b.table.len()));
        }
    }
    let at: Vec<u64> = left.iter().map(|l| l.0).collect();
    assert_eq!(left.iter().map(|l| l.1).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
    for (got, want) in at.iter().zip([1, 5, 30, 60, 300]) {
        assert!((want..want + 3).contains(got), "{left:?}");
    }
}

#[test]
fn ports_used_again_are_another_connection_but_a_repeated_syn_is_not() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, SYN, 0, 0, b"");
    assert_eq!(b.ev.accounts.len(), 0);
    b.open(e, 5000, 9000);
    assert_eq!(b.ev.accounts.len(), 1);
    b.tcp(e, ACK, 5000, 9000, b"new");
    assert_eq!(b.ev.bytes(ToServer), b"new");
    assert_eq!(b.table.len(), 1);
}

#[test]
fn the_syn_may_come_late() {
    let (mut b, e) = (Bench::new(config()), flip(ends()));
    // here the client has the well-known port
    b.tcp(flip(e), SYN | ACK, 1000, 1, b"");
    b.tcp(e, SYN, 0, 0, b"");
    b.tcp(e, ACK, 1, 1001, b"");
    b.finish();
    assert_eq!(b.ev.ends, [e]);
    let mut b = Bench::new(config());
    b.tcp(e, ACK, 1, 1001, b"");
    b.tcp(e, SYN, 0, 0, b"");
    b.finish();
    assert_eq!(b.ev.ends, [e]);
    let mut b = Bench::new(config());
    b.tcp(e, ACK, 1, 1001, b"data");
    b.tcp(e, SYN, 0, 0, b"");
    b.tcp(e, ACK, 5, 1001, b"data");
    assert_eq!(b.ev.bytes(ToClient), b"datadata", "what was told keeps its direction");
}

#[test]
fn simultaneous_open_is_one_connection() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.tcp(e, SYN, 100, 0, b"");
    b.tcp(flip(e), SYN, 500, 0, b"");
    b.tcp(e, SYN | ACK, 100, 501, b"");
    b.tcp(flip(e), SYN | ACK, 500, 101, b"");
    b.tcp(e, ACK, 101, 501, b"hi");
    b.tcp(flip(e), ACK, 501, 103, b"ho");
    b.finish();
    assert_eq!((b.ev.accounts.len(), b.ev.ends[0]), (1, e));
    assert_eq!((b.ev.bytes(ToServer), b.ev.bytes(ToClient)), (b"hi".to_vec(), b"ho".to_vec()));
}

#[test]
fn learned_servers_tell_who_began() {
    let mut b = Bench::new(config());
    let e = (client(1).0, (ends().1.0, 50_000));
    b.open(e, 1, 1);
    b.finish();
    let other = (client(60_000).0, e.1);
    b.tcp(flip(other), ACK, 1, 1, b"answer");
    b.finish();
    assert_eq!(b.ev.ends[1], other);
}

#[test]
fn a_guess_can_be_turned_and_a_fact_cannot() {
    struct Turn(Vec<bool>);
    impl crate::Events<crate::Flow<()>> for Turn {
        fn data(&mut self, f: &mut crate::Flow<()>, _: base::Direction, _: &base::Mark, _: &[u8]) {
            let before = f.initiator();
            f.turn();
            self.0.push(f.initiator() != before);
        }
        fn gap(&mut self, _: &mut crate::Flow<()>, _: base::Direction, _: &base::Mark, _: u64) {}
        fn end(&mut self, _: &mut crate::Flow<()>, _: base::Direction, _: &base::Mark) {}
        fn acked(&mut self, _: &mut crate::Flow<()>, _: base::Direction, _: &base::Mark) {}
        fn report(&mut self, f: &mut crate::Flow<()>, _: base::Timestamp, _: Option<End>) {
            assert_eq!(
                f.sides.of(Side::A).pkts + f.sides.of(Side::B).pkts,
                f.interval().sent[0].pkts + f.interval().sent[1].pkts
            );
        }
    }
    let mut ev = Turn(Vec::new());
    let mut b = Bench::new(config());
    let mut go = |b: &mut Bench, e: Ends, flags| {
        let h = decode::Tcp { flags: decode::TcpFlags(flags), ..decode::Tcp::default() };
        let h = decode::Tcp { sport: e.0.1, dport: e.1.1, seq: 5, ..h };
        let at = crate::Arrival { time: b.now(), wire_len: 60, frames: 1, tiny: 1, ifindex: 0 };
        let p = decode::Packet {
            smac: base::MacAddr::default(),
            dmac: base::MacAddr::default(),
            vlans: decode::Vlans::default(),
            mpls: 0,
            tunnel: base::Tunnel::None,
            vni: None,
            src: e.0.0,
            dst: e.1.0,
            proto: ip_proto::TCP,
            ip_len: 41,
            l4: Layer4::Tcp(h),
            payload: b"x",
            payload_len: 1,
        };
        b.table.packet(&p, &at, &mut ev);
    };
    go(&mut b, client(1), ACK);
    go(&mut b, client(2), SYN);
    let now = b.now();
    b.table.finish(now, &mut ev);
    assert_eq!(ev.0, [true, false]);
}

#[test]
fn second_copies_are_not_counted_until_the_first_view_is_silent() {
    let (mut b, e) = (Bench::new(config()), ends());
    assert_eq!(b.udp(e, b"a"), Fate::Counted);
    b.ifindex = 2;
    assert_eq!(b.udp(e, b"a"), Fate::SecondCopy);
    assert_eq!(b.udp(flip(e), b"b"), Fate::Counted, "each direction has its own");
    b.ifindex = 1;
    assert_eq!(b.udp(flip(e), b"b"), Fate::SecondCopy);
    b.ms += 1500;
    b.ifindex = 2;
    assert_eq!(b.udp(e, b"c"), Fate::Counted, "bound anew");
    b.ifindex = 0;
    assert_eq!(b.udp(e, b"d"), Fate::Counted, "unknown is not bound");
    b.finish();
    let (i, _) = b.ev.last();
    assert_eq!((i.sent[0].pkts, i.sent[1].pkts, b.table.counters().second_copies), (3, 1, 2));
}

#[test]
fn a_full_table_ends_the_most_dispensable() {
    let mut cfg = config();
    cfg.max_flows = 2000;
    let mut b = Bench::new(cfg);
    for n in 0..500 {
        b.open(client(n), 1, 1);
    }
    for n in 500..30_000 {
        b.tcp(client(n), SYN, 7, 0, b"");
    }
    assert_eq!(b.table.len(), 2000);
    let established = b.ev.accounts.iter().filter(|(i, _)| i.sent[1].synack > 0).count();
    assert!(established < 5, "{established} open connections gave way to half-open ones");
    assert_eq!(b.table.counters().flows_evicted as usize, b.ev.accounts.len());
    let held = b.table.held();
    for n in 30_000..60_000 {
        b.tcp(client(n), SYN, 7, 0, b"");
    }
    assert!(b.table.held() <= held + 4096, "{held} to {}", b.table.held());
}

#[test]
fn finish_tells_the_oldest_first_and_once() {
    let mut b = Bench::new(config());
    for n in (0..300).rev() {
        b.udp(client(n), b"x");
        b.ms += 1;
    }
    b.finish();
    b.finish();
    let ports: Vec<u16> = b.ev.ends.iter().map(|e| e.0.1).collect();
    assert_eq!(ports, (10_000..10_300).rev().collect::<Vec<u16>>());
    assert_eq!((b.ev.count(&Told::End(ToServer)), b.ev.count(&Told::End(ToClient))), (300, 300));
}

#[test]
fn one_record_a_connection_when_the_interval_is_long() {
    let mut cfg = config();
    cfg.interval = 86_400 * base::SECOND;
    let mut b = Bench::new(cfg);
    b.open(client(1), 1, 1);
    for _ in 0..600 {
        b.pass(200_000);
        b.tcp(client(1), ACK, 1, 1, b"");
        if b.ms > 80_000_000 {
            break;
        }
    }
    b.finish();
    assert_eq!(b.ev.accounts.len(), 1);
}

#[test]
fn reports_of_a_crowd_spread_over_the_interval() {
    let mut cfg = config();
    cfg.max_flows = 20_000;
    let mut b = Bench::new(cfg);
    let mut a_second = Vec::new();
    for _ in 0..60 {
        for n in 0..10_000 {
            b.udp(client(n), b"x");
        }
        let before = b.ev.accounts.len();
        for _ in 0..10 {
            b.pass(100);
        }
        a_second.push(b.ev.accounts.len() - before);
        b.ev.told.clear();
    }
    assert!(b.ev.accounts.iter().all(|(i, _)| i.sent[0].pkts > 0), "empty intervals");
    let worst = a_second.iter().skip(25).max().unwrap();
    assert!(*worst < 4000, "{a_second:?}");
    let all: u32 = b.ev.accounts.iter().map(|(i, _)| i.sent[0].pkts).sum();
    b.finish();
    let rest: u32 = b.ev.accounts.iter().map(|(i, _)| i.sent[0].pkts).sum();
    assert!(all < rest && rest == 600_000, "{rest}");
}

#[test]
fn random_packets_do_no_harm() {
    for seed in 1..60u64 {
        let mut r = Rng(seed);
        let bytes: Vec<u8> = (0..3000).map(|_| r.next() as u8).collect();
        crate::fuzz_flow(&bytes);
    }
}

#[test]
fn what_is_looked_at_ahead_changes_nothing() {
    // Flows begin, end, give way to others and come back while their packets wait.
    let cfg = Config { max_flows: 12, ..config() };
    let (mut plain, mut ahead, mut rng) = (Bench::new(cfg), Bench::new(cfg), Rng(7));
    for _ in 0..400 {
        let mut batch = Vec::new();
        for _ in 0..rng.below(16) {
            let (e, n) = (ends(), rng.below(40));
            let e = ((e.0.0, 1000 + n as u16), e.1);
            let e = if rng.below(3) == 0 { flip(e) } else { e };
            let flags = [SYN, SYN | ACK, ACK, ACK, ACK | FIN, RST][rng.below(6) as usize];
            let h = Tcp {
                sport: e.0.1,
                dport: e.1.1,
                seq: 1 + rng.below(3) as u32,
                ack: 1,
                flags: TcpFlags(flags),
                ..Tcp::default()
            };
            let (proto, l4) = match n % 3 {
                0 => (ip_proto::UDP, Layer4::Udp { sport: e.0.1, dport: e.1.1 }),
                _ => (ip_proto::TCP, Layer4::Tcp(h)),
            };
            let bytes = [&b""[..], b"some", b"more bytes"][rng.below(3) as usize];
            plain.ms += rng.below(40);
            ahead.ms = plain.ms;
            plain.send(e, proto, l4, bytes);
            batch.push(ahead.packet(e, proto, l4, bytes));
        }
        let mut whose: Vec<_> = batch.iter().map(|(p, _)| ahead.table.whose(p)).collect();
        ahead.table.fetch(&mut whose);
        for (w, (p, at)) in whose.iter().zip(&batch) {
            ahead.table.packet_of(w, p, at, &mut ahead.ev);
        }
    }
    plain.finish();
    ahead.finish();
    assert!(plain.table.counters().flows_evicted > 100);
    assert_eq!(plain.table.counters(), ahead.table.counters());
    assert_eq!((plain.ev.told, plain.ev.accounts), (ahead.ev.told, ahead.ev.accounts));
}
