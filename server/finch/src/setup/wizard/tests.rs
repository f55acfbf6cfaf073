use super::*;
use crate::setup::plan::Naming;

const CLOUD_FILE: &str = "\
# mine
[[providers]]
type = \"Claude\" # the first
api_key = \"sk-ant-secret\"

[[providers]]
name = \"work\"
type = \"openai\"
model = \"gpt-x\"
api_key_env = \"WORK_KEY\"
enabled = false

[router]
policy = \"cloud-first\"
consent = \"all\"
";

fn wizard(file: &str, variables: &[&str]) -> Wizard {
    let model = |id: &str| Model { id: id.into(), label: id.into(), hint: String::new() };
    let existing = Existing::of(&file.parse().unwrap());
    let variables = variables.iter().map(|name| (*name).to_owned()).collect();
    Wizard::new(vec![model("small"), model("large")], 1, &existing, &variables, "config.toml".into())
}

/// The names of those whose keys are to be checked now.
fn to_check(wizard: &Wizard) -> Vec<String> {
    match wizard.next() {
        Next::Check(check) => check.names,
        other => panic!("{other:?}"),
    }
}

fn verdicts(of: &[(&str, &Verdict)]) -> Vec<(String, Verdict)> {
    of.iter().map(|(name, verdict)| ((*name).to_owned(), (*verdict).clone())).collect()
}

fn question(wizard: &Wizard) -> Question {
    match wizard.next() {
        Next::Ask(question) => question,
        other => panic!("{other:?}"),
    }
}

/// Answers by what a person sees: the beginning of an item's label, several with ` + ` between them, or a text. An empty
/// answer takes what is proposed, and `<` goes back. Keys that are to be checked are good.
fn answer(wizard: &mut Wizard, said: &str) -> Result<(), String> {
    answer_up_to_the_check(wizard, said)?;
    if let Next::Check(check) = wizard.next() {
        wizard.checked(check.names.into_iter().map(|name| (name, Verdict::Taken("taken".into()))).collect());
    }
    Ok(())
}

fn answer_up_to_the_check(wizard: &mut Wizard, said: &str) -> Result<(), String> {
    let question = question(wizard);
    let place = |items: &[Item], label: &str| {
        let place = items.iter().position(|item| item.label.starts_with(label));
        place.unwrap_or_else(|| panic!("no {label} in {items:?}"))
    };
    wizard.answer(match (said, question.kind) {
        ("<", _) => Answer::Back,
        ("", Kind::One { initial, .. }) => Answer::One(initial),
        ("", Kind::Several { initial, .. }) => Answer::Several(initial),
        (said, Kind::One { items, .. }) => Answer::One(place(&items, said)),
        (said, Kind::Several { items, .. }) => {
            Answer::Several(said.split(" + ").map(|label| place(&items, label)).collect())
        }
        (said, Kind::Text { .. } | Kind::Hidden) => Answer::Text(said.into()),
    })
}

#[track_caller]
fn answered(file: &str, variables: &[&str], said: &[&str]) -> Wizard {
    let mut wizard = wizard(file, variables);
    for said in said {
        answer(&mut wizard, said).unwrap_or_else(|reason| panic!("{said}: {reason}"));
    }
    wizard
}

/// Answers, and what the file is afterwards.
#[track_caller]
fn check(file: &str, variables: &[&str], said: &[&str], expected: &str) {
    let wizard = answered(file, variables, said);
    let Next::Done(plan) = wizard.next() else { panic!("{:?}", wizard.next()) };
    let mut document = file.parse().unwrap();
    plan.put_into(&mut document, Naming::Understood).unwrap();
    assert_eq!(document.to_string(), expected);
}

#[test]
fn without_a_cloud_nothing_is_written() {
    check("", &["OPENAI_API_KEY"], &["", "", "Yes"], "");
    check("# mine\n", &[], &["small", "No", "Yes"], "# mine\n");
}

#[test]
fn a_cloud_whose_key_is_in_the_environment_is_six_times_enter() {
    let expected = "\
[[providers]]
type = \"grok\"
model = \"grok-code-fast-1\"
api_key_env = \"GROK_API_KEY\"

[router]
policy = \"local-first\"
consent = \"ask\"
";
    check("", &["GROK_API_KEY", "OPENAI_API_KEY"], &["", "Yes", "Grok", "", "", "", "", ""], expected);
}

