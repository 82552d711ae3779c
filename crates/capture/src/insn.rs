//! One instruction of the classic BPF machine, as the kernel's `struct sock_filter` has it.
//!
//! Filters are compiled to these; the ring hands them to the kernel, files are filtered with them in
//! our own machine.

/// A classic BPF instruction (Linux `Documentation/networking/filter.rst`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insn {
    /// Operation: class, size and mode.
    pub code: u16,
    /// Instructions to skip when a comparison holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

impl Insn {
    /// A statement: no jumps.
    #[must_use]
    pub const fn stmt(code: u16, k: u32) -> Insn {
        Insn { code, jt: 0, jf: 0, k }
    }

    /// A conditional jump.
    #[must_use]
    pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Insn {
        Insn { code, jt, jf, k }
    }
}
