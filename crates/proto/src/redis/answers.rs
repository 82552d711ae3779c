//! The server's bytes: values of RESP2 and RESP3, written as text while they pass.

mod text;

use super::command::{Secret, Verb};
use super::pairs::{Class, Pairs};
use super::step::{Step, steps};
use super::wire::{Count, First, Head, Word, first, head};
use crate::session::{Cx, Progress};
use record::Quality;
use text::{Length, length};

/// What an aggregate is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `[a, b]`: arrays, sets, pushes.
    List,
    /// `{k: v}`.
    Map,
    /// Attributes of the value behind them: not told.
    Attribute,
}

/// An aggregate under way.
#[derive(Clone, Copy, Debug)]
struct Level {
    kind: Kind,
    /// Elements to come; none when a mark ends it.
    left: Option<u64>,
    /// An element was there.
    begun: bool,
    /// The next element is a value behind its key (in RESP2 pairs are two elements, too).
    odd: bool,
}

/// What the bytes are part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Before a value.
    #[default]
    Value,
    /// In a line of this type.
    Line(u8),
    /// In a bulk string: bytes left, and how many of its first bytes are not text.
    Bulk(u64, u8),
    /// In the line end behind it.
    End,
    /// Before the next piece of a streamed string.
    Chunk,
    /// Lost: waiting for a packet that begins with an answer.
    Search,
}

/// The deepest nesting that is followed; the server's own replies have some ten levels.
const DEPTH: usize = 64;

/// The server's side of a flow.
#[derive(Debug, Default)]
pub(super) struct Answers {
    stage: Stage,
    levels: Vec<Level>,
    /// Levels that are attributes.
    hidden: usize,
    /// The value under way at the top is an error.
    is_error: bool,
    /// The bulk string under way comes in chunks.
    chunked: bool,
    secret: Secret,
    /// This string is secret, or what of it follows.
    mask: bool,
    /// The string before, where its name may make the next one secret.
    word: Word,
    /// A replication stream follows this answer.
    replicates: bool,
    /// MONITOR has been answered.
    monitoring: bool,
    monitor_told: bool,
    /// A value was understood.
    pub(super) proven: bool,
}

impl Answers {
    /// Between two answers, or lost.
    pub(super) fn is_idle(&self) -> bool {
        match self.stage {
            Stage::Value => self.levels.is_empty(),
            Stage::Search => true,
            _ => false,
        }
    }

    /// The next packet begins with an answer.
    pub(super) fn resume(&mut self) {
        if self.stage == Stage::Search {
            self.stage = Stage::Value;
        }
    }

    pub(super) fn data(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, bytes: &[u8]) -> Progress {
        steps(bytes, |rest, at| match self.step(cx, pairs, rest, at) {
            Step::Bad if self.proven || cx.midstream => {
                self.proven = true;
                cx.anomaly("no-answer");
                self.lose(cx, pairs);
                Step::Used(0)
            }
            step => step,
        })
    }

    fn lose(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs) {
        pairs.lost_answers(cx);
        self.levels.clear();
        (self.hidden, self.stage, self.replicates) = (0, Stage::Search, false);
    }

    fn step(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, rest: &[u8], at: usize) -> Step {
        match self.stage {
            Stage::Value => self.value(cx, pairs, rest, at),
            Stage::Line(kind) => self.line(cx, pairs, rest, at, kind),
            Stage::Bulk(left, skip) => {
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let piece = rest.get(..n).unwrap_or(rest);
                let skipped = usize::from(skip).min(n);
                self.string(pairs, piece.get(skipped..).unwrap_or_default());
                let left = left.saturating_sub(n as u64);
                self.stage = match left {
                    0 => Stage::End,
                    _ => Stage::Bulk(left, skip.saturating_sub(skipped as u8)),
                };
                Step::Used(n)
            }
            Stage::End => match rest {
                [b'\r', b'\n', ..] if self.chunked => {
                    self.stage = Stage::Chunk;
                    Step::Used(2)
                }
                [b'\r', b'\n', ..] => self.finish(cx, pairs, at, 2),
                [b'\r'] => Step::Need(2),
                _ => Step::Bad,
            },
            Stage::Chunk => match head(rest) {
                _ if rest.first() != Some(&b';') => Step::Bad,
                Head::Open => Step::Need(rest.len().saturating_add(1)),
                Head::Whole(Count::Is(0), used) => {
                    self.chunked = false;
                    self.finish(cx, pairs, at, used)
                }
                Head::Whole(Count::Is(n), used) => {
                    self.stage = Stage::Bulk(n, 0);
                    Step::Used(used)
                }
                Head::Whole(..) | Head::Bad => Step::Bad,
            },
            Stage::Search => self.search(cx, pairs, rest, at),
        }
    }

