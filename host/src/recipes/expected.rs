//! `recipe.toml`: what a recipe is called, what it needs and which figures it must reach.

use super::RecipeError;
use serde::Deserialize;
use std::collections::BTreeMap;

const BOUNDS: &str = "`at_least`, `at_most`, `value` with `within`, `shown = true`, or the name of a `reference` that is there with `within` or `margin`";

/// The figures of recipes that compare searches.
pub(super) const SEARCH_FIGURES: [&str; 7] = [
    "tpe_gain",
    "random_best",
    "tpe_best",
    "trials_until_random",
    "grid_best",
    "cross_validated",
    "cross_validated_deviation",
];

/// The keys of `recipe.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Its place in the list; recipes of one number belong together.
    pub number: u32,
    /// What it is, in a few words.
    pub title: String,
    /// The set that `fetch.py` gets, where the packed tables aren't enough.
    pub fetch: Option<String>,
    /// About how many minutes of two cores it takes; 0: seconds.
    #[serde(default)]
    pub minutes: u32,
    /// Whether a GPU is needed to have it done in a day.
    #[serde(default)]
    pub gpu: bool,
    /// What was tried where a figure isn't reached, or what must be known to read it.
    #[serde(default)]
    pub note: String,
    /// The figures.
    pub expect: Vec<Expectation>,
    /// Searches of the description in place of one training.
    pub searches: Option<Searches>,
    /// Something shorter with figures of its own, for `--quick`; without it the whole one is short enough.
    pub quick: Option<Quick>,
    /// What another implementation got on the same rows; written by its script, referred to by name.
    #[serde(default)]
    pub reference: BTreeMap<String, Vec<f64>>,
}

/// Searches of a description with `[search]`: each method with as many trials, random search and TPE with several seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searches {
    /// Seeds of the searches: 0, 1, …
    pub seeds: u32,
    /// Trials of random search; TPE has as many, to see when it gets there.
    pub random: u32,
    /// Trials of TPE that are judged.
    pub tpe: u32,
    /// The most trials of the grid.
    pub grid: u32,
}

/// A shorter training, or fewer searches.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Passes over the training part instead of the description's, for a training.
    pub epochs: Option<u32>,
    /// In place of the recipe's, where it compares searches.
    pub searches: Option<Searches>,
    /// The figures.
    pub expect: Vec<Expectation>,
}

/// One figure and its bound.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// A metric's name (`accuracy`, `precision`, `recall`, `f1`, `mse`, …; see [`Metric`](crate::metrics::Metric)), computed on the test part, or on
    /// the training part where there is no other; `prediction`: the first output for `input`; `coefficients`: the weights of
    /// the first layer, row by row, then its biases, of which the largest difference counts.
    ///
    /// Of searches: `random_best` and `tpe_best`, the mean over seeds of the best score, `tpe_gain`, by how much the second is
    /// better, `trials_until_random`, the mean number of TPE's trials until random search's best (one more than there are
    /// where it never comes), `grid_best`, and `cross_validated` with its `cross_validated_deviation`, the score of TPE's best
    /// description over five folds, or those of `[data]`.
    pub figure: String,
    /// A raw sample, for `prediction`.
    #[serde(default)]
    pub input: Vec<f32>,
    /// The least that will do.
    pub at_least: Option<f64>,
    /// The most that will do.
    pub at_most: Option<f64>,
    /// What it should be; needs `within`.
    pub value: Option<f64>,
    /// The name in `[reference]` of what it should be; needs `within`, or `margin`.
    pub reference: Option<String>,
    /// How far from `value` or `reference` it may be.
    pub within: Option<f64>,
    /// How far below `reference` it may be; above is as good.
    pub margin: Option<f64>,
    /// Any number will do: the figure is there to be read beside the others.
    #[serde(default)]
    pub shown: bool,
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// As far from the first as the second.
    Near(f64, f64),
    /// Any number.
    Shown,
}

impl Bound {
    /// Whether a figure will do; what isn't a number never does.
    pub fn holds(self, got: f64) -> bool {
        match self {
            Bound::AtLeast(least) => got >= least,
            Bound::AtMost(most) => got <= most,
            Bound::Near(value, within) => (got - value).abs() <= within,
            Bound::Shown => !got.is_nan(),
        }
    }
}

