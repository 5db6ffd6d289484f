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

/// A device that was found and not yet opened: that takes its memory, and a card may belong to one process at a time.
#[cfg_attr(not(any(feature = "cuda", feature = "wgpu")), allow(dead_code, reason = "there is nothing to find"))]
pub(super) struct Found {
    /// Whether it is more than a program on the CPU.
    hardware: bool,
    /// Opens it and tries one small sum, or says why it can't be used.
    pub open: Box<dyn FnOnce() -> Result<Open, String>>,
}

/// The devices of a kind in the order of their numbers.
pub(super) type All = Result<Vec<Found>, String>;

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

/// The one of that number; or the first that works, a real GPU before a program that stands in for one, where the second
/// process of a machine begins with the second card, and so on. No other is opened.
fn choose(what: &str, mut all: Vec<Found>, which: Which) -> Result<Open, String> {
    if let Some(index) = which.index {
        let count = all.len();
        if usize::from(index) >= count {
            let last = count.saturating_sub(1);
            return Err(format!("there is no {what} {index}, the last is {last}; `emberlite devices` lists them"));
        }
        return (all.swap_remove(index.into()).open)();
    }
    let (mut cards, programs): (Vec<Found>, Vec<Found>) = all.into_iter().partition(|found| found.hardware);
    if !cards.is_empty() {
        let first = which.process % cards.len();
        cards.rotate_left(first);
    }
    let mut reason = none(what);
    for found in cards.into_iter().chain(programs) {
        match (found.open)() {
            Ok(open) => return Ok(open),
            Err(e) => reason = e,
        }
    }
    Err(reason)
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
    use super::{All, Found, Open, none};
    use crate::lower::Precision;
    use burn_tensor::{Device, DeviceType, Tensor};
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::{Mutex, PoisonError};

    /// Every device of a kind.
    pub(super) fn all(what: &'static str, kind: DeviceType) -> All {
        let none = none(what);
        let devices = quietly(|| Device::enumerate(kind)).map_err(|e| format!("{none} ({e})"))?.into_vec();
        if devices.is_empty() {
            return Err(none);
        }
        let failed = move |e| format!("the {what} doesn't work: {e}; update its driver, or choose `cpu`");
        let found = |device: Device| {
            // A card has an address; a rasterizer on the CPU hasn't.
            let card = || device.identity().is_some_and(|identity| identity.physical.is_some());
            let hardware = quietly(card).unwrap_or(false);
            let open = move || quietly(|| works(device, hardware)).and_then(|opened| opened).map_err(failed);
            Found { hardware, open: Box::new(open) }
        };
        Ok(devices.into_iter().map(found).collect())
    }

    /// Opens a device and lets it add.
    fn works(device: Device, hardware: bool) -> Result<Open, String> {
        let name = device.identity().map_or_else(|| format!("{device:?}"), |identity| identity.name);
        let sum = Tensor::<1>::from_data([1.0, 2.0], &device).sum();
        let sum: f32 = sum.try_into_scalar().map_err(|e| format!("{e:?}"))?;
        if sum != 3.0 {
            return Err(format!("{name} computes 1 + 2 = {sum}"));
        }
        Ok(Open { bf16: Precision::Bf16.is_on(&device), device, name, hardware })
    }

    /// The hook is the whole process's: of trials side by side each waits for its turn, so that the last puts back the first's.
    static TURN: Mutex<()> = Mutex::new(());

    /// Runs what may panic, without the report of a panic; the message becomes the error.
    fn quietly<T>(f: impl FnOnce() -> T) -> Result<T, String> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
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
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Devices by name, `*` before a card, `!` before one that doesn't work; and the names of those that were opened.
    fn devices(names: &[&'static str]) -> (Vec<Found>, Rc<RefCell<Vec<&'static str>>>) {
        let opened = Rc::new(RefCell::new(Vec::new()));
        let found = |&name: &&'static str| {
            let (opened, hardware) = (opened.clone(), name.contains('*'));
            let open = move || {
                opened.borrow_mut().push(name);
                match name.contains('!') {
                    true => Err(format!("{name} is broken")),
                    false => Ok(Open { device: Device::flex(), name: name.into(), hardware, bf16: false }),
                }
            };
            Found { hardware, open: Box::new(open) }
        };
        (names.iter().map(found).collect(), opened)
    }

    fn chosen(names: &[&'static str], index: Option<u16>, process: usize) -> Result<String, String> {
        choose("adapter", devices(names).0, Which { index, process }).map(|open| open.name)
    }

    #[test]
    fn a_card_comes_before_a_program_and_a_number_before_both() {
        let name = |index| chosen(&["!first", "program", "*card"], index, 0);
        assert_eq!(name(None), Ok("*card".into()));
        assert_eq!(name(Some(1)), Ok("program".into()));
        assert_eq!(name(Some(0)), Err("!first is broken".into()));
        let expected = "there is no adapter 3, the last is 2; `emberlite devices` lists them";
        assert_eq!(name(Some(3)), Err(expected.into()));
        assert_eq!(chosen(&["!first", "program"], None, 0), Ok("program".into()));
        assert_eq!(chosen(&["!*first"], None, 0), Err("!*first is broken".into()));
        assert!(chosen(&[], None, 0).unwrap_err().contains("install the GPU's driver"));
    }

    #[test]
    fn each_process_of_a_machine_opens_a_card_of_its_own_and_no_other() {
        let names = ["*a", "program", "*b"];
        for (process, expected) in ["*a", "*b", "*a", "*b"].into_iter().enumerate() {
            let (found, opened) = devices(&names);
            assert_eq!(choose("adapter", found, Which { index: None, process }).unwrap().name, expected);
            assert_eq!(*opened.borrow(), [expected]);
        }
        // A number is a number, whoever asks; a program that stands in for a card is shared; one that doesn't work is
        // passed over by those whose turn it was.
        assert_eq!(chosen(&names, Some(0), 1), Ok("*a".into()));
        assert_eq!(chosen(&["program"], None, 1), Ok("program".into()));
        assert_eq!(chosen(&["*a", "!*b", "*c"], None, 1), Ok("*c".into()));
    }
}
