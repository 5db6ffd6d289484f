//! How far a float32 result may lie from the truth, operation by operation.
//!
//! First-order running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapters 2 and
//! 3): u = 2^-24 is the relative error of one rounded operation. Where a count of roundings is given it is that of the
//! formula in the operation's file, rounded up by one for the second-order terms.

use emberlite_tests::reference::{Case, TINY, UNIT};

/// The relative error of one call of an elementary function, in units of u: libm's expf and tanhf stay below 1 and 2
/// units in the last place (a unit in the last place is at most 2u).
const EXP: f64 = 2.0;
const TANH: f64 = 4.0;

/// Bounds for the five results of a case; empty where it has none.
#[derive(Default)]
pub struct Bounds {
    pub y: Vec<f64>,
    pub dx: Vec<f64>,
    pub dx2: Vec<f64>,
    pub dweight: Vec<f64>,
    pub dbias: Vec<f64>,
}

/// Bounds of a case by its operation.
pub fn bounds(case: &Case<'_>) -> Bounds {
    let relative = |field: &str, units: f64| case.truth(field).iter().map(|v| units * UNIT * v.abs() + TINY).collect();
    let exact = |field: &str| vec![0.0; case.truth(field).len()];
    let sum = |field: &str| {
        if case.has(&format!("{field}.abs")) { case.sum_bound(field) } else { Vec::new() }
    };
    match case.text("op") {
        "linear" | "conv1d" | "conv2d" | "avgpool1d" | "avgpool2d" | "avgpool_global" | "add" => {
            Bounds { y: sum("y"), dx: sum("dx"), dx2: sum("dx2"), dweight: sum("dweight"), dbias: sum("dbias") }
        }
        // A maximum rounds nothing; overlapping windows add errors up.
        "maxpool1d" | "maxpool2d" => Bounds { y: exact("y"), dx: sum("dx"), ..Bounds::default() },
        "relu" | "relu6" | "flatten" => Bounds { y: exact("y"), dx: exact("dx"), ..Bounds::default() },
        "leaky_relu" => Bounds { y: relative("y", 2.0), dx: relative("dx", 2.0), ..Bounds::default() },
        "sigmoid" => sigmoid(case),
        "tanh" => tanh(case),
        "layernorm" => norm(case, case.f64("x").len(), true),
        "batchnorm" if case.flag("training") => norm(case, positions(case), false),
        "batchnorm" => fixed_norm(case),
        other => panic!("{}: no bound for {other}", case.name()),
    }
}

fn positions(case: &Case<'_>) -> usize {
    case.f64("x").len() / case.f64("weight").len()
}

/// `1 / (1 + e)` or `e / (1 + e)`: e has EXP units, the sum and the quotient one each, so y has EXP + 2, and one for
/// the second order. `y (1 - y) dy`: 1 - y inherits y's error absolutely and adds one; two products follow: `|dy| y (Y
/// y + (Y + 3)(1 - y))`, Y = EXP + 3.
fn sigmoid(case: &Case<'_>) -> Bounds {
    let units = EXP + 3.0;
    let y = case.truth("y").iter().map(|y| units * UNIT * y + TINY).collect();
    let dx = case.truth("y").iter().zip(case.f64("dy"));
    let dx = dx.map(|(y, dy)| dy.abs() * y * UNIT * (units * y + (units + 3.0) * (1.0 - y)) + TINY).collect();
    Bounds { y, dx, ..Bounds::default() }
}

/// `dy (1 - y y)`: y's error enters twice, the square is rounded, then the difference and the product:
/// `|dy| (y² (2 TANH + 1) + 2 (1 - y²))`.
fn tanh(case: &Case<'_>) -> Bounds {
    let y = case.truth("y").iter().map(|y| TANH * UNIT * y.abs() + TINY).collect();
    let dx = case.truth("y").iter().zip(case.f64("dy"));
    let dx = dx.map(|(y, dy)| dy.abs() * UNIT * (y * y * (2.0 * TANH + 1.0) + 3.0 * (1.0 - y * y)) + TINY).collect();
    Bounds { y, dx, ..Bounds::default() }
}

