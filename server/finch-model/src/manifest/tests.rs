use super::*;

const GOOD: &str = r#"
format = 1
id = "qwen2.5-coder-0.5b"
architecture = "qwen2"
licence = "Apache-2.0"
quant = "int8"
[shape]
layers = 24
heads = 14
kv_heads = 2
head_dim = 64
hidden = 896
vocab = 151936
context_tokens_max = 32768
[tokens]
stop = [151643, 151645]
bos = 151643
add_bos = false
[tokens.fim]
prefix = 151659
suffix = 151661
middle = 151660
[prompt]
infill = "fim"
[source]
file = "qwen.gguf"
sha256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
bytes = 491400064
[build]
finch = "0.1.0"
kl = 0.004
kl_tokens = 2048
[[files]]
name = "model.onnx"
bytes = 3
[[files]]
name = "model.onnx.data"
bytes = 5
[[files]]
name = "tokenizer.json"
bytes = 2
"#;

/// A model directory with the given manifest and files of the sizes that `GOOD` states.
fn directory(manifest: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in
        [(MANIFEST_FILE, manifest), (GRAPH_FILE, "abc"), (WEIGHTS_FILE, "abcde"), (TOKENIZER_FILE, "{}")]
    {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[track_caller]
fn refused(line: &str, instead: &str, why: &str) {
    assert!(GOOD.contains(line), "{line}");
    let error = Manifest::read(directory(&GOOD.replace(line, instead)).path()).unwrap_err();
    assert!(matches!(error, ManifestError::Invalid { .. }), "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_good_manifest_is_read_whole() {
    let manifest = Manifest::read(directory(GOOD).path()).unwrap();
    assert_eq!(manifest.id.as_str(), "qwen2.5-coder-0.5b");
    assert_eq!((manifest.quant, manifest.infill), (Quant::Int8, InfillStyle::Fim));
    assert_eq!((manifest.shape.layers, manifest.shape.kv_heads, manifest.shape.vocab), (24, 2, 151_936));
    assert_eq!(manifest.tokens.stop, [151_643, 151_645]);
    assert_eq!(manifest.tokens.fim, Some(FimTokens { prefix: 151_659, suffix: 151_661, middle: 151_660 }));
    assert_eq!((manifest.build.kl, manifest.build.kl_tokens), (Some(0.004), Some(2048)));
    assert_eq!(manifest.bytes(), 10);
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let dir = directory(GOOD);
    let mut manifest = Manifest::read(dir.path()).unwrap();
    (manifest.build.kl, manifest.build.kl_tokens, manifest.tokens.bos) = (None, None, None);
    manifest.write(dir.path()).unwrap();
    assert_eq!(Manifest::read(dir.path()).unwrap(), manifest);
}

#[test]
fn a_manifest_that_would_not_be_read_is_not_blessed() {
    let dir = directory(GOOD);
    let mut manifest = Manifest::read(dir.path()).unwrap();
    manifest.files[0].bytes += 1;
    assert!(matches!(manifest.write(dir.path()), Err(ManifestError::Invalid { .. })));
}

#[test]
fn unknown_keys_are_let_through() {
    let text = GOOD.replace("[build]", "[build]\ncolour = \"blue\"");
    assert!(Manifest::read(directory(&text).path()).is_ok());
}

#[test]
fn senseless_numbers_are_refused() {
    refused("layers = 24", "layers = 0", "shape.layers = 0");
    refused("heads = 14", "heads = 15", "15 heads cannot share 2");
    refused("kv_heads = 2", "kv_heads = 0", "shape.kv_heads = 0");
    refused("vocab = 151936", "vocab = 9223372036854775807", "shape.vocab");
    refused("head_dim = 64", "head_dim = -1", "invalid value");
    refused("stop = [151643, 151645]", "stop = [151936]", "outside a vocabulary");
    refused("middle = 151660", "middle = 999999", "outside a vocabulary");
    refused("kl = 0.004", "kl = nan", "build.kl");
    refused("bos = 151643\nadd_bos = false", "add_bos = true", "no tokens.bos");
}

#[test]
fn fim_needs_its_tokens() {
    let (before, rest) = GOOD.split_once("[tokens.fim]").unwrap();
    let (_, after) = rest.split_once("[prompt]").unwrap();
    let text = format!("{before}[prompt]{after}");
    let error = Manifest::read(directory(&text).path()).unwrap_err();
    assert!(error.to_string().contains("no tokens.fim"), "{error}");
    assert!(Manifest::read(directory(&text.replace("\"fim\"", "\"prefix\"")).path()).is_ok());
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    refused("id = \"qwen2.5-coder-0.5b\"", "id = \"../evil\"", "no model id");
    for name in ["../model.onnx", "/etc/passwd", "a\\\\b", "", ".hidden", "c:x"] {
        refused(
            "[[files]]\nname = \"model.onnx\"",
            &format!("[[files]]\nname = \"{name}\"\nbytes = 1\n[[files]]\nname = \"model.onnx\""),
            "no file name",
        );
    }
}

#[test]
fn every_part_of_the_model_is_listed() {
    refused("name = \"tokenizer.json\"", "name = \"tokens.json\"", "does not list tokenizer.json");
}

#[test]
fn another_format_is_named_as_such() {
    refused("format = 1", "format = 2", "format 2 is not the format 1");
    let dir = directory("format = 7\nnothing = \"else\"");
    assert!(Manifest::read(dir.path()).unwrap_err().to_string().contains("format 7"));
}

#[test]
fn a_cut_or_missing_file_is_named() {
    let dir = directory(GOOD);
    fs::write(dir.path().join(WEIGHTS_FILE), "abcd").unwrap();
    let error = Manifest::read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("model.onnx.data: has 4 bytes where 5 were written; import the model again"), "{error}");
    fs::remove_file(dir.path().join(WEIGHTS_FILE)).unwrap();
    assert!(Manifest::read(dir.path()).unwrap_err().to_string().contains("model.onnx.data: missing"));
}

#[test]
fn an_empty_directory_has_no_model() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Manifest::read(dir.path()), Err(ManifestError::Absent { .. })));
    assert!(matches!(Manifest::read(&dir.path().join("nowhere")), Err(ManifestError::Absent { .. })));
}

