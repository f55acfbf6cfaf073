//! What a body means, and what is refused by which name.

use finch_llm::Lane;
use serde_json::json;

use super::*;

#[track_caller]
fn read(body: Value) -> CompletionRequest {
    CompletionRequest::read(body).unwrap_or_else(|error| panic!("{}", error.message))
}

#[track_caller]
fn infill(body: Value) -> InfillRequest {
    read(body).infill(ClientId::new("c"), Origin::default(), 1, 4096)
}

#[track_caller]
fn refused(body: Value, param: &str) {
    match CompletionRequest::read(body.clone()) {
        Err(error) => {
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{}", error.message);
        }
        Ok(_) => panic!("{body} was taken"),
    }
}

/// What stands before and behind the cursor.
#[track_caller]
fn check(body: Value, prefix: &str, suffix: &str) {
    let infill = infill(body);
    assert_eq!((infill.prefix.as_str(), infill.suffix.as_str()), (prefix, suffix));
}

#[test]
fn a_prompt_is_one_text() {
    check(json!({"prompt": " a\n"}), " a\n", "");
    check(json!({"prompt": ["a"], "suffix": "b"}), "a", "b");
    check(json!({"prompt": "", "suffix": "b"}), "", "b");
    refused(json!({}), "prompt");
    refused(json!({"prompt": []}), "prompt");
    refused(json!({"prompt": ["a", "b"]}), "prompt");
    refused(json!({"prompt": [1, 2, 3]}), "prompt");
    refused(json!({"prompt": [[1]]}), "prompt");
    refused(json!({"prompt": {"a": 1}}), "prompt");
    refused(json!({"prompt": "a", "suffix": 5}), "suffix");
}

#[test]
fn prompts_of_editors_are_taken_apart() {
    let zed = "<|fim_prefix|>let a = <|fim_suffix|>;\n<|fim_middle|>";
    // As Zed asks with its prompt format "qwen".
    let stop = json!(["<|endoftext|>", "<|file_sep|>", "<|fim_pad|>"]);
    check(
        json!({"model": "tiny", "prompt": zed, "max_tokens": 64, "temperature": 0.2, "stop": stop}),
        "let a = ",
        ";\n",
    );
    // As Continue asks, streamed and with stops of every family.
    let body = json!({
        "model": "tiny", "prompt": "<fim_prefix>a<fim_suffix>b<fim_middle>", "max_tokens": 4096, "temperature": 0.01,
        "stream": true, "stop": ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "/src/", "#- coding: utf-8", "```"],
        "frequency_penalty": 0, "presence_penalty": null, "top_p": 1,
    });
    check(body, "a", "b");
    // Who sends a suffix, or finch's own context, means the text.
    check(json!({"prompt": zed, "suffix": "x"}), zed, "x");
    check(json!({"prompt": zed, "suffix": "", "finch": {"context": {}}}), zed, "");
    assert_eq!(read(json!({"prompt": zed, "echo": true})).echo.as_deref(), Some(zed));
}

#[test]
fn a_place_may_have_surroundings() {
    let excerpts = json!([{"name": "b.rs", "text": "fn b() {}"}]);
    let context = json!({"path": "a.rs", "excerpts": excerpts, "tokens_max": 30});
    let finch = json!({"client": "me", "lane": "interactive", "context": context, "prompt_tokens_max": 512});
    let read = infill(json!({"prompt": "a", "finch": finch}));
    assert_eq!((read.context.path.as_deref(), read.context.tokens_max), (Some("a.rs"), 30));
    assert_eq!((read.prompt_tokens_max, read.lane), (512, Lane::Interactive));
    let plain = infill(json!({"prompt": "a"}));
    assert_eq!((plain.prompt_tokens_max, plain.sampling.tokens_max, plain.lane), (4096, 16, Lane::Batch));
    refused(json!({"prompt": "a", "finch": {"grammar": "start: A"}}), "finch");
}

#[test]
fn what_would_change_the_answer_is_refused_by_name() {
    for logprobs in [json!(-1), json!(21), json!(0.5), json!(true)] {
        refused(json!({"prompt": "a", "logprobs": logprobs}), "logprobs");
    }
    refused(json!({"prompt": "a", "logprobs": 1, "echo": true}), "logprobs");
    refused(json!({"prompt": "a", "best_of": 2}), "best_of");
    refused(json!({"prompt": "a", "n": 2, "stream": true}), "n");
    refused(json!({"prompt": "a", "max_tokens": 0}), "max_tokens");
    refused(json!({"prompt": "a", "echo": "yes"}), "echo");
    refused(json!({"prompt": "a", "messages": []}), "messages");
    read(json!({"prompt": "a", "logprobs": null, "best_of": 1, "n": 1, "user": "ann", "logit_bias": {}}));
}
