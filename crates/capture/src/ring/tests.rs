//! The ring on real interfaces, in network namespaces that end with the test. Needs root.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base::LinkType;

use super::*;

/// Frames of the ring, copied: interface, VLAN, second copy, bytes, length on the wire.
type Row = (u32, Option<(u16, u16)>, bool, Vec<u8>, u32);

/// Runs `test` in a thread with its own network; tells why it cannot, and is silent about nothing else.
fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let done = thread::spawn(|| {
        if let Err(e) = sys::own_network() {
            println!("skipped: no network namespace: {e}");
            return;
        }
        if Command::new("ip").arg("-V").output().is_err() {
            println!("skipped: ip(8) is not installed");
            return;
        }
        ip("link set lo up");
        test();
    });
    if let Err(panic) = done.join() {
        std::panic::resume_unwind(panic);
    }
}

#[track_caller]
fn ip(command: &str) {
    let out = Command::new("ip").args(command.split(' ')).output().unwrap();
    assert!(out.status.success(), "ip {command}: {}", String::from_utf8_lossy(&out.stderr));
}

fn small() -> RingConfig {
    RingConfig { memory: 1024 * 1024, retire_ms: 2, ..RingConfig::default() }
}

fn only(names: &str) -> RingConfig {
    RingConfig { interfaces: names.parse().unwrap(), ..small() }
}

