//! The kinds of operation, and sets of them.

use super::{ActivationKind, Op, PoolKind};

/// What kind of operation: the part of an [`Op`] that decides which code runs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each kind is documented at its operation")]
pub enum OpKind {
    Linear,
    Conv,
    MaxPool,
    AveragePool,
    GlobalAveragePool,
    Flatten,
    Add,
    Dropout,
    LayerNorm,
    BatchNorm,
    Relu,
    Relu6,
    LeakyRelu,
    Sigmoid,
    Tanh,
    Host,
}

impl Op {
    /// The kind of operation; every pooling and every activation function is a kind of its own.
    #[inline(always)]
    pub const fn kind(&self) -> OpKind {
        match self {
            Op::Linear(_) => OpKind::Linear,
            Op::Conv(_) => OpKind::Conv,
            Op::Pool(p) => match p.kind {
                PoolKind::Max => OpKind::MaxPool,
                PoolKind::Average => OpKind::AveragePool,
            },
            Op::GlobalAveragePool(_) => OpKind::GlobalAveragePool,
            Op::Flatten => OpKind::Flatten,
            Op::Add => OpKind::Add,
            Op::Dropout(_) => OpKind::Dropout,
            Op::LayerNorm(_) => OpKind::LayerNorm,
            Op::BatchNorm(_) => OpKind::BatchNorm,
            Op::Activation(a) => a.kind.op(),
            Op::Host(_) => OpKind::Host,
        }
    }
}

impl ActivationKind {
    /// This function as a kind of operation.
    #[inline(always)]
    pub const fn op(self) -> OpKind {
        match self {
            ActivationKind::Relu => OpKind::Relu,
            ActivationKind::Relu6 => OpKind::Relu6,
            ActivationKind::LeakyRelu => OpKind::LeakyRelu,
            ActivationKind::Sigmoid => OpKind::Sigmoid,
            ActivationKind::Tanh => OpKind::Tanh,
        }
    }
}

/// A set of operation kinds, so that only what a model uses is linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpSet(u32);

impl OpSet {
    /// No operation.
    pub const NONE: OpSet = OpSet(0);
    /// Every operation, for models unknown at compile time.
    pub const ALL: OpSet = OpSet(u32::MAX);

    /// With this operation's kind added.
    pub const fn with(self, op: &Op) -> OpSet {
        OpSet(self.0 | 1 << op.kind() as u32)
    }
    /// Whether this operation's kind is in the set.
    #[inline(always)]
    pub const fn has(self, op: &Op) -> bool {
        self.has_kind(op.kind())
    }
    /// Whether a kind is in the set.
    #[inline(always)]
    pub const fn has_kind(self, kind: OpKind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }
    /// Whether any pooling over windows is in the set. A constant where the set is one, unlike `has` of a pooling.
    #[inline(always)]
    pub(super) const fn has_pool(self) -> bool {
        self.has_kind(OpKind::MaxPool) || self.has_kind(OpKind::AveragePool)
    }
}
