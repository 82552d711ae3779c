//! Classic BPF programs: validation and interpretation.
//!
//! The machine is that of McCanne and Jacobson, "The BSD Packet Filter" (1993), with the limits that
//! Linux sets (`bpf_check_classic`): 4096 instructions, jumps only forward, 16 words of scratch
//! memory. A load outside the frame ends the program with "reject". Since every jump goes forward,
//! a program ends after at most as many steps as it has instructions.

use crate::Insn;

/// The kernel takes no longer program (`BPF_MAXINSNS`).
pub const MAX_INSNS: usize = 4096;
/// Words of scratch memory (`BPF_MEMWORDS`).
pub(super) const MEM_WORDS: u32 = 16;

/// Opcodes that the compiler writes and the interpreter reads.
#[allow(missing_docs, reason = "the names are those of the BPF assembler")]
pub(super) mod op {
    pub(crate) const LD_W_ABS: u16 = 0x20;
    pub(crate) const LD_H_ABS: u16 = 0x28;
    pub(crate) const LD_B_ABS: u16 = 0x30;
    pub(crate) const LD_W_IND: u16 = 0x40;
    pub(crate) const LD_H_IND: u16 = 0x48;
    pub(crate) const LD_B_IND: u16 = 0x50;
    pub(crate) const LD_IMM: u16 = 0x00;
    pub(crate) const LD_LEN: u16 = 0x80;
    pub(crate) const LD_MEM: u16 = 0x60;
    pub(crate) const LDX_IMM: u16 = 0x01;
    pub(crate) const LDX_LEN: u16 = 0x81;
    pub(crate) const LDX_MEM: u16 = 0x61;
    pub(crate) const LDX_MSH: u16 = 0xb1;
    pub(crate) const ST: u16 = 0x02;
    pub(crate) const STX: u16 = 0x03;
    pub(crate) const NEG: u16 = 0x84;
    pub(crate) const JA: u16 = 0x05;
    pub(crate) const JEQ: u16 = 0x15;
    pub(crate) const JGT: u16 = 0x25;
    pub(crate) const JGE: u16 = 0x35;
    pub(crate) const JSET: u16 = 0x45;
    /// Added to an ALU or jump code: the operand is X, not the constant.
    pub(crate) const X: u16 = 0x08;
    pub(crate) const RET_K: u16 = 0x06;
    pub(crate) const RET_A: u16 = 0x16;
    pub(crate) const TAX: u16 = 0x07;
    pub(crate) const TXA: u16 = 0x87;
    /// Class of arithmetic.
    pub(crate) const ALU: u16 = 0x04;
    pub(crate) const ADD: u16 = 0x00;
    pub(crate) const SUB: u16 = 0x10;
    pub(crate) const MUL: u16 = 0x20;
    pub(crate) const DIV: u16 = 0x30;
    pub(crate) const OR: u16 = 0x40;
    pub(crate) const AND: u16 = 0x50;
    pub(crate) const LSH: u16 = 0x60;
    pub(crate) const RSH: u16 = 0x70;
    pub(crate) const MOD: u16 = 0x90;
    pub(crate) const XOR: u16 = 0xa0;
}

/// Loads at these offsets ask the kernel about the packet, not for its bytes (`SKF_AD_OFF`).
pub(super) mod anc {
    /// Where they begin.
    pub(crate) const BASE: u32 = 0xffff_f000;
    /// Class of the packet: 4 = outgoing.
    pub(crate) const PKTTYPE: u32 = BASE + 4;
    /// Index of the interface.
    pub(crate) const IFINDEX: u32 = BASE + 8;
    /// Type of the link layer, as `linux/if_arp.h` has it.
    pub(crate) const HATYPE: u32 = BASE + 28;
    /// The VLAN tag that was taken off.
    pub(crate) const VLAN_TAG: u32 = BASE + 44;
    /// 1 when a VLAN tag was taken off.
    pub(crate) const VLAN_PRESENT: u32 = BASE + 48;
    /// The protocol number of the tag that was taken off.
    pub(crate) const VLAN_TPID: u32 = BASE + 60;
}

/// What is known of a frame besides its bytes; a live kernel knows it by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aux {
    /// A VLAN tag that was taken off before the filter: (TCI, TPID).
    pub vlan: Option<(u16, u16)>,
    /// Index of the interface.
    pub ifindex: u32,
    /// Packet class as in `linux/if_packet.h`; 4 = outgoing.
    pub pkttype: u8,
}

/// Why a list of instructions is not a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// No instruction, or more than [`MAX_INSNS`].
    Length,
    /// The last instruction is not a return.
    NoReturn,
    /// This instruction has an unknown code.
    Code(usize),
    /// This instruction jumps past the end.
    Jump(usize),
    /// This instruction names scratch memory that does not exist.
    Memory(usize),
    /// This instruction divides by the constant zero, or shifts by more than 31.
    Constant(usize),
}

