//! The one kernel of the batched path: a matrix product whose operands are read where they lie.
//!
//! `C[i, j] = start + Σ_k A[row(i) + term(k)] B[term'(k) + j]`. Row and term numbers walk over two levels ([`Walk`]), which is
//! all that a convolution needs: with channels last a window's rows are contiguous, so the forward pass, the error of the
//! input and the gradient of the weight are three walks over the same buffers, and nothing is gathered into a matrix
//! first. A linear layer is the case of one level.
//!
//! **Order of summation.** From the start value, `k` ascending, one fused multiply-add (one rounding) a term. So the result
//! is the same for every vector width, tile, machine and number of threads, and the test's three-line loop computes its
//! very bits. Where a machine has no fused multiply-add, it is computed by software: slow, and still the same.
//!
//! Tiles of six rows by up to 64 columns stay in registers (`tile.rs`), six broadcasts against four loads a term with AVX-512.
//! On one core of a Xeon (Sapphire Rapids) a transformer's products reach 135 to 175 GFLOP/s, least in a weight's gradient, whose
//! terms lie apart; twelve rows by 32 columns needed more pointers than there are registers. Large products read copies,
//! blocked for the caches ([`Panels`]); blocks of 64, 96, 192 or 256 terms were slower than 128, all three products of a layer together.

use super::tile::{add_terms, lanes, load, store};
use super::window::transpose;
use macerator::{AutoArch, Scalar, Simd, WithSimd};
use rayon::prelude::*;

/// Rows of a tile.
pub(super) const ROWS: usize = 6;
/// Columns are computed by so many: `B` must have them readable, also where `n` ends within.
pub(super) const LANES: usize = 16;
/// Multiply-adds from which on operands are copied to where they lie side by side, and how many terms at a time.
const PACKED: usize = 1 << 24;
const TERMS: usize = 128;
/// Numbers of `A` that are read again and again. Eight times as many took 5 % longer.
const NEAR: usize = 1 << 15;
/// Rows whose terms are copied at a time, where they lie apart.
const APART: usize = 85 * ROWS;
/// From one copied tile to the next: a line more than its numbers. Without that line, tiles use a quarter of a cache's places.
const TILE: usize = ROWS * TERMS + 16;
/// Columns of the widest tile.
pub(super) const WIDEST: usize = 64;
/// Multiply-adds below which threads cost more than they save.
const SERIAL: usize = 1 << 18;

/// Places of a counter: `(i / inner) strides[0] + (i % inner) strides[1]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pub inner: usize,
    pub strides: [usize; 2],
}

impl Walk {
    /// One level.
    pub const fn line(stride: usize) -> Walk {
        Walk { inner: usize::MAX, strides: [0, stride] }
    }
    /// Two levels.
    pub const fn grid(inner: usize, strides: [usize; 2]) -> Walk {
        Walk { inner, strides }
    }
    const fn at(&self, i: usize) -> usize {
        i / self.inner * self.strides[0] + i % self.inner * self.strides[1]
    }
}

/// What a sum starts from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start<'a> {
    Zero,
    /// One a column.
    Bias(&'a [f32]),
    /// What `C` holds.
    Sum,
}

/// A product to be computed; see the module's head.
#[derive(Debug)]
pub(super) struct Product<'a> {
    /// Rows, columns, terms.
    pub size: [usize; 3],
    pub a: &'a [f32],
    pub a_rows: Walk,
    /// `inner` divides the number of terms, or there is one level.
    pub a_terms: Walk,
    pub b: &'a [f32],
    /// Of the same `inner` as `a_terms`.
    pub b_terms: [usize; 2],
    pub start: Start<'a>,
    /// `max(0, sum)` at the end.
    pub relu: bool,
    /// `[rows, columns]`.
    pub c: &'a mut [f32],
    /// From a row of `C` to the next.
    pub c_row: usize,
}

