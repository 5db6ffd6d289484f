//! `[search]`: what may vary, how candidates are chosen, and what they are judged by.
//!
//! What its keys mean stands in [`crate::search`].

use super::error::SpecError;
use super::folds;
use super::section::{Section, Value};
use crate::data::{Folds, Label};
use crate::study::{Condition, Distribution, MOST_PARALLEL, Method, Parameter, Pruning, Space, Startup, Tpe};

/// A search over values of the description that it stands in.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchSpec {
    /// How candidates are chosen.
    pub method: Method,
    /// Candidates to run.
    pub trials: u32,
    /// The seed of random and TPE.
    pub seed: u64,
    /// The figure that a candidate is judged by; none: the validation loss.
    pub metric: Option<String>,
    /// Trials at the same time.
    pub parallel: u32,
    /// When a trial is given up.
    pub pruning: Option<Pruning>,
    /// Folds over which the score is the mean; none: the validation part judges.
    pub folds: Option<Folds>,
    /// What a candidate may need on the device.
    pub budget: SearchBudget,
    /// What may vary.
    pub space: Space,
    pub(crate) lines: SearchLines,
}

/// What a candidate may need on the device, beside what `[device]` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchBudget {
    /// Bytes of RAM for the arena.
    pub ram: Option<u32>,
    /// Bytes of flash for the file.
    pub flash: Option<u32>,
    /// Multiply-accumulates of a prediction.
    pub macs: Option<u64>,
}

/// Where errors of a search point.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SearchLines {
    pub(crate) section: u32,
    pub(crate) metric: u32,
    pub(crate) folds: u32,
    /// Of each parameter.
    pub(crate) parameters: Vec<u32>,
}

/// Reads `[search]`.
pub(super) fn search(mut section: Section<'_>, label: &Label) -> Result<SearchSpec, SpecError> {
    let line = section.line();
    let method = section.take("method").map_or(Ok(Method::Tpe(Tpe::default())), method)?;
    let grid = method == Method::Grid;
    let trials = section.take("trials").map(|value| value.whole(1, 1_000_000)).transpose()?;
    let seed = section.take("seed").map_or(Ok(0), |value| value.whole(0, u64::MAX))?;
    let metric_value = section.take("metric");
    let metric =
        metric_value.as_ref().map(|value| value.string("the name of a figure").map(str::to_string)).transpose()?;
    let parallel = section.take("parallel").map_or(Ok(1), |value| value.whole(1, MOST_PARALLEL.into()))? as u32;
    let pruning = section.take("pruning").map_or(Ok(None), pruning)?;
    let folds_value = section.take("folds");
    let folds_line = line_or(&folds_value, line);
    let folds = folds_value.map(|value| folds::folds(value, label)).transpose()?;
    let budget = section.take("budget").map_or(Ok(SearchBudget::default()), budget)?;
    let expected =
        "the values to search, for example \"training.optimizer.learning_rate\" = { log_uniform = [1e-4, 1e-1] }";
    let value = section.need("space", expected)?;
    let empty = value.error(format!("there is nothing to search; give {expected}"));
    let (space, parameters) = space(value)?;
    section.finish()?;
    if space.parameters.is_empty() {
        return Err(empty);
    }
    let lines = SearchLines { section: line, metric: line_or(&metric_value, line), folds: folds_line, parameters };
    // A grid has an end of its own.
    let trials = trials.unwrap_or(if grid { 1_000_000 } else { 50 }) as u32;
    Ok(SearchSpec { method, trials, seed, metric, parallel, pruning, folds, budget, space, lines })
}

/// The line of a value, or that of its section.
fn line_or(value: &Option<Value<'_>>, section: u32) -> u32 {
    value.as_ref().map_or(section, Value::line)
}