/// A checked program. It always ends, and it never reads outside the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    insns: Vec<Insn>,
}

impl Program {
    /// Checks the instructions as the kernel does.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn new(insns: Vec<Insn>) -> Result<Program, Invalid> {
        if insns.is_empty() || insns.len() > MAX_INSNS {
            return Err(Invalid::Length);
        }
        for (at, insn) in insns.iter().enumerate() {
            let left = insns.len() - at - 1;
            match insn.code {
                op::LD_MEM | op::LDX_MEM | op::ST | op::STX if insn.k >= MEM_WORDS => {
                    return Err(Invalid::Memory(at));
                }
                op::LD_MEM | op::LDX_MEM | op::ST | op::STX => {}
                op::JA if insn.k as usize >= left => return Err(Invalid::Jump(at)),
                op::JA => {}
                code if code & !0x78 == 0x05 => {
                    if !matches!(code & !op::X, op::JEQ | op::JGT | op::JGE | op::JSET) {
                        return Err(Invalid::Code(at));
                    }
                    if usize::from(insn.jt) >= left || usize::from(insn.jf) >= left {
                        return Err(Invalid::Jump(at));
                    }
                }
                op::NEG => {}
                code if code & 0x07 == op::ALU => {
                    if code > 0xff || code & 0xf0 > op::XOR || code & 0xf0 == op::NEG & 0xf0 {
                        return Err(Invalid::Code(at));
                    }
                    let kind = code & 0xf0;
                    let zero = insn.k == 0 && (kind == op::DIV || kind == op::MOD);
                    let wide = insn.k > 31 && (kind == op::LSH || kind == op::RSH);
                    if code & op::X == 0 && (zero || wide) {
                        return Err(Invalid::Constant(at));
                    }
                }
                op::LD_W_ABS
                | op::LD_H_ABS
                | op::LD_B_ABS
                | op::LD_W_IND
                | op::LD_H_IND
                | op::LD_B_IND
                | op::LD_IMM
                | op::LD_LEN
                | op::LDX_IMM
                | op::LDX_LEN
                | op::LDX_MSH
                | op::RET_K
                | op::RET_A
                | op::TAX
                | op::TXA => {}
                _ => return Err(Invalid::Code(at)),
            }
        }
        match insns.last() {
            Some(Insn { code: op::RET_K | op::RET_A, .. }) => Ok(Program { insns }),
            _ => Err(Invalid::NoReturn),
        }
    }

    /// The instructions, for `SO_ATTACH_FILTER`.
    #[must_use]
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// The same filter, but the kernel keeps `snaplen` bytes of a frame (0: all of it).
    #[must_use]
    pub fn with_snaplen(mut self, snaplen: u32) -> Program {
        for insn in &mut self.insns {
            if insn.code == op::RET_K && insn.k != 0 {
                insn.k = accept_len(snaplen);
            }
        }
        self
    }

    /// True when the filter wants this frame. `wire_len` is what `len` means.
    #[must_use]
    pub fn matches(&self, frame: &[u8], wire_len: u32) -> bool {
        self.run(frame, wire_len, &Aux::default()) != 0
    }

    /// The same, with what the frame knows of its VLAN tag and its interface.
    #[must_use]
    pub fn accepts(&self, frame: &base::Frame<'_>) -> bool {
        let aux = Aux { vlan: frame.vlan, ifindex: frame.ifindex, pkttype: 0 };
        self.run(frame.data, frame.wire_len, &aux) != 0
    }

    /// Runs the program: the number of bytes to keep, 0 to reject.
    #[must_use]
    pub fn run(&self, frame: &[u8], wire_len: u32, aux: &Aux) -> u32 {
        self.step(frame, wire_len, aux).unwrap_or(0)
    }

    /// `None`: a load outside the frame, or a division by zero.
    fn step(&self, frame: &[u8], wire_len: u32, aux: &Aux) -> Option<u32> {
        let (mut a, mut x, mut mem) = (0u32, 0u32, [0u32; MEM_WORDS as usize]);
        let mut pc = 0;
        loop {
            let &Insn { code, jt, jf, k } = self.insns.get(pc)?;
            pc += 1;
            let (at, ind) = (u64::from(k), u64::from(x) + u64::from(k));
            match code {
                op::LD_W_ABS | op::LD_H_ABS | op::LD_B_ABS if k >= anc::BASE => a = ancillary(k, aux)?,
                op::LD_W_ABS => a = word(frame, at)?,
                op::LD_H_ABS => a = half(frame, at)?,
                op::LD_B_ABS => a = byte(frame, at)?,
                op::LD_W_IND => a = word(frame, ind)?,
                op::LD_H_IND => a = half(frame, ind)?,
                op::LD_B_IND => a = byte(frame, ind)?,
                op::LDX_MSH => x = (byte(frame, at)? & 0xf) << 2,
                op::LD_IMM => a = k,
                op::LDX_IMM => x = k,
                op::LD_LEN => a = wire_len,
                op::LDX_LEN => x = wire_len,
                op::LD_MEM => a = *mem.get(k as usize)?,
                op::LDX_MEM => x = *mem.get(k as usize)?,
                op::ST => *mem.get_mut(k as usize)? = a,
                op::STX => *mem.get_mut(k as usize)? = x,
                op::TAX => x = a,
                op::TXA => a = x,
                op::RET_K => return Some(k),
                op::RET_A => return Some(a),
                op::NEG => a = a.wrapping_neg(),
                op::JA => pc += k as usize,
                _ => {
                    let operand = if code & op::X == 0 { k } else { x };
                    if code & 0x07 == op::ALU {
                        a = alu(code & 0xf0, a, operand)?;
                    } else {
                        let taken = match code & !op::X {
                            op::JEQ => a == operand,
                            op::JGT => a > operand,
                            op::JGE => a >= operand,
                            op::JSET => a & operand != 0,
                            _ => return None,
                        };
                        pc += usize::from(if taken { jt } else { jf });
                    }
                }
            }
        }
    }
}

