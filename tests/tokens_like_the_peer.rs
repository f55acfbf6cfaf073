//! The tokenizer that finch rebuilds from a GGUF file gives the same ids as llama.cpp on a megabyte of source code.

use std::path::Path;

use finch_model::tiny::{TinySpec, TinyVocabulary, write_tiny_gguf};

use crate::support::finch::{finch, home_with_a_model};
use crate::support::llama;

const BYTES_MIN: usize = 1_000_000;

/// Source text that stands wherever finch is built: its dependencies' code, in several scripts and styles.
fn texts() -> Vec<String> {
    let cargo = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let cargo = cargo.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cargo"));
    let mut folders = vec![cargo.join("registry/src")];
    let (mut texts, mut bytes) = (Vec::new(), 0);
    while let (Some(folder), true) = (folders.pop(), bytes < BYTES_MIN) {
        let mut entries: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| ["rs", "md", "toml", "c", "py", "js"].iter().any(|x| e == *x))
                && let Ok(text) = std::fs::read_to_string(&path)
                && (1_000..100_000).contains(&text.len())
            {
                bytes += text.len();
                texts.push(text);
            }
        }
    }
    assert!(bytes >= BYTES_MIN, "only {bytes} bytes of source code");
    texts
}

#[test]
fn token_ids_are_those_of_llama_cpp() {
    let home = home_with_a_model();
    let manifest = finch_model::Manifest::read(&home.join("models/smollm2-135m")).unwrap();
    let source = home.join("models/.downloads").join(&manifest.source.file);
    check(&source, &home.join("models/smollm2-135m/tokenizer.json"));
}

/// A tiny model with that vocabulary, as both have it.
fn check_tiny(vocabulary: TinyVocabulary) {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("tiny.gguf");
    write_tiny_gguf(&source, TinySpec { vocab: 9000, layers: 1, vocabulary, ..TinySpec::default() }).unwrap();
    let said = finch(home.path(), &["model", "import", source.to_str().unwrap(), "--quant", "fp32"]);
    assert_eq!(said.code, 0, "{}", said.err);
    check(&source, &home.path().join("models/tiny/tokenizer.json"));
}

#[test]
fn pieces_are_those_of_llama_cpp() {
    check_tiny(TinyVocabulary::Pieces);
}

#[test]
fn words_are_cut_where_llama_cpp_cuts_them() {
    let cuts = [
        "qwen2",
        "deepseek-r1-qwen",
        "llama-bpe",
        "gpt-4o",
        "smollm",
        "starcoder",
        "refact",
        "gpt-2",
        "deepseek-coder",
    ];
    for cut in cuts {
        println!("{cut}");
        check_tiny(TinyVocabulary::BytesCutAs(cut));
    }
}

/// Encodes source code with a model of llama.cpp's and with what finch made of it.
fn check(source: &Path, tokenizer: &Path) {
    let server = llama::Server::start(source, 2).unwrap();
    let ours = tokenizers::Tokenizer::from_file(tokenizer).unwrap();
    let mut tokens = 0;
    for text in texts() {
        let theirs = server.tokenize(&text).unwrap();
        let mine: Vec<i64> =
            ours.encode_fast(text.as_str(), false).unwrap().get_ids().iter().map(|&id| id.into()).collect();
        let at = theirs.iter().zip(&mine).position(|(a, b)| a != b);
        assert_eq!(at, None, "ids differ in {:?}…", &text[..text.floor_char_boundary(200)]);
        assert_eq!(theirs.len(), mine.len());
        tokens += mine.len();
    }
    assert!(tokens > BYTES_MIN / 10, "{tokens}");
}
