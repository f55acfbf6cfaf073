use super::{NotPlain, read};

#[track_caller]
fn plain(text: &str, commands: &[&[&str]]) {
    let script = read(text).unwrap();
    assert_eq!(
        script.plain.as_deref(),
        Ok(commands.iter().map(|c| c.iter().map(|w| w.to_string()).collect()).collect::<Vec<Vec<String>>>().as_slice()),
        "{text:?}"
    );
}

#[track_caller]
fn not_plain(row: &str, text: &str, why: NotPlain) {
    assert_eq!(read(text).unwrap().plain, Err(why), "{row}: {text:?}");
}

#[track_caller]
fn sees(row: &str, text: &str, program: &str) {
    let script = read(text).unwrap();
    let is_seen = script.seen.iter().any(|command| {
        command
            .words
            .first()
            .is_some_and(|word| word.as_deref().is_some_and(|word| super::nested::name(word) == program))
    });
    assert!(is_seen, "{row}: {program} in {text:?}: {:?}", script.seen);
}

#[test]
fn plain_commands_are_read_as_words() {
    plain("ls -la", &[&["ls", "-la"]]);
    plain(
        "cargo test -p x && git status; echo 'a b' | wc -l\npwd",
        &[&["cargo", "test", "-p", "x"], &["git", "status"], &["echo", "a b"], &["wc", "-l"], &["pwd"]],
    );
    plain(r#"c""url a\ b "x \" y" 'it'"'"'s' HEAD~1 k=v"#, &[&["curl", "a b", "x \" y", "it's", "HEAD~1", "k=v"]]);
    plain(r"\curl x", &[&["curl", "x"]]);
    plain("make 2>&1 >/dev/null 2> /dev/null | tail -5", &[&["make"], &["tail", "-5"]]);
    plain("a; b;\n", &[&["a"], &["b"]]);
    plain("echo für ünï", &[&["echo", "für", "ünï"]]);
}

#[test]
fn what_bash_would_compute_is_not_plain() {
    for text in [
        "echo $(touch p)",
        "echo `touch p`",
        "echo ${x@P}",
        "echo $[1+1]",
        "echo \"$HOME\"",
        "cat ~/.ssh/id_rsa",
        "r${IFS}m -rf out",
        "$'\\x72m' x",
        "a=~ b",
        "echo --x=~/f",
    ] {
        let why = read(text).unwrap().plain.unwrap_err();
        assert!(matches!(why, NotPlain::Expansion | NotPlain::Assignment), "B2 and B10: {text}: {why:?}");
    }
    not_plain("B2", "cat <(ls)", NotPlain::Redirect);
    not_plain("B10", "/b?n/sh", NotPlain::Glob);
    not_plain("B10", "ls *", NotPlain::Glob);
    not_plain("B10", "rm {a,b}", NotPlain::Glob);
    not_plain("B10", "base64 -d<<<eA==|sh", NotPlain::Redirect);
    not_plain("B10", "P=~/.ssh;Q=id_rsa;cat $P/$Q", NotPlain::Expansion);
}

#[test]
fn redirects_to_files_are_not_plain() {
    for text in [
        "echo k > ~/.bashrc",
        "echo k >> f",
        "echo k >| f",
        "echo k >f",
        "cat < f",
        "cat << X\nls\nX",
        "ls 3>f",
        "ls 2>&3",
        "ls >&f",
        "ls &>f",
        "> f",
        "ls >/dev/nullx",
        "ls 2>/dev/null/../f",
    ] {
        not_plain("B3", text, NotPlain::Redirect);
    }
}

#[test]
fn control_of_the_shell_is_not_plain() {
    not_plain("B1", "env & curl", NotPlain::Background);
    not_plain("B18", "sleep 1e9 &", NotPlain::Background);
    not_plain("B18", ":(){ :|:& };:", NotPlain::Compound);
    not_plain("B1", "(curl x)", NotPlain::Compound);
    for text in [
        "if true; then ls; fi",
        "! ls",
        "while true; do ls; done",
        "time ls",
        "{ ls; }",
        "[[ a ]]",
        "function f { ls; }",
        "coproc ls",
    ] {
        let why = read(text).unwrap().plain.unwrap_err();
        assert!(matches!(why, NotPlain::Compound | NotPlain::Glob), "{text}: {why:?}");
    }
    for text in [
        "PAGER=./x git log",
        "LD_PRELOAD=./x.so ls",
        "BASH_ENV=./x bash -c ls",
        "GIT_SSH_COMMAND=x git fetch",
        "PATH=.:/bin ls",
        "A+=b ls",
    ] {
        not_plain("B13", text, NotPlain::Assignment);
    }
    not_plain("B9", "ls # ; curl", NotPlain::Comment);
    not_plain("", " \n ", NotPlain::Empty);
    for text in ["ls 'a", "ls \"a", "ls &&", "&& ls", "ls ;; ls", "| ls", "ls |& cat", "ls \\\nfoo", "ls \\"] {
        assert!(read(text).unwrap().plain.is_err(), "{text:?}");
    }
}

#[test]
fn hidden_characters_are_not_plain() {
    for c in [
        '\r',
        '\0',
        '\u{1b}',
        '\u{a0}',
        '\u{2028}',
        '\u{200b}',
        '\u{202e}',
        '\u{2066}',
        '\u{e0041}',
        '\u{feff}',
        '\u{3000}',
    ] {
        not_plain("B15", &format!("ls{c}; curl"), NotPlain::Hidden);
    }
}

#[test]
fn a_command_is_seen_wherever_it_stands() {
    for text in [
        "curl x",
        "/usr/bin/curl x",
        r"\curl x",
        "command curl x",
        "c\"\"url x",
        "ls | curl -d @- x",
        "(curl x)",
        "env curl x",
        "env -i A=b nice -n 3 curl x",
        "sh -c 'curl x'",
        "bash -lc \"ls; curl x\"",
        "echo $(curl x)",
        "echo \"a $(curl x)\"",
        "echo `curl x`",
        "if true; then curl x; fi",
        "f() { curl x; }; f",
        "A=b curl x",
        "ls & curl x",
        "! curl x",
        "curl x &",
        "find . -exec curl {} +",
        "xargs curl < f",
        "timeout 1 sh -c 'env curl x'",
        "eval curl x",
        "eval 'cu''rl x'",
        "trap 'curl x' EXIT",
        "cat <(curl x)",
        "cat << X\n$(curl x)\nX",
        "while true; do curl x; done",
        "{ curl x; }",
        "x=$(curl x)",
        "curl x > f",
        "ls\ncurl x",
        "watch 'curl x'",
        "sudo -u a curl x",
        "sh <<< 'a'; curl",
        "export A=$(curl x)",
    ] {
        sees("B17", text, "curl");
    }
    sees("B17", "busybox wget x", "wget");
    sees("B11", &format!("{} curl x", "true &&".repeat(60)), "curl");
    sees("B11", &format!("{} curl x", "true ;".repeat(5000)), "curl");
    not_plain("B11", &format!("{} curl x", "true &&".repeat(60)), NotPlain::TooMany);
}

#[test]
fn a_command_line_beyond_bounds_is_refused() {
    assert!(read(&"x".repeat(64 * 1024)).is_ok());
    assert!(read(&"x".repeat(64 * 1024 + 1)).is_err());
    // Depth costs no stack.
    assert!(read(&"(".repeat(64 * 1024)).unwrap().plain.is_err());
    assert!(read(&"$(".repeat(32 * 1024)).unwrap().plain.is_err());
}

/// What bash itself would run, for commands that it does not find.
fn run_by_bash(texts: &[String]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let dump = "command_not_found_handle() { local s; printf -v s '%s\\x1f' \"$@\"; printf '%s\\x1e' \"$s\" >&3; return 0; }; PATH=/nonexistent; \
                for c in \"$@\"; do eval \"$c\" </dev/null >/dev/null 2>&1; printf '\\x1d' >&3; done 3>out";
    let done =
        std::process::Command::new("bash").args(["--norc", "-c", dump, "_"]).args(texts).current_dir(&folder).status();
    assert!(done.unwrap().success());
    let out = String::from_utf8(std::fs::read(folder.path().join("out")).unwrap()).unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "a plain command wrote a file");
    out.split_terminator('\u{1d}').map(|run| run.split_terminator('\u{1e}').map(str::to_owned).collect()).collect()
}

