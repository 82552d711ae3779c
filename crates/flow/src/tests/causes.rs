//! Cause before effect: what a segment acknowledges is told before it, as data or as a gap.

use super::kit::{ACK, Bench, Ends, FIN, RST, Rng, Told, config, ends, flip};
use base::Direction::{self, ToClient, ToServer};

fn data(dir: Direction, b: &[u8]) -> Told {
    Told::Data(dir, b.to_vec())
}

/// A connection with `n` requests `q<n>` and answers `a<n>` of 4 bytes each, by turns.
/// `order` are the places in it of the segments sent: even ones are requests.
fn ping_pong(order: &[u32]) -> Bench {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    for i in order {
        turn(&mut b, e, *i);
    }
    b
}

fn turn(b: &mut Bench, e: Ends, i: u32) {
    let (n, text) = (i / 2, text(i));
    match i % 2 {
        0 => b.tcp(e, ACK, 1 + n * 4, 1001 + n * 4, &text),
        _ => b.tcp(flip(e), ACK, 1001 + n * 4, 5 + n * 4, &text),
    };
}

fn text(i: u32) -> Vec<u8> {
    format!("{}{:03}", if i.is_multiple_of(2) { 'q' } else { 'a' }, i / 2).into_bytes()
}

fn told(i: u32) -> Told {
    data(if i.is_multiple_of(2) { ToServer } else { ToClient }, &text(i))
}

#[test]
fn the_answer_to_a_lost_request_comes_after_the_gap() {
    let mut b = ping_pong(&[0, 1, 3, 4, 5]);
    assert_eq!(b.ev.told, [told(0), told(1)], "it may only be late");
    b.pass(10);
    assert_eq!(b.ev.told[2..], [Told::Gap(ToServer, 4), told(3), told(4), told(5)]);
    turn(&mut b, ends(), 6);
    assert_eq!(b.ev.told[6..], [told(6)], "nothing waits any more");
}

#[test]
fn a_lost_answer_is_a_gap_before_the_next_request() {
    let mut b = ping_pong(&[0, 2, 3, 4, 5]);
    assert_eq!(b.ev.told, [told(0)]);
    b.pass(10);
    assert_eq!(b.ev.told[1..], [Told::Gap(ToClient, 4), told(2), told(3), told(4), told(5)]);
}

#[test]
fn acknowledgements_are_told_where_they_came() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.ev.watch = true;
    b.open(e, 1, 1001);
    [0, 1, 3, 4, 5].into_iter().for_each(|i| turn(&mut b, e, i));
    b.tcp(e, ACK, 13, 1013, b"");
    b.pass(10);
    let data = b.ev.told.iter().filter(|t| !matches!(t, Told::Acked(_))).cloned();
    let want = [told(0), told(1), Told::Gap(ToServer, 4), told(3), told(4), told(5)];
    assert_eq!(data.collect::<Vec<_>>(), want);
    let at = |t: &Told| b.ev.told.iter().position(|x| x == t).unwrap();
    assert_eq!(b.ev.told[at(&told(3)) + 1], Told::Acked(ToClient), "by the next request");
    assert_eq!(b.ev.told.last(), Some(&Told::Acked(ToClient)), "by an ACK that came before the gap was told");
}

