//! Matrix by vector, and its transpose.

use super::mac::{mac, mac4};
use crate::number::Number;

/// `y[r * stride] = finish(bias[r] + Σ_i w[r, i] * x[i])` for every row `r`, i ascending from the bias.
///
/// `w` is `[rows, x.len()]` row-major; `bias` is `[rows]` or empty. `bias_shift` and `shift` are the fraction bits
/// that the sum has above the bias and above the result. Rows beyond the end of `y` are not computed.
#[inline(never)]
pub fn matrix_vector<N: Number>(
    w: &[N::Value],
    x: &[N::Value],
    bias: &[N::Value],
    y: &mut [N::Value],
    stride: usize,
    bias_shift: i32,
    shift: i32,
) {
    let columns = x.len().max(1);
    let mut bias = bias.iter();
    let mut start = || bias.next().map_or(N::ZERO, |&b| N::start(b, bias_shift));
    let mut y = y.iter_mut().step_by(stride.max(1));
    let mut w = w;
    while let Some((r0, rest)) = w.split_at_checked(columns) {
        let four = (rest.get(..columns), rest.get(columns..2 * columns), rest.get(2 * columns..3 * columns));
        if let (Some(r1), Some(r2), Some(r3)) = four {
            let sums = mac4::<N>([start(), start(), start(), start()], [r0, r1, r2, r3], x);
            for (sum, y) in sums.into_iter().zip(y.by_ref()) {
                *y = N::finish(sum, shift);
            }
            w = rest.get(3 * columns..).unwrap_or_default();
        } else {
            let sum = mac::<N>(start(), r0, x);
            if let Some(y) = y.next() {
                *y = N::finish(sum, shift);
            }
            w = rest;
        }
    }
}

/// `dx[i] = finish(Σ_r w[r, i] * dy[r])`, r ascending; added to `dx` (saturating) where `accumulate`.
///
/// `w` is `[dy.len(), dx.len()]` row-major, or has further rows: where it has fewer, whether those count is left to the
/// implementation. Eight columns at once share the load of `dy[r]`.
#[inline(never)]
pub fn matrix_vector_transposed<N: Number>(
    w: &[N::Value],
    dy: &[N::Value],
    dx: &mut [N::Value],
    shift: i32,
    accumulate: bool,
) {
    let columns = dx.len();
    let mut at = 0;
    let (eights, rest) = dx.as_chunks_mut::<8>();
    for dx in eights {
        let sums = column_block::<N, 8>(w, dy, at, columns);
        store::<N>(dx, &sums, shift, accumulate);
        at += 8;
    }
    for dx in rest.chunks_mut(1) {
        let sums = column_block::<N, 1>(w, dy, at, columns);
        store::<N>(dx, &sums, shift, accumulate);
        at += 1;
    }
}

#[inline(always)]
fn column_block<N: Number, const C: usize>(
    w: &[N::Value],
    dy: &[N::Value],
    at: usize,
    columns: usize,
) -> [N::Accumulator; C] {
    let mut sums = [N::ZERO; C];
    let mut w = w.get(at..).unwrap_or_default();
    for &dy in dy {
        let Some(row) = w.first_chunk::<C>() else { break };
        for (sum, &w) in sums.iter_mut().zip(row) {
            *sum = N::mac(*sum, w, dy);
        }
        w = w.get(columns..).unwrap_or_default();
    }
    sums
}

#[inline(always)]
fn store<N: Number>(dx: &mut [N::Value], sums: &[N::Accumulator], shift: i32, accumulate: bool) {
    for (dx, &sum) in dx.iter_mut().zip(sums) {
        let new = N::finish(sum, shift);
        *dx = if accumulate { N::add_values(*dx, new) } else { new };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{F32, Fixed16};

    #[test]
    fn rows_and_columns_of_every_remainder() {
        // Small integers: every f32 sum is exact, so the expected value is plain integer arithmetic.
        for rows in 1..10usize {
            for columns in 1..19usize {
                let w: [f32; 180] = core::array::from_fn(|i| ((i * 7) % 11) as f32 - 5.0);
                let w = &w[..rows * columns];
                let x: [f32; 19] = core::array::from_fn(|i| ((i * 5) % 7) as f32 - 3.0);
                let (mut y, mut dx) = ([0.0f32; 10], [1.0f32; 19]);
                matrix_vector::<F32>(w, &x[..columns], &[], &mut y[..rows], 1, 0, 0);
                for r in 0..rows {
                    let expected: f32 = (0..columns).map(|c| w[r * columns + c] * x[c]).sum();
                    assert_eq!(y[r], expected, "row {r} of {rows}x{columns}");
                }
                matrix_vector_transposed::<F32>(w, &y[..rows], &mut dx[..columns], 0, true);
                for c in 0..columns {
                    let expected: f32 = 1.0 + (0..rows).map(|r| w[r * columns + c] * y[r]).sum::<f32>();
                    assert_eq!(dx[c], expected, "column {c} of {rows}x{columns}");
                }
            }
        }
    }

    #[test]
    fn fixed_point_rounds_once_and_saturates() {
        // w, x with 8 fraction bits, bias with 4, y with 6: sum has 16, so shift 10 and bias shift 12.
        let mut y = [0i16; 1];
        matrix_vector::<Fixed16>(&[256, 128], &[256, 3], &[8], &mut y, 1, 12, 10);
        // 1*1 + 0.5*(3/256) + 0.5 = 1.505859375 -> * 64 = 96.375 -> 96
        assert_eq!(y, [96]);
        matrix_vector::<Fixed16>(&[32767], &[32767], &[], &mut y, 1, 0, 0);
        assert_eq!(y, [32767]);
    }
}
