//! Looking for a GPU, in builds that can use one.
//!
//! The framework panics where a driver is missing. Listing adapters doesn't, so that comes first; what may panic still is
//! tried with one small sum, and a panic becomes the sentence that the caller gets.

use super::device::Open;

/// Which of several equal GPUs: a number that was asked for, or else the place of this process among those of its machine,
/// so that each takes one of its own, counting around where there are more processes than GPUs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Which {
    pub index: Option<u16>,
    pub process: usize,
}

/// Any GPU at all; adapters that only pretend to be one are left to those who name them.
pub(super) fn any(process: usize) -> Option<Open> {
    let which = Which { index: None, process };
    [cuda, vulkan, wgpu].into_iter().find_map(|open| open(which).ok().filter(|open| open.hardware))
}

/// The devices of a kind in the order of their numbers, each open or with the sentence why not.
pub(super) type All = Result<Vec<Result<Open, String>>, String>;

pub(super) fn cuda(which: Which) -> Result<Open, String> {
    choose("CUDA device", all_cuda()?, which)
}

pub(super) fn vulkan(which: Which) -> Result<Open, String> {
    choose("Vulkan adapter", all_vulkan()?, which)
}

pub(super) fn wgpu(which: Which) -> Result<Open, String> {
    choose("graphics adapter", all_wgpu()?, which)
}

pub(super) fn all_cuda() -> All {
    #[cfg(feature = "cuda")]
    return found::all("CUDA device", burn_tensor::DeviceType::Cuda);
    #[cfg(not(feature = "cuda"))]
    Err(absent("cuda"))
}

pub(super) fn all_vulkan() -> All {
    #[cfg(feature = "vulkan")]
    return found::all("Vulkan adapter", burn_tensor::DeviceType::Vulkan);
    #[cfg(not(feature = "vulkan"))]
    Err(absent("vulkan"))
}

pub(super) fn all_wgpu() -> All {
    #[cfg(feature = "wgpu")]
    return found::all("graphics adapter", burn_tensor::DeviceType::Wgpu);
    #[cfg(not(feature = "wgpu"))]
    Err(absent("wgpu"))
}

/// The one of that number, or of those that work the first (for the second process of a machine the second, and so on), a real
/// GPU before a program that stands in for one.
fn choose(what: &str, mut all: Vec<Result<Open, String>>, which: Which) -> Result<Open, String> {
    if let Some(index) = which.index {
        let count = all.len();
        if usize::from(index) >= count {
            let last = count.saturating_sub(1);
            return Err(format!("there is no {what} {index}, the last is {last}; `emberlite devices` lists them"));
        }
        return all.swap_remove(index.into());
    }
    let (mut cards, mut software, mut reason) = (Vec::new(), None, none(what));
    for device in all {
        match device {
            Ok(open) if open.hardware => cards.push(open),
            Ok(open) => software = software.or(Some(open)),
            Err(e) => reason = e,
        }
    }
    if cards.is_empty() { software.ok_or(reason) } else { Ok(cards.swap_remove(which.process % cards.len())) }
}

fn none(what: &str) -> String {
    format!("no {what} found; install the GPU's driver, or choose `cpu`")
}

#[cfg(not(all(feature = "cuda", feature = "vulkan", feature = "wgpu")))]
fn absent(feature: &str) -> String {
    format!("this build has no {feature}; build with `--features {feature}`, or choose `cpu`")
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod found {
    use super::{All, Open, none};
    use crate::lower::Precision;
    use burn_tensor::{Device, DeviceType, Tensor};
    use std::panic::{self, AssertUnwindSafe};

    /// Every device of a kind, tried one after the other.
    pub(super) fn all(what: &str, kind: DeviceType) -> All {
        let none = none(what);
        let devices = quietly(|| Device::enumerate(kind)).map_err(|e| format!("{none} ({e})"))?.into_vec();
        if devices.is_empty() {
            return Err(none);
        }
        let failed = |e| format!("the {what} doesn't work: {e}; update its driver, or choose `cpu`");
        let open = |device| quietly(|| works(device)).and_then(|opened| opened).map_err(failed);
        Ok(devices.into_iter().map(open).collect())
    }

    /// Opens a device and lets it add.
    fn works(device: Device) -> Result<Open, String> {
        let identity = device.identity();
        // A card has an address; a rasterizer on the CPU hasn't.
        let hardware = identity.as_ref().is_some_and(|identity| identity.physical.is_some());
        let name = identity.map_or_else(|| format!("{device:?}"), |identity| identity.name);
        let sum = Tensor::<1>::from_data([1.0, 2.0], &device).sum();
        let sum: f32 = sum.try_into_scalar().map_err(|e| format!("{e:?}"))?;
        if sum != 3.0 {
            return Err(format!("{name} computes 1 + 2 = {sum}"));
        }
        Ok(Open { bf16: Precision::Bf16.is_on(&device), device, name, hardware })
    }

    /// Runs what may panic, without the report of a panic; the message becomes the error.
    fn quietly<T>(f: impl FnOnce() -> T) -> Result<T, String> {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let result = panic::catch_unwind(AssertUnwindSafe(f));
        panic::set_hook(hook);
        result.map_err(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("the framework gave up").to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_tensor::Device;

    fn open(name: &str, hardware: bool) -> Result<Open, String> {
        Ok(Open { device: Device::flex(), name: name.into(), hardware, bf16: false })
    }

    #[test]
    fn a_card_comes_before_a_program_and_a_number_before_both() {
        let all = || vec![Err("broken".to_string()), open("program", false), open("card", true)];
        let name = |index| choose("adapter", all(), Which { index, process: 0 }).map(|open| open.name);
        assert_eq!(name(None), Ok("card".into()));
        assert_eq!(name(Some(1)), Ok("program".into()));
        assert_eq!(name(Some(0)), Err("broken".into()));
        let expected = "there is no adapter 3, the last is 2; `emberlite devices` lists them";
        assert_eq!(name(Some(3)), Err(expected.into()));
        assert_eq!(
            choose("adapter", all()[..2].iter().map(clone).collect(), FIRST).map(|o| o.name),
            Ok("program".into())
        );
        assert_eq!(choose("adapter", vec![Err("broken".into())], FIRST).err(), Some("broken".into()));
        assert!(choose("adapter", Vec::new(), FIRST).err().unwrap().contains("install the GPU's driver"));
    }

    const FIRST: Which = Which { index: None, process: 0 };

    #[test]
    fn each_process_of_a_machine_takes_a_card_of_its_own() {
        let all = || vec![open("a", true), open("program", false), Err("broken".to_string()), open("b", true)];
        let names = (0..4).map(|process| choose("adapter", all(), Which { process, ..FIRST }).unwrap().name);
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "a", "b"]);
        // A number is a number, whoever asks; a program that stands in for a card is shared.
        assert_eq!(choose("adapter", all(), Which { index: Some(0), process: 1 }).unwrap().name, "a");
        assert_eq!(
            choose("adapter", vec![open("program", false)], Which { process: 1, ..FIRST }).unwrap().name,
            "program"
        );
    }

    fn clone(device: &Result<Open, String>) -> Result<Open, String> {
        match device {
            Ok(o) => open(&o.name, o.hardware),
            Err(e) => Err(e.clone()),
        }
    }
}
