//! The field table, one file per record kind. `head` holds what all session records share.

pub mod dns;
pub mod flow;
pub mod head;
pub mod host;
pub mod http;
pub mod memcached;
pub mod mongo;
pub mod mq;
pub mod probe;
pub mod redis;
pub mod sql;
pub mod tls;
