//! One frame: Ethernet, VLAN tags, IPv4 or IPv6, TCP or UDP.

use std::net::{IpAddr, SocketAddr};

/// Flags of a TCP segment, RFC 9293 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// No more data from the sender.
    Fin = 1,
    /// Synchronise sequence numbers.
    Syn = 2,
    /// Reset.
    Rst = 4,
    /// Push.
    Psh = 8,
    /// The acknowledgement number counts.
    Ack = 16,
}

#[derive(Clone, Debug)]
enum Layer4 {
    Tcp { seq: u32, ack: u32, flags: u8, window: u16, options: Vec<u8> },
    Udp,
}

/// A packet under construction; [`Packet::build`] gives the frame.
#[derive(Clone, Debug)]
pub struct Packet {
    src: SocketAddr,
    dst: SocketAddr,
    macs: [[u8; 6]; 2],
    vlans: Vec<u16>,
    ttl: u8,
    id: u16,
    layer4: Layer4,
    payload: Vec<u8>,
}

impl Packet {
    fn new(src: &str, dst: &str, layer4: Layer4) -> Packet {
        let parse = |s: &str| s.parse::<SocketAddr>().expect("an address like 10.0.0.1:80 or [::1]:80");
        Packet {
            src: parse(src),
            dst: parse(dst),
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            vlans: Vec::new(),
            ttl: 64,
            id: 0,
            layer4,
            payload: Vec::new(),
        }
    }

    /// A TCP segment without flags, from `src` to `dst` (`10.0.0.1:80`, `[::1]:80`).
    #[must_use]
    pub fn tcp(src: &str, dst: &str) -> Packet {
        Packet::new(src, dst, Layer4::Tcp { seq: 0, ack: 0, flags: 0, window: 65535, options: Vec::new() })
    }

    /// A UDP datagram.
    #[must_use]
    pub fn udp(src: &str, dst: &str) -> Packet {
        Packet::new(src, dst, Layer4::Udp)
    }

    /// Source and destination addresses of Ethernet.
    #[must_use]
    pub fn macs(mut self, src: [u8; 6], dst: [u8; 6]) -> Packet {
        self.macs = [src, dst];
        self
    }

    /// Adds a VLAN tag inside those that are there: 802.1ad for all but the last.
    #[must_use]
    pub fn vlan(mut self, id: u16) -> Packet {
        self.vlans.push(id);
        self
    }

    /// Time to live, hop limit.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Packet {
        self.ttl = ttl;
        self
    }

    /// IPv4 identification.
    #[must_use]
    pub fn id(mut self, id: u16) -> Packet {
        self.id = id;
        self
    }

    /// Sequence number of a segment.
    #[must_use]
    pub fn seq(mut self, n: u32) -> Packet {
        if let Layer4::Tcp { seq, .. } = &mut self.layer4 {
            *seq = n;
        }
        self
    }

    /// Acknowledgement number, and its flag.
    #[must_use]
    pub fn ack(mut self, n: u32) -> Packet {
        if let Layer4::Tcp { ack, .. } = &mut self.layer4 {
            *ack = n;
        }
        self.flag(Flag::Ack)
    }

    /// Sets a flag.
    #[must_use]
    pub fn flag(mut self, flag: Flag) -> Packet {
        if let Layer4::Tcp { flags, .. } = &mut self.layer4 {
            *flags |= flag as u8;
        }
        self
    }

    /// Window as in the header.
    #[must_use]
    pub fn window(mut self, n: u16) -> Packet {
        if let Layer4::Tcp { window, .. } = &mut self.layer4 {
            *window = n;
        }
        self
    }

    /// TCP options as they are; padded to a multiple of four.
    #[must_use]
    pub fn options(mut self, bytes: &[u8]) -> Packet {
        if let Layer4::Tcp { options, .. } = &mut self.layer4 {
            options.extend_from_slice(bytes);
        }
        self
    }

    /// What it carries.
    #[must_use]
    pub fn payload(mut self, bytes: &[u8]) -> Packet {
        self.payload = bytes.to_vec();
        self
    }

    /// The frame.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut out = [self.macs[1], self.macs[0]].concat();
        for (i, id) in self.vlans.iter().enumerate() {
            let last = i + 1 == self.vlans.len();
            out.extend_from_slice(if last { &[0x81, 0] } else { &[0x88, 0xa8] });
            out.extend_from_slice(&id.to_be_bytes());
        }
        let segment = self.layer4();
        match (self.src.ip(), self.dst.ip()) {
            (IpAddr::V4(s), IpAddr::V4(d)) => {
                out.extend_from_slice(&[8, 0, 0x45, 0]);
                out.extend_from_slice(&(20 + segment.len() as u16).to_be_bytes());
                out.extend_from_slice(&self.id.to_be_bytes());
                out.extend_from_slice(&[0x40, 0, self.ttl, self.protocol(), 0, 0]);
                out.extend_from_slice(&s.octets());
                out.extend_from_slice(&d.octets());
            }
            (IpAddr::V6(s), IpAddr::V6(d)) => {
                out.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
                out.extend_from_slice(&(segment.len() as u16).to_be_bytes());
                out.extend_from_slice(&[self.protocol(), self.ttl]);
                out.extend_from_slice(&s.octets());
                out.extend_from_slice(&d.octets());
            }
            _ => panic!("both addresses are of one family"),
        }
        out.extend_from_slice(&segment);
        set_checksums(&mut out, 14 + 4 * self.vlans.len());
        out
    }

    fn protocol(&self) -> u8 {
        if matches!(self.layer4, Layer4::Udp) { 17 } else { 6 }
    }

    fn layer4(&self) -> Vec<u8> {
        let mut out = [self.src.port().to_be_bytes(), self.dst.port().to_be_bytes()].concat();
        match &self.layer4 {
            Layer4::Tcp { seq, ack, flags, window, options } => {
                let padded = options.len().next_multiple_of(4);
                out.extend_from_slice(&seq.to_be_bytes());
                out.extend_from_slice(&ack.to_be_bytes());
                out.extend_from_slice(&[((20 + padded) as u8 / 4) << 4, *flags]);
                out.extend_from_slice(&window.to_be_bytes());
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(options);
                out.resize(20 + padded, 0);
            }
            Layer4::Udp => {
                out.extend_from_slice(&(8 + self.payload.len() as u16).to_be_bytes());
                out.extend_from_slice(&[0; 2]);
            }
        }
        out.extend_from_slice(&self.payload);
        out
    }
}

