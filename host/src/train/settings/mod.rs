//! Settings that only the host has. The device's own, which the planner knows, are [`Training`]'s; nothing here changes what a
//! device plans or does.

mod optimizer;
mod schedule;

pub use optimizer::HostOptimizer;
pub use schedule::{Course, HostSchedule, Plateau};

pub(crate) use schedule::PlateauState;

use crate::lower::Precision;
use crate::metrics::Metric;
use emberlite::loss::Loss;
use emberlite::plan::Training;

/// How the host trains beyond what the device can: the field of [`Job`](super::Job) that `[training]` of a `model.toml` fills.
///
/// The default changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSettings {
    /// Batches whose gradients are added up before one update, at least 1: an update is that of one batch of `accumulate`
    /// times as many samples but for the order of the sum (a relative `accumulate * 2^-24` a term), in the memory of one
    /// batch. A batch norm still takes its statistics over each batch by itself. An epoch's last update has the batches
    /// that are left.
    pub accumulate: u32,
    /// The share of the target that is spread evenly over all classes, in `[0, 1)`. Softmax cross-entropy: PyTorch's
    /// `CrossEntropyLoss(label_smoothing)`; binary cross-entropy: Keras's, `t (1 - s) + s / 2`. The loss of a validation
    /// set is without it.
    pub label_smoothing: f32,
    /// A weight for each class: a sample's loss counts that of its class, and the mean divides by the sum of the weights,
    /// as PyTorch's `CrossEntropyLoss(weight)`. The loss of a validation set is without them.
    pub class_weights: Option<Vec<f32>>,
    /// The numbers of matrix products and convolutions; weights stay f32. A device that hasn't them is refused.
    pub precision: Precision,
    /// Averages the weights; see [`Ema`].
    pub ema: Option<Ema>,
    /// Whether [`Training::penalty`] is on biases too, as on the device. Without it the penalty is Keras's
    /// `kernel_regularizer`, and a linear model's minimum that of scikit-learn, which doesn't penalise intercepts.
    pub penalise_biases: bool,
    /// The learning rate's course, instead of that of [`Training::schedule`].
    pub schedule: Option<HostSchedule>,
    /// The optimizer, instead of that of [`Training::optimizer`].
    pub optimizer: Option<HostOptimizer>,
    /// For each node of the graph what its learning rate is multiplied by; empty: 1 for all.
    pub learning_rate_scales: Vec<f32>,
    /// Updates of an epoch; none: as many as it takes to see every sample. Each epoch draws its order anew, so what one
    /// leaves out comes in another.
    pub steps_per_epoch: Option<u32>,
    /// Updates in all, after which training ends even within an epoch.
    pub max_steps: Option<u32>,
    /// What each epoch is measured by besides loss and accuracy, on the validation set.
    pub metrics: Vec<Metric>,
    /// In which order samples are drawn.
    pub sampling: Sampling,
    /// Updates between two readings of the loss, at least 1; each makes a GPU wait.
    pub log_every: u32,
}

/// An exponential moving average of the weights, which evaluations and the result take instead of the last ones.
///
/// After the first update it is the weights, after each further one `decay * average + (1 - decay) * weights`: PyTorch's
/// `AveragedModel` with `get_ema_multi_avg_fn(decay)`. Running statistics of batch norms are the last ones. Costs one more
/// copy of the trained parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// In `[0, 1)`.
    pub decay: f32,
}

/// In which order an epoch draws the training set's samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Each once, in an order that seed and epoch decide.
    #[default]
    Shuffled,
    /// As many in all, each class as often as any other: rare ones repeat, see
    /// [`balanced_order`](crate::data::balanced_order).
    Balanced,
    /// Each once, in the order of the set.
    InOrder,
}

impl Sampling {
    /// Every order.
    pub const ALL: [Sampling; 3] = [Sampling::Shuffled, Sampling::Balanced, Sampling::InOrder];

    /// The name used in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Sampling::Shuffled => "shuffled",
            Sampling::Balanced => "balanced",
            Sampling::InOrder => "in_order",
        }
    }
}

