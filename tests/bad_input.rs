//! Whatever is wrong, finch says what happened, why, and what to do next; it never leaves half a file.

use crate::support::finch::{finch, fixture, home_with_a_model};

/// Runs finch on a home with nothing in it, offline.
#[track_caller]
fn check(arguments: &[&str], code: i32, says: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "[models]\noffline = true\n").unwrap();
    let said = finch(home.path(), arguments);
    assert_eq!(said.code, code, "{}", said.err);
    for text in says {
        assert!(said.err.contains(text), "does not say {text:?}:\n{}", said.err);
    }
    let left: Vec<_> = std::fs::read_dir(home.path().join("models"))
        .map(|entries| entries.map(|entry| entry.unwrap().file_name()).filter(|name| name != ".downloads").collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    check(&["complete", "demo.py"], 2, &["FILE:LINE:COL"]);
    check(&["complete", "demo.py:0:1"], 2, &["FILE:LINE:COL"]);
    check(&["frobnicate"], 2, &["unrecognized subcommand"]);
    check(&[], 2, &["Usage"]);
}

#[test]
fn a_file_that_is_not_there_or_no_text_is_named() {
    check(&["complete", "/nonexistent/a.py:1:1"], 1, &["cannot open /nonexistent/a.py"]);
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.py");
    std::fs::write(&latin, b"caf\xe9 = 1\n").unwrap();
    check(&["complete", &format!("{}:1:1", latin.display())], 1, &["not UTF-8 text", "iconv"]);
    check(&["complete", &format!("{}:9:1", fixture("demo.py").display())[..]], 1, &[]);
    let past = format!("{}:999:1", fixture("demo.py").display());
    check(&["complete", &past], 1, &["there is no line 999"]);
}

#[test]
fn without_a_model_and_a_network_the_next_step_is_named() {
    let place = format!("{}:1:1", fixture("demo.py").display());
    check(&["complete", &place], 1, &["offline"]);
    check(&["model", "pull", "smollm2-135m"], 1, &["offline"]);
    check(&["model", "pull", "no-such-model"], 1, &["no-such-model", "finch model list"]);
    check(&["model", "probe", "smollm2-135m"], 1, &["not installed", "finch model pull"]);
}

#[test]
fn a_broken_model_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let import = |name: &str, bytes: &[u8], says: &[&str]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        check(&["model", "import", file.to_str().unwrap(), "--id", "broken"], 1, says);
    };
    import("empty.gguf", b"", &["empty.gguf"]);
    import("text.gguf", b"this is no model", &["text.gguf"]);
    import(
        "huge.gguf",
        b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        &["huge.gguf"],
    );
}

#[test]
fn a_broken_configuration_is_told_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "[engine\n").unwrap();
    let said = finch(home.path(), &["config", "check"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("config.toml:1:8: "), "{}", said.err);
    std::fs::write(home.path().join("config.toml"), "[engine]\nmodle = \"a\"\n").unwrap();
    let said = finch(home.path(), &["config", "check"]);
    assert!(said.err.contains("did you mean `engine.model`?"), "{}", said.err);
}

#[test]
fn the_doctor_says_what_is_missing_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let said = finch(home.path(), &["doctor"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("finch setup"), "{}", said.out);
    let said = finch(home_with_a_model(), &["doctor"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

#[test]
fn a_corrupt_installed_model_is_refused_by_name() {
    let whole = home_with_a_model();
    let home = tempfile::tempdir().unwrap();
    let (from, to) = (whole.join("models/smollm2-135m"), home.path().join("models/smollm2-135m"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
    let graph = to.join("model.onnx");
    let bytes = std::fs::read(&graph).unwrap();
    std::fs::write(&graph, &bytes[..bytes.len() / 2]).unwrap();
    let place = format!("{}:1:1", fixture("demo.py").display());
    let said = finch(home.path(), &["complete", &place]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("smollm2-135m") && said.err.contains("finch model pull"), "{}", said.err);
}
