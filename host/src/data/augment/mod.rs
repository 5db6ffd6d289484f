//! Augmentation: samples that are a little different in every epoch, of the training part alone.
//!
//! [`Augmented`] wraps a source and changes what it reads. What happens to sample `i` in epoch `e` is a function of the
//! seed, `e` and `i`, never of order, batch or thread; without an epoch (evaluation) samples are what they are. Each kind
//! of change has a counter of its own, so switching one on doesn't change what another does.
//!
//! Changes are made on raw values, before standardisation, in the order of the fields of [`Augmentation`].

mod dice;
mod image;
mod series;

use self::dice::Dice;
use self::image::Picture;
use self::series::Series;
use super::dataset::Labels;
use super::error::DataError;
use super::source::{Blend, Draw, Source, fnv};
use rayon::prelude::*;
use std::sync::Arc;

/// What may happen to a sample; the default is nothing.
///
/// Pictures are samples `[channels, height, width]`, series `[channels, length]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentation {
    /// Pictures: how likely left and right change places.
    pub flip_horizontal: f64,
    /// Pictures: how likely top and bottom change places.
    pub flip_vertical: f64,
    /// Pictures: turned by up to so many degrees either way.
    pub rotate: f64,
    /// Pictures: so many times larger, from and to. Series: each channel times a factor, from and to.
    pub scale: Option<(f64, f64)>,
    /// Pictures: cut at random from a border of so many pixels of 0 ("random crop with padding").
    pub crop: usize,
    /// Pictures: all values times 1 plus or minus up to this.
    pub brightness: f64,
    /// Pictures: distance from the mean grey, likewise.
    pub contrast: f64,
    /// Pictures: distance from grey, likewise.
    pub saturation: f64,
    /// Pictures: the side of a square that becomes the picture's mean.
    pub cutout: usize,
    /// Series: noise of this standard deviation, in the unit of the data.
    pub jitter: f64,
    /// Series: channels in threes turned about a random axis by up to so many degrees.
    pub rotate_axes: f64,
    /// Series: time runs faster and slower by up to this share of its speed.
    pub time_warp: f64,
    /// Series: moved by up to so many steps either way.
    pub shift: usize,
    /// Any: two samples and their labels are mixed, `share x + (1 - share) x'` with a share from Beta(mixup, mixup) or 1
    /// less it, whichever is larger (Zhang et al., 2018; labels of the heavier one count for accuracy); 0 is off.
    pub mixup: f64,
}

/// The names of the changes and the samples they are for: 3 pictures, 2 series, 0 both.
pub const CHANGES: [(&str, usize); 14] = [
    ("flip_horizontal", 3),
    ("flip_vertical", 3),
    ("rotate", 3),
    ("scale", 0),
    ("crop", 3),
    ("brightness", 3),
    ("contrast", 3),
    ("saturation", 3),
    ("cutout", 3),
    ("jitter", 2),
    ("rotate_axes", 2),
    ("time_warp", 2),
    ("shift", 2),
    ("mixup", 0),
];

impl Augmentation {
    /// Every change that is on, and the seed, as a run is known by: `rotate = 30, scale = 0.8 to 1.2, seed = 7`.
    fn words(&self, seed: u64) -> String {
        // Whole, so that a new change must be told.
        let Augmentation {
            flip_horizontal,
            flip_vertical,
            rotate,
            scale,
            crop,
            brightness,
            contrast,
            saturation,
            cutout,
            jitter,
            rotate_axes,
            time_warp,
            shift,
            mixup,
        } = *self;
        let number = |x: f64| (x != 0.0).then(|| x.to_string());
        let count = |x: usize| (x != 0).then(|| x.to_string());
        let all = [
            number(flip_horizontal),
            number(flip_vertical),
            number(rotate),
            scale.map(|(from, to)| format!("{from} to {to}")),
            count(crop),
            number(brightness),
            number(contrast),
            number(saturation),
            count(cutout),
            number(jitter),
            number(rotate_axes),
            number(time_warp),
            count(shift),
            number(mixup),
        ];
        let on = CHANGES.iter().zip(all).filter_map(|((name, _), value)| Some(format!("{name} = {}, ", value?)));
        on.collect::<String>() + &format!("seed = {seed}")
    }

