//! What a training part says about how to prepare rows, and its application to any part.
//!
//! ```text
//! Rows -> Prepare::fit (training part: limits, fill values, categories)
//!      -> inliers (training part: without outliers that shall be dropped)
//!      -> encode (every part: categories as numbers; gaps and outliers are still in it)
//!      -> windows, reshape
//!      -> constants (training part: fill, limits, scaling by channel) -> Standardise::apply (every part, and the device)
//! ```
//!
//! Filling, clipping and scaling are the last step because the device does them too: raw samples keep their gaps, and what is
//! learnt on is what the device would compute from a raw reading. Encoding can't be the device's and comes first.

use super::clean::{Encode, Fill, Limits, MissingRule, OutlierAction, PrepareSpec, Scaling, Unknown};
use super::dataset::Dataset;
use super::encoder::{Categories, EncodedColumn, Encoder};
use super::error::DataError;
use super::row_parser::sorted as sorted_names;
use super::rows::{Feature, Rows};
use super::standardise::{Repair, Standardise};
use super::statistics::{deviation, mean, mode, quantile, sorted};

/// Everything that was fitted before scaling.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prepare {
    /// How columns become inputs.
    pub encoder: Encoder,
    /// `[inputs]`: what fills gaps, and where numbers are clipped; empty for samples that aren't rows of a table.
    pub repair: Vec<Repair>,
    /// `[inputs]`: how each is scaled; empty: all by `default`.
    pub scaling: Vec<Scaling>,
    /// How inputs are scaled that no column is known of.
    pub default: Scaling,
    /// `[columns]`: what lies outside is dropped from the training part.
    keep: Vec<(f32, f32)>,
}

impl Prepare {
    /// Fits limits, fill values and categories. Give the training part only: constants fitted on all data carry knowledge of
    /// the rest into the training.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] naming the column: nothing present to fit on, a rule that doesn't go with the column's kind, a
    /// rule for a column that isn't a feature, or no row left.
    pub fn fit(spec: &PrepareSpec, train: &Rows) -> Result<Self, DataError> {
        check_names(spec, &train.columns)?;
        let mut keep = vec![(f32::NEG_INFINITY, f32::INFINITY); train.columns.len()];
        let mut clip = keep.clone();
        for (column, feature) in train.columns.iter().enumerate().filter(|(_, feature)| feature.values.is_none()) {
            let Some(outliers) = spec.column(&feature.name).outliers.unwrap_or(spec.outliers) else { continue };
            let limits = limits(&outliers.by, &values(train, column), &feature.name)?;
            match outliers.action {
                OutlierAction::Clip => clip[column] = limits,
                OutlierAction::DropRow => keep[column] = limits,
            }
        }
        let mut fitted = Self { keep, default: spec.scaling, ..Self::default() };
        let inliers = fitted.inliers(train);
        if inliers.is_empty() {
            let help = "widen the limits of outliers, or clip instead of dropping";
            return Err(mismatch("training part", "rows within the limits of outliers", "none".into(), help));
        }
        let rest = if inliers.len() == train.set.len() { None } else { Some(train.select(&inliers)) };
        let train = rest.as_ref().unwrap_or(train);
        for (column, (feature, &(low, high))) in train.columns.iter().zip(&clip).enumerate() {
            let rule = spec.column(&feature.name);
            let missing = rule.missing.as_ref().unwrap_or(&spec.missing);
            let fill = match missing {
                MissingRule::Fill(fill) => Some((fill, rule.missing.is_some())),
                MissingRule::Refuse | MissingRule::DropRow => None,
            };
            let (width, categories) = match &feature.values {
                Some(values) => {
                    let categories = fit_categories(spec, train, column, values, fill)?;
                    let width = if categories.encode == Encode::OneHot { categories.names.len() } else { 1 };
                    fitted.repair.extend(vec![Repair::default(); width]);
                    (width, Some(categories))
                }
                None => {
                    let fill =
                        fill.map(|(fill, own)| number(fill, own, train, column, (low, high))).transpose()?.flatten();
                    let limit = |limit: f32| limit.is_finite().then_some(limit);
                    fitted.repair.push(Repair { fill, low: limit(low), high: limit(high) });
                    (1, None)
                }
            };
            // Indicators are as they are unless somebody says otherwise.
            let unsaid = if categories.is_some() { Scaling::None } else { spec.scaling };
            fitted.scaling.extend(vec![rule.scaling.unwrap_or(unsaid); width]);
            fitted.encoder.columns.push(EncodedColumn { name: feature.name.clone(), categories });
        }
        Ok(fitted)
    }

