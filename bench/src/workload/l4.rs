//! Packets and connections without anything inside: what flows alone cost.

use super::{Made, START, Workload, client, link};
use base::MICRO;
use std::collections::HashSet;
use testkit::{Conversation, Flag, Noise, Packet, Sender};

pub const ALL: &[Workload] = &[
    Workload {
        name: "udp-small",
        what: "64-byte UDP in random order over 100 k flows (a tenth of the packets)",
        unit: "packets",
        make: udp_small,
    },
    Workload {
        name: "tcp-bulk",
        what: "1,400-byte TCP segments over 200 connections, acknowledged",
        unit: "segments",
        make: tcp_bulk,
    },
    Workload {
        name: "connections",
        what: "short connections, SYN to FIN, no data",
        unit: "connections",
        make: connections,
    },
    Workload {
        name: "syn-flood",
        what: "SYNs from distinct ports, never answered",
        unit: "SYNs",
        make: syn_flood,
    },
];

fn udp_small(scale: usize) -> Made {
    let flows = (scale / 10).clamp(1, 100_000);
    let (mut noise, mut seen) = (Noise::new(1), HashSet::new());
    let frames = (0..scale)
        .map(|i| {
            let n = noise.below(flows);
            seen.insert(n);
            let src =
                format!("10.{}.{}.{}:{}", 1 + n / 50_000, (n / 250) % 200, 1 + n % 250, 10_000 + n % 40_000);
            let frame = Packet::udp(&src, "192.168.0.1:9999").payload(&[b'x'; 22]).build();
            (START.plus(i as u64 * MICRO), frame)
        })
        .collect();
    Made { frames, units: scale, flows: seen.len(), records: None }
}

fn tcp_bulk(scale: usize) -> Made {
    const FLOWS: usize = 200;
    let rounds = (scale / FLOWS / 3).max(1);
    let mut frames = Vec::new();
    for f in 0..FLOWS {
        let mut c = Conversation::new(&format!("10.0.0.{}:{}", 1 + f % 250, 20_000 + f), "192.168.0.1:443")
            .at(START.plus(f as u64 * MICRO))
            .step(FLOWS as u64 * MICRO)
            .mss(1346)
            .handshake();
        for _ in 0..rounds {
            c = c.send(Sender::Client, &[0xa5; 2 * 1346]);
        }
        frames.extend(c.frames());
    }
    Made { frames: link(frames, MICRO), units: FLOWS * rounds * 2, flows: FLOWS, records: None }
}

fn connections(scale: usize) -> Made {
    let n = (scale / 7).max(1);
    let mut frames = Vec::new();
    for i in 0..n {
        let c = Conversation::new(&client(i), "192.168.0.1:443")
            .at(START.plus(i as u64 * 4 * MICRO))
            .step(50 * MICRO);
        frames.extend(c.handshake().close().frames());
    }
    Made { frames: link(frames, MICRO / 2), units: n, flows: n, records: None }
}

fn syn_flood(scale: usize) -> Made {
    let frames = (0..scale)
        .map(|i| {
            let src = format!("10.{}.{}.{}:{}", i >> 16 & 255, i >> 8 & 255, i & 255, 1024 + i % 60_000);
            let frame = Packet::tcp(&src, "192.168.0.1:80").seq(i as u32).flag(Flag::Syn).build();
            (START.plus(i as u64 * MICRO), frame)
        })
        .collect();
    Made { frames, units: scale, flows: scale, records: None }
}
