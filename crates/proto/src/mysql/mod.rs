//! MySQL and MariaDB: the client/server protocol, versions 9 and 10, as MySQL's internals manual
//! (dev.mysql.com/doc/dev/mysql-server, "Client/Server Protocol") and MariaDB's knowledge base
//! (mariadb.com/kb, "Client/Server Protocol") have it.
//!
//! One record for each
//!
//! * COM_QUERY: SQL is its text without query attributes. Several statements in one, and the results of a
//!   procedure, are one record: ROWS is the sum of rows returned and affected, the error is the one that ended it.
//! * COM_STMT_PREPARE: SQL with its `?`, no PARAMS, no ROWS. The server has compiled it, which can fail and take time.
//! * COM_STMT_EXECUTE and MariaDB's COM_STMT_BULK_EXECUTE: SQL is the text that was prepared, PARAMS its values as a
//!   list as SQL would write them, with a comma and a space between (a row of a bulk in parentheses); none when they cannot be known. A statement
//!   prepared before the probe came has no text. The rows of a cursor are fetched later, by COM_STMT_FETCH, some
//!   at a time, whenever the client likes: an execution that opens one has no ROWS.
//! * COM_STMT_FETCH and COM_INIT_DB that fail, as ERR and RET_CODE tell: SQL is the text of the statement whose rows were fetched;
//!   or it is empty, and DB is what was asked for. Those that succeed have no record.
//! * login (and COM_CHANGE_USER) that fails, and a server that refuses the connection: SQL is empty, ERR and RET_CODE
//!   tell why, USER and DB who it was. A login that succeeds has no record. What authentication says is never kept.
//!
//! ERR is the server's message without its SQLSTATE, RET_CODE the server's number, 0 when there was no error. USER and
//! DB are those of the login and of what changed them since: COM_CHANGE_USER, COM_INIT_DB, `USE` (also as one of
//! several statements, and behind comments), and what the server tells of its session. Where it is not known whether
//! a `USE` was done, DB is left off until it is told again. Other commands have no record; their answers are followed.
//!
//! * What the login agreed on is used, and what was not seen is found out: whether EOF packets are there shows each
//!   time by their length, attributes and compression by their form. So a connection joined in the middle is understood.
//! * Packets are cut out of the stream as it comes, rows are counted and passed over: of a packet only what the record
//!   needs is held. The compressed protocol (zlib, zstd) is taken off in pieces, query attributes of any length are
//!   passed over; where the text begins behind them cannot be seen, SQL is empty and QUALITY `truncated`.
//! * Answers are paired with commands in order, which also holds for pipelining. A packet's number shows whether it
//!   begins an answer. After a gap inside a packet nothing is lost but its bytes. After another an answer is told only
//!   where it can be no other command's: no answer comes before its command, preparations, queries and orders are
//!   answered in different ways, and a client that sends one command at a time has heard more than we when it goes on.
//!   What else was under way is told as unanswered, with QUALITY `gap`. So a client that sends many statements of one
//!   kind ahead of their answers may stay unpaired after a loss until it sends one of another kind. In the compressed
//!   protocol packets are not numbered so: there the client's way alone is gone by.
//! * The switch to TLS and a replica's stream of changes are counted (`mysql-tls`, `mysql-replication`) and not followed.
//! * A header of the PROXY protocol before the login is passed over.
//! * Proved with MariaDB's server and drivers, and with public captures of MySQL up to 8.0.32. What only MySQL 8 and 9
//!   have and these do not (zstd, attributes of executions, definitions of columns left out) unit tests prove alone.
//! * Left out: the X protocol (another one, port 33060), values of query attributes, contents of rows.

mod ask;
mod client;
mod drift;
mod pack;
mod packed;
mod params;
mod probe;
mod seek;
mod server;
mod session;
mod statements;
#[cfg(test)]
mod tests;
mod used;
mod wire;

pub use session::Session;

use crate::session::{Transport, Verdict};
use base::Direction;

/// Does the beginning of a stream speak it?
#[must_use]
pub fn probe(transport: Transport, dir: Direction, head: &[u8]) -> Verdict {
    match (transport, dir) {
        (Transport::Udp, _) => Verdict::No,
        (_, Direction::ToServer) => probe::client(head),
        (_, Direction::ToClient) => probe::server(head),
    }
}

/// Drives the parser with arbitrary bytes.
#[doc(hidden)]
pub fn fuzz_mysql(data: &[u8]) {
    use crate::session::Limits;
    for dir in Direction::BOTH {
        let _ = probe(Transport::Tcp, dir, data);
    }
    let limits = Limits { text: 64, pipeline: 8, inflated: 16 * 1024, ..Limits::default() };
    crate::harness::fuzz(Session::new(Transport::Tcp), limits, 4 * 1024 * 1024, data);
}