/// A table with a `name`, or the name alone.
fn named<'s>(value: Value<'s>, what: &str, names: &[&'static str]) -> Result<(usize, Option<Section<'s>>), SpecError> {
    let expected = format!("one of {}, or a table with `name`", names.join(", "));
    let place = |value: &Value<'_>| {
        let name = value.string(&expected)?;
        names.iter().position(|known| *known == name).ok_or_else(|| value.unknown(what, name, names))
    };
    if !value.is_table() {
        return Ok((place(&value)?, None));
    }
    let mut section = value.section(&expected)?;
    let name = section.need("name", &expected)?;
    Ok((place(&name)?, Some(section)))
}

fn whole(section: &mut Option<Section<'_>>, key: &'static str, least: u32, default: u32) -> Result<u32, SpecError> {
    let value = section.as_mut().and_then(|section| section.take(key));
    value.map_or(Ok(default), |value| Ok(value.whole(least.into(), 1_000_000)? as u32))
}

fn startup_of(value: Value<'_>) -> Result<Startup, SpecError> {
    let names = Startup::ALL.map(Startup::name);
    let name = value.string(&format!("one of {}", names.join(", ")))?;
    let known = Startup::ALL.into_iter().find(|startup| startup.name() == name);
    known.ok_or_else(|| value.unknown("startup", name, &names))
}

fn method(value: Value<'_>) -> Result<Method, SpecError> {
    let (place, mut section) = named(value, "method", &["grid", "random", "tpe"])?;
    let method = match place {
        0 => Method::Grid,
        1 => Method::Random,
        _ => {
            let usual = Tpe::default();
            let startup = section.as_mut().and_then(|section| section.take("startup"));
            let multivariate = section.as_mut().and_then(|section| section.take("multivariate"));
            Method::Tpe(Tpe {
                startup_trials: whole(&mut section, "startup_trials", 1, usual.startup_trials)?,
                startup: startup.map_or(Ok(usual.startup), startup_of)?,
                candidates: whole(&mut section, "candidates", 1, usual.candidates)?,
                multivariate: multivariate.map_or(Ok(usual.multivariate), |value| value.flag())?,
            })
        }
    };
    section.map_or(Ok(()), Section::finish)?;
    Ok(method)
}

fn pruning(value: Value<'_>) -> Result<Option<Pruning>, SpecError> {
    let (place, mut section) = named(value, "rule", &["none", "median", "successive_halving"])?;
    let pruning = match place {
        0 => None,
        1 => Some(Pruning::Median {
            startup_trials: whole(&mut section, "startup_trials", 1, 5)?,
            warmup_steps: whole(&mut section, "warmup_steps", 0, 0)?,
        }),
        _ => Some(Pruning::SuccessiveHalving {
            minimum_steps: whole(&mut section, "minimum_steps", 1, 1)?,
            reduction_factor: whole(&mut section, "reduction_factor", 2, 4)?,
        }),
    };
    section.map_or(Ok(()), Section::finish)?;
    Ok(pruning)
}

fn budget(value: Value<'_>) -> Result<SearchBudget, SpecError> {
    let mut section = value.section("a table such as { ram = \"16 KiB\", macs = 100000 }")?;
    let budget = SearchBudget {
        ram: section.take("ram").map(|value| super::device::bytes(&value)).transpose()?,
        flash: section.take("flash").map(|value| super::device::bytes(&value)).transpose()?,
        macs: section.take("macs").map(|value| value.whole(1, u64::MAX)).transpose()?,
    };
    section.finish()?;
    Ok(budget)
}

const KINDS: [&str; 5] = ["choice", "uniform", "log_uniform", "int", "log_int"];
const KIND: &str = "{ choice = [16, 32] }, { uniform = [0.0, 0.5] }, { log_uniform = [1e-4, 1e-1] }, { int = [8, 64], step = 8 } or { log_int = [1, 100] }";

/// The parameters in the order of the file, and their lines.
fn space(value: Value<'_>) -> Result<(Space, Vec<u32>), SpecError> {
    let (mut space, mut lines) = (Space::default(), Vec::new());
    entries(value.section(KIND)?, "", &mut space, &mut lines)?;
    Ok((space, lines))
}