    /// The rows without outliers that shall be dropped, ascending; a missing value is none.
    pub fn inliers(&self, rows: &Rows) -> Vec<usize> {
        let outlier = |(&x, &(low, high)): (&f32, &(f32, f32))| x < low || x > high;
        (0..rows.set.len()).filter(|&row| !rows.set.sample(row).iter().zip(&self.keep).any(outlier)).collect()
    }

    /// Rows of shape `[inputs]`, with NaN where a number is missing that [`Prepare::constants`] fills.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; also for a missing number that nothing fills.
    pub fn encode(&self, rows: Rows) -> Result<Dataset, DataError> {
        let mut input = 0;
        let mut open = Vec::new();
        for (place, column) in self.encoder.columns.iter().enumerate() {
            match &column.categories {
                Some(categories) if categories.encode == Encode::OneHot => input += categories.names.len(),
                Some(_) => input += 1,
                None => {
                    open.extend(self.repair.get(input).filter(|repair| repair.fill.is_none()).map(|_| place));
                    input += 1;
                }
            }
        }
        for row in 0..rows.set.len() {
            if let Some(&column) =
                open.iter().find(|&&column| rows.set.sample(row).get(column).is_some_and(|x| x.is_nan()))
            {
                return Err(rows.error(
                    row,
                    column,
                    "a number",
                    "fill the cell, or say with what such cells are filled",
                ));
            }
        }
        self.encoder.encode(rows)
    }

    /// The constants of a model's input that the training part gives, after gaps are filled and outliers clipped: what the
    /// device applies to raw readings. `train` has the model's input shape; a channel is its first axis. None where nothing
    /// is to be done. With `whole` the readings are integers: limits are widened to whole numbers.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] where several columns are one channel of the model's input and their rules differ, where
    /// readings that are integers were to be filled, and as [`Standardise::fit`].
    pub fn constants(&self, train: &Dataset, whole: bool) -> Result<Option<Standardise>, DataError> {
        let channels = train.shape.first().copied().unwrap_or(0);
        if train.is_empty() || channels == 0 {
            let help = "change the split, or give more data";
            return Err(mismatch("training part", "at least one sample", "none".into(), help));
        }
        let repair = self.repairs(train, whole)?;
        let scaling = self.by_channel(&self.scaling, self.default, train, "scaling")?;
        if repair.is_empty() && scaling.iter().all(|scaling| *scaling == Scaling::None) {
            return Ok(None);
        }
        Standardise::fit_channels(train, &scaling, repair).map(Some)
    }

    /// What is filled and clipped in each channel of samples of the model's input shape; empty for nothing.
    ///
    /// # Errors
    /// As [`Prepare::constants`].
    pub fn repairs(&self, train: &Dataset, whole: bool) -> Result<Vec<Repair>, DataError> {
        let mut repair =
            self.by_channel(&self.repair, Repair::default(), train, "rules for missing values or outliers")?;
        if whole {
            if let Some(channel) = repair.iter().position(|repair| repair.fill.is_some()) {
                let help = "a missing reading can't be told from others there: drop such rows (missing = \"drop_row\"), or \
                            take format = \"f32\"";
                let found = format!("a value to fill gaps of input channel {channel} with");
                return Err(mismatch("format fixed16", "no missing readings", found, help));
            }
            for repair in &mut repair {
                repair.low = repair.low.map(f32::floor);
                repair.high = repair.high.map(f32::ceil);
            }
        }
        if repair.iter().all(Repair::is_nothing) {
            repair.clear();
        }
        Ok(repair)
    }

