//! Why a graph can't be planned: the same facts as a compile error for a static model and as a value elsewhere.

use crate::op::{HostOp, OpError};

/// A mistake in a model or in its training settings, with the layer and the numbers that explain it.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PlanError {
    /// The node at fault, if it is one node.
    pub node: Option<u8>,
    /// That node's operation.
    pub operation: &'static str,
    /// What is wrong.
    pub kind: PlanErrorKind,
}

/// What is wrong with a model.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PlanErrorKind {
    /// The graph has no nodes.
    Empty,
    /// The graph has more nodes than the plan was sized for.
    TooManyNodes {
        /// How many it may have.
        limit: u32,
        /// How many it has.
        got: u32,
    },
    /// The input has no elements or more than three dimensions.
    InputShape,
    /// The layer refuses its input or its attributes.
    Operation(OpError),
    /// The layer reads the output of a node that isn't before it.
    Source {
        /// The node it names.
        node: u8,
    },
    /// With this layer the model is beyond any memory.
    TooLarge,
    /// Nobody reads the layer's output, and it isn't the last.
    Unused,
    /// The host alone has the operation; the device doesn't have it yet.
    HostOnly {
        /// The operation.
        op: HostOp,
    },
    /// The number format doesn't have this operation, loss or setting yet.
    NotInFormat {
        /// What is missing.
        what: &'static str,
        /// The format's name.
        format: &'static str,
    },
    /// A setting is outside its range; the text says which range.
    Setting(&'static str),
    /// Every parameter is frozen, so there is nothing to train.
    NothingToTrain,
    /// A class label needs an output of at least two values in one vector.
    LabelNeedsClasses {
        /// The output's elements.
        outputs: u32,
    },
    /// The classes that the model says it tells apart are not as many as its outputs.
    Classes {
        /// The classes declared.
        classes: u32,
        /// The outputs of the head.
        outputs: u32,
    },
    /// The output that a static model declares has another number of elements than its last layer gives.
    Output {
        /// The elements declared.
        declared: u32,
        /// The elements that there are.
        outputs: u32,
    },
    /// The memory that training needs exceeds the budget.
    Memory {
        /// The bytes that training needs.
        needed: u32,
        /// … of which parameters and running statistics,
        parameters: u32,
        /// … optimizer state,
        state: u32,
        /// … accumulated gradients,
        gradients: u32,
        /// … and activations, errors and scratch at the worst moment.
        working: u32,
        /// The bytes that there are.
        budget: u32,
    },
}

impl PlanError {
    pub(crate) const fn general(kind: PlanErrorKind) -> PlanError {
        PlanError { node: None, operation: "", kind }
    }
    pub(crate) const fn at(node: usize, operation: &'static str, kind: PlanErrorKind) -> PlanError {
        PlanError { node: Some(node as u8), operation, kind }
    }
}

const TOO_LARGE: &str = "makes the model too large: more than 2 GiB of parameters, their state, and activations";

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(node) = self.node {
            write!(f, "layer {node} ({}): ", self.operation)?;
        }
        match self.kind {
            PlanErrorKind::Empty => f.write_str("the model has no layers"),
            PlanErrorKind::TooManyNodes { limit, got } => write!(f, "the model has {got} layers, at most {limit} fit"),
            PlanErrorKind::InputShape => {
                f.write_str("the input needs one to three dimensions, each at least 1, and at most 2^24 elements")
            }
            PlanErrorKind::Operation(e) => write!(f, "{e}"),
            PlanErrorKind::Source { node } => write!(f, "reads layer {node}, which is not before it"),
            PlanErrorKind::TooLarge => f.write_str(TOO_LARGE),
            PlanErrorKind::Unused => f.write_str("nobody reads its output, and it is not the last layer"),
            PlanErrorKind::HostOnly { op } => {
                write!(f, "the host trains {0}, the device does not have {0} yet", op.name())
            }
            PlanErrorKind::NotInFormat { what, format } => write!(f, "{what} does not exist in {format} yet"),
            PlanErrorKind::Setting(text) => f.write_str(text),
            PlanErrorKind::NothingToTrain => f.write_str("every parameter is frozen: there is nothing to train"),
            PlanErrorKind::LabelNeedsClasses { outputs } => {
                write!(f, "a class label needs a vector of at least 2 outputs, the model has {outputs}")
            }
            PlanErrorKind::Classes { classes, outputs } => {
                write!(f, "the labels name {classes} classes, the head has {outputs} outputs")
            }
            PlanErrorKind::Output { declared, outputs } => {
                write!(f, "`output` declares {declared} values, the last layer gives {outputs}")
            }
            PlanErrorKind::Memory { needed, parameters, state, gradients, working, budget } => write!(
                f,
                "training needs {needed} bytes (parameters {parameters} + optimizer state {state} + gradients {gradients} + activations, errors and scratch {working}), the budget is {budget}"
            ),
        }
    }
}

impl core::error::Error for PlanError {}

