//! The runner behind the tests of every operation: the lowered graph against the core's executor.
//!
//! Both compute the same sums in f32, in different orders. A sum of `K` products of which each has been rounded is off by
//! at most `γ = K u / (1 - K u)` times the sum of magnitudes, `u = 2^-24`, and sums of sums add their `K` (Higham, "Accuracy
//! and stability of numerical algorithms", section 3). Magnitudes: every input, target and bias here is in ±1, every weight
//! in ±2/fan_in, so the same network with all of them at that limit (targets -1), every activation a `relu`, bounds every
//! sum of an output or a gradient. `K` is at most the elements around all nodes times the batch. Two such computations
//! differ by at most `2 γ M`, and by a rounding of the weight that was stepped. Operations that aren't sums and 1-Lipschitz
//! functions state by how much they amplify (`Case::amplification`), or `M` itself.

use super::{Lowered, Mode, Slot, Tensors, tensors};
use crate::Parameters;
use burn_tensor::{Device, Tensor, TensorData};
use emberlite::executor::Everything;
use emberlite::graph::{Graph, MAX_NODES, Node, Shape};
use emberlite::image::{DType, Entry, Header, Kind, Sink, Writer};
use emberlite::learner::{Engine, Status};
use emberlite::loss::{Loss, Target};
use emberlite::number::{F32, Format, random::Key};
use emberlite::op::{Activation, ActivationKind, HostOp, Op};
use emberlite::optimizer::Optimizer;
use emberlite::plan::{Training, plan};

/// The seed of dropout in both.
const SEED: u32 = 17;

/// A comparison.
pub(super) struct Case<'a> {
    pub input: Shape,
    pub nodes: &'a [Node],
    pub batch: u32,
    /// How much more than a sum of products the operations amplify an error; 1 for sums and 1-Lipschitz functions.
    pub amplification: f32,
    /// The largest sum of magnitudes, where the network at its limits doesn't give it.
    pub magnitude: Option<f32>,
}

impl<'a> Case<'a> {
    /// Three samples, sums and 1-Lipschitz functions.
    pub fn new(input: Shape, nodes: &'a [Node]) -> Self {
        Case { input, nodes, batch: 3, amplification: 1.0, magnitude: None }
    }
}

/// Predictions and one step of plain descent, rate 1 on the mean squared error, of both.
pub(super) struct Outcome {
    pub outputs: Vec<f32>,
    pub parameters: Parameters,
}

/// Compares predictions and the parameters after one step.
pub(super) fn agrees(case: &Case<'_>) {
    let graph = Graph::new(Format::F32, case.input, case.nodes);
    let lowered = Lowered::new(graph).unwrap();
    let parameters = random_parameters(&lowered);
    let (inputs, outputs) = (case.input.elements() as usize, lowered.output().elements() as usize);
    let x = numbers(1, case.batch as usize * inputs);
    let t = numbers(2, case.batch as usize * outputs);
    let ours = lowered_outcome(&lowered, &parameters, &x, &t, case.batch);
    let core = core_outcome(graph, &parameters, &x, &t, case.batch);

    let limits = limits(case);
    let both = |layer: &crate::layout::Layer| layer.input.elements() + layer.facts.output.elements();
    let elements: u32 = lowered.layers().iter().map(both).sum();
    let u = f32::EPSILON / 2.0;
    let k = (elements * case.batch) as f32 * u;
    let tolerance = |magnitude: f32| 2.0 * k / (1.0 - k) * case.magnitude.unwrap_or(magnitude) * case.amplification;
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    compare("output", &ours.outputs, &core.outputs, tolerance(largest(&limits.outputs)));
    for slot in lowered.slots() {
        let what = format!("node {} {:?}", slot.node, slot.kind);
        let of = |parameters: &Parameters| parameters.get(slot.node, slot.kind).unwrap_or_default().to_vec();
        let (before, ours, core) = (of(&parameters), of(&ours.parameters), of(&core.parameters));
        if core.is_empty() {
            assert!(!slot.trained && ours == before, "{what} isn't trained, yet it moved");
            continue;
        }
        let gradient: Vec<f32> = core.iter().zip(&before).map(|(after, before)| after - before).collect();
        if !slot.trained && case.batch > 1 {
            // Running statistics: of the last sample there, of the batch here. They have a test of their own.
            continue;
        }
        let limit = limits.parameters.get(slot.node, slot.kind).unwrap_or_default();
        let tolerance = tolerance(largest(limit)) + 2.0 * u * (largest(&before) + largest(&gradient));
        let shown = largest(&gradient) / tolerance;
        assert!(shown > 4.0, "{what}: the gradient is only {shown} tolerances large: the case shows nothing");
        compare(&what, &ours, &core, tolerance);
    }
}

