//! Our half of the speed comparison with PyTorch; `compare.py` beside it is the other half and drives both.
//!
//! Reads `MODEL FILE STEPS` lines from standard input and answers each with a line of JSON: the loss and the milliseconds of
//! every step. FILE is a safetensors file with `x [batch, …]`, `labels [batch]` and the initial parameters under the names
//! that PyTorch's half gives them, `NODE.weight` and `NODE.bias`. A step is one pass over that one batch through the library's
//! own `train`: gathering the samples, forward, loss, backward, optimizer, reading the loss.

use emberlite::graph::{Graph, Node, Shape, conv2d, flatten, linear, max_pool2d, relu};
use emberlite::image::Kind;
use emberlite::{loss::Loss, number::Format, optimizer::Optimizer, plan::Training};
use emberlite_host::Parameters;
use emberlite_host::data::{Dataset, Labels};
use emberlite_host::train::{DeviceChoice, Job, Silent, memory, train};
use safetensors::SafeTensors;
use std::error::Error;
use std::io::{BufRead, Write};

fn main() -> Result<(), Box<dyn Error>> {
    memory::keep_freed();
    let stdin = std::io::stdin();
    for line in stdin.lock().lines() {
        let line = line?;
        let [model, file, steps] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(format!("expected MODEL FILE STEPS, found `{line}`").into());
        };
        println!("{}", run(model, file, steps.parse()?)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// A model by its name: input, nodes and optimizer; the same as in `compare.py`.
fn model(name: &str) -> Result<(Shape, Vec<Node>, Optimizer), String> {
    let sgd = Optimizer::momentum(0.01, 0.9);
    Ok(match name {
        "convnet" => {
            let convolution = |channels| [conv2d(channels, 3).padding(1), relu(), max_pool2d(2)];
            let head = [flatten(), linear(10)];
            (Shape::d3(1, 28, 28), [&convolution(32)[..], &convolution(64), &head].concat(), sgd)
        }
        "mlp" => (Shape::d1(784), vec![linear(128), relu(), linear(10)], sgd),
        _ => return Err(format!("no model `{name}`")),
    })
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let tensor = file.tensor(name)?;
    let (words, _) = tensor.data().as_chunks::<4>();
    Ok(words.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

fn run(name: &str, path: &str, steps: u32) -> Result<String, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let (input, nodes, optimizer) = model(name)?;
    let ids = floats(&file, "labels")?.into_iter().map(|label| label as u32).collect::<Vec<_>>();
    let names = (0..10).map(|class| class.to_string()).collect();
    let shape = input.dims().iter().map(|&size| size.into()).collect();
    let batch = ids.len() as u32;
    let set = Dataset::new(floats(&file, "x")?, shape, Labels::Class { ids, names })?;
    let mut initial = Parameters::new();
    for node in 0..nodes.len() as u8 {
        for (kind, name) in [(Kind::Weight, "weight"), (Kind::Bias, "bias")] {
            if let Ok(values) = floats(&file, &format!("{node}.{name}")) {
                initial.set(node, kind, values);
            }
        }
    }
    let graph = Graph::new(Format::F32, input, &nodes);
    let training = Training::new(Loss::SoftmaxCrossEntropy, optimizer).batch(batch);
    let (initial, device) = (Some(&initial), DeviceChoice::Cpu);
    let mut silent = Silent;
    let job = Job { epochs: steps, device, initial, ..Job::new(graph, &training, &set, &mut silent) };
    let history = train(job)?.history;
    let losses: Vec<f64> = history.iter().map(|epoch| epoch.train_loss).collect();
    let ms: Vec<f64> = history.iter().map(|epoch| epoch.seconds * 1e3).collect();
    Ok(serde_json::json!({ "losses": losses, "ms": ms }).to_string())
}
