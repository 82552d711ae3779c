//! Files of `/proc` (proc(5)): small, of the kernel, but with process names that anybody chooses.

use std::io::Read;
use std::path::Path;

/// Larger than any file read here needs: `stat` begins with the line that is wanted.
pub(super) const BUFFER: usize = 4096;

/// Reads the beginning of a file; `None` when it is not there any more.
pub(super) fn read_into<'a>(path: &Path, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut len = 0;
    while let Some(room) = buffer.get_mut(len..).filter(|r| !r.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None, // ESRCH: the process went away
        }
    }
    buffer.get(..len)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Words between blanks.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty())
}

/// CPU time of the host since its start, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cpu {
    /// All but the two below.
    pub(super) busy: u64,
    pub(super) idle: u64,
    pub(super) iowait: u64,
}

impl Cpu {
    pub(super) fn total(&self) -> u64 {
        self.busy.saturating_add(self.idle).saturating_add(self.iowait)
    }
}

/// The line `cpu` of `/proc/stat`: user nice system idle iowait irq softirq steal (guest is in user).
pub(super) fn cpu(stat: &[u8]) -> Option<Cpu> {
    let line = stat.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(b"cpu "))?;
    let mut cpu = Cpu::default();
    let mut columns = 0;
    for (i, word) in words(line).take(8).enumerate() {
        let n = number(word)?;
        columns = i;
        match i {
            3 => cpu.idle = n,
            4 => cpu.iowait = n,
            _ => cpu.busy = cpu.busy.saturating_add(n),
        }
    }
    (columns >= 3).then_some(cpu)
}

/// Memory of the host, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total: u64,
    /// For new work without swapping.
    pub(super) available: u64,
}

impl Memory {
    pub(super) fn used(&self) -> u64 {
        self.total.saturating_sub(self.available)
    }
}

/// `/proc/meminfo`. Kernels before 3.14 have no MemAvailable: free, buffers and cache then.
pub(super) fn memory(meminfo: &[u8]) -> Option<Memory> {
    let row = |name: &[u8]| {
        let line = meminfo.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(name))?;
        number(words(line.strip_prefix(b":")?).next()?).map(|kb| kb.saturating_mul(1024))
    };
    let total = row(b"MemTotal").filter(|n| *n > 0)?;
    let old = || {
        let parts: [&[u8]; 3] = [b"MemFree", b"Buffers", b"Cached"];
        parts.iter().fold(0u64, |n, name| n.saturating_add(row(name).unwrap_or(0)))
    };
    Some(Memory { total, available: row(b"MemAvailable").unwrap_or_else(old) })
}

/// The load of 5 minutes in hundredths, from `/proc/loadavg`.
pub(super) fn load_5(loadavg: &[u8]) -> Option<u64> {
    let word = std::str::from_utf8(words(loadavg).nth(1)?).ok()?;
    let (whole, part) = word.split_once('.').unwrap_or((word, ""));
    let digits: String = part.chars().chain("00".chars()).take(2).collect();
    let (whole, part) = (whole.parse::<u64>().ok()?, digits.parse::<u64>().ok()?);
    whole.checked_mul(100)?.checked_add(part)
}

/// Resident pages, from `/proc/PID/statm`.
pub(super) fn statm_resident(statm: &[u8]) -> Option<u64> {
    number(words(statm).nth(1)?)
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u64,
    /// The kernel's name for it, at most 15 bytes, any bytes.
    pub(super) name: Vec<u8>,
    pub(super) state: u8,
    /// CPU time used so far, user and system, in ticks.
    pub(super) ticks: u64,
    /// When it began, ticks since the start of the host.
    pub(super) start: u64,
    /// Resident memory in pages.
    pub(super) pages: u64,
}

/// The kernel keeps 15 bytes of a name (TASK_COMM_LEN less the final 0).
const COMM: usize = 15;

impl Process {
    /// Has it this name, as far as the kernel keeps names?
    pub(super) fn is_named(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.name == name.get(..COMM).unwrap_or(name)
    }
}

/// `/proc/PID/stat`. The name stands in parentheses and may hold blanks and parentheses: it ends
/// at the last one.
pub(super) fn process(stat: &[u8]) -> Option<Process> {
    let open = stat.iter().position(|b| *b == b'(')?;
    let close = stat.iter().rposition(|b| *b == b')')?;
    let pid = number(stat.get(..open)?.trim_ascii())?;
    let name = stat.get(open + 1..close)?.to_vec();
    let mut rest = words(stat.get(close + 1..)?);
    let state = *rest.next()?.first()?;
    // Field 4 is next; the numbers below are those of proc(5).
    let mut field = 4;
    let mut nth = |n: usize| {
        let word = rest.nth(n - field)?;
        field = n + 1;
        Some(word)
    };
    let user = number(nth(14)?)?;
    let system = number(nth(15)?)?;
    let start = number(nth(22)?)?;
    let pages = number(nth(24)?).unwrap_or(0); // signed in the kernel
    state.is_ascii_graphic().then_some(Process {
        pid,
        name,
        state,
        ticks: user.saturating_add(system),
        start,
        pages,
    })
}

/// The processes of the host. Those that go away meanwhile are left out.
pub(super) fn processes(proc: &Path, most: usize) -> Vec<Process> {
    let mut list = Vec::new();
    let Ok(entries) = std::fs::read_dir(proc) else { return list };
    let mut buffer = [0; BUFFER];
    let mut path = proc.to_path_buf();
    for entry in entries.flatten() {
        let name = entry.file_name();
        if list.len() >= most {
            break;
        }
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        path.push(&name);
        path.push("stat");
        list.extend(read_into(&path, &mut buffer).and_then(process));
        path.pop();
        path.pop();
    }
    list
}

/// Fuzz entry: no bytes make the readers panic; a process that is read keeps its name.
#[doc(hidden)]
pub fn fuzz_proc(data: &[u8]) {
    let _ =
        (cpu(data).map(|c| c.total()), memory(data).map(|m| m.used()), load_5(data), statm_resident(data));
    if let Some(p) = process(data) {
        assert!(data.windows(p.name.len() + 2).any(|w| w.get(1..=p.name.len()) == Some(&p.name[..])));
    }
}
