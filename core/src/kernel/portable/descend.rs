//! Plain descent: the update of a row, and of all rows of an outer product.

/// `w[i] -= c * x[i]`: one rounding for the product, one for the difference. A `c` of 0 changes nothing, so a whole row
/// of zero errors, as ReLU makes them, is passed over. Both are of one length: where they aren't, which elements meet is
/// left to the implementation.
#[inline(never)]
pub fn descend(w: &mut [f32], x: &[f32], c: f32) {
    if c == 0.0 {
        return;
    }
    let (w8, w1) = w.as_chunks_mut::<8>();
    let (x8, x1) = x.as_chunks::<8>();
    for (w, &[x0, x1, x2, x3, x4, x5, x6, x7]) in w8.iter_mut().zip(x8) {
        let [w0, w1, w2, w3, w4, w5, w6, w7] = *w;
        *w = [w0 - c * x0, w1 - c * x1, w2 - c * x2, w3 - c * x3, w4 - c * x4, w5 - c * x5, w6 - c * x6, w7 - c * x7];
    }
    for (w, &x) in w1.iter_mut().zip(x1) {
        *w -= c * x;
    }
}

/// [`descend`] for every row `r` of `w` (`[factors.len(), x.len()]` row-major) with `c = rate * factors[r]`.
#[inline]
pub fn descend_rows(w: &mut [f32], x: &[f32], factors: &[f32], rate: f32) {
    for (w, &factor) in w.chunks_exact_mut(x.len().max(1)).zip(factors) {
        descend(w, x, rate * factor);
    }
}
