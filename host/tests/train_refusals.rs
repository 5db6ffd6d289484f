//! What can't be trained is refused before the first step, with what to do about it.

use emberlite::graph::{Graph, Node, Shape, batch_norm, linear, max_pool1d};
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;
use emberlite_host::Parameters;
use emberlite_host::data::{Dataset, Labels};
use emberlite_host::train::*;

fn classes(shape: &[usize], ids: &[u32]) -> Dataset {
    let size: usize = shape.iter().product();
    let labels = Labels::Class { ids: ids.to_vec(), names: vec!["a".into(), "b".into(), "c".into()] };
    Dataset::new(vec![0.5; size * ids.len()], shape.to_vec(), labels).unwrap()
}

const TRAINING: Training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).batch(2);

fn refused<'a>(
    nodes: &'a [Node],
    training: &'a Training,
    set: &'a Dataset,
    change: impl FnOnce(&mut Job<'a>),
) -> String {
    let graph = Graph::new(Format::F32, Shape::d1(2), nodes);
    let mut job = Job::new(graph, training, set, Box::leak(Box::new(Silent)));
    job.device = DeviceChoice::Cpu;
    change(&mut job);
    train(job).unwrap_err().to_string()
}

fn same(_: &mut Job<'_>) {}

#[test]
fn data_that_do_not_fit_the_model() {
    let model = [linear(2)];
    let text = refused(&model, &TRAINING, &classes(&[3], &[0, 1]), same);
    assert_eq!(
        text,
        "the training set: expected samples of shape [2], found [3]; reshape the samples or change the model's input"
    );
    let text = refused(&model, &TRAINING, &classes(&[2], &[0, 2]), same);
    assert!(text.contains("classes below the model's 2 outputs, found class 2"), "{text}");
    let text = refused(&model, &TRAINING, &classes(&[2], &[]), same);
    assert!(text.contains("at least one sample"), "{text}");
    let values = Dataset::new(vec![0.0; 4], vec![2], Labels::Value(vec![1.0, 2.0])).unwrap();
    let text = refused(&model, &TRAINING, &values, same);
    assert!(text.contains("expected class labels for softmax_cross_entropy, found values"), "{text}");
    let squared = Training { loss: Loss::MeanSquaredError, ..TRAINING };
    let text = refused(&model, &squared, &values, same);
    assert!(text.contains("expected 2 values a sample, found 1 value; end the model with one output"), "{text}");
    let text = refused(&model, &squared, &classes(&[2], &[0, 1]), same);
    let expected = "expected an output a class for mean_squared_error, found 3 classes and 2 outputs; \
                    give the last layer as many outputs as there are classes, or one for two classes";
    assert!(text.contains(expected), "{text}");
    let none = Dataset::new(vec![0.0; 4], vec![2], Labels::None).unwrap();
    let text = refused(&model, &squared, &none, same);
    assert!(text.contains("expected class labels or values for mean_squared_error, found no labels"), "{text}");
    let set = classes(&[2], &[0, 1]);
    let other = classes(&[3], &[0, 1]);
    let text = refused(&model, &TRAINING, &set, |job| job.validation = Some(&other));
    assert!(text.starts_with("the validation set: expected samples of shape [2]"), "{text}");
}

#[test]
fn settings_that_do_not_fit() {
    let set = classes(&[2], &[0, 1, 0]);
    let model = [linear(2)];
    let with = |training: Training| refused(&model, &training, &set, same);
    assert!(with(Training { optimizer: Optimizer::sgd(-1.0), ..TRAINING }).contains("learning rate"));
    assert!(with(TRAINING.clip(Clip::GlobalNorm(0.0))).contains("clipping limit"));
    assert!(with(TRAINING.batch(0)).contains("at least 1 sample"));
    assert!(refused(&[linear(2).frozen()], &TRAINING, &set, same).contains("nothing to train"));
    assert!(refused(&[linear(1)], &TRAINING, &set, same).contains("at least 2 outputs"));
    assert!(refused(&[max_pool1d(2)], &TRAINING, &set, same).contains("layer 0 (max_pool1d): needs a sequence"));
    // Three samples in batches of two leave one for the last.
    let text = refused(&[linear(4), batch_norm(), linear(2)], &TRAINING, &set, same);
    assert!(text.contains("layer 1 (batch_norm) would see one value a channel in a batch of 1"), "{text}");
    let stopping = |monitor, patience, min_delta| {
        let early_stopping = Some(EarlyStopping { monitor, patience, min_delta });
        refused(&model, &TRAINING, &set, |job| job.early_stopping = early_stopping)
    };
    assert!(stopping(Monitor::ValidationLoss, 1, 0.0).contains("needs a validation set"));
    assert!(stopping(Monitor::TrainLoss, 0, 0.0).contains("patience"));
    assert!(stopping(Monitor::TrainLoss, 1, f64::NAN).contains("min_delta"));
    assert!(refused(&model, &TRAINING, &set, |job| job.resume = true).contains("checkpoint folder"));
    let values = Dataset::new(vec![0.5; 4], vec![2], Labels::Value(vec![1.0, 2.0])).unwrap();
    let squared = Training { loss: Loss::MeanSquaredError, ..TRAINING };
    let text = refused(&[linear(1)], &squared, &values, |job| {
        job.early_stopping = Some(EarlyStopping { monitor: Monitor::TrainAccuracy, patience: 1, min_delta: 0.0 });
    });
    assert!(text.contains("early stopping on train_accuracy needs samples with classes"), "{text}");
}

#[test]
fn parameters_of_another_model() {
    use emberlite::image::Kind;
    let set = classes(&[2], &[0, 1]);
    fn with(set: &Dataset, parameters: &Parameters) -> String {
        refused(&[linear(2)], &TRAINING, set, |job| job.initial = Some(parameters))
    }
    let mut parameters = Parameters::new();
    parameters.set(0, Kind::Weight, vec![0.0; 4]);
    assert!(with(&set, &parameters).contains("no tensor 0.bias"));
    parameters.set(0, Kind::Bias, vec![0.0; 3]);
    assert!(with(&set, &parameters).contains("tensor 0.bias has 3 elements, the model needs 2"));
    parameters.set(0, Kind::Bias, vec![0.0, f32::NAN]);
    assert!(with(&set, &parameters).contains("tensor 0.bias holds a number that is not finite"));
}

#[test]
fn a_device_that_is_not_there_is_a_sentence() {
    let set = classes(&[2], &[0, 1]);
    for (device, feature) in [
        (DeviceChoice::Wgpu(None), cfg!(feature = "wgpu")),
        (DeviceChoice::Vulkan(None), cfg!(feature = "vulkan")),
        (DeviceChoice::Cuda(None), cfg!(feature = "cuda")),
    ] {
        if !feature {
            let text = refused(&[linear(2)], &TRAINING, &set, |job| job.device = device);
            let expected = format!(
                "device `{device}`: this build has no {device}; build with `--features {device}`, or choose `cpu`"
            );
            assert_eq!(text, expected);
        }
    }
}
