//! The terms of one tile of a product: rows by columns that stay in registers.
//!
//! Loops are counted: iterators aren't inlined in a build for development, which then takes a hundred times as long. Where
//! operands are copies, their lengths are those of the loop and no place is checked within it: the checks of six rows and
//! a panel took a tenth of the time, since they share two ports of the processor with the multiplications.

use super::product::{Product, ROWS, WIDEST};
use macerator::{Scalar, Simd, Vector};

pub(super) type Lanes<S> = Vector<S, f32>;
type Sums<S, const V: usize> = [[Lanes<S>; V]; ROWS];

/// A vector of a slice of its length.
#[inline(always)]
pub(super) fn load<S: Simd>(x: &[f32]) -> Lanes<S> {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(x))
}

#[inline(always)]
pub(super) fn store<S: Simd>(x: &mut [f32], v: Lanes<S>) {
    bytemuck::cast_slice_mut::<f32, u8>(x).copy_from_slice(bytemuck::bytes_of(&v));
}

pub(super) const fn lanes<S: Simd>() -> usize {
    size_of::<Lanes<S>>() / size_of::<f32>()
}

/// Adds every term to the sums of rows that begin at `starts` and of columns from `j` on.
#[inline(always)]
pub(super) fn add_terms<S: Simd, const V: usize>(
    p: &Product<'_>,
    starts: [usize; ROWS],
    j: usize,
    sums: &mut Sums<S, V>,
) {
    let k = p.size[2];
    let stride = p.a_terms.strides[1];
    let panel = p.b.as_chunks().0.get(..k);
    if let Some(b) = panel
        && p.b_terms[1] == WIDEST
        && p.a_terms.inner >= k
        && j + V * lanes::<S>() <= WIDEST
    {
        if stride == 1 {
            return add_rows(starts.map(|start| &p.a[start..start + k]), b, j, sums);
        }
        if stride == ROWS && (1..ROWS).all(|r| starts[r] == starts[0] + r) {
            return add_tiles(&p.a[starts[0]..].as_chunks().0[..k], b, j, sums);
        }
    }
    add_walk(p, starts, j, sums);
}

/// Terms of a row side by side.
#[allow(clippy::needless_range_loop, reason = "see the module's head")]
#[inline(always)]
fn add_rows<S: Simd, const V: usize>(rows: [&[f32]; ROWS], b: &[[f32; WIDEST]], j: usize, sums: &mut Sums<S, V>) {
    let mut all = *sums;
    let k = b.len();
    // One by one, so that the compiler knows their lengths.
    let rows = [&rows[0][..k], &rows[1][..k], &rows[2][..k], &rows[3][..k], &rows[4][..k], &rows[5][..k]];
    for t in 0..k {
        let b = columns::<S, V>(&b[t][j..]);
        for r in 0..ROWS {
            let a = rows[r][t].splat::<S>();
            for v in 0..V {
                all[r][v] = a.fma(b[v], all[r][v]);
            }
        }
    }
    *sums = all;
}

/// Rows of a term side by side.
#[allow(clippy::needless_range_loop, reason = "see the module's head")]
#[inline(always)]
fn add_tiles<S: Simd, const V: usize>(a: &[[f32; ROWS]], b: &[[f32; WIDEST]], j: usize, sums: &mut Sums<S, V>) {
    let mut all = *sums;
    let k = b.len();
    let a = &a[..k];
    for t in 0..k {
        let b = columns::<S, V>(&b[t][j..]);
        for r in 0..ROWS {
            let a = a[t][r].splat::<S>();
            for v in 0..V {
                all[r][v] = a.fma(b[v], all[r][v]);
            }
        }
    }
    *sums = all;
}

/// Terms where a walk finds them.
#[allow(clippy::needless_range_loop, reason = "see the module's head")]
#[inline(always)]
fn add_walk<S: Simd, const V: usize>(p: &Product<'_>, starts: [usize; ROWS], j: usize, sums: &mut Sums<S, V>) {
    let k = p.size[2];
    let inner = p.a_terms.inner.min(k);
    let outer = k / inner;
    let [outer_stride, stride] = p.a_terms.strides;
    // Rows of one length: then the bounds of all of them are checked at once.
    let span = (outer - 1) * outer_stride + (inner - 1) * stride + 1;
    let rows = starts.map(|start| &p.a[start..start + span]);
    let mut all = *sums;
    for s in 0..outer {
        for t in 0..inner {
            let at = s * outer_stride + t * stride;
            let b = columns::<S, V>(&p.b[s * p.b_terms[0] + t * p.b_terms[1] + j..]);
            for r in 0..ROWS {
                let a = rows[r][at].splat::<S>();
                for v in 0..V {
                    all[r][v] = a.fma(b[v], all[r][v]);
                }
            }
        }
    }
    *sums = all;
}

/// The first vectors of a row.
#[inline(always)]
fn columns<S: Simd, const V: usize>(b: &[f32]) -> [Lanes<S>; V] {
    let b = &b[..V * lanes::<S>()];
    std::array::from_fn(|v| load::<S>(&b[v * lanes::<S>()..(v + 1) * lanes::<S>()]))
}
