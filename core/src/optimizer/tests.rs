//! First steps by hand; equality of the ways a gradient can come; fixed point on average.

extern crate std;
use super::*;
use crate::number::random::Key;
use crate::number::{F32, Fixed16, GRADIENT_FRAC, Rate};
use std::vec::Vec;

const ALL: OptimizerSet = OptimizerSet::ALL;

fn settings<N: Number>(optimizer: &Optimizer, t: u32) -> StepSettings {
    StepSettings {
        rate: Rate::new(optimizer.learning_rate()),
        penalty: Penalty::NONE,
        clip_value: f32::INFINITY,
        scale: 1.0,
        corrections: Corrections::at::<N>(ALL, optimizer, t),
        frac: 12,
        key: Key::new(1, t, 0),
        first: 0,
    }
}

/// The weight after each of the gradients, from 1.
fn path<const S: usize>(optimizer: Optimizer, gradients: [f32; S]) -> [f32; S] {
    let (mut w, mut a, mut b, mut t) = ([1.0], [0.0], [0.0], 0);
    gradients.map(|g| {
        t += 1;
        optimizer.step_row::<F32>(ALL, &mut w, [&mut a, &mut b], &[g], &settings::<F32>(&optimizer, t));
        w[0]
    })
}

#[test]
#[cfg_attr(feature = "micromath", ignore = "its square root is not exact")]
fn rules_by_hand() {
    assert_eq!(path(Optimizer::sgd(0.5), [0.25, -1.0]), [0.875, 1.375]);
    // v = 0.25, then 0.125 - 1 = -0.875.
    assert_eq!(path(Optimizer::momentum(0.5, 0.5), [0.25, -1.0]), [0.875, 1.3125]);
    // Steps 0.25 + 0.125, then -1 - 0.4375.
    assert_eq!(path(Optimizer::nesterov(0.5, 0.5), [0.25, -1.0]), [0.8125, 1.53125]);
    // s = 1/4 * 4 = 1: step 2 / (1 + 1).
    let (learning_rate, alpha, epsilon, weight_decay) = (0.5, 0.75, 1.0, 0.0);
    let rms =
        |momentum, centered| Optimizer::RmsProp { learning_rate, alpha, epsilon, momentum, centered, weight_decay };
    assert_eq!(path(rms(0.0, false), [2.0]), [0.5]);
    // v = 2/2, then s = 3/4 + 13/4 = 4: v = 1/2 + sqrt(13)/3.
    let w = path(rms(0.5, false), [2.0, libm::sqrtf(13.0)]);
    assert!(w[0] == 0.5 && (w[1] + 0.350_925_2).abs() < 3e-7, "{w:?}");
    // s = 1, mean 1/2, variance 3/4: step 2 / (0.866025 + 1).
    assert!((path(rms(0.0, true), [2.0])[0] - (1.0 - 0.535_898_4)).abs() < 2e-7);
    // s = 9, then 25.
    assert_eq!(path(Optimizer::ada_grad(0.5), [3.0, 4.0]), [0.5, 0.5 - 0.4]);
    let slow = Optimizer::AdaGrad {
        learning_rate: 0.5,
        epsilon: 1e-10,
        weight_decay: 0.0,
        learning_rate_decay: 1.0,
        initial: 7.0,
    };
    // s = 7 + 9; the second rate is half.
    assert_eq!(path(slow, [3.0, 3.0]), [0.625, 0.625 - 0.25 * 3.0 / 5.0]);
    // The first step is the rate, whatever the gradient's size (epsilon aside).
    for g in [1e-3f32, -4.0, 1e5] {
        assert!((path(Optimizer::adam(0.125), [g])[0] - (1.0 - 0.125 * g.signum())).abs() < 2e-6);
        assert!((path(Optimizer::adam_w(0.125), [g])[0] - (1.0 - 0.00125 - 0.125 * g.signum())).abs() < 2e-6);
    }
}

#[test]
fn an_unchanging_gradient_has_no_negative_variance() {
    let (learning_rate, alpha, epsilon, weight_decay) = (0.5, 0.9, 1.0, 0.0);
    let optimizer = Optimizer::RmsProp { learning_rate, alpha, epsilon, momentum: 0.0, centered: true, weight_decay };
    for g in 1..200 {
        let w = path(optimizer, [g as f32 * 0.013; 400]);
        assert!(w.iter().all(|w| w.is_finite()), "{g}");
    }
}

