//! What computes: the CPU, or a GPU where there is one.

use super::error::TrainError;
use super::gpu;
use burn_tensor::Device;
use std::fmt;
use std::str::FromStr;

/// Which device to train on. GPUs need a build with the cargo feature of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first of CUDA, Vulkan and wgpu that this build has and that finds a GPU; else the CPU.
    #[default]
    Auto,
    /// The CPU, every core; reproducible.
    Cpu,
    /// A GPU of any vendor through WebGPU's shading language.
    Wgpu,
    /// A GPU of any vendor through SPIR-V, with tensor cores.
    Vulkan,
    /// An NVIDIA GPU.
    Cuda,
}

impl DeviceChoice {
    const ALL: [DeviceChoice; 5] =
        [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Wgpu, DeviceChoice::Vulkan, DeviceChoice::Cuda];

    /// The name used in settings.
    pub const fn name(self) -> &'static str {
        match self {
            DeviceChoice::Auto => "auto",
            DeviceChoice::Cpu => "cpu",
            DeviceChoice::Wgpu => "wgpu",
            DeviceChoice::Vulkan => "vulkan",
            DeviceChoice::Cuda => "cuda",
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeviceChoice {
    type Err = String;
    /// `flex` is another name of the CPU, after the framework's part that computes there.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = if text == "flex" { "cpu" } else { text };
        let found = DeviceChoice::ALL.into_iter().find(|device| device.name() == text);
        let names = DeviceChoice::ALL.map(DeviceChoice::name).join(", ");
        found.ok_or_else(|| format!("`{text}` is no device; there are: {names}"))
    }
}

/// A device that works.
pub(crate) struct Open {
    pub device: Device,
    /// What it is called in reports.
    pub name: String,
    /// Whether it is more than a program on the CPU.
    pub hardware: bool,
}

/// Opens a device, or says why it can't be used.
pub(crate) fn open(choice: DeviceChoice) -> Result<Open, TrainError> {
    let opened = match choice {
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Cuda => gpu::cuda(),
        DeviceChoice::Vulkan => gpu::vulkan(),
        DeviceChoice::Wgpu => gpu::wgpu(),
        DeviceChoice::Auto => Ok(gpu::any().unwrap_or_else(cpu)),
    };
    opened.map_err(|reason| TrainError::Device { device: choice.name().into(), reason })
}

fn cpu() -> Open {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Open {
        device: Device::flex(),
        name: format!("CPU, {threads} thread{}", if threads == 1 { "" } else { "s" }),
        hardware: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        assert!(DeviceChoice::ALL.iter().all(|d| d.name().parse() == Ok(*d)));
        assert_eq!("flex".parse(), Ok(DeviceChoice::Cpu));
        assert!("gpu9".parse::<DeviceChoice>().unwrap_err().contains("auto, cpu, wgpu, vulkan, cuda"));
    }
}
