//! A plain HTTP/1 client that remembers what it asked, what it got and how long it took.

use crate::told::Told;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One request as the client knows it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub url: String,
    pub body: String,
    pub code: u16,
    /// The body as it reads once every coding is off; `None`: not to be compared.
    pub answer: Option<String>,
    pub took: Duration,
}

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The head and body of an answer, and whether the connection ended with it.
struct Answer {
    code: u16,
    body: Vec<u8>,
    gzip: bool,
}

impl Client {
    pub fn connect(to: SocketAddr) -> Client {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, buffer: Vec::new() }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// GET on this connection.
    pub fn get(&mut self, url: &str) -> Asked {
        self.ask("GET", url, "", "")
    }

    /// Any request; `headers` are whole lines, the body goes by its length.
    pub fn ask(&mut self, method: &str, url: &str, headers: &str, body: &str) -> Asked {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{method} {url} HTTP/1.1\r\nHost: www.lab\r\n{headers}{length}\r\n{body}");
        self.raw(method, url, body, &request)
    }

    /// A request written out by the caller; `body` is what it carries once codings are off.
    pub fn raw(&mut self, method: &str, url: &str, body: &str, request: &str) -> Asked {
        let began = Instant::now();
        self.stream.write_all(request.as_bytes()).unwrap();
        let answer = self.answer(method == "HEAD");
        Asked {
            method: method.into(),
            url: url.into(),
            body: body.into(),
            code: answer.code,
            answer: (!answer.gzip).then(|| String::from_utf8(answer.body).unwrap()),
            took: began.elapsed(),
        }
    }

    /// Several GETs at once.
    pub fn pipeline(&mut self, urls: &[String]) -> Vec<Asked> {
        let all: String = urls.iter().map(|u| format!("GET {u} HTTP/1.1\r\nHost: www.lab\r\n\r\n")).collect();
        let began = Instant::now();
        self.stream.write_all(all.as_bytes()).unwrap();
        let take = |url: &String| {
            let answer = self.answer(false);
            Asked {
                method: "GET".into(),
                url: url.clone(),
                body: String::new(),
                code: answer.code,
                answer: Some(String::from_utf8(answer.body).unwrap()),
                took: began.elapsed(),
            }
        };
        urls.iter().map(take).collect()
    }

    fn more(&mut self) -> bool {
        let mut block = [0; 65_536];
        let n = self.stream.read(&mut block).unwrap();
        self.buffer.extend_from_slice(&block[..n]);
        n > 0
    }

    fn line_end(&mut self, from: usize) -> usize {
        loop {
            if let Some(at) = self.buffer[from..].windows(2).position(|w| w == b"\r\n") {
                return from + at;
            }
            assert!(self.more(), "the server closed inside a line");
        }
    }

    fn answer(&mut self, no_body: bool) -> Answer {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more(), "the server closed inside a head");
        };
        let head = String::from_utf8(self.buffer.drain(..head_end).collect()).unwrap();
        let code = head[9..12].parse().unwrap();
        let header = |name: &str| {
            head.lines().find_map(|l| {
                let (n, v) = l.split_once(':')?;
                n.eq_ignore_ascii_case(name).then(|| v.trim().to_owned())
            })
        };
        let gzip = header("content-encoding").is_some();
        let mut body = Vec::new();
        if no_body {
        } else if let Some(n) = header("content-length") {
            let n: usize = n.parse().unwrap();
            while self.buffer.len() < n {
                assert!(self.more(), "the server closed inside a body");
            }
            body = self.buffer.drain(..n).collect();
        } else if header("transfer-encoding").is_some() {
            loop {
                let end = self.line_end(0);
                let line = String::from_utf8(self.buffer.drain(..end + 2).collect()).unwrap();
                let n = usize::from_str_radix(line.trim(), 16).unwrap();
                while self.buffer.len() < n + 2 {
                    assert!(self.more(), "the server closed inside a chunk");
                }
                body.extend(self.buffer.drain(..n));
                self.buffer.drain(..2);
                if n == 0 {
                    break;
                }
            }
        } else {
            while self.more() {}
            body = std::mem::take(&mut self.buffer);
        }
        Answer { code, body, gzip }
    }
}

/// Every request is told exactly once, with what the client knows of it; nothing else is told.
#[track_caller]
pub fn exactly(asked: &[Asked], records: &[Told], body_len: usize) {
    let told: Vec<&Told> = records.iter().filter(|r| r.kind() == "http").collect();
    let mut by_url: HashMap<&str, Vec<&Told>> = HashMap::new();
    for r in &told {
        by_url.entry(r.get("URL")).or_default().push(r);
    }
    let cut = |text: &str| text.get(..body_len).unwrap_or(text).to_owned();
    for a in asked {
        let url = cut(&a.url);
        let mine = by_url.get(url.as_str()).map_or(&[][..], Vec::as_slice);
        let account = records.iter().rfind(|r| r.kind() == "probe");
        let [r] = mine else { panic!("{} {url:.80} is told {} times; {account:?}", a.method, mine.len()) };
        let quality = r.get("QUALITY");
        assert!(
            !quality.contains("gap") && !quality.contains("no-resp"),
            "{url:.80}: {quality}; {account:?}"
        );
        assert_eq!((r.get("METHOD"), r.num("RETCODE")), (a.method.as_str(), f64::from(a.code)), "{url:.80}");
        assert_eq!(r.get("REQ_BODY"), cut(&a.body), "{url:.80}");
        assert_eq!(r.get("RESP"), "1", "{r:?}");
        if let Some(answer) = &a.answer {
            assert_eq!(r.get("RSP_BODY"), cut(answer), "{url:.80}");
        }
        // The server's side sees no more of the time than the client.
        let took = a.took.as_secs_f64() * 1e3;
        let (response, load) = (r.num("HTTP_RESPONSE"), r.num("PAGELOAD"));
        assert!(0.0 <= response && response <= load && load <= took, "{response} <= {load} <= {took}: {r:?}");
    }
    assert_eq!(told.len(), asked.len(), "requests told and asked");
}
