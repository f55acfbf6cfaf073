use super::*;
use crate::services::SERVICES;

fn plan(clouds: Clouds) -> Plan {
    Plan { model: "m".into(), clouds }
}

fn asked() -> Clouds {
    let cloud = Cloud {
        row: &SERVICES[0],
        name: "claude".into(),
        model: "opus".into(),
        base_url: None,
        key: KeyPlan::Typed(Typed("k".into())),
    };
    Clouds::Asked(Asked { clouds: vec![cloud], off: Vec::new(), policy: Policy::CloudFirst, agreement: None })
}

/// What the document is afterwards, and once more afterwards.
#[track_caller]
fn check(plan: &Plan, before: &str, after: &str) {
    let mut document: DocumentMut = before.parse().unwrap();
    for _ in 0..2 {
        plan.put_into(&mut document, Naming::Named).unwrap();
        assert_eq!(document.to_string(), after);
    }
}

#[test]
fn comments_order_and_unknown_keys_stay() {
    let before = "\
# on top
[engine] # of mine
model = 'other'   # why
threads = 2

[mcp_servers.x] # not ours
command = \"x\"

# about the clouds
[[providers]]
later = true # unknown
# where the key is
api_key_env = \"K\"
type = \"claude\"
model = \"sonnet\" # cheap

[router]
# who goes first
policy = \"local-first\" # as usual
# the end
";
    let after = before
        .replace("'other'", "\"m\"")
        .replace("\"sonnet\"", "\"opus\"")
        .replace("# where the key is\napi_key_env = \"K\"\n", "")
        .replace("cheap\n", "cheap\napi_key = \"k\"\n")
        .replace("\"local-first\"", "\"cloud-first\"");
    check(&plan(asked()), before, &after);
}

#[test]
fn sections_may_be_written_in_one_line() {
    let after = "engine = { model = \"m\", threads = 2 }\nrouter.policy = \"local-only\"\n";
    check(&plan(Clouds::Off), "engine = { model = \"x\", threads = 2 }\nrouter.policy = \"cheapest\"\n", after);
}

#[test]
fn a_key_that_holds_something_else_is_told() {
    for (text, said) in [("engine = 1", "`engine` is no table"), ("providers = 1", "`providers` is no list of tables")]
    {
        let refused = plan(asked()).put_into(&mut text.parse().unwrap(), Naming::Named).unwrap_err();
        assert!(refused.to_string().starts_with(said), "{refused}");
    }
}
