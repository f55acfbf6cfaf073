use super::*;

fn provider(id: &str, is_local: bool, cost: f64) -> Candidate {
    Candidate { id: ProviderId::new(id), is_local, is_able: true, pause: None, cost }
}

fn providers() -> Vec<Candidate> {
    vec![provider("dear", false, 9.0), provider("local", true, 0.5), provider("cheap", false, 0.1)]
}

#[track_caller]
fn check(policy: Policy, consent: Consent, order: &[&str]) {
    let found = candidates(&providers(), policy, consent);
    assert_eq!(found.iter().map(ProviderId::as_str).collect::<Vec<_>>(), order);
}

#[test]
fn a_policy_orders_and_consent_lets_out() {
    check(Policy::LocalFirst, Consent::Given, &["local", "dear", "cheap"]);
    check(Policy::CloudFirst, Consent::Given, &["dear", "cheap", "local"]);
    check(Policy::Cheapest, Consent::Given, &["cheap", "local", "dear"]);
    check(Policy::LocalOnly, Consent::Given, &["local"]);
    for policy in [Policy::LocalFirst, Policy::CloudFirst, Policy::Cheapest, Policy::LocalOnly] {
        check(policy, Consent::Unknown, &["local"]);
        check(policy, Consent::Refused, &["local"]);
    }
}

#[test]
fn who_cannot_or_is_ill_is_left_out() {
    let mut providers = providers();
    providers[0].is_able = false;
    providers[1].pause = Some(Duration::from_secs(1));
    let found = candidates(&providers, Policy::LocalFirst, Consent::Given);
    assert_eq!(found, [ProviderId::new("cheap")]);
}

#[test]
fn the_first_rule_that_matches_holds() {
    let rule = |tasks: &[Task], glob: Option<&str>, policy| Rule {
        tasks: tasks.to_vec(),
        glob: glob.map(str::to_owned),
        policy,
    };
    let rules = [
        rule(&[], Some("secret/**"), Policy::LocalOnly),
        rule(&[Task::Chat, Task::Plan], None, Policy::CloudFirst),
        rule(&[], Some("*.md"), Policy::Cheapest),
    ];
    let found = |task, path| policy(&rules, Policy::LocalFirst, task, path);
    assert_eq!(found(Task::Chat, Some("secret/a/b.rs")), Policy::LocalOnly);
    assert_eq!(found(Task::Plan, Some("src/a.rs")), Policy::CloudFirst);
    assert_eq!(found(Task::Chat, None), Policy::CloudFirst);
    assert_eq!(found(Task::Completion, Some("docs/a.md")), Policy::Cheapest);
    assert_eq!(found(Task::Critique, None), Policy::LocalFirst);
}

#[test]
fn globs_match_parts_and_folders() {
    let yes = [
        ("*.md", "a/b.md"),
        (".env*", ".env.local"),
        ("src/*.rs", "src/a.rs"),
        ("src/**", "src/a/b"),
        ("**/test/**", "a/test/b"),
        ("**/a.rs", "a.rs"),
        ("/src/?.rs", "src/a.rs"),
    ];
    let no = [("*.md", "a.mdx"), ("src/*.rs", "src/a/b.rs"), ("src/**", "lib/a"), ("**/test/**", "tests/a")];
    for (glob, path) in yes {
        assert!(matches(glob, path), "{glob} {path}");
    }
    for (glob, path) in no {
        assert!(!matches(glob, path), "{glob} {path}");
    }
    assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
}
