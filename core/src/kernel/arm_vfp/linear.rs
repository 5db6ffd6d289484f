//! Matrix by vector, and its transpose.

use core::arch::asm;

use crate::kernel::portable;
use crate::number::Number;

/// [`portable::matrix_vector`], in f32 by load-multiple: 39 instructions for 32 MACs.
#[inline(never)]
pub fn matrix_vector<N: Number>(
    w: &[N::Value],
    x: &[N::Value],
    bias: &[N::Value],
    y: &mut [N::Value],
    stride: usize,
    bias_shift: i32,
    shift: i32,
) {
    match (N::floats(w), N::floats(x), N::floats(bias), N::floats_mut(y)) {
        (Some(w), Some(x), Some(bias), Some(y)) => rows(w, x, bias, y, stride.max(1)),
        _ => portable::matrix_vector::<N>(w, x, bias, y, stride, bias_shift, shift),
    }
}

#[inline(always)]
fn rows(w: &[f32], x: &[f32], bias: &[f32], y: &mut [f32], stride: usize) {
    let columns = x.len().max(1);
    // Where results follow each other and rows have a bias, sums are made where they stay.
    let (biases, _) = bias.as_chunks::<4>();
    let in_place = if stride == 1 { biases.len() } else { 0 };
    let (sums, _) = y.as_chunks_mut::<4>();
    for ((sums, start), w) in sums.iter_mut().zip(biases).zip(w.chunks_exact(4 * columns)).take(in_place) {
        *sums = *start;
        four_rows(sums, w, x);
    }
    let done = 4 * in_place.min(sums.len()).min(w.len() / (4 * columns));
    let w = w.get(done * columns..).unwrap_or_default();
    let (bias, y) = (bias.get(done..).unwrap_or_default(), y.get_mut(done..).unwrap_or_default());
    let (mut bias, mut y) = (bias.iter(), y.iter_mut().step_by(stride));
    let mut start = || bias.next().copied().unwrap_or(0.0);
    let mut fours = w.chunks_exact(4 * columns);
    for w in fours.by_ref() {
        let mut sums = [start(), start(), start(), start()];
        four_rows(&mut sums, w, x);
        for (sum, y) in sums.into_iter().zip(y.by_ref()) {
            *y = sum;
        }
    }
    for w in fours.remainder().chunks_exact(columns) {
        let mut sum = start();
        one_row(&mut sum, w, x);
        if let Some(y) = y.next() {
            *y = sum;
        }
    }
}

