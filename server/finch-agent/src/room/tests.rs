use finch_llm::{Capabilities, GenerateRequest, GenerateStream, InfillRequest, Origin, ProviderId, Task};
use serde_json::json;

use super::*;

/// Holds so many tokens, and counts one for each so many bytes, if it counts.
struct Counting {
    holds: usize,
    bytes: Option<usize>,
}

impl Provider for Counting {
    fn id(&self) -> ProviderId {
        ProviderId::new("counting")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "counting".to_owned(),
            fill_in_the_middle: false,
            chat: true,
            tools: true,
            structured_output: true,
            context_tokens_max: self.holds,
        }
    }

    fn generate(&self, _: GenerateRequest) -> GenerateStream {
        unreachable!("nobody asks")
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        unreachable!("nobody asks")
    }

    fn tokens_of(&self, _origin: &Origin, text: &str) -> Option<usize> {
        self.bytes.map(|bytes| text.len().div_ceil(bytes))
    }
}

/// How many of 100,000 bytes are left of the notes, at least and at most.
#[track_caller]
fn check_cut(holds: usize, bytes: Option<usize>, left: std::ops::RangeInclusive<usize>) {
    let provider = Counting { holds, bytes };
    let cut = Room::of(&provider, &Origin::default(), Task::Plan).cut(&"ü".repeat(50_000), Share::Notes);
    assert!(left.contains(&cut.len()), "{} bytes", cut.len());
}

#[test]
fn a_text_is_cut_to_its_share_of_a_small_context() {
    // 12 of 64 parts of 4,096 tokens are 768.
    check_cut(4096, None, 1700..=2304);
    check_cut(4096, Some(3), 1700..=2304);
    check_cut(4096, Some(1), 576..=768);
    check_cut(4096, Some(8), 4600..=6144);
    check_cut(64, Some(1), 0..=64);
    check_cut(SMALL_CONTEXT_TOKENS_MAX + 1, Some(1), 100_000..=100_000);
    check_cut(0, None, 100_000..=100_000);
}

#[test]
fn what_goes_into_one_prompt_is_no_more_than_there_is() {
    let revising = [Share::Task, Share::Notes, Share::Plan, Share::Findings, Share::Directions];
    let parts: usize = revising.iter().map(|share| share.parts()).sum();
    assert_eq!(parts + Share::FIXED + Share::ANSWER, CONTEXT_SHARES);
}

#[test]
fn a_tool_is_described_in_a_sentence_where_there_is_little_room() {
    let parameters = |described: bool| {
        let path =
            if described { json!({"type": "string", "description": "The file"}) } else { json!({"type": "string"}) };
        json!({"type": "object", "properties": {"path": path}, "required": ["path"]})
    };
    let spec = |description: &str, described| ToolSpec {
        name: "Read".to_owned(),
        description: description.to_owned(),
        parameters: parameters(described),
    };
    let long = spec("Reads a file. Each line comes with its number.", true);
    let described =
        |holds| Room::of(&Counting { holds, bytes: None }, &Origin::default(), Task::Plan).described(long.clone());
    assert_eq!(described(4096), spec("Reads a file.", false));
    assert_eq!(described(100_000), long);
}
