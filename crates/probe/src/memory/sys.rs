//! The unsafe part: free lists of small blocks, one set a thread; `memcpy` and its kin for musl.
#![allow(unsafe_code, reason = "an allocator hands out raw memory; rule 8 of the house")]

use super::{CLASSES, KEEP, LARGEST, bytes, class};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// The head of a free block: the next one of its class.
struct Free {
    next: *mut Free,
}

/// The free blocks of one thread.
struct Cache {
    heads: [*mut Free; CLASSES],
    counts: [u32; CLASSES],
}

thread_local! {
    /// Constant and without a destructor: usable at any time of a thread's life.
    static CACHE: UnsafeCell<Cache> = const {
        UnsafeCell::new(Cache { heads: [null_mut(); CLASSES], counts: [0; CLASSES] })
    };
}

/// The system's allocator with a cache of small blocks in front of it.
#[derive(Debug)]
pub struct Cached;

/// The layout of all blocks of a class.
#[inline]
fn block(class: usize) -> Layout {
    // SAFETY: the size is at most 2,048 and the alignment 16: never overflows.
    unsafe { Layout::from_size_align_unchecked(bytes(class), 16) }
}

#[inline]
fn is_small(layout: Layout) -> bool {
    layout.size() <= LARGEST && layout.size() > 0 && layout.align() <= 16
}

// SAFETY: small blocks always come from and go to lists (or the system) with the layout of their
// class, which is at least as large and as aligned as what was asked for; others are the system's.
unsafe impl GlobalAlloc for Cached {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_small(layout) {
            // SAFETY: the caller's promise is the system's.
            return unsafe { System.alloc(layout) };
        }
        let c = class(layout.size());
        let cached = CACHE.with(|cache| {
            // SAFETY: only this thread sees its cache, and nothing below calls back into it.
            let cache = unsafe { &mut *cache.get() };
            let (Some(head), Some(count)) = (cache.heads.get_mut(c), cache.counts.get_mut(c)) else {
                return null_mut();
            };
            let free = *head;
            if !free.is_null() {
                // SAFETY: a block in the list is free memory of this class, written by `dealloc`.
                *head = unsafe { (*free).next };
                *count -= 1;
            }
            free
        });
        if !cached.is_null() {
            return cached.cast();
        }
        // SAFETY: the layout is not of size 0.
        unsafe { System.alloc(block(c)) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if !is_small(layout) {
            // SAFETY: it came from the system with this layout.
            return unsafe { System.dealloc(ptr, layout) };
        }
        let c = class(layout.size());
        let kept = CACHE.with(|cache| {
            // SAFETY: as in `alloc`.
            let cache = unsafe { &mut *cache.get() };
            let (Some(head), Some(count)) = (cache.heads.get_mut(c), cache.counts.get_mut(c)) else {
                return false;
            };
            if *count as usize * bytes(c) >= KEEP {
                return false;
            }
            let free: *mut Free = ptr.cast();
            // SAFETY: the block is at least 16 bytes, aligned to 16, and nobody's any more.
            unsafe { free.write(Free { next: *head }) };
            *head = free;
            *count += 1;
            true
        });
        if !kept {
            // SAFETY: it came from the system with the layout of its class.
            unsafe { System.dealloc(ptr, block(c)) };
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `new_size` is not 0 and does not overflow.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (is_small(layout), is_small(new)) {
            (true, true) if class(layout.size()) == class(new_size) => ptr,
            // SAFETY: it came from the system with this layout.
            (false, false) => unsafe { System.realloc(ptr, layout, new_size) },
            _ => {
                // SAFETY: both blocks are live and at least `least` bytes long.
                unsafe {
                    let to = self.alloc(new);
                    if !to.is_null() {
                        let least = layout.size().min(new_size);
                        std::ptr::copy_nonoverlapping(ptr, to, least);
                        self.dealloc(ptr, layout);
                    }
                    to
                }
            }
        }
    }
}

/// `memcpy`, `memmove` for the static x86_64 build: 16 bytes at a time for the short copies of
/// which records are made, the processor's own string move for long ones.
#[cfg(all(target_env = "musl", target_arch = "x86_64"))]
mod copy {
    use std::arch::asm;
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_storeu_si128};

    /// From here on the processor's string move is faster than a loop.
    const LONG: usize = 512;

