//! Every operation's gradients against central differences of its own forward pass.
//!
//! This needs no other implementation: it holds forward and backward against each other. For `L = Σ dy y`, summed in
//! f64 from the f32 outputs, and steps h and 2h:
//!
//! - D(h) = (L(p + h) - L(p - h)) / (p⁺ - p⁻), with the arguments as f32 rounds them, so that no step error remains.
//! - Truncation: D(h) = L' + c h² + O(h⁴), so D(2h) - D(h) = 3 c h² + O(h⁴). The value compared is D(h) itself and the
//!   difference to D(2h) is allowed, three times what the first term asks for.
//! - Kinks: for rectifiers and maxima L is a broken line. An element where L(p + h) + L(p - h) - 2 L(p) isn't zero
//!   within rounding has a kink within h; it is left out and counted. The others have no truncation at all.
//! - Rounding: each L is off by at most E = Σ |dy_j| e_j, e_j the bound of the forward pass, so D(h) is off by E / h.
//!   For sums of n products e_j grows by (n + 1) u h |∂y_j/∂p|; over all j that is (n + 1) u times the gradient's
//!   absolute sum. For the others, of values of order one, twice E is allowed. As D(2h) - D(h) may hide 3 c h² behind
//!   rounding of 1.5 E / h, another half of E / h is added. The sums in f64 are worth 1e-12.

use super::bounds::bounds;
use super::drive::Node;
use emberlite_tests::reference::{Case, UNIT, Vectors};

/// A step of 1/32: its square times a third derivative of order one is 1e-3, and rounding (1e-7 / h) is 3e-6.
const H: f32 = 1.0 / 32.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Argument {
    X,
    Weight,
    Bias,
}

fn loss(case: &Case<'_>, node: &Node) -> f64 {
    node.forward().iter().zip(case.f64("dy")).map(|(&y, dy)| f64::from(y) * dy).sum()
}

/// `(L(p + h) - L(p - h)) / (p⁺ - p⁻)` for one element, and `L(p + h) + L(p - h)`.
fn difference(case: &Case<'_>, node: &Node, argument: Argument, index: usize, h: f32) -> (f64, f64) {
    let at = |step: f32| {
        let mut node = node.clone();
        let values = match argument {
            Argument::X => &mut node.x,
            Argument::Weight => &mut node.weight,
            Argument::Bias => &mut node.bias,
        };
        values[index] += step;
        (f64::from(values[index]), loss(case, &node))
    };
    let ((right, above), (left, below)) = (at(h), at(-h));
    ((above - below) / (right - left), above + below)
}

#[test]
#[cfg_attr(feature = "micromath", ignore = "what it is compared with has exact roots")]
fn gradients_are_the_slope_of_the_forward_pass() {
    let vectors = Vectors::open("operations");
    let (mut wrong, mut compared, mut left_out) = (Vec::new(), 0, 0);
    for (case, node) in super::nodes(&vectors) {
        if node.x.len() + node.weight.len() > 1000 {
            continue; // 64 x 32: the small cases say the same
        }
        let (own, here) = (bounds(&case), loss(&case, &node));
        let rounding: f64 = case.f64("dy").iter().zip(&own.y).map(|(dy, e)| dy.abs() * e).sum();
        let got = node.backward(&case.f32("dy"), &[], false);
        let broken = ["relu", "relu6", "leaky_relu", "maxpool1d", "maxpool2d"].contains(&case.text("op"));
        let terms = case.get("terms.y").map_or(0.0, |terms| terms.parse::<f64>().unwrap());
        for (argument, field, got, bound) in [
            (Argument::X, "dx", &got.dx, &own.dx),
            (Argument::Weight, "dweight", &got.dweight, &own.dweight),
            (Argument::Bias, "dbias", &got.dbias, &own.dbias),
        ] {
            for index in 0..got.len() {
                let (slope, both) = difference(&case, &node, argument, index, H);
                let forward = if case.has("y.abs") {
                    rounding / f64::from(H) + (terms + 1.0) * UNIT * case.f64(&format!("{field}.abs"))[index]
                } else {
                    2.0 * rounding / f64::from(H)
                };
                let truncation = if broken {
                    if (both - 2.0 * here).abs() > 4.0 * rounding + 1e-12 {
                        left_out += 1;
                        continue;
                    }
                    0.0
                } else {
                    (difference(&case, &node, argument, index, 2.0 * H).0 - slope).abs()
                };
                compared += 1;
                let off = (slope - f64::from(got[index])).abs();
                if off.is_nan() || off > truncation + 1.5 * forward + bound[index] + 1e-12 {
                    wrong.push(format!("{} {field}[{index}]: {}, the slope is {slope}", case.name(), got[index]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} gradients are not slopes:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 3000 && left_out < compared / 10, "{compared} compared, {left_out} left out");
}
