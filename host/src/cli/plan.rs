//! `emberlite plan`.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::CliError;
use crate::spec::{Board, Budget, Costs, Spec, SpecError};

/// Shows what a model needs on the device, before anything is trained.
///
/// Exit status 1 if the model doesn't fit the budget in [device].
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// A folder of board files instead of the built-in ones
    #[arg(long)]
    boards: Option<PathBuf>,
    /// Plan for prediction alone
    #[arg(long)]
    predict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The boards that the firmware knows; links to its files, whose content is packed with this package.
const BOARDS: [(&str, &str); 7] = [
    ("m0", include_str!("../../embedded/boards/m0.toml")),
    ("m3", include_str!("../../embedded/boards/m3.toml")),
    ("m4f", include_str!("../../embedded/boards/m4f.toml")),
    ("m4f-large", include_str!("../../embedded/boards/m4f-large.toml")),
    ("m7", include_str!("../../embedded/boards/m7.toml")),
    ("rv32imac", include_str!("../../embedded/boards/rv32imac.toml")),
    ("rv32imafc", include_str!("../../embedded/boards/rv32imafc.toml")),
];

/// A board and whether the model fits it; RAM is arena and stack, flash the model's file, without the program.
#[derive(Debug, Serialize)]
struct Fit {
    board: String,
    part: String,
    ram: u32,
    flash: u32,
    ram_needed: u64,
    flash_needed: u64,
    fits: bool,
}

#[derive(Debug, Serialize)]
struct Output<'a> {
    name: &'a str,
    #[serde(flatten)]
    costs: &'a Costs,
    budget: Budget,
    fits: bool,
    boards: Vec<Fit>,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let spec = Spec::read(&arguments.model)?;
    let boards = boards(arguments.boards.as_deref())?;
    let costs = spec.costs(if arguments.predict { None } else { Some(&spec.device.training) })?;
    let fits: Vec<Fit> = match costs.host_only {
        None => boards.iter().map(|board| fit(board, &costs)).collect(),
        Some(_) => Vec::new(),
    };
    let budget = spec.budget(&boards)?;
    let verdict = spec.check_budget(&costs, &budget);
    let text = if arguments.json {
        let output = Output { name: &spec.name, costs: &costs, budget, fits: verdict.is_ok(), boards: fits };
        let json = serde_json::to_string_pretty(&output);
        json.map_err(|error| CliError::Message(format!("can't write the plan as JSON: {error}")))? + "\n"
    } else {
        table(&spec, &costs, &budget, &fits)
    };
    out.write_all(text.as_bytes())?;
    Ok(verdict?)
}

/// The built-in boards, or those of a folder.
pub(super) fn boards(folder: Option<&Path>) -> Result<Vec<Board>, CliError> {
    let Some(folder) = folder else {
        let built_in = BOARDS.iter().map(|(name, text)| Board::parse(&format!("{name}.toml"), text, name));
        return Ok(built_in.collect::<Result<_, SpecError>>()?);
    };
    let failed = |error: std::io::Error| CliError::Message(format!("{}: {error}; give a folder", folder.display()));
    let mut boards = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| CliError::Message(format!("{}: {error}", path.display())))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            boards.push(Board::parse(&path.display().to_string(), &text, &name)?);
        }
    }
    boards.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(boards)
}

fn fit(board: &Board, costs: &Costs) -> Fit {
    let (ram_needed, flash_needed) = (costs.arena_bytes + u64::from(board.stack), costs.file_bytes);
    Fit {
        board: board.name.clone(),
        part: board.part.clone(),
        ram: board.ram,
        flash: board.flash,
        ram_needed,
        flash_needed,
        fits: ram_needed <= u64::from(board.ram) && flash_needed <= u64::from(board.flash),
    }
}

fn table(spec: &Spec, costs: &Costs, budget: &Budget, fits: &[Fit]) -> String {
    let mut out = String::new();
    // Writing to a text has no errors.
    let _ = fill(spec, costs, budget, fits, &mut out);
    out
}