    /// What is said of inputs, for the channels of a shape that may divide or pool them.
    fn by_channel<T: Copy + PartialEq>(
        &self,
        of_inputs: &[T],
        default: T,
        set: &Dataset,
        what: &str,
    ) -> Result<Vec<T>, DataError> {
        let channels = set.shape.first().copied().unwrap_or(1).max(1);
        let inputs = of_inputs.len();
        if inputs == 0 {
            return Ok(vec![default; channels]);
        }
        let size = set.sample_len();
        let mut out = Vec::with_capacity(channels);
        for channel in 0..channels {
            // The numbers of the channel, and the inputs that they are of.
            let first = channel * size / channels * inputs / size.max(1);
            let last = (((channel + 1) * size / channels).saturating_sub(1) * inputs / size.max(1)).min(inputs - 1);
            let [one, others @ ..] = &of_inputs[first.min(last)..=last] else { continue };
            if others.iter().any(|other| other != one) {
                let names = self.encoder.inputs();
                let found = format!("`{}` to `{}` as channel {channel} of {channels}", names[first], names[last]);
                let expected = format!("the same {what} for all columns of a channel of `model.input`");
                let help = "give the model one channel a column, or the columns the same rules with given numbers";
                return Err(mismatch("model.input", &expected, found, help));
            }
            out.push(*one);
        }
        Ok(out)
    }
}

/// The present numbers of a column, in the order of the rows.
fn values(rows: &Rows, column: usize) -> Vec<f32> {
    let width = rows.columns.len().max(1);
    rows.set.features.iter().skip(column).step_by(width).copied().filter(|x| !x.is_nan()).collect()
}

fn limits(by: &Limits, values: &[f32], name: &str) -> Result<(f32, f32), DataError> {
    let empty = || nothing_present(name, "outliers");
    Ok(match *by {
        Limits::Range { low, high } => (low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY)),
        Limits::ZScore { limit } => {
            let mean = mean(values).ok_or_else(empty)?;
            let reach = limit * deviation(values, mean);
            ((mean - reach) as f32, (mean + reach) as f32)
        }
        Limits::Iqr { factor } => {
            let sorted = sorted(values.iter().copied());
            let (low, high) = quantile(&sorted, 0.25).zip(quantile(&sorted, 0.75)).ok_or_else(empty)?;
            let reach = factor * (high - low);
            ((low - reach) as f32, (high + reach) as f32)
        }
    })
}

/// What fills the gaps of a column of numbers; `own` says that the rule is this column's.
fn number(
    fill: &Fill,
    own: bool,
    train: &Rows,
    column: usize,
    (low, high): (f32, f32),
) -> Result<Option<f32>, DataError> {
    let name = &train.columns[column].name;
    let present = || {
        let mut values = values(train, column);
        values.iter_mut().for_each(|x| *x = x.clamp(low, high));
        values
    };
    let found = match fill {
        Fill::Number(number) => return Ok(Some(*number)),
        Fill::Category(_) if !own => return Ok(None),
        Fill::Category(text) => {
            let help = "give a number, or name the column in `categorical`";
            return Err(wrong(name, "missing", "a number to fill gaps with", format!("`{text}`"), help));
        }
        Fill::Mean => mean(&present()).map(|mean| mean as f32),
        Fill::Median => quantile(&sorted(present().into_iter()), 0.5).map(|median| median as f32),
        Fill::Mode => mode(&sorted(present().into_iter())),
    };
    found.map(Some).ok_or_else(|| nothing_present(name, "missing"))
}