/// Polls until `enough` says so of the frames; fails after 5 s.
#[track_caller]
fn frames_until(ring: &mut Ring, enough: impl Fn(&[Row]) -> bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let started = Instant::now();
    while !enough(&rows) {
        assert!(started.elapsed() < Duration::from_secs(5), "too few frames: {}", rows.len());
        ring.poll(50, &mut |frames| {
            for f in frames {
                assert_eq!(f.link, LinkType::Ethernet);
                assert!(f.time.secs() > 1_700_000_000);
                rows.push((f.ifindex, f.vlan, f.second_copy, f.data.to_vec(), f.wire_len));
            }
        })
        .unwrap();
    }
    rows
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn count(rows: &[Row], what: &[u8]) -> usize {
    rows.iter().filter(|row| has(&row.3, what)).count()
}

/// Another namespace with the other end of a veth pair, which sends on demand.
struct Peer {
    orders: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    done: mpsc::Receiver<()>,
}

impl Peer {
    /// `va` stays here with 10.77.0.1/24, `vb` goes there with 10.77.0.2/24.
    fn new() -> Peer {
        let (orders, inbox) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (tell, done) = mpsc::channel();
        let (tell_id, id) = mpsc::channel();
        thread::spawn(move || {
            sys::own_network().unwrap();
            tell_id.send(sys::thread_id()).unwrap();
            for order in inbox {
                order();
                tell.send(()).unwrap();
            }
        });
        ip("link add va type veth peer name vb");
        ip(&format!("link set vb netns {}", id.recv().unwrap()));
        ip("addr add 10.77.0.1/24 dev va");
        ip("link set va up");
        let peer = Peer { orders, done };
        peer.run(|| {
            ip("link set lo up");
            ip("addr add 10.77.0.2/24 dev vb");
            ip("link set vb up");
        });
        peer
    }

    #[track_caller]
    fn run(&self, order: impl FnOnce() + Send + 'static) {
        self.orders.send(Box::new(order)).unwrap();
        self.done.recv().unwrap();
    }
}

fn send(to: &'static str, what: &'static [u8]) {
    UdpSocket::bind("0.0.0.0:0").unwrap().send_to(what, to).unwrap();
}

fn index(name: &str) -> u32 {
    sys::index_of(name).unwrap()
}

#[test]
fn loopback_frames_come_twice_when_asked() {
    in_own_network(|| {
        // Somebody listens, so that no ICMP error quotes the packets.
        let _listener = UdpSocket::bind("127.0.0.1:9").unwrap();
        for keep in [true, false] {
            let mut ring = Ring::open(&RingConfig { keep_second_copies: keep, ..small() }).unwrap();
            send("127.0.0.1:9", b"to the loopback");
            send("127.0.0.1:9", b"the last one");
            let rows = frames_until(&mut ring, |rows| count(rows, b"the last one") == 1 + usize::from(keep));
            let copies: Vec<_> = rows.iter().filter(|row| has(&row.3, b"to the loopback")).collect();
            assert_eq!(copies.iter().filter(|row| !row.2).count(), 1);
            assert_eq!(copies.iter().filter(|row| row.2).count(), usize::from(keep));
            assert!(copies.iter().all(|row| row.0 == index("lo")));
            let stats = ring.stats();
            assert!(stats.received >= rows.len() as u64);
            assert_eq!((stats.dropped, stats.broken, stats.unknown_link, stats.filtered), (0, 0, 0, 0));
        }
    });
}

#[test]
fn udp_and_tcp_between_namespaces() {
    in_own_network(|| {
        let peer = Peer::new();
        let mut all = Ring::open(&small()).unwrap();
        let mut one = Ring::open(&only("va")).unwrap();
        let mut none = Ring::open(&only("!va")).unwrap();
        let mut list = Ring::open(&RingConfig { snaplen: Some(60), ..only("va,nosuch") }).unwrap();
        peer.run(|| send("10.77.0.1:9", b"from the other side, and longer than the snapshot length"));
        send("10.77.0.2:9", b"from here");
        send("127.0.0.1:9", b"only on the loopback");
        let enough = |rows: &[Row]| count(rows, b"from the other") >= 1 && count(rows, b"from here") >= 1;
        for ring in [&mut all, &mut one] {
            let rows = frames_until(ring, enough);
            for row in rows.iter().filter(|row| has(&row.3, b"from ")) {
                // The answers are ICMP errors that quote the packet; Ethernet with IPv4 in any case.
                assert_eq!((row.0, row.1, row.2), (index("va"), None, false));
                assert_eq!(row.3.get(12..14), Some(&[8, 0][..]));
            }
        }
        let rows = frames_until(&mut list, |rows| rows.iter().filter(|row| row.4 > 60).count() >= 1);
        assert!(rows.iter().all(|row| row.0 == index("va") && row.3.len() <= 60));
        let rows = frames_until(&mut none, |rows| count(rows, b"only on the loopback") >= 1);
        assert!(rows.iter().all(|row| row.0 != index("va")));

        let listener = TcpListener::bind("10.77.0.1:7777").unwrap();
        peer.run(|| {
            use std::io::Write;
            let mut stream = TcpStream::connect("10.77.0.1:7777").unwrap();
            stream.write_all(&[b'x'; 200_000][..40_000]).unwrap();
        });
        drop(listener);
        let rows = frames_until(&mut one, |rows| {
            rows.iter().filter(|row| has(&row.3, b"xxxx")).map(|row| row.3.len()).sum::<usize>() > 40_000
        });
        let largest = rows.iter().map(|row| row.4).max().unwrap();
        assert!(largest > 1514, "offloaded segments are larger than the wire's: {largest}");
    });
}

#[test]
fn vlan_tags_come_beside_the_frame() {
    in_own_network(|| {
        let peer = Peer::new();
        let mut ring = Ring::open(&only("va")).unwrap();
        // A tagged frame as it is on the wire: the receiving kernel takes the tag off, with or without an
        // interface for this VLAN.
        peer.run(|| {
            let tagged =
                [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], &[0x81, 0, 0x60, 42, 8, 0], b"with a tag"].concat();
            let fd = sys::packet_socket().unwrap();
            sys::bind(&fd, index("vb")).unwrap();
            assert_eq!(sys::send(&fd, &tagged).unwrap(), tagged.len());
        });
        let rows = frames_until(&mut ring, |rows| count(rows, b"with a tag") >= 1);
        let row = rows.iter().find(|row| has(&row.3, b"with a tag")).unwrap();
        assert_eq!((row.0, row.1), (index("va"), Some((0x602a, 0x8100))));
        assert_eq!(row.3.get(12..14), Some(&[8, 0][..]));
    });
}

#[test]
fn a_filter_and_its_replacement() {
    in_own_network(|| {
        // ldh [36]: the destination port of UDP in IPv4 without options.
        let port = |port| {
            vec![
                Insn::stmt(0x28, 36),
                Insn::jump(0x15, port, 0, 1),
                Insn::stmt(0x06, u32::MAX),
                Insn::stmt(0x06, 0),
            ]
        };
        let mut ring = Ring::open(&RingConfig { filter: Some(port(1001)), ..small() }).unwrap();
        send("127.0.0.1:1002", b"two");
        send("127.0.0.1:1001", b"one");
        let rows = frames_until(&mut ring, |rows| !rows.is_empty());
        assert_eq!((rows.len(), count(&rows, b"one")), (1, 1));
        ring.set_filter(Some(port(1002)), Some(44)).unwrap();
        // Jumps out of the program: refused, and the filter stays.
        assert!(ring.set_filter(Some(vec![Insn::jump(0x15, 0, 9, 9)]), None).is_err());
        send("127.0.0.1:1001", b"one");
        send("127.0.0.1:1002", b"two and more");
        let rows = frames_until(&mut ring, |rows| !rows.is_empty());
        assert_eq!((rows.len(), rows[0].3.len(), rows[0].4), (1, 44, 54));
    });
}

