//! Fine-tuning over the line, beside its exact simulation on the host.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use emberlite::{
    graph::layout_hash,
    learner::{Learner, Model},
};
use emberlite_link::{Body, CallError, Numbers, Refusal, Reply, VERSION, floats, put_floats};
use emberlite_models::Digits;

use crate::{
    digits::{self, Digit},
    factory::correct,
    garbage,
    line::{self, Device, FRAME},
};

/// The writer whom the factory model knows worst.
const WRITER: u8 = 4;
/// Digits of the new writer that get a label.
const LABELLED: usize = 30;
/// Passes over them.
const PASSES: usize = 5;
/// What the file's first byte is aligned to, as in flash.
const ALIGNMENT: usize = 16;
/// Frames of noise in between.
const NOISE: u32 = 200;

/// Lets the device learn, and compares it with the simulation bit for bit. Prints what a person wants to know; the text is the
/// same on every board.
pub fn fine_tune(socket: &Path, data: &Path, image: &Path) -> Result<()> {
    let digits = digits::read(data)?;
    let own = digits::of_writer(&digits, WRITER);
    ensure!(own.len() > LABELLED, "writer {WRITER} has only {} digits", own.len());
    let (labelled, unseen) = own.split_at(LABELLED);

    let bytes = fs::read(image).with_context(|| image.display().to_string())?;
    let mut padded = vec![0; bytes.len() + ALIGNMENT];
    let start = padded.as_ptr().align_offset(ALIGNMENT);
    let aligned = padded.get_mut(start..start + bytes.len()).context("no aligned place for the image")?;
    aligned.copy_from_slice(&bytes);
    let mut twin = Learner::<Digits>::new();
    twin.load(aligned).map_err(|e| anyhow!("{}: {e}", image.display()))?;

    let mut device = Device::new(line::connect(socket)?);
    // The factory's steps count on: they are the counter behind all randomness.
    let factory_steps = twin.progress().updates;
    hello(&mut device, factory_steps)?;
    println!("device: the same layout");

    let before = evaluate(&mut device, unseen)?;
    ensure!(before == correct(&mut twin, unseen)?, "device and simulation disagree before learning");
    println!("writer {WRITER} before: {before} of {} right", unseen.len());

    wrong_requests(&mut device)?;
    let refused = garbage::send(device.port(), NOISE)?;
    println!("noise: {refused} of {NOISE} frames refused");

    let mut steps = 0;
    for _ in 0..PASSES {
        for digit in labelled {
            let expected = twin.train_step(&digit.pixels.into(), digit.label).map_err(|e| anyhow!("{e}"))?;
            let loss = train(&mut device, digit, factory_steps + steps + 1)?;
            steps += 1;
            ensure!(
                loss.to_bits() == expected.loss.to_bits(),
                "step {steps}: the device's loss is {loss}, the simulation's {}",
                expected.loss
            );
        }
    }
    println!("trained: {steps} steps on {} labelled digits, every loss as simulated", labelled.len());

    let after = evaluate(&mut device, unseen)?;
    println!("writer {WRITER} after: {after} of {} right", unseen.len());
    ensure!(after > before, "learning did not help");

    let read = parameters(&mut device)?;
    let simulated = twin_parameters(&twin);
    ensure!(read.len() == simulated.len(), "{} parameters read, {} simulated", read.len(), simulated.len());
    let differing = read.iter().zip(&simulated).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    ensure!(differing == 0, "{differing} of {} parameters differ from the simulation", read.len());
    println!("read back: {} parameters, every bit as simulated", read.len());

    hello(&mut device, factory_steps + steps)?;
    match device.call(Body::Finish) {
        Ok(Reply::Finished { .. }) => Ok(()),
        other => bail!("finish: {other:?}"),
    }
}

fn hello(device: &mut Device, steps: u32) -> Result<()> {
    let info = match device.call(Body::Hello) {
        Ok(Reply::Info(info)) => info,
        other => bail!("hello: {other:?}"),
    };
    ensure!(info.version == VERSION, "the device speaks version {}, we {VERSION}", info.version);
    let ours = layout_hash(&Digits::GRAPH);
    ensure!(info.layout_hash == ours, "the device's model is {:#018x}, ours {ours:#018x}", info.layout_hash);
    ensure!(info.numbers == Numbers::F32, "the device's numbers: {info:?}");
    ensure!((info.input_len, info.output_len) == (64, 10), "the device's tensors: {info:?}");
    ensure!(info.step == steps, "the device has made {} steps, we {steps}", info.step);
    Ok(())
}

fn input(digit: &Digit) -> [u8; 256] {
    let mut bytes = [0; 256];
    put_floats(&digit.pixels, &mut bytes);
    bytes
}

fn train(device: &mut Device, digit: &Digit, step: u32) -> Result<f32> {
    let label = u32::from(digit.label);
    match device.call(Body::Train { input: &input(digit), label }) {
        Ok(Reply::Trained { loss_bits, step: made, .. }) if made == step => Ok(f32::from_bits(loss_bits)),
        other => bail!("training step {step}: {other:?}"),
    }
}

fn evaluate(device: &mut Device, digits: &[&Digit]) -> Result<u32> {
    let mut right = 0;
    for digit in digits {
        let label = u32::from(digit.label);
        match device.call(Body::Evaluate { input: &input(digit), label }) {
            Ok(Reply::Evaluated { correct, .. }) => right += u32::from(correct),
            other => bail!("evaluating: {other:?}"),
        }
    }
    Ok(right)
}

/// Requests that the device must refuse by name.
fn wrong_requests(device: &mut Device) -> Result<()> {
    let cases: [(&str, Body<'_>, Refusal); 4] = [
        ("short input", Body::Predict { input: &[0; 8] }, Refusal::WrongLength { needed: 64, got: 2 }),
        ("label 10", Body::Train { input: &[0; 256], label: 10 }, Refusal::WrongLabel { classes: 10, got: 10 }),
        ("not a number", Body::Train { input: &[0xFF; 256], label: 1 }, Refusal::NotFinite),
        ("offset", Body::Read { offset: u32::MAX }, Refusal::WrongOffset { len: 9640, got: u32::MAX }),
    ];
    for (what, body, expected) in cases {
        match device.call(body) {
            Err(CallError::Refused(refusal)) if refusal == expected => {}
            other => bail!("{what}: expected {expected:?}, got {other:?}"),
        }
    }
    println!("wrong requests: 4 of 4 refused by name");
    Ok(())
}

fn parameters(device: &mut Device) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    loop {
        let offset = u32::try_from(values.len() * 4)?;
        match device.call(Body::Read { offset }) {
            Ok(Reply::Parameters { bytes: [], .. }) => return Ok(values),
            Ok(Reply::Parameters { offset: from, bytes, .. }) if from == offset && bytes.len() <= FRAME => {
                values.extend(floats(bytes));
            }
            other => bail!("reading at {offset}: {other:?}"),
        }
    }
}

fn twin_parameters(twin: &Learner<'_, Digits>) -> Vec<f32> {
    let nodes = 0..Digits::GRAPH.nodes.len();
    nodes.flat_map(|node| [twin.parameter(node, 0), twin.parameter(node, 1)]).flatten().copied().collect()
}
