//! ONNX Runtime sessions as finch has them: on the devices the user wants, with threads that rest between passes, and with
//! kernels of its own on processors that have any.
//!
//! Knows graphs as bytes and nothing of what they compute. `network` opens models with it, `machine` the yardstick. A
//! device that is not there or fails is no error: the next one computes, the processor at last, and the placement tells.

use std::path::Path;

use finch_kernels::Processor;
use ort::{
    ep::{self, ExecutionProvider as _, ExecutionProviderDispatch},
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};

use crate::{
    Kernels, Runtime,
    device::{Device, DeviceKind, Devices, Placement},
    error::one_line,
    operators::{self, Matrices},
};

/// How a session is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionOptions {
    pub(crate) threads: usize,
    pub(crate) capacity: usize,
    pub(crate) kernels: Kernels,
    pub(crate) devices: Devices,
    pub(crate) weights: Weights,
}

/// How ONNX Runtime keeps the weights that its own kernels read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weights {
    /// Copied into the order that suits each kernel best.
    Packed,
    /// As they are in the file, which is only mapped: the system can take the memory back at any time.
    Mapped,
}

/// A session and where it computes.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) placement: Placement,
}

/// A session for a graph in a file. Where the processor has kernels of ours, the graph is changed to use them.
pub(crate) fn open(runtime: &Runtime, path: &Path, options: SessionOptions) -> ort::Result<Opened> {
    on_devices(runtime, options, &|mut builder, processor| {
        let Some(processor) = processor else {
            return builder.commit_from_file(path);
        };
        let graph = std::fs::read(path).map_err(|error| ort::Error::new(error.to_string()))?;
        let folder = path.parent().unwrap_or(path);
        let folder_name = folder.to_string_lossy();
        let builder = builder.with_config_entry("session.model_external_initializers_file_folder_path", folder_name)?;
        with_our_kernels(builder, &graph, folder, processor, options)
    })
}

/// The same for a graph in memory, with all its weights.
pub(crate) fn open_whole(runtime: &Runtime, graph: &[u8], options: SessionOptions) -> ort::Result<Opened> {
    on_devices(runtime, options, &|mut builder, processor| match processor {
        Some(processor) => with_our_kernels(builder, graph, Path::new(""), processor, options),
        None => builder.commit_from_memory(graph),
    })
}

/// What makes a session of a builder, with kernels of ours for a processor or without.
type Commit<'c> = &'c dyn Fn(SessionBuilder, Option<Processor>) -> ort::Result<Session>;

fn on_devices(runtime: &Runtime, options: SessionOptions, commit: Commit<'_>) -> ort::Result<Opened> {
    let mut placement = Placement::by_library(&options.devices, &kinds()?);
    let mut on_device = builder(runtime, options)?;
    for device in placement.before_cpu() {
        // A provider tells by an error that its driver or its device is not there.
        if let Err(error) = provider(device).map_or(Ok(()), |provider| provider.register(&mut on_device)) {
            placement.fail(device, plain(&one_line(&error.to_string())));
        }
    }
    let devices = placement.before_cpu();
    if !devices.is_empty() {
        // Kernels of ours know no memory but the processor's.
        match commit(on_device, None) {
            Ok(session) => return Ok(Opened { session, placement }),
            // Which of them failed is not told. If it was the graph, it fails below in its own name.
            Err(error) => {
                let problem = one_line(&error.to_string());
                devices.into_iter().for_each(|device| placement.fail(device, plain(&problem)));
            }
        }
    }
    let processor = match options.kernels {
        Kernels::Auto => Processor::detect(),
        Kernels::OnnxRuntime => None,
    };
    Ok(Opened { session: commit(builder(runtime, options)?, processor)?, placement })
}

/// What happened, without the place in ONNX Runtime's source and the code that stand before it.
fn plain(problem: &str) -> &str {
    let Some((_, behind)) = problem.rsplit_once("[ONNXRuntimeError] : ") else { return problem };
    behind.splitn(3, " : ").last().unwrap_or(behind)
}

