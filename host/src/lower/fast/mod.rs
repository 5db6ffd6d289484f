//! The batched path of the CPU: forward and backward by hand, where every operation of a graph has a step here.
//!
//! The framework computes one operation at a time for any device; a small network on a CPU spends much of its time
//! between them, in copies, in memory that is asked for and cleared, and in a convolution's matrix. Here a graph is
//! planned once ([`Fast`]): convolution, `relu` and pooling are one step, channels come last, and all products are one
//! kernel (`product.rs`) that reads its operands where they lie. The loss and everything behind the gradients stay
//! the framework's: the output is a leaf to it, whose gradient [`Tape::backward`] takes further.
//!
//! **Same bits.** Every sum has a stated order: a product's terms ascend, a convolution's gradient goes over samples within
//! groups and over groups in order, a bias over rows in order. None of them depends on the number of threads, nor on the
//! width of the machine's vectors.
//!
//! **Speed.** `python benches/host/compare.py --threads 1` compares a step with PyTorch's. Of the transformer
//! there (4 blocks of 256 features, 1024 tokens a batch), on a Xeon with AVX-512: the framework's way took 560 ms, PyTorch 220 to
//! 239 ms, this 239 ms, 0.94 of PyTorch's speed (`benches/record/cpu.md`). By `perf record` of our half, 64 % were products
//! and 8 % copies before the last two changes below, and 10 % GELU, softmax and norms. What helped:
//! loops compiled to wide vectors (GELU forward from 2.2 to 1.1 ms a block, a norm from 0.19 to 0.08), a product's right side
//! copied once instead of once a block of rows, its left side's terms, where they lie apart, in blocks that stay near (a
//! block's four weight gradients from 16.8 to 13.1 ms), memory that isn't cleared (from 8 % to 2 %), attention without what a
//! causal mask hides (forward from 3.5 to 2.2 ms a block), parameters read in the framework's memory ([`Held`]; an MLP's step
//! with two threads from 0.75 to 0.58 ms, with weights turned in squares). Reading terms that lie apart where they are was slower
//! where rows are a power of two long. The thread that trains must be one of those that compute (`threads.rs`): without, 0.79 of
//! PyTorch's speed. A product's loop without checks of bounds, and copied tiles that don't share places of the cache, took the step
//! from 261 to 239 ms. What remains: copies (panels of a weight for both ways could be made in one pass), what isn't a product, and
//! with two threads what one does alone: sums of biases, the loss. Panels in kept memory instead of cleared one took no less, other
//! sizes from which on threads share a product changed nothing, nor did memory in pages of 2 MiB.
//!
//! **Subnormal numbers** are products' slow way; those that training makes end with the update that made them
//! (`train/subnormal.rs`).
//!
//! A graph with an operation that has no step (grouped convolution, batch norm, recurrent layers) goes the framework's way as a whole, and
//! so does every graph on a GPU.

mod attention;
mod columns;
mod conv;
mod dense;
mod elementwise;
mod maths;
mod memory;
mod plan;
mod pool;
mod product;
mod sequence;
mod smooth;
#[cfg(test)]
mod tests;
mod tile;
mod window;

pub(crate) use plan::Fast;

use super::{Held, Mode, NodeTensors, Slot, Tensors};
use burn_tensor::{ExecutionError, Gradients, Tensor, TensorData};
use conv::{Gradients as Wanted, Seen};
use emberlite::image::Kind;
use memory::Buffer;
use plan::{Step, Work};
use rayon::prelude::*;
use sequence::{Norm, Sight};

/// What the way back needs of a forward pass.
#[derive(Debug)]
pub(crate) struct Tape {
    batch: usize,
    /// Every buffer `[batch, elements]`.
    values: Vec<Buffer>,
    /// One a step.
    kept: Vec<Kept>,
    /// Of each step: weight and bias, empty without.
    parameters: Vec<[Held; 2]>,
    /// The output as the loss knows it.
    output: Tensor<2>,
}

/// What a step keeps besides its output.
#[derive(Debug, Default)]
struct Kept {
    /// Where the outputs of a max pooling came from.
    from: Vec<u32>,
    /// Dropout's factors; an attention's queries, keys and values, the shares of its heads, and what they gave.
    numbers: [Buffer; 3],
    /// Of each row of a layer norm.
    rows: Vec<[f32; 2]>,
}

