//! Community ID v1: a flow id that Zeek, Suricata and Arkime compute alike
//! (github.com/corelight/community-id-spec), and the SHA-1 (RFC 3174) that it needs.

use std::net::IpAddr;

/// `1:` and the base64 of the SHA-1 of seed, addresses, protocol and ports in canonical order.
pub(crate) fn community_id(src: (IpAddr, u16), dst: (IpAddr, u16), proto: u8) -> [u8; 30] {
    let (a, b) = if (src.0, src.1) <= (dst.0, dst.1) { (src, dst) } else { (dst, src) };
    let mut block = Block::default();
    block.add(&[0, 0]);
    for ip in [a.0, b.0] {
        match ip {
            IpAddr::V4(v4) => block.add(&v4.octets()),
            IpAddr::V6(v6) => block.add(&v6.octets()),
        }
    }
    block.add(&[proto, 0]);
    block.add(&a.1.to_be_bytes());
    block.add(&b.1.to_be_bytes());
    base64_of_digest(block.sha1())
}

/// A message of one block.
struct Block {
    bytes: [u8; 64],
    len: usize,
}

impl Default for Block {
    fn default() -> Block {
        Block { bytes: [0; 64], len: 0 }
    }
}

impl Block {
    /// The message may have 55 bytes: the longest, two IPv6 addresses, has 40.
    fn add(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len()).min(55);
        if let Some(to) = self.bytes.get_mut(self.len..end)
            && let Some(from) = bytes.get(..to.len())
        {
            to.copy_from_slice(from);
        }
        self.len = end;
    }

    fn sha1(mut self) -> [u32; 5] {
        if let Some(end) = self.bytes.get_mut(self.len) {
            *end = 0x80;
        }
        if let Some(len) = self.bytes.last_chunk_mut::<8>() {
            *len = (self.len as u64).wrapping_mul(8).to_be_bytes();
        }
        let mut schedule = [0u32; 80];
        for (to, from) in schedule.iter_mut().zip(self.bytes.as_chunks::<4>().0) {
            *to = u32::from_be_bytes(*from);
        }
        expand(&mut schedule);
        let start: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        let mut s = start;
        if let [w0, w1, w2, w3] = schedule.as_chunks::<20>().0 {
            rounds(&mut s, w0, 0x5a82_7999, |b, c, d| d ^ (b & (c ^ d)));
            rounds(&mut s, w1, 0x6ed9_eba1, |b, c, d| b ^ c ^ d);
            rounds(&mut s, w2, 0x8f1b_bcdc, |b, c, d| (b & c) | (d & (b | c)));
            rounds(&mut s, w3, 0xca62_c1d6, |b, c, d| b ^ c ^ d);
        }
        let [h0, h1, h2, h3, h4] = start;
        let [a, b, c, d, e] = s;
        [h0.wrapping_add(a), h1.wrapping_add(b), h2.wrapping_add(c), h3.wrapping_add(d), h4.wrapping_add(e)]
    }
}

/// The words of the schedule behind the sixteen of the message.
fn expand(schedule: &mut [u32; 80]) {
    for i in 0..64usize {
        let here = schedule.get_mut(i..).and_then(|s| s.first_chunk_mut());
        if let Some([a, _, b, _, _, _, _, _, c, _, _, _, _, d, _, _, next]) = here {
            *next = (*a ^ *b ^ *c ^ *d).rotate_left(1);
        }
    }
}

/// Twenty rounds, five at a time: then each word is in its place again.
#[inline]
fn rounds(s: &mut [u32; 5], words: &[u32; 20], k: u32, f: impl Fn(u32, u32, u32) -> u32) {
    let [mut a, mut b, mut c, mut d, mut e] = *s;
    let sum = |a: u32, f: u32, e: u32, w: u32| {
        a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(w)
    };
    for [v, w, x, y, z] in words.as_chunks::<5>().0 {
        (e, b) = (sum(a, f(b, c, d), e, *v), b.rotate_left(30));
        (d, a) = (sum(e, f(a, b, c), d, *w), a.rotate_left(30));
        (c, e) = (sum(d, f(e, a, b), c, *x), e.rotate_left(30));
        (b, d) = (sum(c, f(d, e, a), b, *y), d.rotate_left(30));
        (a, c) = (sum(b, f(c, d, e), a, *z), c.rotate_left(30));
    }
    *s = [a, b, c, d, e];
}

/// `1:` and 28 base64 characters of the 20 bytes.
fn base64_of_digest(digest: [u32; 5]) -> [u8; 30] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |six: u32| ALPHABET.get((six & 63) as usize).copied().unwrap_or(b'=');
    let mut bytes = [0u8; 21];
    for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(digest) {
        *to = from.to_be_bytes();
    }
    let mut out = [b'='; 30];
    if let Some((prefix, rest)) = out.split_first_chunk_mut::<2>() {
        *prefix = *b"1:";
        for (to, [a, b, c]) in rest.as_chunks_mut::<4>().0.iter_mut().zip(bytes.as_chunks::<3>().0) {
            let n = u32::from_be_bytes([0, *a, *b, *c]);
            *to = [letter(n >> 18), letter(n >> 12), letter(n >> 6), letter(n)];
        }
    }
    if let Some(last) = out.last_mut() {
        *last = b'='; // 20 bytes fill 27 characters; the 28th is padding
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(src: &str, sport: u16, dst: &str, dport: u16, proto: u8) -> String {
        let id = community_id((src.parse().unwrap(), sport), (dst.parse().unwrap(), dport), proto);
        String::from_utf8(id.to_vec()).unwrap()
    }

    #[test]
    fn the_published_examples_hold() {
        // baseline of the specification's repository
        assert_eq!(id("128.232.110.120", 34855, "66.35.250.204", 80, 6), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id("66.35.250.204", 80, "128.232.110.120", 34855, 6), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id("192.168.1.52", 54585, "8.8.8.8", 53, 17), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        let (a, b) = ("fe80:0:0:0:200:86ff:fe05:80da", "fe80:0:0:0:260:97ff:fe07:69ea");
        assert_eq!(id(a, 135, b, 136, 58), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=");
    }
}
