//! `group_norm`: each group of channels by itself.

use super::{Facts, OpError, Shape, facts};

/// Normalises each group of channels over its positions, as PyTorch's `nn.GroupNorm`: `y = (x - mean) / sqrt(var + epsilon)
/// * weight + bias`, with a weight and a bias a channel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GroupNorm {
    /// Groups; they divide the channels.
    pub groups: u16,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub epsilon: f32,
}

impl GroupNorm {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        let channels = x.planes().0;
        if self.groups == 0 || !channels.is_multiple_of(self.groups) {
            return Err(OpError::Groups { groups: self.groups, input: channels, output: channels });
        }
        if !(self.epsilon > 0.0 && self.epsilon < 1.0) {
            return Err(OpError::Attribute("epsilon must be in (0, 1)"));
        }
        Ok(facts(x, [channels as u32; 2], 0))
    }
}
