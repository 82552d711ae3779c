//! From bytes, gaps and ends to messages.

use super::framing::{Framing, LineEnd};
use super::head::{Head, Name, RequestLine, Version, Walk, find, head_end, lists, request_line, status_line};
use super::pairs::{Exchange, Pairs};
use super::resync::{Found, answers, asks, search};
use super::{fill, probe_request};
use crate::body::{Collector, Piece};
use crate::session::{Cx, Parser, Progress, Transport, Verdict};
use base::{Direction, Mark};
use record::{Kind, Quality};

/// What the bytes of a direction are part of. Numbers: how many bytes were searched already.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Between messages or in a start line.
    Line(usize),
    /// In the header fields behind a good start line.
    Fields(usize),
    /// In what follows a head that is too long, up to its blank line.
    Tail(Framing, LineEnd),
    /// In a body.
    Body(Framing),
    /// Lost: looking for the next message.
    Search(usize),
}

/// One direction.
#[derive(Debug)]
struct Half {
    stage: Stage,
    body: Collector,
    /// The last packet with bytes of the message under way.
    last: Mark,
}

impl Half {
    fn new() -> Half {
        Half { stage: Stage::Line(0), body: Collector::default(), last: Mark::default() }
    }
}

/// A good start line.
enum Start<'a> {
    Request(RequestLine<'a>),
    /// The status code.
    Status(u16),
}

impl<'a> Start<'a> {
    fn of(dir: Direction, line: &'a [u8]) -> Option<Start<'a>> {
        match dir {
            Direction::ToServer => request_line(line).map(Start::Request),
            Direction::ToClient => status_line(line).map(Start::Status),
        }
    }
}

/// State of one flow.
#[derive(Debug)]
pub struct Session {
    req: Half,
    rsp: Half,
    pairs: Pairs,
    started: bool,
    /// Something was HTTP.
    spoken: bool,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session { req: Half::new(), rsp: Half::new(), pairs: Pairs::default(), started: false, spoken: false }
    }

    fn half(&mut self, dir: Direction) -> &mut Half {
        match dir {
            Direction::ToServer => &mut self.req,
            Direction::ToClient => &mut self.rsp,
        }
    }

    /// Waits for one byte more.
    fn wait(&mut self, dir: Direction, stage: Stage, bytes: &[u8]) -> Progress {
        self.half(dir).stage = stage;
        Progress::Need(bytes.len().saturating_add(1))
    }

    /// Neither a message nor part of one.
    fn nonsense(&mut self, cx: &mut Cx<'_>, dir: Direction) -> Progress {
        if !self.spoken {
            return Progress::Lost;
        }
        cx.anomaly(match dir {
            Direction::ToServer => "no-request-line",
            Direction::ToClient => "no-status-line",
        });
        self.half(dir).stage = Stage::Search(0);
        Progress::Consumed(1)
    }

