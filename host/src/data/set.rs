//! A set that is either in memory or read as it is needed, and what can be laid over one that is read.

use super::dataset::{Dataset, Labels};
use super::error::DataError;
use super::records::beyond;
use super::source::{Blend, Draw, Source, collect, fnv};
use super::standardise::Standardise;
use std::fmt;
use std::sync::Arc;

/// Numbers that [`Set::spread`] reads into memory at most, four bytes each: 64 MiB.
pub const SPREAD: usize = 1 << 24;

/// Samples for one use.
#[derive(Clone)]
pub enum Set {
    /// In memory.
    Memory(Dataset),
    /// Read as they are needed.
    Stream(Arc<dyn Source>),
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.in_memory() { "Memory" } else { "Stream" };
        write!(f, "{name}({} samples of {:?})", self.len(), self.shape())
    }
}

impl Set {
    /// Any samples.
    pub fn stream(source: impl Source + 'static) -> Self {
        Set::Stream(Arc::new(source))
    }

    /// As a source.
    pub fn source(&self) -> &dyn Source {
        match self {
            Set::Memory(set) => set,
            Set::Stream(source) => source.as_ref(),
        }
    }

    /// All samples in memory.
    ///
    /// # Errors
    /// As [`collect`].
    pub fn into_memory(self, limit: u64) -> Result<Dataset, DataError> {
        match self {
            Set::Memory(set) => Ok(set),
            Set::Stream(source) => collect(source.as_ref(), limit),
        }
    }

    /// Up to `count` samples in memory, the first and others evenly spread, fewer of large ones: together [`SPREAD`] numbers at
    /// most, but at least one sample; all of a set that is in memory anyway.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn spread(&self, count: usize) -> Result<Dataset, DataError> {
        match self {
            Set::Memory(set) => Ok(set.clone()),
            Set::Stream(source) => {
                let count = count.min(SPREAD / source.sample_len().max(1));
                let count = source.len().min(count.max(1));
                let indices = (0..count).map(|i| i * source.len() / count.max(1)).collect();
                collect(&Selected::new(Arc::clone(source), indices)?, u64::MAX)
            }
        }
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for an index beyond the end.
    pub fn select(&self, indices: &[usize]) -> Result<Set, DataError> {
        if indices.iter().any(|&index| index >= self.len()) {
            return Err(beyond(self.len()));
        }
        Ok(match self {
            Set::Memory(set) => Set::Memory(set.select(indices)),
            Set::Stream(source) => Set::stream(Selected::new(Arc::clone(source), indices.to_vec())?),
        })
    }

    /// With every channel standardised: in memory at once, else as it is read.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if the constants don't fit.
    pub fn standardised(&self, standardise: Option<&Standardise>) -> Result<Set, DataError> {
        Ok(match (self, standardise) {
            (_, None) => self.clone(),
            (Set::Memory(set), Some(standardise)) => {
                let mut set = set.clone();
                standardise.apply(&mut set)?;
                Set::Memory(set)
            }
            (Set::Stream(source), Some(standardise)) => {
                standardise.apply_to(&mut [], channels_of(source.shape()).0, 1)?;
                Set::stream(Standardised { source: Arc::clone(source), standardise: standardise.clone() })
            }
        })
    }
}

impl Source for Set {
    fn len(&self) -> usize {
        self.source().len()
    }

    fn shape(&self) -> &[usize] {
        self.source().shape()
    }

    fn labels(&self) -> &Labels {
        self.source().labels()
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        self.source().read(draw, out)
    }

    fn read_tokens(&self, draw: Draw<'_>, out: &mut [u32]) -> Result<(), DataError> {
        self.source().read_tokens(draw, out)
    }

    fn blends(&self, draw: Draw<'_>) -> Option<Vec<Blend>> {
        self.source().blends(draw)
    }

    fn place(&self, index: usize) -> Option<String> {
        self.source().place(index)
    }

    fn in_memory(&self) -> bool {
        self.source().in_memory()
    }

    fn fingerprint(&self) -> Result<u64, DataError> {
        self.source().fingerprint()
    }
}

/// Some samples of another source: a part of a split, without copying any.
pub struct Selected {
    source: Arc<dyn Source>,
    /// `[samples]`, indices into the source.
    indices: Vec<usize>,
    labels: Labels,
}

