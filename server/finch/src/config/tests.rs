use std::path::Path;

use super::Config;

#[track_caller]
fn check(text: &str, expected: &str) {
    let said = match Config::parse(text, Path::new("config.toml")) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(error) => error.to_string(),
    };
    assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "said: {said:?}");
}

#[test]
fn a_good_file_says_nothing() {
    check("", "");
    check("[engine]\ndevices = [\"cuda:1\", \"coreml\", \"openvino:npu\", \"cpu\"]", "");
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
    check("[engine]\nthreads = 0", "config.toml: engine.threads is 0, and must be 1 to 1024");
    check("[engine", "line 1");
    check("[learning]\ncollect = \"all\"", "expected `counts` or `text`");
    let unknown = "[engine]\nthreads = 1\ndevices = [\"cuda\", \"tpu\"]";
    check(unknown, "\"tpu\" is no device; write cpu, cuda");
    check(unknown, "line 3, column 11");
    check("[engine]\ndevices = [\"cpu\", \"cuda\"]", "cuda:0 stands behind cpu");
    check("[engine]\ndevices = \"cuda\"", "devices");
}

#[test]
fn an_absent_file_is_the_default() {
    let (config, warnings) = Config::load(Path::new("/nonexistent/config.toml")).unwrap();
    assert_eq!((config, warnings.len()), (Config::default(), 0));
}