#[test]
fn a_fast_exchange_waits_for_a_few_packets_only() {
    let b = ping_pong(&[0, 1, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(b.ev.told.len(), 2);
    let b = ping_pong(&[0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    let mut want = vec![told(0), told(1), Told::Gap(ToServer, 4)];
    want.extend((3..12).map(told));
    assert_eq!(b.ev.told, want);
}

#[test]
fn holes_behind_each_other_are_not_waited_for_one_by_one() {
    let b = ping_pong(&[0, 1, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    // the first is given up at 12, the second two packets later
    let mut want = vec![told(0), told(1), Told::Gap(ToServer, 4), told(3), told(4), Told::Gap(ToClient, 4)];
    want.extend((6..15).map(told));
    assert_eq!(b.ev.told, want);
}

#[test]
fn overtaken_segments_of_both_directions_come_in_the_order_sent() {
    for seed in 1..300 {
        let mut r = Rng(seed * 0x9e37_79b9);
        let mut places: Vec<(u64, u32)> = (0..40).map(|i| (u64::from(i) * 4 + r.below(13), i)).collect();
        places.sort_unstable();
        let order: Vec<u32> = places.iter().map(|p| p.1).collect();
        let b = ping_pong(&order);
        assert_eq!(b.ev.told, (0..40).map(told).collect::<Vec<_>>(), "{order:?}");
        assert!(b.ev.marks.iter().zip(b.ev.marks.iter().skip(1)).all(|(a, b)| a.time <= b.time));
    }
}

#[test]
fn answers_to_earlier_requests_do_not_wait() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 1, 1001, b"q1");
    b.tcp(e, ACK, 5, 1001, b"q3");
    b.tcp(flip(e), ACK, 1001, 3, b"a1");
    assert_eq!(b.ev.told, [data(ToServer, b"q1"), data(ToClient, b"a1")]);
    b.tcp(flip(e), ACK, 1003, 5, b"a2");
    b.tcp(flip(e), ACK, 1005, 7, b"a3");
    assert_eq!(b.ev.told.len(), 2);
    b.tcp(e, ACK, 3, 1001, b"q2");
    let want = [(ToServer, b"q2"), (ToServer, b"q3"), (ToClient, b"a2"), (ToClient, b"a3")];
    assert_eq!(b.ev.told[2..], want.map(|(dir, text)| data(dir, text)));
}

#[test]
fn ends_keep_their_place() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(e, ACK, 1, 1001, b"q1");
    // the answer and the server's FIN are lost, the client's is not
    b.tcp(e, ACK | FIN, 3, 1006, b"");
    assert_eq!(b.ev.told, [data(ToServer, b"q1")]);
    b.pass(10);
    assert_eq!(b.ev.told[1..], [Told::Gap(ToClient, 5), Told::End(ToServer)]);
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    // request and FIN of the client are overtaken by those of the server
    b.tcp(flip(e), ACK | FIN, 1001, 4, b"a1");
    b.tcp(e, ACK | FIN, 1, 1001, b"q1");
    let want = [data(ToServer, b"q1"), Told::End(ToServer), data(ToClient, b"a1"), Told::End(ToClient)];
    assert_eq!(b.ev.told[..], want[..]);
}

#[test]
fn what_waits_is_told_in_order_at_a_reset_and_at_the_end() {
    for reset in [true, false] {
        let mut b = ping_pong(&[0, 1, 3, 4, 6, 7]);
        if reset {
            b.tcp(flip(ends()), RST | ACK, 1017, 17, b"");
        } else {
            b.finish();
        }
        let mut want = vec![told(0), told(1), Told::Gap(ToServer, 4), told(3), told(4)];
        want.extend([Told::Gap(ToClient, 4), told(6), told(7), Told::End(ToServer), Told::End(ToClient)]);
        assert_eq!(b.ev.told[..want.len()], want);
    }
}

#[test]
fn an_ack_beyond_reason_holds_nothing() {
    let (mut b, e) = (Bench::new(config()), ends());
    b.open(e, 1, 1001);
    b.tcp(flip(e), ACK, 1001, 0x7000_0000, b"a");
    b.tcp(flip(e), ACK, 1002, 0x9000_0000, b"b");
    assert_eq!(b.ev.bytes(ToClient), b"ab");
}

#[test]
fn without_room_a_gap_is_told_early_and_nothing_captured_is_lost() {
    let mut cfg = config();
    (cfg.max_held_per_stream, cfg.max_held) = (4000, 8000);
    let (mut b, e) = (Bench::new(cfg), ends());
    b.open(e, 1, 1001);
    for n in 0..6u32 {
        b.tcp(flip(e), ACK, 1001 + n * 900, 101, &[b'a'; 900]);
        b.tcp(e, ACK, 101 + n * 900, 1, &[b'q'; 900]);
    }
    assert!(b.table.counters().gaps_for_room > 0);
    assert_eq!(b.ev.told.first(), Some(&Told::Gap(ToServer, 100)));
    b.finish();
    assert_eq!((b.ev.bytes(ToClient).len(), b.ev.bytes(ToServer).len()), (5400, 5400));
}

/// A segment: who, where its data begins, its end, what it acknowledges.
struct Sent {
    dir: Direction,
    from: u32,
    to: u32,
    ack: u32,
}

/// Two ends that send when they like, and acknowledge what had arrived by then.
fn talk(r: &mut Rng) -> Vec<Sent> {
    let (mut sent, mut all) = ([0u32; 2], Vec::new());
    let mut arrived = [0u32; 2];
    for _ in 0..r.below(60) + 4 {
        let me = r.below(2) as usize;
        let n = 4 + r.below(20) as u32;
        // of the other's data, some may be under way yet
        if r.below(4) > 0 {
            arrived[me] = sent[1 - me];
        }
        let dir = if me == 0 { ToServer } else { ToClient };
        all.push(Sent { dir, from: sent[me], to: sent[me] + n, ack: arrived[me] });
        sent[me] += n;
    }
    all
}

#[test]
fn no_loss_and_no_disorder_turns_cause_and_effect_round() {
    for seed in 1..1500u64 {
        let mut r = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let all = talk(&mut r);
        let (loss, disorder) = (r.below(40), if seed % 2 == 0 { 1 + r.below(16) } else { 1 });
        let mut order: Vec<(u64, usize)> = Vec::new();
        for i in 0..all.len() {
            let copies = if r.below(100) < loss { 0 } else { 1 + u64::from(r.below(20) == 0) };
            order.extend((0..copies).map(|c| (i as u64 * 4 + r.below(disorder) + c * r.below(30), i)));
        }
        order.sort_unstable();
        let (c, s) = (r.next() as u32, r.next() as u32);
        let (mut b, e) = (Bench::new(config()), ends());
        b.open(e, c, s);
        for (_, i) in &order {
            let x = &all[*i];
            let mut bytes = vec![0; (x.to - x.from) as usize];
            bytes[..4].copy_from_slice(&(*i as u32).to_be_bytes());
            let (e, seq, ack) = if x.dir == ToServer { (e, c, s) } else { (flip(e), s, c) };
            b.tcp(e, ACK, seq.wrapping_add(x.from), ack.wrapping_add(x.ack), &bytes);
            if r.below(3) == 0 {
                b.pass(r.below(5));
            }
        }
        if r.below(2) == 0 {
            b.pass(3500);
            b.pass(3500);
        }
        b.finish();
        let mut at = [0u32; 2];
        let mut whole = std::collections::HashSet::new();
        for t in &b.ev.told {
            match t {
                Told::Gap(d, n) => at[usize::from(*d == ToClient)] += *n as u32,
                Told::Data(d, bytes) => {
                    let i = u32::from_be_bytes(bytes[..4].try_into().unwrap());
                    let (x, me) = (&all[i as usize], usize::from(*d == ToClient));
                    assert_eq!(
                        (x.dir, x.from, (x.to - x.from) as usize),
                        (*d, at[me], bytes.len()),
                        "seed {seed}"
                    );
                    assert!(at[1 - me] >= x.ack, "seed {seed}: {i} before what it acknowledges");
                    at[me] = x.to;
                    whole.insert(i as usize);
                }
                _ => {}
            }
        }
        let seen: std::collections::HashSet<usize> = order.iter().map(|o| o.1).collect();
        if disorder == 1 && loss == 0 {
            assert_eq!(b.table.counters().gaps, 0, "seed {seed}");
        }
        if order.windows(2).all(|w| w[0].1 <= w[1].1) {
            assert_eq!(whole, seen, "seed {seed}: what was captured is told");
        }
    }
}
