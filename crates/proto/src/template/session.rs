//! State of one flow: open requests, and where lines begin.

use super::wire::{Answer, Line, Request, line};
use crate::session::{Cx, Parser, Progress, Transport, Txn};
use base::Direction;
use record::{Kind, Quality, f};
use std::collections::VecDeque;

/// A request in wait for its answer.
#[derive(Debug)]
struct Open {
    tag: Box<[u8]>,
    txn: Txn,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// Bytes of the line under way that hold no line feed: they are not searched again.
    searched: usize,
    /// After a gap: bytes up to the next line feed are the tail of a line that began in it.
    lost: bool,
    ended: bool,
}

/// State of one flow.
#[derive(Debug)]
pub struct Session {
    /// In order of asking; [`crate::Limits::pipeline`] at most.
    open: VecDeque<Open>,
    /// Heap bytes of the open requests.
    held: usize,
    streams: [Stream; 2],
    /// A line was understood: from then on a bad one is an anomaly, not a wrong guess.
    proven: bool,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session { open: VecDeque::new(), held: 0, streams: [Stream::default(); 2], proven: false }
    }

    fn stream(&mut self, dir: Direction) -> &mut Stream {
        let [c, s] = &mut self.streams;
        match dir {
            Direction::ToServer => c,
            Direction::ToClient => s,
        }
    }

    /// A request whose last byte is at `last` of the bytes given.
    fn request(&mut self, cx: &mut Cx<'_>, r: &Request<'_>, last: usize) {
        while self.open.len() >= cx.limits.pipeline.max(1)
            && let Some(oldest) = self.open.pop_front()
        {
            cx.anomaly("too_many_open");
            let txn = self.close(oldest);
            cx.give_up(txn);
        }
        let mut txn = cx.open(Kind::Redis, 0);
        txn.asked(cx.mark_at(last));
        txn.text(&f::redis::REQ, r.text, cx.limits.text);
        let open = Open { tag: r.tag.into(), txn };
        self.held = self.held.saturating_add(heap(&open));
        self.open.push_back(open);
    }

    fn answer(&mut self, cx: &mut Cx<'_>, a: &Answer<'_>, last: usize) {
        let found = self.open.iter().position(|o| *o.tag == *a.tag);
        let Some(open) = found.and_then(|at| self.open.remove(at)) else {
            cx.anomaly("answer_unasked");
            return;
        };
        let mut txn = self.close(open);
        txn.answering(cx.mark_at(0));
        txn.text(if a.ok { &f::redis::RES } else { &f::redis::ERR }, a.text, cx.limits.text);
        let end = cx.mark_at(last);
        cx.close(txn, end);
    }

    /// Takes an open request off the account.
    fn close(&mut self, open: Open) -> Txn {
        self.held = self.held.saturating_sub(heap(&open));
        open.txn
    }

    /// A line that is none.
    fn bad(&mut self, cx: &mut Cx<'_>, dir: Direction) -> Progress {
        if !self.proven {
            return Progress::Lost;
        }
        cx.anomaly("line");
        self.stream(dir).lost = true;
        Progress::Consumed(1)
    }
}

