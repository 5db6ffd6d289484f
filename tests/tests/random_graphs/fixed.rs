//! 16-bit fixed point: the executor gives the oracle's integers.

use emberlite::number::{Fixed16, Format, Number};
use emberlite_tests::oracle::{Case, FixedNetwork, Machine, Numbers, fixed_bytes, write_file};
use proptest::prelude::*;

use crate::{case, config, decisions};

/// The case's numbers in its scales; what doesn't fit saturates.
fn fixed(case: &Case, scales: &[[i8; 4]]) -> Numbers<i16> {
    let of_node = |(i, p): (usize, [Vec<f32>; 4])| {
        let [_, weight, bias, _] = scales[i + 1];
        let frac = [weight, bias, 0, 0].map(i32::from);
        [0, 1, 2, 3].map(|k| p[k].iter().map(|&v| Fixed16::from_f32(v, frac[k])).collect())
    };
    case.numbers(7).into_iter().enumerate().map(of_node).collect()
}

/// What of a step differs, if anything.
fn compare(case: &Case, steps: u32) -> Result<(), String> {
    let graph = case.graph();
    let scales = case.scales(5);
    let numbers = fixed(case, &scales);
    let file = write_file(graph, &fixed_bytes(&numbers), &scales);
    let mut machine = Machine::<Fixed16>::new(graph, Some(&case.training)).map_err(|e| format!("not planned: {e}"))?;
    machine.engine().load(file.bytes()).map_err(|e| format!("not loaded: {e}"))?;
    let mut network = FixedNetwork::new(graph, &case.training, &numbers, &scales);
    for t in 0..steps {
        let sample = case.sample(9, t);
        let input: Vec<i16> = sample.input.iter().map(|&x| Fixed16::from_f32(x, scales[0][0].into())).collect();
        let goal = sample.goal.map(|&t| Fixed16::from_f32(t, network.output_frac()));
        machine.poison();
        let output = machine.engine().predict(&input).map(<[i16]>::to_vec);
        let expected = network.forward(&input);
        if output.as_ref() != Ok(&expected[expected.len() - 1]) {
            return Err(format!("step {t}: output {output:?}, not {:?}", expected[expected.len() - 1]));
        }
        machine.poison();
        let report = machine.engine().train_step(&input, goal.target::<Fixed16>());
        let report = report.map_err(|e| format!("step {t}: {e}"))?;
        let expected = network.train_step(&input, &goal);
        if (report.loss, usize::from(report.class), report.outcome) != (expected.loss, expected.class, expected.outcome)
        {
            return Err(format!("step {t}: {report:?}, not {expected:?}"));
        }
        compare_memory(&machine, &network).map_err(|text| format!("step {t}: {text}"))?;
    }
    Ok(())
}

fn compare_memory(machine: &Machine<Fixed16>, network: &FixedNetwork) -> Result<(), String> {
    for (i, step) in machine.plan().steps.iter().enumerate() {
        for (k, values) in machine.values(i).into_iter().enumerate() {
            if !values.is_empty() && values != network.parameters[i][k] {
                return Err(format!("parameter {k} of node {i}: {values:?}, not {:?}", network.parameters[i][k]));
            }
        }
        for (k, parameter) in step.parameters.iter().enumerate() {
            for (slot, region) in parameter.state.iter().enumerate() {
                let state: Vec<i32> = machine.words(*region).iter().map(|&w| w as i32).collect();
                let expected = &network.state[i][k][slot];
                if state != *expected {
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
    fn executor_and_oracle_give_the_same_integers(decisions in decisions()) {
        let case = case(&decisions, Format::Fixed16);
        let steps = 3.max(case.training.batch + 1);
        if let Err(text) = compare(&case, steps) {
            prop_assert!(false, "{text}\n{case:#?}");
        }
    }
}
