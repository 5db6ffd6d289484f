//! What only the host has, from the library: each feature changes what it says, and survives an interruption.

mod train_common;

use emberlite::graph::{Graph, Node, Shape, batch_norm, conv1d, dropout, flatten, linear, relu};
use emberlite::image::Kind;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;
use emberlite_host::Parameters;
use emberlite_host::data::{Dataset, Labels};
use emberlite_host::metrics::Metric;
use emberlite_host::train::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use train_common::{folder, waves};

const PLAIN: [Node; 5] = [conv1d(5, 3), relu(), flatten(), linear(6), linear(2)];
const NODES: [Node; 7] = [conv1d(5, 3), batch_norm(), relu(), dropout(0.25), flatten(), linear(6), linear(2)];

fn graph(nodes: &[Node]) -> Graph<'_> {
    Graph::new(Format::F32, Shape::d2(2, 12), nodes)
}

/// Trains on the CPU with what `change` says.
fn run<'a>(
    nodes: &'a [Node],
    training: &'a Training,
    set: &'a Dataset,
    change: impl FnOnce(&mut Job<'a>),
) -> Result<Trained, TrainError> {
    let mut job = Job::new(graph(nodes), training, set, Box::leak(Box::new(Silent)));
    (job.device, job.epochs, job.seed) = (DeviceChoice::Cpu, 3, 3);
    change(&mut job);
    train(job)
}

fn host(change: impl FnOnce(&mut HostSettings)) -> HostSettings {
    let mut host = HostSettings::default();
    change(&mut host);
    host
}

/// The largest difference, and the largest number.
fn distance(a: &Parameters, b: &Parameters) -> (f32, f32) {
    let pairs = a.iter().flat_map(|(node, kind, values)| values.iter().zip(b.get(node, kind).unwrap()));
    pairs.fold((0.0, 0.0), |(far, large), (x, y)| (f32::max(far, (x - y).abs()), f32::max(large, x.abs())))
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let set = waves(70, 1);
    let large = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::momentum(0.1, 0.9)).batch(32);
    let small = large.batch(8);
    let weights = Some(vec![1.0, 2.5]);
    let settings = |accumulate| host(|h| (h.accumulate, h.class_weights) = (accumulate, weights.clone()));
    let one = run(&PLAIN, &large, &set, |job| job.host = settings(1)).unwrap();
    let four = run(&PLAIN, &small, &set, |job| job.host = settings(4)).unwrap();
    let alone = run(&PLAIN, &small, &set, |job| job.host = settings(1)).unwrap();
    assert_eq!(one.history.last().unwrap().step, four.history.last().unwrap().step);
    // Nine updates. A gradient's sum of 32 terms in another order differs by at most 32 u of the terms' sizes, here below
    // 8; momentum adds up ten of them, at a rate of 0.1.
    let (far, large) = distance(&one.parameters, &four.parameters);
    let bound = 9.0 * 32.0 * 8.0 * 10.0 * 0.1 * f32::EPSILON / 2.0;
    assert!(far <= bound, "{far} of {large}, the bound is {bound}");
    assert!(distance(&alone.parameters, &four.parameters).0 > 100.0 * bound, "small batches would do as well");
    let loss = |t: &Trained| t.history.iter().map(|r| r.train_loss).collect::<Vec<_>>();
    for (a, b) in loss(&one).iter().zip(loss(&four)) {
        assert!((a - b).abs() <= f64::from(bound) * 8.0, "{a}, {b}");
    }
}

#[test]
fn the_result_is_that_of_the_average() {
    let set = waves(70, 1);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.2)).batch(70);
    let step = |steps| run(&PLAIN, &training, &set, |job| job.epochs = steps).unwrap().parameters;
    let averaged = |steps| {
        let host = host(|h| h.ema = Some(Ema { decay: 0.75 }));
        run(&PLAIN, &training, &set, |job| (job.host, job.epochs) = (host, steps)).unwrap()
    };
    // One update an epoch: w1, then 3/4 w1 + 1/4 w2.
    assert_eq!(averaged(1).parameters, step(1));
    let (w1, w2, average) = (step(1), step(2), averaged(2));
    for (node, kind, values) in average.parameters.iter() {
        for ((a, b), found) in w1.get(node, kind).unwrap().iter().zip(w2.get(node, kind).unwrap()).zip(values) {
            assert!((0.75 * a + 0.25 * b - found).abs() <= 4.0 * f32::EPSILON, "{a} {b} {found}");
        }
    }
    // What is measured is the average too: without a validation set the confusion is over the training set.
    let again = evaluate(graph(&PLAIN), &training.loss, &average.parameters, &set, DeviceChoice::Cpu).unwrap();
    assert_eq!(again.confusion, average.confusion);
}

