//! Which devices to train on, where there may be several.

use super::device::DeviceChoice;
use std::fmt;
use std::str::FromStr;

/// The devices of one training as settings name them: `cpu`, `cuda:1`, or several with commas, `cuda:0,cuda:1`. Another number of
/// them gives other bits, also where a run goes on with it.
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

    /// Whether they go together: devices of one kind, whose updates are the same to the bit where the cards are, since each
    /// updates its own copy of the model. GPUs have all a number, each another, or none: then each takes the next card, around where there are fewer.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        for (i, device) in self.all().enumerate() {
            if device.name() != self.first.name() {
                let first = self.first;
                return Err(format!(
                    "{first} and {device} round differently, so their copies of the model would come apart; name devices of \
                     one kind"
                ));
            }
            if device.index().is_none() != self.first.index().is_none() {
                return Err(format!("`{self}`: give all of them a number, or none"));
            }
            if device.index().is_some() && self.all().take(i).any(|other| other == device) {
                return Err(format!("`{self}`: {device} stands there twice; name each device once"));
            }
        }
        Ok(())
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

    fn from_str(text: &str) -> Result<Devices, String> {
        if text.contains(',') && text.split(',').any(|name| name.trim().is_empty()) {
            return Err(format!("`{text}`: there is no device beside a comma; name one there, or take the comma out"));
        }
        let mut all = text.split(',').map(|name| name.trim().parse());
        let first = all.next().unwrap_or_else(|| Ok(DeviceChoice::default()))?;
        let devices = Devices { first, replicas: all.collect::<Result<_, _>>()? };
        devices.check().map(|()| devices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in ["auto", "cpu", "cuda:0,cuda:1", "cuda,cuda,cuda", "cpu,cpu"] {
            assert_eq!(text.parse::<Devices>().unwrap().to_string(), text);
        }
        let cuda = |index| DeviceChoice::Cuda(Some(index));
        assert_eq!("cuda:2, cuda:0".parse(), Ok(Devices { first: cuda(2), replicas: vec![cuda(0)] }));
        assert_eq!(DeviceChoice::Cpu.to_string().parse(), Ok(Devices::from(DeviceChoice::Cpu)));
    }

    #[test]
    fn mistakes_are_named() {
        let comma = "there is no device beside a comma; name one there, or take the comma out";
        for (text, expected) in [
            ("cuda:0,cuda:1,cuda:0", "`cuda:0,cuda:1,cuda:0`: cuda:0 stands there twice; name each device once".into()),
            ("cpu,", format!("`cpu,`: {comma}")),
            (" ,cuda:1", format!("` ,cuda:1`: {comma}")),
            ("cuda:1,cuda", "`cuda:1,cuda`: give all of them a number, or none".into()),
            (
                "cuda:0,cpu",
                "cuda:0 and cpu round differently, so their copies of the model would come apart; name devices of one kind"
                    .into(),
            ),
            ("cpu,cuda:x", "`cuda:x`: give a GPU's number as in `cuda:0`".into()),
        ] {
            assert_eq!(text.parse::<Devices>(), Err(expected));
        }
    }
}
