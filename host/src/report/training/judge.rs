//! A judgement as a report tells it.

use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage, codecs::png::PngEncoder};

use super::judged::{CalibrationRange, Curves, Example, Judged, Look, ResidualRange};
use crate::data::{DataError, Draw, Labels, Source};
use crate::report::number::short;
use crate::train::Judgement;

/// Examples that are kept, and how many of them may be the same mistake.
const EXAMPLES: usize = 24;
const ALIKE: usize = 4;
/// Points of curves, and samples of a scatter plot.
const POINTS: usize = 200;
const SCATTER: usize = 400;
/// Ranges of errors.
const RANGES: usize = 24;
/// Pixels of a picture's longer side; larger ones are scaled down.
const PIXELS: u32 = 112;
/// Numbers of a trace's channel that are kept.
const TRACE: usize = 400;
/// Numbers up to which a sample is shown as a row.
const ROW: usize = 16;

impl Judged {
    /// What a judgement says, with examples from the samples as they came from the sensor; `names` are those of the
    /// columns where samples are rows of a table, else empty. Reads the samples that are shown, and no others.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn new(of: &str, judgement: &Judgement, raw: &dyn Source, names: &[String]) -> Result<Judged, DataError> {
        let metrics = judgement.usual().into_iter().map(|(metric, value)| (metric.to_string(), value)).collect();
        let mut judged = Judged { of: of.into(), metrics, ..Judged::default() };
        if let Some(tally) = &judgement.tally {
            let ranges = tally.calibration().into_iter().flat_map(|calibration| calibration.bins());
            let range = |bin: crate::metrics::CalibrationBin| CalibrationRange {
                confidence: bin.confidence,
                accuracy: bin.accuracy,
                samples: bin.samples,
            };
            judged.calibration = ranges.map(range).collect();
            judged.curves = curves(tally, raw.labels());
        }
        match raw.labels() {
            Labels::Class { ids, names: classes } if judgement.predicted.len() == ids.len() => {
                let wrong = |&i: &usize| ids[i] != judgement.predicted[i];
                judged.mistakes = (0..ids.len()).filter(wrong).count() as u64;
                let sure = |i: usize| judgement.confidence.get(i).copied().unwrap_or(0.0);
                let mut order: Vec<usize> = (0..ids.len()).filter(wrong).collect();
                order.sort_by(|&a, &b| sure(b).total_cmp(&sure(a)).then(a.cmp(&b)));
                let name = |class: u32| classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
                for index in varied(&order, |i| (ids[i], judgement.predicted[i])) {
                    judged.examples.push(Example {
                        sample: index as u64,
                        right: name(ids[index]),
                        predicted: name(judgement.predicted[index]),
                        confidence: judgement.confidence.get(index).map(|&c| c.into()),
                        look: Look::None,
                    });
                }
            }
            Labels::Value(values) if judgement.numbers.len() == values.len() => {
                numbers(&mut judged, values, &judgement.numbers);
            }
            _ => {}
        }
        looks(&mut judged.examples, raw, names)?;
        Ok(judged)
    }
}

/// The first of each kind of mistake where not all can be shown, so that a page doesn't show one kind alone.
fn varied<K: PartialEq>(order: &[usize], kind: impl Fn(usize) -> K) -> Vec<usize> {
    if order.len() <= EXAMPLES {
        return order.to_vec();
    }
    let mut seen: Vec<(K, usize)> = Vec::new();
    let mut chosen = Vec::new();
    for &index in order {
        let key = kind(index);
        let count = match seen.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => count,
            None => {
                seen.push((key, 0));
                let Some((_, count)) = seen.last_mut() else { continue };
                count
            }
        };
        *count += 1;
        if *count <= ALIKE {
            chosen.push(index);
        }
        if chosen.len() == EXAMPLES {
            break;
        }
    }
    chosen
}

