//! How long the agent's `Grep` takes over 100,000 files, beside ripgrep over the same files.
//!
//! Both search a folder made here, by turns in the same run, with the files in the system's cache. `Grep` is called as a
//! turn calls it: through a gate, and leaving out what the rules do not allow to be read unasked. What they found has to
//! be the same.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use finch_agent::permissions::Permissions;
use finch_agent::rules::{Decision, Rules, Scope};
use finch_agent::tools::Grep;
use finch_agent::view::{NoBuffers, View};
use finch_agent::{Access, Gate, Outcome, Tool as _, ToolContext};
use serde_json::{Map, Value, json};

const FOLDERS: usize = 1000;
const FILES_IN_FOLDER: usize = 100;
/// Every so many-th file has the line that is looked for.
const FILES_TO_A_MATCH: usize = 1000;
/// Pairs of searches, after one that brings the files into the cache.
const PAIRS: usize = 15;

const PATTERNS: [(&str, &str); 3] = [
    ("a word in 100 files", "needle_in_a_haystack"),
    ("an expression, same files", r"\bneedle_[a-z_]+\(\w+, [0-9]+\)"),
    ("a word in no file", "no_such_word_anywhere"),
];

pub(crate) fn print() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = std::fs::canonicalize(folder.path())?.join("workspace");
    let bytes = fill(&workspace)?;
    println!("{} files, {} MiB:", FOLDERS * FILES_IN_FOLDER, bytes >> 20);
    let searcher = Searcher::new(&workspace, folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for (name, pattern) in PATTERNS {
        let expected = ripgrep(&workspace, pattern)?.1;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let (time, found) = runtime.block_on(searcher.grep(pattern))?;
            ensure!(found == expected, "Grep found\n{found:#?}\nand ripgrep\n{expected:#?}");
            ours.push(time);
            theirs.push(ripgrep(&workspace, pattern)?.0);
        }
        ours.sort();
        theirs.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{name} ({} lines): Grep best {:.0} ms, median {:.0} ms; ripgrep best {:.0} ms, median {:.0} ms; ratio of the best \
             {:.2}, of the medians {:.2}",
            expected.len(),
            ms(ours[0]),
            ms(ours[PAIRS / 2]),
            ms(theirs[0]),
            ms(theirs[PAIRS / 2]),
            ms(ours[0]) / ms(theirs[0]),
            ms(ours[PAIRS / 2]) / ms(theirs[PAIRS / 2]),
        );
    }
    Ok(())
}

/// Makes the files, and some that git would ignore; the bytes of those that count.
fn fill(workspace: &Path) -> Result<usize> {
    let mut bytes = 0;
    for folder in 0..FOLDERS {
        let path = workspace.join(format!("group{}/part{folder}", folder % 20));
        std::fs::create_dir_all(&path)?;
        for file in 0..FILES_IN_FOLDER {
            let text = text(folder * FILES_IN_FOLDER + file);
            bytes += text.len();
            std::fs::write(path.join(format!("module{file}.rs")), text)?;
        }
    }
    let ignored = workspace.join("target");
    std::fs::create_dir(&ignored)?;
    std::fs::write(workspace.join(".gitignore"), "target/\n*.log\n")?;
    std::fs::write(ignored.join("out.rs"), text(0))?;
    std::fs::write(workspace.join("group1/run.log"), text(0))?;
    Ok(bytes)
}

/// Some code, other in each file and as long as files often are.
fn text(number: usize) -> String {
    let mut text = format!("//! Module {number}.\n\n");
    for function in 0..(10 + number % 30) {
        text.push_str(&format!(
            "/// Adds what is left of {function}.\npub fn step_{number}_{function}(rest: u64) -> u64 {{\n    rest + {function}\n}}\n\n"
        ));
    }
    if number.is_multiple_of(FILES_TO_A_MATCH) {
        text.push_str(&format!("fn needle_in_a_haystack(rest: u64) {{ needle_in_a_haystack(rest, {number}) }}\n"));
    }
    text
}

struct Searcher {
    gate: Gate,
    context: ToolContext,
}

impl Searcher {
    fn new(workspace: &Path, home: &Path) -> Self {
        let scope = Scope { workspace: workspace.to_owned(), finch_home: home.join("home"), user_home: None };
        let rules = Rules::new(scope, Vec::new());
        let view = View::new(Arc::new(NoBuffers), Arc::new(Mutex::default()));
        let of_context = rules.clone();
        let leave_out =
            move |path: &Path| of_context.decide(&Access::Read { path: path.to_owned() }) != Decision::Allow;
        let context = ToolContext { leave_out: Arc::new(leave_out), ..ToolContext::new(workspace.into(), view) };
        Self { gate: Gate::new(rules, Permissions::open(home.join("permissions.toml"))), context }
    }

    async fn grep(&self, pattern: &str) -> Result<(Duration, Vec<String>)> {
        let begun = Instant::now();
        let Outcome { text, is_error, .. } = self.called(pattern).await?;
        let time = begun.elapsed();
        ensure!(!is_error, "{text}");
        let lines = if text == "Nothing fits.\n" { "" } else { text.as_str() };
        Ok((time, sorted(lines)))
    }

    async fn called(&self, pattern: &str) -> Result<Outcome> {
        let arguments: Map<String, Value> =
            json!({ "pattern": pattern }).as_object().cloned().context("no arguments")?;
        let access = Grep.access(&arguments, &self.context)?;
        let permit = self.gate.permit(access, None).await?;
        Ok(Grep.call(permit, arguments, &self.context).await)
    }
}

/// ripgrep with the same files to look at: hidden ones too, and what `.gitignore` says without a repository around.
fn ripgrep(workspace: &Path, pattern: &str) -> Result<(Duration, Vec<String>)> {
    let begun = Instant::now();
    let output = Command::new("rg")
        .args(["--no-config", "--hidden", "--no-require-git", "--line-number", "--with-filename", "--no-heading"])
        .args(["--glob", "!.git", "--regexp", pattern])
        .current_dir(workspace)
        .arg("./")
        .output()
        .context("rg cannot be run: bash tests/support/install-tools.sh installs it")?;
    let time = begun.elapsed();
    // 1 says that nothing was found.
    ensure!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    Ok((time, sorted(&String::from_utf8_lossy(&output.stdout).replace("./", ""))))
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
