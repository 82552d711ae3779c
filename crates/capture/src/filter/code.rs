//! From conditions to instructions.
//!
//! A filter is a graph of values (loads and arithmetic) and conditions (tests joined by and, or,
//! not). Lowering turns conditions into blocks, each one test with two exits, laid out so that
//! exits lead only to blocks of smaller number. Then exits are threaded past tests whose
//! outcome is already known on the way there (`ether type is IP` is tested once), and
//! instructions are written from the last to the first, so that every jump knows its distance.

mod index;
mod thread;

use base::Seed;

use index::Index;
use thread::{ACCEPT, Block, Blocks, Exit, REJECT};

use super::vm::{self, MAX_INSNS, MEM_WORDS, Program, op};
use crate::Insn;

/// Index of a value.
pub(super) type Val = u32;
/// Index of a condition.
pub(super) type Cond = u32;

/// Levels of arithmetic in one comparison: it is walked recursively.
const MAX_ARITH_DEPTH: u8 = 48;

/// A value: a load, or arithmetic over values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Const(u32),
    Len,
    /// Bytes (1, 2, 4) at a fixed offset.
    Abs(u8, u32),
    /// Bytes at a value plus an offset.
    Ind(u8, Val, u32),
    /// Four times the low nibble of a byte: the length of an IPv4 header.
    Msh(u32),
    Alu(u16, Val, Val),
    Neg(Val),
}

/// Right side of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhs {
    K(u32),
    X(Val),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Test {
    val: Val,
    jump: u16,
    rhs: Rhs,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    False,
    True,
    Test(Test),
    And(Cond, Cond),
    Or(Cond, Cond),
    Not(Cond),
}

/// Always false.
pub(super) const FALSE: Cond = 0;
/// Always true.
pub(super) const TRUE: Cond = 1;

/// What the program would need more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// More than 4096 instructions.
    Insns,
    /// Arithmetic nested too deep.
    Arith,
}

/// Values and conditions of a filter.
pub(super) struct Graph {
    vals: Vec<Op>,
    depth: Vec<u8>,
    known: Index,
    nodes: Vec<Node>,
    /// Set when arithmetic is nested deeper than the limit.
    pub(super) too_deep: bool,
}

impl Graph {
    pub(super) fn new() -> Graph {
        Graph {
            vals: Vec::new(),
            depth: Vec::new(),
            known: Index::default(),
            nodes: vec![Node::False, Node::True],
            too_deep: false,
        }
    }

    fn op(&self, val: Val) -> Op {
        self.vals.get(val as usize).copied().unwrap_or(Op::Const(0))
    }

    fn node(&self, cond: Cond) -> Node {
        self.nodes.get(cond as usize).copied().unwrap_or(Node::False)
    }

    /// The number of this value, if it is known before the program runs.
    pub(super) fn as_const(&self, val: Val) -> Option<u32> {
        if let Op::Const(k) = self.op(val) { Some(k) } else { None }
    }

    /// The value; equal values have one index.
    #[inline(never)]
    pub(super) fn val(&mut self, op: Op) -> Val {
        let under = |v: Val| self.depth.get(v as usize).copied().unwrap_or(0).saturating_add(1);
        let depth = match op {
            Op::Ind(_, a, _) | Op::Neg(a) => under(a),
            Op::Alu(_, a, b) => under(a).max(under(b)),
            _ => 0,
        };
        self.too_deep |= depth > MAX_ARITH_DEPTH;
        let next = index(self.vals.len());
        let words = match op {
            Op::Const(k) => (0, k, 0),
            Op::Len => (1, 0, 0),
            Op::Abs(size, at) => (2 | u32::from(size) << 8, at, 0),
            Op::Ind(size, base, at) => (3 | u32::from(size) << 8, base, at),
            Op::Msh(at) => (4, at, 0),
            Op::Alu(kind, a, b) => (5 | u32::from(kind) << 8, a, b),
            Op::Neg(a) => (6, a, 0),
        };
        let hash = Seed::default().pair(u64::from(words.0), u64::from(words.1) << 32 | u64::from(words.2));
        let val = self.known.find_or_add(hash, next, |old| self.vals.get(old as usize) == Some(&op));
        if val == next {
            self.vals.push(op);
            self.depth.push(depth);
        }
        val
    }

    #[inline(never)]
    pub(super) fn abs(&mut self, size: u8, at: u32) -> Val {
        self.val(Op::Abs(size, at))
    }