/// Largest outputs, and as parameters the largest gradients, of the network at its limits; see the module's head.
fn limits(case: &Case<'_>) -> Outcome {
    let bounding = |node: &Node| {
        let mut node = *node;
        if let Op::Activation(a) = &mut node.op {
            *a = Activation { kind: ActivationKind::Relu, slope: 0.0 };
        }
        node
    };
    let nodes: Vec<Node> = case.nodes.iter().map(bounding).collect();
    let graph = Graph::new(Format::F32, case.input, &nodes);
    let lowered = Lowered::new(graph).unwrap();
    let mut largest = Parameters::new();
    for slot in lowered.slots() {
        largest.set(slot.node, slot.kind, vec![limit(&lowered, slot); slot.len]);
    }
    let x = vec![1.0; (case.batch * case.input.elements()) as usize];
    let t = vec![-1.0; (case.batch * lowered.output().elements()) as usize];
    let mut outcome = lowered_outcome(&lowered, &largest, &x, &t, case.batch);
    for slot in lowered.slots() {
        let limit = limit(&lowered, slot);
        let after = outcome.parameters.get(slot.node, slot.kind).unwrap_or_default();
        let gradient = after.iter().map(|v| v - limit).collect();
        outcome.parameters.set(slot.node, slot.kind, gradient);
    }
    outcome
}

/// The largest magnitude of a parameter here.
fn limit(lowered: &Lowered<'_>, slot: &Slot) -> f32 {
    let rows = match lowered.graph().nodes[usize::from(slot.node)].op {
        Op::Linear(a) if slot.kind == Kind::Weight => a.outputs,
        Op::Conv(a) if slot.kind == Kind::Weight => a.channels,
        Op::Host(HostOp::SequenceLinear(a)) if slot.kind == Kind::Weight => a.outputs,
        // `[4 features, features]`.
        Op::Host(HostOp::Attention(_)) if slot.kind == Kind::Weight => 2 * slot.len.isqrt() as u16,
        _ => return 1.0,
    };
    2.0 * f32::from(rows) / slot.len as f32
}

pub(super) fn compare(what: &str, ours: &[f32], core: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), core.len(), "{what}");
    for (i, (&a, &b)) in ours.iter().zip(core).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what}[{i}]: {a}, the core has {b}, tolerance {tolerance}");
    }
}

/// Numbers in ±1.
pub(super) fn numbers(tensor: u32, len: usize) -> Vec<f32> {
    let key = Key::new(5, 0, tensor);
    (0..len as u32).map(|i| key.uniform(i) * 2.0 - 1.0).collect()
}

/// Parameters within their limits; variances in [0.5, 1.5].
pub(super) fn random_parameters(lowered: &Lowered<'_>) -> Parameters {
    let mut parameters = Parameters::new();
    for (i, slot) in lowered.slots().iter().enumerate() {
        let mut values = numbers(100 + i as u32, slot.len);
        let limit = limit(lowered, slot);
        let variance = slot.kind == Kind::RunningVariance;
        values.iter_mut().for_each(|v| *v = if variance { 1.0 + 0.5 * *v } else { *v * limit });
        parameters.set(slot.node, slot.kind, values);
    }
    parameters
}

