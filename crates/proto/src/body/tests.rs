use super::coding::Coding;
use super::*;
use crate::harness::Noise;
use record::{Kind, f};

/// What the samples hold.
fn text() -> String {
    let times =
        "The quick brown fox jumps over the lazy dog. It was the best of times, it was the worst of times. ";
    let page = "<html><head><title>Привет 你好</title></head><body class=\"x\">Hello, World! 0123456789</body></html>\n";
    times.repeat(3) + page
}

/// Made with Python's gzip and zlib, and the modules brotli and zstandard (levels high and low, with and
/// without checksum and size).
#[rustfmt::skip]
const SAMPLES: [(&str, &str); 8] = [
    ("gzip", "H4sIAAAAAAACA92NTQ7BQBiG907xsm7U/08yumbfxLrVocPUR2doayUuwsYFJBIbdxh34B6UBWewfZ/nzeOGHMuVGM3gx5TMMaYU01W0UKA1j6FfWHqbDAFNyhhoJJ56jz5XGjSGFhFXFsSXJBT/oDLcPyiwUEfSYSH3AodpoSV3zP62NRdzMufbDvfr4XG8MvuDmP0RfQoyjKSnVK+Ulpw+l5IsDCmWQRGVaq3eaLbanS6zczF/5ZHCE7e2uNWSAQAA"),
    ("deflate", "eJzdjU0OwUAYhvdO8bJu1P9PMrpm38S61aHD1EdnaGslLsLGBSQSG3cYd+AelAVnsH2f583jhhzLlRjN4MeUzDGmFNNVtFCgNY+hX1h6mwwBTcoYaCSeeo8+Vxo0hhYRVxbElyQU/6Ay3D8osFBH0mEh9wKHaaEld8z+tjUXczLn2w736+FxvDL7g5j9EX0KMoykp1SvlJacPpeSLAwplkERlWqt3mi22p0us3Mxf+WRwhOzM5F+"),
    ("deflate", "3Y1NDsFAGIb3TvGybtT/TzK6Zt/EutWhw9RHZ2hrJS7CxgUkEht3GHfgHpQFZ7B9n+fN44Ycy5UYzeDHlMwxphTTVbRQoDWPoV9YepsMAU3KGGgknnqPPlcaNIYWEVcWxJckFP+gMtw/KLBQR9JhIfcCh2mhJXfM/rY1F3My59sO9+vhcbwy+4OY/RF9CjKMpKdUr5SWnD6XkiwMKZZBEZVqrd5ottqdLrNzMX/lkcIT"),
    ("br", "G5EBoCwK7GZkFTfc1BSPIf+eEoSq/Gpdqns3nWyJjwa1IGhpr1Igr7A3Wx6w932QhEFWBN3YxzQAnN4wh+dxLCI7SKbZAA6MqPsXXMgDANbu/6Aeqx7yoDhbcCwGkFvT7xMAvNXDwtHIKqWwiwYX3DtRYcc9A1wvLp/DYujqCcK4kEob63xSOA=="),
    ("br", "i8gAAICqqqrq/+6XE7udDdx8WQHU9ex+dwA/m5mqu5q7mou7qZibmZ8c/HRxv/jh4gAO4Bc/3M0Od3eoye3bWsAaHgaICYYPwiHH0HOY4lgZjVOexHtEGRUHbKjELk+PDnTWGdho2PBSQdG2gyWjCB1oj7Rj0AacpNr5SFhzCsq46ODl+dwJw6mVwuhQScEJWy3re3OtP/Wrfjc3/L6P//MrAmYhgnGYIlIVYhs6N/dKTy60teRjTZlVbXR7/cFwNJ5MZyKISFVSBIZTK1sD"),
    ("br", "oYgMACA+z808oV/cm5N7HsgYGyOqG4KZ3T09YG8VBElgRdAWpdnxgnc+0JkPdcNZ+xeiZNElvCxGzLcIhnZtkLQbirnuRrRLPPzAmCr/2BG1ab9BgFQdbQIny0ijljvWdpC/zyAKsiTUIeRRBXGvYKzB4cTvuf7fB6nWrSYUPEjfKMedi4PG1wvXSHC8IEqyomr6xbJZrAkB"),
    ("zstd", "KLUv/WSSANUFAAQKVGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4gSXQgd2FzYmVzdCBvZiB0aW1lcywgaXdvci4gPGh0bWw+PGhlYWQ+PHRpdGxlPtCf0YDQuNCy0LXRgiDkvaDlpb08LzwvYm9keSBjbGFzcz0ieCI+SGVsbG8sIFdvcmxkISAwMTIzNDU2Nzg5PC90bWw+CggAWQUICIWp0eAz6GCJafNpnJ4LBtu5B4ab9cc="),
    ("zstd", "KLUv/QBodQUAAgolHYB9N0ZoaWADYS5IxExVVVUV0bTQf6hSpWNUkugngCSOagE9TsMsSoIcxg80ES2tP5SiuE2S4ApRml5i9l+txAqogPK6p3P+y/ut2zqux/usS5uofiokadfmQZI4qh70CbRsvz+k2/ipnyu/mm5YerVfpT7Rldp/4Uv8m6d+dGPLn5rjCn635D7Zlij2w+xbz795VQgAWQUICIWp0eAGHSwxbT6N03PBYDv3"),
];

