use std::time::Duration;

use finch_llm::Task;
use finch_llm::router::{Consent, Policy, Rule};

use super::{ConsentConfig, Hedge, PolicyConfig, RouterConfig};
use crate::config::tests::{read, said};

#[test]
fn by_default_the_local_model_is_asked_first_and_nothing_leaves_unasked() {
    let router = read("").config.router;
    assert_eq!((router.policy, router.consent), (PolicyConfig::LocalFirst, ConsentConfig::Ask));
    assert_eq!((router.hedge(), router.rules(), router.consent.everywhere()), (Hedge::Measured, Vec::new(), None));
}

#[test]
fn every_setting_is_read_in_any_case() {
    let text = "[router]\npolicy = \"Cloud_First\"\nconsent = \"ALL\"\nhedge_ms = 250\n\
                [[router.rules]]\ntasks = [\"Chat\", \"plan\"]\nglob = \"src/**\"\npolicy = \"local-only\"\n\
                [[router.rules]]\npolicy = \"Cheapest\"";
    assert_eq!(said(text), "");
    let router = read(text).config.router;
    assert_eq!((Policy::from(router.policy), router.consent.everywhere()), (Policy::CloudFirst, Some(Consent::Given)));
    assert_eq!(router.hedge(), Hedge::After(Duration::from_millis(250)));
    let rules = [
        Rule { tasks: vec![Task::Chat, Task::Plan], glob: Some("src/**".to_owned()), policy: Policy::LocalOnly },
        Rule { tasks: Vec::new(), glob: None, policy: Policy::Cheapest },
    ];
    assert_eq!(router.rules(), rules);
    assert_eq!(read("[router]\nhedge_ms = 0").config.router.hedge(), Hedge::Never);
}

#[track_caller]
fn check_strict(text: &str, expected: &str) {
    let found = said(text);
    assert_eq!(read(text).config.router, RouterConfig::strict());
    assert!(found.contains(expected) && found.contains("nothing leaves this machine until that is mended"), "{found}");
}

#[test]
fn what_is_wrong_lets_nothing_out() {
    check_strict(
        "[router]\npolicy = \"local\"",
        "config.toml:2:10: router.policy: unknown variant `local`, expected one of",
    );
    check_strict("[router]\nconsent = true", "config.toml:2:11: router.consent: ");
    check_strict("[router]\nhedge_ms = 60001", "config.toml:2:12: router.hedge_ms: it must be 0 to 60000");
    check_strict("[[router.rules]]\npolicy = \"no\"", "config.toml:2:10: router.rules");
    check_strict("[[router.rules]]\nglob = \"*.rs\"", "missing field `policy`");
    check_strict("[router]\nrules = 3", "router.rules: expected an array");
    check_strict("router = 3", "config.toml:1:10: router: ");
}

#[test]
fn an_unknown_key_of_a_rule_is_a_warning() {
    let text = "[[router.rules]]\npolicy = \"local-only\"\nglobb = \"*\"";
    let unknown =
        "config.toml:3:1: unknown key `router.rules[0].globb` has no effect; did you mean `router.rules[0].glob`?";
    assert_eq!(said(text), unknown);
}