/// `sums[r] += Σ_i w[r, i] * x[i]`, i ascending; `w` has four rows.
#[inline(never)]
fn four_rows(sums: &mut [f32; 4], w: &[f32], x: &[f32]) {
    let columns = x.len();
    if w.len() < 4 * columns {
        return;
    }
    // SAFETY: each of the four pointers into `w` passes over `columns` values from its row's first, 4 * columns <=
    // w.len(), and that into `x` over `x.len()`; `sums` has 4. Registers that change are declared.
    unsafe {
        asm!(
            "vldmia {sums}, {{s0-s3}}",
            "lsrs {n}, {columns}, #3",
            "beq 3f",
            "2:",
            "vldmia {x}!, {{s4-s11}}",
            "vldmia {a}!, {{s12-s19}}",
            "vldmia {b}!, {{s20-s27}}",
            "vmla.f32 s0, s12, s4",
            "vmla.f32 s1, s20, s4",
            "vmla.f32 s0, s13, s5",
            "vmla.f32 s1, s21, s5",
            "vmla.f32 s0, s14, s6",
            "vmla.f32 s1, s22, s6",
            "vmla.f32 s0, s15, s7",
            "vmla.f32 s1, s23, s7",
            "vmla.f32 s0, s16, s8",
            "vmla.f32 s1, s24, s8",
            "vmla.f32 s0, s17, s9",
            "vmla.f32 s1, s25, s9",
            "vmla.f32 s0, s18, s10",
            "vmla.f32 s1, s26, s10",
            "vmla.f32 s0, s19, s11",
            "vmla.f32 s1, s27, s11",
            "vldmia {c}!, {{s12-s19}}",
            "vldmia {d}!, {{s20-s27}}",
            "vmla.f32 s2, s12, s4",
            "vmla.f32 s3, s20, s4",
            "vmla.f32 s2, s13, s5",
            "vmla.f32 s3, s21, s5",
            "vmla.f32 s2, s14, s6",
            "vmla.f32 s3, s22, s6",
            "vmla.f32 s2, s15, s7",
            "vmla.f32 s3, s23, s7",
            "vmla.f32 s2, s16, s8",
            "vmla.f32 s3, s24, s8",
            "vmla.f32 s2, s17, s9",
            "vmla.f32 s3, s25, s9",
            "vmla.f32 s2, s18, s10",
            "vmla.f32 s3, s26, s10",
            "vmla.f32 s2, s19, s11",
            "vmla.f32 s3, s27, s11",
            "subs {n}, {n}, #1",
            "bne 2b",
            "3:",
            "ands {n}, {columns}, #7",
            "beq 5f",
            "4:",
            "vldmia {x}!, {{s4}}",
            "vldmia {a}!, {{s12}}",
            "vldmia {b}!, {{s13}}",
            "vldmia {c}!, {{s14}}",
            "vldmia {d}!, {{s15}}",
            "vmla.f32 s0, s12, s4",
            "vmla.f32 s1, s13, s4",
            "vmla.f32 s2, s14, s4",
            "vmla.f32 s3, s15, s4",
            "subs {n}, {n}, #1",
            "bne 4b",
            "5:",
            "vstmia {sums}, {{s0-s3}}",
            sums = in(reg) sums.as_mut_ptr(),
            columns = in(reg) columns,
            n = out(reg) _,
            x = inout(reg) x.as_ptr() => _,
            a = inout(reg) w.as_ptr() => _,
            b = inout(reg) w.as_ptr().add(columns) => _,
            c = inout(reg) w.as_ptr().add(2 * columns) => _,
            d = inout(reg) w.as_ptr().add(3 * columns) => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _,
            out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _,
            out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _,
            options(nostack),
        );
    }
}

/// `sum += Σ_i w[i] * x[i]`, i ascending, over the shorter of the two.
#[inline(always)]
fn one_row(sum: &mut f32, w: &[f32], x: &[f32]) {
    let columns = x.len().min(w.len());
    // SAFETY: both pointers pass over `columns` values, which neither slice falls short of. Registers that change are
    // declared.
    unsafe {
        asm!(
            "vldr s0, [{sum}]",
            "lsrs {n}, {columns}, #3",
            "beq 3f",
            "2:",
            "vldmia {x}!, {{s4-s11}}",
            "vldmia {w}!, {{s12-s19}}",
            "vmla.f32 s0, s12, s4",
            "vmla.f32 s0, s13, s5",
            "vmla.f32 s0, s14, s6",
            "vmla.f32 s0, s15, s7",
            "vmla.f32 s0, s16, s8",
            "vmla.f32 s0, s17, s9",
            "vmla.f32 s0, s18, s10",
            "vmla.f32 s0, s19, s11",
            "subs {n}, {n}, #1",
            "bne 2b",
            "3:",
            "ands {n}, {columns}, #7",
            "beq 5f",
            "4:",
            "vldmia {x}!, {{s4}}",
            "vldmia {w}!, {{s12}}",
            "vmla.f32 s0, s12, s4",
            "subs {n}, {n}, #1",
            "bne 4b",
            "5:",
            "vstr s0, [{sum}]",
            sum = in(reg) sum,
            columns = in(reg) columns,
            n = out(reg) _,
            x = inout(reg) x.as_ptr() => _,
            w = inout(reg) w.as_ptr() => _,
            out("s0") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _, out("s8") _, out("s9") _, out("s10") _,
            out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _, out("s16") _, out("s17") _,
            out("s18") _, out("s19") _,
            options(nostack),
        );
    }
}

/// [`portable::matrix_vector_transposed`], in f32 by load-multiple: 22 instructions for 16 MACs.
#[inline(never)]
pub fn matrix_vector_transposed<N: Number>(
    w: &[N::Value],
    dy: &[N::Value],
    dx: &mut [N::Value],
    shift: i32,
    accumulate: bool,
) {
    match (N::floats(w), N::floats(dy), N::floats_mut(dx)) {
        (Some(w), Some(dy), Some(dx)) => columns(w, dy, dx, accumulate),
        _ => portable::matrix_vector_transposed::<N>(w, dy, dx, shift, accumulate),
    }
}