/// A key may be a whole path in quotes, or a bare dotted one, which TOML reads as tables in tables.
fn entries(section: Section<'_>, path: &str, space: &mut Space, lines: &mut Vec<u32>) -> Result<(), SpecError> {
    for (key, value) in section.rest() {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        let (line, twice) = (value.line(), value.error(format!("`{path}` is there twice; keep one")));
        let mut section = value.section(KIND)?;
        if section.holds_tables() && !KINDS.iter().any(|kind| section.has(kind)) {
            entries(section, &path, space, lines)?;
            continue;
        }
        let parameter = parameter(path, &mut section, space)?;
        section.finish()?;
        if space.parameters.iter().any(|other| other.path == parameter.path) {
            return Err(twice);
        }
        space.parameters.push(parameter);
        lines.push(line);
    }
    Ok(())
}

fn parameter(path: String, section: &mut Section<'_>, space: &Space) -> Result<Parameter, SpecError> {
    let mut given = Vec::new();
    for kind in KINDS {
        given.extend(section.take(kind).map(|value| (kind, value)));
    }
    let when = section.take("when").map_or(Ok(Vec::new()), |value| when(value, space))?;
    let (step, points) = (section.take("step"), section.take("points"));
    let mut given = given.into_iter();
    let (kind, value) = match (given.next(), given.next()) {
        (Some(one), None) => one,
        (Some(_), Some((_, second))) => {
            return Err(second.error(format!("one kind of values only; give one of {KIND}")));
        }
        (None, _) => {
            let empty = section.error(format!("give one of {KIND}"));
            // A misspelt kind says so itself.
            section.refuse_rest()?;
            return Err(empty);
        }
    };
    not_varied(&path).map_err(|what| section.error(what))?;
    let log = kind.starts_with("log");
    let stepless = |what: &str, value: &Option<Value<'_>>| match value {
        Some(value) => Err(value.error(format!("{what} has none; remove it"))),
        None => Ok(()),
    };
    let distribution = match kind {
        "choice" => {
            stepless("a choice", &step)?;
            stepless("a choice", &points)?;
            choice(value)?
        }
        "uniform" | "log_uniform" => {
            if log {
                stepless("a logarithmic range", &step)?;
            }
            real(value, step, log)?
        }
        _ => {
            if log {
                stepless("a logarithmic range", &step)?;
            }
            whole_range(value, step, log)?
        }
    };
    let points = points.map(|value| value.whole(1, 1_000_000)).transpose()?.map(|points| points as u32);
    Ok(Parameter { path, distribution, points, when })
}

/// What decides no candidate's score.
fn not_varied(path: &str) -> Result<(), String> {
    match path.split('.').next() {
        Some("search") => Err(format!(
            "`{path}` is a setting of the search itself, which no candidate has; remove it here, and set it in [search]"
        )),
        Some("name") if path == "name" => {
            Err("`name` is what the model is called, which changes no score; remove it".into())
        }
        _ => Ok(()),
    }
}

fn positive(value: &Value<'_>) -> Result<f64, SpecError> {
    let number = value.real()?;
    if number > 0.0 { Ok(number) } else { Err(value.expected("a positive number")) }
}

fn choice(value: Value<'_>) -> Result<Distribution, SpecError> {
    const EXPECTED: &str = "a list of values, such as [8, 16, 32]";
    let empty = value.expected(EXPECTED);
    let mut choices = Vec::new();
    for item in value.array(EXPECTED)? {
        let literal = item.literal()?;
        if choices.contains(&literal) {
            return Err(item.error("is there twice; keep one".into()));
        }
        choices.push(literal);
    }
    if choices.is_empty() { Err(empty) } else { Ok(Distribution::Choice(choices)) }
}

