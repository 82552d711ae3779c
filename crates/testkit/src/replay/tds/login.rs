//! LOGIN7, MS-TDS 2.2.6.4.

use crate::replay::values::utf16;

/// The names in a login.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Who.
    pub user: &'a str,
    /// Hidden as 2.2.6.4 has it; must appear nowhere.
    pub password: &'a str,
    /// The database asked for.
    pub db: &'a str,
    /// The program.
    pub app: &'a str,
    /// The client's name.
    pub host: &'a str,
}

/// LOGIN7: fixed fields, then offsets and lengths of the texts, then those.
pub(super) fn login7(l: &Login<'_>, size: u32) -> Vec<u8> {
    const FIXED: usize = 94;
    let hidden: Vec<u8> = utf16(l.password).iter().map(|b| b.rotate_left(4) ^ 0xa5).collect();
    let texts = [utf16(l.host), utf16(l.user), hidden, utf16(l.app), utf16("SRV"), vec![], utf16("testkit")];
    let texts = texts.into_iter().chain([vec![], utf16(l.db)]);
    let (mut pairs, mut data) = (Vec::new(), Vec::new());
    for t in texts {
        pairs.extend(((FIXED + data.len()) as u16).to_le_bytes());
        pairs.extend((t.len() as u16 / 2).to_le_bytes());
        data.extend(t);
    }
    // Client's address, then SSPI, a file to attach, a new password: none; a long SSPI: none.
    pairs.extend([2, 0, 0, 0, 0, 1]);
    for _ in 0..3 {
        pairs.extend(((FIXED + data.len()) as u16).to_le_bytes());
        pairs.extend([0, 0]);
    }
    pairs.extend([0; 4]);
    let total = (FIXED + data.len()) as u32;
    let head = [total, 0x7400_0004, size, 7, 4711, 0].map(u32::to_le_bytes).concat();
    [&head[..], &[0xe0, 3, 0, 0], &[0; 8], &pairs, &data].concat()
}
