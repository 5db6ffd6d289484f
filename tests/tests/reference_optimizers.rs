//! Update rules, schedules and clipping against PyTorch's float64 truth.
//!
//! The vectors carry the bounds of the weights: a running error analysis of each rule over the hundred steps (see
//! `tests/reference/cases/optimizers.py`). PyTorch's own float32 uses between 35 and 90 % of them.

use emberlite::number::{F32, Rate, random::Key};
use emberlite::optimizer::{
    Clip, Corrections, Decay, Optimizer, OptimizerSet, Penalty, Schedule, StepSettings, norm_factor,
};
use emberlite_tests::reference::{Case, UNIT, Vectors, Verdict};

/// The rule that a case describes.
fn rule(case: &Case<'_>) -> Optimizer {
    let optional = |key: &str| case.get(key).map_or(0.0, |_| case.number(key));
    let (learning_rate, weight_decay) = (case.number("lr"), optional("weight_decay"));
    let adam = || (case.number("beta1"), case.number("beta2"), case.number("eps"));
    match case.text("rule") {
        "sgd" => {
            let nesterov = case.get("nesterov").is_some_and(|value| value == "1");
            Optimizer::Sgd { learning_rate, momentum: optional("momentum"), nesterov, weight_decay }
        }
        "rmsprop" => Optimizer::RmsProp {
            learning_rate,
            alpha: case.number("alpha"),
            epsilon: case.number("eps"),
            momentum: optional("momentum"),
            centered: case.get("centered").is_some_and(|value| value == "1"),
            weight_decay,
        },
        "adagrad" => Optimizer::AdaGrad {
            learning_rate,
            epsilon: case.number("eps"),
            weight_decay,
            learning_rate_decay: optional("lr_decay"),
            initial: optional("initial_accumulator_value"),
        },
        "adam" => {
            let (beta1, beta2, epsilon) = adam();
            Optimizer::Adam { learning_rate, beta1, beta2, epsilon, weight_decay }
        }
        "adamw" => {
            let (beta1, beta2, epsilon) = adam();
            Optimizer::AdamW { learning_rate, beta1, beta2, epsilon, weight_decay }
        }
        other => panic!("{}: no rule {other} here", case.name()),
    }
}

/// The settings of update `t`, counted from 1, without penalty, clipping or schedule.
fn settings(optimizer: &Optimizer, t: u32) -> StepSettings {
    StepSettings {
        rate: Rate::new(optimizer.learning_rate()),
        penalty: Penalty::NONE,
        clip_value: Clip::None.value(),
        scale: 1.0,
        corrections: Corrections::at::<F32>(OptimizerSet::ALL, optimizer, t),
        frac: 0,
        key: Key::new(0, t, 0),
        first: 0,
    }
}

/// How a gradient reaches the rule.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Path {
    /// One row.
    Whole,
    /// Rows of 5, 1 and 10 elements, each with its part of the state.
    Pieces,
    /// As a product with a factor of a power of two, which rounds nothing.
    Product,
    /// Weight decay as a penalty instead of the rule's own.
    Penalty,
}

struct Run {
    weights: Vec<f32>,
    state: [Vec<f32>; 2],
}

impl Run {
    fn new(initial: Vec<f32>, optimizer: &Optimizer) -> Run {
        let slot = |slot: usize| vec![0.0; if slot < optimizer.state_slots() { initial.len() } else { 0 }];
        Run { state: [slot(0), slot(1)], weights: initial }
    }

    fn step(&mut self, optimizer: &Optimizer, gradient: &[f32], t: u32, path: Path, l2: f32) {
        let linked = OptimizerSet::NONE.with(optimizer);
        let mut settings = settings(optimizer, t);
        settings.penalty.l2 = l2;
        let pieces: &[usize] = if path == Path::Pieces { &[0, 5, 6, 16] } else { &[0, 16] };
        for piece in pieces.windows(2) {
            let range = piece[0]..piece[1];
            let part = |state: &mut Vec<f32>| if state.is_empty() { 0..0 } else { range.clone() };
            let [a, b] = &mut self.state;
            let (in_a, in_b) = (part(a), part(b));
            let state = [&mut a[in_a], &mut b[in_b]];
            let (w, g) = (&mut self.weights[range.clone()], &gradient[range.clone()]);
            if path == Path::Product {
                let values: Vec<f32> = g.iter().map(|g| g * 4.0).collect();
                optimizer.step_product_row::<F32>(linked, w, state, &values, 0.25, 0, &settings);
            } else {
                optimizer.step_row::<F32>(linked, w, state, g, &settings);
            }
        }
    }
}

