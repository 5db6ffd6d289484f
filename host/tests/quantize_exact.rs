//! Quantising, fact by fact: folding keeps the function, scales hold what they promise, wrong input is refused.

mod quantize_common;

use emberlite::graph::{
    Graph, Node, Shape, add, batch_norm, conv1d, conv2d, flatten, global_average_pool, layer_norm, linear, max_pool1d,
    relu,
};
use emberlite::image::Kind;
use emberlite::loss::{Loss, Target};
use emberlite::number::{F32, Fixed16, Format, Number, random::Key};
use emberlite::optimizer::Optimizer;
use emberlite::plan::{Training, plan};
use emberlite_host::Parameters;
use emberlite_host::data::{Dataset, Labels, Standardise};
use emberlite_host::quantize::{
    Calibration, Headroom, QuantizeError, Range, calibrate, fold_batch_norm, normalisation_fixed,
};
use quantize_common::{piece_normalisation, pieces_f32, pieces_fixed, run};

const TRAINING: Training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.01));
const SQUARED: Training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.0));

/// Uniform in ±1, by counter.
fn noise(tensor: u32, len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| 2.0 * Key::new(5, 0, tensor).uniform(i) - 1.0).collect()
}

/// Parameters of every size that the plan asks for; variances positive.
fn parameters(graph: &Graph<'_>) -> Parameters {
    let plan = plan::<64>(graph, Some(&SQUARED)).unwrap();
    let mut parameters = Parameters::new();
    for (node, step) in plan.view().steps.iter().enumerate() {
        let kinds = [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance];
        for (k, (p, kind)) in step.parameters.iter().chain(&step.running).zip(kinds).enumerate() {
            if p.len > 0 {
                let mut values = noise(node as u32 * 4 + k as u32, p.len as usize);
                if kind == Kind::RunningVariance {
                    values.iter_mut().for_each(|v| *v += 1.05);
                }
                parameters.set(node as u8, kind, values);
            }
        }
    }
    parameters
}

/// The outputs of an f32 model for 20 samples.
fn outputs(graph: Graph<'_>, parameters: &Parameters) -> Vec<f32> {
    let len = graph.input.elements() as usize;
    run::<F32, _>(graph, &SQUARED, &pieces_f32(parameters), 0, |engine| {
        (0..20).flat_map(|i| engine.predict(&noise(1000 + i, len)).unwrap().to_vec()).collect()
    })
}

/// Largest absolute value.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

#[test]
fn a_folded_model_computes_the_same() {
    // A residual network with every case: conv, conv without bias, linear; a norm behind each.
    let convolutional = [
        conv1d(8, 3).padding(1).no_bias(),
        batch_norm(),
        relu(),
        conv1d(8, 3).padding(1).groups(2),
        batch_norm(),
        add(2),
        relu(),
        flatten(),
        linear(12),
        batch_norm(),
        linear(3),
    ];
    let image = [conv2d(4, 3), batch_norm(), relu(), conv2d(6, 2), batch_norm(), global_average_pool()];
    for (input, nodes) in [(Shape::d2(3, 16), &convolutional[..]), (Shape::d3(2, 6, 5), &image[..])] {
        // Frozen: a norm over one position can't be trained, and running statistics are what is folded.
        let nodes: Vec<Node> =
            nodes.iter().map(|n| if n.op.name() == "batch_norm" { n.frozen() } else { *n }).collect();
        let graph = Graph::new(Format::F32, input, &nodes);
        let parameters = parameters(&graph);
        let (folded_nodes, folded) = fold_batch_norm(&nodes, &parameters).unwrap();
        assert!(folded_nodes.iter().all(|n| n.op.name() != "batch_norm"));
        let before = outputs(graph, &parameters);
        let after = outputs(Graph { nodes: &folded_nodes, ..graph }, &folded);
        // Sums of at most 128 products, four layers deep, each rounded to 2^-24 of magnitudes that a layer's gain of at
        // most 1/sqrt(0.05) = 4.5 blows up: (128 + 4) * 4 layers * 2^-24 = 3.1e-5 of the largest output.
        let error = largest(&before.iter().zip(&after).map(|(a, b)| a - b).collect::<Vec<_>>());
        assert!(largest(&before) > 0.1, "the comparison shows something");
        assert!(error <= 3.2e-5 * largest(&before), "{error:e} of {}", largest(&before));
    }
}