impl Selected {
    /// The samples at `indices`, in that order.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for an index beyond the end.
    pub fn new(source: Arc<dyn Source>, indices: Vec<usize>) -> Result<Self, DataError> {
        if indices.iter().any(|&index| index >= source.len()) {
            return Err(beyond(source.len()));
        }
        let labels = source.labels().select(&indices);
        Ok(Self { source, indices, labels })
    }

    fn inner(&self, indices: &[usize]) -> Result<Vec<usize>, DataError> {
        let place = |&index: &usize| self.indices.get(index).copied().ok_or_else(|| beyond(self.indices.len()));
        indices.iter().map(place).collect()
    }
}

impl Source for Selected {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> &[usize] {
        self.source.shape()
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        self.source.read(Draw { indices: &self.inner(draw.indices)?, ..draw }, out)
    }

    fn read_tokens(&self, draw: Draw<'_>, out: &mut [u32]) -> Result<(), DataError> {
        self.source.read_tokens(Draw { indices: &self.inner(draw.indices)?, ..draw }, out)
    }

    fn place(&self, index: usize) -> Option<String> {
        self.source.place(*self.indices.get(index)?)
    }
}

/// Channels, and the numbers of each.
fn channels_of(shape: &[usize]) -> (usize, usize) {
    (shape.first().copied().unwrap_or(0), shape.iter().skip(1).product())
}

/// Mean and deviation of each channel of samples that are read as they are needed: [`Standardise::fit`] in one pass, in
/// pieces of a few megabytes.
///
/// Means and squared deviations of pieces are joined by the formula of Chan, Golub and LeVeque (1979), in f64 and in the
/// order of the samples, so the result may differ from that of the other in the last bits.
///
/// # Errors
/// As [`Standardise::fit`] and [`Source::read`].
pub fn fit_stream(train: &dyn Source) -> Result<Standardise, DataError> {
    /// Numbers of a piece.
    const PIECE: usize = 1 << 20;
    let (channels, inner) = channels_of(train.shape());
    let size = train.sample_len().max(1);
    let indices: Vec<usize> = (0..train.len()).collect();
    let (mut count, mut mean, mut squares) = (0.0, vec![0f64; channels], vec![0f64; channels]);
    for piece in indices.chunks((PIECE / size).max(1)) {
        let mut values = vec![0.0; piece.len() * size];
        train.read(Draw { indices: piece, epoch: None }, &mut values)?;
        let planes = || values.chunks_exact(inner.max(1)).enumerate().map(|(i, plane)| (i % channels, plane));
        let own = (piece.len() * inner) as f64;
        let (mut own_mean, mut own_squares) = (vec![0f64; channels], vec![0f64; channels]);
        planes().for_each(|(channel, plane)| own_mean[channel] += plane.iter().map(|&x| f64::from(x)).sum::<f64>());
        own_mean.iter_mut().for_each(|sum| *sum /= own);
        planes().for_each(|(channel, plane)| {
            own_squares[channel] += plane.iter().map(|&x| (f64::from(x) - own_mean[channel]).powi(2)).sum::<f64>();
        });
        for channel in 0..channels {
            let apart = own_mean[channel] - mean[channel];
            mean[channel] += apart * own / (count + own);
            squares[channel] += own_squares[channel] + apart * apart * count * own / (count + own);
        }
        count += own;
    }
    // The rest, with its rules for channels that don't vary, is the fit of two samples of that mean and deviation.
    let deviation = |channel: usize| (squares[channel] / count).sqrt();
    let two = [-1.0, 1.0].iter().flat_map(|sign| (0..channels).map(move |channel| (sign, channel)));
    let two = two.map(|(sign, channel)| (mean[channel] + sign * deviation(channel)) as f32).collect();
    Standardise::fit(&Dataset::new(two, vec![channels], Labels::None)?)
}

/// Another source's samples, standardised as they are read.
struct Standardised {
    source: Arc<dyn Source>,
    standardise: Standardise,
}

impl Source for Standardised {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn shape(&self) -> &[usize] {
        self.source.shape()
    }

    fn labels(&self) -> &Labels {
        self.source.labels()
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        self.source.read(draw, out)?;
        let (channels, inner) = channels_of(self.source.shape());
        self.standardise.apply_to(out, channels, inner)
    }

