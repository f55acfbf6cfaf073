use super::{BadConfig, ChatTemplates, stop_ids};
use crate::limits;
use crate::tiny::{self, TinySpec};
use crate::{checkpoint::Checkpoint, gguf::Gguf};

#[track_caller]
fn check(config: &str, default: Option<&str>, tool_use: Option<&str>) {
    let expected = ChatTemplates { default: default.map(str::to_owned), tool_use: tool_use.map(str::to_owned) };
    assert_eq!(ChatTemplates::of_tokenizer_config(config).unwrap(), expected);
}

#[test]
fn a_tokenizer_config_has_one_template_or_named_ones_or_none() {
    check(r#"{"chat_template": "{{ messages }}"}"#, Some("{{ messages }}"), None);
    let named = r#"{"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]}"#;
    check(named, Some("D"), Some("T"));
    check(r#"{"chat_template": [{"name": "rag", "template": "R"}]}"#, Some("R"), None);
    check(r#"{"chat_template": []}"#, None, None);
    check(r#"{"chat_template": null, "eos_token": "</s>"}"#, None, None);
    check(r#"{"chat_template": "  \n"}"#, None, None);
    check(r#"{"chat_template": [{"name": "default"}, 3]}"#, None, None);
    check("{}", None, None);
}

#[test]
fn a_config_that_is_no_object_is_an_error_that_names_it() {
    let BadConfig { file, problem } = ChatTemplates::of_tokenizer_config("[").unwrap_err();
    assert_eq!(file, "tokenizer_config.json");
    assert!(!problem.is_empty());
    assert_eq!(stop_ids("generation_config.json", "3").unwrap_err().file, "generation_config.json");
}

#[test]
fn a_template_file_goes_before_the_config() {
    let config = ChatTemplates::of_tokenizer_config(r#"{"chat_template": "old"}"#).unwrap();
    assert_eq!(config.clone().with_file("new").default.as_deref(), Some("new"));
    assert_eq!(config.with_file("").default.as_deref(), Some("old"));
}

#[test]
fn stop_ids_are_one_number_or_several() {
    let ids = |text| stop_ids("generation_config.json", text).unwrap();
    assert_eq!(ids(r#"{"eos_token_id": 2}"#), [2]);
    assert_eq!(ids(r#"{"eos_token_id": [151645, 151643]}"#), [151_645, 151_643]);
    assert_eq!(ids(r#"{"eos_token_id": [1, -1, "2", 4294967296]}"#), [1]);
    assert!(ids(r#"{"eos_token_id": null}"#).is_empty());
    assert!(ids("{}").is_empty());
}

#[test]
fn a_gguf_carries_templates_in_its_metadata() {
    let of = |change: &dyn Fn(&mut tiny::GgufWriter)| {
        let mut file = tiny::model(&TinySpec::default()).unwrap();
        change(&mut file);
        let gguf = Gguf::from_bytes("m.gguf", file.into_bytes()).unwrap();
        ChatTemplates::of_checkpoint(&Checkpoint::Gguf(gguf))
    };
    assert_eq!(of(&|_| {}), ChatTemplates::default());
    let both = of(&|file| {
        file.text("tokenizer.chat_template", "D");
        file.text("tokenizer.chat_template.tool_use", "T");
    });
    assert_eq!(both, ChatTemplates { default: Some("D".to_owned()), tool_use: Some("T".to_owned()) });
    let huge = "x".repeat(usize::try_from(limits::CHAT_TEMPLATE_BYTES_MAX).unwrap() + 1);
    assert_eq!(of(&|file| file.text("tokenizer.chat_template", &huge)), ChatTemplates::default());
}
