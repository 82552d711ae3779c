//! Multipart bodies (RFC 2046 section 5.1, forms: RFC 7578): heads of parts and parts that are text
//! pass; of a binary part only its size is told, so that the fields of a form are seen behind a
//! large file.

use super::media::{Media, looks_binary};

/// Longest delimiter: RFC 2046 allows 70 characters in a boundary.
const DELIMITER: usize = 128;
/// Bytes of a part by which it is judged.
const JUDGED: usize = 256;
/// Bytes of a part's head that are looked at for its type.
const HEAD: usize = 1024;

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Behind a delimiter, to the end of its line.
    Delimiter,
    /// In the head of a part.
    Head,
    /// In the first bytes of a part, which are held until it is judged.
    Judging,
    /// In a part (or the preamble) that is text.
    Text,
    /// In a part that is left out.
    Binary,
}

/// State of one body.
#[derive(Debug)]
pub(super) struct Multipart {
    delimiter: Vec<u8>,
    at: At,
    /// Bytes of the delimiter that this line began with; `None` when it cannot be one any more.
    matched: Option<usize>,
    /// The part's head, then the first bytes of the part.
    held: Vec<u8>,
    media: Media,
    /// Bytes of the part, and whether the last line ended in CR LF.
    size: u64,
    last: u8,
    is_crlf: bool,
}

impl Multipart {
    /// For a boundary, if it can be one.
    pub(super) fn new(boundary: &[u8]) -> Option<Box<Multipart>> {
        let is_good = !boundary.is_empty() && boundary.len() < DELIMITER;
        is_good.then(|| {
            Box::new(Multipart {
                delimiter: [b"--", boundary].concat(),
                at: At::Text,
                matched: Some(0),
                held: Vec::new(),
                media: Media::Text,
                size: 0,
                last: 0,
                is_crlf: false,
            })
        })
    }

    /// Heap bytes held.
    pub(super) fn held(&self) -> usize {
        self.delimiter.capacity().saturating_add(self.held.capacity()).saturating_add(size_of::<Multipart>())
    }

    /// The next bytes of the body; what is to be read goes to `out`.
    pub(super) fn add(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some((b, tail)) = rest.split_first() {
            match self.matched {
                Some(n) if self.at != At::Delimiter => {
                    if self.delimiter.get(n) == Some(b) {
                        let n = n.saturating_add(1);
                        self.matched = Some(n);
                        if n == self.delimiter.len() {
                            self.part_end(out);
                            out.extend_from_slice(&self.delimiter);
                            self.at = At::Delimiter;
                        }
                        rest = tail;
                    } else {
                        self.matched = None;
                        let begun = self.delimiter.get(..n).unwrap_or_default().to_vec();
                        self.content(&begun, out);
                    }
                }
                _ => {
                    let end =
                        crate::http::find_byte(rest, b'\n').map_or(rest.len(), |lf| lf.saturating_add(1));
                    let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                    self.line(line, out);
                    rest = tail;
                }
            }
        }
    }