fn unbase64(s: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for four in s.as_bytes().chunks(4) {
        let n = four.iter().fold(0u32, |n, c| n << 6 | u32::from(value(*c)));
        let pad = four.iter().filter(|c| **c == b'=').count();
        out.extend_from_slice(&n.to_be_bytes()[1..4 - pad]);
    }
    out
}

/// The text of a body.
fn told(limits: &Limits, content_type: &str, coding: &str, body: &[u8]) -> (String, u64) {
    let mut c = Collector::default();
    let mut r = Record::new(Kind::Http);
    c.begin(limits, true, content_type.as_bytes(), [coding.as_bytes(), b""]);
    for piece in body.chunks(7) {
        c.add(piece);
    }
    let size = c.size();
    c.finish(limits, Some(&mut r), &f::http::RSP_BODY);
    (String::from_utf8(r.text_of(&f::http::RSP_BODY).to_vec()).unwrap(), size)
}

#[test]
fn content_codings_come_off() {
    for (name, sample) in SAMPLES {
        let coded = unbase64(sample);
        assert_eq!(
            told(&Limits::default(), "text/html", name, &coded),
            (text(), coded.len() as u64),
            "{name}"
        );
        let short = Limits { text: 50, ..Limits::default() };
        assert_eq!(told(&short, "text/html", name, &coded).0, text()[..50], "{name}");
    }
}

#[test]
fn what_is_cut_gives_what_came_before() {
    for (name, sample) in SAMPLES {
        let coded = unbase64(sample);
        for n in 0..coded.len() {
            let got = Coding::of(name.as_bytes()).decode(&coded[..n], 5000, 1 << 20);
            assert!(text().as_bytes().starts_with(&got), "{name} cut at {n}");
        }
    }
}

#[test]
fn broken_codings_do_no_harm_and_stay_within_the_cap() {
    let mut noise = Noise::new(7);
    for (name, sample) in SAMPLES {
        let coded = unbase64(sample);
        for _ in 0..400 {
            let mut bad = coded.clone();
            for _ in 0..=noise.below(4) {
                let at = noise.below(bad.len());
                bad[at] = noise.below(256) as u8;
            }
            assert!(Coding::of(name.as_bytes()).decode(&bad, 600, 1 << 20).len() <= 600);
        }
        let junk: Vec<u8> = (0..2000).map(|_| noise.below(256) as u8).collect();
        assert!(Coding::of(name.as_bytes()).decode(&junk, 600, 1 << 20).len() <= 600);
    }
}

#[test]
fn two_codings_one_upon_the_other() {
    let twice = unbase64("H4sIAAAAAAACA5Pv5mAAASZmbc3zPn5XAz3OeAdqnPQI1fA74xuqwdjJyCB7a9cnSaASABj8pRArAAAA");
    assert_eq!(told(&Limits::default(), "", "gzip, x-gzip", &twice).0, "twice, and the same twice");
    let coded = unbase64(SAMPLES[0].1);
    assert_eq!(told(&Limits::default(), "", "identity, gzip", &coded).0, text());
    assert_eq!(told(&Limits::default(), "", "compress", &coded).0, "");
}

