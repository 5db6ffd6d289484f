//! All rows of an outer product: the update of a linear layer.

use super::{Optimizer, OptimizerSet, StepSettings, float};
use crate::kernel;
use crate::number::Number;

impl Optimizer {
    /// [`Optimizer::step_product_row`] for every row `r` of a row-major matrix, with the factor `factors[r]`.
    ///
    /// Plain f32 descent has a path of its own that does per row nothing but its product, because small layers have
    /// short rows: on Cortex-M4 the general path costs about 100 instructions a row, this one about 30.
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "as for one row")]
    pub fn step_product_rows<N: Number>(
        &self,
        linked: OptimizerSet,
        weights: &mut [N::Value],
        [mut s0, mut s1]: [&mut [N::Gradient]; 2],
        values: &[N::Value],
        factors: &[N::Value],
        frac: i32,
        step: &StepSettings,
    ) {
        let len = values.len().max(1);
        if let Some(rate) = float::plain_rate(self, linked, step)
            && let (Some(w), Some(x), Some(factors)) = (N::floats_mut(weights), N::floats(values), N::floats(factors))
        {
            kernel::descend_rows(w, x, factors, rate);
            return;
        }
        let mut step = *step;
        for (weights, &factor) in weights.chunks_exact_mut(len).zip(factors) {
            let state = [take(&mut s0, len), take(&mut s1, len)];
            self.step_product_row::<N>(linked, weights, state, values, factor, frac, &step);
            step.first += len as u32;
        }
    }
}

/// Takes the next `len` elements off the front, or nothing.
#[inline(always)]
fn take<'a, T>(values: &mut &'a mut [T], len: usize) -> &'a mut [T] {
    values.split_off_mut(..len).unwrap_or_default()
}
