use finch_llm::{ClientId, Excerpt, GenerateRequest, InfillContext, InfillRequest, Lane, LlmError, Message, Sampling};
use finch_model::{
    manifest::{InfillStyle, Manifest, Quant},
    tiny::TinySpec,
};

use super::{Prompt, Prompts, context::Files, floor_char, line_start};
use crate::{testing::TinyModel, vocabulary::Vocabulary};

const CAPACITY: usize = 256;

fn prompts(style: Option<InfillStyle>) -> (Prompts, Manifest) {
    let model = TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Fp32);
    let manifest = Manifest::read(&model.dir).unwrap();
    let vocabulary = Vocabulary::load(&model.dir, &manifest).unwrap();
    (Prompts::new(vocabulary, &manifest, style, CAPACITY), manifest)
}

fn request(prefix: &str, suffix: &str, prompt_tokens_max: usize) -> InfillRequest {
    InfillRequest {
        client: ClientId::new("test"),
        origin: finch_llm::Origin::default(),
        lane: Lane::Interactive,
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
        context: InfillContext::default(),
        prompt_tokens_max,
        references: Vec::new(),
        sampling: Sampling::default(),
    }
}

/// A prompt as text, its markers by name.
fn spelled(prompts: &Prompts, manifest: &Manifest, prompt: &Prompt) -> String {
    let fim = manifest.tokens.fim.unwrap();
    let piece = |&id: &u32| match id {
        id if id == fim.prefix => b"<P>".to_vec(),
        id if id == fim.suffix => b"<S>".to_vec(),
        id if id == fim.middle => b"<M>".to_vec(),
        id if Some(id) == prompts.vocabulary().control("<|repo_name|>") => b"<R>".to_vec(),
        id if Some(id) == prompts.vocabulary().control("<|file_sep|>") => b"<F>".to_vec(),
        id => prompts.vocabulary().bytes(id).to_vec(),
    };
    String::from_utf8(prompt.tokens.iter().flat_map(piece).collect()).unwrap()
}

#[track_caller]
fn check(style: InfillStyle, prefix: &str, suffix: &str, budget: usize, expected: &str) {
    let (prompts, manifest) = prompts(Some(style));
    let prompt = prompts.infill(&request(prefix, suffix, budget)).unwrap();
    assert_eq!(spelled(&prompts, &manifest, &prompt), expected);
    assert!(prompt.tokens.len() <= budget, "{} tokens", prompt.tokens.len());
}

#[test]
fn the_style_decides_what_is_asked() {
    check(InfillStyle::Fim, "a = ", ";\n", 100, "<P>a = <S>;\n<M>");
    check(InfillStyle::Fim, "", "", 100, "<P><S><M>");
    check(InfillStyle::Prefix, "a = ", "\n;\n", 100, "a = ");
}

#[test]
fn what_goes_on_behind_the_cursor_on_its_line_is_always_read() {
    check(InfillStyle::Prefix, "f(", ")\ng\n", 100, "<P>f(<S>)\ng\n<M>");
    check(InfillStyle::Prefix, "f(", "  \n)\n", 100, "f(");
}

#[test]
fn markers_in_the_text_are_text() {
    check(InfillStyle::Fim, "<|fim_middle|>", "<|fim_prefix|>", 100, "<P><|fim_middle|><S><|fim_prefix|><M>");
}

#[test]
fn a_prefix_loses_whole_lines_at_its_head() {
    check(InfillStyle::Prefix, "00 11\n22 33\n44 55\n66 77\n", "", 12, "44 55\n66 77\n");
}

#[test]
fn a_suffix_loses_its_tail_and_at_most_a_third_of_the_room_to_the_prefix() {
    check(InfillStyle::Fim, "0\n1\n2\n3\n4\n", "567890123456", 15, "<P>1\n2\n3\n4\n<S>5678<M>");
    check(InfillStyle::Fim, "0\n", "567890123456", 15, "<P>0\n<S>5678901234<M>");
}