#[test]
fn a_cut_or_flipped_manifest_never_panics() {
    // Without its last line break it is whole.
    for cut in 0..GOOD.len() - 1 {
        let dir = directory(&GOOD[..cut]);
        assert!(Manifest::read(dir.path()).is_err(), "cut at {cut}");
    }
    let long = format!("{GOOD}# {}", "x".repeat(70_000));
    assert!(Manifest::read(directory(&long).path()).unwrap_err().to_string().contains("too long"));
    let dir = directory(GOOD);
    fs::write(dir.path().join(MANIFEST_FILE), [0xff, 0xfe]).unwrap();
    assert!(Manifest::read(dir.path()).unwrap_err().to_string().contains("not UTF-8"));
}

#[test]
fn ids_that_play_path_tricks_are_refused() {
    for id in ["smollm2-135m", "a", "0", &"a".repeat(64), "a..b"] {
        assert_eq!(id.parse::<ModelId>().map(|id| id.to_string()), Ok(id.to_owned()));
    }
    for id in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/x",
        ".hidden",
        "-x",
        "Aa",
        "a b",
        "a\0",
        "ä",
        "a%00",
        &"a".repeat(65),
        &"x".repeat(4096),
    ] {
        let error = id.parse::<ModelId>().unwrap_err();
        assert!(error.to_string().len() < 400, "{error}");
    }
}

#[test]
fn quants_are_parsed_as_printed() {
    for quant in Quant::ALL {
        assert_eq!(quant.to_string().parse(), Ok(quant));
    }
    assert_eq!(
        "q4".parse::<Quant>().unwrap_err().to_string(),
        "\"q4\" is no quantisation: use int4, int8, fp16 or fp32"
    );
}