#[test]
fn the_largest_steps_that_fit_are_exact() {
    // 1024 * 2^-7 in units of 2^-12 is 2^15; twice that saturates.
    let optimizer = Optimizer::sgd(1024.0);
    let step = settings::<Fixed16>(&optimizer, 1);
    let mut w = [100i16, 100, -100, -32000];
    optimizer.step_product_row::<Fixed16>(ALL, &mut w, [&mut [], &mut []], &[1, 2, -1, -32768], 1, 7, &step);
    assert_eq!(w, [-32668, -32768, 32668, 32767]);
    // The same with a factor that has bits to drop.
    let mut w = [100i16, 100, -100];
    optimizer.step_product_row::<Fixed16>(ALL, &mut w, [&mut [], &mut []], &[1, 2, -32768], 16384, 21, &step);
    assert_eq!(w, [-32668, -32768, 32767]);
}

#[test]
fn clipping_comes_before_penalties_and_decay() {
    let optimizer = Optimizer::Sgd { learning_rate: 1.0, momentum: 0.0, nesterov: false, weight_decay: 0.25 };
    let mut step = settings::<F32>(&optimizer, 1);
    (step.clip_value, step.scale, step.penalty) = (2.0, 0.5, Penalty { l1: 1.0, l2: 0.25 });
    let mut w = [4.0, -4.0, 0.0, 4.0, 0.0];
    optimizer.step_row::<F32>(ALL, &mut w, [&mut [], &mut []], &[8.0, -8.0, 1.0, f32::NAN, -8.0], &step);
    // 8/2 -> 2; + 1 + 0.5 * 4 = 5.
    assert_eq!(w[..3], [-1.0, 1.0, -0.5]);
    assert!(w[3].is_nan() && w[4] == 2.0);
}

fn rules() -> Vec<Optimizer> {
    let mut all = std::vec![Optimizer::sgd(0.5), Optimizer::momentum(0.5, 0.9), Optimizer::nesterov(0.5, 0.9)];
    all.extend([Optimizer::rms_prop(0.01), Optimizer::ada_grad(0.01), Optimizer::adam(0.01), Optimizer::adam_w(0.01)]);
    all
}

#[test]
fn every_length_and_both_ways_give_the_same_bits() {
    // The factor is a power of two, so that neither order of the two products rounds.
    for optimizer in rules() {
        for decay in [0.0, 0.5] {
            for n in 0..19usize {
                let start: Vec<f32> = (0..n).map(|i| i as f32 - 7.5).collect();
                let x: Vec<f32> = (0..n).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
                let mut step = settings::<F32>(&optimizer, 1);
                step.penalty.l2 = decay;
                let (mut whole, mut a, mut b) = (start.clone(), std::vec![0.5; n], std::vec![0.25; n]);
                optimizer.step_product_row::<F32>(ALL, &mut whole, [&mut a, &mut b], &x, 0.25, 0, &step);
                for i in 0..n {
                    let (mut w, mut a1, mut b1) = ([start[i]], [0.5], [0.25]);
                    optimizer.step_row::<F32>(ALL, &mut w, [&mut a1, &mut b1], &[x[i] * 0.25], &step);
                    assert_eq!(w[0], whole[i], "{optimizer:?} element {i} of {n}");
                    assert_eq!((a1[0], b1[0]), (a[i], b[i]), "{optimizer:?} state {i} of {n}");
                    assert!(x[i] == 0.0 || w[0] != start[i]);
                }
            }
        }
    }
}

/// All rows of a product at once and one by one, from the same start.
fn rows_agree<N: Number>(optimizer: Optimizer, start: &[N::Value], values: &[N::Value], factors: &[N::Value]) {
    let (columns, mut step) = (values.len(), settings::<N>(&optimizer, 1));
    let slot = |s: usize| std::vec![N::Gradient::default(); if s < optimizer.state_slots() { start.len() } else { 0 }];
    let (mut whole, mut a, mut b) = (start.to_vec(), slot(0), slot(1));
    optimizer.step_product_rows::<N>(ALL, &mut whole, [&mut a, &mut b], values, factors, 20, &step);
    let (mut pieces, mut c, mut d) = (start.to_vec(), slot(0), slot(1));
    for (r, &factor) in factors.iter().enumerate() {
        let range = r * columns..(r + 1) * columns;
        let state = [c.get_mut(range.clone()).unwrap_or_default(), d.get_mut(range.clone()).unwrap_or_default()];
        step.first = range.start as u32;
        optimizer.step_product_row::<N>(ALL, &mut pieces[range], state, values, factor, 20, &step);
    }
    assert_eq!((&whole, &a, &b), (&pieces, &c, &d), "{optimizer:?}");
    assert!(whole != start, "{optimizer:?}");
}

