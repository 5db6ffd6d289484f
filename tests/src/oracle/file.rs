//! Models of the tests as files that the library loads.

use std::convert::Infallible;

use emberlite::graph::Graph;
use emberlite::image::{DType, Entry, Header, Kind, MODEL, Sink, Writer};
use emberlite::number::Format;
use emberlite::op::Op;

use super::wiring::{read, shapes};

/// Weight, bias, running mean and running variance of every node.
pub type Numbers<V> = Vec<[Vec<V>; 4]>;

/// The elements of weight, bias, running mean and running variance of every node.
pub fn parameter_lens(graph: &Graph) -> Vec<[usize; 4]> {
    let shapes = shapes(graph);
    let lens = |(i, node): (usize, &emberlite::graph::Node)| {
        let x = shapes[read(graph, i, 0)];
        let (channels, inputs) = (x.planes().0 as usize, x.elements() as usize);
        match node.op {
            Op::Linear(a) => [a.outputs as usize * inputs, if a.bias { a.outputs as usize } else { 0 }, 0, 0],
            Op::Conv(c) => {
                let filter = channels / c.groups as usize * c.kernel[0] as usize * c.kernel[1] as usize;
                [c.channels as usize * filter, if c.bias { c.channels as usize } else { 0 }, 0, 0]
            }
            Op::LayerNorm(_) => [inputs, inputs, 0, 0],
            Op::BatchNorm(_) => [channels; 4],
            _ => [0; 4],
        }
    };
    graph.nodes.iter().enumerate().map(lens).collect()
}

/// A file at an address that its numbers can be used at.
pub struct File {
    bytes: Vec<u8>,
    start: usize,
}

impl File {
    /// The same bytes at an aligned address.
    pub fn new(file: &[u8]) -> File {
        let mut bytes = vec![0; file.len() + 16];
        let start = bytes.as_ptr().align_offset(16);
        bytes[start..start + file.len()].copy_from_slice(file);
        bytes.truncate(start + file.len());
        File { bytes, start }
    }
    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
    /// The file, to be damaged.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

/// What a host writes to.
#[derive(Default)]
pub struct Out(pub Vec<u8>);

impl Sink for Out {
    type Error = Infallible;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The little-endian bytes of all parameters.
pub fn float_bytes(numbers: &Numbers<f32>) -> Numbers<u8> {
    numbers.iter().map(|p| p.clone().map(|v| v.iter().flat_map(|v| v.to_le_bytes()).collect())).collect()
}

/// The little-endian bytes of all parameters.
pub fn fixed_bytes(numbers: &Numbers<i16>) -> Numbers<u8> {
    numbers.iter().map(|p| p.clone().map(|v| v.iter().flat_map(|v| v.to_le_bytes()).collect())).collect()
}

/// A first file of a model. `parameters` are little-endian bytes; a fixed-point model has scales.
///
/// # Panics
/// If the writer refuses what it is given: a mistake in the test.
pub fn write_file(graph: Graph, parameters: &Numbers<u8>, scales: &[[i8; 4]]) -> File {
    let dtype = if graph.format == Format::F32 { DType::F32 } else { DType::I16 };
    let kinds = [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance];
    let mut dims = Vec::new();
    for tensors in parameters {
        for bytes in tensors {
            dims.push([bytes.len() as u32 / dtype.bytes()]);
        }
    }
    let mut entries = Vec::new();
    for (node, tensors) in parameters.iter().enumerate() {
        for (k, bytes) in tensors.iter().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
            let dims = &dims[node * 4 + k];
            entries.push(Entry { node: node as u8, kind: kinds[k], dtype, dims, frac: 0, bytes });
        }
    }
    let table: Vec<u8> = scales.iter().flatten().map(|&s| s as u8).collect();
    let table_dims = [scales.len() as u32, 4];
    if !scales.is_empty() {
        let (kind, dtype, dims) = (Kind::Scales, DType::I8, &table_dims);
        entries.push(Entry { node: MODEL, kind, dtype, dims, frac: 0, bytes: &table });
    }
    let writer = Writer::new(Header::new(graph), &entries).expect("what the test writes is a model");
    let mut out = Out::default();
    let Ok(()) = writer.write(&mut out);
    File::new(&out.0)
}
