use super::*;
use crate::Kind;
use crate::testing::Rng;

fn masked(list: &str, field: &'static Field, text: &str) -> String {
    let mut record = Record::new(Kind::Http);
    record.text(&f::http::AGENT, b"before");
    record.text(field, text.as_bytes());
    record.text(&f::http::REFERER, b"after");
    Redactor::new(list).unwrap().apply(&mut record);
    assert_eq!(record.text_of(&f::http::AGENT), b"before");
    assert_eq!(record.text_of(&f::http::REFERER), b"after");
    String::from_utf8(record.text_of(field).to_vec()).unwrap()
}

#[test]
fn authorization_keeps_the_scheme() {
    for (text, want) in [
        (
            "GET / HTTP/1.1\r\nAuthorization: Bearer abc.def\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nAuthorization: Bearer ***\r\nHost: x\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nproxy-authorization:Basic dTpw\r\n\r\n",
            "GET / HTTP/1.1\r\nproxy-authorization:Basic ***\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nAuthorization: justatoken\r\n\r\n",
            "GET / HTTP/1.1\r\nAuthorization: ***\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nAuthorization: Digest username=\"u\", resp",
            "GET / HTTP/1.1\r\nAuthorization: Digest ***",
        ),
        (
            "GET / HTTP/1.1\r\nX-Authorization-Mode: Basic x\r\n",
            "GET / HTTP/1.1\r\nX-Authorization-Mode: Basic x\r\n",
        ),
        (
            "GET /authorization HTTP/1.1\r\nAuthorization:\r\nHost: a\r\n",
            "GET /authorization HTTP/1.1\r\nAuthorization:\r\nHost: a\r\n",
        ),
    ] {
        assert_eq!(masked("authorization", &f::http::REQ_HEADER, text), want);
    }
    let echo = r#"{"headers":{"Authorization":"Basic dTpw","Host":"x"}}"#;
    assert_eq!(
        masked("authorization", &f::http::RSP_BODY, echo),
        r#"{"headers":{"Authorization":"Basic ***","Host":"x"}}"#
    );
}

#[test]
fn whether_a_password_was_used_is_no_password() {
    for (text, want) in [
        (
            "Access denied for user 'a'@'h' (using password: YES)",
            "Access denied for user 'a'@'h' (using password: YES)",
        ),
        ("denied (using password: NO), password: x", "denied (using password: NO), password: ***"),
        ("(using password: YESTERDAY)", "(using password: ***"),
        ("(using password: YES", "(using password: ***"),
        ("using password: YES)", "using password: ***"),
    ] {
        assert_eq!(masked("password", &f::sql::ERR, text), want);
    }
}

#[test]
fn cookies_are_masked_in_headers_and_in_their_field() {
    let text = "HTTP/1.1 200 OK\r\nSet-Cookie: sid=1; Path=/\r\nServer: x\r\n";
    assert_eq!(
        masked("cookie", &f::http::RSP_HEADER, text),
        "HTTP/1.1 200 OK\r\nSet-Cookie: ***\r\nServer: x\r\n"
    );
    assert_eq!(masked("cookie", &f::http::COOKIE, "a=1; b=2"), "***");
    assert_eq!(masked("authorization", &f::http::COOKIE, "a=1; b=2"), "a=1; b=2");
}