/// `n` rounded up to whole vectors.
pub(super) const fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

impl Product<'_> {
    /// Computes it on this thread.
    pub fn run(self) {
        let [m, n, k] = self.size;
        if m == 0 || n == 0 || k == 0 {
            return;
        }
        AutoArch::new().dispatch(Block { product: self, first: 0 });
    }

    /// Computes it, rows shared among threads. Large ones read copies, see [`Panels`].
    pub fn run_parallel(self) {
        let [m, n, k] = self.size;
        if m * n * k >= PACKED && self.a_terms.inner >= k {
            let panels = Panels::of(self.b, self.b_terms[1], [k, n]);
            return self.run_panels(&panels);
        }
        self.share(None);
    }

    /// The same with panels in the place of `b`; terms have one level.
    pub fn run_panels(self, panels: &Panels) {
        self.share(Some(panels));
    }

    fn share(self, panels: Option<&Panels>) {
        let [m, n, k] = self.size;
        let threads = rayon::current_num_threads();
        if m == 0 || n == 0 || k == 0 {
            return;
        }
        let one = |block: Block<'_>| match panels {
            Some(panels) => block.run_panels(panels),
            None => AutoArch::new().dispatch(block),
        };
        if threads == 1 || m * n * k < SERIAL {
            return one(Block { product: self, first: 0 });
        }
        // Two parts a thread, so that one that is held up doesn't hold up all.
        let rows = m.div_ceil(2 * threads).next_multiple_of(ROWS);
        let Product { a, a_rows, a_terms, b, b_terms, start, relu, c, c_row, .. } = self;
        c.par_chunks_mut(rows * c_row).enumerate().for_each(|(i, c)| {
            let size = [c.len().div_ceil(c_row), n, k];
            let product = Product { size, a, a_rows, a_terms, b, b_terms, start, relu, c, c_row };
            one(Block { product, first: i * rows });
        });
    }
}

/// `B [terms, columns]` copied so that each 64 columns lie side by side, `[columns / 64, terms, 64]`, the last filled up.
///
/// Rows a power of two apart share few places of a cache, and each lies on a page of its own: without the copies a product
/// of 1024 terms took twice the time.
#[derive(Debug)]
pub(super) struct Panels(Vec<f32>);

impl Panels {
    /// Of rows that are `stride` apart.
    pub fn of(b: &[f32], stride: usize, [k, n]: [usize; 2]) -> Panels {
        Panels::new([k, n], |j, panel| {
            let width = WIDEST.min(n - j);
            for (t, row) in panel.chunks_exact_mut(WIDEST).enumerate() {
                row[..width].copy_from_slice(&b[t * stride + j..t * stride + j + width]);
            }
        })
    }

    /// Of `w [columns, terms]`, its rows side by side.
    pub fn turned(w: &[f32], [k, n]: [usize; 2]) -> Panels {
        Panels::new([k, n], |j, panel| {
            let width = WIDEST.min(n - j);
            transpose(&w[j * k..(j + width) * k], [width, k], panel, WIDEST);
        })
    }

    fn new([k, n]: [usize; 2], fill: impl Fn(usize, &mut [f32]) + Sync) -> Panels {
        let mut panels = vec![0.0; n.div_ceil(WIDEST) * k * WIDEST];
        // An iterator of threads takes longer than a small copy.
        if panels.len() * WIDEST < SERIAL {
            panels.chunks_exact_mut(k * WIDEST).enumerate().for_each(|(j, panel)| fill(j * WIDEST, panel));
        } else {
            panels.par_chunks_exact_mut(k * WIDEST).enumerate().for_each(|(j, panel)| fill(j * WIDEST, panel));
        }
        Panels(panels)
    }
}

/// Some rows of a product.
struct Block<'a> {
    product: Product<'a>,
    /// The number of the first of them.
    first: usize,
}