    /// Copies up to 16 bytes: all reads come before all writes, so overlap does not matter.
    ///
    /// # Safety
    /// `n` of at most 16 readable bytes at `from`, as many writable ones at `to`.
    // SAFETY: each access below lies within those bytes.
    #[inline(always)]
    unsafe fn up_to_16(to: *mut u8, from: *const u8, n: usize) {
        macro_rules! both_ends {
            ($ty:ty, $w:literal) => {{
                // SAFETY: `$w <= n`, so both accesses lie within the `n` bytes of either side.
                unsafe {
                    let first = from.cast::<$ty>().read_unaligned();
                    let last = from.add(n - $w).cast::<$ty>().read_unaligned();
                    to.cast::<$ty>().write_unaligned(first);
                    to.add(n - $w).cast::<$ty>().write_unaligned(last);
                }
            }};
        }
        if n >= 8 {
            both_ends!(u64, 8);
        } else if n >= 4 {
            both_ends!(u32, 4);
        } else if n >= 2 {
            both_ends!(u16, 2);
        } else if n == 1 {
            // SAFETY: one byte each.
            unsafe { *to = *from };
        }
    }

    /// Copies 32 bytes that do not overlap.
    ///
    /// # Safety
    /// 32 readable bytes at `from`, as many writable ones at `to`.
    // SAFETY: each access below lies within those bytes.
    #[inline(always)]
    unsafe fn pair(to: *mut u8, from: *const u8) {
        // SAFETY: as above; unaligned loads and stores.
        unsafe {
            let (a, b) =
                (_mm_loadu_si128(from.cast::<__m128i>()), _mm_loadu_si128(from.add(16).cast::<__m128i>()));
            _mm_storeu_si128(to.cast(), a);
            _mm_storeu_si128(to.add(16).cast(), b);
        }
    }

    /// # Safety
    /// As in C: `n` readable bytes at `from`, `n` writable ones at `to`, not overlapping.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
        // SAFETY: every access stays within the `n` bytes that the caller promises.
        unsafe {
            if n <= 16 {
                up_to_16(to, from, n);
            } else if n <= 32 {
                let last = _mm_loadu_si128(from.add(n - 16).cast::<__m128i>());
                _mm_storeu_si128(to.cast(), _mm_loadu_si128(from.cast::<__m128i>()));
                _mm_storeu_si128(to.add(n - 16).cast(), last);
            } else if n < LONG {
                // 32 bytes at a time, and the last 32, which overlap. Built for size as it is, a loop stays as it
                // is written: this one costs a comparison less with its end below.
                let end = n - 32;
                let mut at = 0;
                loop {
                    pair(to.add(at), from.add(at));
                    at += 32;
                    if at >= end {
                        break;
                    }
                }
                pair(to.add(end), from.add(end));
            } else {
                asm!("rep movsb", inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _,
                    options(nostack, preserves_flags));
            }
            to
        }
    }

    /// # Safety
    /// As in C: `n` readable bytes at `from`, `n` writable ones at `to`; they may overlap.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
        // SAFETY: every access stays within the `n` bytes that the caller promises; the direction
        // is such that no byte is overwritten before it was read.
        unsafe {
            if n <= 16 {
                up_to_16(to, from, n);
            } else if (to as usize).wrapping_sub(from as usize) >= n {
                // Forwards: the target begins before the source, or behind its end.
                if n >= LONG {
                    asm!("rep movsb", inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _,
                        options(nostack, preserves_flags));
                    return to;
                }
                let last = _mm_loadu_si128(from.add(n - 16).cast::<__m128i>());
                let mut at = 0;
                while at < n - 16 {
                    let piece = _mm_loadu_si128(from.add(at).cast::<__m128i>());
                    _mm_storeu_si128(to.add(at).cast(), piece);
                    at += 16;
                }
                _mm_storeu_si128(to.add(n - 16).cast(), last);
            } else {
                let first = _mm_loadu_si128(from.cast::<__m128i>());
                let mut end = n;
                while end > 16 {
                    let piece = _mm_loadu_si128(from.add(end - 16).cast::<__m128i>());
                    _mm_storeu_si128(to.add(end - 16).cast(), piece);
                    end -= 16;
                }
                _mm_storeu_si128(to.cast(), first);
            }
            to
        }
    }
}