    /// A load at `base` plus `at`; fixed parts are added up here.
    pub(super) fn ind(&mut self, size: u8, base: Val, at: u32) -> Val {
        let fixed = |k: u32| i32::try_from(i64::from(at) + i64::from(k.cast_signed())).ok();
        let whole = |k: u32| fixed(k).and_then(|sum| u32::try_from(sum).ok());
        match self.op(base) {
            Op::Const(k) => {
                if let Some(sum) = whole(k) {
                    return self.abs(size, sum);
                }
            }
            Op::Alu(op::ADD, a, b) => {
                for (part, other) in [(a, b), (b, a)] {
                    if let Some(sum) = self.as_const(part).and_then(whole) {
                        return self.val(Op::Ind(size, other, sum));
                    }
                }
            }
            _ => {}
        }
        self.val(Op::Ind(size, base, at))
    }

    /// Arithmetic; `None` for a division by the constant zero or a shift by more than 31.
    pub(super) fn alu(&mut self, kind: u16, a: Val, b: Val) -> Option<Val> {
        if let Some(k) = self.as_const(b) {
            let zero = k == 0 && (kind == op::DIV || kind == op::MOD);
            let wide = k > 31 && (kind == op::LSH || kind == op::RSH);
            if zero || wide {
                return None;
            }
            if let Some(sum) = self.as_const(a).and_then(|a| vm::alu(kind, a, k)) {
                return Some(self.val(Op::Const(sum)));
            }
        }
        let commutes = matches!(kind, op::ADD | op::MUL | op::AND | op::OR | op::XOR);
        if commutes && self.as_const(a).is_some() {
            return Some(self.val(Op::Alu(kind, b, a)));
        }
        Some(self.val(Op::Alu(kind, a, b)))
    }

    pub(super) fn neg(&mut self, a: Val) -> Val {
        match self.as_const(a) {
            Some(k) => self.val(Op::Const(k.wrapping_neg())),
            None => self.val(Op::Neg(a)),
        }
    }

    #[inline(never)]
    fn push(&mut self, node: Node) -> Cond {
        self.nodes.push(node);
        index(self.nodes.len() - 1)
    }

    /// A comparison by `JEQ`, `JGT`, `JGE` or `JSET` with a constant.
    pub(super) fn test(&mut self, val: Val, jump: u16, k: u32) -> Cond {
        if let Some(a) = self.as_const(val) {
            return Cond::from(compare(jump, a, k));
        }
        if jump == op::JEQ
            && let Op::Alu(op::AND, inner, mask) = self.op(val)
            && let Some(mask) = self.as_const(mask)
        {
            // One bit, or none of some bits: the machine has an instruction for it.
            if k == 0 || (k == mask && mask.is_power_of_two()) {
                let set = self.push(Node::Test(Test { val: inner, jump: op::JSET, rhs: Rhs::K(mask) }));
                return if k == 0 { self.not(set) } else { set };
            }
        }
        self.push(Node::Test(Test { val, jump, rhs: Rhs::K(k) }))
    }

    /// A comparison of two values.
    pub(super) fn test_vals(&mut self, a: Val, jump: u16, b: Val) -> Cond {
        match (self.as_const(a), self.as_const(b)) {
            (_, Some(k)) => self.test(a, jump, k),
            // k == b; k > b is not(b >= k); k >= b is not(b > k).
            (Some(k), None) => match jump {
                op::JGT => {
                    let ge = self.test(b, op::JGE, k);
                    self.not(ge)
                }
                op::JGE => {
                    let gt = self.test(b, op::JGT, k);
                    self.not(gt)
                }
                _ => self.test(b, jump, k),
            },
            (None, None) => self.push(Node::Test(Test { val: a, jump, rhs: Rhs::X(b) })),
        }
    }

    #[inline(never)]
    pub(super) fn eq(&mut self, val: Val, k: u32) -> Cond {
        self.test(val, op::JEQ, k)
    }

    /// `val & mask == k`.
    pub(super) fn masked(&mut self, val: Val, mask: u32, k: u32) -> Cond {
        match mask {
            0 => Cond::from(k == 0),
            u32::MAX => self.eq(val, k),
            _ => {
                let mask = self.val(Op::Const(mask));
                let part = self.val(Op::Alu(op::AND, val, mask));
                self.eq(part, k)
            }
        }
    }

    #[inline(never)]
    pub(super) fn and(&mut self, a: Cond, b: Cond) -> Cond {
        match (a, b) {
            (FALSE, _) | (_, FALSE) => FALSE,
            (TRUE, x) | (x, TRUE) => x,
            _ => self.push(Node::And(a, b)),
        }
    }

    #[inline(never)]
    pub(super) fn or(&mut self, a: Cond, b: Cond) -> Cond {
        match (a, b) {
            (TRUE, _) | (_, TRUE) => TRUE,
            (FALSE, x) | (x, FALSE) => x,
            _ => self.push(Node::Or(a, b)),
        }
    }

