//! Linear layers of a whole batch.

use super::columns;
use super::conv::{Gradients, Seen};
use super::product::{LANES, Panels, Product, Start, Walk, padded};
use super::window::widen;

/// A linear layer of a batch: `y [batch, out] = x [batch, in] Wᵀ + b`, `W [out, in]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    pub relu: bool,
}

impl Dense {
    pub fn forward(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let (k, n) = (self.inputs, self.outputs);
        Product {
            size: [x.len() / k, n, k],
            a: x,
            a_rows: Walk::line(k),
            a_terms: Walk::line(1),
            b: &[],
            b_terms: [0; 2],
            start: bias.map_or(Start::Zero, Start::Bias),
            relu: self.relu,
            c: y,
            c_row: n,
        }
        .run_panels(&Panels::turned(w, [k, n]));
    }

    /// Gradients of a batch, sums over samples in order: fills those of `wanted` that are there.
    pub fn backward(&self, seen: Seen<'_>, w: &[f32], wanted: &mut Gradients<'_>) {
        let (k, n) = (self.inputs, self.outputs);
        let batch = seen.dy.len() / n;
        let masked: Vec<f32>;
        let mut dy = seen.dy;
        if self.relu {
            masked = dy.iter().zip(seen.y).map(|(&dy, &y)| if y > 0.0 { dy } else { 0.0 }).collect();
            dy = &masked;
        }
        if let Some(bias) = &mut wanted.bias {
            *bias = columns::sums(dy, n);
        }
        if let Some(weight) = &mut wanted.weight {
            let wide = if k % LANES == 0 { Vec::new() } else { widen(seen.x, k, padded(k)) };
            *weight = vec![0.0; n * k];
            Product {
                size: [n, k, batch],
                a: dy,
                a_rows: Walk::line(1),
                a_terms: Walk::line(n),
                b: if k % LANES == 0 { seen.x } else { &wide },
                b_terms: [0, padded(k)],
                start: Start::Zero,
                relu: false,
                c: weight,
                c_row: k,
            }
            .run_parallel();
        }
        if let Some(dx) = &mut wanted.input {
            let wide = if k % LANES == 0 { Vec::new() } else { widen(w, k, padded(k)) };
            Product {
                size: [batch, k, n],
                a: dy,
                a_rows: Walk::line(n),
                a_terms: Walk::line(1),
                b: if k % LANES == 0 { w } else { &wide },
                b_terms: [0, padded(k)],
                start: Start::Zero,
                relu: false,
                c: dx,
                c_row: k,
            }
            .run_parallel();
        }
    }
}