    /// A client that asks singly gets one answer: a value that begins and ends with packets is that.
    fn search(&mut self, cx: &Cx<'_>, pairs: &Pairs, rest: &[u8], at: usize) -> Step {
        let offset = cx.base.saturating_add(at);
        let is_edge = |n: usize| n == 0 || cx.spans.iter().any(|s| s.end == n);
        if is_edge(offset) && pairs.asks_singly() {
            match length(rest) {
                Length::Is(n) if n == rest.len() || is_edge(offset.saturating_add(n)) => {
                    self.stage = Stage::Value;
                    return Step::Used(0);
                }
                Length::Need(n) => return Step::Need(n),
                Length::Is(_) | Length::None => {}
            }
        }
        // To the next packet.
        let end = cx.spans.iter().map(|s| s.end).find(|e| *e > offset);
        Step::Used(end.map_or(rest.len(), |e| e.saturating_sub(offset).min(rest.len())))
    }

    /// The first bytes of a value.
    fn value(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, rest: &[u8], at: usize) -> Step {
        let Some(kind) = rest.first().copied() else { return Step::Need(1) };
        let is_top = self.levels.is_empty();
        match kind {
            // A master keeps a replica awake with line feeds.
            b'\r' | b'\n' if is_top => return Step::Used(1),
            b'|' => {}
            b'R' if is_top && rest.starts_with(b"RCmb") => {
                cx.anomaly("cluster-bus");
                return Step::Done;
            }
            b'.' => {
                return match rest {
                    [_, b'\r', b'\n', ..] if self.levels.last().is_some_and(|l| l.left.is_none()) => {
                        self.close_level(pairs);
                        self.finish(cx, pairs, at, 3)
                    }
                    [_] | [_, b'\r'] => Step::Need(rest.len().saturating_add(1)),
                    _ => Step::Bad,
                };
            }
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {
                if is_top && let Some(step) = self.begin_line(cx, pairs, rest, at, kind) {
                    return step;
                }
                self.before(pairs);
                self.is_error |= is_top && kind == b'-';
                match kind {
                    b'-' if !is_top => self.put(pairs, b"(error) "),
                    b'_' => self.put(pairs, b"(nil)"),
                    _ => {}
                }
                self.stage = Stage::Line(kind);
                return Step::Used(1);
            }
            b'$' | b'!' | b'=' | b'*' | b'%' | b'~' | b'>' => {}
            _ => return Step::Bad,
        }
        if is_top && kind == b'$' && pairs.verb() == Some(Verb::Sync) {
            // A length and the data, or `$EOF:` and a mark that ends it.
            self.begin(cx, pairs, at);
            return self.replication(cx, pairs, at);
        }
        let (count, used) = match head(rest) {
            Head::Whole(count, used) => (count, used),
            Head::Open => return Step::Need(rest.len().saturating_add(1)),
            Head::Bad => return Step::Bad,
        };
        if is_top && kind != b'|' {
            if matches!(kind, b'*' | b'>') {
                match first(rest) {
                    First::Open => return Step::Need(rest.len().saturating_add(1)),
                    First::Word(word, n) => match pairs.class(kind == b'>', word, n) {
                        Class::Ack => {
                            cx.anomaly("replication");
                            pairs.forget_all(cx);
                            return Step::Done;
                        }
                        Class::Push => self.begin_push(),
                        Class::Answer => self.begin(cx, pairs, at),
                    },
                    First::None if kind == b'>' => self.begin_push(),
                    First::None => self.begin(cx, pairs, at),
                }
            } else {
                self.begin(cx, pairs, at);
            }
        }
        self.contents(cx, pairs, kind, count, at, used)
    }

    /// Behind the header of a string or an aggregate.
    fn contents(
        &mut self,
        cx: &mut Cx<'_>,
        pairs: &mut Pairs,
        kind: u8,
        count: Count,
        at: usize,
        used: usize,
    ) -> Step {
        let is_string = matches!(kind, b'$' | b'!' | b'=');
        match count {
            Count::Nil => {
                self.before(pairs);
                self.put(pairs, b"(nil)");
                self.finish(cx, pairs, at, used)
            }
            Count::Is(n) if is_string => {
                let is_top = self.levels.is_empty();
                self.before(pairs);
                if kind == b'!' {
                    self.is_error |= is_top;
                    if !is_top {
                        self.put(pairs, b"(error) ");
                    }
                }
                if n == 0 && !is_top {
                    self.put(pairs, b"\"\"");
                }
                // `txt:` stands before a verbatim string.
                let skip = if kind == b'=' { 4 } else { 0 };
                self.stage = if n == 0 { Stage::End } else { Stage::Bulk(n, skip) };
                Step::Used(used)
            }
            Count::Streamed if kind == b'$' => {
                self.before(pairs);
                (self.chunked, self.stage) = (true, Stage::Chunk);
                Step::Used(used)
            }
            Count::Streamed if is_string => Step::Bad,
            Count::Streamed | Count::Is(_) => {
                let (kind, each) = match kind {
                    b'%' => (Kind::Map, 2),
                    b'|' => (Kind::Attribute, 2),
                    _ => (Kind::List, 1),
                };
                let left = match count {
                    Count::Is(n) => Some(n.saturating_mul(each)),
                    _ => None,
                };
                self.aggregate(cx, pairs, Level { kind, left, begun: false, odd: false }, at, used)
            }
        }
    }