impl Block<'_> {
    /// The same sums in the same order, of copies of `B`: 64 columns and 128 terms at a time, which stay in the first cache,
    /// and so many rows that what they read of `A` stays near. Where terms of `A` lie apart, as a gradient's do, these rows
    /// and terms are copied too.
    fn run_panels(mut self, panels: &Panels) {
        let [m, n, k] = self.product.size;
        let apart = self.product.a_terms.strides[1] != 1;
        let rows = if apart { APART } else { (NEAR / k).next_multiple_of(ROWS).max(ROWS) };
        let mut copy = vec![0.0; if apart { rows.min(m.next_multiple_of(ROWS)) / ROWS * TILE } else { 0 }];
        for i in (0..m).step_by(rows) {
            if apart {
                let starts = self.starts(i);
                for t in (0..k).step_by(TERMS) {
                    self.tiles(&starts, t, &mut copy);
                    (0..n).step_by(WIDEST).for_each(|j| self.part([i, j, t], rows, panels, Some(&copy)));
                }
            } else {
                for j in (0..n).step_by(WIDEST) {
                    (0..k).step_by(TERMS).for_each(|t| self.part([i, j, t], rows, panels, None));
                }
            }
        }
    }

    /// Adds some terms to some columns of some rows.
    fn part(&mut self, [i, j, t]: [usize; 3], rows: usize, Panels(panels): &Panels, copy: Option<&[f32]>) {
        let Block { product: p, first } = self;
        let [m, n, k] = p.size;
        let [rows, width, terms] = [rows.min(m - i), WIDEST.min(n - j), TERMS.min(k - t)];
        let start = match p.start {
            _ if t > 0 => Start::Sum,
            Start::Bias(bias) => Start::Bias(&bias[j..j + width]),
            other => other,
        };
        let (a, a_rows, a_terms, first) = match copy {
            Some(copy) => (copy, Walk::grid(ROWS, [TILE, 1]), Walk::line(ROWS), 0),
            None => (&p.a[t..], p.a_rows, p.a_terms, *first + i),
        };
        let (size, relu) = ([rows, width, terms], p.relu && t + terms == k);
        let (b, b_terms) = (&panels[j * k + t * WIDEST..], [0, WIDEST]);
        let (c, c_row) = (&mut p.c[i * p.c_row + j..], p.c_row);
        let product = Product { size, a, a_rows, a_terms, b, b_terms, start, relu, c, c_row };
        AutoArch::new().dispatch(Block { product, first });
    }

    /// Where the rows of each tile from row `i` on start; the last tile is filled up with the last row.
    fn starts(&self, i: usize) -> Vec<[usize; ROWS]> {
        let Block { product: p, first } = self;
        let m = p.size[0];
        let row = |r: usize| p.a_rows.at(first + r.min(m - 1));
        let tiles = (i..m.min(i + APART)).step_by(ROWS);
        tiles.map(|tile| std::array::from_fn(|r| row(tile + r))).collect()
    }

    /// Terms of these rows of `A` from `t` on, as `[rows / 6, terms, 6]`, tiles [`TILE`] apart.
    fn tiles(&self, starts: &[[usize; ROWS]], t: usize, tiles: &mut [f32]) {
        let p = &self.product;
        // Tiles whose rows lie side by side, one behind the other: all but the last, filled up one.
        let line = p.a_rows.inner == usize::MAX && p.a_rows.strides[1] == 1;
        let filled = starts.last().is_some_and(|tile| tile[ROWS - 1] != tile[0] + ROWS - 1);
        let whole = if line { starts.len() - usize::from(filled) } else { 0 };
        // Terms outside: what is read lies side by side where rows do.
        for s in 0..TERMS.min(p.size[2] - t) {
            let a = &p.a[p.a_terms.at(t + s)..];
            let mut tiles = tiles.chunks_exact_mut(TILE).map(|tile| &mut tile[s * ROWS..][..ROWS]);
            if whole > 0 {
                let from = a[starts[0][0]..][..whole * ROWS].chunks_exact(ROWS);
                from.zip(&mut tiles).for_each(|(from, to)| to.copy_from_slice(from));
            }
            for (start, to) in starts[whole..].iter().zip(tiles) {
                to.iter_mut().zip(start).for_each(|(to, &start)| *to = a[start]);
            }
        }
    }
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self) {
        let columns = padded(self.product.size[1]);
        let mut j = 0;
        // Few accumulators where registers are narrow: sixteen columns then.
        while j < columns {
            match (lanes::<S>(), columns - j) {
                (16, 64..) => j += self.columns::<S, 4>(j),
                (16, 32..) => j += self.columns::<S, 2>(j),
                (16, _) => j += self.columns::<S, 1>(j),
                (8, _) => j += self.columns::<S, 2>(j),
                (4, _) => j += self.columns::<S, 4>(j),
                (2, _) => j += self.columns::<S, 8>(j),
                _ => j += self.columns::<S, 16>(j),
            }
        }
    }
}

