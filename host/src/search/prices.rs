//! What the candidates of a space cost, before any is trained.

use serde_json::Value;

use super::description::Description;
use super::error::SearchError;
use crate::study::{Method, Price, Study};

/// A candidate and its price, or why it would be refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    /// Paths and values.
    pub values: Vec<(String, Value)>,
    /// What it costs on the device.
    pub price: Result<Price, String>,
}

/// Prices up to `most` candidates: the first of a grid, or random ones (of TPE only the first trials are known before a
/// search, and these are random).
///
/// # Errors
/// [`SearchError`] for a grid that can't be made.
pub fn prices(description: &Description, study: &Study<'_>, most: usize) -> Result<Vec<Priced>, SearchError> {
    let grid = match study.method {
        Method::Grid => {
            description.check_grid(study)?;
            Some(study.grid()?)
        }
        _ => None,
    };
    let study = match study.method {
        Method::Tpe(_) => Study { method: Method::Random, ..*study },
        _ => *study,
    };
    let numbers = 0..most.min(study.trials as usize) as u32;
    let points = numbers.map_while(|number| study.propose(number, &[], grid.as_deref()));
    let priced = points.map(|point| {
        let values = study.space.values(&point);
        let price = description.spec_of(&values).and_then(|spec| description.price(&spec));
        Priced { values: values.into_iter().map(|(path, value)| (path.to_string(), value)).collect(), price }
    });
    Ok(priced.collect())
}
