//! Jump threading: exits of blocks are led past tests whose outcome is known on the way there.

use base::Seed;

use super::index::Index;
use super::{Limit, Rhs, Test, Val, compare, index};
use crate::filter::vm::{MAX_INSNS, op};

/// Facts kept about a way through the program; more only cost time.
const MAX_FACTS: usize = 16;
/// Passes of jump threading; each is linear, and two or three find all there is.
const MAX_PASSES: usize = 6;
/// Steps past decided tests, over all passes: without a limit, a thousand exits that lead past the same
/// thousand tests cost their product. Filters that people write need some thousand; what is over stays as it is.
const MAX_STEPS: usize = 1 << 19;

/// Where a block leads: `REJECT`, `ACCEPT`, or the number of a block plus 2.
pub(super) type Exit = u32;
pub(super) const REJECT: Exit = 0;
pub(super) const ACCEPT: Exit = 1;

/// One test and its two exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) test: Test,
    pub(super) yes: Exit,
    pub(super) no: Exit,
}

/// All blocks; exits lead only to smaller numbers.
pub(super) struct Blocks {
    pub(super) list: Vec<Block>,
}

/// Something known of a value on a way through the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It is one of these; repeated entries fill the array.
    In([u32; 4]),
    /// This comparison had this outcome.
    Rel(u16, Rhs, bool),
}

type Facts = Vec<(Val, Known)>;

impl Blocks {
    pub(super) fn push(&mut self, block: Block) -> Result<Exit, Limit> {
        // Threading leaves out some, so a little more than the program can hold.
        if self.list.len() >= MAX_INSNS * 4 {
            return Err(Limit::Insns);
        }
        if block.yes == block.no {
            return Ok(block.yes);
        }
        self.list.push(block);
        Ok(index(self.list.len() + 1))
    }

    fn block(&self, exit: Exit) -> Option<&Block> {
        self.list.get(exit.checked_sub(2)? as usize)
    }

    /// Leads every exit past the tests whose outcome is known there.
    pub(super) fn thread(&mut self, root: Exit) {
        let mut steps = MAX_STEPS;
        for _ in 0..MAX_PASSES {
            let mut changed = false;
            let mut entry: Vec<Option<Facts>> = vec![None; self.list.len() + 2];
            if let Some(facts) = entry.get_mut(root as usize) {
                *facts = Some(Facts::new());
            }
            for at in (0..self.list.len()).rev() {
                let Some(facts) = entry.get_mut(at + 2).and_then(Option::take) else { continue };
                let Some(&block) = self.list.get(at) else { continue };
                let mut exits = [block.yes, block.no];
                for (exit, outcome) in exits.iter_mut().zip([true, false]) {
                    let edge = learn(&facts, block.test, outcome);
                    *exit = self.resolve(*exit, &edge, 0, &mut steps);
                    if let Some(entry) = entry.get_mut(*exit as usize) {
                        *entry = Some(match entry.take() {
                            None => edge,
                            Some(old) => meet(&old, &edge),
                        });
                    }
                }
                let [yes, no] = exits;
                changed |= yes != block.yes || no != block.no;
                if let Some(block) = self.list.get_mut(at) {
                    (block.yes, block.no) = (yes, no);
                }
            }
            if !changed {
                break;
            }
        }
    }

    /// Makes one block of those that test the same and lead to the same.
    pub(super) fn merge(&mut self, root: Exit) -> Exit {
        let mut first = Index::default();
        let mut place: Vec<Exit> = vec![REJECT, ACCEPT];
        for at in 0..self.list.len() {
            let target = |exit: Exit| place.get(exit as usize).copied().unwrap_or(REJECT);
            let Some(block) = self.list.get_mut(at) else { break };
            (block.yes, block.no) = (target(block.yes), target(block.no));
            let block = *block;
            let rhs = match block.test.rhs {
                Rhs::K(k) => u64::from(k),
                Rhs::X(val) => u64::from(val) << 32,
            };
            let exits = u64::from(block.yes) << 32 | u64::from(block.no);
            let hash = Seed::default()
                .pair(u64::from(block.test.val) << 16 | u64::from(block.test.jump), rhs)
                ^ Seed::default().word(exits);
            let here = index(place.len());
            place.push(first.find_or_add(hash, here, |old| self.block(old) == Some(&block)));
        }
        place.get(root as usize).copied().unwrap_or(REJECT)
    }