#[test]
fn passwords_in_queries_forms_and_cookies() {
    for (text, want) in [
        ("/login?user=a&password=s3c;r,et&x=1", "/login?user=a&password=***&x=1"),
        ("/login?PassWd=x", "/login?PassWd=***"),
        ("/?pwd=%26%3D&a=b", "/?pwd=***&a=b"),
        ("/?user%5Bpassword%5D=x&b=1", "/?user%5Bpassword%5D=***&b=1"),
        ("/?user[new_password]=x", "/?user[new_password]=***"),
        ("/?p%61ssword=x&b=1", "/?p%61ssword=***&b=1"),
        ("/?%70%61%73%73=x", "/?%70%61%73%73=***"),
        ("/?client_secret=abc HTTP/1.1\r\n", "/?client_secret=*** HTTP/1.1\r\n"),
        ("a=1; password=x y; b=2", "a=1; password=*** y; b=2"),
        ("a=1; password=x; b=2", "a=1; password=***; b=2"),
        (
            "/?j=%7B%22password%22%3A%22x%20y%22%2C%22a%22%3A1%7D",
            "/?j=%7B%22password%22%3A%22***%22%2C%22a%22%3A1%7D",
        ),
        ("/passwords/list?path=/etc/passwd", "/passwords/list?path=/etc/passwd"),
        ("/?password=&a=b", "/?password=&a=b"),
        ("/?compass=north&passenger=2&bypass=1", "/?compass=north&passenger=2&bypass=1"),
        ("/?password", "/?password"),
    ] {
        assert_eq!(masked("password", &f::http::URL, text), want);
    }
}

