//! Courses of the learning rate that the host has besides the device's.
//!
//! Each rate but that of [`Plateau`] is a function of the update's number, so a resumed run needs no state for it. Computed
//! in f64 and rounded once: PyTorch's schedulers, which multiply the last rate, drift from their formula by more.

use crate::metrics::Monitor;
use std::f64::consts::PI;

/// How the learning rate changes: a course behind a linear warm-up. Formulas are for the optimizer's rate `b` at update `s`,
/// counted from 0 after the warm-up; `steps` left out are all of the run's that the warm-up leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSchedule {
    /// What follows the warm-up.
    pub course: Course,
    /// Updates of warm-up; 0 for none.
    pub warmup: u32,
    /// The share of `b` at update 0, in `[0, 1]`; it rises evenly to 1.
    pub start: f32,
}

/// A course after the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub enum Course {
    /// `minimum + (b - minimum) (1 - s / steps)`: PyTorch's `LinearLR(1, minimum / b, steps)`.
    Linear {
        /// Updates until the minimum.
        steps: Option<u32>,
        /// The last rate.
        minimum: f32,
    },
    /// `minimum + (b - minimum) (1 - s / steps)^power`: PyTorch's `PolynomialLR`, Keras's `PolynomialDecay`.
    Polynomial {
        /// Updates until the minimum.
        steps: Option<u32>,
        /// Above 0; 1 is linear.
        power: f32,
        /// The last rate.
        minimum: f32,
    },
    /// `minimum + (b - minimum) (1 + cos(pi s / steps)) / 2`: PyTorch's `CosineAnnealingLR`.
    Cosine {
        /// Updates until the minimum.
        steps: Option<u32>,
        /// The last rate.
        minimum: f32,
    },
    /// The same from the start again after `period` updates, then after `growth` times as many, …: PyTorch's
    /// `CosineAnnealingWarmRestarts`.
    CosineRestarts {
        /// Updates of the first fall, at least 1.
        period: u32,
        /// How many times longer each fall is than the one before, at least 1.
        growth: u32,
        /// The rate just before a restart.
        minimum: f32,
    },
    /// From `b / division` up to `b` and down to `b / division / final_division`, along half cosines: PyTorch's
    /// `OneCycleLR` without its cycle of momentum. `b` is the highest rate.
    OneCycle {
        /// Updates of the cycle.
        steps: Option<u32>,
        /// The share of them that rises, in `(0, 1)`.
        rise: f32,
        /// At least 1.
        division: f32,
        /// At least 1.
        final_division: f32,
    },
    /// Lower when a figure gets no better.
    Plateau(Plateau),
}

/// PyTorch's `ReduceLROnPlateau` with a relative threshold: after more than `patience` epochs in a row in which the figure
/// wasn't better than the best by the share `threshold`, the rate is multiplied by `factor`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plateau {
    /// The figure; none: the validation loss, or the training loss without a validation set.
    pub monitor: Option<Monitor>,
    /// In `(0, 1)`.
    pub factor: f32,
    /// Epochs without a gain that are put up with.
    pub patience: u32,
    /// The share by which a figure must be better to count.
    pub threshold: f64,
    /// Epochs after a reduction that aren't counted.
    pub cooldown: u32,
    /// The lowest rate.
    pub minimum: f32,
}

impl Default for Plateau {
    /// PyTorch's numbers.
    fn default() -> Self {
        Plateau { monitor: None, factor: 0.1, patience: 10, threshold: 1e-4, cooldown: 0, minimum: 0.0 }
    }
}

/// What a plateau schedule remembers.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PlateauState {
    /// What the rate is multiplied by.
    pub(in crate::train) factor: f64,
    best: Option<f64>,
    waited: u32,
    cooling: u32,
}

impl Default for PlateauState {
    fn default() -> Self {
        PlateauState { factor: 1.0, best: None, waited: 0, cooling: 0 }
    }
}

impl PlateauState {
    /// Takes an epoch's figure; `base` is the optimizer's rate.
    pub fn see(&mut self, plateau: &Plateau, higher_is_better: bool, figure: Option<f64>, base: f32) {
        let Some(figure) = figure else { return };
        let better = self.best.is_none_or(|best| {
            // As PyTorch: relative to the best itself, whatever its sign.
            if higher_is_better {
                figure > best * (1.0 + plateau.threshold)
            } else {
                figure < best * (1.0 - plateau.threshold)
            }
        });
        if better {
            (self.best, self.waited) = (Some(figure), 0);
        } else {
            self.waited += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.waited) = (self.cooling - 1, 0);
        }
        if self.waited > plateau.patience {
            let lowest = f64::from(plateau.minimum) / f64::from(base).max(f64::MIN_POSITIVE);
            let lower = (self.factor * f64::from(plateau.factor)).max(lowest);
            // A rate below the minimum from the start stays where it is.
            self.factor = lower.min(self.factor);
            (self.cooling, self.waited) = (plateau.cooldown, 0);
        }
    }
}

