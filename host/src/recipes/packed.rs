//! The recipes that the program carries: their text and their small tables.

use super::{Expected, RecipeError};

/// A recipe.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Its folder's name.
    pub name: &'static str,
    /// `model.toml`.
    pub model: &'static str,
    /// `recipe.toml`, read.
    pub expected: Expected,
    /// `recipe.toml` as it is.
    pub(super) text: &'static str,
}

macro_rules! packed {
    ($($name:literal),* $(,)?) => {
        const RECIPES: &[[&str; 3]] = &[$([
            $name,
            include_str!(concat!("../../recipes/", $name, "/model.toml")),
            include_str!(concat!("../../recipes/", $name, "/recipe.toml")),
        ]),*];
    };
}

packed! {
    "linear",
    "logistic-toy",
    "logistic-cancer",
    "softmax-iris",
    "softmax-wine",
    "softmax-digits",
    "digits-conv",
    "mnist-conv",
    "mnist-cnn",
    "fashion-cnn",
    "cifar-cnn",
    "cifar-resnet18",
    "emoji",
    "penguins",
    "credit",
    "penguins-search",
    "credit-search",
}

/// Tables that recipes read as `../data/NAME`; in the repository links to `data/`, whose content is packed with this package.
pub(super) const TABLES: [(&str, &[u8]); 7] = [
    ("linear.csv", include_bytes!("../../recipes/data/linear.csv")),
    ("toy.csv", include_bytes!("../../recipes/data/toy.csv")),
    ("breast_cancer.csv", include_bytes!("../../recipes/data/breast_cancer.csv")),
    ("iris.csv", include_bytes!("../../recipes/data/iris.csv")),
    ("wine.csv", include_bytes!("../../recipes/data/wine.csv")),
    ("penguins.csv", include_bytes!("../../recipes/data/penguins.csv")),
    ("digits.csv", include_bytes!("../../recipes/data/digits.csv")),
];

/// The script that gets what is too large to be packed.
pub(super) const FETCH: &str = include_str!("../../recipes/fetch.py");

/// Every recipe, in the order of the list.
///
/// # Errors
/// [`RecipeError::Text`] if a packed text is wrong, which a test excludes.
pub fn all() -> Result<Vec<Recipe>, RecipeError> {
    let recipe = |&[name, model, text]: &[&'static str; 3]| {
        let expected = Expected::parse(&format!("{name}/recipe.toml"), text)?;
        Ok(Recipe { name, model, expected, text })
    };
    RECIPES.iter().map(recipe).collect()
}

/// The recipe of that name.
///
/// # Errors
/// [`RecipeError::Unknown`] with the name that is most like it.
pub fn find(name: &str) -> Result<Recipe, RecipeError> {
    let mut recipes = all()?;
    if let Some(place) = recipes.iter().position(|recipe| recipe.name == name) {
        return Ok(recipes.swap_remove(place));
    }
    let like = |recipe: &Recipe| strsim::jaro_winkler(recipe.name, name);
    let near = recipes.iter().max_by(|a, b| like(a).total_cmp(&like(b))).filter(|recipe| like(recipe) > 0.7);
    let hint = near.map_or(String::new(), |recipe| format!("; did you mean `{}`?", recipe.name));
    Err(RecipeError::Unknown { name: name.into(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use std::path::Path;

    #[test]
    fn every_folder_is_packed_and_every_text_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<String> = entries
            // A description alone is a model to start from, without a figure to reach.
            .filter(|path| path.join("recipe.toml").exists())
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        folders.sort();
        let mut names: Vec<&str> = all().unwrap().iter().map(|recipe| recipe.name).collect();
        names.sort_unstable();
        assert_eq!(names, folders);
    }

    #[test]
    fn every_model_can_be_planned_and_is_called_what_its_folder_is() {
        for recipe in all().unwrap() {
            let spec =
                Spec::parse(recipe.name, recipe.model, Path::new("recipes").join(recipe.name).as_path()).unwrap();
            assert_eq!(spec.name, recipe.name);
            spec.costs(None).unwrap();
        }
    }
}
