//! Folds for cross-validation: every sample is judged once by a model that hasn't seen it.
//!
//! Plain functions on lengths, classes and groups give lists of indices; [`Folds`] is the same as a value that a file can
//! hold. What is fitted (fill values, scaling, categories) is fitted anew on each fold's `train`, or the score has seen its
//! own test. Names and properties are scikit-learn's; which sample goes where depends on the seed and the sample's index
//! or the group's name, never on a stream of random numbers.
//!
//! | function | folds differ in size by | promises |
//! |---|---|---|
//! | [`k_fold`] | 1 sample | every sample is in one `test` |
//! | [`stratified_k_fold`] | 1 sample | each class's counts differ by 1 at most |
//! | [`group_k_fold`] | what the groups allow | no group is in `train` and `test` of a fold |
//! | [`stratified_group_k_fold`] | what the groups allow | the same, with classes as balanced as a greedy choice gets them |
//!
//! ```
//! use emberlite_host::data::folds::k_fold;
//!
//! let folds = k_fold(10, 3, 7)?;
//! assert_eq!(folds.iter().map(|fold| fold.test.len()).collect::<Vec<_>>(), [4, 3, 3]);
//! assert!(folds.iter().all(|fold| fold.train.len() + fold.test.len() == 10));
//! # Ok::<(), emberlite_host::data::DataError>(())
//! ```

use super::dataset::{Dataset, Labels};
use super::error::DataError;
use super::random::{hash, hash_text, order};
use super::split;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One division: indices of samples, each list ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// To fit on.
    pub train: Vec<usize>,
    /// To judge by: no sample of `train`.
    pub test: Vec<usize>,
}

impl Fold {
    /// Both parts of the set, to fit and to judge.
    pub fn of(&self, set: &Dataset) -> (Dataset, Dataset) {
        (set.select(&self.train), set.select(&self.test))
    }
}

/// Any of this module's functions as a value: in TOML `{ by = "stratified_k_fold", k = 5, repeats = 2, seed = 1 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folds {
    /// The function.
    pub by: FoldsBy,
    /// Folds in one repeat, 2 or more.
    pub k: usize,
    /// How often the whole is done again with another order; 1 for plain cross-validation.
    #[serde(default = "one")]
    pub repeats: usize,
    /// Which of the possible divisions.
    #[serde(default)]
    pub seed: u64,
    /// The group columns of the two functions that keep groups together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

fn one() -> usize {
    1
}

/// How samples are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoldsBy {
    /// [`k_fold`].
    KFold,
    /// [`stratified_k_fold`].
    StratifiedKFold,
    /// [`group_k_fold`].
    GroupKFold,
    /// [`stratified_group_k_fold`].
    StratifiedGroupKFold,
}

impl FoldsBy {
    /// Every way with its name in files.
    pub const ALL: [(&'static str, FoldsBy); 4] = [
        ("k_fold", FoldsBy::KFold),
        ("stratified_k_fold", FoldsBy::StratifiedKFold),
        ("group_k_fold", FoldsBy::GroupKFold),
        ("stratified_group_k_fold", FoldsBy::StratifiedGroupKFold),
    ];
}

impl Folds {
    /// `k` folds of that kind, once, seed 0, no group columns.
    pub fn new(by: FoldsBy, k: usize) -> Self {
        Self { by, k, repeats: 1, seed: 0, columns: Vec::new() }
    }

