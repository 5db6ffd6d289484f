//! Classes of unequal size: weights for the loss, or an order that shows each class as often.
//!
//! Weights keep every sample and let rare classes count more; balanced sampling repeats samples of rare classes and leaves
//! out some of common ones in each epoch. Do one of the two: both together count rare classes twice.

use super::dataset::Labels;
use super::error::DataError;
use super::random::{hash, order};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a sample of a class counts in the loss: in TOML `"balanced"`, or `{ still = 1.0, walk = 4.0 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// `samples / (classes * samples of the class)`: every class weighs the same, and the mean over all samples is 1.
    Balanced,
    /// By name; a class that isn't named has weight 1.
    #[serde(untagged)]
    Given(BTreeMap<String, f32>),
}

impl ClassWeights {
    /// The weight of each class, in the order of the classes. Give the labels of the training part.
    ///
    /// ```
    /// use emberlite_host::data::{ClassWeights, Labels};
    /// let labels = Labels::Class { ids: vec![0, 0, 0, 1], names: vec!["often".into(), "rare".into()] };
    /// assert_eq!(ClassWeights::Balanced.of(&labels)?, [4.0 / 6.0, 2.0]);
    /// # Ok::<(), emberlite_host::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for labels that aren't classes, a class without samples (balanced), a name that is no
    /// class, or a weight that isn't positive.
    pub fn of(&self, labels: &Labels) -> Result<Vec<f32>, DataError> {
        let (ids, names) = classes(labels, "class weights")?;
        match self {
            Self::Balanced => {
                let counts = counts(ids, names, "class weights")?;
                let (samples, classes) = (ids.len() as f64, names.len() as f64);
                Ok(counts.into_iter().map(|count| (samples / (classes * count as f64)) as f32).collect())
            }
            Self::Given(weights) => {
                if let Some(name) = weights.keys().find(|name| !names.contains(name)) {
                    let help = "name classes as the data do";
                    return Err(mismatch("class weights", &names.join(", "), format!("`{name}`"), help));
                }
                if let Some((name, weight)) = weights.iter().find(|(_, weight)| !(weight.is_finite() && **weight > 0.0))
                {
                    let what = format!("weight of class `{name}`");
                    return Err(mismatch(
                        &what,
                        "a positive number",
                        weight.to_string(),
                        "leave rows out to ignore a class",
                    ));
                }
                Ok(names.iter().map(|name| weights.get(name).copied().unwrap_or(1.0)).collect())
            }
        }
    }

    /// The weight of each sample: [`ClassWeights::of`], looked up.
    ///
    /// # Errors
    /// As [`ClassWeights::of`].
    pub fn of_samples(&self, labels: &Labels) -> Result<Vec<f32>, DataError> {
        let weights = self.of(labels)?;
        let (ids, _) = classes(labels, "class weights")?;
        Ok(ids.iter().map(|&id| weights[id as usize]).collect())
    }
}

/// As many indices as there are samples, with each class as often as any other (within one), in an order that seed and
/// epoch decide.
///
/// A class's samples come in an order of their own, from the first again once all were taken, each round in a new order: so
/// no sample comes twice before every other of its class came once. Which classes have one more, where it doesn't come out
/// even, goes round with the epochs.
///
/// ```
/// use emberlite_host::data::{Labels, balanced_order};
/// let labels = Labels::Class { ids: vec![0, 0, 0, 0, 0, 1], names: vec!["often".into(), "rare".into()] };
/// let order = balanced_order(&labels, 7, 1)?;
/// assert_eq!(order.iter().filter(|&&sample| sample == 5).count(), 3);
/// # Ok::<(), emberlite_host::data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Mismatch`] for labels that aren't classes or a class without samples.
pub fn balanced_order(labels: &Labels, seed: u64, epoch: u32) -> Result<Vec<usize>, DataError> {
    let (ids, names) = classes(labels, "balanced sampling")?;
    counts(ids, names, "balanced sampling")?;
    let mut members = vec![Vec::new(); names.len()];
    ids.iter().enumerate().for_each(|(sample, &id)| members[id as usize].push(sample));
    let (total, classes) = (ids.len(), names.len());
    let seed = hash(seed, u64::from(epoch));
    let mut drawn = Vec::with_capacity(total);
    for (class, members) in members.iter().enumerate() {
        // The first `total % classes` places of a ring that turns by one an epoch have one sample more.
        let place = (class + epoch as usize) % classes;
        let wanted = total / classes + usize::from(place < total % classes);
        let rounds = (0u64..).flat_map(|round| order(hash(hash(seed, class as u64), round), members.len()));
        drawn.extend(rounds.take(wanted).map(|member| members[member]));
    }
    Ok(order(hash(seed, u64::MAX), total).into_iter().map(|place| drawn[place]).collect())
}

fn classes<'a>(labels: &'a Labels, what: &str) -> Result<(&'a [u32], &'a [String]), DataError> {
    match labels {
        Labels::Class { ids, names } => Ok((ids, names)),
        Labels::Value(_) | Labels::Tokens { .. } => {
            Err(mismatch(what, "labels that are classes", "others".into(), "leave it out"))
        }
        Labels::None => Err(mismatch(what, "labels that are classes", "none".into(), "name the label column")),
    }
}

