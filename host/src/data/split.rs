//! Splits: which samples are for fitting and which for judging.
//!
//! Every split names two lists of indices into the set; [`Dataset::select`] takes them. `share` is always that of the
//! first. Choose by what the figure must promise: [`group`] or [`filter`] for a new person or device, [`head`] for a user
//! whose first minutes are learnt, [`stratified`] only where samples are independent. Neighbouring windows aren't: cut
//! rows first, then windows.

use super::dataset::{Dataset, Labels};
use super::error::DataError;
use super::random::{hash, hash_text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Any of this module's splits as a value, so that a file can name it: in TOML `{ by = "group", columns = ["person"],
/// share = 0.8, seed = 1 }`, or `{ by = "filter", conditions = ["wrist=right"] }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are the parameters of the functions that the variants link to")]
pub enum Rule {
    /// [`fraction`].
    Fraction { share: f64, seed: u64 },
    /// [`stratified`].
    Stratified { share: f64, seed: u64 },
    /// [`group`].
    Group { columns: Vec<String>, share: f64, seed: u64 },
    /// [`filter`].
    Filter { conditions: Vec<String> },
    /// [`head`]: for rows, before windows are cut.
    Head { share: f64 },
}

impl Rule {
    /// Calls the function that the rule names.
    ///
    /// # Errors
    /// As that function.
    pub fn split(&self, set: &Dataset) -> Result<Split, DataError> {
        match self {
            Self::Fraction { share, seed } => fraction(set, *share, *seed),
            Self::Stratified { share, seed } => stratified(set, *share, *seed),
            Self::Group { columns, share, seed } => group(set, columns, *share, *seed),
            Self::Filter { conditions } => filter(set, conditions),
            Self::Head { share } => head(set, *share),
        }
    }
}

/// Two lists of sample indices that share none, each ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The `share`, or what matches.
    pub first: Vec<usize>,
    /// All others.
    pub rest: Vec<usize>,
}

impl Split {
    /// Both parts of the set.
    pub fn of(&self, set: &Dataset) -> (Dataset, Dataset) {
        (set.select(&self.first), set.select(&self.rest))
    }

    fn by(len: usize, first: impl Fn(usize) -> bool) -> Self {
        let (first, rest) = (0..len).partition(|&index| first(index));
        Self { first, rest }
    }

    /// The split, unless a part is empty.
    fn checked(self, how: &str) -> Result<Self, DataError> {
        if self.first.is_empty() || self.rest.is_empty() {
            return Err(DataError::Mismatch {
                what: format!("split by {how}"),
                expected: "samples in both parts".into(),
                found: format!("{} and {}", self.first.len(), self.rest.len()),
                help: "change the share or the condition, or give more data",
            });
        }
        Ok(self)
    }
}

/// A random share of the samples: those with the smallest `hash(seed, index)`.
///
/// # Errors
/// [`DataError::Mismatch`] if the share isn't between 0 and 1 or a part would be empty.
pub fn fraction(set: &Dataset, share: f64, seed: u64) -> Result<Split, DataError> {
    let chosen = chosen(&(0..set.len()).collect::<Vec<_>>(), checked(share)?, seed);
    Split::by(set.len(), marked(set.len(), &chosen)).checked("fraction")
}

/// A random share of each class, so that both parts have the same balance. A class of two samples or more has one in
/// each part; a single one goes to the first.
///
/// # Errors
/// As [`fraction`], or if the set has no classes.
pub fn stratified(set: &Dataset, share: f64, seed: u64) -> Result<Split, DataError> {
    let share = checked(share)?;
    let Labels::Class { ids, names } = &set.labels else {
        return Err(DataError::Mismatch {
            what: "stratified split".into(),
            expected: "labels that are classes".into(),
            found: "none".into(),
            help: "load with a class label, or split by fraction",
        });
    };
    let mut classes = vec![Vec::new(); names.len()];
    ids.iter().enumerate().for_each(|(index, &class)| classes[class as usize].push(index));
    let chosen: Vec<usize> = classes.iter().flat_map(|class| chosen(class, share, seed)).collect();
    Split::by(set.len(), marked(set.len(), &chosen)).checked("class")
}

