//! Whether every sample of a part can be learnt or judged from, known before it is needed.

use super::dataset::Labels;
use super::error::DataError;
use super::set::Set;
use super::source::{Draw, Source};
use super::standardise::Standardise;

/// Numbers that are read at once, and samples for each thread, where that is more.
const PIECE: usize = 1 << 20;
const EACH: usize = 4;

/// Reads every sample of a part once, in pieces of a few megabytes, and refuses the first that can't be read or that isn't
/// finite once it is normalised. `names` are those of a sample's numbers, as far as they have any; tokens are taken as they
/// are.
///
/// # Errors
/// As [`Source::read`], and [`DataError::Mismatch`] with the part, the sample and the number.
pub fn check_part(part: &str, set: &Set, standardise: Option<&Standardise>, names: &[String]) -> Result<(), DataError> {
    if matches!(set.labels(), Labels::Tokens { .. }) {
        return Ok(());
    }
    let (channels, inner) =
        (set.shape().first().copied().unwrap_or(0), set.shape().iter().skip(1).product::<usize>().max(1));
    let size = set.sample_len().max(1);
    let indices: Vec<usize> = (0..set.len()).collect();
    for piece in indices.chunks((PIECE / size).max(EACH * rayon::current_num_threads())) {
        let draw = Draw { indices: piece, epoch: None };
        let mut values = vec![0.0; piece.len() * size];
        set.read(draw, &mut values)?;
        if let Some(standardise) = standardise {
            standardise.apply_to(&mut values, channels, inner)?;
        }
        let Some(place) = values.iter().position(|value| !value.is_finite()) else { continue };
        let (sample, number) = (piece[place / size], place % size);
        let mut raw = vec![0.0; size];
        set.read(Draw { indices: &[sample], epoch: None }, &mut raw)?;
        return Err(DataError::Mismatch {
            what: format!("{part} part: {}: {}", sample_name(set, sample), number_name(names, size, number)),
            expected: "a number that is finite once it is normalised".into(),
            found: shown(raw[number]),
            help: "mend or remove the sample",
        });
    }
    Ok(())
}

/// A sample in messages: its number, and where it lies.
pub(crate) fn sample_name(set: &dyn Source, sample: usize) -> String {
    match set.place(sample) {
        Some(place) => format!("sample {sample} ({place})"),
        None => format!("sample {sample}, counted from 0"),
    }
}

fn number_name(names: &[String], size: usize, number: usize) -> String {
    match names.get(number) {
        Some(name) if names.len() == size => format!("column `{name}`"),
        _ => format!("number {number}"),
    }
}

/// As people write it: `-12.5`, `3e38`.
pub(crate) fn shown(value: f32) -> String {
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    #[test]
    fn what_normalising_makes_infinite_is_named() {
        let set = Dataset::new(vec![1.0, 2.0, 3.0, 3e38], vec![2], Labels::None).unwrap();
        let standardise = Standardise { mean: vec![0.0; 2], inverse_std: vec![1.0, 10.0], ..Standardise::default() };
        let names = ["a".to_string(), "b".to_string()];
        for set in [Set::Memory(set.clone()), Set::stream(set.clone())] {
            check_part("test", &set, None, &names).unwrap();
            let text = check_part("test", &set, Some(&standardise), &names).unwrap_err().to_string();
            let expected = "test part: sample 1 (row 1, counted from 0): column `b`: expected a number that is finite once \
                            it is normalised, found 3e38; mend or remove the sample";
            assert_eq!(text, expected);
        }
        check_part("test", &Set::Memory(set.select(&[0])), Some(&standardise), &names).unwrap();
    }
}