fn fill(spec: &Spec, costs: &Costs, budget: &Budget, fits: &[Fit], out: &mut String) -> std::fmt::Result {
    let purpose = match (&costs.host_only, costs.training) {
        (Some(_), _) => "the host alone",
        (None, true) => "learning on the device",
        (None, false) => "prediction alone",
    };
    writeln!(out, "{}: input {}, {}, planned for {purpose}\n", spec.name, spec.model.input, costs.format)?;
    let header = ["layer", "operation", "output", "parameters", "MACs", "activation", "saved", "update"];
    let rows = costs.layers.iter().enumerate().map(|(index, layer)| {
        let name = if layer.name.is_empty() { index.to_string() } else { format!("{index} {}", layer.name) };
        let bytes = |bytes: u64| if bytes == 0 { "-".to_string() } else { bytes.to_string() };
        [
            name,
            layer.operation.into(),
            layer.output.clone(),
            bytes(layer.parameters),
            bytes(layer.macs),
            if layer.in_place { "in place".into() } else { bytes(layer.activation_bytes) },
            bytes(layer.saved_bytes),
            layer.update.into(),
        ]
    });
    let rows: Vec<[String; 8]> = [header.map(String::from)].into_iter().chain(rows).collect();
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let mut line = String::new();
        for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Numbers to the right, words to the left.
            let number = (3..7).contains(&place);
            let gap = width.saturating_sub(cell.chars().count());
            let (before, after) = if number { (gap, 0) } else { (0, gap) };
            let _ = write!(line, "{}{cell}{}  ", " ".repeat(before), " ".repeat(after));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    let total = |out: &mut String, what: &str, amount: u64, unit: &str| writeln!(out, "{what:<34}{amount:>12} {unit}");
    let learned = format!("parameters ({} learn)", costs.trainable);
    total(out, &learned, costs.parameters, "")?;
    if let Some(reason) = &costs.host_only {
        total(out, "MACs of a prediction", costs.macs_predict, "")?;
        return writeln!(out, "\nno device runs it: {reason}");
    }
    total(out, "RAM: parameters that learn", costs.parameter_bytes, "bytes")?;
    total(out, "     optimizer state", costs.state_bytes, "bytes")?;
    total(out, "     gradients of a mini-batch", costs.gradient_bytes, "bytes")?;
    total(out, "     activations, errors, scratch", costs.working_bytes, "bytes")?;
    total(out, "     arena, the whole", costs.arena_bytes, "bytes")?;
    total(out, "flash: parameters", costs.flash_bytes, "bytes")?;
    total(out, "       sealed file", costs.file_bytes, "bytes")?;
    total(out, "MACs of a prediction", costs.macs_predict, "")?;
    if costs.training {
        total(out, "MACs of a training step", costs.macs_step, "")?;
    }
    total(out, "bytes moved by a prediction", costs.bytes_moved, "bytes")?;
    let mut of_budget = |what: &str, needed: u64, budget: Option<u32>| match budget {
        None => Ok(()),
        Some(budget) => {
            let verdict = if needed <= u64::from(budget) { "fits" } else { "does not fit" };
            let share = needed as f64 * 100.0 / f64::from(budget);
            writeln!(out, "{what:<34}{budget:>12} bytes: {verdict}, {share:.0} % used")
        }
    };
    of_budget("budget: RAM for the arena", costs.arena_bytes, budget.ram)?;
    of_budget("        flash for the file", costs.file_bytes, budget.flash)?;
    writeln!(out, "\nboards, with their stack and without the program's own memory:")?;
    for fit in fits {
        let verdict = if fit.fits { "fits" } else { "does not fit" };
        writeln!(
            out,
            "  {:<10} {:<14} RAM {:>8} of {:>8}, flash {:>8} of {:>8}  {verdict}",
            fit.board, fit.part, fit.ram_needed, fit.ram, fit.flash_needed, fit.flash
        )?;
    }
    Ok(())
}
