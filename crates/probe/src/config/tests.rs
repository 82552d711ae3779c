use super::form::ProcList;
use super::keys::{Effect, K, KEYS, Origin};
use super::*;
use engine::{Content, Layer4Choice};
use record::Format;

/// A file with every key of the original, as its own installer writes it.
const ORIGINAL: &str = include_str!("original.conf");

fn text(text: &str) -> Result<Settings, Problems> {
    load(Some(File { name: "mfnano.conf", bytes: text.as_bytes() }), &[])
}

fn wrong(conf: &str) -> Vec<String> {
    text(conf).unwrap_err().0.iter().map(Problem::to_string).collect()
}

fn flag(key: K, value: &str) -> Flag {
    Flag { key, value: value.to_owned(), spelled: format!("--{}", key.key().name) }
}

#[test]
fn a_file_of_the_original_loads_unchanged() {
    for key in KEYS.iter().filter(|k| k.origin == Origin::Original) {
        assert!(
            ORIGINAL.lines().any(|l| l.starts_with(&format!("{}=", key.name))),
            "{} is missing",
            key.name
        );
    }
    let s = text(ORIGINAL).unwrap();
    assert!(s.device.wants("eth0") && s.device.only.is_empty());
    assert_eq!((s.content, s.l4), (Content::Bodies, Layer4Choice::Net));
    assert_eq!(s.destinations, export::parse_destinations("demo.example:12201").unwrap());
    assert_eq!(s.json, Some(Cycle { directory: "/data/json".into(), bytes: 500 << 20 }));
    assert_eq!((s.interval, s.body_len, s.sample, s.max_length), (10, 1024, 1, None));
    assert!(s.keep.is_none() && s.drop.is_some() && !s.compress && !s.base64);
    assert_eq!(s.proc_list, Some(ProcList::Busiest(2)));
    assert_eq!(s.probe_id.as_deref(), Some("64210464315174928"));
    assert_eq!((s.format, s.mem_limit, s.cpu_limit), (Format::Nano, 110 << 20, Some(20)));
    let [none, not_yet] = &s.warnings[..] else { panic!("{:?}", s.warnings) };
    assert!(none.starts_with("license, bytecode") && none.ends_with("accepted, without effect"), "{none}");
    assert!(not_yet.contains("graylog, token") && not_yet.contains("not built yet"), "{not_yet}");
}

#[test]
fn dos_line_ends_blanks_comments_and_a_byte_order_mark() {
    let s = text("\u{feff}# comment\r\n\r\n  device = eth0 , eth1\t\r\n   # more\r\nbodylen=\r\ninterval=30")
        .unwrap();
    assert_eq!(s.device.only, ["eth0", "eth1"]);
    assert_eq!((s.interval, s.body_len), (30, 1024));
    assert!(s.warnings.is_empty());
}

#[test]
fn every_error_is_told_with_line_key_expectation_and_the_nearest_key() {
    let got = wrong(
        "device=any\ndevcie=eth0\ninterval=soon\njson-size=150\n\nfilter-net=10.0.0.0/40\nl4-switch\nfoo bar\n",
    );
    assert_eq!(
        got,
        [
            "mfnano.conf:2: `devcie`: there is no such key; expected a key that `mfnano config` lists; did you mean `device`?",
            "mfnano.conf:3: interval: `soon` is not that; expected a whole number from 1 to 604800",
            "mfnano.conf:4: json-size: `150` is not that; expected a multiple of 100 from 100 to 100000000",
            "mfnano.conf:6: filter-net: `10.0.0.0/40`: the mask of IPv4 is a number from 0 to 32, or like 255.255.255.0; \
             expected a comma list of IP, IP/mask, IP~IP, port or IP:port (IPv6 with a port: [IP]:port)",
            "mfnano.conf:7: `=` is missing; expected key=value, or # before a comment",
            "mfnano.conf:8: this is no key=value; expected key=value, or # before a comment",
        ]
    );
    let got = wrong("ignorel7=http,mysqll");
    assert!(got[0].contains("`mysqll` is not known; did you mean `mysql`?"), "{got:?}");
    assert!(wrong("password=a\u{1}b")[0].contains("control characters"));
    let e = load(Some(File { name: "f", bytes: b"\n\xff=1\n" }), &[]).unwrap_err();
    assert_eq!(e.to_string(), "f:2: the line is not UTF-8; expected key=value");
    assert_eq!(wrong(&"x\n".repeat(5000)).len(), 101);
    assert!(wrong(&"#".repeat(2 << 20))[0].contains("larger than"));
}

#[test]
fn a_flag_beats_the_file_and_the_file_the_default() {
    let conf = File { name: "c", bytes: b"interval=30\nbodylen=10\ndrop=22\n" };
    let s = load(Some(conf), &[flag(K::Interval, "60"), flag(K::Drop, "")]).unwrap();
    assert_eq!((s.interval, s.body_len, s.sample), (60, 10, 1));
    assert!(s.drop.is_none(), "an empty flag takes the file's value away");
    assert_eq!(s.written.display(K::Interval), ("60".into(), "command line: --interval".into()));
    assert_eq!(s.written.display(K::BodyLen), ("10".into(), "c:2".into()));
    assert_eq!(s.written.display(K::Format), ("nano".into(), "default".into()));
    let e = load(Some(conf), &[flag(K::Interval, "0")]).unwrap_err();
    assert!(e.to_string().starts_with("command line: --interval: interval: `0` is not that"), "{e}");
}

