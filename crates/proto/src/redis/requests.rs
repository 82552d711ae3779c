//! The client's bytes: commands as arrays of bulk strings, or inline.

use super::command::{Command, Show, Verb};
use super::names::is_name;
use super::pairs::{Pairs, open};
use super::step::{Step, steps};
use super::wire::{Args, Count, Head, MAX_LINE, Word, command, head, is_text, line};
use crate::session::{Cx, Progress, Txn, Verdict};
use record::Quality;

/// What the bytes are part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Between commands, or in an inline one of which so many bytes were searched.
    #[default]
    Start,
    Line(usize),
    /// Before the header of an argument.
    Arg,
    /// In an argument: bytes left.
    Bulk(u64),
    /// In the line end behind it.
    End,
    /// Lost: looking for the next command. True at what may be its beginning.
    Search(bool),
}

/// The client's side of a flow.
#[derive(Debug, Default)]
pub(super) struct Requests {
    stage: Stage,
    /// Arguments to come, the one under way included.
    args: u64,
    command: Command,
    txn: Option<Txn>,
    /// Bytes of text that may still be told.
    room: usize,
    /// The server is between two answers.
    pub(super) is_server_idle: bool,
    /// The server's next packet seems to begin an answer.
    pub(super) settled: bool,
    /// A command was understood.
    pub(super) proven: bool,
    /// Some came inline, some as arrays.
    inline: bool,
    arrays: bool,
}

impl Requests {
    pub(super) fn data(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, bytes: &[u8]) -> Progress {
        steps(bytes, |rest, at| match self.step(cx, pairs, rest, at) {
            Step::Bad => self.bad(cx, pairs),
            step => step,
        })
    }

    /// No command; `Bad` when there never was one.
    fn bad(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs) -> Step {
        let was_text = matches!(self.stage, Stage::Start | Stage::Line(_));
        if let Some(txn) = self.txn.take() {
            cx.forget(txn);
        }
        if !self.proven && !cx.midstream {
            return Step::Bad;
        }
        cx.anomaly("no-command");
        pairs.lost_commands();
        // A bad line is skipped to its end.
        self.stage = Stage::Search(!was_text);
        self.proven = true;
        Step::Used(usize::from(was_text))
    }

    fn step(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, rest: &[u8], at: usize) -> Step {
        match self.stage {
            Stage::Start => self.start(cx, pairs, rest, at),
            Stage::Line(searched) => self.inline(cx, pairs, rest, at, searched),
            Stage::Arg => match head(rest) {
                _ if rest.first() != Some(&b'$') => Step::Bad,
                Head::Whole(Count::Is(n), used) => {
                    self.stage = Stage::Bulk(n);
                    self.begin_arg(n == 0);
                    if n == 0 {
                        self.stage = Stage::End;
                    }
                    Step::Used(used)
                }
                Head::Whole(..) | Head::Bad => Step::Bad,
                Head::Open => Step::Need(rest.len().saturating_add(1)),
            },
            Stage::Bulk(left) => {
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                self.piece(rest.get(..n).unwrap_or(rest));
                let left = left.saturating_sub(n as u64);
                self.stage = if left == 0 { Stage::End } else { Stage::Bulk(left) };
                Step::Used(n)
            }
            Stage::End => match rest {
                [b'\r', b'\n', ..] => {
                    self.command.end_arg();
                    self.args = self.args.saturating_sub(1);
                    self.command.names_user(self.args);
                    self.stage = Stage::Arg;
                    if self.args > 0 {
                        return Step::Used(2);
                    }
                    self.arrays = true;
                    self.finish(cx, pairs, at.saturating_add(1), 2)
                }
                [b'\r'] => Step::Need(2),
                _ => Step::Bad,
            },
            Stage::Search(is_start) => self.search(rest, is_start),
        }
    }

    fn start(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, rest: &[u8], at: usize) -> Step {
        let blank = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if blank > 0 {
            return Step::Used(blank);
        }
        if rest.starts_with(b"RCmb") {
            cx.anomaly("cluster-bus");
            return Step::Done;
        }
        if rest.first() != Some(&b'*') {
            self.stage = Stage::Line(0);
            return Step::Used(0);
        }
        match head(rest) {
            Head::Open => Step::Need(rest.len().saturating_add(1)),
            // Nothing is asked, nothing is answered.
            Head::Whole(Count::Nil | Count::Is(0), used) => Step::Used(used),
            Head::Whole(Count::Is(n), used) => {
                self.args = n;
                self.open(cx, pairs, at);
                self.stage = Stage::Arg;
                Step::Used(used)
            }
            Head::Whole(Count::Streamed, _) | Head::Bad => Step::Bad,
        }
    }

    fn open(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, at: usize) {
        let mark = cx.mark_at(at);
        self.settled |= pairs.begins(cx, mark, self.is_server_idle);
        self.command = Command::default();
        self.room = cx.limits.text;
        self.txn = Some(open(cx, at));
    }

    fn begin_arg(&mut self, is_empty: bool) {
        if self.is_rest_of_auth() {
            return;
        }
        if self.command.count > 0 {
            self.tell(b" ");
        }
        if self.command.show == Show::Nothing {
            self.tell(b"***");
        } else if is_empty {
            self.tell(b"\"\"");
        }
    }

    /// One mark for all that follows AUTH and a user: not even how many there are.
    fn is_rest_of_auth(&self) -> bool {
        let shown = 1u64.saturating_add(u64::from(self.command.has_user));
        self.command.verb == Verb::Auth && self.command.count > shown
    }

