//! How records become bytes: JSON for machines, a line for a person at a terminal.

use record::{Readable, Record, Writer, Zone};
use std::io::IsTerminal;

/// Writes records into batches.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each worker")]
pub enum Encoder {
    /// JSON, in the format of the writer.
    Json(Writer),
    /// A readable line.
    Readable(Readable),
}

impl Encoder {
    /// Readable lines when standard output is a terminal: with colours, unless NO_COLOR is set.
    /// `None` when it is a pipe or a file: that wants JSON.
    #[must_use]
    pub fn for_terminal(zone: Zone) -> Option<Encoder> {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        std::io::stdout().is_terminal().then(|| Encoder::Readable(Readable::new(zone, !plain)))
    }

    /// What stands above the lines for a person; nothing above JSON.
    #[must_use]
    pub fn heading(&self) -> Vec<u8> {
        let mut line = Vec::new();
        if let Encoder::Readable(readable) = self {
            readable.heading(&mut line);
            line.push(b'\n');
        }
        line
    }

    /// Appends a record.
    pub fn encode(&mut self, head: &Record, body: &Record, out: &mut Vec<u8>) {
        match self {
            Encoder::Json(writer) => writer.write(head, body, out),
            Encoder::Readable(readable) => readable.line(head, body, out),
        }
    }

    /// Sets DISK_RATIO, in hundredths of a percent, for the records to come.
    pub fn set_disk_ratio(&mut self, hundredths: u64) {
        if let Encoder::Json(writer) = self {
            writer.set_disk_ratio(hundredths);
        }
    }
}
