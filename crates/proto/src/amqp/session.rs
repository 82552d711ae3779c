//! State of one connection: bytes to frames. Contents are passed on piece by piece.

use super::probe::{self, Found};
use super::talk::Talk;
use super::wire::{
    AROUND, END, FrameHead, FrameKind, GREETING, HEADER, Head, LARGEST, Version, content_head, version,
};
use crate::session::{Cx, Parser, Progress, Transport};
use base::Direction;

/// The longest method or content header that is waited for; of a longer one, which has large tables at
/// its end, the beginning is read.
const HELD: usize = 16 * 1024;
/// Bytes without a frame before a guess is taken back.
const MISSED: usize = 256 * 1024;

/// Lost bytes of which nobody knows how many they are: any number of messages.
const UNKNOWN: u64 = 1 << 48;

/// What the next bytes of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A frame.
    Head,
    /// So much of a content.
    Body { channel: u16, left: u32 },
    /// So much of a frame whose beginning was read.
    Rest { left: u32 },
    /// The octet that ends a frame, of a content when there is a channel.
    End { body: Option<u16> },
    /// Frames are sought.
    Lost,
}

/// State of one connection.
#[derive(Debug)]
pub struct Session {
    parts: [Part; 2],
    talk: Talk,
    /// The largest payload agreed on.
    largest: u32,
    /// A frame was understood: from then on a bad one is an anomaly, not a wrong guess.
    proven: bool,
    /// Bytes without a frame before that.
    missed: usize,
    /// The rest is not for us.
    over: bool,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(_transport: Transport) -> Session {
        Session {
            parts: [Part::Head; 2],
            talk: Talk::default(),
            largest: LARGEST,
            proven: false,
            missed: 0,
            over: false,
        }
    }

    fn part(&mut self, dir: Direction) -> &mut Part {
        let [c, s] = &mut self.parts;
        match dir {
            Direction::ToServer => c,
            Direction::ToClient => s,
        }
    }

    /// Where frames begin in this direction is no longer known. `span`: so many bytes of whole frames were lost.
    fn lose(&mut self, cx: &mut Cx<'_>, dir: Direction, span: u64) {
        *self.part(dir) = Part::Lost;
        self.talk.lost(cx, dir, self.proven, span);
    }

    /// No frame begins here.
    fn bad(&mut self, cx: &mut Cx<'_>, dir: Direction) -> Progress {
        if !self.proven && !cx.midstream {
            return Progress::Lost;
        }
        if self.proven {
            cx.anomaly("amqp-frame");
        }
        // What was taken for frames may not have been some.
        self.lose(cx, dir, UNKNOWN);
        Progress::Consumed(1)
    }

