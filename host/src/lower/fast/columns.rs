//! Sums of the columns of a table: what a bias takes back.

use super::product::LANES;
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

/// Elements from which on threads share a table.
const SHARED: usize = 1 << 16;

/// The sum of each column of rows of `width`, over rows in order. Threads take columns, never rows: no sum depends on their number.
pub(super) fn sums(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    let threads = if rows.len() < SHARED { 1 } else { rayon::current_num_threads() };
    let strip = width.div_ceil(threads).next_multiple_of(LANES);
    let parts = sums.par_chunks_mut(strip).enumerate();
    parts.for_each(|(i, sums)| AutoArch::new().dispatch(Columns { rows, width, first: i * strip, sums }));
    sums
}

/// The sums of some columns.
struct Columns<'a> {
    rows: &'a [f32],
    width: usize,
    first: usize,
    sums: &'a mut [f32],
}

impl WithSimd for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        for row in self.rows.chunks_exact(self.width) {
            let row = &row[self.first..self.first + self.sums.len()];
            self.sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_summed_over_rows_in_order_by_any_number_of_threads() {
        for (rows, width) in [(1, 1), (3, 5), (700, 100), (2000, 49), (5, 40_000)] {
            // 2^24 takes no 1 any more: another order has other bits.
            let table: Vec<f32> = (0..rows * width)
                .map(|i| match (i / width, i % 7) {
                    (0, 3) => 16_777_216.0,
                    (row, _) => 1.0 + (row % 5) as f32 / 8.0,
                })
                .collect();
            let mut expected = vec![0.0f32; width];
            for (i, x) in table.iter().enumerate() {
                expected[i % width] += x;
            }
            for threads in [1, 2, 3, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(pool.install(|| sums(&table, width)), expected, "{rows} x {width}, {threads} threads");
            }
        }
    }
}
