//! Adam's step.

use super::root::square_root;

/// What is the same for every element of a step of Adam or AdamW.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AdamStep {
    /// What each `x[i]` is multiplied by to give the gradient.
    pub factor: f32,
    /// `1 - beta1`.
    pub share1: f32,
    /// `beta2`.
    pub beta2: f32,
    /// `1 - beta2`.
    pub share2: f32,
    /// Added to the root.
    pub epsilon: f32,
    /// The learning rate with its corrections.
    pub rate: f32,
    /// What decoupled decay leaves of a weight; 1 for Adam, which changes no bit.
    pub keep: f32,
}

/// `g = x factor; m += share1 (g - m); v = v beta2 + share2 g g; w = w keep - rate m / (sqrt(v) + epsilon)`, each
/// operation rounded by itself, over the shortest of the four.
#[inline(never)]
pub fn adam(w: &mut [f32], m: &mut [f32], v: &mut [f32], x: &[f32], step: &AdamStep) {
    adam_by(square_root, w, m, v, x, step);
}

/// [`adam`] with another square root.
#[inline(always)]
pub fn adam_by(root: impl Fn(f32) -> f32, w: &mut [f32], m: &mut [f32], v: &mut [f32], x: &[f32], step: &AdamStep) {
    // Without decay the product is left out, which costs in software and changes no bit.
    let decays = step.keep.to_bits() != 1.0f32.to_bits();
    for (((w, m), v), &x) in w.iter_mut().zip(m).zip(v).zip(x) {
        let g = x * step.factor;
        *m += step.share1 * (g - *m);
        *v = *v * step.beta2 + step.share2 * g * g;
        let kept = if decays { *w * step.keep } else { *w };
        *w = kept - step.rate * *m / (root(*v) + step.epsilon);
    }
}