fn curves(tally: &crate::metrics::Tally, labels: &Labels) -> Option<Curves> {
    let confusion = tally.confusion();
    let [ranking] = tally.rankings() else { return None };
    let points = ranking.thresholds(POINTS).ok()?;
    let positive = match labels {
        Labels::Class { names, .. } => names.get(1).cloned().unwrap_or_else(|| "1".into()),
        _ => "1".into(),
    };
    Some(Curves {
        positive,
        share: confusion.support(1) as f64 / confusion.samples().max(1) as f64,
        roc: points.iter().map(|p| (p.false_positive_rate, p.recall)).collect(),
        precision_recall: points.iter().map(|p| (p.recall, p.precision)).collect(),
    })
}

/// Scatter plot, errors in ranges, and the samples that are furthest off.
fn numbers(judged: &mut Judged, right: &[f32], predicted: &[f32]) {
    let step = right.len().div_ceil(SCATTER).max(1);
    let pairs = || right.iter().zip(predicted).map(|(&r, &p)| (f64::from(r), f64::from(p)));
    judged.predictions = pairs().step_by(step).collect();
    let errors: Vec<f64> = pairs().map(|(r, p)| p - r).collect();
    let (lo, hi) = errors.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &e| (lo.min(e), hi.max(e)));
    let width = (hi - lo) / RANGES as f64;
    if width > 0.0 && width.is_finite() {
        let mut counts = [0u64; RANGES];
        for error in &errors {
            counts[(((error - lo) / width) as usize).min(RANGES - 1)] += 1;
        }
        let range =
            |(i, &samples): (usize, &u64)| ResidualRange { middle: lo + (i as f64 + 0.5) * width, width, samples };
        judged.residuals = counts.iter().enumerate().map(range).collect();
    }
    let mut order: Vec<usize> = (0..errors.len()).filter(|&i| errors[i] != 0.0).collect();
    order.sort_by(|&a, &b| errors[b].abs().total_cmp(&errors[a].abs()).then(a.cmp(&b)));
    judged.mistakes = order.len() as u64;
    judged.examples = order
        .into_iter()
        .take(EXAMPLES / 2)
        .map(|index| Example {
            sample: index as u64,
            right: short(right[index].into()),
            predicted: short(predicted[index].into()),
            confidence: None,
            look: Look::None,
        })
        .collect();
}

/// Reads the samples and makes them something to look at.
fn looks(examples: &mut [Example], raw: &dyn Source, names: &[String]) -> Result<(), DataError> {
    let shape = raw.shape().to_vec();
    let mut samples = vec![0.0; examples.len() * raw.sample_len()];
    let indices: Vec<usize> = examples.iter().map(|example| example.sample as usize).collect();
    raw.read(Draw { indices: &indices, epoch: None }, &mut samples)?;
    // One scale for all pictures, so that a dark one looks dark.
    let finite = samples.iter().copied().filter(|v| v.is_finite());
    let range = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    for (example, sample) in examples.iter_mut().zip(samples.chunks(raw.sample_len().max(1))) {
        example.look = match shape[..] {
            [channels @ (1 | 3), height, width] if height > 1 && width > 1 => {
                picture(sample, channels, height, width, range)
            }
            [_, length] | [_, length, 1] | [_, 1, length] if length > 1 => trace(sample, length),
            [count] if count <= ROW || names.len() == count => row(sample, names),
            [count] => trace(sample, count),
            _ => Look::None,
        };
    }
    Ok(())
}

fn row(sample: &[f32], names: &[String]) -> Look {
    let name = |i: usize| names.get(i).cloned().unwrap_or_else(|| format!("x{i}"));
    Look::Row(sample.iter().enumerate().map(|(i, &value)| (name(i), short(value.into()))).collect())
}

fn trace(sample: &[f32], length: usize) -> Look {
    let thin = |channel: &[f32]| channel.iter().copied().step_by(length.div_ceil(TRACE).max(1)).collect();
    Look::Trace(sample.chunks(length.max(1)).take(8).map(thin).collect())
}

