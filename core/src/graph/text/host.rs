//! Names and attributes of the host's operations; nothing of it is there without the feature `host`.

#[cfg(feature = "host")]
pub(super) use with::{PROTOTYPES, fields};
#[cfg(not(feature = "host"))]
pub(super) use without::{PROTOTYPES, fields};

#[cfg(not(feature = "host"))]
mod without {
    use super::super::fields::Fields;
    use crate::op::{HostOp, Op};

    pub(in super::super) const PROTOTYPES: [Op; 0] = [];

    pub(in super::super) const fn fields(op: &mut HostOp) -> Fields<'_> {
        match *op {}
    }
}

#[cfg(feature = "host")]
mod with {
    use super::super::fields::{Field, Fields, one, window};
    use crate::op::{
        Attention, Concat, ConvTranspose, Embedding, GroupNorm, HostOp, Op, PositionalEncoding, Recurrent,
        RecurrentKind, SequenceLayerNorm, SequenceLinear, Smooth, Upsample, UpsampleMode,
    };

    /// The attributes of an operation, in the order of the text.
    pub(in super::super) const fn fields(op: &mut HostOp) -> Fields<'_> {
        match op {
            HostOp::Attention(Attention { heads, causal, bias }) => [
                Some(("heads", Field::Count(heads))),
                Some(("causal", Field::Flag(causal))),
                Some(("bias", Field::Flag(bias))),
                None,
                None,
                None,
            ],
            HostOp::Concat(Concat { axis }) => one("axis", Field::Count(axis)),
            HostOp::ConvTranspose(ConvTranspose { rank, channels, kernel, stride, padding, output_padding, bias }) => [
                Some(("channels", Field::Count(channels))),
                Some(("kernel", window(*rank, kernel, 1))),
                Some(("stride", window(*rank, stride, 1))),
                Some(("padding", window(*rank, padding, 0))),
                Some(("output_padding", Field::Count(output_padding))),
                Some(("bias", Field::Flag(bias))),
            ],
            HostOp::Embedding(Embedding { vocabulary, features }) => [
                Some(("vocabulary", Field::Count(vocabulary))),
                Some(("features", Field::Count(features))),
                None,
                None,
                None,
                None,
            ],
            HostOp::GroupNorm(GroupNorm { groups, epsilon }) => [
                Some(("groups", Field::Count(groups))),
                Some(("epsilon", Field::Real(epsilon))),
                None,
                None,
                None,
                None,
            ],
            HostOp::Recurrent(Recurrent { kind: _, hidden, bidirectional, last, bias }) => [
                Some(("hidden", Field::Count(hidden))),
                Some(("bidirectional", Field::Flag(bidirectional))),
                Some(("last", Field::Flag(last))),
                Some(("bias", Field::Flag(bias))),
                None,
                None,
            ],
            HostOp::SequenceLayerNorm(SequenceLayerNorm { epsilon }) => one("epsilon", Field::Real(epsilon)),
            HostOp::SequenceLinear(SequenceLinear { outputs, bias }) => {
                [Some(("outputs", Field::Count(outputs))), Some(("bias", Field::Flag(bias))), None, None, None, None]
            }
            HostOp::Upsample(Upsample { rank: _, factor, mode: _ }) => one("factor", Field::Count(factor)),
            HostOp::LastPosition
            | HostOp::PositionalEncoding(_)
            | HostOp::Smooth(_)
            | HostOp::Softmax
            | HostOp::Transpose => [None, None, None, None, None, None],
        }
    }

    const fn conv_transpose(rank: u8) -> Op {
        let kernel = [1, 1];
        let (stride, padding, output_padding) = ([1, 1], [0, 0], 0);
        let op = ConvTranspose { rank, channels: 0, kernel, stride, padding, output_padding, bias: true };
        Op::Host(HostOp::ConvTranspose(op))
    }
    const fn position(learned: bool) -> Op {
        Op::Host(HostOp::PositionalEncoding(PositionalEncoding { learned }))
    }
    const fn recurrent(kind: RecurrentKind) -> Op {
        Op::Host(HostOp::Recurrent(Recurrent { kind, hidden: 0, bidirectional: false, last: false, bias: true }))
    }
    const fn smooth(kind: Smooth) -> Op {
        Op::Host(HostOp::Smooth(kind))
    }
    const fn upsample(rank: u8, mode: UpsampleMode) -> Op {
        Op::Host(HostOp::Upsample(Upsample { rank, factor: 0, mode }))
    }

    /// Every operation of the host once, for its name; reading fills the attributes in.
    pub(in super::super) const PROTOTYPES: [Op; 22] = [
        Op::Host(HostOp::Attention(Attention { heads: 0, causal: false, bias: true })),
        Op::Host(HostOp::Concat(Concat { axis: 0 })),
        conv_transpose(1),
        conv_transpose(2),
        Op::Host(HostOp::Embedding(Embedding { vocabulary: 0, features: 0 })),
        Op::Host(HostOp::GroupNorm(GroupNorm { groups: 0, epsilon: 0.0 })),
        Op::Host(HostOp::LastPosition),
        position(false),
        position(true),
        recurrent(RecurrentKind::Lstm),
        recurrent(RecurrentKind::Gru),
        Op::Host(HostOp::SequenceLayerNorm(SequenceLayerNorm { epsilon: 0.0 })),
        Op::Host(HostOp::SequenceLinear(SequenceLinear { outputs: 0, bias: true })),
        smooth(Smooth::Gelu),
        smooth(Smooth::GeluTanh),
        smooth(Smooth::Silu),
        smooth(Smooth::HardSwish),
        Op::Host(HostOp::Softmax),
        Op::Host(HostOp::Transpose),
        upsample(1, UpsampleMode::Nearest),
        upsample(2, UpsampleMode::Nearest),
        upsample(2, UpsampleMode::Bilinear),
    ];
}
