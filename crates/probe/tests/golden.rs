//! Every capture of `testdata/` gives the records that stand beside it, to the byte.
//! `UPDATE=1 ONLY=dns/ cargo test -p mfnano --test golden` writes those of a folder anew, to be
//! reviewed in the diff.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{load, tell, testdata};
use std::process::Command;
use testkit::golden;

#[test]
fn captures_give_the_expected_records() {
    let n = golden::check(&testdata(), &["PROBE_VER"], |pcap| {
        let frames = load(pcap);
        tell(frames.iter().map(|f| f.frame())).records
    });
    assert!(n > 0, "no case in testdata");
}

/// What the tests above hold is what a user sees: the program tells the same, but for its version.
#[test]
fn the_program_tells_the_same() {
    for protocol in ["http", "dns"] {
        let cases = golden::cases(&testdata());
        let case = cases.iter().find(|c| c.parent().is_some_and(|p| p.ends_with(protocol)));
        let pcap = case.expect("a case").join("in.pcap");
        let run = Command::new(env!("CARGO_BIN_EXE_mfnano"))
            .args(["read".as_ref(), pcap.as_os_str()])
            .env("TZ", "UTC")
            .output()
            .expect("the program runs");
        assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
        let text = String::from_utf8(run.stdout).expect("UTF-8");
        let without = |line: &str| {
            let kept =
                golden::members(line).into_iter().filter(|(k, _)| !["PROBE_VER", "LICENSE"].contains(k));
            kept.map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>()
        };
        let got: Vec<_> = text.lines().map(without).collect();
        let frames = load(&pcap);
        let want: Vec<_> =
            tell(frames.iter().map(|f| f.frame())).records.iter().map(|r| without(r)).collect();
        assert_eq!(got, want, "{}", pcap.display());
    }
}
