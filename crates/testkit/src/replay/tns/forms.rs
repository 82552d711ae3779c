//! Forms of numbers, texts, rows and verdicts.

/// In which forms calls and verdicts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// JDBC 10: numbers as a count and bytes, texts bare.
    Jdbc10,
    /// python-oracledb with a server 12.2 to 19: texts with a count or in chunks.
    Thin,
    /// The same with a server 23: a token in each call, two more numbers in a verdict, answers that tell their end.
    Thin23,
    /// OCI 10 on 64 bit: fixed widths, little endian.
    Oci,
}

/// How a call ended.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Rows changed, or returned so far.
    pub rows: u32,
    /// The cursor of the statement.
    pub cursor: u8,
    /// Number and text of an error.
    pub error: Option<(u32, String)>,
    /// It is a query: rows of so many bytes each come first.
    pub query: Option<usize>,
    /// It is a query with more rows to fetch.
    pub more: bool,
    /// The server breaks in (markers) before it tells the error.
    pub breaks: bool,
}

impl Verdict {
    /// So many rows were changed.
    #[must_use]
    pub fn changed(rows: u32, cursor: u8) -> Verdict {
        Verdict { rows, cursor, ..Verdict::default() }
    }

    /// All rows of a query.
    #[must_use]
    pub fn rows(rows: u32, each: usize, cursor: u8) -> Verdict {
        Verdict { rows, cursor, query: Some(each), ..Verdict::default() }
    }

    /// An error, behind markers.
    #[must_use]
    pub fn error(number: u32, text: &str, cursor: u8) -> Verdict {
        let error = Some((number, text.to_owned()));
        Verdict { cursor, error, breaks: true, ..Verdict::default() }
    }
}

/// A number as thin clients write it: a count of bytes, those without leading zeros.
pub(super) fn number(n: u64) -> Vec<u8> {
    let skip = n.leading_zeros() as usize / 8;
    let bytes = &n.to_be_bytes()[skip..];
    [&[bytes.len() as u8], bytes].concat()
}

/// Bytes with their count: of one byte, or in chunks with a number each.
pub(super) fn counted(bytes: &[u8]) -> Vec<u8> {
    const SHORT: usize = 252;
    const CHUNK: usize = 32767;
    if bytes.len() <= SHORT {
        return [&[bytes.len() as u8], bytes].concat();
    }
    let chunks = bytes.chunks(CHUNK).flat_map(|c| [number(c.len() as u64), c.to_vec()].concat());
    [0xfe].into_iter().chain(chunks).chain([0]).collect()
}

/// Chunks of OCI: counts of one byte.
pub(super) fn counted_oci(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() < 250 {
        return [&[bytes.len() as u8], bytes].concat();
    }
    let chunks = bytes.chunks(64).flat_map(|c| [&[c.len() as u8], c].concat());
    [0xfe].into_iter().chain(chunks).chain([0]).collect()
}

/// A pointer of OCI that stands for itself.
pub(super) const POINTER: [u8; 8] = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// The verdict: numbers, and the message.
pub(super) fn verdict(style: Style, seq: u8, v: &Verdict) -> Vec<u8> {
    const END: (u32, &str) = (1403, "ORA-01403: no data found\n");
    let end = v.query.is_some() && !v.more && v.error.is_none();
    let line = v.error.as_ref().map(|(n, text)| (*n, format!("{text}\n")));
    let (error, message) = line.unwrap_or(if end { (END.0, END.1.to_owned()) } else { (0, String::new()) });
    let message = if message.is_empty() { Vec::new() } else { counted(message.as_bytes()) };
    let rows = u64::from(v.rows);
    if style == Style::Oci {
        let mut b = vec![0; 142];
        (b[0], b[1], b[7], b[18], b[49], b[52]) = (4, 1, 1, v.cursor, seq, 1);
        b[8..12].copy_from_slice(&v.rows.to_le_bytes());
        b[12..14].copy_from_slice(&(error as u16).to_le_bytes());
        return [b, message].concat();
    }
    let mut out =
        [vec![4], number(1), number(u64::from(seq)), number(rows), number(u64::from(error))].concat();
    // Errors of arrays; the cursor; the position; kind, fatal; flags.
    out.extend([vec![0, 0], number(u64::from(v.cursor)), vec![0, 3, 0]].concat());
    match style {
        Style::Jdbc10 => out.extend(number(0x20)),
        _ => out.push(0x20),
    }
    // Options, parameter, warnings; the row's identifier; the system's error; number of the statement.
    out.extend(
        [vec![0; 3], number(70_000), number(4), vec![0], number(300), number(v.rows.into()), vec![0, 0]]
            .concat(),
    );
    out.push(seq);
    if style == Style::Jdbc10 {
        out.extend([0, 1, 1, 0, 0, 0, 0]);
    } else {
        // Padding, iterations, logical row, three of arrays; error and rows with more digits.
        out.extend([vec![0], number(1), vec![0; 4], number(error.into()), number(rows)].concat());
    }
    if style == Style::Thin23 {
        out.extend([number(3), number(0)].concat());
    }
    [out, message].concat()
}

/// A description of one column, then rows of so many bytes each.
pub(super) fn rows(count: u32, each: usize) -> Vec<u8> {
    let mut out =
        [&[0x10, 0x17][..], &[0xa5; 23], &number(each as u64), &number(1), &[1, 1, 0x80, 0, 0]].concat();
    out.extend(
        [&number(each as u64)[..], &[0; 6], &[1], b"A", &[0; 6], &[6, 0], &number(1), &[0; 8]].concat(),
    );
    for i in 0..count {
        let text: Vec<u8> = format!("row {i} ").bytes().cycle().take(each).collect();
        out.push(7);
        out.extend(counted(&text));
    }
    out
}
