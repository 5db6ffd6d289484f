//! A tensor's numbers where they lie.
//!
//! The framework hands out copies: of a tensor that somebody else holds too, as a model's parameters always are, two of
//! them one after the other, by one thread. On the CPU its memory can be read in place.

use burn_flex::{Flex, FlexTensor};
use burn_tensor::{DType, ExecutionError, Tensor};
use rayon::prelude::*;
use std::ops::Deref;

/// How many numbers a thread copies at a time.
const PART: usize = 1 << 14;

/// The numbers of an f32 tensor in row-major order.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// In the framework's memory, side by side; others may hold it too.
    Lent(FlexTensor),
    Own(Vec<f32>),
}

impl Held {
    /// Those of a tensor, without its gradient's record. Copied where they lie on another device, or apart.
    ///
    /// # Errors
    /// The device's, if it failed to compute what is read.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Result<Held, ExecutionError> {
        let tensor = tensor.without_autodiff();
        if tensor.dtype() == DType::F32
            && let Ok(lent) = tensor.clone().try_into_primitive::<Flex>()
            && lent.as_slice::<f32>().is_some()
        {
            return Ok(Held::Lent(lent));
        }
        Ok(Held::Own(tensor.try_into_data()?.iter::<f32>().collect()))
    }

    /// The numbers for oneself: taken over where nobody else holds them, and else copied.
    pub fn into_vec(self) -> Vec<f32> {
        match self {
            Held::Own(numbers) => numbers,
            Held::Lent(lent) if lent.is_unique() => {
                lent.into_data().try_into_vec::<f32>().expect("f32, as `of` has seen")
            }
            lent => lent.par_iter().with_min_len(PART).copied().collect(),
        }
    }
}

impl Default for Held {
    fn default() -> Held {
        Held::Own(Vec::new())
    }
}

impl Deref for Held {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Held::Own(numbers) => numbers,
            Held::Lent(lent) => lent.as_slice().expect("f32 side by side, as `of` has seen"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::upload;
    use super::*;
    use burn_tensor::Device;

    #[test]
    fn numbers_are_lent_and_taken_over_where_nobody_else_holds_them() {
        let tensor = upload(vec![1.0, 2.0, 3.0], &Device::flex());
        let held = Held::of(tensor.clone()).unwrap();
        assert!(matches!(held, Held::Lent(_)));
        let place = held.as_ptr();
        // The tensor has them still.
        let copy = held.clone().into_vec();
        assert!(copy == [1.0, 2.0, 3.0] && copy.as_ptr() != place);
        drop(tensor);
        let own = held.into_vec();
        assert_eq!((own.as_ptr(), own), (place, copy));
    }

    #[test]
    fn a_leaf_of_a_gradient_is_read_and_what_lies_apart_is_put_in_order() {
        let leaf = upload(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &Device::flex()).autodiff().require_grad();
        assert_eq!(*Held::of(leaf.clone()).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let turned = leaf.reshape([2, 3]).transpose();
        assert_eq!(*Held::of(turned.clone()).unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(Held::of(turned.narrow(0, 1, 1)).unwrap().into_vec(), [2.0, 5.0]);
        assert!(Held::default().is_empty());
    }
}
