//! Why a figure can't be told.

use super::name::Needs;
use thiserror::Error;

/// Why a metric has no value for these samples.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// There are no samples.
    #[error("there are no samples to judge by")]
    Empty,
    /// Labels and predictions aren't of as many samples.
    #[error("{labels} labels, but predictions for {predictions} samples")]
    Lengths {
        /// Labels given.
        labels: usize,
        /// Samples that are predicted.
        predictions: usize,
    },
    /// A label or a prediction is no class.
    #[error("sample {sample}: class {class} of {classes}; classes are counted from 0")]
    Class {
        /// The sample, from 0.
        sample: u64,
        /// What it is labelled with, or taken for.
        class: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// A prediction isn't a finite number, or a probability not one of 0 to 1.
    #[error("sample {sample}: {value} is no {what}")]
    Value {
        /// The sample, from 0.
        sample: u64,
        /// What is there.
        value: f64,
        /// What should be: `probability`, `finite score`, …
        what: &'static str,
    },
    /// Every sample is of this class (or of another, for one class against the rest), so that there is nothing to rank.
    #[error("class {class} has {}; a stratified split gives each part some of every class", if *.all { "all the samples" } else { "no sample" })]
    OneClass {
        /// The class.
        class: u32,
        /// Whether it has all samples; else it has none.
        all: bool,
    },
    /// The figure is one of two classes.
    #[error(
        "it is of two classes, there are {classes}; name an average (_macro, _micro, _weighted) or a class (_class_0), or for areas under the ROC curve roc_auc_ovr"
    )]
    NotBinary {
        /// How many there are.
        classes: usize,
    },
    /// More classes than this figure is made for.
    #[error("{classes} classes; it is made for at most {most}")]
    TooManyClasses {
        /// How many there are.
        classes: usize,
        /// How many there may be.
        most: usize,
    },
    /// Among so few classes every sample is right.
    #[error(
        "among {k} guesses of {classes} classes every sample would be right; there must be more classes than guesses, and a guess"
    )]
    TopK {
        /// The guesses.
        k: u32,
        /// The classes.
        classes: usize,
    },
    /// Too few samples for it to be defined.
    #[error("it takes at least {needed} samples, there {} {samples}", if *.samples == 1 { "is" } else { "are" })]
    TooFew {
        /// Samples given.
        samples: u64,
        /// Samples that it takes.
        needed: u64,
    },
    /// The model gives something else.
    #[error("it needs {needs}, the model and its loss give {found}")]
    Needs {
        /// What it is computed from.
        needs: Needs,
        /// What there is.
        found: Needs,
    },
    /// It wasn't asked for when the samples were counted.
    #[error("it wasn't asked for before the samples were counted")]
    NotCounted,
}
