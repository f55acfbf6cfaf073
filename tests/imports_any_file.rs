//! Weights of the user's own become a model: built, measured against their source, used and removed.

#[cfg(unix)]
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use finch_engine::{Runtime, kl, runtime};
use finch_model::Manifest;
use finch_model::gguf::TensorKind;
use finch_model::tiny::{HubSpec, TinyArchitecture, TinySpec, TinyVocabulary, write_hub, write_tiny_gguf};
use serde_json::Value;

use crate::support::finch::{Background, finch, fixture, home_with_a_model};

/// Completes a place in the fixture with the only model of a home.
fn complete(home: &Path) -> Value {
    let place = format!("{}:17:5", fixture("demo.py").display());
    let said = finch(home, &["complete", &place, "--json"]);
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err))
}

/// The names in the models folder but the lock file.
fn names(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("models")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name != ".import.lock").collect()
}

/// Imports a small random model with so many bits and uses it.
#[track_caller]
fn check(architecture: TinyArchitecture, quant: &str) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("Some Model.gguf");
    write_tiny_gguf(&file, TinySpec { architecture, ..TinySpec::default() }).unwrap();
    let said = finch(home.path(), &["model", "import", file.to_str().unwrap(), "--quant", quant]);
    assert_eq!(said.code, 0, "{}", said.err);
    let list = finch(home.path(), &["model", "list", "--json"]);
    let rows: Value = serde_json::from_str(&list.out).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["id"] == "some-model").unwrap();
    assert_eq!((&row["installed"], &row["quant"]), (&Value::Bool(true), &Value::from(quant)));
    if quant == "int8" {
        let kl = row["kl"].as_f64().unwrap();
        assert!(kl > 0.0 && kl <= 0.02, "{kl}");
    }
    let place = format!("{}:17:5", fixture("demo.py").display());
    let said = finch(home.path(), &["complete", &place, "--json"]);
    let json: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
    assert_eq!(json["model"], "some-model");
    assert_eq!(said.code, if json["reason"].is_null() { 0 } else { 3 });
    assert!(json["generated_tokens"].as_u64().unwrap() > 0, "{json}");
    assert_eq!(finch(home.path(), &["model", "remove", "some-model"]).code, 0);
    let left = std::fs::read_dir(home.path().join("models")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).filter(|name| name != ".import.lock").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn every_family_in_8_bits() {
    for architecture in TinyArchitecture::ALL {
        check(architecture, "int8");
    }
}

