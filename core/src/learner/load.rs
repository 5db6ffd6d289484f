//! Loading parameters from a file.

use super::engine::{Engine, Status};
use super::normalise::Normalisation;
use super::report::Progress;
use crate::executor::{self, Linked};
use crate::graph::layout_hash;
use crate::image::{DType, Image, ImageError, Kind, MODEL, Tensor};
use crate::number::{Format, Number};
use crate::optimizer::OptimizerKind;
use crate::plan::Parameter;

/// Why a file was not loaded. The learner is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LoadError {
    /// The file is damaged, not a model's, or another model's.
    Image(ImageError),
    /// The file starts at an address that isn't a multiple of 4, so its numbers can't be used in place.
    Misaligned,
    /// The file has another number format than the model.
    Format {
        /// The model's.
        needed: Format,
        /// The file's.
        got: Format,
    },
    /// The file lacks a tensor that the model needs.
    Missing {
        /// The node; 255 for the whole model.
        node: u8,
        /// The tensor.
        kind: Kind,
    },
    /// A tensor has another number or type of elements than the model's.
    Length {
        /// The node; 255 for the whole model.
        node: u8,
        /// The tensor.
        kind: Kind,
        /// Elements needed.
        needed: u32,
        /// Elements there.
        got: u32,
    },
    /// A running variance is negative.
    NegativeVariance {
        /// The node.
        node: u8,
    },
    /// The optimizer state is another optimizer's.
    OtherOptimizer {
        /// The model's.
        needed: OptimizerKind,
        /// The file's.
        got: OptimizerKind,
    },
    /// Optimizer state that sums squares, as the model's optimizer does, is negative: it is another optimizer's.
    NegativeSquares {
        /// The node.
        node: u8,
        /// The tensor.
        kind: Kind,
    },
    /// A parameter or optimizer state is NaN or infinite.
    NotFinite {
        /// The node.
        node: u8,
        /// The tensor.
        kind: Kind,
    },
    /// The arena doesn't fit the plan; can't happen to a `Learner`.
    Arena,
}

impl core::fmt::Display for LoadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = |node, kind| crate::image::Name { node, kind };
        match *self {
            LoadError::Image(e) => write!(f, "{e}"),
            LoadError::Misaligned => f.write_str("the file must start at an address that is a multiple of 4"),
            LoadError::Format { needed, got } => {
                write!(f, "the file holds {} numbers, the model is {}", got.name(), needed.name())
            }
            LoadError::Missing { node, kind } => write!(f, "the file has no tensor {}", name(node, kind)),
            LoadError::Length { node, kind, needed, got } => {
                write!(f, "tensor {} has {got} elements of its type, the model needs {needed}", name(node, kind))
            }
            LoadError::NegativeVariance { node } => {
                write!(f, "tensor {} holds a negative number", name(node, Kind::RunningVariance))
            }
            LoadError::OtherOptimizer { needed, got } => {
                let (needed, got) = (needed.name(), got.name());
                write!(f, "the file's optimizer state is that of {got}, the model trains with {needed}: ")?;
                write!(f, "train with {got}, or load a file without state")
            }
            LoadError::NegativeSquares { node, kind } => write!(
                f,
                "tensor {} holds a negative number where the model's optimizer keeps squares: it is another optimizer's",
                name(node, kind)
            ),
            LoadError::NotFinite { node, kind } => {
                write!(f, "tensor {} holds a number that is not finite", name(node, kind))
            }
            LoadError::Arena => f.write_str("the arena does not fit the plan"),
        }
    }
}

impl core::error::Error for LoadError {}

impl From<ImageError> for LoadError {
    fn from(error: ImageError) -> Self {
        LoadError::Image(error)
    }
}

/// The kinds of tensor of a node's parameters: values, first and second state.
pub(super) const PARAMETER_KINDS: [[Kind; 3]; 2] =
    [[Kind::Weight, Kind::WeightState0, Kind::WeightState1], [Kind::Bias, Kind::BiasState0, Kind::BiasState1]];
pub(super) const RUNNING_KINDS: [Kind; 2] = [Kind::RunningMean, Kind::RunningVariance];

