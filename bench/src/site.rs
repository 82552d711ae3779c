//! Two minutes of a small site: what a probe on a server sees all day. Browsers and apps ask the web server, which asks
//! its database and its cache; names are resolved; and the network chatters: ARP, DHCP, mDNS, SSDP, NetBIOS.
//! For the size of the output, not for speed: times, texts and sizes vary as they do in life.

use base::{MILLI, SECOND, Timestamp};
use testkit::{Conversation, Noise, Packet, Sender, TimedFrame};

const SECONDS: usize = 120;
const START: Timestamp = Timestamp(1_700_000_000 * SECOND);

/// All frames in order of time.
pub fn frames() -> Vec<TimedFrame> {
    let mut noise = Noise::new(7);
    let mut all = Vec::new();
    for client in 0..20 {
        all.extend(browser(client, &mut noise));
    }
    for n in 0..2 {
        all.extend(database(n, &mut noise));
        all.extend(cache(n, &mut noise));
    }
    all.extend(names(&mut noise));
    all.extend(background(&mut noise));
    all.sort_by_key(|(t, _)| *t);
    all
}

fn moment(noise: &mut Noise, second: usize) -> Timestamp {
    START.plus(second as u64 * SECOND + noise.below(1000) as u64 * MILLI)
}

const WORDS: [&str; 24] = [
    "bolt",
    "nut",
    "washer",
    "screw",
    "hinge",
    "bracket",
    "zinc",
    "brass",
    "steel",
    "plated",
    "long",
    "short",
    "order",
    "shipped",
    "paid",
    "Ada",
    "Grace",
    "London",
    "Berlin",
    "blue",
    "red",
    "box of ten",
    "each",
    "returned",
];

fn word(noise: &mut Noise) -> &'static str {
    WORDS.get(noise.below(WORDS.len())).copied().unwrap_or_default()
}

fn item(noise: &mut Noise) -> String {
    let id = noise.below(100_000);
    let (a, b, c) = (word(noise), word(noise), word(noise));
    let (price, cents, stamp) = (noise.below(500), noise.below(100), noise.below(90_000_000));
    format!(
        r#"{{"id":{id},"name":"{a} {b}","state":"{c}","price":"{price}.{cents:02}","changed":17{stamp:08}}}"#
    )
}