impl Expectation {
    /// The bound, where `reference` are the values of that name; `None` where the keys name none, or more than one.
    pub fn bound(&self, references: &BTreeMap<String, Vec<f64>>) -> Option<Bound> {
        let reference = match &self.reference {
            Some(name) => Some(references.get(name)?.as_slice()),
            None => None,
        };
        match (self.at_least, self.at_most, self.value, reference, self.within, self.margin) {
            (None, None, None, None, None, None) => self.shown.then_some(Bound::Shown),
            _ if self.shown => None,
            (Some(least), None, None, None, None, None) => Some(Bound::AtLeast(least)),
            (None, Some(most), None, None, None, None) => Some(Bound::AtMost(most)),
            (None, None, Some(value), None, Some(within), None) => Some(Bound::Near(value, within)),
            // Of a list it is the largest difference that is compared.
            (None, None, None, Some(_), Some(within), None) if self.is_list() => Some(Bound::AtMost(within)),
            (None, None, None, Some(&[value]), Some(within), None) => Some(Bound::Near(value, within)),
            (None, None, None, Some(&[value]), None, Some(margin)) => Some(Bound::AtLeast(value - margin)),
            _ => None,
        }
    }

    /// Whether the figure is many numbers.
    pub(super) fn is_list(&self) -> bool {
        self.figure == "coefficients"
    }

    /// The figure's name with what tells it from others of that name.
    pub fn name(&self) -> String {
        match self.figure.as_str() {
            "prediction" => format!("prediction for {}", join(&self.input)),
            "coefficients" => "coefficients, largest difference".into(),
            name => name.replace('_', " "),
        }
    }
}

fn join(numbers: &[f32]) -> String {
    numbers.iter().map(f32::to_string).collect::<Vec<_>>().join(", ")
}

