//! Who speaks: protocols are recognised by content. Ports only order the candidates, both
//! directions vote, and a connection that was joined in the middle may turn out to run the
//! other way round.

use crate::session::{Transport, Verdict};
use crate::table::{PROTOCOLS, ProtoDef, ProtoId};
use base::Direction;

/// What is known of a flow whose protocol is sought.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    /// What carries it.
    pub transport: Transport,
    /// First bytes of each direction, `[ToServer, ToClient]`; empty when none came yet.
    pub heads: [&'a [u8]; 2],
    /// Port of the initiator and of the other end.
    pub ports: [u16; 2],
    /// The beginning was not seen: the directions may be the other way round.
    pub turnable: bool,
    /// Tried first: what was found last on this server.
    pub learned: Option<ProtoId>,
    /// Not to be tried: it was wrong here already.
    pub except: Option<ProtoId>,
}

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// This protocol; `turned` when the directions are the other way round.
    Is {
        /// Which.
        id: ProtoId,
        /// The initiator is the server.
        turned: bool,
    },
    /// Not yet clear.
    More,
    /// None that is known.
    Unknown,
}

/// Finds out which protocol a flow speaks.
#[must_use]
pub fn identify(c: &Candidates<'_>) -> Identity {
    let [cport, sport] = c.ports;
    let hinted = |p: &ProtoDef| {
        let ports = match c.transport {
            Transport::Tcp => p.tcp,
            Transport::Udp => p.udp,
        };
        c.learned == Some(p.id) || ports.contains(&sport) || ports.contains(&cport)
    };
    let mut open = false;
    for with_hint in [true, false] {
        for p in PROTOCOLS.iter().filter(|p| hinted(p) == with_hint && c.except != Some(p.id)) {
            if c.transport == Transport::Udp && p.udp.is_empty() {
                continue;
            }
            for turned in [false, true] {
                if turned && !c.turnable {
                    continue;
                }
                match vote(p, c, turned) {
                    Verdict::Yes => return Identity::Is { id: p.id, turned },
                    Verdict::More => open = true,
                    Verdict::No => {}
                }
            }
        }
    }
    if open { Identity::More } else { Identity::Unknown }
}

/// Both directions vote: one No rejects, one Yes without a No accepts.
fn vote(p: &ProtoDef, c: &Candidates<'_>, turned: bool) -> Verdict {
    let mut verdict = Verdict::More;
    let [first, second] = c.heads;
    for (dir, head) in Direction::BOTH.into_iter().zip([first, second]) {
        if head.is_empty() {
            continue;
        }
        let dir = if turned { dir.flip() } else { dir };
        match (p.probe)(c.transport, dir, head) {
            Verdict::No => return Verdict::No,
            Verdict::Yes => verdict = Verdict::Yes,
            Verdict::More => {}
        }
    }
    verdict
}
