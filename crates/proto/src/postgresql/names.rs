//! Prepared statements and portals by name: a Bind names a statement, an Execute a portal.

use crate::session::Txn;

use base::{FastMap, Mark, Seed};

/// Named statements of one connection: drivers keep 100 to 500 each. The one that was not used for
/// longest goes first.
const STATEMENTS: usize = 512;
/// Bytes that the named statements of one connection may hold.
const WEIGHT: usize = 1 << 20;
/// Named portals (cursors of drivers) that are open at a time: few have one.
const PORTALS: usize = 64;
/// A longer name is not kept: PostgreSQL cuts none, but no driver makes such.
const NAME: usize = 256;

/// A transaction that is answered but not told: its end is known.
pub(super) type Answered = (Txn, Mark);

/// A prepared statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// Its text, cut at the limit.
    pub(super) text: Vec<u8>,
    /// OIDs of its parameters, four bytes each; may be fewer than there are.
    pub(super) types: Vec<u8>,
    /// Number of its Parse in the queue; 0 when it never waited there.
    pub(super) seq: u64,
    /// Its Parse, as long as it was not executed.
    pub(super) idle: Option<Answered>,
    used: u64,
}

impl Statement {
    fn weight(&self) -> usize {
        let idle = self.idle.as_ref().and_then(|(t, _)| t.record.as_ref()).map_or(0, |r| r.heap());
        let fixed = std::mem::size_of::<Statement>();
        fixed.saturating_add(self.text.capacity()).saturating_add(self.types.capacity()).saturating_add(idle)
    }
}

/// A statement with its values.
#[derive(Debug, Default)]
pub(super) struct Portal {
    /// Number of its Bind in the queue; 0 when it never waited there.
    pub(super) seq: u64,
    /// Its Bind, as long as it was not executed.
    pub(super) idle: Option<Answered>,
    /// Text and values for when it is executed again.
    pub(super) kept: Option<Box<(Vec<u8>, Vec<u8>)>>,
}

/// All names of one connection.
#[derive(Debug, Default)]
pub(super) struct Names {
    unnamed: Option<Statement>,
    named: FastMap<Box<[u8]>, Statement>,
    portal: Option<Portal>,
    portals: Vec<(Box<[u8]>, Portal)>,
    clock: u64,
    /// Weight of the named statements.
    weight: usize,
}

impl Names {
    /// A Parse: the statement of this name from here on. What stood there before comes back.
    pub(super) fn parse(
        &mut self,
        name: &[u8],
        text: &[u8],
        types: &[u8],
        seq: u64,
        told: &mut Vec<Answered>,
    ) -> Option<Box<Statement>> {
        self.clock = self.clock.saturating_add(1);
        if name.is_empty() {
            // Nothing is kept of the one before: it is gone even when this Parse fails.
            let mut s = self.unnamed.take().unwrap_or(Statement {
                text: Vec::new(),
                types: Vec::new(),
                seq: 0,
                idle: None,
                used: 0,
            });
            told.extend(s.idle.take());
            s.text.clear();
            s.text.extend_from_slice(text);
            s.types.clear();
            s.types.extend_from_slice(types);
            s.seq = seq;
            self.unnamed = Some(s);
            return None;
        }
        let s = Statement { text: text.into(), types: types.into(), seq, idle: None, used: self.clock };
        self.put(name, s, told).map(Box::new)
    }

    /// Puts in a named statement; the one before comes back.
    fn put(&mut self, name: &[u8], s: Statement, told: &mut Vec<Answered>) -> Option<Statement> {
        if name.len() > NAME {
            return None;
        }
        let before = self.remove(name);
        let weight = s.weight();
        while self.named.len() >= STATEMENTS
            || self.weight.saturating_add(weight) > WEIGHT && !self.named.is_empty()
        {
            let oldest = self.named.iter().min_by_key(|(_, s)| s.used).map(|(n, _)| n.clone());
            let Some(gone) = oldest.and_then(|n| self.remove(&n)) else { break };
            told.extend(gone.idle);
        }
        self.weight = self.weight.saturating_add(weight);
        self.named.insert(name.into(), s);
        before
    }

    fn remove(&mut self, name: &[u8]) -> Option<Statement> {
        let s = self.named.remove(name)?;
        self.weight = self.weight.saturating_sub(s.weight());
        Some(s)
    }

    /// A Parse failed, or was never looked at: what stood there before stands again.
    pub(super) fn undo(
        &mut self,
        name: &[u8],
        seq: u64,
        before: Option<Box<Statement>>,
        told: &mut Vec<Answered>,
    ) {
        if self.statement(name).is_some_and(|s| s.seq == seq) {
            match before {
                Some(s) => {
                    let gone = self.put(name, *s, told);
                    told.extend(gone.and_then(|s| s.idle));
                }
                None => self.close(name, u64::MAX, told),
            }
        }
    }

    /// The statement of a name.
    pub(super) fn statement(&mut self, name: &[u8]) -> Option<&mut Statement> {
        if name.is_empty() {
            return self.unnamed.as_mut();
        }
        self.clock = self.clock.saturating_add(1);
        let s = self.named.get_mut(name)?;
        s.used = self.clock;
        Some(s)
    }

