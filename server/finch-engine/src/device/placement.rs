//! What became of a list of devices: which are used, which are not, and why.
//!
//! Knows no ONNX Runtime: it is told what a library has and what failed.

use std::fmt;

use super::{Device, DeviceKind, Devices};

/// The devices of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    used: Vec<Device>,
    unused: Vec<(Device, Unused)>,
}

/// Why a device is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unused {
    /// The library was built without it: take another library.
    NotInLibrary { has: Vec<DeviceKind> },
    /// The library has it and it failed: mend its driver, or choose another device.
    Failed { problem: String },
}

impl Placement {
    /// What a library that has devices of these kinds could use.
    pub(crate) fn by_library(devices: &Devices, has: &[DeviceKind]) -> Self {
        let mut placement = Self { used: Vec::new(), unused: Vec::new() };
        for device in devices.before_cpu() {
            if has.contains(&device.kind()) {
                placement.used.push(device);
            } else {
                placement.unused.push((device, Unused::NotInLibrary { has: has.to_vec() }));
            }
        }
        placement.used.push(Device::Cpu);
        placement
    }

    /// A device turned out not to work.
    pub(crate) fn fail(&mut self, device: Device, problem: &str) {
        self.used.retain(|used| *used != device);
        self.unused.push((device, Unused::Failed { problem: problem.to_owned() }));
    }

    /// Used in this order; the processor is always the last.
    #[must_use]
    pub fn used(&self) -> &[Device] {
        &self.used
    }

    /// Those used that are not the processor.
    pub(crate) fn before_cpu(&self) -> Vec<Device> {
        self.used.iter().copied().filter(|device| *device != Device::Cpu).collect()
    }

    /// Named by the user and not used, and why.
    #[must_use]
    pub fn unused(&self) -> &[(Device, Unused)] {
        &self.unused
    }

    /// A line for each device that is not used.
    pub fn complaints(&self) -> impl Iterator<Item = String> + use<'_> {
        let instead = self.used.first().copied().unwrap_or(Device::Cpu);
        self.unused.iter().map(move |(device, why)| match why {
            Unused::NotInLibrary { has } => {
                format!("{device} is not in this ONNX Runtime, which has {}; {instead} computes", names(has))
            }
            Unused::Failed { problem } => format!("{device} cannot be used: {problem}; {instead} computes"),
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used: Vec<String> = self.used.iter().map(ToString::to_string).collect();
        f.write_str(&used.join(", "))
    }
}

fn names(kinds: &[DeviceKind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}
