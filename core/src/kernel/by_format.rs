//! Kernels that one folder has for fixed point and another for f32.

use super::{arm_dsp, selected};
use crate::number::{Format, Number};

/// [`portable::matrix_vector`](super::portable::matrix_vector), in fixed point by the DSP extension.
#[inline(always)]
pub fn matrix_vector<N: Number>(
    w: &[N::Value],
    x: &[N::Value],
    bias: &[N::Value],
    y: &mut [N::Value],
    stride: usize,
    bias_shift: i32,
    shift: i32,
) {
    match N::FORMAT {
        Format::F32 => selected::matrix_vector::<N>(w, x, bias, y, stride, bias_shift, shift),
        Format::Fixed16 => arm_dsp::matrix_vector::<N>(w, x, bias, y, stride, bias_shift, shift),
    }
}
