//! `embedding`: a row of a table for each token.

use super::{Facts, OpError, Shape, facts};

/// `[length] -> [length, features]`: row `x[i]` of the weight `[vocabulary, features]`, as PyTorch's `nn.Embedding`. Token ids
/// are whole numbers below `vocabulary`, as f32, which holds those below 2^24 exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Embedding {
    /// Tokens that there are.
    pub vocabulary: u16,
    /// Numbers that stand for a token.
    pub features: u16,
}

impl Embedding {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        let [length] = x.dims() else { return Err(OpError::Rank { needed: 1, got: x }) };
        if self.vocabulary == 0 || self.features == 0 {
            return Err(OpError::Attribute("vocabulary and features must be at least 1"));
        }
        let weight = self.vocabulary as u32 * self.features as u32;
        Ok(facts(Shape::d2(*length, self.features), [weight, 0], 0))
    }
}
