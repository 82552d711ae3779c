//! Tests of the formats: the samples of the original, and what an independent JSON parser reads back.

use super::*;
use crate::testing::Rng;
use serde_json::Value as Json;

pub(crate) fn identity() -> Identity {
    Identity {
        probe_ver: "0.1.0".into(),
        host: "10.64.1.254".into(),
        system: "Debian \"12\"".into(),
        nic: "any".into(),
        message: "jxit".into(),
        collector: "64210464315174928".into(),
        license: "free".into(),
        total_cpu: 4,
    }
}

/// The record that the original publishes, as far as the table goes.
pub(crate) fn http() -> (Record, Record) {
    let begin = Timestamp::new(1_717_024_608, 917_400_000);
    let mut head = Record::new(Kind::Http);
    head.word(&f::head::RECORD, "http");
    head.put(&f::head::BEGIN_TIME, Value::Time(begin));
    head.put(&f::head::END_TIME, Value::Time(begin.plus(792_000)));
    head.put(&f::head::TIMESTAMP, Value::Time(begin));
    head.put(&f::head::SRC_IP, Value::Ip("192.168.1.105".parse().unwrap()));
    head.put(&f::head::DST_IP, Value::Ip("2001:db8::55".parse().unwrap()));
    head.num(&f::head::SRC_PORT, 46152);
    head.num(&f::head::DST_PORT, 80);
    head.put(&f::head::SRC_MAC, Value::Mac(base::MacAddr([0, 0x1b, 0x21, 1, 2, 0xfe])));
    head.text(&f::head::CARD, b"br-vmr");
    head.nanos(&f::head::SRC_NET_DELAY, 10_000);
    head.nanos(&f::head::DST_NET_DELAY, 130_000);
    head.nanos(&f::head::NET_DELAY, 140_000);
    head.num(&f::head::RST_PKTS, 0);
    head.num(&f::head::RETRANS_PKTS, 0);
    head.num(&f::head::BYTES, 1171);
    head.put(&f::head::L7_PROTOCOL, Value::Name(&["pgsql", "postgresql"]));
    head.word(&f::head::L4_PROTOCOL, "tcp");
    head.text(&f::head::QUALITY, b"gap,truncated");
    let mut body = Record::new(Kind::Http);
    body.nanos(&f::http::HTTP_RESPONSE, 792_000);
    body.nanos(&f::http::PAGELOAD, 792_000);
    body.num(&f::http::RETCODE, 403);
    body.text(&f::http::METHOD, b"GET");
    body.text(&f::http::URL, b"/?t=../../etc/passwd");
    body.text(&f::http::DOMAIN, b"192.168.1.55");
    body.put(&f::http::FORWARD, Value::Ip("0.0.0.0".parse().unwrap()));
    body.text(&f::http::AGENT, b"curl/7.81.0");
    body.text(
        &f::http::REQ_HEADER,
        b"GET /?t=../../etc/passwd HTTP/1.1\r\nHost: 192.168.1.55\r\nUser-Agent: curl/7.81.0\r\nAccept: */*\r\n\r\n",
    );
    body.text(&f::http::REQ_BODY, b"");
    body.text(
        &f::http::RSP_HEADER,
        b"HTTP/1.1 403 Forbidden\r\nDate: Thu, 30 May 2024 07:16:49 GMT\r\nContent-Type: text/html; charset=UTF-8\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\nserver: ZhongKui WAF\r\n\r\n",
    );
    body.text(&f::http::RSP_BODY, b"223sdfalkjsflkajf");
    (head, body)
}

fn written(format: Format, numbers: bool, head: &Record, body: &Record) -> String {
    let mut writer = Writer::new(format, numbers, &identity(), Zone::utc());
    writer.set_disk_ratio(4673);
    let mut out = b"before".to_vec();
    writer.write(head, body, &mut out);
    String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_string()
}

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The keys of a flat object, also when one stands twice.
pub(crate) fn keys(text: &str) -> Vec<String> {
    let (mut keys, mut string, mut depth) = (Vec::new(), String::new(), 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                string.clear();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => string.extend([c, chars.next().unwrap()]),
                        c => string.push(c),
                    }
                }
                if depth == 1 && chars.peek() == Some(&':') {
                    keys.push(string.clone());
                }
            }
            _ => {}
        }
    }
    keys
}

