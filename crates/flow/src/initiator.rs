//! Who began: for flows whose beginning was not seen.
//!
//! In this order: server ports learned from SYN-ACKs, then well-known ports, then (TCP) the
//! lower port or (UDP) the first sender.

use base::{Seed, Side};
use std::net::IpAddr;

/// Servers remembered. A table of fixed size: a newer one takes the place of an older.
const LEARNED: usize = 4096;

/// Service ports above 1023 that are usual enough to tell the server's side by.
const SERVICE_PORTS: [u16; 44] = [
    1080, 1433, 1521, 1812, 1813, 1883, 2049, 2181, 2375, 2379, 3000, 3128, 3260, 3306, 3389, 4222, 4369,
    4789, 5000, 5060, 5061, 5222, 5353, 5355, 5432, 5601, 5671, 5672, 5985, 6379, 6443, 7001, 8000, 8080,
    8081, 8443, 8888, 9000, 9042, 9090, 9092, 9200, 11211, 27017,
];

/// True for a port that a server listens on by custom.
pub(crate) fn well_known(port: u16) -> bool {
    (1..1024).contains(&port) || SERVICE_PORTS.binary_search(&port).is_ok()
}

/// The servers that answered a SYN, as fingerprints in a table of fixed size.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    marks: Vec<u64>,
}

fn fingerprint(seed: Seed, end: (IpAddr, u16)) -> u64 {
    let ip = match end.0 {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    seed.pair(ip as u64, (ip >> 64) as u64 ^ u64::from(end.1).rotate_left(48)) | 1
}

impl Learned {
    /// Bytes of heap.
    pub(crate) fn held(&self) -> usize {
        self.marks.capacity().saturating_mul(8)
    }

    /// This end sent a SYN-ACK.
    pub(crate) fn learn(&mut self, seed: Seed, end: (IpAddr, u16)) {
        if self.marks.is_empty() {
            self.marks.resize(LEARNED, 0);
        }
        let f = fingerprint(seed, end);
        if let Some(m) = self.marks.get_mut((f >> 32) as usize % LEARNED) {
            *m = f;
        }
    }

    /// True when this end is known as a server.
    pub(crate) fn knows(&self, seed: Seed, end: (IpAddr, u16)) -> bool {
        let f = fingerprint(seed, end);
        self.marks.get((f >> 32) as usize % LEARNED) == Some(&f)
    }
}

/// The initiator of a TCP flow that began without SYN and SYN-ACK.
pub(crate) fn of_tcp(ends: [(IpAddr, u16); 2], first: Side, learned: &Learned, seed: Seed) -> Side {
    let [a, b] = ends;
    match (learned.knows(seed, a), learned.knows(seed, b)) {
        (true, false) => return Side::B,
        (false, true) => return Side::A,
        _ => {}
    }
    match (well_known(a.1), well_known(b.1)) {
        (true, false) => Side::B,
        (false, true) => Side::A,
        _ if a.1 == b.1 => first,
        _ if a.1 < b.1 => Side::B,
        _ => Side::A,
    }
}

/// The initiator of a UDP pair: the first sender, unless it sends from a service port and the
/// other port is none.
pub(crate) fn of_udp(ends: [(IpAddr, u16); 2], first: Side) -> Side {
    let [a, b] = ends;
    match (well_known(a.1), well_known(b.1)) {
        (true, false) => Side::B,
        (false, true) => Side::A,
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(host: u8, port: u16) -> (IpAddr, u16) {
        (IpAddr::from([10, 0, 0, host]), port)
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(SERVICE_PORTS.is_sorted());
    }

    #[test]
    fn learned_before_well_known_before_lower() {
        let (mut l, s) = (Learned::default(), Seed(3));
        assert_eq!(of_tcp([end(1, 50000), end(2, 3306)], Side::B, &l, s), Side::A);
        l.learn(s, end(1, 50000));
        assert_eq!(of_tcp([end(1, 50000), end(2, 3306)], Side::A, &l, s), Side::B);
        assert_eq!(of_tcp([end(3, 40000), end(4, 30000)], Side::B, &l, s), Side::A);
        assert_eq!(of_tcp([end(3, 40000), end(4, 40000)], Side::B, &l, s), Side::B);
    }

    #[test]
    fn udp_goes_by_the_first_sender_but_for_an_answer() {
        assert_eq!(of_udp([end(1, 53), end(2, 53)], Side::B), Side::B);
        assert_eq!(of_udp([end(1, 53), end(2, 33333)], Side::A), Side::B);
        assert_eq!(of_udp([end(1, 40000), end(2, 30000)], Side::A), Side::A);
    }
}
