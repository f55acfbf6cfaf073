//! `[engine]` and `[models]`: the local model, what it may take, and whether model files may be fetched.

use finch_engine::device::{BadDevices, Device, Devices};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// The local model.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct EngineConfig {
    /// The model to load: an id of `finch model list`.
    pub(crate) model: Option<String>,
    /// Threads for inference; the number of physical cores when absent.
    pub(crate) threads: Option<usize>,
    /// Tokens of prompt and answer together that a sequence may hold.
    pub(crate) context_tokens_max: usize,
    /// Requests that run at once, and prompts whose computed state is kept, so that going back to a file is fast.
    pub(crate) slots: usize,
    /// MiB of computed state kept of prompts that do not run any more; the longest unused goes first.
    pub(crate) cache_mib: usize,
    /// Whether computed state is written to `FINCH_HOME/cache`, so that it is there after a restart. It holds your text.
    pub(crate) keep_cache: bool,
    /// What multiplies: finch's own kernels where the processor has what they need, or ONNX Runtime's everywhere.
    pub(crate) kernels: KernelsConfig,
    /// Where the model computes, in order: `cuda:0`, `coreml`, `directml:0`, `openvino:gpu`, `cpu`. The processor stands
    /// behind them all, named or not.
    #[schemars(with = "Vec<String>")]
    pub(crate) devices: DevicesConfig,
}

/// Devices in order, checked when the file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct DevicesConfig(pub(crate) Devices);

impl TryFrom<Vec<String>> for DevicesConfig {
    type Error = BadDevices;

    fn try_from(names: Vec<String>) -> Result<Self, BadDevices> {
        Devices::parse(&names).map(Self)
    }
}

impl Serialize for DevicesConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let devices = self.0.before_cpu().chain([Device::Cpu]);
        serializer.collect_seq(devices.map(|device| device.to_string()))
    }
}

/// What multiplies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KernelsConfig {
    #[default]
    Auto,
    OnnxRuntime,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            model: None,
            threads: None,
            context_tokens_max: 4096,
            slots: 8,
            cache_mib: 1024,
            keep_cache: false,
            kernels: KernelsConfig::Auto,
            devices: DevicesConfig::default(),
        }
    }
}

/// Where model files come from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ModelsConfig {
    /// Never open a connection for model files.
    pub(crate) offline: bool,
}
