use std::path::Path;

use super::{Config, Provider, Reading};

/// Everything there is to say of a file.
pub(super) fn said(text: &str) -> String {
    match Config::parse(text, Path::new("config.toml")) {
        Ok(Reading { notes, .. }) => notes.into_sorted().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(error) => error.to_string(),
    }
}

/// A file that has something to use.
#[track_caller]
pub(super) fn read(text: &str) -> Reading {
    Config::parse(text, Path::new("config.toml")).unwrap()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let said = said(text);
    assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "said: {said:?}");
}

#[test]
fn a_good_file_says_nothing() {
    check("", "");
    check("[engine]\ndevices = [\"cuda:1\", \"coreml\", \"openvino:npu\", \"cpu\"]", "");
    check("[agent]\ncaches = []\nreadable = [\"~/sdk\"]\nenvironment = [\"CI\"]\ncommand_seconds = 600", "");
    check("[learning]\nenabled = false\ncollect = \"text\"", "");
    check("[engine]\nmodel = \"smollm2-135m\"\nthreads = 2\n[completion]\nexclude = [\"*.secret\"]", "");
}

#[test]
fn an_unknown_key_is_a_warning_with_the_nearest_one() {
    check("[engine]\nmodle = \"a\"", "unknown key `engine.modle` has no effect; did you mean `engine.model`?");
    check("[completions]\nenabled = false", "unknown key `completions` has no effect; did you mean `completion`?");
    check("[engine]\nzzz = 1", "unknown key `engine.zzz` has no effect");
    check("loose = 1", "unknown key `loose`");
    let nested = "unknown key `completion.context.paht` has no effect; did you mean `completion.context.path`?";
    check("[completion.context]\npaht = true", nested);
}

#[test]
fn a_wrong_value_names_the_place() {
    check("[engine]\nthreads = \"two\"", "threads");
    check("[engine]\nthreads = 0", "config.toml:2:11: engine.threads is 0, and must be 1 to 1024");
    check("[agent]\ncommand_seconds = 1801", "config.toml:2:19: agent.command_seconds is 1801, and must be 1 to 1800");
    check("[agent]\ncaches = \"~/.npm\"", "caches");
    check("[engine", "config.toml:1:8: unclosed table");
    check("[learning]\ncollect = \"all\"", "expected `counts` or `text`");
    let unknown = "[engine]\nthreads = 1\ndevices = [\"cuda\", \"tpu\"]";
    check(unknown, "\"tpu\" is no device; write cpu, cuda");
    check(unknown, "config.toml:3:11: engine.devices: ");
    check("[engine]\ndevices = [\"cpu\", \"cuda\"]", "cuda:0 stands behind cpu");
    check("[engine]\ndevices = \"cuda\"", "devices");
}

#[test]
fn an_absent_file_is_the_default() {
    assert_eq!(Config::load(Path::new("/nonexistent/config.toml")).unwrap(), Reading::default());
}

#[test]
fn words_are_read_in_any_case() {
    let reading = read(
        "[engine]\nkernels = \"ONNX_Runtime\"\n[completion]\ncomments = \"Silent\"\n[learning]\ncollect = \"TEXT\"",
    );
    assert_eq!(reading.notes, Default::default());
    assert_eq!(reading.config.engine.kernels, super::KernelsConfig::OnnxRuntime);
}

#[test]
fn all_that_is_wrong_is_said_at_once_with_its_places() {
    let text = "[engine]\nslots = 99\n[completion]\nahead = 3\n[[providers]]\ntype = \"nobody\"";
    check(text, "config.toml:2:9: engine.slots is 99, and must be 2 to 16\n");
    check(text, "config.toml:4:9: completion.ahead: expected true or false\n");
    check(text, "config.toml:6:8: providers[0] (nobody): type: unknown variant `nobody`");
}

