//! The values of the HTML report, under the names that `emberlite report` reads.

use serde_json::{Value, json};

use emberlite_link::Numbers;

use super::{
    BOARD, Fit, Plan,
    data::EXERCISES,
    place::Place,
    results::mean,
    run::Outcome,
    text::{percent, thousands},
};

/// The report of a finished demo.
pub fn report(plan: &Plan, place: &Place, fit: &Fit, outcomes: &[Outcome], versions: &[(String, String)]) -> Value {
    let board = &place.board;
    let first = outcomes.first();
    let most = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).max().unwrap_or_default();
    let of = first.map_or(String::new(), |o| format!("{} \u{2192} {}, seed {}", o.from, o.to, o.seed));
    let confusion = |counts: Option<&Vec<Vec<u32>>>| json!({ "of": of, "counts": counts, "classes": EXERCISES });
    let parameters = first.map_or(0, |o| o.parameters as u64);
    json!({
        "title": "A watch changes wrists",
        "description": "A model that knows seven exercises from one wrist learns the other one on the microcontroller \
                        itself, one labelled window at a time.",
        "domain": "wrist",
        "device": format!(
            "{} ({} KiB RAM, {} KiB flash), emulated by QEMU ({})",
            board.part, board.ram.kib, board.flash.kib, board.qemu.args.join(" ")
        ),
        "model": format!("conv1d, {} parameters, {}", thousands(parameters), name(place.numbers)),
        "chance": 1.0 / EXERCISES.len() as f64,
        "runs": outcomes.iter().map(|outcome| run(plan, place.numbers, outcome)).collect::<Vec<_>>(),
        "memory": {
            "arena_bytes": most(|o| o.memory.arena),
            "static_bytes": fit.statics,
            "stack_bytes": most(|o| o.memory.stack),
            "stack_reserved_bytes": fit.stack,
            "ram_bytes": board.ram.bytes(),
            "flash_used_bytes": fit.flash + fit.model,
            "model_bytes": fit.model,
            "flash_bytes": board.flash.bytes(),
        },
        "confusion_before": confusion(first.map(|o| &o.other.before.confusion)),
        "confusion_after": confusion(first.map(|o| &o.other.after.confusion)),
        "settings": [
            ["optimizer", "sgd, learning rate 0.01, no momentum"],
            ["batch", "1"],
            ["passes", format!("{}, each in another order", plan.passes)],
        ],
        "reproduce": [if place.name == BOARD { "cargo xtask demo".into() } else { format!("cargo xtask demo --board {}", place.name) }],
        "notes": notes(plan, outcomes),
        "versions": versions,
    })
}

fn run(plan: &Plan, numbers: Numbers, outcome: &Outcome) -> Value {
    let number_bytes = match numbers {
        Numbers::F32 => 4,
        Numbers::Fixed16 => 2,
    };
    let Outcome { from, to, seed, other, first, losses, skipped, parameters, seconds, .. } = outcome;
    let pair = |pair: &super::run::Pair| json!({ "before": pair.before.accuracy, "after": pair.after.accuracy, "samples": pair.after.count });
    let pass = losses.len().div_ceil(plan.passes.max(1)).max(1);
    let mut curve = vec![json!({ "step": 0, "new": other.before.accuracy, "first": first.before.accuracy })];
    let mut step = 0;
    for pass in losses.chunks(pass) {
        step += pass.len();
        let loss = pass.iter().map(|&loss| f64::from(loss)).sum::<f64>() / pass.len() as f64;
        curve.push(json!({ "step": step, "loss": loss }));
    }
    if let Some(last) = curve.last_mut() {
        last["new"] = json!(other.after.accuracy);
        last["first"] = json!(first.after.accuracy);
    }
    json!({
        "from": from,
        "to": to,
        "seed": seed,
        "new": pair(other),
        "first": pair(first),
        "steps": losses.len(),
        "skipped": skipped,
        "seconds": seconds,
        "parity": { "identical": true, "bytes": parameters * number_bytes, "different": 0 },
        "curve": curve,
    })
}

fn name(numbers: Numbers) -> &'static str {
    match numbers {
        Numbers::F32 => "f32",
        Numbers::Fixed16 => "fixed16",
    }
}

fn notes(plan: &Plan, outcomes: &[Outcome]) -> Vec<String> {
    let judged = outcomes.first().map_or(0, |o| o.judged.0);
    let float = mean(outcomes, |o| o.float.as_ref().map_or(0.0, |figures| figures.accuracy));
    let integers = format!(
        "The device computes in 16-bit integers alone, from the sensor to the update. The same steps from the same start in \
         f32, simulated, end at {} of the new wrist on average.",
        percent(float)
    );
    let mut notes = vec![
        "The host trains on the first 80 % of each recording of one wrist; the rest of them tells how well that wrist is \
         known. The device learns from the first 20 % of each recording of the other wrist and is judged on the rest. Rows \
         are cut before windows, so no window spans a cut. Both wrists are the same ten people's."
            .into(),
        format!(
            "Accuracies are those of all windows that nobody learnt from, computed by the simulation, whose weights are the \
             device's bit for bit. The device itself judged one in {}, {judged} windows, before and after: it gets as many \
             right as the simulation.",
            plan.judge_every
        ),
        "Plain fine-tuning forgets the first wrist. Seconds are those of this machine, with the emulator's and the serial \
         line's cost in them, not a chip's."
            .into(),
    ];
    if outcomes.iter().any(|o| o.float.is_some()) {
        notes.push(integers);
    }
    notes
}
