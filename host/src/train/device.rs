//! What computes: the CPU, or a GPU where there is one.

use super::error::TrainError;
use super::gpu::{self, Which};
use crate::lower::Precision;
use burn_tensor::Device;
use std::fmt;
use std::str::FromStr;

/// Which device to train on. GPUs need a build with the cargo feature of the same name; their numbers are those that
/// [`devices`] lists, `None` takes the first that works, a card before a program that stands in for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first of CUDA, Vulkan and wgpu that this build has and that finds a GPU; else the CPU.
    #[default]
    Auto,
    /// The CPU, every core; reproducible.
    Cpu,
    /// A GPU of any vendor through WebGPU's shading language.
    Wgpu(Option<u16>),
    /// A GPU of any vendor through SPIR-V, with tensor cores.
    Vulkan(Option<u16>),
    /// An NVIDIA GPU.
    Cuda(Option<u16>),
}

impl DeviceChoice {
    /// Every kind.
    const ALL: [DeviceChoice; 5] = [
        DeviceChoice::Auto,
        DeviceChoice::Cpu,
        DeviceChoice::Wgpu(None),
        DeviceChoice::Vulkan(None),
        DeviceChoice::Cuda(None),
    ];

    /// The names used in settings; those of GPUs may be followed by a number, as in `cuda:1`.
    pub const NAMES: [&'static str; 5] = ["auto", "cpu", "wgpu", "vulkan", "cuda"];

    /// The kind's name.
    pub const fn name(self) -> &'static str {
        match self {
            DeviceChoice::Auto => "auto",
            DeviceChoice::Cpu => "cpu",
            DeviceChoice::Wgpu(_) => "wgpu",
            DeviceChoice::Vulkan(_) => "vulkan",
            DeviceChoice::Cuda(_) => "cuda",
        }
    }

    /// The GPU's number, if one was given.
    pub const fn index(self) -> Option<u16> {
        match self {
            DeviceChoice::Auto | DeviceChoice::Cpu => None,
            DeviceChoice::Wgpu(index) | DeviceChoice::Vulkan(index) | DeviceChoice::Cuda(index) => index,
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.index().map_or(Ok(()), |index| write!(f, ":{index}"))
    }
}

impl FromStr for DeviceChoice {
    type Err = String;
    /// `flex` is another name of the CPU, after the framework's part that computes there.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(',') {
            return Err(format!("`{text}`: several devices are for `train` alone; name one"));
        }
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (if text == "flex" { "cpu" } else { text }, None),
        };
        let names = DeviceChoice::NAMES.join(", ");
        let found = DeviceChoice::ALL.into_iter().find(|device| device.name() == name);
        let kind =
            found.ok_or_else(|| format!("`{text}` is no device; there are: {names}, and GPUs by number as cuda:1"))?;
        let Some(number) = number else { return Ok(kind) };
        let index = number.parse().map_err(|_| format!("`{text}`: give a GPU's number as in `{name}:0`"))?;
        match kind {
            DeviceChoice::Wgpu(_) => Ok(DeviceChoice::Wgpu(Some(index))),
            DeviceChoice::Vulkan(_) => Ok(DeviceChoice::Vulkan(Some(index))),
            DeviceChoice::Cuda(_) => Ok(DeviceChoice::Cuda(Some(index))),
            DeviceChoice::Auto | DeviceChoice::Cpu => Err(format!("`{text}`: only GPUs have numbers; give `{name}`")),
        }
    }
}

/// One line of [`devices`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDevice {
    /// What to ask for: `cpu`, `cuda:0`, …, or a kind that isn't there.
    pub choice: String,
    /// What it is called, or the sentence why it can't be used.
    pub found: Result<String, String>,
    /// What it can train in; empty where it can't be used.
    pub precisions: Vec<Precision>,
    /// Whether it is a card, not a program that stands in for one.
    pub hardware: bool,
}

/// What this build finds on this machine: the CPU, then every GPU of every kind, each tried with one small sum.
pub fn devices() -> Vec<FoundDevice> {
    let cpu = cpu();
    let mut list =
        vec![FoundDevice { choice: "cpu".into(), precisions: cpu.precisions(), found: Ok(cpu.name), hardware: false }];
    for (name, found) in [("cuda", gpu::all_cuda()), ("vulkan", gpu::all_vulkan()), ("wgpu", gpu::all_wgpu())] {
        match found {
            Ok(found) => list.extend(found.into_iter().enumerate().map(|(index, device)| {
                let device = (device.open)();
                FoundDevice {
                    choice: format!("{name}:{index}"),
                    hardware: device.as_ref().is_ok_and(|open| open.hardware),
                    precisions: device.as_ref().map_or(Vec::new(), Open::precisions),
                    found: device.map(|open| open.name),
                }
            })),
            Err(reason) => list.push(FoundDevice {
                choice: name.into(),
                found: Err(reason),
                precisions: Vec::new(),
                hardware: false,
            }),
        }
    }
    list
}

/// A device that works.
pub(crate) struct Open {
    pub device: Device,
    /// What it is called in reports.
    pub name: String,
    /// Whether it is more than a program on the CPU.
    pub hardware: bool,
    /// Whether it computes in bf16.
    pub bf16: bool,
}

impl Open {
    fn has(&self, precision: Precision) -> bool {
        precision == Precision::F32 || self.bf16
    }

    fn precisions(&self) -> Vec<Precision> {
        Precision::ALL.into_iter().filter(|precision| self.has(*precision)).collect()
    }

