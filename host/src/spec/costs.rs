//! What a model costs on the device, layer by layer and as a whole.

use emberlite::image::{DType, Entry, Header, Kind, MODEL, encoded_len};
use emberlite::number::Format;
use emberlite::plan::{PlanError, PlanErrorKind, Training, check_budget};
use serde::Serialize;

use super::{Board, HostPlan, Spec, SpecError};
use crate::data::{Labels, Source};

/// The costs of a plan. Bytes unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// The number format.
    pub format: &'static str,
    /// Whether it is planned for learning, or for prediction alone.
    pub training: bool,
    /// Layer by layer.
    pub layers: Vec<LayerCosts>,
    /// All parameters, as a number.
    pub parameters: u64,
    /// Those that learn, as a number.
    pub trainable: u64,
    /// Parameters in RAM.
    pub parameter_bytes: u64,
    /// Optimizer state.
    pub state_bytes: u64,
    /// Accumulated gradients.
    pub gradient_bytes: u64,
    /// Activations, errors and scratch at the worst moment.
    pub working_bytes: u64,
    /// Everything that must be in RAM besides the stack.
    pub arena_bytes: u64,
    /// Parameters in the file.
    pub flash_bytes: u64,
    /// The sealed file, without metadata of its own.
    pub file_bytes: u64,
    /// Multiply-accumulates of a prediction.
    pub macs_predict: u64,
    /// Multiply-accumulates of a training step.
    pub macs_step: u64,
    /// Bytes read and written by a prediction.
    pub bytes_moved: u64,
    /// Why no device can run the model, in words; then all figures of the device are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_only: Option<String>,
    /// Numbers of the output.
    #[serde(skip)]
    outputs: u32,
    #[serde(skip)]
    plan: Option<HostPlan>,
}

/// The costs of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerCosts {
    /// Its name; empty where none was given.
    pub name: String,
    /// Its operation.
    pub operation: &'static str,
    /// Its output's shape.
    pub output: String,
    /// Parameters, as a number.
    pub parameters: u64,
    /// Multiply-accumulates of the forward pass.
    pub macs: u64,
    /// Bytes of the output; 0 where it lies in the input's memory.
    pub activation_bytes: u64,
    /// Whether it works in the input's memory.
    pub in_place: bool,
    /// Bytes kept for the backward pass besides.
    pub saved_bytes: u64,
    /// What learning changes.
    pub update: &'static str,
}

impl Spec {
    /// Plans the model and adds up what it costs; of a model that the host alone can train, what that takes.
    ///
    /// # Errors
    /// [`SpecError`] at the line of the layer or setting at fault.
    pub fn costs(&self, training: Option<&Training>) -> Result<Costs, SpecError> {
        if let Some(reason) = self.host_only() {
            return self.host_costs(training.is_some(), reason);
        }
        let plan = self.plan_with(training)?;
        let s = plan.summary;
        let format = self.model.format;
        let steps = self.nodes.iter().enumerate().zip(plan.view().steps);
        let layers = steps.map(|((index, node), step)| {
            // The second input of an `add` has the shape of the first, or there would be no plan.
            let macs = node.op.facts(step.input, step.input).map_or(0, |facts| u64::from(facts.macs));
            let words = format.words(step.output.elements());
            LayerCosts {
                name: self.layer_name(index).into(),
                operation: node.op.name(),
                output: step.output.to_string(),
                parameters: step.parameters.iter().map(|p| u64::from(p.len)).sum(),
                macs,
                activation_bytes: if step.in_place { 0 } else { u64::from(words) * 4 },
                in_place: step.in_place,
                saved_bytes: u64::from(step.saved.len) * 4,
                update: match step.parameters.iter().all(|p| p.len == 0) {
                    true => "-",
                    false => node.update.name(),
                },
            }
        });
        Ok(Costs {
            format: format.name(),
            training: training.is_some(),
            layers: layers.collect(),
            parameters: s.parameters.into(),
            trainable: s.trainable.into(),
            parameter_bytes: s.parameter_bytes.into(),
            state_bytes: s.state_bytes.into(),
            gradient_bytes: s.gradient_bytes.into(),
            working_bytes: s.working_bytes.into(),
            arena_bytes: u64::from(s.words) * 4,
            flash_bytes: s.flash_bytes.into(),
            file_bytes: self.file_bytes(&plan)?,
            macs_predict: s.macs_forward,
            macs_step: s.macs_training,
            bytes_moved: s.bytes_moved,
            host_only: None,
            outputs: s.outputs,
            plan: Some(plan),
        })
    }