/// Ends compilation with the error's text; what [`core::fmt`] can't do in `const` code, `const_panic` does.
#[track_caller]
pub const fn panic(error: PlanError) -> ! {
    use const_panic::{FmtArg, PanicVal, concat_panic};
    const D: FmtArg = FmtArg::DISPLAY;
    const NONE: PanicVal<'static> = PanicVal::write_str("");
    // One flat list of pieces: "layer 3 (maxpool): " and then words and numbers in turn.
    let mut out = [NONE; 24];
    let mut len = 0;
    macro_rules! push {
        ($($piece:expr),*) => {{ $( out[len] = $piece; len += 1; )* }};
    }
    const fn s(text: &'static str) -> PanicVal<'static> {
        PanicVal::write_str(text)
    }
    const fn n(number: u32) -> PanicVal<'static> {
        PanicVal::from_u32(number, D)
    }
    push!(s("\n  "));
    if let Some(node) = error.node {
        push!(s("layer "), n(node as u32), s(" ("), s(error.operation), s("): "));
    }
    match error.kind {
        PlanErrorKind::Empty => push!(s("the model has no layers")),
        PlanErrorKind::TooManyNodes { limit, got } => {
            push!(s("the model has "), n(got), s(" layers, at most "), n(limit), s(" fit"))
        }
        PlanErrorKind::InputShape => {
            push!(s("the input needs one to three dimensions, each at least 1, and at most 2^24 elements"))
        }
        PlanErrorKind::Operation(e) => {
            // Shapes are written through their dimensions, at most two shapes of three.
            macro_rules! shape {
                ($shape:expr) => {{
                    let dims = $shape.dims();
                    let mut i = 0;
                    while i < dims.len() {
                        push!(s(if i == 0 { "" } else { "x" }), n(dims[i] as u32));
                        i += 1;
                    }
                }};
            }
            match e {
                OpError::Rank { needed, got } => {
                    push!(s(match needed {
                        1 => "needs a vector [features], its input is ",
                        2 => "needs a sequence [channels, length], its input is ",
                        _ => "needs an image [channels, height, width], its input is ",
                    }));
                    shape!(got);
                }
                OpError::WindowTooLarge { window, input } => {
                    push!(s("window "), n(window as u32), s(" is larger than its padded input "), n(input as u32))
                }
                OpError::WindowDoesNotDivide { window, stride, input } => push!(
                    s("window "),
                    n(window as u32),
                    s(" with stride "),
                    n(stride as u32),
                    s(" does not divide its padded input "),
                    n(input as u32),
                    s(": the end would be dropped (say `floor` to drop it)")
                ),
                OpError::PaddingTooLarge { padding, limit } => {
                    push!(
                        s("padding "),
                        n(padding as u32),
                        s(" is more than half of the window, at most "),
                        n(limit as u32)
                    )
                }
                OpError::Groups { groups, input, output } => push!(
                    s("groups "),
                    n(groups as u32),
                    s(" do not divide the channels "),
                    n(input as u32),
                    s(" -> "),
                    n(output as u32)
                ),
                OpError::ShapesDiffer { first, second } => {
                    push!(s("adds "));
                    shape!(first);
                    push!(s(" and "));
                    shape!(second);
                    push!(s(", which differ"));
                }
                OpError::Attribute(text) => push!(s(text)),
                OpError::OnePosition { got } => {
                    push!(s("training statistics need more than one position per channel, its input is "));
                    shape!(got);
                    push!(s(": freeze it or use layer_norm"));
                }
                OpError::TooLarge => {
                    push!(s("is too large: a dimension is at most 65535, a tensor at most 2^24 elements"))
                }
            }
        }
        PlanErrorKind::Source { node } => push!(s("reads layer "), n(node as u32), s(", which is not before it")),
        PlanErrorKind::TooLarge => push!(s(TOO_LARGE)),
        PlanErrorKind::Unused => push!(s("nobody reads its output, and it is not the last layer")),
        PlanErrorKind::HostOnly { op } => {
            push!(s("the host trains "), s(op.name()), s(", the device does not have "), s(op.name()), s(" yet"))
        }
        PlanErrorKind::NotInFormat { what, format } => push!(s(what), s(" does not exist in "), s(format), s(" yet")),
        PlanErrorKind::Setting(text) => push!(s(text)),
        PlanErrorKind::NothingToTrain => push!(s("every parameter is frozen: there is nothing to train")),
        PlanErrorKind::LabelNeedsClasses { outputs } => {
            push!(s("a class label needs a vector of at least 2 outputs, the model has "), n(outputs))
        }
        PlanErrorKind::Classes { classes, outputs } => {
            push!(s("the labels name "), n(classes), s(" classes, the head has "), n(outputs), s(" outputs"))
        }
        PlanErrorKind::Output { declared, outputs } => {
            push!(s("`output` declares "), n(declared), s(" values, the last layer gives "), n(outputs))
        }
        PlanErrorKind::Memory { needed, parameters, state, gradients, working, budget } => push!(
            s("training needs "),
            n(needed),
            s(" bytes (parameters "),
            n(parameters),
            s(" + optimizer state "),
            n(state),
            s(" + gradients "),
            n(gradients),
            s(" + activations, errors and scratch "),
            n(working),
            s("), the budget is "),
            n(budget)
        ),
    }
    let (pieces, _) = out.split_at(len);
    concat_panic(&[pieces])
}
