//! The model: `[model]` and its layers, from TOML to core's nodes.

use emberlite::graph::{Node, Shape, Source as Input, Update};
use emberlite::number::Format;
use emberlite::op::{
    Activation, ActivationKind, BatchNorm, Conv, Dropout, GlobalAveragePool, LayerNorm, Linear, Op, Pool, PoolKind,
};

use super::error::SpecError;
use super::host_layers;
use super::section::{Section, Value};
use crate::layout::MAX_LAYERS;

/// The model of a `model.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Shape of one sample as the model takes it.
    pub input: Shape,
    /// What the device computes in.
    pub format: Format,
    /// The layers in the order of computation.
    pub nodes: Vec<Node>,
    /// Their names; empty where none was given.
    pub names: Vec<String>,
    /// The line of each layer.
    pub(super) lines: Vec<u32>,
    /// The line of `input`.
    pub(super) input_line: u32,
}

/// The device's operations; [`host_layers::OPS`] are the host's.
pub(super) const OPS: [&str; 18] = [
    "linear",
    "conv1d",
    "conv2d",
    "max_pool1d",
    "max_pool2d",
    "average_pool1d",
    "average_pool2d",
    "global_average_pool",
    "relu",
    "relu6",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "flatten",
    "add",
    "dropout",
    "layer_norm",
    "batch_norm",
];

/// Reads `[model]`.
pub(super) fn model(mut section: Section<'_>) -> Result<ModelSpec, SpecError> {
    let value = section.need("input", "the shape of one sample, such as [64], [6, 50] or [1, 28, 28]")?;
    let input_line = value.line();
    let input = shape(value)?;
    let format = match section.take("format") {
        None => Format::F32,
        Some(value) => {
            let name = value.string("\"f32\" or \"fixed16\"")?;
            let known = [Format::F32, Format::Fixed16].into_iter().find(|format| format.name() == name);
            known.ok_or_else(|| value.unknown("number format", name, &["f32", "fixed16"]))?
        }
    };
    let expected = "the layers, one `[[model.layers]]` table each";
    let layers = section.need("layers", expected)?;
    let too_many = layers.error(format!("at most {MAX_LAYERS} layers are possible"));
    let layers = layers.array(expected)?;
    section.finish()?;
    if layers.len() > MAX_LAYERS {
        return Err(too_many);
    }
    let mut model = ModelSpec { input, format, nodes: Vec::new(), names: Vec::new(), lines: Vec::new(), input_line };
    for value in layers {
        layer(value.section("a table with `op`")?, &mut model)?;
    }
    Ok(model)
}

fn shape(value: Value<'_>) -> Result<Shape, SpecError> {
    const EXPECTED: &str = "one to three sizes: [features], [channels, length] or [channels, height, width]";
    let wrong = value.expected(EXPECTED);
    let items = value.array(EXPECTED)?;
    if items.is_empty() || items.len() > 3 {
        return Err(wrong);
    }
    let dims = items.iter().map(|item| Ok(item.whole(1, 65535)? as u16)).collect::<Result<Vec<_>, SpecError>>()?;
    Ok(Shape::new(&dims))
}

fn layer(mut section: Section<'_>, model: &mut ModelSpec) -> Result<(), SpecError> {
    let value = section.need("op", "the operation, for example op = \"linear\"")?;
    let line = value.line();
    let name = value.string("the name of an operation")?;
    let op = match op(name, &mut section)? {
        Some(op) => op,
        None => match host_layers::op(name, &mut section)? {
            Some(op) => Op::Host(op),
            None => return Err(value.unknown("operation", name, &[&OPS[..], &host_layers::OPS[..]].concat())),
        },
    };
    let mut node = Node::new(op);
    if let Some(value) = section.take("update") {
        let name = value.string("\"full\", \"bias\" or \"frozen\"")?;
        let known = [Update::Full, Update::BiasOnly, Update::Frozen].into_iter().find(|update| update.name() == name);
        node.update = known.ok_or_else(|| value.unknown("update rule", name, &["full", "bias", "frozen"]))?;
    }
    if let Some(value) = section.take("from") {
        sources(value, model, &mut node)?;
    } else if op.inputs() == 2 {
        let (name, verb) = (op.name(), if matches!(op, Op::Add) { "adds" } else { "takes besides" });
        let message = format!("`{name}` needs `from`: the name or index of the layer whose output it {verb}");
        return Err(section.error(message));
    }
    let name = match section.take("name") {
        None => String::new(),
        Some(value) => {
            let name = value.string("a name")?;
            let taken = model.names.iter().any(|other| other == name);
            if taken || matches!(name, "" | "input" | "previous") {
                return Err(value.error(format!("the name `{name}` is taken; choose another")));
            }
            name.to_string()
        }
    };
    section.finish()?;
    model.nodes.push(node);
    model.names.push(name);
    model.lines.push(line);
    Ok(())
}

