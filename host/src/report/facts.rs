//! What several reports say.

use serde::{Deserialize, Serialize};

/// Names with their values, in the order in which they are shown; in JSON `[["name", "value"], …]`.
pub type Pairs = Vec<(String, String)>;

/// A file that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileFacts {
    /// Its name or path.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its hash, with the hash's name: `sha256 …`.
    pub hash: String,
}

/// Which classes were taken for which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Confusion {
    /// The set and what computed, such as `test set, device arithmetic`.
    pub of: String,
    /// `[right class][predicted class]`, counts; empty where numbers are predicted. Short rows count as zeros.
    pub counts: Vec<Vec<u32>>,
    /// Names of the classes; those that are missing are numbered.
    pub classes: Vec<String>,
}