    #[inline(never)]
    pub(super) fn not(&mut self, a: Cond) -> Cond {
        match (a, self.node(a)) {
            (FALSE, _) => TRUE,
            (TRUE, _) => FALSE,
            (_, Node::Not(inner)) => inner,
            _ => self.push(Node::Not(a)),
        }
    }

    /// The program for a condition; `None` when no frame can pass it.
    pub(super) fn program(&self, root: Cond, accept: u32) -> Result<Option<Program>, Limit> {
        let mut blocks = Blocks { list: Vec::new() };
        let root = self.lower(&mut blocks, root, ACCEPT, REJECT)?;
        blocks.thread(root);
        let root = blocks.merge(root);
        let Some(insns) = self.write(&blocks, root, accept)? else { return Ok(None) };
        Program::new(insns).map(Some).map_err(|_| Limit::Insns)
    }

    /// Blocks for a condition with its two exits; gives the entry. The left side of `and` and
    /// `or` is walked in a loop, since lists grow there; the right side by recursion, which the
    /// parser's limit on nesting bounds.
    fn lower(&self, blocks: &mut Blocks, cond: Cond, yes: Exit, no: Exit) -> Result<Exit, Limit> {
        let (mut cond, mut yes, mut no) = (cond, yes, no);
        loop {
            match self.node(cond) {
                Node::False => return Ok(no),
                Node::True => return Ok(yes),
                Node::Test(test) => return blocks.push(Block { test, yes, no }),
                Node::Not(inner) => {
                    cond = inner;
                    (yes, no) = (no, yes);
                }
                Node::And(a, b) => {
                    yes = self.lower(blocks, b, yes, no)?;
                    cond = a;
                }
                Node::Or(a, b) => {
                    no = self.lower(blocks, b, yes, no)?;
                    cond = a;
                }
            }
        }
    }

    /// Instructions from the blocks that can be reached; `None` when "accept" is not among
    /// them.
    fn write(&self, blocks: &Blocks, root: Exit, accept: u32) -> Result<Option<Vec<Insn>>, Limit> {
        // First pass, in the order of execution: what A and X hold at the entry of each block.
        let mut entry: Vec<Option<State>> = vec![None; blocks.list.len() + 2];
        if let Some(state) = entry.get_mut(root as usize) {
            *state = Some(State::default());
        }
        let mut bodies: Vec<Insn> = Vec::new();
        let mut placed = Vec::new();
        for (at, block) in blocks.list.iter().enumerate().rev() {
            let Some(Some(mut state)) = entry.get(at + 2).copied() else { continue };
            let start = bodies.len();
            self.load_test(&mut bodies, &mut state, block.test)?;
            placed.push((at + 2, *block, start..bodies.len()));
            if bodies.len() > MAX_INSNS {
                return Err(Limit::Insns);
            }
            for exit in [block.yes, block.no] {
                if let Some(at) = entry.get_mut(exit as usize) {
                    *at = Some(at.map_or(state, |old| old.meet(state)));
                }
            }
        }
        if !matches!(entry.get(ACCEPT as usize), Some(Some(_))) {
            return Ok(None);
        }
        // Second pass, backwards: `out` is the program in reverse, `place` where a block's first
        // instruction is in it.
        let mut out = vec![Insn::stmt(op::RET_K, 0), Insn::stmt(op::RET_K, accept)];
        let mut place = vec![0usize; entry.len()];
        if let Some(at) = place.get_mut(ACCEPT as usize) {
            *at = 1;
        }
        for (at, block, body) in placed.iter().rev() {
            let target = |exit: Exit| place.get(exit as usize).copied().unwrap_or(0);
            let (yes, no) = (target(block.yes), target(block.no));
            // Two instructions may come between: the detours of far jumps.
            let jt = detour(&mut out, yes, 1);
            let jf = detour(&mut out, no, 0);
            let (code, k) = match block.test.rhs {
                Rhs::K(k) => (block.test.jump, k),
                Rhs::X(_) => (block.test.jump | op::X, 0),
            };
            let here = out.len();
            let skip = |to: usize| u8::try_from(here - 1 - to).unwrap_or(u8::MAX);
            out.push(Insn::jump(code, k, skip(jt), skip(jf)));
            out.extend(bodies.get(body.clone()).unwrap_or_default().iter().rev());
            if let Some(place) = place.get_mut(*at) {
                *place = out.len() - 1;
            }
            if out.len() > MAX_INSNS {
                return Err(Limit::Insns);
            }
        }
        if placed.is_empty() {
            out.remove(0);
        }
        out.reverse();
        Ok(Some(out))
    }

