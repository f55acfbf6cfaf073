//! Where ONNX Runtime is on this machine, and loading it, once.
//!
//! [`find`] looks where the user said, where `finch setup` puts it, at an installed Python package, and at the
//! system, in this order. [`Runtime::load`] opens the library and switches its telemetry off. Nothing else in
//! finch may create an ONNX Runtime environment: a process has exactly one.

mod elf;
mod places;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ort::environment::Environment;

pub use places::{Origin, RuntimeLibrary, Surroundings};

/// Why ONNX Runtime cannot be used, by what the caller does next: set it up, or correct a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// It is nowhere: get it.
    #[error("ONNX Runtime is not on this machine; run `finch setup` to get it")]
    Absent,
    /// The user's setting names a file that is not there: correct it.
    #[error("ORT_DYLIB_PATH names {}, which is not there; correct it, or unset it and run `finch setup`", path.display())]
    Misplaced { path: PathBuf },
    /// The library is damaged or for another machine: get another.
    #[error("{} cannot be loaded: {problem}; run `finch setup` to get a working ONNX Runtime", path.display())]
    Unusable { path: PathBuf, problem: String },
    /// The library is too old: get a newer one.
    #[error(
        "{} is ONNX Runtime {version} and finch needs 1.{} or newer; run `finch setup` to get it",
        path.display(),
        ort::MINOR_VERSION
    )]
    TooOld { path: PathBuf, version: String },
    /// Another library is loaded already: restart to change it.
    #[error("ONNX Runtime is already loaded from {}; restart finch to load {}", loaded.display(), wanted.display())]
    AlreadyLoaded { loaded: PathBuf, wanted: PathBuf },
}

/// Looks for ONNX Runtime around this process.
pub fn find(home: &Path) -> Result<RuntimeLibrary, RuntimeError> {
    places::find(&Surroundings::of_process(home))
}

/// Looks for ONNX Runtime in surroundings that are passed in.
pub fn find_in(surroundings: &Surroundings) -> Result<RuntimeLibrary, RuntimeError> {
    places::find(surroundings)
}

/// ONNX Runtime, loaded. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    library: Arc<Path>,
}

/// The environment is process-global inside ONNX Runtime and cannot be made twice, so it is kept for good.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// The variable of the environment that keeps the library from reporting to its makers. It is asked for when the library is
/// loaded; what switches reports off in its environment comes too late for the first ones.
pub const QUIET: &str = "ORT_DISABLE_TELEMETRY";

impl Runtime {
    /// Loads the library, or returns the one that is loaded already from the same file.
    pub fn load(library: &RuntimeLibrary) -> Result<Self, RuntimeError> {
        let path = library.path();
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return if *runtime.library == *path {
                Ok(runtime.clone())
            } else {
                Err(RuntimeError::AlreadyLoaded { loaded: runtime.library.to_path_buf(), wanted: path.to_owned() })
            };
        }
        let unusable = |problem: String| RuntimeError::Unusable { path: path.to_owned(), problem };
        if std::env::var_os(QUIET).is_none() {
            return Err(unusable(format!("it would report to its makers; start the process with {QUIET}=1")));
        }
        elf::check(path).map_err(|problem| unusable(problem.to_string()))?;
        let environment = ort::init_from(path)
            .map_err(|error| refused(path, error))?
            .with_name("finch")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let runtime = Self { environment, library: path.into() };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The file it was loaded from.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("library", &self.library).finish_non_exhaustive()
    }
}

fn refused(path: &Path, error: ort::LoadDynamicError) -> RuntimeError {
    match error {
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            RuntimeError::TooOld { path: path.to_owned(), version: version_str }
        }
        ort::LoadDynamicError::Dlopen { error, .. } => {
            RuntimeError::Unusable { path: path.to_owned(), problem: error.to_string() }
        }
        ort::LoadDynamicError::MissingApi { .. } | ort::LoadDynamicError::InvalidVersionString => {
            RuntimeError::Unusable { path: path.to_owned(), problem: "it is not ONNX Runtime".to_owned() }
        }
    }
}

/// ONNX Runtime's own lines. Its errors also come back as values, so they are no errors here.
fn log(level: ort::logging::LogLevel, category: &str, _id: &str, place: &str, message: &str) {
    use ort::logging::LogLevel;
    match level {
        LogLevel::Verbose | LogLevel::Info => tracing::trace!(category, place, "{message}"),
        LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => tracing::debug!(category, place, "{message}"),
    }
}

#[cfg(test)]
mod tests;
