//! The attributes of every operation under their names: the one table behind writing, reading and hashing.
//!
//! A new operation is one arm in [`fields`] and one line in [`PROTOTYPES`]; the test at the end names a forgotten one.

use core::fmt;

use crate::op::{
    Activation, ActivationKind, BatchNorm, Conv, Dropout, GlobalAveragePool, LayerNorm, Linear, Op, Pool, PoolKind,
};

/// One attribute, in place.
pub(super) enum Field<'a> {
    /// A whole number.
    Count(&'a mut u16),
    /// Height and width: `5x3`.
    Plane(&'a mut [u8; 2]),
    /// Height and width of a sequence, whose height is the second number here: the width alone, `3`.
    Line(&'a mut [u8; 2], u8),
    /// `0` or `1`.
    Flag(&'a mut bool),
    /// The bits of an f32: `0x3c23d70a`.
    Real(&'a mut f32),
}

/// An operation's attributes, each with its key.
pub(super) type Fields<'a> = [Option<(&'static str, Field<'a>)>; 6];

/// The attributes of an operation, in the order of the text.
pub(super) const fn fields(op: &mut Op) -> Fields<'_> {
    match op {
        Op::Linear(Linear { outputs, bias }) => {
            [Some(("outputs", Field::Count(outputs))), Some(("bias", Field::Flag(bias))), None, None, None, None]
        }
        Op::Conv(Conv { rank, channels, kernel, stride, padding, groups, bias }) => [
            Some(("channels", Field::Count(channels))),
            Some(("kernel", window(*rank, kernel, 1))),
            Some(("stride", window(*rank, stride, 1))),
            Some(("padding", window(*rank, padding, 0))),
            Some(("groups", Field::Count(groups))),
            Some(("bias", Field::Flag(bias))),
        ],
        Op::Pool(Pool { kind: _, rank, window: size, stride, padding, floor }) => [
            Some(("window", window(*rank, size, 1))),
            Some(("stride", window(*rank, stride, 1))),
            Some(("padding", window(*rank, padding, 0))),
            Some(("floor", Field::Flag(floor))),
            None,
            None,
        ],
        Op::Activation(Activation { kind: ActivationKind::LeakyRelu, slope }) => one("slope", Field::Real(slope)),
        Op::Dropout(Dropout { rate }) => one("rate", Field::Real(rate)),
        Op::LayerNorm(LayerNorm { epsilon }) => one("epsilon", Field::Real(epsilon)),
        Op::BatchNorm(BatchNorm { epsilon, momentum }) => {
            [Some(("epsilon", Field::Real(epsilon))), Some(("momentum", Field::Real(momentum))), None, None, None, None]
        }
        Op::GlobalAveragePool(_) | Op::Activation(_) | Op::Flatten | Op::Add => [None, None, None, None, None, None],
        Op::Host(op) => super::host::fields(op),
    }
}

pub(super) const fn one<'a>(key: &'static str, field: Field<'a>) -> Fields<'a> {
    [Some((key, field)), None, None, None, None, None]
}

pub(super) const fn window(rank: u8, pair: &mut [u8; 2], height: u8) -> Field<'_> {
    if rank == 1 { Field::Line(pair, height) } else { Field::Plane(pair) }
}

impl Field<'_> {
    /// Sets the attribute from text; `None` if that isn't one of its values.
    pub(super) fn parse(self, text: &str) -> Option<()> {
        let sizes = |text: &str| {
            let (height, width) = text.split_once(['x'])?;
            Some([height.parse().ok()?, width.parse().ok()?])
        };
        match self {
            Field::Count(n) => *n = text.parse().ok()?,
            Field::Plane(pair) => *pair = sizes(text)?,
            Field::Line(pair, height) => *pair = sizes(text).or_else(|| Some([height, text.parse().ok()?]))?,
            Field::Flag(flag) => *flag = text.parse::<u8>().ok().filter(|n| *n < 2)? == 1,
            Field::Real(real) => {
                // `from_str_radix` would take a sign.
                let digits =
                    text.strip_prefix("0x").filter(|d| d.len() == 8 && d.bytes().all(|b| b.is_ascii_hexdigit()));
                *real = f32::from_bits(u32::from_str_radix(digits?, 16).ok()?);
            }
        }
        Some(())
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Count(n) => write!(f, "{n}"),
            Field::Line([height, width], plain) if height == plain => write!(f, "{width}"),
            Field::Plane([height, width]) | Field::Line([height, width], _) => {
                write!(f, "{height}x{width}")
            }
            Field::Flag(flag) => write!(f, "{}", **flag as u8),
            Field::Real(real) => write!(f, "{:#010x}", real.to_bits()),
        }
    }
}

const fn conv(rank: u8) -> Op {
    Op::Conv(Conv { rank, channels: 0, kernel: [1, 1], stride: [1, 1], padding: [0, 0], groups: 1, bias: true })
}
const fn pool(kind: PoolKind, rank: u8) -> Op {
    Op::Pool(Pool { kind, rank, window: [1, 1], stride: [1, 1], padding: [0, 0], floor: false })
}
const fn activation(kind: ActivationKind) -> Op {
    Op::Activation(Activation { kind, slope: 0.0 })
}

/// Every operation of the device once, for its name; reading fills the attributes in.
pub(super) const PROTOTYPES: [Op; 18] = [
    Op::Linear(Linear { outputs: 0, bias: true }),
    conv(1),
    conv(2),
    pool(PoolKind::Max, 1),
    pool(PoolKind::Max, 2),
    pool(PoolKind::Average, 1),
    pool(PoolKind::Average, 2),
    Op::GlobalAveragePool(GlobalAveragePool),
    activation(ActivationKind::Relu),
    activation(ActivationKind::Relu6),
    activation(ActivationKind::LeakyRelu),
    activation(ActivationKind::Sigmoid),
    activation(ActivationKind::Tanh),
    Op::Flatten,
    Op::Add,
    Op::Dropout(Dropout { rate: 0.0 }),
    Op::LayerNorm(LayerNorm { epsilon: 0.0 }),
    Op::BatchNorm(BatchNorm { epsilon: 0.0, momentum: 0.0 }),
];
