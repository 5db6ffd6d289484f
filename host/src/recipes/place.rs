//! Recipes in a folder, where they can be trained, read and changed.

use super::RecipeError;
use super::packed::{FETCH, Recipe, TABLES, all};
use crate::export::{self, FileError};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where a recipe lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its folder, `DIR/NAME`.
    pub folder: PathBuf,
    /// The description, `DIR/NAME/model.toml`.
    pub model: PathBuf,
    /// What the whole trainings and searches write, `DIR/NAME/run`.
    pub run: PathBuf,
    /// What the quick ones write, `DIR/NAME/run-quick`: a whole run stays as it is.
    pub quick_run: PathBuf,
    /// The set that has to be fetched, `DIR/data/SET`, if one is needed.
    pub set: Option<PathBuf>,
}

impl Recipe {
    /// Where the recipe lies in a folder of recipes; nothing is written.
    pub fn at(&self, dir: &Path) -> Place {
        let folder = dir.join(self.name);
        Place {
            model: folder.join("model.toml"),
            run: folder.join("run"),
            quick_run: folder.join("run-quick"),
            set: self.expected.fetch.as_ref().map(|set| dir.join("data").join(set)),
            folder,
        }
    }

    /// Writes the recipe into a folder of recipes: `NAME/model.toml`, `NAME/recipe.toml`, `fetch.py`, and the tables that it
    /// reads into `data`. A file that is there already with the same content is left alone.
    ///
    /// # Errors
    /// [`RecipeError::Changed`] if a file there has another content, [`RecipeError::File`] if one can't be read or written.
    pub fn place(&self, dir: &Path) -> Result<Place, RecipeError> {
        let place = self.at(dir);
        put(&place.model, self.model.as_bytes())?;
        put(&place.folder.join("recipe.toml"), self.text.as_bytes())?;
        put(&dir.join("fetch.py"), FETCH.as_bytes())?;
        for (name, content) in TABLES {
            if self.model.contains(&format!("../data/{name}")) {
                put(&dir.join("data").join(name), content)?;
            }
        }
        Ok(place)
    }
}

/// Writes every recipe into a folder; see [`Recipe::place`].
///
/// # Errors
/// As [`Recipe::place`].
pub fn write_all(dir: &Path) -> Result<Vec<Place>, RecipeError> {
    all()?.iter().map(|recipe| recipe.place(dir)).collect()
}

/// Writes a file that isn't there; one that is must have this content.
fn put(path: &Path, content: &[u8]) -> Result<(), RecipeError> {
    match fs::read(path) {
        Ok(found) if found == content => Ok(()),
        Ok(_) => Err(RecipeError::Changed { path: path.into() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(export::write(path, content)?),
        Err(source) => Err(FileError { path: path.into(), doing: "can't read", source }.into()),
    }
}
