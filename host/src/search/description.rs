//! A description whose values vary: from a candidate's values to the text, the spec and the price of it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document;
use super::error::SearchError;
use super::judge::Judge;
use crate::spec::{Board, Budget, SearchSpec, Spec, SpecError};
use crate::study::{Method, Parameter, Price};

/// A `model.toml` with a `[search]` section, and what candidates of it cost.
#[derive(Clone, Debug)]
pub struct Description {
    file: String,
    text: String,
    base: PathBuf,
    /// The description as it is written.
    pub spec: Spec,
    /// Its `[search]`.
    pub search: SearchSpec,
    boards: Vec<Board>,
}

impl Description {
    /// Reads a file; `boards` are those that `[device] board` may name.
    ///
    /// # Errors
    /// [`SearchError::Spec`] with the line of the first mistake, also of a value of the space that the description can't
    /// have.
    pub fn read(path: &Path, boards: Vec<Board>) -> Result<Description, SearchError> {
        // Its errors say what to do where the file isn't there.
        let spec = Spec::read(path)?;
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| spec.error(0, error.to_string()))?;
        Self::of(file, text, path.parent().unwrap_or(Path::new("")).into(), spec, boards)
    }

    /// The same of a text; `file` is its name in errors, paths in it start from `base`.
    ///
    /// # Errors
    /// As [`Description::read`].
    pub fn parse(file: &str, text: &str, base: &Path, boards: Vec<Board>) -> Result<Description, SearchError> {
        let spec = Spec::parse(file, text, base)?;
        Self::of(file.into(), text.into(), base.into(), spec, boards)
    }

    fn of(
        file: String,
        text: String,
        base: PathBuf,
        spec: Spec,
        boards: Vec<Board>,
    ) -> Result<Description, SearchError> {
        let Some(search) = spec.search.clone() else {
            let message = "`[search]` is missing; give `[search.space]` with the values to search, for example \
                           \"training.optimizer.learning_rate\" = { log_uniform = [1e-4, 1e-1] }";
            return Err(spec.error(1, message.into()).into());
        };
        let mut description = Description { file, text, base, spec, search, boards };
        description.check()?;
        // A grid has an end of its own. One that can't be made is told of when it is needed.
        if let (Method::Grid, Ok(grid)) = (description.search.method, description.search.space.grid()) {
            let search = &mut description.search;
            search.trials = search.trials.min(u32::try_from(grid.len()).unwrap_or(u32::MAX));
        }
        Ok(description)
    }

    /// Each value of each parameter by itself, the others as they are written: what the description refuses then is a
    /// mistake of the space.
    fn check(&self) -> Result<(), SpecError> {
        for (index, parameter) in self.search.space.parameters.iter().enumerate() {
            let mut values = vec![];
            self.conditions(index, &mut values);
            for value in extremes(parameter) {
                values.push((parameter.path.as_str(), value.clone()));
                let spec = self.text_of(&values).and_then(|text| self.parsed(&text).map_err(|error| error.message));
                values.pop();
                if let Err(message) = spec {
                    let line = self.search.lines.parameters.get(index).copied().unwrap_or_default();
                    let value = document::literal(&value);
                    let message = format!("`search.space.\"{}\"`: with {value}: {message}", parameter.path);
                    return Err(self.spec.error(line, message));
                }
            }
        }
        Ok(())
    }

    /// Values with which a parameter's conditions hold, outermost first.
    fn conditions<'s>(&'s self, parameter: usize, values: &mut Vec<(&'s str, Value)>) {
        let space = &self.search.space;
        for condition in space.parameters.get(parameter).map_or(&[][..], |parameter| &parameter.when) {
            self.conditions(condition.parameter, values);
            if let (Some(other), Some(value)) = (space.parameters.get(condition.parameter), condition.values.first()) {
                values.push((&other.path, value.clone()));
            }
        }
    }

    /// The text as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The description's text with these values, everything else as it is written.
    ///
    /// # Errors
    /// In one sentence, which path has no place in it.
    pub fn text_of(&self, values: &[(&str, Value)]) -> Result<String, String> {
        let mut text = self.text.clone();
        for (path, value) in values {
            text = document::set(&text, path, value)?;
        }
        Ok(text)
    }

    /// The description with these values.
    ///
    /// # Errors
    /// In one sentence, what is wrong with it.
    pub fn spec_of(&self, values: &[(&str, Value)]) -> Result<Spec, String> {
        self.parsed(&self.text_of(values)?).map_err(|error| error.message)
    }

    fn parsed(&self, text: &str) -> Result<Spec, SpecError> {
        let mut spec = Spec::parse(&self.file, text, &self.base)?;
        // Where there is none it is the folder's, whatever the text.
        spec.name.clone_from(&self.spec.name);
        Ok(spec)
    }

    /// The figure that candidates are judged by.
    ///
    /// # Errors
    /// [`SpecError`] at the line of a name that is none.
    pub fn judge(&self) -> Result<Judge, SpecError> {
        let Some(name) = &self.search.metric else { return Ok(Judge::LOSS) };
        Judge::parse(name)
            .map_err(|message| self.spec.error(self.search.lines.metric, format!("`search.metric`: {message}")))
    }

    /// Whether the samples are the same for every candidate.
    pub fn same_data(&self) -> bool {
        let of_data = |path: &str| {
            ["data", "preprocessing", "augmentation"].iter().any(|section| path.split('.').next() == Some(section))
        };
        let shape = |path: &str| path.starts_with("model.input") || path.starts_with("model.format");
        !self.search.space.parameters.iter().any(|parameter| of_data(&parameter.path) || shape(&parameter.path))
    }

    /// What a candidate costs on the device, if it is within the budgets of `[device]` and `[search.budget]`.
    ///
    /// # Errors
    /// In one sentence, what it has too much of, or why it can't be planned.
    pub fn price(&self, spec: &Spec) -> Result<Price, String> {
        let costs = spec.costs(Some(&spec.device.training)).map_err(|error| error.message)?;
        let price = Price {
            parameters: costs.parameters,
            ram: costs.arena_bytes,
            flash: costs.file_bytes,
            macs: costs.macs_predict,
        };
        let device: Budget = spec.budget(&self.boards).map_err(|error| error.message)?;
        let limits = self.search.budget;
        // All figures of the device are 0 then, but its MACs are known.
        if let Some(reason) = &costs.host_only {
            let limits = [device.ram, device.flash, limits.ram, limits.flash];
            if limits.iter().any(Option::is_some) {
                return Err(format!("no device runs it: {reason}"));
            }
        }
        let of_device = |limit: Option<u32>| limit.map(|limit| (u64::from(limit), "[device]"));
        let of_search = |limit: Option<u64>| limit.map(|limit| (limit, "[search.budget]"));
        let [ram, flash] = [limits.ram, limits.flash].map(|limit| of_search(limit.map(u64::from)));
        for (what, unit, needed, limits) in [
            ("RAM", " bytes", price.ram, [ram, of_device(device.ram)]),
            ("flash", " bytes", price.flash, [flash, of_device(device.flash)]),
            ("MACs", "", price.macs, [of_search(limits.macs), None]),
        ] {
            let least = limits.into_iter().flatten().min_by_key(|(limit, _)| *limit);
            if let Some((limit, section)) = least.filter(|(limit, _)| needed > *limit) {
                return Err(format!("{what}: needs {needed}{unit}, the budget of {section} is {limit}"));
            }
        }
        Ok(price)
    }
}

/// Every choice, or the ends of a range.
fn extremes(parameter: &Parameter) -> Vec<Value> {
    use crate::study::Distribution;
    match &parameter.distribution {
        Distribution::Choice(values) => values.clone(),
        range => [0.0, 1.0 - f64::EPSILON].map(|share| range.value(range.at(share))).to_vec(),
    }
}
