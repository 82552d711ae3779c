//! The part of a CRC-32 that processors have an instruction for: products without carry.
#![allow(unsafe_code, reason = "the processor's own instructions")]

/// Folds blocks into one that has the same remainder; `crc` is what came before them. `None` where the processor
/// cannot, or there is no block.
#[cfg(target_arch = "x86_64")]
pub(super) fn fold(crc: u32, blocks: &[[u8; 16]]) -> Option<[u8; 16]> {
    if blocks.is_empty() || !std::arch::is_x86_feature_detected!("pclmulqdq") {
        return None;
    }
    // SAFETY: the processor has the instruction, which was just asked for.
    unsafe { fold_by_products(crc, blocks) }
}

/// No such processor.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn fold(_: u32, _: &[[u8; 16]]) -> Option<[u8; 16]> {
    None
}

/// A block is 128 places before the next one: its halves times the remainders of x^(128+32) and x^(128-32), bits
/// turned as the CRC has them, are the same seen from there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "pclmulqdq")]
fn fold_by_products(crc: u32, blocks: &[[u8; 16]]) -> Option<[u8; 16]> {
    use std::arch::x86_64::{
        __m128i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_unpackhi_epi64, _mm_xor_si128,
    };
    const LOW: i64 = 0x1_7519_97d0;
    const HIGH: i64 = 0x0_ccaa_009e;
    let load = |block: &[u8; 16]| -> __m128i {
        let n = u128::from_le_bytes(*block);
        _mm_set_epi64x((n >> 64) as i64, n as i64)
    };
    let (first, rest) = blocks.split_first()?;
    let factors = _mm_set_epi64x(HIGH, LOW);
    let mut sum = _mm_xor_si128(load(first), _mm_set_epi64x(0, i64::from(crc)));
    for block in rest {
        let low = _mm_clmulepi64_si128::<0x00>(sum, factors);
        let high = _mm_clmulepi64_si128::<0x11>(sum, factors);
        sum = _mm_xor_si128(_mm_xor_si128(low, high), load(block));
    }
    let (low, high) = (_mm_cvtsi128_si64(sum) as u64, _mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum)) as u64);
    Some((u128::from(high) << 64 | u128::from(low)).to_le_bytes())
}