#[test]
fn an_interface_goes_and_comes_back() {
    in_own_network(|| {
        let add = || {
            ip("link add dm0 type veth peer name dm1");
            ip("addr add 10.79.0.1/24 dev dm0");
            ip("link set dm1 up");
            ip("link set dm0 up");
        };
        for fanout in [None, Some(Fanout { group: 77, defrag: true })] {
            add();
            let mut bound = Ring::open(&RingConfig { fanout, ..only("dm0") }).unwrap();
            let mut listed = Ring::open(&only("dm0,nosuch")).unwrap();
            let wait_for = |ring: &mut Ring, event: RingEvent| {
                let started = Instant::now();
                loop {
                    ring.poll(20, &mut |_| ()).unwrap();
                    while let Some(got) = ring.take_event() {
                        if got == event {
                            return;
                        }
                    }
                    assert!(started.elapsed() < Duration::from_secs(5), "no {event:?}");
                }
            };
            // Nobody has this address; what matters is that the frame goes out here.
            let seen = |bound: &mut Ring, what: &'static [u8]| {
                ip("neigh replace 10.79.0.9 lladdr 02:00:00:00:00:09 dev dm0");
                send("10.79.0.9:9", what);
                let rows = frames_until(bound, |rows| count(rows, what) == 1);
                assert!(rows.iter().all(|row| row.0 == index("dm0")));
            };
            seen(&mut bound, b"first");
            seen(&mut listed, b"again");
            ip("link set dm0 down");
            wait_for(&mut bound, RingEvent::Down("dm0".to_owned()));
            assert!(bound.is_down());
            ip("link set dm0 up");
            wait_for(&mut bound, RingEvent::Up("dm0".to_owned()));
            seen(&mut bound, b"second");
            ip("link del dm0");
            wait_for(&mut bound, RingEvent::Down("dm0".to_owned()));
            add();
            wait_for(&mut bound, RingEvent::Up("dm0".to_owned()));
            assert!(!bound.is_down());
            seen(&mut bound, b"third");
            wait_for(&mut listed, RingEvent::InterfacesChanged);
            // The list's filter follows within a tenth of a second.
            let started = Instant::now();
            while listed.scope != Scope::Only(vec![index("dm0")]) {
                listed.poll(20, &mut |_| ()).unwrap();
                assert!(started.elapsed() < Duration::from_secs(5), "{:?}", listed.scope);
            }
            seen(&mut listed, b"fourth");
            ip("link del dm0");
        }
    });
}

#[test]
fn workers_share_flows() {
    in_own_network(|| {
        let config = RingConfig { fanout: Some(Fanout { group: 4711, defrag: true }), ..small() };
        let mut rings = [Ring::open(&config).unwrap(), Ring::open(&config).unwrap()];
        let sockets: Vec<UdpSocket> = (0..32).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        for _ in 0..4 {
            for socket in &sockets {
                socket.send_to(b"shared work", "127.0.0.1:9").unwrap();
            }
        }
        let mut flows = [[0_u32; 2]; 32];
        let started = Instant::now();
        while flows.iter().flatten().sum::<u32>() < 128 {
            assert!(started.elapsed() < Duration::from_secs(5));
            for (n, ring) in rings.iter_mut().enumerate() {
                ring.poll(5, &mut |frames| {
                    for f in frames {
                        let to_discard = f.data.get(36..38) == Some(&[0, 9]) && has(f.data, b"shared work");
                        let udp = to_discard && f.data.get(23) == Some(&17);
                        let Some(port) = f.data.get(34..36).filter(|_| udp) else { continue };
                        let port = u16::from_be_bytes([port[0], port[1]]);
                        let at = sockets.iter().position(|s| s.local_addr().unwrap().port() == port).unwrap();
                        flows[at][n] += 1;
                    }
                })
                .unwrap();
            }
        }
        assert!(flows.iter().all(|flow| *flow == [4, 0] || *flow == [0, 4]), "{flows:?}");
        assert!((0..2).all(|n| flows.iter().any(|flow| flow[n] > 0)), "{flows:?}");
    });
}

