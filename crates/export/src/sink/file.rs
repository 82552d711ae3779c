//! JSON files in a cycle: one record a line, the oldest file deleted first.
//!
//! Lines go to `mfnano.json`. When it is full it is renamed to `mfnano-TIME-N.json` and a new one is begun: the
//! inode stays, so that a shipper that follows the file reads on to its end. A file always ends with a
//! whole line, also on a full disk. Files of earlier runs count and are deleted in their turn.

use super::{FileConfig, Sink};
use crate::Batch;
use crate::queue::{Queue, Reason};
use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The file under way.
const CURRENT: &str = "mfnano.json";
/// The names of full ones begin and end with these; between them only digits and hyphens.
const FULL: (&str, &str) = ("mfnano-", ".json");
/// A cycle has this many files: one tenth is lost when the oldest goes.
const FILES: u64 = 10;
/// No file is planned smaller, whatever the cap.
const SMALLEST: u64 = 64 * 1024;
/// The longest end of a file that is looked through for the last whole line.
const MAX_LINE: u64 = 16 << 20;
/// How often the path is compared with the open file (somebody may have moved it).
const LOOK: Duration = Duration::from_secs(1);

/// The sink.
pub(super) struct Files {
    dir: PathBuf,
    cap: u64,
    /// A file is full at this size.
    size: u64,
    current: Option<File>,
    written: u64,
    /// Full files and their sizes, the oldest first.
    full: VecDeque<(PathBuf, u64)>,
    number: u32,
    looked: Option<Instant>,
}

impl Files {
    pub(super) fn open(config: FileConfig) -> io::Result<Files> {
        DirBuilder::new().recursive(true).mode(0o750).create(&config.path)?;
        let mut files = Files {
            dir: config.path,
            cap: config.cap,
            size: (config.cap / FILES).max(SMALLEST),
            current: None,
            written: 0,
            full: VecDeque::new(),
            number: 0,
            looked: None,
        };
        files.full = old_files(&files.dir)?;
        files.reopen()?;
        Ok(files)
    }

    /// Opens the current file and cuts off a line that an earlier run left unfinished.
    fn reopen(&mut self) -> io::Result<()> {
        self.current = None;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW);
        let mut file = options.open(self.dir.join(CURRENT))?;
        self.written = file.metadata()?.len();
        let whole = whole_lines(&mut file, self.written)?;
        if whole < self.written {
            file.set_len(whole)?;
            self.written = whole;
        }
        self.current = Some(file);
        Ok(())
    }

    /// Renames the full file and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        self.number = self.number.wrapping_add(1) % 10_000;
        let name = format!("{}{now:013}-{:04}{}", FULL.0, self.number, FULL.1);
        let path = self.dir.join(name);
        fs::rename(self.dir.join(CURRENT), &path)?;
        self.full.push_back((path, self.written));
        self.reopen()
    }

    /// Deletes the oldest files until `more` bytes fit.
    fn make_room(&mut self, more: u64) {
        let mut total = self.written + self.full.iter().map(|(_, n)| n).sum::<u64>();
        while total + more > self.cap
            && let Some((path, n)) = self.full.pop_front()
        {
            // Gone already is as good.
            let _ = fs::remove_file(path);
            total = total.saturating_sub(n);
        }
    }

    /// Opens the file again when the path no longer leads to it.
    fn look(&mut self) {
        if self.looked.is_some_and(|t| t.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let id = |m: fs::Metadata| (m.dev(), m.ino());
        let open = self.current.as_ref().and_then(|f| f.metadata().ok()).map(id);
        let there = fs::symlink_metadata(self.dir.join(CURRENT)).ok().map(id);
        if open.is_none() || open != there {
            let _ = DirBuilder::new().recursive(true).mode(0o750).create(&self.dir);
            let _ = self.reopen();
        }
    }
}

impl Sink for Files {
    fn send(&mut self, batch: &Batch, queue: &Queue) {
        self.look();
        let lines = batch.lines();
        if self.written > 0 && self.written + lines.len() as u64 > self.size {
            // When it cannot be renamed, writing goes on: the records are worth more.
            let _ = self.rotate();
        }
        self.make_room(lines.len() as u64);
        let Some(file) = &mut self.current else { return queue.account.drop(batch.len(), Reason::DiskFull) };
        let mut done = 0;
        while let Some(rest) = lines.get(done..).filter(|r| !r.is_empty()) {
            match file.write(rest) {
                Ok(n) if n > 0 => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let (count, end) = batch.whole_within(done);
        if end == done || file.set_len(self.written + end as u64).is_ok() {
            self.written += end as u64;
        } else {
            // The cut line cannot be taken back: none may follow it in this file.
            self.written += done as u64;
            let _ = self.rotate();
        }
        queue.account.sent(count);
        if count < batch.len() {
            queue.account.drop(batch.len() - count, Reason::DiskFull);
        }
    }

    fn tick(&mut self) {
        self.look();
    }
}

/// The full files of earlier runs, the oldest first.
fn old_files(dir: &Path) -> io::Result<VecDeque<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().and_then(|n| n.strip_prefix(FULL.0)).and_then(|n| n.strip_suffix(FULL.1));
        let ours = ours.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
        if ours
            && let Ok(m) = entry.metadata()
            && m.is_file()
        {
            files.push((entry.path(), m.len()));
        }
    }
    files.sort();
    Ok(files.into())
}

/// How many bytes of a file are whole lines.
fn whole_lines(file: &mut File, len: u64) -> io::Result<u64> {
    let from = len.saturating_sub(MAX_LINE);
    let mut end = len;
    let mut block = vec![0; 64 * 1024];
    while end > from {
        let n = (end - from).min(block.len() as u64);
        let Some(part) = block.get_mut(..n as usize) else { break };
        file.seek(SeekFrom::Start(end - n))?;
        file.read_exact(part)?;
        if let Some(i) = part.iter().rposition(|b| *b == b'\n') {
            return Ok(end - n + i as u64 + 1);
        }
        end -= n;
    }
    Ok(if from == 0 { 0 } else { len })
}

#[cfg(test)]
mod tests;