    /// Follows an exit as long as the tests on the way are decided, or decide nothing: both
    /// outcomes lead to the same block.
    fn resolve(&self, exit: Exit, facts: &Facts, depth: u8, steps: &mut usize) -> Exit {
        /// Tests on one value that are tried with both outcomes.
        const MAX_TRIES: u8 = 3;
        let mut exit = exit;
        while let Some(block) = self.block(exit) {
            let Some(left) = steps.checked_sub(1) else { break };
            *steps = left;
            if block.yes == block.no {
                exit = block.yes;
                continue;
            }
            match decide(facts, block.test) {
                Some(outcome) => exit = if outcome { block.yes } else { block.no },
                None => {
                    let listed = |f: &(Val, Known)| f.0 == block.test.val && matches!(f.1, Known::In(_));
                    if depth >= MAX_TRIES || !facts.iter().any(listed) {
                        return exit;
                    }
                    let yes = self.resolve(block.yes, &learn(facts, block.test, true), depth + 1, steps);
                    let no = self.resolve(block.no, &learn(facts, block.test, false), depth + 1, steps);
                    if yes != no {
                        return exit;
                    }
                    exit = yes;
                }
            }
        }
        exit
    }
}

/// The outcome of a test, if the facts tell it.
fn decide(facts: &Facts, test: Test) -> Option<bool> {
    for (_, known) in facts.iter().filter(|f| f.0 == test.val) {
        match (*known, test.rhs) {
            (Known::In(list), Rhs::K(k)) => {
                let hits = list.iter().filter(|&&v| compare(test.jump, v, k)).count();
                if hits == 0 || hits == list.len() {
                    return Some(hits != 0);
                }
            }
            (Known::Rel(jump, rhs, outcome), _) if jump == test.jump && rhs == test.rhs => {
                return Some(outcome);
            }
            (Known::Rel(op::JGT, Rhs::K(bound), above), Rhs::K(k))
                if test.jump == op::JEQ && above == (k <= bound) =>
            {
                return Some(false);
            }
            _ => {}
        }
    }
    None
}

/// The facts after a test with this outcome.
fn learn(facts: &Facts, test: Test, outcome: bool) -> Facts {
    let mut out = facts.clone();
    match (test.jump, test.rhs, outcome) {
        (op::JEQ, Rhs::K(k), true) => {
            out.retain(|f| f.0 != test.val);
            out.insert(0, (test.val, Known::In([k; 4])));
        }
        (jump, rhs, outcome) => {
            if let Rhs::K(k) = rhs {
                for fact in out.iter_mut().filter(|f| f.0 == test.val) {
                    narrow(&mut fact.1, |v| compare(jump, v, k) == outcome);
                }
            }
            if !out.iter().any(|f| f.0 == test.val && matches!(f.1, Known::In(_))) {
                out.push((test.val, Known::Rel(jump, rhs, outcome)));
            }
        }
    }
    out.truncate(MAX_FACTS);
    out
}

/// Keeps the members for which the condition holds, if there are any.
fn narrow(known: &mut Known, keep: impl Fn(u32) -> bool) {
    if let Known::In(list) = known
        && let Some(&one) = list.iter().find(|&&v| keep(v))
    {
        for v in list {
            if !keep(*v) {
                *v = one;
            }
        }
    }
}

/// What is known on both of two ways.
fn meet(a: &Facts, b: &Facts) -> Facts {
    let mut out = Facts::new();
    for &(val, known) in a {
        for &(_, other) in b.iter().filter(|f| f.0 == val) {
            match (known, other) {
                (Known::In(x), Known::In(y)) => {
                    if let Some(both) = union(x, y) {
                        out.push((val, Known::In(both)));
                    }
                }
                (Known::Rel(..), Known::Rel(..)) if known == other => out.push((val, known)),
                (Known::In(list), rel @ Known::Rel(jump, Rhs::K(k), outcome))
                | (rel @ Known::Rel(jump, Rhs::K(k), outcome), Known::In(list))
                    if list.iter().all(|&v| compare(jump, v, k) == outcome) =>
                {
                    out.push((val, rel));
                }
                _ => {}
            }
        }
    }
    out.truncate(MAX_FACTS);
    out
}

/// Members of both lists, if there is room for them.
fn union(mut x: [u32; 4], y: [u32; 4]) -> Option<[u32; 4]> {
    let [first, ..] = x;
    // The first entry is never free; a later one is when it repeats the first.
    let mut free = 1;
    x.get_mut(1..)?.sort_unstable_by_key(|&v| v == first);
    while x.get(free).is_some_and(|&v| v != first) {
        free += 1;
    }
    for v in y {
        if !x.contains(&v) {
            *x.get_mut(free)? = v;
            free += 1;
        }
    }
    Some(x)
}