#[test]
fn empty_means_off_where_the_original_has_it_so() {
    let s = text("auto-check=\nl4-switch=\nproclist=nginx").unwrap();
    assert_eq!((s.content, s.l4), (Content::Off, Layer4Choice::Off));
    assert_eq!(s.written.display(K::AutoCheck), ("off".into(), "mfnano.conf:1".into()));
    assert!(s.warnings.is_empty());
    let s = text("").unwrap();
    assert_eq!((s.content, s.l4), (Content::Bodies, Layer4Choice::Net));
    assert!(text("auto-check=\nl4-switch=").unwrap().warnings[0].contains("nothing will be reported"));
}

#[test]
fn given_twice_the_last_counts_with_a_warning_and_ignorel7_adds_up() {
    let s = text("interval=10\ninterval=20\nlicense=\nlicense=\n").unwrap();
    assert_eq!(s.interval, 20);
    assert_eq!(
        s.warnings,
        ["mfnano.conf:2: interval: given a second time; this value counts, not that of mfnano.conf:1"]
    );
    let flags = [flag(K::IgnoreL7, "http"), flag(K::IgnoreL7, "dns,oracle")];
    let s = load(None, &flags).unwrap();
    assert_eq!(s.ignore.len(), 2 + usize::from(proto::ProtoId::by_name("oracle").is_some()));
    assert!(s.warnings.is_empty());
}

#[test]
fn secrets_are_not_shown() {
    let s = text("token=verysecret\npassword=verysecret\nencrypt=verysecret").unwrap();
    for id in [K::Token, K::Password, K::Encrypt] {
        assert_eq!(s.written.display(id).0, "(set, not shown)");
    }
    assert!(!s.warnings.join(" ").contains("verysecret"));
}

#[test]
fn proto_and_source_go_together() {
    let s = text("proto=dns\nsource=10.0.0.0/8").unwrap();
    assert_eq!(s.pin.unwrap().1, proto::ProtoId::Dns);
    assert!(text("proto=dns").unwrap().warnings[0].contains("without source"));
    assert!(text("source=10.0.0.1").unwrap().warnings[0].contains("without proto"));
}

#[test]
fn a_reload_is_taken_or_refused_whole() {
    let flags = [flag(K::BodyLen, "99")];
    let now = load(Some(File { name: "c", bytes: b"device=eth0\njsonsample=1" }), &flags).unwrap();
    let again = |bytes: &'static [u8]| reload(&now, &flags, File { name: "c", bytes });
    let s = again(b"device=eth0\njsonsample=5\nbodylen=1").unwrap();
    assert_eq!((s.sample, s.body_len), (5, 99), "the flag still beats the file");
    assert!(s.warnings.is_empty());
    let e = again(b"jsonsample=7\nbodylen=x\n").unwrap_err();
    assert_eq!(e.0.len(), 1);
    let s = again(b"device=eth9\njsonsample=7\nworkers=4").unwrap();
    assert_eq!((s.sample, s.workers), (7, 1));
    assert_eq!(s.device.only, ["eth0"]);
    assert_eq!(s.warnings, ["device, workers: changes at the next start only"]);
}

#[test]
fn keys_not_built_yet_say_so_only_when_given() {
    for key in KEYS.iter().filter(|k| k.effect == Effect::NotYet) {
        assert!(text("").unwrap().warnings.is_empty());
        let value = match key.id {
            K::PcapSize => "100",
            K::PcapFileSize | K::CpuLimit => "10",
            K::ForwardIp => "10.0.0.1",
            _ => "x",
        };
        let s = text(&format!("{}={value}", key.name)).unwrap();
        assert_eq!(s.warnings, [format!("{}: accepted, but not built yet: without effect", key.name)]);
    }
}

#[test]
fn any_bytes_load_or_name_the_line_that_is_wrong() {
    let mut x = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |n: usize| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x % n.max(1) as u64) as usize
    };
    let all: String = KEYS.iter().map(|k| format!("{}={}\r\n", k.name, k.default)).collect();
    for i in 0..600 {
        let mut bytes = if i % 2 == 0 { ORIGINAL.as_bytes().to_vec() } else { all.clone().into_bytes() };
        for _ in 0..1 + next(8) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes.splice(at..(at + 1).min(bytes.len()), [next(256) as u8]).for_each(drop),
                1 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [])),
                2 => bytes.insert(at, b"=\n\r#,\0 :9!"[next(10)]),
                _ => bytes.truncate(at + 1),
            }
        }
        fuzz_config(&bytes);
    }
    let random: Vec<u8> = (0..4000).map(|_| next(256) as u8).collect();
    fuzz_config(&random);
    fuzz_config(b"");
}
