//! Ordinary networks with learning rates that make them explode, for thousands of steps.

use emberlite::graph::*;
use emberlite::learner::Outcome;
use emberlite::loss::{Loss, Target};
use emberlite::number::random::Key;
use emberlite::number::{F32, Format};
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_tests::oracle::Machine;

use crate::finite;

#[test]
fn whatever_the_rate_what_is_learnt_stays_finite() {
    let nodes =
        [conv1d(4, 3), batch_norm(), relu(), flatten(), linear(8), tanh(), linear(8), layer_norm(), relu(), linear(3)];
    let graph = Graph::new(Format::F32, Shape::d2(2, 8), &nodes);
    let optimizers: [fn(f32) -> Optimizer; 8] = [
        Optimizer::sgd,
        |rate| Optimizer::momentum(rate, 0.99),
        |rate| Optimizer::nesterov(rate, 0.9),
        Optimizer::rms_prop,
        |learning_rate| Optimizer::RmsProp {
            learning_rate,
            alpha: 0.9,
            epsilon: 1e-30,
            momentum: 0.9,
            centered: false,
            weight_decay: 0.0,
        },
        Optimizer::ada_grad,
        Optimizer::adam,
        Optimizer::adam_w,
    ];
    let [mut skipped, mut updated] = [0; 2];
    for optimizer in optimizers {
        for rate in [1.0, 1e4, 1e15, 1e30, f32::MAX] {
            for batch in [1, 2] {
                let training = Training::new(Loss::SoftmaxCrossEntropy, optimizer(rate)).batch(batch);
                let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
                machine.engine().initialize(1).expect("nothing is frozen");
                for t in 0..1000 {
                    let key = Key::new(3, t, 0);
                    let input: Vec<f32> = (0..16).map(|j| key.uniform(j) * 8.0 - 4.0).collect();
                    let label = (key.at(99) % 3) as u16;
                    let report = machine.engine().train_step(&input, Target::Class(label)).expect("a valid sample");
                    assert!(finite(&machine), "{training:?}, step {t}: {report:?}");
                    skipped += u32::from(report.outcome == Outcome::Skipped);
                    updated += u32::from(report.outcome == Outcome::Updated);
                }
            }
        }
    }
    assert!(skipped > 1000 && updated > 10_000, "{skipped} skipped, {updated} updated");
}
