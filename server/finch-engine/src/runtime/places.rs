//! The places ONNX Runtime may be at, in the order they are looked at.
//!
//! What the process's environment says is a value, [`Surroundings`], so that tests make their own.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use super::RuntimeError;
use crate::limits;

/// Who brought a library here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user named it in `ORT_DYLIB_PATH`.
    Named,
    /// `finch setup` put it into `FINCH_HOME/runtime`.
    Home,
    /// It came with a Python package.
    Python,
    /// It is installed in the system.
    System,
}

/// A file that should be ONNX Runtime. Loading it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeLibrary {
    path: PathBuf,
    origin: Origin,
}

impl RuntimeLibrary {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }
}

/// What the environment says about where a library may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `ORT_DYLIB_PATH`.
    pub named: Option<PathBuf>,
    /// `FINCH_HOME`.
    pub home: PathBuf,
    /// `VIRTUAL_ENV`.
    pub virtual_env: Option<PathBuf>,
    /// The Python to ask; none asks nobody.
    pub python: Option<OsString>,
    /// Where the system keeps its libraries.
    pub system: Vec<PathBuf>,
}

impl Surroundings {
    /// The surroundings of this process.
    #[must_use]
    pub fn of_process(home: &Path) -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            named: variable("ORT_DYLIB_PATH").map(PathBuf::from),
            home: home.to_owned(),
            virtual_env: variable("VIRTUAL_ENV").map(PathBuf::from),
            python: Some(OsString::from(if cfg!(windows) { "python" } else { "python3" })),
            system: system_dirs(),
        }
    }
}

fn system_dirs() -> Vec<PathBuf> {
    let arch = env::consts::ARCH;
    let dirs: &[String] = &match env::consts::OS {
        "linux" => vec![
            "/usr/local/lib".to_owned(),
            format!("/usr/lib/{arch}-linux-gnu"),
            "/usr/lib64".to_owned(),
            "/usr/lib".to_owned(),
        ],
        "macos" => vec!["/opt/homebrew/lib".to_owned(), "/usr/local/lib".to_owned()],
        _ => Vec::new(),
    };
    dirs.iter().map(PathBuf::from).collect()
}

pub(super) fn find(surroundings: &Surroundings) -> Result<RuntimeLibrary, RuntimeError> {
    if let Some(path) = &surroundings.named {
        return if path.is_file() {
            Ok(RuntimeLibrary { path: path.clone(), origin: Origin::Named })
        } else {
            Err(RuntimeError::Misplaced { path: path.clone() })
        };
    }
    in_home(surroundings)
        .map(|path| RuntimeLibrary { path, origin: Origin::Home })
        .or_else(|| in_python(surroundings).map(|path| RuntimeLibrary { path, origin: Origin::Python }))
        .or_else(|| in_system(surroundings).map(|path| RuntimeLibrary { path, origin: Origin::System }))
        .ok_or(RuntimeError::Absent)
}

fn in_home(surroundings: &Surroundings) -> Option<PathBuf> {
    library_in(&surroundings.home.join("runtime"))
}

fn in_system(surroundings: &Surroundings) -> Option<PathBuf> {
    surroundings.system.iter().find_map(|dir| library_in(dir))
}

fn in_python(surroundings: &Surroundings) -> Option<PathBuf> {
    let packages = surroundings.virtual_env.iter().flat_map(|root| site_packages(root));
    packages
        .map(|packages| packages.join("onnxruntime"))
        .find_map(|package| library_in(&package.join("capi")))
        .or_else(|| library_in(&ask_python(surroundings.python.as_ref()?)?.join("capi")))
}

/// The package directories of a virtual environment.
fn site_packages(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.join("Lib").join("site-packages")];
    if let Ok(entries) = fs::read_dir(root.join("lib")) {
        let mut versions: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        versions.sort();
        found.extend(versions.into_iter().rev().map(|version| version.join("site-packages")));
    }
    found
}

/// The newest ONNX Runtime library in a directory.
fn library_in(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?;
    let named = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let version = version_in(entry.file_name().to_str()?)?;
        entry.path().is_file().then(|| (version, entry.path()))
    });
    named.max().map(|(_, path)| path)
}

/// The version in a library's file name, empty if it has none; nothing if it is another file.
fn version_in(name: &str) -> Option<Vec<u32>> {
    let version = match env::consts::OS {
        "windows" => name.eq_ignore_ascii_case("onnxruntime.dll").then_some("")?,
        "macos" => name.strip_prefix("libonnxruntime")?.strip_suffix(".dylib")?,
        _ => name.strip_prefix("libonnxruntime.so")?,
    };
    if version.is_empty() {
        return Some(Vec::new());
    }
    version.strip_prefix('.')?.split('.').map(|part| part.parse().ok()).collect()
}

/// Where Python keeps the package, without running any of it.
///
/// The working directory and `PYTHONPATH` are not looked at: a workspace must not choose a library for finch.
fn ask_python(python: &OsString) -> Option<PathBuf> {
    const QUESTION: &str = "import sys; sys.path = [p for p in sys.path if p not in ('', '.')]\n\
        import importlib.util as u; s = u.find_spec('onnxruntime')\n\
        print(s.submodule_search_locations[0] if s and s.submodule_search_locations else '')";
    let mut child = Command::new(python)
        .args(["-E", "-c", QUESTION])
        .current_dir(if cfg!(windows) { "C:\\" } else { "/" })
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let ended = wait_a_little(&mut child);
    if !ended {
        tracing::debug!("{} did not answer in time", python.display());
        if let Err(error) = child.kill().and_then(|()| child.wait()) {
            tracing::debug!("{} could not be ended: {error}", python.display());
        }
        return None;
    }
    let mut answer = String::new();
    child.stdout.take()?.take(limits::PYTHON_ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let path = answer.trim_end_matches(['\r', '\n']);
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// Whether the child ended before its deadline. It writes less than a pipe holds, so it does not wait for a reader.
fn wait_a_little(child: &mut Child) -> bool {
    let deadline = Instant::now() + limits::PYTHON_ANSWER_MAX;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) => thread::sleep(limits::PYTHON_ANSWER_POLL),
            Err(_) => return false,
        }
    }
    false
}
