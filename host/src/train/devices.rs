//! Which devices to train on, where there may be several.

use super::device::DeviceChoice;
use std::fmt;
use std::str::FromStr;

/// The devices of one training as settings name them: `cpu`, `cuda:1`, or several with commas, `cuda:0,cuda:1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// What computes; [`Job::device`](super::Job::device).
    pub first: DeviceChoice,
    /// What takes a share of every batch; [`Job::replicas`](super::Job::replicas).
    pub replicas: Vec<DeviceChoice>,
}

impl Devices {
    /// All of them, the first one first.
    pub fn all(&self) -> impl Iterator<Item = DeviceChoice> {
        std::iter::once(self.first).chain(self.replicas.iter().copied())
    }
}

impl From<DeviceChoice> for Devices {
    fn from(first: DeviceChoice) -> Devices {
        Devices { first, replicas: Vec::new() }
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.replicas.iter().try_for_each(|device| write!(f, ",{device}"))
    }
}

impl FromStr for Devices {
    type Err = String;

    /// A GPU's number may stand there once; a kind without one stands for another GPU each time.
    fn from_str(text: &str) -> Result<Devices, String> {
        let mut devices = Devices::default();
        for (i, name) in text.split(',').enumerate() {
            let device: DeviceChoice = name.trim().parse()?;
            if device.index().is_some() && devices.all().take(i).any(|other| other == device) {
                return Err(format!("`{text}`: {device} stands there twice; name each device once"));
            }
            match i {
                0 => devices.first = device,
                _ => devices.replicas.push(device),
            }
        }
        Ok(devices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in ["auto", "cpu", "cuda:0,cuda:1", "cuda,cuda,cuda", "cpu,wgpu:3,cpu"] {
            assert_eq!(text.parse::<Devices>().unwrap().to_string(), text);
        }
        let cuda = |index| DeviceChoice::Cuda(Some(index));
        assert_eq!("cuda:2, cuda:0".parse(), Ok(Devices { first: cuda(2), replicas: vec![cuda(0)] }));
        assert_eq!(DeviceChoice::Cpu.to_string().parse(), Ok(Devices::from(DeviceChoice::Cpu)));
    }

    #[test]
    fn mistakes_are_named() {
        let names = "auto, cpu, wgpu, vulkan, cuda, and GPUs by number as cuda:1";
        for (text, expected) in [
            ("cuda:0,cuda:1,cuda:0", "`cuda:0,cuda:1,cuda:0`: cuda:0 stands there twice; name each device once".into()),
            ("cpu,", format!("`` is no device; there are: {names}")),
            ("cpu,cuda:x", "`cuda:x`: give a GPU's number as in `cuda:0`".into()),
        ] {
            assert_eq!(text.parse::<Devices>(), Err(expected));
        }
    }
}
