//! Comparisons of values: `tcp[13] & 2 != 0`.

use super::{Parsed, Parser};
use crate::filter::code::{Cond, Op, TRUE, Val};
use crate::filter::lex::{Key, Kind, Rel};
use crate::filter::vm::op;

impl Parser<'_, '_> {
    /// A comparison of two values.
    pub(super) fn relation(&mut self, depth: u32) -> Parsed<Cond> {
        let (left, left_guard) = self.arith(depth, 0)?;
        let Kind::Rel(rel) = self.peek() else {
            return Err(self.error("a comparison: = != < <= > >="));
        };
        self.at += 1;
        let (right, right_guard) = self.arith(depth, 0)?;
        if self.out.graph.too_deep {
            return Err(self.error("less arithmetic in one comparison"));
        }
        let graph = &mut self.out.graph;
        let (jump, negated) = match rel {
            Rel::Eq => (op::JEQ, false),
            Rel::Ne => (op::JEQ, true),
            Rel::Gt => (op::JGT, false),
            Rel::Le => (op::JGT, true),
            Rel::Ge => (op::JGE, false),
            Rel::Lt => (op::JGE, true),
        };
        let mut cond = graph.test_vals(left, jump, right);
        if negated {
            cond = graph.not(cond);
        }
        let guard = graph.and(left_guard, right_guard);
        Ok(graph.and(guard, cond))
    }

    /// Operators of at least this precedence.
    fn arith(&mut self, depth: u32, least: u8) -> Parsed<(Val, Cond)> {
        let depth = self.deeper(depth)?;
        let (mut sum, mut guard) = self.primary(depth)?;
        while let Kind::Op(sign) = self.peek() {
            let (kind, rank) = match sign {
                b'|' => (op::OR, 1),
                b'^' => (op::XOR, 2),
                b'&' => (op::AND, 3),
                b'l' => (op::LSH, 4),
                b'r' => (op::RSH, 4),
                b'+' => (op::ADD, 5),
                b'-' => (op::SUB, 5),
                b'*' => (op::MUL, 6),
                b'/' => (op::DIV, 6),
                _ => (op::MOD, 6),
            };
            if rank < least {
                break;
            }
            self.at += 1;
            let at = self.at;
            let (right, right_guard) = self.arith(depth, rank + 1)?;
            let done = self.out.graph.alu(kind, sum, right);
            let expected = "a divisor other than 0, or a shift by at most 31";
            sum = self.place(at, done.ok_or(expected))?;
            guard = self.out.graph.and(guard, right_guard);
        }
        Ok((sum, guard))
    }

    fn primary(&mut self, depth: u32) -> Parsed<(Val, Cond)> {
        let depth = self.deeper(depth)?;
        let at = self.at;
        match self.take() {
            Kind::Num(number) => Ok((self.out.graph.val(Op::Const(number)), TRUE)),
            Kind::Key(Key::Len) => Ok((self.out.graph.val(Op::Len), TRUE)),
            Kind::Op(b'-') => {
                let (val, guard) = self.primary(depth)?;
                Ok((self.out.graph.neg(val), guard))
            }
            Kind::Open => {
                let inner = self.arith(depth, 0)?;
                self.expect(Kind::Close, "an operator or a closing parenthesis")?;
                Ok(inner)
            }
            Kind::Key(Key::Proto(proto)) => {
                self.expect(Kind::BracketOpen, "[ and an offset")?;
                let (index, index_guard) = self.arith(depth, 0)?;
                let size = if self.eat(Kind::Colon) {
                    match self.take() {
                        Kind::Num(1) => 1,
                        Kind::Num(2) => 2,
                        Kind::Num(4) => 4,
                        _ => return Err(self.error_at(self.at - 1, "a size of 1, 2 or 4")),
                    }
                } else {
                    1
                };
                self.expect(Kind::BracketClose, "an operator, `:` and a size, or ]")?;
                let outcome = self.out.accessor(proto, index, size);
                let (val, guard) = self.place(at, outcome)?;
                Ok((val, self.out.graph.and(index_guard, guard)))
            }
            _ => Err(self.error_at(at, "a number, `len`, or a protocol with an offset in brackets")),
        }
    }
}