#[test]
fn class_weights_turn_to_the_rare_class() {
    let set = waves(90, 4);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)).batch(30);
    let rare = |weights: Option<Vec<f32>>| {
        let host = host(|h| h.class_weights = weights);
        let trained = run(&PLAIN, &training, &set, |job| (job.host, job.epochs) = (host, 2)).unwrap();
        trained.confusion[0][1] + trained.confusion[1][1]
    };
    // So few updates leave the choice to the weights.
    assert_eq!(rare(Some(vec![0.01, 10.0])), 90);
    assert_eq!(rare(Some(vec![10.0, 0.01])), 0);
}

#[test]
fn epochs_can_be_short_and_updates_counted() {
    let set = waves(70, 1);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).batch(10);
    let steps = |change: fn(&mut HostSettings)| -> Vec<u32> {
        let trained = run(&PLAIN, &training, &set, |job| job.host = host(change)).unwrap();
        trained.history.iter().map(|record| record.step).collect()
    };
    assert_eq!(steps(|_| ()), [7, 14, 21]);
    assert_eq!(steps(|h| h.steps_per_epoch = Some(2)), [2, 4, 6]);
    assert_eq!(steps(|h| h.steps_per_epoch = Some(20)), [7, 14, 21]);
    assert_eq!(steps(|h| h.max_steps = Some(9)), [7, 9]);
    assert_eq!(steps(|h| h.max_steps = Some(14)), [7, 14]);
    assert_eq!(steps(|h| (h.max_steps, h.accumulate) = (Some(3), 3)), [3]);
}

#[test]
fn early_stopping_watches_any_metric() {
    let (set, validation) = (waves(70, 1), waves(45, 2));
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.02)).batch(16);
    let monitor = Monitor::Validation(Metric::RocAuc);
    let stopping = EarlyStopping { monitor, patience: 2, min_delta: 0.0 };
    let measured = [Metric::RocAuc, "f1_macro".parse().unwrap()];
    let trained = run(&PLAIN, &training, &set, |job| {
        job.host = host(|h| h.metrics = measured.to_vec());
        job.validation = Some(&validation);
        (job.early_stopping, job.epochs) = (Some(stopping), 60);
    })
    .unwrap();
    assert!(trained.stopped_early && trained.history.len() == trained.best_epoch as usize + 2);
    let areas: Vec<f64> = trained.history.iter().map(|r| r.validation_metrics["roc_auc"]).collect();
    let best = areas.iter().cloned().fold(0.0, f64::max);
    assert_eq!(areas[trained.best_epoch as usize - 1], best);
    // The best epoch's parameters are handed out.
    let graph = graph(&PLAIN);
    let again = evaluate_metrics(graph, &training.loss, &trained.parameters, &validation, DeviceChoice::Cpu, &measured)
        .unwrap();
    assert_eq!(again.metrics, trained.history[trained.best_epoch as usize - 1].validation_metrics);
    assert_eq!(again.metrics.len(), 2);
}

