//! Samples that are read as they are needed, as a device reads them.

use super::dataset::Labels;
use super::error::DataError;
use super::rows::{MAKE_WHOLE, WHOLE, whole};
use super::source::{Blend, Draw, Source};

/// Another source's samples in the device's unit.
pub struct Readings<S> {
    source: S,
    scale: f32,
    integers: bool,
    names: Vec<String>,
}

impl<S: Source> Readings<S> {
    /// Every number times `scale`; with `integers` one that isn't a whole number of 16 bits then is refused when it is read,
    /// as [`Rows::check_whole`](super::Rows::check_whole) refuses it in a table. Costs a comparison a number.
    pub fn new(source: S, scale: f32, integers: bool) -> Self {
        Self { source, scale, integers, names: Vec::new() }
    }

    /// The same with the names of a sample's numbers, for errors.
    pub fn named(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }
}

impl<S: Source> Source for Readings<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn shape(&self) -> &[usize] {
        self.source.shape()
    }

    fn labels(&self) -> &Labels {
        self.source.labels()
    }

    /// # Errors
    /// As the source's; [`DataError::Cell`] with the sample's and the number's place for what is no integer.
    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        self.source.read(draw, out)?;
        if self.scale != 1.0 {
            out.iter_mut().for_each(|x| *x *= self.scale);
        }
        let size = self.sample_len().max(1);
        match out.iter().position(|&x| self.integers && whole(x).is_none()) {
            None => Ok(()),
            Some(place) => Err(DataError::Cell {
                file: "sample".into(),
                line: draw.indices.get(place / size).map_or(0, |&index| index as u64),
                column: self.names.get(place % size).cloned().unwrap_or_else(|| (place % size).to_string()),
                expected: WHOLE,
                found: out[place].to_string(),
                help: MAKE_WHOLE,
            }),
        }
    }

    fn read_tokens(&self, draw: Draw<'_>, out: &mut [u32]) -> Result<(), DataError> {
        self.source.read_tokens(draw, out)
    }

    fn place(&self, index: usize) -> Option<String> {
        self.source.place(index)
    }

    fn blends(&self, draw: Draw<'_>) -> Option<Vec<Blend>> {
        self.source.blends(draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, collect};

    #[test]
    fn readings_are_scaled_and_then_whole() {
        let set = Dataset::new(vec![1.0, 2.0, 3.0, 4.5, 5.0, 6.0], vec![2], Labels::None).unwrap();
        let doubled = collect(&Readings::new(set.clone(), 2.0, true), 1000).unwrap();
        assert_eq!(doubled.features, [2.0, 4.0, 6.0, 9.0, 10.0, 12.0]);
        let mut out = [0.0; 4];
        let whole = Readings::new(set.clone(), 1.0, true);
        whole.read(Draw { indices: &[2, 0], epoch: None }, &mut out).unwrap();
        let text = whole.read(Draw { indices: &[2, 1], epoch: None }, &mut out).unwrap_err().to_string();
        assert!(text.starts_with("sample:1: column `1`: expected a whole number from -32768 to 32767"), "{text}");
        assert!(text.contains("found 4.5; choose a unit"), "{text}");
        let named = Readings::new(set.clone(), 1.0, true).named(vec!["mass".into(), "length".into()]);
        let text = named.read(Draw { indices: &[1], epoch: None }, &mut out[..2]).unwrap_err().to_string();
        assert!(text.starts_with("sample:1: column `length`: expected a whole number"), "{text}");
        Readings::new(set.clone(), 1.0, false).read(Draw { indices: &[2, 1], epoch: None }, &mut out).unwrap();
        assert!(collect(&Readings::new(set, 1e4, true), 1000).unwrap_err().to_string().contains("found 45000"));
    }
}
