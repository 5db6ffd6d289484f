//! Convolutions in f32 that add to their result in place, row by row, without gathering neighbourhoods.
//!
//! In f32 a sum can rest in the output itself between its terms, so a window slides along the input once for four
//! results, and no neighbourhood is gathered first, which costs as much again. The order of every sum is that of the
//! gathering path: channel, window row, window column. Loops zip plain slice iterators, so that one counter serves.

/// `y[r][j][i] += Σ_k w[r][k] * x[j][i + k - left]` for four planes `r` of rows `j`, k ascending, with zeros beyond
/// both ends of a row of `x`; with `REVERSED` the window's elements meet the weights backwards,
/// `x[j][i + K - 1 - k - left]`, as the error of a convolution needs it.
///
/// Rows are `width` and `x_width` elements long and follow each other; there are as many as every plane has. Four
/// planes share the loads of `x`. Adding the product of a zero changes no bit of a finite sum but the sign of a zero.
#[inline]
pub fn slide4<const K: usize, const REVERSED: bool>(
    y: [&mut [f32]; 4],
    width: usize,
    w: &[[f32; K]; 4],
    x: &[f32],
    x_width: usize,
    left: usize,
) {
    let [a, b, c, d] = y.map(|y| y.chunks_exact_mut(width.max(1)));
    for ((((x, a), b), c), d) in x.chunks_exact(x_width.max(1)).zip(a).zip(b).zip(c).zip(d) {
        row4::<K, REVERSED>([a, b, c, d], w, x, left);
    }
}

#[inline(always)]
fn row4<const K: usize, const REVERSED: bool>(y: [&mut [f32]; 4], w: &[[f32; K]; 4], x: &[f32], left: usize) {
    let mut x = x.iter();
    let mut window = first(&mut x, left);
    let [a, b, c, d] = y;
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        window = next(window, &mut x);
        *a = sum::<K, REVERSED>(*a, &w[0], &window);
        *b = sum::<K, REVERSED>(*b, &w[1], &window);
        *c = sum::<K, REVERSED>(*c, &w[2], &window);
        *d = sum::<K, REVERSED>(*d, &w[3], &window);
    }
}

/// [`slide4`] for one row of one plane.
#[inline(always)]
pub fn slide1<const K: usize, const REVERSED: bool>(y: &mut [f32], w: &[f32; K], x: &[f32], left: usize) {
    let mut x = x.iter();
    let mut window = first(&mut x, left);
    for y in y {
        window = next(window, &mut x);
        *y = sum::<K, REVERSED>(*y, w, &window);
    }
}

/// The window before its first step: `left` zeros and what comes after them, one place further.
#[inline(always)]
pub(super) fn first<T: Copy + Default, const K: usize>(x: &mut core::slice::Iter<'_, T>, left: usize) -> [T; K] {
    let mut window = [T::default(); K];
    for place in window.iter_mut().skip(left + 1) {
        *place = x.next().copied().unwrap_or_default();
    }
    window
}

/// The window one step on.
#[inline(always)]
pub(super) fn next<T: Copy + Default, const K: usize>(window: [T; K], x: &mut core::slice::Iter<'_, T>) -> [T; K] {
    let mut shifted = [x.next().copied().unwrap_or_default(); K];
    for (to, &from) in shifted.iter_mut().zip(window.iter().skip(1)) {
        *to = from;
    }
    shifted
}

#[inline(always)]
fn sum<const K: usize, const REVERSED: bool>(mut sum: f32, w: &[f32; K], x: &[f32; K]) -> f32 {
    if REVERSED {
        for (&w, &x) in w.iter().zip(x.iter().rev()) {
            sum += w * x;
        }
    } else {
        for (&w, &x) in w.iter().zip(x) {
            sum += w * x;
        }
    }
    sum
}
