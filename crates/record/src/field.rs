//! A field: one row of the table that all formats are made from.

use crate::Format;

/// How a value is measured and typed in the typed formats (`nano` writes all as strings).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text, UTF-8.
    Text,
    /// A short word of a small set (a keyword in search engines).
    Word,
    /// A whole number.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds with three decimals, held in nanoseconds.
    Millis,
    /// A number with two decimals, held in hundredths.
    Hundredths,
    /// A port number.
    Port,
    /// An IPv4 or IPv6 address.
    Ip,
    /// An Ethernet address.
    Mac,
    /// A moment in local time, `2024-05-30 07:16:48.917`.
    LocalTime,
    /// A moment in local time without decimals, `2024-05-30 07:16:48`.
    LocalSeconds,
    /// A comma list of addresses: an array in `ecs`.
    IpList,
    /// A comma list of words: an array in `ecs`.
    WordList,
    /// A moment as seconds since the epoch with six decimals.
    EpochTime,
}

/// One row of the field table.
#[derive(Debug)]
pub struct Field {
    /// Type and unit.
    pub ty: Type,
    /// What it means, in one line of the reference page.
    pub meaning: &'static str,
    /// `,"KEY":` ready to be written: nano, gelf (with `_`), ecs. The bare keys are parts of them: each byte
    /// here counts some 230 times in the size of the program.
    pub quoted: [&'static str; 3],
}

impl Field {
    /// `,"KEY":` of a format.
    #[inline]
    #[must_use]
    pub fn quoted_in(&self, format: Format) -> &'static str {
        let [nano, gelf, ecs] = self.quoted;
        match format {
            Format::Nano => nano,
            Format::Gelf => gelf,
            Format::Ecs => ecs,
        }
    }

    /// The key in `nano` (and, after an underscore, in `gelf`).
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.key_in(Format::Nano)
    }

    /// The key in `ecs`.
    #[must_use]
    pub fn ecs(&self) -> &'static str {
        self.key_in(Format::Ecs)
    }

    /// The bare key of a format.
    #[must_use]
    pub fn key_in(&self, format: Format) -> &'static str {
        self.quoted_in(format).trim_start_matches(",\"").trim_end_matches("\":")
    }
}

/// Declares the fields of one record kind: statics and a `FIELDS` table in declared order.
///
/// `NAME "nano key" Type "ecs.key" "meaning";`, and `NAME "nano key" ("gelf key") Type ...` where GELF
/// has the nano key for something else.
macro_rules! fields {
    (@gelf $key:literal) => { concat!(",\"_", $key, "\":") };
    (@gelf $key:literal $gelf:literal) => { concat!(",\"", $gelf, "\":") };
    ($($name:ident $key:literal $(($gelf:literal))? $ty:ident $ecs:literal $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub static $name: $crate::Field = $crate::Field {
                ty: $crate::Type::$ty,
                meaning: $meaning,
                quoted: [
                    concat!(",\"", $key, "\":"),
                    $crate::field::fields!(@gelf $key $($gelf)?),
                    concat!(",\"", $ecs, "\":"),
                ],
            };
        )*
        /// All of them, in declared order.
        pub static FIELDS: &[&$crate::Field] = &[$(&$name),*];
    };
}
pub(crate) use fields;
