//! A whole search: from a description to its trials and the best description.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::description::Description;
use super::document;
use super::error::SearchError;
use super::judge::Judge;
use super::objective::Training;
use crate::data::random::hash_text;
use crate::study::{Identity, Log, Method, Study, StudyError, Trial, ranking};

/// What a search takes beside its description.
pub struct Options<'a> {
    /// The file in which trials are kept; none: they are in memory only.
    pub trials: Option<&'a Path>,
    /// Go on from the trials in the file; without the file it is [`LogError::Nothing`](crate::study::LogError::Nothing).
    pub resume: bool,
    /// Replace the trials in the file; otherwise a new search there is
    /// [`LogError::Exists`](crate::study::LogError::Exists).
    pub fresh: bool,
    /// When this becomes true, the search ends; trials at work aren't kept and run again when it goes on.
    pub stop: &'a AtomicBool,
    /// Told of each trial as it ends.
    pub told: &'a mut (dyn FnMut(&Trial) + Send),
}

/// What a search gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Searched {
    /// All trials in the order of numbers, those before a resumption included.
    pub trials: Vec<Trial>,
    /// The figure that they were judged by.
    pub judge: Judge,
}

impl Searched {
    /// The best complete trial.
    pub fn best(&self) -> Option<&Trial> {
        ranking(&self.trials, self.judge.direction()).first().copied()
    }
}

impl Training<'_> {
    /// Searches; see the module.
    ///
    /// # Errors
    /// [`SearchError`]; trials that were kept stay.
    pub fn search(&self, options: Options<'_>) -> Result<Searched, SearchError> {
        let (description, judge) = (self.description(), self.judge());
        let study = description.study(judge);
        let (mut log, before) = match options.trials {
            None => (None, Vec::new()),
            Some(path) => {
                let mut identity = description.identity(&study, judge);
                self.add_identity(&mut identity);
                if options.fresh && !options.resume {
                    Log::remove(path)?;
                }
                let (log, before) = Log::open(path, &identity, study.space, options.resume)?;
                (Some(log), before)
            }
        };
        let told = options.told;
        let mut keep = |trial: &Trial| -> Result<(), StudyError> {
            if let Some(log) = &mut log {
                log.append(trial)?;
            }
            told(trial);
            Ok(())
        };
        let trials = study.run(before, self, &mut keep, options.stop)?;
        Ok(Searched { trials, judge })
    }
}

impl Description {
    /// The search's settings as a study of its space.
    pub fn study(&self, judge: Judge) -> Study<'_> {
        let search = &self.search;
        Study {
            space: &search.space,
            method: search.method,
            direction: judge.direction(),
            trials: search.trials,
            seed: search.seed,
            parallel: search.parallel,
            pruning: search.pruning,
        }
    }

    /// An error of a grid at the line of its parameter.
    pub(super) fn check_grid(&self, study: &Study<'_>) -> Result<(), SearchError> {
        study.grid().map(|_| ()).map_err(|error| {
            let lines = &self.search.lines;
            let line = match &error {
                StudyError::NoGrid { parameter, .. } => lines.parameters.get(*parameter),
                _ => None,
            };
            self.spec.error(line.copied().unwrap_or(lines.section), error.to_string()).into()
        })
    }

    /// What must be equal for a search to go on: all of the description that decides which candidates come and what they
    /// score, `trials` excepted, so that a search can be made longer.
    fn identity(&self, study: &Study<'_>, judge: Judge) -> Identity {
        let search = &self.search;
        let described = |what: &dyn std::fmt::Debug| format!("{:016x}", hash_text(0, &format!("{what:?}")));
        let mut identity = Identity::default();
        let mut set = |name: &str, value: String| drop(identity.settings.insert(name.into(), value));
        set("metric", judge.to_string());
        set("direction", format!("{:?}", study.direction).to_lowercase());
        set("method", format!("{:?}", study.method).to_lowercase());
        set("pruning", study.pruning.map_or("none".into(), |pruning| format!("{pruning:?}")));
        set("folds", search.folds.as_ref().map_or("none".into(), |folds| format!("{folds:?}")));
        set("budget", format!("{:?}", search.budget));
        set("space", described(&search.space));
        set("description", described(&self.content()));
        if study.method != Method::Grid {
            set("seed", study.seed.to_string());
        }
        if study.uses_history() {
            set("parallel", study.parallel.to_string());
        }
        let parameters = search.space.parameters.iter();
        let space = parameters.map(|p| (format!("search.space.{}", p.path), search.space.words(p))).collect();
        let mut described = BTreeMap::new();
        flatten("", &toml::Value::Table(self.content()), &mut described);
        identity.details.extend([("space".into(), space), ("description".into(), described)]);
        // Their values above are Rust's; here they are as they were written.
        let table: toml::Table = toml::from_str(self.text()).unwrap_or_default();
        for name in ["pruning", "folds", "budget"] {
            let mut written = BTreeMap::new();
            if let Some(value) = table.get("search").and_then(|search| search.get(name)) {
                flatten(&format!("search.{name}"), value, &mut written);
            }
            identity.details.insert(name.into(), written);
        }
        identity
    }

    /// The description without its `[search]`, comments and layout.
    fn content(&self) -> toml::Table {
        let mut table: toml::Table = toml::from_str(self.text()).unwrap_or_default();
        table.remove("search");
        table
    }

    /// The description of a trial, with a first line that says whose it is.
    ///
    /// # Errors
    /// In one sentence, if the trial is of another space.
    pub fn text_of_trial(&self, trial: &Trial, judge: Judge) -> Result<String, String> {
        let values = self.search.space.values(&trial.point);
        let score = trial.score.map_or(String::new(), |score| format!(": {judge} {score}"));
        let folds = match trial.deviation() {
            Some(deviation) => format!(" ± {deviation:.3e} over {} folds", trial.scores.len()),
            None => String::new(),
        };
        let said: Vec<String> =
            values.iter().map(|(path, value)| format!("#   {path} = {}\n", document::literal(value))).collect();
        let text = self.text_of(&values)?;
        let which = trial.place.map_or(String::new(), |place| format!(" {place}"));
        Ok(format!("# Trial{which} of a search{score}{folds}.\n{}{text}", said.concat()))
    }
}

/// The values of a description by their paths, as `model.layers.0.outputs`; lists of plain values are one value.
fn flatten(path: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
    let deeper = |name: &str| if path.is_empty() { name.into() } else { format!("{path}.{name}") };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(name, value)| flatten(&deeper(name), value, into)),
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
            list.iter().enumerate().for_each(|(place, value)| flatten(&deeper(&place.to_string()), value, into));
        }
        value => drop(into.insert(path.into(), value.to_string())),
    }
}