impl Expected {
    /// Reads a `recipe.toml`.
    ///
    /// # Errors
    /// [`RecipeError::Text`] with the line of an unknown key, of a missing one or of a value of the wrong kind.
    ///
    /// ```
    /// use emberlite_host::recipes::{Bound, Expected};
    ///
    /// let text = "number = 1\ntitle = \"A line\"\n[[expect]]\nfigure = \"accuracy\"\nat_least = 0.9\n";
    /// let expected = Expected::parse("recipe.toml", text)?;
    /// assert_eq!(expected.expect[0].bound(&expected.reference), Some(Bound::AtLeast(0.9)));
    ///
    /// let error = Expected::parse("recipe.toml", &text.replace("at_least", "atleast")).unwrap_err();
    /// assert!(error.to_string().starts_with("recipe.toml: line 5: unknown field `atleast`"));
    /// # Ok::<(), emberlite_host::recipes::RecipeError>(())
    /// ```
    pub fn parse(file: &str, text: &str) -> Result<Expected, RecipeError> {
        let wrong = |message: String| RecipeError::Text { file: file.into(), message };
        let expected: Expected = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            wrong(format!("line {}: {}", before.matches('\n').count() + 1, error.message()))
        })?;
        let quick = expected.quick.iter().flat_map(|quick| &quick.expect);
        let searches = expected.searches.is_some();
        if let Some(quick) = &expected.quick
            && (quick.epochs.is_some(), quick.searches.is_some()) != (!searches, searches)
        {
            let kind = if searches { "`searches`, as the recipe has" } else { "`epochs`, as there are no `searches`" };
            return Err(wrong(format!("`quick` needs {kind}")));
        }
        for searches in expected.searches.iter().chain(expected.quick.iter().filter_map(|q| q.searches.as_ref())) {
            if searches.seeds == 0 || searches.tpe == 0 || searches.grid == 0 || searches.tpe > searches.random {
                let needs = "at least 1 of each, and no more trials of `tpe` than of `random`";
                return Err(wrong(format!("`searches` needs {needs}")));
            }
        }
        for expectation in expected.expect.iter().chain(quick) {
            if searches && !SEARCH_FIGURES.contains(&expectation.figure.as_str()) {
                let possible = SEARCH_FIGURES.join(", ");
                return Err(wrong(format!(
                    "`{}` is no figure of searches; possible are {possible}",
                    expectation.figure
                )));
            }
            if expectation.bound(&expected.reference).is_none() {
                return Err(wrong(format!("`{}` needs one bound: {BOUNDS}", expectation.figure)));
            }
        }
        if expected.expect.is_empty() {
            return Err(wrong("`expect` is empty; a recipe that expects nothing can't fail".into()));
        }
        Ok(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_one_of_four_and_never_holds_for_what_is_no_number() {
        assert!(Bound::AtLeast(0.5).holds(0.5) && !Bound::AtLeast(0.5).holds(0.49));
        assert!(Bound::AtMost(0.5).holds(0.5) && !Bound::AtMost(0.5).holds(0.51));
        assert!(Bound::Near(1.0, 0.25).holds(0.75) && !Bound::Near(1.0, 0.25).holds(1.26));
        assert!(Bound::Shown.holds(-1e9));
        for bound in [Bound::AtLeast(0.0), Bound::AtMost(0.0), Bound::Near(0.0, 1.0), Bound::Shown] {
            assert!(!bound.holds(f64::NAN));
        }
    }

    #[test]
    fn a_figure_without_a_bound_or_with_two_is_refused() {
        let head = "number = 1\ntitle = \"x\"\n[[expect]]\nfigure = \"accuracy\"\n";
        let absent = "reference = \"accuracy\"\nmargin = 0.1\n";
        for keys in [
            "",
            "shown = false\n",
            "shown = true\nat_least = 0.1\n",
            "value = 1.0\n",
            "within = 1.0\n",
            "at_least = 0.1\nat_most = 0.2\n",
            absent,
        ] {
            let error = Expected::parse("recipe.toml", &format!("{head}{keys}")).unwrap_err().to_string();
            assert_eq!(error, format!("recipe.toml: `accuracy` needs one bound: {BOUNDS}"));
        }
        let there = format!("{head}{absent}[reference]\naccuracy = [0.75]\n");
        let expected = Expected::parse("recipe.toml", &there).unwrap();
        assert_eq!(expected.expect[0].bound(&expected.reference), Some(Bound::AtLeast(0.65)));
        // A shorter training's figures need bounds as well.
        let quick = format!("{head}at_least = 0.1\n[quick]\nepochs = 1\n[[quick.expect]]\nfigure = \"f1\"\n");
        let error = Expected::parse("recipe.toml", &quick).unwrap_err().to_string();
        assert_eq!(error, format!("recipe.toml: `f1` needs one bound: {BOUNDS}"));
        let none = Expected::parse("recipe.toml", "number = 1\ntitle = \"x\"\nexpect = []\n").unwrap_err();
        assert!(none.to_string().contains("`expect` is empty"));
    }

    #[test]
    fn what_is_misspelt_is_told_with_its_line() {
        for (text, line) in [("nunber = 1\n", 1), ("number = 1\ntitle = \"x\"\n\nnots = \"y\"\n", 4)] {
            let error = Expected::parse("a/recipe.toml", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("a/recipe.toml: line {line}: unknown field `n")), "{error}");
        }
    }

    #[test]
    fn figures_have_names_that_tell_them_apart() {
        let name = |keys: &str| {
            let text = format!("number = 1\ntitle = \"x\"\n[[expect]]\nshown = true\n{keys}\n");
            Expected::parse("recipe.toml", &text).unwrap().expect[0].name()
        };
        assert_eq!(name("figure = \"prediction\"\ninput = [5, 0.25, -1]"), "prediction for 5, 0.25, -1");
        assert_eq!(name("figure = \"coefficients\""), "coefficients, largest difference");
        assert_eq!(name("figure = \"top_3_accuracy\""), "top 3 accuracy");
    }

    #[test]
    fn searches_have_figures_and_a_quick_of_their_own() {
        let keys = "seeds = 5\nrandom = 50\ntpe = 25\ngrid = 99\n";
        let text = |keys: &str, figure: &str, quick: &str| {
            let expect = format!("[[expect]]\nfigure = \"{figure}\"\nat_least = 0\n");
            Expected::parse("recipe.toml", &format!("number = 9\ntitle = \"x\"\n[searches]\n{keys}{expect}{quick}"))
                .map_err(|error| error.to_string())
        };
        let searches = text(keys, "tpe_gain", "").unwrap().searches.unwrap();
        assert_eq!(searches, Searches { seeds: 5, random: 50, tpe: 25, grid: 99 });
        let error = text(keys, "accuracy", "").unwrap_err();
        assert!(
            error.starts_with("recipe.toml: `accuracy` is no figure of searches; possible are tpe_gain, "),
            "{error}"
        );
        let few = text(&keys.replace("50", "24"), "tpe_gain", "").unwrap_err();
        let needs = "recipe.toml: `searches` needs at least 1 of each, and no more trials of `tpe` than of `random`";
        assert_eq!(few, needs);
        for (some, none) in [("seeds = 5", "seeds = 0"), ("tpe = 25", "tpe = 0"), ("grid = 99", "grid = 0")] {
            assert_eq!(text(&keys.replace(some, none), "tpe_gain", "").unwrap_err(), needs, "{none}");
        }
        let quick = "[quick]\nepochs = 1\n[[quick.expect]]\nfigure = \"tpe_best\"\nshown = true\n";
        assert_eq!(
            text(keys, "tpe_gain", quick).unwrap_err(),
            "recipe.toml: `quick` needs `searches`, as the recipe has"
        );
        let inline = "searches = { seeds = 1, random = 2, tpe = 1, grid = 1 }";
        assert!(text(keys, "tpe_gain", &quick.replace("epochs = 1", inline)).is_ok());
        let training = format!("number = 1\ntitle = \"x\"\n[[expect]]\nfigure = \"mse\"\nat_most = 1\n{quick}");
        let error = Expected::parse("recipe.toml", &training.replace("epochs = 1", inline)).unwrap_err().to_string();
        assert_eq!(error, "recipe.toml: `quick` needs `epochs`, as there are no `searches`");
    }
}
