//! The page of the protocols, made from the registry, the field table and the page that each room
//! begins with, so that they cannot disagree. `UPDATE=1` writes it anew.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that reads and writes a page")]

use proto::{PROTOCOLS, ProtoDef, ROOMS};
use record::Kind;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const INTRODUCTION: &str = "# Protocols

Made from the code by `make docs`; do not edit.

A protocol is recognised by the content of the first bytes of a connection (or datagram), on any port: the ports below
are only tried first. Both directions have their say; a connection that was joined in its middle is recognised by later
messages, and may turn out to run the other way round; a guess that proves wrong is taken back. `proto` and `source` in the
configuration say what some ends speak, `ignorel7` leaves protocols out.

What holds for all: header, body, statement and similar fields are cut at `bodylen` (1,024 bytes by default), contents beyond it are counted
and passed over, never held; a message that must be whole to be understood may have 256 KiB; of one connection at most
1,024 requests wait for their answers. Losses cost the transactions that they touch (QUALITY `gap`).

";

fn kind(p: &ProtoDef) -> Option<Kind> {
    Kind::ALL.into_iter().find(|k| k.fields().iter().any(|f| std::ptr::eq(*f, p.response)))
}

fn list<T: std::fmt::Display>(of: &[T]) -> String {
    of.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// The page that a room begins with.
fn page(room: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = [root.join(room).join("mod.rs"), root.join(format!("{room}.rs"))];
    let file: &PathBuf = file.iter().find(|f| f.exists()).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map_while(|l| l.strip_prefix("//!"));
    lines.map(|l| l.strip_prefix(' ').unwrap_or(l)).fold(String::new(), |all, l| all + l + "\n")
}

fn protocols_markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    out.push_str("| protocol | in `nano` | record | TCP ports tried first | UDP |\n|---|---|---|---|---|\n");
    for p in PROTOCOLS {
        let [nano, name] = *p.names;
        // What is only told apart makes no records.
        let record = if p.bound { "none" } else { kind(p).map_or("none", Kind::name) };
        let _ = writeln!(out, "| {name} | {nano} | {record} | {} | {} |", list(p.tcp), list(p.udp));
    }
    for (p, room) in PROTOCOLS.iter().zip(ROOMS) {
        let [_, name] = *p.names;
        let _ = writeln!(out, "\n## {name}\n\n{}", page(room).trim_end());
        if let Some(kind) = kind(p).filter(|_| !p.bound) {
            let fields: Vec<String> = kind.fields().iter().map(|f| format!("`{}`", f.key())).collect();
            let _ = writeln!(out, "\nFields (those that were measured): {}.", list(&fields));
        }
    }
    out
}

#[test]
fn the_page_of_the_protocols_is_in_step() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocols.md");
    let want = protocols_markdown();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let have = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(have == want, "docs/protocols.md is not in step: run `make docs`");
}
