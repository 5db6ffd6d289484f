//! `emberlite new`.

use std::io::Write;
use std::path::PathBuf;

use super::line::Line;
use super::{CliError, harmless};
use crate::export;

/// Starts a project: a folder with a commented model.toml and its data, ready for `emberlite train`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder; made if it isn't there
    folder: PathBuf,
    /// What to start from
    #[arg(long, value_enum, default_value = "mlp")]
    template: Template,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Template {
    /// A small network on 8x8 digits, f32
    Mlp,
    /// Convolutions over windows of a wrist's motion, f32
    Conv1d,
    /// The digits in 16-bit fixed point, for a chip without floating point
    Fixed16,
}

/// A file's name and content.
type Content = (&'static str, &'static [u8]);

// Links to the repository's data, whose content is packed with this package.
const DIGITS: Content = ("digits.csv", include_bytes!("../../embedded/digits.csv"));
const WATCH: Content = ("watch.csv.gz", include_bytes!("../../embedded/watch.csv.gz"));
const NOTICE: Content = ("NOTICE", include_bytes!("../../embedded/NOTICE"));

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let (toml, data): (&str, Content) = match arguments.template {
        Template::Mlp => (include_str!("templates/mlp.toml"), DIGITS),
        Template::Conv1d => (include_str!("templates/conv1d.toml"), WATCH),
        Template::Fixed16 => (include_str!("templates/fixed16.toml"), DIGITS),
    };
    let on_the_way = || arguments.folder.ancestors().find(|folder| folder.exists());
    if let Some(file) = on_the_way().filter(|folder| !folder.is_dir()) {
        return Err(CliError::Message(format!("{}: is a file; name a folder", file.display())));
    }
    let files: [Content; 3] = [("model.toml", toml.as_bytes()), data, NOTICE];
    for (name, _) in files {
        let path = arguments.folder.join(name);
        if path.exists() {
            return Err(CliError::Message(format!("{}: is there already; choose another folder", path.display())));
        }
    }
    for (name, content) in files {
        export::write(&arguments.folder.join(name), content)?;
    }
    let folder = arguments.folder.display().to_string();
    let (shown, typed) = (harmless(&folder), harmless(&Line::new(&["cd", &folder]).to_string()));
    writeln!(out, "wrote {shown}/model.toml and its data; next:\n  {typed}\n  emberlite plan\n  emberlite train")?;
    Ok(())
}
