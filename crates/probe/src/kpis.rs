//! The reference of all records, as `mfnano kpis` prints it.

use record::{Field, Kind, f};

/// Every field of every record kind: key, type, name in ECS, meaning.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from("# Fields of all session records\n");
    table(&mut out, f::head::FIELDS);
    for kind in Kind::ALL {
        out.push_str(&format!("\n# RECORD={}\n", kind.name()));
        table(&mut out, kind.fields());
    }
    out
}

fn table(out: &mut String, fields: &[&Field]) {
    for field in fields {
        out.push_str(&format!(
            "{:<20} {:<10} {:<32} {}\n",
            field.key,
            format!("{:?}", field.ty),
            field.ecs,
            field.meaning
        ));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_and_its_fields_are_there() {
        let text = super::reference();
        for word in ["# RECORD=http\n", "# RECORD=probe\n", "PAGELOAD", "TIMESTAMP", "proc_name"] {
            assert!(text.contains(word), "{word}");
        }
    }
}
