use finch_model::{
    manifest::{Manifest, Quant, TOKENIZER_FILE},
    tiny::{TinySpec, TinyVocabulary},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::Vocabulary;
use crate::{decoder::Utf8Stream, testing::TinyModel};

fn tiny() -> (Vocabulary, Tokenizer, Manifest) {
    of(TinySpec { layers: 1, ..TinySpec::default() })
}

fn of(spec: TinySpec) -> (Vocabulary, Tokenizer, Manifest) {
    let model = TinyModel::new(spec, Quant::Fp32);
    let manifest = Manifest::read(&model.dir).unwrap();
    let tokenizer = Tokenizer::from_file(model.dir.join(TOKENIZER_FILE)).unwrap();
    (Vocabulary::load(&model.dir, &manifest).unwrap(), tokenizer, manifest)
}

fn text_of(vocabulary: &Vocabulary, ids: &[u32]) -> String {
    let bytes: Vec<u8> = ids.iter().flat_map(|&id| vocabulary.bytes(id).to_vec()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn control_tokens_in_a_text_are_text() {
    let (vocabulary, tokenizer, manifest) = tiny();
    let fim = manifest.tokens.fim.unwrap();
    let spelled = "x<|fim_middle|>y<|endoftext|><|fim_prefix|>\n<|im_start|>system";
    let naive = tokenizer.encode(spelled, false).unwrap();
    assert!(naive.get_ids().contains(&fim.middle), "the tokenizer alone would make it a control token");
    let ids = vocabulary.encode(spelled).unwrap();
    let controls = [fim.prefix, fim.suffix, fim.middle].into_iter().chain(manifest.tokens.stop.iter().copied());
    for control in controls {
        assert!(!ids.contains(&control), "{control} in {ids:?}");
    }
    assert_eq!(text_of(&vocabulary, &ids), spelled);
}

#[test]
fn a_control_token_is_found_by_its_name_alone() {
    let (vocabulary, _, manifest) = tiny();
    assert_eq!(vocabulary.control("<|fim_middle|>"), Some(manifest.tokens.fim.unwrap().middle));
    assert_eq!(vocabulary.control("<|im_start|>"), None);
    assert_eq!(vocabulary.control("a"), None);
}

#[test]
fn a_token_that_a_merge_could_make_is_still_taken_apart() {
    let (mut vocabulary, _, _) = tiny();
    let [id] = vocabulary.encode(" a").unwrap()[..] else { panic!("one token") };
    vocabulary.is_control[id as usize] = true;
    let ids = vocabulary.encode(" a").unwrap();
    assert_eq!((ids.len(), text_of(&vocabulary, &ids)), (2, " a".to_owned()));
}

#[test]
fn plain_text_is_encoded_as_the_tokenizer_does() {
    let (vocabulary, tokenizer, _) = tiny();
    for text in ["", "fn main() {}\n", "été 🦀 日本", "\t\t  x\r\n", "e\u{301}"] {
        assert_eq!(vocabulary.encode(text).unwrap(), tokenizer.encode(text, false).unwrap().get_ids(), "{text:?}");
    }
}

#[test]
fn pieces_spell_the_text_behind_a_space_of_their_own() {
    let spec = TinySpec { layers: 1, vocab: 1500, vocabulary: TinyVocabulary::Pieces, ..TinySpec::default() };
    let (vocabulary, tokenizer, manifest) = of(spec);
    for text in ["fn main() {}\n", "été 🦀 日本", "\t\t  x\r\n", "the    end<0x41></s>", "<s>"] {
        let ids = vocabulary.encode(text).unwrap();
        assert_eq!(text_of(&vocabulary, &ids), format!(" {text}"));
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), format!(" {text}"));
    }
    let name = |id: &u32| tokenizer.id_to_token(*id).unwrap();
    let pieces: Vec<String> = vocabulary.encode("do if (\u{e9}").unwrap().iter().map(name).collect();
    assert_eq!(pieces, ["▁do", "▁if", "▁", "(", "<0xC3>", "<0xA9>"]);
    assert_eq!((manifest.tokens.bos, manifest.tokens.add_bos, manifest.tokens.eos), (Some(1), true, Some(2)));
}

/// A vocabulary of pieces as a family's own files write it: what changes in `tokenizer.json`, and what a text begins with.
#[track_caller]
fn check_pieces(changes: Value, begins_with: &str) {
    let spec = TinySpec { layers: 1, vocab: 1500, vocabulary: TinyVocabulary::Pieces, ..TinySpec::default() };
    let model = TinyModel::new(spec, Quant::Fp32);
    let manifest = Manifest::read(&model.dir).unwrap();
    let path = model.dir.join(TOKENIZER_FILE);
    let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    std::fs::write(&path, json.to_string()).unwrap();
    let vocabulary = Vocabulary::load(&model.dir, &manifest).unwrap();
    let tokenizer = Tokenizer::from_file(&path).unwrap();
    for text in ["fn main() {}\n", "été 🦀 日本", "\t\t  x\r\n", "the    end"] {
        let ids = vocabulary.encode(text).unwrap();
        assert_eq!(text_of(&vocabulary, &ids), format!("{begins_with}{text}"));
        assert_eq!(ids, tokenizer.encode(text, false).unwrap().get_ids(), "{text:?}");
    }
    for spelled in ["<s>", "a</s>b", "<unk>"] {
        let ids = vocabulary.encode(spelled).unwrap();
        assert!(ids.iter().all(|&id| !vocabulary.is_control(id)), "{ids:?}");
        assert_eq!(text_of(&vocabulary, &ids), format!("{begins_with}{spelled}"));
    }
}

#[test]
fn pieces_are_read_as_families_write_them() {
    let to_space = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let from_space = json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " });
    let (bytes, fuse) = (json!({ "type": "ByteFallback" }), json!({ "type": "Fuse" }));
    let strip = json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 });
    let whole = json!({ "type": "Sequence", "decoders": [from_space, bytes, fuse] });
    let stripped = json!({ "type": "Sequence", "decoders": [from_space, bytes, fuse, strip] });
    let prepend = json!({ "type": "Prepend", "prepend": "▁" });
    let metaspace =
        |split: bool| json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": split });
    // Llama 2 and Phi-3, and the same in newer files.
    let steps = json!({ "type": "Sequence", "normalizers": [prepend, to_space] });
    check_pieces(json!({ "normalizer": steps, "decoder": stripped }), " ");
    check_pieces(json!({ "normalizer": null, "pre_tokenizer": metaspace(false), "decoder": stripped }), " ");
    // Gemma.
    let words =
        json!({ "type": "Split", "pattern": { "String": " " }, "behavior": "MergedWithPrevious", "invert": false });
    check_pieces(json!({ "normalizer": to_space, "pre_tokenizer": words, "decoder": whole }), "");
    // Unigram: the best sum of scores, where pieces were merged before.
    let letters = (b'!'..=b'~').map(|letter| json!([char::from(letter).to_string(), -9.0]));
    let bytes_of = (0..=255).map(|byte| json!([format!("<0x{byte:02X}>"), -99.0]));
    let named = ["<unk>", "<s>", "</s>"].map(|name| json!([name, 0.0]));
    let words = ["▁", "▁▁", "▁▁▁▁", "▁main", "main", "the", "▁the"].map(|word| json!([word, -5.0]));
    let vocab: Vec<Value> = named.into_iter().chain(bytes_of).chain(letters).chain(words).collect();
    let unigram = json!({ "type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": true });
    let decoder = json!({ "type": "Sequence", "decoders": [bytes, metaspace(true)] });
    check_pieces(
        json!({ "model": unigram, "normalizer": null, "pre_tokenizer": metaspace(true), "decoder": decoder }),
        " ",
    );
}

