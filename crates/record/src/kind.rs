//! The kinds of records.

use crate::{Field, kinds};

/// What a record tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A pair of endpoints in an interval.
    #[default]
    Flow,
    /// One HTTP request.
    Http,
    /// One DNS query.
    Dns,
    /// One SQL (or CQL) statement.
    Sql,
    /// One Redis command.
    Redis,
    /// One MongoDB command.
    Mongo,
    /// One request of a message queue: AMQP, Kafka, MQTT, NATS.
    Mq,
    /// One memcached command.
    Memcached,
    /// One TLS handshake.
    Tls,
    /// A process and its host in an interval.
    Host,
    /// The account of the probe itself.
    Probe,
}

impl Kind {
    /// All kinds, in the order of the reference page.
    pub const ALL: [Kind; 11] = [
        Kind::Flow,
        Kind::Http,
        Kind::Dns,
        Kind::Sql,
        Kind::Redis,
        Kind::Mongo,
        Kind::Mq,
        Kind::Memcached,
        Kind::Tls,
        Kind::Host,
        Kind::Probe,
    ];

    /// The value of RECORD.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Flow => "flow",
            Kind::Http => "http",
            Kind::Dns => "dns",
            Kind::Sql => "sql",
            Kind::Redis => "redis",
            Kind::Mongo => "mongo",
            Kind::Mq => "mq",
            Kind::Memcached => "memcached",
            Kind::Tls => "tls",
            Kind::Host => "host",
            Kind::Probe => "probe",
        }
    }

    /// The fields of its body.
    #[must_use]
    pub fn fields(self) -> &'static [&'static Field] {
        match self {
            Kind::Flow => kinds::flow::FIELDS,
            Kind::Http => kinds::http::FIELDS,
            Kind::Dns => kinds::dns::FIELDS,
            Kind::Sql => kinds::sql::FIELDS,
            Kind::Redis => kinds::redis::FIELDS,
            Kind::Mongo => kinds::mongo::FIELDS,
            Kind::Mq => kinds::mq::FIELDS,
            Kind::Memcached => kinds::memcached::FIELDS,
            Kind::Tls => kinds::tls::FIELDS,
            Kind::Host => kinds::host::FIELDS,
            Kind::Probe => kinds::probe::FIELDS,
        }
    }
}