#[inline(always)]
fn columns(w: &[f32], dy: &[f32], dx: &mut [f32], accumulate: bool) {
    let stride = dx.len();
    let mut w = w;
    let (sixteens, rest) = dx.as_chunks_mut::<16>();
    for dx in sixteens {
        sixteen_columns(dx, w, stride, dy, accumulate);
        w = w.get(16..).unwrap_or_default();
    }
    let (eights, dx) = rest.as_chunks_mut::<8>();
    for dx in eights {
        eight_columns(dx, w, stride, dy, accumulate);
        w = w.get(8..).unwrap_or_default();
    }
    for (at, dx) in dx.iter_mut().enumerate() {
        let mut sum = 0.0;
        one_column(&mut sum, w.get(at..).unwrap_or_default(), stride, dy);
        *dx = if accumulate { *dx + sum } else { sum };
    }
}

/// The rows that a block of `width` columns can be summed over: `dy`'s, as far as `w` goes.
#[inline(always)]
fn whole_rows(w: &[f32], width: usize, stride: usize, dy: &[f32]) -> usize {
    let last = (dy.len().saturating_sub(1)).saturating_mul(stride).saturating_add(width);
    if last <= w.len() { dy.len() } else { 0 }
}

/// `dx[i] = Σ_r w[r * stride + i] * dy[r]`, r ascending, or added to it; zeros without any row.
#[inline(always)]
fn sixteen_columns(dx: &mut [f32; 16], w: &[f32], stride: usize, dy: &[f32], accumulate: bool) {
    let rows = whole_rows(w, 16, stride, dy);
    if stride < 16 {
        return;
    }
    // SAFETY: row r reads `w[r * stride..][..16]`, the last of which `whole_rows` found inside; behind the last row the
    // pointer isn't used. `dy` has `rows` values and `dx` 16. Registers that change are declared.
    unsafe {
        asm!(
            "vmov s0, s1, {zero}, {zero}",
            "vmov s2, s3, {zero}, {zero}",
            "vmov s4, s5, {zero}, {zero}",
            "vmov s6, s7, {zero}, {zero}",
            "vmov s8, s9, {zero}, {zero}",
            "vmov s10, s11, {zero}, {zero}",
            "vmov s12, s13, {zero}, {zero}",
            "vmov s14, s15, {zero}, {zero}",
            "cmp {rows}, #0",
            "beq 3f",
            "2:",
            "vldmia {dy}!, {{s24}}",
            "vldmia {w}!, {{s16-s23}}",
            "vmla.f32 s0, s16, s24",
            "vmla.f32 s1, s17, s24",
            "vmla.f32 s2, s18, s24",
            "vmla.f32 s3, s19, s24",
            "vmla.f32 s4, s20, s24",
            "vmla.f32 s5, s21, s24",
            "vmla.f32 s6, s22, s24",
            "vmla.f32 s7, s23, s24",
            "vldmia {w}, {{s16-s23}}",
            "vmla.f32 s8, s16, s24",
            "vmla.f32 s9, s17, s24",
            "vmla.f32 s10, s18, s24",
            "vmla.f32 s11, s19, s24",
            "vmla.f32 s12, s20, s24",
            "vmla.f32 s13, s21, s24",
            "vmla.f32 s14, s22, s24",
            "vmla.f32 s15, s23, s24",
            "add {w}, {w}, {skip}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            "3:",
            "cmp {accumulate}, #0",
            "beq 4f",
            "vldmia {dx}, {{s16-s31}}",
            "vadd.f32 s0, s16, s0",
            "vadd.f32 s1, s17, s1",
            "vadd.f32 s2, s18, s2",
            "vadd.f32 s3, s19, s3",
            "vadd.f32 s4, s20, s4",
            "vadd.f32 s5, s21, s5",
            "vadd.f32 s6, s22, s6",
            "vadd.f32 s7, s23, s7",
            "vadd.f32 s8, s24, s8",
            "vadd.f32 s9, s25, s9",
            "vadd.f32 s10, s26, s10",
            "vadd.f32 s11, s27, s11",
            "vadd.f32 s12, s28, s12",
            "vadd.f32 s13, s29, s13",
            "vadd.f32 s14, s30, s14",
            "vadd.f32 s15, s31, s15",
            "4:",
            "vstmia {dx}, {{s0-s15}}",
            dx = in(reg) dx.as_mut_ptr(),
            accumulate = in(reg) u32::from(accumulate),
            zero = in(reg) 0,
            dy = inout(reg) dy.as_ptr() => _,
            w = inout(reg) w.as_ptr() => _,
            // The first load has moved the pointer by 8 values already.
            skip = in(reg) (stride - 8) * size_of::<f32>(),
            rows = inout(reg) rows => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _,
            out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _,
            out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _,
            out("s28") _, out("s29") _, out("s30") _, out("s31") _,
            options(nostack),
        );
    }
}

