//! Plain descent: the update of a row, and of all rows of an outer product.

use core::arch::asm;

/// The bits of [`crate::kernel::portable::descend`], 13 instructions for 8 values.
#[inline(never)]
pub fn descend(w: &mut [f32], x: &[f32], c: f32) {
    if c == 0.0 {
        return;
    }
    let len = w.len().min(x.len());
    // SAFETY: both pointers pass over `len` values, which neither slice falls short of, and only those of `w`, borrowed
    // mutably, are written. Registers that change are declared.
    unsafe {
        asm!(
            "vmov s16, {c}",
            "lsrs {n}, {len}, #3",
            "beq 3f",
            "2:",
            "vldmia {x}!, {{s0-s7}}",
            "vldmia {w}, {{s8-s15}}",
            "vmls.f32 s8, s16, s0",
            "vmls.f32 s9, s16, s1",
            "vmls.f32 s10, s16, s2",
            "vmls.f32 s11, s16, s3",
            "vmls.f32 s12, s16, s4",
            "vmls.f32 s13, s16, s5",
            "vmls.f32 s14, s16, s6",
            "vmls.f32 s15, s16, s7",
            "vstmia {w}!, {{s8-s15}}",
            "subs {n}, {n}, #1",
            "bne 2b",
            "3:",
            "ands {n}, {len}, #7",
            "beq 5f",
            "4:",
            "vldmia {x}!, {{s0}}",
            "vldr s8, [{w}]",
            "vmls.f32 s8, s16, s0",
            "vstmia {w}!, {{s8}}",
            "subs {n}, {n}, #1",
            "bne 4b",
            "5:",
            c = in(reg) c.to_bits(),
            len = in(reg) len,
            n = out(reg) _,
            x = inout(reg) x.as_ptr() => _,
            w = inout(reg) w.as_mut_ptr() => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _,
            out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _,
            options(nostack),
        );
    }
}

/// The bits of [`crate::kernel::portable::descend_rows`]. Rows whose factor isn't 0 are taken two by two, wherever they
/// lie, so that each load of `x` serves both: 23 instructions for 16 values.
#[inline(never)]
pub fn descend_rows(w: &mut [f32], x: &[f32], factors: &[f32], rate: f32) {
    let mut waiting: Option<(&mut [f32], f32)> = None;
    for (w, &factor) in w.chunks_exact_mut(x.len().max(1)).zip(factors) {
        let c = rate * factor;
        if c == 0.0 {
            continue;
        }
        match waiting.take() {
            None => waiting = Some((w, c)),
            Some((first, first_c)) => two_rows(first, w, x, [first_c, c]),
        }
    }
    if let Some((w, c)) = waiting {
        descend(w, x, c);
    }
}

/// `a[i] -= c[0] * x[i]` and `b[i] -= c[1] * x[i]`, over the shortest.
#[inline(always)]
fn two_rows(a: &mut [f32], b: &mut [f32], x: &[f32], c: [f32; 2]) {
    let len = x.len().min(a.len()).min(b.len());
    // SAFETY: the three pointers pass over `len` values, which no slice falls short of, and only those of `a` and `b`,
    // borrowed mutably, are written. Registers that change are declared.
    unsafe {
        asm!(
            "vmov s24, {ca}",
            "vmov s25, {cb}",
            "lsrs {n}, {len}, #3",
            "beq 3f",
            "2:",
            "vldmia {x}!, {{s0-s7}}",
            "vldmia {a}, {{s8-s15}}",
            "vldmia {b}, {{s16-s23}}",
            "vmls.f32 s8, s24, s0",
            "vmls.f32 s9, s24, s1",
            "vmls.f32 s10, s24, s2",
            "vmls.f32 s11, s24, s3",
            "vmls.f32 s12, s24, s4",
            "vmls.f32 s13, s24, s5",
            "vmls.f32 s14, s24, s6",
            "vmls.f32 s15, s24, s7",
            "vmls.f32 s16, s25, s0",
            "vmls.f32 s17, s25, s1",
            "vmls.f32 s18, s25, s2",
            "vmls.f32 s19, s25, s3",
            "vmls.f32 s20, s25, s4",
            "vmls.f32 s21, s25, s5",
            "vmls.f32 s22, s25, s6",
            "vmls.f32 s23, s25, s7",
            "vstmia {a}!, {{s8-s15}}",
            "vstmia {b}!, {{s16-s23}}",
            "subs {n}, {n}, #1",
            "bne 2b",
            "3:",
            "ands {n}, {len}, #7",
            "beq 5f",
            "4:",
            "vldmia {x}!, {{s0}}",
            "vldr s8, [{a}]",
            "vldr s16, [{b}]",
            "vmls.f32 s8, s24, s0",
            "vmls.f32 s16, s25, s0",
            "vstmia {a}!, {{s8}}",
            "vstmia {b}!, {{s16}}",
            "subs {n}, {n}, #1",
            "bne 4b",
            "5:",
            ca = in(reg) c[0].to_bits(),
            cb = in(reg) c[1].to_bits(),
            len = in(reg) len,
            n = out(reg) _,
            x = inout(reg) x.as_ptr() => _,
            a = inout(reg) a.as_mut_ptr() => _,
            b = inout(reg) b.as_mut_ptr() => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _,
            out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _,
            out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _,
            options(nostack),
        );
    }
}