fn builder(runtime: &Runtime, options: SessionOptions) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(options.threads)?
        .with_inter_threads(1)?
        // What is remembered of each length that a pass ever had, some ten KB, would never be forgotten, and the blocks
        // that are laid out by it fit into no gap. Without, a pass takes as long within the noise.
        .with_memory_pattern(false)?
        // Without spinning a token takes up to 40 % longer; a few dozen microseconds bridge the gaps inside a pass,
        // and between passes threads sleep, so an idle engine costs nothing.
        .with_config_entry("session.intra_op.spin_duration_us", "50")?
        .with_config_entry("session.force_spinning_stop", "1")?;
    match options.weights {
        Weights::Packed => Ok(builder),
        Weights::Mapped => Ok(builder.with_config_entry("session.disable_prepacking", "1")?),
    }
}

fn with_our_kernels(
    builder: SessionBuilder,
    graph: &[u8],
    folder: &Path,
    processor: Processor,
    options: SessionOptions,
) -> ort::Result<Session> {
    let rewritten = finch_model::kernels::rewrite(graph).map_err(|error| ort::Error::new(error.to_string()))?;
    let matrices = Matrices::read(folder, &rewritten.matrices, options.threads);
    let matrices = matrices.map_err(|error| ort::Error::new(error.to_string()))?;
    builder
        .with_operators(operators::domain(processor, options.threads, matrices)?)?
        .commit_from_memory(&rewritten.graph)
}

/// The devices that the loaded library was built with. It is not asked for others: that would not end well everywhere.
fn kinds() -> ort::Result<Vec<DeviceKind>> {
    let mut kinds = Vec::new();
    for kind in DeviceKind::ALL {
        let is_there = match kind {
            DeviceKind::Cuda => ep::CUDA::is_available()?,
            DeviceKind::CoreMl => ep::CoreML::is_available()?,
            DeviceKind::DirectMl => ep::DirectML::is_available()?,
            DeviceKind::OpenVino => ep::OpenVINO::is_available()?,
            DeviceKind::Cpu => true,
        };
        if is_there {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

/// What ONNX Runtime is asked for. Nothing for the processor, which is always there.
fn provider(device: Device) -> Option<ExecutionProviderDispatch> {
    Some(match device {
        Device::Cuda(number) => ep::CUDA::default().with_device_id(number.into()).build(),
        Device::CoreMl => ep::CoreML::default().build(),
        Device::DirectMl(number) => ep::DirectML::default().with_device_id(number.into()).build(),
        Device::OpenVino(target) => ep::OpenVINO::default().with_device_type(target.name()).build(),
        Device::Cpu => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        EngineOptions,
        device::{Device, Devices},
        engine::session_options,
        machine,
        testing::runtime,
    };

    fn options(names: &[&str]) -> EngineOptions {
        let devices = Devices::parse(names).unwrap();
        EngineOptions { devices, ..EngineOptions::default() }
    }

    #[test]
    fn devices_are_told_in_the_order_they_are_named() {
        let placement = machine::placement(&runtime(), &options(&["directml", "cuda:1", "openvino", "cpu"])).unwrap();
        let named = ["directml:0", "cuda:1", "openvino"];
        let told = |devices: Vec<Device>| -> Vec<usize> {
            let at = |device: &Device| named.iter().position(|name| *name == device.to_string());
            devices.iter().filter_map(at).collect()
        };
        let used = told(placement.used().to_vec());
        let unused = told(placement.unused().iter().map(|(device, _)| *device).collect());
        assert_eq!(used.len() + unused.len(), named.len(), "{placement:?}");
        assert!(used.is_sorted() && unused.is_sorted(), "{placement:?}");
    }

    #[test]
    fn a_problem_is_told_without_its_place_in_foreign_source() {
        for (problem, expected) in [
            (
                "/src/bridge.cc:2043 Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load: libx.so : gone",
                "Failed to load: libx.so : gone",
            ),
            ("Failed to load provider", "Failed to load provider"),
            ("[ONNXRuntimeError] : odd", "odd"),
            ("", ""),
        ] {
            assert_eq!(super::plain(problem), expected);
        }
    }

    #[test]
    fn a_damaged_graph_fails_in_its_own_name_on_every_device() {
        for names in [&["cpu"][..], &["cuda", "coreml"]] {
            let opened = super::open_whole(&runtime(), b"no graph", session_options(&options(names)));
            assert!(opened.is_err(), "{names:?}");
        }
    }
}
