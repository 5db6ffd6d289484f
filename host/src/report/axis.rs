//! Where values lie on an axis, and which round numbers stand beside it.

/// The range of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    lo: f64,
    hi: f64,
    log: bool,
}

impl Axis {
    /// From the least to the largest value; a little room around a single one.
    pub(super) fn exact((lo, hi): (f64, f64)) -> Axis {
        if hi > lo { Axis { lo, hi, log: false } } else { Axis { lo: lo - 1.0, hi: lo + 1.0, log: false } }
    }

    /// Of a parameter: its whole range, by the logarithm if it is searched so.
    pub(super) fn range((lo, hi): (f64, f64), log: bool) -> Axis {
        if hi > lo { Axis { lo, hi, log: log && lo > 0.0 } } else { Axis::exact((lo, hi)) }
    }

    /// From zero, or a round number below it, to a round number above. Where positive values span more than two powers
    /// of ten it is logarithmic: a loss that falls from 2 to 0.01 would lie on the floor.
    pub(super) fn amounts((least, most): (f64, f64)) -> Axis {
        if least > 0.0 && most / least > 100.0 {
            return Axis { lo: least, hi: most, log: true };
        }
        let lo = least.min(0.0);
        let hi = if most > lo { most } else { lo + 1.0 };
        let step = step(lo, hi, 5);
        Axis { lo: (lo / step).floor() * step, hi: (hi / step - 1e-9).ceil() * step, log: false }
    }

    /// Shares: from a round number below the least to 1.
    pub(super) fn shares((least, _): (f64, f64)) -> Axis {
        let lo = ((least - 0.02) * 10.0).floor() / 10.0;
        Axis { lo: lo.clamp(0.0, 0.9), hi: 1.0, log: false }
    }

    /// Whether it is logarithmic.
    pub(super) fn is_log(&self) -> bool {
        self.log
    }

    /// Whether it reaches so far.
    pub(super) fn contains(&self, value: f64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// The place of a value: 0 at the start, 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.log {
            (value / self.lo).ln() / (self.hi / self.lo).ln()
        } else {
            // Halves, since a difference of two huge numbers may not be finite.
            (value / 2.0 - self.lo / 2.0) / (self.hi / 2.0 - self.lo / 2.0)
        };
        if place.is_finite() { place } else { 0.0 }
    }

    /// Round numbers on it: about `count`, or powers of ten with 2 and 5 where there is room.
    pub(super) fn ticks(&self, count: u32) -> Vec<f64> {
        if !self.log {
            let step = step(self.lo, self.hi, count);
            let first = (self.lo / step - 1e-9).ceil();
            return (0..=2 * count)
                .map(|i| (first + f64::from(i)) * step)
                .take_while(|&tick| tick <= self.hi + step * 1e-9)
                .collect();
        }
        let decades = self.lo.log10().floor() as i32..=self.hi.log10().ceil() as i32;
        let many = decades.clone().count();
        let factors: &[f64] = if many <= 4 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let skip = many.div_ceil(8).max(1);
        let ticks = decades.step_by(skip).flat_map(|power| factors.iter().map(move |f| f * 10f64.powi(power)));
        ticks.filter(|&tick| self.contains(tick)).collect()
    }
}

/// The distance of about `count` round numbers: 1, 2 or 5 times a power of ten.
fn step(lo: f64, hi: f64, count: u32) -> f64 {
    let raw = (hi / 2.0 - lo / 2.0) / f64::from(count) * 2.0;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= raw).unwrap_or(raw);
    if step.is_finite() && step > 0.0 { step } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &[f64], b: &[f64]) {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} instead of {b:?}");
    }

    #[test]
    fn ticks_are_round() {
        near(&Axis::exact((1.0, 30.0)).ticks(6), &[5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        near(&Axis::shares((0.31, 0.9)).ticks(5), &[0.2, 0.4, 0.6, 0.8, 1.0]);
        near(&Axis::amounts((0.4, 2.3)).ticks(5), &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
        near(&Axis::amounts((0.011, 2.3)).ticks(5), &[0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        near(&Axis::amounts((1e-12, 1.0)).ticks(5), &[1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0]);
    }

    #[test]
    fn any_range_has_places_and_few_ticks() {
        let ends = [0.0, -0.0, 1.0, -1.0, 0.999, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, 1e300, 1e-300];
        for range in ends.iter().flat_map(|&a| ends.iter().map(move |&b| (a, b))).filter(|(a, b)| a <= b) {
            for axis in [Axis::exact(range), Axis::amounts(range), Axis::shares(range)] {
                assert!(axis.place(range.0).is_finite() && axis.place(range.1).is_finite(), "{range:?} {axis:?}");
                let ticks = axis.ticks(6);
                assert!(ticks.len() < 16 && ticks.iter().all(|t| axis.place(*t).is_finite()), "{axis:?} {ticks:?}");
            }
        }
    }

    #[test]
    fn places_run_from_start_to_end() {
        let axis = Axis::amounts((0.01, 10.0));
        assert!(axis.is_log());
        assert_eq!((axis.place(0.01), axis.place(10.0)), (0.0, 1.0));
        assert!((axis.place(0.1) - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(Axis::exact((5.0, 5.0)).place(5.0), 0.5);
    }
}