/// `[channels, height, width]` as a PNG.
fn picture(sample: &[f32], channels: usize, height: usize, width: usize, (lo, hi): (f32, f32)) -> Look {
    let scale = if hi > lo { 255.0 / (hi - lo) } else { 0.0 };
    let byte = |value: f32| ((value - lo) * scale).round() as u8;
    let plane = height * width;
    let at =
        |channel: usize, place: usize| sample.get(channel.min(channels - 1) * plane + place).copied().unwrap_or(lo);
    let (Ok(across), Ok(down)) = (u32::try_from(width), u32::try_from(height)) else { return Look::None };
    let whole = RgbImage::from_fn(across, down, |x, y| {
        let place = y as usize * width + x as usize;
        Rgb([0, 1, 2].map(|channel| byte(at(channel, place))))
    });
    let longer = across.max(down);
    let small = if longer > PIXELS {
        let size = |n: u32| (u64::from(n) * u64::from(PIXELS) / u64::from(longer)).max(1) as u32;
        resize(&whole, size(across), size(down), FilterType::Triangle)
    } else {
        whole
    };
    let mut file = Cursor::new(Vec::new());
    let (width, height) = small.dimensions();
    // A grey picture is a third of the size.
    let written = if channels == 1 {
        let grey: Vec<u8> = small.pixels().map(|pixel| pixel.0[0]).collect();
        PngEncoder::new(&mut file).write_image(&grey, width, height, ExtendedColorType::L8)
    } else {
        PngEncoder::new(&mut file).write_image(small.as_raw(), width, height, ExtendedColorType::Rgb8)
    };
    match written {
        Ok(()) => Look::Picture { width, height, png: BASE64_STANDARD.encode(file.into_inner()) },
        Err(_) => Look::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::metrics::{Metric, Needs, Tally};

    fn classes(ids: Vec<u32>) -> Labels {
        Labels::Class { ids, names: vec!["no".into(), "yes".into()] }
    }

    fn judgement(labels: &[u32], p: &[f64]) -> Judgement {
        let mut tally = Tally::new(Needs::Probabilities, 2, &[Metric::RocAuc]);
        let add = |(&label, &p): (&u32, &f64)| tally.add(label, &[1.0 - p, p]).unwrap();
        let predicted: Vec<u32> = labels.iter().zip(p).map(add).collect();
        let confidence = p.iter().map(|&p| p.max(1.0 - p) as f32).collect();
        Judgement { loss: 0.5, accuracy: Some(0.5), predicted, confidence, numbers: vec![], tally: Some(tally) }
    }

    #[test]
    fn the_surest_mistakes_come_first_and_are_shown() {
        let labels = [0, 1, 0, 1];
        let raw = Dataset::new((0..16).map(|i| i as f32).collect(), vec![1, 2, 2], classes(labels.to_vec())).unwrap();
        let judged = Judged::new("x", &judgement(&labels, &[0.75, 0.125, 0.25, 0.875]), &raw, &[]).unwrap();
        let shown: Vec<_> = judged.examples.iter().map(|e| (e.sample, e.right.as_str(), e.confidence)).collect();
        assert_eq!(shown, [(1, "yes", Some(0.875)), (0, "no", Some(0.75))]);
        assert_eq!(judged.mistakes, 2);
        let Look::Picture { width: 2, height: 2, png } = &judged.examples[0].look else { panic!("no picture") };
        let file = BASE64_STANDARD.decode(png).unwrap();
        let picture = image::load_from_memory(&file).unwrap().to_luma8();
        // Samples 0 and 1 are shown: 0 to 7 are black to white; sample 1 is 4, 5, 6, 7.
        assert_eq!(picture.as_raw(), &[146, 182, 219, 255]);
        let curves = judged.curves.unwrap();
        assert_eq!((curves.positive.as_str(), curves.share, curves.roc.last()), ("yes", 0.5, Some(&(1.0, 1.0))));
    }

    /// Scores 0.8 yes, 0.4 no, 0.35 yes, 0.1 no, 0.05 no: scikit-learn's `roc_curve` and `precision_recall_curve` at every threshold.
    #[test]
    fn curves_have_their_axes() {
        let labels = [0, 0, 1, 1, 0];
        let raw = Dataset::new(vec![0.0; 5], vec![1], classes(labels.to_vec())).unwrap();
        let judged = Judged::new("x", &judgement(&labels, &[0.1, 0.4, 0.35, 0.8, 0.05]), &raw, &[]).unwrap();
        let curves = judged.curves.unwrap();
        let third = 1.0 / 3.0;
        assert_eq!(curves.roc, [(0.0, 0.5), (third, 0.5), (third, 1.0), (2.0 * third, 1.0), (1.0, 1.0)]);
        assert_eq!(curves.precision_recall, [(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0), (1.0, 0.5), (1.0, 0.4)]);
        assert_eq!(curves.share, 0.4);
    }

    #[test]
    fn one_kind_of_mistake_leaves_room_for_others() {
        let order: Vec<usize> = (0..100).collect();
        let kinds = varied(&order, |i| if i < 90 { 0 } else { i });
        assert_eq!(kinds, [0, 1, 2, 3, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
    }

    #[test]
    fn numbers_are_scattered_and_their_errors_counted() {
        let right: Vec<f32> = (0..1000).map(|i| i as f32).collect();
        let predicted: Vec<f32> = right.iter().map(|r| if *r == 7.0 { 31.0 } else { r + (*r % 2.0) }).collect();
        let mut judged = Judged::default();
        numbers(&mut judged, &right, &predicted);
        assert!(judged.predictions.len() <= SCATTER && judged.residuals.len() == RANGES);
        assert_eq!(judged.residuals.iter().map(|range| range.samples).sum::<u64>(), 1000);
        assert_eq!((judged.examples[0].sample, judged.mistakes), (7, 500));
    }

    /// An error is what is predicted minus what is right, and its size says where it is furthest off.
    #[test]
    fn errors_have_their_sign_and_ranges_their_middle() {
        let mut judged = Judged::default();
        numbers(&mut judged, &[1.0, 2.0, 3.0], &[-19.0, 2.0, 7.0]);
        assert_eq!(judged.predictions, [(1.0, -19.0), (2.0, 2.0), (3.0, 7.0)]);
        // -20, 0 and 4: 24 ranges of 1 from -20 on, the last one with its end.
        let full = judged.residuals.iter().filter(|range| range.samples > 0).map(|range| (range.middle, range.width));
        assert_eq!(full.collect::<Vec<_>>(), [(-19.5, 1.0), (0.5, 1.0), (3.5, 1.0)]);
        assert_eq!(judged.examples.iter().map(|example| example.sample).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn every_shape_of_sample_looks_like_something() {
        let labels = [0, 1];
        for (shape, expected) in [
            (vec![3, 200, 100], "picture"),
            (vec![6, 25], "trace"),
            (vec![64], "trace"),
            (vec![4], "row"),
            (vec![5, 7, 7], "none"),
        ] {
            let size: usize = shape.iter().product();
            let raw = Dataset::new(vec![0.5; 2 * size], shape.clone(), classes(labels.to_vec())).unwrap();
            let judged = Judged::new("x", &judgement(&labels, &[0.75, 0.25]), &raw, &[]).unwrap();
            let json = serde_json::to_value(&judged.examples[0].look).unwrap();
            let name = json.as_str().map(String::from).or(json.as_object().and_then(|o| o.keys().next().cloned()));
            assert_eq!(name.as_deref(), Some(expected), "{shape:?}");
        }
    }
}