fn classes(features: Vec<f32>, shape: &[usize], count: u32) -> Dataset {
    let samples = features.len() / shape.iter().product::<usize>();
    let ids = (0..samples as u32).map(|i| i % count).collect();
    let names = (0..count).map(|i| i.to_string()).collect();
    Dataset::new(features, shape.to_vec(), Labels::Class { ids, names }).unwrap()
}

#[test]
fn scales_follow_from_ranges_by_hand() {
    // y = relu(x W^T + b): rows (3, 0) and (-6, 0); x = (±1, 0). Layer 0 gives ±3 and ∓6, of which ReLU keeps 3 and 6.
    let nodes = [linear(2), relu(), linear(2)];
    let graph = Graph::new(Format::F32, Shape::d1(2), &nodes);
    let mut parameters = Parameters::new();
    parameters.set(0, Kind::Weight, vec![3.0, 0.0, -6.0, 0.0]);
    parameters.set(0, Kind::Bias, vec![0.0, 0.0]);
    parameters.set(2, Kind::Weight, vec![0.25, 0.0, 0.0, 0.1]);
    parameters.set(2, Kind::Bias, vec![-1.5, 0.0]);
    let data = classes(vec![1.0, 0.0, -1.0, 0.0], &[2], 2);
    let settings = Calibration { headroom: Headroom { value: 0, weight: 1, bias: 2, error: 0 }, ..Default::default() };
    let q = calibrate(&graph, Some(&TRAINING), &parameters, &data, &settings).unwrap();
    // 1 is 2^15 units, one above i16's largest: it saturates to 1 - 2^-15, which is accepted.
    assert_eq!(q.input_frac(), 15);
    // 6 needs 3 bits before the point: 12 behind. ReLU shares the scale.
    assert_eq!((q.scales[1][0], q.scales[2][0]), (12, 12));
    // Outputs: 0.75 - 1.5 and 0, or -1.5 and 0.6: bound 2.
    assert_eq!(q.output_frac(), 14);
    // Weights: 6 -> 3 bits, 1 of headroom; 0.25 -> would be 16, but a parameter keeps a range of ±1.
    assert_eq!((q.scales[1][1], q.scales[3][1]), (11, 15));
    // Biases: all zero -> 15; 1.5 -> 1 bit, 2 of headroom.
    assert_eq!((q.scales[1][2], q.scales[3][2]), (15, 12));
    // Errors: the output's is the loss's own. With two classes dy = ±(p, p), so the error at the hidden layer is at most
    // 0.25 of it: 2^-2, so 15 - 14 + 2 = 3.
    assert_eq!((q.scales[3][3], q.scales[2][3], q.scales[1][3]), (0, 3, 3));
    assert_eq!(q.tensor(0, Kind::Weight).unwrap().values, [3 << 11, 0, -6 << 11, 0]);
    assert_eq!(q.parameters().get(2, Kind::Bias), Some(&[-1.5, 0.0][..]));
    // What only a ReLU reads may saturate below.
    parameters.set(0, Kind::Bias, vec![0.0, -60.0]);
    let q = calibrate(&graph, Some(&TRAINING), &parameters, &data, &settings).unwrap();
    assert_eq!(q.scales[1][0], 13, "the layer gives -66 and 3; ReLU leaves 3");
}

/// A small model of every operation that fixed16 has, with a residual connection.
fn model() -> Vec<Node> {
    vec![
        conv1d(8, 3).padding(1),
        relu(),
        conv1d(8, 3).padding(1),
        add(1),
        relu(),
        max_pool1d(2),
        flatten(),
        linear(16),
        relu(),
        linear(4),
    ]
}

