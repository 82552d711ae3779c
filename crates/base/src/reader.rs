//! A cursor over bytes that cannot panic: every read is checked and every shortage names
//! the field that was missing, so that malformed traffic is counted by reason.

/// The bytes ended inside the named field. In a stream this means "not yet"; in a datagram
/// or a closed stream it means malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short(pub &'static str);

/// A cursor over a byte slice. Copy it to look ahead.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

macro_rules! ints {
    ($($name:ident $ty:ty, $n:literal, $from:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[inline]
        pub fn $name(&mut self, what: &'static str) -> Result<$ty, Short> {
            Ok(<$ty>::$from(self.array::<$n>(what)?))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// A reader over all of `bytes`.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Bytes not yet read.
    #[inline]
    #[must_use]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// True when all was read.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is not yet read, without moving.
    #[inline]
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Short> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(Short(what))?;
        self.rest = tail;
        Ok(*head)
    }

    ints! {
        u8 u8, 1, from_be_bytes, "One byte.";
        be16 u16, 2, from_be_bytes, "Two bytes, big endian.";
        be32 u32, 4, from_be_bytes, "Four bytes, big endian.";
        be64 u64, 8, from_be_bytes, "Eight bytes, big endian.";
        le16 u16, 2, from_le_bytes, "Two bytes, little endian.";
        le32 u32, 4, from_le_bytes, "Four bytes, little endian.";
        le64 u64, 8, from_le_bytes, "Eight bytes, little endian.";
    }

    /// Three bytes, big endian.
    #[inline]
    pub fn be24(&mut self, what: &'static str) -> Result<u32, Short> {
        let [a, b, c] = self.array::<3>(what)?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// Three bytes, little endian.
    #[inline]
    pub fn le24(&mut self, what: &'static str) -> Result<u32, Short> {
        let [a, b, c] = self.array::<3>(what)?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    /// The next `n` bytes, borrowed. `n` may come from the peer: nothing is allocated.
    #[inline]
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], Short> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(Short(what))?;
        self.rest = tail;
        Ok(head)
    }

    /// Up to `n` bytes: fewer when fewer are left.
    #[inline]
    pub fn take_up_to(&mut self, n: usize) -> &'a [u8] {
        match self.rest.split_at_checked(n) {
            Some((head, tail)) => {
                self.rest = tail;
                head
            }
            None => std::mem::take(&mut self.rest),
        }
    }

    /// A reader over the next `n` bytes.
    #[inline]
    pub fn sub(&mut self, n: usize, what: &'static str) -> Result<Reader<'a>, Short> {
        Ok(Reader::new(self.take(n, what)?))
    }

    /// Moves past `n` bytes.
    #[inline]
    pub fn skip(&mut self, n: usize, what: &'static str) -> Result<(), Short> {
        self.take(n, what).map(|_| ())
    }

    /// Bytes up to the next `end`, which is read but not returned.
    pub fn until(&mut self, end: u8, what: &'static str) -> Result<&'a [u8], Short> {
        let at = self.rest.iter().position(|b| *b == end).ok_or(Short(what))?;
        let head = self.take(at, what)?;
        self.skip(1, what)?;
        Ok(head)
    }

    /// The next byte, without moving.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_both_orders_and_names_what_is_short() {
        let mut r = Reader::new(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(r.be16("a"), Ok(0x0102));
        assert_eq!(r.le24("b"), Ok(0x050403));
        assert_eq!(r.be32("c"), Err(Short("c")));
        assert_eq!(r.left(), 2, "a failed read does not move");
        assert_eq!(r.take(usize::MAX, "d"), Err(Short("d")));
        assert_eq!(r.take_up_to(9), &[6, 7]);
        assert!(r.is_empty());
    }

    #[test]
    fn until_takes_the_end_byte() {
        let mut r = Reader::new(b"user\0db");
        assert_eq!(r.until(0, "user"), Ok(&b"user"[..]));
        assert_eq!(r.until(0, "db"), Err(Short("db")));
        assert_eq!(r.rest(), b"db");
    }
}