    /// The parameters of a statement are described.
    pub(super) fn describe(&mut self, name: &[u8], types: &[u8]) {
        /// Types of more parameters are not kept.
        const MOST: usize = 4 * 1024;
        let types = types.get(..MOST).unwrap_or(types);
        if let Some(mut s) = if name.is_empty() { self.unnamed.take() } else { self.remove(name) } {
            s.types.clear();
            s.types.extend_from_slice(types);
            self.put_back(name, s);
        }
    }

    /// The Parse of a statement is answered, and it was not executed.
    pub(super) fn idle(&mut self, name: &[u8], seq: u64, parse: Answered) -> Option<Answered> {
        if self.statement(name).is_none_or(|s| s.seq != seq) {
            return Some(parse);
        }
        if let Some(mut s) = if name.is_empty() { self.unnamed.take() } else { self.remove(name) } {
            s.idle = Some(parse);
            self.put_back(name, s);
        }
        None
    }

    /// The statement is executed: its Parse needs no record of its own.
    pub(super) fn busy(&mut self, name: &[u8]) -> Option<Answered> {
        self.statement(name).filter(|s| s.idle.is_some())?;
        let mut s = if name.is_empty() { self.unnamed.take() } else { self.remove(name) }?;
        let idle = s.idle.take();
        self.put_back(name, s);
        idle
    }

    fn put_back(&mut self, name: &[u8], s: Statement) {
        if name.is_empty() {
            self.unnamed = Some(s);
        } else {
            self.weight = self.weight.saturating_add(s.weight());
            self.named.insert(name.into(), s);
        }
    }

    /// The statement of this name is gone, if its Parse was before `seq`.
    pub(super) fn close(&mut self, name: &[u8], seq: u64, told: &mut Vec<Answered>) {
        if self.statement(name).is_some_and(|s| s.seq < seq) {
            let gone = if name.is_empty() { self.unnamed.take() } else { self.remove(name) };
            told.extend(gone.and_then(|s| s.idle));
        }
    }

    /// All statements are gone whose Parse was before `seq`.
    pub(super) fn discard(&mut self, seq: u64, told: &mut Vec<Answered>) {
        let mut gone = 0usize;
        self.named.retain(|_, s| {
            let stays = s.seq >= seq;
            if !stays {
                gone = gone.saturating_add(s.weight());
                told.extend(s.idle.take());
            }
            stays
        });
        self.weight = self.weight.saturating_sub(gone);
        self.close(b"", seq, told);
    }

    /// A Bind: the portal of this name from here on.
    pub(super) fn bind(&mut self, name: &[u8], seq: u64, told: &mut Vec<Answered>) {
        let fresh = Portal { seq, ..Portal::default() };
        if name.is_empty() {
            told.extend(self.portal.replace(fresh).and_then(|p| p.idle));
            return;
        }
        if let Some(p) = self.portal(name) {
            let gone = std::mem::replace(p, fresh);
            told.extend(gone.idle);
            return;
        }
        if name.len() > NAME {
            return;
        }
        if self.portals.len() >= PORTALS {
            told.extend(self.portals.remove(0).1.idle);
        }
        self.portals.push((name.into(), fresh));
    }

    /// The portal of a name.
    pub(super) fn portal(&mut self, name: &[u8]) -> Option<&mut Portal> {
        if name.is_empty() {
            return self.portal.as_mut();
        }
        self.portals.iter_mut().find(|(n, _)| **n == *name).map(|(_, p)| p)
    }

    /// The portals whose Bind was before `seq` are gone: their transaction has ended.
    pub(super) fn drop_portals(&mut self, seq: u64, told: &mut Vec<Answered>) {
        if self.portal.as_ref().is_some_and(|p| p.seq < seq) {
            told.extend(self.portal.take().and_then(|p| p.idle));
        }
        self.portals.retain_mut(|(_, p)| {
            let stays = p.seq >= seq;
            if !stays {
                told.extend(p.idle.take());
            }
            stays
        });
    }

    /// Bytes were lost: what has no name may have been replaced.
    pub(super) fn doubt(&mut self, told: &mut Vec<Answered>) {
        self.drop_portals(u64::MAX, told);
        self.close(b"", u64::MAX, told);
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        let portals = self.portals.iter().map(|(_, p)| p).chain(&self.portal).fold(0usize, |n, p| {
            let kept = p.kept.as_ref().map_or(0, |k| k.0.capacity().saturating_add(k.1.capacity()));
            let idle = p.idle.as_ref().and_then(|(t, _)| t.record.as_ref()).map_or(0, |r| r.heap());
            n.saturating_add(kept).saturating_add(idle).saturating_add(std::mem::size_of::<Portal>())
        });
        let unnamed = self.unnamed.as_ref().map_or(0, Statement::weight);
        self.weight.saturating_add(unnamed).saturating_add(portals)
    }

    /// A map that is repeatable: hostile names can at worst slow down their own connection, and
    /// there are no more than the cap.
    pub(super) fn new() -> Names {
        Names { named: FastMap::with_hasher(Seed::default()), ..Names::default() }
    }
}
