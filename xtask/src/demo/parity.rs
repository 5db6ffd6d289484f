//! Whether device and simulation learnt the same bits.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use emberlite::{
    image::{Image, Kind},
    number::Format,
};

/// A sealed file's layout hash, and its weights and biases in the order in which a device sends them.
#[derive(Debug)]
pub struct Weights {
    /// The layout hash of its graph.
    pub layout: u64,
    tensors: Vec<(String, Vec<f32>)>,
}

impl Weights {
    /// Reads a sealed f32 file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let bytes = fs::read(path).with_context(name)?;
        let image = Image::open(&bytes).map_err(|error| anyhow!("{}: {error}", name()))?;
        ensure!(image.format() == Format::F32, "{}: expected f32 numbers", name());
        let mut tensors: Vec<_> =
            image.tensors().filter(|(name, _)| matches!(name.kind, Kind::Weight | Kind::Bias)).collect();
        tensors.sort_by_key(|(name, _)| (name.node, name.kind != Kind::Weight));
        // Numbers of their own, since the bytes lie at any address.
        let values = |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        let tensors = tensors.into_iter().map(|(name, tensor)| (name.to_string(), values(tensor.bytes))).collect();
        Ok(Weights { layout: image.layout_hash(), tensors })
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.tensors.iter().map(|(_, values)| values.len()).sum()
    }

    /// Compares with what a device sent, bit for bit.
    ///
    /// # Errors
    ///
    /// Another number of parameters, or the first one that differs: its tensor, its place, and both numbers.
    pub fn compare(&self, device: &[f32]) -> Result<()> {
        ensure!(
            device.len() == self.len(),
            "the device sent {} parameters, the simulation has {}",
            device.len(),
            self.len()
        );
        let differing = self.values().zip(device).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        let mut sent = device.iter();
        for (name, values) in &self.tensors {
            for (index, (simulated, device)) in values.iter().zip(&mut sent).enumerate() {
                if simulated.to_bits() != device.to_bits() {
                    bail!(
                        "{differing} of {} parameters differ; the first is {name}[{index}]: device {device:?} ({:#010x}), \
                         simulation {simulated:?} ({:#010x})",
                        self.len(),
                        device.to_bits(),
                        simulated.to_bits()
                    );
                }
            }
        }
        Ok(())
    }

    fn values(&self) -> impl Iterator<Item = &f32> {
        self.tensors.iter().flat_map(|(_, values)| values)
    }
}

/// Compares the losses of every step, which show where two runs part.
///
/// # Errors
///
/// Another number of steps, or the first step whose loss differs.
pub fn losses(device: &[f32], simulated_bits: &[u32]) -> Result<()> {
    ensure!(
        device.len() == simulated_bits.len(),
        "the device made {} steps, the simulation {}",
        device.len(),
        simulated_bits.len()
    );
    for (step, (device, bits)) in device.iter().zip(simulated_bits).enumerate() {
        let simulated = f32::from_bits(*bits);
        ensure!(
            device.to_bits() == *bits,
            "device and simulation part at step {}: the loss is {device:?} ({:#010x}) on the device, {simulated:?} \
             ({bits:#010x}) in the simulation",
            step + 1,
            device.to_bits()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Weights {
        let tensors = vec![("0.weight".into(), vec![1.0, 2.0]), ("0.bias".into(), vec![0.0])];
        Weights { layout: 1, tensors }
    }

    #[test]
    fn one_bit_of_difference_is_named() {
        assert!(weights().compare(&[1.0, 2.0, 0.0]).is_ok());
        // Equal as numbers, not as bits.
        let error = weights().compare(&[1.0, 2.0, -0.0]).unwrap_err().to_string();
        assert!(error.starts_with("1 of 3 parameters differ; the first is 0.bias[0]"), "{error}");
        let next = f32::from_bits(2.0f32.to_bits() + 1);
        let error = weights().compare(&[1.0, next, 0.0]).unwrap_err().to_string();
        assert!(error.contains("0.weight[1]: device 2.0000002 (0x40000001), simulation 2.0 (0x40000000)"), "{error}");
        assert!(weights().compare(&[1.0, 2.0]).is_err());
    }

    #[test]
    fn the_step_where_two_runs_part_is_named() {
        let bits = [1.0f32.to_bits(), 0.5f32.to_bits()];
        assert!(losses(&[1.0, 0.5], &bits).is_ok());
        let error = losses(&[1.0, 0.25], &bits).unwrap_err().to_string();
        assert!(error.starts_with("device and simulation part at step 2"), "{error}");
        assert!(losses(&[1.0], &bits).is_err());
    }
}