/// One's complement sum of 16-bit words, RFC 1071.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|c| u32::from(c[0]) << 8 | c.get(1).map_or(0, |b| u32::from(*b))).sum()
}

fn fold(mut s: u32) -> u16 {
    while s > 0xffff {
        s = (s & 0xffff) + (s >> 16);
    }
    !(s as u16)
}

/// Writes the checksums of the IP packet at `ip` (TCP or UDP without extension headers, whole).
pub(crate) fn set_checksums(frame: &mut [u8], ip: usize) {
    let v6 = frame[ip] >> 4 == 6;
    let (header, proto, addresses) = if v6 {
        (40, frame[ip + 6], ip + 8..ip + 40)
    } else {
        (usize::from(frame[ip] & 15) * 4, frame[ip + 9], ip + 12..ip + 20)
    };
    if !v6 {
        frame[ip + 10..ip + 12].fill(0);
        let s = fold(sum(&frame[ip..ip + header]));
        frame[ip + 10..ip + 12].copy_from_slice(&s.to_be_bytes());
    }
    let l4 = ip + header;
    let end = if v6 { l4 } else { ip } + usize::from(be16(frame, if v6 { ip + 4 } else { ip + 2 }));
    let at = l4 + if proto == 17 { 6 } else { 16 };
    frame[at..at + 2].fill(0);
    let pseudo = sum(&frame[addresses]) + u32::from(proto) + (end - l4) as u32;
    let s = match fold(pseudo + sum(&frame[l4..end])) {
        0 if proto == 17 => 0xffff,
        s => s,
    };
    frame[at..at + 2].copy_from_slice(&s.to_be_bytes());
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_come_out_as_zero() {
        for (s, d, ip, net) in
            [("10.0.0.1:1", "10.0.0.2:53", 14, 20), ("[fe80::1]:1", "[fe80::2]:53", 18, 40)]
        {
            for p in [Packet::udp(s, d), Packet::tcp(s, d).seq(1).ack(2).options(&[2, 4, 5, 0xb4, 1])] {
                let mut p = p.payload(b"odd");
                if net == 40 {
                    p = p.vlan(7);
                }
                let proto = p.protocol();
                let f = p.build();
                if net == 20 {
                    assert_eq!(fold(sum(&f[ip..ip + 20])), 0);
                }
                let addresses = if net == 20 { ip + 12..ip + 20 } else { ip + 8..ip + 40 };
                let l4 = &f[ip + net..];
                assert_eq!(fold(sum(&f[addresses]) + u32::from(proto) + l4.len() as u32 + sum(l4)), 0);
                assert!(f.ends_with(b"odd"));
            }
        }
    }

    #[test]
    fn a_known_frame() {
        // A header whose checksum is known: 4500 003c 1c46 4000 4006 b1e6 ac10 0a63 ac10 0a0c.
        let f = Packet::tcp("172.16.10.99:1", "172.16.10.12:2").id(0x1c46).payload(&[0; 20]).build();
        assert_eq!(&f[24..26], &[0xb1, 0xe6]);
    }
}
