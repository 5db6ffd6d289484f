//! Data: from files to standardised, leak-free sets of samples.
//!
//! One type, [`Dataset`], goes through every step, and each step is one function:
//!
//! ```text
//! csv::read, npz::read, idx::read  ->  split  ->  windows  ->  Standardise::fit (first part), apply (all parts)
//! ```
//!
//! What is too large for memory, or is decoded, is a [`Source`] instead: samples by index, read as they are drawn. Pictures
//! ([`images`], [`cifar`]), sounds ([`audio`]), token windows ([`text`]), arrays on disk ([`disk`]) and packed tables
//! ([`pack`]) are sources; [`Set`] holds either kind, and a part of one, its standardisation and its [`augment`]ation are
//! sources laid over it.
//!
//! A recording is read as rows (shape `[channels]`), split while it is still rows, and only then cut into windows (shape
//! `[channels, length]`): so no window can hold rows of both parts. Each sample keeps its [`Origin`] and the values of the
//! group columns (person, wrist, …), and a window is made of consecutive rows of one recording with equal group values
//! only, whatever was removed before. Splits depend on a seed and on the sample's index or the group's name, never on a
//! stream of random numbers.
//!
//! Nothing here guesses: a missing or unreadable cell is an error with file, line and column, and what to do about it.
//!
//! ```
//! use emberlite_host::data::{CsvSpec, Standardise, Window, csv, split, windows};
//!
//! let mut text = String::from("recording,person,label,ax,ay\n");
//! for row in 0..8 {
//!     text += &format!("{},{},{},{row},{}\n", row / 4, ["ann", "bob"][row / 4], ["still", "walk"][row % 2 / 2], 8 - row);
//! }
//! let spec = CsvSpec::class("label").recording("recording").groups(["person"]);
//! let rows = csv::parse("example.csv", text.as_bytes(), &spec)?;
//! assert_eq!((rows.len(), &rows.shape[..]), (8, &[2][..]));
//!
//! let parts = split::filter(&rows, &["person=ann"])?;
//! let mut train = windows(&rows.select(&parts.first), Window::new(3, 1))?;
//! assert_eq!((train.len(), &train.shape[..]), (2, &[2, 3][..]));
//! assert_eq!(train.sample(0), [0.0, 1.0, 2.0, 8.0, 7.0, 6.0]);
//!
//! let standardise = Standardise::fit(&train)?;
//! standardise.apply(&mut train)?;
//! assert_eq!(standardise.mean, [1.5, 6.5]);
//! # Ok::<(), emberlite_host::data::DataError>(())
//! ```

mod array;
pub mod audio;
pub mod augment;
mod balance;
mod bytes;
mod check;
pub mod cifar;
mod clean;
mod columns;
pub mod csv;
mod csv_rows;
mod dataset;
pub mod describe;
pub mod disk;
mod element;
mod encoder;
mod error;
pub mod folder;
pub mod folds;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod fuzz_media;
pub mod idx;
pub mod images;
pub mod npy;
pub mod npz;
pub mod pack;
mod pack_identity;
mod parquet;
pub mod picture;
mod prepare;
#[cfg(test)]
mod prepare_tests;
pub mod random;
mod readings;
mod records;
mod row_parser;
mod row_reader;
mod rows;
mod set;
pub mod sheet;
mod source;
mod spec;
pub mod split;
mod standardise;
mod statistics;
pub mod text;
#[cfg(test)]
mod watch;
mod window;
mod zip;

pub use array::{Array, Target};
pub use balance::{ClassWeights, balanced_order};
pub use check::check_part;
pub(crate) use check::{sample_name, shown};
pub use clean::{
    ColumnRule, Encode, Fill, Limits, MissingRule, OutlierAction, Outliers, PrepareSpec, Scaling, Unknown,
};
pub use dataset::{Column, Dataset, Labels, Origin};
pub use describe::{ColumnSummary, Description, PartSummary, Range, Sample};
pub use encoder::{Categories, EncodedColumn, Encoder};
pub use error::DataError;
pub use folds::{Fold, Folds, FoldsBy};
pub use prepare::Prepare;
pub use readings::Readings;
pub use records::Records;
pub(crate) use row_parser::feature_names;
pub use rows::{Feature, Rows, parse_rows, read_rows, whole};
pub use set::{SPREAD, Selected, Set, fit_stream};
pub use source::{Blend, Draw, PROBED, Source, collect};
pub use spec::{CsvSpec, Label, Missing};
pub use split::{Rule, Split};
pub use standardise::{Repair, Standardise};
pub use window::{Window, WindowLabel, windows};
