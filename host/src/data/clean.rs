//! What shall happen to tables before a model sees them, as plain values; [`Prepare`](super::Prepare) fits and applies it.
//!
//! The order is that of a scikit-learn pipeline: outliers (limits from the present values), missing values (statistics of the
//! present values within those limits), encoding of categories, scaling. Everything is fitted on the training part.

use super::spec::Missing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[data.clean]` and `[preprocessing]` of a table: rules for all columns, and rules of single columns that win over them.
///
/// ```toml
/// [data]
/// file = "penguins.csv"                                # or .parquet
/// label = { class = "species" }
/// categorical = ["island", "sex"]                      # features that are categories
///
/// [data.clean]
/// duplicates = "drop"                                  # or "keep", the default
/// type_errors = "missing"                              # or "refuse", the default: a cell that is no number
/// missing = "median"                                   # refuse, drop_row, mean, median, mode, { constant = 0 }
/// outliers = { by = "iqr", factor = 1.5 }              # z_score with limit, range with low and high; "keep"
/// columns.sex = { missing = { constant = "male" } }    # single columns win
/// columns.body_mass_g = { outliers = { by = "z_score", limit = 3, action = "drop_row" } }    # usual: "clip"
///
/// [preprocessing]
/// scaling = "standardise"                              # min_max, robust, none, { by = "min_max", low = -1, high = 1 }
/// encode = "one_hot"                                   # or "ordinal"
/// unknown = "zero"                                     # or "refuse", the default; a number for ordinal columns
/// scale = 0.003921569                                  # every raw number times this, before all else
/// mean = [0.485, 0.456, 0.406]                         # with `std`: constants of each channel that are known already
/// std = [0.229, 0.224, 0.225]
/// columns.sex = { encode = "ordinal", categories = ["female", "male"], unknown = -1, scaling = "none" }
/// ```
///
/// On a device that takes raw readings, fill values, limits and scaling are applied by the library with the host's bits (f32;
/// fixed16 clips and scales, and refuses to fill: an integer reading can't be missing). Encoding is the firmware's: it gives
/// one number an input, in the order of `inputs` in the file's metadata, 1 or 0 for a one-hot input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PrepareSpec {
    /// What happens to missing values.
    pub missing: MissingRule,
    /// Which numbers are outliers, and what happens to them; none: all are kept.
    pub outliers: Option<Outliers>,
    /// Whether rows that repeat an earlier row are dropped, before the rows are divided.
    pub drop_duplicates: bool,
    /// Whether a cell that is no number counts as missing.
    pub type_errors_are_missing: bool,
    /// How categories become numbers.
    pub encode: Encode,
    /// What a category is that the training part doesn't have.
    pub unknown: Unknown,
    /// How numbers are scaled.
    pub scaling: Scaling,
    /// By the column's name.
    pub columns: BTreeMap<String, ColumnRule>,
}

/// Rules of one column; what is none is as for all columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnRule {
    /// What happens to missing values.
    pub missing: Option<MissingRule>,
    /// Outliers; `Some(None)` keeps all.
    pub outliers: Option<Option<Outliers>>,
    /// How categories become numbers.
    pub encode: Option<Encode>,
    /// The categories in the order of their numbers; empty: those of the training part, sorted.
    pub categories: Vec<String>,
    /// What a category is that isn't known.
    pub unknown: Option<Unknown>,
    /// How numbers are scaled. Encoded categories aren't scaled unless this says so.
    pub scaling: Option<Scaling>,
}

/// What happens to missing values.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum MissingRule {
    /// They are an error.
    #[default]
    Refuse,
    /// Their row is left out, in every part.
    DropRow,
    /// They are filled; on the device too, where a reading that is NaN counts as missing.
    Fill(Fill),
}

impl MissingRule {
    /// The same as the loader knows it.
    pub fn loader(&self) -> Missing {
        match self {
            Self::Refuse => Missing::Refuse,
            Self::DropRow => Missing::DropRow,
            Self::Fill(_) => Missing::Keep,
        }
    }
}

/// What missing values are filled with.
#[derive(Debug, Clone, PartialEq)]
pub enum Fill {
    /// The mean; of a category column the most frequent value.
    Mean,
    /// The median, of an even number of values the mean of the middle two; of a category column the most frequent value.
    Median,
    /// The most frequent value, of equals the smallest (the first by name).
    Mode,
    /// A number, for columns of numbers.
    Number(f32),
    /// A category, for category columns.
    Category(String),
}

/// Which numbers are outliers, and what happens to them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outliers {
    /// Where they begin.
    pub by: Limits,
    /// What happens to them.
    pub action: OutlierAction,
}

/// Where outliers begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limits {
    /// `mean ± limit * deviation`, with the population's deviation.
    ZScore {
        /// In deviations, above 0; 3 is usual.
        limit: f64,
    },
    /// `first quartile - factor * IQR` and `third quartile + factor * IQR` (Tukey's fences), quartiles interpolated linearly.
    Iqr {
        /// In interquartile ranges, 0 or more; 1.5 is usual.
        factor: f64,
    },
    /// Given numbers, in the column's unit (after `scale`).
    Range {
        /// The smallest that is none.
        low: Option<f32>,
        /// The largest that is none.
        high: Option<f32>,
    },
}

/// What happens to outliers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutlierAction {
    /// They become the limit, in every part and on the device.
    #[default]
    Clip,
    /// Their row is left out of the training part. What is judged stays whole, and the device sees whatever comes.
    DropRow,
}

/// How categories become numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encode {
    /// One input a category: 1 for the row's, 0 for the others.
    #[default]
    OneHot,
    /// One input: the category's place in the list, from 0.
    Ordinal,
}

/// What a category is that the training part doesn't have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// An error with its row and column.
    #[default]
    Refuse,
    /// All its one-hot inputs are 0.
    Zero,
    /// This number, for ordinal columns.
    #[serde(untagged)]
    Number(f32),
}

/// How numbers are scaled: `(x - offset) * factor`, offset and factor from the training part. A column that doesn't vary
/// gets the factor 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// To mean 0 and (population) standard deviation 1: scikit-learn's `StandardScaler`.
    #[default]
    Standardise,
    /// To a range: scikit-learn's `MinMaxScaler`.
    MinMax {
        /// What the smallest number becomes; 0 is usual.
        low: f32,
        /// What the largest becomes; 1 is usual.
        high: f32,
    },
    /// To median 0 and interquartile range 1: scikit-learn's `RobustScaler`.
    Robust,
}

impl PrepareSpec {
    /// The rules of a column.
    pub(super) fn column(&self, name: &str) -> ColumnRule {
        self.columns.get(name).cloned().unwrap_or_default()
    }

    /// Whether anything is asked for that only tables have.
    pub fn is_for_tables(&self) -> bool {
        let plain = Self { scaling: self.scaling, ..Self::default() };
        *self != plain
    }
}
