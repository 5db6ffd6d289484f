//! Why an operation refuses its input or attributes.

use crate::shape::Shape;

/// A mistake in one layer, with the numbers that explain it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OpError {
    /// The operation needs an input of another rank: a vector (1), a sequence (2) or an image (3).
    Rank {
        /// The rank it needs.
        needed: u8,
        /// The input's shape.
        got: Shape,
    },
    /// The window doesn't fit into the padded input.
    WindowTooLarge {
        /// The window's size in that dimension.
        window: u16,
        /// The padded input's size in that dimension.
        input: u16,
    },
    /// Windows don't cover the input exactly, so its end would be dropped silently.
    WindowDoesNotDivide {
        /// The window's size in that dimension.
        window: u16,
        /// The step between windows.
        stride: u16,
        /// The padded input's size in that dimension.
        input: u16,
    },
    /// Padding of a pooling window must be at most half of it, or a window would see padding alone.
    PaddingTooLarge {
        /// The padding.
        padding: u16,
        /// The most that the window allows.
        limit: u16,
    },
    /// Groups must divide both channel counts.
    Groups {
        /// The groups asked for.
        groups: u16,
        /// Input channels.
        input: u16,
        /// Output channels.
        output: u16,
    },
    /// The two inputs of an `add` differ in shape.
    ShapesDiffer {
        /// The first input.
        first: Shape,
        /// The second input.
        second: Shape,
    },
    /// An attribute is outside its range; the text says which range.
    Attribute(&'static str),
    /// Training statistics need more than one position per channel.
    OnePosition {
        /// The input's shape.
        got: Shape,
    },
    /// A dimension or a count of elements exceeds what a plan can hold.
    TooLarge,
}

impl core::fmt::Display for OpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            OpError::Rank { needed, got } => {
                let what =
                    ["", "a vector [features]", "a sequence [channels, length]", "an image [channels, height, width]"];
                let what = what.get(needed as usize).copied().unwrap_or_default();
                write!(f, "needs {what}, its input is {got}")
            }
            OpError::WindowTooLarge { window, input } => {
                write!(f, "window {window} is larger than its padded input {input}")
            }
            OpError::WindowDoesNotDivide { window, stride, input } => write!(
                f,
                "window {window} with stride {stride} does not divide its padded input {input}: the end would be dropped (say `floor` to drop it)"
            ),
            OpError::PaddingTooLarge { padding, limit } => {
                write!(f, "padding {padding} is more than half of the window, at most {limit}")
            }
            OpError::Groups { groups, input, output } => {
                write!(f, "groups {groups} do not divide the channels {input} -> {output}")
            }
            OpError::ShapesDiffer { first, second } => write!(f, "adds {first} and {second}, which differ"),
            OpError::Attribute(text) => f.write_str(text),
            OpError::OnePosition { got } => {
                write!(
                    f,
                    "training statistics need more than one position per channel, its input is {got}: freeze it or use layer_norm"
                )
            }
            OpError::TooLarge => {
                f.write_str("is too large: a dimension is at most 65535, a tensor at most 2^24 elements")
            }
        }
    }
}
