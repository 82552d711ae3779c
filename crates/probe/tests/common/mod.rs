//! For whole-stream tests: captures as lists of frames, and what the engine tells of them with the
//! program's defaults (flow and application records, `nano`, `bodylen` 1024, UTC).
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests; each uses its part of it"
)]

use base::{Frame, LinkType, Seed, Timestamp};
use capture::file::FileSource;
use engine::{Account, Engine};
use probe::account::{self, WorkerAccount};
use probe::plan::{self, Shares};
use record::{Format, Identity, Record, Writer, Zone};
use std::path::{Path, PathBuf};

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Our own captures.
pub(crate) fn testdata() -> PathBuf {
    root().join("testdata")
}

/// A frame of a capture file, owned.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub(crate) time: Timestamp,
    pub(crate) link: LinkType,
    pub(crate) data: Vec<u8>,
    pub(crate) wire_len: u32,
    pub(crate) ifindex: u32,
    pub(crate) vlan: Option<(u16, u16)>,
}

impl Captured {
    /// As the engine takes it.
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame {
            time: self.time,
            link: self.link,
            data: &self.data,
            wire_len: self.wire_len,
            ifindex: self.ifindex,
            vlan: self.vlan,
            second_copy: false,
        }
    }
}

/// All frames of a capture file, up to where it breaks off.
pub(crate) fn load(path: &Path) -> Vec<Captured> {
    let mut source = FileSource::open(path).unwrap_or_else(|e| panic!("{e}"));
    let mut out = Vec::new();
    while let Ok(Some(f)) = source.next_frame() {
        out.push(Captured {
            time: f.time,
            link: f.link,
            data: f.data.to_vec(),
            wire_len: f.wire_len,
            ifindex: f.ifindex,
            vlan: f.vlan,
        });
    }
    out
}

/// What was told of a capture.
pub(crate) struct Told {
    /// Every record, `nano`, in the order of telling; the last is the account (RECORD=probe).
    pub(crate) records: Vec<String>,
    pub(crate) account: Account,
    /// Heap that the engine held after the end.
    pub(crate) held: usize,
}

/// An engine with the program's defaults, but for those given.
pub(crate) fn engine(change: impl FnOnce(&mut engine::Config)) -> Engine {
    let settings = probe::config::load(None, &[]).expect("the defaults are right");
    let shares = Shares::of(settings.mem_limit, 0, 1, 0);
    let mut config = plan::engine_config(&settings, shares.engine, Seed::default());
    change(&mut config);
    Engine::new(config)
}

/// What `work` makes an engine tell, then the account of it.
pub(crate) fn told_by(
    mut engine: Engine,
    work: impl FnOnce(&mut Engine, &mut dyn FnMut(&Record, &Record)),
) -> Told {
    let mut writer = Writer::new(Format::Nano, false, &Identity::default(), Zone::utc());
    let mut records = Vec::new();
    let mut take = |head: &Record, body: &Record| {
        let mut line = Vec::new();
        writer.write(head, body, &mut line);
        records.push(String::from_utf8(line).expect("records are UTF-8"));
    };
    work(&mut engine, &mut take);
    engine.finish(&mut take);
    let (head, body) = account::record(engine.now(), &WorkerAccount::of(&engine), None);
    take(&head, &body);
    Told { records, account: engine.account().clone(), held: engine.held() }
}

/// Reads frames as `mfnano read` does, with its defaults, but many at a time as a ring gives them.
pub(crate) fn tell<'a>(frames: impl IntoIterator<Item = Frame<'a>>) -> Told {
    // Files are read whole.
    let engine = engine(|config| config.background = true);
    let frames: Vec<Frame<'_>> = frames.into_iter().collect();
    told_by(engine, |engine, mut take| engine.frames(&frames, &mut take))
}

/// The value of a key in a record of `nano`, as written between the quotes.
pub(crate) fn value<'a>(record: &'a str, key: &str) -> Option<&'a str> {
    let members = testkit::golden::members(record);
    members.into_iter().find(|(k, _)| *k == key).map(|(_, v)| v.trim_matches('"'))
}