/// One training step of the lowered graph; the running statistics it moves to are in the result.
pub(super) fn lowered_outcome(
    lowered: &Lowered<'_>,
    parameters: &Parameters,
    x: &[f32],
    t: &[f32],
    batch: u32,
) -> Outcome {
    let device = Device::flex();
    let mut tensors = Tensors::upload(lowered, parameters, &device).unwrap();
    let batch = batch as usize;
    let x = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [batch, x.len() / batch]), &device);
    let t = Tensor::<2>::from_data(TensorData::new(t.to_vec(), [batch, t.len() / batch]), &device);
    let (y, none) = lowered.forward(&tensors.constant(), x.clone(), Mode::Predict);
    assert!(none.is_empty());
    let outputs = tensors::download(y.flatten(0, 1)).unwrap();
    let (y, statistics) = lowered.forward(&tensors, x, Mode::Train { seed: SEED, first_sample: 0 });
    let error = y - t;
    let mut gradients = (error.clone() * error).mean().backward();
    for slot in lowered.slots().iter().filter(|slot| slot.trained) {
        let w = tensors.tensor(slot);
        let gradient = w.grad_remove(&mut gradients).expect("a trained parameter has a gradient");
        tensors.replace(slot, w.without_autodiff() - gradient);
    }
    tensors.commit(statistics);
    Outcome { outputs, parameters: tensors.download(lowered).unwrap() }
}

/// The same of the core; only what is trained, running statistics included, is in the result.
pub(super) fn core_outcome(graph: Graph<'_>, parameters: &Parameters, x: &[f32], t: &[f32], batch: u32) -> Outcome {
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(1.0)).batch(batch).seed(SEED);
    let plan = plan::<MAX_NODES>(&graph, Some(&training)).unwrap();
    let image = image(graph, parameters);
    let mut arena = vec![0u32; plan.words()];
    let mut status = Status::default();
    let mut engine =
        Engine::<F32, Everything>::new(graph, plan.view(), Some(&training), &mut arena, &mut status).unwrap();
    engine.load(aligned(&image)).unwrap();
    let batch = batch as usize;
    let mut outputs = Vec::new();
    for x in x.chunks_exact(x.len() / batch) {
        outputs.extend_from_slice(engine.predict(x).unwrap());
    }
    for (x, t) in x.chunks_exact(x.len() / batch).zip(t.chunks_exact(t.len() / batch)) {
        engine.train_step(x, Target::Values(t)).unwrap();
    }
    assert_eq!((engine.progress().updates, engine.progress().skipped), (1, 0));
    let mut after = Parameters::new();
    for (node, step) in plan.view().steps.iter().enumerate() {
        let kinds = [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance];
        for (p, kind) in step.parameters.iter().chain(&step.running).zip(kinds) {
            if p.region.is_some() {
                let words = &arena[p.region.range()];
                after.set(node as u8, kind, words.iter().map(|&w| f32::from_bits(w)).collect());
            }
        }
    }
    Outcome { outputs, parameters: after }
}

/// A file of these parameters, three bytes longer so that [`aligned`] finds a start.
fn image(graph: Graph<'_>, parameters: &Parameters) -> Vec<u8> {
    struct Out(Vec<u8>);
    impl Sink for Out {
        type Error = std::convert::Infallible;
        fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    let bytes: Vec<(u8, Kind, [u32; 1], Vec<u8>)> = parameters
        .iter()
        .map(|(node, kind, v)| (node, kind, [v.len() as u32], v.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let entries: Vec<Entry<'_>> = bytes
        .iter()
        .map(|(node, kind, dims, bytes)| Entry { node: *node, kind: *kind, dtype: DType::F32, dims, frac: 0, bytes })
        .collect();
    let writer = Writer::new(Header::new(graph), &entries).unwrap();
    let mut file = Out(Vec::new());
    writer.write(&mut file).unwrap_or_else(|never| match never {});
    let start = {
        file.0.reserve_exact(3);
        file.0.as_ptr().align_offset(4)
    };
    file.0.splice(0..0, std::iter::repeat_n(0, start));
    file.0
}

/// The file within the bytes of [`image`].
fn aligned(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.as_ptr().align_offset(4)..]
}
