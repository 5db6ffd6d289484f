//! f32: the executor gives the oracle's bits.

use emberlite::learner::{LearnError, Outcome};
use emberlite::number::{F32, Format};
use emberlite_tests::oracle::{Case, Machine, Network, float_bytes, write_file};
use proptest::prelude::*;

use crate::{case, config, decisions};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// What of a step differs, if anything.
fn compare(case: &Case, steps: u32) -> Result<(), String> {
    let graph = case.graph();
    let numbers = case.numbers(7);
    let file = write_file(graph, &float_bytes(&numbers), &[]);
    let mut machine = Machine::<F32>::new(graph, Some(&case.training)).map_err(|e| format!("not planned: {e}"))?;
    machine.engine().load(file.bytes()).map_err(|e| format!("not loaded: {e}"))?;
    let mut network = Network::<f32>::new(graph, &case.training, &numbers);
    for t in 0..steps {
        let sample = case.sample(9, t);
        machine.poison();
        let output = machine.engine().predict(&sample.input).map(bits);
        let values = network.forward(&sample.input, false);
        let values = &values[values.len() - 1];
        let finite = values.iter().all(|v| v.is_finite());
        if output != if finite { Ok(bits(values)) } else { Err(LearnError::OutputNotFinite) } {
            return Err(format!("step {t}: output {output:x?}, not {values:?}"));
        }
        machine.poison();
        let report = machine.engine().train_step(&sample.input, sample.goal.target::<F32>());
        let report = report.map_err(|e| format!("step {t}: {e}"))?;
        let expected = network.train_step(&sample.input, &sample.goal);
        let answer = (report.loss.to_bits(), usize::from(report.class)) == (expected.loss.to_bits(), expected.class);
        if report.outcome != expected.outcome || !(answer || expected.outcome == Outcome::Skipped) {
            return Err(format!("step {t}: {report:?}, not {expected:?}"));
        }
        compare_memory(&machine, &network).map_err(|text| format!("step {t}: {text}"))?;
    }
    Ok(())
}

fn compare_memory(machine: &Machine<F32>, network: &Network<f32>) -> Result<(), String> {
    for (i, step) in machine.plan().steps.iter().enumerate() {
        for (k, values) in machine.values(i).into_iter().enumerate() {
            if !values.is_empty() && bits(values) != bits(&network.parameters[i][k]) {
                return Err(format!("parameter {k} of node {i}: {values:?}, not {:?}", network.parameters[i][k]));
            }
        }
        for (k, parameter) in step.parameters.iter().enumerate() {
            for (slot, region) in parameter.state.iter().enumerate() {
                let expected = &network.state[i][k][slot];
                if machine.words(*region) != bits(expected) {
                    let state: Vec<f32> = machine.words(*region).iter().map(|&w| f32::from_bits(w)).collect();
                    return Err(format!("state {slot} of parameter {k} of node {i}: {state:?}, not {expected:?}"));
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(2000))]
    #[test]
    #[cfg_attr(feature = "micromath", ignore = "golden texts and the oracle have the bits of exact roots")]
    fn executor_and_oracle_give_the_same_bits(decisions in decisions()) {
        let case = case(&decisions, Format::F32);
        let steps = 3.max(case.training.batch + 1);
        if let Err(text) = compare(&case, steps) {
            prop_assert!(false, "{text}\n{case:#?}");
        }
    }
}
