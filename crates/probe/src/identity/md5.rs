//! MD5, RFC 1321: only for the id that the original makes of it, never for safety.

/// Shifts of the four rounds.
const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The digest of `message`.
pub(super) fn md5(message: &[u8]) -> [u8; 16] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    // The length in bits takes the place of the last eight bytes.
    padded.truncate(padded.len() - 8);
    padded.extend((message.len() as u64).wrapping_mul(8).to_le_bytes());

    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.as_chunks::<64>().0 {
        let mut words = [0u32; 16];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let [mut a, mut b, mut c, mut d] = state;
        for (round, shifts) in SHIFTS.iter().enumerate() {
            for (step, shift) in shifts.iter().cycle().take(16).enumerate() {
                let (mix, word) = match round {
                    0 => ((b & c) | (!b & d), step),
                    1 => ((d & b) | (!d & c), 5 * step + 1),
                    2 => (b ^ c ^ d, 3 * step + 5),
                    _ => (c ^ (b | !d), 7 * step),
                };
                // T[i] of the RFC: 2^32 times the absolute value of sin(i), i from 1.
                let sine = (((round * 16 + step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
                let word = words.get(word % 16).copied().unwrap_or(0);
                let sum = a.wrapping_add(mix).wrapping_add(sine).wrapping_add(word);
                (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(*shift)));
            }
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    for (out, byte) in digest.iter_mut().zip(state.iter().flat_map(|w| w.to_le_bytes())) {
        *out = byte;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::md5;

    #[test]
    fn the_test_suite_of_the_rfc() {
        for (message, want) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            let hex: String = md5(message.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, want, "{message}");
        }
    }

    /// Lengths around the end of a block, where the padding takes one block more.
    #[test]
    fn every_length_around_a_block_gives_another_digest() {
        let mut seen = std::collections::HashSet::new();
        assert!((0..200).all(|n| seen.insert(md5(&vec![b'x'; n]))));
        // As `printf 'x%.0s' $(seq N) | md5sum` says for 55, 56 and 64.
        let hex = |n| md5(&vec![b'x'; n]).iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(55), "04364420e25c512fd958a70738aa8f72");
        assert_eq!(hex(56), "668a72d5ba17f08e62dabcafad6db14b");
        assert_eq!(hex(64), "c1bb4f81d892b2d57947682aeb252456");
    }
}