    /// What the host needs: parameters and MACs, and the output of each layer as it lies in memory, a sample.
    fn host_costs(&self, training: bool, reason: SpecError) -> Result<Costs, SpecError> {
        let layers = self.layers()?;
        let rows = layers.iter().zip(&self.model.nodes).enumerate().map(|(index, (layer, node))| {
            let [weight, bias, ..] = layer.facts.parameters.map(u64::from);
            LayerCosts {
                name: self.model.names.get(index).cloned().unwrap_or_default(),
                operation: node.op.name(),
                output: layer.facts.output.to_string(),
                parameters: weight + bias,
                macs: layer.facts.macs.into(),
                activation_bytes: u64::from(layer.facts.output.elements()) * 4,
                in_place: false,
                saved_bytes: 0,
                update: if weight + bias == 0 { "-" } else { node.update.name() },
            }
        });
        let rows: Vec<LayerCosts> = rows.collect();
        let total = |of: fn(&LayerCosts) -> u64| rows.iter().map(of).sum::<u64>();
        let (parameters, macs) = (total(|row| row.parameters), total(|row| row.macs));
        Ok(Costs {
            format: self.model.format.name(),
            training,
            parameters,
            // The host trains every layer.
            trainable: parameters,
            parameter_bytes: 0,
            state_bytes: 0,
            gradient_bytes: 0,
            working_bytes: 0,
            arena_bytes: 0,
            flash_bytes: 0,
            file_bytes: 0,
            macs_predict: macs,
            macs_step: 3 * macs,
            bytes_moved: 0,
            host_only: Some(reason.to_string()),
            outputs: layers.last().map_or(0, |layer| layer.facts.output.elements()),
            layers: rows,
            plan: None,
        })
    }

    /// The length of the file that the model's parameters make; longer by the names of classes where only the data say them.
    fn file_bytes(&self, plan: &HostPlan) -> Result<u64, SpecError> {
        let format = self.model.format;
        let dtype = if format == Format::F32 { DType::F32 } else { DType::I16 };
        let view = plan.view();
        // Node, kind, element type and dimensions: the file's JSON spells them out.
        let mut parts: Vec<(u8, Kind, DType, Vec<u32>)> = Vec::new();
        for ((number, node), step) in (0u8..).zip(self.graph().nodes).zip(view.steps) {
            let dims = |(dims, rank): ([u32; 4], usize)| dims.get(..rank).unwrap_or_default().to_vec();
            let (weight, bias) = (dims(node.op.weight_dims(step.input)), dims(node.op.bias_dims(step.input)));
            let kinds = [
                (Kind::Weight, &weight),
                (Kind::Bias, &bias),
                (Kind::RunningMean, &bias),
                (Kind::RunningVariance, &bias),
            ];
            for (_, (kind, dims)) in step.parameters.iter().chain(&step.running).zip(kinds).filter(|(p, _)| p.len > 0) {
                parts.push((number, kind, dtype, dims.clone()));
            }
        }
        let channels = u32::from(self.model.input.planes().0);
        if format == Format::Fixed16 {
            parts.push((MODEL, Kind::NormalisationFixed, DType::I32, vec![4, channels]));
            parts.push((MODEL, Kind::Scales, DType::I8, vec![plan.summary.scales.len, 4]));
        } else {
            parts.push((MODEL, Kind::Normalisation, DType::F32, vec![2, channels]));
        }
        let input = self.model.input.dims().iter().map(|&dim| dim.into()).collect();
        parts.push((MODEL, Kind::GoldenInput, dtype, input));
        parts.push((MODEL, Kind::GoldenOutput, dtype, vec![plan.summary.outputs]));
        let len = |dtype: DType, dims: &[u32]| dims.iter().product::<u32>() as usize * dtype.bytes() as usize;
        // Only lengths matter here: every tensor borrows the same zeros.
        let zeros = vec![0u8; parts.iter().map(|(.., dtype, dims)| len(*dtype, dims)).max().unwrap_or(0)];
        let entries = parts.iter().map(|(node, kind, dtype, dims)| {
            let bytes = zeros.get(..len(*dtype, dims)).unwrap_or_default();
            Entry { node: *node, kind: *kind, dtype: *dtype, dims, frac: 0, bytes }
        });
        let entries: Vec<Entry<'_>> = entries.collect();
        let classes = serde_json::to_string(&self.named_classes()).unwrap_or_default();
        let metadata = [("classes", classes.as_str()), ("name", self.name.as_str())];
        let header = Header { metadata: &metadata, ..Header::new(self.graph()) };
        let len = encoded_len(header, &entries);
        len.map(u64::from).map_err(|error| self.error(1, format!("the model's file can't be made: {error}")))
    }

