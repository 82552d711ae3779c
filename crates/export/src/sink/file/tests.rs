use super::*;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("mfnano-file-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Dir(dir)
    }

    fn open(&self, cap: u64) -> Files {
        Files::open(FileConfig { path: self.0.clone(), cap }).unwrap()
    }

    /// All files, the oldest first, the one under way last.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = old_files(&self.0).unwrap().into_iter().map(|f| f.0).collect();
        files.push(self.0.join(CURRENT));
        files
    }

    fn lines(&self) -> Vec<String> {
        let all: String = self.files().iter().map(|f| fs::read_to_string(f).unwrap()).collect();
        all.lines().map(str::to_string).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn batch(from: usize, count: usize) -> Batch {
    let mut batch = Batch::default();
    (from..from + count)
        .for_each(|i| batch.add(|o| o.extend_from_slice(format!("{{\"n\":{i:06}}}").as_bytes())));
    batch
}

#[test]
fn the_cycle_keeps_the_newest_within_the_cap() {
    let dir = Dir::new("cycle");
    let cap = 4 * SMALLEST;
    let mut files = dir.open(cap);
    let queue = Queue::new(0);
    for i in 0..500 {
        files.send(&batch(i * 100, 100), &queue);
        let total: u64 = dir.files().iter().map(|f| fs::metadata(f).unwrap().len()).sum();
        assert!(total <= cap, "{total}");
    }
    assert_eq!(queue.account.read().sent, 50_000);
    let lines = dir.lines();
    assert!(lines.len() as u64 > cap / 2 / 13);
    let first = 50_000 - lines.len();
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("{{\"n\":{:06}}}", first + i), "in order, none missing");
    }
    // Another run: what is there counts.
    let mut files = dir.open(2 * SMALLEST);
    files.send(&batch(50_000, 1), &queue);
    let total: u64 = dir.files().iter().map(|f| fs::metadata(f).unwrap().len()).sum();
    assert!(total <= 2 * SMALLEST);
    assert_eq!(dir.lines().last().unwrap(), "{\"n\":050000}");
}

/// A shipper that has the file open reads on to its end after it was renamed.
#[test]
fn who_follows_the_file_loses_nothing() {
    let dir = Dir::new("tail");
    let mut files = dir.open(10 * SMALLEST);
    let queue = Queue::new(0);
    files.send(&batch(0, 10), &queue);
    let mut open = File::open(dir.0.join(CURRENT)).unwrap();
    for i in 1..2000 {
        files.send(&batch(i * 10, 10), &queue);
    }
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("}\n") && text.len() as u64 <= files.size);
    let all = dir.lines();
    assert_eq!(all.len(), 20_000);
    assert!(text.lines().eq(all.iter().take(text.lines().count())), "from the first line on");
    assert_ne!(open.metadata().unwrap().ino(), fs::metadata(dir.0.join(CURRENT)).unwrap().ino());
}

#[test]
fn an_unfinished_line_of_an_earlier_run_is_cut_off() {
    let dir = Dir::new("cut");
    fs::create_dir_all(&dir.0).unwrap();
    let queue = Queue::new(0);
    for (text, want) in [("{\"a\":1}\n{\"b\":", 2), ("{\"b\":", 1), ("", 1), ("{\"a\":1}\n", 2)] {
        fs::write(dir.0.join(CURRENT), text).unwrap();
        dir.open(10 * SMALLEST).send(&batch(1, 1), &queue);
        let lines = dir.lines();
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (want, "{\"n\":000001}"));
    }
    let long = "x".repeat(200_000);
    fs::write(dir.0.join(CURRENT), format!("{{}}\n{long}")).unwrap();
    assert_eq!(dir.open(1 << 30).written, 3);
}

#[test]
fn a_file_that_was_moved_or_deleted_is_made_again() {
    let dir = Dir::new("moved");
    let mut files = dir.open(10 * SMALLEST);
    let queue = Queue::new(0);
    files.send(&batch(0, 1), &queue);
    fs::remove_dir_all(&dir.0).unwrap();
    files.looked = None;
    files.send(&batch(1, 1), &queue);
    assert_eq!(dir.lines(), ["{\"n\":000001}"]);
}

/// /dev/full cannot be truncated or renamed; a file system of its own is tested by hand. Here: no file at all.
#[test]
fn what_cannot_be_written_is_counted() {
    let dir = Dir::new("full");
    let mut files = dir.open(10 * SMALLEST);
    let queue = Queue::new(0);
    files.current = Some(File::open(dir.0.join(CURRENT)).unwrap()); // not for writing
    files.send(&batch(0, 3), &queue);
    let counts = queue.account.read();
    assert_eq!((counts.sent, counts.dropped_for(Reason::DiskFull)), (0, 3));
}

#[test]
fn a_link_in_place_of_the_file_is_not_followed() {
    let dir = Dir::new("link");
    fs::create_dir_all(&dir.0).unwrap();
    std::os::unix::fs::symlink("/dev/null", dir.0.join(CURRENT)).unwrap();
    assert!(Files::open(FileConfig { path: dir.0.clone(), cap: 1 << 20 }).is_err());
}
