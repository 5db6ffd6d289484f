//! A state dict, from whichever file: tensors by name, read when they are asked for.

use std::collections::BTreeMap;
use std::path::Path;

use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::{Dtype, SafeTensors};

use super::ImportError;

/// Tensors by name.
pub(super) struct Dict<'a> {
    pub(super) tensors: BTreeMap<String, Entry<'a>>,
}

/// Reads a tensor's numbers; the name is for the error.
type Read<'a> = dyn Fn(&str) -> Result<Vec<f32>, ImportError> + 'a;

/// One tensor.
pub(super) struct Entry<'a> {
    pub(super) dims: Vec<usize>,
    read: Box<Read<'a>>,
}

impl Entry<'_> {
    /// Its numbers, all finite; `name` is for the error.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f32>, ImportError> {
        let numbers = (self.read)(name)?;
        finite(name, &numbers)?;
        Ok(numbers)
    }

    /// Its numbers, whatever they are.
    pub(super) fn any_numbers(&self, name: &str) -> Result<Vec<f32>, ImportError> {
        (self.read)(name)
    }
}

/// Refuses what isn't a number.
fn finite(name: &str, numbers: &[f32]) -> Result<(), ImportError> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let value = numbers.get(index).copied().unwrap_or_default();
            Err(ImportError::NotFinite { name: name.into(), index, value })
        }
    }
}