    /// Looks for a frame. Nothing is held in search of it but what may be one.
    fn search(&mut self, dir: Direction, bytes: &[u8]) -> Progress {
        let mut rest = bytes;
        let mut need = None;
        while let Some(first) = rest.first() {
            let found = match first {
                1..=3 | 8 => probe::frame(dir, rest, self.largest),
                _ => Found::None,
            };
            match found {
                Found::Proof | Found::Method(_) => {
                    *self.part(dir) = Part::Head;
                    break;
                }
                Found::Frame(n) => match rest.get(n..).and_then(|r| r.split_first_chunk::<HEADER>()) {
                    // Another frame begins behind it; a heartbeat is proof by itself.
                    Some((next, _)) if matches!(FrameHead::parse(next, self.largest), Head::Is(_)) => {
                        *self.part(dir) = Part::Head;
                        break;
                    }
                    None if *first == 8 => {
                        *self.part(dir) = Part::Head;
                        break;
                    }
                    None if n <= HELD => {
                        need = Some(n.saturating_add(HEADER));
                        break;
                    }
                    Some(_) | None => {}
                },
                // A content that is not whole is passed by.
                Found::Open(n) if n <= HELD && (*first != 3 || n == HEADER) => {
                    need = Some(n);
                    break;
                }
                Found::Open(_) | Found::None => {}
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        let passed = bytes.len().saturating_sub(rest.len());
        if !self.proven {
            self.missed = self.missed.saturating_add(passed);
            if self.missed > MISSED {
                return Progress::Lost;
            }
        }
        match need {
            _ if passed > 0 => Progress::Consumed(passed),
            Some(n) => Progress::Need(n),
            // The frame that was found begins here.
            None => Progress::Consumed(0),
        }
    }

    /// A frame, or the protocol header.
    fn head(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if bytes.first() == Some(&b'A') {
            return self.greeting(cx, dir, bytes);
        }
        let head = match FrameHead::parse(bytes, self.largest) {
            Head::Is(head) => head,
            Head::Short => return Progress::Need(AROUND),
            Head::None => return self.bad(cx, dir),
        };
        if head.kind == FrameKind::Body {
            self.behind_hole(dir, head.channel, head.kind);
            let body = Some(head.channel);
            *self.part(dir) = match head.size {
                0 => Part::End { body },
                left => Part::Body { channel: head.channel, left },
            };
            return Progress::Consumed(HEADER);
        }
        let total = head.total();
        let wanted = total.min(HELD);
        let Some(frame) = bytes.get(..wanted) else { return Progress::Need(wanted) };
        let is_whole = wanted == total;
        let mut payload = frame.get(HEADER..).unwrap_or_default();
        if is_whole {
            let Some((END, rest)) = payload.split_last().map(|(e, r)| (*e, r)) else {
                return self.bad(cx, dir);
            };
            payload = rest;
        }
        let last = wanted.saturating_sub(1);
        if head.kind != FrameKind::Heartbeat {
            self.behind_hole(dir, head.channel, head.kind);
        }
        let understood = match head.kind {
            FrameKind::Method => self.method(cx, dir, head.channel, payload, is_whole, last),
            FrameKind::Header => content_head(payload)
                .map(|c| self.talk.content_head(cx, dir, head.channel, &c, last))
                .is_some(),
            FrameKind::Heartbeat | FrameKind::Body => true,
        };
        if !understood {
            if !self.proven {
                return self.bad(cx, dir);
            }
            cx.anomaly("amqp-method");
        }
        self.proven |= understood && head.kind == FrameKind::Method;
        if !is_whole {
            let left = total.saturating_sub(wanted).saturating_sub(1) as u32;
            *self.part(dir) = Part::Rest { left };
        }
        Progress::Consumed(wanted)
    }

    fn behind_hole(&mut self, dir: Direction, channel: u16, next: FrameKind) {
        if dir == Direction::ToServer {
            self.talk.behind_hole(channel, next);
        }
    }

    fn method(
        &mut self,
        cx: &mut Cx<'_>,
        dir: Direction,
        channel: u16,
        payload: &[u8],
        is_whole: bool,
        last: usize,
    ) -> bool {
        let Some(agreed) = self.talk.method(cx, dir, channel, payload, is_whole, last) else { return false };
        /// The least that both sides must be able to take.
        const LEAST: u32 = 4096;
        match agreed {
            Some(0) => self.largest = u32::MAX / 2,
            Some(n) if n >= LEAST => self.largest = n,
            _ => {}
        }
        true
    }

    fn greeting(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        let Some(head) = bytes.get(..GREETING) else { return Progress::Need(GREETING) };
        match (version(head), dir) {
            (Some(Version::Other), _) => {
                cx.anomaly("amqp-other-version");
                self.over = true;
                return Progress::Done;
            }
            (Some(Version::Ours), Direction::ToServer) => self.talk.greeted(),
            // The server wants another version than the client, and closes.
            (Some(Version::Ours), Direction::ToClient) => cx.anomaly("amqp-version-refused"),
            (None, _) => return self.bad(cx, dir),
        }
        self.proven = true;
        Progress::Consumed(GREETING)
    }
}

impl Parser for Session {
    fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
        if self.over {
            return Progress::Done;
        }
        match *self.part(dir) {
            Part::Head => self.head(cx, dir, bytes),
            Part::Body { channel, left } => {
                let piece = bytes.get(..left as usize).unwrap_or(bytes);
                self.talk.piece(cx, dir, channel, piece);
                *self.part(dir) = match left.saturating_sub(piece.len() as u32) {
                    0 => Part::End { body: Some(channel) },
                    left => Part::Body { channel, left },
                };
                Progress::Consumed(piece.len())
            }
            Part::Rest { left } => {
                let n = bytes.len().min(left as usize);
                *self.part(dir) = match left.saturating_sub(n as u32) {
                    0 => Part::End { body: None },
                    left => Part::Rest { left },
                };
                if n == 0 { self.data(cx, dir, bytes) } else { Progress::Consumed(n) }
            }
            Part::End { body } => {
                if bytes.first() != Some(&END) {
                    return self.bad(cx, dir);
                }
                *self.part(dir) = Part::Head;
                if let Some(channel) = body {
                    self.talk.body_end(cx, dir, channel);
                }
                Progress::Consumed(1)
            }
            Part::Lost => match self.search(dir, bytes) {
                Progress::Consumed(0) => self.head(cx, dir, bytes),
                Progress::Consumed(n) => {
                    if dir == Direction::ToServer {
                        self.talk.pass(n as u64);
                    }
                    Progress::Consumed(n)
                }
                progress => progress,
            },
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
        // A gap within a frame does not hide where the next begins.
        match *self.part(dir) {
            Part::Body { channel, left } if n <= u64::from(left) => {
                self.talk.hole_in(dir, channel, n);
                *self.part(dir) = match left.saturating_sub(n as u32) {
                    0 => Part::End { body: Some(channel) },
                    left => Part::Body { channel, left },
                };
            }
            Part::Rest { left } if n <= u64::from(left) => {
                *self.part(dir) = Part::Rest { left: left.saturating_sub(n as u32) };
            }
            part => {
                // Of the frame under way.
                let rest = match part {
                    Part::Body { channel, left } => {
                        self.talk.hole_in(dir, channel, u64::from(left));
                        u64::from(left).saturating_add(1)
                    }
                    Part::Rest { left } => u64::from(left).saturating_add(1),
                    Part::End { .. } => 1,
                    Part::Head | Part::Lost => 0,
                };
                self.lose(cx, dir, n.saturating_sub(rest));
            }
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
        self.talk.end(cx, dir);
    }

    fn held(&self) -> usize {
        self.talk.held()
    }
}