#[test]
fn keys_are_typed_or_printed_by_a_command_or_not_needed() {
    let expected = "\
[[providers]]
type = \"claude\"
model = \"opus\"
api_key = \"sk-ant-1\"

[[providers]]
type = \"mistral\"
model = \"codestral-latest\"
api_key_cmd = [\"pass\", \"show\", \"the cloud\"]

[[providers]]
type = \"openai-compatible\"
model = \"qwen\"
base_url = \"http://127.0.0.1:11434/v1\"

[router]
policy = \"cheapest\"
consent = \"none\"
";
    let claude = ["I type", " sk-ant-1 ", "opus"];
    let mistral = ["A command", "pass show 'the cloud'", ""];
    let own = ["http://127.0.0.1:11434/v1/", "It needs none", "qwen"];
    let mut said = vec!["small", "Yes", "another server + Claude + Mistral"];
    said.extend(claude.iter().chain(&mistral).chain(&own));
    said.extend(["cheapest", "none", "Yes"]);
    check("", &[], &said, expected);
}

#[test]
fn what_is_configured_is_what_enter_keeps() {
    check(CLOUD_FILE, &["ANTHROPIC_API_KEY"], &["", "", "", "", "", "", "", ""], CLOUD_FILE);
}

#[test]
fn an_entry_is_changed_where_it_stands_and_a_new_one_comes_behind() {
    let expected = CLOUD_FILE
        .replace("api_key = \"sk-ant-secret\"", "api_key_env = \"ANTHROPIC_API_KEY\"")
        .replace("gpt-x", "gpt-y")
        .replace("enabled = false", "enabled = true")
        .replace(
            "\n[router]",
            "\n[[providers]]\ntype = \"openai\"\nmodel = \"gpt-5-mini\"\napi_key = \"k\"\n\n[router]",
        )
        .replace("\"all\"", "\"ask\"");
    let said =
        ["", "", "Claude + work + OpenAI", "In the variable ANTHROPIC", "", "Where it is", "gpt-y", "I type", "k", ""];
    check(CLOUD_FILE, &["ANTHROPIC_API_KEY"], &[&said[..], &["", "ask", ""]].concat(), &expected);
}

#[test]
fn a_cloud_that_is_not_chosen_any_more_stays_and_is_switched_off() {
    let expected = CLOUD_FILE
        .replace("secret\"\n", "secret\"\nenabled = false\n")
        .replace("enabled = false\n\n[router]", "enabled = true\n\n[router]");
    check(CLOUD_FILE, &[], &["", "", "work", "", "", "", "", ""], &expected);
}

#[test]
fn no_cloud_any_more_is_a_policy_and_yes_takes_it_back() {
    let off = CLOUD_FILE.replace("cloud-first", "local-only");
    check(CLOUD_FILE, &[], &["", "No", ""], &off);
    check(&off, &[], &["", "", ""], &off);
    check(&off, &[], &["", "Yes", "", "", "", "cloud-first", "", ""], CLOUD_FILE);
}

#[test]
fn local_only_asks_for_no_consent() {
    let expected = CLOUD_FILE.replace("cloud-first", "local-only");
    check(CLOUD_FILE, &[], &["", "", "", "", "", "local-only", ""], &expected);
}

#[test]
fn several_servers_of_ones_own_have_names_of_their_own() {
    let one = "[[providers]]\ntype = \"openai-compatible\"\nmodel = \"m\"\nbase_url = \"http://box.lan/v1\"\nallow_http = true\n";
    let router = "\n[router]\npolicy = \"local-first\"\nconsent = \"ask\"\n";
    let two = "\n[[providers]]\ntype = \"openai-compatible\"\nname = \"openai-compatible-2\"\nmodel = \"n\"\nbase_url = \"https://b/v1\"\n";
    let said = ["", "", "another + openai-compatible-2", "", "", "", "https://b/v1", "", "n", "", "", ""];
    check(one, &[], &said, &format!("{one}{two}{router}"));
}

#[test]
fn a_list_in_brackets_becomes_entries() {
    let file = "providers = [{ type = \"groq\", model = \"m\", api_key_cmd = [\"x\"] }]\n";
    let wizard = answered(file, &[], &["", "", "", "", "n", "", "", ""]);
    let Next::Done(plan) = wizard.next() else { panic!("{:?}", wizard.next()) };
    let mut document = file.parse().unwrap();
    plan.put_into(&mut document, Naming::Named).unwrap();
    let read: toml::Table = document.to_string().parse().unwrap();
    let expected: toml::Table = "\
engine.model = \"large\"
router = { policy = \"local-first\", consent = \"ask\" }
providers = [{ type = \"groq\", model = \"n\", api_key_cmd = [\"x\"] }]
"
    .parse()
    .unwrap();
    assert_eq!(read, expected);
}

#[test]
fn going_back_keeps_what_was_answered() {
    let mut wizard = answered("", &[], &["small", "Yes", "OpenAI + Groq", "A command", "pass show x", "<", "<", "<"]);
    assert_eq!(question(&wizard).text, "Which ones?");
    answer(&mut wizard, "").unwrap();
    let Kind::One { items, initial } = question(&wizard).kind else { panic!() };
    assert_eq!(items[initial].label, "A command prints it");
    answer(&mut wizard, "").unwrap();
    assert_eq!(question(&wizard).kind, Kind::Text { initial: Some("pass show x".into()) });
    for _ in 0..9 {
        answer(&mut wizard, "<").unwrap();
    }
    assert!(!question(&wizard).goes_back);
    assert!(matches!(question(&wizard).kind, Kind::One { initial: 0, .. }), "the first model");
}

#[test]
fn every_question_but_the_first_goes_back_to_the_one_before() {
    let said = ["", "Yes", "another + Claude", "A command", "x", "", "https://a/v1", "I type", "k", "m", "", ""];
    let mut wizard = wizard("", &[]);
    let mut asked = Vec::new();
    for said in said {
        asked.push(question(&wizard));
        answer(&mut wizard, said).unwrap();
    }
    for before in asked.iter().rev() {
        assert!(question(&wizard).goes_back);
        answer(&mut wizard, "<").unwrap();
        assert_eq!(question(&wizard).text, before.text);
    }
}

#[test]
fn the_summary_tells_everything_but_the_key() {
    let said = ["", "Yes", "Claude + another", "I type", "sk-ant-1", "", "https://a/v1", "", "m", "cheapest", "all"];
    let wizard = answered("", &[], &said);
    let expected = "\
local model: large
cloud claude: claude-sonnet-4-6, the key you typed, in this file
cloud openai-compatible at https://a/v1: m, no key
policy: cheapest
consent: all";
    assert_eq!(question(&wizard).note.as_deref(), Some(expected));
    assert!(!format!("{:?}", wizard.plan()).contains("sk-ant-1"), "{:?}", wizard.plan());
    assert!(!format!("{wizard:?}").contains("sk-ant-1"));
}

#[test]
fn a_no_at_the_end_leaves_everything() {
    assert_eq!(answered("", &[], &["", "", "No"]).next(), Next::Left);
}

/// The last of these answers is refused, and the question stands.
#[track_caller]
fn check_refused(said: &[&str], reason: &str) {
    let (last, before) = said.split_last().unwrap();
    let mut wizard = answered("", &[], before);
    let asked = question(&wizard);
    let refused = answer(&mut wizard, last).unwrap_err();
    assert!(refused.contains(reason), "{refused}");
    assert_eq!(question(&wizard), asked);
}

#[test]
fn answers_that_do_not_do_are_refused() {
    check_refused(&["", "Yes", ""], "choose at least one");
    let own = ["", "Yes", "another"];
    let of_own = |said: &[&'static str]| [&own[..], said].concat();
    check_refused(&of_own(&[""]), "type an address");
    check_refused(&of_own(&["box"]), "no address");
    check_refused(&of_own(&["http://box.lan/v1"]), "unencrypted");
    check_refused(&of_own(&["https://a/v1?key=1"]), "ends with ?");
    check_refused(&of_own(&["https://a/v1", "It needs none", ""]), "type the name of a model");
    check_refused(&of_own(&["https://a/v1", "I type", "a key"]), "paste it again");
    check_refused(&of_own(&["https://a/v1", "A command", "  "]), "type a command");
    check_refused(&of_own(&["https://a/v1", "A command", "pass 'x"]), "has no end");
}

#[test]
fn an_answer_to_another_question_is_none() {
    let mut wizard = wizard("", &[]);
    assert!(wizard.answer(Answer::Text("x".into())).is_err());
    assert!(wizard.answer(Answer::One(9)).is_err());
    assert!(!question(&wizard).goes_back);
}

/// Two clouds with typed keys, up to their check.
fn with_two_keys() -> Wizard {
    let said = ["", "Yes", "Claude + Groq", "I type", "sk-1", "", "I type", "gsk-1", "", ""];
    let mut wizard = answered("", &[], &said);
    answer_up_to_the_check(&mut wizard, "").unwrap();
    assert_eq!(to_check(&wizard), ["claude", "groq"]);
    wizard
}

#[test]
fn a_key_that_is_refused_is_typed_again_and_that_one_alone_is_checked_again() {
    let mut wizard = with_two_keys();
    let (taken, refused) = (Verdict::Taken("taken".into()), Verdict::Refused("the key was refused (HTTP 401)".into()));
    wizard.checked(verdicts(&[("groq", &refused), ("claude", &taken)]));
    assert_eq!(question(&wizard).text, "groq: the key was refused (HTTP 401). What now?");
    answer(&mut wizard, "Type it again").unwrap();
    assert_eq!(question(&wizard).kind, Kind::Hidden);
    answer_up_to_the_check(&mut wizard, "gsk-2").unwrap();
    assert_eq!(to_check(&wizard), ["groq"]);
    wizard.checked(verdicts(&[("groq", &refused)]));
    answer(&mut wizard, "Type it again").unwrap();
    answer_up_to_the_check(&mut wizard, "gsk-3").unwrap();
    wizard.checked(verdicts(&[("groq", &taken)]));
    assert!(question(&wizard).text.starts_with("Write this to"), "{wizard:?}");
    answer(&mut wizard, "<").unwrap();
    assert_eq!(
        question(&wizard).text,
        "Text of which workspaces may go to a cloud?",
        "no way back to a key that is gone"
    );
    answer(&mut wizard, "").unwrap();
    answer(&mut wizard, "Yes").unwrap();
    let Next::Done(plan) = wizard.next() else { panic!("{wizard:?}") };
    let mut document = "".parse().unwrap();
    plan.put_into(&mut document, Naming::Understood).unwrap();
    assert!(document.to_string().contains("api_key = \"gsk-3\""), "{document}");
}

#[test]
fn each_refused_key_is_asked_about_and_may_be_kept() {
    let mut wizard = with_two_keys();
    let refused = Verdict::Refused("no".into());
    wizard.checked(verdicts(&[("claude", &refused), ("groq", &refused)]));
    assert_eq!(question(&wizard).text, "claude: no. What now?");
    answer(&mut wizard, "Go on").unwrap();
    assert_eq!(question(&wizard).text, "groq: no. What now?");
    answer(&mut wizard, "<").unwrap();
    assert_eq!(question(&wizard).text, "claude: no. What now?");
    answer(&mut wizard, "Go on").unwrap();
    answer(&mut wizard, "Go on").unwrap();
    let note = question(&wizard).note.unwrap();
    assert_eq!(note.matches("the key you typed").count(), 2, "{note}");
}

#[test]
fn a_key_that_is_not_typed_again_after_all_stays() {
    let said = ["", "Yes", "Grok", "In the variable GROK", "", ""];
    let mut wizard = answered("", &["GROK_API_KEY"], &said);
    answer_up_to_the_check(&mut wizard, "").unwrap();
    wizard.checked(verdicts(&[("grok", &Verdict::Refused("no".into()))]));
    for said in ["Type it again", "<", "Go on"] {
        answer(&mut wizard, said).unwrap();
    }
    let note = question(&wizard).note.unwrap();
    assert!(note.contains("key from the variable GROK_API_KEY"), "{note}");
}

#[test]
fn after_a_refusal_everything_can_be_left_as_it_is() {
    let mut wizard = with_two_keys();
    wizard.checked(verdicts(&[("claude", &Verdict::Refused("no".into()))]));
    answer(&mut wizard, "Leave").unwrap();
    assert_eq!(wizard.next(), Next::Left);
}

#[test]
fn what_could_not_be_checked_is_no_question() {
    let mut wizard = with_two_keys();
    wizard.checked(verdicts(&[("claude", &Verdict::Unknown("could not be reached".into()))]));
    assert!(question(&wizard).text.starts_with("Write this to"), "{wizard:?}");
}

#[test]
fn only_what_changed_is_checked_again() {
    let mut wizard =
        answered("", &[], &["", "Yes", "Claude + Groq", "I type", "sk-1", "", "I type", "gsk-1", "", "", ""]);
    for _ in 0..3 {
        answer(&mut wizard, "<").unwrap();
    }
    assert_eq!(question(&wizard).text, "Which model of groq?");
    answer(&mut wizard, "other").unwrap();
    answer(&mut wizard, "").unwrap();
    answer_up_to_the_check(&mut wizard, "").unwrap();
    assert_eq!(to_check(&wizard), ["groq"]);
}

#[test]
fn local_only_and_no_cloud_check_nothing() {
    for said in [&["", "No"][..], &["", "Yes", "Claude", "I type", "k", "", "local-only"]] {
        let (last, before) = said.split_last().unwrap();
        let mut wizard = answered("", &[], before);
        answer_up_to_the_check(&mut wizard, last).unwrap();
        assert!(question(&wizard).text.starts_with("Write this to"), "{wizard:?}");
    }
}

#[test]
fn a_verdict_that_nobody_asked_for_changes_nothing() {
    let mut wizard = answered("", &[], &["", "Yes", "Claude"]);
    let asked = question(&wizard);
    wizard.checked(verdicts(&[("claude", &Verdict::Refused("no".into()))]));
    assert_eq!(question(&wizard), asked);
}