    /// Brings the operands of a test into A and X, as far as they are not there yet.
    fn load_test(&self, out: &mut Vec<Insn>, state: &mut State, test: Test) -> Result<(), Limit> {
        if let Rhs::X(rhs) = test.rhs {
            if state.a != Some(test.val) || state.x != Some(rhs) {
                self.load_pair(out, state, test.val, rhs, 0)?;
            }
        } else {
            self.load(out, state, test.val, 0)?;
        }
        Ok(())
    }

    /// `a` into A and `b` into X; scratch memory below `reg` is taken.
    fn load_pair(
        &self,
        out: &mut Vec<Insn>,
        state: &mut State,
        a: Val,
        b: Val,
        reg: u32,
    ) -> Result<(), Limit> {
        if let Op::Msh(at) = self.op(b) {
            self.load(out, state, a, reg)?;
            if state.x != Some(b) {
                out.push(Insn::stmt(op::LDX_MSH, at));
            }
        } else {
            if reg >= MEM_WORDS {
                return Err(Limit::Arith);
            }
            // The deeper side goes first: so few words of memory are enough.
            let depth = |v: Val| self.depth.get(v as usize).copied().unwrap_or(0);
            let (first, second) = if depth(a) > depth(b) { (a, b) } else { (b, a) };
            self.load(out, state, first, reg)?;
            out.push(Insn::stmt(op::ST, reg));
            self.load(out, state, second, reg + 1)?;
            if second == a {
                out.push(Insn::stmt(op::LDX_MEM, reg));
            } else {
                out.push(Insn::stmt(op::TAX, 0));
                out.push(Insn::stmt(op::LD_MEM, reg));
            }
            state.a = Some(a);
        }
        state.x = Some(b);
        Ok(())
    }

    /// A value into A.
    fn load(&self, out: &mut Vec<Insn>, state: &mut State, val: Val, reg: u32) -> Result<(), Limit> {
        if state.a == Some(val) {
            return Ok(());
        }
        match self.op(val) {
            Op::Const(k) => out.push(Insn::stmt(op::LD_IMM, k)),
            Op::Len => out.push(Insn::stmt(op::LD_LEN, 0)),
            Op::Abs(size, at) => out.push(Insn::stmt(sized(size, op::LD_W_ABS), at)),
            Op::Ind(size, base, at) => {
                self.load_x(out, state, base, reg)?;
                out.push(Insn::stmt(sized(size, op::LD_W_IND), at));
            }
            Op::Msh(_) => {
                self.load_x(out, state, val, reg)?;
                out.push(Insn::stmt(op::TXA, 0));
            }
            Op::Neg(inner) => {
                self.load(out, state, inner, reg)?;
                out.push(Insn::stmt(op::NEG, 0));
            }
            Op::Alu(kind, a, b) => {
                if let Some(k) = self.as_const(b) {
                    self.load(out, state, a, reg)?;
                    out.push(Insn::stmt(op::ALU | kind, k));
                } else {
                    self.load_pair(out, state, a, b, reg)?;
                    out.push(Insn::stmt(op::ALU | kind | op::X, 0));
                }
            }
        }
        state.a = Some(val);
        Ok(())
    }

    /// A value into X; what A held is lost, unless the value is a header length.
    fn load_x(&self, out: &mut Vec<Insn>, state: &mut State, val: Val, reg: u32) -> Result<(), Limit> {
        if state.x == Some(val) {
            return Ok(());
        }
        if let Op::Msh(at) = self.op(val) {
            out.push(Insn::stmt(op::LDX_MSH, at));
        } else {
            self.load(out, state, val, reg)?;
            out.push(Insn::stmt(op::TAX, 0));
        }
        state.x = Some(val);
        Ok(())
    }
}

/// A list never has more than the expression has bytes, some dozen for each.
fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

const fn sized(size: u8, word: u16) -> u16 {
    match size {
        1 => word | 0x10,
        2 => word | 0x08,
        _ => word,
    }
}

const fn compare(jump: u16, a: u32, k: u32) -> bool {
    match jump {
        op::JEQ => a == k,
        op::JGT => a > k,
        op::JGE => a >= k,
        _ => a & k != 0,
    }
}

/// Where a jump goes that is written next but `between` into the reversed program: straight
/// there, or over a long jump when it is too far.
fn detour(out: &mut Vec<Insn>, to: usize, between: usize) -> usize {
    let far = out.len() - 1 - to;
    if far + between <= usize::from(u8::MAX) {
        return to;
    }
    out.push(Insn::stmt(op::JA, u32::try_from(far).unwrap_or(u32::MAX)));
    out.len() - 1
}

/// What the registers hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    a: Option<Val>,
    x: Option<Val>,
}

impl State {
    fn meet(self, other: State) -> State {
        State { a: self.a.filter(|_| self.a == other.a), x: self.x.filter(|_| self.x == other.x) }
    }
}
