//! Sequence numbers: comparison modulo 2^32 (RFC 9293 section 3.4).

/// `a` lies after `b`.
#[inline]
pub(crate) const fn after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// How far `a` lies after `b`; negative when before.
#[inline]
pub(crate) const fn dist(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}
