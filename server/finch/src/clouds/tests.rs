use std::time::{Duration, Instant};

use finch_llm::cloud::Service;

use super::command::{Bounds, key, process};
use super::{Cloud, Stop, hidden_variables, specs, usual_variables};
use crate::config::{Config, CostConfig, KeyCommand};

/// The file's clouds that have a key, `-` for those without one, and what is said of the others.
#[track_caller]
fn check(text: &str, environment: &[(&str, &str)], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap().config;
    let variable = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let (clouds, problems) = specs(&config, None, variable);
    let mut said: Vec<String> = clouds
        .iter()
        .map(|cloud| {
            // The key's only way out: what it hides in a text.
            let hidden = |key: &finch_llm::cloud::Key| {
                ["file", "variable", "printed", "usual"].into_iter().find(|word| key.scrub(word) != *word)
            };
            format!("{}={}", cloud.spec.id, cloud.spec.key.as_ref().map_or("-", |key| hidden(key).unwrap_or("?")))
        })
        .collect();
    said.extend(problems.iter().map(|problem| problem.to_string().replace(&file.display().to_string(), "config.toml")));
    assert_eq!(said.join("\n"), expected);
}

#[test]
fn a_key_is_looked_for_in_the_order_of_the_documentation() {
    let entry = |ways: &str| format!("[[providers]]\ntype = \"groq\"\n{ways}");
    let environment = [("GROQ_API_KEY", "usual"), ("MINE", "variable"), ("EMPTY", " ")];
    let all = "api_key = \"file\"\napi_key_env = \"MINE\"\napi_key_cmd = \"echo printed\"";
    check(&entry(all), &environment, "groq=file");
    check(&entry("api_key_env = \"MINE\"\napi_key_cmd = \"echo printed\""), &environment, "groq=variable");
    check(&entry("api_key_env = \"EMPTY\"\napi_key_cmd = \"echo printed\""), &environment, "groq=printed");
    check(&entry("api_key_cmd = [\"echo\", \"printed\"]"), &environment, "groq=printed");
    check(&entry("api_key_env = \"EMPTY\""), &environment, "groq=usual");
    check(&entry(""), &environment, "groq=usual");
    check("[[providers]]\ntype = \"grok\"", &[("GROK_API_KEY", "usual")], "grok=usual");
    check("[[providers]]\ntype = \"gemini\"", &[("GOOGLE_API_KEY", "usual")], "gemini=usual");
}

#[test]
fn a_key_of_the_environment_makes_no_provider() {
    check("", &[("OPENAI_API_KEY", "usual"), ("ANTHROPIC_API_KEY", "usual")], "");
}

#[test]
fn a_server_of_ones_own_needs_no_key_and_gets_none_that_was_not_named() {
    let text = "[[providers]]\ntype = \"openai-compatible\"\nmodel = \"m\"\nbase_url = \"http://127.0.0.1:1/v1\"";
    check(text, &[("OPENAI_API_KEY", "usual")], "openai-compatible=-");
}

#[test]
fn a_missing_key_names_the_entry_and_the_ways_to_give_one() {
    let text = "[[providers]]\ntype = \"claude\"\n[[providers]]\ntype = \"groq\"\napi_key_env = \"MINE\"";
    let missing = "config.toml:1:1: providers[0] (claude): it has no key; give it `api_key`, `api_key_env` or \
                   `api_key_cmd`, or set ANTHROPIC_API_KEY; this provider is left out until then\n\
                   config.toml:3:1: providers[1] (groq): the variable MINE is not set; set it where finch starts, or \
                   give `api_key` or `api_key_cmd`; this provider is left out until then";
    check(text, &[], missing);
    let bad = "config.toml:3:1: providers[1] (groq): the variable MINE: the key has characters that no key has, such as \
               spaces, line ends or quotes that look like letters; this provider is left out until then";
    check(text, &[("MINE", "a b"), ("ANTHROPIC_API_KEY", "usual")], &format!("claude=usual\n{bad}"));
}

#[test]
fn a_command_fails_without_a_word_of_what_it_said() {
    let text = "[[providers]]\ntype = \"groq\"\napi_key_cmd = \"echo CANARY; echo CANARY >&2; exit 7\"";
    let failed = "config.toml:1:1: providers[0] (groq): api_key_cmd failed (exit status: 7); run it by hand to see why; \
                  this provider is left out until then";
    check(text, &[], failed);
}

