use std::ops::ControlFlow;

use finch_llm::{Chunk, StopReason, ToolCall, stop::StopMatcher};
use finch_model::manifest::Manifest;
use proptest::prelude::*;

use super::{Splitter, Writer};
use crate::{chat::dialect::Dialect, testing::TinyModel, vocabulary::Vocabulary};

const CONTROLS: [&str; 6] = ["<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<|python_tag|>"];

fn vocabulary() -> Vocabulary {
    let model = TinyModel::speaking(&CONTROLS, None);
    Vocabulary::load(&model.dir, &Manifest::read(&model.dir).unwrap()).unwrap()
}

fn writer(splitter: Splitter, stops: &[&str]) -> Writer {
    let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
    Writer::new(StopMatcher::new(&stops).unwrap(), splitter, 7)
}

fn written(vocabulary: &Vocabulary, mut writer: Writer, tokens: &[u32]) -> (Vec<Chunk>, StopReason) {
    let mut chunks = Vec::new();
    for &token in tokens {
        if let ControlFlow::Break(reason) = writer.token(vocabulary, token, &mut chunks) {
            return (chunks, reason);
        }
    }
    let reason = writer.finish(StopReason::EndOfText, &mut chunks);
    (chunks, reason)
}

fn text_of(chunks: &[Chunk]) -> String {
    let texts = chunks.iter().map(|chunk| match chunk {
        Chunk::Text(text) => text.as_str(),
        other => panic!("{other:?} in plain text"),
    });
    texts.collect()
}

#[test]
fn tags_are_read_from_control_tokens_and_from_text() {
    let vocabulary = vocabulary();
    let token = |name: &str| vocabulary.control(name).unwrap();
    let say = |text: &str| vocabulary.encode(text).unwrap();
    let call = "{\"name\": \"f\", \"arguments\": {\"a\": 1}}";
    let tokens = [
        vec![token("<think>")],
        say("hm"),
        vec![token("</think>")],
        say("\n\nOk "),
        vec![token("<tool_call>")],
        say(call),
        vec![token("</tool_call>")],
    ]
    .concat();
    let dialect = Dialect::of("<tool_call>", |_| false);
    let (chunks, reason) = written(&vocabulary, writer(Splitter::new(None, Some(dialect)), &[]), &tokens);
    assert_eq!(reason, StopReason::ToolCalls);
    let wanted = ToolCall { id: "000000007".into(), name: "f".into(), arguments_json: "{\"a\": 1}".into() };
    let expected = [Chunk::Reasoning("hm".into()), Chunk::Text("Ok ".into()), Chunk::ToolCall(wanted)];
    let mut joined: Vec<Chunk> = Vec::new();
    for chunk in chunks {
        match (joined.last_mut(), chunk) {
            (Some(Chunk::Text(text)), Chunk::Text(more)) | (Some(Chunk::Reasoning(text)), Chunk::Reasoning(more)) => {
                text.push_str(&more);
            }
            (_, chunk) => joined.push(chunk),
        }
    }
    assert_eq!(joined, expected);
    let llama = Dialect::of("<|python_tag|>", |_| false);
    let tokens = [vec![token("<|python_tag|>")], say("{\"name\": \"f\", \"parameters\": {}}")].concat();
    let (chunks, _) = written(&vocabulary, writer(Splitter::new(None, Some(llama)), &[]), &tokens);
    assert!(matches!(&chunks[..], [Chunk::ToolCall(call)] if call.arguments_json == "{}"), "{chunks:?}");
}

#[test]
fn a_stop_text_in_a_thought_stops_nothing() {
    let vocabulary = vocabulary();
    let tokens = vocabulary.encode("<think>a END b</think>c END d").unwrap();
    let (chunks, reason) = written(&vocabulary, writer(Splitter::new(None, None), &["END"]), &tokens);
    assert_eq!(reason, StopReason::StopText);
    let said = |wanted: fn(&Chunk) -> Option<&str>| chunks.iter().filter_map(wanted).collect::<String>();
    assert_eq!(said(|chunk| if let Chunk::Reasoning(text) = chunk { Some(text) } else { None }), "a END b");
    assert_eq!(said(|chunk| if let Chunk::Text(text) = chunk { Some(text) } else { None }), "c ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn streamed_text_is_what_decoding_all_tokens_gives(tokens in prop::collection::vec(0_u32..640, 0..40)) {
        thread_local!(static VOCABULARY: Vocabulary = vocabulary());
        VOCABULARY.with(|vocabulary| {
            let bytes: Vec<u8> = tokens.iter().flat_map(|&token| vocabulary.bytes(token).to_vec()).collect();
            let whole = String::from_utf8_lossy(&bytes).into_owned();
            let (chunks, _) = written(vocabulary, writer(Splitter::plain(), &[]), &tokens);
            assert_eq!(text_of(&chunks), whole);
            assert!(chunks.iter().all(|chunk| *chunk != Chunk::Text(String::new())));
            let starts_with_a_thought = |text: &str| text.trim_start().starts_with("<think>");
            if !starts_with_a_thought(&whole) {
                let (chunks, _) = written(vocabulary, writer(Splitter::new(None, None), &[]), &tokens);
                assert_eq!(text_of(&chunks), whole);
            }
        });
    }
}
