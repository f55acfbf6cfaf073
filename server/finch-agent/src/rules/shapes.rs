//! Commands whose options are known: which run without a question, and which words a rule with a `*` may cover.
//!
//! Lists of what is known to be tame, never of what is known to be bad: an option that is not listed is asked about.

use crate::shell;

/// How a program, with its subcommand, may be called.
struct Shape {
    /// The program and its subcommand, separated by spaces.
    words: &'static str,
    /// Options without a value, and those with one, which end in `=`. Letters of short ones may be joined.
    options: &'static str,
    operands: Operands,
    standing: Standing,
}

/// The words that are no options.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operands {
    None,
    /// At most this many. A shape for filters uses it for the pattern that they look for.
    One,
    Any,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Runs without a question: it shows what any read may show, runs nothing, and writes nothing.
    Harmless,
    /// May be covered by a rule with a `*`, and such a rule may be offered.
    Offered,
    /// May be covered by a rule with a `*` that the user has written.
    Tame,
}

const fn shape(words: &'static str, options: &'static str, operands: Operands, standing: Standing) -> Shape {
    Shape { words, options, operands, standing }
}

use Operands::{Any, None as NoOperands, One};
use Standing::{Harmless, Offered, Tame};

const CARGO: &str = "-p= --package= --workspace --all --exclude= --lib --bins --bin= --examples --example= --tests --test= \
    --benches --bench= --all-targets --doc --release --features= --all-features --no-default-features -q --quiet -v \
    --verbose --no-fail-fast --locked --offline --frozen --no-run -j= --jobs= --profile= --keep-going --message-format=";
const GIT_LOG: &str = "--stat --oneline -n= --name-only --name-status -p --patch --graph --decorate --all --abbrev-commit \
    --no-color --reverse --merges --no-merges --since= --until= --author= --grep= --shortstat --numstat";

const SHAPES: &[Shape] = &[
    shape("pwd", "", NoOperands, Harmless),
    shape("true", "", NoOperands, Harmless),
    shape("false", "", NoOperands, Harmless),
    shape("whoami", "", NoOperands, Harmless),
    shape("uname", "-a -r -s -m", NoOperands, Harmless),
    shape("date", "-u", NoOperands, Harmless),
    shape("echo", "", Any, Harmless),
    shape("ls", "-a -A -l -h -1 -R -r -t -S -d -p --all --human-readable --recursive", Any, Harmless),
    // Without a file these filter what another command shows.
    shape("cat", "", NoOperands, Harmless),
    shape("head", "-n= -c=", NoOperands, Harmless),
    shape("tail", "-n= -c=", NoOperands, Harmless),
    shape("wc", "-l -w -c -m", NoOperands, Harmless),
    shape("sort", "-n -r -u -h -f", NoOperands, Harmless),
    shape("uniq", "-c -d -u", NoOperands, Harmless),
    shape("grep", "-i -v -n -E -F -c -o -w -x -q", One, Harmless),
    shape("cat", "-n -A -b -s -v", Any, Tame),
    shape("head", "-n= -c= -q -v", Any, Tame),
    shape("tail", "-n= -c= -q -v", Any, Tame),
    shape("wc", "-l -w -c -m", Any, Tame),
    shape("sort", "-n -r -u -h -f -k= -t=", Any, Tame),
    shape("uniq", "-c -d -u", NoOperands, Tame),
    // Not with `-r`, and ripgrep for names alone: what looks into all files of a folder shows the secrets among them.
    shape("rg", "--files --hidden -g= -t= --glob= --type=", NoOperands, Tame),
    shape(
        "grep",
        "-i -v -n -E -F -c -o -w -x -q -l -L -H -h -A= -B= -C= -e= --include= --exclude= --exclude-dir=",
        Any,
        Tame,
    ),
    shape(
        "find",
        "-name= -iname= -path= -ipath= -type= -maxdepth= -mindepth= -size= -mtime= -mmin= -newer= -empty -not -o -a -print -prune",
        Any,
        Tame,
    ),
    shape("sed", "", NoOperands, Tame),
    shape("git status", "-s --short -b --branch --porcelain -u --long", Any, Offered),
    shape("git log", GIT_LOG, Any, Offered),
    shape("git show", GIT_LOG, Any, Offered),
    shape(
        "git diff",
        "--stat --name-only --name-status --cached --staged -p --patch --no-color -w --shortstat --numstat",
        Any,
        Offered,
    ),
    shape("cargo test", CARGO, Any, Offered),
    shape("cargo check", CARGO, NoOperands, Offered),
    shape("cargo build", CARGO, NoOperands, Offered),
    shape("cargo clippy", CARGO, NoOperands, Offered),
    shape("cargo doc", "-p= --package= --workspace --no-deps --offline --locked -q", NoOperands, Offered),
    shape("cargo fmt", "--all --check -p= --package= -q -v", NoOperands, Offered),
    shape("go test", "-v -race -short -count= -run= -timeout= -cover -failfast", Any, Offered),
    shape("go build", "-v -race", Any, Offered),
    shape("go vet", "-v", Any, Offered),
    shape("npm test", "--silent", NoOperands, Offered),
    shape("pnpm test", "--silent", NoOperands, Offered),
    shape("yarn test", "", NoOperands, Offered),
];