fn parameters(node: &NodeTensors, step: &Step) -> Result<[Held; 2], ExecutionError> {
    let of = |tensor: &Option<Tensor<1>>| tensor.clone().map_or(Ok(Held::default()), Held::of);
    match step.work {
        Work::Convolution(_) | Work::Dense(_) | Work::Attention(_) | Work::LayerNorm(..) => {
            Ok([of(&node.weight)?, of(&node.bias)?])
        }
        Work::Embedding(_) | Work::Position(None) => Ok([of(&node.weight)?, Held::default()]),
        _ => Ok([Held::default(), Held::default()]),
    }
}

impl Fast {
    /// The forward pass of a batch `[batch, inputs]`, and what the way back needs; the output records a gradient.
    ///
    /// # Errors
    /// The framework's, if it failed to compute what is read.
    pub fn forward(&self, tensors: &Tensors, input: Tensor<2>, mode: Mode) -> Result<Tape, ExecutionError> {
        let device = input.device().without_autodiff();
        let [batch, _] = input.dims();
        let mut values: Vec<Buffer> = self.lens.iter().map(|_| Buffer::default()).collect();
        self.memory.keep_for(batch);
        let mut kept = Vec::with_capacity(self.steps.len());
        let mut all = Vec::with_capacity(self.steps.len());
        values[0] = Held::of(input)?.into_vec().into();
        for (i, step) in self.steps.iter().enumerate() {
            let mut keep = Kept::default();
            let own = parameters(&tensors.nodes[step.node], step)?;
            let mut y = self.memory.any(batch * self.lens[step.output]);
            let x = &values[step.inputs[0]];
            let (sample, output) = (self.lens[step.inputs[0]], self.lens[step.output]);
            let bias = step.has_bias.then_some(&*own[1]);
            match &step.work {
                Work::Convolution(conv) => {
                    keep.from = vec![0; if conv.pool.is_some() { y.len() } else { 0 }];
                    conv.forward(x, &own[0], bias, &mut y, &mut keep.from);
                }
                Work::Dense(dense) => dense.forward(x, &own[0], bias, &mut y),
                Work::MaxPool(g) => {
                    keep.from = vec![0; y.len()];
                    let samples = x.par_chunks_exact(sample).zip(y.par_chunks_exact_mut(output));
                    let all = samples.zip(keep.from.par_chunks_exact_mut(output));
                    all.for_each(|((x, y), from)| pool::maximum(g, x, y, from));
                }
                Work::AveragePool(g) => each(x, sample, &mut y, output, |x, y| pool::average(g, x, y)),
                Work::GlobalAverage => each(x, sample, &mut y, output, pool::global),
                Work::Activation(a) => elementwise::activation(a, x, &mut y),
                Work::Dropout(rate) => {
                    keep.numbers[0] = elementwise::mask(*rate, mode, step.node, batch, sample).into();
                    elementwise::masked(x, &keep.numbers[0], &mut y);
                }
                Work::Add => elementwise::sum(x, &values[step.inputs[1]], &mut y),
                Work::Attention(heads) => keep.numbers = heads.project(x, &own[0], bias, &mut y, &self.memory),
                Work::Embedding(sizes) => sequence::embedding(*sizes, x, &own[0], &mut y),
                Work::LayerNorm(width, epsilon) => {
                    keep.rows = vec![[0.0; 2]; y.len() / width];
                    let norm = Norm { weight: &own[0], bias: &own[1], epsilon: *epsilon };
                    norm.forward(x, &mut y, &mut keep.rows);
                }
                Work::Last(features) => {
                    each(x, sample, &mut y, output, |x, y| y.copy_from_slice(&x[sample - features..]))
                }
                Work::Position(table) => {
                    let table = table.map_or(&*own[0], |table| &self.tables[table]);
                    each(x, sample, &mut y, output, |x, y| elementwise::sum(x, table, y));
                }
                Work::Softmax(width) => {
                    y.copy_from_slice(x);
                    each(x, *width, &mut y, *width, |_, y| sequence::softmax(y, Sight::whole(*width)));
                }
                Work::Smooth(kind) => smooth::forward(*kind, x, &mut y),
                Work::ChannelsLast(c) => {
                    each(x, sample, &mut y, output, |x, y| window::transpose(x, [*c, x.len() / c], y, *c));
                }
                Work::ChannelsFirst(c) => each(x, sample, &mut y, output, |x, y| {
                    window::transpose(x, [x.len() / c, *c], y, x.len() / c);
                }),
            }
            values[step.output] = y;
            if mode != Mode::Predict {
                kept.push(keep);
                all.push(own);
                continue;
            }
            // Nothing goes back: what no later step reads makes room for the next.
            let later = &self.steps[i + 1..];
            for read in step.inputs {
                if read != self.output && !later.iter().any(|step| step.inputs.contains(&read)) {
                    values[read] = Buffer::default();
                }
            }
        }
        let output = TensorData::new(values[self.output].to_vec(), [batch, self.lens[self.output]]);
        let output = Tensor::from_data(output, &device);
        let output = if mode == Mode::Predict { output } else { output.autodiff().require_grad() };
        Ok(Tape { batch, values, kept, parameters: all, output })
    }
}