/// Asks to stop after so many updates.
struct StopAfter<'a> {
    left: u32,
    stop: &'a AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn event(&mut self, event: Event<'_>) -> std::io::Result<()> {
        if matches!(event, Event::Steps { .. }) {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// All but the wall times.
fn figures(history: &[EpochRecord]) -> Vec<EpochRecord> {
    history.iter().map(|r| EpochRecord { seconds: 0.0, samples_per_second: 0.0, ..r.clone() }).collect()
}

#[test]
fn a_run_interrupted_after_any_update_gives_the_bits_of_an_uninterrupted_one() {
    let (set, validation) = (waves(70, 1), waves(30, 2));
    // Nothing gets better by nine tenths, so the rate falls.
    let plateau = Plateau { patience: 0, factor: 0.5, threshold: 0.9, ..Plateau::default() };
    // Everything that has state: dropout, batch norm, Nadam, accumulation, an average, a schedule that watches, patience.
    let settings = || {
        host(|h| {
            (h.accumulate, h.label_smoothing, h.log_every) = (2, 0.1, 1);
            h.class_weights = Some(vec![1.0, 2.0]);
            h.ema = Some(Ema { decay: 0.8 });
            h.schedule = Some(HostSchedule::new(Course::Plateau(plateau.clone())).warmed_up(3, 0.1));
            let (learning_rate, beta1, beta2, epsilon, weight_decay) = (0.02, 0.9, 0.99, 1e-8, 0.01);
            h.optimizer = Some(HostOptimizer::Nadam { learning_rate, beta1, beta2, epsilon, weight_decay });
            h.metrics = vec![Metric::RocAuc];
            h.sampling = Sampling::Balanced;
        })
    };
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(1.0)).batch(8).clip(Clip::GlobalNorm(1.0));
    let stopping = EarlyStopping { monitor: Monitor::ValidationLoss, patience: 3, min_delta: 0.0 };
    let go = |observer: &mut dyn Observer, dir: Option<&PathBuf>, stop: Option<&AtomicBool>| {
        train(Job {
            host: settings(),
            epochs: 3,
            seed: 3,
            validation: Some(&validation),
            device: DeviceChoice::Cpu,
            early_stopping: Some(stopping),
            checkpoint: dir.map(Checkpoint::new),
            resume: dir.is_some_and(|dir| dir.join("checkpoint.safetensors").exists()),
            interrupt: stop,
            ..Job::new(graph(&NODES), &training, &set, observer)
        })
    };
    let whole = go(&mut Silent, None, None).unwrap();
    let updates = whole.history.last().unwrap().step;
    // 70 samples in updates of 16.
    assert_eq!(updates, 15);
    assert!(whole.history.iter().any(|r| r.learning_rate < 0.02), "the plateau shows nothing");
    for first in 1..=updates {
        let dir = folder(&format!("any-step-{first}"));
        // Interrupted after `first` updates, again after every further two, then to the end.
        let mut interruptions = 0;
        let resumed = loop {
            let stop = AtomicBool::new(false);
            let left = if interruptions == 0 { first } else { 2 };
            match go(&mut StopAfter { left, stop: &stop }, Some(&dir), Some(&stop)) {
                Ok(trained) => break trained,
                Err(TrainError::Interrupted { checkpoint: Some(path), epoch, step, steps }) => {
                    assert!(path.exists() && (1..=3).contains(&epoch) && (1..=steps).contains(&step));
                    interruptions += 1;
                }
                Err(other) => panic!("{other}"),
            }
            assert!(interruptions <= updates);
        };
        assert!(interruptions > 0 || first == updates);
        assert_eq!(figures(&resumed.history), figures(&whole.history), "after {first}");
        assert_eq!(resumed.parameters, whole.parameters, "after {first}");
        assert_eq!((resumed.best_epoch, &resumed.confusion), (whole.best_epoch, &whole.confusion));
    }
}

#[test]
fn the_last_checkpoints_are_kept_and_each_can_be_gone_on_from() {
    let set = waves(70, 1);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(16);
    let dir = folder("keep");
    let checkpoint = || Checkpoint { every_epochs: 0, every_steps: Some(2), keep: 3, ..Checkpoint::new(&dir) };
    let whole = run(&NODES, &training, &set, |job| job.checkpoint = Some(checkpoint())).unwrap();
    let names = || {
        let entries = std::fs::read_dir(&dir).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // 15 updates: saved after 2, 4, … 14 and the last.
    assert_eq!(names(), ["checkpoint-12.safetensors", "checkpoint-14.safetensors", "checkpoint.safetensors"]);
    std::fs::rename(dir.join("checkpoint-12.safetensors"), dir.join("checkpoint.safetensors")).unwrap();
    let resumed =
        run(&NODES, &training, &set, |job| (job.checkpoint, job.resume) = (Some(checkpoint()), true)).unwrap();
    assert_eq!(resumed.parameters, whole.parameters);
    assert_eq!(names().len(), 3);
    // A new run in the same folder keeps none of them.
    run(&NODES, &training, &set, |job| (job.checkpoint, job.epochs) = (Some(checkpoint()), 1)).unwrap();
    assert_eq!(names(), ["checkpoint-2.safetensors", "checkpoint-4.safetensors", "checkpoint.safetensors"]);
}

/// Files of the run before that have more updates than the one that is gone on from are not of this run.
#[test]
fn going_on_from_an_older_checkpoint_replaces_those_after_it() {
    let set = waves(70, 1);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(16);
    let dir = folder("replaced");
    let go = |most: Option<u32>, resume| {
        let checkpoint = Checkpoint { every_epochs: 0, every_steps: Some(2), keep: 5, ..Checkpoint::new(&dir) };
        let host = host(|h| h.max_steps = most);
        run(&NODES, &training, &set, |job| (job.checkpoint, job.resume, job.host) = (Some(checkpoint), resume, host))
            .unwrap();
    };
    let named = |updates: u32| dir.join(format!("checkpoint-{updates}.safetensors"));
    go(None, false);
    let first = std::fs::read(named(8)).unwrap();
    std::fs::rename(named(10), dir.join("checkpoint.safetensors")).unwrap();
    // A run's own files are recognised: these can't be mistaken for them.
    for updates in [12, 14] {
        std::fs::write(named(updates), "left behind").unwrap();
    }
    go(Some(13), true);
    // 15 updates were made before, now 13: saved after 12 and the last.
    assert_eq!(updates_in(&dir, "checkpoint-8.safetensors"), Some(8));
    assert_eq!(std::fs::read(named(8)).unwrap(), first, "those before stay");
    assert_eq!(updates_in(&dir, "checkpoint-10.safetensors"), Some(10));
    assert_eq!(updates_in(&dir, "checkpoint-12.safetensors"), Some(12));
    assert_eq!(updates_in(&dir, "checkpoint.safetensors"), Some(13));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 4, "nothing of 14 updates");
}

/// Without the last checkpoint, the ones before are all that is left of a run.
#[test]
fn older_checkpoints_are_not_replaced_unasked() {
    let set = waves(70, 1);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(16);
    let dir = folder("only-older");
    let go = |resume, fresh| {
        let checkpoint = Checkpoint { every_epochs: 0, every_steps: Some(4), keep: 3, ..Checkpoint::new(&dir) };
        run(&NODES, &training, &set, |job| (job.checkpoint, job.resume, job.fresh) = (Some(checkpoint), resume, fresh))
    };
    go(false, false).unwrap();
    std::fs::remove_file(dir.join("checkpoint.safetensors")).unwrap();
    for resume in [false, true] {
        let error = go(resume, false).unwrap_err();
        let expected = dir.join("checkpoint-12.safetensors");
        assert!(matches!(&error, TrainError::OnlyOlder { newest, .. } if *newest == expected), "{error}");
    }
    let updates = ["checkpoint-8.safetensors", "checkpoint-12.safetensors"].map(|name| updates_in(&dir, name));
    assert_eq!(updates, [Some(8), Some(12)]);
    go(false, true).unwrap();
}

/// After how many updates a checkpoint was saved; `None` for what is no checkpoint.
fn updates_in(dir: &Path, name: &str) -> Option<u64> {
    let bytes = std::fs::read(dir.join(name)).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).ok()?;
    let meta: serde_json::Value =
        serde_json::from_str(metadata.metadata().as_ref()?.get("emberlite_checkpoint")?).ok()?;
    meta["counters"]["updates"].as_u64()
}

