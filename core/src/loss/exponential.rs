//! Integer exponential and logarithm for the fixed-point softmax.

/// Fraction bits of [`exp_negative`].
pub(super) const EXP_FRAC: u32 = 30;

/// `2^(-k/8)` with 31 fraction bits, rounded.
const EIGHTHS: [u32; 8] =
    [2147483648, 1969251188, 1805811301, 1655936265, 1518500250, 1392470869, 1276901417, 1170923762];

const LN_2_Q32: u32 = 2977044472;
const LOG2_E_Q30: u64 = 1549082005;

/// `a * b / 2^32`, truncated.
#[inline(always)]
const fn high(a: u32, b: u32) -> u32 {
    ((a as u64 * b as u64) >> 32) as u32
}

/// `exp(-d / 2^frac)` with 30 fraction bits; `d` is at most 2^17. Within 2^-29 of the real one.
///
/// With `t = d / 2^frac * log2(e) = n + k/8 + f`, n and k integers and `0 <= f < 1/8`, it is `2^-n * 2^(-k/8) * e^-y`,
/// `y = f ln 2 < 0.0867`: a shift, a table of eight, and the Taylor polynomial of degree 5, whose next term is below
/// `y^6 / 720 = 5.9e-10 < 2^-30`. `t` is kept to 32 fraction bits (error 2^-30 at the largest `t` that doesn't vanish);
/// every product truncates by at most 2^-32.
pub(super) fn exp_negative(d: u32, frac: i32) -> u32 {
    // Fraction bits of the product are frac + 30; 32 are wanted. A product has at most 48 bits.
    let product = d as u64 * LOG2_E_Q30;
    let down = frac - 2;
    let t = if down >= 64 {
        0
    } else if down >= 0 {
        product >> down
    } else if product.leading_zeros() as i32 > -down {
        product << -down
    } else {
        return 0;
    };
    let n = t >> 32;
    if n > EXP_FRAC as u64 {
        return 0;
    }
    let eighth = EIGHTHS.get((t as u32 >> 29) as usize).copied().unwrap_or_default();
    let y = high(t as u32 & 0x1fff_ffff, LN_2_Q32); // Q32, below 2^28.5
    // 1 - y (1 - y/2 (1 - y/3 (1 - y/4 (1 - y/5)))), with 1 as 2^32 - 1.
    const THIRD: u32 = 0x5555_5555;
    const FIFTH: u32 = 0x3333_3333;
    let mut sum = u32::MAX - high(y, FIFTH);
    sum = u32::MAX - (high(y, sum) >> 2);
    sum = u32::MAX - high(high(y, sum), THIRD);
    sum = u32::MAX - (high(y, sum) >> 1);
    sum = u32::MAX - high(y, sum);
    let product = high(eighth, sum); // Q31
    // Q31 to Q30 and down by n, rounded half up.
    ((product >> n) + 1) >> 1
}

/// `ln(x / 2^30)` with 16 fraction bits for `x` of at least 2^30; within 2^-16 of the real one.
///
/// The logarithm to base 2 by repeated squaring of the mantissa, one bit each: 20 of them, so truncation is below 2^-20,
/// and the 20 squarings in Q31 lose less than 2^-26 together, as each error is halved by every later bit's weight.
pub(super) fn ln_of_sum(x: u64) -> i32 {
    let x = if x < 1 << EXP_FRAC { 1 << EXP_FRAC } else { x };
    let whole = 63 - x.leading_zeros();
    let mut m = if whole > 31 { x >> (whole - 31) } else { x << (31 - whole) } as u32; // [1, 2) in Q31
    let mut log = whole - EXP_FRAC;
    for _ in 0..20 {
        let square = m as u64 * m as u64; // [1, 4) in Q62
        let two = (square >> 63) as u32;
        log = log << 1 | two;
        m = (square >> (31 + two)) as u32;
    }
    // Q20 times ln 2 in Q32 to Q16, rounded.
    ((log as u64 * LN_2_Q32 as u64 + (1 << 35)) >> 36) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_within_its_bound() {
        let mut worst = 0.0f64;
        for frac in [-3, 0, 1, 2, 5, 8, 12, 15, 20, 40, 70] {
            for d in (0..=131_072u32).step_by(37) {
                let real = libm::exp(-f64::from(d) * libm::exp2(-f64::from(frac)));
                let got = f64::from(exp_negative(d, frac)) / f64::from(1 << EXP_FRAC);
                worst = worst.max((got - real).abs());
            }
        }
        assert!(worst <= libm::exp2(-29.0), "{worst:e}");
        assert_eq!(exp_negative(0, 12), 1 << 30);
    }

    #[test]
    fn logarithm_is_within_its_bound() {
        let mut x = 1u64 << 30;
        while x < 1 << 47 {
            let real = libm::log(x as f64 / (1u64 << 30) as f64);
            let got = f64::from(ln_of_sum(x)) / 65536.0;
            assert!((got - real).abs() <= 1.0 / 65536.0, "ln of {x}: {got}, not {real}");
            x += x / 97 + 1;
        }
        assert_eq!(ln_of_sum(1 << 30), 0);
    }
}