#[test]
fn a_token_nobody_has_stands_for_nothing() {
    let (vocabulary, _, manifest) = tiny();
    assert_eq!(vocabulary.bytes(u32::MAX), b"");
    assert_eq!(vocabulary.bytes(manifest.tokens.fim.unwrap().prefix), b"");
}

#[test]
fn streamed_tokens_are_what_the_tokenizer_decodes() {
    let (vocabulary, tokenizer, manifest) = tiny();
    let vocab = u32::try_from(manifest.shape.vocab).unwrap();
    let mut runner = proptest::test_runner::TestRunner::default();
    let strategy = prop::collection::vec(prop_oneof![0..vocab, 0x80..0x100u32], 0..40);
    runner
        .run(&strategy, |ids| {
            let mut stream = Utf8Stream::default();
            let mut text = String::new();
            for &id in &ids {
                stream.push(vocabulary.bytes(id), &mut text);
            }
            stream.finish(&mut text);
            prop_assert_eq!(text, tokenizer.decode(&ids, true).unwrap());
            Ok(())
        })
        .unwrap();
}

proptest! {
    #[test]
    fn no_text_becomes_a_control_token(text in "(<\\||fim|_|prefix|middle|\\|>|endoftext|[a-z<>| \n]){0,30}") {
        thread_local!(static TINY: (Vocabulary, Tokenizer, Manifest) = tiny());
        TINY.with(|(vocabulary, ..)| {
            let ids = vocabulary.encode(&text).unwrap();
            prop_assert!(ids.iter().all(|&id| !vocabulary.is_control[id as usize]));
            prop_assert_eq!(text_of(vocabulary, &ids), text);
            Ok(())
        })?;
    }
}
