//! The claim: TPE finds in 25 trials at least the best of 50 random ones, as the mean of five seeds.
//!
//! ```text
//! cargo test -p emberlite-host --test search_claim -- --ignored --nocapture
//! ```

use std::path::Path;
use std::sync::atomic::AtomicBool;

use emberlite_host::search::{Description, Method, Options, State, Tpe, Training, Trial};
use emberlite_host::train::DeviceChoice;

/// Female or male, from a penguin's measurements, species and island; rows that lack a value are dropped.
const MODEL: &str = r#"name = "penguins"

[data]
file = "penguins.csv"
features = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "species", "island"]
categorical = ["species", "island"]
label = { class = "sex" }
classes = ["female", "male"]
test = { by = "stratified", share = 0.2, seed = 1 }
validation = { by = "stratified", share = 0.4, seed = 1 }

[data.clean]
missing = "drop_row"

[model]
input = [10]
layers = [
    { op = "linear", outputs = 16 },
    { op = "relu" },
    { op = "dropout", rate = 0.1 },
    { op = "linear", outputs = 1 },
]

[training]
loss = "binary_cross_entropy"
optimizer = { name = "adam", learning_rate = 0.001 }
batch = 10
epochs = 15
seed = 1
device = "cpu"

[search]
metric = "validation_loss"

[search.space]
"training.optimizer.name" = { choice = ["sgd", "rmsprop", "adam", "adamw"] }
"training.optimizer.learning_rate" = { log_uniform = [1e-5, 1.0] }
"training.optimizer.momentum" = { uniform = [0.0, 0.95], when = { "training.optimizer.name" = "sgd" } }
"training.batch" = { choice = [4, 8, 16, 32, 64] }
"training.penalty.l2" = { log_uniform = [1e-6, 1e-1] }
"model.layers.0.outputs" = { log_int = [2, 64] }
"model.layers.2.rate" = { uniform = [0.0, 0.6] }
"#;

fn trials(description: &Description, method: Method, trials: u32, seed: u64) -> Vec<Trial> {
    let mut description = description.clone();
    let search = &mut description.search;
    (search.method, search.trials, search.seed) = (method, trials, seed);
    let objective = Training::new(&description, DeviceChoice::Cpu).unwrap();
    let stop = AtomicBool::new(false);
    objective.search(Options { trials: None, resume: false, stop: &stop, told: &mut |_| {} }).unwrap().trials
}

/// The best score of the first trials.
fn best(trials: &[Trial], count: usize) -> f64 {
    let scores = trials.iter().take(count).filter(|trial| trial.state == State::Complete);
    scores.filter_map(|trial| trial.score).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "500 trainings"]
fn tpe_needs_half_the_trials_of_random_search() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    let description = Description::parse("penguins", MODEL, &data, Vec::new()).unwrap();
    let (mut random_best, mut tpe_best, mut needed) = (Vec::new(), Vec::new(), Vec::new());
    println!("seed   random, best of 50   TPE, best of 25   of 50   TPE trials until that of random");
    for seed in 0..5 {
        let random = best(&trials(&description, Method::Random, 50, seed), 50);
        let tpe = trials(&description, Method::Tpe(Tpe::default()), 50, seed);
        let reached = (1..=50).find(|&count| best(&tpe, count) <= random);
        let (half, whole) = (best(&tpe, 25), best(&tpe, 50));
        let said = reached.map_or("more than 50".into(), |count| count.to_string());
        println!("{seed:>4}   {random:>18.5}   {half:>15.5}   {whole:>5.3}   {said:>31}");
        random_best.push(random);
        tpe_best.push(half);
        needed.push(reached.unwrap_or(51) as f64);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (random, tpe, needed) = (mean(&random_best), mean(&tpe_best), mean(&needed));
    println!("mean   {random:>18.5}   {tpe:>15.5}           {needed:>31.1}");
    assert!(tpe <= random, "after 25 trials {tpe}, random after 50 {random}");
}
