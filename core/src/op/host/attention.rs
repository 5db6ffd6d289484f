//! `attention`: multi-head self-attention.

use super::{Facts, OpError, Shape, attempt, facts, length_features};

/// Multi-head self-attention over a sequence, as PyTorch's `nn.MultiheadAttention(features, heads, batch_first=True)` with
/// query, key and value the same: `y = concat_h(softmax(q_h k_hᵀ / sqrt(d_h)) v_h) W_oᵀ + b_o`, `[q k v] = x W_inᵀ + b_in`.
///
/// Weight: `in_proj_weight [3 features, features]`, then `out_proj.weight [features, features]`; bias: `in_proj_bias
/// [3 features]`, then `out_proj.bias [features]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attention {
    /// Heads; they divide the features.
    pub heads: u16,
    /// Whether a position sees itself and those before it alone.
    pub causal: bool,
    /// Whether there are biases.
    pub bias: bool,
}

impl Attention {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        let (length, features) = attempt!(length_features(x));
        if self.heads == 0 || !features.is_multiple_of(self.heads as u32) {
            return Err(OpError::Attribute("heads must be at least 1 and divide the features"));
        }
        let weight = (4 * features).saturating_mul(features);
        let (length, all) = (length as u64, features as u64);
        // The four projections, the scores, and the weighted values.
        let macs = length * weight as u64 + 2 * length * length * all;
        Ok(facts(x, [weight, if self.bias { 4 * features } else { 0 }], macs))
    }
}
