//! The grammar of pcap-filter(7), by recursive descent.
//!
//! `and` and `or` have equal precedence and associate to the left; `not` binds tighter. An id
//! without qualifiers takes those of the id before it: `tcp port 80 or 443`. Arithmetic has the
//! precedence of C.

mod arith;

use super::code::{Cond, Op, TRUE};
use super::lex::{Bad, Key, Kind, Proto, Tok};
use super::names::{ETHER_PROTOS, IP_PROTOS, TCP, UDP, find, service};
use super::predicate::{Dir, Outcome, Predicates};
use super::vm::op;

/// Parentheses, `not` and minus signs inside each other: they are walked by recursion.
const MAX_DEPTH: u32 = 64;

/// What kind of id follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addr {
    Default,
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

/// The qualifiers of an id.
#[derive(Clone, Copy, Debug)]
struct Qual {
    proto: Option<Proto>,
    dir: Dir,
    addr: Addr,
}

type Parsed<T> = Result<T, Bad>;

/// Tokens of an expression, and what they have come to mean so far.
pub(super) struct Parser<'a, 'p> {
    pub(super) expr: &'a str,
    pub(super) tokens: &'a [Tok<'a>],
    pub(super) at: usize,
    pub(super) out: &'p mut Predicates,
}

impl<'a> Parser<'a, '_> {
    /// The whole expression.
    pub(super) fn filter(&mut self) -> Parsed<Cond> {
        if self.peek() == Kind::End {
            return Ok(TRUE);
        }
        let (cond, _) = self.expr(0, None)?;
        if self.peek() != Kind::End {
            return Err(self.error("and, or, or the end"));
        }
        Ok(cond)
    }

    fn tok(&self) -> Tok<'a> {
        let end = Tok { kind: Kind::End, text: "", at: self.expr.len(), arith: false };
        self.tokens.get(self.at).copied().unwrap_or(end)
    }

    fn peek(&self) -> Kind {
        self.tok().kind
    }

    fn ahead(&self, by: usize) -> Kind {
        self.tokens.get(self.at + by).map_or(Kind::End, |t| t.kind)
    }

    fn take(&mut self) -> Kind {
        let kind = self.peek();
        self.at += 1;
        kind
    }

    fn eat(&mut self, kind: Kind) -> bool {
        let hit = self.peek() == kind;
        self.at += usize::from(hit);
        hit
    }

    fn expect(&mut self, kind: Kind, expected: &'static str) -> Parsed<()> {
        if self.eat(kind) { Ok(()) } else { Err(self.error(expected)) }
    }

    fn error(&self, expected: &'static str) -> Bad {
        self.error_at(self.at, expected)
    }

    fn error_at(&self, at: usize, expected: &'static str) -> Bad {
        let (at, len) = self.tokens.get(at).map_or((self.expr.len(), 0), |t| (t.at, t.text.len()));
        Bad { at, len, expected }
    }

    /// Gives an error of meaning the place of a token.
    fn place<T>(&self, at: usize, outcome: Outcome<T>) -> Parsed<T> {
        outcome.map_err(|expected| self.error_at(at, expected))
    }

    fn deeper(&self, depth: u32) -> Parsed<u32> {
        if depth >= MAX_DEPTH {
            return Err(self.error("less nesting: at most 64 levels"));
        }
        Ok(depth + 1)
    }

    /// `and` (true) or `or` (false), if that comes next.
    fn joint(&mut self) -> Option<bool> {
        let is_and = match self.peek() {
            Kind::Key(Key::And) => true,
            Kind::Key(Key::Or) => false,
            _ => return None,
        };
        self.at += 1;
        Some(is_and)
    }

    fn join(&mut self, is_and: bool, a: Cond, b: Cond) -> Cond {
        if is_and { self.out.graph.and(a, b) } else { self.out.graph.or(a, b) }
    }

    /// Terms joined by `and` and `or`.
    fn expr(&mut self, depth: u32, before: Option<Qual>) -> Parsed<(Cond, Option<Qual>)> {
        let (mut sum, mut qual) = self.term(depth, before)?;
        while let Some(is_and) = self.joint() {
            let (next, with) = self.term(depth, qual)?;
            sum = self.join(is_and, sum, next);
            qual = with;
        }
        Ok((sum, qual))
    }

    /// True when what comes next is an id: it takes the qualifiers of the one before.
    fn at_id(&self) -> bool {
        let mut by = 0;
        loop {
            let tok = self.tokens.get(self.at + by);
            match tok.map_or(Kind::End, |t| t.kind) {
                Kind::Open if tok.is_some_and(|t| !t.arith) => by += 1,
                Kind::Key(Key::Not) if by > 0 => by += 1,
                Kind::Num(_) => return !matches!(self.ahead(by + 1), Kind::Op(_) | Kind::Rel(_)),
                Kind::V4(..) | Kind::V6(_) | Kind::Mac(_) | Kind::Name => return true,
                _ => return false,
            }
        }
    }

    fn term(&mut self, depth: u32, before: Option<Qual>) -> Parsed<(Cond, Option<Qual>)> {
        let depth = self.deeper(depth)?;
        let tok = self.tok();
        if self.at_id() {
            // A parenthesis at the start of a list of ids, or of an expression that is wrong.
            let Some(qual) = before else {
                let first = (self.at..self.tokens.len())
                    .find(|&at| self.tokens.get(at).is_some_and(|t| t.kind != Kind::Open))
                    .unwrap_or(self.at);
                return Err(self.error_at(first, "host, net, port, a protocol or another keyword"));
            };
            return Ok((self.id(depth, qual)?, before));
        }
        match tok.kind {
            Kind::Key(Key::Not) => {
                self.at += 1;
                let (inner, qual) = self.term(depth, before)?;
                Ok((self.out.graph.not(inner), qual))
            }
            Kind::Open if !tok.arith => {
                self.at += 1;
                let (inner, _) = self.expr(depth, None)?;
                self.expect(Kind::Close, "and, or, or a closing parenthesis")?;
                Ok((inner, before))
            }
            Kind::Open | Kind::Num(_) | Kind::Op(b'-') | Kind::Key(Key::Len) => {
                Ok((self.relation(depth)?, None))
            }
            Kind::Key(Key::Proto(_)) if self.ahead(1) == Kind::BracketOpen => {
                Ok((self.relation(depth)?, None))
            }
            Kind::Key(Key::Proto(proto)) => {
                self.at += 1;
                self.qualified(depth, Some(proto), self.at - 1)
            }
            Kind::Key(_) => self.qualified(depth, None, self.at),
            _ => Err(self.error("host, net, port, a protocol or another keyword")),
        }
    }

    /// A number of an optional argument.
    fn argument(&mut self) -> Option<u32> {
        let Kind::Num(number) = self.peek() else { return None };
        self.at += 1;
        Some(number)
    }

    /// What follows a protocol, or a keyword without one.
    fn qualified(&mut self, depth: u32, proto: Option<Proto>, start: usize) -> Parsed<(Cond, Option<Qual>)> {
        let (at, kind) = (self.at, self.peek());
        let outcome = match kind {
            Kind::Key(Key::Src | Key::Dst) => {
                let dir = self.direction();
                let addr = self.address_kind().unwrap_or(Addr::Default);
                return self.head(depth, Qual { proto, dir, addr });
            }
            Kind::Key(Key::Host | Key::Net | Key::Port | Key::PortRange | Key::ProtoWord) => {
                let addr = self.address_kind().unwrap_or(Addr::Default);
                return self.head(depth, Qual { proto, dir: Dir::Either, addr });
            }
            Kind::Key(Key::Broadcast) => {
                self.at += 1;
                self.out.broadcast(proto)
            }
            Kind::Key(Key::Multicast) => {
                self.at += 1;
                self.out.multicast(proto)
            }
            Kind::Key(Key::Unsupported) => {
                return Err(self.error("a keyword of this program: this one of libpcap is not supported"));
            }
            _ if let Some(proto) = proto => {
                let outcome = self.out.proto(proto);
                return Ok((self.place(start, outcome)?, None));
            }
            Kind::Key(key) => {
                self.at += 1;
                match key {
                    Key::Less | Key::Greater => {
                        let Some(number) = self.argument() else {
                            return Err(self.error("a length in bytes"));
                        };
                        let len = self.out.graph.val(Op::Len);
                        Ok(if key == Key::Less {
                            let longer = self.out.graph.test(len, op::JGT, number);
                            self.out.graph.not(longer)
                        } else {
                            self.out.graph.test(len, op::JGE, number)
                        })
                    }
                    Key::Vlan => {
                        let id = self.argument();
                        self.out.vlan(id)
                    }
                    Key::Mpls => {
                        let label = self.argument();
                        self.out.mpls(label)
                    }
                    Key::Pppoes => {
                        let session = self.argument();
                        self.out.pppoe_session(session)
                    }
                    Key::Pppoed => self.out.pppoe_discovery(),
                    Key::Llc => self.out.llc(),
                    Key::Outbound => self.out.outbound(),
                    Key::Inbound => {
                        let outbound = self.out.outbound();
                        outbound.map(|cond| self.out.graph.not(cond))
                    }
                    Key::Ifindex => {
                        let Some(number) = self.argument() else {
                            return Err(self.error("the index of an interface"));
                        };
                        self.out.ifindex(number)
                    }
                    _ => Err("host, net, port, a protocol or another keyword"),
                }
            }
            _ => Err("host, net, port, a protocol or another keyword"),
        };
        Ok((self.place(at, outcome)?, None))
    }

    /// `src`, `dst`, `src or dst`, `src and dst`.
    fn direction(&mut self) -> Dir {
        let first = self.take();
        let joint = self.peek();
        let other = matches!(self.ahead(1), Kind::Key(Key::Src | Key::Dst)) && self.ahead(1) != first;
        match (joint, other, first) {
            (Kind::Key(Key::Or), true, _) => {
                self.at += 2;
                Dir::Either
            }
            (Kind::Key(Key::And), true, _) => {
                self.at += 2;
                Dir::Both
            }
            (_, _, Kind::Key(Key::Src)) => Dir::Src,
            _ => Dir::Dst,
        }
    }

    fn address_kind(&mut self) -> Option<Addr> {
        let addr = match self.peek() {
            Kind::Key(Key::Host) => Addr::Host,
            Kind::Key(Key::Net) => Addr::Net,
            Kind::Key(Key::Port) => Addr::Port,
            Kind::Key(Key::PortRange) => Addr::PortRange,
            Kind::Key(Key::ProtoWord) => Addr::Proto,
            _ => return None,
        };
        self.at += 1;
        Some(addr)
    }

    /// An id after its qualifiers.
    fn head(&mut self, depth: u32, qual: Qual) -> Parsed<(Cond, Option<Qual>)> {
        Ok((self.id(depth, qual)?, Some(qual)))
    }

    /// An id, `not` an id, or a list of ids in parentheses.
    fn id(&mut self, depth: u32, qual: Qual) -> Parsed<Cond> {
        let depth = self.deeper(depth)?;
        if self.eat(Kind::Key(Key::Not)) {
            let inner = self.id(depth, qual)?;
            return Ok(self.out.graph.not(inner));
        }
        if self.eat(Kind::Open) {
            let mut sum = self.id(depth, qual)?;
            while let Some(is_and) = self.joint() {
                let next = self.id(depth, qual)?;
                sum = self.join(is_and, sum, next);
            }
            self.expect(Kind::Close, "and, or, or a closing parenthesis")?;
            return Ok(sum);
        }
        match qual.addr {
            Addr::Port | Addr::PortRange => self.port(qual),
            Addr::Proto => self.protocol(qual),
            _ => self.address(qual),
        }
    }

    /// An address or a network.
    fn address(&mut self, qual: Qual) -> Parsed<Cond> {
        let (at, is_net) = (self.at, qual.addr == Addr::Net);
        let (addr, bits) = match self.take() {
            // `net 10` means the first part; a host by its number is whole.
            Kind::Num(number) if is_net && number < 256 => {
                (number << 24, if number == 0 && self.peek() != Kind::Op(b'/') { 32 } else { 8 })
            }
            Kind::Num(number) if is_net && number != 0 => {
                // Shifted up by whole bytes, as inet_network(3) numbers are.
                let shift = number.leading_zeros() & !7;
                (number << shift, 32 - shift)
            }
            Kind::Num(number) => (number, 32),
            Kind::V4(addr, bits) => (addr, bits),
            Kind::V6(addr) => return self.address6(at, qual, addr),
            Kind::Mac(mac) if !is_net => {
                let outcome = self.out.ether_host(qual.proto, qual.dir, mac);
                return self.place(at, outcome);
            }
            Kind::Name => {
                return Err(self.error_at(at, "an address: names of hosts and networks are not looked up"));
            }
            _ => return Err(self.error_at(at, if is_net { "a network" } else { "an address" })),
        };
        let mut mask = high_bits(bits);
        if let Some(bits) = self.prefix(at, qual, 32)? {
            mask = high_bits(bits);
            if addr & !mask != 0 {
                return Err(self.error_at(at, "a network: bits are set behind the prefix"));
            }
        } else if self.peek() == Kind::Key(Key::Mask) {
            self.at += 1;
            let Kind::V4(written, bits) = self.take() else {
                return Err(self.error_at(self.at - 1, "a mask such as 255.255.255.0"));
            };
            mask = written & high_bits(bits);
            if !is_net {
                return Err(self.error_at(at, "`net` before a network with a mask"));
            }
            if addr & !mask != 0 {
                return Err(self.error_at(at, "a network: bits are set outside of the mask"));
            }
        }
        let outcome = self.out.host4(qual.proto, qual.dir, addr, mask);
        self.place(at, outcome)
    }

    fn address6(&mut self, at: usize, qual: Qual, addr: [u32; 4]) -> Parsed<Cond> {
        let bits = self.prefix(at, qual, 128)?.unwrap_or(128);
        let masks = [0u32, 32, 64, 96].map(|before| high_bits(bits.saturating_sub(before).min(32)));
        if addr.iter().zip(masks).any(|(word, mask)| word & !mask != 0) {
            return Err(self.error_at(at, "a network: bits are set behind the prefix"));
        }
        let outcome = self.out.host6(qual.proto, qual.dir, addr, masks);
        self.place(at, outcome)
    }

    /// `/bits`, if that comes next.
    fn prefix(&mut self, at: usize, qual: Qual, most: u32) -> Parsed<Option<u32>> {
        if !self.eat(Kind::Op(b'/')) {
            return Ok(None);
        }
        let bits = match self.take() {
            Kind::Num(bits) if bits <= most => bits,
            _ => {
                let expected =
                    if most == 32 { "a prefix length up to 32" } else { "a prefix length up to 128" };
                return Err(self.error_at(self.at - 1, expected));
            }
        };
        if qual.addr != Addr::Net && bits != most {
            return Err(self.error_at(at, "`net` before a network"));
        }
        Ok(Some(bits))
    }

    /// A port or a range of ports, by number or name.
    fn port(&mut self, qual: Qual) -> Parsed<Cond> {
        let (at, text) = (self.at, self.tok().text);
        let range = qual.addr == Addr::PortRange;
        let (low, high, transports) = match self.take() {
            Kind::Num(number) if number <= 0xffff => (number, number, TCP | UDP),
            Kind::Num(_) => return Err(self.error_at(at, "a port up to 65535")),
            Kind::Name if range => {
                ports(text).ok_or_else(|| self.error_at(at, "two ports with a hyphen between them"))?
            }
            Kind::Name => {
                let (port, transports) = port_of(text)
                    .ok_or_else(|| self.error_at(at, "a port number or the name of a service"))?;
                (port, port, transports)
            }
            _ => return Err(self.error_at(at, "a port number or the name of a service")),
        };
        // A service that has one transport only means that one.
        let proto = match (qual.proto, transports) {
            (None, TCP) => Some(Proto::Tcp),
            (None, UDP) => Some(Proto::Udp),
            (Some(Proto::Tcp), UDP) => return Err(self.error_at(at, "a service over TCP")),
            (Some(Proto::Udp), TCP) => return Err(self.error_at(at, "a service over UDP")),
            (proto, _) => proto,
        };
        let outcome = self.out.port(proto, qual.dir, low, high);
        self.place(at, outcome)
    }

    /// A protocol by number or name.
    fn protocol(&mut self, qual: Qual) -> Parsed<Cond> {
        let (at, text) = (self.at, self.tok().text);
        let (table, expected) = if qual.proto == Some(Proto::Link) {
            (ETHER_PROTOS, "an ether type by number or name")
        } else {
            (IP_PROTOS, "an IP protocol by number or name")
        };
        let number = match self.take() {
            Kind::Num(number) => Some(number),
            Kind::Name | Kind::Key(Key::Proto(_)) => find(table, text),
            _ => None,
        };
        let number = number.ok_or_else(|| self.error_at(at, expected))?;
        if qual.dir != Dir::Either {
            return Err(self.error_at(at, "`proto` without src or dst"));
        }
        let outcome = self.out.ip_proto(qual.proto, number);
        self.place(at, outcome)
    }
}

/// A word with this many of its high bits set.
fn high_bits(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0)
}

/// A port by number or name, and its transports.
fn port_of(name: &str) -> Option<(u32, u8)> {
    if let Ok(port) = name.parse::<u16>() {
        return Some((u32::from(port), TCP | UDP));
    }
    service(name)
}

/// `low-high`, by numbers or names; names may have hyphens themselves.
fn ports(text: &str) -> Option<(u32, u32, u8)> {
    if let Some((port, transports)) = port_of(text) {
        return Some((port, port, transports));
    }
    text.match_indices('-').find_map(|(at, _)| {
        let (low, a) = port_of(text.get(..at)?)?;
        let (high, b) = port_of(text.get(at + 1..)?)?;
        let transports = if a & b == 0 { TCP | UDP } else { a & b };
        // Two services of different transports: any transport, as libpcap does.
        let transports = if a == b { transports } else { TCP | UDP };
        Some((low.min(high), low.max(high), transports))
    })
}
