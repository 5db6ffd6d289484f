//! Functions that compile to vector code: no branches, no calls, additions and products alone.
//!
//! The system's `expf` takes one number at a time; a transformer asks for some millions a step. These have the same bits on
//! every machine.

/// `e^x`, within two units in the last place; 0 below -87.3, where the result would be subnormal, and infinite above 88.7.
///
/// `2^n e^r` with `|r| <= ln 2 / 2` and Cephes' polynomial for `e^r` (`expf.c`).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2^23 leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let inside = x.clamp(-87.3, 88.7);
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, of which the first has few bits: n times it is exact.
    let r = inside - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // n is at most 128, one more than an exponent holds: in two steps.
    let whole = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = whole >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    let y = p * power(half) * power(whole - half);
    let y = if x < -87.3 { 0.0 } else { y };
    let y = if x > 88.7 { f32::INFINITY } else { y };
    if x.is_nan() { x } else { y }
}

/// The error function within 5e-7 (Abramowitz and Stegun 7.1.26, what PyTorch's vector code uses), given `e^(-x²)`.
#[inline(always)]
pub(super) fn erf(x: f32, gauss: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let p = 1.061_405_4_f32;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    (1.0 - p * t * gauss).copysign(x)
}

/// Numbers that are summed side by side.
const LANES: usize = 16;

/// The sum of `f` over the elements of slices of one length, `f([a[0], b[0], …]) + …`: sixteen sums of every sixteenth term,
/// then these in order.
#[allow(clippy::needless_range_loop, reason = "iterators aren't inlined in a build for development")]
#[inline(always)]
pub(super) fn sum<const N: usize>(of: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let parts: [(&[[f32; LANES]], &[f32]); N] = std::array::from_fn(|s| of[s].as_chunks());
    for i in 0..of[0].len() / LANES {
        let chunk: [[f32; LANES]; N] = std::array::from_fn(|s| parts[s].0[i]);
        for lane in 0..LANES {
            sums[lane] += f(std::array::from_fn(|s| chunk[s][lane]));
        }
    }
    for i in 0..of[0].len() % LANES {
        sums[i] += f(std::array::from_fn(|s| parts[s].1[i]));
    }
    sums.iter().sum()
}

/// The largest of some numbers; minus infinity of none. One that isn't a number is passed over.
#[allow(clippy::needless_range_loop, reason = "as above")]
#[inline(always)]
pub(super) fn largest(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut most = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            most[lane] = larger(most[lane], chunk[lane]);
        }
    }
    most.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| larger(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units() {
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let (ours, truth) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours - truth).abs() <= 2.0 * f64::from(f32::EPSILON) * truth, "{x}: {ours}, not {truth}");
        }
        assert_eq!([exp(f32::NEG_INFINITY), exp(-1000.0), exp(0.0), exp(100.0)], [0.0, 0.0, 1.0, f32::INFINITY]);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn erf_is_within_its_bound() {
        // Values of the function, to ten digits, from tables.
        let table =
            [(0.0, 0.0), (0.1, 0.112_462_916), (0.5, 0.520_499_878), (1.0, 0.842_700_793), (2.0, 0.995_322_265)];
        for (x, truth) in table.into_iter().chain([(3.5, 0.999_999_257)]) {
            for sign in [1.0, -1.0] {
                let x: f32 = x * sign;
                let ours = erf(x, exp(-x * x));
                assert!((f64::from(ours) - truth * f64::from(sign)).abs() < 5e-7, "{x}: {ours}");
            }
        }
    }

    #[test]
    fn sums_have_every_term_once() {
        for n in [0, 1, 15, 16, 17, 40] {
            let terms: Vec<f32> = (1..=n).map(|i| i as f32).collect();
            assert_eq!(sum([&terms], |[i]| i), (n * (n + 1) / 2) as f32);
            let squares = n * (n + 1) * (2 * n + 1) / 6;
            assert_eq!(sum([&terms, &terms], |[i, j]| i * j), squares as f32);
        }
    }

    #[test]
    fn the_largest_is_found_wherever_it_is() {
        for n in [1usize, 15, 16, 17, 40] {
            for place in 0..n {
                let mut x = vec![-3.0; n];
                x[place] = -2.5;
                assert_eq!(largest(&x), -2.5, "{place} of {n}");
                x[place] = f32::NAN;
                assert_eq!(largest(&x), if n > 1 { -3.0 } else { f32::NEG_INFINITY });
            }
        }
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
    }
}