    /// What the device has for the model: what `[device]` says, else what its board has (RAM less the stack).
    ///
    /// # Errors
    /// [`SpecError`] at the line of a board that isn't known.
    pub fn budget(&self, boards: &[Board]) -> Result<Budget, SpecError> {
        let board = match &self.device.board {
            None => None,
            Some(name) => {
                let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
                let found = boards.iter().find(|board| &board.name == name);
                Some(found.ok_or_else(|| {
                    // The name of one board is no misspelling of another's: only what is cut short is completed.
                    let meant = names.iter().find(|known| known.starts_with(&name.to_lowercase()) && !name.is_empty());
                    let meant = meant.map_or(String::new(), |known| format!("did you mean `{known}`? "));
                    let part = |board: &Board| format!("{} ({}, {} KiB RAM)", board.name, board.part, board.ram / 1024);
                    let all: Vec<String> = boards.iter().map(part).collect();
                    let message =
                        format!("`device.board`: unknown board `{name}`; {meant}there are: {}", all.join(", "));
                    self.error(self.device.lines.board, message)
                })?)
            }
        };
        Ok(Budget {
            ram: self.device.ram.or(board.map(|board| board.ram.saturating_sub(board.stack))),
            flash: self.device.flash.or(board.map(|board| board.flash)),
        })
    }

    /// Whether the model has an output for each class of the samples.
    ///
    /// # Errors
    /// [`SpecError`] at the last layer.
    pub fn check_classes(&self, costs: &Costs, samples: &dyn Source) -> Result<(), SpecError> {
        let Labels::Class { ids, names } = samples.labels() else { return Ok(()) };
        let (classes, outputs) = (names.len() as u32, costs.outputs);
        // One output says one of two classes by its sign.
        let by_sign = classes == 2 && outputs == 1 && !self.training.settings.loss.takes_class();
        if classes == outputs || by_sign {
            return Ok(());
        }
        let kind = PlanErrorKind::Classes { classes, outputs };
        let mut error = self.place(&PlanError { node: None, operation: "", kind });
        let counted = |count: u32, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        error.message = format!(
            "the labels name {}, the head has {}",
            counted(classes, "class", "classes"),
            counted(outputs, "output", "outputs")
        );
        if classes == 1 {
            error.message += "; of one class nothing can be learnt: add samples of others";
        }
        let numbered = names.first().is_some_and(|name| name == "0");
        if classes == outputs + 1 && numbered && !ids.contains(&0) {
            error.message += "; none of them is 0, from which classes are counted: take 1 off labels that count from 1";
        }
        Err(error)
    }

    /// Compares the costs with a budget.
    ///
    /// # Errors
    /// [`SpecError`] at the line that gives the budget, with the numbers.
    pub fn check_budget(&self, costs: &Costs, budget: &Budget) -> Result<(), SpecError> {
        let lines = &self.device.lines;
        let Some(plan) = &costs.plan else {
            return match self.host_only() {
                Some(mut reason) if budget.ram.is_some() || budget.flash.is_some() => {
                    reason.message +=
                        "; take the part out of [device] to train on the host alone, or the layer out of the model";
                    Err(reason)
                }
                _ => Ok(()),
            };
        };
        if let Some(ram) = budget.ram {
            check_budget(plan, ram).map_err(|error| {
                let mut placed = self.place(&error);
                placed.message += "; shrink the model, freeze layers, take plain sgd or batch 1, or a larger part";
                placed
            })?;
        }
        match budget.flash {
            Some(flash) if costs.file_bytes > u64::from(flash) => {
                let needed = costs.file_bytes;
                let message = format!(
                    "the model's file needs {needed} bytes, the flash has {flash}; shrink the model or take fixed16"
                );
                Err(self.error(lines.flash.max(lines.board).max(1), message))
            }
            _ => Ok(()),
        }
    }
}

/// Bytes that the device has for the model; `None` is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// For the arena.
    pub ram: Option<u32>,
    /// For the file.
    pub flash: Option<u32>,
}
