//! Changes to time series `[channels, length]`, after Um et al. (2017), "Data augmentation of wearable sensor data".

use super::dice::Dice;

/// A window in place.
pub(super) struct Series<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) length: usize,
}

impl Series<'_> {
    fn channels(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.length.max(1))
    }

    /// Noise of that standard deviation on every number.
    pub(super) fn jitter(&mut self, deviation: f64, dice: &mut Dice) {
        self.values.iter_mut().for_each(|x| *x += (deviation * dice.normal()) as f32);
    }

    /// Each channel times a factor of its own.
    pub(super) fn scale(&mut self, from: f64, to: f64, dice: &mut Dice) {
        for channel in self.channels() {
            let factor = dice.between(from, to) as f32;
            channel.iter_mut().for_each(|x| *x *= factor);
        }
    }

    /// Channels 0 1 2, 3 4 5, … as vectors, all turned alike by up to `degrees` about a random axis: a sensor that was put
    /// on askew. Channels that are left over stay.
    pub(super) fn rotate_axes(&mut self, degrees: f64, dice: &mut Dice) {
        let axis = [dice.normal(), dice.normal(), dice.normal()];
        self.rotate(axis, dice.between(-degrees, degrees));
    }

    /// Rodrigues' formula, `v cos + (k × v) sin + k (k · v) (1 - cos)` for the unit axis k.
    fn rotate(&mut self, axis: [f64; 3], degrees: f64) {
        let norm = axis.iter().map(|a| a * a).sum::<f64>().sqrt();
        let k = if norm > 0.0 { axis.map(|a| a / norm) } else { [0.0, 0.0, 1.0] };
        let (sin, cos) = libm::sincos(degrees.to_radians());
        let length = self.length;
        for triple in self.values.chunks_exact_mut((3 * length).max(1)) {
            for t in 0..length {
                let v = [0, 1, 2].map(|c| f64::from(triple[c * length + t]));
                let dot = k[0] * v[0] + k[1] * v[1] + k[2] * v[2];
                for c in 0..3 {
                    let (next, last) = ((c + 1) % 3, (c + 2) % 3);
                    let cross = k[next] * v[last] - k[last] * v[next];
                    triple[c * length + t] = (v[c] * cos + cross * sin + k[c] * dot * (1.0 - cos)) as f32;
                }
            }
        }
    }

    /// Time runs faster here and slower there, by up to `strength` of its speed; the ends stay. The speed is linear between
    /// five random ones.
    pub(super) fn time_warp(&mut self, strength: f64, dice: &mut Dice) {
        const KNOTS: usize = 5;
        let speeds: [f64; KNOTS] = std::array::from_fn(|_| 1.0 + dice.between(-strength, strength));
        let last = self.length.saturating_sub(1);
        if last == 0 {
            return;
        }
        let speed = |t: f64| {
            let at = t / last as f64 * (KNOTS - 1) as f64;
            let knot = (at.floor() as usize).min(KNOTS - 2);
            speeds[knot] + (speeds[knot + 1] - speeds[knot]) * (at - knot as f64)
        };
        let mut times = vec![0.0; self.length];
        for t in 1..self.length {
            // The mean speed of a step, by its middle.
            times[t] = times[t - 1] + speed(t as f64 - 0.5);
        }
        let whole = times[last];
        let times: Vec<f64> = times.into_iter().map(|t| t / whole * last as f64).collect();
        for channel in self.channels() {
            let from = channel.to_vec();
            for (out, &time) in channel.iter_mut().zip(&times) {
                let at = (time.floor() as usize).min(last - 1);
                let (a, b) = (f64::from(from[at]), f64::from(from[at + 1]));
                *out = (a + (b - a) * (time - at as f64)) as f32;
            }
        }
    }

    /// Moved later by `steps`, or earlier if negative; the value at the end goes on where nothing is.
    pub(super) fn shift(&mut self, steps: i64) {
        let last = self.length as i64 - 1;
        for channel in self.channels() {
            let from = channel.to_vec();
            for (t, out) in channel.iter_mut().enumerate() {
                *out = from[(t as i64 - steps).clamp(0, last) as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(values: &[f32], length: usize, change: impl Fn(&mut Series<'_>)) -> Vec<f32> {
        let mut values = values.to_vec();
        change(&mut Series { values: &mut values, length });
        values
    }

    #[test]
    fn a_quarter_turn_about_z_takes_x_to_y() {
        // x = 1 2, y = 3 4, z = 5 6, and a fourth channel 7 8 that stays.
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let turned = changed(&values, 2, |s| s.rotate([0.0, 0.0, 2.0], 90.0));
        assert_eq!(turned, [-3.0, -4.0, 1.0, 2.0, 5.0, 6.0, 7.0, 8.0]);
        // About the diagonal by a third, the axes change places in turn.
        let turned = changed(&values, 2, |s| s.rotate([1.0, 1.0, 1.0], 120.0));
        for (ours, expected) in turned.iter().zip([5.0, 6.0, 1.0, 2.0, 3.0, 4.0]) {
            assert!((ours - expected).abs() <= 8.0 * f32::EPSILON, "{turned:?}");
        }
        let length = |v: &[f32]| (v[0] * v[0] + v[2] * v[2] + v[4] * v[4]).sqrt();
        for sample in 0..20 {
            let turned = changed(&values, 2, |s| s.rotate_axes(180.0, &mut Dice::new(1, 1, sample, 0)));
            assert!((length(&turned) - length(&values)).abs() < 1e-5, "a turn keeps lengths");
        }
    }

    #[test]
    fn time_warps_keep_order_and_ends() {
        let ramp: Vec<f32> = (0..50).map(|t| t as f32).collect();
        for sample in 0..50 {
            let warped = changed(&ramp, 50, |s| s.time_warp(0.5, &mut Dice::new(1, 1, sample, 0)));
            assert_eq!((warped[0], warped[49]), (0.0, 49.0));
            // Speeds of 0.5 to 1.5, scaled by at most 1.5 / 0.5.
            let steps = warped.windows(2).map(|w| w[1] - w[0]);
            assert!(steps.clone().all(|step| step > 0.3 && step < 3.1), "{warped:?}");
            assert!(warped != ramp);
        }
        assert_eq!(changed(&ramp, 50, |s| s.time_warp(0.0, &mut Dice::new(1, 1, 0, 0))), ramp);
        assert_eq!(changed(&[1.0, 2.0], 1, |s| s.time_warp(0.5, &mut Dice::new(1, 1, 0, 0))), [1.0, 2.0]);
    }

    #[test]
    fn shifts_repeat_the_end_and_scales_are_per_channel() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(changed(&values, 3, |s| s.shift(1)), [1.0, 1.0, 2.0, 4.0, 4.0, 5.0]);
        assert_eq!(changed(&values, 3, |s| s.shift(-2)), [3.0, 3.0, 3.0, 6.0, 6.0, 6.0]);
        assert_eq!(changed(&values, 3, |s| s.shift(9)), [1.0, 1.0, 1.0, 4.0, 4.0, 4.0]);
        let scaled = changed(&values, 3, |s| s.scale(0.5, 2.0, &mut Dice::new(1, 1, 0, 0)));
        let (a, b) = (scaled[0], scaled[3] / 4.0);
        assert!(a != b && [a, b].iter().all(|f| (0.5..2.0).contains(f)));
        assert_eq!(scaled[2], 3.0 * a);
    }

    /// Mean and deviation of 20,000 numbers within five standard errors.
    #[test]
    fn jitter_has_its_deviation() {
        let noise = changed(&[0.0; 20_000], 20_000, |s| s.jitter(0.5, &mut Dice::new(1, 1, 0, 0)));
        let mean = noise.iter().map(|&x| f64::from(x)).sum::<f64>() / 2e4;
        let variance = noise.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 2e4;
        assert!(mean.abs() < 5.0 * 0.5 / 2e4f64.sqrt());
        assert!((variance - 0.25).abs() < 5.0 * 0.25 * (2.0 / 2e4f64).sqrt(), "{variance}");
    }
}