impl<'a, 'w: 'a, N: Number, L: Linked> Engine<'a, 'w, N, L> {
    /// Loads parameters, running statistics, scales and, where they are there, optimizer state and counters.
    ///
    /// Trained parameters are copied to the arena; the others stay in `image`, which must live as long. Everything is
    /// checked before anything is touched: seal, layout, number of elements, finite values, and whose the state is.
    pub fn load(&mut self, image: &'w [u8]) -> Result<(), LoadError> {
        let file = Image::open(image)?;
        file.check_layout(layout_hash(&self.graph))?;
        if !file.is_aligned() {
            return Err(LoadError::Misaligned);
        }
        if file.format() != N::FORMAT {
            return Err(LoadError::Format { needed: N::FORMAT, got: file.format() });
        }
        let normalisation = self.check(&file, image)?;
        self.arena.fill(0);
        self.copy(&file, image);
        let updates = file.step();
        let batch = self.training.map_or(1, |t| t.batch);
        *self.status = Status {
            image: Some(image),
            progress: Progress { samples: updates.wrapping_mul(batch), updates, pending: 0, skipped: 0 },
            ready: true,
            normalisation,
        };
        executor::measure_bounds::<N, L>(&self.context(), self.arena);
        Ok(())
    }

    /// Everything that `copy` relies on; returns where the normalisation lies.
    fn check(&self, file: &Image<'_>, image: &[u8]) -> Result<(u32, u32), LoadError> {
        for (node, step) in self.plan.steps.iter().enumerate() {
            let node = node as u8;
            for (p, [kind, states @ ..]) in step.parameters.iter().zip(PARAMETER_KINDS) {
                values::<N>(file, node, kind, p.len)?;
                for (slot, (region, kind)) in p.state.iter().zip(states).enumerate() {
                    if let Some(tensor) = file.tensor(node, kind)
                        && region.is_some()
                    {
                        self.check_optimizer(file)?;
                        let words = words::<N>(&tensor);
                        expect(node, kind, region.len, words.map_or(0, <[u32]>::len))?;
                        if N::FORMAT == Format::F32 {
                            self.check_state(node, kind, slot, words.unwrap_or_default())?;
                        }
                    }
                }
            }
            let [mean, variance] = &step.running;
            values::<N>(file, node, Kind::RunningMean, mean.len)?;
            let variance = values::<N>(file, node, Kind::RunningVariance, variance.len)?;
            if variance.iter().any(|&v| v < N::Value::default()) {
                return Err(LoadError::NegativeVariance { node });
            }
        }
        let scales = self.plan.summary.scales.len;
        if scales > 0 {
            let tensor =
                file.tensor(MODEL, Kind::Scales).ok_or(LoadError::Missing { node: MODEL, kind: Kind::Scales })?;
            expect(MODEL, Kind::Scales, scales * 4, tensor.as_i8().map_or(0, <[i8]>::len))?;
        }
        let kind = match N::FORMAT {
            Format::F32 => Kind::Normalisation,
            Format::Fixed16 => Kind::NormalisationFixed,
        };
        let Some(tensor) = file.tensor(MODEL, kind) else { return Ok((0, 0)) };
        let (words, channels) = (tensor.elements() as u32, u32::from(self.graph.input.planes().0));
        let [plain, repairing] =
            [Normalisation::<N>::ROWS, Normalisation::<N>::ROWS_WITH_REPAIR].map(|rows| channels * rows as u32);
        if (words != plain && words != repairing) || tensor.dtype.bytes() != 4 {
            return Err(LoadError::Length { node: MODEL, kind, needed: plain, got: words });
        }
        if N::FORMAT == Format::F32 {
            let values = tensor.as_f32().unwrap_or_default();
            let (scaling, repair) = values.split_at_checked(plain as usize).unwrap_or_default();
            let (fill, limits) = repair.split_at_checked(channels as usize).unwrap_or_default();
            // No fill value is NaN, no limit infinite.
            let right = scaling.len() as u32 == plain
                && scaling.iter().all(|v| v.is_finite())
                && !fill.iter().any(|v| v.is_infinite())
                && !limits.iter().any(|v| v.is_nan());
            if !right {
                return Err(LoadError::NotFinite { node: MODEL, kind });
            }
        }
        Ok((offset(image.as_ptr().addr(), &tensor), words))
    }

    /// Whether state in the file can be that of the model's optimizer.
    fn check_optimizer(&self, file: &Image<'_>) -> Result<(), LoadError> {
        match (self.training.map(|t| t.optimizer.kind()), file.optimizer()) {
            (Some(needed), Some(got)) if !needed.shares_state_with(got) => {
                Err(LoadError::OtherOptimizer { needed, got })
            }
            _ => Ok(()),
        }
    }

    /// Whether state in f32 is what a run can have left.
    fn check_state(&self, node: u8, kind: Kind, slot: usize, words: &[u32]) -> Result<(), LoadError> {
        let squares = self.training.is_some_and(|t| t.optimizer.slot_of_squares() == Some(slot));
        for &word in words {
            let value = f32::from_bits(word);
            if !value.is_finite() {
                return Err(LoadError::NotFinite { node, kind });
            }
            if squares && value < 0.0 {
                return Err(LoadError::NegativeSquares { node, kind });
            }
        }
        Ok(())
    }

    fn copy(&mut self, file: &Image<'_>, image: &[u8]) {
        let start = image.as_ptr().addr();
        for (node, step) in self.plan.steps.iter().enumerate() {
            let node = node as u8;
            let running = step.running.iter().zip(RUNNING_KINDS).map(|(p, kind)| (p, [kind; 3]));
            for (p, [kind, states @ ..]) in step.parameters.iter().zip(PARAMETER_KINDS).chain(running) {
                let Some(tensor) = file.tensor(node, kind) else { continue };
                place::<N>(self.arena, p, &tensor, start);
                for (region, kind) in p.state.iter().zip(states) {
                    if let (Some(tensor), true) = (file.tensor(node, kind), region.is_some()) {
                        let to = self.arena.get_mut(region.range()).unwrap_or_default();
                        for (to, &from) in to.iter_mut().zip(words::<N>(&tensor).unwrap_or_default()) {
                            *to = from;
                        }
                    }
                }
            }
        }
        let scales = file.tensor(MODEL, Kind::Scales);
        let bytes = scales.as_ref().and_then(|t| t.as_u8().or(t.as_i8().map(bytemuck::must_cast_slice)));
        let table = self.arena.get_mut(self.plan.summary.scales.range()).unwrap_or_default();
        for (to, from) in table.iter_mut().zip(bytes.unwrap_or_default().as_chunks::<4>().0) {
            *to = u32::from_le_bytes(*from);
        }
    }
}

