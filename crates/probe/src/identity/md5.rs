//! MD5, RFC 1321: only for the id that the original makes of it, never for safety.

/// Shifts of the four rounds.
const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// T of the RFC: 2^32 times the absolute value of sin(i), i from 1. As numbers, since a sine in a static program
/// is some 8 KB of code.
const SINES: [[u32; 4]; 16] = [
    [0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee],
    [0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501],
    [0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be],
    [0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821],
    [0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa],
    [0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8],
    [0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed],
    [0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a],
    [0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c],
    [0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70],
    [0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05],
    [0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665],
    [0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039],
    [0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1],
    [0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1],
    [0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391],
];

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
                let sine = SINES.as_flattened().get(round * 16 + step).copied().unwrap_or(0);
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
    use super::{SINES, md5};

    #[test]
    fn the_table_is_of_sines() {
        for (i, sine) in SINES.as_flattened().iter().enumerate() {
            assert_eq!(*sine, (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32, "{i}");
        }
    }

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
