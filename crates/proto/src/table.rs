//! The registry: one line a protocol. The enum, the names in the configuration and in records,
//! the port hints and the dispatch are generated from it.

use crate::session::{Cx, Parser, Progress, Transport, Verdict};
use base::Direction;
use record::{Field, f};

/// One protocol of the registry.
#[derive(Debug)]
pub struct ProtoDef {
    /// Which.
    pub id: ProtoId,
    /// The original's name for it, used in `nano` (the standard name where the original has
    /// none), and the standard name, used in `gelf`, `ecs`, APP and the configuration.
    pub names: &'static [&'static str; 2],
    /// The field of the response delay.
    pub response: &'static Field,
    /// The field of the delay to the last packet of the answer, if the kind has one.
    pub load: Option<&'static Field>,
    /// TCP ports on which it is tried first: a hint, never a condition.
    pub tcp: &'static [u16],
    /// UDP ports on which it is tried first; a protocol without any is not tried on UDP.
    pub udp: &'static [u16],
    /// Its ports are part of the protocol: never tried on others.
    pub bound: bool,
    /// Does the beginning of a stream (or a datagram) speak it?
    pub probe: fn(Transport, Direction, &[u8]) -> Verdict,
}

macro_rules! protocols {
    ($($(#[$meta:meta])* $id:ident = $room:ident { name: $name:literal, nano: $nano:literal, response: $response:expr,
        load: $load:expr, tcp: $tcp:expr, udp: $udp:expr $(, bound: $bound:expr)? })*) => {
        /// The protocols of the registry.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProtoId { $($(#[$meta])* $id,)* }

        /// The registry, in the order in which protocols are tried without a hint.
        pub static PROTOCOLS: &[ProtoDef] = &[$(ProtoDef {
            id: ProtoId::$id, names: &[$nano, $name], response: $response, load: $load,
            tcp: &$tcp, udp: &$udp, bound: false $(|| $bound)?, probe: crate::$room::probe,
        },)*];

        /// The rooms, in the same order: for the page of the protocols.
        #[doc(hidden)]
        pub static ROOMS: &[&str] = &[$(stringify!($room),)*];

        /// A session of any protocol: a tag and a pointer, whatever its state weighs.
        pub enum AnySession { $($(#[$meta])* $id(Box<crate::$room::Session>),)* }

        impl AnySession {
            /// A new session.
            #[must_use]
            pub fn new(id: ProtoId, transport: Transport) -> AnySession {
                match id { $(ProtoId::$id => AnySession::$id(Box::new(crate::$room::Session::new(transport))),)* }
            }

            /// Which protocol it speaks.
            #[must_use]
            pub fn id(&self) -> ProtoId {
                match self { $(AnySession::$id(_) => ProtoId::$id,)* }
            }
        }

        impl Parser for AnySession {
            fn data(&mut self, cx: &mut Cx<'_>, dir: Direction, bytes: &[u8]) -> Progress {
                match self { $(AnySession::$id(s) => s.data(cx, dir, bytes),)* }
            }
            fn gap(&mut self, cx: &mut Cx<'_>, dir: Direction, n: u64) {
                match self { $(AnySession::$id(s) => s.gap(cx, dir, n),)* }
            }
            fn end(&mut self, cx: &mut Cx<'_>, dir: Direction) {
                match self { $(AnySession::$id(s) => s.end(cx, dir),)* }
            }
            fn held(&self) -> usize {
                match self { $(AnySession::$id(s) => s.held(),)* }
            }
        }
    };
}

protocols! {
    /// HTTP/1.x, RFC 9112.
    Http = http { name: "http", nano: "http", response: &f::http::HTTP_RESPONSE, load: Some(&f::http::PAGELOAD),
        tcp: [80, 8080, 8000, 8008, 8081, 8888, 3128, 9200, 5000, 3000], udp: [] }
    /// DNS, RFC 1035.
    Dns = dns { name: "dns", nano: "dns", response: &f::dns::DNS_RESPONSE, load: None,
        tcp: [53], udp: [53] }
    /// Multicast DNS, RFC 6762.
    Mdns = mdns { name: "mdns", nano: "mdns", response: &f::dns::DNS_RESPONSE, load: None,
        tcp: [], udp: [5353], bound: true }
    /// LLMNR, RFC 4795.
    Llmnr = llmnr { name: "llmnr", nano: "llmnr", response: &f::dns::DNS_RESPONSE, load: None,
        tcp: [], udp: [5355], bound: true }
    /// MySQL and MariaDB.
    Mysql = mysql { name: "mysql", nano: "mysql", response: &f::sql::SQL_RESPONSE, load: Some(&f::sql::SQL_LOAD),
        tcp: [3306, 3307], udp: [] }
    /// PostgreSQL 3.x, its manual: Frontend/Backend Protocol.
    Postgresql = postgresql { name: "postgresql", nano: "pgsql", response: &f::sql::SQL_RESPONSE,
        load: Some(&f::sql::SQL_LOAD), tcp: [5432, 5433, 6432, 26257], udp: [] }
    /// Redis, RESP2 and RESP3.
    Redis = redis { name: "redis", nano: "redis", response: &f::redis::REDIS_RESPONSE, load: None,
        tcp: [6379, 6380, 7000, 7001], udp: [] }
    /// AMQP 0-9-1.
    Amqp = amqp { name: "amqp", nano: "amq", response: &f::mq::AMQ_RESPONSE, load: None,
        tcp: [5672], udp: [] }
    /// MongoDB, its manual: Wire Protocol.
    Mongodb = mongodb { name: "mongodb", nano: "mongo", response: &f::mongo::MONGO_RESPONSE, load: None,
        tcp: [27017, 27018, 27019], udp: [] }
    /// Microsoft SQL Server, MS-TDS.
    Tds = tds { name: "sqlserver", nano: "sqlserver", response: &f::sql::SQL_RESPONSE, load: Some(&f::sql::SQL_LOAD),
        tcp: [1433], udp: [] }
    /// Oracle, TNS and TTC.
    Tns = tns { name: "oracle", nano: "oracle", response: &f::sql::SQL_RESPONSE, load: Some(&f::sql::SQL_LOAD),
        tcp: [1521, 1522, 1526], udp: [] }
}

impl std::fmt::Debug for AnySession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.id().fmt(f)
    }
}

impl ProtoId {
    /// Its row of the registry.
    #[must_use]
    pub fn def(self) -> &'static ProtoDef {
        /// Never used: the macro makes a row for each id, in the order of the enum.
        static NONE: ProtoDef = ProtoDef {
            id: ProtoId::Http,
            names: &["", ""],
            response: &f::http::HTTP_RESPONSE,
            load: None,
            tcp: &[],
            udp: &[],
            bound: false,
            probe: |_, _, _| Verdict::No,
        };
        PROTOCOLS.get(self as usize).unwrap_or(&NONE)
    }

    /// By standard name or the original's.
    #[must_use]
    pub fn by_name(name: &str) -> Option<ProtoId> {
        PROTOCOLS.iter().find(|p| p.names.iter().any(|n| n.eq_ignore_ascii_case(name))).map(|p| p.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_enum_and_a_session_is_a_tag_and_a_pointer() {
        for (i, p) in PROTOCOLS.iter().enumerate() {
            assert_eq!(p.id as usize, i);
            for name in p.names {
                assert_eq!(ProtoId::by_name(name), Some(p.id));
            }
        }
        assert_eq!(std::mem::size_of::<AnySession>(), 16);
    }
}
