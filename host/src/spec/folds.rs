//! `folds`: how samples are divided for cross-validation, in `[data]` and `[search]`.
//!
//! ```toml
//! folds = 5      # stratified where there are classes
//! folds = { by = "group_k_fold", k = 5, columns = ["person"], repeats = 2, seed = 1 }
//! ```

use super::error::SpecError;
use super::section::Value;
use super::{LoadError, Spec};
use crate::data::{DataError, Dataset, Folds, FoldsBy, Label};

/// Reads `folds`; a number alone keeps the shares of classes where `label` has classes.
pub(super) fn folds(value: Value<'_>, label: &Label) -> Result<Folds, SpecError> {
    const EXPECTED: &str = "a number of folds, or a table such as { by = \"stratified_k_fold\", k = 5 }";
    let usual = usual(label);
    if value.is_integer() {
        return Ok(Folds::new(usual, value.whole(2, 10_000)? as usize));
    }
    let mut section = value.section(EXPECTED)?;
    let names = FoldsBy::ALL.map(|(name, _)| name);
    let by = match section.take("by") {
        None => usual,
        Some(value) => {
            let name = value.string(&format!("one of {}", names.join(", ")))?;
            let found = FoldsBy::ALL.into_iter().find(|(known, _)| *known == name);
            found.ok_or_else(|| value.unknown("way to make folds", name, &names))?.1
        }
    };
    let k = section.need("k", "the number of folds, for example k = 5")?.whole(2, 10_000)? as usize;
    let mut folds = Folds::new(by, k);
    if let Some(value) = section.take("repeats") {
        folds.repeats = value.whole(1, 1000)? as usize;
    }
    if let Some(value) = section.take("seed") {
        folds.seed = value.whole(0, u64::MAX)?;
    }
    let grouped = matches!(by, FoldsBy::GroupKFold | FoldsBy::StratifiedGroupKFold);
    match section.take("columns") {
        Some(value) if grouped => folds.columns = value.strings("a list of group columns")?,
        Some(value) => {
            return Err(
                value.error("only group_k_fold and stratified_group_k_fold have columns; name one in `by`".into())
            );
        }
        None if grouped => return Err(section.error("`columns` is missing; give a list of group columns".into())),
        None => {}
    }
    section.finish()?;
    Ok(folds)
}

impl Spec {
    /// An error of making folds at the line of the key that asks for them; as it is where no line of the description does.
    pub(super) fn folds_error(&self, rule: &Folds, set: &Dataset, error: DataError) -> LoadError {
        let of_data = self.data.as_ref().and_then(|data| data.folds.as_ref());
        let of_search = self.search.as_ref().and_then(|search| search.folds.as_ref());
        // Another number of repeats, or another seed, is no other mistake.
        let said = |folds: &&Folds| (folds.by, folds.k, &folds.columns) == (rule.by, rule.k, &rule.columns);
        let path = match (of_data.filter(said), of_search.filter(said)) {
            (Some(_), _) => "data.folds",
            (None, Some(_)) => "search.folds",
            (None, None) => return LoadError::Folds(error),
        };
        let unknown = rule.columns.iter().position(|name| !set.columns.iter().any(|column| column.name == *name));
        let own = unknown.map_or(format!("{path}.k"), |column| format!("{path}.columns[{column}]"));
        self.blame(if self.places.key(&own).is_some() { &own } else { path }, error).into()
    }

    /// How a plain number of folds is meant: with the same share of each class where there are classes.
    pub fn usual_folds(&self) -> FoldsBy {
        usual(self.data.as_ref().map_or(&Label::None, |data| data.files.label()))
    }
}

fn usual(label: &Label) -> FoldsBy {
    match label {
        Label::Class(_) => FoldsBy::StratifiedKFold,
        _ => FoldsBy::KFold,
    }
}