fn json(noise: &mut Noise, items: usize) -> Vec<u8> {
    let all: Vec<String> = (0..items).map(|_| item(noise)).collect();
    format!(r#"{{"total":{},"items":[{}]}}"#, noise.below(5000), all.join(",")).into_bytes()
}

/// One connection, a request about each second: half of an API, a quarter pages, a quarter pictures.
fn browser(n: usize, noise: &mut Noise) -> Vec<TimedFrame> {
    let mut c = Conversation::new(&format!("10.0.{}.{}:{}", n % 4, 10 + n, 40_000 + n * 7), "192.168.0.1:80")
        .at(moment(noise, 0))
        .step(MILLI / 4)
        .mss(1448)
        .handshake();
    let session: u64 = (noise.below(1 << 40) as u64) << 20 | noise.below(1 << 20) as u64;
    for _ in 0..SECONDS - 2 {
        let (path, kind, body) = match noise.below(4) {
            0 => {
                let items: String =
                    (0..20).map(|_| format!("<li>{} {}</li>\n", word(noise), noise.below(1000))).collect();
                let page = format!("<!doctype html><title>{}</title><ul>{items}</ul>", word(noise));
                (format!("/shop/{}", word(noise)), "text/html; charset=utf-8", page.into_bytes())
            }
            1 => {
                let mut picture =
                    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\0\0\0\x01\0\x08\x06\0\0\0".to_vec();
                picture.extend((0..8000).map(|_| noise.below(256) as u8));
                (format!("/img/{}.png", noise.below(300)), "image/png", picture)
            }
            _ => {
                let items = 1 + noise.below(12);
                (
                    format!("/api/items?page={}&q={}", noise.below(40), word(noise)),
                    "application/json",
                    json(noise, items),
                )
            }
        };
        let posts = kind == "application/json" && noise.below(4) == 0;
        let asked = if posts { item(noise) } else { String::new() };
        let length = if posts {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", asked.len())
        } else {
            String::new()
        };
        let request = format!(
            "{} {path} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:12{}.0) Gecko/20100101 Firefox/12{}.0\r\n\
             Accept: */*\r\nAccept-Encoding: identity\r\nReferer: http://shop.example/shop\r\nX-Request-Id: {:016x}\r\nCookie: session={session:015x}\r\n{length}\r\n{asked}",
            if posts { "POST" } else { "GET" },
            n % 9,
            n % 9,
            noise.below(1 << 50)
        );
        let code = match noise.below(20) {
            0 => "404 Not Found",
            1 => "304 Not Modified",
            _ => "200 OK",
        };
        let body = if code.starts_with("304") { Vec::new() } else { body };
        let answer = format!(
            "HTTP/1.1 {code}\r\nServer: nginx\r\nDate: Tue, 14 Nov 2023 22:14:{:02} GMT\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nETag: \"{:x}\"\r\n\r\n",
            noise.below(60),
            body.len(),
            noise.below(1 << 40)
        );
        c = c
            .send(Sender::Client, request.as_bytes())
            .wait(noise.below(40) as u64 * MILLI)
            .send(Sender::Server, &[answer.as_bytes(), &body].concat())
            .wait((700 + noise.below(500) as u64) * MILLI);
    }
    c.close().frames()
}

/// Simple queries of PostgreSQL, five a second.
fn database(n: usize, noise: &mut Noise) -> Vec<TimedFrame> {
    let message =
        |kind: u8, body: &[u8]| [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat();
    let startup = b"\0\x03\0\0user\0shop\0database\0shop\0\0";
    let mut c = Conversation::new(&format!("192.168.0.1:{}", 50_100 + n), "192.168.0.20:5432")
        .at(moment(noise, 0))
        .step(MILLI / 5)
        .handshake()
        .send(Sender::Client, &[&(startup.len() as u32 + 4).to_be_bytes()[..], startup].concat())
        .send(Sender::Server, &[message(b'R', &[0; 4]), message(b'Z', b"I")].concat());
    for _ in 0..5 * (SECONDS - 2) {
        let (sql, done) = match noise.below(3) {
            0 => {
                let (id, state) = (noise.below(100_000), word(noise));
                (
                    format!("UPDATE items SET state = '{state}', changed = now() WHERE id = {id}\0"),
                    "UPDATE 1\0",
                )
            }
            _ => {
                let (q, at) = (word(noise), noise.below(40) * 12);
                (
                    format!(
                        "SELECT id, name, state, price FROM items WHERE name LIKE '%{q}%' ORDER BY price LIMIT 12 OFFSET {at}\0"
                    ),
                    "SELECT 12\0",
                )
            }
        };
        let answer = [message(b'C', done.as_bytes()), message(b'Z', b"I")].concat();
        c = c
            .send(Sender::Client, &message(b'Q', sql.as_bytes()))
            .wait(noise.below(8) as u64 * MILLI)
            .send(Sender::Server, &answer)
            .wait(190 * MILLI);
    }
    c.close().frames()
}

/// Commands of Redis, ten a second.
fn cache(n: usize, noise: &mut Noise) -> Vec<TimedFrame> {
    let mut c = Conversation::new(&format!("192.168.0.1:{}", 50_200 + n), "192.168.0.21:6379")
        .at(moment(noise, 0))
        .step(MILLI / 5)
        .handshake();
    for _ in 0..10 * (SECONDS - 2) {
        let key = format!("page:{}:{}", word(noise), noise.below(1000));
        let value = item(noise);
        let (ask, answer) = match noise.below(3) {
            0 => (
                format!(
                    "*5\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n$2\r\nEX\r\n$2\r\n60\r\n",
                    key.len(),
                    value.len()
                ),
                "+OK\r\n".to_owned(),
            ),
            1 => (format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()), "$-1\r\n".to_owned()),
            _ => (
                format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()),
                format!("${}\r\n{value}\r\n", value.len()),
            ),
        };
        c = c.send(Sender::Client, ask.as_bytes()).send(Sender::Server, answer.as_bytes()).wait(98 * MILLI);
    }
    c.close().frames()
}

