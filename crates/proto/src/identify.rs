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

/// How near at hand a protocol is, from what was learned and from the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    /// Found on this server before.
    Learned,
    /// One of the ports is one of its.
    Hinted,
    /// Nothing speaks for it but the bytes.
    Other,
}

fn rank(p: &ProtoDef, c: &Candidates<'_>) -> Option<Rank> {
    let ports = match c.transport {
        Transport::Tcp => p.tcp,
        Transport::Udp => p.udp,
    };
    if c.except == Some(p.id) || c.transport == Transport::Udp && ports.is_empty() {
        return None;
    }
    let [cport, sport] = c.ports;
    let (by_client, by_server) = (ports.contains(&cport), ports.contains(&sport));
    if p.bound {
        /// Ports below are no client's: a client's own port there that is equal by chance says nothing.
        const WELL_KNOWN: u16 = 1024;
        return (by_server || by_client && sport >= WELL_KNOWN).then_some(Rank::Hinted);
    }
    Some(match (c.learned == Some(p.id), by_client || by_server) {
        (true, _) => Rank::Learned,
        (false, true) => Rank::Hinted,
        (false, false) => Rank::Other,
    })
}

/// Finds out which protocol a flow speaks. What is nearer at hand is tried first; of that, all
/// as the directions stand before any the other way round.
#[must_use]
pub fn identify(c: &Candidates<'_>) -> Identity {
    among(PROTOCOLS, c)
}