impl Block<'_> {
    /// All rows of some columns, and how many columns that are. Counted loops, see `tile`.
    #[allow(clippy::needless_range_loop, reason = "see above")]
    #[inline(always)]
    fn columns<S: Simd, const V: usize>(&mut self, j: usize) -> usize {
        let width = V * lanes::<S>();
        let p = &mut self.product;
        let [m, n, _] = p.size;
        let valid = width.min(n - j);
        let mut row = [0.0f32; WIDEST];
        let mut i = 0;
        while i < m {
            // The last tile computes its last row several times and stores it once.
            let rows = ROWS.min(m - i);
            let starts = std::array::from_fn(|r| p.a_rows.at(self.first + i + r.min(rows - 1)));
            let mut sums = [[0.0f32.splat::<S>(); V]; ROWS];
            if !matches!(p.start, Start::Zero) {
                for r in 0..ROWS {
                    let mut from = match p.start {
                        Start::Bias(bias) => &bias[j..j + valid],
                        _ => {
                            let at = (i + r.min(rows - 1)) * p.c_row + j;
                            &p.c[at..at + valid]
                        }
                    };
                    if valid < width {
                        row[..valid].copy_from_slice(from);
                        from = &row[..width];
                    }
                    for v in 0..V {
                        sums[r][v] = load::<S>(&from[v * lanes::<S>()..(v + 1) * lanes::<S>()]);
                    }
                }
            }
            add_terms::<S, V>(p, starts, j, &mut sums);
            for r in 0..rows {
                let at = (i + r) * p.c_row + j;
                let c = &mut p.c[at..at + valid];
                for v in 0..V {
                    // In this order a sum that isn't a number stays one.
                    let sum = if p.relu { 0.0f32.splat::<S>().max(sums[r][v]) } else { sums[r][v] };
                    let lanes = v * lanes::<S>()..(v + 1) * lanes::<S>();
                    if valid == width {
                        store::<S>(&mut c[lanes], sum);
                    } else {
                        store::<S>(&mut row[lanes], sum);
                    }
                }
                if valid < width {
                    c.copy_from_slice(&row[..valid]);
                }
            }
            i += ROWS;
        }
        width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::check::numbers;

    /// The module's formula, a term at a time.
    fn plain(p: &Product<'_>) -> Vec<f32> {
        let [m, n, k] = p.size;
        let mut c = Vec::new();
        for i in 0..m {
            for j in 0..n {
                let mut sum = match p.start {
                    Start::Zero => 0.0,
                    Start::Bias(bias) => bias[j],
                    Start::Sum => p.c[i * n + j],
                };
                for t in 0..k {
                    let b_terms = Walk { inner: p.a_terms.inner, strides: p.b_terms };
                    sum = p.a[p.a_rows.at(i) + p.a_terms.at(t)].mul_add(p.b[b_terms.at(t) + j], sum);
                }
                c.push(if p.relu && sum < 0.0 { 0.0 } else { sum });
            }
        }
        c
    }

    /// The bits of a product by `compute`, from given numbers.
    fn bits(case: ([usize; 3], Start<'_>, Walk, bool), compute: impl Fn(Product<'_>, &mut Vec<f32>)) -> Vec<u32> {
        let (size, start, a_terms, relu) = case;
        let [m, n, _] = size;
        let (a, b, mut c) = (numbers(1, 9000), numbers(2, 30000), numbers(4, m * n));
        let a_rows = Walk::grid(4, [50, 3]);
        let b_terms = [3 * padded(n), padded(n)];
        let mut result = c.clone();
        let product = Product { size, a: &a, a_rows, a_terms, b: &b, b_terms, start, relu, c: &mut c, c_row: n };
        compute(product, &mut result);
        result.iter().chain(&c).map(|v| v.to_bits()).collect()
    }

    #[test]
    fn every_shape_has_the_bits_of_a_plain_loop() {
        let bias = numbers(3, 200);
        for size in [[1, 1, 1], [5, 7, 12], [6, 16, 3], [7, 17, 36], [13, 48, 9], [25, 100, 6], [3, 160, 30]] {
            for relu in [false, true] {
                let starts = [(Start::Zero, Walk::line(1)), (Start::Bias(&bias), Walk::grid(3, [11, 2]))];
                for (start, walk) in starts.into_iter().chain([(Start::Sum, Walk::grid(3, [40, 7]))]) {
                    let case = (size, start, walk, relu);
                    let expected = bits(case, |product, result| {
                        *result = plain(&product);
                        product.c.copy_from_slice(result);
                    });
                    let ours = bits(case, |product, result| {
                        product.run();
                        result.clear();
                    });
                    assert_eq!(ours, expected[expected.len() / 2..], "{size:?} {start:?}");
                }
            }
        }
    }

    #[test]
    fn copies_have_the_same_bits() {
        // More rows, columns and terms than are computed together.
        let (m, n, k) = (230, 100, 300);
        let (a, b, bias) = (numbers(1, m * k), numbers(2, k * padded(n)), numbers(3, n));
        for (start, stride) in [(Start::Zero, 1), (Start::Bias(&bias), m), (Start::Sum, m)] {
            let [mut direct, mut packed] = [numbers(4, m * n), numbers(4, m * n)];
            for (c, packs) in [(&mut direct, false), (&mut packed, true)] {
                let (size, a, b) = ([m, n, k], &a[..], &b[..]);
                let (a_rows, a_terms) = (Walk::line(if stride == 1 { k } else { 1 }), Walk::line(stride));
                let b_terms = [0, padded(n)];
                let product = Product { size, a, a_rows, a_terms, b, b_terms, start, relu: true, c, c_row: n };
                if packs { product.run_panels(&Panels::of(b, padded(n), [k, n])) } else { product.run() }
            }
            assert_eq!(direct, packed, "{start:?}");
        }
    }

    #[test]
    fn parts_of_threads_have_the_same_bits() {
        let case = ([100, 48, 80], Start::Zero, Walk::line(1), false);
        let one = bits(case, |product, _| product.run());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let three = bits(case, |product, _| pool.install(|| product.run_parallel()));
        assert_eq!(one, three);
    }

    #[test]
    fn a_sum_that_is_no_number_stays_one_behind_relu() {
        let mut c = [0.0; 16];
        let b = [f32::NAN; 16];
        let (size, line) = ([1, 16, 1], Walk::line(1));
        let (start, a) = (Start::Zero, &[1.0]);
        Product {
            size,
            a,
            a_rows: line,
            a_terms: line,
            b: &b,
            b_terms: [0, 16],
            start,
            relu: true,
            c: &mut c,
            c_row: 16,
        }
        .run();
        assert!(c.iter().all(|v| v.is_nan()));
    }
}
