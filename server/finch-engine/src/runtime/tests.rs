use std::{fs, path::PathBuf};

use super::{Origin, Runtime, RuntimeError, Surroundings, elf, find_in, refused};
use crate::testing;

/// A name this system gives the library.
fn name(version: &str) -> String {
    match std::env::consts::OS {
        "windows" => "onnxruntime.dll".to_owned(),
        "macos" => format!("libonnxruntime.{version}.dylib"),
        _ => format!("libonnxruntime.so.{version}"),
    }
}

struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn put(&self, dir: &str, name: &str) -> PathBuf {
        let path = self.root.path().join(dir).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "not a library").unwrap();
        path
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            home: self.root.path().join("home"),
            virtual_env: Some(self.root.path().join("venv")),
            system: vec![self.root.path().join("system")],
            ..Surroundings::default()
        }
    }
}

#[test]
fn each_place_gives_way_to_the_one_before() {
    let world = World::new();
    let mut surroundings = world.surroundings();
    assert_eq!(find_in(&surroundings), Err(RuntimeError::Absent));
    let put = |dir: &str, origin: Origin| {
        let path = world.put(dir, &name("1.31.1"));
        let found = find_in(&surroundings).unwrap();
        assert_eq!((found.path(), found.origin()), (&*path, origin));
    };
    put("system", Origin::System);
    put("venv/lib/python3.12/site-packages/onnxruntime/capi", Origin::Python);
    put("home/runtime", Origin::Home);
    let named = world.put("anywhere", "mine.so");
    surroundings.named = Some(named.clone());
    let found = find_in(&surroundings).unwrap();
    assert_eq!((found.path(), found.origin()), (&*named, Origin::Named));
}

#[test]
fn a_named_library_that_is_missing_is_not_replaced_silently() {
    let world = World::new();
    world.put("home/runtime", &name("1.31.1"));
    let path = world.root.path().join("gone.so");
    let surroundings = Surroundings { named: Some(path.clone()), ..world.surroundings() };
    assert_eq!(find_in(&surroundings), Err(RuntimeError::Misplaced { path }));
}

#[cfg(target_os = "linux")]
#[test]
fn the_newest_library_is_taken_and_other_files_are_not() {
    let world = World::new();
    for version in ["1.9.0", "1.31.1", "1.30.9"] {
        world.put("home/runtime", &name(version));
    }
    world.put("home/runtime", "libonnxruntime_providers_shared.so");
    world.put("home/runtime", "libonnxruntime.so.2.0.0.part");
    assert_eq!(find_in(&world.surroundings()).unwrap().path().file_name().unwrap(), name("1.31.1").as_str());
}

#[cfg(unix)]
fn python_that(world: &World, script: &str) -> Option<std::ffi::OsString> {
    use std::os::unix::fs::PermissionsExt;
    let path = world.put("bin", "python3");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Some(path.into())
}

// One test: a script that is being written while another test forks cannot be run.
#[cfg(unix)]
#[test]
fn python_is_asked_where_its_package_is_and_passed_over_if_it_knows_nothing() {
    let world = World::new();
    let path = world.put("packages/onnxruntime/capi", &name("1.31.1"));
    let package = path.parent().unwrap().parent().unwrap();
    let python = python_that(&world, &format!("echo '{}'", package.display()));
    let found = find_in(&Surroundings { python, ..world.surroundings() }).unwrap();
    assert_eq!((found.path(), found.origin()), (&*path, Origin::Python));
    for script in ["echo", "exit 3", "echo /nowhere/onnxruntime"] {
        let python = python_that(&world, script);
        assert_eq!(find_in(&Surroundings { python, ..world.surroundings() }), Err(RuntimeError::Absent), "{script}");
    }
    let python = Some("/no/such/python".into());
    assert_eq!(find_in(&Surroundings { python, ..world.surroundings() }), Err(RuntimeError::Absent));
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_cut_short_is_refused_before_the_system_maps_it() {
    let whole = fs::read(testing::library().path()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name("1.31.1"));
    for (bytes, sentence) in [
        (&whole[..0], "it is no shared library"),
        (&b"\x7fELF\x02\x01"[..], "it is no shared library"),
        (&b"<html>404</html>"[..], "it is no shared library"),
        (&whole[..whole.len() / 2], "it is cut short"),
        (&whole[..whole.len() - 1], "it is cut short"),
    ] {
        fs::write(&path, bytes).unwrap();
        let problem = elf::check(&path).unwrap_err().to_string();
        assert!(problem.contains(sentence), "{problem}");
    }
    fs::write(&path, &whole).unwrap();
    elf::check(&path).unwrap();
}

#[test]
fn errors_say_what_happened_and_what_mends_it() {
    let path = PathBuf::from("/lib/x.so");
    let old = ort::LoadDynamicError::BadVersion { version_str: "1.17.3".to_owned(), path: path.clone() };
    assert_eq!(
        refused(&path, old).to_string(),
        "/lib/x.so is ONNX Runtime 1.17.3 and finch needs 1.22 or newer; run `finch setup` to get it"
    );
    let foreign = ort::LoadDynamicError::MissingApi { path: path.clone() };
    assert_eq!(
        refused(&path, foreign).to_string(),
        "/lib/x.so cannot be loaded: it is not ONNX Runtime; run `finch setup` to get a working ONNX Runtime"
    );
    assert_eq!(RuntimeError::Absent.to_string(), "ONNX Runtime is not on this machine; run `finch setup` to get it");
}

#[test]
fn loading_again_gives_the_same_runtime_and_another_file_is_refused() {
    let library = testing::library();
    let runtime = Runtime::load(&library).unwrap();
    assert_eq!(Runtime::load(&library).unwrap().library(), runtime.library());
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("libother.so");
    fs::copy(library.path(), &copy).unwrap();
    let other = find_in(&Surroundings { named: Some(copy.clone()), ..Surroundings::default() }).unwrap();
    let refusal = Runtime::load(&other).unwrap_err();
    assert_eq!(refusal, RuntimeError::AlreadyLoaded { loaded: library.path().to_owned(), wanted: copy });
}
