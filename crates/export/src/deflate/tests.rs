use super::*;

fn packed(deflate: &mut Deflate, text: &[u8]) -> usize {
    let mut out = vec![7];
    assert!(deflate.append(text, usize::MAX, &mut out));
    let back = miniz_oxide::inflate::decompress_to_vec(&out[1..]);
    assert!(back.is_ok_and(|b| b == text), "what was written is read");
    out.len() - 1
}

#[test]
fn lengths_and_distances_of_the_standard() {
    let got = |c: Coded| (c.symbol, c.extra, c.value);
    for (len, want) in [
        (3, (257, 0, 0)),
        (10, (264, 0, 0)),
        (11, (265, 1, 0)),
        (12, (265, 1, 1)),
        (13, (266, 1, 0)),
        (18, (268, 1, 1)),
        (19, (269, 2, 0)),
        (130, (280, 4, 15)),
        (131, (281, 5, 0)),
        (257, (284, 5, 30)),
        (258, (285, 0, 0)),
    ] {
        assert_eq!(got(length_of(len)), want, "{len}");
    }
    for (distance, want) in [
        (1, (0, 0, 0)),
        (4, (3, 0, 0)),
        (5, (4, 1, 0)),
        (6, (4, 1, 1)),
        (7, (5, 1, 0)),
        (9, (6, 2, 0)),
        (24, (8, 3, 7)),
        (25, (9, 3, 0)),
        (24_577, (29, 13, 0)),
        (32_768, (29, 13, 8191)),
    ] {
        assert_eq!(got(distance_of(distance)), want, "{distance}");
    }
}

#[test]
fn texts_of_all_kinds_come_back() {
    let mut deflate = Deflate::new();
    let mut x = 5u32;
    let mut next = move || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x >> 8
    };
    for len in [0, 1, 2, 3, 4, 5, 7, 8, 100, 257, 258, 259, 1000, 40_000, 300_000] {
        for kind in 0..5 {
            let text: Vec<u8> = (0..len)
                .map(|i| match kind {
                    0 => b'a',
                    1 => next() as u8,
                    2 => b"0123456789abcdef"[next() as usize % 16],
                    3 => b"\"SRC_PKTS\":\"0\",\"DST_PKTS\":\"1\","[i % 30] ^ u8::from(next() % 50 == 0),
                    _ => (i / 600) as u8,
                })
                .collect();
            packed(&mut deflate, &text);
        }
    }
}

#[test]
fn lengths_are_limited_and_full() {
    // Counts like the numbers of Fibonacci make the longest codes.
    let mut counts = Counts::NONE;
    let (mut a, mut b) = (1, 1);
    for n in counts.literals.iter_mut().take(40) {
        *n = a;
        (a, b) = (b, a + b);
    }
    counts.distances[3] = 9;
    let code = Code::made_for(&counts);
    let kraft: u32 = code.literals.iter().filter(|w| w.len > 0).map(|w| 1 << (15 - w.len)).sum();
    assert_eq!(kraft, 1 << 15);
    assert!(code.literals.iter().all(|w| w.len <= 15) && code.literals[39].len == 1);
}

#[test]
fn positions_begin_anew_before_they_run_out() {
    let mut deflate = Deflate::new();
    let text = b"GET /index.html HTTP/1.1\r\n".repeat(20);
    let size = packed(&mut deflate, &text);
    deflate.base = u32::MAX / 2 - 100;
    assert_eq!(packed(&mut deflate, &text), size);
    assert!(deflate.base < 1000);
}

/// What packing saves, and, of files of records that are named, how quick it is, in the thread's own time:
/// `RECORDS=a.json,b.json cargo test --release -p export -- --nocapture halved`.
#[test]
fn records_of_a_site_are_halved() {
    let cpu = || -> f64 {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        stat.split(' ').next().and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
    };
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo/site/records.jsonl");
    let named = std::env::var("RECORDS");
    let turns = if named.is_ok() { 20 } else { 1 };
    for file in named.as_deref().unwrap_or(demo).split(',') {
        let data = std::fs::read(file).unwrap();
        let lines: Vec<&[u8]> = data.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
        let total: usize = lines.iter().map(|l| l.len()).sum();
        let mut gzip = crate::gzip::Gzip::new();
        let mut out = Vec::new();
        let (mut best, mut size) = (f64::MAX, 0);
        let rounds = if turns > 1 { 4_000_000 / total + 1 } else { 1 };
        for _ in 0..turns {
            let t = cpu();
            for _ in 0..rounds {
                size = 0;
                for l in &lines {
                    out.clear();
                    size += if gzip.append(l, &mut out) { out.len() } else { l.len() };
                }
            }
            std::thread::yield_now();
            best = best.min((cpu() - t) / rounds as f64);
        }
        println!(
            "{file}: {} records of {} bytes, reduced by {:.1} %, {:.0} MB/s, {:.1} us each, {} codes",
            lines.len(),
            total / lines.len(),
            100.0 - 100.0 * size as f64 / total as f64,
            total as f64 / best / 1e6,
            best / lines.len() as f64 * 1e6,
            gzip.deflate.kept.len()
        );
        assert!(named.is_ok() || size * 100 < total * 52, "{size} of {total}");
    }
}