#[test]
fn a_run_that_max_steps_has_ended_can_be_made_longer() {
    let set = waves(70, 1);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(16);
    let dir = folder("longer");
    let go = |most: Option<u32>, resume| {
        run(&NODES, &training, &set, |job| {
            (job.checkpoint, job.resume) = (Some(Checkpoint::new(&dir)), resume);
            job.host = host(|h| h.max_steps = most);
        })
        .unwrap()
    };
    let whole = go(None, false);
    let short = go(Some(7), false);
    assert_eq!(short.history.iter().map(|r| r.step).collect::<Vec<_>>(), [5, 7]);
    let again = go(Some(7), true);
    assert_eq!((figures(&again.history), &again.parameters), (figures(&short.history), &short.parameters));
    let longer = go(None, true);
    assert_eq!((figures(&longer.history), &longer.parameters), (figures(&whole.history), &whole.parameters));
}

#[test]
fn what_does_not_go_together_is_refused_in_a_sentence() {
    let set = waves(70, 1);
    let squares = Dataset::new(vec![0.5; 24 * 8], vec![2, 12], Labels::Value(vec![1.0; 8])).unwrap();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).batch(16);
    let squared = Training { loss: Loss::MeanSquaredError, ..training };
    let refused = |change: &dyn Fn(&mut HostSettings)| {
        run(&PLAIN, &training, &set, |job| job.host = host(change)).unwrap_err().to_string()
    };
    let said = "training settings: ";
    for (text, expected) in [
        (refused(&|h| h.accumulate = 0), "accumulate must be at least 1"),
        (refused(&|h| h.label_smoothing = 1.0), "label_smoothing must be in [0, 1)"),
        (refused(&|h| h.ema = Some(Ema { decay: 1.0 })), "ema's decay must be in [0, 1)"),
        (refused(&|h| h.class_weights = Some(vec![1.0; 3])), "3 class weights for 2 classes; give one a class"),
        (refused(&|h| h.class_weights = Some(vec![-1.0, 1.0])), "class weights must be finite and not negative"),
        (refused(&|h| h.learning_rate_scales = vec![1.0]), "1 learning rate scales for 5 layers; give one a layer"),
        (refused(&|h| h.learning_rate_scales = vec![0.0; 5]), "the learning rate is 0: nothing would be learnt"),
        (refused(&|h| h.metrics = vec![Metric::RocAuc]), "measuring on validation_roc_auc needs a validation set"),
        (
            refused(&|h| h.schedule = Some(HostSchedule::new(Course::Linear { steps: Some(0), minimum: 0.0 }))),
            "a schedule needs at least 1 step",
        ),
    ] {
        assert!(text.starts_with(said) && text.contains(expected), "{text}\nexpected {expected}");
    }
    let nodes = [flatten(), linear(1)];
    let refused = |change: &dyn Fn(&mut HostSettings)| {
        let change = |job: &mut Job<'_>| job.host = host(change);
        run(&nodes, &squared, &squares, change).unwrap_err().to_string()
    };
    let text = refused(&|h| h.label_smoothing = 0.1);
    assert!(text.contains("label_smoothing needs a cross-entropy, the loss is mean_squared_error"), "{text}");
    let text = refused(&|h| h.class_weights = Some(vec![1.0]));
    assert!(text.contains("class weights need samples with classes"), "{text}");
    let text = refused(&|h| h.sampling = Sampling::Balanced);
    assert!(text.contains("balanced sampling needs samples with classes"), "{text}");
    let zero = Training { optimizer: Optimizer::sgd(0.0), ..training };
    let text = run(&PLAIN, &zero, &set, |_| ()).unwrap_err().to_string();
    assert!(text.contains("the learning rate is 0: nothing would be learnt; give a positive one"), "{text}");
}

