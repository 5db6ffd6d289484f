//! Why a model was not quantised.

use emberlite::image::{Kind, Name};
use emberlite::plan::PlanError;
use thiserror::Error;

/// An error of quantising or folding; its text names the layer, what was expected and what to do.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The planner refuses the graph in fixed16: an operation, a loss or a setting that the format doesn't have.
    #[error("{0}; fold batch norms and take out dropout before quantising, or stay with f32")]
    Plan(PlanError),
    /// A node lacks a parameter.
    #[error("there is no tensor {}; give the parameters of the same model", Name { node: *node, kind: *kind })]
    Missing {
        /// The node.
        node: u8,
        /// The tensor.
        kind: Kind,
    },
    /// A parameter has another number of elements than its node.
    #[error(
        "tensor {} has {got} elements, the model has {needed}; give the parameters of the same model",
        Name { node: *node, kind: *kind }
    )]
    Length {
        /// The node.
        node: u8,
        /// The tensor.
        kind: Kind,
        /// Elements of the node.
        needed: usize,
        /// Elements given.
        got: usize,
    },
    /// A parameter is NaN or infinite.
    #[error("tensor {} holds {value} at {index}; train again with a smaller rate", Name { node: *node, kind: *kind })]
    NotFinite {
        /// The node.
        node: u8,
        /// The tensor.
        kind: Kind,
        /// The element.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// The calibration set doesn't fit the model.
    #[error("calibration data: expected {expected}, found {found}; {help}")]
    Data {
        /// What the model needs.
        expected: String,
        /// What there is.
        found: String,
        /// What to do.
        help: &'static str,
    },
    /// A sample makes a node's output NaN or infinite.
    #[error("sample {sample} makes the output of layer {node} ({operation}) {value}; look for damaged samples")]
    Overflow {
        /// The sample's index.
        sample: usize,
        /// The node.
        node: u8,
        /// Its operation.
        operation: &'static str,
        /// What came out.
        value: f32,
    },
    /// A setting of the calibration can't be used.
    #[error("{what}: expected {expected}, found {found}")]
    Setting {
        /// Its name.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A batch norm has no linear layer or convolution of its own in front of it.
    #[error("layer {node} (batch_norm) can't be folded: {reason}")]
    Fold {
        /// The batch norm.
        node: u8,
        /// What is in the way, and what to do.
        reason: &'static str,
    },
    /// A channel's normalisation can't be done with integers.
    #[error(
        "channel {channel}: mean {mean}, 1/std {inverse_std} can't be applied to 16-bit integers; scale the raw values"
    )]
    Normalisation {
        /// The channel.
        channel: usize,
        /// Its mean in raw units.
        mean: f32,
        /// One over its deviation.
        inverse_std: f32,
    },
}

impl QuantizeError {
    /// The same about nodes as they were numbered before some were taken out: node `i` was `kept[i]`.
    pub(crate) fn renumbered(mut self, kept: &[u8]) -> Self {
        match &mut self {
            Self::Missing { node, .. }
            | Self::Length { node, .. }
            | Self::NotFinite { node, .. }
            | Self::Overflow { node, .. }
            | Self::Fold { node, .. } => *node = kept.get(usize::from(*node)).copied().unwrap_or(*node),
            Self::Plan(_) | Self::Data { .. } | Self::Setting { .. } | Self::Normalisation { .. } => {}
        }
        self
    }
}

impl From<PlanError> for QuantizeError {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}