#[test]
fn a_quantised_model_predicts_and_learns_as_its_original() {
    let nodes = model();
    let graph = |format| Graph::new(format, Shape::d2(3, 12), &nodes);
    let data = classes(noise(77, 200 * 36), &[3, 12], 4);
    let small = |p: Parameters| {
        let mut scaled = Parameters::new();
        p.iter().for_each(|(node, kind, v)| {
            scaled.set(node, kind, v.iter().map(|v| v * 0.3).collect());
        });
        scaled
    };
    let parameters = small(parameters(&graph(Format::F32)));
    let q = calibrate(&graph(Format::F32), Some(&TRAINING), &parameters, &data, &Calibration::default()).unwrap();
    let classes: Vec<u16> = (0..200).map(|i| i % 4).collect();
    let real = run::<F32, _>(graph(Format::F32), &TRAINING, &pieces_f32(&parameters), 0, |engine| {
        let before = engine.predict(data.sample(0)).unwrap().to_vec();
        for (i, &class) in classes.iter().enumerate() {
            engine.train_step(data.sample(i), Target::Class(class)).unwrap();
        }
        (before, quantize_common::parameters(engine, nodes.len()))
    });
    let fixed = run::<Fixed16, _>(graph(Format::Fixed16), &TRAINING, &pieces_fixed(&q), 0, |engine| {
        let frac = engine.output_frac();
        let before: Vec<f32> =
            engine.predict(&q.sample(data.sample(0))).unwrap().iter().map(|&y| Fixed16::to_f32(y, frac)).collect();
        for (i, &class) in classes.iter().enumerate() {
            engine.train_step(&q.sample(data.sample(i)), Target::Class(class)).unwrap();
        }
        let learnt: Vec<Vec<f32>> = q
            .tensors
            .iter()
            .map(|t| {
                let values = engine.parameter(t.node.into(), usize::from(t.kind == Kind::Bias));
                values.iter().map(|&v| Fixed16::to_f32(v, t.frac.into())).collect()
            })
            .collect();
        (before, learnt)
    });
    for (a, b) in real.0.iter().zip(&fixed.0) {
        // Values of about 1 with 12 or 13 fraction bits, four layers of sums of up to 48 rounded factors.
        assert!((a - b).abs() < 0.01, "{a} {b}");
    }
    for (t, learnt) in q.tensors.iter().zip(&fixed.1) {
        let start = parameters.get(t.node, t.kind).unwrap();
        let target = real.1.get(t.node, t.kind).unwrap();
        let way = |to: &[f32]| start.iter().zip(to).map(|(s, t)| f64::from(t - s)).collect::<Vec<_>>();
        let (real, fixed) = (way(target), way(learnt));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(&real, &fixed) / (dot(&real, &real) * dot(&fixed, &fixed)).sqrt();
        // 200 steps of stochastic rounding add noise of at most sqrt(200)/2 = 7 units; a tensor went hundreds.
        assert!(cosine > 0.9, "tensor {}.{:?} went another way: {cosine}", t.node, t.kind);
    }
}

#[test]
fn raw_integers_become_the_samples_that_calibration_saw() {
    let nodes = [conv1d(2, 3), flatten(), linear(2)];
    let graph = |format| Graph::new(format, Shape::d2(2, 6), &nodes);
    // Two channels of raw integers: around 1000 with a deviation of hundreds, around -40 with one of tens.
    let raw = |sample: u32| -> Vec<i16> {
        let x = noise(sample, 12);
        x.iter().enumerate().map(|(i, v)| if i < 6 { 1000.0 + 700.0 * v } else { 90.0 * v - 40.0 } as i16).collect()
    };
    let features: Vec<f32> = (0..100).flat_map(raw).map(f32::from).collect();
    let mut data = classes(features, &[2, 6], 2);
    let standardise = Standardise::fit(&data).unwrap();
    standardise.apply(&mut data).unwrap();
    let parameters = parameters(&graph(Format::F32));
    let q = calibrate(&graph(Format::F32), Some(&TRAINING), &parameters, &data, &Calibration::default()).unwrap();
    let mut pieces = pieces_fixed(&q);
    pieces.push(piece_normalisation(&normalisation_fixed(&standardise, q.input_frac()).unwrap()));
    run::<Fixed16, _>(graph(Format::Fixed16), &TRAINING, &pieces, 0, |engine| {
        for sample in 0..100 {
            let mut values = raw(sample);
            engine.normalisation().unwrap().apply(&mut values);
            let expected = data.sample(sample as usize).iter().map(|x| x * f32::from(q.input_frac()).exp2());
            for (i, (&unit, real)) in values.iter().zip(expected).enumerate() {
                // One rounding here; two roundings of f32 there, each of 2^-24 of at most 2^15 units.
                assert!((f32::from(unit) - real).abs() <= 0.5 + 2f32.powi(-8), "{sample} {i}: {unit} {real}");
            }
        }
    });
}

