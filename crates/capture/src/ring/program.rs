//! The filter that the kernel runs before it copies a frame: interfaces, the loopback's second copies, the
//! flows that are left out, the user's filter, and the snapshot length (Linux `Documentation/networking/filter.rst`).
//!
//! What is refused here costs a few nanoseconds; what reaches the ring costs most of a microsecond.

use super::interfaces::Scope;
use super::thin;
use crate::Insn;
use base::Thin;

const LD_W_ABS: u16 = 0x20;
const JEQ_K: u16 = 0x15;
const JA: u16 = 0x05;
pub(super) const RET_K: u16 = 0x06;

// Ancillary data, read as if it were the packet at SKF_AD_OFF.
const AD_PKTTYPE: u32 = 0xffff_f004;
const AD_IFINDEX: u32 = 0xffff_f008;
const AD_HATYPE: u32 = 0xffff_f01c;

const PACKET_OUTGOING: u32 = 4;
const ARPHRD_LOOPBACK: u32 = 772;

/// More interfaces than this are told apart in user space only: the kernel tries them one by one.
const MAX_INTERFACES: usize = 256;

/// The program; `None` when it would pass everything whole. `thinned` is a share of flows and whether it is those
/// that are left out that pass.
pub(super) fn program(
    scope: &Scope,
    keep_second_copies: bool,
    thinned: Option<(Thin, bool)>,
    filter: Option<&[Insn]>,
    snaplen: Option<u32>,
) -> Option<Vec<Insn>> {
    let drop = Insn::stmt(RET_K, 0);
    let mut out = Vec::new();
    match scope {
        Scope::Only(list) if list.len() <= MAX_INTERFACES => {
            out.push(Insn::stmt(LD_W_ABS, AD_IFINDEX));
            // Each hit jumps over the rest of the list and the final drop.
            for (n, index) in list.iter().enumerate() {
                out.push(Insn::jump(JEQ_K, *index, 0, 1));
                out.push(Insn::stmt(JA, 2 * (list.len() - 1 - n) as u32 + 1));
            }
            out.push(drop);
        }
        Scope::Except(list) if list.len() <= MAX_INTERFACES && !list.is_empty() => {
            out.push(Insn::stmt(LD_W_ABS, AD_IFINDEX));
            for index in list {
                out.push(Insn::jump(JEQ_K, *index, 0, 1));
                out.push(drop);
            }
        }
        _ => {}
    }
    if !keep_second_copies {
        out.extend([
            Insn::stmt(LD_W_ABS, AD_PKTTYPE),
            Insn::jump(JEQ_K, PACKET_OUTGOING, 0, 3),
            Insn::stmt(LD_W_ABS, AD_HATYPE),
            Insn::jump(JEQ_K, ARPHRD_LOOPBACK, 0, 1),
            drop,
        ]);
    }
    if let Some((share, left)) = thinned {
        out.extend(thin::piece(share, left));
    }
    let snaplen = snaplen.unwrap_or(u32::MAX);
    match filter {
        // What a filter returns is the number of bytes to keep.
        Some(filter) => out.extend(filter.iter().map(|insn| match insn.code {
            RET_K => Insn { k: insn.k.min(snaplen), ..*insn },
            _ => *insn,
        })),
        None if out.is_empty() && snaplen == u32::MAX => return None,
        None => out.push(Insn::stmt(RET_K, snaplen)),
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much of the machine as these programs need.
    fn run(program: &[Insn], ifindex: u32, pkttype: u32, hatype: u32) -> u32 {
        let (mut at, mut a) = (0, 0);
        loop {
            let insn = program[at];
            at += 1;
            match (insn.code, insn.k) {
                (LD_W_ABS, AD_IFINDEX) => a = ifindex,
                (LD_W_ABS, AD_PKTTYPE) => a = pkttype,
                (LD_W_ABS, AD_HATYPE) => a = hatype,
                (JEQ_K, k) => at += usize::from(if a == k { insn.jt } else { insn.jf }),
                (JA, k) => at += k as usize,
                (RET_K, k) => return k,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn interfaces_second_copies_and_snaplen() {
        assert_eq!(program(&Scope::All, true, None, None, None), None);
        let only = program(&Scope::Only(vec![2, 5, 9]), true, None, None, Some(96)).unwrap();
        let except = program(&Scope::Except(vec![2, 5, 9]), true, None, None, None).unwrap();
        for index in 0..12 {
            let listed = [2, 5, 9].contains(&index);
            assert_eq!(run(&only, index, 0, 1), if listed { 96 } else { 0 });
            assert_eq!(run(&except, index, 0, 1), if listed { 0 } else { u32::MAX });
        }
        let none = program(&Scope::Only(vec![]), true, None, None, None).unwrap();
        assert_eq!(run(&none, 1, 0, 1), 0);
        let single = program(&Scope::Only(vec![1]), false, None, None, None).unwrap();
        assert_eq!(run(&single, 1, 4, 772), 0);
        assert_eq!(run(&single, 1, 0, 772), u32::MAX);
        assert_eq!(run(&single, 1, 4, 1), u32::MAX);
        assert_eq!(run(&single, 3, 4, 1), 0);
    }

    #[test]
    fn a_filter_is_cut_to_the_snaplen() {
        let filter = [Insn::jump(JEQ_K, 0, 0, 1), Insn::stmt(RET_K, 262_144), Insn::stmt(RET_K, 0)];
        let out = program(&Scope::All, true, None, Some(&filter), Some(128)).unwrap();
        assert_eq!(out.iter().map(|insn| insn.k).collect::<Vec<_>>(), [0, 128, 0]);
        assert_eq!(program(&Scope::All, true, None, Some(&filter), None).as_deref(), Some(&filter[..]));
    }
}
