//! What the client says.

use super::params::{self, Out};
use super::queue::Ask;
use super::session::Session;
use super::wire::{Bind, Head, Parse, text_of};
use crate::session::{Cx, Txn};
use base::{Mark, Reader};
use record::{Kind, Quality, f::sql as f};

impl Session {
    /// A message; its end may be cut off. False when it is none.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, head: Head, body: &[u8], last: Mark) -> bool {
        match head.kind {
            b'Q' => {
                let txn = self.open(cx, text_of(body), last);
                self.push(cx, Ask::Query, Some(txn), last);
            }
            b'P' => return self.on_parse(cx, body, last).is_some(),
            b'B' => return self.on_bind(cx, body, last).is_some(),
            b'E' => return self.on_execute(cx, body, last).is_some(),
            b'D' | b'C' => {
                let Some((what, name)) = body.split_first() else { return false };
                let name = match what {
                    b'S' => Some(text_of(name).into()),
                    b'P' => None,
                    _ => return false,
                };
                let ask = if head.kind == b'D' { Ask::Describe(name) } else { Ask::Close(name) };
                self.push(cx, ask, None, last);
            }
            b'S' if self.copying => {}
            b'S' => {
                (self.skipping, self.skipped) = (false, false);
                self.push(cx, Ask::Sync, None, last);
            }
            b'F' => {
                let mut r = Reader::new(body);
                let Ok(oid) = r.be32("function") else { return false };
                let text = format!("FUNCTION CALL {oid}");
                let mut txn = self.open(cx, text.as_bytes(), last);
                if let Some(values) = Bind::values(r.rest()) {
                    tell_params(&mut txn, &values, &[], cx.limits.text);
                }
                self.push(cx, Ask::Call, Some(txn), last);
            }
            b'c' | b'f' => self.copying = false,
            // A password, a Flush, the end.
            _ => {}
        }
        true
    }

    /// A transaction with the text of its statement.
    fn open(&mut self, cx: &mut Cx<'_>, sql: &[u8], last: Mark) -> Txn {
        let mut txn = cx.open(Kind::Sql, 0);
        txn.asked(last);
        txn.text(&f::SQL, sql, cx.limits.text);
        txn
    }

    /// Puts a message in the queue, unless the server does not look at it.
    fn push(&mut self, cx: &mut Cx<'_>, ask: Ask, txn: Option<Txn>, last: Mark) {
        if self.skipping {
            self.queue.gone.extend(txn.map(|t| (t, last)));
            return;
        }
        match ask {
            Ask::Query | Ask::Call => self.queue.begin_query(last.time),
            _ => self.queue.begin(last.time),
        }
        self.queue.push(cx, ask, txn, last.time);
    }

    fn on_parse(&mut self, cx: &mut Cx<'_>, body: &[u8], last: Mark) -> Option<()> {
        let parse = Parse::read(body)?;
        let text = parse.text.get(..cx.limits.text).unwrap_or(parse.text);
        let txn = self.open(cx, text, last);
        if self.skipping {
            self.skipped = true;
            self.queue.gone.push((txn, last));
            return Some(());
        }
        self.queue.begin(last.time);
        if !self.queue.takes(last.time) {
            // Told by its Execute, if there is one.
            cx.forget(txn);
            self.names.parse(parse.name, text, parse.types, 0, &mut self.told);
            return Some(());
        }
        let seq = self.queue.next_seq();
        let before = self.names.parse(parse.name, text, parse.types, seq, &mut self.told);
        self.queue.push(cx, Ask::Parse(parse.name.into(), before), Some(txn), last.time);
        Some(())
    }

    fn on_bind(&mut self, cx: &mut Cx<'_>, body: &[u8], last: Mark) -> Option<()> {
        let bind = Bind::read(body)?;
        if self.skipping && std::mem::take(&mut self.skipped) {
            return Some(());
        }
        if !self.skipping {
            self.queue.begin(last.time);
        }
        let parse = self.names.statement(bind.statement).map_or(0, |s| s.seq);
        let claimed = if self.skipping { None } else { self.queue.claim(parse) };
        let mut txn = match claimed {
            Some(txn) => txn,
            None => {
                if !self.skipping
                    && let Some((txn, _)) = self.names.busy(bind.statement)
                {
                    cx.forget(txn);
                }
                let mut txn = cx.open(Kind::Sql, 0);
                let statement = self.names.statement(bind.statement);
                if self.holed && statement.is_none() {
                    txn.taint(Quality::GAP);
                }
                txn.text(&f::SQL, statement.map_or(&[][..], |s| &s.text), cx.limits.text);
                txn
            }
        };
        txn.asked(last);
        let types = self.names.statement(bind.statement).map_or(&[][..], |s| &s.types);
        tell_params(&mut txn, &bind, types, cx.limits.text);
        if self.skipping {
            // Its Execute, skipped too, is not told again.
            self.queue.gone.push((txn, last));
            return Some(());
        }
        if !self.queue.takes(last.time) {
            // Told by its Execute, if there is one.
            txn.taint(Quality::GAP);
            self.names.bind(bind.portal, 0, &mut self.told);
            match self.names.portal(bind.portal) {
                Some(p) => p.idle = Some((txn, last)),
                None => cx.forget(txn),
            }
            return Some(());
        }
        let seq = self.queue.next_seq();
        self.names.bind(bind.portal, seq, &mut self.told);
        self.queue.push(cx, Ask::Bind(bind.portal.into()), Some(txn), last.time);
        Some(())
    }

    fn on_execute(&mut self, cx: &mut Cx<'_>, body: &[u8], last: Mark) -> Option<()> {
        let mut r = Reader::new(body);
        let name = r.until(0, "portal").ok()?;
        let limit = r.be32("rows").ok()?;
        if self.skipping {
            return Some(());
        }
        self.queue.begin(last.time);
        let bind = self.names.portal(name).map_or(0, |p| p.seq);
        let mut portal = self.names.portal(name);
        let claimed = match self.queue.claim(bind) {
            Some(txn) => Some(txn),
            None => portal.as_mut().and_then(|p| p.idle.take()).map(|(txn, _)| txn),
        };
        let mut txn = match claimed {
            Some(txn) => txn,
            None => {
                let mut txn = cx.open(Kind::Sql, 0);
                if self.holed && portal.as_ref().is_none_or(|p| p.kept.is_none()) {
                    txn.taint(Quality::GAP);
                }
                let kept = portal.as_ref().and_then(|p| p.kept.as_deref());
                let (sql, params) = kept.map_or((&[][..], &[][..]), |(s, p)| (s, p));
                txn.text(&f::SQL, sql, cx.limits.text);
                if !params.is_empty() {
                    txn.text(&f::PARAMS, params, cx.limits.text);
                }
                txn
            }
        };
        txn.asked(last);
        // Only an Execute with a limit is followed by another of the same portal.
        if limit > 0
            && let (Some(portal), Some(r)) = (portal, &txn.record)
            && portal.kept.is_none()
        {
            portal.kept = Some(Box::new((r.text_of(&f::SQL).into(), r.text_of(&f::PARAMS).into())));
        }
        self.queue.push(cx, Ask::Execute, Some(txn), last.time);
        Some(())
    }
}

fn tell_params(txn: &mut Txn, bind: &Bind<'_>, types: &[u8], cap: usize) {
    if let Some(r) = &mut txn.record
        && bind.has_values()
    {
        r.begin_text(&f::PARAMS);
        params::write(bind, types, &mut Out::new(cap, &mut |b| r.append(b)));
    }
}
