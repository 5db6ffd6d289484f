//! Multi-head self-attention of a batch: projections as linear layers, and each head's scores on a thread of their own.
//!
//! Query, key and value come from one product of three times the width. A head's scores `[length, length]` are kept for
//! the way back after their softmax. Heads are independent, so their order doesn't matter; within one every sum is a
//! product's, terms ascending, or a row's (`maths::sum`).

use super::conv::{Gradients, Seen};
use super::dense::Dense;
use super::product::{Product, Start, Walk, padded};
use super::sequence::{softmax, softmax_back};
use super::window::transpose;
use rayon::prelude::*;

/// Sizes of one attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub length: usize,
    pub features: usize,
    pub heads: usize,
    pub causal: bool,
}

/// One head's part of `qkv [length, 3 features]` without gaps, rows filled up to whole vectors.
struct Head {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Heads {
    /// Features of a head.
    fn size(&self) -> usize {
        self.features / self.heads
    }

    /// Elements of one head's scores.
    pub fn scores(&self) -> usize {
        self.length * self.length
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size() as f32).sqrt()
    }

    /// `size` columns from `first` on, of rows `width` wide.
    fn part(&self, rows: &[f32], width: usize, first: usize) -> Vec<f32> {
        let (size, wide) = (self.size(), padded(self.size()));
        let mut to = vec![0.0; self.length * wide];
        for (to, row) in to.chunks_exact_mut(wide).zip(rows.chunks_exact(width)) {
            to[..size].copy_from_slice(&row[first..first + size]);
        }
        to
    }

    fn head(&self, qkv: &[f32], head: usize) -> Head {
        let of = |which| self.part(qkv, 3 * self.features, which * self.features + head * self.size());
        Head { q: of(0), k: of(1), v: of(2) }
    }

    /// `a [length, size] bᵀ`, both with filled rows.
    fn against(&self, a: &[f32], b: &[f32], c: &mut [f32]) {
        let (length, wide) = (self.length, padded(self.size()));
        let across = padded(length);
        let mut turned = vec![0.0; wide * across];
        transpose(b, [length, wide], &mut turned, across);
        Product {
            size: [length, length, self.size()],
            a,
            a_rows: Walk::line(wide),
            a_terms: Walk::line(1),
            b: &turned,
            b_terms: [0, across],
            start: Start::Zero,
            relu: false,
            c,
            c_row: length,
        }
        .run();
    }

    /// `s b`, or `sᵀ b` where `turned`: `[length, size]`.
    fn mixed(&self, s: &[f32], turned: bool, b: &[f32]) -> Vec<f32> {
        let length = self.length;
        let (rows, terms) = if turned { (1, length) } else { (length, 1) };
        let mut c = vec![0.0; length * self.size()];
        Product {
            size: [length, self.size(), length],
            a: s,
            a_rows: Walk::line(rows),
            a_terms: Walk::line(terms),
            b,
            b_terms: [0, padded(self.size())],
            start: Start::Zero,
            relu: false,
            c: &mut c,
            c_row: self.size(),
        }
        .run();
        c
    }

    /// Both projections: of the input to queries, keys and values, and of what the heads give.
    fn layers(&self) -> [Dense; 2] {
        let inputs = self.features;
        [3 * inputs, inputs].map(|outputs| Dense { inputs, outputs, relu: false })
    }

    /// The whole attention of a batch. `weight` is `[3 features, features]` and `[features, features]`, one after the other,
    /// the bias likewise. Returns what the way back needs: queries, keys and values, shares, and what the heads gave.
    pub fn project(&self, x: &[f32], weight: &[f32], bias: Option<&Vec<f32>>, y: &mut [f32]) -> [Vec<f32>; 3] {
        let [inside, out] = self.layers();
        let split = |bias: &'_ Vec<f32>| bias.len() / 4 * 3;
        let (first, second) = weight.split_at(weight.len() / 4 * 3);
        let mut qkv = vec![0.0; 3 * x.len()];
        inside.forward(x, first, bias.map(|bias| &bias[..split(bias)]), &mut qkv);
        let mut mixed = vec![0.0; x.len()];
        let batch = x.len() / (self.length * self.features);
        let mut shares = vec![0.0; batch * self.heads * self.scores()];
        self.forward(&qkv, &mut mixed, &mut shares);
        out.forward(&mixed, second, bias.map(|bias| &bias[split(bias)..]), y);
        [qkv, shares, mixed]
    }

