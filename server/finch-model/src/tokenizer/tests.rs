use super::*;
use crate::gguf::Gguf;
use crate::tiny::{self, GgufWriter, TinyArchitecture, TinySpec, TinyVocabulary};

/// Ids below 256 are bytes; 257 is `Ġb`; from 300 on come the tokens of [`SPECIAL_FROM`].
const SPECIAL_FROM: u32 = 300;

fn file(architecture: TinyArchitecture) -> GgufWriter {
    let spec = TinySpec { architecture, vocab: 307, ..TinySpec::default() };
    tiny::model(&spec).expect("a sound spec")
}

fn with<T>(file: GgufWriter, look: impl FnOnce(&Vocabulary<'_>) -> T) -> Result<T, String> {
    let gguf = Gguf::from_bytes("m.gguf", file.into_bytes()).expect("sound");
    let checkpoint = Checkpoint::Gguf(gguf);
    Vocabulary::read(&checkpoint, 307).map(|vocabulary| look(&vocabulary)).map_err(|error| error.to_string())
}

fn json(file: GgufWriter) -> Value {
    let written = with(file, |vocabulary| {
        let mut bytes = Vec::new();
        vocabulary.write_json(&mut bytes).expect("memory");
        bytes
    });
    serde_json::from_slice(&written.expect("a vocabulary")).expect("json")
}

#[test]
fn every_token_keeps_its_id() {
    let json = json(file(TinyArchitecture::Qwen2));
    let vocab = json["model"]["vocab"].as_object().expect("a map");
    assert_eq!(vocab.len(), 307);
    assert_eq!((&vocab["a"], &vocab["Ġ"], &vocab["Ġb"]), (&json!(97), &json!(32), &json!(257)));
    assert_eq!(json["model"]["merges"][1], "Ġ b");
    assert_eq!(json["model"]["type"], "BPE");
    assert_eq!(json["normalizer"], json!({ "type": "NFC" }));
}

#[test]
fn control_tokens_are_special_and_user_defined_ones_are_not() {
    let mut file = file(TinyArchitecture::Qwen2);
    let mut kinds = vec![1; 307];
    (kinds[300], kinds[305], kinds[306]) = (3, 4, 5);
    file.integers(KINDS, &kinds);
    let json = json(file);
    let added: Vec<(u64, &str, bool)> = json["added_tokens"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|token| (token["id"].as_u64().unwrap(), token["content"].as_str().unwrap(), token["special"] == true))
        .collect();
    assert_eq!(added, [(300, "<|endoftext|>", true), (305, "<|repo_name|>", false)]);
    let vocab = json["model"]["vocab"].as_object().expect("a map");
    assert_eq!((vocab.len(), vocab.get("<|file_sep|>")), (306, None));
}

#[test]
fn digits_stand_alone_in_the_starcoder_cut() {
    let json = json(file(TinyArchitecture::Llama));
    let level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let digits = json!({ "type": "Digits", "individual_digits": true });
    assert_eq!(json["pre_tokenizer"], json!({ "type": "Sequence", "pretokenizers": [digits, level] }));
    assert_eq!(json["normalizer"], Value::Null);
}

#[test]
fn every_known_cut_ends_in_bytes_and_bos_is_for_llama_alone() {
    for (name, cuts, bos) in [
        ("qwen2", 1, false),
        ("llama-bpe", 1, true),
        ("smollm", 1, false),
        ("starcoder", 1, false),
        ("gpt-2", 0, false),
        ("default", 4, false),
        ("deepseek-coder", 5, false),
    ] {
        let mut file = file(TinyArchitecture::Llama);
        file.text("tokenizer.ggml.pre", name);
        file.integer("tokenizer.ggml.bos_token_id", 300);
        let steps = json(file.clone())["pre_tokenizer"]["pretokenizers"].as_array().expect("a list").clone();
        assert_eq!((steps.len(), &steps[cuts]["type"]), (cuts + 1, &json!("ByteLevel")), "{name}");
        let tokens = with(file, |vocabulary| vocabulary.special()).expect("a vocabulary");
        assert_eq!((tokens.bos, tokens.add_bos), (Some(300), bos), "{name}");
    }
}

#[test]
fn what_the_file_says_of_bos_goes_first() {
    let mut file = file(TinyArchitecture::Llama);
    file.put("tokenizer.ggml.add_bos_token", 7, vec![1]);
    let tokens = with(file.clone(), |vocabulary| vocabulary.special()).expect("a vocabulary");
    assert_eq!((tokens.bos, tokens.add_bos), (None, false));
    file.integer("tokenizer.ggml.bos_token_id", 300);
    assert!(with(file, |vocabulary| vocabulary.special()).expect("a vocabulary").add_bos);
}

#[test]
fn tokens_around_code_are_found_by_text() {
    let tokens = with(file(TinyArchitecture::Qwen2), |vocabulary| vocabulary.special()).expect("a vocabulary");
    let fim = FimTokens { prefix: SPECIAL_FROM + 1, middle: SPECIAL_FROM + 2, suffix: SPECIAL_FROM + 3 };
    let stop = (SPECIAL_FROM..SPECIAL_FROM + 7).collect();
    assert_eq!(tokens, Tokens { stop, eos: Some(SPECIAL_FROM), bos: None, add_bos: false, fim: Some(fim) });
}

#[test]
fn tokens_named_by_the_metadata_go_before_those_found_by_text() {
    let mut file = file(TinyArchitecture::Qwen2);
    file.integer("tokenizer.ggml.fim_pre_token_id", 5);
    file.integer("tokenizer.ggml.eot_token_id", 6);
    file.integer("tokenizer.ggml.eom_token_id", 9999);
    let tokens = with(file, |vocabulary| vocabulary.special()).expect("a vocabulary");
    assert_eq!(tokens.fim.map(|fim| fim.prefix), Some(5));
    assert!(tokens.stop.starts_with(&[5, 6, 300]), "{:?}", tokens.stop);
}

#[test]
fn text_that_only_looks_like_a_stop_token_is_none() {
    let mut file = file(TinyArchitecture::Qwen2);
    file.integers(KINDS, &[1; 307]);
    let tokens = with(file, |vocabulary| vocabulary.special()).expect("a vocabulary");
    assert_eq!((tokens.stop, tokens.fim), (vec![300], None));
}

#[track_caller]
fn check_refused(spoil: impl FnOnce(&mut GgufWriter), message: &str) {
    let mut file = file(TinyArchitecture::Llama);
    spoil(&mut file);
    let error = with(file, |_| ()).expect_err("refused");
    assert!(error.starts_with("m.gguf") && error.contains(message), "{error}");
}

#[test]
fn tokenizers_that_are_not_known_exactly_are_refused_by_name() {
    check_refused(|file| file.text("tokenizer.ggml.model", "t5"), "a t5 tokenizer, finch reads gpt2");
    check_refused(
        |file| file.text("tokenizer.ggml.pre", "viking"),
        "pre-tokenizer viking, finch reads qwen2, deepseek-r1-qwen, llama-bpe",
    );
    check_refused(|file| file.integer("tokenizer.ggml.pre", 1), "does not say how text is cut");
    check_refused(|file| file.integers(KINDS, &[1; 306]), "307 tokens with 306 types for 307 ids");
    check_refused(|file| file.texts(TOKENS, &vec!["a".to_owned(); 308]), "308 tokens with 307 types");
    check_refused(|file| file.text(MERGES, "a b"), "tokenizer.ggml.merges is not an array of texts");
}

fn pieces() -> GgufWriter {
    let spec = TinySpec { vocab: 307, vocabulary: TinyVocabulary::Pieces, ..TinySpec::default() };
    tiny::model(&spec).expect("a sound spec")
}

#[test]
fn halves_of_better_pieces_are_put_together_first() {
    let mut file = pieces();
    let tokens = ["<unk>", "a", "b", "ab", "ba", "aba", "<0x0A>", "cab"].map(str::to_owned);
    file.texts(TOKENS, &tokens);
    file.integers(KINDS, &[2, 1, 1, 1, 1, 4, 6, 5]);
    file.floats("tokenizer.ggml.scores", &[0.0, -1.0, -2.0, -6.0, -5.0, -4.0, 0.0, 9.0]);
    let json = json(file);
    assert_eq!(json["model"]["merges"], json!([["a", "ba"], ["ab", "a"], ["b", "a"], ["a", "b"]]));
    assert_eq!(json["model"]["unk_token"], "<unk>");
    assert_eq!((&json["model"]["byte_fallback"], &json["pre_tokenizer"]), (&json!(true), &Value::Null));
}

#[test]
fn a_text_of_pieces_begins_with_a_space_unless_the_file_says_otherwise() {
    let steps = |file: GgufWriter| json(file)["normalizer"]["normalizers"].as_array().map(Vec::len);
    assert_eq!(steps(pieces()), Some(2));
    let mut file = pieces();
    file.put("tokenizer.ggml.add_space_prefix", 7, vec![0]);
    assert_eq!(steps(file), Some(1));
}

#[test]
fn scores_that_do_not_fit_the_pieces_are_refused() {
    for scores in [vec![0.0; 306], vec![f32::NAN; 307]] {
        let mut file = pieces();
        file.floats("tokenizer.ggml.scores", &scores);
        let error = with(file, |_| ()).expect_err("refused");
        assert!(error.contains("tokenizer.ggml.scores are not 307 numbers"), "{error}");
    }
}
