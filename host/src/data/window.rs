//! Sliding windows over recordings.

use super::dataset::{Column, Dataset, Labels, Origin, pick};
use super::error::DataError;
use serde::{Deserialize, Serialize};

/// How rows become windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Rows in a window.
    pub length: usize,
    /// Rows from one window's start to the next one's.
    pub stride: usize,
    /// What a window is called whose rows belong to several classes.
    #[serde(default)]
    pub label: WindowLabel,
}

/// The class of a window whose rows differ in class. (A window's number to predict is always that of its last row.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowLabel {
    /// None: the window is left out.
    #[default]
    Uniform,
    /// That of the last row: what a device that decides after each window has to say.
    Last,
    /// The most frequent one; of equals the first in the order of the classes.
    Majority,
}

impl Window {
    /// Windows of `length` rows every `stride` rows; those of several classes are left out.
    pub const fn new(length: usize, stride: usize) -> Self {
        Self { length, stride, label: WindowLabel::Uniform }
    }
}

/// Cuts rows of shape `[channels]` into windows of shape `[channels, length]`.
///
/// A window holds consecutive rows of one recording with the same value in every group column: it never reaches over a
/// recording's end, a removed row, the cut of a [`head`](super::split::head) split, or from one person to the next. The
/// windows of a run of such rows start at its first row and every `stride` rows; a rest shorter than `length` is left
/// out. They come out recording by recording, in time order. Cost: `windows · channels · length` numbers copied.
///
/// # Errors
/// [`DataError::Mismatch`] if the samples aren't rows, length or stride is 0, or there isn't a single window.
pub fn windows(rows: &Dataset, window: Window) -> Result<Dataset, DataError> {
    if rows.shape.len() != 1 || rows.origins.iter().any(|origin| origin.rows != 1) {
        let expected = "rows of shape [channels]";
        return Err(mismatch(
            "windows",
            expected,
            format!("{:?}", rows.shape),
            "split and select rows before windowing",
        ));
    }
    if window.length == 0 || window.stride == 0 {
        let found = format!("length {}, stride {}", window.length, window.stride);
        return Err(mismatch("window", "length and stride of at least 1", found, "give both in rows"));
    }
    let order = ordered(rows);
    let mut starts = Vec::new();
    let mut longest = 0;
    for run in order.chunk_by(|&a, &b| joined(rows, a, b)) {
        longest = longest.max(run.len());
        starts.extend(run.windows(window.length).step_by(window.stride));
    }
    let windows: Vec<(&[usize], u32)> =
        starts.into_iter().filter_map(|run| Some((run, class(rows, run, window.label)?))).collect();
    if windows.is_empty() {
        let expected = "at least one run of that many rows of one recording, group and class";
        let help = "take a shorter window, or the label of the last row or the majority";
        return Err(mismatch(
            &format!("windows of {} rows", window.length),
            expected,
            format!("longest run {longest}"),
            help,
        ));
    }
    Ok(gather(rows, &windows, window.length))
}

fn mismatch(what: &str, expected: &str, found: String, help: &'static str) -> DataError {
    DataError::Mismatch { what: what.into(), expected: expected.into(), found, help }
}

/// Row indices by recording and time. Loaders may give interleaved recordings; selections may give any order.
fn ordered(rows: &Dataset) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| (rows.origins[index].recording, rows.origins[index].row));
    order
}

fn joined(rows: &Dataset, a: usize, b: usize) -> bool {
    let (before, after) = (rows.origins[a], rows.origins[b]);
    before.recording == after.recording
        && before.row.checked_add(1) == Some(after.row)
        && rows.columns.iter().all(|column| column.ids[a] == column.ids[b])
}

/// The class of a window, 0 where there are no classes; none if it is to be left out.
fn class(rows: &Dataset, run: &[usize], rule: WindowLabel) -> Option<u32> {
    let Labels::Class { ids, names } = &rows.labels else {
        return Some(0);
    };
    let last = ids[*run.last()?];
    match rule {
        WindowLabel::Uniform => run.iter().all(|&row| ids[row] == last).then_some(last),
        WindowLabel::Last => Some(last),
        WindowLabel::Majority => {
            let mut counts = vec![0usize; names.len()];
            run.iter().for_each(|&row| counts[ids[row] as usize] += 1);
            let most = counts.iter().max()?;
            counts.iter().position(|count| count == most).map(|class| class as u32)
        }
    }
}

