use super::proc::*;
use super::*;
use base::SECOND;
use std::fs;

/// A `/proc` of our own, gone with the test.
struct Fixture(PathBuf);

impl Fixture {
    fn new(name: &str) -> Fixture {
        let dir = std::env::temp_dir().join(format!("mfnano-host-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let f = Fixture(dir);
        f.put("stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\nintr 5\n");
        f.put(
            "meminfo",
            "MemTotal:        4194304 kB\nMemFree:          100 kB\nMemAvailable:    1048576 kB\n",
        );
        f.put("loadavg", "0.50 1.07 2.00 3/200 1234\n");
        f
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn process(&self, pid: u64, name: &str, ticks: u64, pages: u64) {
        let stat = format!(
            "{pid} ({name}) S 1 1 1 0 -1 4194560 1 2 3 4 {} {} 7 8 20 0 1 0 {} 1000 {pages} 18446744073709551615\n",
            ticks / 2,
            ticks - ticks / 2,
            pid * 10
        );
        self.put(&format!("{pid}/stat"), &stat);
    }

    fn sampler(&self) -> Sampler {
        Sampler {
            proc: self.0.clone(),
            disk: PathBuf::from("/"),
            host_name: b"web1".to_vec(),
            sys_info: "Test 1".to_owned(),
            ticks_per_second: 100,
            page: 4096,
            before: None,
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::new(1_700_000_000 + secs, 0)
}

fn names(records: &[(Record, Record)]) -> Vec<String> {
    let name = |b: &Record| String::from_utf8_lossy(b.text_of(&f::host::PROC_NAME)).into_owned();
    records.iter().map(|(_, b)| name(b)).collect()
}

#[test]
fn what_happened_between_two_samples() {
    let fix = Fixture::new("between");
    fix.process(10, "nginx", 1000, 262_144);
    fix.process(11, "tmux: (a) b)", 0, 1);
    let list = ProcList::Busiest(2);
    let mut s = fix.sampler();
    assert!(s.sample(at(0), &list).is_empty(), "the first sample begins the interval");

    fix.put("stat", "cpu  300 0 200 1200 200 50 50 0 0 0\n");
    fix.process(10, "nginx", 1500, 262_144);
    let records = s.sample(at(10), &list);
    assert_eq!(names(&records), ["nginx", "tmux: (a) b)"]);
    let (head, body) = &records[0];
    assert_eq!(head.text_of(&f::head::RECORD), b"host");
    assert_eq!(head.get(&f::head::TIMESTAMP), Some(Value::Time(at(10))));
    // 1000 ticks passed: 500 idle, 100 waiting.
    for (field, want) in [
        (&f::host::HOST_CPU, 4000),
        (&f::host::HOST_WA, 1000),
        (&f::host::HOST_MEM, 7500),
        (&f::host::HOST_MEM_USAGE, 300),
        (&f::host::HOST_MEM_TOTAL, 400),
        (&f::host::HOST_LOAD, 107),
        (&f::host::PROC_CPU, 5000), // 5 s of CPU in 10 s
        (&f::host::PROC_MEM, 2500), // 1 GB of 4
    ] {
        assert_eq!(body.get(field), Some(Value::Hundredths(want)), "{}", field.key());
    }
    assert_eq!(body.get(&f::host::PROC_PID), Some(Value::Num(10)));
    assert_eq!(body.text_of(&f::host::PROC_STS), b"S");
    assert_eq!(body.text_of(&f::host::HOST_NAME), b"web1");
    assert_eq!(body.text_of(&f::host::SYS_INFO), b"Test 1");
    for field in [&f::host::HOST_DISK, &f::host::HOST_DISK_USE, &f::host::HOST_DISK_TOTAL, &f::host::SELF_CPU]
    {
        assert!(body.get(field).is_some(), "{}", field.key());
    }
    let mut keys: Vec<_> = body.entries().iter().map(|e| e.field.key()).collect();
    keys.sort_unstable();
    let len = keys.len();
    keys.dedup();
    assert_eq!((len, len), (keys.len(), f::host::FIELDS.len()), "each field once, none is missing");
}

#[test]
fn processes_by_name_new_ones_gone_ones_and_reused_ids() {
    let fix = Fixture::new("names");
    fix.process(10, "nginx", 5000, 1);
    fix.process(11, "postgres", 10, 1);
    let list = ProcList::Names(vec!["nginx".into(), "a-very-long-process-name".into()]);
    let mut s = fix.sampler();
    s.sample(at(0), &list);
    fix.process(10, "nginx", 5100, 1);
    fix.process(12, "nginx", 300, 1); // new: all of its time is of this interval
    fix.process(13, "a-very-long-pro", 1, 1);
    let records = s.sample(at(10), &list);
    assert_eq!(names(&records), ["nginx", "nginx", "a-very-long-pro"]);
    let cpu: Vec<_> = records.iter().map(|(_, b)| b.get(&f::host::PROC_CPU)).collect();
    assert_eq!(cpu, [3000, 1000, 10].map(|n| Some(Value::Hundredths(n))), "the busiest first");

    for pid in ["10", "12", "13"] {
        fs::remove_dir_all(fix.0.join(pid)).unwrap();
    }
    let records = s.sample(at(20), &list);
    assert_eq!(records.len(), 1, "none of the listed runs");
    assert_eq!(records[0].1.get(&f::host::PROC_NAME), None);
    assert!(records[0].1.get(&f::host::HOST_MEM).is_some());

    // The id comes back with another start: its time counts from 0 again.
    fix.put("10/stat", "10 (nginx) R 1 1 1 0 -1 0 1 2 3 4 50 50 7 8 20 0 1 0 99999 1000 1 0\n");
    let records = s.sample(at(30), &list);
    assert_eq!(records[0].1.get(&f::host::PROC_CPU), Some(Value::Hundredths(1000)));
}

#[test]
fn an_odd_or_empty_proc_leaves_out_what_it_does_not_tell() {
    let fix = Fixture::new("odd");
    for (path, text) in [
        ("stat", "cpu  1 2\n"),
        ("meminfo", "nonsense"),
        ("loadavg", ""),
        ("1/stat", ""),
        ("2/stat", "2 (x"),
        ("3/stat", "3 (x) S 1 2"),
        ("4/other", "no stat at all"),
        ("self/stat", "5 (x) S"),
    ] {
        fix.put(path, text);
    }
    let mut s = fix.sampler();
    let list = ProcList::Busiest(5);
    s.sample(at(0), &list);
    let records = s.sample(at(1), &list);
    assert_eq!(records.len(), 1);
    for field in [&f::host::HOST_CPU, &f::host::HOST_MEM, &f::host::HOST_LOAD, &f::host::PROC_PID] {
        assert_eq!(records[0].1.get(field), None, "{}", field.key());
    }
    assert!(s.sample(at(1), &list).is_empty(), "no time has passed");
    fs::remove_dir_all(&fix.0).unwrap();
    assert_eq!(s.sample(at(2), &list).len(), 1);
}

#[test]
fn the_real_proc_is_read() {
    let mut s = Sampler::new();
    let list = ProcList::Busiest(3);
    let now = Timestamp(1_700_000_000 * SECOND);
    assert!(s.sample(now, &list).is_empty());
    let records = s.sample(now.plus(SECOND), &list);
    assert!(!records.is_empty() && records.len() <= 3);
    assert!(records[0].1.get(&f::host::PROC_PID).is_some());
    let own = read_into(Path::new("/proc/self/stat"), &mut [0; BUFFER]).and_then(process).unwrap();
    assert_eq!(own.pid, u64::from(std::process::id()));
    let (cpu, rss) = self_usage();
    assert!(cpu > 0 && rss > 100_000);
    assert!(disk_ratio().unwrap() <= 10_000);
}

#[test]
fn forms_of_the_files() {
    assert_eq!(load_5(b"1 12 3"), Some(1200));
    assert_eq!(load_5(b"1 12.3 3"), Some(1230));
    assert_eq!(load_5(b"1 12.345 3"), Some(1234));
    assert_eq!(load_5(b"1 x 3"), None);
    let old = b"MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 20 kB\nCached: 30 kB\nSwapCached: 9 kB\n";
    assert_eq!(memory(old), Some(Memory { total: 102_400, available: 61_440 }));
    assert_eq!(cpu(b"cpu  1 2 3 4\n"), Some(Cpu { busy: 6, idle: 4, iowait: 0 }));
    assert_eq!(hundredths(u64::MAX, 1), Some(u64::MAX));
    assert_eq!(hundredths(1, 0), None);
}

#[test]
fn no_bytes_make_the_readers_panic() {
    let mut x = 0x1234_5678_9abc_def1u64;
    let mut next = move |n: usize| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x % n as u64) as usize
    };
    const SEEDS: [&[u8]; 4] = [
        b"10 (a) b) S 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 99999 1000 1 0\n",
        b"cpu  300 0 200 1200 200 50 50 0 0 0\n",
        b"MemTotal: 100 kB\nMemFree: 10 kB\n",
        b"0.50 1.07 2.00 3/200 1234\n",
    ];
    for i in 0..2000 {
        let mut bytes = SEEDS[i % 4].to_vec();
        for _ in 0..1 + next(5) {
            let at = next(bytes.len());
            bytes[at] = b"() 09.-:\n\xff\0M"[next(12)];
        }
        bytes.truncate(next(bytes.len() + 1) + 1);
        fuzz_proc(&bytes);
    }
    fuzz_proc(b"");
    fuzz_proc(b")(");
}
