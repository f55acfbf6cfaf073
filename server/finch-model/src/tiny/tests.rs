use std::fs;

use super::*;
use crate::gguf::Gguf;

fn bytes(spec: TinySpec) -> Vec<u8> {
    model(&spec).expect("a sound spec").into_bytes()
}

#[test]
fn a_seed_decides_every_byte() {
    assert!(bytes(TinySpec::default()) == bytes(TinySpec::default()));
    assert!(bytes(TinySpec::default()) != bytes(TinySpec { seed: 2, ..TinySpec::default() }));
}

#[test]
fn the_file_on_disk_is_the_file_in_memory() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("m.gguf");
    write_tiny_gguf(&path, TinySpec::default()).expect("written");
    assert!(fs::read(&path).expect("there") == bytes(TinySpec::default()));
}

#[test]
fn ids_are_text_up_to_the_padding() {
    let kinds = |vocab| {
        let gguf =
            Gguf::from_bytes("m", bytes(TinySpec { vocab, hidden: 32, heads: 2, ..TinySpec::default() })).unwrap();
        let tokens = gguf.texts("tokenizer.ggml.tokens").unwrap().unwrap().into_iter().map(str::to_owned);
        let tokens: Vec<String> = tokens.collect();
        let kinds = gguf.numbers("tokenizer.ggml.token_type").unwrap().unwrap();
        assert_eq!((tokens.len(), kinds.len()), (vocab, vocab));
        (tokens, kinds.iter().filter(|kind| **kind == 5).count())
    };
    let (tokens, unused) = kinds(TinySpec::VOCAB_MIN);
    assert_eq!((tokens[b' ' as usize].as_str(), tokens[b'\n' as usize].as_str(), unused), ("Ġ", "Ċ", 0));
    assert_eq!(kinds(9000).1, 0);
    let (tokens, unused) = kinds(10_000);
    assert_eq!((tokens[9999].as_str(), unused), ("[PAD9999]", 10_000 - TinySpec::VOCAB_MIN - 26 - 94 * 94));
}

#[test]
fn numbers_have_the_mean_and_spread_asked_for() {
    let mut random = Random(7);
    let numbers: Vec<f32> = (0..10_000).map(|_| random.next()).collect();
    let mean = numbers.iter().sum::<f32>() / 10_000.0;
    let variance = numbers.iter().map(|number| number * number).sum::<f32>() / 10_000.0;
    assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
}

#[test]
fn specs_that_cannot_be_built_are_refused() {
    let sound = TinySpec::default();
    for spec in [
        TinySpec { layers: 0, ..sound },
        TinySpec { hidden: 48, ..sound },
        TinySpec { heads: 64, kv_heads: 1, hidden: 64, ..sound },
        TinySpec { head_dim: Some(15), ..sound },
        TinySpec { rotated: Some(18), ..sound },
        TinySpec { head_dim: Some(6), tensor_type: TensorKind::Q8_0, ..sound },
        TinySpec { kv_heads: 3, ..sound },
        TinySpec { ff: 40, ..sound },
        TinySpec { vocab: 100, ..sound },
        TinySpec { tensor_type: TensorKind::Q6K, ..sound },
    ] {
        let error = model(&spec).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::InvalidInput), "{spec:?}");
    }
}