/// A random share of the groups, where a group is one combination of values in `columns`: all samples of a group are in
/// the same part. Which groups are chosen depends on their names and the seed, not on the order of the samples. The share
/// counts groups, rounded, at least one in each part: 0.7 of 10 people is 7 people.
///
/// # Errors
/// As [`fraction`], or [`DataError::Unknown`] for a column that isn't there.
pub fn group(set: &Dataset, columns: &[impl AsRef<str>], share: f64, seed: u64) -> Result<Split, DataError> {
    let share = checked(share)?;
    let keys = self::groups(set, columns)?;
    let mut groups: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    keys.iter().enumerate().for_each(|(index, key)| groups.entry(key).or_default().push(index));
    let mut names: Vec<&String> = groups.keys().copied().collect();
    names.sort_by_key(|name| hash_text(seed, name));
    let chosen: Vec<usize> =
        names[..count(names.len(), share)].iter().flat_map(|name| &groups[*name]).copied().collect();
    Split::by(set.len(), marked(set.len(), &chosen)).checked("group")
}

/// The name of each sample's group, `[samples]`: its values in `columns`, joined.
///
/// # Errors
/// [`DataError::Unknown`] for a column that isn't there.
pub fn groups(set: &Dataset, columns: &[impl AsRef<str>]) -> Result<Vec<String>, DataError> {
    let columns = columns.iter().map(|name| column(set, name.as_ref())).collect::<Result<Vec<_>, _>>()?;
    // A unit separator between the parts of a key keeps ("ab", "c") and ("a", "bc") apart.
    let key = |index: usize| columns.iter().map(|column| column.text(index)).collect::<Vec<_>>().join("\u{1f}");
    Ok((0..set.len()).map(key).collect())
}

/// Samples that match every condition, and all others. A condition is `column=value`, `column=value|value` or
/// `column!=value|value` on group columns.
///
/// ```
/// # use emberlite_host::data::{CsvSpec, csv, split};
/// # let spec = CsvSpec::default().groups(["wrist", "person"]);
/// # let set = csv::parse("x", b"wrist,person,x\nright,1,5\nleft,1,6\nright,2,7\n", &spec)?;
/// let split = split::filter(&set, &["wrist=right", "person!=2"])?;
/// assert_eq!((split.first, split.rest), (vec![0], vec![1, 2]));
/// # Ok::<(), emberlite_host::data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Unknown`] for a column or value that isn't there, [`DataError::Mismatch`] for a condition without `=` or if
/// nothing or everything matches.
pub fn filter(set: &Dataset, conditions: &[impl AsRef<str>]) -> Result<Split, DataError> {
    let conditions: Vec<&str> = conditions.iter().map(AsRef::as_ref).collect();
    let mut matching = vec![true; set.len()];
    for condition in &conditions {
        let (name, values) = condition.split_once('=').ok_or_else(|| DataError::Mismatch {
            what: format!("condition `{condition}`"),
            expected: "column=value or column!=value".into(),
            found: "no `=`".into(),
            help: "write for example wrist=right or person!=3|7",
        })?;
        let (name, wanted) = match name.strip_suffix('!') {
            Some(name) => (name, false),
            None => (name, true),
        };
        let column = column(set, name.trim())?;
        let mut listed = vec![false; column.values.len()];
        for value in values.split('|').map(str::trim) {
            let place = column.values.iter().position(|known| known == value);
            listed[place.ok_or_else(|| DataError::Mismatch {
                what: format!("condition `{condition}`"),
                expected: format!("values of `{}`", name.trim()),
                found: format!("`{value}`, which no row has; there are: {}", listed_values(&column.values)),
                help: "write them as the file does",
            })?] = true;
        }
        matching.iter_mut().zip(&column.ids).for_each(|(all, &id)| *all &= listed[id as usize] == wanted);
    }
    Split::by(set.len(), |index| matching[index]).checked(&conditions.join(" and "))
}

