use super::*;
use crate::{Destination, FileConfig, Reason, TcpConfig, Transport};

fn batch(outlet: &Outlet, records: usize) -> Batch {
    let mut b = outlet.batch();
    for i in 0..records {
        b.add(|o| o.extend_from_slice(format!("{{\"n\":\"{i}\"}}").as_bytes()));
    }
    b
}

fn dir(name: &str) -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("mfnano-outlet-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

#[test]
fn all_sinks_get_all_records_and_batches_come_back() {
    let dir = dir("all");
    let config = |n: &str| SinkConfig::File(FileConfig { path: dir.join(n), cap: 1 << 20 });
    let outlet = Outlet::start(vec![config("a"), config("b")], 1 << 20).unwrap();
    for _ in 0..20 {
        outlet.push_wait(batch(&outlet, 10));
    }
    outlet.push(Batch::default());
    let pool = Arc::clone(&outlet.pool);
    let reports = outlet.close(Duration::from_secs(20));
    for (report, name) in reports.iter().zip(["a", "b"]) {
        assert_eq!((report.counts.made, report.counts.sent, report.counts.dropped_all()), (200, 200, 0));
        assert!(report.alive && report.name.ends_with(name));
        let text = std::fs::read_to_string(dir.join(name).join("mfnano.json")).unwrap();
        assert_eq!(text.lines().count(), 200);
    }
    let pool = pool.lock().unwrap();
    assert!(!pool.is_empty() && pool.len() <= POOL, "{} in the pool", pool.len());
    std::fs::remove_dir_all(dir).unwrap();
}

/// A receiver that never comes: the queue holds its budget, the rest is dropped, closing does not hang,
/// and the account is whole.
#[test]
fn a_dead_receiver_costs_only_its_own_records() {
    // A port on which nobody listens: bound, and never set to listen.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = Destination {
        host: "127.0.0.1".into(),
        port: taken.local_addr().unwrap().port(),
        transport: Transport::Tcp,
    };
    let outlet = Outlet::start(vec![SinkConfig::Tcp(TcpConfig { to })], 8 * 1024).unwrap();
    for _ in 0..200 {
        outlet.push(batch(&outlet, 20));
    }
    assert!(outlet.held() <= 8 * 1024);
    let reports = outlet.close(Duration::from_millis(50));
    let counts = reports[0].counts;
    assert_eq!(counts.made, 4000);
    assert_eq!(counts.sent, 0);
    assert_eq!(counts.dropped_all(), 4000, "{counts:?}");
    assert!(counts.dropped_for(Reason::QueueFull) > 3000 && counts.dropped_for(Reason::Closed) > 0);
}

/// A sink that hangs in the system: closing does not, and what it had in hand is in the account.
#[test]
fn a_sink_that_hangs_loses_what_it_has_in_hand() {
    let queue = Arc::new(Queue::new(1 << 20));
    let running = Running { name: "hung".into(), queue: Arc::clone(&queue), dead: Arc::default() };
    let outlet = Outlet { sinks: vec![running], pool: Arc::default() };
    outlet.push(batch(&outlet, 7));
    outlet.push(batch(&outlet, 3));
    let Next::Batch(in_hand) = queue.next(Duration::ZERO) else { panic!("no batch") };
    queue.account.sent(2);
    let counts = outlet.close(Duration::from_millis(10))[0].counts;
    assert_eq!((in_hand.len(), counts.made, counts.sent), (7, 10, 2));
    assert_eq!(counts.dropped_for(Reason::Closed), 8, "{counts:?}");
}
