//! The generator: every operation, rule and setting turns up, and so do the shapes of graphs that are hard to plan.

use std::collections::BTreeMap;

use emberlite::graph::{Source, Update};
use emberlite::number::Format;
use emberlite::number::random::Key;
use emberlite::op::Op;
use emberlite::optimizer::{Clip, Decay};

use crate::case;

#[test]
fn every_operation_and_setting_turns_up() {
    let mut counts = BTreeMap::<String, u32>::new();
    let mut add = |name: String| *counts.entry(name).or_default() += 1;
    for seed in 0..2000 {
        let format = [Format::F32, Format::Fixed16][seed as usize % 2];
        let key = Key::new(seed, 71, 0);
        let decisions: Vec<u32> = (0..20 + key.at(1000) % 70).map(|i| key.at(i) % 5040).collect();
        let case = case(&decisions, format);
        let t = &case.training;
        add(format!("{format:?} {}", t.loss.name()));
        add(format!("{format:?} optimizer {}", t.optimizer.kind().name()));
        add(format!("{format:?} batch {}", t.batch));
        add(format!(
            "clip {}",
            ["none", "value", "norm"][match t.clip {
                Clip::None => 0,
                Clip::Value(_) => 1,
                Clip::GlobalNorm(_) => 2,
            }]
        ));
        add(format!(
            "decay {}",
            match t.schedule.decay {
                Decay::Constant => 0,
                Decay::Step { .. } => 1,
                Decay::Exponential { .. } => 2,
                Decay::Cosine { .. } => 3,
            }
        ));
        add(format!("input of rank {}", case.input.rank()));
        add(format!("{} nodes", case.nodes.len().min(8)));
        let mut readers = vec![0; case.nodes.len() + 1];
        for (i, node) in case.nodes.iter().enumerate() {
            add(format!("{format:?} {}", node.op.name()));
            if !matches!(node.update, Update::Full)
                && matches!(node.op.name(), "linear" | "conv1d" | "conv2d" | "batch_norm" | "layer_norm")
            {
                add(format!("{} {}", node.op.name(), node.update.name()));
            }
            for k in 0..node.op.inputs() {
                readers[node.inputs[k].value(i)] += 1;
            }
            if let Op::Add = node.op
                && node.inputs[0].value(i) == node.inputs[1].value(i)
            {
                add("a value added to itself".into());
            }
            if node.inputs[0] == Source::Input && i > 0 {
                add("the input read later".into());
            }
            if let Op::Conv(c) = node.op
                && c.groups > 1
            {
                add("groups".into());
            }
        }
        if readers.iter().any(|&n| n > 2) {
            add("a value read three times".into());
        }
    }
    let names: Vec<&str> = counts.iter().filter(|(_, n)| **n >= 5).map(|(name, _)| name.as_str()).collect();
    for name in [
        "F32 linear",
        "F32 conv1d",
        "F32 conv2d",
        "F32 max_pool1d",
        "F32 max_pool2d",
        "F32 average_pool1d",
        "F32 average_pool2d",
        "F32 global_average_pool",
        "F32 flatten",
        "F32 add",
        "F32 dropout",
        "F32 layer_norm",
        "F32 batch_norm",
        "F32 relu",
        "F32 relu6",
        "F32 leaky_relu",
        "F32 sigmoid",
        "F32 tanh",
        "Fixed16 linear",
        "Fixed16 conv1d",
        "Fixed16 conv2d",
        "Fixed16 max_pool1d",
        "Fixed16 max_pool2d",
        "Fixed16 average_pool1d",
        "Fixed16 average_pool2d",
        "Fixed16 global_average_pool",
        "Fixed16 flatten",
        "Fixed16 add",
        "Fixed16 relu",
        "linear frozen",
        "linear bias",
        "conv1d frozen",
        "conv1d bias",
        "conv2d frozen",
        "conv2d bias",
        "batch_norm frozen",
        "batch_norm bias",
        "layer_norm frozen",
        "layer_norm bias",
        "F32 softmax_cross_entropy",
        "F32 mean_squared_error",
        "F32 binary_cross_entropy",
        "F32 huber",
        "Fixed16 softmax_cross_entropy",
        "Fixed16 mean_squared_error",
        "F32 optimizer sgd",
        "F32 optimizer sgd with momentum",
        "F32 optimizer sgd with nesterov",
        "F32 optimizer rmsprop",
        "F32 optimizer adagrad",
        "F32 optimizer adam",
        "F32 optimizer adamw",
        "Fixed16 optimizer sgd",
        "Fixed16 optimizer sgd with momentum",
        "Fixed16 optimizer adam",
        "F32 batch 1",
        "F32 batch 2",
        "F32 batch 3",
        "F32 batch 4",
        "Fixed16 batch 4",
        "clip value",
        "clip norm",
        "decay 1",
        "decay 2",
        "decay 3",
        "input of rank 1",
        "input of rank 2",
        "input of rank 3",
        "8 nodes",
        "a value added to itself",
        "a value read three times",
        "the input read later",
        "groups",
    ] {
        assert!(names.contains(&name), "{name} came {} times in 2000 cases", counts.get(name).unwrap_or(&0));
    }
}
