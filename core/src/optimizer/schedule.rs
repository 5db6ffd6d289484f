//! Learning rates that change with the step.
//!
//! Every rate is computed from the step's number alone, so a resumed run needs no state for it.

use super::power::Power;
use super::range::{integer, is_not_negative, is_share, is_zero};
use crate::number::{Format, Number, Rate};

/// How the learning rate falls; formulas for a base rate `b` at step `s`, counted from 0 after the warm-up.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Decay {
    /// `b`.
    #[default]
    Constant,
    /// `b * gamma^floor(s / every)`, PyTorch's `StepLR`.
    Step {
        /// Steps between two reductions, at least 1.
        every: u32,
        /// In `(0, 1]`.
        gamma: f32,
    },
    /// `b * gamma^s`, PyTorch's `ExponentialLR`.
    Exponential {
        /// In `(0, 1]`.
        gamma: f32,
    },
    /// `minimum + (b - minimum) * (1 + cos(pi s / steps)) / 2`, PyTorch's `CosineAnnealingLR`; `minimum` from step `steps`
    /// on. f32 only.
    Cosine {
        /// Steps until the minimum, at least 1.
        steps: u32,
        /// The last rate.
        minimum: f32,
    },
}

/// How the learning rate changes: a decay behind a linear warm-up.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Schedule {
    /// What follows the warm-up; its steps are counted from the warm-up's end.
    pub decay: Decay,
    /// Steps of warm-up; 0 for none.
    pub warmup: u32,
    /// The share of the base rate at step 0, in `[0, 1]`; at step `s` it is `start + (1 - start) * s / warmup`, PyTorch's
    /// `LinearLR`.
    pub start: f32,
}

impl Schedule {
    /// Always the base rate.
    pub const CONSTANT: Schedule = Schedule::new(Decay::Constant);

    /// A decay without warm-up.
    pub const fn new(decay: Decay) -> Schedule {
        Schedule { decay, warmup: 0, start: 0.0 }
    }

    /// With a linear warm-up of `steps` from the share `start` of the base rate.
    pub const fn warmed_up(self, steps: u32, start: f32) -> Schedule {
        Schedule { warmup: steps, start, ..self }
    }

    /// Whether the format has this schedule.
    pub const fn exists_in(&self, format: Format) -> bool {
        !matches!((format, self.decay), (Format::Fixed16, Decay::Cosine { .. }))
    }

    /// Checks the attributes; the error says what is asked of them.
    pub const fn check(&self) -> Result<(), &'static str> {
        if self.warmup > 0 && !is_share(self.start) {
            return Err("a warm-up's start must be in [0, 1]");
        }
        match self.decay {
            Decay::Step { every: 0, .. } => Err("a step schedule needs at least 1 step between reductions"),
            Decay::Step { gamma, .. } | Decay::Exponential { gamma } if !is_share(gamma) || is_zero(gamma) => {
                Err("gamma must be in (0, 1]")
            }
            Decay::Cosine { steps: 0, .. } => Err("a cosine schedule needs at least 1 step"),
            Decay::Cosine { minimum, .. } if !is_not_negative(minimum) => {
                Err("minimum must be finite and not negative")
            }
            _ => Ok(()),
        }
    }

    /// The rate at `step`, counted from 0, for the base rate of an optimizer.
    ///
    /// f32: within 4 units in the last place of the real one. Fixed point: integers only, within 2^-13.
    #[inline]
    pub fn rate<N: Number>(&self, base: f32, step: u32) -> Rate {
        let Some(step) = step.checked_sub(self.warmup) else { return self.warming::<N>(base, step) };
        let power = match self.decay {
            Decay::Constant => return Rate::new(base),
            Decay::Step { every, gamma } => Power::new(gamma, step / every.max(1)),
            Decay::Exponential { gamma } => Power::new(gamma, step),
            Decay::Cosine { steps, minimum } => {
                return match N::FORMAT {
                    Format::F32 => Rate::new(cosine(base, minimum, step, steps)),
                    Format::Fixed16 => Rate::new(base),
                };
            }
        };
        match N::FORMAT {
            Format::F32 => Rate::new(base * power.real()),
            Format::Fixed16 => Rate::new(base).times(power.rate()),
        }
    }

    #[inline(always)]
    fn warming<N: Number>(&self, base: f32, step: u32) -> Rate {
        match N::FORMAT {
            Format::F32 => {
                let share = step as f32 / self.warmup as f32;
                Rate::new(base * (self.start + (1.0 - self.start) * share))
            }
            Format::Fixed16 => {
                let start = integer(self.start, 30).clamp(0, 1 << 30) as u64;
                let gained = ((1 << 30) - start) * u64::from(step) / u64::from(self.warmup.max(1));
                Rate::new(base).times(Rate::from_parts(start + gained, 30))
            }
        }
    }
}