#[test]
fn nano_is_the_shape_of_the_original() {
    let (head, body) = http();
    let text = written(Format::Nano, false, &head, &body);
    let json = parsed(&text);
    for (k, v) in json.as_object().unwrap() {
        assert!(v.is_string(), "{k} is {v}");
    }
    for (key, want) in [
        ("BEGIN_TIME", "2024-05-29 23:16:48.917"),
        ("END_TIME", "2024-05-29 23:16:48.918"),
        ("TIMESTAMP", "1717024608.917400"),
        ("PROBE_VER", "0.1.0"),
        ("host", "10.64.1.254"),
        ("SYSTEM", "Debian \"12\""),
        ("SRC_IP", "192.168.1.105"),
        ("SRC_PORT", "46152"),
        ("SRC_MAC", "00:1b:21:01:02:fe"),
        ("NIC", "any"),
        ("CARD", "br-vmr"),
        ("SRC_NET_DELAY", "0.010"),
        ("NET_DELAY", "0.140"),
        ("RST_PKTS", "0"),
        ("HTTP_RESPONSE", "0.792"),
        ("RETCODE", "403"),
        ("FORWARD", "0.0.0.0"),
        ("REQ_BODY", ""),
        ("L7_PROTOCOL", "pgsql"),
        ("message", "jxit"),
        ("message-type", "comm"),
        ("gl2_source_collector", "64210464315174928"),
        ("DISK_RATIO", "46.73"),
        ("TOTAL_CPU", "4"),
        ("LICENSE", "free"),
    ] {
        assert_eq!(json[key], want, "{key}");
    }
    assert_eq!(json["RSP_HEADER"].as_str().unwrap().as_bytes(), body.text_of(&f::http::RSP_HEADER));
    assert!(text.starts_with("{\"PROBE_VER\":\"0.1.0\",\"host\"") && text.ends_with("\"LICENSE\":\"free\"}"));
}

#[test]
fn nano_with_numbers_types_what_is_a_number() {
    let (head, mut body) = http();
    body.put(&f::sql::RET_CODE, Value::Num(0));
    let json = parsed(&written(Format::Nano, true, &head, &body));
    assert_eq!(json["SRC_PORT"], 46152);
    assert_eq!(json["HTTP_RESPONSE"], 0.792);
    assert_eq!(json["TOTAL_CPU"], 4);
    assert_eq!(json["SRC_IP"], "192.168.1.105");
    assert_eq!(json["RET_CODE"], "0", "a word stays a string, whatever it holds");
}

#[test]
fn gelf_is_strict() {
    let (head, body) = http();
    let text = written(Format::Gelf, false, &head, &body);
    let json = parsed(&text);
    assert_eq!(json["version"], "1.1");
    assert_eq!(json["host"], "10.64.1.254");
    assert_eq!(json["short_message"], "http GET /?t=../../etc/passwd 403 0.792 ms");
    assert!(text.contains("\"timestamp\":1717024608.917,"));
    assert_eq!(json["level"], 6);
    assert_eq!(json["_SRC_PORT"], 46152);
    assert_eq!(json["_L7_PROTOCOL"], "postgresql");
    assert_eq!(json["_host_name"], "jxit");
    for (k, v) in json.as_object().unwrap() {
        let standard = ["version", "host", "short_message", "timestamp", "level"].contains(&k.as_str());
        assert!(standard || k.starts_with('_'), "{k}");
        assert!(k != "_id" && k.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)), "{k}");
        assert!(v.is_string() || v.is_number(), "{k} is {v}");
    }
    let none = Writer::new(Format::Gelf, false, &Identity::default(), Zone::utc());
    let mut out = Vec::new();
    none.clone().write(&Record::default(), &Record::new(Kind::Host), &mut out);
    let json = parsed(std::str::from_utf8(&out).unwrap());
    assert_eq!((&json["host"], &json["short_message"]), (&Json::from("unknown"), &Json::from("host")));
}

#[test]
fn ecs_is_typed_and_in_utc() {
    let (head, mut body) = http();
    body.text(&f::dns::RESULT_IP, b"1.2.3.4, ::1,");
    body.text(&f::tls::CERT_SAN, b"");
    let json = parsed(&written(Format::Ecs, false, &head, &body));
    assert_eq!(json["@timestamp"], "2024-05-29T23:16:48.917400Z");
    assert_eq!(json["event.start"], "2024-05-29T23:16:48.917400Z");
    assert_eq!(json["event.duration"], 792_000);
    assert_eq!(json["source.port"], 46152);
    assert_eq!(json["source.mac"], "00-1B-21-01-02-FE");
    assert_eq!(json["http.response.status_code"], 403);
    assert_eq!(json["network.protocol"], "postgresql");
    assert_eq!(json["dns.resolved_ip"], serde_json::json!(["1.2.3.4", "::1"]));
    assert_eq!(json["tls.server.x509.alternative_names"], serde_json::json!([]));
    assert_eq!(json["mfnano.quality"], serde_json::json!(["gap", "truncated"]));
    assert_eq!(json.get("client.ip"), None, "0.0.0.0 is no address");
    assert_eq!(json["message"], "http GET /?t=../../etc/passwd 403 0.792 ms");
}