/// [`sixteen_columns`] for eight.
#[inline(always)]
fn eight_columns(dx: &mut [f32; 8], w: &[f32], stride: usize, dy: &[f32], accumulate: bool) {
    let rows = whole_rows(w, 8, stride, dy);
    // SAFETY: row r reads `w[r * stride..][..8]`, the last of which `whole_rows` found inside; behind the last row the
    // pointer isn't used. `dy` has `rows` values and `dx` 8. Registers that change are declared.
    unsafe {
        asm!(
            "vmov s0, s1, {zero}, {zero}",
            "vmov s2, s3, {zero}, {zero}",
            "vmov s4, s5, {zero}, {zero}",
            "vmov s6, s7, {zero}, {zero}",
            "cmp {rows}, #0",
            "beq 3f",
            "2:",
            "vldmia {dy}!, {{s16}}",
            "vldmia {w}, {{s8-s15}}",
            "vmla.f32 s0, s8, s16",
            "vmla.f32 s1, s9, s16",
            "vmla.f32 s2, s10, s16",
            "vmla.f32 s3, s11, s16",
            "vmla.f32 s4, s12, s16",
            "vmla.f32 s5, s13, s16",
            "vmla.f32 s6, s14, s16",
            "vmla.f32 s7, s15, s16",
            "add {w}, {w}, {stride}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            "3:",
            "cmp {accumulate}, #0",
            "beq 4f",
            "vldmia {dx}, {{s8-s15}}",
            "vadd.f32 s0, s8, s0",
            "vadd.f32 s1, s9, s1",
            "vadd.f32 s2, s10, s2",
            "vadd.f32 s3, s11, s3",
            "vadd.f32 s4, s12, s4",
            "vadd.f32 s5, s13, s5",
            "vadd.f32 s6, s14, s6",
            "vadd.f32 s7, s15, s7",
            "4:",
            "vstmia {dx}, {{s0-s7}}",
            dx = in(reg) dx.as_mut_ptr(),
            accumulate = in(reg) u32::from(accumulate),
            zero = in(reg) 0,
            dy = inout(reg) dy.as_ptr() => _,
            w = inout(reg) w.as_ptr() => _,
            stride = in(reg) stride * size_of::<f32>(),
            rows = inout(reg) rows => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _,
            out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _,
            options(nostack),
        );
    }
}

/// `sum += Σ_r w[r * stride] * dy[r]`, r ascending.
#[inline(always)]
fn one_column(sum: &mut f32, w: &[f32], stride: usize, dy: &[f32]) {
    let rows = whole_rows(w, 1, stride, dy);
    if rows == 0 {
        return;
    }
    // SAFETY: row r reads `w[r * stride]`, the last of which `whole_rows` found inside; behind the last row the pointer
    // isn't used. `dy` has `rows` values. Registers that change are declared.
    unsafe {
        asm!(
            "vldr s0, [{sum}]",
            "2:",
            "vldmia {dy}!, {{s1}}",
            "vldr s2, [{w}]",
            "vmla.f32 s0, s2, s1",
            "add {w}, {w}, {stride}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            "vstr s0, [{sum}]",
            sum = in(reg) sum,
            dy = inout(reg) dy.as_ptr() => _,
            w = inout(reg) w.as_ptr() => _,
            stride = in(reg) stride * size_of::<f32>(),
            rows = inout(reg) rows => _,
            out("s0") _, out("s1") _, out("s2") _,
            options(nostack),
        );
    }
}