    /// The way back of [`Heads::project`], which returned `kept`: fills those of `wanted` that are there.
    pub fn project_back(
        &self,
        x: &[f32],
        weight: &[f32],
        [qkv, shares, mixed]: &[Vec<f32>; 3],
        dy: &[f32],
        wanted: &mut Gradients<'_>,
    ) {
        let [inside, out] = self.layers();
        let (first, second) = weight.split_at(weight.len() / 4 * 3);
        let empty = |there: bool| there.then(Vec::new);
        let (has_weight, has_bias) = (wanted.weight.is_some(), wanted.bias.is_some());
        let mut dmixed = vec![0.0; mixed.len()];
        let mut behind = Gradients { weight: empty(has_weight), bias: empty(has_bias), input: Some(&mut dmixed) };
        out.backward(Seen { x: mixed, y: &[], from: &[], dy }, second, &mut behind);
        let Gradients { weight: behind_weight, bias: behind_bias, .. } = behind;
        let mut dqkv = vec![0.0; qkv.len()];
        self.backward(qkv, shares, &dmixed, &mut dqkv);
        inside.backward(Seen { x, y: &[], from: &[], dy: &dqkv }, first, wanted);
        for (all, behind) in [(&mut wanted.weight, behind_weight), (&mut wanted.bias, behind_bias)] {
            if let (Some(all), Some(behind)) = (all, behind) {
                all.extend(behind);
            }
        }
    }

    /// `softmax(q kᵀ scale) v` of a batch of `qkv`, heads side by side in `y [batch, length, features]`; the shares go to
    /// `shares [batch, heads, length, length]`.
    pub fn forward(&self, qkv: &[f32], y: &mut [f32], shares: &mut [f32]) {
        let (length, size) = (self.length, self.size());
        let samples =
            qkv.par_chunks_exact(length * 3 * self.features).zip(y.par_chunks_exact_mut(length * self.features));
        let each = shares.par_chunks_exact_mut(self.heads * self.scores());
        samples.zip(each).for_each(|((qkv, y), shares)| {
            let found: Vec<Vec<f32>> = shares
                .par_chunks_exact_mut(self.scores())
                .enumerate()
                .map(|(head, shares)| {
                    let Head { q, k, v } = self.head(qkv, head);
                    self.against(&q, &k, shares);
                    self.softmax(shares);
                    self.mixed(shares, false, &v)
                })
                .collect();
            for (head, found) in found.iter().enumerate() {
                for (y, found) in y.chunks_exact_mut(self.features).zip(found.chunks_exact(size)) {
                    y[head * size..(head + 1) * size].copy_from_slice(found);
                }
            }
        });
    }

    /// Rows of scores to shares.
    fn softmax(&self, scores: &mut [f32]) {
        for (i, row) in scores.chunks_exact_mut(self.length).enumerate() {
            let seen = if self.causal { i + 1 } else { self.length };
            let (row, later) = row.split_at_mut(seen);
            later.fill(0.0);
            softmax(row, self.scale());
        }
    }

    /// The error of `qkv` from that of the heads' outputs.
    pub fn backward(&self, qkv: &[f32], shares: &[f32], dy: &[f32], dqkv: &mut [f32]) {
        let (length, size, wide) = (self.length, self.size(), 3 * self.features);
        let samples = qkv.par_chunks_exact(length * wide).zip(dqkv.par_chunks_exact_mut(length * wide));
        let seen = shares.par_chunks_exact(self.heads * self.scores()).zip(dy.par_chunks_exact(length * self.features));
        samples.zip(seen).for_each(|((qkv, dqkv), (shares, dy))| {
            let found: Vec<[Vec<f32>; 3]> = shares
                .par_chunks_exact(self.scores())
                .enumerate()
                .map(|(head, shares)| {
                    let Head { q, k, v } = self.head(qkv, head);
                    let dy = self.part(dy, self.features, head * size);
                    let mut ds = vec![0.0; self.scores()];
                    self.against(&dy, &v, &mut ds);
                    for (ds, p) in ds.chunks_exact_mut(length).zip(shares.chunks_exact(length)) {
                        softmax_back(p, ds, self.scale());
                    }
                    [self.mixed(&ds, false, &k), self.mixed(&ds, true, &q), self.mixed(shares, true, &dy)]
                })
                .collect();
            for (head, found) in found.iter().enumerate() {
                for (which, found) in found.iter().enumerate() {
                    let first = which * self.features + head * size;
                    for (to, from) in dqkv.chunks_exact_mut(wide).zip(found.chunks_exact(size)) {
                        to[first..first + size].copy_from_slice(from);
                    }
                }
            }
        });
    }
}
