use std::fs;
use std::path::{Path, PathBuf};

use super::{Permissions, PermissionsError, Saved, Stored};
use crate::access::Network;
use crate::rules::{PathPattern, Pattern, Rule, Verdict};

fn stored(workspace: Option<&str>, verdict: Verdict, pattern: Pattern) -> Stored {
    Stored { workspace: workspace.map(PathBuf::from), rule: Rule { verdict, pattern } }
}

fn command(text: &str) -> Pattern {
    Pattern::command(text, Network::Off).unwrap()
}

struct File {
    folder: tempfile::TempDir,
    permissions: Permissions,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let permissions = Permissions::open(folder.path().join("permissions.toml"));
        Self { folder, permissions }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("permissions.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }
}

#[test]
fn every_rule_comes_back_as_it_was_given() {
    let file = File::new();
    let mcp = |tool: Option<&str>, arguments: Option<&str>| Pattern::Mcp {
        server: "s".into(),
        tool: tool.map(Into::into),
        arguments: arguments.map(Into::into),
    };
    let patterns = [
        command("cargo test *"),
        command("echo 'a b' *"),
        Pattern::command("cargo fetch *", Network::On).unwrap(),
        Pattern::ExactCommand { command: "make \"x\"\n'y' \u{1f}".into(), cwd: "/t/ws".into(), network: Network::On },
        Pattern::Read(PathPattern::glob("src/**").unwrap()),
        Pattern::Write(PathPattern::glob("*.rs").unwrap()),
        Pattern::Read(PathPattern::Exact("/t/ws/a b*".into())),
        Pattern::Write(PathPattern::Exact("/t/ws/[x]".into())),
        Pattern::Host("a.b".into()),
        Pattern::Url("https://a.b/c?d".into()),
        mcp(None, None),
        mcp(Some("t"), None),
        mcp(Some("t"), Some("{\"a\": 1}")),
    ];
    let verdicts = [Verdict::Allow, Verdict::Ask, Verdict::Deny];
    let all: Vec<Stored> = patterns
        .into_iter()
        .zip(verdicts.into_iter().cycle())
        .zip([Some("/t/ws"), None].into_iter().cycle())
        .map(|((pattern, verdict), workspace)| stored(workspace, verdict, pattern))
        .collect();
    for one in all.iter().chain(&all[..2]) {
        assert_eq!(file.permissions.add(one).unwrap(), Saved::Done);
    }
    assert_eq!(file.permissions.list().unwrap(), all);
}

#[test]
fn rules_hold_in_their_workspace_and_not_in_one_named_alike() {
    let file = File::new();
    file.permissions.add(&stored(Some("/t/ws"), Verdict::Allow, command("make"))).unwrap();
    file.permissions.add(&stored(None, Verdict::Deny, command("curl"))).unwrap();
    for (workspace, rules) in [("/t/ws", 2), ("/t/ws-evil", 1), ("/t/ws/sub", 1), ("/t", 1)] {
        assert_eq!(file.permissions.rules(Path::new(workspace)).unwrap().len(), rules, "A12 C2: {workspace}");
    }
}

#[test]
fn a_revoked_rule_is_gone_and_comments_stay() {
    let file = File::new();
    let text = "# mine\n[[rules]] # first\nverdict = \"deny\"\ncommand = \"curl\"\n\n# second\n[[rules]]\nverdict = \"allow\"\nworkspace = \"/t/ws\"\ncommand = \"make\"\n";
    fs::write(file.path(), text).unwrap();
    assert_eq!(file.permissions.revoke(None, &command("make")).unwrap(), 0);
    assert_eq!(file.permissions.revoke(Some(Path::new("/t/ws")), &command("make")).unwrap(), 1);
    assert_eq!(file.permissions.list().unwrap().len(), 1);
    assert!(file.text().starts_with("# mine\n[[rules]] # first\nverdict = \"deny\"\n"), "{}", file.text());
}

#[test]
fn trust_is_for_one_canonical_folder() {
    let file = File::new();
    let at = |name: &str| file.folder.path().join(name);
    for name in ["ws", "ws-evil", "ws/sub/.git"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    file.permissions.trust(&at("ws")).unwrap();
    file.permissions.trust(&at("ws/../ws")).unwrap();
    for (name, is_trusted) in [
        ("ws", true),
        ("ws/.", true),
        ("ws-evil/../ws", true),
        ("ws-evil", false),
        ("ws/sub", false),
        (".", false),
        ("gone", false),
    ] {
        assert_eq!(file.permissions.is_trusted(&at(name)), is_trusted, "A12: {name}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(at("ws-evil"), at("link")).unwrap();
        assert!(!file.permissions.is_trusted(&at("link")), "A12");
    }
    fs::remove_dir_all(at("ws")).unwrap();
    file.permissions.distrust(&at("ws").canonicalize().unwrap_or(at("ws"))).unwrap();
    fs::create_dir(at("ws")).unwrap();
    assert!(!file.permissions.is_trusted(&at("ws")));
}

#[track_caller]
fn damaged(text: &[u8]) {
    let file = File::new();
    fs::write(file.path(), text).unwrap();
    assert!(matches!(file.permissions.rules(Path::new("/t/ws")), Err(PermissionsError::Damaged { .. })), "{text:?}");
    assert_eq!(fs::read(file.path()).unwrap(), text, "reading changes nothing");
    let aside = file.folder.path().join("permissions.toml.bad");
    assert_eq!(
        file.permissions.add(&stored(None, Verdict::Deny, command("curl"))).unwrap(),
        Saved::MovedAside(aside.clone())
    );
    assert_eq!(fs::read(aside).unwrap(), text);
    assert_eq!(file.permissions.list().unwrap().len(), 1);
}

#[test]
fn a_damaged_file_allows_nothing_and_is_kept_aside() {
    damaged(b"[[rules]]\nverdict = \"all");
    damaged(b"rules = 3");
    damaged(b"\xff\xfe");
    damaged(b"[[rules]]\nverdict = \"maybe\"\ncommand = \"ls\"");
    damaged(b"[[rules]]\nverdict = \"allow\"\ncommand = \"ls; rm *\"");
    damaged(b"[[rules]]\nverdict = \"allow\"\ncommand = \"ls\"\nhost = \"a\"");
    damaged(b"[[rules]]\nverdict = \"allow\"");
    damaged(b"[[rules]]\nverdict = \"allow\"\ncommand = \"ls\"\nunless = \"x\"");
    damaged(b"[[rules]]\nverdict = \"allow\"\nworkspace = 3\ncommand = \"ls\"");
    damaged(b"[[rules]]\nverdict = \"allow\"\ncommand = \"ls\"\nnetwork = \"yes\"");
    damaged(b"[[rules]]\nverdict = \"allow\"\nexact = \"ls\"");
    damaged(b"[[trusted]]\nfolder = \"x\"\n[[rules]]\nverdict = 1");
    damaged(&b"# ".repeat(600_000));
}

#[test]
#[cfg(unix)]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = File::new();
    file.permissions.add(&stored(None, Verdict::Deny, command("curl"))).unwrap();
    for name in ["permissions.toml", "permissions.lock"] {
        let mode = fs::metadata(file.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::read_dir(file.folder.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn editors_that_answer_at_once_lose_no_answer() {
    let file = File::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let permissions = file.permissions.clone();
            scope.spawn(move || {
                for number in 0..5 {
                    let pattern = command(&format!("make w{writer}n{number}"));
                    permissions.add(&stored(Some("/t/ws"), Verdict::Allow, pattern)).unwrap();
                }
            });
        }
    });
    assert_eq!(file.permissions.list().unwrap().len(), 20);
}
