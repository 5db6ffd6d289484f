//! [`HostOp`] where the host's operations aren't there: a type without values, so that every arm for them is dead code.

use super::{Facts, OpError};
use crate::shape::Shape;

/// An operation that the host alone computes; without the feature `host` there is none.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum HostOp {}

// The same functions as with the feature.
#[allow(missing_docs, reason = "nobody can call them")]
impl HostOp {
    pub const fn name(&self) -> &'static str {
        match *self {}
    }
    pub const fn inputs(&self) -> usize {
        match *self {}
    }
    pub const fn facts(&self, _x: Shape, _x2: Shape) -> Result<Facts, OpError> {
        match *self {}
    }
    pub(super) const fn lens(&self, _x: Shape) -> [u32; 2] {
        match *self {}
    }
    pub(crate) const fn set_stride(&mut self, _stride: u8) -> bool {
        match *self {}
    }
    pub(crate) const fn set_padding(&mut self, _padding: u8) -> bool {
        match *self {}
    }
    pub(crate) const fn clear_bias(&mut self) -> bool {
        match *self {}
    }
    pub(crate) const fn set_epsilon(&mut self, _value: f32) -> bool {
        match *self {}
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for HostOp {
    fn format(&self, _f: defmt::Formatter<'_>) {
        match *self {}
    }
}