fn fit_categories(
    spec: &PrepareSpec,
    train: &Rows,
    column: usize,
    values: &[String],
    fill: Option<(&Fill, bool)>,
) -> Result<Categories, DataError> {
    let name = &train.columns[column].name;
    let rule = spec.column(name);
    let mut counts = vec![0usize; values.len()];
    for x in self::values(train, column) {
        counts[x as usize] += 1;
    }
    let names = if rule.categories.is_empty() {
        let present = values.iter().zip(&counts).filter(|&(_, &count)| count > 0).map(|(name, _)| name.clone());
        sorted_names(&present.collect::<Vec<_>>())
    } else {
        rule.categories.clone()
    };
    if names.is_empty() {
        return Err(nothing_present(name, "categories"));
    }
    if let Some((_, twice)) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        let found = format!("`{twice}` twice");
        return Err(wrong(name, "categories", "categories that differ", found, "name each once"));
    }
    let fill = match fill {
        None => None,
        Some((Fill::Mean | Fill::Median, true)) => {
            let help = "use \"mode\", or a category of its own";
            return Err(wrong(name, "missing", "a rule for categories", "a mean or median".into(), help));
        }
        Some((Fill::Number(_), false)) => None,
        Some((Fill::Number(number), true)) => {
            let help = "give one of the categories as text, or \"mode\"";
            return Err(wrong(name, "missing", "a category to fill gaps with", number.to_string(), help));
        }
        Some((Fill::Category(text), own)) => {
            if own && !names.contains(text) {
                let help = "name it in `categories`, or take one that the training part has";
                let expected = format!("one of {}", names.join(", "));
                return Err(wrong(name, "missing", &expected, format!("`{text}`"), help));
            }
            names.contains(text).then(|| text.clone())
        }
        Some((Fill::Mean | Fill::Median | Fill::Mode, _)) => {
            // `values` are sorted, and of equal counts the first by name wins.
            let most = counts
                .iter()
                .max()
                .copied()
                .filter(|&most| most > 0)
                .ok_or_else(|| nothing_present(name, "missing"))?;
            values.iter().zip(&counts).find(|&(_, &count)| count == most).map(|(name, _)| name.clone())
        }
    };
    let encode = rule.encode.unwrap_or(spec.encode);
    let unknown = rule.unknown.unwrap_or(spec.unknown);
    match (encode, unknown, rule.unknown.is_some()) {
        (Encode::OneHot, Unknown::Number(_), true) | (Encode::Ordinal, Unknown::Zero, true) => {
            let help = "unknown = \"zero\" goes with one_hot, a number such as -1 with ordinal, \"refuse\" with both";
            let expected = "a rule for unknown categories that its encoding has";
            return Err(wrong(name, "unknown", expected, "another".into(), help));
        }
        _ => {}
    }
    Ok(Categories { encode, names, unknown, fill })
}

/// Rules must name features; of other columns only the loader's `missing` can be said.
fn check_names(spec: &PrepareSpec, columns: &[Feature]) -> Result<(), DataError> {
    for (name, rule) in &spec.columns {
        let feature = columns.iter().find(|feature| feature.name == *name);
        let categorical = feature.map(|feature| feature.values.is_some());
        let only_missing = super::clean::ColumnRule { missing: rule.missing.clone(), ..Default::default() };
        let features = || columns.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>().join(", ");
        let of_categories = [
            ("encode", rule.encode.is_some()),
            ("unknown", rule.unknown.is_some()),
            ("categories", !rule.categories.is_empty()),
        ];
        let of_categories = of_categories.into_iter().find(|(_, said)| *said);
        return Err(match (categorical, of_categories) {
            (None, _) if *rule == only_missing && !matches!(rule.missing, Some(MissingRule::Fill(_))) => continue,
            (None, _) => {
                let expected = format!("one of the features {}", features());
                wrong(name, "", &expected, "another name".into(), "mend the name, or take its rules out")
            }
            (Some(false), Some((rule, _))) => {
                let help = "name it there, or take the rule out";
                wrong(name, rule, "a column that is named in `categorical`", "one of numbers".into(), help)
            }
            (Some(true), _) if rule.outliers.is_some_and(|outliers| outliers.is_some()) => {
                wrong(name, "outliers", "a column of numbers", "one of categories".into(), "take the rule out")
            }
            _ => continue,
        });
    }
    Ok(())
}

fn nothing_present(name: &str, rule: &'static str) -> DataError {
    let help = "leave the column out of the features, or fill it with a given value";
    wrong(name, rule, "at least one value in the training part", "none, all are missing".into(), help)
}

/// A rule that a column can't follow.
fn wrong(column: &str, rule: &'static str, expected: &str, found: String, help: &'static str) -> DataError {
    DataError::Rule { column: column.into(), rule, expected: expected.into(), found, help }
}

fn mismatch(what: &str, expected: &str, found: String, help: &'static str) -> DataError {
    DataError::Mismatch { what: what.into(), expected: expected.into(), found, help }
}
