//! Our half of the speed comparisons with PyTorch; `compare.py` beside it, and `../gpu/compare.py`, are the other half and
//! drive it.
//!
//! Reads `MODEL FILE STEPS DEVICE PRECISION` lines from standard input and answers each with a line of JSON: the loss and the
//! milliseconds of every step. MODEL is a `model.toml` whose `[data]` isn't looked at. FILE is a safetensors file with `x
//! [batch, …]`, `labels [batch]` (or `[batch, length]`) and the initial parameters as `LAYER.weight`, `LAYER.bias`,
//! `LAYER.running_mean` and `LAYER.running_var`. A step is one pass over that one batch through the library's own `train`:
//! gathering the samples, forward, loss, backward, optimizer, reading the loss.

use emberlite::graph::Graph;
use emberlite::image::Kind;
use emberlite::number::Format;
use emberlite::optimizer::Clip;
use emberlite::plan::Training;
use emberlite_host::Parameters;
use emberlite_host::data::{Dataset, Labels};
use emberlite_host::spec::Spec;
use emberlite_host::threads;
use emberlite_host::train::{HostSettings, Job, Silent, memory, train};
use safetensors::SafeTensors;
use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    memory::keep_freed();
    threads::join_pool();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let [model, file, steps, device, precision] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(format!("expected MODEL FILE STEPS DEVICE PRECISION, found `{line}`").into());
        };
        println!("{}", run(model, file, steps.parse()?, device, precision)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let tensor = file.tensor(name)?;
    let (words, _) = tensor.data().as_chunks::<4>();
    Ok(words.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

/// The description without its data, which needn't be here.
fn spec(model: &str) -> Result<Spec, Box<dyn Error>> {
    let text = std::fs::read_to_string(model)?;
    let start = text.find("[model]").ok_or("no [model] in the description")?;
    let name = text.lines().find(|line| line.starts_with("name")).unwrap_or("name = \"model\"");
    Ok(Spec::parse(model, &format!("{name}\n{}", &text[start..]), Path::new("."))?)
}

fn run(model: &str, path: &str, steps: u32, device: &str, precision: &str) -> Result<String, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let spec = spec(model)?;
    let nodes = spec.host_nodes();
    let labels = file.tensor("labels")?.shape().to_vec();
    let ids: Vec<u32> = floats(&file, "labels")?.into_iter().map(|label| label as u32).collect();
    let classes = match labels[..] {
        [_] => spec.layers()?.last().map_or(0, |layer| layer.facts.output.elements()),
        _ => spec.layers()?.last().map_or(0, |layer| layer.facts.output.dims()[1].into()),
    };
    let names = (0..classes).map(|class| class.to_string()).collect();
    let labels = match labels[..] {
        [_, length] => Labels::Tokens { ids, length, names },
        _ => Labels::Class { ids, names },
    };
    let input = spec.model.input;
    let shape: Vec<usize> = input.dims().iter().map(|&size| size.into()).collect();
    let x = floats(&file, "x")?;
    let batch = (x.len() / input.elements() as usize) as u32;
    let set = Dataset::new(x, shape, labels)?;
    let mut initial = Parameters::new();
    let kinds = [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance];
    for node in 0..nodes.len() as u8 {
        for (kind, name) in kinds.into_iter().zip(["weight", "bias", "running_mean", "running_var"]) {
            if let Ok(values) = floats(&file, &format!("{node}.{name}")) {
                initial.set(node, kind, values);
            }
        }
    }
    let graph = Graph::new(Format::F32, input, &nodes);
    // Left out on both sides.
    let training = Training { batch, schedule: Default::default(), clip: Clip::None, ..spec.training.settings };
    let mut silent = Silent;
    let job = Job {
        epochs: steps,
        device: device.parse()?,
        host: HostSettings { precision: precision.parse()?, ..HostSettings::default() },
        initial: Some(&initial),
        ..Job::new(graph, &training, &set, &mut silent)
    };
    let history = train(job)?.history;
    let losses: Vec<f64> = history.iter().map(|epoch| epoch.train_loss).collect();
    let ms: Vec<f64> = history.iter().map(|epoch| epoch.seconds * 1e3).collect();
    Ok(serde_json::json!({ "losses": losses, "ms": ms }).to_string())
}