fn cosine(base: f32, minimum: f32, step: u32, steps: u32) -> f32 {
    let (passed, left) = (step.min(steps), steps.saturating_sub(step));
    // (1 + cos(pi s/n)) / 2 = cos²(pi s/2n) = sin²(pi (n - s)/2n): no cancellation at either end.
    let share = if passed < left {
        1.0 - sine_squared(passed as f32 / steps as f32)
    } else {
        sine_squared(left as f32 / steps as f32)
    };
    minimum + (base - minimum) * share
}

/// `sin²(pi/2 u)` for `u` in `[0, 1/2]`. The Taylor polynomial of degree 9; what follows is below 2e-9 of the sine. (libm's
/// sine computes in f64, five kilobytes of soft floats on a Cortex-M4.)
fn sine_squared(u: f32) -> f32 {
    let x = u * core::f32::consts::FRAC_PI_2;
    let z = x * x;
    let sine = x * (1.0 - z / 6.0 * (1.0 - z / 20.0 * (1.0 - z / 42.0 * (1.0 - z / 72.0))));
    sine * sine
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{F32, Fixed16};

    fn close<N: Number>(schedule: Schedule, base: f32, step: u32, real: f64) {
        let got = f64::from(schedule.rate::<N>(base, step).real());
        let tolerance = if N::FORMAT == Format::F32 { libm::exp2(-21.0) } else { libm::exp2(-13.0) };
        assert!((got - real).abs() <= real * tolerance, "{schedule:?} at {step}: {got}, not {real}");
    }

    fn both(schedule: Schedule, base: f32, step: u32, real: f64) {
        close::<F32>(schedule, base, step, real);
        close::<Fixed16>(schedule, base, step, real);
    }

    #[test]
    fn rates_by_hand() {
        both(Schedule::CONSTANT, 0.01, 12345, f64::from(0.01f32));
        let step = Schedule::new(Decay::Step { every: 30, gamma: 0.5 });
        for (at, real) in [(0, 1.0), (29, 1.0), (30, 0.5), (60, 0.25), (299, 1.0 / 512.0)] {
            both(step, 0.125, at, 0.125 * real);
        }
        let warm = step.warmed_up(10, 0.5);
        for (at, real) in [(0, 0.5), (1, 0.55), (9, 0.95), (10, 1.0), (39, 1.0), (40, 0.5)] {
            both(warm, 0.125, at, 0.125 * real);
        }
        both(Schedule::CONSTANT.warmed_up(4, 0.0), 1.0, 0, 0.0);
        let exponential = Schedule::new(Decay::Exponential { gamma: 0.99 });
        both(exponential, 0.125, 500, 0.125 * libm::pow(f64::from(0.99f32), 500.0));
        let cosine = Schedule::new(Decay::Cosine { steps: 200, minimum: 0.0 });
        for (at, real) in [
            (0, 1.0),
            (100, 0.5),
            (50, 0.853_553_390_593_273_8),
            (199, 6.168_375_916_970_614e-5),
            (200, 0.0),
            (999, 0.0),
        ] {
            close::<F32>(cosine, 0.125, at, 0.125 * real);
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for decay in [
            Decay::Step { every: 0, gamma: 0.5 },
            Decay::Step { every: 1, gamma: 0.0 },
            Decay::Exponential { gamma: 1.01 },
            Decay::Exponential { gamma: f32::NAN },
            Decay::Cosine { steps: 0, minimum: 0.0 },
            Decay::Cosine { steps: 9, minimum: -1.0 },
        ] {
            assert!(Schedule::new(decay).check().is_err(), "{decay:?}");
        }
        assert!(Schedule::CONSTANT.warmed_up(3, 1.5).check().is_err());
        assert!(Schedule::CONSTANT.warmed_up(3, 0.1).check().is_ok());
        let cosine = Schedule::new(Decay::Cosine { steps: 9, minimum: 0.0 });
        assert!(cosine.check().is_ok() && !cosine.exists_in(Format::Fixed16) && cosine.exists_in(Format::F32));
    }
}