/// Layer norm (one group, a weight for each element) and batch norm from the sample (one group and one weight a
/// channel).
fn norm(case: &Case<'_>, n: usize, weight_each: bool) -> Bounds {
    let (x, dy) = (case.f64("x"), case.f64("dy"));
    let (weight, bias) = (case.f64("weight"), case.f64("bias"));
    let epsilon = f64::from(case.number("epsilon"));
    let mut bounds = Bounds::default();
    for (group, (x, dy)) in x.chunks(n).zip(dy.chunks(n)).enumerate() {
        let w = |i: usize| {
            if weight_each { weight[i] } else { weight[group] }
        };
        let b = |i: usize| if weight_each { bias[i] } else { bias[group] };
        let stats = Statistics::of(x, epsilon);
        let g: Vec<f64> = dy.iter().enumerate().map(|(i, dy)| dy * w(i)).collect();
        let mean = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        let m1 = mean(&|i| g[i]);
        let m2 = mean(&|i| g[i] * stats.hat[i]);
        let sums = (n as f64 + 3.0) * UNIT;
        let m1_error = sums * mean(&|i| g[i].abs());
        let m2_error = mean(&|i| g[i].abs() * stats.hat_error[i]) + sums * mean(&|i| (g[i] * stats.hat[i]).abs());
        for (i, (&hat, &hat_error)) in stats.hat.iter().zip(&stats.hat_error).enumerate() {
            // y = x̂ w + b: the error of x̂, then two roundings.
            bounds.y.push(w(i).abs() * hat_error + 2.0 * UNIT * ((hat * w(i)).abs() + b(i).abs()) + TINY);
            // dx = r (g - m1 - x̂ m2): each part's error, seven roundings at most, and r's own relative error.
            let size = g[i].abs() + m1.abs() + (hat * m2).abs();
            let parts = m1_error + hat.abs() * m2_error + hat_error * m2.abs();
            bounds.dx.push(stats.r * (parts + (7.0 * UNIT + stats.r_error) * size) + TINY);
        }
        let product = |i: usize| dy[i].abs() * hat_bound(&stats, i);
        if weight_each {
            bounds.dweight.extend((0..n).map(|i| product(i) + TINY));
            bounds.dbias.extend((0..n).map(|_| 0.0));
        } else {
            let hats: f64 = (0..n).map(|i| (dy[i] * stats.hat[i]).abs()).sum();
            bounds.dweight.push((0..n).map(product).sum::<f64>() + sums * hats + TINY);
            bounds.dbias.push(sums * dy.iter().map(|dy| dy.abs()).sum::<f64>() + TINY);
        }
    }
    bounds
}

/// The error of `dy x̂` for |dy| = 1: that of x̂ and one rounding.
fn hat_bound(stats: &Statistics, i: usize) -> f64 {
    stats.hat_error[i] + 2.0 * UNIT * stats.hat[i].abs()
}

/// Mean, inverse deviation and normalised values of one group, with the errors that float32 may make.
struct Statistics {
    r: f64,
    /// Relative error of r.
    r_error: f64,
    hat: Vec<f64>,
    hat_error: Vec<f64>,
}

impl Statistics {
    fn of(x: &[f64], epsilon: f64) -> Statistics {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let r = 1.0 / (variance + epsilon).sqrt();
        // The mean: n - 1 sums and a division.
        let shift = (n + 1.0) * UNIT * x.iter().map(|x| x.abs()).sum::<f64>() / n;
        // The mean of (x - m)² around a mean that is off by `shift` is variance + shift²; each term is rounded three
        // times, summed n - 1 times, divided once; epsilon is added; the root halves the relative error and adds one
        // rounding, the reciprocal another.
        let relative = ((n + 6.0) * UNIT * variance + shift * shift) / (variance + epsilon);
        let r_error = 0.5 * relative + 3.0 * UNIT;
        let hat: Vec<f64> = x.iter().map(|x| (x - mean) * r).collect();
        // x̂ = (x - m) r: the shift of m, the rounding of the difference and of the product, the error of r.
        let hat_error =
            hat.iter().map(|hat| shift * r + (2.0 * UNIT + r_error) * hat.abs() + UNIT * hat.abs()).collect();
        Statistics { r, r_error, hat, hat_error }
    }
}

/// Batch norm with given statistics, `((x - m) r) w + b`: the sum under the root, the root and the reciprocal give r
/// 0.5 + 1 + 1 units; the difference, two products and the sum add one each. Eight with the second order.
fn fixed_norm(case: &Case<'_>) -> Bounds {
    let (x, dy, weight, bias) = (case.f64("x"), case.f64("dy"), case.f64("weight"), case.f64("bias"));
    let (mean, variance) = (case.f64("running_mean"), case.f64("running_var"));
    let (n, epsilon) = (positions(case), f64::from(case.number("epsilon")));
    let mut bounds = Bounds::default();
    for (c, (x, dy)) in x.chunks(n).zip(dy.chunks(n)).enumerate() {
        let r = 1.0 / (variance[c] + epsilon).sqrt();
        let units = 8.0 * UNIT;
        for (x, dy) in x.iter().zip(dy) {
            bounds.y.push(units * (((x - mean[c]) * r * weight[c]).abs() + bias[c].abs()) + TINY);
            bounds.dx.push(units * (dy * r * weight[c]).abs() + TINY);
        }
        let sums = (n as f64 + 1.0) * UNIT;
        let size: f64 = x.iter().zip(dy).map(|(x, dy)| (dy * (x - mean[c]) * r).abs()).sum();
        bounds.dweight.push((units + sums) * size + TINY);
        bounds.dbias.push(sums * dy.iter().map(|dy| dy.abs()).sum::<f64>() + TINY);
    }
    bounds
}