#[test]
fn binary_bodies_are_left_out_or_in_base64() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let limits = Limits::default();
    assert_eq!(told(&limits, "image/png", "", png), (String::new(), 16));
    assert_eq!(told(&limits, "", "", png).0, "");
    assert_eq!(told(&limits, "text/html", "", png).0, "");
    let base64 = Limits { base64: true, ..limits };
    assert_eq!(told(&base64, "image/png", "", png).0, "iVBORw0KGgoAAAANSUhEUg==");
    assert_eq!(told(&Limits { text: 4, ..base64 }, "image/png", "", png).0, "iVBORw==");
    assert_eq!(told(&base64, "text/plain", "", b"text").0, "text");
}

#[test]
fn charsets_by_header_mark_and_page() {
    let limits = Limits::default();
    assert_eq!(told(&limits, "text/html; charset=GBK", "", b"\xc4\xe3\xba\xc3").0, "你好");
    assert_eq!(told(&limits, "text/html", "", b"<meta charset=gbk>\xc4\xe3").0, "<meta charset=gbk>你");
    assert_eq!(told(&limits, "text/plain", "", b"\xff\xfea\0b\0").0, "ab");
    assert_eq!(told(&limits, "text/plain;charset=utf-16le", "", b"a\0b\0").0, "ab");
    assert_eq!(told(&Limits { text: 2, ..limits }, "text/plain;charset=utf-16le", "", b"a\0b\0c\0").0, "ab");
    assert_eq!(told(&Limits { text: 5, ..limits }, "text/plain;charset=latin1", "", b"\xfc\xfc\xfc").0, "üü");
    assert_eq!(told(&limits, "application/json", "", "ü".as_bytes()).0, "ü");
}

#[test]
fn little_is_held_whatever_passes() {
    let limits = Limits::default();
    let mut c = Collector::default();
    for (kind, coding, most) in
        [("text/plain", "", 4096), ("image/png", "", KEPT), ("", "gzip", 16 << 10), ("", "zstd", 400 << 10)]
    {
        c.begin(&limits, true, kind.as_bytes(), [coding.as_bytes(), b""]);
        for _ in 0..1000 {
            c.add(&[b'x'; 1400]);
        }
        assert!(c.held() <= most, "{kind} {coding} holds {}", c.held());
        assert_eq!(c.size(), 1_400_000);
        c.finish(&limits, None, &f::http::RSP_BODY);
        assert!(c.held() <= KEPT);
    }
}

#[test]
fn bombs_stay_small() {
    // 1 MB of zeros.
    let bomb = unbase64(
        "H4sIAAAAAAACA+3BAQEAAACCIP+vbkhAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAArwaey3kSQEIPAA==",
    );
    assert!(bomb.len() < 100 << 10);
    let got = Coding::Gzip.decode(&bomb, 2048, 1 << 20);
    assert_eq!((got.len(), got.capacity() < 8192), (2048, true));
}

#[test]
fn the_dictionary_of_brotli_is_whole() {
    // Appendix A: 122,784 bytes; the first word of each length, as they stand there.
    let mut out = Vec::new();
    for len in 4..=24 {
        assert!(brotli::word(len, 0, &mut out).is_some());
        out.push(b'|');
    }
    assert!(out.starts_with(b"time|"), "{:?}", String::from_utf8_lossy(&out));
    assert_eq!(brotli::word(3, 0, &mut out), None);
    assert_eq!(brotli::word(24, 121 << 5, &mut out), None);
    out.clear();
    // Transform 5 puts " the " behind, 9 makes the first letter large.
    brotli::word(4, 5 << 10, &mut out).unwrap();
    brotli::word(4, 9 << 10, &mut out).unwrap();
    assert_eq!(out, b"time the Time");
}

#[test]
fn a_form_with_a_file_is_told_by_its_fields() {
    let mut body = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n".to_vec();
    body.extend([0xffu8; 9000]);
    body.extend(b"\r\n--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nme\r\n--b--\r\n");
    let (text, size) = told(&Limits::default(), "multipart/form-data; boundary=b", "", &body);
    assert!(
        text.contains("[9000 bytes left out]") && text.ends_with("name=\"user\"\r\n\r\nme\r\n--b--\r\n"),
        "{text}"
    );
    assert_eq!(size, body.len() as u64);
    let long = [b"--b\r\n\r\n".as_slice(), &[b'x'; 90_000]].concat();
    let (text, _) = told(&Limits::default(), "multipart/mixed; boundary=b", "", &long);
    assert_eq!(text.len(), Limits::default().text);
}