impl Tape {
    /// The output `[batch, outputs]`.
    pub fn output(&self) -> Tensor<2> {
        self.output.clone()
    }

    /// Takes the gradient of the output to every trained parameter, into `gradients`.
    ///
    /// # Errors
    /// The framework's, if it failed to compute the output's.
    pub fn backward(
        mut self,
        fast: &Fast,
        tensors: &Tensors,
        slots: &[Slot],
        gradients: &mut Gradients,
    ) -> Result<(), ExecutionError> {
        let Some(error) = self.output.grad_remove(gradients) else { return Ok(()) };
        let device = error.device();
        let mut errors: Vec<Option<Buffer>> = fast.lens.iter().map(|_| None).collect();
        errors[fast.output] = Some(Held::of(error)?.into_vec().into());
        for (i, step) in fast.steps.iter().enumerate().rev() {
            let Some(dy) = errors[step.output].take() else { continue };
            let found = self.step_back(fast, i, step, dy, &mut errors);
            for (kind, gradient) in [Kind::Weight, Kind::Bias].into_iter().zip(found) {
                let slot = slots.iter().find(|slot| usize::from(slot.node) == step.node && slot.kind == kind);
                if let (Some(slot), Some(gradient)) = (slot, gradient) {
                    let len = gradient.len();
                    let gradient = Tensor::from_data(TensorData::new(gradient, [len]), &device);
                    tensors.tensor(slot).grad_replace(gradients, gradient);
                }
            }
            self.values[step.output] = Buffer::default();
        }
        Ok(())
    }

