//! Multi-head self-attention of a batch: projections as linear layers, and each head's scores on a thread of their own.
//!
//! Query, key and value come from one product of three times the width. A head's scores are kept for the way back after
//! their softmax, in rows of [`Heads::stride`]. Where a position sees none that comes later, what lies above the
//! diagonal isn't computed, in blocks of [`BLOCK`] positions. Heads are independent, so their order doesn't matter; within one
//! every sum is a product's, terms ascending, or a row's (`maths::sum`).
//!
//! No product takes its left side turned, whose terms would lie rows apart: the errors of keys and values come out
//! turned, features first, and are turned when they are put in their place.

use super::conv::{Gradients, Seen};
use super::dense::Dense;
use super::memory::{Buffer, Memory};
use super::product::{LANES, Product, Start, Walk, padded};
use super::sequence::{Sight, softmax, softmax_back};
use super::window::transpose;
use rayon::prelude::*;

/// Positions that are computed together.
const BLOCK: usize = 64;

/// Sizes of one attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub length: usize,
    pub features: usize,
    pub heads: usize,
    pub causal: bool,
}

/// Rows of numbers, so far apart.
#[derive(Clone, Copy)]
struct Rows<'a>(&'a [f32], usize);

impl Heads {
    /// Features of a head.
    fn size(&self) -> usize {
        self.features / self.heads
    }

    /// From a row of scores to the next: whole vectors, an odd number of them, since rows a power of two apart share few
    /// places of a cache.
    fn stride(&self) -> usize {
        padded(self.length) | LANES
    }

    /// Elements of one head's scores.
    fn scores(&self) -> usize {
        self.length * self.stride()
    }

    fn sight(&self) -> Sight {
        let [first, more] = if self.causal { [1, 1] } else { [self.length, 0] };
        Sight { stride: self.stride(), first, more, scale: 1.0 / (self.size() as f32).sqrt() }
    }

    /// Blocks of positions: the first, the one behind the last, and where that which they see ends.
    fn blocks(&self) -> impl Iterator<Item = [usize; 3]> {
        let (length, causal) = (self.length, self.causal);
        let ends = move |from: usize| [from, length.min(from + BLOCK)];
        (0..length).step_by(BLOCK).map(ends).map(move |[from, to]| [from, to, if causal { to } else { length }])
    }

    /// A head's columns of `rows`, side by side and filled up to whole vectors.
    fn compact(&self, Rows(rows, stride): Rows<'_>) -> Vec<f32> {
        let (size, wide) = (self.size(), padded(self.size()));
        let mut to = vec![0.0; self.length * wide];
        for (i, to) in to.chunks_exact_mut(wide).enumerate() {
            to[..size].copy_from_slice(&rows[i * stride..i * stride + size]);
        }
        to
    }

    /// `a [length, size] bᵀ` to rows of scores.
    fn against(&self, Rows(a, a_stride): Rows<'_>, b: Rows<'_>, c: &mut [f32]) {
        let (wide, stride) = (padded(self.size()), self.stride());
        let mut turned = vec![0.0; wide * stride];
        transpose(&self.compact(b), [self.length, wide], &mut turned, stride);
        for [from, to, end] in self.blocks() {
            Product {
                size: [to - from, end, self.size()],
                a: &a[from * a_stride..],
                a_rows: Walk::line(a_stride),
                a_terms: Walk::line(1),
                b: &turned,
                b_terms: [0, stride],
                start: Start::Zero,
                relu: false,
                c: &mut c[from * stride..],
                c_row: stride,
            }
            .run();
        }
    }

    /// Rows of scores times `b [length, size]`: `[length, size]`.
    fn mixed(&self, s: &[f32], b: Rows<'_>) -> Vec<f32> {
        let (size, stride) = (self.size(), self.stride());
        let b = self.compact(b);
        let mut c = vec![0.0; self.length * size];
        for [from, to, end] in self.blocks() {
            Product {
                size: [to - from, size, end],
                a: &s[from * stride..],
                a_rows: Walk::line(stride),
                a_terms: Walk::line(1),
                b: &b,
                b_terms: [0, padded(size)],
                start: Start::Zero,
                relu: false,
                c: &mut c[from * size..],
                c_row: size,
            }
            .run();
        }
        c
    }

    /// `aᵀ` times rows of scores, for `a [length, size]`: `[size, length]`.
    fn mixed_back(&self, a: Rows<'_>, s: &[f32]) -> Vec<f32> {
        let (wide, stride) = (padded(self.size()), self.stride());
        let a = self.compact(a);
        let mut c = vec![0.0; self.size() * self.length];
        for [from, to, _] in self.blocks() {
            // The positions that see these.
            let first = if self.causal { from } else { 0 };
            Product {
                size: [self.size(), to - from, self.length - first],
                a: &a[first * wide..],
                a_rows: Walk::line(1),
                a_terms: Walk::line(wide),
                b: &s[first * stride + from..],
                b_terms: [0, stride],
                start: Start::Zero,
                relu: false,
                c: &mut c[from..],
                c_row: self.length,
            }
            .run();
        }
        c
    }

    /// Both projections: of the input to queries, keys and values, and of what the heads give.
    fn layers(&self) -> [Dense; 2] {
        let inputs = self.features;
        [3 * inputs, inputs].map(|outputs| Dense { inputs, outputs, relu: false })
    }

