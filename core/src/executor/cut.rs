//! Cutting values out of the arena and out of the file.

use crate::number::Number;
use crate::plan::Parameter;

/// The `len` values in `words`, which may have room for one more.
#[inline(always)]
pub(super) fn values<N: Number>(words: &[u32], len: u32) -> &[N::Value] {
    N::view(words).get(..len as usize).unwrap_or_default()
}

/// The `len` values in `words`, which may have room for one more.
#[inline(always)]
pub(super) fn values_mut<N: Number>(words: &mut [u32], len: u32) -> &mut [N::Value] {
    N::view_mut(words).get_mut(..len as usize).unwrap_or_default()
}

/// A parameter that is read from the file. `persistent` holds its offset; alignment was checked at load.
#[inline]
pub(super) fn from_file<'a, N: Number>(image: &'a [u8], persistent: &[u32], parameter: &Parameter) -> &'a [N::Value] {
    let Some(&[offset]) = persistent.get(parameter.offset.range()) else { return &[] };
    let bytes = parameter.len as usize * size_of::<N::Value>();
    let bytes = image.get(offset as usize..).and_then(|rest| rest.get(..bytes));
    bytes.and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or_default()
}

/// A parameter wherever it is: `ram` is its region already borrowed, empty if it is read from the file.
#[inline]
pub(super) fn parameter<'a, N: Number>(ram: &'a [u32], file: &'a [N::Value], parameter: &Parameter) -> &'a [N::Value] {
    if parameter.region.is_some() { values::<N>(ram, parameter.len) } else { file }
}
