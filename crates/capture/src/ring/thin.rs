//! The kernel's half of leaving flows out ([`base::Thin`]): a piece of classic BPF in front of the user's filter.
//!
//! What it refuses, the engine would refuse too. What it cannot judge goes through, and the engine judges it:
//! fragments, tunnels (their inner flows count), extension headers of IPv6, more than one VLAN tag in the frame,
//! link layers other than Ethernet. SYN, FIN and RST always go through, and so does what is not TCP, UDP or
//! ICMP echo.

use crate::Insn;
use base::Thin;

const LD_IMM: u16 = 0x00;
const LD_LEN: u16 = 0x80;
const LD_W_ABS: u16 = 0x20;
const LD_H_ABS: u16 = 0x28;
const LD_MEM: u16 = 0x60;
const LDX_IMM: u16 = 0x01;
const LDX_MEM: u16 = 0x61;
/// Loads at X and a constant.
const LD_W: u16 = 0x40;
const LD_H: u16 = 0x48;
const LD_B: u16 = 0x50;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const TAX: u16 = 0x07;
const TXA: u16 = 0x87;
const ADD_K: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const MUL_K: u16 = 0x24;
const MUL_X: u16 = 0x2c;
const AND_K: u16 = 0x54;
const LSH_K: u16 = 0x64;
const RSH_K: u16 = 0x74;
const XOR_K: u16 = 0xa4;
const XOR_X: u16 = 0xac;
const JA: u16 = 0x05;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JGE_X: u16 = 0x3d;
const JSET: u16 = 0x45;
const RET_K: u16 = 0x06;

const AD_HATYPE: u32 = 0xffff_f01c;
const ARPHRD_ETHER: u32 = 1;
const ARPHRD_LOOPBACK: u32 = 772;

/// Words of scratch memory.
mod at {
    pub(super) const BASE: u32 = 0;
    pub(super) const PROTO: u32 = 1;
    pub(super) const FIRST: u32 = 2;
    /// Source address, then destination address, folded.
    pub(super) const ADDR: u32 = 3;
    pub(super) const PORT: u32 = 5;
    pub(super) const L4: u32 = 7;
    pub(super) const SUM: u32 = 8;
    pub(super) const HASH: u32 = 9;
}

/// Places in the program that are jumped to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    Ethernet,
    Tagged,
    V4,
    V6,
    Layer4,
    Tcp,
    Udp,
    Peek,
    Icmp,
    Icmp6,
    Ports,
    NoPorts,
    Hash,
    /// The packet is looked at.
    Keep,
    /// The packet is left out.
    Leave,
}

/// Instructions whose jumps are not resolved yet.
#[derive(Default)]
struct Code {
    out: Vec<(Insn, To, To)>,
    places: Vec<(To, usize)>,
}

impl Code {
    fn here(&mut self, place: To) {
        self.places.push((place, self.out.len()));
    }

    fn op(&mut self, code: u16, k: u32) {
        self.out.push((Insn::stmt(code, k), To::Next, To::Next));
    }

    fn ops(&mut self, list: &[(u16, u32)]) {
        list.iter().for_each(|(code, k)| self.op(*code, *k));
    }

    fn jump(&mut self, code: u16, k: u32, yes: To, no: To) {
        self.out.push((Insn::stmt(code, k), yes, no));
    }

    /// On to `yes` when the frame has `n` bytes behind X; else it is kept. X is as in scratch memory `x` then.
    fn bytes(&mut self, n: u32, x: u32) {
        self.ops(&[(STX, x), (TXA, 0), (ADD_K, n), (TAX, 0), (LD_LEN, 0)]);
        self.jump(JGE_X, 0, To::Next, To::Keep);
        self.op(LDX_MEM, x);
    }

    /// A is folded into `to` with the salt; X is the base.
    fn address_v4(&mut self, offset: u32, to: u32, salt: u32) {
        self.ops(&[(LD_W, offset), (XOR_K, salt), (ST, to)]);
    }

    fn address_v6(&mut self, offset: u32, to: u32, salt: u32) {
        self.op(LD_W, offset);
        for word in 1..4 {
            self.ops(&[(MUL_K, Thin::FOLD), (ST, to), (LD_W, offset + word * 4)]);
            self.ops(&[(LDX_MEM, to), (ADD_X, 0), (LDX_MEM, at::BASE)]);
        }
        self.ops(&[(XOR_K, salt), (ST, to)]);
    }

    /// A = a * b + (a + b) * weight, of two neighbours in scratch memory.
    fn both(&mut self, a: u32, weight: u32) {
        self.ops(&[(LDX_MEM, a + 1), (LD_MEM, a), (MUL_X, 0), (ST, at::SUM)]);
        self.ops(&[(LD_MEM, a), (ADD_X, 0), (MUL_K, weight), (LDX_MEM, at::SUM), (ADD_X, 0)]);
    }