/// Five names a second, a port each.
fn names(noise: &mut Noise) -> Vec<TimedFrame> {
    let mut out = Vec::new();
    for second in 0..SECONDS {
        for _ in 0..5 {
            let client = format!("192.168.0.1:{}", 1024 + noise.below(60_000));
            let (host, id, at) = (
                format!("{}{}", word(noise).replace(' ', "-"), noise.below(50)),
                noise.below(65_536),
                moment(noise, second),
            );
            let head = |flags: u16, answers: u16| {
                [id as u16, flags, 1, answers, 0, 0].map(u16::to_be_bytes).concat()
            };
            let question =
                [&[host.len() as u8], host.as_bytes(), b"\x07example\x03com\x00\x00\x01\x00\x01"].concat();
            let address = [
                b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02",
                &[noise.below(256) as u8][..],
            ]
            .concat();
            out.push((
                at,
                Packet::udp(&client, "192.168.0.2:53")
                    .payload(&[head(0x0100, 0), question.clone()].concat())
                    .build(),
            ));
            let reply = [head(0x8180, 1), question, address].concat();
            out.push((at.plus(3 * MILLI), Packet::udp("192.168.0.2:53", &client).payload(&reply).build()));
        }
    }
    out
}

const EVERYBODY: [u8; 6] = [0xff; 6];

/// What nobody asked for: questions to everybody, and announcements.
fn background(noise: &mut Noise) -> Vec<TimedFrame> {
    let mut out = Vec::new();
    for second in 0..SECONDS {
        for _ in 0..2 {
            let host = 2 + noise.below(60) as u8;
            let mac = [2, 0, 0, 0, 1, host];
            // Who has ...? (RFC 826)
            let mut arp =
                [&EVERYBODY[..], &mac, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &mac, &[192, 168, 0, host], &[0; 6]]
                    .concat();
            arp.extend_from_slice(&[192, 168, 0, noise.below(254) as u8]);
            arp.resize(60, 0);
            out.push((moment(noise, second), arp));
        }
        let host = 2 + noise.below(60);
        let from = |port: u16| format!("192.168.0.{host}:{port}");
        let mac = [2, 0, 0, 0, 1, host as u8];
        let mut send = |noise: &mut Noise, port: u16, to: &str, to_mac: [u8; 6], payload: &[u8]| {
            let frame = Packet::udp(&from(port), to).macs(mac, to_mac).payload(payload).build();
            out.push((moment(noise, second), frame));
        };
        let mdns = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x08_printer\x04_tcp\x05local\0\0\x0c\0\x01";
        send(noise, 5353, "224.0.0.251:5353", [1, 0, 0x5e, 0, 0, 0xfb], mdns);
        if second % 2 == 0 {
            let search = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n";
            let port = 50_000 + noise.below(10_000) as u16;
            send(noise, port, "239.255.255.250:1900", [1, 0, 0x5e, 0x7f, 0xff, 0xfa], search);
        }
        if second % 3 == 0 {
            send(noise, 137, "192.168.0.255:137", EVERYBODY, &[0x11; 50]);
            send(
                noise,
                17_500,
                "255.255.255.255:17500",
                EVERYBODY,
                br#"{"host_int": 1234567, "version": [2, 0], "port": 17500}"#,
            );
        }
        if second % 10 == 0 {
            send(noise, 68, "255.255.255.255:67", EVERYBODY, &[1; 300]);
        }
    }
    out
}
