//! `lstm` and `gru`.
//!
//! The inputs' half of every gate is one matrix product for all positions; the states' half is one a position. Positions
//! are cut out by halving, again and again: the framework's way back through a cut makes a tensor of the uncut size, so
//! cutting `n` positions one by one would touch `n²` of them, and this touches `n log n`.
//!
//! In bf16 the products alone are: gates, states and cells stay f32. The states' weights are cast anew at each position, so
//! that what the positions say of them adds up in f32.

use super::precision::single;
use super::sequence::last_linear;
use super::{NodeTensors, Precision, Value};
use burn_tensor::{Tensor, activation, module};
use emberlite::op::{Recurrent, RecurrentKind};

/// `x [batch, length, features]` to `[batch, length, hidden]`, or the last state; the parameters are packed as
/// [`Recurrent`] says.
pub(super) fn forward(a: &Recurrent, x: Value, parameters: &NodeTensors, precision: Precision) -> Value {
    // The shape rule refuses anything else.
    let Value::Sequence(x) = x else { return x };
    let forward = direction(a, x.clone(), Direction::cut(a, &x, parameters, 0), precision);
    if !a.bidirectional {
        return finish(a, forward);
    }
    let mut backward = direction(a, x.clone(), Direction::cut(a, &x, parameters, 1), precision);
    if a.last {
        let last = |states: &[Tensor<2>]| states.last().cloned();
        let both = [last(&forward), last(&backward)].into_iter().flatten().collect();
        return Value::Vector(Tensor::cat(both, 1));
    }
    backward.reverse();
    Value::Sequence(Tensor::cat(vec![stacked(forward), stacked(backward)], 2))
}

fn finish(a: &Recurrent, mut states: Vec<Tensor<2>>) -> Value {
    match states.pop() {
        Some(last) if a.last => Value::Vector(last),
        Some(last) => {
            states.push(last);
            Value::Sequence(stacked(states))
        }
        // A sequence has positions: sizes are at least 1.
        None => Value::Sequence(Tensor::cat(Vec::new(), 0)),
    }
}

/// `[batch, length, hidden]` of one tensor a position.
fn stacked(states: Vec<Tensor<2>>) -> Tensor<3> {
    Tensor::stack(states, 1)
}

/// The parameters of one direction.
struct Direction {
    reverse: bool,
    /// `[gates hidden, features]`.
    inputs: Tensor<2>,
    /// `[hidden, gates hidden]`: transposed, as a product with states takes it.
    states: Tensor<2>,
    inputs_bias: Option<Tensor<1>>,
    states_bias: Option<Tensor<1>>,
}

impl Direction {
    fn cut(a: &Recurrent, x: &Tensor<3>, parameters: &NodeTensors, index: usize) -> Direction {
        let features = x.dims()[2];
        let (hidden, rows) = (usize::from(a.hidden), a.kind.gates() as usize * usize::from(a.hidden));
        let (first, second) = (rows * features, rows * hidden);
        let start = index * (first + second);
        let weight = parameters.weight();
        let bias = |part: usize| parameters.bias.clone().map(|bias| bias.narrow(0, (2 * index + part) * rows, rows));
        Direction {
            reverse: index == 1,
            inputs: weight.clone().narrow(0, start, first).reshape([rows, features]),
            states: weight.narrow(0, start + first, second).reshape([rows, hidden]).transpose(),
            inputs_bias: bias(0),
            states_bias: bias(1),
        }
    }
}

/// The state after each position, in the order in which they are read.
fn direction(a: &Recurrent, x: Tensor<3>, p: Direction, precision: Precision) -> Vec<Tensor<2>> {
    let [batch, length, _] = x.dims();
    let hidden = usize::from(a.hidden);
    let device = x.device();
    // An LSTM adds both biases to the same sum; in a GRU the reset gate stands between.
    let (inputs_bias, states_bias) = match (a.kind, p.inputs_bias, p.states_bias) {
        (RecurrentKind::Lstm, Some(inputs), Some(states)) => (Some(inputs + states), None),
        (_, inputs, states) => (inputs, states),
    };
    // Positions first, so that one of them lies in one place.
    let inputs_bias = inputs_bias.map(|bias| precision.of(bias));
    let gates = single(last_linear(precision.of(x).swap_dims(0, 1), precision.of(p.inputs), inputs_bias));
    let mut positions = Vec::with_capacity(length);
    halve(gates, &mut positions);
    if p.reverse {
        positions.reverse();
    }
    let zeros = Tensor::<2>::zeros([batch, hidden], &device.without_autodiff());
    let (mut h, mut c) = (zeros.clone(), zeros);
    let mut states = Vec::with_capacity(length);
    for position in positions {
        let bias = states_bias.clone().map(|bias| precision.of(bias));
        let from_state = single(module::linear(precision.of(h.clone()), precision.of(p.states.clone()), bias));
        h = match a.kind {
            RecurrentKind::Lstm => {
                let [i, f, g, o] = (position + from_state).chunk(4, 1).try_into().unwrap_or_else(four_gates);
                c = activation::sigmoid(f) * c + activation::sigmoid(i) * g.tanh();
                activation::sigmoid(o) * c.clone().tanh()
            }
            RecurrentKind::Gru => {
                let both = position.clone().narrow(1, 0, 2 * hidden) + from_state.clone().narrow(1, 0, 2 * hidden);
                let both = activation::sigmoid(both);
                let (reset, update) = (both.clone().narrow(1, 0, hidden), both.narrow(1, hidden, hidden));
                let new = position.narrow(1, 2 * hidden, hidden) + reset * from_state.narrow(1, 2 * hidden, hidden);
                let new = new.tanh();
                // (1 - z) n + z h.
                new.clone() + update * (h - new)
            }
        };
        states.push(h.clone());
    }
    states
}

/// Rows are a multiple of four, so there are four chunks.
fn four_gates(chunks: Vec<Tensor<2>>) -> [Tensor<2>; 4] {
    unreachable!("{} chunks of four gates", chunks.len())
}

/// Cuts `[length, batch, n]` into positions `[batch, n]`.
fn halve(x: Tensor<3>, out: &mut Vec<Tensor<2>>) {
    let [length, batch, n] = x.dims();
    if length <= 1 {
        out.push(x.reshape([batch, n]));
        return;
    }
    let middle = length / 2;
    halve(x.clone().narrow(0, 0, middle), out);
    halve(x.narrow(0, middle, length - middle), out);
}
