//! A user writes a configuration, and finch says what it makes of it.

use crate::support::finch::{Said, command, finch, said};

/// What `finch config check` says of a file, with its folder left out.
#[track_caller]
fn check(text: &str, code: i32, expected: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), text).unwrap();
    let mut command = command(home.path());
    for variable in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "MINE"] {
        command.env_remove(variable);
    }
    let Said { code: ended, out, err } = said(command.env("GROQ_API_KEY", "CANARY").args(["config", "check"]));
    let all = format!("{out}{err}").replace(&format!("{}/", home.path().display()), "");
    assert_eq!(ended, code, "{all}");
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{all}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected) && !line.contains("CANARY"), "{line}");
    }
}

#[test]
fn every_problem_is_named_with_its_place_and_the_exit_code_tells() {
    check("[[providers]]\ntype = \"Groq\"\n", 0, &["config.toml: no problems"]);
    let text = "[[providers]]\ntype = \"openai\"\napi_key_env = \"MINE\"\n\n[[providers]]\ntype = \"cohere\"\n\n\
                [router]\npolicy = \"local\"\nhedge = 1\n\n[[providers]]\ntype = \"claude\"\n\
                api_key_cmd = \"echo CANARY >&2; exit 3\"\n";
    let expected = [
        "config.toml:1:1: providers[0] (openai): the variable MINE is not set",
        "config.toml:6:8: providers[1] (cohere): type: unknown variant `cohere`, expected one of",
        "config.toml:9:10: router.policy: unknown variant `local`",
        "config.toml:10:1: unknown key `router.hedge` has no effect; did you mean `router.hedge_ms`?",
        "config.toml:12:1: providers[2] (claude): api_key_cmd failed (exit status: 3)",
    ];
    check(text, 1, &expected);
}

#[test]
fn a_key_that_makes_the_file_no_toml_is_not_shown() {
    let expected = ["finch: config.toml is not valid; mend it or move it away", "config.toml:3:11: "];
    check("[[providers]]\ntype = \"openai\"\napi_key = CANARY\n", 1, &expected);
}

#[test]
fn a_file_of_the_earlier_program_is_rewritten_on_request_and_kept() {
    let home = tempfile::tempdir().unwrap();
    let (path, backup) = (home.path().join("config.toml"), home.path().join("config.toml.bak"));
    let old = "# mine\n[[teachers]]\nprovider = \"groq\" # fast\napi_key = \"CANARY\"\n";
    std::fs::write(&path, old).unwrap();
    let before = finch(home.path(), &["config", "check"]);
    assert!(before.code == 1 && before.err.contains("`finch config migrate` rewrites the file"), "{}", before.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), old, "reading changes nothing");
    let migrated = finch(home.path(), &["config", "migrate"]);
    assert!(migrated.code == 0 && migrated.out.contains("config.toml.bak"), "{}{}", migrated.out, migrated.err);
    let new = std::fs::read_to_string(&path).unwrap();
    assert!(new.starts_with("#:schema "), "{new}");
    assert!(new.ends_with("# mine\n[[providers]]\ntype = \"groq\" # fast\napi_key = \"CANARY\"\n"), "{new}");
    assert_eq!(std::fs::read_to_string(backup).unwrap(), old);
    let after = finch(home.path(), &["config", "check"]);
    assert_eq!((after.code, after.err.as_str()), (0, ""));
    let again = finch(home.path(), &["config", "migrate"]);
    assert!(again.code == 0 && again.out.contains("nothing of an earlier program"), "{}", again.out);
}
