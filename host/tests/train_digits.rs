//! A small network learns the committed digits, the same way each time.

use emberlite::graph::{Graph, Node, Shape, conv2d, dropout, flatten, linear, max_pool2d, relu};
use emberlite::image::Kind;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Decay, Optimizer, Schedule};
use emberlite::plan::Training;
use emberlite_host::data::{CsvSpec, Dataset, csv, split};
use emberlite_host::metrics::Metric;
use emberlite_host::train::*;

/// Training and validation part, pixels in 0..1.
fn digits() -> (Dataset, Dataset) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/digits.csv");
    let mut set = csv::read(path, &CsvSpec::class("digit").groups(["writer"])).unwrap();
    set.features.iter_mut().for_each(|v| *v /= 16.0);
    split::stratified(&set, 0.8, 1).unwrap().of(&set)
}

const MLP: [Node; 3] = [linear(32), relu(), linear(10)];

fn mlp() -> Graph<'static> {
    Graph::new(Format::F32, Shape::d1(64), &MLP)
}

#[test]
fn an_mlp_learns_digits_and_the_best_epoch_is_the_result() {
    let (train_set, validation) = digits();
    let schedule = Schedule::new(Decay::Cosine { steps: 450, minimum: 1e-4 });
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(32).schedule(schedule);
    let mut lines = JsonLines::new(Vec::new());
    let job = Job::new(mlp(), &training, &train_set, &mut lines);
    let trained = train(Job { epochs: 10, validation: Some(&validation), device: DeviceChoice::Cpu, ..job }).unwrap();
    assert_eq!(trained.history.len(), 10);
    let best = &trained.history[trained.best_epoch as usize - 1];
    assert!(best.validation_accuracy.unwrap() >= 0.93, "{best:?}");
    let lowest = trained.history.iter().map(|r| r.validation_loss.unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!(best.validation_loss, Some(lowest));
    // The parameters are those of that epoch, and the confusion is theirs.
    let again = evaluate(mlp(), &training.loss, &trained.parameters, &validation, DeviceChoice::Cpu).unwrap();
    assert_eq!((Some(again.loss), again.accuracy), (best.validation_loss, best.validation_accuracy));
    assert_eq!(again.confusion, trained.confusion);
    let counts: Vec<usize> = trained.confusion.iter().map(|row| row.iter().sum::<u32>() as usize).collect();
    assert_eq!(counts, validation.class_counts());
    // 1438 samples in batches of 32 are 45 updates.
    assert_eq!((trained.history[0].step, trained.history[9].step), (45, 450));
    assert!(trained.history[0].learning_rate > trained.history[9].learning_rate);
}

#[test]
fn two_runs_give_the_same_bits_and_another_seed_others() {
    let (train_set, validation) = digits();
    let nodes = [conv2d(4, 3), relu(), max_pool2d(2), flatten(), dropout(0.3), linear(10)];
    let graph = Graph::new(Format::F32, Shape::d3(1, 8, 8), &nodes);
    let shaped = |set: &Dataset| set.clone().reshape(&[1, 8, 8]).unwrap();
    let (train_set, validation) = (shaped(&train_set), shaped(&validation));
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::momentum(0.1, 0.9)).batch(50);
    let run = |seed| {
        let mut silent = Silent;
        let job = Job::new(graph, &training, &train_set, &mut silent);
        train(Job { epochs: 2, validation: Some(&validation), seed, device: DeviceChoice::Cpu, ..job }).unwrap()
    };
    let (a, b) = (run(7), run(7));
    assert_eq!(a.parameters, b.parameters);
    let losses = |t: &Trained| t.history.iter().map(|r| (r.train_loss, r.validation_loss)).collect::<Vec<_>>();
    assert_eq!(losses(&a), losses(&b));
    assert_ne!(a.parameters, run(8).parameters);
}

#[test]
fn training_goes_on_from_given_parameters_and_leaves_frozen_ones() {
    let (train_set, _) = digits();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).batch(32);
    let first = train(Job { epochs: 3, ..Job::new(mlp(), &training, &train_set, &mut Silent) }).unwrap();
    let nodes = [linear(32).frozen(), relu(), linear(10).bias_only()];
    let graph = Graph::new(Format::F32, Shape::d1(64), &nodes);
    let mut silent = Silent;
    let job = Job::new(graph, &training, &train_set, &mut silent);
    let second = train(Job { epochs: 1, initial: Some(&first.parameters), ..job }).unwrap();
    for (node, kind, values) in second.parameters.iter() {
        let same = first.parameters.get(node, kind) == Some(values);
        assert_eq!(same, (node, kind) != (2, Kind::Bias), "node {node} {kind:?}");
    }
    assert!(second.history[0].train_loss < first.history[2].train_loss);
}

#[test]
fn early_stopping_ends_a_run_that_no_longer_gets_better() {
    let (train_set, validation) = digits();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.02)).batch(32);
    let stopping = EarlyStopping { monitor: Monitor::Validation(Metric::Accuracy), patience: 2, min_delta: 0.001 };
    let mut silent = Silent;
    let job = Job::new(mlp(), &training, &train_set, &mut silent);
    let trained =
        train(Job { epochs: 100, validation: Some(&validation), early_stopping: Some(stopping), ..job }).unwrap();
    assert!(trained.stopped_early && trained.history.len() < 100);
    assert_eq!(trained.best_epoch as usize, trained.history.len() - 2);
    // The result is the best epoch's, not the last one's.
    let again = evaluate(mlp(), &training.loss, &trained.parameters, &validation, DeviceChoice::Cpu).unwrap();
    let record = |epoch: u32| &trained.history[epoch as usize - 1];
    assert_eq!(Some(again.loss), record(trained.best_epoch).validation_loss);
    assert_ne!(Some(again.loss), record(trained.best_epoch + 2).validation_loss);
}

#[test]
fn the_seed_and_the_epoch_decide_the_order_of_samples() {
    let (train_set, _) = digits();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).batch(32);
    let start = train(Job { epochs: 1, ..Job::new(mlp(), &training, &train_set, &mut Silent) }).unwrap().parameters;
    let run = |seed| {
        let mut silent = Silent;
        let job = Job::new(mlp(), &training, &train_set, &mut silent);
        train(Job { epochs: 1, seed, initial: Some(&start), device: DeviceChoice::Cpu, ..job }).unwrap().parameters
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn every_event_is_a_line_of_json() {
    let (train_set, _) = digits();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).batch(32);
    let mut bytes = Vec::new();
    {
        let mut both: Vec<Box<dyn Observer>> =
            vec![Box::new(JsonLines::new(&mut bytes).with_steps()), Box::new(Silent)];
        train(Job { epochs: 2, ..Job::new(mlp(), &training, &train_set, &mut both) }).unwrap();
    }
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    // 45 steps an epoch are told after 32 and at the end.
    assert_eq!(events, ["started", "steps", "steps", "epoch", "steps", "steps", "epoch", "finished"]);
    assert_eq!((lines[1]["step"].as_u64(), lines[2]["step"].as_u64()), (Some(32), Some(45)));
    let record: EpochRecord = serde_json::from_value(lines[6]["record"].clone()).unwrap();
    assert_eq!((record.epoch, record.step), (2, 90));
    assert_eq!(lines[0]["trained"], 64 * 32 + 32 + 32 * 10 + 10);
}
