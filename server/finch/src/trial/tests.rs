use std::ops::ControlFlow;
use std::process::Command;
use std::time::Duration;

use finch_model::Manifest;
use finch_model::import::{ImportRequest, import};
use finch_model::manifest::{GRAPH_FILE, Quant, WEIGHTS_FILE};
use finch_model::tiny::{TinySpec, write_tiny_gguf};

use super::memory::Memory;
use super::{Outcome, child, watch};

#[cfg(unix)]
#[track_caller]
fn check(script: &str, time: Duration, outcome: Outcome) {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    assert_eq!(watch(command, time).unwrap(), outcome);
}

#[cfg(unix)]
#[test]
fn a_child_says_something_or_nothing_or_is_late() {
    let (long, short) = (Duration::from_secs(60), Duration::from_millis(50));
    check("echo said", long, Outcome::Said("said\n".to_owned()));
    check("kill -9 $$", long, Outcome::Said(String::new()));
    check("read never", short, Outcome::Late);
    // One that closes its output is not waited for.
    check("exec >&-; read never", long, Outcome::Said(String::new()));
}

#[cfg(unix)]
#[test]
fn a_child_that_a_ctrl_c_reached_says_nothing_of_the_model() {
    // A shell cannot undo that it was started to ignore Ctrl-C, as it is where the tests run in the background.
    let interrupted =
        "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGINT)";
    check(&format!("exec python3 -c '{interrupted}'"), Duration::from_secs(60), Outcome::Interrupted);
}

#[test]
fn a_line_tells_a_problem_none_or_nothing() {
    assert_eq!(child::problem(r#"{"problem":null}"#), Some(None));
    assert_eq!(child::problem(r#"{"problem":"cut short"}"#), Some(Some("cut short".to_owned())));
    for line in ["", "{}", "null", r#"{"problem":1}"#, "terminate called"] {
        assert_eq!(child::problem(line), None, "{line}");
    }
}

#[test]
fn a_model_is_known_until_something_that_is_parsed_changes() {
    let home = tempfile::tempdir().unwrap();
    let gguf = home.path().join("tiny.gguf");
    write_tiny_gguf(&gguf, TinySpec { layers: 1, ..TinySpec::default() }).unwrap();
    let request = ImportRequest::new(gguf, "tiny".parse().unwrap(), home.path().join("models"), Quant::Int8);
    let folder = import(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let manifest = Manifest::read(&folder).unwrap();
    let memory = Memory::at(home.path().join("tried/tiny.json"));
    let knows = || memory.knows(&folder, &manifest).unwrap();
    assert!(!knows());
    memory.remember(&folder, &manifest);
    assert!(knows());
    // A copy has other times and the same bytes; from then on its stamp is the one that is known.
    let rewrite = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(folder.join(name)).unwrap();
        change(&mut bytes);
        std::fs::remove_file(folder.join(name)).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    rewrite(GRAPH_FILE, &|_| {});
    rewrite(WEIGHTS_FILE, &|_| {});
    assert!(knows() && knows());
    rewrite(GRAPH_FILE, &|bytes| bytes[0] ^= 1);
    assert!(!knows());
    rewrite(GRAPH_FILE, &|bytes| bytes[0] ^= 1);
    assert!(knows());
    std::fs::write(home.path().join("tried/tiny.json"), "{").unwrap();
    assert!(!knows(), "a damaged mark knows nothing");
}
