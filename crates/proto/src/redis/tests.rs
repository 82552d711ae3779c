//! Whole dialogues.

use super::{Session, fuzz_redis, probe};
use crate::harness::{C, Harness, Outcome, Row, S, cut_every_way, mutations};
use crate::session::{Limits, Parser as _, Transport, Verdict};
use base::Direction;

fn tcp() -> Harness<Session> {
    Harness::new(Session::new(Transport::Tcp))
}

/// A command as an array of bulk strings; blanks separate the arguments.
fn cmd(line: &str) -> Vec<u8> {
    let args: Vec<_> = line.split(' ').collect();
    let mut out = format!("*{}\r\n", args.len());
    for a in args {
        out.push_str(&format!("${}\r\n{a}\r\n", a.len()));
    }
    out.into_bytes()
}

fn cmds(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|l| cmd(l)).collect()
}

fn pairs(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter().map(|r| (r.get("REQ"), r.get("RES"))).collect()
}

fn qualities(rows: &[Row]) -> Vec<(&str, String)> {
    rows.iter().map(|r| (r.get("REQ"), r.quality())).collect()
}

/// One command and the text of its answer.
fn text_of(answer: &[u8]) -> String {
    let ask = cmd("GET k");
    let rows = cut_every_way(tcp, &[(C, &ask), (S, answer), (C, &cmd("PING")), (S, b"+PONG\r\n")]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((rows[0].get("REQ"), rows[1].get("RES")), ("GET k", "PONG"));
    rows[0].get("RES").to_owned()
}

#[test]
fn every_type_is_text() {
    for (answer, text) in [
        (&b"+OK\r\n"[..], "OK"),
        (b"+\r\n", ""),
        (b":-12\r\n", "-12"),
        (b"$5\r\nhello\r\n", "hello"),
        (b"$0\r\n\r\n", ""),
        (b"$-1\r\n", "(nil)"),
        (b"*-1\r\n", "(nil)"),
        (b"*0\r\n", "[]"),
        (b"*3\r\n$1\r\na\r\n$0\r\n\r\n*2\r\n:1\r\n$-1\r\n", "[a, \"\", [1, (nil)]]"),
        (b"*2\r\n+OK\r\n-WRONGTYPE x\r\n", "[OK, (error) WRONGTYPE x]"),
        // RESP3: null, booleans, doubles, big numbers, verbatim strings.
        (b"_\r\n", "(nil)"),
        (b"#t\r\n", "true"),
        (b"*2\r\n#f\r\n,-1.5e3\r\n", "[false, -1.5e3]"),
        (b",inf\r\n", "inf"),
        (b"(3492890328409238509324850943850943825024385\r\n", "3492890328409238509324850943850943825024385"),
        (b"=8\r\ntxt:text\r\n", "text"),
        // Maps, sets, nested, empty.
        (b"%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:2\r\n:3\r\n", "{a: 1, b: [2, 3]}"),
        (b"~2\r\n+a\r\n%0\r\n", "[a, {}]"),
        // Attributes are of the value behind them, at the top and inside.
        (b"|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n", "v"),
        (b"*2\r\n:1\r\n|1\r\n+key\r\n%1\r\n+a\r\n,0.1\r\n:2\r\n", "[1, 2]"),
        // Streamed strings and aggregates.
        (b"$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n", "Hello"),
        (b"*?\r\n:1\r\n*?\r\n.\r\n:2\r\n.\r\n", "[1, [], 2]"),
        (b"%?\r\n+a\r\n:1\r\n.\r\n", "{a: 1}"),
    ] {
        assert_eq!(text_of(answer), text, "{}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn errors_are_told_as_errors() {
    let ask = cmds(&["HGET k f", "FOO", "GET k"]);
    let rows = cut_every_way(tcp, &[(C, &ask), (S, b"-WRONGTYPE Operation\r\n!5\r\nERR x\r\n$2\r\n-E\r\n")]);
    let got: Vec<_> = rows.iter().map(|r| (r.get("RES"), r.get("ERR"), r.has("ERR"))).collect();
    assert_eq!(
        got,
        [("WRONGTYPE Operation", "WRONGTYPE Operation", true), ("ERR x", "ERR x", true), ("-E", "", false)]
    );
}

#[test]
fn pipelines_are_paired_in_order_and_times_are_those_of_the_packets() {
    let ask = cmds(&["MULTI", "INCR a", "GET b", "EXEC"]);
    let answers = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$1\r\nx\r\n";
    let rows = cut_every_way(tcp, &[(C, &ask), (S, answers)]);
    assert_eq!(
        pairs(&rows),
        [("MULTI", "OK"), ("INCR a", "QUEUED"), ("GET b", "QUEUED"), ("EXEC", "[1, x]")]
    );
    let mut h = tcp();
    let (a, b) = (cmd("GET a"), cmd("GET b"));
    h.feed(C, &a[..7]);
    h.feed(C, &[&a[7..], &b].concat());
    h.feed(S, b"$3\r\nx");
    h.feed(S, b"yz\r\n+y\r\n");
    let times: Vec<_> = h.rows().iter().map(|r| (r.begin, r.asked, r.answering, r.end)).collect();
    assert_eq!(times, [(1, 2, Some(3), 4), (2, 2, Some(4), 4)]);
}

#[test]
fn inline_commands() {
    let ask = b"PING\r\n\r\nset a \"b c\"\n  lpush 'l' x ''\r\nFAKE it\r\n";
    let rows = cut_every_way(tcp, &[(C, ask), (S, b"+PONG\r\n+OK\r\n:1\r\n-ERR unknown command 'FAKE'\r\n")]);
    assert_eq!(
        pairs(&rows),
        [
            ("PING", "PONG"),
            ("set a b c", "OK"),
            ("lpush l x \"\"", "1"),
            ("FAKE it", "ERR unknown command 'FAKE'")
        ]
    );
}

#[test]
fn replies_that_are_not_wanted_do_not_shift_the_others() {
    let ask = b"PING\r\nCLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nGET a\r\nCLIENT REPLY SKIP\r\nGET b\r\nGET c\r\n";
    let rows = cut_every_way(tcp, &[(C, ask), (S, b"+PONG\r\n+OK\r\n+a\r\n+c\r\n")]);
    let got: Vec<_> = rows.iter().map(|r| (r.get("REQ"), r.get("RES"), r.quality())).collect();
    let want = [
        ("CLIENT REPLY OFF", ""),
        ("PING", ""),
        ("CLIENT REPLY SKIP", ""),
        ("GET b", ""),
        ("PING", "PONG"),
        ("CLIENT REPLY ON", "OK"),
        ("GET a", "a"),
        ("GET c", "c"),
    ];
    assert_eq!(got, want.map(|(a, b)| (a, b, String::new())));
}

#[test]
fn messages_are_no_answers() {
    // RESP2: an answer a channel, messages between them, PING as an array.
    let rows = cut_every_way(
        tcp,
        &[
            (C, &cmd("SUBSCRIBE a b")),
            (S, b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"),
            (S, b"*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\nx\r\n"),
            (C, &cmd("PING")),
            (S, b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
            (C, &cmds(&["UNSUBSCRIBE", "PUNSUBSCRIBE", "GET k"])),
            (S, b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n"),
            (S, b"*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n$1\r\nv\r\n"),
        ],
    );
    assert_eq!(
        pairs(&rows),
        [
            ("SUBSCRIBE a b", "[subscribe, a, 1] [subscribe, b, 2]"),
            ("PING", "[pong, \"\"]"),
            ("UNSUBSCRIBE", "[unsubscribe, a, 1]"),
            ("PUNSUBSCRIBE", "[punsubscribe, (nil), 0]"),
            ("GET k", "v")
        ]
    );
    // RESP3: pushes come between answers; the answer to SUBSCRIBE is one.
    let rows = cut_every_way(
        tcp,
        &[
            (C, &cmds(&["GET a", "SUBSCRIBE c", "LRANGE l 0 -1"])),
            (S, b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n$1\r\n1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"),
            (S, b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ],
    );
    assert_eq!(
        pairs(&rows),
        [("GET a", "1"), ("SUBSCRIBE c", "[subscribe, c, 1]"), ("LRANGE l 0 -1", "[message, b, c]")]
    );
    // Refused as a whole.
    let rows =
        cut_every_way(tcp, &[(C, &cmds(&["SUBSCRIBE a b", "GET k"])), (S, b"-NOPERM no\r\n$1\r\nv\r\n")]);
    assert_eq!(pairs(&rows), [("SUBSCRIBE a b", "NOPERM no"), ("GET k", "v")]);
}

#[test]
fn monitor_is_told_and_its_lines_are_no_answers() {
    let mut h = tcp();
    h.feed(C, &cmd("MONITOR"));
    h.feed(
        S,
        b"+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n+1339518084.1 [0 x] \"ping\"\r\n",
    );
    h.feed(C, &cmd("RESET"));
    h.feed(S, b"+1339518084.1 [0 x] \"ping\"\r\n+RESET\r\n");
    h.feed(C, &cmd("GET a"));
    h.feed(S, b"+1a\r\n");
    assert_eq!(pairs(h.rows()), [("MONITOR", "OK"), ("RESET", "RESET"), ("GET a", "1a")]);
    assert_eq!(h.anomalies(), ["monitor"]);
}

#[test]
fn replication_is_left_alone() {
    let mut h = tcp();
    h.feed(C, &cmds(&["REPLCONF capa eof", "PSYNC ? -1"]));
    h.feed(S, b"+OK\r\n\n+FULLRESYNC abc 0\r\n$88\r\nREDIS0011");
    h.finish();
    assert_eq!(pairs(h.rows()), [("REPLCONF capa eof", "OK"), ("PSYNC ? -1", "FULLRESYNC abc 0")]);
    assert_eq!((h.outcome(), h.anomalies()), (Outcome::Done, &["replication"][..]));
    let mut h = tcp();
    h.feed(C, &cmd("SYNC"));
    h.feed(S, b"\n$EOF:0123456789012345678901234567890123456789\r\nREDIS0011");
    h.finish();
    assert_eq!((h.outcome(), h.rows()[0].answering), (Outcome::Done, Some(2)));
    // Joined later: the master's commands are not answered, the replica acknowledges them.
    for ack in [C, S] {
        let mut h = tcp().midstream();
        h.feed(ack.flip(), &cmd("SET a b"));
        h.feed(ack, &cmd("REPLCONF ACK 123"));
        h.finish();
        assert!(h.rows().is_empty() && h.outcome() == Outcome::Done, "{:?}", h.rows());
    }
    let mut h = tcp();
    h.feed(C, b"RCmb\0\0\x08\0");
    assert_eq!((h.outcome(), h.anomalies()), (Outcome::Done, &["cluster-bus"][..]));
}

#[test]
fn what_is_sure_of_a_stream_stays_so() {
    fuzz_redis(b"*013\r\n$013\r\nappdbsize3.13\r\n$0\"\"\n\"\n\"]*\r\n$\r\n\n\xff~$01\xc6\x01\n-\xa03");
}

#[test]
fn secrets_are_not_told_by_exec() {
    let got = b"*1\r\n*4\r\n$11\r\nrequirepass\r\n$7\r\nhunter2\r\n$4\r\nport\r\n$4\r\n6379\r\n";
    let rows = cut_every_way(
        tcp,
        &[
            (C, &cmds(&["CONFIG GET *", "MULTI", "CONFIG GET *", "EXEC"])),
            (S, &[b"*0\r\n+OK\r\n+QUEUED\r\n", &got[..]].concat()),
            (C, &cmds(&["MULTI", "ACL LIST", "EXEC", "MULTI", "ACL SETUSER bob >hunter2", "EXEC"])),
            (S, b"+OK\r\n+QUEUED\r\n*1\r\n*1\r\n$2\r\n#h\r\n+OK\r\n+QUEUED\r\n*1\r\n-ERR '>hunter2'\r\n"),
            (C, &cmds(&["MULTI", "GET requirepass", "EXEC"])),
            (S, b"+OK\r\n+QUEUED\r\n*1\r\n$1\r\nx\r\n"),
            // Its MULTI and what was queued were not seen.
            (C, &cmds(&["EXEC"])),
            (S, got),
        ],
    );
    let exec: Vec<_> =
        pairs(&rows).into_iter().filter(|(ask, _)| *ask == "EXEC").map(|(_, told)| told).collect();
    let config = "[[requirepass, ***, port, 6379]]";
    assert_eq!(exec, [config, "***", "***", "[x]", config]);
}

#[test]
fn secrets_are_not_told() {
    let ask = cmds(&[
        "AUTH user hunter2",
        "HELLO 3 AUTH u hunter2",
        "CONFIG SET requirepass hunter2",
        "ACL SETUSER bob on >hunter2 ~*",
        "CONFIG GET *",
        "ACL LIST",
        "AUTH hunter2",
    ]);
    let answers = b"-WRONGPASS no\r\n%1\r\n+server\r\n+redis\r\n+OK\r\n-ERR Error in ACL SETUSER modifier '>hunter2': no\r\n\
        *4\r\n$11\r\nrequirepass\r\n$7\r\nhunter2\r\n$4\r\nport\r\n$4\r\n6379\r\n*1\r\n$9\r\nu #hunter2\r\n\
        -ERR unknown command `AUTH`, with args beginning with: `hunter2`, \r\n";
    let answers = String::from_utf8_lossy(answers).replace("$9\r\nu #", "$10\r\nu #");
    let rows = cut_every_way(
        tcp,
        &[
            (C, &ask),
            (S, answers.as_bytes()),
            (C, b"AUTH \"hunter2\"\r\nAUTH hunter2 hunter2\r\n"),
            (S, b"+OK\r\n-ERR no\r\n"),
            (C, &cmds(&["AUTH hunter2 hunter2 hunter2"])),
            (S, b"-ERR no\r\n"),
        ],
    );
    assert_eq!(
        pairs(&rows),
        [
            ("AUTH user ***", "WRONGPASS no"),
            ("HELLO 3 AUTH u ***", "{server: redis}"),
            ("CONFIG SET requirepass ***", "OK"),
            ("ACL SETUSER bob on >*** ~*", "ERR Error in ACL SETUSER modifier ***"),
            ("CONFIG GET *", "[requirepass, ***, port, 6379]"),
            ("ACL LIST", "***"),
            ("AUTH ***", "ERR unknown command ***"),
            ("AUTH ***", "OK"),
            ("AUTH ***", "ERR no"),
            ("AUTH ***", "ERR no"),
        ]
    );
}

#[test]
fn large_contents_are_cut_and_not_held() {
    let limits = Limits { text: 10, ..Limits::default() };
    let mut h = tcp().limits(limits);
    h.feed(C, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n");
    for _ in 0..1000 {
        h.feed(C, &[b'x'; 10000]);
        assert!(h.session().held() < 4096);
    }
    h.feed(C, b"\r\n");
    h.feed(S, b"$100000\r\n");
    for _ in 0..10 {
        h.feed(S, &[b'y'; 10000]);
        assert!(h.session().held() < 4096);
    }
    h.feed(S, b"\r\n");
    assert_eq!(pairs(h.rows()), [("SET k xxxx", "yyyyyyyyyy")]);
}

#[test]
fn open_commands_and_nesting_are_capped() {
    let mut h = tcp().limits(Limits { pipeline: 4, ..Limits::default() });
    for n in 0..9 {
        h.feed(C, &cmd(&format!("GET {n}")));
    }
    assert_eq!((h.rows().len(), h.rows()[0].get("REQ"), h.anomalies().len()), (5, "GET 0", 5));
    // Answers to what was given up are not taken for others.
    h.feed(S, b"+0\r\n+1\r\n+2\r\n+3\r\n+4\r\n+5\r\n+6\r\n+7\r\n+8\r\n");
    h.feed(C, &cmd("GET 9"));
    h.feed(S, b"+9\r\n");
    h.finish();
    assert_eq!(
        pairs(&h.rows()[5..]),
        [("GET 5", "5"), ("GET 6", "6"), ("GET 7", "7"), ("GET 8", "8"), ("GET 9", "9")]
    );
    let mut h = tcp();
    h.feed(C, &cmd("GET a"));
    h.feed(S, &b"*1\r\n".repeat(100_000));
    h.finish();
    assert_eq!((h.anomalies()[0], h.rows().len()), ("nested-too-deep", 1));
}

/// Feeds a client that asks singly: `n` commands before the story begins.
fn warm(h: &mut Harness<Session>, n: usize) {
    for i in 0..n {
        h.feed(C, &cmd(&format!("GET w{i}")));
        h.feed(S, format!("+w{i}\r\n").as_bytes());
    }
}

#[test]
fn a_gap_in_the_answers_costs_one_transaction() {
    let mut h = tcp();
    warm(&mut h, 16);
    h.feed(C, &cmd("GET a"));
    h.gap(S, 7);
    h.feed(C, &cmd("GET b"));
    h.feed(S, b"+b\r\n");
    h.feed(C, &cmd("GET c"));
    h.feed(S, b"+c\r\n");
    h.finish();
    let got: Vec<_> = h.rows()[15..].iter().map(|r| (r.get("REQ"), r.get("RES"), r.quality())).collect();
    let gap = "gap,no-response".to_owned();
    assert_eq!(
        got,
        [
            ("GET w15", "w15", String::new()),
            ("GET a", "", gap),
            ("GET b", "b", String::new()),
            ("GET c", "c", String::new())
        ]
    );
    // Inside a bulk string: nothing is out of step.
    let mut h = tcp();
    h.feed(C, &cmds(&["GET a", "GET b"]));
    h.feed(S, b"$10\r\n01");
    h.gap(S, 5);
    h.feed(S, b"789\r\n+b\r\n");
    assert_eq!(pairs(h.rows()), [("GET a", "01789"), ("GET b", "b")]);
    assert_eq!(qualities(h.rows()), [("GET a", "gap".to_owned()), ("GET b", String::new())]);
}

#[test]
fn a_pipeline_is_given_up_after_a_loss_and_the_next_is_paired() {
    let mut h = tcp();
    warm(&mut h, 64);
    h.feed(C, &cmds(&["GET a", "GET b", "GET c"]));
    h.feed(S, b"+a\r\n");
    h.gap(S, 4);
    h.feed(S, b"+c\r\n");
    for _ in 0..9 {
        h.feed(C, &cmds(&["GET d", "GET e"]));
        h.feed(S, b"+d\r\n+e\r\n");
    }
    h.finish();
    let gap = || "gap,no-response".to_owned();
    assert_eq!(
        pairs(&h.rows()[64..69]),
        [("GET a", "a"), ("GET b", ""), ("GET c", ""), ("GET d", "d"), ("GET e", "e")]
    );
    assert_eq!(qualities(&h.rows()[65..67]), [("GET b", gap()), ("GET c", gap())]);
    // Lost commands: those before are answered in order, those behind from the end.
    let mut h = tcp();
    warm(&mut h, 64);
    h.feed(C, &cmds(&["GET a", "GET b"]));
    h.feed(C, &cmd("GET c")[..17]);
    h.gap(C, 60);
    h.feed(C, &cmds(&["GET x", "GET y"]));
    h.feed(S, b"+a\r\n+b\r\n+c\r\n+lost\r\n+x\r\n+y\r\n");
    for _ in 0..9 {
        h.feed(C, &cmd("GET z"));
        h.feed(S, b"+z\r\n");
    }
    h.finish();
    let mut got = pairs(&h.rows()[64..]);
    got.sort_unstable();
    got.dedup();
    assert_eq!(
        got,
        [("GET ", "c"), ("GET a", "a"), ("GET b", "b"), ("GET x", "x"), ("GET y", "y"), ("GET z", "z")]
    );
}

#[test]
fn what_lies_between_losses_is_paired_once_the_client_is_known() {
    // It sends in batches, each command in a packet of its own, and waits for the answers.
    let mut h = tcp();
    let mut lost = Vec::new();
    for batch in 0..24 {
        for i in 0..4 {
            let name = format!("{batch}.{i}");
            let command = cmd(&format!("ECHO {name}"));
            // In the middle, at the beginning, at the end, two.
            if [(1, 1), (4, 0), (8, 3), (12, 1), (12, 2)].contains(&(batch, i)) {
                h.gap(C, command.len() as u64);
                lost.push(name);
            } else {
                h.feed(C, &command);
            }
        }
        let answers: String = (0..4).map(|i| format!("+{batch}.{i}\r\n")).collect();
        // All answers to a batch, and some of another.
        match batch {
            15 => h.gap(S, answers.len() as u64),
            19 => {
                h.feed(S, &answers.as_bytes()[..14]);
                h.gap(S, 7);
                h.feed(S, &answers.as_bytes()[21..]);
            }
            _ => h.feed(S, answers.as_bytes()),
        }
    }
    h.finish();
    let told = pairs(h.rows());
    assert!(told.iter().all(|(req, res)| res.is_empty() || req[5..] == **res), "{told:?}");
    let unanswered: Vec<_> =
        told.iter().filter(|(_, res)| res.is_empty()).map(|(req, _)| &req[5..]).collect();
    // Behind a loss answers are sought at the beginning of packets.
    assert_eq!(unanswered, ["15.0", "15.1", "15.2", "15.3", "19.2", "19.3"], "{told:?}");
    assert_eq!(told.len() + lost.len(), 24 * 4);
}

#[test]
fn losses_make_no_false_pairs() {
    let mut noise = crate::harness::Noise::new(7);
    let (mut told, mut all) = (0, 0);
    for round in 0..600 {
        let mut h = tcp();
        // One that asks singly, one that sends batches, one that goes on when some answers are there; or it changes.
        let mut kind = round % 3;
        let (mut asked, mut queue) = (0u32, std::collections::VecDeque::new());
        for step in 0..120 {
            if step == 60 && noise.below(3) == 0 {
                kind = noise.below(3);
            }
            let n = match kind {
                0 if queue.is_empty() => 1,
                1 if queue.is_empty() => 1 + noise.below(6),
                2 => noise.below(4),
                _ => 0,
            };
            for _ in 0..n {
                asked += 1;
                queue.push_back(asked);
                let command = cmd(&format!("ECHO {asked:05}"));
                match noise.below(25) {
                    0 => h.gap(C, command.len() as u64),
                    _ => h.feed(C, &command),
                }
            }
            let n = if kind == 2 { noise.below(queue.len() + 1) } else { queue.len() };
            if n > 0 {
                let answers: String = queue.drain(..n).map(|n| format!("+{n:05}\r\n")).collect();
                match noise.below(25) {
                    0 => h.gap(S, answers.len() as u64),
                    _ => h.feed(S, answers.as_bytes()),
                }
            }
        }
        h.finish();
        for (req, res) in pairs(h.rows()) {
            assert!(res.is_empty() || req[5..] == *res, "{round}: {req} {res}");
            (told, all) = (told + u32::from(!res.is_empty()), all + 1);
        }
    }
    assert!(told * 100 > all * 60, "{told} of {all}");
}

#[test]
fn a_client_that_slides_is_paired_again_after_a_silence() {
    let mut h = tcp();
    h.feed(C, &cmds(&["GET a", "GET b"]));
    h.feed(S, b"+a\r\n");
    h.feed(C, &cmd("GET c"));
    h.gap(S, 4);
    h.feed(S, b"+c\r\n");
    h.feed(C, &cmd("GET d"));
    h.feed(S, b"+d\r\n");
    h.feed(C, &cmd("GET e"));
    h.feed(S, b"+e\r\n");
    assert_eq!(h.rows().len(), 1, "no moment is sure");
    h.wait(2000);
    h.feed(C, &cmd("GET f"));
    h.feed(S, b"+f\r\n");
    h.feed(C, &cmd("GET g"));
    h.feed(S, b"+g\r\n");
    h.finish();
    assert_eq!(
        pairs(h.rows()),
        [
            ("GET a", "a"),
            ("GET b", ""),
            ("GET c", ""),
            ("GET d", "d"),
            ("GET e", "e"),
            ("GET f", "f"),
            ("GET g", "g")
        ]
    );
}

#[test]
fn connections_that_stood_before_are_joined_from_either_side() {
    let mid = || tcp().midstream();
    // One command and its answer are all there is.
    let rows = cut_every_way(mid, &[(C, &cmd("LINDEX l 1")), (S, b"$6\r\nhello1\r\n")]);
    assert_eq!(pairs(&rows), [("LINDEX l 1", "hello1")]);
    assert_eq!(rows[0].quality(), "midstream");
    // An answer comes first.
    let rows = cut_every_way(mid, &[(S, b"$3\r\nold\r\n"), (C, &cmd("GET a")), (S, b"+a\r\n")]);
    assert_eq!(pairs(&rows), [("GET a", "a")]);
    // In the middle of a batch: two of five were seen asked.
    let (batch, next) = (cmds(&["GET d", "GET e"]), cmd("GET f"));
    let mut script: Vec<(Direction, &[u8])> = vec![(C, &batch), (S, b"+a\r\n+b\r\n+c\r\n+d\r\n+e\r\n")];
    (0..9).for_each(|_| script.extend([(C, &next[..]), (S, b"+f\r\n")]));
    let rows = cut_every_way(mid, &script);
    assert_eq!(pairs(&rows[..3]), [("GET d", "d"), ("GET e", "e"), ("GET f", "f")]);
    // It ends before that is sure: nothing is guessed.
    let rows = cut_every_way(mid, &script[..4]);
    assert_eq!(pairs(&rows), [("GET d", ""), ("GET e", ""), ("GET f", "")]);
    // In the middle of values, on both sides.
    let mut h = mid();
    h.feed(S, b"lue\r\n$1\r\nx\r\n");
    h.feed(C, b"rest of a value\r\n");
    h.feed(C, &cmd("GET a"));
    h.wait(1500);
    h.feed(S, b"+a\r\n");
    h.wait(1500);
    for n in 0..9 {
        h.feed(C, &cmd(&format!("GET {n}")));
        h.feed(S, format!("+{n}\r\n").as_bytes());
    }
    h.finish();
    assert!(
        h.rows().iter().all(|r| ["", &r.get("REQ")[4..]].contains(&r.get("RES"))),
        "{:?}",
        pairs(h.rows())
    );
    assert_eq!(pairs(h.rows()).last(), Some(&("GET 8", "8")));
}

#[test]
fn answers_that_overtake_their_commands_are_kept_for_them() {
    // A packet of the client is missed: its bytes behind it wait, the answers do not.
    let mut h = tcp();
    warm(&mut h, 2);
    h.feed(S, b"+lost\r\n");
    h.gap(C, 30);
    h.feed(C, &cmd("GET b"));
    h.feed(S, b"+b\r\n");
    h.feed(C, &cmd("GET c"));
    h.feed(S, b"+c\r\n");
    h.finish();
    assert_eq!(pairs(&h.rows()[2..]), [("GET b", "b"), ("GET c", "c")]);
}

#[test]
fn what_is_unanswered_is_told_at_the_end() {
    let mut h = tcp();
    h.feed(C, &cmds(&["BLPOP l 0", "GET a"]));
    h.end(C);
    assert!(h.rows().is_empty(), "answers may still come");
    h.feed(S, b"*2\r\n$1\r\nl\r\n$1");
    h.end(S);
    assert_eq!(qualities(h.rows()), [("BLPOP l 0", String::new()), ("GET a", "no-response".to_owned())]);
    assert_eq!(h.rows()[0].get("RES"), "[l");
}

#[test]
fn others_are_not_mistaken() {
    let http = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (dir, head) in [
        (C, &http[..]),
        (S, b"HTTP/1.1 200 OK\r\n"),
        (C, b"\x16\x03\x01\x02\0\x01"),
        (S, b"220 mail ESMTP\r\n"),
        (S, b"* OK IMAP4 ready\r\n"),
        (S, b"VALUE k 0 5\r\nhello\r\n"),
        (S, b"INFO {\"server_id\":\"x\"}\r\n"),
        (S, b":irc.example.net 001 me :Welcome\r\n"),
        (S, b"SSH-2.0-OpenSSH\r\n"),
        (C, b"SSH-2.0-OpenSSH\0"),
        (S, b"$MyNick x|"),
        (S, b"J\0\0\0\x0a8.0.36\0"),
        (C, b"\0\0\0\x08\x04\xd2\x16\x2f"),
    ] {
        assert_eq!(probe(Transport::Tcp, dir, head), Verdict::No, "{:?}", String::from_utf8_lossy(head));
    }
    for (dir, head) in [
        (C, &b"get k\r\n"[..]),
        (C, b"set k 0 0 5\r\nhello\r\n"),
        (C, b"PING\r\n"),
        (C, b"USER me\r\nPASS x\r\nTYPE I\r\n"),
        (S, b"+OK POP3 ready\r\n"),
        (S, b"-ERR 'Unknown Protocol Operation'\r\n"),
        (S, b"+OK\r\n"),
        (S, b"*2\r\n$3\r\nGE"),
        (S, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"),
    ] {
        assert_ne!(probe(Transport::Tcp, dir, head), Verdict::Yes, "{:?}", String::from_utf8_lossy(head));
    }
    for (dir, head) in [
        (C, &cmd("get k")[..]),
        (C, b"PING\r\nCLIENT REPLY OFF\r\n"),
        (C, b"\r\nlpush a b\r\n"),
        (S, b"+OK\r\n:1\r\n"),
        (S, b"*2\r\n$1\r\na\r\n"),
        (S, b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"),
        (S, b"-NOAUTH Authentication required.\r\n"),
        (S, b"%7\r\n$6\r\nserver"),
    ] {
        assert_eq!(probe(Transport::Tcp, dir, head), Verdict::Yes, "{:?}", String::from_utf8_lossy(head));
        // The first bytes alone never speak against it.
        for n in 1..head.len() {
            assert_ne!(probe(Transport::Tcp, dir, &head[..n]), Verdict::No, "{:?}", &head[..n]);
        }
    }
    assert_eq!(probe(Transport::Udp, C, &cmd("get k")), Verdict::No);
    for (dir, head) in [(C, &b"*2\r\n:1\r\n"[..]), (S, b"HTTP/1.1"), (C, b"\x16\x03\x01\n")] {
        let mut h = tcp();
        h.feed(dir, head);
        assert_eq!(h.outcome(), Outcome::Lost);
    }
}

#[test]
fn any_bytes_are_borne() {
    let ask = cmds(&["GET a", "SUBSCRIBE a b", "CONFIG GET *", "HELLO 3 AUTH u p"]);
    let answers = b"$1\r\nx\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n%1\r\n+a\r\n|1\r\n:1\r\n:2\r\n*?\r\n$?\r\n;1\r\na\r\n;0\r\n.\r\n";
    let script: &[(Direction, &[u8])] = &[(C, &ask), (S, answers)];
    let inline: &[(Direction, &[u8])] = &[
        (C, b"PING\r\nset a \"b\"\r\nCLIENT REPLY SKIP\r\nMONITOR\r\n"),
        (S, b"+PONG\r\n+OK\r\n+OK\r\n+1.2 [\r\n"),
    ];
    mutations(&[script, inline], 900, fuzz_redis);
}
