//! The square root by instruction.

use core::arch::asm;

/// The square root, correctly rounded: the bits of [`crate::kernel::portable::square_root`] in 5 instructions, not 52.
#[inline(always)]
pub fn square_root(x: f32) -> f32 {
    let root: u32;
    // SAFETY: registers only, and the ones that change are declared.
    unsafe {
        asm!(
            "vmov s0, {bits}",
            "vsqrt.f32 s0, s0",
            "vmov {bits}, s0",
            bits = inout(reg) x.to_bits() => root,
            out("s0") _,
            options(pure, nomem, nostack),
        );
    }
    f32::from_bits(root)
}