fn among(protocols: &[ProtoDef], c: &Candidates<'_>) -> Identity {
    let mut open = false;
    for tried in [Rank::Learned, Rank::Hinted, Rank::Other] {
        for turned in [false, true] {
            if turned && !c.turnable {
                continue;
            }
            for p in protocols.iter().filter(|p| rank(p, c) == Some(tried)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};
    use ProtoId::{Dns, Http};
    use record::f;

    type Probe = fn(Transport, Direction, &[u8]) -> Verdict;

    fn def(id: ProtoId, port: u16, probe: Probe) -> ProtoDef {
        let ports: &'static [u16] = Box::leak(Box::new([port]));
        ProtoDef {
            id,
            names: &["x", "x"],
            response: &f::dns::DNS_RESPONSE,
            load: None,
            tcp: ports,
            udp: &[],
            bound: false,
            probe,
        }
    }

    /// Requests begin with `Q`, answers with `A`; one byte says nothing.
    fn ask(_: Transport, dir: Direction, head: &[u8]) -> Verdict {
        match (head, dir) {
            ([_], _) => Verdict::More,
            ([b'Q', ..], ToServer) | ([b'A', ..], ToClient) => Verdict::Yes,
            _ => Verdict::No,
        }
    }

    fn yes(_: Transport, _: Direction, _: &[u8]) -> Verdict {
        Verdict::Yes
    }

    fn more(_: Transport, _: Direction, _: &[u8]) -> Verdict {
        Verdict::More
    }

    fn flow<'a>(client: &'a [u8], server: &'a [u8]) -> Candidates<'a> {
        Candidates {
            transport: Transport::Tcp,
            heads: [client, server],
            ports: [40000, 99],
            turnable: false,
            learned: None,
            except: None,
        }
    }

    fn is(id: ProtoId) -> Identity {
        Identity::Is { id, turned: false }
    }

    #[test]
    fn ports_and_what_was_learned_only_order_the_candidates() {
        let both = [def(Http, 80, yes), def(Dns, 53, yes)];
        let c = flow(b"Q1", b"");
        assert_eq!(among(&both, &c), is(Http), "the order of the registry");
        assert_eq!(among(&both, &Candidates { ports: [40000, 53], ..c }), is(Dns));
        assert_eq!(among(&both, &Candidates { ports: [53, 40000], ..c }), is(Dns));
        let learned = Candidates { ports: [40000, 80], learned: Some(Dns), ..c };
        assert_eq!(among(&both, &learned), is(Dns), "before the port's");
        assert_eq!(among(&both, &Candidates { except: Some(Dns), ..learned }), is(Http));
        let wrong = [def(Http, 80, ask), def(Dns, 53, yes)];
        let c = Candidates { ports: [40000, 80], learned: Some(Http), ..flow(b"XX", b"") };
        assert_eq!(among(&wrong, &c), is(Dns), "the content decides");
    }

    #[test]
    fn both_directions_vote() {
        let one = [def(Http, 80, ask)];
        assert_eq!(among(&one, &flow(b"Q1", b"")), is(Http));
        assert_eq!(among(&one, &flow(b"", b"A1")), is(Http));
        assert_eq!(among(&one, &flow(b"Q1", b"A1")), is(Http));
        assert_eq!(among(&one, &flow(b"Q1", b"XX")), Identity::Unknown, "one No rejects");
        assert_eq!(among(&one, &flow(b"XX", b"A1")), Identity::Unknown);
        assert_eq!(among(&one, &flow(b"Q1", b"A")), is(Http), "one Yes and no No accept");
    }

    #[test]
    fn more_is_asked_for_while_anything_is_possible() {
        let one = [def(Http, 80, ask)];
        assert_eq!(among(&one, &flow(b"", b"")), Identity::More);
        assert_eq!(among(&one, &flow(b"Q", b"")), Identity::More);
        assert_eq!(among(&one, &flow(b"Q", b"XX")), Identity::Unknown);
        assert_eq!(among(&one, &Candidates { except: Some(Http), ..flow(b"Q", b"") }), Identity::Unknown);
        let two = [def(Http, 80, more), def(Dns, 53, ask)];
        assert_eq!(among(&two, &flow(b"XX", b"")), Identity::More);
        assert_eq!(
            among(&two, &Candidates { ports: [1, 80], ..flow(b"Q1", b"") }),
            is(Dns),
            "a Yes is not kept waiting"
        );
    }

    #[test]
    fn directions_are_turned_only_where_the_beginning_was_not_seen() {
        let one = [def(Http, 80, ask)];
        let c = flow(b"A1", b"Q1");
        assert_eq!(among(&one, &c), Identity::Unknown);
        let c = Candidates { turnable: true, ..c };
        assert_eq!(among(&one, &c), Identity::Is { id: Http, turned: true });
        let two = [def(Http, 80, ask), def(Dns, 53, yes)];
        assert_eq!(among(&two, &c), is(Dns), "as they stand before the other way round");
    }

    #[test]
    fn datagrams_are_tried_only_with_protocols_that_use_them() {
        let udp = Candidates { transport: Transport::Udp, ..flow(b"Q1", b"") };
        assert_eq!(among(&[def(Http, 80, yes)], &udp), Identity::Unknown);
    }

    #[test]
    fn a_bound_protocol_is_tried_on_its_ports_alone() {
        let one = [ProtoDef { bound: true, ..def(Http, 5353, yes) }];
        let on = |ports| among(&one, &Candidates { ports, ..flow(b"Q1", b"") });
        assert_eq!(on([40000, 5353]), is(Http));
        assert_eq!(on([5353, 40000]), is(Http));
        assert_eq!(on([40000, 40001]), Identity::Unknown);
        assert_eq!(on([5353, 53]), Identity::Unknown, "a resolver's port that is equal by chance");
        let learned = Candidates { learned: Some(Http), ..flow(b"Q1", b"") };
        assert_eq!(among(&one, &learned), Identity::Unknown);
    }

    #[test]
    fn dns_and_its_link_local_kin_are_told_apart() {
        // "a A?" with recursion desired, and without.
        let stub = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
        let plain = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
        let on = |head: &'static [u8], ports| {
            identify(&Candidates { transport: Transport::Udp, ports, ..flow(head, b"") })
        };
        assert_eq!(on(stub, [40000, 53]), is(Dns));
        assert_eq!(on(stub, [40000, 9999]), is(Dns), "on any port");
        assert_eq!(on(stub, [40000, 5353]), is(Dns), "a name server on the other's port");
        assert_eq!(on(plain, [5353, 5353]), is(ProtoId::Mdns));
        assert_eq!(on(plain, [40000, 5355]), is(ProtoId::Llmnr));
        assert_eq!(on(plain, [5353, 53]), is(Dns));
    }
}