/// The weights after the kept steps, one after the other.
fn train(case: &Case<'_>, sequence: &Case<'_>, optimizer: &Optimizer, path: Path, l2: f32) -> Vec<f32> {
    let gradients = sequence.f32("gradients");
    let mut run = Run::new(sequence.f32("initial"), optimizer);
    let kept = sequence.sizes("kept");
    let mut rows = Vec::new();
    for (t, gradient) in (1..).zip(gradients.chunks(run.weights.len())) {
        run.step(optimizer, gradient, t, path, l2);
        if kept.contains(&(t as u16)) {
            rows.extend_from_slice(&run.weights);
        }
    }
    assert_eq!(rows.len(), case.truth("weights").len(), "{}", case.name());
    rows
}

#[test]
#[cfg_attr(feature = "micromath", ignore = "what it is compared with has exact roots")]
fn update_rules_are_the_truth_within_rounding() {
    let (vectors, mut verdict) = (Vectors::open("optimizers"), Verdict::default());
    let sequence = vectors.case("sequence");
    for case in vectors.cases().filter(|case| case.name() != "sequence") {
        let optimizer = rule(&case);
        assert_eq!(optimizer.check(), Ok(()), "{}", case.name());
        let (truth, bound) = (case.truth("weights"), case.f64("weights.bound"));
        let got = train(&case, &sequence, &optimizer, Path::Whole, 0.0);
        verdict.compare(case.name(), &got, truth, bound);
        verdict.compare(&format!("torch's {}", case.name()), &case.f32("weights"), truth, bound);
        for path in [Path::Pieces, Path::Product] {
            let again = train(&case, &sequence, &optimizer, path, 0.0);
            assert!(got.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()), "{} {path:?}", case.name());
        }
    }
    verdict.close(15 * 5 * 16 * 2);
}

/// `l2` is the weight decay of every rule but AdamW, bit for bit.
#[test]
fn an_l2_penalty_is_weight_decay() {
    let vectors = Vectors::open("optimizers");
    let sequence = vectors.case("sequence");
    for (plain, decayed) in
        [("sgd", "sgd_weight_decay"), ("momentum", "momentum_weight_decay"), ("adam", "adam_weight_decay")]
    {
        let (plain, decayed) = (vectors.case(plain), vectors.case(decayed));
        let want = train(&decayed, &sequence, &rule(&decayed), Path::Whole, 0.0);
        let got = train(&plain, &sequence, &rule(&plain), Path::Penalty, decayed.number("weight_decay"));
        assert_eq!(got, want, "{}", decayed.name());
    }
}

/// One percent of the rate or of a memory is far outside the bounds: they tell rules apart.
#[test]
fn a_slightly_wrong_rule_is_refused() {
    let vectors = Vectors::open("optimizers");
    let sequence = vectors.case("sequence");
    for case in vectors.cases().filter(|case| case.name() != "sequence") {
        let mut wrong = rule(&case);
        match &mut wrong {
            Optimizer::Sgd { momentum, .. } if *momentum > 0.0 => *momentum *= 0.99,
            Optimizer::RmsProp { alpha, .. } => *alpha *= 0.99,
            Optimizer::Adam { beta2, .. } | Optimizer::AdamW { beta2, .. } => *beta2 *= 0.99,
            Optimizer::Sgd { learning_rate, .. } | Optimizer::AdaGrad { learning_rate, .. } => *learning_rate *= 1.01,
        }
        let got = train(&case, &sequence, &wrong, Path::Whole, 0.0);
        let mut verdict = Verdict::default();
        verdict.compare("", &got, case.truth("weights"), case.f64("weights.bound"));
        assert_eq!(verdict.failures(), 1, "{}: {wrong:?} passes", case.name());
    }
}