    /// The `k * repeats` folds of a set, repeat by repeat.
    ///
    /// # Errors
    /// As the function that is named; [`DataError::Unknown`] for a group column that isn't there.
    pub fn of(&self, set: &Dataset) -> Result<Vec<Fold>, DataError> {
        let groups = match self.by {
            FoldsBy::GroupKFold | FoldsBy::StratifiedGroupKFold if self.columns.is_empty() => {
                let help = "give columns = [...] with group columns of the data";
                return Err(mismatch("folds by group", "the columns that tell groups apart", "none".into(), help));
            }
            FoldsBy::GroupKFold | FoldsBy::StratifiedGroupKFold => split::groups(set, &self.columns)?,
            _ => Vec::new(),
        };
        repeated(self.repeats, self.seed, |seed| match self.by {
            FoldsBy::KFold => k_fold(set.len(), self.k, seed),
            FoldsBy::StratifiedKFold => stratified_k_fold(&set.labels, self.k, seed),
            FoldsBy::GroupKFold => group_k_fold(&groups, self.k, seed),
            FoldsBy::StratifiedGroupKFold => stratified_group_k_fold(&set.labels, &groups, self.k, seed),
        })
    }
}

/// `repeats` times the folds that `folds` makes of a seed: of `seed` itself first, so that one repeat is the plain
/// function, then of seeds made of it.
///
/// # Errors
/// [`DataError::Mismatch`] for no repeat, and those of `folds`.
pub fn repeated(
    repeats: usize,
    seed: u64,
    mut folds: impl FnMut(u64) -> Result<Vec<Fold>, DataError>,
) -> Result<Vec<Fold>, DataError> {
    if repeats == 0 {
        return Err(mismatch("repeats", "1 or more", "0".into(), "leave repeats out for one"));
    }
    let mut all = Vec::new();
    for repeat in 0..repeats as u64 {
        all.extend(folds(if repeat == 0 { seed } else { hash(seed, repeat) })?);
    }
    Ok(all)
}

/// `k` folds of `len` samples in an order of the seed; the first `len % k` have one sample more.
///
/// # Errors
/// [`DataError::Mismatch`] for fewer than 2 folds or fewer samples than folds.
pub fn k_fold(len: usize, k: usize, seed: u64) -> Result<Vec<Fold>, DataError> {
    checked(k, len, "samples")?;
    let mut fold_of = vec![0; len];
    order(seed, len).into_iter().enumerate().for_each(|(place, sample)| fold_of[sample] = place % k);
    Ok(folds(&fold_of, k))
}

/// `k` folds with the same share of each class: samples in the order of their class, within it of the seed, are dealt like
/// cards, so that neither a class's counts nor the sizes of two folds differ by more than 1.
///
/// # Errors
/// As [`k_fold`]; also for labels that aren't classes, and for a class with fewer samples than folds (but at least one):
/// some folds could not be judged by it.
pub fn stratified_k_fold(labels: &Labels, k: usize, seed: u64) -> Result<Vec<Fold>, DataError> {
    let (ids, names) = classes(labels)?;
    checked(k, ids.len(), "samples")?;
    let mut counts = vec![0; names.len()];
    ids.iter().for_each(|&id| counts[id as usize] += 1);
    if let Some((name, count)) = names.iter().zip(counts).find(|&(_, count)| 0 < count && count < k) {
        let found = format!("{count} of class `{name}`");
        let help = "take fewer folds, add samples of that class, or use k_fold";
        return Err(mismatch(&format!("{k} stratified folds"), "as many samples of each class", found, help));
    }
    // A stable sort keeps the seed's order within a class.
    let mut dealt = order(seed, ids.len());
    dealt.sort_by_key(|&sample| ids[sample]);
    let mut fold_of = vec![0; ids.len()];
    dealt.into_iter().enumerate().for_each(|(place, sample)| fold_of[sample] = place % k);
    Ok(folds(&fold_of, k))
}

/// `k` folds with each group in one of them: the largest group first, always into the smallest fold; the seed decides
/// between groups of the same size. `groups` is a name a sample.
///
/// # Errors
/// As [`k_fold`], with groups instead of samples.
pub fn group_k_fold(groups: &[impl AsRef<str>], k: usize, seed: u64) -> Result<Vec<Fold>, DataError> {
    let mut groups: Vec<(&str, Vec<usize>)> = gathered(groups).into_iter().collect();
    checked(k, groups.len(), "groups")?;
    groups.sort_by_key(|(name, samples)| (std::cmp::Reverse(samples.len()), hash_text(seed, name)));
    let mut fold_of = vec![0; groups.iter().map(|(_, samples)| samples.len()).sum()];
    let mut sizes = vec![0; k];
    for (_, samples) in &groups {
        let smallest = (0..k).min_by_key(|&fold| sizes[fold]).unwrap_or(0);
        sizes[smallest] += samples.len();
        samples.iter().for_each(|&sample| fold_of[sample] = smallest);
    }
    Ok(folds(&fold_of, k))
}

/// `k` folds with each group in one of them and the classes as even as that allows: groups whose classes are most uneven
/// first, each into the fold where the classes' shares of the folds then deviate least (scikit-learn's greedy rule), of
/// equal ones the smallest fold.
///
/// # Errors
/// As [`group_k_fold`], also for labels that aren't classes. A class may be missing in a fold: groups decide.
pub fn stratified_group_k_fold(
    labels: &Labels,
    groups: &[impl AsRef<str>],
    k: usize,
    seed: u64,
) -> Result<Vec<Fold>, DataError> {
    let (ids, names) = classes(labels)?;
    if ids.len() != groups.len() {
        let help = "give the groups of the labelled set";
        return Err(mismatch("groups", &format!("{} names", ids.len()), groups.len().to_string(), help));
    }
    let groups = gathered(groups);
    checked(k, groups.len(), "groups")?;
    let counted = |samples: &[usize]| {
        let mut counts = vec![0.0; names.len()];
        samples.iter().for_each(|&sample| counts[ids[sample] as usize] += 1.0);
        counts
    };
    let total = counted(&(0..ids.len()).collect::<Vec<_>>());
    let mut groups: Vec<(&str, &[usize], Vec<f64>)> =
        groups.iter().map(|(name, samples)| (*name, samples.as_slice(), counted(samples))).collect();
    groups.sort_by_key(|(name, ..)| hash_text(seed, name));
    groups.sort_by(|a, b| deviation(b.2.iter().copied()).total_cmp(&deviation(a.2.iter().copied())));
    let mut fold_of = vec![0; ids.len()];
    let mut held = vec![vec![0.0; names.len()]; k];
    for (left, (_, samples, counts)) in (1..=groups.len()).rev().zip(&groups) {
        let size = |fold: usize| held[fold].iter().sum::<f64>();
        let empty = (0..k).filter(|&fold| size(fold) == 0.0).count();
        let uneven = |fold: usize| {
            let shares = (0..names.len()).filter(|&class| total[class] > 0.0).map(|class| {
                let with = |other: usize| held[other][class] + if other == fold { counts[class] } else { 0.0 };
                deviation((0..k).map(|other| with(other) / total[class]))
            });
            shares.sum::<f64>()
        };
        // The last groups go to folds that would stay empty.
        let candidates = (0..k).filter(|&fold| left > empty || size(fold) == 0.0);
        let key = |fold: &usize| (uneven(*fold), size(*fold));
        let best = candidates.map(|fold| (key(&fold), fold)).min_by(|(a, _), (b, _)| {
            // Equal up to rounding: then the smaller fold.
            if (a.0 - b.0).abs() < 1e-12 { a.1.total_cmp(&b.1) } else { a.0.total_cmp(&b.0) }
        });
        let fold = best.map_or(0, |(_, fold)| fold);
        held[fold].iter_mut().zip(counts).for_each(|(held, count)| *held += count);
        samples.iter().for_each(|&sample| fold_of[sample] = fold);
    }
    Ok(folds(&fold_of, k))
}

/// The standard deviation.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

fn gathered(groups: &[impl AsRef<str>]) -> BTreeMap<&str, Vec<usize>> {
    let mut gathered: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    groups.iter().enumerate().for_each(|(sample, name)| gathered.entry(name.as_ref()).or_default().push(sample));
    gathered
}

fn folds(fold_of: &[usize], k: usize) -> Vec<Fold> {
    let part = |wanted: &dyn Fn(usize) -> bool| {
        fold_of.iter().enumerate().filter(|&(_, &fold)| wanted(fold)).map(|(sample, _)| sample).collect()
    };
    (0..k).map(|number| Fold { train: part(&|fold| fold != number), test: part(&|fold| fold == number) }).collect()
}

fn classes(labels: &Labels) -> Result<(&[u32], &[String]), DataError> {
    match labels {
        Labels::Class { ids, names } => Ok((ids, names)),
        Labels::Value(_) | Labels::Tokens { .. } | Labels::None => {
            let help = "load with a class label, or use k_fold or group_k_fold";
            Err(mismatch("stratified folds", "labels that are classes", "none".into(), help))
        }
    }
}

fn checked(k: usize, available: usize, what: &str) -> Result<(), DataError> {
    if k < 2 {
        return Err(mismatch("folds", "2 or more", k.to_string(), "give for example k = 5"));
    }
    if available < k {
        let found = format!("{available} {what}");
        return Err(mismatch(&format!("{k} folds"), "as many or more", found, "take fewer folds or more data"));
    }
    Ok(())
}

fn mismatch(what: &str, expected: &str, found: String, help: &'static str) -> DataError {
    DataError::Mismatch { what: what.into(), expected: expected.into(), found, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Classes by weight, for `len` samples.
    fn labels(len: usize, weights: &[u64], seed: u64) -> Labels {
        let total: u64 = weights.iter().sum();
        let class = |sample: usize| {
            let mut draw = hash(seed, sample as u64) % total;
            weights.iter().position(|&weight| draw.checked_sub(weight).map(|rest| draw = rest).is_none()).unwrap()
                as u32
        };
        let names = (0..weights.len()).map(|class| class.to_string()).collect();
        Labels::Class { ids: (0..len).map(class).collect(), names }
    }

    /// Every sample is judged exactly once, and never by a fold that was fitted on it.
    fn complete(folds: &[Fold], len: usize) {
        let mut judged = vec![0; len];
        for fold in folds {
            assert!(!fold.test.is_empty() && fold.train.is_sorted() && fold.test.is_sorted());
            let mut all = [fold.train.clone(), fold.test.clone()].concat();
            all.sort();
            assert!(all.into_iter().eq(0..len), "a sample is in both parts or in none");
            fold.test.iter().for_each(|&sample| judged[sample] += 1);
        }
        assert!(judged.iter().all(|&count| count == 1), "{judged:?}");
    }

    fn spread(counts: impl Iterator<Item = usize> + Clone) -> usize {
        counts.clone().max().unwrap() - counts.min().unwrap()
    }

    #[test]
    fn every_sample_is_judged_once_and_sizes_differ_by_one() {
        for (case, (len, k)) in [(2, 2), (10, 3), (97, 5), (100, 10), (7, 7)].into_iter().enumerate() {
            let folds = k_fold(len, k, case as u64).unwrap();
            complete(&folds, len);
            assert_eq!(folds.len(), k);
            assert!(spread(folds.iter().map(|fold| fold.test.len())) <= 1);
        }
        assert_ne!(k_fold(50, 5, 1).unwrap(), k_fold(50, 5, 2).unwrap());
        assert_eq!(k_fold(50, 5, 1).unwrap(), k_fold(50, 5, 1).unwrap());
    }

    #[test]
    fn stratified_folds_have_each_class_within_one() {
        for seed in 0..20 {
            let labels = labels(211, &[8, 3, 1], seed);
            let folds = stratified_k_fold(&labels, 5, seed).unwrap();
            complete(&folds, 211);
            let Labels::Class { ids, .. } = &labels else { unreachable!() };
            for class in 0..3 {
                let count = |fold: &Fold| fold.test.iter().filter(|&&sample| ids[sample] == class).count();
                assert!(spread(folds.iter().map(count)) <= 1, "class {class}, seed {seed}");
            }
            assert!(spread(folds.iter().map(|fold| fold.test.len())) <= 1);
        }
    }

    #[test]
    fn groups_are_never_split_and_sizes_follow_the_greedy_rule() {
        for seed in 0..20u64 {
            let groups: Vec<String> = (0..120).map(|sample| format!("g{}", hash(seed, sample) % 17)).collect();
            let labels = labels(120, &[2, 1], seed);
            let greedy = group_k_fold(&groups, 4, seed).unwrap();
            let balanced = stratified_group_k_fold(&labels, &groups, 4, seed).unwrap();
            for folds in [&greedy, &balanced] {
                complete(folds, 120);
                for fold in folds {
                    let outside = |sample: &&usize| fold.train.iter().any(|other| groups[*other] == groups[**sample]);
                    assert_eq!(fold.test.iter().find(outside), None, "a group is in both parts");
                }
            }
            // Graham's bound for the longest-first rule: the largest fold is below 4/3 of the best possible one, which is
            // no smaller than a fourth of the samples or the largest group.
            let largest_group = gathered(&groups).values().map(Vec::len).max().unwrap();
            let most = greedy.iter().map(|fold| fold.test.len()).max().unwrap();
            assert!(3 * most <= 4 * 30.max(largest_group), "seed {seed}: {most}");
        }
    }

    #[test]
    fn groups_do_not_depend_on_the_order_of_samples() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let reversed: Vec<&str> = names.into_iter().rev().collect();
        let parts = |names: &[&str]| {
            let folds = group_k_fold(names, 3, 4).unwrap();
            let mut parts: Vec<Vec<String>> =
                folds.iter().map(|fold| fold.test.iter().map(|&sample| names[sample].to_string()).collect()).collect();
            parts.iter_mut().for_each(|part| part.sort());
            parts
        };
        assert_eq!(parts(&names), parts(&reversed));
    }

    /// Six groups of two classes that can be dealt evenly: one group of each class to each fold.
    #[test]
    fn classes_are_even_where_groups_allow_it() {
        let groups: Vec<String> = (0..60).map(|sample| format!("g{}", sample / 10)).collect();
        let ids = (0..60).map(|sample| u32::from(sample >= 30)).collect();
        let labels = Labels::Class { ids, names: vec!["a".into(), "b".into()] };
        for fold in stratified_group_k_fold(&labels, &groups, 3, 1).unwrap() {
            let ones = fold.test.iter().filter(|&&sample| sample >= 30).count();
            assert_eq!((fold.test.len(), ones), (20, 10));
        }
    }

    #[test]
    fn repeats_are_complete_and_differ() {
        let set = Dataset::new(vec![0.0; 30], vec![1], labels(30, &[1, 1], 3)).unwrap();
        let rule = Folds { repeats: 3, seed: 5, ..Folds::new(FoldsBy::KFold, 4) };
        let folds = rule.of(&set).unwrap();
        assert_eq!(folds.len(), 12);
        let repeats: Vec<&[Fold]> = folds.chunks(4).collect();
        repeats.iter().for_each(|folds| complete(folds, 30));
        assert_eq!(repeats[0], k_fold(30, 4, 5).unwrap(), "one repeat is the plain function");
        assert!(repeats[0] != repeats[1] && repeats[1] != repeats[2]);
        let (train, test) = folds[0].of(&set);
        assert_eq!((train.len(), test.len()), (22, 8));
    }

    #[test]
    fn what_cannot_be_divided_is_said() {
        let text = |result: Result<Vec<Fold>, DataError>| result.unwrap_err().to_string();
        assert_eq!(text(k_fold(9, 1, 0)), "folds: expected 2 or more, found 1; give for example k = 5");
        assert!(text(k_fold(3, 4, 0)).starts_with("4 folds: expected as many or more, found 3 samples;"));
        assert!(text(group_k_fold(&["a", "a", "b"], 3, 0)).contains("found 2 groups"));
        let rare =
            Labels::Class { ids: vec![0, 0, 0, 0, 1], names: ["often", "rare", "never"].map(String::from).into() };
        let expected = "2 stratified folds: expected as many samples of each class, found 1 of class `rare`;";
        assert!(text(stratified_k_fold(&rare, 2, 0)).starts_with(expected));
        assert!(text(stratified_k_fold(&Labels::Value(vec![0.0; 9]), 2, 0)).contains("labels that are classes"));
        assert!(stratified_group_k_fold(&rare, &["a"], 2, 0).is_err());
        let set = Dataset::new(vec![0.0; 5], vec![1], rare).unwrap();
        assert!(text(Folds::new(FoldsBy::GroupKFold, 2).of(&set)).contains("columns"));
        let rule = Folds { columns: vec!["person".into()], ..Folds::new(FoldsBy::GroupKFold, 2) };
        assert!(text(rule.of(&set)).contains("expected a group column `person`"));
        assert!(Folds { repeats: 0, ..Folds::new(FoldsBy::KFold, 2) }.of(&set).is_err());
    }
}
