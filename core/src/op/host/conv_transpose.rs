//! `conv_transpose1d` and `conv_transpose2d`.

use super::{Facts, OpError, Shape, attempt, dimension, facts};

/// A transposed convolution, as PyTorch's: what a convolution of the same attributes does to its input's error.
/// `[in, h, w] -> [out, oh, ow]` with `oh = (h - 1) stride - 2 padding + kernel + output_padding`; weight
/// `[in, out, kh, kw]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvTranspose {
    /// 1 for sequences `[channels, length]`, 2 for images.
    pub rank: u8,
    /// Output channels.
    pub channels: u16,
    /// Kernel height and width; a sequence has height 1.
    pub kernel: [u8; 2],
    /// Step of the window over the output.
    pub stride: [u8; 2],
    /// Taken off on each side.
    pub padding: [u8; 2],
    /// Added at the end of each dimension; less than the stride.
    pub output_padding: u16,
    /// Whether there is a bias.
    pub bias: bool,
}

impl ConvTranspose {
    pub(super) const fn name(&self) -> &'static str {
        if self.rank == 1 { "conv_transpose1d" } else { "conv_transpose2d" }
    }

    const fn size(&self, dimension_index: usize, input: u16) -> Result<u16, OpError> {
        let (kernel, stride) = (self.kernel[dimension_index] as u32, self.stride[dimension_index] as u32);
        if kernel == 0 || stride == 0 {
            return Err(OpError::Attribute("window and stride must be at least 1"));
        }
        if self.output_padding as u32 >= stride {
            return Err(OpError::Attribute("output_padding must be less than the stride"));
        }
        let whole = (input as u32 - 1) * stride + kernel + self.output_padding as u32;
        let cut = 2 * self.padding[dimension_index] as u32;
        if whole <= cut {
            return Err(OpError::Attribute("padding takes the whole output away"));
        }
        dimension(whole - cut)
    }

    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if x.rank() != self.rank + 1 {
            return Err(OpError::Rank { needed: self.rank + 1, got: x });
        }
        let (inputs, h, w) = x.planes();
        if self.channels == 0 {
            return Err(OpError::Attribute("channels must be at least 1"));
        }
        let oh = if self.rank == 1 { 1 } else { attempt!(self.size(0, h)) };
        let ow = attempt!(self.size(1, w));
        let output = if self.rank == 1 { Shape::d2(self.channels, ow) } else { Shape::d3(self.channels, oh, ow) };
        let window = self.kernel[0] as u32 * self.kernel[1] as u32;
        let weight = (inputs as u32).saturating_mul(self.channels as u32).saturating_mul(window);
        let bias = if self.bias { self.channels as u32 } else { 0 };
        Ok(facts(output, [weight, bias], weight as u64 * h as u64 * w as u64))
    }
}
