//! The descriptions of large models: they are read, have the sizes that they say, and their shrunk versions train.

use std::path::Path;

use emberlite::graph::Graph;
use emberlite::number::Format;
use emberlite::plan::Training;
use emberlite_host::data::{Dataset, Labels, random};
use emberlite_host::spec::Spec;
use emberlite_host::train::{DeviceChoice, Job, Silent, train};

fn text(recipe: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes").join(recipe).join("model.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Only the model is looked at here: the samples needn't be on this machine.
    let (before, rest) = text.split_once("[model]").unwrap();
    let name = before.lines().find(|line| line.starts_with("name")).unwrap();
    format!("{name}\n[model]{rest}")
}

fn parsed(text: &str) -> Spec {
    Spec::parse("model.toml", text, Path::new("base")).unwrap()
}

fn parameters(spec: &Spec) -> u64 {
    let layers = spec.layers().unwrap();
    layers.iter().map(|layer| u64::from(layer.facts.parameters[0]) + u64::from(layer.facts.parameters[1])).sum()
}

#[test]
fn resnet18_has_its_parameters() {
    let spec = parsed(&text("resnet18"));
    // sum(p.numel() for p in model.parameters()) of torchvision's resnet18(num_classes=10) with the stem
    // Conv2d(3, 64, 3, 1, 1, bias=False).
    assert_eq!(parameters(&spec), 11_173_962);
    // Convolutions of a stage: 4 of c·c·9 over its positions, but that the first reads the stage before; 1x1 beside it.
    let stage = |c: u64, before: u64, side: u64| {
        let beside = if c == before { 0 } else { c * before };
        (9 * c * before + 3 * 9 * c * c + beside) * side * side
    };
    let macs = 27 * 64 * 1024 + stage(64, 64, 32) + stage(128, 64, 16) + stage(256, 128, 8) + stage(512, 256, 4) + 5120;
    let costs = spec.costs(None).unwrap();
    assert_eq!(costs.macs_predict, macs);
    let reason = costs.host_only.unwrap();
    assert!(reason.contains("the model has 67 layers, at most 64 fit"), "{reason}");
}

#[test]
fn the_transformer_has_its_parameters() {
    let spec = parsed(&text("transformer"));
    // Two norms of 2·512; four projections of 512·512 with biases; 512 to 2048 and back, with biases.
    let block = 2 * 1024 + 4 * (512 * 512 + 512) + (512 * 2048 + 2048) + (2048 * 512 + 512);
    assert_eq!(parameters(&spec), 4096 * 512 + 256 * 512 + 8 * block + 1024 + 512 * 4096);
    assert!(parameters(&spec) >= 25_000_000);
    let reason = spec.host_only().unwrap().to_string();
    assert!(reason.contains("layer 0 (embedding): the host trains embedding, the device does not have"), "{reason}");
}

/// The loss of each of two steps on one batch.
fn two_steps(spec: &Spec, set: &Dataset) -> [f64; 2] {
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let mut silent = Silent;
    let settings = Training { batch: set.len() as u32, ..spec.training.settings };
    let job = Job { epochs: 2, device: DeviceChoice::Cpu, ..Job::new(graph, &settings, set, &mut silent) };
    let losses: Vec<f64> = train(job).unwrap().history.iter().map(|epoch| epoch.train_loss).collect();
    losses.try_into().unwrap()
}

#[test]
fn a_small_resnet_learns() {
    let mut small = text("resnet18").replace("input = [3, 32, 32]", "input = [3, 8, 8]");
    for (channels, fewer) in [(512, 8), (256, 6), (128, 5), (64, 4)] {
        small = small.replace(&format!("channels = {channels},"), &format!("channels = {fewer},"));
    }
    let spec = parsed(&small.replace("warmup = 391", "warmup = 0"));
    let features = (0..8 * 192).map(|i| (random::hash(1, i) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect();
    let names = (0..10).map(|class| class.to_string()).collect();
    let set = Dataset::new(features, vec![3, 8, 8], Labels::Class { ids: (0..8).collect(), names }).unwrap();
    let [first, second] = two_steps(&spec, &set);
    // Ten classes: about ln 10 at the start.
    assert!((first - 10f64.ln()).abs() < 0.7 && second < first, "{first} {second}");
}

#[test]
fn a_small_transformer_learns() {
    let small = text("transformer")
        .replace("input = [256]", "input = [8]")
        .replace("vocabulary = 4096, features = 512", "vocabulary = 32, features = 16")
        .replace("outputs = 2048", "outputs = 32")
        .replace("outputs = 512", "outputs = 16")
        .replace("outputs = 4096", "outputs = 32")
        .replace("heads = 8", "heads = 2")
        .replace("learning_rate = 0.0003", "learning_rate = 0.01");
    let spec = parsed(&small);
    let token = |i: u64| random::hash(2, i) % 32;
    let features = (0..4 * 8).map(|i| token(i) as f32).collect();
    let ids = (0..4 * 8).map(|i| token(i + 1) as u32).collect();
    let names = (0..32).map(|token| token.to_string()).collect();
    let set = Dataset::new(features, vec![8], Labels::Tokens { ids, length: 8, names }).unwrap();
    let mut beyond = set.clone();
    beyond.features[5] = 32.0;
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let settings = spec.training.settings;
    let mut silent = Silent;
    let job = Job { device: DeviceChoice::Cpu, ..Job::new(graph, &settings, &beyond, &mut silent) };
    let error = train(job).unwrap_err().to_string();
    let expected =
        "token ids: expected whole numbers below the embedding's vocabulary of 32, found 32; give the embedding";
    assert!(error.starts_with(expected), "{error}");
    let [first, second] = two_steps(&spec, &set);
    // 32 tokens: about ln 32 at the start.
    assert!((first - 32f64.ln()).abs() < 0.7 && second < first, "{first} {second}");
}
