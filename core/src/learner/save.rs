//! Saving what was learnt, in the same file format that it came in.

use super::engine::Engine;
use super::load::{PARAMETER_KINDS, RUNNING_KINDS};
use crate::executor::Linked;
use crate::image::{DType, Entry, Header, Image, ImageError, Kind, MODEL, Profile, Sink, Writer};
use crate::number::{Format, Number};
use heapless::Vec;

/// Why nothing, or not everything, was saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SaveError<E> {
    /// There are no parameters to save.
    NoParameters,
    /// A mini-batch is unfinished: its gradient isn't part of the file. Save after an update.
    MidBatch {
        /// Samples in the unfinished batch.
        pending: u32,
    },
    /// More tensors than the const parameter allows.
    TooManyTensors {
        /// What was allowed.
        limit: u32,
    },
    /// The file can't be described.
    Image(ImageError),
    /// The sink failed; what it holds is not a file (it has no seal).
    Sink(E),
}

impl<E: core::fmt::Display> core::fmt::Display for SaveError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            SaveError::NoParameters => f.write_str("there are no parameters to save"),
            SaveError::MidBatch { pending } => {
                write!(f, "a mini-batch of {pending} samples is unfinished: save after an update")
            }
            SaveError::TooManyTensors { limit } => write!(f, "more than {limit} tensors"),
            SaveError::Image(e) => write!(f, "{e}"),
            SaveError::Sink(e) => write!(f, "{e}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for SaveError<E> {}

/// The tensors that a model of `nodes` nodes has at most: the const parameter of [`Engine::save`].
pub const fn saved_len(nodes: usize) -> usize {
    nodes * 8 + 4
}

impl<'a, 'w: 'a, N: Number, L: Linked> Engine<'a, 'w, N, L> {
    /// Writes a complete, sealed file to `sink`: parameters (frozen ones too, from the file they were loaded from),
    /// running statistics, optimizer state, scales, normalisation and counters.
    ///
    /// `T` is the number of tensors that there is room to describe on the stack (about 80 bytes each);
    /// [`saved_len`] of the model's nodes always suffices. Its golden input and output are left out: they are the
    /// factory model's.
    pub fn save<S: Sink, const T: usize>(
        &self,
        sequence: u32,
        profile: Profile,
        sink: &mut S,
    ) -> Result<(), SaveError<S::Error>> {
        if !self.status.ready {
            return Err(SaveError::NoParameters);
        }
        let progress = self.status.progress;
        if progress.pending > 0 {
            return Err(SaveError::MidBatch { pending: progress.pending });
        }
        let base = self.status.image.and_then(|image| Image::open(image).ok());
        let value = if N::FORMAT == Format::F32 { DType::F32 } else { DType::I16 };
        let state = if N::FORMAT == Format::F32 { DType::F32 } else { DType::I32 };
        let full = |_| SaveError::TooManyTensors { limit: T as u32 };
        // Dimensions first: entries borrow them.
        let mut dims = Vec::<([u32; 4], usize), T>::new();
        let mut parts = Vec::<(u8, Kind, DType, &[u8]), T>::new();
        for (node, (op, step)) in self.graph.nodes.iter().zip(self.plan.steps).enumerate() {
            let id = node as u8;
            for (index, (p, [kind, states @ ..])) in step.parameters.iter().zip(PARAMETER_KINDS).enumerate() {
                if p.len == 0 {
                    continue;
                }
                let own = if index == 0 { op.op.weight_dims(step.input) } else { op.op.bias_dims(step.input) };
                let bytes = self.bytes(p.region, p.len as usize * size_of::<N::Value>());
                let from_file = || base.as_ref().and_then(|f| f.tensor(id, kind)).map(|t| t.bytes);
                let bytes = if p.region.is_some() { bytes } else { from_file().unwrap_or_default() };
                parts.push((id, kind, value, bytes)).map_err(full)?;
                dims.push(own).map_err(|_| full((id, kind, value, bytes)))?;
                for (region, kind) in p.state.iter().zip(states) {
                    if region.is_some() {
                        let bytes = self.bytes(*region, region.len as usize * 4);
                        parts.push((id, kind, state, bytes)).map_err(full)?;
                        dims.push(own).map_err(|_| full((id, kind, state, bytes)))?;
                    }
                }
            }
            for (p, kind) in step.running.iter().zip(RUNNING_KINDS) {
                if p.len > 0 {
                    let bytes = self.bytes(p.region, p.len as usize * size_of::<N::Value>());
                    let from_file = || base.as_ref().and_then(|f| f.tensor(id, kind)).map(|t| t.bytes);
                    let bytes = if p.region.is_some() { bytes } else { from_file().unwrap_or_default() };
                    parts.push((id, kind, value, bytes)).map_err(full)?;
                    dims.push(([p.len, 1, 1, 1], 1)).map_err(|_| full((id, kind, value, bytes)))?;
                }
            }
        }
        let scales = self.plan.summary.scales;
        if scales.is_some() {
            let bytes = self.bytes(scales, scales.len as usize * 4);
            parts.push((MODEL, Kind::Scales, DType::I8, bytes)).map_err(full)?;
            dims.push(([scales.len, 4, 1, 1], 2)).map_err(|_| full((MODEL, Kind::Scales, DType::I8, bytes)))?;
        }
        for kind in [Kind::Normalisation, Kind::NormalisationFixed] {
            if let Some(tensor) = base.as_ref().and_then(|f| f.tensor(MODEL, kind)) {
                let mut own = ([1; 4], tensor.dims().len());
                for (to, &from) in own.0.iter_mut().zip(tensor.dims()) {
                    *to = from;
                }
                parts.push((MODEL, kind, tensor.dtype, tensor.bytes)).map_err(full)?;
                dims.push(own).map_err(|_| full((MODEL, kind, tensor.dtype, tensor.bytes)))?;
            }
        }
        let mut entries = Vec::<Entry<'_>, T>::new();
        for (&(node, kind, dtype, bytes), (dims, rank)) in parts.iter().zip(&dims) {
            let frac = self.frac(node, kind);
            let dims = dims.get(..*rank).unwrap_or_default();
            let entry = Entry { node, kind, dtype, dims, frac, bytes };
            entries.push(entry).map_err(|_| SaveError::TooManyTensors { limit: T as u32 })?;
        }
        let mut header = Header::new(self.graph);
        header.base_hash = base.as_ref().map_or(0, |f| if f.base_hash() == 0 { f.identity() } else { f.base_hash() });
        header.sequence = sequence;
        header.step = progress.updates;
        header.seed = self.training.map_or(0, |t| t.seed);
        header.optimizer = self.training.map(|t| t.optimizer.kind());
        header.profile = profile;
        let writer = Writer::new(header, &entries).map_err(SaveError::Image)?;
        writer.write(sink).map_err(SaveError::Sink)
    }

    fn bytes(&self, region: crate::plan::Region, len: usize) -> &[u8] {
        let words = self.arena.get(region.range()).unwrap_or_default();
        let bytes: &[u8] = bytemuck::must_cast_slice(words);
        bytes.get(..len).unwrap_or_default()
    }

    /// The fraction bits noted beside a tensor, from the table of scales.
    fn frac(&self, node: u8, kind: Kind) -> i8 {
        let column = match kind {
            Kind::Weight => 1,
            Kind::Bias => 2,
            _ => return 0,
        };
        let table = self.arena.get(self.plan.summary.scales.range()).unwrap_or_default();
        table.get(node as usize + 1).map_or(0, |w| w.to_le_bytes()[column] as i8)
    }
}
