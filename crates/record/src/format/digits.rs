//! Numbers and addresses as text, without the machinery of `fmt`: it is slow, and this is the hot path.

use base::MacAddr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `00` to `99`.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut rest: &mut [[u8; 2]] = &mut pairs;
    let mut n: u8 = 0;
    while let [first, tail @ ..] = rest {
        *first = [b'0' | (n / 10), b'0' | (n % 10)];
        n = n.saturating_add(1);
        rest = tail;
    }
    pairs
};

/// Two digits of `n`, which is below 100.
#[inline]
pub(crate) fn pair(n: u64) -> [u8; 2] {
    PAIRS.get(n as usize).copied().unwrap_or(*b"??")
}

/// The low four bits as a hexadecimal digit.
#[inline]
pub(crate) const fn hex(n: u8) -> u8 {
    let n = n & 15;
    if n < 10 { b'0' | n } else { b'a'.wrapping_add(n).wrapping_sub(10) }
}

/// Appends `n` in decimal.
#[inline]
pub(crate) fn int(out: &mut Vec<u8>, mut n: u64) {
    if n < 10 {
        return out.push(b'0' | n as u8);
    }
    let mut digits = [0u8; 20]; // u64::MAX has 20
    let mut from = digits.len();
    for place in digits.rchunks_exact_mut(2) {
        place.copy_from_slice(&pair(n % 100));
        from = from.saturating_sub(2);
        n /= 100;
        if n == 0 {
            break;
        }
    }
    let used = digits.get(from..).unwrap_or_default();
    out.extend_from_slice(used.strip_prefix(b"0").unwrap_or(used));
}

/// Appends a number that can be negative.
#[inline]
pub(crate) fn signed(out: &mut Vec<u8>, n: i64) {
    if n < 0 {
        out.push(b'-');
    }
    int(out, n.unsigned_abs());
}

/// Appends three digits of `n`, which is below 1000.
#[inline]
pub(crate) fn three(out: &mut Vec<u8>, n: u64) {
    let [b, c] = pair(n % 100);
    out.extend_from_slice(&[b'0' | (n / 100) as u8, b, c]);
}

/// Appends nanoseconds as milliseconds with three decimals, rounded.
#[inline]
pub(crate) fn millis(out: &mut Vec<u8>, nanos: u64) {
    let micros = nanos.saturating_add(500) / 1000;
    int(out, micros / 1000);
    out.push(b'.');
    three(out, micros % 1000);
}

/// Appends hundredths with two decimals.
#[inline]
pub(crate) fn hundredths(out: &mut Vec<u8>, n: u64) {
    int(out, n / 100);
    out.push(b'.');
    out.extend_from_slice(&pair(n % 100));
}

/// Appends an Ethernet address, `00:1b:21:0a:0b:0c`; for ECS `00-1B-21-0A-0B-0C` (RFC 7042).
#[inline]
pub(crate) fn mac(out: &mut Vec<u8>, addr: MacAddr, ecs: bool) {
    let mut first = true;
    for b in addr.0 {
        if !first {
            out.push(if ecs { b'-' } else { b':' });
        }
        first = false;
        let digits = [hex(b >> 4), hex(b)];
        out.extend_from_slice(&if ecs { digits.map(|d| d.to_ascii_uppercase()) } else { digits });
    }
}

/// Appends an address; IPv6 as RFC 5952 has it.
#[inline]
pub(crate) fn ip(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(a) => v4(out, a),
        IpAddr::V6(a) => v6(out, a),
    }
}

fn v4(out: &mut Vec<u8>, addr: Ipv4Addr) {
    let [a, b, c, d] = addr.octets();
    int(out, u64::from(a));
    for n in [b, c, d] {
        out.push(b'.');
        int(out, u64::from(n));
    }
}

fn v6(out: &mut Vec<u8>, addr: Ipv6Addr) {
    if let Some(mapped) = addr.to_ipv4_mapped() {
        out.extend_from_slice(b"::ffff:");
        return v4(out, mapped);
    }
    let groups = addr.segments();
    // The longest run of at least two zero groups becomes `::`, the first of equals.
    let (mut from, mut len) = (8usize, 1usize);
    let (mut run_from, mut run) = (0usize, 0usize);
    for (i, g) in groups.iter().enumerate() {
        if *g != 0 {
            run = 0;
            continue;
        }
        if run == 0 {
            run_from = i;
        }
        run = run.saturating_add(1);
        if run > len {
            (from, len) = (run_from, run);
        }
    }
    let end = from.saturating_add(len);
    for (i, g) in groups.iter().enumerate() {
        if i == from {
            out.extend_from_slice(b"::");
        }
        if i >= from && i < end {
            continue;
        }
        if i != 0 && i != end {
            out.push(b':');
        }
        let digits = [hex((g >> 12) as u8), hex((g >> 8) as u8), hex((g >> 4) as u8), hex(*g as u8)];
        let skip = (g.leading_zeros() / 4).min(3) as usize;
        out.extend_from_slice(digits.get(skip..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rng;

    fn made(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_as_the_library_writes_them() {
        let mut rng = Rng::new(1);
        for i in 0..5000u64 {
            let n = rng.next() >> (i % 64);
            assert_eq!(made(|o| int(o, n)), n.to_string());
            assert_eq!(made(|o| signed(o, n as i64)), (n as i64).to_string());
        }
        for n in [0, 9, 10, 99, 100, 101, 999, 1000, u64::MAX] {
            assert_eq!(made(|o| int(o, n)), n.to_string());
        }
        assert_eq!(made(|o| signed(o, i64::MIN)), i64::MIN.to_string());
    }

    #[test]
    fn addresses_as_the_library_writes_them() {
        let mut rng = Rng::new(2);
        for _ in 0..5000 {
            let mut groups = [0u16; 8];
            for g in &mut groups {
                *g = if rng.below(2) == 0 { 0 } else { (rng.next() as u16) >> rng.below(16) };
            }
            let addr = IpAddr::from(groups);
            assert_eq!(made(|o| ip(o, addr)), addr.to_string());
            let addr = IpAddr::from((rng.next() as u32).to_be_bytes());
            assert_eq!(made(|o| ip(o, addr)), addr.to_string());
        }
        for a in ["::", "::1", "1::", "::ffff:1.2.3.4", "2001:db8::1:0:0:1", "1:0:2:3:4:5:6:7", "fe80::"] {
            assert_eq!(made(|o| ip(o, a.parse().unwrap())), a);
        }
    }

    #[test]
    fn delays_and_hundredths() {
        for (ns, want) in [
            (0, "0.000"),
            (792_000, "0.792"),
            (1_499, "0.001"),
            (1_500, "0.002"),
            (12_034_567_890, "12034.568"),
        ] {
            assert_eq!(made(|o| millis(o, ns)), want);
        }
        for (n, want) in [(0, "0.00"), (7, "0.07"), (4673, "46.73"), (10_000, "100.00")] {
            assert_eq!(made(|o| hundredths(o, n)), want);
        }
        let m = MacAddr([0, 0x1b, 0x21, 0x0a, 0xff, 0x0c]);
        assert_eq!(made(|o| mac(o, m, false)), "00:1b:21:0a:ff:0c");
        assert_eq!(made(|o| mac(o, m, true)), "00-1B-21-0A-FF-0C");
    }
}
