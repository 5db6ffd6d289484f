//! Sums of products: the one primitive that every dense loop is made of.
//!
//! Four rows at once share the loads of the vector, and chunks of four columns let the compiler use multiple-register
//! loads: on Cortex-M4 about 2.5 instructions per MAC where a single dot product takes about 4.5.

use crate::number::Number;

/// `sum + Σ a[i] * b[i]`, i ascending, over the shorter of the two.
#[inline(always)]
pub fn mac<N: Number>(mut sum: N::Accumulator, a: &[N::Value], b: &[N::Value]) -> N::Accumulator {
    for (&a, &b) in a.iter().zip(b) {
        sum = N::mac(sum, a, b);
    }
    sum
}

/// Four sums `sums[r] + Σ rows[r][i] * x[i]`, i ascending over `x`. Rows must be at least as long; a shorter one gives
/// its sum back unchanged, and with it all four.
#[inline(always)]
pub fn mac4<N: Number>(sums: [N::Accumulator; 4], rows: [&[N::Value]; 4], x: &[N::Value]) -> [N::Accumulator; 4] {
    let [mut s0, mut s1, mut s2, mut s3] = sums;
    // Cut to one length: the loops below then need a single counter.
    let [a, b, c, d] = rows.map(|row| row.get(..x.len()).unwrap_or_default());
    let (x4, x1) = x.as_chunks::<4>();
    let (a4, a1) = a.as_chunks::<4>();
    let (b4, b1) = b.as_chunks::<4>();
    let (c4, c1) = c.as_chunks::<4>();
    let (d4, d1) = d.as_chunks::<4>();
    for ((((x, a), b), c), d) in x4.iter().zip(a4).zip(b4).zip(c4).zip(d4) {
        let [x, a, b, c, d] = [*x, *a, *b, *c, *d];
        s0 = N::mac(N::mac(N::mac(N::mac(s0, a[0], x[0]), a[1], x[1]), a[2], x[2]), a[3], x[3]);
        s1 = N::mac(N::mac(N::mac(N::mac(s1, b[0], x[0]), b[1], x[1]), b[2], x[2]), b[3], x[3]);
        s2 = N::mac(N::mac(N::mac(N::mac(s2, c[0], x[0]), c[1], x[1]), c[2], x[2]), c[3], x[3]);
        s3 = N::mac(N::mac(N::mac(N::mac(s3, d[0], x[0]), d[1], x[1]), d[2], x[2]), d[3], x[3]);
    }
    for ((((&x, &a), &b), &c), &d) in x1.iter().zip(a1).zip(b1).zip(c1).zip(d1) {
        s0 = N::mac(s0, a, x);
        s1 = N::mac(s1, b, x);
        s2 = N::mac(s2, c, x);
        s3 = N::mac(s3, d, x);
    }
    [s0, s1, s2, s3]
}
