//! Initial parameters.

use crate::Parameters;
use crate::lower::Lowered;
use emberlite::image::Kind;
use emberlite::math;
use emberlite::number::random::Key;
use emberlite::op::Op;

/// PyTorch's defaults: weights and biases of linear layers and convolutions uniform in `±1/sqrt(fan_in)`, normalisations
/// 1 and 0, running statistics 0 and 1.
///
/// The numbers are those of [`Engine::initialize`](emberlite::learner::Engine::initialize): the same seed gives the same
/// weights on the host and on the device.
pub(crate) fn initialize(lowered: &Lowered<'_>, seed: u32) -> Parameters {
    let mut parameters = Parameters::new();
    let slots = lowered.slots();
    for slot in slots {
        let op = &lowered.graph().nodes[usize::from(slot.node)].op;
        let rows = match op {
            Op::Linear(a) => a.outputs,
            Op::Conv(a) => a.channels,
            _ => 1,
        };
        let norm = matches!(op, Op::LayerNorm(_) | Op::BatchNorm(_));
        let weights = slots.iter().find(|s| s.node == slot.node && s.kind == Kind::Weight).map_or(1, |s| s.len);
        let bound = 1.0 / math::sqrt((weights / usize::from(rows).max(1)).max(1) as f32);
        let key = Key::new(seed, 0, slot.node.into()).tensor((slot.kind == Kind::Bias).into());
        let value = |i: u32| match (slot.kind, norm) {
            (Kind::RunningVariance, _) | (Kind::Weight, true) => 1.0,
            (Kind::RunningMean, _) | (_, true) => 0.0,
            _ => (key.uniform(i) * 2.0 - 1.0) * bound,
        };
        parameters.set(slot.node, slot.kind, (0..slot.len as u32).map(value).collect());
    }
    parameters
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
}