    /// The program; `Keep` and `Leave` are a return of 0 and what follows the program, or the other way round.
    fn resolve(self, leave_goes_on: bool) -> Vec<Insn> {
        let end = self.out.len();
        let place = |to: To, next: usize| match to {
            To::Next => next,
            To::Keep | To::Leave if (to == To::Leave) == leave_goes_on => end + 1,
            To::Keep | To::Leave => end,
            to => self.places.iter().find(|(p, _)| *p == to).map_or(end, |(_, at)| *at),
        };
        let mut program: Vec<Insn> = Vec::with_capacity(end + 1);
        for (n, (insn, yes, no)) in self.out.iter().enumerate() {
            let next = n + 1;
            let skip = |to: To| place(to, next) - next;
            program.push(match insn.code {
                JA => Insn { k: skip(*yes) as u32, ..*insn },
                // The whole program is shorter than a jump may be: a test holds that.
                _ => Insn { jt: skip(*yes) as u8, jf: skip(*no) as u8, ..*insn },
            });
        }
        program.push(Insn::stmt(RET_K, 0));
        program
    }
}

/// The piece of program. Packets that are looked at go on behind it; with `left`, those that are left out do.
pub(super) fn piece(thin: Thin, left: bool) -> Vec<Insn> {
    let mut c = Code::default();
    c.op(LD_W_ABS, AD_HATYPE);
    c.jump(JEQ, ARPHRD_ETHER, To::Ethernet, To::Next);
    c.jump(JEQ, ARPHRD_LOOPBACK, To::Ethernet, To::Keep);

    c.here(To::Ethernet);
    c.ops(&[(LDX_IMM, 14), (LD_H_ABS, 12)]);
    c.jump(JEQ, 0x0800, To::V4, To::Next);
    c.jump(JEQ, 0x86dd, To::V6, To::Next);
    c.jump(JEQ, 0x8100, To::Tagged, To::Next);
    c.jump(JEQ, 0x88a8, To::Tagged, To::Keep);
    c.here(To::Tagged);
    c.op(LD_LEN, 0);
    c.jump(JGE, 18, To::Next, To::Keep);
    c.ops(&[(LDX_IMM, 18), (LD_H_ABS, 16)]);
    c.jump(JEQ, 0x0800, To::V4, To::Next);
    c.jump(JEQ, 0x86dd, To::V6, To::Keep);

    c.here(To::V4);
    c.bytes(20, at::BASE);
    c.ops(&[(LD_B, 0), (ST, at::FIRST), (RSH_K, 4)]);
    c.jump(JEQ, 4, To::Next, To::Keep);
    c.op(LD_H, 6);
    c.jump(JSET, 0x3fff, To::Keep, To::Next);
    c.ops(&[(LD_B, 9), (ST, at::PROTO)]);
    c.jump(JEQ, 58, To::Keep, To::Next);
    c.address_v4(12, at::ADDR, thin.salt);
    c.address_v4(16, at::ADDR + 1, thin.salt);
    c.ops(&[(LD_MEM, at::FIRST), (AND_K, 15)]);
    c.jump(JGE, 5, To::Next, To::Keep);
    c.ops(&[(LSH_K, 2), (ADD_X, 0), (TAX, 0)]);
    c.jump(JA, 0, To::Layer4, To::Next);

    c.here(To::V6);
    c.bytes(40, at::BASE);
    c.ops(&[(LD_B, 0), (RSH_K, 4)]);
    c.jump(JEQ, 6, To::Next, To::Keep);
    c.ops(&[(LD_B, 6), (ST, at::PROTO)]);
    c.jump(JEQ, 1, To::Keep, To::Next);
    c.address_v6(8, at::ADDR, thin.salt);
    c.address_v6(24, at::ADDR + 1, thin.salt);
    c.ops(&[(TXA, 0), (ADD_K, 40), (TAX, 0)]);

    c.here(To::Layer4);
    c.op(LD_MEM, at::PROTO);
    c.jump(JEQ, 6, To::Tcp, To::Next);
    c.jump(JEQ, 17, To::Udp, To::Next);
    c.jump(JEQ, 1, To::Icmp, To::Next);
    c.jump(JEQ, 58, To::Icmp, To::Keep);

    c.here(To::Tcp);
    c.bytes(14, at::L4);
    c.op(LD_B, 13);
    c.jump(JSET, 7, To::Keep, To::Ports);

    // Ports of tunnels, and of VXLAN on another port the first bytes: as `decode` tells them.
    c.here(To::Udp);
    c.bytes(8, at::L4);
    c.op(LD_H, 2);
    for port in [4789, 4790, 8472, 6081, 6635, 2152, 3544] {
        c.jump(JEQ, port, To::Keep, To::Next);
    }
    c.op(LD_H, 0);
    c.jump(JEQ, 2152, To::Keep, To::Next);
    c.jump(JEQ, 3544, To::Keep, To::Next);
    c.ops(&[(TXA, 0), (ADD_K, 12), (TAX, 0), (LD_LEN, 0)]);
    c.jump(JGE_X, 0, To::Peek, To::Ports);
    c.here(To::Peek);
    c.ops(&[(LDX_MEM, at::L4), (LD_W, 8)]);
    c.jump(JEQ, 0x0800_0000, To::Keep, To::Ports);

    c.here(To::Icmp);
    c.bytes(8, at::L4);
    c.op(LD_MEM, at::PROTO);
    c.jump(JEQ, 58, To::Icmp6, To::Next);
    c.op(LD_B, 0);
    c.jump(JEQ, 8, To::NoPorts, To::Next);
    c.jump(JEQ, 0, To::NoPorts, To::Keep);
    c.here(To::Icmp6);
    c.op(LD_B, 0);
    c.jump(JEQ, 128, To::NoPorts, To::Next);
    c.jump(JEQ, 129, To::NoPorts, To::Keep);

    c.here(To::Ports);
    c.op(LDX_MEM, at::L4);
    for n in 0..2 {
        c.ops(&[(LD_H, n * 2), (ADD_K, thin.port_salt()), (ST, at::PORT + n)]);
    }
    c.jump(JA, 0, To::Hash, To::Next);
    c.here(To::NoPorts);
    c.ops(&[(LD_IMM, thin.port_salt()), (ST, at::PORT), (ST, at::PORT + 1)]);

    c.here(To::Hash);
    c.both(at::ADDR, Thin::ADDRESSES);
    c.ops(&[(ST, at::HASH), (RSH_K, 16), (LDX_MEM, at::HASH), (XOR_X, 0), (MUL_K, Thin::FIRST)]);
    c.op(ST, at::HASH);
    c.both(at::PORT, Thin::PORTS);
    c.ops(&[(LDX_MEM, at::HASH), (ADD_X, 0), (ST, at::HASH), (RSH_K, 15)]);
    c.ops(&[(LDX_MEM, at::HASH), (XOR_X, 0), (MUL_K, Thin::LAST), (RSH_K, 16)]);
    c.jump(JGE, thin.keep, To::Leave, To::Keep);

    c.resolve(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Aux, Program};
    use base::Timestamp;
    use decode::{Decap, IcmpKind, Layer4};
    use testkit::{Flag, Packet, ethernet};

    /// The engine's rule, once more.
    fn left_out(frame: &[u8], thin: Thin) -> Option<bool> {
        let p = decode::frame(&ethernet(Timestamp(0), frame), &Decap { enabled: true }).ok()?;
        let (sport, dport) = match p.l4 {
            Layer4::Tcp(t) if t.flags.0 & 7 == 0 => (t.sport, t.dport),
            Layer4::Udp { sport, dport } => (sport, dport),
            Layer4::Icmp(i) if matches!(i.kind, IcmpKind::EchoRequest(..) | IcmpKind::EchoReply(..)) => {
                (0, 0)
            }
            _ => return Some(false),
        };
        Some(!thin.keeps(&base::FlowKey::new((p.src, sport), (p.dst, dport), p.proto).0))
    }

    fn whole(piece: Vec<Insn>) -> Program {
        let mut insns = piece;
        insns.push(Insn::stmt(RET_K, 77));
        Program::new(insns).unwrap()
    }

    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    /// A frame of a kind, with everything that varies drawn.
    fn drawn(state: &mut u64) -> Vec<u8> {
        let mut r = || random(state) as u32;
        let v6 = r() % 3 == 0;
        let proto = *[6, 6, 6, 17, 17, 1, 58, 47, 4, 132, 44, 0, 50].get(r() as usize % 13).unwrap();
        let mut l4: Vec<u8> = (0..r() % 40 + 4).map(|_| r() as u8).collect();
        match proto {
            6 => {
                l4.resize(l4.len().max(20), 0);
                l4[12] = if r() % 8 == 0 { r() as u8 } else { 0x50 };
                l4[13] = if r() % 3 == 0 { r() as u8 & 0x3f } else { 0x10 };
            }
            17 => {
                l4.resize(l4.len().max(8), 0);
                if r() % 4 == 0 {
                    l4[2..4].copy_from_slice(
                        &[4789u16, 4790, 8472, 6081, 6635, 2152, 3544, 53][r() as usize % 8].to_be_bytes(),
                    );
                }
                let len = l4.len() as u16;
                l4[4..6].copy_from_slice(&len.to_be_bytes());
                if r() % 6 == 0 && l4.len() >= 12 {
                    l4[8..12].copy_from_slice(&[8, 0, 0, 0]);
                }
            }
            1 | 58 => l4[0] = [8, 0, 128, 129, 3, 1, 11, 2][r() as usize % 8],
            _ => {}
        }
        let mut ip = Vec::new();
        if v6 {
            ip.extend([0x60, 0, 0, 0]);
            ip.extend((l4.len() as u16).to_be_bytes());
            ip.extend([proto, 64]);
            (0..32).for_each(|_| ip.push(r() as u8));
        } else {
            let options = (r() % 3 == 0) as u8 * (r() % 4) as u8;
            ip.extend([0x45 + options, 0]);
            ip.extend((20 + options as u16 * 4 + l4.len() as u16).to_be_bytes());
            ip.extend((r() as u16).to_be_bytes());
            let fragment: u16 = if r() % 6 == 0 { r() as u16 & 0x3fff } else { 0x4000 };
            ip.extend(fragment.to_be_bytes());
            ip.extend([64, proto, 0, 0]);
            (0..8).for_each(|_| ip.push(r() as u8));
            (0..options * 4).for_each(|_| ip.push(1));
        }
        let mut f: Vec<u8> = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        match r() % 6 {
            0 => f.extend([0x81, 0, 0, 5]),
            1 => f.extend([0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]),
            _ => {}
        }
        f.extend(if r() % 20 == 0 {
            [8, 6]
        } else if v6 {
            [0x86, 0xdd]
        } else {
            [8, 0]
        });
        f.extend(ip);
        f.extend(l4);
        if r() % 12 == 0 {
            f.truncate(14 + r() as usize % f.len().max(15).saturating_sub(14));
        }
        f
    }

    #[test]
    fn the_kernel_and_the_engine_agree() {
        let mut state = 0x2545_f491_4f6c_dd1d;
        let (mut left, mut kept) = (0, 0);
        for round in 0..200 {
            let keep = [0, 100, 20_000, 32_768, 60_000, Thin::ALL][round % 6];
            let thin = Thin { salt: random(&mut state) as u32, keep };
            let (keeps, leaves) = (whole(piece(thin, false)), whole(piece(thin, true)));
            for _ in 0..500 {
                let frame = drawn(&mut state);
                let run = |p: &Program| p.run(&frame, frame.len() as u32, &Aux::default());
                let (on, off) = (run(&keeps), run(&leaves));
                // Each packet passes exactly one of the two.
                assert_eq!(on + off, 77, "{frame:02x?}");
                match (left_out(&frame, thin), off) {
                    // What makes no sense may be left out with the rest.
                    (None, _) => {}
                    (Some(engine), 77) => assert!(engine, "only the kernel leaves out {frame:02x?}"),
                    (Some(true), _) => kept += 1,
                    (Some(false), _) => {}
                }
                left += u32::from(off == 77);
            }
        }
        // Odd packets are drawn often here; those are for the engine to judge.
        assert!(left > 8000 && kept < left / 2, "{left} left out, {kept} let through for the engine");
    }

    #[test]
    fn plain_packets_are_judged_in_the_kernel() {
        let thin = Thin { salt: 99, keep: 0 };
        let leaves = whole(piece(thin, true));
        for (a, b) in [("10.0.0.1:1", "10.0.0.2:80"), ("[fd00::1]:1", "[fd00::2]:80")] {
            let data = Packet::tcp(a, b).flag(Flag::Ack).flag(Flag::Psh).payload(b"GET /");
            let list = [
                (data.clone().build(), true),
                (data.vlan(7).build(), true),
                (Packet::udp(a, b).payload(b"").build(), true),
                (Packet::udp(a, b).payload(b"query").build(), true),
                (Packet::udp(a, &b.replace("80", "4789")).payload(b"query").build(), false),
                (Packet::tcp(a, b).flag(Flag::Syn).build(), false),
                (Packet::tcp(a, b).flag(Flag::Fin).flag(Flag::Ack).build(), false),
                (Packet::tcp(a, b).flag(Flag::Rst).build(), false),
            ];
            for (n, (frame, left)) in list.iter().enumerate() {
                let run = leaves.run(frame, frame.len() as u32, &Aux::default());
                assert_eq!(run == 77, *left, "{a} {n}");
            }
        }
    }

    #[test]
    fn the_program_is_short_enough_for_its_jumps() {
        assert!(piece(Thin { salt: 1, keep: 1 }, false).len() < 255);
    }
}