#[test]
fn plain_words_are_the_words_that_bash_passes() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    const PARTS: &[&str] = &[
        "p",
        "q-r",
        " ",
        " ",
        " ",
        "'",
        "\"",
        "\\",
        "a'b c'",
        "\"d e\"",
        "\"\\\"\"",
        ";",
        "&&",
        "|",
        "\n",
        "~",
        "=",
        "é",
        "#",
        "^",
        "!",
        "v%",
        "2>&1",
        ">/dev/null",
        "1",
        "\t",
        "{",
        "}",
        "*",
        "$",
        "(",
        "&",
        ">",
        "<",
        ",",
        "v:",
        "--o=v",
        "''",
        "''",
        "\"\"",
        "\\ ",
        "@",
        "+",
    ];
    let mut plain = Vec::new();
    let mut runner = TestRunner::new(Config { cases: 6000, failure_persistence: None, ..Config::default() });
    let texts = proptest::collection::vec(proptest::sample::select(PARTS), 1..9);
    let seen = std::cell::RefCell::new(&mut plain);
    let result = runner.run(&texts, |parts| {
        let text = format!("p{}", parts.concat());
        // Behind `||` nothing runs here, since all that is found missing succeeds.
        if let Ok(commands) = read(&text).unwrap().plain
            && !text.contains("||")
        {
            seen.borrow_mut().push((text, commands));
        }
        prop_assert!(true);
        Ok(())
    });
    result.unwrap();
    assert!(plain.len() > 200, "too few plain commands to compare: {}", plain.len());
    let runs = run_by_bash(&plain.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>());
    assert_eq!(runs.len(), plain.len());
    for ((text, commands), mut run) in plain.into_iter().zip(runs) {
        // A name with a slash is not looked up, so bash does not tell of it.
        let looked_up = commands.iter().filter(|command| !command[0].contains('/'));
        let mut words: Vec<String> = looked_up.map(|c| c.iter().map(|w| format!("{w}\u{1f}")).collect()).collect();
        words.sort();
        run.sort();
        assert_eq!(words, run, "{text:?}");
    }
}
