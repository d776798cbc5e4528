//! Asks the processor for memory that is needed soon, without waiting for it.
//!
//! A crate of its own because the instruction has no safe name in `core`, and
//! everything else forbids `unsafe`.
#![no_std]

/// Bytes that come together.
pub const LINE_BYTES: usize = 64;

/// Asks for the line of memory at an address. It is a hint: it reads nothing
/// that the program could see, changes nothing, and an address that cannot be
/// read has no effect. On other processors than x86-64 it does nothing.
#[inline(always)]
pub fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: PREFETCHT0 raises no fault, whatever the address is (Intel SDM
    // volume 2, PREFETCHh; AMD APM volume 3, PREFETCHlevel), and SSE is part
    // of x86-64.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Asks for every line that these bytes touch, the first `max` of them.
#[inline]
pub fn bytes(bytes: &[u8], max: usize) {
    let range = bytes.as_ptr_range();
    let first = range.start.wrapping_sub(range.start.addr() % LINE_BYTES);
    let lines = (range.end.addr() - first.addr()).div_ceil(LINE_BYTES);
    for number in 0..lines.min(max) {
        line(first.wrapping_add(number * LINE_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_has_an_effect_that_the_program_sees() {
        let page = [7u8; 300];
        bytes(&page, 8);
        bytes(&page[..0], 8);
        line(core::ptr::null());
        line(core::ptr::without_provenance(usize::MAX));
        assert_eq!(page, [7; 300]);
    }
}