#[track_caller]
fn check_command(line: &str, wait: Duration, expected: Result<(), &str>) {
    let bounds = Bounds { hidden: &[], wait, stop: &Stop::Never };
    let found = key(&KeyCommand::Shell(line.to_owned()), &bounds).map(drop).map_err(|error| error.to_string());
    match (&found, expected) {
        (Ok(()), Ok(())) => {}
        (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
        _ => panic!("{found:?}"),
    }
}

#[cfg(unix)]
#[test]
fn a_command_is_bounded_in_time_and_in_what_is_read() {
    let enough = Duration::from_secs(30);
    check_command("printf 'key\\nuser: me\\n'", enough, Ok(()));
    check_command("cat; echo key", enough, Ok(()));
    check_command("true", enough, Err("gave no key: the key is empty"));
    check_command("printf '\\377\\376'", enough, Err("gave no key"));
    check_command("yes CANARY", enough, Err("wrote more than 16 KiB"));
    check_command("exec /nonexistent/program", enough, Err("failed (exit status: 127)"));
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let late = folder.path().join("late");
    // Its child holds the pipe open, and would write once it is let go on.
    let line = format!("(sleep 600; touch '{0}') & sleep 600; touch '{0}'", late.display());
    check_command(&line, Duration::from_millis(200), Err("did not end within 200ms"));
    assert!(begun.elapsed() < enough && !late.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_command_started_ends_with_it() {
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let id = folder.path().join("id");
    check_command(
        &format!("sleep 600 & echo $! > '{}'; wait", id.display()),
        Duration::from_secs(1),
        Err("did not end"),
    );
    let id = std::fs::read_to_string(&id).unwrap();
    let status = || std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    // Gone, or dead and waiting for somebody to notice. It was told to go; a busy machine takes a moment for it.
    let ended = |status: &str| status.is_empty() || status.contains(") Z ");
    while !ended(&status()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", status());
        std::thread::yield_now();
    }
}

#[test]
fn a_command_does_not_get_the_keys_of_the_environment() {
    let services = [Service::Claude, Service::OpenAi, Service::Grok, Service::Gemini, Service::Mistral, Service::Groq];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[[providers]]\ntype = \"groq\"\napi_key_env = \"MINE\"").unwrap();
    let config = Config::load(&file).unwrap().config;
    let process = process(&KeyCommand::Shell("true".to_owned()), &hidden_variables(&config));
    let removed: Vec<&str> = process
        .as_std()
        .get_envs()
        .filter(|(_, value)| value.is_none())
        .filter_map(|(name, _)| name.to_str())
        .collect();
    for variable in services.into_iter().flat_map(usual_variables).chain(&["MINE"]) {
        assert!(removed.contains(variable), "{variable}: {removed:?}");
    }
}

#[test]
fn a_cloud_is_what_the_file_says() {
    let text = "[[providers]]\ntype = \"mistral\"\nname = \"m\"\napi_key = \"k\"\ncost = { input = 1, output = 3 }\nimages = false";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let (clouds, problems) = specs(&Config::load(&file).unwrap().config, None, |_| None);
    let [Cloud { spec, cost }] = clouds.as_slice() else { panic!("{clouds:?} {problems:?}") };
    assert_eq!((spec.id.as_str(), spec.service, spec.model.as_str()), ("m", Service::Mistral, "codestral-latest"));
    assert_eq!((spec.images, spec.context_tokens_max), (false, 128_000));
    assert_eq!(*cost, Some(CostConfig { input: 1.0, output: 3.0 }));
}

#[cfg(unix)]
#[test]
fn a_command_ends_with_finch() {
    let (sender, stop) = tokio::sync::watch::channel(());
    let begun = Instant::now();
    let waiting = std::thread::spawn(move || {
        let bounds = Bounds { hidden: &[], wait: Duration::from_secs(30), stop: &Stop::With(stop) };
        key(&KeyCommand::Shell("sleep 30".to_owned()), &bounds)
    });
    drop(sender);
    assert_eq!(waiting.join().unwrap().map_err(|error| error.to_string()), Err("was ended with finch".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
