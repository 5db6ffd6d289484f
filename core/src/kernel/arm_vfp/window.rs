//! A window of three columns on its way along rows, in steps of four.
//!
//! The last two inputs that it has seen are kept in s12 and s13, the next four come into s14 to s17: result i of a step
//! has its window at s12+i. Beyond the ends of a row the inputs are zeros, of which s26 is the source.

/// How every row is walked: what the assembly of [`along_rows`] reads, in this order.
#[repr(C)]
pub(super) struct Walk {
    /// Zeros before the first input: 0, 1 or 2.
    left: i32,
    /// Steps of four results with four inputs each.
    whole: i32,
    /// Inputs of one step more, 0 to 3, or -1 if there is none.
    partial: i32,
    /// Results after those steps, one at a time.
    singles: i32,
    /// Inputs that are left for them.
    single_inputs: i32,
}

impl Walk {
    /// For rows of so many results and inputs; `None` where a row has inputs to spare or lacks more than a step's.
    pub(super) fn new(width: usize, inputs: usize, left: usize) -> Option<Walk> {
        if left > 2 || width > 0xffff {
            return None;
        }
        // Inputs after those that the window holds before its first step.
        let inputs = (inputs + left).checked_sub(2)?;
        if inputs > width {
            return None;
        }
        let steps = width / 4;
        let whole = steps.min(inputs / 4);
        let partial = match steps - whole {
            0 => -1,
            1 => (inputs % 4) as i32,
            _ => return None,
        };
        let single_inputs = inputs.saturating_sub(4 * steps) as i32;
        Some(Walk { left: left as i32, whole: whole as i32, partial, singles: (width % 4) as i32, single_inputs })
    }
}

/// The assembly that walks `{rows}` rows by the [`Walk`] at `{walk}`. `$step` uses the inputs of four results,
/// `$single` those of one, at s12 to s14. `{x}` passes over the inputs, `{n}` and `{partial}` are free registers.
macro_rules! along_rows {
    ($step:expr, $single:expr) => {
        concat!(
            "mov {n}, #0\n",
            "vmov s26, {n}\n",
            "2:\n",
            "vmov.f32 s12, s26\n",
            "vmov.f32 s13, s26\n",
            "ldr {n}, [{walk}]\n",
            "cmp {n}, #1\n",
            "it eq\n",
            "vldmiaeq {x}!, {{s13}}\n",
            "it lt\n",
            "vldmialt {x}!, {{s12-s13}}\n",
            "ldr {n}, [{walk}, #4]\n",
            "ldr {partial}, [{walk}, #8]\n",
            "cmp {n}, #0\n",
            "beq 5f\n",
            "3:\n",
            "vldmia {x}!, {{s14-s17}}\n",
            "4:\n",
            $step,
            "vmov.f32 s12, s16\n",
            "vmov.f32 s13, s17\n",
            "subs {n}, {n}, #1\n",
            "bgt 3b\n",
            "5:\n",
            "cmp {partial}, #0\n",
            "blt 6f\n",
            "vmov.f32 s14, s26\n",
            "vmov.f32 s15, s26\n",
            "vmov.f32 s16, s26\n",
            "vmov.f32 s17, s26\n",
            "cmp {partial}, #1\n",
            "it eq\n",
            "vldmiaeq {x}!, {{s14}}\n",
            "cmp {partial}, #2\n",
            "it eq\n",
            "vldmiaeq {x}!, {{s14-s15}}\n",
            "cmp {partial}, #3\n",
            "it eq\n",
            "vldmiaeq {x}!, {{s14-s16}}\n",
            // Once only: the step's own count is at 0 and ends there.
            "mov {partial}, #-1\n",
            "mov {n}, #0\n",
            "b 4b\n",
            "6:\n",
            "ldr {n}, [{walk}, #12]\n",
            "cmp {n}, #0\n",
            "beq 8f\n",
            "ldr {partial}, [{walk}, #16]\n",
            "7:\n",
            "vmov.f32 s14, s26\n",
            "subs {partial}, {partial}, #1\n",
            "it ge\n",
            "vldmiage {x}!, {{s14}}\n",
            $single,
            "vmov.f32 s12, s13\n",
            "vmov.f32 s13, s14\n",
            "subs {n}, {n}, #1\n",
            "bne 7b\n",
            "8:\n",
            "subs {rows}, {rows}, #1\n",
            "bne 2b\n",
        )
    };
}
pub(super) use along_rows;

/// One factor for several sums, each of which gains its product with its own input.
macro_rules! multiply {
    ($factor:literal, [$($sum:literal)*], [$($x:literal)*]) => {
        concat!($("vmla.f32 ", $sum, ", ", $factor, ", ", $x, "\n"),*)
    };
}
pub(super) use multiply;