    /// One step's way back: gradients of its weight and bias; the errors of its inputs are added to `errors`.
    fn step_back(
        &self,
        fast: &Fast,
        i: usize,
        step: &Step,
        dy: Buffer,
        errors: &mut [Option<Buffer>],
    ) -> [Option<Vec<f32>>; 2] {
        let (x, y) = (&self.values[step.inputs[0]], &self.values[step.output]);
        let (sample, output) = (fast.lens[step.inputs[0]], fast.lens[step.output]);
        let learns = fast.learns[step.inputs[0]];
        let any = || fast.memory.any(self.batch * sample);
        let zeros = || fast.memory.zeros(self.batch * sample);
        let wanted = step.trained.map(|trained| trained.then(Vec::new));
        let [weight, bias] = wanted;
        let (w, kept) = (&self.parameters[i][0], &self.kept[i]);
        let dx = match &step.work {
            Work::Convolution(_) | Work::Dense(_) => {
                let mut dx = learns.then(any);
                let mut wanted = Wanted { weight, bias, input: dx.as_deref_mut() };
                let seen = Seen { x, y, from: &kept.from, dy: &dy };
                match &step.work {
                    Work::Convolution(conv) => conv.backward(seen, w, &mut wanted),
                    Work::Dense(dense) => dense.backward(seen, w, &mut wanted),
                    _ => {}
                }
                let found = [wanted.weight, wanted.bias];
                if let Some(dx) = dx {
                    add(errors, step.inputs[0], dx);
                }
                return found;
            }
            Work::Attention(heads) => {
                let mut dx = learns.then(any);
                let mut wanted = Wanted { weight, bias, input: dx.as_deref_mut() };
                heads.project_back(x, w, &kept.numbers, &dy, &mut wanted, &fast.memory);
                let found = [wanted.weight, wanted.bias];
                if let Some(dx) = dx {
                    add(errors, step.inputs[0], dx);
                }
                return found;
            }
            Work::LayerNorm(width, _) => {
                let mut dx = dy;
                let mut weight = sequence::layer_norm_back(x, w, &kept.rows, &mut dx);
                let bias = weight.split_off(*width);
                if learns {
                    add(errors, step.inputs[0], dx);
                }
                return [step.trained[0].then_some(weight), step.trained[1].then_some(bias)];
            }
            Work::Embedding(sizes) => {
                return [step.trained[0].then(|| sequence::embedding_back(*sizes, x, &dy)), None];
            }
            Work::Position(_) => {
                let weight = step.trained[0].then(|| sequence::fold(dy.to_vec(), sample));
                if learns {
                    add(errors, step.inputs[0], dy);
                }
                return [weight, None];
            }
            _ if !learns && !matches!(step.work, Work::Add) => return [None, None],
            Work::Last(features) => {
                let mut dx = zeros();
                each(&dy, output, &mut dx, sample, |dy, dx| dx[sample - features..].copy_from_slice(dy));
                dx
            }
            Work::Smooth(kind) => {
                let mut dx = dy;
                smooth::backward(*kind, x, &mut dx);
                dx
            }
            Work::Softmax(width) => {
                let mut dx = dy;
                each(y, *width, &mut dx, *width, |y, dx| sequence::softmax_back(y, dx, Sight::whole(*width)));
                dx
            }
            Work::MaxPool(g) => {
                let mut dx = zeros();
                let samples = dx.par_chunks_exact_mut(sample).enumerate();
                samples.for_each(|(s, dx)| {
                    let outputs = s * output..(s + 1) * output;
                    let (dy, y) = (&dy[outputs.clone()], &y[outputs.clone()]);
                    pool::maximum_back(g, dy, y, &kept.from[outputs], false, dx, g.channels);
                });
                dx
            }
            Work::AveragePool(g) => {
                let mut dx = zeros();
                each(&dy, output, &mut dx, sample, |dy, dx| pool::average_back(g, dy, dx));
                dx
            }
            Work::GlobalAverage => {
                let mut dx = zeros();
                each(&dy, output, &mut dx, sample, pool::global_back);
                dx
            }
            Work::Activation(a) => {
                let mut dx = dy;
                elementwise::activation_back(a, x, y, &mut dx);
                dx
            }
            Work::Dropout(_) => {
                let mut dx = any();
                elementwise::masked(&dy, &kept.numbers[0], &mut dx);
                dx
            }
            Work::Add => {
                if fast.learns[step.inputs[1]] {
                    let mut other = any();
                    elementwise::copy(&dy, &mut other);
                    add(errors, step.inputs[1], other);
                }
                if !learns {
                    return [None, None];
                }
                dy
            }
            Work::ChannelsLast(c) => {
                let mut dx = any();
                each(&dy, output, &mut dx, sample, |dy, dx| {
                    window::transpose(dy, [dy.len() / c, *c], dx, dy.len() / c);
                });
                dx
            }
            Work::ChannelsFirst(c) => {
                let mut dx = any();
                each(&dy, output, &mut dx, sample, |dy, dx| window::transpose(dy, [*c, dy.len() / c], dx, *c));
                dx
            }
        };
        add(errors, step.inputs[0], dx);
        [None, None]
    }
}

/// Calls `f` with each sample of `x` and of `y`.
fn each(x: &[f32], sample: usize, y: &mut [f32], output: usize, f: impl Fn(&[f32], &mut [f32]) + Sync) {
    x.par_chunks_exact(sample).zip(y.par_chunks_exact_mut(output)).for_each(|(x, y)| f(x, y));
}

/// Adds an error to what later readers gave.
fn add(errors: &mut [Option<Buffer>], buffer: usize, error: Buffer) {
    match &mut errors[buffer] {
        Some(sum) => elementwise::add(&error, sum),
        none => *none = Some(error),
    }
}