#[test]
fn a_full_ring_counts_what_it_drops() {
    in_own_network(|| {
        let mut ring = Ring::open(&RingConfig { memory: 0, block_size: MIN_BLOCK, ..small() }).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2_000 {
            socket.send_to(&[7; 1_000], "127.0.0.1:9").unwrap();
        }
        let mut frames = 0;
        for _ in 0..4 {
            frames += ring.poll(20, &mut |_| ()).unwrap();
        }
        let stats = ring.stats();
        assert!(stats.dropped > 1_000 && stats.freezes > 0, "{stats:?}");
        assert_eq!(stats.received, frames as u64);
        assert_eq!(ring.stats(), stats);
    });
}

#[test]
fn what_is_left_out_is_counted_to_the_packet() {
    in_own_network(|| {
        let sockets: Vec<UdpSocket> = (0..64).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let send_all = |what: &[u8]| {
            for _ in 0..10 {
                for socket in &sockets {
                    // A port unreachable that came back is told by the next call, in place of sending.
                    while socket.send_to(what, "127.0.0.1:9").is_err() {}
                }
            }
        };
        let ours = |rows: &[Row], what: &[u8]| {
            rows.iter().filter(|row| row.3.get(23) == Some(&17) && has(&row.3, what)).count() as u64
        };
        // With a filter of the user, bound to one interface and to all.
        for (devices, filter) in [("lo", None), ("any", Some(vec![Insn::stmt(0x06, 2000)]))] {
            let mut ring =
                Ring::open(&RingConfig { count_thinned: true, filter, memory: 16 << 20, ..only(devices) })
                    .unwrap();
            let mut counted = 0;
            for (round, keep) in [(b'a', 32_768), (b'b', 0), (b'c', 20_000)] {
                let what = [round; 40];
                ring.set_thin(Some(Thin { salt: 12_345, keep })).unwrap();
                send_all(&what);
                let mut rows = Vec::new();
                while ring.poll(50, &mut |f| rows.extend(f.iter().map(|f| f.data.to_vec()))).unwrap() > 0 {}
                let rows: Vec<Row> = rows.into_iter().map(|data| (0, None, false, data, 0)).collect();
                let left = ring.stats().thinned - counted;
                counted += left;
                assert_eq!(ours(&rows, &what) + left, 640, "{devices} {keep} {left} {:?}", ring.stats());
                assert!(if keep == 0 { left == 640 } else { (100..600).contains(&left) }, "{keep}: {left}");
                assert_eq!(left % 10, 0, "whole flows");
            }
            ring.set_thin(None).unwrap();
            send_all(b"all of it again, and nothing left out");
            let rows = frames_until(&mut ring, |rows| ours(rows, b"all of it again") >= 640);
            assert_eq!(ours(&rows, b"all of it again"), 640);
            assert_eq!(ring.stats().thinned, counted);
        }
    });
}

#[test]
fn who_is_late_passes_over_what_waits() {
    in_own_network(|| {
        let config = RingConfig { memory: 16 * MIN_BLOCK, block_size: MIN_BLOCK, ..small() };
        let mut ring = Ring::open(&config).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..600 {
            while socket.send_to(&[7; 1_000], "127.0.0.1:9").is_err() {}
        }
        thread::sleep(Duration::from_millis(50));
        ring.set_pace(Some(1));
        ring.skip_old();
        let skipped = ring.stats().skipped;
        assert!(skipped > 300, "{skipped}");
        let (mut calls, mut frames) = (0, 0);
        loop {
            match ring.poll(20, &mut |_| ()).unwrap() {
                0 => break,
                n => (calls, frames) = (calls + 1, frames + n),
            }
        }
        assert!(calls >= 2, "a block in each call");
        let stats = ring.stats();
        assert_eq!((stats.skipped, stats.dropped), (skipped, 0), "{stats:?}");
        assert_eq!(stats.received - skipped, frames as u64);
    });
}

#[test]
fn errors_tell_what_was_tried() {
    in_own_network(|| {
        let says = |config: RingConfig| Ring::open(&config).map(|_| ()).unwrap_err().to_string();
        assert!(says(only("eth99")).starts_with("capture: interface eth99; there are lo: No such device"));
        assert!(says(only("eth98,eth99")).starts_with("capture: interfaces eth98,eth99; there are lo"));
        assert!(
            says(RingConfig { block_size: 1000, ..small() })
                .contains("block size 1000, expected a power of two")
        );
        let wrong = Some(vec![Insn::stmt(0xffff, 0)]);
        assert!(
            says(RingConfig { filter: wrong, ..small() })
                .starts_with("capture: attaching the filter: Invalid arg")
        );
    });
}
