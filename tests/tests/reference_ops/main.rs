//! Every operation, forward and backward, against PyTorch's float64 truth.

mod bounds;
mod differences;
mod drive;

use bounds::{Bounds, bounds};
use drive::Node;
use emberlite::op::Op;
use emberlite_tests::reference::{Case, UNIT, Vectors, Verdict};

/// Cases of operations that we don't offer.
const NOT_OURS: [&str; 2] = ["avgpool1d_padding_not_counted", "avgpool2d_padding_not_counted"];

/// Every case that we offer, with its node; dropout has a test of its own.
fn nodes(vectors: &Vectors) -> Vec<(Case<'_>, Node)> {
    let offered = vectors.cases().filter(|case| case.text("op") != "dropout");
    let nodes: Vec<_> = offered.filter_map(|case| Node::of(&case).map(|node| (case, node))).collect();
    assert_eq!(nodes.len(), 65 - 2 - NOT_OURS.len(), "a case is skipped that shouldn't be");
    nodes
}

#[test]
fn only_the_named_cases_are_not_offered() {
    let vectors = Vectors::open("operations");
    let missing: Vec<_> = vectors.cases().filter(|case| drive::op_of(case).is_none()).map(|case| case.name()).collect();
    assert_eq!(missing, NOT_OURS);
}

#[test]
#[cfg_attr(feature = "micromath", ignore = "what it is compared with has exact roots")]
fn outputs_are_the_truth_within_rounding() {
    let (vectors, mut verdict) = (Vectors::open("operations"), Verdict::default());
    for (case, node) in nodes(&vectors) {
        verdict.compare(&format!("{} y", case.name()), &node.forward(), case.truth("y"), &bounds(&case).y);
    }
    verdict.close(2000);
}

#[test]
#[cfg_attr(feature = "micromath", ignore = "what it is compared with has exact roots")]
fn gradients_are_the_truth_within_rounding() {
    let (vectors, mut verdict) = (Vectors::open("operations"), Verdict::default());
    for (case, node) in nodes(&vectors) {
        // Activations may be given a mask or their output; both must be right.
        for from_output in [false, true] {
            let got = node.backward(&case.f32("dy"), &[], from_output);
            let Bounds { dx, dx2, dweight, dbias, .. } = bounds(&case);
            let mut check = |field: &str, got: &[f32], bound: &[f64]| {
                if case.has(field) {
                    verdict.compare(&format!("{} {field}", case.name()), got, case.truth(field), bound);
                } else {
                    assert!(got.is_empty(), "{} has a {field}, torch has none", case.name());
                }
            };
            check("dx", &got.dx, &dx);
            check("dweight", &got.dweight, &dweight);
            check("dbias", &got.dbias, &dbias);
            if node.op == Op::Add {
                check("dx2", &got.dx, &dx2); // one pass serves both inputs
            }
        }
    }
    verdict.close(10_000);
}

/// A branching graph adds errors up: the same error, on top of what is there. Each of the `n` contributions is added
/// with one rounding of the running sum, which is at most `|before| + Σ|terms|`.
#[test]
#[cfg_attr(feature = "micromath", ignore = "what it is compared with has exact roots")]
fn an_error_is_added_to_one_that_is_there() {
    let (vectors, mut verdict) = (Vectors::open("operations"), Verdict::default());
    for (case, node) in nodes(&vectors) {
        let before: Vec<f32> = (0..node.x.len()).map(|i| (i % 5) as f32 - 2.0).collect();
        let got = node.backward(&case.f32("dy"), &before, false).dx;
        let truth: Vec<f64> = case.truth("dx").iter().zip(&before).map(|(dx, &b)| dx + f64::from(b)).collect();
        let n = case.get("terms.dx").map_or(1.0, |n| n.parse::<f64>().unwrap());
        let sizes = if case.has("dx.abs") { case.f64("dx.abs") } else { case.truth("dx") };
        let bound = bounds(&case).dx.into_iter().zip(sizes).zip(&before);
        let bound: Vec<f64> =
            bound.map(|((bound, size), b)| bound + (n + 1.0) * UNIT * (size.abs() + f64::from(b.abs()))).collect();
        verdict.compare(&format!("{} accumulated dx", case.name()), &got, &truth, &bound);
    }
    verdict.close(3000);
}

/// The bound is one that torch's own float32 meets, and one that a small mistake doesn't.
#[test]
fn bounds_are_neither_too_tight_nor_too_loose() {
    let (vectors, mut verdict) = (Vectors::open("operations"), Verdict::default());
    let (mut caught, mut all) = (0, 0);
    for (case, _) in nodes(&vectors) {
        let Bounds { y, dx, dx2, dweight, dbias } = bounds(&case);
        for (field, bound) in [("y", y), ("dx", dx), ("dx2", dx2), ("dweight", dweight), ("dbias", dbias)] {
            if case.has(field) {
                let torch = case.f32(field);
                verdict.compare(&format!("torch's {} {field}", case.name()), &torch, case.truth(field), &bound);
                // A mistake of 1 in 500 of the largest value, in every element.
                let largest = torch.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
                let wrong: Vec<f32> = torch.iter().map(|v| v + 2e-3 * largest).collect();
                let mut mistake = Verdict::default();
                mistake.compare("", &wrong, case.truth(field), &bound);
                caught += mistake.failures();
                all += 1;
            }
        }
    }
    verdict.close(5000);
    assert_eq!(caught, all, "of {all} results with a mistake only {caught} are refused");
}

/// Which elements fall is ours to choose; that the rest is scaled by 1 / (1 - p), forward and backward alike, is not.
/// The scale has two roundings and the product one: four units with the second order.
#[test]
fn dropout_scales_what_it_keeps() {
    let (vectors, mut verdict) = (Vectors::open("operations"), Verdict::default());
    for case in vectors.cases().filter(|case| case.text("op") == "dropout") {
        let node = Node::of(&case).unwrap();
        let (y, dy) = (node.forward(), case.f32("dy"));
        let dx = node.backward(&dy, &[], false).dx;
        let scale = 1.0 / (1.0 - f64::from(case.number("p")));
        let mut kept = 0;
        for i in 0..y.len() {
            assert_eq!(y[i] == 0.0, dx[i] == 0.0, "{} [{i}]: dropped one way only", case.name());
            if y[i] != 0.0 {
                kept += 1;
                for (got, from) in [(y[i], node.x[i]), (dx[i], dy[i])] {
                    let truth = f64::from(from) * scale;
                    verdict.compare(case.name(), &[got], &[truth], &[4.0 * UNIT * truth.abs()]);
                    // Where torch's mask kept the same element it has the same value.
                }
                if case.f64("mask")[i] == 1.0 {
                    verdict.compare(
                        case.name(),
                        &[y[i]],
                        &[case.truth("y")[i]],
                        &[4.0 * UNIT * case.truth("y")[i].abs()],
                    );
                }
            }
        }
        assert!(kept > 0 && kept < y.len(), "{}: {kept} of {} kept", case.name(), y.len());
        let predicting = Node { training: false, ..node.clone() };
        assert_eq!(predicting.forward(), node.x, "{}: prediction drops nothing", case.name());
    }
    verdict.close(40);
}