    /// Which change of [`CHANGES`] isn't for samples of that shape, or out of its range; with what is expected.
    pub fn wrong(&self, shape: &[usize], labels: &Labels) -> Option<(&'static str, &'static str)> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let angle = |x: f64| (0.0..=180.0).contains(&x);
        let colour = |x: f64| (0.0..1.0).contains(&x);
        let sides = [shape.get(1).copied().unwrap_or(0), shape.get(2).copied().unwrap_or(0)];
        let zoom = self.scale.is_none_or(|(from, to)| from > 0.0 && from <= to && to <= 10.0);
        let ranges = [
            (share(self.flip_horizontal), "a probability, 0 to 1"),
            (share(self.flip_vertical), "a probability, 0 to 1"),
            (angle(self.rotate), "degrees, 0 to 180"),
            (zoom, "[from, to] with 0 < from <= to <= 10"),
            (self.crop == 0 || self.crop < sides[0].min(sides[1]), "fewer pixels than the picture has"),
            (colour(self.brightness), "a share, 0 to below 1"),
            (colour(self.contrast), "a share, 0 to below 1"),
            (colour(self.saturation), "a share, 0 to below 1"),
            (self.cutout == 0 || self.cutout < sides[0].max(sides[1]), "fewer pixels than the picture has"),
            (self.jitter >= 0.0 && self.jitter.is_finite(), "a deviation of 0 or more"),
            (angle(self.rotate_axes), "degrees, 0 to 180"),
            (colour(self.time_warp), "a share, 0 to below 1"),
            (self.shift == 0 || self.shift < sides[0], "fewer steps than the window has"),
            ((0.0..=100.0).contains(&self.mixup), "0 to 100"),
        ];
        let on = [
            self.flip_horizontal != 0.0,
            self.flip_vertical != 0.0,
            self.rotate != 0.0,
            self.scale.is_some(),
            self.crop != 0,
            self.brightness != 0.0,
            self.contrast != 0.0,
            self.saturation != 0.0,
            self.cutout != 0,
            self.jitter != 0.0,
            self.rotate_axes != 0.0,
            self.time_warp != 0.0,
            self.shift != 0,
            self.mixup != 0.0,
        ];
        let rank = shape.len();
        let mut all = CHANGES.iter().zip(ranges).zip(on);
        all.find_map(|((&(name, wanted), (in_range, expected)), on)| match wanted {
            _ if !on => None,
            3 if rank != 3 => Some((name, "samples of shape [channels, height, width]")),
            2 if rank != 2 => Some((name, "samples of shape [channels, length]")),
            0 if name == "scale" && rank != 2 && rank != 3 => Some((name, "pictures or series")),
            0 if name == "mixup" && matches!(labels, Labels::None | Labels::Tokens { .. }) => {
                Some((name, "samples with one label each"))
            }
            _ if !in_range => Some((name, expected)),
            _ => None,
        })
    }

    /// Changes one sample in place.
    fn change(&self, shape: &[usize], values: &mut [f32], dice: impl Fn(u64) -> Dice) {
        match *shape {
            [channels, height, width] => {
                self.picture(&mut Picture { pixels: values, channels, height, width }, dice);
            }
            [_, length] => self.series(&mut Series { values, length }, dice),
            _ => {}
        }
    }

    fn picture(&self, picture: &mut Picture<'_>, dice: impl Fn(u64) -> Dice) {
        if dice(0).uniform() < self.flip_horizontal {
            picture.flip_horizontal();
        }
        if dice(1).uniform() < self.flip_vertical {
            picture.flip_vertical();
        }
        if self.rotate > 0.0 || self.scale.is_some() {
            let zoom = self.scale.map_or(1.0, |(from, to)| dice(3).between(from, to));
            picture.turn(dice(2).between(-self.rotate, self.rotate), zoom);
        }
        if self.crop > 0 {
            let mut dice = dice(4);
            let mut step = || dice.below(2 * self.crop + 1) as i64 - self.crop as i64;
            let (right, down) = (step(), step());
            picture.shift(right, down);
        }
        let factor = |step, most: f64| 1.0 + dice(step).between(-most, most) as f32;
        if self.brightness > 0.0 {
            picture.brightness(factor(5, self.brightness));
        }
        if self.contrast > 0.0 {
            picture.contrast(factor(6, self.contrast));
        }
        if self.saturation > 0.0 {
            picture.saturation(factor(7, self.saturation));
        }
        if self.cutout > 0 {
            picture.cutout(self.cutout, &mut dice(8));
        }
    }

    fn series(&self, series: &mut Series<'_>, dice: impl Fn(u64) -> Dice) {
        if let Some((from, to)) = self.scale {
            series.scale(from, to, &mut dice(3));
        }
        if self.jitter > 0.0 {
            series.jitter(self.jitter, &mut dice(9));
        }
        if self.rotate_axes > 0.0 {
            series.rotate_axes(self.rotate_axes, &mut dice(10));
        }
        if self.time_warp > 0.0 {
            series.time_warp(self.time_warp, &mut dice(11));
        }
        if self.shift > 0 {
            series.shift(dice(12).below(2 * self.shift + 1) as i64 - self.shift as i64);
        }
    }
}