#[test]
fn flow_time_has_seconds_only_and_serves_as_timestamp() {
    let mut body = Record::new(Kind::Flow);
    body.put(&f::flow::TIME, Value::Time(Timestamp::new(1_795_254_426, 999_999_999)));
    let head = Record::new(Kind::Flow);
    assert_eq!(parsed(&written(Format::Nano, false, &head, &body))["TIME"], "2026-11-21 09:47:06");
    let text = written(Format::Gelf, false, &head, &body);
    assert!(text.contains("\"timestamp\":1795254426.999,"), "{text}");
    let json = parsed(&written(Format::Ecs, false, &head, &body));
    assert_eq!(json["@timestamp"], "2026-11-21T09:47:06.999999Z");
    assert_eq!(json["event.created"], json["@timestamp"]);
}

#[test]
fn host_and_probe_records_are_of_type_proc() {
    for (kind, want) in [(Kind::Host, "proc"), (Kind::Probe, "proc"), (Kind::Dns, "comm")] {
        let mut body = Record::new(kind);
        if kind == Kind::Host {
            body.text(&f::host::HOST_NAME, b"jxit");
        }
        for format in Format::ALL {
            let text = written(format, false, &Record::default(), &body);
            let json = parsed(&text);
            assert_eq!(json[f::head::MESSAGE_TYPE.key_in(format)], want);
            assert_eq!(json[f::head::MESSAGE.key_in(format)], "jxit");
        }
    }
}

/// Every field of every kind, with hostile texts: valid JSON, each key once, nothing lost.
#[test]
fn any_record_is_a_json_object_with_each_key_once() {
    let mut rng = Rng::new(11);
    let head_only: Vec<&'static Field> =
        f::head::FIELDS.iter().copied().filter(|f| !is_constant(f)).collect();
    for round in 0..300 {
        for kind in Kind::ALL {
            let (mut head, mut body) = (Record::new(kind), Record::new(kind));
            for (record, fields) in [(&mut head, &head_only[..]), (&mut body, kind.fields())] {
                for field in fields {
                    if round > 0 && rng.below(3) == 0 {
                        continue;
                    }
                    match field.ty {
                        Type::Text | Type::Word | Type::IpList | Type::WordList => {
                            let n = rng.below(40);
                            record.text(field, &rng.bytes(n));
                        }
                        Type::Count | Type::Bytes | Type::Port => {
                            record.num(field, rng.next() >> rng.below(64))
                        }
                        Type::Millis => record.nanos(field, rng.next() >> rng.below(64)),
                        Type::Hundredths => record.put(field, Value::Hundredths(rng.next() >> rng.below(64))),
                        Type::Ip => {
                            record.put(field, Value::Ip(IpAddr::from((rng.next() as u32).to_be_bytes())))
                        }
                        Type::Mac => record.put(field, Value::Mac(base::MacAddr::default())),
                        Type::LocalTime | Type::LocalSeconds | Type::EpochTime => {
                            record.put(field, Value::Time(Timestamp(rng.next())));
                        }
                    }
                }
            }
            for format in Format::ALL {
                let text = written(format, round % 2 == 0, &head, &body);
                assert!(!text.contains('\n'));
                let json = parsed(&text);
                let mut keys = keys(&text);
                assert_eq!(keys.len(), json.as_object().unwrap().len(), "a key twice: {text}");
                keys.sort();
                for record in [&head, &body] {
                    for e in record.entries() {
                        let Some(got) = json.get(e.field.key_in(format)) else {
                            assert!(
                                format == Format::Ecs && e.value == Value::Ip("0.0.0.0".parse().unwrap())
                            );
                            continue;
                        };
                        if let (Value::Text(..), Json::String(s)) = (e.value, got) {
                            assert_eq!(*s, String::from_utf8_lossy(record.bytes(e.value)));
                        }
                    }
                }
            }
        }
    }
}

/// Of the identity, which the writer adds.
fn is_constant(field: &Field) -> bool {
    use f::head::*;
    [&PROBE_VER, &HOST, &SYSTEM, &NIC, &MESSAGE, &MESSAGE_TYPE, &COLLECTOR, &DISK_RATIO, &TOTAL_CPU, &LICENSE]
        .iter()
        .any(|c| std::ptr::eq(*c, field))
}