    fn start_line(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8], searched: usize) -> Progress {
        if searched == 0 {
            let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            if blank > 0 {
                return Progress::Consumed(blank);
            }
        }
        let held = bytes.get(..cx.limits.stream).unwrap_or(bytes);
        let is_full = held.len() >= cx.limits.stream;
        if dir == Direction::ToServer && !is_full && self.is_tunnel(held) {
            return Progress::Need(bytes.len().saturating_add(1));
        }
        let begins = match dir {
            Direction::ToServer => asks(held),
            Direction::ToClient if held.starts_with(b"ICY ") => Verdict::Yes,
            Direction::ToClient if b"ICY ".starts_with(held) => Verdict::More,
            Direction::ToClient => answers(held),
        };
        if begins == Verdict::No {
            if dir == Direction::ToClient && self.pairs.next().is_some_and(|x| x.bare) {
                self.bare_response(cx);
                return self.body(cx, dir, bytes, Framing::Close);
            }
            return self.nonsense(cx, dir);
        }
        let Some(lf) = find(held.get(searched..).unwrap_or_default(), b'\n') else {
            return if is_full {
                self.nonsense(cx, dir)
            } else {
                self.wait(dir, Stage::Line(held.len()), bytes)
            };
        };
        let line = held.get(..lf.saturating_add(searched)).unwrap_or(held);
        match Start::of(dir, line) {
            None => self.nonsense(cx, dir),
            Some(Start::Request(r)) if r.version == Version::V09 => {
                let mut head = Head::of_line(held, line);
                head.bytes = held.get(..line.len().saturating_add(1)).unwrap_or(held);
                self.request(cx, &head, &r, false)
            }
            Some(start) => self.fields(cx, dir, bytes, 0, Some((line, start))),
        }
    }

    /// `first`: the start line, when it was just read.
    fn fields(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        bytes: &[u8],
        searched: usize,
        first: Option<(&[u8], Start<'_>)>,
    ) -> Progress {
        let held = bytes.get(..cx.limits.stream).unwrap_or(bytes);
        let is_full = held.len() >= cx.limits.stream;
        if searched > 0 && !is_full && head_end(held, searched).is_none() {
            return self.wait(dir, Stage::Fields(held.len()), bytes);
        }
        let (head, is_cut) = match Head::walk(held) {
            Walk::Whole(head) => (head, false),
            Walk::Short(head) if is_full => (head, true),
            Walk::Short(_) => return self.wait(dir, Stage::Fields(held.len()), bytes),
        };
        self.spoken = true;
        let start = match first {
            // What is folded to it belongs to it.
            Some((line, start)) if line.len() == head.line.len() => Some(start),
            _ => Start::of(dir, head.line),
        };
        match start {
            Some(Start::Request(line)) => self.request(cx, &head, &line, is_cut),
            Some(Start::Status(code)) => self.response(cx, &head, code, is_cut),
            None => self.nonsense(cx, dir),
        }
    }

    fn request(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head<'_>,
        line: &RequestLine<'_>,
        is_cut: bool,
    ) -> Progress {
        self.spoken = true;
        let mut txn = cx.open(Kind::Http, 0);
        let n = head.bytes.len();
        let asked = cx.mark_at(n.saturating_sub(1));
        txn.asked(asked);
        fill::request(&mut txn, cx.limits, line, head);
        let framing = Framing::of_request(cx, head);
        let codings = [head.get(Name::ContentEncoding), head.get(Name::TransferEncoding)];
        self.req.body.begin(cx.limits, txn.record.is_some(), head.get(Name::ContentType), codings);
        let is_quiet = matches!(self.rsp.stage, Stage::Line(0));
        let exchange = Exchange {
            txn,
            asked: asked.time,
            head_only: line.method == b"HEAD",
            connect: line.method == b"CONNECT",
            upgrade: fill::wants_upgrade(head),
            bare: line.version == Version::V09,
            expects: lists(head.get(Name::Expect), b"100-continue"),
            answered: None,
        };
        self.pairs.open(exchange, is_quiet);
        self.begin_body(cx, Direction::ToServer, head, framing, is_cut)
    }

    fn response(&mut self, cx: &mut Cx<'_>, head: &Head<'_>, code: u16, is_cut: bool) -> Progress {
        let n = head.bytes.len();
        if (100..200).contains(&code) && code != 101 {
            self.rsp.stage = Stage::Line(0);
            return Progress::Consumed(n);
        }
        let first = cx.mark_at(0);
        self.pairs.answer(cx, first);
        let (mut has_body, mut leaves, mut wanted) = (!matches!(code, 101 | 204 | 304), code == 101, false);
        if let Some(x) = self.pairs.current() {
            x.txn.answering(first);
            fill::response(&mut x.txn, cx.limits, Some(code), head);
            leaves |= x.connect && (200..300).contains(&code);
            has_body &= !x.head_only && !leaves;
            wanted = x.txn.record.is_some();
        }
        let framing = if has_body { Framing::of_response(cx, head) } else { Framing::None };
        let codings = [head.get(Name::ContentEncoding), head.get(Name::TransferEncoding)];
        self.rsp.body.begin(cx.limits, wanted && has_body, head.get(Name::ContentType), codings);
        if leaves && !is_cut {
            self.rsp.last = cx.mark_at(n.saturating_sub(1));
            self.finish(cx, Direction::ToClient);
            self.finish(cx, Direction::ToServer);
            self.pairs.give_up(cx);
            return Progress::Upgrade(n);
        }
        self.begin_body(cx, Direction::ToClient, head, framing, is_cut)
    }

    /// An answer of HTTP/0.9: the body, to the end.
    fn bare_response(&mut self, cx: &mut Cx<'_>) {
        let first = cx.mark_at(0);
        self.pairs.answer(cx, first);
        let mut wanted = false;
        if let Some(x) = self.pairs.current() {
            x.txn.answering(first);
            fill::response(&mut x.txn, cx.limits, None, &Head::of_line(&[], &[]));
            wanted = x.txn.record.is_some();
        }
        self.rsp.body.begin(cx.limits, wanted, &[], [&[], &[]]);
    }

    /// A head has ended (or is cut off here, because it is too long).
    fn begin_body(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        head: &Head<'_>,
        framing: Framing,
        is_cut: bool,
    ) -> Progress {
        let n = head.bytes.len();
        let half = self.half(dir);
        half.last = cx.mark_at(n.saturating_sub(1));
        if is_cut {
            let end = match head.bytes {
                [.., b'\n'] => LineEnd::Lf,
                [.., b'\n', b'\r'] => LineEnd::LfCr,
                _ => LineEnd::Text,
            };
            half.stage = Stage::Tail(framing, end);
            cx.anomaly("long-head");
            self.taint(dir, Quality::TRUNCATED);
        } else if matches!(framing, Framing::None) {
            self.finish(cx, dir);
        } else {
            half.stage = Stage::Body(framing);
        }
        Progress::Consumed(n)
    }

    /// The message under way in this direction is whole.
    fn finish(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.half(dir).stage = Stage::Line(0);
        match dir {
            Direction::ToServer => self.pairs.asked(cx, &mut self.req.body),
            Direction::ToClient => self.pairs.answered(cx, &mut self.rsp.body, self.rsp.last),
        }
    }

    fn taint(&mut self, dir: Direction, q: Quality) {
        let x = match dir {
            Direction::ToServer => self.pairs.asking.as_mut(),
            Direction::ToClient => self.pairs.current(),
        };
        if let Some(x) = x {
            x.txn.taint(q);
        }
    }

    /// Bytes up to here belong to the message under way.
    fn seen(&mut self, dir: Direction, mark: Mark) {
        self.half(dir).last = mark;
        if dir == Direction::ToServer
            && let Some(x) = &mut self.pairs.asking
        {
            x.txn.asked(mark);
            x.asked = mark.time;
        }
    }

    fn tail(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        bytes: &[u8],
        framing: Framing,
        mut end: LineEnd,
    ) -> Progress {
        let mut at = 0usize;
        for b in bytes {
            at = at.saturating_add(1);
            end = match (end, b) {
                (LineEnd::Lf | LineEnd::LfCr, b'\n') => {
                    self.seen(dir, cx.mark_at(at.saturating_sub(1)));
                    if matches!(framing, Framing::None) {
                        self.finish(cx, dir);
                    } else {
                        self.half(dir).stage = Stage::Body(framing);
                    }
                    return Progress::Consumed(at);
                }
                (_, b'\n') => LineEnd::Lf,
                (LineEnd::Lf, b'\r') => LineEnd::LfCr,
                _ => LineEnd::Text,
            };
        }
        self.seen(dir, cx.mark_at(at.saturating_sub(1)));
        self.half(dir).stage = Stage::Tail(framing, end);
        Progress::Consumed(at)
    }

    fn body(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8], framing: Framing) -> Progress {
        let half = self.half(dir);
        let (n, next) = match framing {
            Framing::None => (0, None),
            Framing::Length(left) => {
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                half.body.add(bytes.get(..n).unwrap_or(bytes));
                let left = left.saturating_sub(n as u64);
                (n, (left > 0).then_some(Framing::Length(left)))
            }
            Framing::Close => {
                half.body.add(bytes);
                (bytes.len(), Some(framing))
            }
            Framing::Chunked(mut chunked) => {
                let mut at = 0;
                loop {
                    match chunked.next(bytes, at) {
                        Piece::Data(from, to) => {
                            half.body.add(bytes.get(from..to).unwrap_or_default());
                            at = to;
                        }
                        Piece::More => break (bytes.len(), Some(Framing::Chunked(chunked))),
                        Piece::End(to) => break (to, None),
                        Piece::Bad => {
                            cx.anomaly("chunk-size");
                            self.finish(cx, dir);
                            self.half(dir).stage = Stage::Search(0);
                            return if at > 0 {
                                Progress::Consumed(at)
                            } else {
                                self.search(cx, dir, bytes, 0)
                            };
                        }
                    }
                }
            }
        };
        self.seen(dir, cx.mark_at(n.saturating_sub(1)));
        match next {
            Some(framing) => self.half(dir).stage = Stage::Body(framing),
            None => self.finish(cx, dir),
        }
        Progress::Consumed(n)
    }

    fn search(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8], searched: usize) -> Progress {
        match search(dir, bytes, searched) {
            Found::At(0) => {
                self.half(dir).stage = Stage::Line(0);
                self.start_line(cx, dir, bytes, 0)
            }
            Found::At(n) => {
                self.half(dir).stage = Stage::Line(0);
                Progress::Consumed(n)
            }
            Found::Skip(0) if bytes.len() < cx.limits.stream => {
                self.wait(dir, Stage::Search(bytes.len()), bytes)
            }
            Found::Skip(0) => Progress::Consumed(bytes.len()),
            Found::Skip(n) => {
                self.half(dir).stage = Stage::Search(0);
                Progress::Consumed(n)
            }
        }
    }

    /// Are these bytes of the client perhaps of another protocol already? That is known when the
    /// answer to CONNECT or Upgrade has come.
    fn is_tunnel(&self, bytes: &[u8]) -> bool {
        let is_request = || probe_request(bytes) != Verdict::No;
        self.pairs.latest().is_some_and(|x| x.connect || (x.upgrade && !is_request()))
    }

    /// A client that was refused before it sent its body need not send it: does a request begin
    /// where the body should?
    fn body_is_left_out(&mut self, bytes: &[u8]) -> Verdict {
        let is_open = |x: &Exchange| x.expects && x.answered.is_some();
        if self.req.body.size() > 0 || !self.pairs.asking.as_ref().is_some_and(is_open) {
            return Verdict::No;
        }
        probe_request(bytes)
    }
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if !self.started {
            self.started = true;
            if cx.midstream {
                // We may be in the middle of anything.
                self.spoken = true;
                (self.req.stage, self.rsp.stage) = (Stage::Search(0), Stage::Search(0));
            }
        }
        match self.half(dir).stage {
            Stage::Line(searched) => self.start_line(cx, dir, bytes, searched),
            Stage::Fields(searched) => self.fields(cx, dir, bytes, searched, None),
            Stage::Tail(framing, end) => self.tail(cx, dir, bytes, framing, end),
            Stage::Search(searched) => self.search(cx, dir, bytes, searched),
            Stage::Body(framing) => {
                if dir == Direction::ToServer {
                    match self.body_is_left_out(bytes) {
                        Verdict::No => {}
                        Verdict::More => return Progress::Need(bytes.len().saturating_add(1)),
                        Verdict::Yes => {
                            self.finish(cx, dir);
                            return self.start_line(cx, dir, bytes, 0);
                        }
                    }
                }
                self.body(cx, dir, bytes, framing)
            }
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        let half = self.half(dir);
        match half.stage {
            Stage::Body(Framing::Close) => {
                half.body.lost(n);
                return self.taint(dir, Quality::GAP);
            }
            Stage::Body(Framing::Length(left)) => {
                half.body.lost(n.min(left));
                half.stage = Stage::Body(Framing::Length(left.saturating_sub(n)));
                self.taint(dir, Quality::GAP);
                if n < left {
                    return;
                }
                self.finish(cx, dir);
                if n == left {
                    return;
                }
            }
            Stage::Body(_) | Stage::Tail(..) => {
                half.body.lost(0);
                self.taint(dir, Quality::GAP);
                self.finish(cx, dir);
            }
            Stage::Line(0) | Stage::Search(_) => {}
            Stage::Line(_) | Stage::Fields(_) => cx.anomaly("lost-head"),
        }
        self.half(dir).stage = Stage::Search(0);
        match dir {
            Direction::ToServer => self.pairs.lost_requests(cx),
            Direction::ToClient => self.pairs.lost_answers(cx),
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        let stage = self.half(dir).stage;
        match stage {
            Stage::Body(_) | Stage::Tail(..) => self.finish(cx, dir),
            Stage::Line(0) | Stage::Search(_) => {}
            Stage::Line(_) | Stage::Fields(_) => cx.anomaly("cut-head"),
        }
        if dir == Direction::ToClient {
            self.pairs.give_up(cx);
        }
    }

    fn held(&self) -> usize {
        let bodies = self.req.body.held().saturating_add(self.rsp.body.held());
        bodies.saturating_add(self.pairs.held())
    }
}
