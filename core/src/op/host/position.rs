//! `positional_encoding` and `positional_embedding`: where in the sequence a position is.

use super::{Facts, OpError, Shape, attempt, facts, length_features};

/// Adds to each position of `[length, features]` what says where it is.
///
/// Fixed: `sin(p / 10000^(2i/features))` at feature `2i` and the cosine of the same at `2i + 1` (Vaswani et al., "Attention is
/// all you need", section 3.5). Learned: row `p` of the weight `[length, features]`, as an `nn.Embedding(length, features)` of
/// 0, 1, 2, ….
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionalEncoding {
    /// Learned instead of sine and cosine.
    pub learned: bool,
}

impl PositionalEncoding {
    pub(super) const fn name(&self) -> &'static str {
        if self.learned { "positional_embedding" } else { "positional_encoding" }
    }

    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        attempt!(length_features(x));
        Ok(facts(x, [if self.learned { x.elements() } else { 0 }, 0], 0))
    }
}
