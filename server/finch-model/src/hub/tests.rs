use std::fs;

use serde_json::json;

use super::rotary::Scaling;
use super::*;
use crate::checkpoint::Checkpoint;
use crate::tiny::{HubSpec, TinyArchitecture, TinySpec, write_hub, write_tiny_gguf};
use crate::tokenizer::Tokenizer;

/// A small sound directory.
fn sound(spec: HubSpec) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let gguf = root.path().join("m.gguf");
    write_tiny_gguf(&gguf, TinySpec { architecture: TinyArchitecture::Qwen2, ..TinySpec::default() }).unwrap();
    write_hub(&gguf, &root.path().join("hub"), spec).unwrap();
    root
}

fn open(root: &tempfile::TempDir) -> Result<Hub, String> {
    Hub::open(&root.path().join("hub")).map_err(|error| error.to_string())
}

fn edit(root: &tempfile::TempDir, file: &str, change: impl FnOnce(&mut Json)) {
    let path = root.path().join("hub").join(file);
    let mut json = fs::read(&path).map_or(json!({}), |bytes| serde_json::from_slice(&bytes).unwrap());
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

#[track_caller]
fn check_refused(spec: HubSpec, spoil: impl FnOnce(&tempfile::TempDir), message: &str) {
    let root = sound(spec);
    assert!(open(&root).is_ok());
    spoil(&root);
    let error = open(&root).expect_err("refused");
    assert!(error.contains(&*root.path().to_string_lossy()) && error.contains(message), "{error}");
}

/// The metadata a configuration becomes, without those that every model has.
#[track_caller]
fn check_metadata(config: Json, expected: &[(&str, Value)]) {
    let path = Path::new("m");
    let reader = Directory { path };
    let family = families::of(&reader, &config).expect("a family");
    let mut got = config::translate(&reader, &config, family).expect("metadata");
    config::add_special_tokens(&mut got, &config, &json!({}), &json!({}));
    let expected: BTreeMap<String, Value> =
        expected.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    assert_eq!(got, expected);
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_llama_3_configuration_becomes_metadata_and_factors() {
    let config = json!({
        "model_type": "llama", "num_hidden_layers": 16, "hidden_size": 2048, "intermediate_size": 8192,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-5, "rope_theta": 500_000.0, "hidden_act": "silu", "bos_token_id": 128_000,
        "eos_token_id": [128_001, 128_008, 128_009], "pretraining_tp": 1,
        "rope_scaling": { "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3" },
    });
    check_metadata(
        config.clone(),
        &[
            ("general.architecture", text("llama")),
            ("llama.attention.head_count", Value::Integer(32)),
            ("llama.attention.head_count_kv", Value::Integer(8)),
            ("llama.attention.key_length", Value::Integer(64)),
            ("llama.attention.value_length", Value::Integer(64)),
            ("llama.attention.layer_norm_rms_epsilon", Value::Float(1e-5)),
            ("llama.block_count", Value::Integer(16)),
            ("llama.context_length", Value::Integer(131_072)),
            ("llama.embedding_length", Value::Integer(2048)),
            ("llama.feed_forward_length", Value::Integer(8192)),
            ("llama.rope.freq_base", Value::Float(500_000.0)),
            ("llama.rope.scaling.original_context_length", Value::Integer(8192)),
            ("tokenizer.ggml.bos_token_id", Value::Integer(128_000)),
            ("tokenizer.ggml.eos_token_id", Value::Integer(128_001)),
            ("tokenizer.ggml.eos_token_ids", Value::Integers(vec![128_001, 128_008, 128_009])),
        ],
    );
    let [(name, factors)] = rotary::factors(&Directory { path: Path::new("m") }, &config).unwrap().try_into().unwrap();
    assert_eq!((name, factors.len()), ("rope_freqs.weight", 32));
    // A wavelength of 2π·500000^(i/32): below 2048 tokens untouched, above 8192 stretched whole.
    assert_eq!((factors[14], factors[18], factors[31]), (1.0, 32.0, 32.0));
    let wavelength = std::f64::consts::TAU * 500_000_f64.powf(16.0 / 32.0);
    let smooth = (8192.0 / wavelength - 1.0) / 3.0;
    assert!((f64::from(factors[16]) - 1.0 / ((1.0 - smooth) / 32.0 + smooth)).abs() < 1e-5);
}

#[test]
fn a_phi_4_mini_configuration_has_part_rotation_and_two_lists_of_factors() {
    let config = json!({
        "model_type": "phi3", "hidden_size": 3072, "num_attention_heads": 24, "partial_rotary_factor": 0.75,
        "max_position_embeddings": 131_072, "original_max_position_embeddings": 4096, "sliding_window": 262_144,
        "rope_theta": 10000.0, "rope_scaling": { "long_factor": [1.5, 2], "short_factor": [1, 1], "type": "longrope" },
    });
    check_metadata(
        config.clone(),
        &[
            ("general.architecture", text("phi3")),
            ("phi3.attention.head_count", Value::Integer(24)),
            ("phi3.context_length", Value::Integer(131_072)),
            ("phi3.embedding_length", Value::Integer(3072)),
            ("phi3.rope.dimension_count", Value::Integer(96)),
            ("phi3.rope.freq_base", Value::Float(10_000.0)),
            ("phi3.rope.scaling.attn_factor", Value::Float((1.0 + 32_f64.ln() / 4096_f64.ln()).sqrt())),
            ("phi3.rope.scaling.original_context_length", Value::Integer(4096)),
            ("phi3.rope.scaling.type", text("longrope")),
        ],
    );
    let factors = rotary::factors(&Directory { path: Path::new("m") }, &config).unwrap();
    let expected = vec![("rope_factors_long.weight", vec![1.5, 2.0]), ("rope_factors_short.weight", vec![1.0, 1.0])];
    assert_eq!(factors, expected);
}

#[test]
fn yarn_states_what_comes_on_top_of_its_own_magnitude() {
    let scaling = |attention: Json| {
        let config = json!({ "rope_scaling": { "rope_type": "yarn", "factor": 4.0, "attention_factor": attention } });
        Scaling::read(&Directory { path: Path::new("m") }, &config).unwrap().floats()
    };
    let factor = ("rope.scaling.factor", 4.0);
    assert_eq!(scaling(Json::Null), [factor]);
    assert_eq!(scaling(json!(1.0)), [factor, ("rope.scaling.attn_factor", 1.0 / (1.0 + 0.1 * 4_f64.ln()))]);
}

#[test]
fn yarn_that_is_not_cut_to_whole_pairs_says_so() {
    let config = |kind: &str, truncate: bool| {
        let scaling = json!({ "rope_type": kind, "factor": 4.0, "truncate": truncate });
        let config = json!({ "model_type": "llama", "rope_scaling": scaling });
        let reader = Directory { path: Path::new("m") };
        let family = families::of(&reader, &config).unwrap();
        config::translate(&reader, &config, family).unwrap().remove("llama.rope.scaling.yarn_truncate")
    };
    assert_eq!(config("yarn", false), Some(Value::Flag(false)));
    assert_eq!((config("yarn", true), config("linear", false)), (None, None));
}

#[test]
fn a_gemma_3_configuration_has_windows_and_two_bases() {
    let config = json!({
        "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 256,
        "sliding_window": 512, "sliding_window_pattern": 6, "max_position_embeddings": 32_768,
        "rope_theta": 1_000_000, "rope_local_base_freq": 10_000, "attn_logit_softcapping": null, "rope_scaling": null,
    });
    let both = |base: f64, key: &str| (format!("gemma3.{key}"), Value::Float(base));
    let (whole, window) = (both(1e6, "rope.freq_base"), both(1e4, "rope.freq_base_swa"));
    let expected = [
        ("general.architecture", text("gemma3")),
        ("gemma3.attention.scale", Value::Float(0.0625)),
        ("gemma3.attention.sliding_window", Value::Integer(512)),
        ("gemma3.attention.sliding_window_pattern", Value::Integer(6)),
        ("gemma3.context_length", Value::Integer(32_768)),
        (&whole.0, whole.1.clone()),
        (&window.0, window.1.clone()),
    ];
    check_metadata(config, &expected);
    check_metadata(
        json!({
            "model_type": "gemma3_text", "query_pre_attn_scalar": 256, "sliding_window": 512,
            "layer_types": ["sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention",
                "sliding_attention", "full_attention", "sliding_attention"], "max_position_embeddings": 32_768,
            "rope_parameters": { "full_attention": { "rope_theta": 1e6, "rope_type": "default" },
                "sliding_attention": { "rope_theta": 1e4, "rope_type": "default" } },
        }),
        &expected,
    );
}

#[test]
fn what_changes_the_sums_and_is_not_read_is_refused() {
    let spec = HubSpec::default();
    let config = |key: &'static str, value: Json| move |root: &_| edit(root, CONFIG, |json| json[key] = value);
    check_refused(spec, config("model_type", json!("mamba")), "model_type mamba, finch reads llama, mistral, qwen2");
    check_refused(spec, config("model_type", Json::Null), "does not say its model_type");
    check_refused(spec, config("hidden_act", json!("relu")), "activation relu, finch computes silu for qwen2");
    check_refused(spec, config("quantization_config", json!({})), "quantised already");
    check_refused(spec, config("rope_scaling", json!({ "type": "spiral" })), "rotary scaling spiral");
    check_refused(spec, config("rope_scaling", json!({ "type": "llama3" })), "without the numbers it needs");
    check_refused(spec, config("num_hidden_layers", json!(-1)), "num_hidden_layers is -1");
}

#[test]
fn files_that_are_missing_too_long_or_no_json_are_named() {
    let spec = HubSpec::default();
    let remove = |name: &'static str| {
        move |root: &tempfile::TempDir| fs::remove_file(root.path().join("hub").join(name)).unwrap()
    };
    let write = |name: &'static str, text: &'static str| {
        move |root: &tempfile::TempDir| fs::write(root.path().join("hub").join(name), text).unwrap()
    };
    check_refused(spec, remove(CONFIG), "it has no config.json");
    check_refused(spec, remove(TOKENIZER), "it has no tokenizer.json");
    check_refused(spec, remove(WEIGHTS), "it has neither model.safetensors nor model.safetensors.index.json");
    check_refused(spec, write(CONFIG, "[]"), "config.json is damaged or incomplete: it is not a JSON object");
    check_refused(spec, write(GENERATION, "{"), "generation_config.json");
    let pickled = |root: &tempfile::TempDir| {
        fs::rename(root.path().join("hub").join(WEIGHTS), root.path().join("hub/pytorch_model.bin")).unwrap();
    };
    check_refused(spec, pickled, "finch never loads pickled weights");
    let long = |root: &tempfile::TempDir| {
        let file = File::create(root.path().join("hub").join(CONFIG)).unwrap();
        file.set_len(limits::HUB_CONFIG_BYTES_MAX + 1).unwrap();
    };
    check_refused(spec, long, "more than");
}

#[test]
fn an_index_cannot_leave_its_directory_nor_promise_what_is_not_there() {
    let spec = HubSpec { shards: 2, ..HubSpec::default() };
    for outside in ["../m.safetensors", "/etc/m.safetensors", "a/b.safetensors", "m.gguf", ".safetensors"] {
        let point = |root: &_| edit(root, INDEX, |json| json["weight_map"]["lm_head.weight"] = outside.into());
        check_refused(spec, point, "is no name of a safetensors file beside it");
    }
    let promise = |root: &_| {
        edit(root, INDEX, |json| json["weight_map"]["x.weight"] = "model-00001-of-00002.safetensors".into());
    };
    check_refused(spec, promise, "says that x.weight is in it, and it is not");
    let lose = |root: &tempfile::TempDir| {
        fs::remove_file(root.path().join("hub/model-00002-of-00002.safetensors")).unwrap();
    };
    check_refused(spec, lose, "cannot open");
    let twice = |root: &tempfile::TempDir| {
        let file = |number: u32| root.path().join(format!("hub/model-0000{number}-of-00002.safetensors"));
        fs::copy(file(1), file(2)).unwrap();
        edit(root, INDEX, |json| {
            let map = json["weight_map"].as_object_mut().unwrap();
            map.retain(|_, file| file == "model-00001-of-00002.safetensors");
            map["lm_head.weight"] = "model-00002-of-00002.safetensors".into();
        });
    };
    check_refused(spec, twice, "occurs twice");
}

/// A header and so many bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[track_caller]
fn check_header(bytes: &[u8], message: Option<&str>) {
    let read = Safetensors::from_bytes("m.safetensors", bytes.to_vec()).map(|file| file.tensors().count());
    match (read, message) {
        (Ok(_), None) => {}
        (Err(error), Some(message)) => {
            let error = error.to_string();
            assert!(error.starts_with("m.safetensors ") && error.contains(message), "{error}");
        }
        (read, _) => panic!("{read:?}"),
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        file(&format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#), 8)
    };
    check_header(&one("F32", "[2]", "[0,8]"), None);
    check_header(&one("BF16", "[2,2]", "[0,8]"), None);
    check_header(&one("F32", "[4]", "[0,16]"), Some("damaged"));
    check_header(&one("F32", "[2]", "[4,12]"), Some("damaged"));
    check_header(&one("F32", "[2]", "[8,0]"), Some("damaged"));
    check_header(&one("F32", "[9223372036854775808,9223372036854775808]", "[0,8]"), Some("damaged"));
    check_header(&one("F32", "[2]", "[0,18446744073709551615]"), Some("damaged"));
    check_header(&one("F32", "[-2]", "[0,8]"), Some("damaged"));
    check_header(&one("I64", "[1]", "[0,8]"), Some("tensor a: numbers of type I64"));
    check_header(&one("F32", "[1,1,1,2,1]", "[0,8]"), Some("tensor a: shape"));
    check_header(&one("F32", "[0]", "[0,0]"), Some("damaged"));
    let overlapping = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    check_header(&file(overlapping, 8), Some("damaged"));
    check_header(b"", Some("it ends before its header"));
    check_header(&[255; 64], Some("a header of"));
    check_header(&(1_u64 << 63).to_le_bytes(), Some("a header of 9223372036854775808 bytes"));
    check_header(&file(&"[".repeat(4000), 0), Some("damaged"));
}

#[test]
fn a_cut_or_flipped_file_never_panics() {
    let root = sound(HubSpec { tensor_type: TensorKind::F16, shards: 1 });
    let path = root.path().join("hub").join(WEIGHTS);
    let whole = fs::read(&path).unwrap();
    for cut in [0, 1, 7, 8, 9, whole.len() / 2, whole.len() / 100 * 99, whole.len() - 1] {
        check_header(&whole[..cut], Some(""));
    }
    let header_len = whole.len().min(4096);
    let mut state = 7_u32;
    for _ in 0..1000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut bytes = whole.clone();
        bytes[state as usize / 64 % header_len] ^= 1 << (state % 8);
        if let Ok(file) = Safetensors::from_bytes("m.safetensors", bytes) {
            for tensor in file.tensors() {
                assert_eq!(tensor.numbers().len(), tensor.rows() * tensor.row_len());
            }
        }
    }
}

#[test]
fn norms_stored_less_one_are_read_whole() {
    let family = families::of_architecture("gemma3").unwrap();
    assert_eq!(family.tensor("model.layers.3.self_attn.q_norm.weight").unwrap(), "blk.3.attn_q_norm.weight");
    assert_eq!(
        family.tensor("model.layers.3.post_attention_layernorm.weight").unwrap(),
        "blk.3.post_attention_norm.weight"
    );
    assert_eq!((family.offset("blk.3.attn_q_norm.weight"), family.offset("blk.3.attn_q.weight")), (1.0, 0.0));
    assert_eq!(families::of_architecture("llama").unwrap().offset("output_norm.weight"), 0.0);
}

#[test]
fn the_card_the_template_and_the_tokens_are_read() {
    let root = sound(HubSpec::default());
    fs::write(root.path().join("hub").join(CARD), "---\ntags: x\nlicense: apache-2.0\n---\n# A model\n").unwrap();
    fs::write(root.path().join("hub").join(TEMPLATE), "{{ messages }}").unwrap();
    edit(&root, CONFIG, |json| json["eos_token_id"] = json!(3));
    edit(&root, GENERATION, |json| json["eos_token_id"] = json!([1, 2]));
    let hub = open(&root).unwrap();
    assert_eq!(
        (hub.text("general.license"), hub.text("tokenizer.chat_template")),
        (Some("apache-2.0"), Some("{{ messages }}"))
    );
    assert_eq!(hub.numbers("tokenizer.ggml.eos_token_ids"), Some(vec![1, 2, 3]));
}

#[test]
fn unigram_pieces_are_counted_and_must_fall_back_to_bytes() {
    let read = |kind: &str, byte_fallback: bool, ids: usize| {
        let root = sound(HubSpec::default());
        let vocab = json!([["<unk>", 0.0], ["<s>", 0.0], ["a", -1.0]]);
        edit(&root, TOKENIZER, |json| {
            json["model"] = json!({ "type": kind, "unk_id": 0, "vocab": vocab, "byte_fallback": byte_fallback });
            json["added_tokens"] = json!([{ "id": 1, "content": "<s>", "special": true }]);
        });
        let checkpoint = Checkpoint::open(&root.path().join("hub")).unwrap();
        Tokenizer::read(&checkpoint, ids).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read("Unigram", true, 3), Ok(()));
    for (read, part) in [
        (read("Unigram", true, 2), "has the token 2 of 2 ids"),
        (
            read("Unigram", false, 3),
            "a Unigram tokenizer in tokenizer.json, finch reads BPE, and Unigram that falls back",
        ),
        (read("WordPiece", true, 3), "a WordPiece tokenizer in tokenizer.json"),
    ] {
        assert!(read.as_ref().is_err_and(|error| error.contains(part)), "{read:?}");
    }
}