#[test]
fn no_message_repeats_what_stands_in_the_file() {
    const SECRET: &str = "CANARY5f4dcc3b5aa765d61d8327deb882cf99";
    let texts = [
        format!("[[providers]]\ntype = \"groq\"\napi_key = {SECRET}"),
        format!("[[providers]]\ntype = \"groq\"\napi_key = \"{SECRET}"),
        format!("[[providers]]\ntype = \"groq\"\napi_key = [\"{SECRET}\"]"),
        format!("[[providers]]\ntype = \"groq\"\napi_key = \"{SECRET} \\u00e9\""),
        format!("[[providers]]\ntype = \"groq\"\napi_key = {{ it = \"{SECRET}\" }}"),
        format!("[[providers]]\ntype = \"groq\"\napi_key_env = \"{SECRET}-\""),
        format!("[[providers]]\ntype = \"groq\"\ncontext_tokens_max = \"{SECRET}\""),
        format!("[[providers]]\ntype = \"groq\"\nheaders = \"X-Key: {SECRET}\""),
        format!("[[providers]]\ntype = \"groq\"\nproxy = \"socks5://user:{SECRET}@host\""),
        format!("[[providers]]\ntype = \"groq\"\nbase_url = \"https://user:{SECRET}@host/v1\""),
        format!("[[providers]]\ntype = \"groq\"\nbase_url = \"https://host/v1?key={SECRET}\""),
        format!("[[providers]]\ntype = \"groq\"\napi_key_cmd = \"\"\nheaders = {{ \"a b\" = \"{SECRET}\" }}"),
        format!("[[providers]]\ntype = \"groq\"\napi_key = \"{SECRET}\"\napi_key = \"{SECRET}\""),
        format!("[engine]\nthreads = \"{SECRET}\""),
    ];
    for text in texts {
        let said = said(&text);
        assert!(said.contains("config.toml:") && !said.contains("CANARY"), "{text}: {said}");
    }
    let good = format!(
        "[[providers]]\ntype = \"groq\"\napi_key = \"{SECRET}\"\napi_key_cmd = \"echo {SECRET}\"\n\
         proxy = \"http://user:{SECRET}@host\"\nheaders = {{ x = \"{SECRET}\" }}"
    );
    let shown = format!("{:?}", read(&good));
    assert!(shown.contains("groq") && !shown.contains("CANARY"), "{shown}");
}

#[test]
fn a_file_of_the_earlier_program_is_understood_as_it_is() {
    let text = "streaming_enabled = true\n[[teachers]]\nprovider = \"Grok\"\napi_key = \"k\"\nbase_url = \"https://h\"\n\
                [backend]\nexecution_target = \"AUTO\"\nmodel_family = \"qwen2\"\n[client]\nuse_daemon = true\n\
                [features]\nauto_approve_tools = true\n[colors]\n";
    let said = said(text);
    for expected in [
        "config.toml:1:1: settings of an earlier program have no effect: `streaming_enabled`, `client`, `features`, `colors`",
        "config.toml:2:1: `[[teachers]]` and `[backend]` are read as `[[providers]]`; `finch config migrate` rewrites",
        "config.toml:5:1: teachers[0]: base_url has no effect for grok",
        "config.toml:7:1: backend (local): `execution_target`, `model_family` of an earlier program have no effect",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
    let Reading { config, notes } = read(text);
    assert_eq!(notes.problems, []);
    assert!(matches!(config.providers.as_slice(), [Provider::Cloud(_), Provider::Local(_)]), "{config:?}");
}

#[test]
fn a_local_entry_of_the_earlier_program_breaks_nothing() {
    let entry = |target: &str| {
        format!(
            "[[providers]]\ntype = \"groq\"\n[[providers]]\ntype = \"Local\"\nexecution_target = \"{target}\"\nmodel_size = \"XLarge\""
        )
    };
    let order =
        |text: &str| read(text).config.providers.iter().map(|it| matches!(it, Provider::Local(_))).collect::<Vec<_>>();
    assert_eq!(order(&entry("CUDA")), [false, true]);
    assert_eq!(order(&entry("quantum")), [true, false], "it has no place, so it comes first");
    check(
        &entry("quantum"),
        "config.toml:5:20: providers[1] (local): execution_target: this machine has no such target",
    );
    #[cfg(target_os = "linux")]
    check(
        &entry("coreml"),
        "config.toml:5:20: providers[1] (local): execution_target: this machine has no such target",
    );
}

#[test]
fn teachers_beside_providers_have_no_effect() {
    let text = "[[providers]]\ntype = \"groq\"\n[[teachers]]\nprovider = \"claude\"";
    check(text, "config.toml:3:1: `[[teachers]]` and `[backend]` have no effect beside `[[providers]]`");
    assert_eq!(read(text).config.providers.len(), 2);
}

#[test]
fn a_name_of_the_file_cannot_forge_a_line_of_a_log() {
    let text =
        "\"\\n[ERROR] \\u001b[2J\" = 1\n[router]\npolicy = \"a\\nb\"\n[[providers]]\ntype = \"groq\"\nname = \"a\\nb\"";
    let said = said(text);
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
}
