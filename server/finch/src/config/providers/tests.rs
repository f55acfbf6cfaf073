use std::time::Duration;

use finch_llm::cloud::{Header, InfillWay, Key, Service, Thinking};

use super::{CloudConfig, CostConfig, KeyCommand, Provider};
use crate::config::tests::{read, said};

/// The providers of a file, in order, and everything that is said of it.
#[track_caller]
fn check(text: &str, names: &[&str], expected: &str) {
    let found: Vec<String> = read(text).config.providers.iter().map(name).collect();
    let said = said(text);
    assert_eq!(found, names, "{said}");
    assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "said: {said:?}");
}

fn name(provider: &Provider) -> String {
    match provider {
        Provider::Local(_) => "local".to_owned(),
        Provider::Cloud(cloud) => cloud.name.clone(),
    }
}

/// The one cloud of a file without problems.
#[track_caller]
fn cloud(text: &str) -> CloudConfig {
    assert_eq!(said(text), "");
    match read(text).config.providers.as_slice() {
        [Provider::Local(_), Provider::Cloud(cloud)] => (**cloud).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_order_is_the_one_of_the_file_and_the_local_model_comes_first_unless_it_has_a_place() {
    check("", &["local"], "");
    check("[[providers]]\ntype = \"groq\"\n[[providers]]\ntype = \"claude\"", &["local", "groq", "claude"], "");
    let placed = "[[providers]]\ntype = \"groq\"\n[[providers]]\ntype = \"local\"\n[[providers]]\ntype = \"grok\"";
    check(placed, &["groq", "local", "grok"], "");
    check("[[providers]]\ntype = \"local\"\nenabled = false", &[], "");
    check("[[providers]]\ntype = \"groq\"\nenabled = false", &["local"], "");
    check("providers = [{ type = \"groq\" }]", &["local", "groq"], "");
}

#[test]
fn types_are_read_as_people_write_them() {
    for (word, service) in [
        ("OpenAI", Service::OpenAi),
        ("open-ai", Service::OpenAi),
        ("openai_compatible", Service::Compatible),
        ("OpenAI Compatible", Service::Compatible),
        ("CLAUDE", Service::Claude),
        ("Anthropic", Service::Claude),
        ("xAI", Service::Grok),
        ("google", Service::Gemini),
        ("Mistral", Service::Mistral),
        ("gRoQ", Service::Groq),
    ] {
        let text = format!("[[providers]]\ntype = \"{word}\"\nmodel = \"m\"\nbase_url = \"https://host/v1\"");
        assert_eq!(cloud(&text).service, service, "{word}");
    }
}

#[test]
fn an_entry_alone_is_complete() {
    for (word, model, address, infill) in [
        ("claude", "claude-sonnet-4-6", "https://api.anthropic.com/v1", InfillWay::Chat),
        ("openai", "gpt-5-mini", "https://api.openai.com/v1", InfillWay::Chat),
        ("grok", "grok-code-fast-1", "https://api.x.ai/v1", InfillWay::Chat),
        ("gemini", "gemini-2.5-flash", "https://generativelanguage.googleapis.com/v1beta", InfillWay::Chat),
        ("mistral", "codestral-latest", "https://api.mistral.ai/v1", InfillWay::Fim),
        ("groq", "openai/gpt-oss-120b", "https://api.groq.com/openai/v1", InfillWay::Chat),
    ] {
        let cloud = cloud(&format!("[[providers]]\ntype = \"{word}\""));
        assert_eq!((cloud.name.as_str(), cloud.model.as_str(), cloud.infill), (word, model, infill));
        assert_eq!(cloud.endpoint.to_string(), address);
    }
}

#[test]
fn every_setting_is_read() {
    let cloud = cloud(
        r#"
        [[providers]]
        type = "openai-compatible"
        name = "my server"
        model = "qwen"
        base_url = "http://192.168.1.7:8000/v1"
        allow_http = true
        api_key_env = "MY_KEY"
        api_key_cmd = ["pass", "show", "server"]
        headers = { Authorization = "Bearer x", X-Title = "My app" }
        proxy = "http://proxy:3128"
        timeouts = { connect_ms = 100, first_byte_ms = 200, between_bytes_ms = 300 }
        context_tokens_max = 32768
        infill = "None"
        thinking_tokens = 10
        images = true
        cost = { input = 0.5, output = 2 }
        "#,
    );
    assert_eq!((cloud.name.as_str(), cloud.model.as_str()), ("my server", "qwen"));
    assert_eq!(cloud.endpoint.host(), "192.168.1.7:8000");
    assert_eq!(cloud.key.variable.as_deref(), Some("MY_KEY"));
    assert_eq!(cloud.key.command, Some(KeyCommand::Program(vec!["pass".into(), "show".into(), "server".into()])));
    let header = |name: &str, value| Header { name: name.to_owned(), value: Key::header_value(value).unwrap() };
    assert_eq!(cloud.headers, [header("Authorization", "Bearer x"), header("X-Title", "My app")]);
    assert!(cloud.proxy.is_some());
    let waits = [cloud.waits.connect, cloud.waits.first_byte, cloud.waits.between_bytes];
    assert_eq!(waits, [100, 200, 300].map(Duration::from_millis));
    assert_eq!((cloud.context_tokens_max, cloud.images), (Some(32768), Some(true)));
    assert_eq!((cloud.infill, cloud.thinking), (InfillWay::No, Thinking::Tokens(10)));
    assert_eq!(cloud.cost, Some(CostConfig { input: 0.5, output: 2.0 }));
}

#[test]
fn a_bad_entry_costs_itself_alone_and_says_its_place() {
    let two = |bad: &str| format!("[[providers]]\ntype = \"claude\"\n[[providers]]\ntype = \"groq\"\n{bad}");
    for (bad, expected) in [
        (
            "model = 3",
            "config.toml:5:9: providers[1] (groq): model: expected a text in quotes; this provider is left out",
        ),
        (
            "name = \"claude\"",
            "config.toml:5:8: providers[1] (claude): name: another provider is called \"claude\" already",
        ),
        (
            "base_url = \"http://example.com/v1\"",
            "config.toml:5:12: providers[1] (groq): base_url: http://example.com/v1",
        ),
        ("base_url = \"http://example.com/v1\"", "`allow_http = true` allows it"),
        ("base_url = \"ftp://example.com\"", "it begins with neither https:// nor http://"),
        ("infill = \"some\"", "infill: unknown variant `some`, expected one of `none`, `completions`, `fim`"),
        ("timeouts = { connect_ms = 0 }", "timeouts: connect_ms is 0, and must be 1 to 3600000"),
        ("context_tokens_max = 3", "context_tokens_max: it is 3, and must be 256 to 100000000"),
        ("cost = { input = 1 }", "missing field `output`"),
        ("cost = { input = -1, output = 1 }", "cost: a price is 0 or more"),
        ("api_key = \"\"", "config.toml:5:11: providers[1] (groq): api_key: the key is empty"),
        ("api_key_cmd = []", "api_key_cmd: it names no program"),
        ("api_key_cmd = 1", "expected a command in quotes, or an array of program and arguments"),
        ("api_key_env = \"gsk_x-y\"", "write the name of an environment variable"),
        ("headers = { \"a b\" = \"c\" }", "\"a b\" is no name of a header"),
        ("headers = { X-Team = \"a\\nb\" }", "a value of a header is of visible ASCII characters"),
        ("proxy = \"socks5://host\"", "it is no address of a proxy"),
        ("model = \" \"", "model: it is empty"),
    ] {
        check(&two(bad), &["local", "claude"], expected);
    }
    check("[[providers]]\nmodel = \"m\"", &["local"], "config.toml:1:1: providers[0]: missing field `type`");
    check("providers = [3, { type = \"groq\" }]", &["local", "groq"], "config.toml:1:14: providers[0]: expected");
    check("[providers]\ntype = \"groq\"", &["local"], "providers: write each entry as `[[providers]]`");
    check(
        "[[providers]]\ntype = \"openai-compatible\"\nbase_url = \"http://[::1]/v1\"",
        &["local"],
        "model: openai-comp",
    );
    check("[[providers]]\ntype = \"openai-compatible\"\nmodel = \"m\"", &["local"], "base_url: this type needs one");
    check("[[providers]]\ntype = \"claude\"\nthinking_tokens = 9", &["local"], "must be 0 or 1024 to");
    check("[[providers]]\ntype = \"local\"\nbase_url = \"https://h/v1\"", &["local"], "the local model takes no such");
    let twice = "[[providers]]\ntype = \"local\"\n[[providers]]\ntype = \"local\"\nname = \"b\"";
    check(twice, &["local"], "config.toml:4:8: providers[1] (b): type: the local model has an entry already");
}

#[test]
fn an_unknown_key_of_an_entry_is_a_warning_with_its_place() {
    let text = "[[providers]]\ntype = \"groq\"\nmodle = \"m\"\ntimeouts = { conect_ms = 1 }";
    let keys = "config.toml:3:1: unknown key `providers[0].modle` has no effect; did you mean `providers[0].model`?\n\
                config.toml:4:14: unknown key `providers[0].timeouts.conect_ms` has no effect; \
                did you mean `providers[0].timeouts.connect_ms`?";
    check(text, &["local", "groq"], keys);
}

#[test]
fn the_entry_of_the_local_model_names_the_model_to_load() {
    let text = "[[providers]]\ntype = \"local\"\nmodel = \"smollm2-135m\"";
    assert_eq!(read(text).config.engine.model.as_deref(), Some("smollm2-135m"));
    let both = format!("[engine]\nmodel = \"other\"\n{text}");
    assert_eq!(read(&both).config.engine.model.as_deref(), Some("other"));
}
