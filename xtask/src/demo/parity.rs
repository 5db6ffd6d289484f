//! Whether device and simulation learnt the same bits.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use emberlite::{
    image::{Image, Kind},
    number::Format,
};
use emberlite_link::Numbers;

/// A sealed file's layout hash, and its weights and biases in the order in which a device sends them, as bits.
#[derive(Debug)]
pub struct Weights {
    /// The layout hash of its graph.
    pub layout: u64,
    /// What the bits are of.
    pub numbers: Numbers,
    tensors: Vec<(String, Vec<u32>)>,
}

impl Weights {
    /// Reads a sealed file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let bytes = fs::read(path).with_context(name)?;
        let image = Image::open(&bytes).map_err(|error| anyhow!("{}: {error}", name()))?;
        let numbers = match image.format() {
            Format::F32 => Numbers::F32,
            Format::Fixed16 => Numbers::Fixed16,
        };
        let mut tensors: Vec<_> =
            image.tensors().filter(|(name, _)| matches!(name.kind, Kind::Weight | Kind::Bias)).collect();
        tensors.sort_by_key(|(name, _)| (name.node, name.kind != Kind::Weight));
        let tensors =
            tensors.into_iter().map(|(name, tensor)| (name.to_string(), bits(numbers, tensor.bytes))).collect();
        Ok(Weights { layout: image.layout_hash(), numbers, tensors })
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.tensors.iter().map(|(_, values)| values.len()).sum()
    }

    /// Compares with the bytes that a device sent.
    ///
    /// # Errors
    ///
    /// Another number of parameters, or the first one that differs: its tensor, its place, and both numbers.
    pub fn compare(&self, device: &[u8]) -> Result<()> {
        let device = bits(self.numbers, device);
        ensure!(
            device.len() == self.len(),
            "the device sent {} parameters, the simulation has {}",
            device.len(),
            self.len()
        );
        let simulated = self.tensors.iter().flat_map(|(_, values)| values);
        let differing = simulated.zip(&device).filter(|(a, b)| a != b).count();
        let mut sent = device.iter();
        for (name, values) in &self.tensors {
            for (index, (&simulated, &device)) in values.iter().zip(&mut sent).enumerate() {
                if simulated != device {
                    bail!(
                        "{differing} of {} parameters differ; the first is {name}[{index}]: device {}, simulation {}",
                        self.len(),
                        self.numbers.text(device),
                        self.numbers.text(simulated)
                    );
                }
            }
        }
        Ok(())
    }
}

/// The bits of little-endian numbers, at any address; trailing bytes that make no number are left out.
fn bits(numbers: Numbers, bytes: &[u8]) -> Vec<u32> {
    match numbers {
        Numbers::F32 => bytes.as_chunks().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect(),
        Numbers::Fixed16 => bytes.as_chunks().0.iter().map(|chunk| u16::from_le_bytes(*chunk).into()).collect(),
    }
}

/// How bits are read by people.
pub trait Text {
    /// A parameter.
    fn text(self, bits: u32) -> String;
    /// A loss.
    fn loss(self, bits: u32) -> f32;
}

impl Text for Numbers {
    fn text(self, bits: u32) -> String {
        match self {
            Numbers::F32 => format!("{:?} ({bits:#010x})", f32::from_bits(bits)),
            Numbers::Fixed16 => (bits as u16 as i16).to_string(),
        }
    }

    fn loss(self, bits: u32) -> f32 {
        match self {
            Numbers::F32 => f32::from_bits(bits),
            Numbers::Fixed16 => bits as i32 as f32 / 65536.0,
        }
    }
}

/// Compares the losses of every step, which show where two runs part.
///
/// # Errors
///
/// Another number of steps, or the first step whose loss differs.
pub fn losses(numbers: Numbers, device: &[u32], simulated: &[u32]) -> Result<()> {
    ensure!(
        device.len() == simulated.len(),
        "the device made {} steps, the simulation {}",
        device.len(),
        simulated.len()
    );
    for (step, (&device, &simulated)) in device.iter().zip(simulated).enumerate() {
        ensure!(
            device == simulated,
            "device and simulation part at step {}: the loss is {:?} ({device:#010x}) on the device, {:?} ({simulated:#010x}) \
             in the simulation",
            step + 1,
            numbers.loss(device),
            numbers.loss(simulated)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Weights {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
        let tensors = vec![("0.weight".into(), bits(&[1.0, 2.0])), ("0.bias".into(), bits(&[0.0]))];
        Weights { layout: 1, numbers: Numbers::F32, tensors }
    }

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn one_bit_of_difference_is_named() {
        assert!(weights().compare(&bytes(&[1.0, 2.0, 0.0])).is_ok());
        // Equal as numbers, not as bits.
        let error = weights().compare(&bytes(&[1.0, 2.0, -0.0])).unwrap_err().to_string();
        assert!(error.starts_with("1 of 3 parameters differ; the first is 0.bias[0]"), "{error}");
        let next = f32::from_bits(2.0f32.to_bits() + 1);
        let error = weights().compare(&bytes(&[1.0, next, 0.0])).unwrap_err().to_string();
        assert!(error.contains("0.weight[1]: device 2.0000002 (0x40000001), simulation 2.0 (0x40000000)"), "{error}");
        assert!(weights().compare(&bytes(&[1.0, 2.0])).is_err());
    }

    #[test]
    fn integers_are_compared_as_integers() {
        let tensors = vec![("0.weight".into(), vec![0xFFFF, 3])];
        let weights = Weights { layout: 1, numbers: Numbers::Fixed16, tensors };
        assert!(weights.compare(&[0xFF, 0xFF, 3, 0]).is_ok());
        let error = weights.compare(&[0xFE, 0xFF, 3, 0]).unwrap_err().to_string();
        assert!(error.contains("0.weight[0]: device -2, simulation -1"), "{error}");
    }

    #[test]
    fn the_step_where_two_runs_part_is_named() {
        let simulated = [1.0f32.to_bits(), 0.5f32.to_bits()];
        assert!(losses(Numbers::F32, &simulated, &simulated).is_ok());
        let device = [1.0f32.to_bits(), 0.25f32.to_bits()];
        let error = losses(Numbers::F32, &device, &simulated).unwrap_err().to_string();
        assert!(error.starts_with("device and simulation part at step 2"), "{error}");
        assert!(losses(Numbers::F32, &device[..1], &simulated).is_err());
        let error = losses(Numbers::Fixed16, &[1 << 15], &[1 << 16]).unwrap_err().to_string();
        assert!(error.contains("0.5 (0x00008000) on the device, 1.0 (0x00010000)"), "{error}");
    }
}
