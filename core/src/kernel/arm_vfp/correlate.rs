//! The weight gradient of convolutions with windows of three columns.

use core::arch::asm;

use super::window::{Walk, along_rows, multiply};
use crate::kernel::portable;
use crate::number::Number;

/// [`portable::correlate_rows`], in f32 and windows of three columns by load-multiple: 57 instructions for 48 MACs.
#[inline]
pub fn correlate_rows<N: Number, const K: usize>(
    mut sums: [[N::Accumulator; 4]; K],
    x: &[N::Value],
    x_width: usize,
    left: usize,
    errors: [&[N::Value]; 4],
    width: usize,
) -> [[N::Accumulator; 4]; K] {
    if K == 3
        && let Some(walk) = Walk::new(width, x_width, left)
        && let Some(floats) = N::floats(x)
        && let Some(all) = N::sum_floats_mut(sums.as_flattened_mut()).and_then(|sums| sums.first_chunk_mut::<12>())
    {
        let errors = errors.map(|error| N::floats(error).unwrap_or_default());
        let rows = errors.iter().fold(x.len() / x_width.max(1), |rows, e| rows.min(e.len() / width.max(1)));
        correlate(all, floats, errors, rows, &walk);
        return sums;
    }
    others::<N, K>(sums, x, x_width, left, errors, width)
}

/// Other windows and formats; by itself, so that it costs the registers of no loop that doesn't need it.
#[inline(never)]
fn others<N: Number, const K: usize>(
    sums: [[N::Accumulator; 4]; K],
    x: &[N::Value],
    x_width: usize,
    left: usize,
    errors: [&[N::Value]; 4],
    width: usize,
) -> [[N::Accumulator; 4]; K] {
    portable::correlate_rows::<N, K>(sums, x, x_width, left, errors, width)
}

/// `sums[k, r] += Σ_i errors[r][i] * x[i + k - left]`.
#[inline(never)]
fn correlate(sums: &mut [f32; 12], x: &[f32], [a, b, c, d]: [&[f32]; 4], rows: usize, walk: &Walk) {
    if rows == 0 {
        return;
    }
    // SAFETY: the caller took `rows` such that each of the error planes has that many rows of the walk's results and
    // `x` that many of its inputs, which are what the pointers pass over: a walk of `width` results and `x_width`
    // inputs has no inputs to spare. Only the 12 sums are written. Registers that change are declared.
    unsafe {
        asm!(
            "vldmia {sums}, {{s0-s11}}",
            along_rows!(
                concat!(
                    "vldmia {a}!, {{s18-s21}}\n",
                    "vldmia {b}!, {{s22-s25}}\n",
                    multiply!("s18", ["s0" "s4" "s8"], ["s12" "s13" "s14"]),
                    multiply!("s22", ["s1" "s5" "s9"], ["s12" "s13" "s14"]),
                    multiply!("s19", ["s0" "s4" "s8"], ["s13" "s14" "s15"]),
                    multiply!("s23", ["s1" "s5" "s9"], ["s13" "s14" "s15"]),
                    multiply!("s20", ["s0" "s4" "s8"], ["s14" "s15" "s16"]),
                    multiply!("s24", ["s1" "s5" "s9"], ["s14" "s15" "s16"]),
                    multiply!("s21", ["s0" "s4" "s8"], ["s15" "s16" "s17"]),
                    multiply!("s25", ["s1" "s5" "s9"], ["s15" "s16" "s17"]),
                    "vldmia {c}!, {{s18-s21}}\n",
                    "vldmia {d}!, {{s22-s25}}\n",
                    multiply!("s18", ["s2" "s6" "s10"], ["s12" "s13" "s14"]),
                    multiply!("s22", ["s3" "s7" "s11"], ["s12" "s13" "s14"]),
                    multiply!("s19", ["s2" "s6" "s10"], ["s13" "s14" "s15"]),
                    multiply!("s23", ["s3" "s7" "s11"], ["s13" "s14" "s15"]),
                    multiply!("s20", ["s2" "s6" "s10"], ["s14" "s15" "s16"]),
                    multiply!("s24", ["s3" "s7" "s11"], ["s14" "s15" "s16"]),
                    multiply!("s21", ["s2" "s6" "s10"], ["s15" "s16" "s17"]),
                    multiply!("s25", ["s3" "s7" "s11"], ["s15" "s16" "s17"]),
                ),
                concat!(
                    "vldmia {a}!, {{s18}}\n",
                    multiply!("s18", ["s0" "s4" "s8"], ["s12" "s13" "s14"]),
                    "vldmia {b}!, {{s18}}\n",
                    multiply!("s18", ["s1" "s5" "s9"], ["s12" "s13" "s14"]),
                    "vldmia {c}!, {{s18}}\n",
                    multiply!("s18", ["s2" "s6" "s10"], ["s12" "s13" "s14"]),
                    "vldmia {d}!, {{s18}}\n",
                    multiply!("s18", ["s3" "s7" "s11"], ["s12" "s13" "s14"]),
                )
            ),
            "vstmia {sums}, {{s0-s11}}",
            sums = in(reg) sums.as_mut_ptr(),
            walk = in(reg) walk,
            rows = inout(reg) rows => _,
            x = inout(reg) x.as_ptr() => _,
            a = inout(reg) a.as_ptr() => _,
            b = inout(reg) b.as_ptr() => _,
            c = inout(reg) c.as_ptr() => _,
            d = inout(reg) d.as_ptr() => _,
            n = out(reg) _,
            partial = out(reg) _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _,
            out("s15") _, out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _,
            out("s22") _, out("s23") _, out("s24") _, out("s25") _, out("s26") _,
            options(nostack),
        );
    }
}