/// The first `share` of each recording's rows, and what follows. Windows cut from the parts never reach over the cut.
///
/// # Errors
/// As [`fraction`], or if the samples are windows already.
pub fn head(rows: &Dataset, share: f64) -> Result<Split, DataError> {
    let share = checked(share)?;
    if rows.origins.iter().any(|origin| origin.rows != 1) {
        return Err(DataError::Mismatch {
            what: "head split".into(),
            expected: "rows".into(),
            found: format!("windows of shape {:?}, some of which reach over the cut", rows.shape),
            help: "split the rows, then cut each part into windows",
        });
    }
    let recordings = rows.origins.iter().map(|origin| origin.recording as usize + 1).max().unwrap_or(0);
    let mut recording = vec![Vec::new(); recordings];
    rows.origins.iter().enumerate().for_each(|(index, origin)| recording[origin.recording as usize].push(index));
    let mut chosen = Vec::new();
    for rows_of in &mut recording {
        rows_of.sort_by_key(|&index| rows.origins[index].row);
        chosen.extend_from_slice(&rows_of[..(rows_of.len() as f64 * share) as usize]);
    }
    Split::by(rows.len(), marked(rows.len(), &chosen)).checked("head of each recording")
}

fn checked(share: f64) -> Result<f64, DataError> {
    if share > 0.0 && share < 1.0 {
        return Ok(share);
    }
    Err(DataError::Mismatch {
        what: "share".into(),
        expected: "a number between 0 and 1".into(),
        found: share.to_string(),
        help: "give the share of the first part, such as 0.8",
    })
}

/// The rounded share of `len`, leaving at least one on each side where that is possible.
fn count(len: usize, share: f64) -> usize {
    ((len as f64 * share).round() as usize).max(1).min(len.saturating_sub(1).max(1)).min(len)
}

/// The share of `indices` with the smallest hashes.
fn chosen(indices: &[usize], share: f64, seed: u64) -> Vec<usize> {
    let mut order = indices.to_vec();
    order.sort_unstable_by_key(|&index| hash(seed, index as u64));
    order.truncate(count(indices.len(), share));
    order
}

fn marked(len: usize, chosen: &[usize]) -> impl Fn(usize) -> bool {
    let mut marks = vec![false; len];
    chosen.iter().for_each(|&index| marks[index] = true);
    move |index| marks[index]
}

fn column<'a>(set: &'a Dataset, name: &str) -> Result<&'a super::Column, DataError> {
    let names = || set.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    set.column(name).ok_or_else(|| unknown(name.into(), names()))
}

/// The first of many values.
fn listed_values(values: &[String]) -> String {
    const LISTED: usize = 20;
    let more = if values.len() > LISTED { ", …" } else { "" };
    values.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ") + more
}