/// Samples of each class, all of which must be there.
fn counts(ids: &[u32], names: &[String], what: &str) -> Result<Vec<usize>, DataError> {
    let mut counts = vec![0; names.len()];
    ids.iter().for_each(|&id| counts[id as usize] += 1);
    match counts.iter().position(|&count| count == 0) {
        None => Ok(counts),
        Some(class) => {
            let found = format!("none of `{}`", names[class]);
            let help = "change the split, or remove the class from the list of classes";
            Err(mismatch(what, "a sample of every class in the training part", found, help))
        }
    }
}

fn mismatch(what: &str, expected: &str, found: String, help: &'static str) -> DataError {
    DataError::Mismatch { what: what.into(), expected: expected.into(), found, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(counts: &[usize]) -> Labels {
        let ids = counts.iter().zip(0..).flat_map(|(&count, id)| vec![id; count]).collect();
        Labels::Class { ids, names: (0..counts.len()).map(|class| format!("c{class}")).collect() }
    }

    /// As `sklearn.utils.class_weight.compute_class_weight("balanced", …)`: 344 / (3 * [152, 68, 124]).
    #[test]
    fn balanced_weights_are_those_of_penguins() {
        let weights = ClassWeights::Balanced.of(&labels(&[152, 68, 124])).unwrap();
        assert_eq!(weights, [344.0 / 456.0, 344.0 / 204.0, 344.0 / 372.0].map(|weight: f64| weight as f32));
        let samples = ClassWeights::Balanced.of_samples(&labels(&[152, 68, 124])).unwrap();
        let mean = samples.iter().map(|&weight| f64::from(weight)).sum::<f64>() / 344.0;
        assert!((mean - 1.0).abs() < 1e-6, "{mean}");
        assert_eq!((samples[0], samples[152]), (weights[0], weights[1]));
    }

    #[test]
    fn given_weights_are_looked_up_by_name() {
        let given = |pairs: &[(&str, f32)]| {
            ClassWeights::Given(pairs.iter().map(|&(name, weight)| (name.to_string(), weight)).collect())
        };
        assert_eq!(given(&[("c1", 4.0)]).of(&labels(&[3, 1])).unwrap(), [1.0, 4.0]);
        let text = |weights: ClassWeights| weights.of(&labels(&[3, 1])).unwrap_err().to_string();
        assert_eq!(
            text(given(&[("c9", 1.0)])),
            "class weights: expected c0, c1, found `c9`; name classes as the data do"
        );
        for wrong in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(text(given(&[("c0", wrong)])).starts_with("weight of class `c0`: expected a positive number"));
        }
        let read = |text| serde_json::from_str::<ClassWeights>(text).unwrap();
        assert_eq!(read("\"balanced\""), ClassWeights::Balanced);
        assert_eq!(read("{\"c1\": 4}"), given(&[("c1", 4.0)]));
    }

    #[test]
    fn every_class_comes_as_often_and_no_sample_before_all_others_of_its_class() {
        for (counts, epochs) in [(&[90, 9, 1][..], 6), (&[5, 5], 2), (&[1, 1, 1, 40], 4)] {
            let labels = labels(counts);
            let Labels::Class { ids, names } = &labels else { unreachable!() };
            let mut per_class = vec![0usize; names.len()];
            for epoch in 1..=epochs {
                let order = balanced_order(&labels, 3, epoch).unwrap();
                assert_eq!(order.len(), ids.len());
                let mut drawn = vec![0usize; ids.len()];
                order.iter().for_each(|&sample| drawn[sample] += 1);
                let mut epoch_class = vec![0usize; names.len()];
                for class in 0..names.len() {
                    let of: Vec<usize> =
                        (0..ids.len()).filter(|&s| ids[s] as usize == class).map(|s| drawn[s]).collect();
                    assert!(of.iter().max().unwrap() - of.iter().min().unwrap() <= 1, "{counts:?}: {of:?}");
                    epoch_class[class] = of.iter().sum();
                    per_class[class] += epoch_class[class];
                }
                assert!(epoch_class.iter().max().unwrap() - epoch_class.iter().min().unwrap() <= 1);
            }
            assert!(per_class.iter().max().unwrap() - per_class.iter().min().unwrap() <= 1, "{per_class:?}");
        }
        let labels = labels(&[20, 4]);
        assert_eq!(balanced_order(&labels, 1, 1).unwrap(), balanced_order(&labels, 1, 1).unwrap());
        assert_ne!(balanced_order(&labels, 1, 1).unwrap(), balanced_order(&labels, 1, 2).unwrap());
        assert_ne!(balanced_order(&labels, 1, 1).unwrap(), balanced_order(&labels, 2, 1).unwrap());
    }

    #[test]
    fn an_empty_class_is_named() {
        let text = |error: DataError| error.to_string();
        let expected = "expected a sample of every class in the training part, found none of `c1`;";
        assert!(text(ClassWeights::Balanced.of(&labels(&[3, 0])).unwrap_err()).contains(expected));
        assert!(text(balanced_order(&labels(&[3, 0]), 0, 1).unwrap_err()).contains(expected));
        assert!(balanced_order(&Labels::Value(vec![1.0]), 0, 1).is_err());
        assert!(ClassWeights::Balanced.of(&Labels::None).is_err());
    }
}
