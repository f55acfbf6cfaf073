//! What the user types. Parsing only: each command's work is in `command/`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use finch_agent::task::TaskId;

/// Ghost text and a coding agent in your editor, from a model on your own machine.
#[derive(Debug, Parser)]
#[command(name = "finch", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Read this configuration file instead of FINCH_HOME/config.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Log more to stderr; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the language server on stdin and stdout; an editor starts it.
    Lsp,
    /// Print one ghost text for a place in a file.
    Complete(Complete),
    /// Ask one question and print the answer as it comes.
    Ask(Ask),
    /// Make a plan for a task: drafted from the repository, attacked by seven personas, revised. Changes nothing in it.
    Plan(Plan),
    /// Take back what a task changed in the files of this folder; the last one that changed anything by default.
    Undo(Undo),
    /// Fetch what finch needs: the ONNX Runtime library and a model.
    Setup(Setup),
    /// List, fetch, import, measure and remove models.
    #[command(subcommand)]
    Model(Model),
    /// Count what became of suggestions: acceptance and kept rate by language, model and provider.
    Stats(Json),
    /// Say what a suggestion was worth, list what you said, or take it back.
    #[command(subcommand)]
    Feedback(Feedback),
    /// List what left this machine: when, to whom, of which files, and what it cost.
    Ledger(Ledger),
    /// Say which workspaces' text may go to a cloud.
    #[command(subcommand)]
    Consent(Consent),
    /// Say of which workspaces .finch/config.toml is read.
    #[command(subcommand)]
    Trust(Trust),
    /// Run, start, stop and show the one process that holds the model for every editor.
    #[command(subcommand)]
    Daemon(Daemon),
    /// Say what works, what does not, and what to do about it.
    Doctor(Json),
    /// Show where the configuration is, check it, rewrite an old one, or print the schema.
    #[command(subcommand)]
    Config(Config),
    /// Load a model under bounds and say how that went; finch starts itself with it.
    #[command(name = crate::trial::SUBCOMMAND, hide = true)]
    TryModel {
        /// The model's folder.
        folder: PathBuf,
    },
}

