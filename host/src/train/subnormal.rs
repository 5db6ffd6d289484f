//! Numbers too small to keep.
//!
//! An L2 penalty decays the weights of a filter that no sample reaches until they are below the least normal number of
//! f32, 1.2e-38, and rounding keeps them there for good; so do an optimizer's means and squares. Nothing that small
//! moves an output, yet processors multiply with it in microcode: after 14 epochs of the recipe `fashion-cnn` on nine tenths
//! of its pictures, with a tenth of a layer's weights subnormal, an epoch took 63 s, and 10 s with these set to 0 by hand.
//! So an update on the CPU ends by setting them to 0: weights, optimizer state and averages. Graphics processors take
//! subnormals at full speed or as 0, and are left alone; so is the device's own executor, whose bits are stated by its
//! formulas.

use burn_tensor::{Device, Tensor};

/// `x`, and 0 in place of a subnormal number.
pub(super) fn kept(x: f32) -> f32 {
    // Not a test for normal numbers: what isn't finite must stay to be seen.
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

/// [`kept`] for each number of a tensor on the CPU; other devices' as they are.
pub(super) fn without<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.device() != Device::flex() {
        return tensor;
    }
    let small = tensor.clone().abs().lower_elem(f32::MIN_POSITIVE);
    tensor.mask_fill(small, 0.0)
}

#[cfg(test)]
mod tests {
    use super::super::average::Average;
    use super::super::optimizer::Stepper;
    use super::super::settings::{Ema, HostOptimizer, HostSettings};
    use super::*;
    use crate::Parameters;
    use crate::lower::{Lowered, Tensors, download, upload};
    use emberlite::graph::{Graph, Shape, linear};
    use emberlite::image::Kind;
    use emberlite::loss::Loss;
    use emberlite::number::Format;
    use emberlite::optimizer::Optimizer;
    use emberlite::plan::Training;

    /// Every rule, those with a fused pass among them.
    fn rules() -> Vec<(Optimizer, Option<HostOptimizer>)> {
        let (learning_rate, beta1, beta2, epsilon, weight_decay) = (0.1, 0.9, 0.99, 1e-6, 0.01);
        let core = [
            Optimizer::sgd(0.1),
            Optimizer::nesterov(0.1, 0.9),
            Optimizer::rms_prop(0.1),
            Optimizer::ada_grad(0.1),
            Optimizer::adam(0.1),
            Optimizer::adam_w(0.1),
        ];
        let host = [
            HostOptimizer::Nadam { learning_rate, beta1, beta2, epsilon, weight_decay },
            HostOptimizer::Lion { learning_rate, beta1, beta2, weight_decay },
            HostOptimizer::Lamb { learning_rate, beta1, beta2, epsilon, weight_decay },
            HostOptimizer::Adadelta { learning_rate, rho: beta2, epsilon, weight_decay },
            HostOptimizer::Adamax { learning_rate, beta1, beta2, epsilon, weight_decay },
        ];
        let core = core.into_iter().map(|rule| (rule, None));
        core.chain(host.into_iter().map(|rule| (Optimizer::sgd(0.1), Some(rule)))).collect()
    }

    #[test]
    fn no_update_leaves_a_subnormal_number() {
        let nodes = [linear(2)];
        let lowered = Lowered::new(Graph::new(Format::F32, Shape::d1(4), &nodes)).unwrap();
        let device = Device::flex();
        // Weights and gradients that decay into what rounding would keep, a healthy one, and one that is subnormal.
        let weights = [1.2e-38, -1.3e-38, 2e-38, 0.5, 1e-40, -1e-44, 0.0, 3e-38];
        let gradients = [0.0, 1e-39, -2e-38, 1e-19, 1e-20, 0.0, 1e-30, -1e-38];
        for (optimizer, host) in rules() {
            let what = format!("{optimizer:?} {host:?}");
            let training = Training::new(Loss::MeanSquaredError, optimizer).penalty(0.0, 0.5);
            let mut parameters = Parameters::new();
            parameters.set(0, Kind::Weight, weights.to_vec());
            parameters.set(0, Kind::Bias, vec![1e-38, 1.0]);
            let mut tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();
            let host = HostSettings { optimizer: host, ..HostSettings::default() };
            let mut stepper = Stepper::new(&training, &host, &lowered, &device, 40);
            let mut average = Average::new(Ema { decay: 0.5 });
            for _ in 0..40 {
                let gs = stepper.slots().iter().map(|slot| upload(gradients[..slot.len].to_vec(), &device)).collect();
                stepper.step(&mut tensors, gs);
                let slots = stepper.slots().to_vec();
                average.update(&tensors, &slots);
                let weights = slots.iter().map(|slot| tensors.tensor(slot).without_autodiff());
                let all = weights.chain(stepper.state.iter().flatten().cloned()).chain(average.tensors.clone());
                for tensor in all {
                    let numbers = download(tensor).unwrap();
                    assert!(!numbers.iter().any(|x| x.is_subnormal()), "{what}: {numbers:?}");
                }
            }
        }
    }

    #[test]
    fn only_what_is_below_the_least_normal_number_becomes_zero() {
        let least = f32::MIN_POSITIVE;
        let below = f32::from_bits(least.to_bits() - 1);
        let (tiny, up) = (f32::from_bits(1), f32::INFINITY);
        let cases = [
            (least, least),
            (-least, -least),
            (below, 0.0),
            (-below, 0.0),
            (tiny, 0.0),
            (-tiny, 0.0),
            (0.0, 0.0),
            (-0.0, 0.0),
            (1.0, 1.0),
            (up, up),
            (-up, -up),
        ];
        let tensor = Tensor::<1>::from_data(cases.map(|(x, _)| x), &Device::flex());
        let found: Vec<u32> = without(tensor).into_data().iter::<f32>().map(f32::to_bits).collect();
        assert_eq!(found, cases.map(|(_, y)| y.to_bits()));
        assert_eq!(cases.map(|(x, _)| kept(x).to_bits()), cases.map(|(_, y)| y.to_bits()));
        assert!(kept(f32::NAN).is_nan());
        let nan = without(Tensor::<1>::from_data([f32::NAN], &Device::flex()));
        assert!(nan.into_data().iter::<f32>().all(f32::is_nan));
    }
}
