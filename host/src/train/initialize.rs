//! Initial parameters.

use crate::Parameters;
use crate::layout::{Start, pieces};
use crate::lower::Lowered;
use emberlite::image::Kind;
use emberlite::number::random::Key;

/// PyTorch's defaults: weights and biases of linear layers and convolutions uniform in `±1/sqrt(fan_in)`, normalisations
/// 1 and 0, running statistics 0 and 1; see [`Start`] for those of other operations.
///
/// The numbers are those of [`Engine::initialize`](emberlite::learner::Engine::initialize): the same seed gives the same
/// weights on the host and on the device.
pub(crate) fn initialize(lowered: &Lowered<'_>, seed: u32) -> Parameters {
    let mut parameters = Parameters::new();
    for slot in lowered.slots() {
        let node = usize::from(slot.node);
        let key = Key::new(seed, 0, slot.node.into()).tensor((slot.kind == Kind::Bias).into());
        let mut values = Vec::with_capacity(slot.len);
        let layer = &lowered.layers()[node];
        let pieces = pieces(&lowered.graph().nodes[node].op, layer.input, &layer.facts);
        for piece in pieces.iter().filter(|piece| piece.kind == slot.kind) {
            let first = values.len() as u32;
            let range = first..first + piece.len() as u32;
            match piece.start {
                Start::Uniform { bound } => values.extend(range.map(|i| (key.uniform(i) * 2.0 - 1.0) * bound)),
                Start::Normal { deviation } => values.extend(range.map(|i| normal(key, i) * deviation)),
                Start::Constant(value) => values.extend(range.map(|_| value)),
            }
        }
        parameters.set(slot.node, slot.kind, values);
    }
    parameters
}

/// About normal, mean 0 and variance 1: the sum of twelve uniform numbers less 6 (Irwin and Hall's distribution). Without a
/// logarithm, whose last bits differ between machines.
fn normal(key: Key, index: u32) -> f32 {
    let number = |k| key.uniform(index.wrapping_mul(12).wrapping_add(k));
    (0..12).map(number).sum::<f32>() - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlite::executor::Everything;
    use emberlite::graph::{Graph, MAX_NODES, Shape, batch_norm, conv1d, flatten, layer_norm, linear};
    use emberlite::learner::{Engine, Status};
    use emberlite::loss::Loss;
    use emberlite::number::{F32, Format};
    use emberlite::optimizer::Optimizer;
    use emberlite::plan::{Training, plan};

    #[test]
    fn the_device_starts_from_the_same_weights() {
        let nodes = [conv1d(6, 3).groups(2), batch_norm(), flatten(), layer_norm(), linear(5), linear(3).no_bias()];
        let graph = Graph::new(Format::F32, Shape::d2(4, 9), &nodes);
        let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1));
        let plan = plan::<MAX_NODES>(&graph, Some(&training)).unwrap();
        let (mut arena, mut status) = (vec![0; plan.words()], Status::default());
        let mut engine =
            Engine::<F32, Everything>::new(graph, plan.view(), Some(&training), &mut arena, &mut status).unwrap();
        engine.initialize(42).unwrap();
        let ours = initialize(&Lowered::new(graph).unwrap(), 42);
        let mut compared = 0;
        for (node, kind, values) in ours.iter() {
            let index = match kind {
                Kind::Weight => 0,
                Kind::Bias => 1,
                Kind::RunningMean => {
                    assert!(values.iter().all(|&v| v == 0.0));
                    continue;
                }
                _ => {
                    assert!(values.iter().all(|&v| v == 1.0));
                    continue;
                }
            };
            assert_eq!(values, engine.parameter(node.into(), index), "node {node} {kind:?}");
            compared += values.len();
        }
        // conv 6x2x3 + 6, batch norm 6 + 6, layer norm 42 + 42, linear 42x5 + 5, linear 15.
        assert_eq!(compared, 36 + 6 + 12 + 84 + 215 + 15);
    }

    #[test]
    fn other_starts_have_their_spread() {
        use emberlite::graph::{attention, embedding, positional_embedding};
        let nodes = [embedding(50, 40), positional_embedding(), attention(4)];
        let graph = Graph::new(Format::F32, Shape::d1(30), &nodes);
        let parameters = initialize(&Lowered::new(graph).unwrap(), 7);
        let spread = |values: &[f32]| {
            let n = values.len() as f64;
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            (mean, (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
        };
        // Of n numbers the mean is off by deviation / sqrt(n), the deviation by deviation / sqrt(2 n); five of those.
        for (node, deviation) in [(0, 1.0), (1, 0.02)] {
            let values = parameters.get(node, Kind::Weight).unwrap();
            let (mean, found) = spread(values);
            let off = 5.0 * deviation / (values.len() as f64).sqrt();
            assert!(mean.abs() < off && (found - deviation).abs() < off, "node {node}: {mean} {found}");
        }
        // Xavier's bound is sqrt(6 / (3·40 + 40)), that of the projection behind it 1 / sqrt(40).
        let weight = parameters.get(2, Kind::Weight).unwrap();
        let largest = |values: &[f32]| values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let (inside, out) = weight.split_at(3 * 40 * 40);
        assert!((0.99..=1.0).contains(&(largest(inside) / (6.0f32 / 160.0).sqrt())));
        assert!((0.99..=1.0).contains(&(largest(out) * 40.0f32.sqrt())));
        assert!(parameters.get(2, Kind::Bias).unwrap().iter().all(|&b| b == 0.0));
    }
}