fn heap(o: &Open) -> usize {
    o.tag.len().saturating_add(o.txn.record.as_ref().map_or(0, |r| r.heap()))
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        let stream = self.stream(dir);
        if stream.lost {
            // Nothing is held in search of the boundary.
            let feed = bytes.iter().position(|b| *b == b'\n');
            stream.lost = feed.is_none();
            return Progress::Consumed(feed.map_or(bytes.len(), |n| n.saturating_add(1)));
        }
        let text = match line(bytes, std::mem::take(&mut stream.searched)) {
            Line::Whole(text) => text,
            Line::None => return self.bad(cx, dir),
            Line::Open => {
                stream.searched = bytes.len();
                return Progress::Need(bytes.len().saturating_add(1));
            }
        };
        // The line and its end.
        let used = text.len().saturating_add(2);
        let last = used.saturating_sub(1);
        let understood = match dir {
            Direction::ToServer => Request::parse(text).map(|r| self.request(cx, &r, last)),
            Direction::ToClient => Answer::parse(text).map(|a| self.answer(cx, &a, last)),
        };
        if understood.is_none() {
            if !self.proven {
                return Progress::Lost;
            }
            cx.anomaly("line");
        }
        self.proven = true;
        Progress::Consumed(used)
    }

    fn gap(&mut self, _cx: &mut Cx<'_>, dir: Direction, _n: u64) {
        if dir == Direction::ToClient {
            for o in &mut self.open {
                o.txn.taint(Quality::GAP);
            }
        }
        let stream = self.stream(dir);
        (stream.searched, stream.lost) = (0, true);
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.stream(dir).ended = true;
        // A client may close its direction and still wait for answers.
        let [_, answers] = self.streams;
        if answers.ended {
            for open in std::mem::take(&mut self.open) {
                let txn = self.close(open);
                cx.give_up(txn);
            }
        }
    }

    fn held(&self) -> usize {
        self.held.saturating_add(self.open.capacity().saturating_mul(std::mem::size_of::<Open>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{C, Harness, Outcome, S, cut_every_way, mutations};
    use crate::session::{Limits, Verdict};
    use crate::template::{fuzz_template, probe};

    fn tcp() -> Harness<Session> {
        Harness::new(Session::new(Transport::Tcp))
    }

    #[test]
    fn the_same_stream_cut_any_way_gives_the_same_records() {
        let rows = cut_every_way(
            tcp,
            &[(C, b"a1 GET x\r\na2 PUT y 1\r\n"), (S, b"a2 OK\r\na1 ERR no such\r\n"), (C, b"a3 QUIT\r\n")],
        );
        let got: Vec<_> = rows.iter().map(|r| [r.get("REQ"), r.get("RES"), r.get("ERR")]).collect();
        assert_eq!(got, [["PUT y 1", "", ""], ["GET x", "", "no such"], ["QUIT", "", ""]]);
        assert_eq!(rows[2].quality(), "no-response");
    }

    #[test]
    fn times_are_those_of_the_packets() {
        let mut h = tcp();
        for (dir, bytes) in [(C, &b"a1 "[..]), (C, b"GET x\r\n"), (S, b"a1 "), (S, b"OK yes\r\n")] {
            h.feed(dir, bytes);
        }
        let r = &h.rows()[0];
        assert_eq!((r.begin, r.asked, r.answering, r.end, r.get("RES")), (1, 2, Some(3), 4, "yes"));
    }

    #[test]
    fn a_gap_costs_one_transaction() {
        let mut h = tcp();
        h.feed(C, b"a1 GET x\r\na2 GET y\r\n");
        h.feed(S, b"a1 O");
        h.gap(S, 5);
        h.feed(S, b"es\r\na2 OK yes\r\n");
        h.finish();
        let got: Vec<_> = h.rows().iter().map(|r| (r.get("REQ"), r.quality())).collect();
        assert_eq!(got, [("GET y", "gap".to_owned()), ("GET x", "gap,no-response".to_owned())]);
    }

    #[test]
    fn open_requests_are_capped_and_texts_are_cut() {
        let mut h = tcp().limits(Limits { text: 5, pipeline: 4, ..Limits::default() });
        for _ in 0..9 {
            h.feed(C, b"a1 GET something\r\n");
        }
        assert_eq!((h.rows().len(), h.rows()[0].get("REQ"), h.anomalies().len()), (5, "GET s", 5));
        h.finish();
        assert_eq!((h.rows().len(), h.session().held()), (9, 0));
    }

    #[test]
    fn what_is_something_else_is_given_back() {
        for other in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\n", b"a1 GET\n"] {
            let mut h = tcp();
            h.feed(C, other);
            assert_eq!(h.outcome(), Outcome::Lost);
            assert_eq!(probe(Transport::Tcp, C, other), Verdict::No);
        }
        assert_eq!(probe(Transport::Tcp, C, b"a1 GE"), Verdict::More);
        assert_eq!(probe(Transport::Tcp, C, b"a1 GET x\r\n"), Verdict::Yes);
        assert_eq!(probe(Transport::Tcp, S, b"a1 GET x\r\n"), Verdict::No, "the other way round");
        assert_eq!(probe(Transport::Udp, C, b"a1 GET x\r\n"), Verdict::No);
        let mut h = tcp();
        h.feed(C, b"a1 GET x\r\n???\r\na2 GET y\r\n");
        assert_eq!((h.outcome(), h.anomalies()), (Outcome::Open, &["line"][..]), "proven by then");
    }

    #[test]
    fn any_bytes_are_borne() {
        let script: &[_] = &[(C, &b"a1 GET x\r\na2 PUT y\r\n"[..]), (S, b"a2 OK\r\na1 ERR no\r\n")];
        mutations(&[script], 600, fuzz_template);
    }
}