/// The operation with its attributes; `None` if there is none of that name.
fn op(name: &str, section: &mut Section<'_>) -> Result<Option<Op>, SpecError> {
    let plain = |kind| Op::Activation(Activation { kind, slope: 0.0 });
    Ok(Some(match name {
        "linear" => Op::Linear(Linear { outputs: count(section, "outputs")?, bias: bias(section)? }),
        "conv1d" => conv(1, section)?,
        "conv2d" => conv(2, section)?,
        "max_pool1d" => pool(PoolKind::Max, 1, section)?,
        "max_pool2d" => pool(PoolKind::Max, 2, section)?,
        "average_pool1d" => pool(PoolKind::Average, 1, section)?,
        "average_pool2d" => pool(PoolKind::Average, 2, section)?,
        "global_average_pool" => Op::GlobalAveragePool(GlobalAveragePool),
        "relu" => plain(ActivationKind::Relu),
        "relu6" => plain(ActivationKind::Relu6),
        "sigmoid" => plain(ActivationKind::Sigmoid),
        "tanh" => plain(ActivationKind::Tanh),
        "leaky_relu" => {
            Op::Activation(Activation { kind: ActivationKind::LeakyRelu, slope: single(section, "slope", 0.01)? })
        }
        "flatten" => Op::Flatten,
        "add" => Op::Add,
        "dropout" => Op::Dropout(Dropout { rate: single(section, "rate", 0.5)? }),
        "layer_norm" => Op::LayerNorm(LayerNorm { epsilon: single(section, "epsilon", 1e-5)? }),
        "batch_norm" => {
            let epsilon = single(section, "epsilon", 1e-5)?;
            Op::BatchNorm(BatchNorm { epsilon, momentum: single(section, "momentum", 0.1)? })
        }
        _ => return Ok(None),
    }))
}

fn conv(rank: u8, section: &mut Section<'_>) -> Result<Op, SpecError> {
    let channels = count(section, "channels")?;
    let kernel = section.need("kernel", "the window's size, for example kernel = 3")?;
    Ok(Op::Conv(Conv {
        rank,
        channels,
        kernel: window(kernel, rank, 1)?,
        stride: section.take("stride").map_or(Ok([1, 1]), |value| window(value, rank, 1))?,
        padding: section.take("padding").map_or(Ok([0, 0]), |value| padding(value, rank))?,
        groups: section.take("groups").map_or(Ok(1), |value| value.whole(1, 65535))? as u16,
        bias: bias(section)?,
    }))
}

fn pool(kind: PoolKind, rank: u8, section: &mut Section<'_>) -> Result<Op, SpecError> {
    let window_value = section.need("window", "the window's size, for example window = 2")?;
    let size = window(window_value, rank, 1)?;
    Ok(Op::Pool(Pool {
        kind,
        rank,
        window: size,
        stride: section.take("stride").map_or(Ok(size), |value| window(value, rank, 1))?,
        padding: section.take("padding").map_or(Ok([0, 0]), |value| padding(value, rank))?,
        floor: section.take("floor").map_or(Ok(false), |value| value.flag())?,
    }))
}

/// A size in one number or, for images, in two: height and width.
pub(super) fn window(value: Value<'_>, rank: u8, least: u64) -> Result<[u8; 2], SpecError> {
    if rank == 2 && value.is_array() {
        let wrong = value.expected("one number, or height and width as in [3, 5]");
        let items = value.array("")?;
        let sizes = items.iter().map(|item| item.whole(least, 255)).collect::<Result<Vec<_>, _>>()?;
        return match sizes[..] {
            [height, width] => Ok([height as u8, width as u8]),
            _ => Err(wrong),
        };
    }
    let size = value.whole(least, 255)? as u8;
    Ok([if rank == 1 { 1 } else { size }, size])
}

pub(super) fn padding(value: Value<'_>, rank: u8) -> Result<[u8; 2], SpecError> {
    let [height, width] = window(value, rank, 0)?;
    Ok([if rank == 1 { 0 } else { height }, width])
}

pub(super) fn count(section: &mut Section<'_>, key: &'static str) -> Result<u16, SpecError> {
    let value = section.need(key, "a whole number from 1 to 65535")?;
    Ok(value.whole(1, 65535)? as u16)
}

pub(super) fn bias(section: &mut Section<'_>) -> Result<bool, SpecError> {
    section.take("bias").map_or(Ok(true), |value| value.flag())
}

pub(super) fn single(section: &mut Section<'_>, key: &'static str, default: f32) -> Result<f32, SpecError> {
    section.take(key).map_or(Ok(default), |value| value.single())
}

/// `from`: one source, or for two inputs one (the second) or two.
fn sources(value: Value<'_>, model: &ModelSpec, node: &mut Node) -> Result<(), SpecError> {
    if !value.is_array() {
        let place = node.op.inputs() - 1;
        node.inputs[place] = source(&value, model)?;
        return Ok(());
    }
    let needed = node.op.inputs();
    let wrong = value.expected(&format!("{needed} source{}", if needed == 1 { "" } else { "s" }));
    let items = value.array("")?;
    if items.len() != needed {
        return Err(wrong);
    }
    for (to, item) in node.inputs.iter_mut().zip(&items) {
        *to = source(item, model)?;
    }
    Ok(())
}

fn source(value: &Value<'_>, model: &ModelSpec) -> Result<Input, SpecError> {
    if value.is_integer() {
        let index = value.whole(0, MAX_LAYERS as u64 - 1)?;
        return Ok(Input::Node(index as u8));
    }
    match value.string("the name or index of an earlier layer, \"input\" or \"previous\"")? {
        "input" => Ok(Input::Input),
        "previous" => Ok(Input::Previous),
        name => match model.names.iter().position(|known| known == name) {
            Some(index) => Ok(Input::Node(index as u8)),
            None => {
                let mut names: Vec<&str> = model.names.iter().map(String::as_str).filter(|n| !n.is_empty()).collect();
                names.extend(["input", "previous"]);
                Err(value.unknown("earlier layer", name, &names))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_core() {
        // Every name that is listed is read, under the name that core gives the result.
        for name in OPS {
            let text = format!("op = \"{name}\"\noutputs = 3\nchannels = 3\nkernel = 3\nwindow = 3\n");
            let source = super::super::error::Source { file: "x", text: &text };
            let mut section = super::super::section::parse(source).unwrap();
            assert_eq!(op(name, &mut section).unwrap().unwrap().name(), name);
        }
    }
}
