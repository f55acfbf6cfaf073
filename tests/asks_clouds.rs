//! One question through each of the six types, who is asked next, and what leaves: the real binary and servers on
//! loopback that are not ours.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::support::client::Client;
use crate::support::closed_port::ClosedPort;
use crate::support::finch::{Said, command, finch, said};
use crate::support::llmock::{KEY, Llmock, SERVICES};

/// A FINCH_HOME without a model, with this configuration.
fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), config).unwrap();
    home
}

/// An entry for each of the six types, all on the mock.
fn six(server: &Llmock) -> String {
    let mut config = String::new();
    for (service, _, model) in SERVICES {
        let (kind, url) = (format!("{service:?}").to_lowercase(), server.spec(service).endpoint);
        write!(
            config,
            "[[providers]]\ntype = \"{kind}\"\nmodel = \"{model}\"\nbase_url = \"{url}\"\napi_key = \"{KEY}\"\n\
             cost = {{ input = 1.0, output = 2.0 }}\n\n"
        )
        .unwrap();
    }
    config
}

fn entry(name: &str, url: &str) -> String {
    format!(
        "[[providers]]\ntype = \"openai-compatible\"\nname = \"{name}\"\nmodel = \"gpt-4o-mini\"\nbase_url = \"{url}\"\n\
         api_key = \"{KEY}\"\n\n"
    )
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}{}", said.out, said.err))
}

/// Where nobody listens.
fn url_of(dead: &ClosedPort) -> String {
    format!("http://{}/v1", dead.address().unwrap())
}

fn ledger(home: &Path) -> Vec<Value> {
    json(&finch(home, &["ledger", "--json"]))["entries"].as_array().unwrap().clone()
}