#[test]
fn a_line_longer_than_the_room_is_cut_anywhere() {
    check(InfillStyle::Prefix, &"0123456789".repeat(5), "", 8, "23456789");
}

#[test]
fn the_head_stays_the_same_from_key_to_key() {
    let (prompts, _) = prompts(Some(InfillStyle::Prefix));
    let text: String = (0..200).map(|line| format!("{line:03} = 0;\n")).collect();
    let head = |end: usize| {
        let prompt = prompts.infill(&request(&text[..end], "", 100)).unwrap();
        assert!(prompt.tokens.len() <= 100);
        prompt.tokens[..20].to_vec()
    };
    let heads: Vec<Vec<u32>> = (1000..1200).map(head).collect();
    let changes = heads.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 0 && changes <= 10, "the head changed {changes} times in 200 keys");
}

#[test]
fn the_counts_tell_what_is_lasting_and_what_is_suffix() {
    let (prompts, _) = prompts(Some(InfillStyle::Fim));
    let prompt = prompts.infill(&request("0123", "456", 100)).unwrap();
    assert_eq!((prompt.tokens.len(), prompt.stable, prompt.suffix), (10, 5, 4));
}

fn context(excerpts: &[(&str, &str)], tokens_max: usize) -> InfillContext {
    let excerpt =
        |&(name, text): &(&str, &str)| Excerpt { name: name.to_owned(), text: text.into(), is_foreign: false };
    InfillContext {
        repository: Some("r".to_owned()),
        path: Some("p".to_owned()),
        excerpts: excerpts.iter().map(excerpt).collect(),
        tokens_max,
    }
}

#[track_caller]
fn check_context(style: InfillStyle, context: InfillContext, budget: usize, expected: &str) {
    let (prompts, manifest) = prompts(Some(style));
    let prompt = prompts.infill(&InfillRequest { context, ..request("0 = ", "\n;", budget) }).unwrap();
    assert_eq!(spelled(&prompts, &manifest, &prompt), expected);
    assert!(prompt.tokens.len() <= budget, "{} tokens", prompt.tokens.len());
}

#[test]
fn other_files_stand_before_the_text_in_the_words_of_the_model() {
    let two = [("a", "1\n\n"), ("b\nc", "2")];
    check_context(InfillStyle::Prefix, context(&two, 99), 100, "<R>r\n<F>a\n1\n<F>b c\n2\n<F>p\n0 = ");
    check_context(InfillStyle::Fim, context(&two, 99), 100, "<R>r\n<F>a\n1\n<F>b c\n2\n<F>p\n<P>0 = <S>\n;<M>");
    check_context(InfillStyle::Prefix, context(&[], 99), 100, "<F>p\n0 = ");
    let nameless = InfillContext { path: None, ..context(&two[..1], 99) };
    check_context(InfillStyle::Prefix, nameless, 100, "<R>r\n<F>a\n1\n<F>\n0 = ");
    check_context(InfillStyle::Prefix, InfillContext { path: None, ..context(&[], 99) }, 100, "0 = ");
}

#[test]
fn what_does_not_fit_of_a_context_is_left_out_whole() {
    let three = [("a", "1"), ("b", "22222222"), ("c", "3")];
    check_context(InfillStyle::Prefix, context(&three, 17), 100, "<R>r\n<F>a\n1\n<F>c\n3\n<F>p\n0 = ");
    check_context(InfillStyle::Prefix, context(&three, 3), 100, "<F>p\n0 = ");
    check_context(InfillStyle::Prefix, context(&three, 2), 100, "0 = ");
    // Some of the text itself is always there.
    check_context(InfillStyle::Prefix, context(&[], 99), 5, "<F>p\n= ");
}

