//! Capture filters: expressions of pcap-filter(7), compiled to classic BPF.
//!
//! The program runs in the kernel for live captures, and in our own interpreter for files. The
//! language and its meaning are those of libpcap, since users bring their filters from tcpdump.
//! Left out: names of hosts and networks (nothing is looked up), `gateway`, `protochain`,
//! `byte`, Geneve and VXLAN, and the words of 802.11, ATM and other links we do not capture.
//! On purpose different: `%` and `^` have the precedence of C, and both sides of an arithmetic
//! expression are guarded by their protocol (`1 + tcp[0] = 5` is about TCP only).

mod code;
mod lex;
mod names;
mod parse;
mod predicate;
mod vm;

use std::fmt;

use base::LinkType;

pub use vm::{Aux, Invalid, MAX_INSNS, Program, fuzz_bpf_run};

use code::Limit;
use lex::Bad;
use parse::Parser;
use predicate::{Predicates, VlanMode};

/// How a program will be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The kernel runs it on live frames: it takes the outermost VLAN tag off before, so `vlan`
    /// asks the kernel for it and shifts offsets only if the tag is in the frame all the same;
    /// `inbound`, `outbound` and `ifindex` ask the kernel, too.
    pub kernel_vlan: bool,
}

/// Why an expression is not a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What stands there; empty at the end of the expression.
    pub found: String,
    /// What would have been right.
    pub expected: &'static str,
    /// The known word that is nearest to what was found.
    pub nearest: Option<&'static str>,
}

impl FilterError {
    fn new(expr: &str, bad: Bad) -> FilterError {
        /// Longer words are cut in the message.
        const MAX_SHOWN: usize = 60;
        let column = expr.char_indices().take_while(|&(i, _)| i < bad.at).count() + 1;
        let found: String =
            expr.get(bad.at..bad.at + bad.len).unwrap_or_default().chars().take(MAX_SHOWN).collect();
        let nearest = names::nearest(&found);
        FilterError { column, found, expected: bad.expected, nearest }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found: &dyn fmt::Display = if self.found.is_empty() { &"the end" } else { &self.found };
        write!(f, "column {}: found `{found}`, expected {}", self.column, self.expected)?;
        match self.nearest {
            Some(word) => write!(f, " (did you mean `{word}`?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}

/// Compiles an expression for frames of a link layer in files; what it accepts is cut to
/// `snaplen` bytes (0: kept whole). An empty expression accepts all.
///
/// # Errors
/// What is wrong with the expression and where; also when it needs more than 4096 instructions
/// or no frame could ever match.
pub fn compile(expr: &str, link: LinkType, snaplen: u32) -> Result<Program, FilterError> {
    compile_with(expr, link, snaplen, Options::default())
}

/// Compiles an expression with options.
///
/// # Errors
/// As [`compile`].
pub fn compile_with(
    expr: &str,
    link: LinkType,
    snaplen: u32,
    options: Options,
) -> Result<Program, FilterError> {
    build(expr, link, snaplen, options).map_err(|bad| FilterError::new(expr, bad))
}

fn build(expr: &str, link: LinkType, snaplen: u32, options: Options) -> Result<Program, Bad> {
    let whole = |expected| Bad { at: 0, len: expr.len(), expected };
    let tokens = lex::tokens(expr)?;
    let live = options.kernel_vlan;
    let mode = if live { VlanMode::NotTakenOff } else { VlanMode::InFrame };
    let mut out = Predicates::new(link, mode).map_err(whole)?;
    let mut root = Parser { expr, tokens: &tokens, at: 0, out: &mut out }.filter()?;
    if live && out.vlan_seen {
        // What follows `vlan` lies elsewhere when the kernel took the tag off: the expression is
        // compiled for both cases, and the program asks first.
        out.restart(link, VlanMode::TakenOff).map_err(whole)?;
        let taken_off = Parser { expr, tokens: &tokens, at: 0, out: &mut out }.filter()?;
        let asked = out.tag_taken_off();
        let present = out.graph.and(asked, taken_off);
        let not_asked = out.graph.not(asked);
        let absent = out.graph.and(not_asked, root);
        root = out.graph.or(present, absent);
    }
    match out.graph.program(root, vm::accept_len(snaplen)) {
        Ok(Some(program)) => Ok(program),
        Ok(None) => Err(whole("a filter that some frame can pass")),
        Err(Limit::Insns) => Err(whole("a shorter filter: at most 4096 instructions")),
        Err(Limit::Arith) => Err(whole("less arithmetic in one comparison")),
    }
}

/// Fuzz entry: an expression from any bytes. It compiles or gives an error that points into it;
/// the program passes the checks of the machine.
#[doc(hidden)]
pub fn fuzz_filter_expr(data: &[u8]) {
    let expr = String::from_utf8_lossy(data);
    for link in [LinkType::Ethernet, LinkType::Raw, LinkType::LinuxSll2, LinkType::Null, LinkType::Ppp] {
        for kernel_vlan in [false, true] {
            match compile_with(&expr, link, 96, Options { kernel_vlan }) {
                Ok(program) => {
                    assert!(Program::new(program.insns().to_vec()).is_ok());
                    assert!(matches!(program.run(data, 1500, &Aux::default()), 0 | 96));
                }
                Err(error) => {
                    assert!(error.column >= 1 && error.column <= expr.chars().count() + 1);
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