impl<'a> Entry<'a> {
    /// Several tensors, one below the other, that differ in their first dimension alone; others give a shape that fits nothing,
    /// as do those with more rows than can be counted, which a file without their bytes may claim.
    pub(super) fn stacked(parts: Vec<(String, Entry<'a>)>) -> Entry<'a> {
        let rest = |entry: &Entry<'_>| entry.dims.get(1..).unwrap_or_default().to_vec();
        let same = parts.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if rest(a) == rest(b)));
        let mut rows = parts.iter().map(|(_, entry)| entry.dims.first().copied().unwrap_or(0));
        let rows = rows.try_fold(0, |sum: usize, rows| sum.checked_add(rows)).filter(|_| same);
        let mut dims = vec![rows.unwrap_or(0)];
        dims.extend(parts.first().map(|(_, entry)| rest(entry)).unwrap_or_default());
        let read = move |_: &str| {
            let read = |(name, entry): &(String, Entry<'a>)| (entry.read)(name);
            Ok(parts.iter().map(read).collect::<Result<Vec<_>, _>>()?.concat())
        };
        Entry { dims, read: Box::new(read) }
    }
}

/// Where a checkpoint keeps the weights beside other things.
const NESTED: [&str; 3] = ["state_dict.", "model_state_dict.", "model_state."];

/// What a checkpoint keeps beside a model under `model`, by the beginning of its name.
const BESIDE: [&str; 5] = ["optim", "scheduler.", "lr_scheduler", "scaler.", "ema"];

/// What wrappers put before every name: data parallel training, `torch.compile`, Lightning.
const WRAPPERS: [&str; 4] = ["module.", "_orig_mod.", "model.", "net."];

impl<'a> Dict<'a> {
    /// Of a safetensors file.
    pub(super) fn of_safetensors(file: &SafeTensors<'a>) -> Dict<'a> {
        let entry = |(name, view): (&str, safetensors::tensor::TensorView<'a>)| {
            let (dtype, bytes) = (view.dtype(), view.data());
            let read = move |name: &str| {
                let float = match dtype {
                    Dtype::F32 => Float::F32,
                    Dtype::F64 => Float::F64,
                    Dtype::F16 => Float::F16,
                    Dtype::BF16 => Float::BF16,
                    other => return Err(ImportError::Type { name: name.into(), found: format!("{other:?}") }),
                };
                float.numbers(name, bytes)
            };
            (name.to_string(), Entry { dims: view.shape().to_vec(), read: Box::new(read) })
        };
        Dict { tensors: file.iter().map(entry).collect() }
    }

    /// Of a file that `torch.save` wrote. Tensors of an optimizer and the like, beside a nested state dict, are left out.
    pub(super) fn of_pytorch(path: &Path) -> Result<Dict<'static>, ImportError> {
        let reader = PytorchReader::new(path).map_err(|error| ImportError::PyTorch(error.to_string()))?;
        let entry = |(name, tensor): (String, pytorch_reader::Tensor)| {
            let dims = tensor.shape().to_vec();
            let read = move |name: &str| {
                let float = match tensor.dtype() {
                    DType::F32 => Float::F32,
                    DType::F64 => Float::F64,
                    DType::F16 => Float::F16,
                    DType::BF16 => Float::BF16,
                    other => return Err(ImportError::Type { name: name.into(), found: format!("{other:?}") }),
                };
                let bytes = tensor.read().map_err(|error| ImportError::PyTorch(error.to_string()))?;
                // The reader gives the machine's own byte order.
                float.numbers(name, &little_endian(bytes, tensor.dtype().size()))
            };
            (name, Entry { dims, read: Box::new(read) })
        };
        let mut dict = Dict { tensors: reader.into_tensors().into_iter().map(entry).collect() };
        if let Some(nested) = NESTED.into_iter().find(|nested| dict.tensors.keys().any(|name| name.starts_with(nested)))
        {
            let all = std::mem::take(&mut dict.tensors);
            let inside =
                |(name, entry): (String, Entry<'static>)| Some((name.strip_prefix(nested)?.to_string(), entry));
            dict.tensors = all.into_iter().filter_map(inside).collect();
        } else if dict.tensors.keys().any(|name| name.starts_with("model.")) {
            dict.tensors.retain(|name, _| !BESIDE.iter().any(|beside| name.starts_with(beside)));
        }
        Ok(dict)
    }

    /// Takes wrappers' prefixes off, as long as every name has one.
    pub(super) fn unwrapped(mut self) -> Self {
        loop {
            let all = |prefix: &&&str| self.tensors.keys().all(|name| name.starts_with(*prefix));
            let Some(prefix) = WRAPPERS.iter().find(all).filter(|_| !self.tensors.is_empty()) else { return self };
            let named =
                |(name, entry): (String, Entry<'a>)| (name.get(prefix.len()..).unwrap_or_default().into(), entry);
            self.tensors = self.tensors.into_iter().map(named).collect();
        }
    }
}

#[derive(Clone, Copy)]
enum Float {
    F32,
    F64,
    F16,
    BF16,
}

impl Float {
    /// Little-endian numbers of a tensor as f32; one of f64 that is a number must be one in f32 too.
    fn numbers(self, name: &str, bytes: &[u8]) -> Result<Vec<f32>, ImportError> {
        let numbers = floats(self, bytes);
        if let Float::F64 = self {
            let wide = bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b));
            let beyond =
                wide.zip(&numbers).enumerate().find(|(_, (wide, number))| wide.is_finite() && !number.is_finite());
            if let Some((index, (value, _))) = beyond {
                return Err(ImportError::Beyond { name: name.into(), index, value });
            }
        }
        Ok(numbers)
    }
}

/// Little-endian numbers as f32; f64 are rounded, the shorter ones are exact.
fn floats(float: Float, bytes: &[u8]) -> Vec<f32> {
    match float {
        Float::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Float::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        Float::F16 => bytes.as_chunks().0.iter().map(|&b| half(u16::from_le_bytes(b))).collect(),
        // The upper half of an f32.
        Float::BF16 => {
            bytes.as_chunks().0.iter().map(|&b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)).collect()
        }
    }
}

/// An IEEE half: 1 bit sign, 5 exponent, 10 fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

fn little_endian(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size.max(1)).for_each(<[u8]>::reverse);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from the definition of the format: 1, -2, the largest, the smallest normal and subnormal, zero.
    #[test]
    fn halves_are_ieees() {
        let cases = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 2f32.powi(-14)),
            (0x0001, 2f32.powi(-24)),
            (0x8000, -0.0),
            (0x3555, 0.333_251_95),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:04x}");
        }
        assert!(half(0x7c00) == f32::INFINITY && half(0x7e00).is_nan());
        assert_eq!(floats(Float::BF16, &[0x80, 0x3f, 0x20, 0xc1]), [1.0, -10.0]);
    }
}