#[test]
fn a_matrix_is_its_rows() {
    for optimizer in rules() {
        let start: Vec<f32> = (0..35).map(|i| i as f32 - 7.5).collect();
        rows_agree::<F32>(optimizer, &start, &[0.5, -1.0, 2.0, 0.0, 3.0, -0.3, 0.7], &[1.0, 0.0, -0.25, 3.0, 0.1]);
        if optimizer.exists_in(Format::Fixed16) {
            rows_agree::<Fixed16>(optimizer, &[1000; 35], &[500, -100, 2000, 0, 30000, -3, 7], &[100, 0, -25, 9, 1]);
        }
    }
}

#[test]
fn what_is_not_linked_does_nothing() {
    for optimizer in rules() {
        let (mut w, mut a, mut b) = ([1.0], [0.0], [0.0]);
        let others =
            rules().iter().filter(|o| o.kind() != optimizer.kind()).fold(OptimizerSet::NONE, |set, o| set.with(o));
        optimizer.step_row::<F32>(others, &mut w, [&mut a, &mut b], &[1.0], &settings::<F32>(&optimizer, 1));
        assert_eq!((w, a, b), ([1.0], [0.0], [0.0]), "{optimizer:?}");
        assert!(!others.has(&optimizer) && ALL.has(&optimizer));
    }
}

#[test]
fn hyperparameters_out_of_range_are_refused() {
    let (learning_rate, epsilon, weight_decay) = (0.1, 1e-8, 0.0);
    let adam = |beta1, beta2, epsilon| Optimizer::Adam { learning_rate, beta1, beta2, epsilon, weight_decay };
    let rms = |alpha, momentum, centered| Optimizer::RmsProp {
        learning_rate,
        alpha,
        epsilon,
        momentum,
        centered,
        weight_decay,
    };
    for optimizer in [
        Optimizer::sgd(-0.1),
        Optimizer::sgd(f32::NAN),
        Optimizer::momentum(0.1, 1.0),
        Optimizer::nesterov(0.1, 0.0),
        adam(1.0, 0.999, 1e-8),
        adam(0.9, -0.1, 1e-8),
        adam(0.9, 0.999, 0.0),
        rms(1.0, 0.0, false),
        rms(0.9, 0.5, true),
    ] {
        assert!(optimizer.check().is_err(), "{optimizer:?}");
    }
    for optimizer in rules() {
        assert_eq!(optimizer.check(), Ok(()));
        assert_eq!(
            optimizer.check_in(Format::Fixed16).is_ok(),
            matches!(optimizer.kind(), OptimizerKind::Descent | OptimizerKind::Momentum | OptimizerKind::Adam),
            "{optimizer:?}"
        );
    }
    let decaying = Optimizer::Sgd { learning_rate, momentum: 0.0, nesterov: false, weight_decay: 0.1 };
    assert!(decaying.check_in(Format::F32).is_ok() && decaying.check_in(Format::Fixed16).is_err());
    let slots: Vec<usize> = rules().iter().map(Optimizer::state_slots).collect();
    assert_eq!(slots, [0, 1, 1, 1, 1, 2, 2]);
    assert_eq!((rms(0.9, 0.0, true).state_slots(), rms(0.9, 0.5, false).state_slots()), (2, 2));
    assert!(Penalty { l1: 0.1, l2: 0.0 }.check_in(Format::Fixed16).is_err());
}

/// The mean change over 4096 weights that start at 0 and see the same gradients, in real units.
fn drift(optimizer: Optimizer, frac: i32, steps: u32, gradient: impl Fn(u32) -> f64) -> f64 {
    let (mut w, mut a, mut b) = (std::vec![0i16; 4096], std::vec![0i32; 4096], std::vec![0i32; 4096]);
    for t in 1..=steps {
        let mut step = settings::<Fixed16>(&optimizer, t);
        step.frac = frac;
        let g = libm::round(gradient(t) * f64::from(1 << GRADIENT_FRAC)) as i32;
        optimizer.step_row::<Fixed16>(ALL, &mut w, [&mut a, &mut b], &std::vec![g; 4096], &step);
    }
    w.iter().map(|&w| f64::from(w)).sum::<f64>() / 4096.0 * libm::exp2(-f64::from(frac))
}

