//! What a tensor of the file is: its kind, its element type, its name.

use core::fmt;

/// The node of tensors that belong to the whole model.
pub const MODEL: u8 = 255;

/// What a tensor is. The numbers are those of the file; they never change, new kinds get new ones.
///
/// Elements and dimensions, where `value` is f32 or, in `fixed16`, i16:
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Kind {
    /// The graph as text (u8 `[bytes]`, see [`write_graph`](crate::graph::write_graph)); the writer makes it.
    Graph = 1,
    /// A node's weight, value, in PyTorch's dimensions.
    Weight = 2,
    /// A node's bias, value `[outputs]`.
    Bias = 3,
    /// Running mean of a batch norm, value `[channels]`.
    RunningMean = 4,
    /// Running variance of a batch norm, value `[channels]`.
    RunningVariance = 5,
    /// First optimizer state of the weight (momentum), f32 or i32.
    WeightState0 = 6,
    /// Second optimizer state of the weight (second moment), f32 or i32.
    WeightState1 = 7,
    /// First optimizer state of the bias.
    BiasState0 = 8,
    /// Second optimizer state of the bias.
    BiasState1 = 9,
    /// Normalisation of the input, f32 `[2, channels]`: mean, and one over the standard deviation; or `[5, channels]` with
    /// what is done before: the value that a NaN becomes (NaN for none), low and high limit (infinite for none).
    Normalisation = 16,
    /// The same for integer arithmetic, i32 `[4, channels]`: low and high half of a 64-bit offset, multiplier, shift, for
    /// `(raw * multiplier + offset) >> shift`; or `[6, channels]` with low and high limit of raw values.
    NormalisationFixed = 17,
    /// Fraction bits of a fixed-point model, i8 `[values, 4]`: value, weight, bias, error of the graph's input and of
    /// each node.
    Scales = 18,
    /// One input, normalised, value in the input's dimensions, for the learner's `self_check` at install.
    GoldenInput = 19,
    /// What the model makes of [`Kind::GoldenInput`], value `[outputs]`.
    GoldenOutput = 20,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 14] = [
        Kind::Graph,
        Kind::Weight,
        Kind::Bias,
        Kind::RunningMean,
        Kind::RunningVariance,
        Kind::WeightState0,
        Kind::WeightState1,
        Kind::BiasState0,
        Kind::BiasState1,
        Kind::Normalisation,
        Kind::NormalisationFixed,
        Kind::Scales,
        Kind::GoldenInput,
        Kind::GoldenOutput,
    ];

    /// The kind of a number in the file, if this library knows it.
    pub fn from_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// Whether it belongs to the whole model ([`MODEL`]) rather than to a node.
    pub const fn is_global(self) -> bool {
        matches!(
            self,
            Kind::Graph
                | Kind::Normalisation
                | Kind::NormalisationFixed
                | Kind::Scales
                | Kind::GoldenInput
                | Kind::GoldenOutput
        )
    }
}

/// The type of a tensor's elements; numbers as in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum DType {
    /// IEEE 754 single precision.
    F32 = 1,
    /// Signed, 8 bits.
    I8 = 2,
    /// Signed, 16 bits.
    I16 = 3,
    /// Signed, 32 bits.
    I32 = 4,
    /// Signed, 64 bits.
    I64 = 5,
    /// Unsigned, 8 bits.
    U8 = 6,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 6] = [DType::F32, DType::I8, DType::I16, DType::I32, DType::I64, DType::U8];

    /// The element type of a number in the file, if this library knows it.
    pub fn from_code(code: u8) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| *dtype as u8 == code)
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> u32 {
        match self {
            DType::I8 | DType::U8 => 1,
            DType::I16 => 2,
            DType::F32 | DType::I32 => 4,
            DType::I64 => 8,
        }
    }

    /// The name that safetensors gives it.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "F32",
            DType::I8 => "I8",
            DType::I16 => "I16",
            DType::I32 => "I32",
            DType::I64 => "I64",
            DType::U8 => "U8",
        }
    }
}

/// A tensor's name in the file: `{node}.weight` as in PyTorch's `Sequential`, `~…` for what PyTorch doesn't know.
///
/// ```
/// use emberlite::image::{Kind, Name};
/// assert_eq!(Name { node: 3, kind: Kind::RunningVariance }.to_string(), "3.running_var");
/// assert_eq!(Name { node: 3, kind: Kind::BiasState1 }.to_string(), "~state.3.bias.1");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name {
    /// The node, or [`MODEL`].
    pub node: u8,
    /// The kind.
    pub kind: Kind,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node;
        match self.kind {
            Kind::Graph => f.write_str("~graph"),
            Kind::Weight => write!(f, "{node}.weight"),
            Kind::Bias => write!(f, "{node}.bias"),
            Kind::RunningMean => write!(f, "{node}.running_mean"),
            Kind::RunningVariance => write!(f, "{node}.running_var"),
            Kind::WeightState0 => write!(f, "~state.{node}.weight.0"),
            Kind::WeightState1 => write!(f, "~state.{node}.weight.1"),
            Kind::BiasState0 => write!(f, "~state.{node}.bias.0"),
            Kind::BiasState1 => write!(f, "~state.{node}.bias.1"),
            Kind::Normalisation => f.write_str("~normalisation"),
            Kind::NormalisationFixed => f.write_str("~normalisation_fixed"),
            Kind::Scales => f.write_str("~scales"),
            Kind::GoldenInput => f.write_str("~golden_input"),
            Kind::GoldenOutput => f.write_str("~golden_output"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_read_back() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::from_code(kind as u8), Some(kind));
            assert!(Kind::ALL.iter().skip(place + 1).all(|other| *other as u8 != kind as u8));
        }
        for dtype in DType::ALL {
            assert_eq!(DType::from_code(dtype as u8), Some(dtype));
        }
        assert_eq!((Kind::from_code(0), DType::from_code(0)), (None, None));
    }
}