#[test]
fn passwords_in_json() {
    for (text, want) in [
        (r#"{"user":"u","password":"a\"b\\","x":1}"#, r#"{"user":"u","password":"***","x":1}"#),
        (r#"{"password" : 1234, "x":1}"#, r#"{"password" : "***", "x":1}"#),
        (r#"{"password":{"a":["}",1]},"x":1}"#, r#"{"password":"***","x":1}"#),
        (r#"{"password":null}"#, r#"{"password":null}"#),
        (r#"{"body":"{\"password\":\"a\\\"b\",\"x\":1}"}"#, r#"{"body":"{\"password\":\"***\",\"x\":1}"}"#),
        (r#"{"userPassword":"trunc"#, r#"{"userPassword":"***"#),
        (r#"{"password":["#, r#"{"password":"***""#),
        (r#"{"password":""}"#, r#"{"password":""}"#),
        (r#"{'pwd': 'x'}"#, r#"{'pwd': '***'}"#),
        ("{\n  \"password\":\n \"x\"\n}", "{\n  \"password\":\n \"***\"\n}"),
        (
            r#"<input type="password" name="password" value="">"#,
            r#"<input type="password" name="password" value="">"#,
        ),
    ] {
        assert_eq!(masked("password", &f::http::REQ_BODY, text), want);
    }
}

#[test]
fn passwords_in_sql() {
    for (text, want) in [
        ("CREATE USER 'a'@'%' IDENTIFIED BY 'it''s'", "CREATE USER 'a'@'%' IDENTIFIED BY '***'"),
        (
            "create user a identified with 'mysql_native_password' by 'x' ",
            "create user a identified with 'mysql_native_password' by '***' ",
        ),
        (
            "GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD '*AB'",
            "GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD '***'",
        ),
        ("CREATE USER a IDENTIFIED BY tiger;", "CREATE USER a IDENTIFIED BY ***;"),
        (
            "ALTER ROLE a WITH ENCRYPTED PASSWORD 'x\\'y' VALID UNTIL 'z'",
            "ALTER ROLE a WITH ENCRYPTED PASSWORD '***' VALID UNTIL 'z'",
        ),
        (
            "ALTER LOGIN a WITH PASSWORD = N'x', DEFAULT_DATABASE=b",
            "ALTER LOGIN a WITH PASSWORD = N'***', DEFAULT_DATABASE=b",
        ),
        ("SET PASSWORD FOR 'a'@'%' = PASSWORD('x')", "SET PASSWORD FOR 'a'@'%' = PASSWORD('***')"),
        ("SET PASSWORD = 'x'", "SET PASSWORD = '***'"),
        ("update u set password = 'x' where id = 1", "update u set password = '***' where id = 1"),
        (
            "select 1 from u where `password`='x' and a='b'",
            "select 1 from u where `password`='***' and a='b'",
        ),
        ("select 1 from u where password=md5('a b') and c", "select 1 from u where password=*** and c"),
        (
            "select password, a from u where password = ? or password=$1",
            "select password, a from u where password = ? or password=$1",
        ),
        ("select * from password where a='b'", "select * from password where a='b'"),
        ("ALTER USER a PASSWORD 'cut of", "ALTER USER a PASSWORD '***"),
    ] {
        assert_eq!(masked("password", &f::sql::SQL, text), want);
    }
}

#[test]
fn named_keys_anywhere() {
    let list = "key:session_id,key:X-Api-Key";
    assert_eq!(masked(list, &f::http::URL, "/?session_id=1&session_ids=2"), "/?session_id=***&session_ids=2");
    assert_eq!(
        masked(list, &f::http::REQ_HEADER, "a\r\nx-api-key: k 1\r\nb: c\r\n"),
        "a\r\nx-api-key: ***\r\nb: c\r\n"
    );
    assert_eq!(masked(list, &f::http::REQ_BODY, r#"{"Session_Id":7}"#), r#"{"Session_Id":"***"}"#);
}

#[test]
fn cards_keep_six_and_four() {
    for (text, want) in [
        ("card=4111111111111111&x=1", "card=411111******1111&x=1"),
        ("4111 1111 1111 1111", "4111 11** **** 1111"),
        ("n=4111%201111%201111%201111", "n=4111%2011**%20****%201111"),
        ("on 12 3782-822463-10005.", "on 12 3782-82****-*0005."),
        ("4111111111111112", "4111111111111112"),
        ("a4111111111111111", "a4111111111111111"),
        ("41111111111111111111111", "41111111111111111111111"),
        ("1717024608917400", "1717024608917400"),
    ] {
        assert_eq!(masked("card", &f::http::REQ_BODY, text), want);
    }
}

#[test]
fn lists() {
    assert!(Redactor::new("").unwrap().is_idle() && Redactor::new("none").unwrap().is_idle());
    let e = Redactor::new("password,cooky").unwrap_err();
    assert!(e.contains("cooky") && e.contains("cookie") && e.contains("key:NAME"), "{e}");
    assert!(Redactor::new("key:").is_err() && Redactor::new("key:a b c").is_err());
}

/// The mask hides the value wherever the name stands in a text, also across the blocks of the scan.
#[test]
fn found_at_every_place() {
    for n in 0..70 {
        let text = format!("{}&password=hidden&b=1{}", "a".repeat(n), "c".repeat(n / 2));
        let got = masked("authorization,cookie,password", &f::http::REQ_BODY, &text);
        assert_eq!(got, text.replace("hidden", "***"), "{n}");
    }
}

#[test]
fn any_bytes() {
    let mut rng = Rng::new(5);
    let bits: [&[u8]; 28] = [
        b"password",
        b"pwd",
        b"=",
        b":",
        b"\"",
        b"\\",
        b"'",
        b"%22",
        b"%3",
        b"IDENTIFIED",
        b" BY ",
        b"WITH",
        b"FOR",
        b"(",
        b"{",
        b"[",
        b"}",
        b"Authorization",
        b"\r\n",
        b" ",
        b"&",
        b"4111111111111111",
        b"4111 ",
        b"%20",
        b"cookie",
        b"session_id",
        b"%61",
        b"]",
    ];
    for _ in 0..20_000 {
        let mut data = Vec::new();
        for _ in 0..rng.below(14) {
            if rng.below(8) == 0 {
                data.push(rng.next() as u8);
            } else {
                data.extend_from_slice(bits[rng.below(bits.len())]);
            }
        }
        fuzz_redact(&data);
    }
}

/// Long texts made of openings only: time grows with length, not with its square.
#[test]
fn hostile_repetition_is_linear() {
    let redactor = Redactor::new("authorization,cookie,password,card,key:session_id").unwrap();
    for piece in [
        "password=\"",
        "\"password\":{",
        "pas",
        "4 ",
        "password for ",
        "identified with '",
        "\\",
        "p%61",
        "%61=",
        "p%61ss=",
        "identified with \"\\",
        "password:'\\",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        for field in [&f::sql::SQL, &f::http::REQ_BODY] {
            let mut record = Record::new(Kind::Sql);
            record.text(field, text.as_bytes());
            redactor.apply(&mut record);
        }
    }
}