#[test]
fn fixed_rules_are_right_on_average() {
    let gradient = |t: u32| if t.is_multiple_of(3) { -0.7 } else { 0.011 * f64::from(t) };
    let (steps, frac) = (40, 12);
    let (mut plain, mut momentum, mut adam) = (0.0f64, 0.0, 0.0);
    let (mut velocity, mut m, mut v) = (0.0f64, 0.0f64, 0.0f64);
    let [b1, b2] = [f64::from(0.9f32), f64::from(0.999f32)];
    for t in 1..=steps {
        let g = gradient(t);
        plain -= f64::from(0.003f32) * g;
        velocity = b1 * velocity + g;
        momentum -= f64::from(0.003f32) * velocity;
        (m, v) = (b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g);
        let (m, v) = (m / (1.0 - libm::pow(b1, f64::from(t))), v / (1.0 - libm::pow(b2, f64::from(t))));
        adam -= f64::from(0.003f32) * m / (libm::sqrt(v) + 1e-8);
    }
    // A step's rounding has a variance of at most 1/4 unit²: over 40 steps and 4096 weights a deviation of 0.05 units, of
    // which five are allowed; besides 2^-13 of the way.
    for (optimizer, exact) in
        [(Optimizer::sgd(0.003), plain), (Optimizer::momentum(0.003, 0.9), momentum), (Optimizer::adam(0.003), adam)]
    {
        let got = drift(optimizer, frac, steps, gradient);
        let tolerance = 0.25 * libm::exp2(-f64::from(frac)) + exact.abs() * libm::exp2(-12.0);
        assert!((got - exact).abs() <= tolerance, "{optimizer:?}: {got}, not {exact}");
    }
}

#[test]
fn fixed_product_rows_are_right_on_average() {
    // Error 1000 at 2^-16, input x at 2^-10, rate 0.01: the step in units of 2^-12.
    for (rate, frac) in [(0.01f32, 26), (0.01, 40), (3.0, 26), (1000.0, 20)] {
        for (factor, x) in [(1000i16, 777i16), (-31, 32767), (-32768, -32768), (5, -3), (0, 9)] {
            let optimizer = Optimizer::sgd(rate);
            let mut step = settings::<Fixed16>(&optimizer, 1);
            step.first = 77;
            let mut w = std::vec![100i16; 4096];
            optimizer.step_product_row::<Fixed16>(
                ALL,
                &mut w,
                [&mut [], &mut []],
                &std::vec![x; 4096],
                factor,
                frac,
                &step,
            );
            let exact = f64::from(rate) * f64::from(factor) * f64::from(x) * libm::exp2(12.0 - f64::from(frac));
            let exact = (100.0 - exact).clamp(-32768.0, 32767.0);
            let got = w.iter().map(|&w| f64::from(w)).sum::<f64>() / 4096.0;
            // Five deviations of the mean of 4096 roundings, and 2^-14 of the step.
            let tolerance = 5.0 * 0.5 / 64.0 + (exact - 100.0).abs() * libm::exp2(-14.0);
            assert!((got - exact).abs() <= tolerance, "rate {rate}, {factor} * {x} at {frac}: {got}, not {exact}");
        }
    }
}

#[test]
fn each_element_of_a_product_row_is_unbiased_over_the_steps() {
    // A step of 3/8 units, for 4096 steps from fresh weights: deviation of a mean 0.485/64, of which five are allowed.
    let optimizer = Optimizer::sgd(1.0);
    let mut sums = [0i32; 33];
    for t in 0..4096 {
        let mut step = settings::<Fixed16>(&optimizer, t);
        step.first = 33;
        let mut w = [0i16; 33];
        optimizer.step_product_row::<Fixed16>(ALL, &mut w, [&mut [], &mut []], &[3; 33], 1024, 12 + 10 + 3, &step);
        sums.iter_mut().zip(w).for_each(|(sum, w)| *sum += i32::from(w));
    }
    for (i, sum) in sums.iter().enumerate() {
        let mean = f64::from(*sum) / 4096.0;
        assert!((mean + 0.375).abs() < 5.0 * 0.485 / 64.0, "element {i}: {mean}");
    }
}

#[test]
fn fixed_clipping_limits_each_element() {
    let optimizer = Optimizer::sgd(1.0);
    let mut step = settings::<Fixed16>(&optimizer, 1);
    step.clip_value = 0.25;
    let mut w = [0i16; 3];
    let g = [1 << GRADIENT_FRAC, -(1 << GRADIENT_FRAC), 1 << (GRADIENT_FRAC - 4)];
    optimizer.step_row::<Fixed16>(ALL, &mut w, [&mut [], &mut []], &g, &step);
    assert_eq!(w, [-1024, 1024, -256]);
    // The same as products: 1 = 2^7 * 2^7 at 14 fraction bits.
    let mut w = [0i16; 3];
    optimizer.step_product_row::<Fixed16>(ALL, &mut w, [&mut [], &mut []], &[128, -128, 8], 128, 14, &step);
    assert_eq!(w, [-1024, 1024, -256]);
}

/// Otherwise the code that hands state on would be linked in vain, or missing where it is needed.
#[test]
fn a_set_knows_whether_any_of_its_rules_keeps_state() {
    assert!(!OptimizerSet::NONE.has_state() && OptimizerSet::ALL.has_state());
    for rule in rules() {
        assert_eq!(OptimizerSet::NONE.with(&rule).has_state(), rule.state_slots() > 0, "{rule:?}");
    }
}
