//! The model of a training run: its layers, and what they cost on the device.

use super::facts::{LayerFacts, ModelFacts};
use crate::report::html::{columns, part};
use crate::report::memory::Usage;
use crate::report::number::{grouped, times};
use crate::report::table::{Cell, Row, count, table};

/// What the arena holds.
pub(super) fn ram(model: &ModelFacts) -> Usage {
    let known = [model.parameter_bytes, model.state_bytes, model.gradient_bytes, model.working_bytes];
    let rest = known.into_iter().fold(model.arena_bytes, u64::saturating_sub);
    let [parameters, state, gradients, working] = known;
    let parts = vec![
        ("parameters that learn", parameters),
        ("optimizer state", state),
        ("gradients", gradients),
        ("activations, errors, scratch", working),
        ("alignment", rest),
    ];
    Usage { name: "RAM", parts, budget: model.ram_budget_bytes }
}

/// What the file holds.
pub(super) fn flash(model: &ModelFacts) -> Usage {
    Usage { name: "Flash", parts: vec![("the model's file", model.file_bytes)], budget: model.flash_budget_bytes }
}

/// The model in a line; empty for none.
pub(super) fn summary(model: &ModelFacts) -> String {
    if model.layers.is_empty() {
        return String::new();
    }
    let format = if model.format.is_empty() { String::new() } else { format!(", {}", model.format) };
    format!(
        "{}{format}; {} parameters, {} of them learn on the device.",
        times(model.layers.len() as u64, "layer"),
        grouped(model.parameters),
        grouped(model.trainable)
    )
}

/// Layer by layer.
pub(super) fn layers(model: &ModelFacts) -> String {
    let sum = |f: fn(&LayerFacts) -> u64| model.layers.iter().map(f).fold(0, u64::saturating_add);
    let (parameters, macs) = (sum(|l| l.parameters), sum(|l| l.macs));
    let bar = |n: u64, all: u64, class| Cell::Bar(count(n), n as f64 / all.max(1) as f64, class);
    let row = |(index, l): (usize, &LayerFacts)| -> Row {
        let name = if l.name.is_empty() { l.operation.clone() } else { format!("{} ({})", l.operation, l.name) };
        let update = if l.update.is_empty() { "-" } else { &l.update };
        vec![
            Cell::Number(index.to_string()),
            Cell::Text(name),
            Cell::Text(l.output.clone()),
            bar(l.parameters, parameters, "c1"),
            bar(l.macs, macs, "c2"),
            Cell::Text(update.into()),
        ]
    };
    let mut rows: Vec<Row> = model.layers.iter().enumerate().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let (none, text) = (String::new, |text: &str| Cell::Text(text.into()));
    rows.push(vec![
        Cell::Number(none()),
        text("together"),
        text(""),
        Cell::Number(count(parameters)),
        Cell::Number(count(macs)),
        text(""),
    ]);
    table(&["", "layer", "output", "parameters", "MACs", "update"], &rows, 1)
}

/// Whether it fits, in a sentence; empty for an unknown model.
pub(super) fn fits(model: &ModelFacts) -> String {
    let usages = [ram(model), flash(model)];
    let mut out: Vec<String> = Vec::new();
    let place = if model.board.is_empty() { String::new() } else { format!(" of {}", model.board) };
    for usage in usages.iter().filter(|usage| usage.total() > 0) {
        let Some(budget) = usage.budget else { continue };
        let verb = if usage.total() <= budget { "fits" } else { "does not fit" };
        out.push(format!("{verb} the {}{place} ({})", usage.name.replace('F', "f"), usage.share()));
    }
    let plan = if model.training { "Planned for learning" } else { "Planned for prediction alone" };
    match (usages.iter().all(|usage| usage.total() == 0), out.is_empty()) {
        (true, _) => String::new(),
        (_, true) => format!("{plan}; no budget was given."),
        (_, false) => format!("{plan}; {}.", out.join("; ")),
    }
}

/// RAM, flash and work.
pub(super) fn memory(model: &ModelFacts) -> String {
    let mut work: Vec<Row> = Vec::new();
    let steps = [("a prediction", model.macs_predict), ("a training step", model.macs_step)];
    for (name, macs) in steps.into_iter().filter(|(_, macs)| *macs > 0) {
        work.push(vec![Cell::Text(name.into()), Cell::Number(grouped(macs))]);
    }
    let flash = flash(model).html() + &part("Work", &table(&["multiply-accumulates", "count"], &work, 0));
    let both = [ram(model).html(), flash];
    columns(&both)
}