#[test]
fn a_frozen_layer_keeps_its_bits_and_a_scaled_one_moves_less() {
    let set = waves(70, 1);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).batch(70);
    let start = {
        let host = host(|h| h.learning_rate_scales = vec![1.0, 1.0, 1.0, 1.0, 1e-30]);
        run(&PLAIN, &training, &set, |job| (job.host, job.epochs) = (host, 1)).unwrap().parameters
    };
    let step = |scales: Vec<f32>| {
        let host = host(|h| h.learning_rate_scales = scales);
        run(&PLAIN, &training, &set, |job| (job.host, job.epochs, job.initial) = (host, 1, Some(&start)))
            .unwrap()
            .parameters
    };
    let (full, part) = (step(Vec::new()), step(vec![0.0, 1.0, 1.0, 0.25, 1.0]));
    assert_eq!(part.get(0, Kind::Weight), start.get(0, Kind::Weight));
    assert_eq!(part.get(4, Kind::Weight), full.get(4, Kind::Weight));
    let moved = |parameters: &Parameters| -> f32 {
        let pairs = parameters.get(3, Kind::Weight).unwrap().iter().zip(start.get(3, Kind::Weight).unwrap());
        pairs.map(|(a, b)| (a - b).abs()).sum()
    };
    let ratio = moved(&part) / moved(&full);
    assert!((ratio - 0.25).abs() < 1e-3, "{ratio}");
}