    fn tell(&mut self, text: &[u8]) {
        if self.room == 0 {
            return;
        }
        let text = text.get(..self.room).unwrap_or(text);
        self.room = self.room.saturating_sub(text.len());
        if let Some(r) = self.txn.as_mut().and_then(|t| t.record.as_mut()) {
            r.append(text);
        }
    }

    /// A piece of the argument under way.
    fn piece(&mut self, piece: &[u8]) {
        match self.command.show {
            Show::All => self.tell(piece),
            Show::Nothing => {}
            Show::Rule => match piece {
                // Passwords and their hashes: given, taken away.
                [kind @ (b'>' | b'<' | b'#' | b'!'), ..] => {
                    self.command.show = Show::Nothing;
                    self.tell(&[*kind]);
                    self.tell(b"***");
                }
                _ => {
                    self.command.show = Show::All;
                    self.tell(piece);
                }
            },
        }
        self.command.piece(piece);
    }

    /// The command under way is whole; its last byte is at `last`.
    fn finish(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, last: usize, used: usize) -> Step {
        self.stage = Stage::Start;
        self.proven = true;
        let Some(txn) = self.txn.take() else { return Step::Whole(used) };
        if self.command.is_ack {
            cx.anomaly("replication");
            cx.forget(txn);
            pairs.forget_all(cx);
            return Step::Done;
        }
        let mark = cx.mark_at(last);
        pairs.ask(cx, txn, &self.command, mark);
        Step::Whole(used)
    }

    fn inline(
        &mut self,
        cx: &mut Cx<'_>,
        pairs: &mut Pairs,
        rest: &[u8],
        at: usize,
        searched: usize,
    ) -> Step {
        let Some((text, used)) = line(rest, searched) else {
            if rest.len() >= MAX_LINE || !is_text(rest.get(searched..).unwrap_or_default().trim_ascii_end()) {
                return Step::Bad;
            }
            self.stage = Stage::Line(rest.len());
            return Step::Need(rest.len().saturating_add(1));
        };
        let word = Args::new(text).next().map(|a| Word::of(a.text));
        // A client that sends arrays does not begin to type words that nobody knows.
        let is_known = word.is_some_and(|w| is_name(w.get())) || (!self.arrays && used < MAX_LINE);
        if !is_text(text) || !is_known {
            return Step::Bad;
        }
        self.inline = true;
        self.stage = Stage::Start;
        if word.is_none() {
            return Step::Used(used);
        }
        self.open(cx, pairs, at);
        for arg in Args::new(text) {
            self.begin_arg(arg.text.is_empty());
            self.piece(arg.text);
            self.command.end_arg();
        }
        self.finish(cx, pairs, at.saturating_add(used).saturating_sub(1), used)
    }

    /// A command begins at the beginning of a line: in the middle of a value there is hardly one.
    fn search(&mut self, rest: &[u8], is_start: bool) -> Step {
        let (mut at, mut is_start) = (0usize, is_start);
        loop {
            let here = rest.get(at..).unwrap_or_default();
            if is_start {
                let found = match command(here, true) {
                    Verdict::No if self.inline => match line(here, 0) {
                        Some((text, _)) if super::wire::inline(text) == Verdict::Yes => Verdict::Yes,
                        _ => Verdict::No,
                    },
                    v => v,
                };
                match found {
                    Verdict::Yes => {
                        self.stage = Stage::Start;
                        return Step::Used(at);
                    }
                    Verdict::More => {
                        self.stage = Stage::Search(true);
                        return if at > 0 {
                            Step::Used(at)
                        } else {
                            Step::Need(rest.len().saturating_add(1))
                        };
                    }
                    Verdict::No => {}
                }
            }
            match here.iter().position(|b| *b == b'\n') {
                Some(n) => (at, is_start) = (at.saturating_add(n).saturating_add(1), true),
                None => {
                    self.stage = Stage::Search(false);
                    return Step::Used(rest.len());
                }
            }
            if at >= rest.len() {
                self.stage = Stage::Search(true);
                return Step::Used(rest.len());
            }
        }
    }

    pub(super) fn gap(&mut self, cx: &mut Cx<'_>, pairs: &mut Pairs, n: u64) {
        if let Some(txn) = &mut self.txn {
            txn.taint(Quality::GAP);
        }
        match self.stage {
            Stage::Bulk(left) if n <= left && self.command.count > 0 => {
                self.command.gap();
                let left = left.saturating_sub(n);
                self.stage = if left == 0 { Stage::End } else { Stage::Bulk(left) };
                return;
            }
            Stage::Arg | Stage::Bulk(_) | Stage::End => {
                if let Some(txn) = self.txn.take() {
                    if self.command.count > 0 {
                        let at = cx.now;
                        pairs.ask(cx, txn, &self.command, at);
                    } else {
                        cx.forget(txn);
                    }
                }
            }
            Stage::Start | Stage::Line(_) | Stage::Search(_) => {}
        }
        pairs.lost_commands();
        self.stage = Stage::Search(true);
    }

    pub(super) fn end(&mut self, cx: &mut Cx<'_>) {
        if let Some(txn) = self.txn.take() {
            cx.anomaly("cut-command");
            cx.forget(txn);
        }
        self.stage = Stage::Start;
    }

    pub(super) fn held(&self) -> usize {
        self.txn.as_ref().and_then(|t| t.record.as_ref()).map_or(0, |r| r.heap())
    }
}
