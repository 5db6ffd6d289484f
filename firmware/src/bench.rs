//! What a model costs on the board: the body of every `bench_…` program.
//!
//! It prints `key value` lines, which `cargo xtask test bench` gathers, together with the ELF's sizes, in one golden table
//! for each board. Counts are exact, so the table is compared exactly: a regression is a diff.

use core::hint::black_box;

use emberlite::{
    Values,
    learner::{LearnError, Learner, Model},
    number::Number,
};

use crate::{Exit, count, println, stack};

/// Steps that the mean is taken over.
const STEPS: u32 = 10;
/// Different inputs, used in turn.
const SAMPLES: u32 = 4;

/// Trains the model on a few made-up samples and prints what it takes.
///
/// The loss is printed bit for bit: a bench whose result is wrong measures nothing.
pub fn run<M: Model>(learner: Option<&'static mut Learner<'static, M>>) -> Exit {
    let Some(learner) = learner else {
        println!("the learner is taken already");
        return Exit::Failed;
    };
    match measure(learner) {
        Ok(()) => Exit::Passed,
        // By number: the text of the error would be linked, and with it what it needs.
        Err(_) => {
            println!("error: the learner refused");
            Exit::Failed
        }
    }
}

fn measure<M: Model>(learner: &mut Learner<'static, M>) -> Result<(), LearnError> {
    learner.initialize(1)?;
    let frac = learner.engine()?.input_frac();
    let classes = M::PLAN.summary.outputs;
    let mut input = M::Input::default();

    sample::<M>(&mut input, 0, frac);
    let mut outcome = Ok(M::Output::default());
    let predict = count(|| outcome = learner.predict(black_box(&input)));
    black_box(outcome?);

    let mut total = 0;
    let mut most = 0;
    let mut loss = 0.0;
    for step in 0..STEPS {
        let sample_index = step % SAMPLES;
        sample::<M>(&mut input, sample_index, frac);
        let label = (sample_index * 3 % classes) as u16;
        let mut outcome = Err(LearnError::NoParameters);
        let instructions = count(|| outcome = learner.train_step(black_box(&input), label));
        loss = M::Number::loss_to_f32(outcome?.loss);
        total += instructions;
        most = most.max(instructions);
    }

    let summary = M::PLAN.summary;
    println!("predict {predict}");
    println!("train {}", total / u64::from(STEPS));
    println!("train_most {most}");
    println!("macs_predict {}", summary.macs_forward);
    println!("macs_train {}", summary.macs_training);
    println!("arena {}", summary.arena_bytes());
    println!("parameters {}", summary.parameter_bytes);
    println!("stack {}", stack::high_water_bytes());
    println!("loss {}", loss.to_bits());
    Ok(())
}

/// A sample between -0.5 and 0.5 that looks like nothing in particular.
fn sample<M: Model>(input: &mut M::Input, sample: u32, frac: i32) {
    for (index, value) in input.values_mut().iter_mut().enumerate() {
        let mixed = (index as u32 * 37 + sample * 101) % 64;
        *value = M::Number::from_f32(mixed as f32 / 64.0 - 0.5, frac);
    }
}
