//! Hand-computed values for f32; an f64 oracle for fixed point.

extern crate std;
use super::*;
use crate::number::{F32, Fixed16, LOSS_FRAC};
use std::vec::Vec;

const ALL: LossSet = LossSet::ALL;

fn close(a: f32, b: f64, tolerance: f64) {
    assert!((f64::from(a) - b).abs() <= tolerance, "{a} is not {b} within {tolerance:e}");
}

#[test]
fn softmax_of_equal_logits_is_uniform() {
    // Four equal logits: loss ln 4; p = 1/4, so dy = 1/4 and 1/4 - 1, halved by a batch of two.
    let mut dy = [0.0; 4];
    let (loss, _) = Loss::SoftmaxCrossEntropy.backward::<F32>(ALL, &[2.5; 4], Target::Class(1), 0, 2, &mut dy);
    close(loss, 1.386_294_361_119_890_6, 2e-7);
    assert_eq!(dy, [0.125, -0.375, 0.125, 0.125]);
    assert_eq!(loss, Loss::SoftmaxCrossEntropy.value::<F32>(ALL, &[2.5; 4], Target::Class(1), 0));
}

#[test]
fn far_logits_do_not_overflow() {
    let mut dy = [0.0; 3];
    let (loss, _) =
        Loss::SoftmaxCrossEntropy.backward::<F32>(ALL, &[1000.0, -1000.0, 0.0], Target::Class(1), 0, 1, &mut dy);
    assert_eq!((loss, dy), (2000.0, [1.0, -1.0, 0.0]));
    let (loss, _) = Loss::BinaryCrossEntropy.backward::<F32>(
        ALL,
        &[1000.0, -1000.0],
        Target::Values(&[0.0, 0.0]),
        0,
        1,
        &mut dy[..2],
    );
    assert_eq!((loss, &dy[..2]), (500.0, &[0.5, 0.0][..]));
}

#[test]
fn a_nan_logit_reaches_the_loss() {
    let mut dy = [0.0; 3];
    for at in 0..3 {
        let mut x = [1.0f32, 2.0, 3.0];
        x[at] = f32::NAN;
        let (loss, _) = Loss::SoftmaxCrossEntropy.backward::<F32>(ALL, &x, Target::Class(0), 0, 1, &mut dy);
        assert!(loss.is_nan() && dy.iter().all(|dy| dy.is_nan()));
    }
}

#[test]
fn mean_losses_by_hand() {
    let (x, t) = ([1.0f32, -2.0], [0.5f32, 0.0]);
    let mut dy = [0.0; 2];
    // d = 0.5, -2: (0.25 + 4) / 2; 2 d / 2 / batch of 4.
    let (loss, _) = Loss::MeanSquaredError.backward::<F32>(ALL, &x, Target::Values(&t), 0, 4, &mut dy);
    assert_eq!((loss, dy), (2.125, [0.125, -0.5]));
    // delta 1: 0.5 * 0.25 = 0.125 and 1 * (2 - 0.5) = 1.5; slopes 0.5 and -1, halved by the mean.
    let (loss, _) = Loss::Huber { delta: 1.0 }.backward::<F32>(ALL, &x, Target::Values(&t), 0, 1, &mut dy);
    assert_eq!((loss, dy), (0.8125, [0.25, -0.5]));
    // x = 0: ln 2 for any target; sigmoid 0.5.
    let (loss, _) =
        Loss::BinaryCrossEntropy.backward::<F32>(ALL, &[0.0; 2], Target::Values(&[1.0, 0.25]), 0, 1, &mut dy);
    close(loss, core::f64::consts::LN_2, 1e-7);
    assert_eq!(dy, [-0.25, 0.125]);
}

#[test]
fn what_cannot_be_used_gives_nothing() {
    let mut dy = [1.0; 2];
    assert_eq!(Loss::SoftmaxCrossEntropy.backward::<F32>(ALL, &[1.0; 2], Target::Class(2), 0, 1, &mut dy), (0.0, 0));
    assert_eq!(dy, [0.0; 2]);
    dy = [1.0; 2];
    assert_eq!(Loss::MeanSquaredError.backward::<F32>(ALL, &[1.0; 2], Target::Values(&[0.0]), 0, 1, &mut dy), (0.0, 0));
    assert_eq!(dy, [0.0; 2]);
    dy = [1.0; 2];
    let none = LossSet::NONE.with(&Loss::SoftmaxCrossEntropy);
    assert_eq!(
        Loss::MeanSquaredError.backward::<F32>(none, &[1.0; 2], Target::Values(&[0.0; 2]), 0, 1, &mut dy),
        (0.0, 0)
    );
    assert_eq!(dy, [0.0; 2]);
    let mut dy = [1i16; 2];
    assert_eq!(Loss::SoftmaxCrossEntropy.backward::<Fixed16>(ALL, &[1; 2], Target::Class(9), 8, 4, &mut dy), (0, 16));
    assert_eq!(dy, [0; 2]);
    assert!(Loss::Huber { delta: 0.0 }.check().is_err() && Loss::Huber { delta: f32::NAN }.check().is_err());
    assert!(Loss::Huber { delta: -1.0 }.check().is_err() && Loss::Huber { delta: f32::INFINITY }.check().is_err());
    assert!(Loss::Huber { delta: 1.35 }.check().is_ok());
}

