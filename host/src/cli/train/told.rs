//! What is told when a training ends, one way or another.

use std::io::Write;
use std::path::Path;

use super::checked::Checked;
use super::tested::{Tested, judged_by};
use super::written::Written;
use crate::cli::CliError;
use crate::cli::line::Line;
use crate::spec::Spec;
use crate::train::{TrainError, decimals};

/// Between what was saved and the line that goes on with it.
pub(in crate::cli) const GO_ON: &str = "; go on with: ";

/// An interrupted run's error with the line that goes on with it.
pub(super) fn resumable(error: CliError, line: &Line) -> CliError {
    match error {
        CliError::Train(error @ TrainError::Interrupted { .. }) => {
            let saved = matches!(error, TrainError::Interrupted { checkpoint: Some(_), .. });
            let how = if saved { format!("{GO_ON}{}", line.resuming()) } else { String::new() };
            CliError::Interrupted(format!("{error}{how}"))
        }
        other => other,
    }
}

/// An error of a sample with the file that it is in, where that is known: a training sees samples, not files.
pub(in crate::cli) fn in_file(error: TrainError, spec: &Spec, part: &str) -> CliError {
    match (error, spec.table_of(part)) {
        (TrainError::Sample { set, sample, largest, checkpoint }, Some(path)) => {
            let path = path.display();
            let set = if set == THE_SET { path.to_string() } else { format!("{set}: {path}") };
            TrainError::Sample { set, sample, largest, checkpoint }.into()
        }
        (error, _) => error.into(),
    }
}

/// What judging calls its samples, whichever part they are.
const THE_SET: &str = "the set";

/// The error of a model that is trained and written, and then can't be judged: nothing of it is lost.
pub(super) fn untested(error: &CliError, checked: &Checked, written: &Written<'_>, model: &Path) -> CliError {
    let part = judged_by(&checked.raw).0;
    let words = [model, written.weights()].map(|path| path.display().to_string());
    let option = if part == "training" { "train" } else { part };
    let line = Line::new(&["emberlite", "evaluate", "--model", &words[0], "--weights", &words[1], "--part", option]);
    CliError::Message(format!(
        "the {part} part can't be judged: {error}; the trained model is saved as {}; when the data are mended, judge it with: {line}",
        checked.places.file.display()
    ))
}

/// The error of a run whose training is done and one of whose files can't be written: which are there, and the line that
/// makes the others from the checkpoint, without training again.
pub(super) fn unwritten(error: CliError, checked: &Checked, written: Option<&Written<'_>>, line: &Line) -> CliError {
    let CliError::File(error) = error else { return error };
    let kept = match written {
        Some(written) => {
            let files = written.files();
            let files: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
            format!("the trained model is saved as {}, without its report", files.join(" and "))
        }
        None => format!("the training is done and kept in {}", checked.checkpoint.path().display()),
    };
    let what = if written.is_some() { "the report" } else { "the files" };
    CliError::Message(format!(
        "{error}; {kept}; when that is mended (space left, permissions), make {what} with: {}",
        line.resuming()
    ))
}

/// What was written, and what the model is worth.
pub(super) fn result(
    checked: &Checked,
    written: &Written<'_>,
    tested: &Tested<'_>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let Checked { spec, costs, places, .. } = checked;
    for (path, bytes) in written.files() {
        writeln!(out, "wrote {}: {} bytes", path.display(), bytes.len())?;
    }
    writeln!(out, "wrote {}", places.folder.join("report.html").display())?;
    let share = |accuracy: Option<f64>| accuracy.map_or(String::new(), |a| format!("accuracy {:.2} %, ", a * 100.0));
    writeln!(out, "{} part, {} samples", tested.part, tested.samples)?;
    let [host, device] = tested.loss_names().map(|name| match name {
        "" => String::new(),
        name => format!(" ({name})"),
    });
    writeln!(out, "  host, f32       {}loss {}{host}", share(tested.host_accuracy), decimals(tested.host_loss, 4))?;
    let format = spec.model.format.name();
    match (&costs.host_only, tested.device_loss) {
        (None, Some(loss)) => {
            let few = match tested.device_samples {
                few if few < tested.samples => format!(", on {few} of the samples"),
                _ => String::new(),
            };
            let loss = decimals(loss, 4);
            writeln!(out, "  device, {format:<7} {}loss {loss}{device}{few}", share(tested.device_accuracy))?;
        }
        (reason, _) => writeln!(out, "  no device runs it: {}", reason.as_deref().unwrap_or_default())?,
    }
    Ok(())
}