    fn aggregate(
        &mut self,
        cx: &mut Cx<'_>,
        pairs: &mut Pairs,
        level: Level,
        at: usize,
        used: usize,
    ) -> Step {
        if self.levels.len() >= DEPTH {
            cx.anomaly("nested-too-deep");
            return Step::Bad;
        }
        if level.kind == Kind::Attribute {
            if level.left != Some(0) {
                self.hidden = self.hidden.saturating_add(1);
                self.levels.push(level);
            }
            return Step::Used(used);
        }
        self.before(pairs);
        self.put(pairs, if level.kind == Kind::Map { b"{" } else { b"[" });
        self.levels.push(level);
        if level.left == Some(0) {
            self.close_level(pairs);
            return self.finish(cx, pairs, at, used);
        }
        Step::Used(used)
    }

    /// A line at the top: an answer, a line of MONITOR, or the word before a replication stream.
    fn begin_line(
        &mut self,
        cx: &mut Cx<'_>,
        pairs: &mut Pairs,
        rest: &[u8],
        at: usize,
        kind: u8,
    ) -> Option<Step> {
        if self.monitoring && kind == b'+' {
            match rest.get(1) {
                None => return Some(Step::Need(2)),
                // `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`
                Some(b'0'..=b'9') => {
                    if !std::mem::replace(&mut self.monitor_told, true) {
                        cx.anomaly("monitor");
                    }
                    self.begin_push();
                    return None;
                }
                Some(_) => {}
            }
        }
        self.replicates = kind == b'+' && pairs.verb() == Some(Verb::Sync);
        self.monitoring |= kind == b'+' && pairs.verb() == Some(Verb::Monitor);
        if kind == b'+' && pairs.verb() == Some(Verb::Reset) {
            self.monitoring = false;
        }
        self.begin(cx, pairs, at);
        None
    }

    /// The stream behind this is the data itself.
    fn replication(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, at: usize) -> Step {
        cx.anomaly("replication");
        let end = cx.mark_at(at);
        pairs.answered(cx, false, end);
        Step::Done
    }

    /// An answer begins.
    fn begin(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, at: usize) {
        let mark = cx.mark_at(at);
        pairs.answer(cx, mark);
        self.secret = pairs.secret();
        (self.is_error, self.word) = (false, Word::default());
    }

    /// Something begins that is no answer.
    fn begin_push(&mut self) {
        (self.secret, self.is_error, self.word) = (Secret::None, false, Word::default());
    }

    fn line(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, rest: &[u8], at: usize, kind: u8) -> Step {
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n'));
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
        // Numbers, `inf` and `nan`, `t` and `f`.
        let is_number_like = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
        if !matches!(kind, b'+' | b'-') && !text.iter().all(is_number_like) {
            return Step::Bad;
        }
        match text {
            [] => {}
            [b't'] if kind == b'#' => self.put(pairs, b"true"),
            [b'f'] if kind == b'#' => self.put(pairs, b"false"),
            _ => self.string(pairs, text),
        }
        let n = text.len();
        match rest.get(n..).unwrap_or_default() {
            [b'\r', b'\n', ..] => self.finish(cx, pairs, at.saturating_add(n), 2).plus(n),
            [] => Step::Used(n),
            [b'\r'] if n > 0 => Step::Used(n),
            [b'\r'] => Step::Need(2),
            _ => Step::Bad,
        }
    }

    /// A value is whole; its last `used` bytes begin at `at`.
    fn finish(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, at: usize, used: usize) -> Step {
        self.stage = Stage::Value;
        while let Some(l) = self.levels.last_mut() {
            (l.begun, l.odd) = (true, !l.odd);
            let Some(left) = &mut l.left else { return Step::Used(used) };
            *left = left.saturating_sub(1);
            if *left > 0 {
                return Step::Used(used);
            }
            let was_attribute = l.kind == Kind::Attribute;
            self.close_level(pairs);
            if was_attribute {
                return Step::Used(used);
            }
        }
        self.proven = true;
        let end = cx.mark_at(at.saturating_add(used).saturating_sub(1));
        if std::mem::take(&mut self.replicates) {
            return self.replication(cx, pairs, at.saturating_add(used).saturating_sub(1));
        }
        pairs.answered(cx, self.is_error, end);
        Step::Whole(used)
    }

    pub(super) fn gap(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, n: u64) {
        match self.stage {
            Stage::Bulk(left, skip) if n <= left => {
                pairs.taint(Quality::GAP);
                self.word.push(&[b'?'; 32]);
                let left = left.saturating_sub(n);
                self.stage = if left == 0 { Stage::End } else { Stage::Bulk(left, skip) };
            }
            _ => self.lose(cx, pairs),
        }
    }

    pub(super) fn held(&self) -> usize {
        self.levels.capacity().saturating_mul(std::mem::size_of::<Level>())
    }
}

impl Step {
    /// The same with `n` bytes more.
    fn plus(self, n: usize) -> Step {
        match self {
            Step::Used(used) => Step::Used(used.saturating_add(n)),
            Step::Whole(used) => Step::Whole(used.saturating_add(n)),
            other => other,
        }
    }
}
