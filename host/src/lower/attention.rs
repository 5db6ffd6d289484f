//! `attention`: multi-head self-attention, one matrix product for all positions and heads.

use super::precision::single;
use super::sequence::last_linear;
use super::{Mode, NodeTensors, Value};
use burn_tensor::ops::AttentionModuleOptions;
use burn_tensor::{DType, Device, Tensor, TensorData, activation, module};
use emberlite::op::Attention;

/// `x [batch, length, features]`; the parameters are packed as [`Attention`] says.
///
/// In a prediction the framework's own attention, which needn't hold the scores. In training they are held for the way
/// back anyway, and its fallback there takes twice the steps: it guards rows that are masked as a whole, which a causal
/// mask never makes. In bf16 neither: the softmax must be f32, and the framework's attention computes it as it likes.
pub(super) fn forward(a: &Attention, x: Value, mode: Mode, parameters: &NodeTensors) -> Value {
    // The shape rule refuses anything else.
    let Value::Sequence(x) = x else { return x };
    let [batch, length, features] = x.dims();
    let (heads, size) = (usize::from(a.heads), features / usize::from(a.heads));
    let weight = parameters.weight();
    let inside = weight.clone().narrow(0, 0, 3 * features * features).reshape([3 * features, features]);
    let out = weight.narrow(0, 3 * features * features, features * features).reshape([features, features]);
    let bias = parameters.bias.clone();
    let bias_of = |from: usize, len: usize| bias.clone().map(|bias| bias.narrow(0, from, len));
    let projected = last_linear(x, inside, bias_of(0, 3 * features));
    // [batch, length, 3, heads, size] -> three times [batch, heads, length, size].
    let all = projected.reshape([batch, length, 3, heads, size]).permute([2, 0, 3, 1, 4]);
    let part = |index: usize| all.clone().narrow(0, index, 1).reshape([batch, heads, length, size]);
    let (query, key, value) = (part(0), part(1), part(2));
    let y = if mode == Mode::Predict && query.dtype() == DType::F32 {
        let options = AttentionModuleOptions { is_causal: a.causal, ..AttentionModuleOptions::default() };
        module::attention(query, key, value, None, None, options)
    } else {
        let scale = 1.0 / (size as f32).sqrt();
        let scores = if query.dtype() == DType::F32 {
            // The scale on the smaller tensor.
            query.mul_scalar(scale).matmul(key.transpose())
        } else {
            // The scale where it isn't rounded.
            single(query.matmul(key.transpose())).mul_scalar(scale)
        };
        let device = scores.device().without_autodiff();
        let scores = if a.causal { scores + later_are_hidden(length, &device) } else { scores };
        let shares = activation::softmax(scores, 3).cast(value.dtype());
        shares.matmul(value)
    };
    let y = y.swap_dims(1, 2).reshape([batch, length, features]);
    Value::Sequence(last_linear(y, out, bias_of(3 * features, features)))
}

/// `[1, 1, length, length]`: minus infinity where a position would see a later one, else 0.
fn later_are_hidden(length: usize, device: &Device) -> Tensor<4> {
    let row = |query: usize| (0..length).map(move |key| if key > query { f32::NEG_INFINITY } else { 0.0 });
    let mask: Vec<f32> = (0..length).flat_map(row).collect();
    Tensor::from_data(TensorData::new(mask, [1, 1, length, length]), device)
}
