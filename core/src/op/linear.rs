//! `linear`: `y = W x + b`, with `W [out, in]` row-major as in PyTorch.

use super::{Backward, Bounded, Facts, Forward, Keep, OpError, ParameterGradient};
use crate::kernel;
use crate::number::{Number, largest_magnitude};
use crate::shape::Shape;

/// A fully connected layer: `y[o] = b[o] + Σ_i W[o, i] x[i]`, i ascending. Input `[in]`, output `[out]`.
///
/// Costs `in * out` MACs forward, the same for the error and for the gradient; keeps its input if its weight is trained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linear {
    /// The number of outputs.
    pub outputs: u16,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Linear {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if x.rank() != 1 {
            return Err(OpError::Rank { needed: 1, got: x });
        }
        if self.outputs == 0 {
            return Err(OpError::Attribute("outputs must be at least 1"));
        }
        let mut facts = Facts::plain(Shape::d1(self.outputs));
        let weights = x.elements() * self.outputs as u32;
        facts.parameters = [weights, if self.bias { self.outputs as u32 } else { 0 }, 0, 0];
        facts.macs = weights;
        facts.keep = Keep { input_for_parameters: true, ..Keep::NOTHING };
        Ok(facts)
    }

    /// Every output's error comes through one weight.
    #[inline(always)]
    pub(super) fn gain<N: Number>(&self, at: &Bounded<'_, N>) -> f32 {
        at.weight * f32::from(self.outputs)
    }
}

/// The bound on `Σ_p dy[p] x[p]` over the positions of the output (one here, more in a convolution); 1 stands for the
/// "input" of the bias.
#[inline(always)]
pub(super) fn gradient_bound<N: Number>(at: &Bounded<'_, N>, error: f32) -> f32 {
    at.output.positions() as f32 * error * largest_magnitude(1.0, N::floats(at.x).unwrap_or_default())
}

pub(super) fn forward<N: Number>(io: Forward<'_, N>) {
    let sum = io.scales.x + io.scales.weight;
    let p = io.parameters;
    kernel::matrix_vector::<N>(p.weight, io.x, p.bias, io.y, 1, sum - io.scales.bias, sum - io.scales.y);
}

/// `dx[i] = Σ_o W[o, i] dy[o]`, o ascending.
pub(super) fn backward_input<N: Number>(io: Backward<'_, N>) {
    let shift = io.scales.weight + io.scales.dy - io.scales.dx;
    kernel::matrix_vector_transposed::<N>(io.parameters.weight, io.dy, io.dx, shift, io.accumulate);
}

/// `dW[o, i] = dy[o] x[i]`, `db[o] = dy[o]`.
pub(super) fn backward_parameters<N: Number, S: ParameterGradient<N>>(io: Backward<'_, N>, sink: &mut S) {
    if sink.wants(0) {
        sink.product_rows(0, io.x, io.dy, io.scales.x + io.scales.dy);
    }
    if sink.wants(1) {
        sink.value_row(1, 0, io.dy, io.scales.dy);
    }
}
