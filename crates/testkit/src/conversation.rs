//! A TCP connection as a script: handshake, data both ways in segments, end.

use crate::{Flag, Packet, TimedFrame};
use base::{MICRO, SECOND, Timestamp};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Who sent the SYN.
    Client = 0,
    /// The other end.
    Server = 1,
}

/// A connection under way. Every packet comes `step` after the one before; data are acknowledged
/// by one packet when the other end says nothing.
#[derive(Clone, Debug)]
pub struct Conversation {
    ends: [String; 2],
    seq: [u32; 2],
    mss: usize,
    step: u64,
    now: Timestamp,
    frames: Vec<TimedFrame>,
}

impl Conversation {
    /// Between a client and a server (`10.0.0.1:40000`); nothing is sent yet. It begins at
    /// 2024-01-01 00:00:00 UTC, steps by 100 us and cuts at 1460 bytes.
    #[must_use]
    pub fn new(client: &str, server: &str) -> Conversation {
        Conversation {
            ends: [client.to_owned(), server.to_owned()],
            seq: [1000, 500_000],
            mss: 1460,
            step: 100 * MICRO,
            now: Timestamp(1_704_067_200 * SECOND),
            frames: Vec::new(),
        }
    }

    /// When the next packet is sent.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Conversation {
        self.now = time;
        self
    }

    /// Time between packets in ns.
    #[must_use]
    pub fn step(mut self, ns: u64) -> Conversation {
        self.step = ns;
        self
    }

    /// Most bytes of a segment.
    #[must_use]
    pub fn mss(mut self, bytes: usize) -> Conversation {
        self.mss = bytes.max(1);
        self
    }

    /// Initial sequence numbers of client and server.
    #[must_use]
    pub fn isn(mut self, client: u32, server: u32) -> Conversation {
        self.seq = [client, server];
        self
    }

    /// SYN, SYN-ACK, ACK.
    #[must_use]
    pub fn handshake(mut self) -> Conversation {
        let [c, s] = self.seq;
        let mss = [&[2, 4][..], &(self.mss.min(1460) as u16).to_be_bytes()].concat();
        self.push(self.packet(Sender::Client).seq(c).flag(Flag::Syn).options(&mss));
        self.push(self.packet(Sender::Server).seq(s).ack(c.wrapping_add(1)).flag(Flag::Syn).options(&mss));
        self.seq = [c.wrapping_add(1), s.wrapping_add(1)];
        self.acknowledge(Sender::Client)
    }

    /// Sends bytes, cut into segments, and has them acknowledged.
    #[must_use]
    pub fn send(self, by: Sender, bytes: &[u8]) -> Conversation {
        self.send_unacknowledged(by, bytes).acknowledge(other(by))
    }

    /// Sends bytes; the other end is silent.
    #[must_use]
    pub fn send_unacknowledged(mut self, by: Sender, bytes: &[u8]) -> Conversation {
        let mut chunks = bytes.chunks(self.mss).peekable();
        while let Some(chunk) = chunks.next() {
            let mut p = self.segment(by).payload(chunk);
            if chunks.peek().is_none() {
                p = p.flag(Flag::Psh);
            }
            self.push(p);
            self.advance(by, chunk.len() as u32);
        }
        self
    }

    /// An ACK without data.
    #[must_use]
    pub fn acknowledge(mut self, by: Sender) -> Conversation {
        self.push(self.segment(by));
        self
    }

    /// Bytes that were sent but are not in the capture.
    #[must_use]
    pub fn lose(mut self, by: Sender, bytes: usize) -> Conversation {
        self.advance(by, bytes as u32);
        self
    }

    /// Lets time pass.
    #[must_use]
    pub fn wait(mut self, ns: u64) -> Conversation {
        self.now = self.now.plus(ns);
        self
    }

    /// FIN of both, the client's first.
    #[must_use]
    pub fn close(mut self) -> Conversation {
        for by in [Sender::Client, Sender::Server] {
            self.push(self.segment(by).flag(Flag::Fin));
            self.advance(by, 1);
        }
        self.acknowledge(Sender::Client)
    }

    /// RST.
    #[must_use]
    pub fn reset(mut self, by: Sender) -> Conversation {
        self.push(self.segment(by).flag(Flag::Rst));
        self
    }

    /// How many frames there are so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Is there none yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// All frames.
    #[must_use]
    pub fn frames(self) -> Vec<TimedFrame> {
        self.frames
    }

    fn packet(&self, by: Sender) -> Packet {
        let [c, s] = &self.ends;
        match by {
            Sender::Client => Packet::tcp(c, s),
            Sender::Server => Packet::tcp(s, c).macs([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]),
        }
    }

    fn segment(&self, by: Sender) -> Packet {
        self.packet(by).seq(self.seq[by as usize]).ack(self.seq[other(by) as usize])
    }

    fn advance(&mut self, by: Sender, n: u32) {
        let seq = &mut self.seq[by as usize];
        *seq = seq.wrapping_add(n);
    }

    fn push(&mut self, p: Packet) {
        self.frames.push((self.now, p.id(self.frames.len() as u16).build()));
        self.now = self.now.plus(self.step);
    }
}

fn other(by: Sender) -> Sender {
    match by {
        Sender::Client => Sender::Server,
        Sender::Server => Sender::Client,
    }
}