#[test]
fn a_share_of_outliers_may_saturate() {
    let nodes = [linear(2)];
    let graph = Graph::new(Format::F32, Shape::d1(1), &nodes);
    let mut parameters = Parameters::new();
    parameters.set(0, Kind::Weight, vec![1.0, -1.0]);
    parameters.set(0, Kind::Bias, vec![0.0, 0.0]);
    let mut features = vec![0.9; 999];
    features.push(30.0);
    let data = classes(features, &[1], 2);
    let frac = |range| {
        let settings = Calibration { range, headroom: Headroom::PREDICTION, samples: 1000 };
        calibrate(&graph, None, &parameters, &data, &settings).unwrap().input_frac()
    };
    assert_eq!((frac(Range::Largest), frac(Range::AllBut(0.001))), (15 - 5 - 1, 15 - 1));
}

#[test]
fn what_cannot_be_quantised_is_refused_by_name() {
    let settings = Calibration::default();
    let data = || classes(noise(1, 40), &[4], 2);
    let text = |nodes: &[Node], p: &Parameters, data: &Dataset, t: Option<&Training>| {
        let graph = Graph::new(Format::F32, Shape::d1(4), nodes);
        calibrate(&graph, t, p, data, &settings).unwrap_err().to_string()
    };
    let none = Parameters::new();
    let norm = text(&[linear(2), layer_norm()], &none, &data(), Some(&TRAINING));
    assert!(norm.starts_with("layer 1 (layer_norm): layer_norm does not exist in fixed16 yet"), "{norm}");
    let rms = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::rms_prop(0.1));
    assert!(text(&[linear(2)], &none, &data(), Some(&rms)).contains("rmsprop does not exist in fixed16"));
    assert!(text(&[linear(2)], &none, &data(), None).contains("there is no tensor 0.weight"));
    let mut wrong = Parameters::new();
    wrong.set(0, Kind::Weight, vec![0.0; 7]);
    let nodes = [linear(2)];
    let graph = Graph::new(Format::F32, Shape::d1(4), &nodes);
    let error = |p: &Parameters, d: &Dataset| calibrate(&graph, Some(&TRAINING), p, d, &settings).unwrap_err();
    let length = QuantizeError::Length { node: 0, kind: Kind::Weight, needed: 8, got: 7 };
    assert_eq!(error(&wrong, &data()), length);
    let mut nan = Parameters::new();
    nan.set(0, Kind::Weight, vec![0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(error(&nan, &data()).to_string().contains("tensor 0.weight holds NaN at 2"));
    let mut good = Parameters::new();
    good.set(0, Kind::Weight, vec![1e30; 8]);
    good.set(0, Kind::Bias, vec![0.0; 2]);
    let say = |d: &Dataset| error(&good, d).to_string();
    assert!(say(&classes(vec![1e30; 8], &[4], 2)).contains("sample 0 makes the output of layer 0 (linear) inf"));
    assert!(say(&classes(noise(1, 40), &[5], 2)).contains("samples of shape [4], found [5]"));
    assert!(say(&classes(noise(1, 40), &[4], 3)).contains("at most 2 classes, found 3"));
    let unlabelled = Dataset::new(noise(1, 40), vec![4], Labels::None).unwrap();
    assert!(say(&unlabelled).contains("expected class labels, found none"));
    assert!(say(&classes(vec![f32::NAN; 8], &[4], 2)).contains("finite numbers, found NaN at 0 of sample 0"));
}