    /// The body has ended, perhaps within a part.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(n) = self.matched.take().filter(|n| *n < self.delimiter.len()) {
            let begun = self.delimiter.get(..n).unwrap_or_default().to_vec();
            self.content(&begun, out);
        }
        self.part_end(out);
    }

    /// Bytes of one line, its end included if it is there.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let is_whole = line.last() == Some(&b'\n');
        match self.at {
            At::Delimiter => {
                out.extend_from_slice(line);
                if is_whole {
                    self.at = At::Head;
                    self.held.clear();
                    self.matched = Some(0);
                }
            }
            _ => {
                self.content(line, out);
                if is_whole {
                    self.matched = Some(0);
                }
            }
        }
    }

    fn content(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.at {
            At::Head => {
                out.extend_from_slice(bytes);
                if self.held.len() < HEAD {
                    self.held.extend_from_slice(bytes.get(..HEAD).unwrap_or(bytes));
                }
                let is_blank = matches!(
                    self.held.as_slice(),
                    [.., b'\n', b'\r', b'\n'] | [.., b'\n', b'\n'] | b"\r\n" | b"\n"
                );
                if is_blank || (self.held.len() >= HEAD && bytes.last() == Some(&b'\n')) {
                    self.media = part_type(&self.held).map_or(Media::Unknown, Media::of);
                    self.held.clear();
                    self.size = 0;
                    self.is_crlf = false;
                    self.at = if self.media == Media::Binary { At::Binary } else { At::Judging };
                }
            }
            _ => {
                self.size = self.size.saturating_add(bytes.len() as u64);
                self.is_crlf = match bytes {
                    [.., b'\r', b'\n'] => true,
                    [b'\n'] => self.last == b'\r',
                    _ => false,
                };
                self.last = bytes.last().copied().unwrap_or(self.last);
                self.judged(bytes, out);
            }
        }
    }

    fn judged(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.at {
            At::Judging => {
                let (head, tail) =
                    bytes.split_at_checked(JUDGED.saturating_sub(self.held.len())).unwrap_or((bytes, &[]));
                self.held.extend_from_slice(head);
                if self.held.len() >= JUDGED {
                    self.judge(out);
                    self.judged(tail, out);
                }
            }
            At::Text => out.extend_from_slice(bytes),
            _ => {}
        }
    }

    fn judge(&mut self, out: &mut Vec<u8>) {
        if looks_binary(&self.held, self.media == Media::Text) {
            self.at = At::Binary;
        } else {
            self.at = At::Text;
            out.extend_from_slice(&self.held);
        }
        self.held.clear();
    }

    fn part_end(&mut self, out: &mut Vec<u8>) {
        if self.at == At::Judging {
            self.judge(out);
        }
        if self.at == At::Binary {
            // The line end before a delimiter belongs to it.
            let size = self.size.saturating_sub(if self.is_crlf { 2 } else { 0 });
            out.extend_from_slice(format!("[{size} bytes left out]\r\n").as_bytes());
        }
        self.at = At::Text;
    }
}

/// The value of Content-Type in the head of a part.
fn part_type(head: &[u8]) -> Option<&[u8]> {
    let name = b"content-type:";
    head.split(|b| *b == b'\n').find_map(|line| {
        let (key, value) = line.split_at_checked(name.len())?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(body: &[u8], step: usize) -> String {
        let mut m = Multipart::new(b"XyZ").unwrap();
        let mut out = Vec::new();
        body.chunks(step).for_each(|c| m.add(c, &mut out));
        m.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_are_told_and_files_are_measured() {
        let mut body = b"--XyZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n--Xy\r\n".to_vec();
        body.extend([0u8; 5000]);
        body.extend(b"\r\n--XyZ\r\nContent-Disposition: form-data; name=\"raw\"\r\n\r\n\0\x01\x02\r\n--XyZ\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nhello\r\n--XyZ--\r\n");
        let want = "--XyZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n[5014 bytes left out]\r\n\
            --XyZ\r\nContent-Disposition: form-data; name=\"raw\"\r\n\r\n[3 bytes left out]\r\n\
            --XyZ\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nhello\r\n--XyZ--\r\n";
        for step in [1, 2, 3, 7, 100, 10_000] {
            assert_eq!(filter(&body, step), want, "in steps of {step}");
        }
    }

    #[test]
    fn text_passes_as_it_is() {
        let body =
            format!("preamble\r\n--XyZ\r\n\r\n{}--Xyz\r\n--XyZ\n\nb\n--XyZ--", "long text\r\n".repeat(100));
        for step in [1, 5, 10_000] {
            assert_eq!(filter(body.as_bytes(), step), body);
        }
        assert_eq!(
            filter(b"--XyZ\r\nContent-Type: image/png\r\n\r\n\x89PNG", 3),
            "--XyZ\r\nContent-Type: image/png\r\n\r\n[4 bytes left out]\r\n"
        );
        assert!(Multipart::new(b"").is_none());
    }
}
