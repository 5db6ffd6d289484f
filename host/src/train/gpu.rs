//! Looking for a GPU, in builds that can use one.
//!
//! The framework panics where a driver is missing. Listing adapters doesn't, so that comes first; what may panic still is
//! tried with one small sum, and a panic becomes the sentence that the caller gets.

use super::device::Open;

/// Any GPU at all; adapters that only pretend to be one are left to those who name them.
pub(super) fn any() -> Option<Open> {
    [cuda, vulkan, wgpu].into_iter().find_map(|open| open().ok().filter(|open| open.hardware))
}

pub(super) fn cuda() -> Result<Open, String> {
    #[cfg(feature = "cuda")]
    return found::first("CUDA device", burn_tensor::DeviceType::Cuda);
    #[cfg(not(feature = "cuda"))]
    Err(absent("cuda"))
}

pub(super) fn vulkan() -> Result<Open, String> {
    #[cfg(feature = "vulkan")]
    return found::first("Vulkan adapter", burn_tensor::DeviceType::Vulkan);
    #[cfg(not(feature = "vulkan"))]
    Err(absent("vulkan"))
}

pub(super) fn wgpu() -> Result<Open, String> {
    #[cfg(feature = "wgpu")]
    return found::first("graphics adapter", burn_tensor::DeviceType::Wgpu);
    #[cfg(not(feature = "wgpu"))]
    Err(absent("wgpu"))
}

#[cfg(not(all(feature = "cuda", feature = "vulkan", feature = "wgpu")))]
fn absent(feature: &str) -> String {
    format!("this build has no {feature}; build with `--features {feature}`, or choose `cpu`")
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod found {
    use super::Open;
    use burn_tensor::{Device, DeviceType, Tensor};
    use std::panic::{self, AssertUnwindSafe};

    /// The first device of a kind that can compute, a real GPU before a program that stands in for one.
    pub(super) fn first(what: &str, kind: DeviceType) -> Result<Open, String> {
        let none = format!("no {what} found; install the GPU's driver, or choose `cpu`");
        let devices = quietly(|| Device::enumerate(kind)).map_err(|e| format!("{none} ({e})"))?;
        let (mut software, mut reason) = (None, none);
        for device in devices.into_vec() {
            match quietly(|| works(device)).and_then(|opened| opened) {
                Ok(open) if open.hardware => return Ok(open),
                Ok(open) => software = software.or(Some(open)),
                Err(e) => reason = format!("the {what} doesn't work: {e}; update its driver, or choose `cpu`"),
            }
        }
        software.ok_or(reason)
    }

    /// Opens a device and lets it add.
    fn works(device: Device) -> Result<Open, String> {
        let identity = device.identity();
        // A card has an address; a rasterizer on the CPU hasn't.
        let hardware = identity.as_ref().is_some_and(|identity| identity.physical.is_some());
        let name = identity.map_or_else(|| format!("{device:?}"), |identity| identity.name);
        let sum = Tensor::<1>::from_data([1.0, 2.0], &device).sum();
        let sum: f32 = sum.try_into_scalar().map_err(|e| format!("{e:?}"))?;
        if sum == 3.0 { Ok(Open { device, name, hardware }) } else { Err(format!("{name} computes 1 + 2 = {sum}")) }
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