/// What an accepting return gives back.
pub(super) fn accept_len(snaplen: u32) -> u32 {
    /// No frame is longer; the value that tcpdump uses.
    const WHOLE: u32 = 262_144;
    if snaplen == 0 { WHOLE } else { snaplen }
}

/// Arithmetic of the machine; `None` for a division by zero.
pub(super) fn alu(kind: u16, a: u32, b: u32) -> Option<u32> {
    Some(match kind {
        op::ADD => a.wrapping_add(b),
        op::SUB => a.wrapping_sub(b),
        op::MUL => a.wrapping_mul(b),
        op::DIV => a.checked_div(b)?,
        op::MOD => a.checked_rem(b)?,
        op::OR => a | b,
        op::AND => a & b,
        op::XOR => a ^ b,
        op::LSH => a.checked_shl(b).unwrap_or(0),
        op::RSH => a.checked_shr(b).unwrap_or(0),
        _ => return None,
    })
}

#[inline]
fn bytes<const N: usize>(frame: &[u8], at: u64) -> Option<&[u8; N]> {
    frame.get(usize::try_from(at).ok()?..)?.first_chunk::<N>()
}

#[inline]
fn word(frame: &[u8], at: u64) -> Option<u32> {
    bytes(frame, at).map(|b| u32::from_be_bytes(*b))
}

#[inline]
fn half(frame: &[u8], at: u64) -> Option<u32> {
    bytes(frame, at).map(|b| u32::from(u16::from_be_bytes(*b)))
}

#[inline]
fn byte(frame: &[u8], at: u64) -> Option<u32> {
    bytes::<1>(frame, at).map(|b| u32::from(b[0]))
}

#[cold]
fn ancillary(k: u32, aux: &Aux) -> Option<u32> {
    match k {
        anc::PKTTYPE => Some(u32::from(aux.pkttype)),
        anc::IFINDEX => Some(aux.ifindex),
        // Programs of ours ask for it only to tell Ethernet from the rest.
        anc::HATYPE => Some(1),
        anc::VLAN_TAG => Some(aux.vlan.map_or(0, |v| u32::from(v.0))),
        anc::VLAN_PRESENT => Some(u32::from(aux.vlan.is_some())),
        anc::VLAN_TPID => Some(aux.vlan.map_or(0, |v| u32::from(v.1))),
        _ => None,
    }
}

/// Fuzz entry: instructions and a frame from any bytes; what passes the check must end.
#[doc(hidden)]
pub fn fuzz_bpf_run(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (code, frame) = rest.split_at(rest.len().min(usize::from(count) * 8));
    let insns: Vec<Insn> = code
        .chunks_exact(8)
        .filter_map(|c| c.first_chunk::<8>())
        .map(|&[c0, c1, jt, jf, k @ ..]| Insn {
            // Two of three codes are known ones, so that more than chance gets past the check.
            code: if c1 & 3 == 0 { u16::from_be_bytes([c1 >> 6, c0]) } else { u16::from(c0) },
            jt,
            jf,
            k: u32::from_be_bytes(k),
        })
        .collect();
    if let Ok(program) = Program::new(insns) {
        let aux = Aux { vlan: Some((5, 0x8100)), ifindex: 2, pkttype: count };
        let wire_len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let first = program.run(frame, wire_len, &aux);
        assert_eq!(first, program.run(frame, wire_len, &aux));
        let _ = program.run(&[], 0, &aux);
    }
}