#[test]
fn a_hub_directory_with_a_vocabulary_of_pieces() {
    let home = tempfile::tempdir().unwrap();
    let (gguf, hub) = (home.path().join("m.gguf"), home.path().join("Pieces"));
    let spec = TinySpec { vocab: 1500, vocabulary: TinyVocabulary::Pieces, ..TinySpec::default() };
    write_tiny_gguf(&gguf, spec).unwrap();
    write_hub(&gguf, &hub, HubSpec::default()).unwrap();
    let said = finch(home.path(), &["model", "import", hub.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let tokens = Manifest::read(&home.path().join("models/pieces")).unwrap().tokens;
    assert_eq!((tokens.bos, tokens.add_bos, tokens.eos), (Some(1), true, Some(2)));
    assert!(complete(home.path())["generated_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn a_build_that_strays_too_far_is_refused_unless_forced() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("m.gguf");
    write_tiny_gguf(&file, TinySpec::default()).unwrap();
    let import = ["model", "import", file.to_str().unwrap(), "--head", "int4", "--embeddings", "int4"];
    let refused = finch(home.path(), &import);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{}", refused.err);
    assert!(refused.err.contains("strays too far") && refused.err.contains("at most 0.02"), "{}", refused.err);
    assert!(names(home.path()).is_empty(), "{:?}", names(home.path()));
    let forced = finch(home.path(), &[&import[..], &["--force"]].concat());
    assert_eq!(forced.code, 0, "{}", forced.err);
    let build = Manifest::read(&home.path().join("models/m")).unwrap().build;
    assert!(build.kl.unwrap() > 0.02 && build.kl_tokens.unwrap() >= 2_000, "{build:?}");
}

#[test]
fn a_qwen2_in_full_precision() {
    check(TinyArchitecture::Qwen2, "fp32");
}

#[test]
fn a_real_model_in_safetensors_is_the_model_of_its_gguf_file() {
    let shared = home_with_a_model();
    let of_gguf = shared.join("models/smollm2-135m");
    let source = shared.join("models/.downloads").join(Manifest::read(&of_gguf).unwrap().source.file);
    let home = tempfile::tempdir().unwrap();
    let hub = home.path().join("SmolLM2");
    write_hub(&source, &hub, HubSpec { tensor_type: TensorKind::F16, shards: 2 }).unwrap();
    let said = finch(home.path(), &["model", "import", hub.to_str().unwrap(), "--id", "from-hub"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let manifest = Manifest::read(&home.path().join("models/from-hub")).unwrap();
    let (kl, tokens) = (manifest.build.kl.unwrap(), manifest.build.kl_tokens.unwrap());
    assert!(kl > 0.0 && kl <= 0.02 && tokens >= 2_000, "{kl} over {tokens} tokens");
    // Both round the same numbers to 8 bits, these after 16-bit floats.
    let library = Runtime::load(&runtime::find(home.path()).unwrap()).unwrap();
    let apart = kl::measure(&library, &of_gguf, &home.path().join("models/from-hub"), &kl::CORPUS[..2_000]).unwrap();
    println!("safetensors against GGUF, both in 8 bits: {apart:?}; against the source: {kl:.5} over {tokens} tokens");
    assert!(apart.mean_kl < 0.01 && apart.top1_agreement > 0.9, "{apart:?}");
    let json = complete(home.path());
    assert_eq!((&json["model"], &json["reason"]), (&Value::from("from-hub"), &Value::Null));
    assert!(!json["text"].as_str().unwrap().trim().is_empty(), "{json}");
}

/// A file large enough to be broken off in the middle: several times what is made durable at once.
fn large_file(home: &Path) -> PathBuf {
    let file = home.join("m.gguf");
    let spec = TinySpec { hidden: 1024, ff: 4096, heads: 16, kv_heads: 4, layers: 6, ..TinySpec::default() };
    write_tiny_gguf(&file, spec).unwrap();
    file
}

/// The directory of an import that has made some of its weights durable.
fn part(home: &Path) -> Option<PathBuf> {
    let part = names(home).into_iter().find(|name| name.contains(".part-")).map(|name| home.join("models").join(name));
    part.filter(|part| std::fs::metadata(part.join("progress")).is_ok_and(|file| file.len() > 0))
}

#[test]
fn an_import_that_is_killed_goes_on_the_next_time() {
    let home = tempfile::tempdir().unwrap();
    let file = large_file(home.path());
    let arguments = ["model", "import", file.to_str().unwrap(), "--quant", "fp32"];
    let mut running = Background::start(home.path(), &arguments);
    running.wait_until(|| part(home.path()).is_some());
    running.kill();
    assert!(part(home.path()).is_some());
    let said = finch(home.path(), &arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(names(home.path()), ["m"]);
    assert_eq!(complete(home.path())["model"], "m");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_an_import_and_the_next_one_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let file = large_file(home.path());
    let arguments = ["model", "import", file.to_str().unwrap(), "--quant", "fp32"];
    let mut running = Background::start(home.path(), &arguments);
    running.wait_until(|| part(home.path()).is_some());
    let said = running.interrupt();
    assert_eq!((said.code, said.out.as_str()), (130, ""), "{}", said.err);
    assert!(said.err.contains("run the same command again, and it goes on from there"), "{}", said.err);
    let stopped = said.err.lines().find(|line| line.starts_with("importing m (fp32): stopped at ")).unwrap();
    assert!(stopped.contains(" MB of ") && stopped.ends_with(" s"), "{stopped}");
    // What was written is not written again: a mark in it is still there at the end.
    let mark = b"written before the interrupt";
    let weights = part(home.path()).unwrap().join("model.onnx.data");
    let whole = std::fs::OpenOptions::new().write(true).open(&weights).unwrap();
    whole.write_all_at(mark, 4096).unwrap();
    let said = finch(home.path(), &arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(names(home.path()), ["m"]);
    let mut found = [0; 28];
    let built = std::fs::File::open(home.path().join("models/m/model.onnx.data")).unwrap();
    built.read_exact_at(&mut found, 4096).unwrap();
    assert_eq!(&found, mark);
    let done = said.err.lines().find(|line| line.starts_with("importing m (fp32): ")).unwrap();
    assert!(done.contains(" MB, done in ") && done.ends_with(" s"), "{done}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_while_a_build_is_tried_out_is_no_fault_of_the_build() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("m.gguf");
    let spec = TinySpec { hidden: 512, ff: 1024, heads: 8, layers: 4, ..TinySpec::default() };
    write_tiny_gguf(&file, spec).unwrap();
    let mut running = Background::start(home.path(), &["model", "import", file.to_str().unwrap()]);
    let candidate = home.path().join("models/.measuring-m/candidate/m");
    // The trial is what comes next.
    running.wait_until(|| candidate.join("model.toml").is_file());
    let said = running.interrupt();
    assert_eq!((said.code, said.out.as_str()), (130, ""), "{}", said.err);
    assert!(candidate.join("model.toml").is_file());
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_measurement_and_keeps_what_is_built() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("m.gguf");
    let spec = TinySpec { hidden: 512, ff: 1024, heads: 8, layers: 4, ..TinySpec::default() };
    write_tiny_gguf(&file, spec).unwrap();
    let arguments = ["model", "import", file.to_str().unwrap()];
    let mut running = Background::start(home.path(), &arguments);
    let bench = home.path().join("models/.measuring-m");
    running.wait_until(|| bench.join("Source/m/model.toml").is_file());
    let said = running.interrupt();
    assert_eq!((said.code, said.out.as_str()), (130, ""), "{}", said.err);
    assert!(bench.join("candidate/m/model.toml").is_file() && bench.join("Source/m/model.toml").is_file());
    let said = finch(home.path(), &arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(names(home.path()), ["m"]);
}

#[test]
fn a_directory_that_is_no_model_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let hub = home.path().join("hub");
    std::fs::create_dir(&hub).unwrap();
    let import = || finch(home.path(), &["model", "import", hub.to_str().unwrap()]);
    let said = import();
    assert!(said.code == 1 && said.err.contains("it has no config.json"), "{}", said.err);
    let gguf = home.path().join("m.gguf");
    write_tiny_gguf(&gguf, TinySpec::default()).unwrap();
    write_hub(&gguf, &hub, HubSpec::default()).unwrap();
    let weights = hub.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    for percent in [0, 1, 50, 99] {
        std::fs::write(&weights, &whole[..whole.len() * percent / 100]).unwrap();
        let said = import();
        assert!(said.code == 1 && said.err.contains("model.safetensors"), "{percent} %: {}", said.err);
    }
    assert!(names(home.path()).is_empty(), "{:?}", names(home.path()));
}

/// A line of what Linux says of a process's memory, in bytes.
#[cfg(target_os = "linux")]
fn memory_bytes(process: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|found| found.strip_prefix(line))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(target_os = "linux")]
#[test]
fn an_import_holds_its_largest_tensor_and_little_more() {
    /// Beside the largest tensor: the program itself, and what it reads and writes in one step.
    const SLACK_BYTES: u64 = 64 << 20;
    let home = tempfile::tempdir().unwrap();
    let (gguf, hub) = (home.path().join("m.gguf"), home.path().join("m"));
    let spec = TinySpec { hidden: 1024, ff: 4096, heads: 16, kv_heads: 4, layers: 8, ..TinySpec::default() };
    write_tiny_gguf(&gguf, spec).unwrap();
    write_hub(&gguf, &hub, HubSpec { tensor_type: TensorKind::F16, shards: 2 }).unwrap();
    std::fs::remove_file(&gguf).unwrap();
    let sizes = std::fs::read_dir(&hub).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    let (total, largest) = (sizes.sum::<u64>(), 1024 * 4096 * 2);
    assert!(total > 3 * (largest + SLACK_BYTES), "{total}");
    let import = |quant| Background::start(home.path(), &["model", "import", hub.to_str().unwrap(), "--quant", quant]);
    // Building: all that the process made and all that it has mapped.
    let mut running = import("fp32");
    let (id, mut peak) = (running.id(), 0);
    while running.is_running() {
        peak = memory_bytes(id, "VmHWM:").map_or(peak, |now| peak.max(now));
    }
    println!("building: {} MiB of {} MiB", peak >> 20, total >> 20);
    assert!(peak > 8 << 20 && peak <= largest + SLACK_BYTES, "{} MiB", peak >> 20);
    // Measuring maps the weights in full precision, twice the size of the source; once all of it has been looked at, what the
    // process made itself is still far less. The candidate is counted, since not every processor reads it where it lies.
    let mut running = import("int8");
    let id = running.id();
    running.wait_until(|| memory_bytes(id, "VmHWM:").is_some_and(|all| all > 2 * total));
    let own = memory_bytes(id, "RssAnon:").unwrap();
    println!("measuring: {} MiB of its own", own >> 20);
    assert!(own < total, "{} MiB", own >> 20);
    assert_eq!(running.interrupt().code, 130);
}
