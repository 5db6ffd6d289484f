//! Training traces: 10,000 steps of an MLP and of a CNN in both formats, and 1,000 of a net with everything else.
//!
//! Every tenth of the way prints the bits of the loss and the CRC-32C of every parameter, so the first wrong bit
//! anywhere shows within a tenth of the run.

use core::fmt::{Result, Write};

use emberlite::executor::Linked;
use emberlite::image::crc32c;
use emberlite::learner::{Learner, Model};
use emberlite::loss::Loss;
use emberlite::number::Number;
use emberlite::optimizer::{Clip, Decay, Optimizer, Schedule};
use emberlite::plan::Training;
use emberlite::{Values, model};

use super::data;

const PLAIN: Training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)).seed(11);
const ADAPTIVE: Training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.001)).seed(12);
const REST: Training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam_w(0.002))
    .seed(13)
    .batch(4)
    .clip(Clip::GlobalNorm(1.0))
    .schedule(Schedule::new(Decay::Cosine { steps: 300, minimum: 0.0001 }).warmed_up(20, 0.1));

model! {
    /// A multi-layer perceptron in f32.
    pub struct MlpF32 {
        format: F32,
        input: [16],
        layers: [linear(12), relu(), linear(3)],
        output: [3],
        training: PLAIN,
    }
}

model! {
    /// The same in fixed point.
    pub struct MlpFixed16 {
        format: Fixed16,
        input: [16],
        layers: [linear(12), relu(), linear(3)],
        output: [3],
        training: PLAIN,
    }
}

model! {
    /// A convolutional net in f32.
    pub struct CnnF32 {
        format: F32,
        input: [1, 6, 6],
        layers: [conv2d(4, 3).padding(1), relu(), max_pool2d(2), flatten(), linear(3)],
        output: [3],
        training: ADAPTIVE,
    }
}

model! {
    /// The same in fixed point.
    pub struct CnnFixed16 {
        format: Fixed16,
        input: [1, 6, 6],
        layers: [conv2d(4, 3).padding(1), relu(), max_pool2d(2), flatten(), linear(3)],
        output: [3],
        training: ADAPTIVE,
    }
}

model! {
    /// What the others leave out: residual, normalisations, dropout, smooth activations, mini-batches, a schedule.
    pub struct Rest {
        format: F32,
        input: [2, 12],
        layers: [
            conv1d(4, 3).padding(1),
            batch_norm(),
            leaky_relu(0.1),
            conv1d(4, 3).padding(1).groups(2),
            tanh(),
            add(2),
            layer_norm(),
            average_pool1d(2),
            relu6(),
            flatten(),
            dropout(0.2),
            linear(6),
            sigmoid(),
            linear(3),
        ],
        output: [3],
        training: REST,
    }
}

/// Writes the five traces.
pub fn run(out: &mut dyn Write) -> Result {
    trace::<MlpF32>("mlp f32", 10_000, out)?;
    trace::<MlpFixed16>("mlp fixed16", 10_000, out)?;
    trace::<CnnF32>("cnn f32", 10_000, out)?;
    trace::<CnnFixed16>("cnn fixed16", 10_000, out)?;
    trace::<Rest>("rest f32", 1_000, out)
}

/// Trains a fresh learner and writes ten lines about it.
#[inline(never)]
fn trace<M: Model + Linked>(name: &str, steps: u32, out: &mut dyn Write) -> Result {
    let mut learner = Learner::<'static, M>::new();
    if let Err(error) = learner.initialize(5) {
        return writeln!(out, "{name}: {error}");
    }
    let mut input = M::Input::default();
    let mut right = 0;
    for index in 0..steps {
        data::sample::<M::Number>(index, data::FIXED_FRAC, input.values_mut());
        let label = data::label(index);
        match learner.train_step(&input, label) {
            Ok(report) => {
                right += u32::from(report.class == label);
                if (index + 1) % (steps / 10) == 0 {
                    let crc = checksum(&learner);
                    let loss = M::Number::loss_bits(report.loss);
                    writeln!(out, "{name} step {} loss {loss:08x} right {right} parameters {crc:08x}", index + 1)?;
                    right = 0;
                }
            }
            Err(error) => return writeln!(out, "{name} step {index}: {error}"),
        }
    }
    let progress = learner.progress();
    writeln!(out, "{name} updates {} skipped {}", progress.updates, progress.skipped)
}

/// CRC-32C over the checksums of every trained tensor.
fn checksum<M: Model>(learner: &Learner<'_, M>) -> u32 {
    let mut all = 0;
    for node in 0..M::GRAPH.nodes.len() {
        for index in 0..2 {
            let crc = crc32c(emberlite::number::bytes::<M::Number>(learner.parameter(node, index)));
            let both = u64::from(all) << 32 | u64::from(crc);
            all = crc32c(&both.to_le_bytes());
        }
    }
    all
}
