//! Behind a loss: a command or an answer begins with a segment, so only there it is looked for.

use super::drift::PLACES;
use super::probe;
use super::session::{ENOUGH, Part, Phase, Session};
use super::wire::{HEADER, header};
use crate::session::{Cx, Verdict};
use base::Direction;
use record::Quality;

/// Where a packet begins.
pub(super) enum Sought {
    /// With the first byte.
    Here,
    /// Perhaps with the first byte: more must be seen.
    More,
    /// Behind so many bytes, perhaps; not in what is there.
    Behind(Option<usize>),
}

/// What was found at an offset where one may begin.
pub(super) fn sought_at(at: usize, found: Option<bool>) -> Sought {
    match (found, at) {
        (Some(false), _) => Sought::Behind(None),
        (Some(true), 0) => Sought::Here,
        (None, 0) => Sought::More,
        _ => Sought::Behind(Some(at)),
    }
}

/// Looks for the beginning of a packet where segments begin. The bytes lie `from` behind those that were given.
pub(super) fn sought(
    cx: &Cx<'_>,
    from: usize,
    bytes: &[u8],
    found: impl Fn(&[u8]) -> Option<bool>,
) -> Sought {
    let from = cx.base.saturating_add(from);
    let inner = cx.spans.iter().map(|s| s.end.saturating_sub(from)).filter(|at| *at > 0);
    for at in std::iter::once(0).chain(inner) {
        let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) else { break };
        match sought_at(at, found(rest)) {
            Sought::Behind(None) => {}
            answer => return answer,
        }
    }
    Sought::Behind(None)
}

impl Session {
    /// Where packets begin in this direction is no longer known, behind so many bytes that were not seen, if
    /// that can be told.
    pub(super) fn lose(&mut self, cx: &mut Cx<'_>, dir: Direction, n: Option<u64>) {
        let is_begun = self.queue.front().is_some_and(|a| a.begun);
        let half = self.half(dir);
        let between = half.sync && matches!(half.part, Part::Header) && !is_begun;
        half.sync = false;
        half.part = Part::Header;
        half.holed = false;
        half.kept = Vec::new();
        self.doubt = true;
        match dir {
            Direction::ToServer => {
                // What was said before was not to the command that was lost.
                self.spoke = None;
                let was_file = std::mem::take(&mut self.infile);
                let begun = self.drop_asking(cx);
                if !was_file {
                    self.commands_lost(cx, n, begun);
                }
            }
            Direction::ToClient => {
                (self.spoke, self.lost) = (Some(cx.now.time), true);
                self.lost_at = self.spoke;
                if let Some(ask) = self.queue.front_mut().filter(|a| a.begun) {
                    ask.taint(Quality::GAP);
                    ask.counted = false;
                }
                // What looks like the space between two answers is not, where the one may have an EOF yet.
                let owed = std::mem::take(&mut self.owed);
                let between = between && n.is_some_and(|n| n > 0) && !owed && !self.drift.passing;
                self.answers_lost(cx, between);
            }
        }
    }

    /// Looks for the beginning of a packet in bytes that may begin with one. `None`: more is needed.
    pub(super) fn search(&self, dir: Direction, bytes: &[u8]) -> Option<bool> {
        let (len, seq) = header(bytes)?;
        let likely = match dir {
            Direction::ToServer => match self.phase {
                Phase::Start | Phase::Greeted if seq == 1 => probe::login(bytes) != Verdict::No,
                Phase::Auth if seq != 0 => true,
                _ => seq == 0 && probe::command(bytes) != Verdict::No,
            },
            Direction::ToClient => match self.phase {
                Phase::Start if seq == 0 => probe::greeting(bytes) != Verdict::No,
                Phase::Greeted | Phase::Auth => {
                    seq >= 1 && matches!(bytes.get(HEADER), None | Some(0 | 1 | 0xfe | 0xff))
                }
                _ => {
                    let expected = self.queue.iter().take(PLACES).any(|a| !a.begun && a.seq == seq);
                    expected && probe::answer(bytes) != Verdict::No
                }
            },
        };
        let whole = HEADER.saturating_add(len as usize);
        if likely && bytes.len() < whole.min(ENOUGH) { None } else { Some(likely) }
    }

    /// An answer begins where none was sought before: what was answered up to then is over.
    pub(super) fn found(&mut self, cx: &mut Cx<'_>) {
        self.lost = false;
        self.drift.found = !self.drift.is_certain();
        while self.queue.front().is_some_and(|a| a.begun) {
            self.pop(cx, |cx, ask, end| ask.give_up(cx, Quality::GAP, end));
        }
    }

    /// `n` bytes of packets were not seen.
    pub(super) fn missing(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        let half = self.half(dir);
        if let (true, Part::Body { left, full }) = (half.sync, half.part)
            && let Some(left) = u64::from(left).checked_sub(n).and_then(|l| u32::try_from(l).ok())
        {
            // It lies within one packet: the next is where it was.
            half.total = half.total.saturating_add(n);
            half.holed = true;
            match dir {
                Direction::ToServer if self.asking => {
                    if let Some(ask) = self.queue.back_mut() {
                        ask.taint(Quality::GAP);
                    }
                }
                Direction::ToClient => {
                    if let Some(ask) = self.queue.front_mut().filter(|a| a.begun) {
                        ask.taint(Quality::GAP);
                    }
                }
                Direction::ToServer => {}
            }
            self.piece_ends(cx, dir, left, full);
        } else {
            self.lose(cx, dir, Some(n));
        }
    }
}
