//! Adam's step.

use core::arch::asm;

use crate::kernel::portable::AdamStep;

/// The same instruction for several elements.
macro_rules! each {
    ($op:literal, [$($to:literal)*], [$($a:literal)*], [$($b:literal)*]) => {
        concat!($($op, " ", $to, ", ", $a, ", ", $b, "\n"),*)
    };
}

/// The same instruction for several elements with a factor or a summand that they share.
macro_rules! shared {
    ($op:literal, [$($to:literal)*], [$($a:literal)*], $b:literal) => {
        concat!($($op, " ", $to, ", ", $a, ", ", $b, "\n"),*)
    };
}

/// The roots of several elements.
macro_rules! roots {
    ([$($to:literal)*]) => {
        concat!($("vsqrt.f32 ", $to, ", ", $to, "\n"),*)
    };
}

/// Loads, steps and stores as many elements as each list has registers; `$x` and the others are written as a range too.
/// The step's settings are in s20 to s26, as [`AdamStep`] names them.
macro_rules! elements {
    ($xs:literal $x:tt, $ms:literal $m:tt, $vs:literal $v:tt, $ws:literal $w:tt, $ts:literal $t:tt) => {
        concat!(
            "vldmia {x}!, {{",
            $xs,
            "}}\n",
            "vldmia {m}, {{",
            $ms,
            "}}\n",
            "vldmia {v}, {{",
            $vs,
            "}}\n",
            "vldmia {w}, {{",
            $ws,
            "}}\n",
            shared!("vmul.f32", $x, $x, "s20"),
            each!("vsub.f32", $t, $x, $m),
            shared!("vmla.f32", $m, $t, "s21"),
            shared!("vmul.f32", $t, $x, "s23"),
            each!("vmul.f32", $t, $t, $x),
            shared!("vmla.f32", $t, $v, "s22"),
            "vstmia {m}!, {{",
            $ms,
            "}}\n",
            "vstmia {v}!, {{",
            $ts,
            "}}\n",
            roots!($t),
            shared!("vadd.f32", $t, $t, "s24"),
            shared!("vmul.f32", $x, $m, "s25"),
            shared!("vmul.f32", $w, $w, "s26"),
            each!("vdiv.f32", $x, $x, $t),
            each!("vsub.f32", $w, $w, $x),
            "vstmia {w}!, {{",
            $ws,
            "}}\n",
        )
    };
}

/// The bits of [`crate::kernel::portable::adam`], 57 instructions for 4 elements.
#[inline(never)]
pub fn adam(w: &mut [f32], m: &mut [f32], v: &mut [f32], x: &[f32], step: &AdamStep) {
    let len = w.len().min(m.len()).min(v.len()).min(x.len());
    // SAFETY: the four pointers pass over `len` values, which no slice falls short of, and only those of `w`, `m` and
    // `v`, borrowed mutably, are written; `step` is seven floats in the order of its fields. Registers that change are
    // declared.
    unsafe {
        asm!(
            "vldmia {step}, {{s20-s26}}",
            "lsrs {n}, {len}, #2",
            "beq 3f",
            "2:",
            elements!(
                "s0-s3" ["s0" "s1" "s2" "s3"],
                "s4-s7" ["s4" "s5" "s6" "s7"],
                "s8-s11" ["s8" "s9" "s10" "s11"],
                "s12-s15" ["s12" "s13" "s14" "s15"],
                "s16-s19" ["s16" "s17" "s18" "s19"]
            ),
            "subs {n}, {n}, #1",
            "bne 2b",
            "3:",
            "ands {n}, {len}, #3",
            "beq 5f",
            "4:",
            elements!("s0" ["s0"], "s4" ["s4"], "s8" ["s8"], "s12" ["s12"], "s16" ["s16"]),
            "subs {n}, {n}, #1",
            "bne 4b",
            "5:",
            step = in(reg) step,
            len = in(reg) len,
            n = out(reg) _,
            x = inout(reg) x.as_ptr() => _,
            w = inout(reg) w.as_mut_ptr() => _,
            m = inout(reg) m.as_mut_ptr() => _,
            v = inout(reg) v.as_mut_ptr() => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _,
            out("s15") _, out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _,
            out("s22") _, out("s23") _, out("s24") _, out("s25") _, out("s26") _,
            options(nostack),
        );
    }
}