    /// The whole attention of a batch. `weight` is `[3 features, features]` and `[features, features]`, one after the other,
    /// the bias likewise. Returns what the way back needs: queries, keys and values, shares, and what the heads gave.
    pub fn project(
        &self,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        memory: &Memory,
    ) -> [Buffer; 3] {
        let [inside, out] = self.layers();
        let (first, second) = weight.split_at(weight.len() / 4 * 3);
        let bias = bias.map(|bias| bias.split_at(bias.len() / 4 * 3));
        let mut qkv = memory.any(3 * x.len());
        inside.forward(x, first, bias.map(|(bias, _)| bias), &mut qkv);
        let mut mixed = memory.any(x.len());
        let batch = x.len() / (self.length * self.features);
        let mut shares = memory.any(batch * self.heads * self.scores());
        self.forward(&qkv, &mut mixed, &mut shares);
        out.forward(&mixed, second, bias.map(|(_, bias)| bias), y);
        [qkv, shares, mixed]
    }

    /// The way back of [`Heads::project`], which returned `kept`: fills those of `wanted` that are there.
    pub fn project_back(
        &self,
        x: &[f32],
        weight: &[f32],
        [qkv, shares, mixed]: &[Buffer; 3],
        dy: &[f32],
        wanted: &mut Gradients<'_>,
        memory: &Memory,
    ) {
        let [inside, out] = self.layers();
        let (first, second) = weight.split_at(weight.len() / 4 * 3);
        let empty = |there: bool| there.then(Vec::new);
        let (has_weight, has_bias) = (wanted.weight.is_some(), wanted.bias.is_some());
        let mut dmixed = memory.any(mixed.len());
        let mut behind = Gradients { weight: empty(has_weight), bias: empty(has_bias), input: Some(&mut dmixed) };
        out.backward(Seen { x: mixed, y: &[], from: &[], dy }, second, &mut behind);
        let Gradients { weight: behind_weight, bias: behind_bias, .. } = behind;
        let mut dqkv = memory.any(qkv.len());
        self.backward(qkv, shares, &dmixed, &mut dqkv);
        inside.backward(Seen { x, y: &[], from: &[], dy: &dqkv }, first, wanted);
        for (all, behind) in [(&mut wanted.weight, behind_weight), (&mut wanted.bias, behind_bias)] {
            if let (Some(all), Some(behind)) = (all, behind) {
                all.extend(behind);
            }
        }
    }

    /// A head's queries, keys and values.
    fn parts<'a>(&self, qkv: &'a [f32], head: usize) -> [Rows<'a>; 3] {
        [0, 1, 2].map(|which| Rows(&qkv[which * self.features + head * self.size()..], 3 * self.features))
    }

    /// `softmax(q kᵀ scale) v` of a batch of `qkv`, heads side by side in `y [batch, length, features]`; the shares go to
    /// `shares [batch, heads, length, stride]`.
    pub fn forward(&self, qkv: &[f32], y: &mut [f32], shares: &mut [f32]) {
        let (size, outputs) = (self.size(), self.length * self.features);
        let samples = qkv.par_chunks_exact(3 * outputs).zip(y.par_chunks_exact_mut(outputs));
        let each = shares.par_chunks_exact_mut(self.heads * self.scores());
        samples.zip(each).for_each(|((qkv, y), shares)| {
            let heads = shares.par_chunks_exact_mut(self.scores()).enumerate();
            let one = |(head, shares): (usize, &mut [f32])| {
                let [q, k, v] = self.parts(qkv, head);
                self.against(q, k, shares);
                softmax(shares, self.sight());
                self.mixed(shares, v)
            };
            let found: Vec<Vec<f32>> = heads.map(one).collect();
            for (head, found) in found.iter().enumerate() {
                for (y, found) in y.chunks_exact_mut(self.features).zip(found.chunks_exact(size)) {
                    y[head * size..(head + 1) * size].copy_from_slice(found);
                }
            }
        });
    }

    /// The error of `qkv` from that of the heads' outputs.
    pub fn backward(&self, qkv: &[f32], shares: &[f32], dy: &[f32], dqkv: &mut [f32]) {
        let (length, size, wide) = (self.length, self.size(), 3 * self.features);
        let samples = qkv.par_chunks_exact(length * wide).zip(dqkv.par_chunks_exact_mut(length * wide));
        let seen = shares.par_chunks_exact(self.heads * self.scores()).zip(dy.par_chunks_exact(length * self.features));
        samples.zip(seen).for_each(|((qkv, dqkv), (shares, dy))| {
            let heads = shares.par_chunks_exact(self.scores()).enumerate();
            let one = |(head, shares): (usize, &[f32])| {
                let [q, k, v] = self.parts(qkv, head);
                let dy = Rows(&dy[head * size..], self.features);
                let mut ds = vec![0.0; self.scores()];
                self.against(dy, v, &mut ds);
                softmax_back(shares, &mut ds, self.sight());
                [self.mixed(&ds, k), self.mixed_back(q, &ds), self.mixed_back(dy, shares)]
            };
            let found: Vec<[Vec<f32>; 3]> = heads.map(one).collect();
            for (head, [dq, dk, dv]) in found.iter().enumerate() {
                for (i, row) in dqkv.chunks_exact_mut(wide).enumerate() {
                    row[head * size..(head + 1) * size].copy_from_slice(&dq[i * size..(i + 1) * size]);
                }
                for (which, turned) in [(1, dk), (2, dv)] {
                    let to = &mut dqkv[which * self.features + head * size..];
                    transpose(turned, [size, length], to, wide);
                }
            }
        });
    }
}
