use std::path::Path;

use super::{Outcome, SCHEMA_LINE, apply, rewritten, with_schema_line};
use crate::config::tests::read;
use crate::config::{Config, Provider};

/// What a file becomes; and that it means what it meant.
#[track_caller]
fn check(old: &str, new: &str) {
    let found = rewritten(old).unwrap().unwrap();
    assert_eq!(found.strip_prefix(SCHEMA_LINE).unwrap(), new);
    assert_eq!(meaning(old), meaning(&found), "in memory, and rewritten");
    assert_eq!(rewritten(&found).unwrap(), None, "twice");
    for comment in old.lines().filter_map(|line| line.split_once('#')).map(|(_, comment)| comment) {
        assert!(found.contains(comment), "{comment}");
    }
}

/// The configuration without the places, which differ.
fn meaning(text: &str) -> Config {
    let mut config = read(text).config;
    for provider in &mut config.providers {
        if let Provider::Cloud(cloud) = provider {
            (cloud.place, cloud.label) = Default::default();
        }
    }
    config
}

#[test]
fn teachers_become_providers_and_the_local_model_comes_last() {
    check(
        r#"# My finch.
streaming_enabled = true # yes

[backend] # the local one
enabled = true
# small is enough
model_size = "Small"

# The best.
[[teachers]]
provider = "Claude" # not OpenAI
api_key = "sk-ant-1" # secret
odd = 1

[[teachers]]
# Cheap one.
api_key = "gsk_1"
provider = "groq"
# Was it ever used?
base_url = "https://example.com" # no
name = "fast"

[mcp_servers.git]
command = "git-mcp" # kept
"#,
        r#"# My finch.
streaming_enabled = true # yes

# The best.
[[providers]]
type = "claude" # not OpenAI
api_key = "sk-ant-1" # secret
odd = 1

[[providers]]
# Was it ever used?
# base_url = "https://example.com" # no
# Cheap one.
api_key = "gsk_1"
type = "groq"
name = "fast"

[[providers]] # the local one
type = "local"
enabled = true
# small is enough
model_size = "Small"

[mcp_servers.git]
command = "git-mcp" # kept
"#,
    );
}

#[test]
fn a_backend_alone_keeps_its_place() {
    check(
        "[backend]\nenabled = false\n\n[engine]\nslots = 4\n",
        "[[providers]]\ntype = \"local\"\nenabled = false\n\n[engine]\nslots = 4\n",
    );
}

#[test]
fn other_ways_to_write_the_same_are_understood() {
    check(
        "# a\nteachers = [\n  # b\n  { provider = \"GROQ\", api_key = \"k\" },\n  # c\n]\nbackend.enabled = true\n",
        "# a\n# c\n# b\n[[providers]]\ntype = \"groq\"\napi_key = \"k\"\n\n[[providers]]\ntype = \"local\"\nenabled = true\n",
    );
    check(
        "backend = { device = \"cpu\" }\n[engine]\nslots = 4\n",
        "[engine]\nslots = 4\n\n[[providers]]\ntype = \"local\"\ndevice = \"cpu\"\n",
    );
}

#[test]
fn an_unknown_teacher_is_a_problem_before_and_after_and_no_other_provider() {
    let old = "[[teachers]]\nprovider = \"cohere\"\napi_key = \"k\"\n";
    let new = rewritten(old).unwrap().unwrap();
    for text in [old, &new] {
        let reading = read(text);
        assert_eq!(reading.config.providers.len(), 1, "the local model alone");
        assert!(reading.notes.problems[0].message.contains("unknown variant `cohere`"), "{:?}", reading.notes);
    }
    assert_eq!((read(old).notes.problems[0].line, read(old).notes.problems[0].column), (2, 12));
}

#[test]
fn a_new_file_stays_as_it_is() {
    for text in ["", "[engine]\nslots = 4\n", "[[providers]]\ntype = \"groq\"\n[[teachers]]\nprovider = \"claude\"\n"] {
        assert_eq!(rewritten(text).unwrap(), None);
    }
    let empty = "providers = []\n[[teachers]]\nprovider = \"claude\"\napi_key = \"k\"\n";
    check(empty, "[[providers]]\ntype = \"claude\"\napi_key = \"k\"\n");
}

#[test]
fn the_line_for_the_schema_is_never_there_twice() {
    let once = with_schema_line("# mine\n[engine]\n");
    assert_eq!(once, format!("{SCHEMA_LINE}# mine\n[engine]\n"));
    assert_eq!(with_schema_line(&once), once);
    let own = "# mine\n\n  #:schema ./mine.json\n[engine]\n";
    assert_eq!(with_schema_line(own), own);
    assert_eq!(with_schema_line(""), SCHEMA_LINE);
}

const OLD: &str = "[[teachers]]\nprovider = \"claude\"\napi_key = \"k\"\n";

#[track_caller]
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_old_bytes_are_kept_and_no_copy_is_ever_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    assert_eq!(apply(&path).unwrap(), Outcome::NothingToDo);
    std::fs::write(&path, OLD).unwrap();
    let Outcome::Rewritten { backup } = apply(&path).unwrap() else { panic!("nothing to do") };
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), OLD);
    assert_eq!(apply(&path).unwrap(), Outcome::NothingToDo);
    assert_eq!(names(folder.path()), ["config.toml", "config.toml.bak"]);

    let other = format!("{OLD}# another\n");
    std::fs::write(&path, &other).unwrap();
    apply(&path).unwrap();
    assert_eq!(std::fs::read_to_string(backup).unwrap(), OLD);
    assert_eq!(std::fs::read_to_string(folder.path().join("config.toml.bak.1")).unwrap(), other);
    std::fs::write(&path, &other).unwrap();
    apply(&path).unwrap();
    assert_eq!(names(folder.path()), ["config.toml", "config.toml.bak", "config.toml.bak.1"]);
}

#[cfg(unix)]
#[test]
fn both_files_are_for_their_owner_alone_and_a_link_stays_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.toml"), folder.path().join("config.toml"));
    std::fs::write(&real, OLD).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
    let Outcome::Rewritten { backup } = apply(&link).unwrap() else { panic!("nothing to do") };
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    for file in [real, backup] {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn a_file_that_is_no_toml_stays_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let broken = "[[teachers]]\napi_key = CANARY\n";
    std::fs::write(&path, broken).unwrap();
    let said = format!("{:#}", apply(&path).unwrap_err());
    assert!(said.contains("`finch config check` says where") && !said.contains("CANARY"), "{said}");
    assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), names(folder.path()).len()), (broken, 1));
}