/// Programs with options or a language that run or write anything: no rule with a `*` covers them, unless a shape does.
const NEVER: &[&str] = &[
    "ar",
    "at",
    "awk",
    "base32",
    "base64",
    "batch",
    "bun",
    "cd",
    "cmake",
    "cp",
    "crontab",
    "curl",
    "cut",
    "dd",
    "deno",
    "docker",
    "ed",
    "emacs",
    "ex",
    "fd",
    "fish",
    "gawk",
    "gcc",
    "gdb",
    "install",
    "less",
    "ln",
    "lua",
    "make",
    "man",
    "mawk",
    "more",
    "mv",
    "nano",
    "nawk",
    "nc",
    "ncat",
    "node",
    "nvim",
    "perl",
    "php",
    "pip",
    "podman",
    "popd",
    "powershell",
    "printf",
    "pushd",
    "pwsh",
    "python",
    "python2",
    "python3",
    "rm",
    "rmdir",
    "rsync",
    "ruby",
    "scp",
    "sftp",
    "shred",
    "socat",
    "source",
    "split",
    "tar",
    "tclsh",
    "tee",
    "telnet",
    "truncate",
    "unlink",
    "unzip",
    "uv",
    "vi",
    "view",
    "vim",
    "wget",
    "zip",
    ".",
];

/// Whether the command runs without a question.
pub(super) fn is_harmless(argv: &[String]) -> bool {
    SHAPES.iter().any(|shape| shape.standing == Harmless && fits(shape, argv))
}

/// Whether a rule with a `*` may cover the command.
pub(super) fn is_tame(argv: &[String]) -> bool {
    let Some(program) = argv.first() else { return false };
    if program.contains('/') || shell::starts_others(program) {
        return false;
    }
    if SHAPES.iter().any(|shape| shape.words.split(' ').next() == Some(program)) {
        return SHAPES.iter().any(|shape| fits(shape, argv)) || is_lines_of_sed(argv);
    }
    let bare = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    !NEVER.contains(&program.as_str()) && !NEVER.contains(&bare)
}

/// The words of the pattern that may be offered for the command: its program and its subcommand.
pub(super) fn derived(argv: &[String]) -> Option<Vec<String>> {
    let shape = SHAPES.iter().find(|shape| shape.standing == Offered && fits(shape, argv))?;
    Some(shape.words.split(' ').map(str::to_owned).collect())
}

/// `sed -n 3,5p FILE`: the only tame form of it.
fn is_lines_of_sed(argv: &[String]) -> bool {
    let [program, option, lines, files @ ..] = argv else { return false };
    let lines = lines.strip_suffix('p').unwrap_or_default();
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let are_lines = lines.split_once(',').map_or_else(|| is_number(lines), |(a, b)| is_number(a) && is_number(b));
    program == "sed" && option == "-n" && are_lines && files.iter().all(|file| !file.starts_with('-'))
}

fn fits(shape: &Shape, argv: &[String]) -> bool {
    let words: Vec<&str> = shape.words.split(' ').collect();
    let Some(rest) = argv.get(..words.len()).filter(|head| *head == words).map(|_| &argv[words.len()..]) else {
        return false;
    };
    let mut operands = 0;
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if !word.starts_with('-') || word == "-" {
            operands += 1;
            continue;
        }
        if word == "--" {
            return is_tame_behind_dashes(shape, rest.as_slice());
        }
        match option(shape.options, word) {
            Known::Flag => {}
            Known::Valued if rest.next().is_some() => {}
            Known::Valued | Known::No => return false,
        }
    }
    match shape.operands {
        NoOperands => operands == 0,
        One => operands <= 1,
        Any => true,
    }
}

enum Known {
    Flag,
    /// The next word is its value.
    Valued,
    No,
}

fn option(options: &str, word: &str) -> Known {
    let listed = |option: &str| options.split_ascii_whitespace().any(|known| known == option);
    if listed(word) {
        return Known::Flag;
    }
    if listed(&format!("{word}=")) {
        return Known::Valued;
    }
    if let Some((name, _)) = word.split_once('=').filter(|_| word.starts_with("--")) {
        return if listed(&format!("{name}=")) { Known::Flag } else { Known::No };
    }
    let letters = word.trim_start_matches('-');
    if word.starts_with("--") || letters.is_empty() {
        return Known::No;
    }
    if letters.chars().all(|c| c.is_ascii_digit()) && listed("-n=") {
        return Known::Flag;
    }
    // Programs with long words behind one dash, as `find` and `go` have them, list no two letters that make one.
    if letters.chars().all(|c| listed(&format!("-{c}"))) { Known::Flag } else { Known::No }
}

/// What may stand behind `--`: the options of a test program, or files.
fn is_tame_behind_dashes(shape: &Shape, rest: &[String]) -> bool {
    const TEST: &str =
        "--nocapture --no-capture --exact --ignored --include-ignored --show-output --test-threads= --skip=";
    match shape.words {
        "cargo test" => {
            let mut rest = rest.iter();
            while let Some(word) = rest.next() {
                let is_known = match option(TEST, word) {
                    _ if !word.starts_with('-') => true,
                    Known::Flag => true,
                    Known::Valued => rest.next().is_some(),
                    Known::No => false,
                };
                if !is_known {
                    return false;
                }
            }
            true
        }
        "git diff" | "git log" | "git show" => true,
        _ => false,
    }
}