#[test]
fn control_tokens_in_a_context_are_text() {
    check_context(
        InfillStyle::Prefix,
        context(&[("<|file_sep|>", "<|fim_middle|>")], 99),
        100,
        "<R>r\n<F><|file_sep|>\n<|fim_middle|>\n<F>p\n0 = ",
    );
}

#[test]
fn a_model_without_words_for_files_gets_marked_lines() {
    let (prompts, _) = prompts(Some(InfillStyle::Prefix));
    let tokens = Files::none().head(&context(&[("a", "1")], 99), prompts.vocabulary(), 99).unwrap();
    let text: Vec<u8> = tokens.iter().flat_map(|&id| prompts.vocabulary().bytes(id).to_vec()).collect();
    assert_eq!(String::from_utf8(text).unwrap(), "# a\n1\n\n# p\n");
}

#[test]
fn an_infill_always_leaves_room_for_its_answer() {
    let (prompts, _) = prompts(Some(InfillStyle::Fim));
    let mut wanted = request(&"0\n".repeat(1000), &"1".repeat(1000), usize::MAX);
    wanted.sampling.tokens_max = 100;
    assert!(prompts.infill(&wanted).unwrap().tokens.len() <= CAPACITY - 100);
    wanted.sampling.tokens_max = usize::MAX;
    assert!(prompts.infill(&wanted).unwrap().tokens.len() <= CAPACITY / 2);
}

#[test]
fn a_budget_that_holds_only_markers_is_too_short() {
    let (prompts, _) = prompts(Some(InfillStyle::Fim));
    let error = prompts.infill(&request("a", "b", 3)).unwrap_err();
    assert_eq!(error, LlmError::ContextTooLong { tokens: 4, tokens_max: 3 });
}

#[test]
fn an_empty_prompt_begins_with_the_end_of_another_text() {
    let (prompts, manifest) = prompts(Some(InfillStyle::Prefix));
    assert_eq!(prompts.infill(&request("", "", 100)).unwrap().tokens, [manifest.tokens.stop[0]]);
}

fn chat(messages: &[Message]) -> GenerateRequest {
    GenerateRequest::new(ClientId::new("test"), Lane::Batch, messages.to_vec())
}

fn user(text: &str) -> Message {
    Message::User(text.to_owned())
}

#[test]
fn a_conversation_without_chat_tokens_is_its_texts() {
    let (prompts, manifest) = prompts(None);
    let prompt = prompts.generate(&chat(&[Message::System("Be brief.".to_owned()), user("Why?")])).unwrap().prompt;
    assert_eq!(spelled(&prompts, &manifest, &prompt), "Be brief.\n\nWhy?");
}

#[test]
fn a_conversation_that_does_not_fit_is_never_cut_silently() {
    let (prompts, _) = prompts(None);
    let fits = "0".repeat(CAPACITY - 1);
    assert_eq!(prompts.generate(&chat(&[user(&fits)])).unwrap().prompt.tokens.len(), CAPACITY - 1);
    let error = prompts.generate(&chat(&[user(&(fits + "0"))])).err().unwrap();
    assert_eq!(error, LlmError::ContextTooLong { tokens: CAPACITY, tokens_max: CAPACITY - 1 });
    let huge = "0".repeat(1 << 20);
    let error = prompts.generate(&chat(&[user(&huge)])).err().unwrap();
    assert!(matches!(error, LlmError::ContextTooLong { .. }));
}

#[test]
fn places_to_cut_are_line_starts_and_characters() {
    assert_eq!(line_start("ab\ncd\nef", 1), 3);
    assert_eq!(line_start("ab\ncd\nef", 3), 3);
    assert_eq!(line_start("ab\ncd\nef", 4), 6);
    assert_eq!(line_start("ab\ncd\nef", 7), 7);
    assert_eq!(line_start("aé", 2), 3);
    assert_eq!(line_start("a\n", 1), 1);
    assert_eq!(line_start("", 9), 0);
    assert_eq!(floor_char("aé", 2), 1);
    assert_eq!(floor_char("aé", 99), 3);
}