/// Another source's samples, changed in every epoch anew.
pub struct Augmented {
    source: Arc<dyn Source>,
    settings: Augmentation,
    seed: u64,
}

impl Augmented {
    /// Wraps a source.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] naming a change that isn't for such samples or out of range.
    pub fn new(source: Arc<dyn Source>, settings: Augmentation, seed: u64) -> Result<Self, DataError> {
        match settings.wrong(source.shape(), source.labels()) {
            None => Ok(Self { source, settings, seed }),
            Some((name, expected)) => Err(DataError::Mismatch {
                what: format!("augmentation `{name}`"),
                expected: expected.into(),
                found: format!("samples of shape {:?}", source.shape()),
                help: "change the setting or leave it out",
            }),
        }
    }

    fn dice(&self, epoch: u32, sample: usize, step: u64) -> Dice {
        Dice::new(self.seed, epoch, sample, step)
    }

    fn blend(&self, epoch: u32, sample: usize) -> Blend {
        let mut dice = self.dice(epoch, sample, 13);
        let other = dice.below(self.source.len());
        let share = dice.beta(self.settings.mixup);
        Blend { other, share: share.max(1.0 - share) as f32 }
    }
}

impl Source for Augmented {
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
        let Some(epoch) = draw.epoch else { return Ok(()) };
        let (shape, size) = (self.shape(), self.sample_len().max(1));
        let change = |indices: &[usize], values: &mut [f32]| {
            indices.par_iter().zip(values.par_chunks_exact_mut(size)).for_each(|(&sample, values)| {
                self.settings.change(shape, values, |step| self.dice(epoch, sample, step));
            });
        };
        change(draw.indices, out);
        let Some(blends) = self.blends(draw) else { return Ok(()) };
        let others: Vec<usize> = blends.iter().map(|blend| blend.other).collect();
        let mut values = vec![0.0; out.len()];
        self.source.read(Draw { indices: &others, ..draw }, &mut values)?;
        change(&others, &mut values);
        for ((out, other), blend) in out.chunks_exact_mut(size).zip(values.chunks_exact(size)).zip(blends) {
            let share = blend.share;
            out.iter_mut().zip(other).for_each(|(x, other)| *x = share * *x + (1.0 - share) * other);
        }
        Ok(())
    }

    fn read_tokens(&self, draw: Draw<'_>, out: &mut [u32]) -> Result<(), DataError> {
        self.source.read_tokens(draw, out)
    }

    fn place(&self, index: usize) -> Option<String> {
        self.source.place(index)
    }

    fn blends(&self, draw: Draw<'_>) -> Option<Vec<Blend>> {
        let epoch = draw.epoch.filter(|_| self.settings.mixup > 0.0)?;
        Some(draw.indices.iter().map(|&sample| self.blend(epoch, sample)).collect())
    }

    /// A run goes on with the same changes only.
    fn fingerprint(&self) -> Result<u64, DataError> {
        let settings = self.settings.words(self.seed);
        Ok(fnv(std::iter::once(self.source.fingerprint()?).chain(settings.bytes().map(u64::from))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    fn set() -> Arc<Dataset> {
        let labels = Labels::Class { ids: vec![0, 1, 2], names: ["a", "b", "c"].map(String::from).to_vec() };
        Arc::new(Dataset::new((0..36).map(|x| x as f32).collect(), vec![1, 3, 4], labels).unwrap())
    }

    fn read(source: &dyn Source, indices: &[usize], epoch: Option<u32>) -> Vec<f32> {
        let mut out = vec![0.0; indices.len() * source.sample_len()];
        source.read(Draw { indices, epoch }, &mut out).unwrap();
        out
    }

    #[test]
    fn a_run_is_known_by_the_changes_that_are_on() {
        // What checkpoints are kept under: other words end the resuming of augmented runs.
        let all = Augmentation {
            flip_horizontal: 0.5,
            flip_vertical: 0.25,
            rotate: 30.0,
            scale: Some((0.8, 1.2)),
            crop: 1,
            brightness: 0.1,
            contrast: 0.2,
            saturation: 0.3,
            cutout: 4,
            jitter: 1e-9,
            rotate_axes: 10.0,
            time_warp: 0.125,
            shift: 2,
            mixup: 1.0,
        };
        assert_eq!(
            all.words(7),
            "flip_horizontal = 0.5, flip_vertical = 0.25, rotate = 30, scale = 0.8 to 1.2, crop = 1, brightness = 0.1, \
             contrast = 0.2, saturation = 0.3, cutout = 4, jitter = 0.000000001, rotate_axes = 10, time_warp = 0.125, shift = 2, \
             mixup = 1, seed = 7"
        );
        assert_eq!(Augmentation::default().words(1), "seed = 1");
    }

    #[test]
    fn a_sample_is_the_same_in_any_batch_and_another_in_any_epoch() {
        let settings = Augmentation { rotate: 30.0, crop: 1, brightness: 0.5, mixup: 1.0, ..Augmentation::default() };
        let set = Augmented::new(set(), settings, 7).unwrap();
        let batch = read(&set, &[2, 0, 1], Some(4));
        assert_eq!(batch[12..24], read(&set, &[0], Some(4)));
        assert_ne!(read(&set, &[0], Some(4)), read(&set, &[0], Some(5)));
        assert_eq!(read(&set, &[1], None), (12..24).map(|x| x as f32).collect::<Vec<_>>());
        assert!(set.blends(Draw { indices: &[0], epoch: None }).is_none());
    }

    #[test]
    fn mixup_is_the_weighted_pair() {
        let settings = Augmentation { mixup: 0.4, ..Augmentation::default() };
        let set = Augmented::new(set(), settings, 1).unwrap();
        let mut mixed = 0;
        for epoch in 1..50 {
            let draw = Draw { indices: &[1], epoch: Some(epoch) };
            let Blend { other, share } = set.blends(draw).unwrap()[0];
            assert!((0.5..=1.0).contains(&share) && other < 3);
            let expected: Vec<f32> =
                (0..12).map(|i| share * (12 + i) as f32 + (1.0 - share) * (12 * other + i) as f32).collect();
            assert_eq!(read(&set, &[1], Some(epoch)), expected);
            mixed += usize::from(other != 1);
        }
        // Two of three partners are others: 33 of 49 expected, deviation 3.3.
        assert!((17..=49).contains(&mixed), "{mixed}");
    }

    #[test]
    fn flips_happen_as_often_as_asked() {
        let settings = Augmentation { flip_horizontal: 0.25, ..Augmentation::default() };
        let set = Augmented::new(set(), settings, 1).unwrap();
        let flipped = (0..400).filter(|&epoch| read(&set, &[0], Some(epoch))[0] == 3.0).count();
        // 100 expected, standard deviation 8.7; five of these.
        assert!(flipped.abs_diff(100) < 44, "{flipped} of 400");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let wrong = |settings| Augmented::new(set(), settings, 1).err().unwrap().to_string();
        let none = Augmentation::default();
        assert!(
            wrong(Augmentation { jitter: 0.1, ..none.clone() }).starts_with("augmentation `jitter`: expected samples")
        );
        assert!(wrong(Augmentation { crop: 3, ..none.clone() }).contains("`crop`: expected fewer pixels"));
        assert!(
            wrong(Augmentation { scale: Some((1.2, 0.8)), ..none.clone() }).contains("`scale`: expected [from, to]")
        );
        assert!(wrong(Augmentation { flip_vertical: 1.5, ..none }).contains("a probability"));
    }
}
