//! Files of weights that a command can't take: what they are, and which command does.

use std::path::Path;

use emberlite::image::ImageError;

use super::CliError;
use crate::export::ImportError;
use crate::train;

/// The error of a file that isn't a sealed one, or a damaged one: of another kind it says what to do with it. `done` is what the
/// command does with a model's file, as in `judged`.
pub(super) fn not_sealed(path: &Path, bytes: &[u8], error: ImageError, done: &str) -> CliError {
    let shown = path.display();
    if train::is_checkpoint(bytes) {
        return CliError::Message(format!(
            "{shown}: a checkpoint, to go on with by `emberlite train --resume`; its run ends with a model.safetensors, which \
             can be {done}"
        ));
    }
    if is_state_dict(bytes) {
        return CliError::Message(format!(
            "{shown}: weights as PyTorch names them; `emberlite import` makes a model's file of them, which can be {done}"
        ));
    }
    CliError::Image { path: path.into(), error }
}

/// The error of a state dict that isn't the model's, in one line: names of tensors come from anywhere.
pub(super) fn not_imported(path: &Path, error: &ImportError) -> CliError {
    CliError::Message(format!("{}: {error}", path.display()).replace('\n', "\\n"))
}

/// Whether these are the bytes of a file of PyTorch, or safetensors that nobody has sealed.
fn is_state_dict(bytes: &[u8]) -> bool {
    // torch.save's archive, and the pickle of before: protocol 2, then a long number.
    let is_archive = bytes.starts_with(b"PK\x03\x04") && bytes.windows(8).any(|name| name == b"data.pkl");
    let is_pickle = bytes.starts_with(&[0x80, 2, 0x8a]);
    let plain = safetensors::SafeTensors::deserialize(bytes);
    let sealed = |name: &&str| matches!(*name, "~toc" | "~seal");
    is_archive || is_pickle || plain.is_ok_and(|file| !file.is_empty() && !file.names().iter().any(sealed))
}
