//! Files for the program that meets models it has never seen: sound ones of both formats, one that needs too much memory, one
//! that fills the heap to its last bytes, one with too many nodes, and one with a wrong bit.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use emberlite::{
    image::{Profile, Sink},
    learner::{Learner, Model, saved_len},
    loss::Loss,
    model,
    optimizer::Optimizer,
    plan::Training,
};

const LEARNING: Training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.02));

model! {
    /// A small convolutional net.
    pub struct Cnn {
        format: F32,
        input: [1, 8, 8],
        layers: [conv2d(4, 3).padding(1), relu(), max_pool2d(2), flatten(), linear(5)],
        output: [5],
        training: LEARNING,
    }
}

model! {
    /// A perceptron in fixed point.
    pub struct Perceptron {
        format: Fixed16,
        input: [24],
        layers: [linear(16), relu(), linear(4)],
        output: [4],
        training: LEARNING,
    }
}

model! {
    /// More parameters than the heap has room for, fewer than the partition.
    pub struct Large {
        format: F32,
        input: [100],
        layers: [linear(60), relu(), linear(10)],
        output: [10],
        training: LEARNING,
    }
}

model! {
    /// Its arena leaves 8 bytes of the heap: no room for an input, and none for a text that says so.
    pub struct Full {
        format: F32,
        input: [108],
        layers: [linear(43), relu(), linear(9)],
        output: [9],
        training: LEARNING,
        ram: 20728,
    }
}

model! {
    /// More nodes than the program plans.
    pub struct Deep {
        format: F32,
        input: [4],
        layers: [
            linear(4), relu(), linear(4), relu(), linear(4), relu(), linear(4), relu(), linear(4), relu(), linear(4), relu(),
            linear(4), relu(), linear(4), relu(), linear(4),
        ],
        output: [4],
        training: LEARNING,
    }
}

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    type Error = std::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn file<M: Model>() -> Result<Vec<u8>> {
    let mut learner = Learner::<M>::new();
    learner.initialize(9).map_err(|e| anyhow!("{e}"))?;
    let mut bytes = Bytes(Vec::new());
    let engine = learner.engine().map_err(|e| anyhow!("{e}"))?;
    engine.save::<_, { saved_len(20) }>(0, Profile::Safetensors, &mut bytes).map_err(|e| anyhow!("{e}"))?;
    Ok(bytes.0)
}

/// Writes the files.
pub fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut damaged = file::<Cnn>()?;
    let middle = damaged.len() / 2;
    if let Some(byte) = damaged.get_mut(middle) {
        *byte ^= 1;
    }
    let files = [
        ("cnn_f32", file::<Cnn>()?),
        ("perceptron_fixed16", file::<Perceptron>()?),
        ("too_large", file::<Large>()?),
        ("fills_heap", file::<Full>()?),
        ("too_deep", file::<Deep>()?),
        ("damaged", damaged),
    ];
    for (name, bytes) in files {
        let path = folder.join(format!("{name}.safetensors"));
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
