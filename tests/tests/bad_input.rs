//! Whatever comes from outside and is wrong is refused with an error that says why, and nothing has changed: not one bit of
//! the arena, no counter.

mod bad_input {
    pub mod files;
    pub mod graphs;
    pub mod samples;
}

use emberlite::graph::*;
use emberlite::loss::Loss;
use emberlite::number::{Format, Number};
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_tests::oracle::Machine;

/// A small model: three channels of four positions, four classes.
fn nodes(format: Format) -> [Node; 5] {
    let norm = if format == Format::F32 { batch_norm() } else { relu() };
    [conv1d(4, 2).frozen(), norm, relu(), flatten(), linear(4)]
}
const INPUT: Shape = Shape::d2(3, 4);
const INPUTS: usize = 12;
const CLASSES: u16 = 4;

fn training(loss: Loss) -> Training {
    Training::new(loss, Optimizer::adam(0.01)).batch(2)
}

/// Everything that a refused call must leave as it was.
fn all<N: Number>(machine: &Machine<N>) -> (Vec<u32>, String) {
    (machine.arena.clone(), format!("{:?}", machine.status))
}

/// Calls, which must fail, and shows that nothing has changed.
fn refused<'w, N: Number, T: std::fmt::Debug, E>(
    machine: &mut Machine<'w, N>,
    call: impl FnOnce(&mut Machine<'w, N>) -> Result<T, E>,
) -> E {
    let before = all(machine);
    let result = call(machine);
    assert!(before == all(machine), "a refused call changed something");
    match result {
        Ok(taken) => panic!("taken: {taken:?}"),
        Err(error) => error,
    }
}