/// Where a tensor lies in the file whose address is `start`: tensors are slices of the file.
fn offset(start: usize, tensor: &Tensor<'_>) -> u32 {
    tensor.bytes.as_ptr().addr().wrapping_sub(start) as u32
}

/// Copies a trained parameter, or notes where a frozen one lies.
fn place<N: Number>(arena: &mut [u32], p: &Parameter, tensor: &Tensor<'_>, start: usize) {
    if p.region.is_some() {
        let to = N::view_mut(arena.get_mut(p.region.range()).unwrap_or_default());
        for (to, &from) in to.iter_mut().zip(view::<N>(tensor).unwrap_or_default()) {
            *to = from;
        }
    } else if let Some([word]) = arena.get_mut(p.offset.range()) {
        *word = offset(start, tensor);
    }
}

/// A parameter's values, checked; the empty slice where the node has no such parameter.
fn values<'f, N: Number>(file: &Image<'f>, node: u8, kind: Kind, len: u32) -> Result<&'f [N::Value], LoadError> {
    if len == 0 {
        return Ok(&[]);
    }
    let tensor = file.tensor(node, kind).ok_or(LoadError::Missing { node, kind })?;
    let values = view::<N>(&tensor).unwrap_or_default();
    expect(node, kind, len, values.len())?;
    if values.iter().all(|&v| N::is_finite(v)) { Ok(values) } else { Err(LoadError::NotFinite { node, kind }) }
}

fn expect(node: u8, kind: Kind, needed: u32, got: usize) -> Result<(), LoadError> {
    if needed as usize == got { Ok(()) } else { Err(LoadError::Length { node, kind, needed, got: got as u32 }) }
}

/// The tensor's elements if they are of the format's type.
pub(super) fn view<'f, N: Number>(tensor: &Tensor<'f>) -> Option<&'f [N::Value]> {
    let needed = match N::FORMAT {
        Format::F32 => DType::F32,
        Format::Fixed16 => DType::I16,
    };
    if tensor.dtype == needed { bytemuck::try_cast_slice(tensor.bytes).ok() } else { None }
}

/// The tensor's words if they are optimizer state of the format.
fn words<'f, N: Number>(tensor: &Tensor<'f>) -> Option<&'f [u32]> {
    let needed = match N::FORMAT {
        Format::F32 => DType::F32,
        Format::Fixed16 => DType::I32,
    };
    if tensor.dtype == needed { bytemuck::try_cast_slice(tensor.bytes).ok() } else { None }
}