#[test]
fn each_of_the_six_types_answers_and_says_who_it_is() {
    let server = Llmock::start();
    let home = home(&six(&server));
    for (service, _, model) in SERVICES {
        let name = format!("{service:?}").to_lowercase();
        let said = finch(home.path(), &["ask", "Hello?", "--provider", &name, "--json", "-vv"]);
        assert_eq!(said.code, 0, "{name}: {}", said.err);
        let answer = json(&said);
        assert_eq!((&answer["provider"], &answer["model"]), (&name.as_str().into(), &model.into()));
        assert!(!answer["text"].as_str().unwrap().is_empty(), "{answer}");
        // Mistral tells it unasked; what speaks for it here does not.
        let counts = name != "mistral";
        assert_eq!(answer["usage"]["prompt_tokens"].as_u64() > Some(0), counts, "{answer}");
        assert!(!said.err.contains("CANARY") && !said.out.contains("CANARY"), "{name}: {}", said.err);
    }
    // Each was told the rules of form before the question.
    for body in server.bodies() {
        assert!(body.to_string().contains("Rules for every answer:"), "{body}");
    }
    assert_eq!(server.findings(), Vec::<String>::new());
    let entries = ledger(home.path());
    let names: Vec<&str> = entries.iter().map(|entry| entry["provider"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for entry in &entries {
        assert_eq!((&entry["outcome"], &entry["task"]), (&"answered".into(), &"chat".into()), "{entry}");
        assert_eq!(entry["cost"].as_f64() > Some(0.0), entry["provider"] != "mistral", "{entry}");
        assert!(entry["bytes"].as_u64() > Some(100), "{entry}");
    }
    let table = finch(home.path(), &["ledger"]);
    assert!(table.out.contains("stayed here") && !table.out.contains("Hello?"), "{}", table.out);
}

#[test]
fn an_answer_is_streamed_and_who_gave_it_is_said_beside_it() {
    let server = Llmock::start();
    let home = home(&six(&server));
    let said = finch(home.path(), &["ask", "Hello?", "--provider", "groq"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("groq answered (openai/gpt-oss-20b)"), "{}", said.err);
    assert!(said.out.ends_with('\n') && !said.out.contains("groq answered"), "{}", said.out);
}

#[test]
fn the_next_provider_answers_where_the_first_is_dead() {
    let server = Llmock::start();
    let url = server.spec(SERVICES[1].0).endpoint.to_string();
    let dead = ClosedPort::take().unwrap();
    let home = home(&(entry("first", &url_of(&dead)) + &entry("second", &url)));
    let said = finch(home.path(), &["ask", "Hello?", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(json(&said)["provider"], "second");
    let outcomes: Vec<Value> = ledger(home.path()).iter().map(|entry| entry["outcome"].clone()).collect();
    assert!(outcomes.contains(&"failed:unavailable".into()) && outcomes.contains(&"answered".into()), "{outcomes:?}");
}

#[test]
fn all_dead_is_one_error_that_names_each() {
    let [first, second] = [(), ()].map(|()| ClosedPort::take().unwrap());
    let home = home(&(entry("first", &url_of(&first)) + &entry("second", &url_of(&second))));
    let said = finch(home.path(), &["ask", "Hello?"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    for name in ["local: no model is installed", "first: ", "second: "] {
        assert!(said.err.contains(name), "{}", said.err);
    }
}

/// What a question without a provider's name comes to, where the only provider is beyond this machine.
#[track_caller]
fn check_refused(router: &str, arguments: &[&str], reason: &str) {
    let home = home(&format!("{}[router]\n{router}\n", entry("cloud", "https://cloud.invalid/v1")));
    let said = finch(home.path(), &[&["ask", "Hello?"], arguments].concat());
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{router}");
    assert!(said.err.contains(reason), "{router}: {}", said.err);
    assert_eq!(ledger(home.path()), Vec::<Value>::new(), "{router}");
}

#[test]
fn nothing_leaves_without_policy_and_consent() {
    check_refused("", &[], "no model is installed");
    check_refused("policy = \"cloud-first\"", &[], "no model is installed");
    check_refused("consent = \"none\"", &["--provider", "cloud"], "may not go to a cloud");
    check_refused("policy = \"local-only\"", &["--provider", "cloud"], "local-only");
}

#[test]
fn consent_for_a_folder_lets_out_and_the_ledger_is_written_first() {
    // Beyond this machine by its name; the way there ends on it, so that no test sends a packet out.
    let dead = ClosedPort::take().unwrap();
    let proxy = format!("proxy = \"http://{}\"\n", dead.address().unwrap());
    let home = home(&(entry("cloud", "https://cloud.invalid/v1") + &proxy));
    let folder = tempfile::tempdir().unwrap();
    let given = finch(home.path(), &["consent", "give", folder.path().to_str().unwrap()]);
    assert_eq!(given.code, 0, "{}", given.err);
    let asked = said(command(home.path()).args(["ask", "Hello?"]).current_dir(folder.path()));
    assert_eq!(asked.code, 1, "nobody answers for cloud.invalid");
    assert!(asked.err.contains("cloud: "), "{}", asked.err);
    let entries = ledger(home.path());
    assert_eq!((&entries[0]["host"], &entries[0]["outcome"]), (&"cloud.invalid".into(), &"failed:unavailable".into()));
    // A ledger that cannot be written holds everything back.
    std::fs::remove_dir_all(home.path().join("ledger")).unwrap();
    std::fs::write(home.path().join("ledger"), "in the way").unwrap();
    let held = said(command(home.path()).args(["ask", "Hello?"]).current_dir(folder.path()));
    assert!(held.code == 1 && held.err.contains("nothing was sent"), "{}", held.err);
}

#[test]
fn json_of_a_schema_comes_from_a_cloud_too() {
    let server = Llmock::start();
    let home = home(&six(&server));
    let schema = home.path().join("schema.json");
    std::fs::write(&schema, r#"{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}"#)
        .unwrap();
    let said = finch(home.path(), &["ask", "Give me a.", "--provider", "openai", "--schema", schema.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(json(&said)["a"].is_string(), "{}", said.out);
}

#[test]
fn ghost_text_comes_from_a_cloud_where_there_is_no_model() {
    let server = Llmock::start();
    let home = home(&six(&server));
    let file = home.path().join("a.py");
    std::fs::write(&file, "def add(a, b):\n    return \n").unwrap();
    let said = finch(home.path(), &["complete", &format!("{}:2:12", file.display()), "--json"]);
    let answer = json(&said);
    // Whatever the mock says in place of code, it was asked and is named.
    assert_eq!((&answer["provider"], &answer["model"]), (&"claude".into(), &"claude-sonnet-4-6".into()), "{answer}");
    assert!(server.bodies()[0].to_string().contains("return <|cursor|>"));
    let entries = ledger(home.path());
    assert_eq!((&entries[0]["task"], &entries[0]["files"]), (&"completion".into(), &serde_json::json!(["a.py"])));
}

#[test]
fn a_provider_that_is_not_there_is_named_with_those_that_are() {
    let home = home(&entry("second", "https://cloud.invalid/v1"));
    let said = finch(home.path(), &["ask", "Hello?", "--provider", "secnd"]);
    assert!(said.code == 1 && said.err.contains("second, local"), "{}", said.err);
}

/// A session in this folder, with a document that ends in `return ` on its second line.
fn session(home: &Path, folder: &Path) -> (Client, String) {
    let mut client = Client::start(home);
    let root = format!("file://{}", folder.display());
    let params = serde_json::json!({"processId": std::process::id(), "capabilities": {}, "rootUri": root});
    client.request("initialize", params);
    client.notify("initialized", serde_json::json!({}));
    let uri = format!("{root}/a.py");
    client.open(&uri, "def add(a, b):\n    return \n");
    (client, uri)
}

#[test]
fn in_the_editor_a_cloud_answers_where_there_is_no_model_and_is_named() {
    let server = Llmock::start();
    let home = home(&six(&server));
    server.queue(&vec![serde_json::json!({"type": "reply", "text": "a + b"}); 500]);
    let (mut client, uri) = session(home.path(), home.path());
    // Keys are fetched behind the first answers.
    let item = (0..500)
        .find_map(|_| client.inline_completion(&uri, (1, 11))["items"].get(0).cloned())
        .unwrap_or_else(|| panic!("{}", client.explain_last()));
    assert_eq!(item["insertText"], "a + b", "{item}");
    assert_eq!(item["command"]["arguments"][0]["provider"], "claude", "{item}");
    let told = client.wait_for(|message| !message["params"]["answered"].is_null());
    assert_eq!(told["params"]["answered"]["provider"], "claude", "{told}");
    assert_eq!(
        (&told["params"]["state"], &told["params"]["left"]["requests"]),
        (&"absent".into(), &0.into()),
        "{told}"
    );
}

#[test]
fn in_the_editor_consent_is_asked_for_and_kept() {
    let home = home(&entry("cloud", "https://cloud.invalid/v1"));
    let folder = tempfile::tempdir().unwrap();
    let (mut client, uri) = session(home.path(), folder.path());
    client.answers_with("window/showMessageRequest", serde_json::json!({"title": "Never for this folder"}));
    let asks = |client: &mut Client| client.has(|message| message["method"] == "window/showMessageRequest");
    for _ in 0..500 {
        client.inline_completion(&uri, (1, 11));
        if asks(&mut client) {
            break;
        }
    }
    let question = client.wait_for(|message| message["method"] == "window/showMessageRequest");
    assert!(question["params"]["message"].as_str().unwrap().contains("cloud (cloud.invalid)"), "{question}");
    assert_eq!(question["params"]["actions"][0]["title"], "Not now");
    // The answer is written behind the back of the session, which ends orderly.
    while !finch(home.path(), &["consent", "list"]).out.contains("refused") {}
    assert_eq!(ledger(home.path()), Vec::<Value>::new());
}
