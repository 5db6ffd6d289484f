//! Fixed-size tensors: what a learner takes and gives, typed by shape.

/// A tensor of one, two or three dimensions, row-major; its shape is part of its type, so a wrong shape at a call is a
/// type error. Make one from nested arrays:
///
/// ```
/// use emberlite::Tensor;
/// let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// let _: &Tensor<f32, 2, 3> = &x;
/// assert_eq!(x.as_slice()[4], 5.0);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(transparent)]
pub struct Tensor<T, const A: usize, const B: usize = 1, const C: usize = 1>(pub [[[T; C]; B]; A]);

impl<T: ConstZero + Copy, const A: usize, const B: usize, const C: usize> Tensor<T, A, B, C> {
    /// All zeros.
    pub const fn zeros() -> Self {
        Tensor([[[T::ZERO; C]; B]; A])
    }
}

impl<T, const A: usize, const B: usize, const C: usize> Tensor<T, A, B, C> {
    /// The elements, row-major.
    pub const fn as_slice(&self) -> &[T] {
        self.0.as_flattened().as_flattened()
    }
    /// The elements, row-major.
    pub const fn as_mut_slice(&mut self) -> &mut [T] {
        self.0.as_flattened_mut().as_flattened_mut()
    }
}

/// Elements that a tensor can be filled with.
pub trait ConstZero {
    /// Zero.
    const ZERO: Self;
}

impl ConstZero for f32 {
    const ZERO: f32 = 0.0;
}
impl ConstZero for i16 {
    const ZERO: i16 = 0;
}

impl<T: ConstZero + Copy, const A: usize, const B: usize, const C: usize> Default for Tensor<T, A, B, C> {
    fn default() -> Self {
        Tensor([[[T::ZERO; C]; B]; A])
    }
}

impl<T, const A: usize> From<[T; A]> for Tensor<T, A> {
    fn from(values: [T; A]) -> Self {
        Tensor(values.map(|v| [[v]]))
    }
}
impl<T, const A: usize, const B: usize> From<[[T; B]; A]> for Tensor<T, A, B> {
    fn from(values: [[T; B]; A]) -> Self {
        Tensor(values.map(|row| row.map(|v| [v])))
    }
}
impl<T, const A: usize, const B: usize, const C: usize> From<[[[T; C]; B]; A]> for Tensor<T, A, B, C> {
    fn from(values: [[[T; C]; B]; A]) -> Self {
        Tensor(values)
    }
}

/// What the learner needs of a tensor; implemented by [`Tensor`] alone.
pub trait Values<T>: Default {
    /// The elements, row-major.
    fn values(&self) -> &[T];
    /// The elements, row-major.
    fn values_mut(&mut self) -> &mut [T];
}

impl<T: ConstZero + Copy, const A: usize, const B: usize, const C: usize> Values<T> for Tensor<T, A, B, C> {
    fn values(&self) -> &[T] {
        self.as_slice()
    }
    fn values_mut(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}
