//! Any model of a hub becomes a model here: fetched from a server that speaks a hub's protocol, built, measured and used.

use std::path::Path;

use finch_model::Manifest;
use finch_model::gguf::TensorKind;
use finch_model::tiny::{HubSpec, TinySpec, write_hub, write_tiny_gguf};

use crate::support::closed_port::ClosedPort;
use crate::support::finch::{Background, Said, command, said};
use crate::support::hub::{Hub, Manner};

fn pull(home: &Path, hub: &str, arguments: &[&str]) -> Said {
    said(command(home).args(["model", "pull"]).args(arguments).env("HF_ENDPOINT", hub))
}

/// `owner/Some-Model` in the layout of a hub, in two files of weights, and `owner/Some-GGUF` with two files.
fn repositories(spec: TinySpec) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("owner/Some-GGUF");
    std::fs::create_dir_all(&folder).unwrap();
    let quants = [("Some-Q8_0.gguf", TensorKind::Q8_0), ("Some-Q4_0.gguf", TensorKind::Q4_0)];
    for (name, tensor_type) in quants {
        write_tiny_gguf(&folder.join(name), TinySpec { tensor_type, ..spec }).unwrap();
    }
    let plain = root.path().join("plain.gguf");
    write_tiny_gguf(&plain, spec).unwrap();
    let layout = HubSpec { tensor_type: TensorKind::F16, shards: 2 };
    write_hub(&plain, &root.path().join("owner/Some-Model"), layout).unwrap();
    root
}

fn downloads(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("models/.downloads")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Files below the folder of downloads with anything of weights in them, whole or not.
fn weights(home: &Path) -> Vec<String> {
    let (mut folders, mut found) = (vec![home.join("models/.downloads")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (name, metadata) = (entry.file_name().into_string().unwrap(), entry.metadata().unwrap());
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.len() > 0 && [".gguf", ".safetensors", ".part"].iter().any(|end| name.ends_with(end)) {
                found.push(name);
            }
        }
    }
    found
}

#[test]
fn a_layout_of_safetensors_becomes_a_model() {
    let (root, home) = (repositories(TinySpec::default()), tempfile::tempdir().unwrap());
    let hub = Hub::serve(root.path(), Manner::Whole);
    let said = pull(home.path(), &hub.url, &["owner/Some-Model"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let manifest = Manifest::read(&home.path().join("models/some-model")).unwrap();
    assert_eq!((manifest.licence.as_str(), manifest.source.file.as_str()), ("apache-2.0", "Some-Model"));
    let (kl, tokens) = (manifest.build.kl.unwrap(), manifest.build.kl_tokens.unwrap());
    assert!(kl <= 0.02 && tokens >= 2_000, "{kl} over {tokens} tokens");
    assert_eq!(downloads(home.path()), [""; 0]);
}

#[test]
fn one_of_several_gguf_files_is_chosen() {
    let (root, home) = (repositories(TinySpec::default()), tempfile::tempdir().unwrap());
    let hub = Hub::serve(root.path(), Manner::Whole);
    let several = pull(home.path(), &hub.url, &["owner/Some-GGUF"]);
    assert_eq!((several.code, several.out.as_str()), (1, ""), "{}", several.err);
    assert!(several.err.contains("Some-Q8_0.gguf") && several.err.contains("Some-Q4_0.gguf"), "{}", several.err);
    let chosen = pull(home.path(), &hub.url, &["owner/Some-GGUF:Q8_0", "--id", "mine", "--keep-source"]);
    assert_eq!(chosen.code, 0, "{}", chosen.err);
    assert_eq!(Manifest::read(&home.path().join("models/mine")).unwrap().source.file, "Some-Q8_0.gguf");
    let before = hub.requests().len();
    // The file is still here: only the list of files is asked for.
    let again = pull(home.path(), &hub.url, &["owner/Some-GGUF/Some-Q8_0.gguf", "--quant", "int4"]);
    let asked = &hub.requests()[before..];
    assert_eq!((again.code, asked), (0, &["/api/models/owner/Some-GGUF/revision/main?blobs=true".to_owned()][..]));
    assert_eq!(downloads(home.path()), [""; 0]);
    assert_eq!(pull(home.path(), &hub.url, &["smollm2-135m", "--force"]).code, 1);
}

/// Row F6: the right name with other bytes, at every path on which a pull takes a file.
#[test]
fn a_file_with_another_sum_is_refused_and_nothing_of_it_stays() {
    let (root, home) = (repositories(TinySpec::default()), tempfile::tempdir().unwrap());
    let hub = Hub::serve(root.path(), Manner::OtherBytes);
    for name in ["owner/Some-GGUF:Q8_0", "owner/Some-Model"] {
        let said = pull(home.path(), &hub.url, &[name]);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
        assert!(said.err.contains("gave a file with sha256") && said.err.contains("it was deleted"), "{}", said.err);
        assert!(hub.requests().iter().any(|path| path.starts_with("/large/")), "{:?}", hub.requests());
        assert_eq!(weights(home.path()), [""; 0]);
    }
    let models = std::fs::read_dir(home.path().join("models")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(models.filter(|path| path.join("model.toml").exists()).count(), 0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_pull_and_the_next_one_goes_on() {
    let large = TinySpec { hidden: 512, ff: 2048, layers: 2, ..TinySpec::default() };
    let (root, home) = (repositories(large), tempfile::tempdir().unwrap());
    let hub = Hub::serve(root.path(), Manner::SilentOnce);
    let mut pulling = command(home.path());
    pulling.args(["model", "pull", "owner/Some-GGUF:Q8_0", "--quant", "fp32"]).env("HF_ENDPOINT", &hub.url);
    let mut running = Background::spawn(&mut pulling);
    let part = home.path().join("models/.downloads/owner/Some-GGUF/Some-Q8_0.gguf.part");
    running.wait_until(|| std::fs::metadata(&part).is_ok_and(|part| part.len() > 1_000_000));
    let stopped = running.interrupt();
    assert_eq!((stopped.code, stopped.out.as_str()), (130, ""), "{}", stopped.err);
    let have = std::fs::metadata(&part).unwrap().len();
    let said = said(&mut pulling);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(hub.requests().contains(&format!("/large/owner/Some-GGUF/Some-Q8_0.gguf {have}-")), "{:?}", hub.requests());
}

#[test]
fn a_hub_that_cannot_be_reached_is_said_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let nobody = ClosedPort::take().unwrap();
    let said = pull(home.path(), &format!("http://{}", nobody.address().unwrap()), &["owner/Some-Model"]);
    assert_eq!(said.code, 1);
    for part in ["owner/Some-Model", "cannot be reached", "HF_ENDPOINT", "finch model import"] {
        assert!(said.err.contains(part), "{}", said.err);
    }
    let unknown = pull(home.path(), &Hub::serve(home.path(), Manner::Whole).url, &["owner/Some-Model"]);
    assert!(unknown.code == 1 && unknown.err.contains("knows no such repository"), "{}", unknown.err);
}