impl Course {
    /// The name used in settings.
    pub const fn name(&self) -> &'static str {
        match self {
            Course::Linear { .. } => "linear",
            Course::Polynomial { .. } => "polynomial",
            Course::Cosine { .. } => "cosine",
            Course::CosineRestarts { .. } => "cosine_restarts",
            Course::OneCycle { .. } => "one_cycle",
            Course::Plateau(_) => "plateau",
        }
    }

    /// Name and attributes, for people.
    pub fn words(&self) -> String {
        let over = |steps: &Option<u32>| steps.map_or("the whole run".into(), |steps| format!("{steps} updates"));
        let name = self.name().replace('_', " ");
        match self {
            Course::Linear { steps, minimum } | Course::Cosine { steps, minimum } => {
                format!("{name} to {minimum} over {}", over(steps))
            }
            Course::Polynomial { steps, power, minimum } => {
                format!("{name} of power {power} to {minimum} over {}", over(steps))
            }
            Course::CosineRestarts { period, growth, minimum } => {
                format!("{name} to {minimum}, the first after {period} updates, each {growth} times as long")
            }
            Course::OneCycle { steps, rise, division, final_division } => format!(
                "{name} over {}, rising for {rise} of it from 1/{division}, down to 1/{final_division} of that",
                over(steps)
            ),
            Course::Plateau(plateau) => format!(
                "{name}: times {} after more than {} epochs without a gain of {} in {}, {} epochs' rest, not below {}",
                plateau.factor,
                plateau.patience,
                plateau.threshold,
                plateau.monitor.map_or("loss".into(), |monitor| monitor.to_string()),
                plateau.cooldown,
                plateau.minimum
            ),
        }
    }
}

impl HostSchedule {
    /// A course without warm-up.
    pub const fn new(course: Course) -> HostSchedule {
        HostSchedule { course, warmup: 0, start: 0.0 }
    }

    /// With a linear warm-up of `steps` from the share `start` of the rate.
    pub fn warmed_up(self, steps: u32, start: f32) -> HostSchedule {
        HostSchedule { warmup: steps, start, ..self }
    }

    /// Checks the attributes; the error says what is asked of them.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.warmup > 0 && !(0.0..=1.0).contains(&self.start) {
            return Err("a warm-up's start must be in [0, 1]");
        }
        let rate = |minimum: f32| minimum.is_finite() && minimum >= 0.0;
        let (steps, minimum) = match self.course {
            Course::Linear { steps, minimum } | Course::Cosine { steps, minimum } => (steps, minimum),
            Course::Polynomial { steps, power, minimum } => {
                if !(power.is_finite() && power > 0.0) {
                    return Err("power must be finite and positive");
                }
                (steps, minimum)
            }
            Course::CosineRestarts { period, growth, minimum } => {
                if period == 0 || growth == 0 {
                    return Err("period and growth must be at least 1");
                }
                (None, minimum)
            }
            Course::OneCycle { steps, rise, division, final_division } => {
                if !(rise > 0.0 && rise < 1.0) {
                    return Err("rise must be in (0, 1)");
                }
                if !(division >= 1.0 && final_division >= 1.0 && division.is_finite() && final_division.is_finite()) {
                    return Err("division and final_division must be finite and at least 1");
                }
                if self.warmup > 0 {
                    return Err("one_cycle rises by itself; leave warmup out");
                }
                (steps, 0.0)
            }
            Course::Plateau(ref plateau) => {
                if !(plateau.factor > 0.0 && plateau.factor < 1.0) {
                    return Err("factor must be in (0, 1)");
                }
                if !(plateau.threshold.is_finite() && plateau.threshold >= 0.0) {
                    return Err("threshold must be finite and not negative");
                }
                (None, plateau.minimum)
            }
        };
        if steps == Some(0) {
            return Err("a schedule needs at least 1 step");
        }
        if !rate(minimum) {
            return Err("minimum must be finite and not negative");
        }
        Ok(())
    }

    /// The rate at update `step`, counted from 0, of a run of `total` updates; `plateau` is what a [`Plateau`] has come to.
    pub(in crate::train) fn rate(&self, base: f32, step: u32, total: u32, plateau: f64) -> f32 {
        let b = f64::from(base);
        if step < self.warmup {
            let start = f64::from(self.start);
            return (b * (start + (1.0 - start) * f64::from(step) / f64::from(self.warmup))) as f32;
        }
        let s = step - self.warmup;
        let all = |steps: Option<u32>| steps.unwrap_or_else(|| total.saturating_sub(self.warmup)).max(1);
        let between = |minimum: f32, share: f64| f64::from(minimum) + (b - f64::from(minimum)) * share;
        let left = |steps: u32| 1.0 - f64::from(s.min(steps)) / f64::from(steps);
        let half_cosine = |passed: f64| (1.0 + (PI * passed).cos()) / 2.0;
        let rate = match self.course {
            Course::Linear { steps, minimum } => between(minimum, left(all(steps))),
            Course::Polynomial { steps, power, minimum } => between(minimum, left(all(steps)).powf(power.into())),
            Course::Cosine { steps, minimum } => between(minimum, half_cosine(1.0 - left(all(steps)))),
            Course::CosineRestarts { period, growth, minimum } => {
                let (mut begin, mut length) = (0u64, u64::from(period));
                while u64::from(s) >= begin + length {
                    begin += length;
                    // With growth 1 a long run would count every fall.
                    if growth == 1 {
                        begin += (u64::from(s) - begin) / length * length;
                    } else {
                        length *= u64::from(growth);
                    }
                }
                between(minimum, half_cosine((u64::from(s) - begin) as f64 / length as f64))
            }
            Course::OneCycle { steps, rise, division, final_division } => {
                let steps = all(steps);
                let low = b / f64::from(division);
                let last = low / f64::from(final_division);
                let (top, end) = (f64::from(rise) * f64::from(steps) - 1.0, f64::from(steps) - 1.0);
                let s = f64::from(s).min(end);
                let anneal = |from: f64, to: f64, passed: f64| to + (from - to) * half_cosine(passed);
                if s <= top && top > 0.0 {
                    anneal(low, b, s / top)
                } else {
                    anneal(b, last, ((s - top) / (end - top)).clamp(0.0, 1.0))
                }
            }
            Course::Plateau(_) => b * plateau,
        };
        rate as f32
    }
}
