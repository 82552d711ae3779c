use super::*;
use crate::harness::{C, Harness, Outcome, Row, S, cut_every_way, mutations};
use crate::session::Parser;

fn new() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp))
}

/// Feeds a script in every cut.
fn rows(script: &[(Direction, &[u8])]) -> Vec<Row> {
    cut_every_way(new, script)
}

/// `field` of each row.
fn all<'a>(rows: &'a [Row], field: &str) -> Vec<&'a str> {
    rows.iter().map(|r| r.get(field)).collect()
}

/// A request and its answer.
fn pair(request: &str, answer: &str) -> Row {
    let mut rows = rows(&[(C, request.as_bytes()), (S, answer.as_bytes())]);
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// `GET /name`.
fn get(name: &str) -> Vec<u8> {
    format!("GET /{name} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

/// An answer whose body is `name`.
fn ok(name: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len()).into_bytes()
}

#[test]
fn every_field_of_a_request_and_its_answer() {
    let request = "POST /a?b=c HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/7.81.0\r\nCookie: a=1\r\nReferer: http://r/\r\nX-Request-ID: id-1\r\n\
        X-Forwarded-For: 203.0.113.7, 10.0.0.1\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    let answer =
        "HTTP/1.1 201 Created\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 5\r\n\r\nhello";
    let r = pair(request, answer);
    let (head, _) = request.split_once("{").unwrap();
    let (rsp_head, _) = answer.split_once("hello").unwrap();
    for (key, value) in [
        ("METHOD", "POST"),
        ("URL", "/a?b=c"),
        ("DOMAIN", "www.example.org"),
        ("AGENT", "curl/7.81.0"),
        ("COOKIE", "a=1"),
        ("REFERER", "http://r/"),
        ("X_REQUEST_ID", "id-1"),
        ("FORWARD", "203.0.113.7"),
        ("TRACE_ID", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("SPAN_ID", "00f067aa0ba902b7"),
        ("HTTP_VERSION", "1.1"),
        ("REQ_HEADER", head),
        ("REQ_BODY", "{\"a\":1}"),
        ("REQ_BYTES", "7"),
        ("RETCODE", "201"),
        ("CONTENTTYPE", "text/html; charset=UTF-8"),
        ("RSP_HEADER", rsp_head),
        ("RSP_BODY", "hello"),
        ("RSP_BYTES", "5"),
    ] {
        assert_eq!(r.get(key), value, "{key}");
    }
    assert!(r.quality.is_perfect());
}

#[test]
fn what_was_not_sent_is_not_there_but_bodies_and_forward_are() {
    let r = pair("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n");
    for key in ["DOMAIN", "AGENT", "COOKIE", "REFERER", "CONTENTTYPE", "TRACE_ID", "X_REQUEST_ID"] {
        assert!(!r.has(key), "{key}");
    }
    assert!(r.has("REQ_BODY") && r.has("RSP_BODY"));
    assert_eq!((r.get("FORWARD"), r.get("REQ_BYTES"), r.get("RSP_BYTES")), ("0.0.0.0", "0", "0"));
}

#[test]
fn marks_are_the_first_and_last_packets() {
    let mut h = new();
    h.feed(C, b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
    h.feed(C, b"cd");
    h.feed(S, b"HTTP/1.1 100 Continue\r\n\r\n");
    h.feed(S, b"HTTP/1.1 200 OK\r\nContent-");
    h.feed(S, b"Length: 4\r\n\r\nab");
    h.feed(S, b"cd");
    let r = &h.rows()[0];
    assert_eq!((r.begin, r.asked, r.answering, r.end), (1, 2, Some(4), 6));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let all_requests = [get("1"), get("2"), get("3")].concat();
    let answers = [ok("one"), ok("two"), ok("three")].concat();
    let r = rows(&[(C, &all_requests), (S, &answers), (C, &get("4")), (S, &ok("four"))]);
    assert_eq!(all(&r, "URL"), ["/1", "/2", "/3", "/4"]);
    assert_eq!(all(&r, "RSP_BODY"), ["one", "two", "three", "four"]);
}

#[test]
fn the_pipeline_is_capped_and_the_oldest_given_up() {
    let limits = Limits { pipeline: 2, ..Limits::default() };
    let mut h = new().limits(limits);
    h.feed(C, &[get("1"), get("2"), get("3")].concat());
    assert_eq!(all(h.rows(), "URL"), ["/1"]);
    assert_eq!(h.rows()[0].quality(), "no-response");
    assert_eq!(h.anomalies(), ["pipeline-full"]);
}

#[test]
fn what_is_held_is_what_waits() {
    let mut h = new();
    h.feed(C, &get("1").repeat(100));
    assert!((10_000..300_000).contains(&h.session().held()), "{}", h.session().held());
    h.feed(S, &ok("1").repeat(100));
    assert!(h.rows().len() == 100 && h.session().held() < 20_000, "{}", h.session().held());
}

#[test]
fn chunked_bodies_with_extensions_and_trailers() {
    let r = rows(&[
        (C, b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: a\r\n\r\n"),
        (S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n00002\r\nok\r\n0\r\n\r\n"),
        (C, GET),
        (S, OK),
    ]);
    assert_eq!(all(&r, "REQ_BODY"), ["Wikipedia", ""]);
    assert_eq!(all(&r, "REQ_BYTES"), ["9", "0"]);
    assert_eq!(all(&r, "RSP_BYTES"), ["2", "2"]);
}

#[test]
fn interim_answers_are_not_the_answer() {
    let r = rows(&[
        (C, b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
        (S, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        (C, b"hi"),
        (S, OK),
    ]);
    assert_eq!((all(&r, "RETCODE"), all(&r, "REQ_BODY")), (vec!["200"], vec!["hi"]));
}

#[test]
fn a_client_that_was_refused_need_not_send_its_body() {
    let r = rows(&[
        (C, b"PUT /big HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 20000\r\n\r\n"),
        (S, b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"),
        (C, GET),
        (S, OK),
    ]);
    assert_eq!((all(&r, "RETCODE"), all(&r, "METHOD")), (vec!["417", "200"], vec!["PUT", "GET"]));
}

#[test]
fn answers_without_bodies() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let r = rows(&[
        (C, b"HEAD / HTTP/1.1\r\n\r\n"),
        (S, head),
        (C, GET),
        (S, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"),
        (C, GET),
        (S, b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (C, GET),
        (S, OK),
    ]);
    assert_eq!(all(&r, "RETCODE"), ["200", "304", "204", "200"]);
    assert_eq!(all(&r, "RSP_BYTES"), ["0", "0", "0", "2"]);
}

#[test]
fn an_answer_can_go_to_the_end() {
    let r = pair("GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nall of\r\nthis");
    assert_eq!(
        (r.get("RSP_BODY"), r.get("RSP_BYTES"), r.get("HTTP_VERSION")),
        ("all of\r\nthis", "12", "1.0")
    );
    let mut h = new();
    h.feed(C, b"GET / HTTP/1.0\r\n\r\n");
    h.feed(S, b"HTTP/1.0 200 OK\r\n\r\na");
    h.feed(S, b"b");
    h.wait(1000);
    h.end(S);
    assert_eq!(h.rows()[0].end, 3, "the last packet with bytes, not the end");
}

#[test]
fn an_answer_before_the_request_is_whole() {
    let r = rows(&[
        (C, b"POST /big HTTP/1.1\r\nContent-Length: 8\r\n\r\nabcd"),
        (S, b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
        (C, b"efgh"),
        (C, GET),
        (S, OK),
    ]);
    assert_eq!((all(&r, "RETCODE"), all(&r, "REQ_BODY")), (vec!["413", "200"], vec!["abcdefgh", ""]));
    let r = rows(&[
        (C, b"POST /big HTTP/1.1\r\nContent-Length: 8\r\n\r\nabcd"),
        (S, b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nno"),
        (C, b"efgh"),
        (S, b"no"),
    ]);
    assert_eq!((all(&r, "RSP_BODY"), all(&r, "REQ_BODY")), (vec!["nono"], vec!["abcdefgh"]));
}

#[test]
fn connect_and_upgrade_leave_http() {
    for (request, answer, code) in [
        (&b"CONNECT h:443 HTTP/1.1\r\n\r\n"[..], &b"HTTP/1.1 200 Established\r\n\r\n\x16\x03"[..], "200"),
        (
            b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\n\r\n\x16\x03",
            "101",
        ),
    ] {
        let mut h = new();
        h.feed(C, request);
        h.feed(S, answer);
        assert_eq!((h.outcome(), h.left(S)), (Outcome::Upgraded, &b"\x16\x03"[..]));
        assert_eq!((all(h.rows(), "RETCODE"), h.rows()[0].quality().as_str()), (vec![code], ""));
        assert!(h.rows()[0].has("RSP_BODY"));
        // What the client sends early waits for the answer.
        let mut h = new();
        h.feed(C, request);
        h.feed(C, b"\x16\x01 GET / HTTP/1.1\r\n\r\n");
        h.feed(S, answer);
        assert_eq!((h.outcome(), h.rows().len(), h.left(C).len()), (Outcome::Upgraded, 1, 21));
    }
    let r = rows(&[
        (C, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"),
        (S, b"HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno"),
        (C, GET),
        (S, OK),
    ]);
    assert_eq!((all(&r, "RETCODE"), all(&r, "DOMAIN")), (vec!["407", "200"], vec!["h:443", "h"]));
    let r = rows(&[
        (C, b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade, http2-settings\r\n\r\n"),
        (C, GET),
        (S, &[OK, OK].concat()),
    ]);
    assert_eq!(all(&r, "RETCODE"), ["200", "200"]);
}

#[test]
fn targets_and_methods_of_all_kinds() {
    for (line, method, url, domain) in [
        ("GET http://u@a.b:81/x?y HTTP/1.1", "GET", "http://u@a.b:81/x?y", "a.b:81"),
        ("CONNECT a.b:443 HTTP/1.0", "CONNECT", "a.b:443", "a.b:443"),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*", ""),
        ("GET /a b c HTTP/1.1", "GET", "/a b c", ""),
        ("get /x HTTP/1.1", "get", "/x", ""),
        ("FROB /x HTTP/1.1", "FROB", "/x", ""),
        ("QUERY /x HTTP/1.1", "QUERY", "/x", ""),
        ("PROPFIND /dav HTTP/1.1", "PROPFIND", "/dav", ""),
        ("M-SEARCH * HTTP/1.1", "M-SEARCH", "*", ""),
    ] {
        let r = pair(&format!("{line}\r\n\r\n"), "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
        assert_eq!((r.get("METHOD"), r.get("URL"), r.get("DOMAIN")), (method, url, domain));
    }
}

#[test]
fn bare_line_feeds_leading_empty_lines_and_folds() {
    let r = pair(
        "\r\n\r\n\nGET / HTTP/1.1\nHost: h\nCookie: a;\n b\n\n",
        "\r\nHTTP/1.1 200 OK\nContent-Length: 1\n\nx",
    );
    assert_eq!((r.get("DOMAIN"), r.get("COOKIE"), r.get("RSP_BODY")), ("h", "a; b", "x"));
    let two = [GET, b"\r\n", GET].concat();
    assert_eq!(rows(&[(C, &two), (S, OK), (S, OK)]).len(), 2);
}

#[test]
fn an_answer_without_a_head_to_the_oldest_http() {
    let r = pair("GET /old\r\n", "<html>hi</html>");
    assert_eq!(
        (r.get("HTTP_VERSION"), r.get("RSP_BODY"), r.has("RETCODE")),
        ("0.9", "<html>hi</html>", false)
    );
    let r = pair("GET /old\r\n", "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!((r.get("RETCODE"), r.get("RSP_BODY")), ("400", "no"));
    assert_eq!(pair("GET / HTTP/1.0\r\n\r\n", "ICY 200 OK\r\n\r\naudio").get("RETCODE"), "200");
}

#[test]
fn odd_lengths() {
    let get = "GET / HTTP/1.1\r\n\r\n";
    let answer =
        |lengths: &str, body: &str| pair(get, &format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n{body}"));
    assert_eq!(answer("Content-Length: 2\r\nContent-Length: 2", "ok").get("RSP_BYTES"), "2");
    assert_eq!(answer("Content-Length: 2, 2", "ok").get("RSP_BYTES"), "2");
    assert_eq!(answer("Content-Length: 2\r\nContent-Length: 3", "to end").get("RSP_BYTES"), "6");
    assert_eq!(answer("Content-Length: -2", "to end").get("RSP_BYTES"), "6");
    assert_eq!(answer("Content-Length: 99999999999999999999999", "to end").get("RSP_BYTES"), "6");
    assert_eq!(answer("Content-Length: 3\r\nTransfer-Encoding: gzip", "to end").get("RSP_BYTES"), "6");
    assert_eq!(answer("Content-Length: 3\r\nTransfer-Encoding: identity", "yes").get("RSP_BYTES"), "3");
    let mut h = new();
    h.feed(
        C,
        b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    );
    h.feed(C, b"POST / HTTP/1.1\r\nContent-Length: 4x\r\n\r\n");
    assert_eq!(h.anomalies(), ["length-and-chunked", "content-length"]);
    h.feed(S, &[OK, OK].concat());
    assert_eq!(all(h.rows(), "REQ_BYTES"), ["1", "0"]);
}

#[test]
fn who_forwarded() {
    for (header, want) in [
        ("X-Forwarded-For: 2001:db8::1", "2001:db8::1"),
        ("x-forwarded-for: 1.2.3.4:5678, 9.9.9.9", "1.2.3.4"),
        ("Forwarded: by=a;For=\"[2001:db8::2]:4711\";proto=http", "2001:db8::2"),
        ("Forwarded: for=192.0.2.43, for=198.51.100.17", "192.0.2.43"),
        ("X-Real-IP: 10.9.8.7", "10.9.8.7"),
        ("X-Forwarded-For: unknown", "unknown"),
        ("Forwarded: for=_hidden", "_hidden"),
        ("X-Forwarded-For: ", "0.0.0.0"),
    ] {
        let r = pair(&format!("GET / HTTP/1.1\r\n{header}\r\n\r\n"), "HTTP/1.1 204 No\r\n\r\n");
        assert_eq!(r.get("FORWARD"), want, "{header}");
    }
}

#[test]
fn traces_of_all_headers() {
    let (t, s) = ("80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1");
    for headers in [
        format!("traceparent: 00-{t}-{s}-01"),
        format!("b3: {t}-{s}-1-05e3ac9a4f6e3b90"),
        format!("X-B3-TraceId: {t}\r\nX-B3-SpanId: {s}\r\nX-B3-Sampled: 1"),
    ] {
        let r = pair(&format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n"), "HTTP/1.1 204 No\r\n\r\n");
        assert_eq!((r.get("TRACE_ID"), r.get("SPAN_ID")), (t, s), "{headers}");
    }
    assert!(!pair("GET / HTTP/1.1\r\nb3: 0\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n").has("TRACE_ID"));
}

#[test]
fn without_bodies_framing_goes_on() {
    let limits = Limits { bodies: false, ..Limits::default() };
    let r = cut_every_way(
        || new().limits(limits),
        &[
            (C, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
            (S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
            (C, GET),
            (S, OK),
        ],
    );
    assert_eq!((all(&r, "REQ_BYTES"), all(&r, "RSP_BYTES")), (vec!["3", "0"], vec!["1", "2"]));
    assert!(r.iter().all(|r| !r.has("REQ_BODY") && !r.has("RSP_BODY")));
}

#[test]
fn fields_are_cut_and_pairing_goes_on() {
    let limits = Limits { text: 10, ..Limits::default() };
    let long =
        format!("POST /{} HTTP/1.1\r\nContent-Length: 2000\r\n\r\n{}", "u".repeat(100), "ü".repeat(1000));
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n".to_vec();
    answer.extend([b'z'; 5000]);
    let r = cut_every_way(|| new().limits(limits), &[(C, long.as_bytes()), (S, &answer), (C, GET), (S, OK)]);
    assert_eq!(all(&r, "URL"), ["/uuuuuuuuu", "/"]);
    assert_eq!(all(&r, "REQ_HEADER"), ["POST /uuuu", "GET / HTTP"]);
    assert_eq!(all(&r, "REQ_BODY"), ["üüüüü", ""]);
    assert_eq!((all(&r, "REQ_BYTES"), all(&r, "RSP_BYTES")), (vec!["2000", "0"], vec!["5000", "2"]));
    let limits = Limits { text: 9, ..Limits::default() };
    let r = cut_every_way(|| new().limits(limits), &[(C, long.as_bytes()), (S, OK)]);
    assert_eq!(r[0].get("REQ_BODY"), "üüüü", "cut at a character");
}

#[test]
fn a_head_that_is_too_long_is_told_and_walked_over() {
    let limits = Limits { stream: 300, ..Limits::default() };
    let long = format!("POST /l HTTP/1.1\r\nContent-Length: 3\r\nX: {}\r\n\r\nabc", "x".repeat(1000));
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: {}\r\n\r\nok", "y".repeat(500));
    let r = cut_every_way(
        || new().limits(limits),
        &[(C, long.as_bytes()), (S, answer.as_bytes()), (C, GET), (S, OK)],
    );
    assert_eq!(all(&r, "URL"), ["/l", "/"]);
    assert_eq!((r[0].quality(), r[1].quality()), ("truncated".into(), String::new()));
    assert_eq!((all(&r, "REQ_BODY"), all(&r, "RSP_BODY")), (vec!["abc", ""], vec!["ok", "ok"]));
}

#[test]
fn sampled_sessions_keep_nothing_but_the_framing() {
    let limits = Limits { sample: 3, ..Limits::default() };
    let mut h = new().limits(limits);
    for i in 0..60 {
        h.feed(C, &get(&i.to_string()));
        h.feed(S, &ok(&i.to_string()));
    }
    let kept = h.rows().len();
    assert!((5..40).contains(&kept), "{kept}");
    assert_eq!(h.sampled_out() as usize + kept, 60);
    for r in h.rows() {
        assert_eq!((&r.get("URL")[1..], r.quality().as_str()), (r.get("RSP_BODY"), "sampled"));
    }
}

#[test]
fn requests_without_an_answer() {
    let r = rows(&[(C, &[get("1"), get("2")].concat()), (S, &ok("one"))]);
    assert_eq!((r[0].quality(), r[1].quality()), (String::new(), "no-response".into()));
    assert!(!r[1].has("RETCODE") && !r[1].has("RSP_BODY") && r[1].has("REQ_BODY"));
    let r = rows(&[(C, b"POST /cut HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")]);
    assert_eq!((r[0].get("REQ_BYTES"), r[0].quality()), ("3", "no-response".into()));
    let mut h = new();
    h.feed(C, &get("1"));
    h.end(S);
    h.feed(C, &get("2"));
    assert_eq!(all(h.rows(), "URL"), ["/1", "/2"]);
}

#[test]
fn an_answer_without_a_request_is_counted_and_walked_over() {
    let mut h = new();
    h.feed(C, GET);
    h.feed(S, &[OK, OK].concat());
    h.feed(C, GET);
    h.feed(S, OK);
    assert_eq!((h.rows().len(), h.anomalies()), (2, &["unpaired-response"][..]));
}

#[test]
fn a_gap_in_a_body_of_known_length_counts_as_body() {
    let mut h = new();
    h.feed(C, b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab");
    h.gap(C, 8);
    h.feed(C, GET);
    h.feed(S, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    h.gap(S, 5);
    h.feed(S, b"de");
    h.feed(S, OK);
    h.finish();
    let r = h.rows();
    assert_eq!((all(r, "REQ_BYTES"), all(r, "RSP_BYTES")), (vec!["10", "0"], vec!["10", "2"]));
    assert_eq!((all(r, "REQ_BODY"), all(r, "RSP_BODY")), (vec!["ab", ""], vec!["abc", "ok"]));
    assert_eq!((r[0].quality(), r[1].quality()), ("gap".into(), String::new()));
}

#[test]
fn a_gap_in_a_chunked_answer_costs_that_answer() {
    let mut h = new();
    h.feed(C, &get("1"));
    h.feed(S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
    h.gap(S, 100);
    h.feed(S, b"rest of it\r\n0\r\n\r\n");
    h.feed(C, &get("2"));
    h.feed(S, &ok("two"));
    h.finish();
    let r = h.rows();
    assert_eq!((all(r, "URL"), all(r, "RSP_BODY")), (vec!["/1", "/2"], vec!["he", "two"]));
    assert_eq!((r[0].quality(), r[1].quality()), ("gap".into(), String::new()));
}

#[test]
fn lost_answers_do_not_shift_the_pairing() {
    let mut h = new();
    h.feed(C, &get("1"));
    h.gap(S, 500);
    h.feed(C, &get("2"));
    h.feed(S, &ok("two"));
    h.feed(C, &get("3"));
    h.feed(S, &ok("three"));
    h.finish();
    let r = h.rows();
    assert_eq!((all(r, "URL"), all(r, "RSP_BODY")), (vec!["/1", "/2", "/3"], vec!["", "two", "three"]));
    assert_eq!((r[0].quality(), r[1].quality()), ("gap,no-response".into(), String::new()));
}

#[test]
fn an_answer_and_the_next_request_lost_together_do_not_shift_the_pairing() {
    let mut h = new();
    h.feed(C, &get("1"));
    h.gap(S, 500);
    h.gap(C, 40);
    h.feed(S, &ok("two"));
    h.feed(C, &get("3"));
    h.feed(S, &ok("three"));
    h.finish();
    let r = h.rows();
    assert_eq!((all(r, "URL"), all(r, "RSP_BODY")), (vec!["/1", "/3"], vec!["", "three"]));
    assert_eq!((r[0].quality(), r[1].quality()), ("gap,no-response".into(), String::new()));
}

#[test]
fn a_gap_within_one_answer_keeps_its_request() {
    let mut h = new();
    h.feed(C, &get("1"));
    h.feed(S, &ok("one"));
    h.gap(S, 10);
    h.feed(C, &get("2"));
    h.feed(S, &ok("two"));
    h.finish();
    assert_eq!(all(h.rows(), "RSP_BODY"), ["one", "two"]);
}

#[test]
fn lost_requests_do_not_shift_the_pairing() {
    let mut h = new();
    h.feed(C, &get("1"));
    h.feed(S, &ok("one"));
    h.gap(C, 300);
    h.feed(S, &ok("lost"));
    h.feed(C, &get("2"));
    h.feed(S, &ok("two"));
    h.finish();
    assert_eq!((all(h.rows(), "URL"), all(h.rows(), "RSP_BODY")), (vec!["/1", "/2"], vec!["one", "two"]));
    assert_eq!(h.anomalies(), ["unpaired-response"]);
}

#[test]
fn a_batch_shows_a_pipelining_client_before_its_first_answer() {
    let mut h = new();
    h.feed(C, &[get("1"), get("2"), get("3")].concat());
    h.gap(S, 70);
    h.feed(S, &[ok("two"), ok("three")].concat());
    h.feed(C, &get("4"));
    h.feed(S, &ok("four"));
    h.finish();
    assert_eq!(all(h.rows(), "RSP_BODY"), ["", "", "", "four"]);
}

#[test]
fn a_pipelining_client_is_paired_again_when_its_pipeline_has_drained() {
    let mut h = new();
    h.feed(C, &[get("1"), get("2")].concat());
    h.feed(S, &[ok("one"), ok("two")].concat());
    h.feed(C, &[get("3"), get("4"), get("5")].concat());
    h.gap(S, 70);
    h.feed(S, &[ok("four"), ok("five")].concat());
    h.feed(C, &[get("6"), get("7")].concat());
    h.feed(S, &[ok("six"), ok("seven")].concat());
    h.finish();
    let r = h.rows();
    assert_eq!(all(r, "URL"), ["/1", "/2", "/3", "/4", "/5", "/6", "/7"]);
    assert_eq!(all(r, "RSP_BODY"), ["one", "two", "", "", "", "six", "seven"]);
    assert!((2..5).all(|i| r[i].quality() == "gap,no-response"));
}

#[test]
fn a_gap_in_a_head_costs_that_message() {
    let mut h = new();
    h.feed(C, b"GET /1 HTTP/1.1\r\nHos");
    h.gap(C, 40);
    h.feed(C, b"x: y\r\n\r\nbody");
    h.feed(C, &get("2"));
    h.feed(S, &ok("two"));
    h.finish();
    assert_eq!((all(h.rows(), "URL"), all(h.rows(), "RSP_BODY")), (vec!["/2"], vec!["two"]));
    assert_eq!(h.anomalies(), ["lost-head"]);
}

#[test]
fn midstream_begins_at_the_next_message_of_each_direction() {
    let script: &[(Direction, &[u8])] = &[
        (S, b"tail of a page</html>"),
        (C, b"a=1&b=2"),
        (C, &get("1")),
        (S, &ok("one")),
        (C, &get("2")),
        (S, &ok("two")),
    ];
    let r = cut_every_way(|| new().midstream(), script);
    assert_eq!((all(&r, "URL"), all(&r, "RSP_BODY")), (vec!["/1", "/2"], vec!["one", "two"]));
    assert_eq!((r[0].quality(), r[1].quality()), ("midstream".into(), String::new()));
    let mut h = new().midstream();
    h.feed(S, OK);
    h.feed(C, GET);
    h.feed(S, OK);
    assert_eq!((h.rows().len(), h.anomalies()), (1, &["unpaired-response"][..]));
}

#[test]
fn junk_between_messages_is_counted_and_walked_over() {
    let mut h = new();
    h.feed(C, &get("1"));
    h.feed(S, &ok("one"));
    h.feed(C, b"\x00\x01 what is this\r\n");
    h.feed(S, b"?????");
    h.feed(C, &get("2"));
    h.feed(S, &ok("two"));
    assert_eq!(all(h.rows(), "RSP_BODY"), ["one", "two"]);
    assert_eq!(h.anomalies(), ["no-request-line", "no-status-line"]);
}

#[test]
fn a_broken_chunk_ends_the_answer() {
    let r = rows(&[
        (C, &get("1")),
        (S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nHTTP/1.1 no"),
        (C, &get("2")),
        (S, &ok("two")),
    ]);
    assert_eq!(all(&r, "RSP_BODY"), ["ok", "two"]);
}

#[test]
fn another_protocol_is_given_back() {
    for junk in [&b"SSH-2.0-x\r\n"[..], b"\x16\x03\x01", b"EHLO me\r\n"] {
        let mut h = new();
        h.feed(C, junk);
        assert_eq!(h.outcome(), Outcome::Lost);
    }
}

#[test]
fn a_version_that_nobody_speaks_is_told_as_it_is() {
    let r = pair(
        "GET /x HTTP/3.7\r\nHost: h\r\n\r\n",
        "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!((r.get("URL"), r.get("HTTP_VERSION"), r.get("RETCODE")), ("/x", "3.7", "505"));
    let r = pair("GET /x HTTP/1.\r\n\r\n", "HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((r.get("HTTP_VERSION"), r.get("RETCODE")), ("1", "400"));
}

#[test]
fn probing() {
    let ask = |b: &[u8]| probe(Transport::Tcp, C, b);
    for yes in [
        "GET / HTTP/1.1\r\n",
        "\r\nGET / HTTP/1.0\n",
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/3.7\r\n",
        "FROB x HTTP/1.0\r\n",
        "CONNECT a:1 HTTP/1.1\n",
        "get / HTTP/1.1\r\n",
    ] {
        assert_eq!(ask(yes.as_bytes()), Verdict::Yes, "{yes}");
    }
    // A part of a line says no more than the whole may.
    for more in [
        "",
        "\r\n",
        "G",
        "GET",
        "GET ",
        "GET /",
        "\r\nGET /",
        "POST http",
        "OPTIONS *",
        "GET /index HTTP/1.1",
        "FROB /x HTTP/1.0",
        "CONNECT a:1",
        "P",
        "GET /\r\n",
        "POST /HTTP/1.1\r\n",
    ] {
        assert_eq!(ask(more.as_bytes()), Verdict::More, "{more}");
    }
    let long = format!("GET /{}", "x".repeat(4000));
    assert_eq!(ask(long.as_bytes()), Verdict::Yes, "too long to wait for");
    assert_eq!(ask(&long.as_bytes()[1..]), Verdict::No, "and no method that is known");
    assert_eq!(ask(format!("{long}\r\n").as_bytes()), Verdict::Yes, "with its end as without");
    for no in [
        "PRI * HTTP/2.0\r\n\r\n",
        "EHLO x\r\n",
        "\x16\x03",
        "USER x y\r\n",
        "GET / HTTP/2\r\n",
        "OPTIONS sip:a@b SIP/2.0\r\n",
        "OPTIONS * RTSP/1.0\r\n",
        "*1\r\n$4\r\nPING\r\n",
    ] {
        assert_eq!(ask(no.as_bytes()), Verdict::No, "{no}");
    }
    let answer = |b: &[u8]| probe(Transport::Tcp, S, b);
    assert_eq!(
        (answer(b"HTTP/1.1 200"), answer(b"HTT"), answer(b"220 hi")),
        (Verdict::Yes, Verdict::More, Verdict::No)
    );
    assert_eq!(probe(Transport::Udp, C, GET), Verdict::No);
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let chunked: &[(Direction, &[u8])] = &[
        (C, b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"),
        (S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 304 x\r\n\r\n"),
    ];
    let plain: &[(Direction, &[u8])] =
        &[(C, GET), (S, OK), (C, b"CONNECT a:1 HTTP/1.1\r\n\r\n"), (S, b"HTTP/1.0 407 x\r\n\r\nto the end")];
    mutations(&[chunked, plain], 600, fuzz_http);
}