fn gather(rows: &Dataset, windows: &[(&[usize], u32)], length: usize) -> Dataset {
    let channels = rows.shape[0];
    let mut features = Vec::with_capacity(windows.len() * channels * length);
    for (run, _) in windows {
        for channel in 0..channels {
            features.extend(run.iter().map(|row| rows.features[row * channels + channel]));
        }
    }
    let firsts: Vec<usize> = windows.iter().map(|(run, _)| run[0]).collect();
    let labels = match &rows.labels {
        Labels::None => Labels::None,
        Labels::Class { names, .. } => {
            Labels::Class { ids: windows.iter().map(|&(_, class)| class).collect(), names: names.clone() }
        }
        Labels::Value(values) => Labels::Value(windows.iter().map(|(run, _)| values[run[length - 1]]).collect()),
        // The last row's, as for values.
        Labels::Tokens { .. } => {
            rows.labels.select(&windows.iter().map(|(run, _)| run[length - 1]).collect::<Vec<_>>())
        }
    };
    let spanned = |origin: Origin| Origin { rows: length as u32, ..origin };
    Dataset {
        features,
        shape: vec![channels, length],
        labels,
        columns: rows.columns.iter().map(|column: &Column| column.select(&firsts)).collect(),
        origins: pick(&rows.origins, &firsts).into_iter().map(spanned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CsvSpec, csv};

    /// Rows of recording, person, label, x, where x is the line's number.
    fn rows(lines: &[&str]) -> Dataset {
        let mut text = "recording,person,label,x\n".to_string();
        lines.iter().enumerate().for_each(|(number, line)| text += &format!("{line},{number}\n"));
        csv::parse("x", text.as_bytes(), &CsvSpec::class("label").recording("recording").groups(["person"])).unwrap()
    }

    fn firsts(set: &Dataset) -> Vec<f32> {
        set.features.chunks(set.sample_len()).map(|window| window[0]).collect()
    }

    #[test]
    fn windows_stay_within_recording_and_group() {
        let set = rows(&["a,p,w", "b,p,w", "a,p,w", "b,p,w", "a,p,w", "a,q,w", "a,q,w"]);
        let cut = windows(&set, Window::new(2, 1)).unwrap();
        // Recording a is rows 0 2 4 | 5 6, b is 1 3.
        assert_eq!(cut.features, [0.0, 2.0, 2.0, 4.0, 5.0, 6.0, 1.0, 3.0]);
        assert_eq!(cut.shape, [1, 2]);
        assert_eq!(cut.origins[2], Origin { recording: 0, row: 3, rows: 2 });
        assert_eq!(cut.columns[0].text(2), "q");
        assert!(windows(&cut, Window::new(1, 1)).is_err(), "windows of windows");
    }

    #[test]
    fn channels_come_first_and_a_rest_is_left_out() {
        let text = "x,y\n0,10\n1,11\n2,12\n3,13\n4,14\n";
        let set = csv::parse("x", text.as_bytes(), &CsvSpec::default()).unwrap();
        let cut = windows(&set, Window::new(2, 2)).unwrap();
        assert_eq!(cut.features, [0.0, 1.0, 10.0, 11.0, 2.0, 3.0, 12.0, 13.0]);
        assert!(windows(&set, Window::new(0, 1)).is_err() && windows(&set, Window::new(1, 0)).is_err());
        let error = windows(&set, Window::new(6, 1)).unwrap_err().to_string();
        assert!(error.contains("windows of 6 rows") && error.contains("longest run 5"), "{error}");
        // Lengths and strides near the largest number must not overflow.
        assert!(windows(&set, Window::new(usize::MAX, usize::MAX)).is_err());
        assert_eq!(windows(&set, Window::new(1, usize::MAX)).unwrap().len(), 1);
    }

    #[test]
    fn removed_rows_end_a_window() {
        let set = rows(&["a,p,w"; 6]);
        let cut = windows(&set.select(&[0, 1, 3, 4, 5]), Window::new(2, 1)).unwrap();
        assert_eq!(firsts(&cut), [0.0, 3.0, 4.0]);
        // What is left of recording b starts at the row number after the last one of a.
        let set = rows(&["a,p,w", "a,p,w", "b,p,w", "b,p,w", "b,p,w", "b,p,w"]);
        let cut = windows(&set.select(&[0, 1, 4, 5]), Window::new(2, 1)).unwrap();
        assert_eq!(firsts(&cut), [0.0, 4.0]);
    }

    #[test]
    fn mixed_classes_follow_the_rule() {
        let set = rows(&["a,p,w", "a,p,w", "a,p,s", "a,p,s"]);
        let classes = |label| match windows(&set, Window { length: 3, stride: 1, label }) {
            Ok(Dataset { labels: Labels::Class { ids, .. }, .. }) => ids,
            _ => Vec::new(),
        };
        assert!(classes(WindowLabel::Uniform).is_empty());
        assert_eq!(classes(WindowLabel::Last), [0, 0]);
        assert_eq!(classes(WindowLabel::Majority), [1, 0]);
    }
}
