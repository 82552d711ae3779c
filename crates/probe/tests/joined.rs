//! A connection that was joined in the middle of a message: its next beginning is found however small the
//! segments are, and what is no protocol's is not looked at for ever.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

mod common;

use common::{tell, value};
use testkit::{Conversation, Sender, ethernet};

/// The last URL that was told, and what the flow was found to speak: bytes of the server's that are nobody's go
/// before two requests and their answers.
fn told(foreign: usize, mss: usize) -> (Option<String>, Option<String>) {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let frames = Conversation::new("10.0.0.1:40000", "192.0.2.7:80")
        .mss(mss)
        .send(Sender::Server, &b"\xa5\x5a\xc3\x3c\n".repeat(foreign / 5))
        .mss(1400)
        .send(Sender::Client, b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
        .send(Sender::Server, answer)
        .send(Sender::Client, b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n")
        .send(Sender::Server, answer)
        .close()
        .frames();
    let records = tell(frames.iter().map(|(time, data)| ethernet(*time, data))).records;
    let url = records.iter().rev().find_map(|r| value(r, "URL")).map(str::to_owned);
    (url, records.iter().find_map(|r| value(r, "APP")).map(str::to_owned))
}

#[test]
fn the_next_request_is_found_behind_segments_of_any_size() {
    for mss in [1, 2, 3, 7, 100, 1400] {
        assert_eq!(told(2000, mss), (Some("/second".to_owned()), Some("http".to_owned())), "mss {mss}");
    }
}

#[test]
fn it_is_not_looked_for_without_end() {
    for mss in [20, 100, 1400] {
        assert_eq!(told(300_000, mss), (None, Some("unknown".to_owned())), "mss {mss}");
    }
}