/// Both ends of a range.
fn ends<'s>(value: Value<'s>, expected: &str) -> Result<[Value<'s>; 2], SpecError> {
    let wrong = value.expected(expected);
    <[Value<'s>; 2]>::try_from(value.array(expected)?).map_err(|_| wrong)
}

fn real(value: Value<'_>, step: Option<Value<'_>>, log: bool) -> Result<Distribution, SpecError> {
    let [low, high] = ends(value, "two numbers, the least and the largest, such as [0.0, 0.5]")?;
    let (least, largest) = (low.real()?, high.real()?);
    if log && least <= 0.0 {
        return Err(low.expected("a positive number, since its logarithm is searched"));
    }
    if largest <= least {
        return Err(high.error(format!("the lower bound comes first, and {largest} isn't above {least}; change them")));
    }
    let wide = "the two are too far apart to draw numbers between them; give a narrower range";
    if !(largest - least).is_finite() {
        return Err(high.error(wide.into()));
    }
    let mut every = None;
    if let Some(step) = step {
        let by = positive(&step)?;
        narrower(&step, by, (least, largest))?;
        if (largest - least) / by > MOST_STEPS {
            return Err(
                step.error(format!("{by} is too small a step from {least} to {largest}; give a larger one, or none"))
            );
        }
        // Half a step belongs to each end.
        if !(largest + by / 2.0 - (least - by / 2.0)).is_finite() {
            return Err(high.error(wide.into()));
        }
        every = Some(by);
    }
    Ok(Distribution::Real { low: least, high: largest, step: every, log })
}

fn whole_range(value: Value<'_>, step: Option<Value<'_>>, log: bool) -> Result<Distribution, SpecError> {
    let [low, high] = ends(value, "two whole numbers, the least and the largest, such as [8, 64]")?;
    let number = |value: &Value<'_>| {
        let expected = if value.is_integer() { "a whole number within 2^53 of 0" } else { "a whole number" };
        let number = value.real().ok().filter(|n| value.is_integer() && n.abs() <= (1u64 << 53) as f64);
        number.map(|number| number as i64).ok_or_else(|| value.expected(expected))
    };
    let (least, largest) = (number(&low)?, number(&high)?);
    if log && least <= 0 {
        return Err(low.expected("a positive number, since its logarithm is searched"));
    }
    if largest < least {
        return Err(high.error(format!("the lower bound comes first, and {largest} is below {least}; change them")));
    }
    let mut every = 1;
    if let Some(step) = step {
        every = step.whole(1, 1 << 53)? as i64;
        narrower(&step, every as f64, (least as f64, largest as f64))?;
    }
    Ok(Distribution::Whole { low: least, high: largest, step: every, log })
}

/// Steps of a range of real numbers, whose doubles are no finer.
const MOST_STEPS: f64 = (1u64 << 53) as f64;

/// Refuses a step that leaves the lower bound alone.
fn narrower(step: &Value<'_>, by: f64, (least, largest): (f64, f64)) -> Result<(), SpecError> {
    // In floating point 0.3 - 0.1 is a little below 0.2.
    if by <= (largest - least) * (1.0 + 1e-9) {
        return Ok(());
    }
    Err(step
        .error(format!("a step of {by} from {least} is beyond {largest}, which leaves one value; give a smaller step")))
}

/// `when = { "path" = value }` or a list of values: of parameters above.
fn when(value: Value<'_>, space: &Space) -> Result<Vec<Condition>, SpecError> {
    let mut conditions = Vec::new();
    for (path, value) in value.section("a table such as { \"training.optimizer.name\" = \"sgd\" }")?.rest() {
        let place = space.parameters.iter().position(|parameter| parameter.path == path);
        let Some(parameter) = place else {
            let known: Vec<&str> = space.parameters.iter().map(|parameter| parameter.path.as_str()).collect();
            let known = if known.is_empty() { "there is none".to_string() } else { known.join(", ") };
            return Err(
                value.error(format!("`{path}` is no parameter above this one ({known}); its path goes in quotes"))
            );
        };
        let literal = value.literal()?;
        let values = match literal {
            serde_json::Value::Array(values) => values,
            one => vec![one],
        };
        let distribution = &space.parameters[parameter].distribution;
        if let Some(never) = values.iter().find(|value| distribution.coordinate(value).is_none()) {
            return Err(value.error(format!("`{path}` never is {never}; give values that it can have")));
        }
        conditions.push(Condition { parameter, values });
    }
    Ok(conditions)
}
