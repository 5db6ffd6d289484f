//! The host's operations against PyTorch's modules: outputs and every gradient, from committed vectors.
//!
//! The truth is what PyTorch computes in f64. A float32 computation in another order is about as far from it as PyTorch's
//! own float32 is, which the file also holds: allowed are eight times that, and eight roundings of the largest number in
//! the tensor, for tensors where PyTorch happened to round well.

use super::value::Value;
use super::{Lowered, Mode, Tensors, concat, upload};
use crate::Parameters;
use crate::layout::{Piece, pieces};
use burn_tensor::{Device, Tensor, TensorData};
use emberlite::graph::{Graph, Shape, parse_graph, positional_embedding};
use emberlite::image::Kind;
use emberlite::op::{HostOp, Op};
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) struct Vectors {
    pub tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
    /// A line of attributes a case.
    pub lines: BTreeMap<String, String>,
}

fn vectors() -> Vectors {
    read("host_operations")
}

/// A committed file of vectors.
pub(super) fn read(subject: &str) -> Vectors {
    let path = format!("{}/../tests/reference/vectors/{subject}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.iter().map(|(name, view)| {
        let values = match view.dtype() {
            Dtype::F64 => view.data().as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
            _ => view.data().as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
        };
        (name.to_string(), (view.shape().to_vec(), values))
    });
    let lines = metadata.into_iter().filter(|(name, _)| !matches!(name.as_str(), "torch" | "numpy"));
    Vectors { tensors: tensors.collect(), lines: lines.collect() }
}

impl Vectors {
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}")).0
    }
    pub fn single(&self, name: &str) -> Vec<f32> {
        self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}")).1.iter().map(|&v| v as f32).collect()
    }
    pub fn tensor(&self, name: &str) -> Tensor<2> {
        let (shape, values) = (self.shape(name), self.single(name));
        let dims = [shape[0], shape[1..].iter().product()];
        Tensor::from_data(TensorData::new(values, dims), &Device::flex())
    }

    /// Sets the parameters of a case as those of a node.
    fn fill(&self, name: &str, node: u8, pieces: &[Piece], parameters: &mut Parameters) {
        for kind in [Kind::Weight, Kind::Bias] {
            let mut packed = Vec::new();
            for piece in pieces.iter().filter(|piece| piece.kind == kind) {
                let tensor = format!("{name}/parameter/{}", piece.name);
                assert_eq!(self.shape(&tensor), piece.dims, "{tensor}");
                packed.extend(self.single(&tensor));
            }
            if !packed.is_empty() {
                parameters.set(node, kind, packed);
            }
        }
    }

    /// Whether gradients are those of a case's parameters.
    fn gradients_agree(&self, name: &str, pieces: &[Piece], found: &BTreeMap<u8, Vec<f32>>) {
        for kind in [Kind::Weight, Kind::Bias] {
            let mut rest = found.get(&(kind as u8)).map_or(&[][..], Vec::as_slice);
            for piece in pieces.iter().filter(|piece| piece.kind == kind) {
                let (first, after) = rest.split_at(piece.len());
                self.agrees(&format!("{name}/d/{}", piece.name), first);
                rest = after;
            }
            assert!(rest.is_empty(), "{name}");
        }
    }

    /// Whether `ours` is the result of that name.
    #[track_caller]
    fn agrees(&self, name: &str, ours: &[f32]) {
        let (torch, truth) = (&self.tensors[name].1, &self.tensors[&format!("{name}.f64")].1);
        assert_eq!(ours.len(), truth.len(), "{name}");
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0f64, |m, v| m.max(v.abs()));
        let off = largest(&mut torch.iter().zip(truth).map(|(a, b)| a - b));
        let unit = f64::from(f32::EPSILON) / 2.0 * largest(&mut truth.iter().copied());
        let tolerance = 8.0 * (off + unit);
        for (i, (a, b)) in ours.iter().zip(truth).enumerate() {
            assert!((f64::from(*a) - b).abs() <= tolerance, "{name}[{i}]: {a}, PyTorch has {b}, tolerance {tolerance}");
        }
    }
}

pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().into_data().iter::<f32>().collect()
}

