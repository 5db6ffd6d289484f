//! A convolutional network learns the exercises of the watch set.

use emberlite::graph::{Graph, Shape, conv1d, flatten, linear, max_pool1d, relu};
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Decay, Optimizer, Schedule};
use emberlite::plan::Training;
use emberlite_host::data::{CsvSpec, Standardise, Window, csv, split, windows};
use emberlite_host::train::*;

#[test]
fn a_conv1d_network_learns_the_exercises_of_one_wrist() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/watch/watch.csv.gz");
    let spec = CsvSpec::class("exercise").recording("recording").groups(["person", "wrist"]);
    let rows = csv::read(path, &spec).unwrap();
    let rows = rows.select(&split::filter(&rows, &["wrist=right"]).unwrap().first);
    let mut set = windows(&rows, Window::new(50, 25)).unwrap();
    Standardise::fit(&set).unwrap().apply(&mut set).unwrap();
    let nodes = [
        conv1d(16, 5).stride(2).padding(2),
        relu(),
        conv1d(32, 5).padding(2),
        relu(),
        max_pool1d(5),
        flatten(),
        linear(7),
    ];
    let graph = Graph::new(Format::F32, Shape::d2(6, 50), &nodes);
    // 2243 windows in batches of 32 are 71 updates an epoch.
    let schedule = Schedule::new(Decay::Cosine { steps: 710, minimum: 0.0 });
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.005)).batch(32).schedule(schedule);
    let mut progress = Progress::new();
    let job = Job::new(graph, &training, &set, &mut progress);
    let trained = train(Job { epochs: 10, device: DeviceChoice::Cpu, ..job }).unwrap();
    let right: u32 = trained.confusion.iter().enumerate().map(|(i, row)| row[i]).sum();
    let accuracy = f64::from(right) / set.len() as f64;
    assert!(accuracy >= 0.95, "{accuracy}");
}
