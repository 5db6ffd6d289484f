//! `upsample_nearest1d`, `upsample_nearest2d`, `upsample_bilinear2d`.

use super::{Facts, OpError, Shape, attempt, dimension, facts};

/// How new values come about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpsampleMode {
    /// Every value is repeated.
    Nearest,
    /// Interpolated between the four around it; edges as PyTorch has them with `align_corners=False`.
    Bilinear,
}

/// Makes every spatial dimension `factor` times as large, as PyTorch's `nn.Upsample(scale_factor=factor)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upsample {
    /// 1 for sequences `[channels, length]`, 2 for images; bilinear has 2 alone.
    pub rank: u8,
    /// How many times as large.
    pub factor: u16,
    /// What is between the old values.
    pub mode: UpsampleMode,
}

impl Upsample {
    pub(super) const fn name(&self) -> &'static str {
        match (self.mode, self.rank) {
            (UpsampleMode::Nearest, 1) => "upsample_nearest1d",
            (UpsampleMode::Nearest, _) => "upsample_nearest2d",
            (UpsampleMode::Bilinear, _) => "upsample_bilinear2d",
        }
    }

    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if x.rank() != self.rank + 1 {
            return Err(OpError::Rank { needed: self.rank + 1, got: x });
        }
        if self.factor == 0 {
            return Err(OpError::Attribute("factor must be at least 1"));
        }
        let (channels, h, w) = x.planes();
        let ow = attempt!(dimension(w as u32 * self.factor as u32));
        let output = match self.rank {
            1 => Shape::d2(channels, ow),
            _ => Shape::d3(channels, attempt!(dimension(h as u32 * self.factor as u32)), ow),
        };
        Ok(facts(output, [0; 2], 0))
    }
}