    fn read_tokens(&self, draw: Draw<'_>, out: &mut [u32]) -> Result<(), DataError> {
        self.source.read_tokens(draw, out)
    }

    fn blends(&self, draw: Draw<'_>) -> Option<Vec<Blend>> {
        self.source.blends(draw)
    }

    fn place(&self, index: usize) -> Option<String> {
        self.source.place(index)
    }

    /// Of the samples as they are and of the constants: whatever else the source counts in, such as augmentation, counts.
    fn fingerprint(&self) -> Result<u64, DataError> {
        let Standardise { mean, inverse_std, .. } = &self.standardise;
        let constants = mean.iter().chain(inverse_std).map(|x| x.to_bits().into());
        Ok(fnv(std::iter::once(self.source.fingerprint()?).chain(constants)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200,000 samples of two channels of 3, two pieces, the second of which is elsewhere: what lies between the means of two
    /// pieces counts too. Both constants come out of two f32 numbers, so each is within two roundings of f32 of numbers up to
    /// 3e4.
    #[test]
    fn a_stream_is_fitted_like_a_set() {
        let noise = |i: usize| (crate::data::random::hash(5, i as u64) % 1000) as f32;
        let value = |i: usize| noise(i) + (i / 3 % 2) as f32 * 1e4 + (i >> 20) as f32 * 2e4;
        let numbers = (0..1_200_000).map(value).collect();
        let set = Dataset::new(numbers, vec![2, 3], Labels::None).unwrap();
        let (whole, stream) = (Standardise::fit(&set).unwrap(), fit_stream(&set).unwrap());
        for channel in 0..2 {
            let near = |a: f32, b: f32, bound: f32| assert!((a - b).abs() <= bound, "{a}, not {b}");
            near(stream.mean[channel], whole.mean[channel], whole.mean[channel] * f32::EPSILON);
            let spread = 1.0 / whole.inverse_std[channel];
            near(1.0 / stream.inverse_std[channel], spread, 2.0 * 3e4 * f32::EPSILON);
        }
        assert!(fit_stream(&set.select(&[])).is_err());
    }

    /// A quarter of [`SPREAD`] a sample, so that four fit.
    #[test]
    fn large_samples_are_spread_more_thinly() {
        struct Large(Labels, [usize; 1]);
        impl Source for Large {
            fn len(&self) -> usize {
                100
            }
            fn shape(&self) -> &[usize] {
                &self.1
            }
            fn labels(&self) -> &Labels {
                &self.0
            }
            fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
                let samples = draw.indices.iter().zip(out.chunks_mut(self.1[0]));
                samples.for_each(|(&index, out)| out[0] = index as f32);
                Ok(())
            }
        }
        let of = |size: usize| {
            let set = Set::stream(Large(Labels::None, [size])).spread(10).unwrap();
            (0..set.len()).map(|i| set.sample(i)[0]).collect::<Vec<_>>()
        };
        assert_eq!(of(SPREAD / 4), [0.0, 25.0, 50.0, 75.0]);
        assert_eq!(of(2 * SPREAD), [0.0]);
        assert_eq!(of(1)[..3], [0.0, 10.0, 20.0]);
    }

    #[test]
    fn parts_and_standardising_change_what_is_read() {
        let labels = Labels::Class { ids: vec![0, 1, 0], names: vec!["a".into(), "b".into()] };
        let set = Dataset::new(vec![1.0, 10.0, 2.0, 20.0, 3.0, 30.0], vec![2], labels).unwrap();
        let standardise = Standardise::fit(&set).unwrap();
        let stream = Set::stream(set.clone());
        let memory = Set::Memory(set);
        let part = |set: &Set| set.select(&[2, 0]).unwrap().standardised(Some(&standardise)).unwrap();
        let (a, b) = (part(&stream).into_memory(1000).unwrap(), part(&memory).into_memory(1000).unwrap());
        assert_eq!((a.features, a.labels, a.shape), (b.features, b.labels, b.shape));
        assert_eq!(stream.spread(2).unwrap().features, [1.0, 10.0, 2.0, 20.0]);
        assert!(stream.select(&[3]).is_err() && memory.select(&[3]).is_err());
        assert!(matches!(stream.into_memory(23), Err(DataError::TooLarge { .. })));
    }
}