fn unknown(name: String, known: String) -> DataError {
    let found = if known.is_empty() { "no group column".into() } else { known };
    DataError::Mismatch {
        what: "groups".into(),
        expected: format!("a group column `{name}`"),
        found,
        help: "name it in `groups` in [data], or divide by another",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CsvSpec, Window, csv, windows};

    /// 10 people with 12 rows each in 2 recordings, 3 classes.
    fn rows() -> Dataset {
        let mut text = "recording,person,wrist,label,x\n".to_string();
        for row in 0..120 {
            let (recording, wrist) = (row / 6, ["left", "right"][row / 6 % 2]);
            text += &format!("{recording},{},{wrist},{},{row}\n", row / 12, row % 3);
        }
        let spec = CsvSpec::class("label").recording("recording").groups(["person", "wrist"]);
        csv::parse("x", text.as_bytes(), &spec).unwrap()
    }

    fn whole(split: &Split, len: usize) {
        let mut all = [split.first.clone(), split.rest.clone()].concat();
        all.sort();
        assert!(all.into_iter().eq(0..len));
    }

    #[test]
    fn fraction_is_exact_and_follows_the_seed() {
        let set = rows();
        let split = fraction(&set, 0.25, 1).unwrap();
        whole(&split, 120);
        assert_eq!(split.first.len(), 30);
        assert_eq!(split, fraction(&set, 0.25, 1).unwrap());
        assert_ne!(split, fraction(&set, 0.25, 2).unwrap());
        assert_eq!(split.of(&set).1.len(), 90);
        for share in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(fraction(&set, share, 1).is_err());
        }
        assert!(fraction(&set.select(&[0]), 0.5, 1).is_err());
        assert!(fraction(&set.select(&[]), 0.5, 1).is_err());
    }

    #[test]
    fn stratified_keeps_the_balance() {
        let split = stratified(&rows(), 0.2, 5).unwrap();
        whole(&split, 120);
        assert_eq!(rows().select(&split.first).class_counts(), [8, 8, 8]);
        let few = stratified(&rows().select(&[0, 1, 3, 6]), 0.01, 5).unwrap();
        assert_eq!(few.first.len(), 2, "one of the three of class 0, the only one of class 1");
    }

    #[test]
    fn no_group_is_in_both_parts() {
        let set = rows();
        for seed in 0..50 {
            let split = group(&set, &["person"], 0.7, seed).unwrap();
            whole(&split, 120);
            assert_eq!(split.first.len(), 7 * 12);
            let person = set.column("person").unwrap();
            assert!(split.first.iter().all(|&a| split.rest.iter().all(|&b| person.ids[a] != person.ids[b])));
        }
        let chosen: std::collections::BTreeSet<_> =
            (0..50).map(|seed| group(&set, &["person"], 0.7, seed).unwrap().first).collect();
        // 120 choices of 7 people: 50 fair draws give about 41 different ones.
        assert!(chosen.len() > 25, "{} choices from 50 seeds", chosen.len());
        // 20 combinations of 6 rows; 0.5 of them.
        assert_eq!(group(&set, &["person", "wrist"], 0.5, 3).unwrap().first.len(), 60);
        let error = group(&set, &["device"], 0.5, 3).unwrap_err().to_string();
        assert!(error.contains("expected a group column `device`, found person, wrist;"), "{error}");
    }

    #[test]
    fn groups_are_chosen_by_name_whatever_the_order() {
        let set = rows();
        let backwards: Vec<usize> = (0..120).rev().collect();
        let turned = set.select(&backwards);
        let people = |set: &Dataset| {
            let split = group(set, &["person"], 0.3, 9).unwrap();
            let mut people: Vec<String> = split.first.iter().map(|&i| set.columns[0].text(i).into()).collect();
            people.sort();
            people
        };
        assert_eq!(people(&set), people(&turned));
    }

    #[test]
    fn a_rule_from_a_file_is_the_function_it_names() {
        let set = rows();
        let rule = |text| serde_json::from_str::<Rule>(text).unwrap().split(&set).unwrap();
        let split = rule(r#"{"by": "group", "columns": ["person"], "share": 0.7, "seed": 4}"#);
        assert_eq!(split, group(&set, &["person"], 0.7, 4).unwrap());
        let split = rule(r#"{"by": "filter", "conditions": ["wrist=left"]}"#);
        assert_eq!(split, filter(&set, &["wrist=left"]).unwrap());
        assert_eq!(rule(r#"{"by": "head", "share": 0.5}"#), head(&set, 0.5).unwrap());
    }

    #[test]
    fn filters_take_lists_and_their_opposite() {
        let set = rows();
        let split = filter(&set, &["wrist=right", "person!=0|1"]).unwrap();
        whole(&split, 120);
        assert_eq!(split.first.len(), 48);
        let text = |condition| filter(&set, &[condition]).unwrap_err().to_string();
        assert!(
            text("wrist=up")
                .contains("expected values of `wrist`, found `up`, which no row has; there are: left, right;")
        );
        assert!(text("wrist").contains("expected column=value"));
        assert!(text("wrist=left|right").contains("expected samples in both parts, found 120 and 0"));
    }

    #[test]
    fn no_window_reaches_over_the_head_cut() {
        let set = rows();
        let split = head(&set, 0.5).unwrap();
        whole(&split, 120);
        let (first, rest) = split.of(&set);
        let window = Window { label: crate::data::WindowLabel::Last, ..Window::new(2, 1) };
        let (first, rest) = (windows(&first, window).unwrap(), windows(&rest, window).unwrap());
        // 20 recordings of 6 rows: 3 + 3 rows, 2 windows each.
        assert_eq!((first.len(), rest.len()), (40, 40));
        assert!(first.origins.iter().all(|origin| origin.row + origin.rows <= 3));
        assert!(rest.origins.iter().all(|origin| origin.row >= 3));
        assert!(head(&first, 0.5).is_err());
    }
}
