//! The reference page of the records, made from the field table.

use crate::{Field, Format, Kind, Type, f};
use std::fmt::Write;

/// `docs/records.md`: all kinds with all fields, their key in each format, type, unit and meaning.
#[must_use]
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Records

This page is generated from the field table in `crates/record/src/kinds/`; to change it, change the table and run
`UPDATE=1 cargo test -p record reference`.

One record is one JSON object. `format=` chooses its shape:

- `nano` (default): a flat object, every value a JSON string (`numbers=1`: numbers as JSON numbers).
- `gelf`: GELF 1.1. `version`, `host`, `short_message` (a line that says what the record tells), `timestamp` and `level`, then the
  fields below, numbers as JSON numbers.
- `ecs`: Elastic Common Schema, dotted keys, numbers as JSON numbers, moments in UTC, lists as arrays. Beside the fields below:
  `message`, `ecs.version`, `event.module` and `event.duration` (ns).

What was not measured is left out, never written as 0.
",
    );
    section(&mut out, "Fields of several kinds", f::head::FIELDS);
    for kind in Kind::ALL {
        let title = format!("RECORD={}", kind.name());
        section(&mut out, &title, kind.fields());
    }
    out
}

fn section(out: &mut String, title: &str, fields: &[&Field]) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n## {title}\n\n| nano | gelf | ecs | type | meaning |\n|---|---|---|---|---|");
    for field in fields {
        let [nano, gelf, ecs] = Format::ALL.map(|format| field.key_in(format));
        let meaning = field.meaning.replace('|', "\\|");
        let _ = writeln!(out, "| `{nano}` | `{gelf}` | `{ecs}` | {} | {meaning} |", type_name(field.ty));
    }
}

/// Type and unit as the page says them.
fn type_name(ty: Type) -> &'static str {
    match ty {
        Type::Text => "text",
        Type::Word => "keyword",
        Type::Count => "number",
        Type::Bytes => "number, bytes",
        Type::Millis => "number, ms",
        Type::Hundredths => "number, 2 decimals",
        Type::Port => "port",
        Type::Ip => "address",
        Type::Mac => "Ethernet address",
        Type::LocalTime => "local time, ms",
        Type::LocalSeconds => "local time, s",
        Type::IpList => "addresses",
        Type::WordList => "keywords",
        Type::EpochTime => "epoch seconds, µs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test compares a file of the repository")]
    fn the_page_is_in_step_with_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/records.md");
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(path, reference_markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == reference_markdown(),
            "docs/records.md is old: UPDATE=1 cargo test -p record reference"
        );
    }

    /// No key stands twice in one record, in any format.
    #[test]
    fn keys_are_unique_in_each_kind() {
        for kind in Kind::ALL {
            for format in Format::ALL {
                let mut seen: BTreeSet<&str> = [
                    "version",
                    "short_message",
                    "timestamp",
                    "level",
                    "ecs.version",
                    "event.module",
                    "event.duration",
                    "_id",
                ]
                .into();
                if format == Format::Ecs {
                    seen.insert("message");
                }
                for field in f::head::FIELDS.iter().chain(kind.fields()) {
                    let key = field.key_in(format);
                    // The writer leaves one of these two out.
                    if (format, key) != (Format::Gelf, "_host_name") || kind != Kind::Host {
                        assert!(seen.insert(key), "{} has {key} twice in {}", kind.name(), format.name());
                    }
                }
            }
        }
    }

    /// All kinds may go into one index: a key has one type, and none is the parent of another.
    #[test]
    fn ecs_keys_agree_across_kinds() {
        let mut types: BTreeMap<&str, (&str, Type)> = BTreeMap::new();
        for field in Kind::ALL.iter().flat_map(|k| k.fields()).chain(f::head::FIELDS) {
            let had = types.insert(field.ecs(), (field.key(), field.ty));
            if let Some((key, ty)) = had {
                assert_eq!(
                    type_name(ty),
                    type_name(field.ty),
                    "{} of {key} and {}",
                    field.ecs(),
                    field.key()
                );
            }
        }
        let keys: BTreeSet<&str> = types.keys().copied().collect();
        for key in &keys {
            for (i, _) in key.match_indices('.') {
                assert!(!keys.contains(&key[..i]), "{} is the parent of {key}", &key[..i]);
            }
        }
    }

    /// Search engines keep the first type they see under a key, so the same key has one everywhere.
    #[test]
    fn nano_keys_agree_across_kinds() {
        let mut types: BTreeMap<&str, Type> = BTreeMap::new();
        for field in Kind::ALL.iter().flat_map(|k| k.fields()).chain(f::head::FIELDS) {
            let had = *types.entry(field.key()).or_insert(field.ty);
            let text = |t| matches!(t, Type::Text | Type::Word);
            assert!(had == field.ty || (text(had) && text(field.ty)), "{}", field.key());
        }
    }

    #[test]
    fn every_key_is_fit_for_gelf() {
        for field in Kind::ALL.iter().flat_map(|k| k.fields()).chain(f::head::FIELDS) {
            let key = field.key_in(Format::Gelf);
            assert!(key == "host" || key.starts_with('_'), "{key}");
            assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)), "{key}");
            assert!(!field.meaning.is_empty() && !field.ecs().is_empty());
        }
    }
}