/// Pseudo-random logits of a width that depends on the case.
fn logits(case: u32, n: usize) -> Vec<i16> {
    let key = crate::number::random::Key::new(case, 0, 0);
    let width = key.at(u32::MAX) % 16;
    (0..n as u32).map(|i| (key.at(i) >> 16) as i16 >> width).collect()
}

#[test]
fn fixed_softmax_stays_within_its_bounds() {
    let mut small = 0;
    for case in 0..3000 {
        let n = [2, 3, 10, 100][case as usize % 4];
        let frac = case as i32 % 18 - 2;
        let mut x = logits(case, n);
        let label = case as usize % n;
        if case % 3 == 0 {
            // A confident right answer: between 7 and 16 above the others.
            x.iter_mut().for_each(|x| *x >>= 6);
            x[label] = x[label].saturating_add(((7 + case as i64 % 10) << frac.max(0)).min(32767) as i16);
        }
        let mut dy = std::vec![0i16; n];
        let (loss, bits) =
            Loss::SoftmaxCrossEntropy.backward::<Fixed16>(ALL, &x, Target::Class(label as u16), frac, 8, &mut dy);
        let bits = bits - 3;
        let real: Vec<f64> = x.iter().map(|&x| f64::from(x) * libm::exp2(-f64::from(frac))).collect();
        let max = real.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = real.iter().map(|x| libm::exp(x - max)).sum();
        let oracle = (libm::log(sum) + max - real[label]).min(f64::from(i32::MAX) / 65536.0);
        assert!(
            (f64::from(loss) / f64::from(1 << LOSS_FRAC) - oracle).abs() <= libm::exp2(-15.0),
            "case {case}: {loss} {oracle}"
        );
        let largest = dy.iter().map(|d| d.unsigned_abs()).max().unwrap();
        assert!(
            largest < 1 << 14 && (largest >= 1 << 13 || bits == 24 || largest == 0),
            "case {case}: {largest} with {bits} bits"
        );
        small += u32::from(bits == 24);
        for (i, (&dy, x)) in dy.iter().zip(&real).enumerate() {
            let p = libm::exp(x - max) / sum - f64::from(u8::from(i == label));
            let unit = libm::exp2(-f64::from(bits));
            let error = (f64::from(dy) * unit - p).abs();
            assert!(
                error <= (n as f64 + 2.0) * libm::exp2(-29.0) + 0.5 * unit,
                "case {case}: {error:e} with unit {unit:e}"
            );
        }
        assert_eq!(loss, Loss::SoftmaxCrossEntropy.value::<Fixed16>(ALL, &x, Target::Class(label as u16), frac));
    }
    assert!(small > 50, "the cap was hardly met: {small}");
}

#[test]
fn fixed_squared_error_stays_within_its_bounds() {
    for case in 0..2000 {
        let n = [1, 2, 3, 7, 64, 100][case as usize % 6];
        let frac = case as i32 % 21 - 2;
        let (x, t) = (logits(case, n), logits(case + 1_000_000, n));
        let mut dy = std::vec![0i16; n];
        let (loss, bits) = Loss::MeanSquaredError.backward::<Fixed16>(ALL, &x, Target::Values(&t), frac, 1, &mut dy);
        let d: Vec<f64> =
            x.iter().zip(&t).map(|(&x, &t)| (f64::from(x) - f64::from(t)) * libm::exp2(-f64::from(frac))).collect();
        let oracle = (d.iter().map(|d| d * d).sum::<f64>() / n as f64).min(f64::from(i32::MAX) / 65536.0);
        // Half a unit from the division, which is at most a unit of the result, and half from the shift.
        assert!((f64::from(loss) / 65536.0 - oracle).abs() <= 1.0 / 65536.0, "case {case}: {loss} {oracle}");
        let largest = dy.iter().map(|d| d.unsigned_abs()).max().unwrap();
        assert!(
            largest < 1 << 14 && (largest >= 1 << 13 || bits == 24 || largest == 0),
            "case {case}: {largest} with {bits} bits"
        );
        for (&dy, d) in dy.iter().zip(&d) {
            let (unit, slope) = (libm::exp2(-f64::from(bits)), 2.0 * d / n as f64);
            let error = (f64::from(dy) * unit - slope).abs();
            assert!(error <= slope.abs() * libm::exp2(-17.0) + 0.5 * unit, "case {case}: {error:e} with unit {unit:e}");
        }
    }
    // At 8 fraction bits a square counts in the loss's own 2^-16: (1 + 1 + 0) / 3 is nearer to 1.
    assert_eq!(Loss::MeanSquaredError.value::<Fixed16>(ALL, &[1, 6, 3], Target::Values(&[0, 5, 3]), 8), 1);
    let mut dy = [1i16; 2];
    assert_eq!(
        Loss::MeanSquaredError.backward::<Fixed16>(ALL, &[5, 6], Target::Values(&[5, 6]), 8, 1, &mut dy),
        (0, 14)
    );
    assert_eq!(dy, [0; 2]);
}
