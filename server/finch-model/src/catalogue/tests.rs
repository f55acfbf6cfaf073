use super::*;

const SMALL: &str = r#"
default = "tiny"
[[models]]
id = "tiny"
name = "Tiny"
architecture = "llama"
licence = "Apache-2.0"
file = "tiny.gguf"
bytes = 7
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
context_tokens_max = 128
quant = "int8"
infill = "prefix"
kl = { int8 = 0.005 }
built = { int8 = { weights_bytes = 9, token_bytes = 7, token_products = 5, cache_bytes = 2 } }
[[models.sources]]
kind = "hub"
repo = "owner/name"
revision = "main"
file = "tiny.gguf"
[[models.sources]]
kind = "pip"
pieces = [
    { package = "tiny-1", version = "1.0", file = "tiny/1.bin", bytes = 3 },
    { package = "tiny-2", version = "1.0", file = "tiny/2.bin", bytes = 4 },
]
"#;

#[track_caller]
fn refused(line: &str, instead: &str, why: &str) {
    assert!(SMALL.contains(line), "{line}");
    let error = Catalogue::parse(&SMALL.replace(line, instead)).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
}

#[test]
fn the_builtin_catalogue_holds_together() {
    let catalogue = Catalogue::parse(include_str!("../catalogue.toml")).unwrap();
    assert_eq!(catalogue, Catalogue::builtin());
    let ids: Vec<_> = catalogue.models().iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["qwen2.5-coder-0.5b", "smollm2-135m"]);
    for entry in catalogue.models() {
        let kinds: Vec<_> = entry.sources.iter().map(Source::kind).collect();
        assert_eq!(kinds, [SourceKind::Hub, SourceKind::Pip], "{}", entry.id);
    }
    assert_eq!(catalogue.find(catalogue.default_id()).unwrap().architecture, "qwen2");
    assert_eq!(catalogue.find(&"unknown".parse().unwrap()), None);
}

#[test]
fn the_platforms_with_a_runtime_are_listed() {
    let catalogue = Catalogue::builtin();
    let file = |os, arch| catalogue.runtime(os, arch).map(|entry| entry.file.name.as_str());
    assert_eq!(file("linux", "x86_64"), Some("libonnxruntime.so.1.31.1"));
    assert_eq!(file("macos", "aarch64"), Some("libonnxruntime.1.31.1.dylib"));
    assert_eq!(file("windows", "x86_64"), Some("onnxruntime.dll"));
    assert_eq!(file("macos", "x86_64"), None);
}

#[test]
fn sources_are_read_in_order() {
    let catalogue = Catalogue::parse(SMALL).unwrap();
    let piece = |number: u64, bytes| Piece {
        package: format!("tiny-{number}"),
        version: "1.0".to_owned(),
        file: format!("tiny/{number}.bin"),
        bytes,
    };
    let hub = HubFile { repo: "owner/name".to_owned(), revision: "main".to_owned(), file: "tiny.gguf".to_owned() };
    assert_eq!(catalogue.models()[0].sources, [Source::Hub(hub), Source::Pip(vec![piece(1, 3), piece(2, 4)])]);
    assert_eq!(catalogue.models()[0].kl[&Quant::Int8], 0.005);
    assert_eq!(catalogue.models()[0].built[&Quant::Int8].token_bytes, 7);
}

#[test]
fn a_key_nobody_reads_is_refused() {
    refused("name = \"Tiny\"", "name = \"Tiny\"\ncolour = 1", "unknown field");
    refused("revision = \"main\"", "revision = \"main\"\nbranch = \"x\"", "unknown field");
    refused("bytes = 3 }", "bytes = 3, sha = 1 }", "unknown field");
    refused("token_bytes = 7", "token_bytes = 10", "no more than all");
    refused("token_bytes = 7", "token_bytes = 0", "no more than all");
    refused("kl = { int8 = 0.005 }", "kl = { int3 = 0.005 }", "unknown variant");
}

#[test]
fn names_that_could_be_paths_or_options_are_refused() {
    refused("id = \"tiny\"\n", "id = \"../tiny\"\n", "no model id");
    refused(
        "licence = \"Apache-2.0\"\nfile = \"tiny.gguf\"",
        "licence = \"\"\nfile = \"../tiny.gguf\"",
        "no plain name",
    );
    refused("repo = \"owner/name\"", "repo = \"owner/../name\"", "no plain path");
    refused("revision = \"main\"", "revision = \"a/b\"", "no plain name");
    refused("package = \"tiny-1\"", "package = \"--index-url=x\"", "no plain name");
    refused("version = \"1.0\", file = \"tiny/1.bin\"", "version = \"1 --pre\", file = \"x\"", "no plain name");
    refused("sha256 = \"ba78", "sha256 = \"../ba78", "64 hex digits");
}

#[test]
fn what_does_not_add_up_is_refused() {
    refused("bytes = 3 }", "bytes = 4 }", "add up to 7");
    refused("bytes = 3 }", "bytes = 9223372036854775807 }", "add up to 7");
    refused("\nbytes = 7", "\nbytes = 0", "has 0 bytes");
    refused("default = \"tiny\"", "default = \"other\"", "default other is not listed");
    refused("context_tokens_max = 128", "context_tokens_max = 0", "context_tokens_max = 0");
    refused("int8 = 0.005", "int8 = -1.0", "no divergence");
    let model = SMALL.split_once("[[models]]").unwrap().1;
    let twice = Catalogue::parse(&format!("{SMALL}[[models]]{model}")).unwrap_err().to_string();
    assert!(twice.contains("listed twice"), "{twice}");
}

#[test]
fn a_file_by_any_name_is_known_by_its_bytes() {
    let catalogue = Catalogue::builtin();
    for entry in catalogue.models() {
        assert_eq!(catalogue.infill_of(entry.file.sha256), Some(entry.infill), "{}", entry.id);
    }
    assert_eq!(catalogue.infill_of(Digest::of_bytes(b"another file")), None);
}
