//! The commonest optimizers on the CPU: an update in one pass over memory.
//!
//! The framework makes a pass for each sum and product, thirteen for AdamW, each as fast as memory is. Here are the
//! same operations in the same order for one weight after the other, so the same bits, those of `subnormal.rs` among
//! them; the tensors' memory is taken over and handed back where nobody else holds it.

use super::optimizer::Moment;
use super::subnormal::kept;
use crate::lower::Held;
use burn_tensor::{DType, Device, Tensor, TensorData};
use emberlite::optimizer::Optimizer;
use rayon::prelude::*;

/// Weights of a thread's part.
const PART: usize = 1 << 14;

fn held(tensor: Tensor<1>) -> Held {
    Held::of(tensor).expect("the CPU has computed it")
}

/// Whether [`step`] has this rule for tensors like `w`.
pub(super) fn has(optimizer: &Optimizer, w: &Tensor<1>) -> bool {
    let known = matches!(optimizer, Optimizer::Sgd { .. } | Optimizer::Adam { .. } | Optimizer::AdamW { .. });
    known && w.device() == Device::flex() && w.dtype() == DType::F32
}

/// The new weights where [`has`] says so, and else the old ones; `state` is replaced.
pub(super) fn step(
    optimizer: &Optimizer,
    moment: &Moment,
    w: Tensor<1>,
    state: &mut [Tensor<1>],
    g: Tensor<1>,
) -> Tensor<1> {
    let device = w.device();
    // The gradient is read where it lies.
    let (mut w, g) = (held(w).into_vec(), held(g));
    let mut own = [Vec::new(), Vec::new()];
    for (own, state) in own.iter_mut().zip(state.iter_mut()) {
        *own = held(std::mem::replace(state, Tensor::zeros([0], &device))).into_vec();
    }
    let [first, second] = &mut own;
    let rate = moment.rate;
    match *optimizer {
        Optimizer::Sgd { .. } if state.is_empty() => parts(&mut w, &g, |w, g| w - g * rate),
        Optimizer::Sgd { momentum, nesterov, .. } => with_one(&mut w, &g, first, |w, g, v| {
            *v = *v * momentum + g;
            if nesterov { w - (g + *v * momentum) * rate } else { w - *v * rate }
        }),
        Optimizer::Adam { beta1, beta2, epsilon, .. } => {
            let rule = adam(moment, [beta1, beta2, epsilon], 1.0);
            with_two(&mut w, &g, first, second, rule);
        }
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay, .. } => {
            let rule = adam(moment, [beta1, beta2, epsilon], 1.0 - rate * weight_decay);
            with_two(&mut w, &g, first, second, rule);
        }
        _ => {}
    }
    let tensor = |values: Vec<f32>| {
        let len = values.len();
        Tensor::from_data(TensorData::new(values, [len]), &device)
    };
    for (own, state) in own.into_iter().zip(state) {
        *state = tensor(own);
    }
    tensor(w)
}

/// `keep` is what decay leaves of a weight.
fn adam(
    moment: &Moment,
    [beta1, beta2, epsilon]: [f32; 3],
    keep: f32,
) -> impl Fn(f32, f32, &mut f32, &mut f32) -> f32 + Sync {
    let (to_m, to_v) = (1.0 - beta1, 1.0 - beta2);
    let (rate, root_factor) = (moment.rate / moment.divisor, moment.root_factor);
    move |w, g, m, v| {
        *m += (g - *m) * to_m;
        *v = *v * beta2 + g * to_v * g;
        w * keep - *m * rate / (v.sqrt() * root_factor + epsilon)
    }
}

fn parts(w: &mut [f32], g: &[f32], rule: impl Fn(f32, f32) -> f32 + Sync) {
    w.par_chunks_mut(PART).zip(g.par_chunks(PART)).for_each(|(w, g)| {
        w.iter_mut().zip(g).for_each(|(w, &g)| *w = kept(rule(*w, g)));
    });
}

fn with_one(w: &mut [f32], g: &[f32], s: &mut [f32], rule: impl Fn(f32, f32, &mut f32) -> f32 + Sync) {
    w.par_chunks_mut(PART).zip(g.par_chunks(PART)).zip(s.par_chunks_mut(PART)).for_each(|((w, g), s)| {
        w.iter_mut().zip(g).zip(s).for_each(|((w, &g), s)| {
            *w = kept(rule(*w, g, s));
            *s = kept(*s);
        });
    });
}

fn with_two(
    w: &mut [f32],
    g: &[f32],
    s: &mut [f32],
    t: &mut [f32],
    rule: impl Fn(f32, f32, &mut f32, &mut f32) -> f32 + Sync,
) {
    let states = s.par_chunks_mut(PART).zip(t.par_chunks_mut(PART));
    w.par_chunks_mut(PART).zip(g.par_chunks(PART)).zip(states).for_each(|((w, g), (s, t))| {
        w.iter_mut().zip(g).zip(s.iter_mut().zip(t)).for_each(|((w, &g), (s, t))| {
            *w = kept(rule(*w, g, s, t));
            (*s, *t) = (kept(*s), kept(*t));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::super::optimizer::rule;
    use super::super::subnormal;
    use super::*;
    use emberlite::number::random::Key;

    /// Numbers in ±1, every third around the least normal number; an optimizer's squares are positive.
    fn numbers(tensor: u32, positive: bool) -> Tensor<1> {
        let key = Key::new(3, 1, tensor);
        let value = |i| {
            let value = key.uniform(i) * 2.0 - f32::from(u8::from(!positive));
            if i % 3 == 0 { value * 2.0 * f32::MIN_POSITIVE } else { value }
        };
        // More than a part, and not a whole number of them.
        let values: Vec<f32> = (0..PART as u32 + 77).map(value).collect();
        let len = values.len();
        Tensor::from_data(TensorData::new(values, [len]), &Device::flex())
    }

    fn bits(tensor: &Tensor<1>) -> Vec<u32> {
        tensor.clone().into_data().iter::<f32>().map(f32::to_bits).collect()
    }

    #[test]
    fn an_update_has_the_bits_of_the_frameworks_passes() {
        let moment = Moment { rate: 0.03, divisor: 0.19, root_factor: 1.7, look_ahead: [0.0; 2] };
        let optimizers = [
            Optimizer::sgd(0.1),
            Optimizer::momentum(0.1, 0.9),
            Optimizer::nesterov(0.1, 0.9),
            Optimizer::adam(0.1),
            Optimizer::adam_w(0.1),
        ];
        for optimizer in optimizers {
            let slots = optimizer.state_slots();
            let state = || (0..slots).map(|i| numbers(10 + i as u32, i == 1)).collect::<Vec<_>>();
            let (mut theirs, mut ours) = (state(), state());
            let (w, g) = (numbers(0, false), numbers(1, false));
            assert!(has(&optimizer, &w));
            let expected = rule(&optimizer, &moment, w.clone(), &mut theirs, g.clone());
            let found = step(&optimizer, &moment, w, &mut ours, g);
            let mut dropped = 0;
            let pairs = [(found, expected)].into_iter().chain(ours.into_iter().zip(theirs));
            for (i, (ours, theirs)) in pairs.enumerate() {
                let (ours, raw, kept) = (bits(&ours), bits(&theirs), bits(&subnormal::without(theirs.clone())));
                // Too many to print.
                assert!(ours == kept, "{optimizer:?}: {}", if i == 0 { "weights" } else { "state" });
                dropped += usize::from(raw != kept);
            }
            assert!(dropped > 0, "{optimizer:?}: nothing became subnormal");
        }
    }
}
