use std::path::Path;

use super::{Project, Trust, merge, parse, path, read};
use crate::config::router::{PolicyConfig, RuleConfig};
use crate::config::tests::read as own;
use crate::config::{Config, Notes};

/// What a user and a project have together, and all that is said of the project.
fn merged(user: &str, project: &str) -> (Config, String) {
    let (project, notes) = parse(project, Path::new("ws/.finch/config.toml")).unwrap();
    let (config, problems) = merge(&own(user).config, &project);
    let mut said = notes.into_sorted();
    said.extend(problems);
    (config, said.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_project_settles_ghost_text_and_the_model_and_leaves_the_rest() {
    let user = "[engine]\nmodel = \"a\"\nslots = 4\n[completion]\ntokens_max = 10\nexclude = [\"*.mine\"]\n[completion.context]\nedits = false";
    let project = "[engine]\nmodel = \"b\"\n[completion]\ndeadline_ms = 7\nexclude = [\"*.gen\"]\ncomments = \"Silent\"\n[completion.context]\nrecent = false";
    let (config, said) = merged(user, project);
    assert_eq!(said, "");
    assert_eq!((config.engine.model.as_deref(), config.engine.slots), (Some("b"), 4));
    assert_eq!((config.completion.tokens_max, config.completion.deadline_ms), (10, 7));
    assert_eq!(config.completion.exclude, ["*.gen", "*.mine"], "what the user excludes stays so");
    assert_eq!((config.completion.context.edits, config.completion.context.recent), (false, false));
    assert_eq!(config.completion.comments, crate::config::completion::MannerConfig::Silent);
    let (config, said) = merged(user, "");
    assert_eq!((config, said.as_str()), (own(user).config, ""));
}

#[track_caller]
fn check_refused(project: &str, expected: &str) {
    let user =
        "[router]\npolicy = \"local-first\"\nconsent = \"none\"\n[[providers]]\ntype = \"groq\"\napi_key = \"k\"";
    let (config, said) = merged(user, project);
    assert!(said.contains(expected), "{said}");
    assert_eq!(config, own(user).config);
}

#[test]
fn nothing_that_decides_where_a_key_or_a_text_goes_is_heard() {
    for (project, place) in [
        ("[[providers]]\ntype = \"groq\"\nbase_url = \"https://evil/v1\"", "1:3: providers"),
        ("[[teachers]]\nprovider = \"claude\"\nbase_url = \"https://evil\"", "1:3: teachers"),
        ("[backend]\nmodel_path = \"/evil\"", "1:2: backend"),
        ("[router]\nconsent = \"all\"", "2:1: router.consent"),
        ("[router]\nhedge_ms = 1", "2:1: router.hedge_ms"),
        ("[learning]\ncollect = \"text\"", "1:2: learning"),
        ("[agent]\ncaches = [\"/\"]\nreadable = [\"~\"]", "1:2: agent"),
        ("agent.environment = [\"X\"]", "1:1: agent"),
        ("[models]\noffline = false", "1:2: models"),
        ("[engine]\nkeep_cache = true", "2:1: engine.keep_cache"),
        ("engine.devices = [\"cuda\"]", "1:8: engine.devices"),
    ] {
        let expected = format!("ws/.finch/config.toml:{place}: a project may not set this");
        check_refused(project, &expected);
    }
}

#[test]
fn what_is_wrong_is_left_out_with_its_place() {
    check_refused(
        "[completion]\ntokens_max = 0",
        "config.toml:2:14: completion.tokens_max is 0, and must be 1 to 1024",
    );
    check_refused("[completion]\nahead = 1", "config.toml:2:9: completion.ahead: expected true or false");
    check_refused("[engine]\nmodel = 1", "config.toml:2:9: engine.model: expected a text in quotes");
    check_refused("[router]\npolicy = \"none\"", "config.toml:2:10: router.policy: unknown variant `none`");
    check_refused("[[router.rules]]\nglob = \"*\"", "config.toml:1:1: router.rules[0]: missing field `policy`");
    check_refused(
        "[completion]\nahed = true",
        "config.toml:2:1: unknown key `completion.ahed` has no effect; did you mean",
    );
    check_refused("router = 1", "config.toml:1:10: router: expected a table");
    let broken = parse("[completion", Path::new("p/config.toml")).unwrap_err().to_string();
    assert!(broken.contains("p/config.toml:1:12: "), "{broken}");
}

/// The policy a project asks for beside the user's, and the one that holds.
#[track_caller]
fn check_policy(user: &str, project: &str, holds: PolicyConfig, problems: usize) {
    let text = |policy: &str| format!("[router]\npolicy = \"{policy}\"");
    let (config, said) = merged(&text(user), &text(project));
    assert_eq!((config.router.policy, said.lines().count()), (holds, problems), "{said}");
}

#[test]
fn a_policy_of_a_project_is_only_ever_stricter() {
    use PolicyConfig::{Cheapest, CloudFirst, LocalFirst, LocalOnly};
    check_policy("cloud-first", "local-only", LocalOnly, 0);
    check_policy("cloud-first", "local-first", LocalFirst, 0);
    check_policy("cheapest", "local-first", LocalFirst, 0);
    check_policy("local-first", "local-first", LocalFirst, 0);
    check_policy("local-first", "cloud-first", LocalFirst, 1);
    check_policy("local-only", "local-first", LocalOnly, 1);
    check_policy("cheapest", "cloud-first", Cheapest, 1);
    check_policy("cloud-first", "cheapest", CloudFirst, 1);
}

fn rule(glob: &str, policy: PolicyConfig) -> RuleConfig {
    RuleConfig { tasks: Vec::new(), glob: Some(glob.to_owned()), policy }
}

#[test]
fn rules_of_a_project_loosen_nothing() {
    use PolicyConfig::{CloudFirst, LocalFirst, LocalOnly};
    let user = "[router]\npolicy = \"local-first\"\n[[router.rules]]\nglob = \"u\"\npolicy = \"local-only\"\n\
                [[router.rules]]\nglob = \"v\"\npolicy = \"cloud-first\"\n";
    let project = "[[router.rules]]\nglob = \"a\"\npolicy = \"local-first\"\n[[router.rules]]\nglob = \"b\"\n\
                   policy = \"local-only\"\n[[router.rules]]\nglob = \"c\"\npolicy = \"cloud-first\"";
    let (config, said) = merged(user, project);
    let expected = [rule("b", LocalOnly), rule("u", LocalOnly), rule("v", CloudFirst), rule("a", LocalFirst)];
    assert_eq!(config.router.rules, expected);
    let looser = "ws/.finch/config.toml:7:1: router.rules[2]: a project may only keep more on this machine than you do";
    assert_eq!(said, looser);
    let (config, said) = merged(user, "[router]\npolicy = \"local-only\"");
    assert_eq!((config.router.rules, said.as_str()), (vec![rule("u", LocalOnly), rule("v", LocalOnly)], ""));
}

#[test]
fn nothing_is_read_where_the_user_has_not_said_that_he_trusts() {
    let workspace = tempfile::tempdir().unwrap();
    std::fs::create_dir(workspace.path().join(".finch")).unwrap();
    assert!(read(workspace.path(), Trust::Trusted).unwrap().is_none(), "there is no file");
    std::fs::write(path(workspace.path()), "[completion").unwrap();
    assert!(read(workspace.path(), Trust::Unknown).unwrap().is_none(), "not even looked at");
    assert!(read(workspace.path(), Trust::Trusted).is_err());
    std::fs::write(path(workspace.path()), "[engine]\nmodel = \"b\"").unwrap();
    let (project, notes) = read(workspace.path(), Trust::Trusted).unwrap().unwrap();
    assert_eq!((project, notes), (Project { model: Some("b".to_owned()), ..Project::default() }, Notes::default()));
    std::fs::write(path(workspace.path()), "#".repeat(1 << 21)).unwrap();
    let large = read(workspace.path(), Trust::Trusted).unwrap_err().to_string();
    assert!(large.contains("larger than 1 MiB"), "{large}");
}
