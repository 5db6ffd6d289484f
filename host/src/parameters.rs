//! A model's parameters on the host: what training makes, export writes and simulation loads.

use std::collections::BTreeMap;

use emberlite::image::Kind;

/// Parameters by node and kind ([`Kind::Weight`], [`Kind::Bias`], [`Kind::RunningMean`], [`Kind::RunningVariance`]),
/// real numbers, row-major in PyTorch's layout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    tensors: BTreeMap<(u8, u8), Vec<f32>>,
}

impl Parameters {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }
    /// Sets one tensor, and returns what was there.
    pub fn set(&mut self, node: u8, kind: Kind, values: Vec<f32>) -> Option<Vec<f32>> {
        self.tensors.insert((node, kind as u8), values)
    }
    /// One tensor, if the node has it.
    pub fn get(&self, node: u8, kind: Kind) -> Option<&[f32]> {
        self.tensors.get(&(node, kind as u8)).map(Vec::as_slice)
    }
    /// Every tensor in the order of nodes and kinds.
    pub fn iter(&self) -> impl Iterator<Item = (u8, Kind, &[f32])> {
        self.tensors.iter().filter_map(|(&(node, kind), v)| Some((node, Kind::from_code(kind)?, v.as_slice())))
    }
}