/// Roundings, in units: a power is rounded once and multiplied by the base rate. The cosine is `minimum + span
/// sin²(a)`: the angle has three units (quotient, constant, product), which a sine below pi/2 passes on at most
/// relatively; two calls' worth of two units, the square, the span and its product follow, at most 14 of that term,
/// and one more for the sum. A warm-up is a quotient, a difference, a product, a sum and a product of positive
/// numbers: six.
#[test]
fn schedules_are_pytorchs() {
    let (vectors, mut verdict) = (Vectors::open("schedules"), Verdict::default());
    for case in vectors.cases() {
        let steps = |key: &str| case.number(key) as u32;
        let (schedule, units) = match case.text("schedule") {
            "constant" => (Schedule::CONSTANT, 0.0),
            "step" => (Schedule::new(Decay::Step { every: steps("period"), gamma: case.number("factor") }), 3.0),
            "exponential" => (Schedule::new(Decay::Exponential { gamma: case.number("factor") }), 3.0),
            "cosine" => (Schedule::new(Decay::Cosine { steps: steps("steps"), minimum: case.number("minimum") }), 15.0),
            "linear_warmup" => (Schedule::CONSTANT.warmed_up(steps("steps"), case.number("start")), 6.0),
            other => panic!("{}: no schedule {other} here", case.name()),
        };
        assert_eq!(schedule.check(), Ok(()), "{}", case.name());
        let truth = case.f64("rate");
        let got: Vec<f32> = (0..200).map(|step| schedule.rate::<F32>(case.number("rate"), step).real()).collect();
        let bound: Vec<f64> = truth.iter().map(|rate| units * UNIT * rate).collect();
        verdict.compare(case.name(), &got, truth, &bound);
    }
    verdict.close(9 * 200);
}

/// The factor of `clip_grad_norm_` from the norms of a real run: `limit / (norm + 1e-6)`, at most 1. The sum of
/// squares is rounded here, its root and three more operations after it.
#[test]
#[cfg_attr(feature = "micromath", ignore = "what it is compared with has exact roots")]
fn the_global_norms_factor_is_pytorchs() {
    let (vectors, mut clipped) = (Vectors::open("networks"), 0);
    let case = vectors.case("mlp_momentum_clip");
    let limit = case.number("clip");
    for norm in case.f64("norm.f64") {
        let truth = (f64::from(limit) / (norm + 1e-6)).min(1.0);
        let got = norm_factor((norm * norm) as f32, limit);
        assert!((f64::from(got) - truth).abs() <= 5.0 * UNIT * truth, "norm {norm}: {got}, not {truth}");
        clipped += usize::from(truth < 1.0);
    }
    assert!(clipped > 5 && clipped < 45, "{clipped} of 50 clipped");
}

/// All rows of an outer product at once are each row by itself, bit for bit, whatever else applies to the gradient.
#[test]
fn rows_together_are_rows_one_by_one() {
    let vectors = Vectors::open("optimizers");
    let numbers = vectors.case("sequence").f32("gradients");
    let mut compared = 0;
    for case in vectors.cases().filter(|case| case.name() != "sequence") {
        let optimizer = rule(&case);
        for (len, rows) in [(1, 5), (3, 4), (8, 3), (13, 2)] {
            for (scale, clip_value, l2) in [(1.0, f32::INFINITY, 0.0), (0.5, f32::INFINITY, 0.0), (1.0, 0.125, 0.25)] {
                let numbers = |from: usize, count: usize| numbers[from * 16 + 9..].iter().copied().take(count);
                let mut together = Run::new(numbers(0, len * rows).collect(), &optimizer);
                let mut single = Run::new(together.weights.clone(), &optimizer);
                for t in 1..4 {
                    let values: Vec<f32> = numbers(10 * t, len).collect();
                    let mut factors: Vec<f32> = numbers(10 * t + 7, rows).collect();
                    factors[1] = 0.0; // the error behind an inactive ReLU
                    let settings = settings(&optimizer, t as u32);
                    let settings = StepSettings { scale, clip_value, penalty: Penalty { l1: 0.0, l2 }, ..settings };
                    let [a, b] = &mut together.state;
                    let (w, state) = (&mut together.weights, [&mut a[..], &mut b[..]]);
                    optimizer.step_product_rows::<F32>(OptimizerSet::ALL, w, state, &values, &factors, 0, &settings);
                    for (row, &factor) in factors.iter().enumerate() {
                        let row = row * len..(row + 1) * len;
                        let state = single.state.each_mut().map(|s| s.get_mut(row.clone()).unwrap_or_default());
                        let w = &mut single.weights[row];
                        optimizer.step_product_row::<F32>(OptimizerSet::ALL, w, state, &values, factor, 0, &settings);
                    }
                    let bits = |run: &Run| -> Vec<u32> {
                        run.weights.iter().chain(run.state.iter().flatten()).map(|v| v.to_bits()).collect()
                    };
                    assert_eq!(bits(&together), bits(&single), "{} {rows} x {len}, step {t}", case.name());
                    compared += 1;
                }
                assert!(together.weights.iter().zip(numbers(0, len * rows)).any(|(w, w0)| *w != w0), "{}", case.name());
            }
        }
    }
    assert_eq!(compared, 15 * 4 * 3 * 3);
}
