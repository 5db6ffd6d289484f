//! A sum in one order whatever threads there are.

use burn_tensor::Tensor;

/// From so many elements on the framework adds up whichever part is ready.
const LARGE: usize = 1 << 22;
const PART: usize = 1 << 21;

/// The sum of all elements, `[1]`: of large tensors the sums of parts, added in their order, then the rest's.
pub(crate) fn sum<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let len: usize = tensor.dims().iter().product();
    if len < LARGE {
        return tensor.sum();
    }
    let flat: Tensor<1> = tensor.reshape([len]);
    let (parts, rest) = (len / PART, len % PART);
    let sum = flat.clone().narrow(0, 0, parts * PART).reshape([parts, PART]).sum_dim(1).sum();
    if rest == 0 { sum } else { sum + flat.narrow(0, parts * PART, rest).sum() }
}

/// The mean of all elements, `[1]`, likewise.
pub(crate) fn mean<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let len: usize = tensor.dims().iter().product();
    if len < LARGE { tensor.mean() } else { sum(tensor) / len as f32 }
}

#[cfg(test)]
mod tests {
    use super::super::{download, upload};
    use super::*;
    use burn_tensor::Device;

    #[test]
    fn large_tensors_are_added_up_in_one_order() {
        const LEN: usize = LARGE + 6;
        let mut numbers = vec![0.0; LEN];
        // One in each part. From 2^24 on f32 has neighbours 2 apart: (2^24 + 1) - 2^24 is 0, and 2^24 + (1 - 2^24) is 1.
        (numbers[0], numbers[PART], numbers[LARGE]) = (16_777_216.0, 1.0, -16_777_216.0);
        let of = |numbers| download(sum(upload(numbers, &Device::flex()).reshape([2, LEN / 2]))).unwrap();
        assert_eq!(of(numbers), [0.0]);
        assert_eq!(of(vec![1.0; LEN]), [4_194_310.0]);
        let ones = upload(vec![1.0; LEN], &Device::flex());
        assert_eq!(download(mean(ones)).unwrap(), [1.0]);
    }

    #[test]
    fn a_gradient_goes_to_every_element() {
        let leaf = upload(vec![2.0; LARGE + 6], &Device::flex()).autodiff().require_grad();
        let gradients = &mut sum(leaf.clone() * leaf.clone()).backward();
        let gradient = download(leaf.grad_remove(gradients).unwrap()).unwrap();
        assert!(gradient.len() == LARGE + 6 && gradient.iter().all(|&slope| slope == 4.0));
    }
}