/// The line of a case, and the graph of it alone.
fn graph_of(line: &str, text: &str) -> emberlite::graph::GraphBuffer {
    let attribute = |key: &str| {
        let found = line.split(' ').filter_map(|part| part.split_once('=')).find(|(name, _)| *name == key);
        found.unwrap_or_else(|| panic!("no {key} in {line}")).1
    };
    let from = if text.starts_with("concat") { "previous,input" } else { "previous" };
    let text = format!("emberlite-graph 1\ninput {} f32\n0 {text} update=full from={from}\n", attribute("input"));
    parse_graph(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn outputs_and_gradients_are_pytorchs() {
    let v = vectors();
    let mut checked = 0;
    for (name, line) in &v.lines {
        let text = line.split_once("text=").unwrap().1.replace(';', " ");
        let buffer = graph_of(line, &text);
        let graph = buffer.graph();
        let device = Device::flex();
        if let Op::Host(HostOp::Concat(a)) = graph.nodes[0].op {
            two_inputs(&v, name, &a);
            checked += 1;
            continue;
        }
        let lowered = Lowered::new(graph).unwrap();
        let layer = lowered.layers()[0];
        let pieces = pieces(&graph.nodes[0].op, layer.input, &layer.facts);
        let mut parameters = Parameters::new();
        v.fill(name, 0, &pieces, &mut parameters);
        let given = v.tensors.keys().filter(|key| key.starts_with(&format!("{name}/parameter/"))).count();
        assert_eq!(given, pieces.len(), "{name}: PyTorch's module has other tensors");

        let tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();
        let x = v.tensor(&format!("{name}/x"));
        let (predicted, _) = lowered.forward(&tensors.constant(), x.clone(), Mode::Predict);
        v.agrees(&format!("{name}/y"), &numbers(predicted));
        let x = x.autodiff().require_grad();
        let (y, _) = lowered.forward(&tensors, x.clone(), Mode::Train { seed: 0, first_sample: 0 });
        let shape: Vec<usize> = layer.facts.output.dims().iter().map(|&dim| dim.into()).collect();
        assert_eq!(&v.shape(&format!("{name}/y"))[1..], shape, "{name}");
        v.agrees(&format!("{name}/y"), &numbers(y.clone()));
        let dy = v.single(&format!("{name}/dy"));
        let dy = upload(dy, &device).reshape(y.dims());
        let gradients = (y * dy).sum().backward();
        let mut tracked: BTreeMap<u8, Vec<f32>> = BTreeMap::new();
        for slot in lowered.slots() {
            let gradient = tensors.tensor(slot).grad(&gradients).unwrap_or_else(|| panic!("{name}: no gradient"));
            tracked.insert(slot.kind as u8, numbers(gradient));
        }
        v.gradients_agree(name, &pieces, &tracked);
        if v.tensors.contains_key(&format!("{name}/dx")) {
            v.agrees(&format!("{name}/dx"), &numbers(x.grad(&gradients).unwrap()));
        }
        checked += 1;
    }
    assert!(checked >= 45, "only {checked} cases: this looks in the wrong place");
}

/// The same by the CPU's own way, for the operations that it has. The error of the input is the gradient of positions that
/// are added to it, zeros, one sample at a time.
#[test]
fn the_batched_path_has_pytorchs_numbers() {
    let v = vectors();
    let device = Device::flex();
    let mut checked = 0;
    for (name, line) in &v.lines {
        let buffer = graph_of(line, &line.split_once("text=").unwrap().1.replace(';', " "));
        let graph = buffer.graph();
        let lowered = Lowered::new(graph);
        if !lowered.is_ok_and(|lowered| lowered.fast.is_some()) {
            continue;
        }
        let behind = !matches!(graph.nodes[0].op, Op::Host(HostOp::Embedding(_))) && graph.input.rank() < 3;
        let nodes = if behind { vec![positional_embedding(), graph.nodes[0]] } else { vec![graph.nodes[0]] };
        let input = match *graph.input.dims() {
            [features] if behind => Shape::d2(1, features),
            _ => graph.input,
        };
        let lowered = Lowered::new(Graph::new(graph.format, input, &nodes)).unwrap();
        assert!(lowered.fast.is_some(), "{name}");
        let last = lowered.layers()[nodes.len() - 1];
        let pieces = pieces(&nodes[nodes.len() - 1].op, last.input, &last.facts);
        let mut parameters = Parameters::new();
        parameters.set(0, Kind::Weight, vec![0.0; input.elements() as usize]);
        v.fill(name, nodes.len() as u8 - 1, &pieces, &mut parameters);
        let tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();

        let (x, dy) = (v.tensor(&format!("{name}/x")), v.tensor(&format!("{name}/dy")));
        let (mut y, mut dx, mut found) = (Vec::new(), Vec::new(), BTreeMap::new());
        for sample in 0..x.dims()[0] {
            let x = x.clone().narrow(0, sample, 1);
            let predicted = numbers(lowered.predict(&tensors.constant(), x.clone()).unwrap());
            let pass = lowered.pass(&tensors, x, Mode::Train { seed: 0, first_sample: 0 }).unwrap();
            assert_eq!(numbers(pass.output.clone()), predicted, "{name}");
            y.extend(predicted);
            let mut gradients = (pass.output.clone() * dy.clone().narrow(0, sample, 1)).sum().backward();
            pass.finish(&lowered, &tensors, &mut gradients).unwrap();
            for slot in lowered.slots() {
                let gradient = numbers(tensors.tensor(slot).grad(&gradients).unwrap());
                if behind && slot.node == 0 {
                    dx.extend(gradient);
                } else {
                    let sum = found.entry(slot.kind as u8).or_insert_with(|| vec![0.0; gradient.len()]);
                    sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
                }
            }
        }
        v.agrees(&format!("{name}/y"), &y);
        v.gradients_agree(name, &pieces, &found);
        if behind {
            v.agrees(&format!("{name}/dx"), &dx);
        }
        checked += 1;
    }
    assert!(checked >= 19, "only {checked} cases");
}

fn two_inputs(v: &Vectors, name: &str, a: &emberlite::op::Concat) {
    let value = |key: &str| {
        let x = v.tensor(&format!("{name}/{key}")).autodiff().require_grad();
        let dims: Vec<u16> = v.shape(&format!("{name}/{key}"))[1..].iter().map(|&dim| dim as u16).collect();
        (x.clone(), Value::shaped(x, emberlite::graph::Shape::new(&dims)))
    };
    let ((x, first), (x2, second)) = (value("x"), value("x2"));
    let y = concat::forward(a, first, second).flat();
    v.agrees(&format!("{name}/y"), &numbers(y.clone()));
    let dy = upload(v.single(&format!("{name}/dy")), &Device::flex()).reshape(y.dims());
    let gradients = (y * dy).sum().backward();
    v.agrees(&format!("{name}/dx"), &numbers(x.grad(&gradients).unwrap()));
    v.agrees(&format!("{name}/dx2"), &numbers(x2.grad(&gradients).unwrap()));
}

/// An operation without a vector would be one that nobody compared.
#[test]
fn every_operation_of_the_host_has_a_vector() {
    let v = vectors();
    let seen: BTreeSet<&str> =
        v.lines.values().map(|line| line.split_once("text=").unwrap().1.split(';').next().unwrap()).collect();
    // The names as the core's own table has them.
    let source = include_str!("../../../core/src/op/host/mod.rs");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/op/host");
    let mut names = BTreeSet::new();
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if matches!(stem.as_str(), "mod" | "tests") {
            continue;
        }
        files += 1;
        assert!(source.contains(&format!("{stem}::")), "no line of `HostOp` calls {stem}.rs");
        let ours = format!("{}/src/lower/{stem}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::exists(&ours).unwrap(), "host/src/lower lacks {stem}.rs");
        names.extend(quoted_names(&text));
    }
    names.extend(quoted_names(source));
    assert!(files >= 11 && names.len() >= 20, "{files} files, {names:?}: this looks in the wrong place");
    let missing: Vec<_> = names.iter().filter(|name| !seen.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "no vector of {missing:?} in tests/reference/cases/host_operations.py");
}

/// The names that `fn name` gives.
fn quoted_names(text: &str) -> Vec<String> {
    let Some((_, body)) = text.split_once("const fn name(") else { return Vec::new() };
    let body = body.split_once("\n    }").map_or(body, |(body, _)| body);
    body.split('"').skip(1).step_by(2).map(str::to_string).collect()
}

/// The runner sees a wrong answer: one number of each result moved by a part in a thousand of the largest.
#[test]
fn a_wrong_number_is_seen() {
    let v = vectors();
    let name = "lstm_both/y";
    let mut y = v.single(name);
    let largest = y.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    v.agrees(name, &y);
    y[5] += largest * 1e-3;
    assert!(std::panic::catch_unwind(|| v.agrees(name, &y)).is_err());
}

/// A graph that has no second node reads its input twice.
#[test]
fn a_concat_of_a_value_with_itself() {
    let nodes = [emberlite::graph::relu(), emberlite::graph::concat(0)];
    let graph = Graph::new(emberlite::number::Format::F32, emberlite::graph::Shape::d2(1, 2), &nodes);
    let lowered = Lowered::new(graph).unwrap();
    let tensors = Tensors::upload(&lowered, &Parameters::new(), &Device::flex()).unwrap();
    let x = Tensor::<2>::from_data([[-1.0, 2.0]], &Device::flex());
    let (y, _) = lowered.forward(&tensors, x, Mode::Predict);
    assert_eq!(numbers(y), [0.0, 2.0, 0.0, 2.0]);
}
