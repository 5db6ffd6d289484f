//! Convolutions that add to their result in place: windows of three columns, four result planes.

use core::arch::asm;

use super::window::{Walk, along_rows, multiply};
use crate::kernel::portable;

/// [`portable::slide4`], windows of three columns by load-multiple: 61 instructions for 48 MACs.
#[inline]
pub fn slide4<const K: usize, const REVERSED: bool>(
    y: [&mut [f32]; 4],
    width: usize,
    w: &[[f32; K]; 4],
    x: &[f32],
    x_width: usize,
    left: usize,
) {
    if K == 3
        && let Some(w) = w.as_flattened().first_chunk::<12>()
        && let Some(walk) = Walk::new(width, x_width, left)
    {
        let rows = y.iter().fold(x.len() / x_width.max(1), |rows, y| rows.min(y.len() / width.max(1)));
        return if REVERSED { reversed(y, rows, w, x, &walk) } else { forward(y, rows, w, x, &walk) };
    }
    others::<K, REVERSED>(y, width, w, x, x_width, left);
}

/// Other windows; by itself, so that it costs the registers of no loop that doesn't need it.
#[inline(never)]
fn others<const K: usize, const REVERSED: bool>(
    y: [&mut [f32]; 4],
    width: usize,
    w: &[[f32; K]; 4],
    x: &[f32],
    x_width: usize,
    left: usize,
) {
    portable::slide4::<K, REVERSED>(y, width, w, x, x_width, left);
}

/// Four results of a row whose three weights are `$w0` to `$w2`.
macro_rules! row {
    ($y:tt, $w0:literal, $w1:literal, $w2:literal, $first:tt, $last:tt) => {
        concat!(
            multiply!($w0, $y, $first),
            multiply!($w1, $y, ["s13" "s14" "s15" "s16"]),
            multiply!($w2, $y, $last),
        )
    };
}

/// One result of the plane at `$p`.
macro_rules! single {
    ($p:literal, $w0:literal, $w1:literal, $w2:literal, $first:literal, $last:literal) => {
        concat!(
            "vldr s18, [{",
            $p,
            "}]\n",
            "vmla.f32 s18, ",
            $w0,
            ", ",
            $first,
            "\n",
            "vmla.f32 s18, ",
            $w1,
            ", s13\n",
            "vmla.f32 s18, ",
            $w2,
            ", ",
            $last,
            "\n",
            "vstmia {",
            $p,
            "}!, {{s18}}\n",
        )
    };
}

/// The kernel whose first weight meets `$first` of the inputs in the window and whose last one meets `$last`.
macro_rules! slide {
    ($name:ident, $first:tt, $last:tt, $single_first:literal, $single_last:literal) => {
        #[inline(never)]
        fn $name([a, b, c, d]: [&mut [f32]; 4], rows: usize, w: &[f32; 12], x: &[f32], walk: &Walk) {
            if rows == 0 {
                return;
            }
            // SAFETY: the caller took `rows` such that each of the planes `a` to `d` has that many rows of the walk's
            // results and `x` that many of its inputs, which are what the pointers pass over: a walk of `width` results
            // and `x_width` inputs has no inputs to spare. Only the planes, borrowed mutably, are written; `w` has 12
            // values. Registers that change are declared.
            unsafe {
                asm!(
                    "vldmia {w}, {{s0-s11}}",
                    along_rows!(
                        concat!(
                            "vldmia {a}, {{s18-s21}}\n",
                            "vldmia {b}, {{s22-s25}}\n",
                            row!(["s18" "s19" "s20" "s21"], "s0", "s1", "s2", $first, $last),
                            "vstmia {a}!, {{s18-s21}}\n",
                            "vldmia {c}, {{s18-s21}}\n",
                            row!(["s22" "s23" "s24" "s25"], "s3", "s4", "s5", $first, $last),
                            "vstmia {b}!, {{s22-s25}}\n",
                            "vldmia {d}, {{s22-s25}}\n",
                            row!(["s18" "s19" "s20" "s21"], "s6", "s7", "s8", $first, $last),
                            "vstmia {c}!, {{s18-s21}}\n",
                            row!(["s22" "s23" "s24" "s25"], "s9", "s10", "s11", $first, $last),
                            "vstmia {d}!, {{s22-s25}}\n",
                        ),
                        concat!(
                            single!("a", "s0", "s1", "s2", $single_first, $single_last),
                            single!("b", "s3", "s4", "s5", $single_first, $single_last),
                            single!("c", "s6", "s7", "s8", $single_first, $single_last),
                            single!("d", "s9", "s10", "s11", $single_first, $single_last),
                        )
                    ),
                    w = in(reg) w.as_ptr(),
                    walk = in(reg) walk,
                    rows = inout(reg) rows => _,
                    x = inout(reg) x.as_ptr() => _,
                    a = inout(reg) a.as_mut_ptr() => _,
                    b = inout(reg) b.as_mut_ptr() => _,
                    c = inout(reg) c.as_mut_ptr() => _,
                    d = inout(reg) d.as_mut_ptr() => _,
                    n = out(reg) _,
                    partial = out(reg) _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _,
                    out("s7") _, out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _,
                    out("s14") _, out("s15") _, out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _,
                    out("s21") _, out("s22") _, out("s23") _, out("s24") _, out("s25") _, out("s26") _,
                    options(nostack),
                );
            }
        }
    };
}

slide!(forward, ["s12" "s13" "s14" "s15"], ["s14" "s15" "s16" "s17"], "s12", "s14");
slide!(reversed, ["s14" "s15" "s16" "s17"], ["s12" "s13" "s14" "s15"], "s14", "s12");
