//! The devices a model may run on: as the user names them, and what became of each.
//!
//! A list is in order: the first device takes what it can of a graph, the next what is left. The processor can take all
//! of it and is always there, named or not. Names are parsed once, here; `session` asks ONNX Runtime for the devices.

mod placement;

use std::{fmt, str::FromStr};

use crate::limits;

pub use placement::{Placement, Unused};

/// A kind of device, each an execution provider of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// Graphics processors of NVIDIA.
    Cuda,
    /// Graphics and neural processors of Apple's machines.
    CoreMl,
    /// Graphics processors under Windows.
    DirectMl,
    /// Processors of Intel of any kind.
    OpenVino,
    /// The processor.
    Cpu,
}

impl DeviceKind {
    /// All that finch can ask for.
    pub const ALL: [DeviceKind; 5] = [Self::Cuda, Self::CoreMl, Self::DirectMl, Self::OpenVino, Self::Cpu];

    /// As the user writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::CoreMl => "coreml",
            Self::DirectMl => "directml",
            Self::OpenVino => "openvino",
            Self::Cpu => "cpu",
        }
    }
}

/// Which processor OpenVINO uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OpenVinoTarget {
    /// As it sees fit.
    #[default]
    Auto,
    Cpu,
    Gpu,
    Npu,
}

impl OpenVinoTarget {
    /// As OpenVINO calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "AUTO",
            Self::Cpu => "CPU",
            Self::Gpu => "GPU",
            Self::Npu => "NPU",
        }
    }
}

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// With its number; the first is 0.
    Cuda(u8),
    CoreMl,
    /// With its number; the first is 0.
    DirectMl(u8),
    OpenVino(OpenVinoTarget),
    Cpu,
}

impl Device {
    /// What it is.
    #[must_use]
    pub fn kind(self) -> DeviceKind {
        match self {
            Self::Cuda(_) => DeviceKind::Cuda,
            Self::CoreMl => DeviceKind::CoreMl,
            Self::DirectMl(_) => DeviceKind::DirectMl,
            Self::OpenVino(_) => DeviceKind::OpenVino,
            Self::Cpu => DeviceKind::Cpu,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().name();
        match self {
            Self::Cuda(number) | Self::DirectMl(number) => write!(f, "{name}:{number}"),
            Self::OpenVino(target) if *target != OpenVinoTarget::Auto => {
                write!(f, "{name}:{}", target.name().to_lowercase())
            }
            Self::CoreMl | Self::OpenVino(_) | Self::Cpu => f.write_str(name),
        }
    }
}

/// What is wrong with a list of devices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDevices {
    #[error(
        "{name:?} is no device; write cpu, cuda, cuda:1, coreml, directml, directml:1, openvino, or openvino:cpu, gpu or npu"
    )]
    Unknown { name: String },
    #[error("{device} is named twice")]
    Twice { device: Device },
    #[error("{device} stands behind cpu, which takes everything; name it before cpu, or leave it out")]
    BehindCpu { device: Device },
    #[error("{count} devices are too many; name {max} at the most")]
    TooMany { count: usize, max: usize },
}

impl FromStr for Device {
    type Err = BadDevices;

    fn from_str(text: &str) -> Result<Self, BadDevices> {
        let unknown = || BadDevices::Unknown { name: text.chars().take(limits::NAME_SHOWN_CHARS).collect() };
        let (name, detail) = text.split_once(':').map_or((text, None), |(name, detail)| (name, Some(detail)));
        let kind = DeviceKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(unknown)?;
        let number = || detail.map_or(Some(0), digits).ok_or_else(unknown);
        match (kind, detail) {
            (DeviceKind::Cuda, _) => number().map(Self::Cuda),
            (DeviceKind::DirectMl, _) => number().map(Self::DirectMl),
            (DeviceKind::CoreMl, None) => Ok(Self::CoreMl),
            (DeviceKind::Cpu, None) => Ok(Self::Cpu),
            (DeviceKind::OpenVino, None) => Ok(Self::OpenVino(OpenVinoTarget::Auto)),
            (DeviceKind::OpenVino, Some("cpu")) => Ok(Self::OpenVino(OpenVinoTarget::Cpu)),
            (DeviceKind::OpenVino, Some("gpu")) => Ok(Self::OpenVino(OpenVinoTarget::Gpu)),
            (DeviceKind::OpenVino, Some("npu")) => Ok(Self::OpenVino(OpenVinoTarget::Npu)),
            (DeviceKind::CoreMl | DeviceKind::Cpu | DeviceKind::OpenVino, Some(_)) => Err(unknown()),
        }
    }
}

/// A number without a sign or leading zeros, so that a device has one name.
fn digits(text: &str) -> Option<u8> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    text.parse().ok().filter(|_| plain)
}

/// Devices in the order they are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Devices {
    /// Invariant: no device twice, and never the processor, which stands behind them all.
    before_cpu: [Option<Device>; limits::DEVICES_MAX],
}

impl Devices {
    /// Reads a list of names.
    ///
    /// # Errors
    /// [`BadDevices`] when a name is none, or a device could never be reached.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, BadDevices> {
        if names.len() > limits::DEVICES_MAX {
            return Err(BadDevices::TooMany { count: names.len(), max: limits::DEVICES_MAX });
        }
        let mut devices = Self::default();
        let mut seen: Vec<Device> = Vec::new();
        for (place, name) in devices.before_cpu.iter_mut().zip(names) {
            let device: Device = name.as_ref().parse()?;
            if seen.contains(&device) {
                return Err(BadDevices::Twice { device });
            }
            if seen.contains(&Device::Cpu) {
                return Err(BadDevices::BehindCpu { device });
            }
            seen.push(device);
            *place = Some(device).filter(|device| *device != Device::Cpu);
        }
        Ok(devices)
    }

    /// Those in front of the processor.
    pub fn before_cpu(&self) -> impl Iterator<Item = Device> {
        self.before_cpu.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