    /// The device itself if it has the precision; `choice` is how it was asked for.
    fn with(self, choice: DeviceChoice, precision: Precision) -> Result<Open, TrainError> {
        if self.has(precision) {
            return Ok(self);
        }
        let reason = format!(
            "precision = \"{precision}\" needs a device that computes in {precision}, and {} doesn't; give precision = \"f32\", \
             or choose a device that `emberlite devices` lists with {precision}",
            self.name
        );
        Err(TrainError::Device { device: choice.to_string(), reason })
    }
}

/// Whether a device can be opened and trains in this precision: what [`train`](super::train()) asks first, for those who
/// write something before that.
///
/// # Errors
/// [`TrainError::Device`] if not, with what to do.
pub fn check_precision(choice: DeviceChoice, precision: Precision) -> Result<(), TrainError> {
    // Any device has f32; opening one takes a while.
    if precision == Precision::F32 { Ok(()) } else { open_for(choice, precision, 0).map(|_| ()) }
}

/// Opens a device that trains in this precision, or says why it can't be used; for one of several processes of this machine
/// by its place among them: where no number was given, each takes a GPU of its own.
pub(crate) fn open_for(choice: DeviceChoice, precision: Precision, process: usize) -> Result<Open, TrainError> {
    open_as(choice, process)?.with(choice, precision)
}

/// What a choice comes to on this machine: `cpu`, or the GPU's kind and name.
///
/// # Errors
/// [`TrainError::Device`] if it can't be used.
pub fn resolve(choice: DeviceChoice) -> Result<String, TrainError> {
    if choice == DeviceChoice::Cpu {
        return Ok("cpu".into());
    }
    let open = open(choice)?;
    // What isn't asked for by name is a card, or the CPU.
    Ok(if choice == DeviceChoice::Auto && !open.hardware { "cpu".into() } else { open.name })
}

/// Opens a device, or says why it can't be used.
pub(crate) fn open(choice: DeviceChoice) -> Result<Open, TrainError> {
    open_as(choice, 0)
}

fn open_as(choice: DeviceChoice, process: usize) -> Result<Open, TrainError> {
    let which = |index| Which { index, process };
    let opened = match choice {
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Cuda(index) => gpu::cuda(which(index)),
        DeviceChoice::Vulkan(index) => gpu::vulkan(which(index)),
        DeviceChoice::Wgpu(index) => gpu::wgpu(which(index)),
        DeviceChoice::Auto => Ok(gpu::any(process).unwrap_or_else(cpu)),
    };
    opened.map_err(|reason| TrainError::Device { device: choice.to_string(), reason })
}

fn cpu() -> Open {
    // Of the pool that computes, which `RAYON_NUM_THREADS` sizes.
    let threads = rayon::current_num_threads();
    let device = Device::flex();
    Open {
        bf16: Precision::Bf16.is_on(&device),
        device,
        name: format!("CPU, {threads} thread{}", if threads == 1 { "" } else { "s" }),
        hardware: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        assert!(DeviceChoice::ALL.iter().all(|d| d.name().parse() == Ok(*d) && d.to_string().parse() == Ok(*d)));
        assert_eq!(DeviceChoice::ALL.map(DeviceChoice::name), DeviceChoice::NAMES);
        assert_eq!("flex".parse(), Ok(DeviceChoice::Cpu));
        assert_eq!("cuda:12".parse(), Ok(DeviceChoice::Cuda(Some(12))));
        assert_eq!(DeviceChoice::Wgpu(Some(3)).to_string(), "wgpu:3");
        for (text, expected) in [
            ("gpu9", "`gpu9` is no device; there are: auto, cpu, wgpu, vulkan, cuda, and GPUs by number as cuda:1"),
            ("cuda:", "`cuda:`: give a GPU's number as in `cuda:0`"),
            ("cuda:-1", "`cuda:-1`: give a GPU's number as in `cuda:0`"),
            ("cpu:0", "`cpu:0`: only GPUs have numbers; give `cpu`"),
            ("cpu,cpu", "`cpu,cpu`: several devices are for `train` alone; name one"),
        ] {
            assert_eq!(text.parse::<DeviceChoice>(), Err(expected.into()));
        }
    }

    #[test]
    fn a_device_without_bf16_is_refused_by_name() {
        let open = |bf16| Open { device: Device::flex(), name: "llvmpipe".into(), hardware: false, bf16 };
        let choice = DeviceChoice::Wgpu(Some(1));
        let said = open(false).with(choice, Precision::Bf16).err().unwrap().to_string();
        let expected = "device `wgpu:1`: precision = \"bf16\" needs a device that computes in bf16, and llvmpipe doesn't; \
                        give precision = \"f32\", or choose a device that `emberlite devices` lists with bf16";
        assert_eq!(said, expected);
        assert_eq!(open(false).precisions(), [Precision::F32]);
        assert!(open(false).with(choice, Precision::F32).is_ok() && open(true).with(choice, Precision::Bf16).is_ok());
        assert_eq!(open(true).precisions(), Precision::ALL);
        // The CPU has it, and its framework's word is what is asked.
        assert!(check_precision(DeviceChoice::Cpu, Precision::Bf16).is_ok());
        assert!(Precision::Bf16.is_on(&Device::flex()));
    }

    #[test]
    fn the_cpu_is_always_listed_and_kinds_that_are_not_built_say_so() {
        let list = devices();
        assert!(list[0].choice == "cpu" && list[0].found.is_ok());
        for (name, built) in [("cuda", cfg!(feature = "cuda")), ("wgpu", cfg!(feature = "wgpu"))] {
            if !built {
                let line = list.iter().find(|device| device.choice == name).unwrap();
                assert!(line.found.as_ref().is_err_and(|reason| reason.contains("this build has no")), "{line:?}");
            }
        }
    }
}