impl Command {
    /// The daemon knows where it logs only when it knows that it is the one.
    pub(crate) fn logs_itself(&self) -> bool {
        matches!(self, Self::Daemon(Daemon::Run { detached: false, .. }))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Json {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// The place, 1-based: column 1 is before the first character of the line.
    #[arg(value_name = "FILE:LINE:COL")]
    pub(crate) place: Place,
    /// Print JSON: the text, its range, the model and what it cost.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the exact prompt to stderr.
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The question; - reads it from stdin.
    pub(crate) text: String,
    /// Print JSON when the answer is whole: the text, the model, and what it cost.
    #[arg(long)]
    pub(crate) json: bool,
    /// A provider of the configuration, or local; as the router settles it when absent. Who names one agrees that this
    /// question goes there.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// An installed model, or a model of --provider; the one in use when absent.
    #[arg(long, value_name = "ID")]
    pub(crate) model: Option<String>,
    /// Instructions that go before the question.
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Answer in JSON that the JSON Schema in this file accepts.
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// Tokens of the answer at most.
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tokens: u32,
    /// 0 for the likeliest answer always, up to 2 for more and more chance.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, value_parser = temperature)]
    pub(crate) temperature: f32,
    /// Another seed, another answer, where there is chance.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// What is to be done.
    #[arg(required_unless_present = "plan", conflicts_with = "plan")]
    pub(crate) task: Option<String>,
    /// The file of a plan that was made before, in place of a task.
    #[arg(long, value_name = "FILE", requires = "approve")]
    pub(crate) plan: Option<PathBuf>,
    /// Approve the plan: carry it out, and ask about every effect that no rule allows.
    #[arg(long)]
    pub(crate) approve: bool,
    /// Print JSON: the steps, what is still open, where the plan is, and what came of the work.
    #[arg(long)]
    pub(crate) json: bool,
    /// Rounds of writing and attacking at most.
    #[arg(long, value_name = "COUNT", default_value_t = finch_agent::PLAN_ROUNDS_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(finch_agent::PLAN_ROUNDS_MAX)))]
    pub(crate) rounds: u32,
    /// A provider of the configuration, or local; as the router settles it when absent. Who names one agrees that text of
    /// this folder goes there.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// An installed model, or a model of --provider; the one in use when absent.
    #[arg(long, value_name = "ID")]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// The task, as `finch plan --approve` named it.
    #[arg(value_name = "TASK-ID")]
    pub(crate) task: Option<TaskId>,
    /// Print JSON: the task, and the files that are as before.
    #[arg(long)]
    pub(crate) json: bool,
}

fn temperature(text: &str) -> Result<f32, String> {
    let number: Option<f32> = text.parse().ok();
    number.filter(|number| (0.0..=2.0).contains(number)).ok_or_else(|| "expected a number from 0 to 2".to_owned())
}

/// A place in a file as people write it: 1-based line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.rsplitn(3, ':');
        let number = |part: Option<&str>| part.and_then(|part| part.parse().ok()).filter(|number| *number > 0);
        match (number(parts.next()), number(parts.next()), parts.next()) {
            (Some(column), Some(line), Some(file)) if !file.is_empty() => Ok(Self { file: file.into(), line, column }),
            _ => Err("expected FILE:LINE:COL with line and column from 1, such as src/main.rs:12:5".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// Ask nothing: take the defaults.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// List the models that are installed and those that can be fetched.
    List(Json),
    /// Fetch a model of the catalogue, or any model of a hub that finch can build, and install it.
    Pull(Pull),
    /// Install a model from a GGUF file, from a directory with config.json, safetensors and tokenizer.json, or from a
    /// ready-made ONNX export.
    Import {
        /// The GGUF file or the directory.
        path: PathBuf,
        /// The id to give it; the name of the file or directory when absent.
        #[arg(long)]
        id: Option<String>,
        /// Bits of the weights: int4, int8, fp16 or fp32.
        #[arg(long, default_value = "int8")]
        quant: String,
        /// Bits of the head alone; what suits --quant when absent.
        #[arg(long, value_name = "QUANT")]
        head: Option<String>,
        /// Bits of the embeddings alone; those of the head when absent and both are the same weights.
        #[arg(long, value_name = "QUANT")]
        embeddings: Option<String>,
        /// How ghost text is asked of it: fim (text before and behind the cursor) or prefix (before it alone); what was
        /// measured of a known file, or else fim where the vocabulary can, when absent.
        #[arg(long, value_name = "STYLE")]
        infill: Option<String>,
        /// Install it even if it strays too far from the source weights.
        #[arg(long)]
        force: bool,
    },
    /// Load a model and measure its speed and memory.
    Probe {
        /// An installed model; the one in use when absent.
        id: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Delete an installed model.
    Remove {
        /// An installed model.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// An id in `finch model list`, or on a hub OWNER/REPO, OWNER/REPO/FILE.gguf or OWNER/REPO:Q4_K_M.
    pub(crate) model: String,
    /// Bits of the weights: int4, int8, fp16 or fp32; the catalogue's choice, or int8, when absent.
    #[arg(long)]
    pub(crate) quant: Option<String>,
    /// The id to give a model of a hub; the name of the repository or the file when absent.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Keep the fetched weights after the model is built from them.
    #[arg(long)]
    pub(crate) keep_source: bool,
    /// Install a model of a hub even if the build strays too far from the source weights.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Feedback {
    /// The last suggestion was good.
    Good(About),
    /// The last suggestion was bad.
    Bad {
        /// Bad, but not by much.
        #[arg(long)]
        minor: bool,
        #[command(flatten)]
        about: About,
    },
    /// List what you said, oldest first, with the numbers that forget takes.
    List(Json),
    /// Take feedback back, and remove the texts that were recorded of its suggestion.
    Forget {
        /// A number of `finch feedback list`, or all.
        #[arg(value_name = "ID|all")]
        which: Forget,
    },
}

#[derive(Debug, Args)]
pub(crate) struct About {
    /// Why, in words; recorded as it is.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// The number of a suggestion; the last one of any editor when absent.
    #[arg(long, value_name = "N")]
    pub(crate) id: Option<u64>,
}

/// Which feedback to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forget(pub(crate) finch_learn::Which);

impl FromStr for Forget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self(finch_learn::Which::All)),
            (_, Ok(id)) => Ok(Self(finch_learn::Which::One(id))),
            (_, Err(_)) => Err("expected a number of `finch feedback list`, or all".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ledger {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only the last days, of 24 hours each; all there is when absent.
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<u64>,
    /// Only what went to this provider.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Consent {
    /// List your answers.
    List,
    /// Agree that text of files in this folder may go to the clouds you configured.
    Give {
        /// A folder; an answer for one in it goes before.
        path: PathBuf,
    },
    /// Refuse it.
    Refuse {
        /// A folder; an answer for one in it goes before.
        path: PathBuf,
    },
    /// Take an answer back, so that finch asks again.
    Forget {
        /// A folder that you answered for.
        path: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Daemon {
    /// Run it here, until Ctrl-C; once more ends it at once.
    Run {
        /// Log to FINCH_HOME/daemon/daemon.log instead of stderr.
        #[arg(long)]
        log_file: bool,
        /// Leave the caller's session; finch starts itself with it.
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Run it in the background, if none runs.
    Start,
    /// End it once the answers that it is giving are given.
    Stop {
        /// Cut them off.
        #[arg(long)]
        now: bool,
    },
    /// Show its models, its clients, and what it takes.
    Status(Json),
    /// Print a file by which your system keeps it: a systemd user unit, or a property list of launchd.
    Install(Install),
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Print it.
    #[arg(long)]
    pub(crate) print: bool,
    /// For systemd, whatever this system is.
    #[arg(long, conflicts_with = "launchd")]
    pub(crate) systemd: bool,
    /// For launchd.
    #[arg(long)]
    pub(crate) launchd: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// List the workspaces that you trust.
    List,
    /// Trust this folder and those in it, but for repositories of their own.
    Give {
        /// A folder; look at its .finch/config.toml first.
        path: PathBuf,
    },
    /// Take trust back.
    Forget {
        /// A folder that you trusted.
        path: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print the path of the configuration file.
    Path,
    /// Check the configuration file.
    Check,
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Rewrite a configuration file of an earlier program in today's shape, and keep the old one beside it.
    Migrate,
}

#[cfg(test)]
mod tests {
    use super::{Cli, Place};
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u32, u32)>) {
        let place: Option<Place> = text.parse().ok();
        assert_eq!(place, expected.map(|(file, line, column)| Place { file: file.into(), line, column }));
    }

    #[test]
    fn places_are_file_line_and_column() {
        check("a.py:1:2", Some(("a.py", 1, 2)));
        check("C:\\a.py:10:20", Some(("C:\\a.py", 10, 20)));
        check("a:b.py:1:1", Some(("a:b.py", 1, 1)));
        check("a.py:1", None);
        check("a.py:0:1", None);
        check("a.py:1:0", None);
        check(":1:1", None);
        check("a.py:one:1", None);
        check("", None);
    }
}