impl Default for HostSettings {
    fn default() -> Self {
        HostSettings {
            accumulate: 1,
            label_smoothing: 0.0,
            class_weights: None,
            precision: Precision::F32,
            ema: None,
            penalise_biases: true,
            schedule: None,
            optimizer: None,
            learning_rate_scales: Vec::new(),
            steps_per_epoch: None,
            max_steps: None,
            metrics: Vec::new(),
            sampling: Sampling::Shuffled,
            log_every: 32,
        }
    }
}

impl HostSettings {
    /// Samples of one update.
    pub fn samples_per_step(&self, training: &Training) -> usize {
        training.batch as usize * self.accumulate as usize
    }

    /// Updates of an epoch over so many samples.
    pub fn steps(&self, training: &Training, samples: usize) -> u32 {
        let all = samples.div_ceil(self.samples_per_step(training).max(1)) as u32;
        self.steps_per_epoch.map_or(all, |steps| steps.min(all))
    }

    /// The name of the optimizer that trains.
    pub fn optimizer_name(&self, training: &Training) -> &'static str {
        self.optimizer.as_ref().map_or(training.optimizer.name(), HostOptimizer::name)
    }

    /// The schedule that follows a figure, if it is one.
    pub fn plateau(&self) -> Option<&Plateau> {
        match self.schedule.as_ref().map(|schedule| &schedule.course) {
            Some(Course::Plateau(plateau)) => Some(plateau),
            _ => None,
        }
    }

    /// Whether the schedule stretches over the whole run, so that a longer one has other rates from the start on.
    pub fn stretches(&self) -> bool {
        match self.schedule.as_ref().map(|schedule| &schedule.course) {
            Some(
                Course::Linear { steps, .. }
                | Course::Polynomial { steps, .. }
                | Course::Cosine { steps, .. }
                | Course::OneCycle { steps, .. },
            ) => steps.is_none(),
            _ => false,
        }
    }

    /// Checks everything that doesn't need the data; `nodes` are the graph's. The error says what is asked.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(&self, training: &Training, nodes: usize) -> Result<(), String> {
        let at_least_one = |value: Option<u32>, what: &str| match value {
            Some(0) => Err(format!("{what} must be at least 1")),
            _ => Ok(()),
        };
        at_least_one(Some(self.accumulate), "accumulate")?;
        at_least_one(self.steps_per_epoch, "steps_per_epoch")?;
        at_least_one(self.max_steps, "max_steps")?;
        at_least_one(Some(self.log_every), "log_every")?;
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return Err("label_smoothing must be in [0, 1)".into());
        }
        let smooth = matches!(training.loss, Loss::SoftmaxCrossEntropy | Loss::BinaryCrossEntropy);
        if self.label_smoothing > 0.0 && !smooth {
            let loss = training.loss.name();
            return Err(format!("label_smoothing needs a cross-entropy, the loss is {loss}; leave it out"));
        }
        if let Some(weights) = &self.class_weights {
            let good = weights.iter().all(|w| w.is_finite() && *w >= 0.0) && weights.iter().any(|w| *w > 0.0);
            if !good {
                return Err("class weights must be finite and not negative, and one of them positive".into());
            }
        }
        if self.ema.is_some_and(|ema| !(0.0..1.0).contains(&ema.decay)) {
            return Err("ema's decay must be in [0, 1)".into());
        }
        if let Some(schedule) = &self.schedule {
            schedule.check()?;
        }
        if let Some(optimizer) = &self.optimizer {
            optimizer.check()?;
        }
        let scales = &self.learning_rate_scales;
        if !(scales.is_empty() || scales.len() == nodes) {
            return Err(format!("{} learning rate scales for {nodes} layers; give one a layer", scales.len()));
        }
        if !scales.iter().all(|scale| scale.is_finite() && *scale >= 0.0) {
            return Err("learning rate scales must be finite and not negative".into());
        }
        Ok(())
    }
}
