use super::*;
use crate::harness::{C, Harness, Row, S, cut_every_way};

fn new() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp))
}

#[test]
fn a_get_and_its_answer() {
    let rows = cut_every_way(
        new,
        &[
            (C, b"GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"),
        ],
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get("RSP_BODY"), "hello");
}
