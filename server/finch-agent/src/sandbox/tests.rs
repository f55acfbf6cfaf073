use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;

use super::{
    Availability, Ending, NOT_SET_UP, OUT_OF_TIME, Overlay, Spec, Staged, TOO_MANY_PROCESSES, check, environment,
    read_report, spawn,
};
use crate::access::Network;

/// The example of this crate, which `cargo test` builds beside the tests, but not if it is told which tests to run.
pub(crate) fn helper() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let helper = tests.parent().unwrap().parent().unwrap().join("examples/sandbox-helper");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/linux");
    let written = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let newest = fs::read_dir(source).unwrap().filter_map(|entry| written(&entry.unwrap().path())).max();
    let is_new = written(&helper) >= newest;
    assert!(is_new, "{} is missing or old: build it with `cargo build -p finch-agent --examples`", helper.display());
    helper
}

struct Place {
    folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Run {
    code: u8,
    out: String,
    errors: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ws/.git/hooks", "ws/.vscode", "ws/sub/.git", "ws/src", "out", "tmp", "home/.ssh", "cache"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["ws/.git/config", "ws/src/a", "ws/.mcp.json", "out/s", "home/.ssh/id_rsa"] {
            fs::write(folder.path().join(name), "canary").unwrap();
        }
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn spec(&self, command: &str) -> Spec {
        let mut spec = Spec::new(command, &self.at("ws"), &self.at("tmp"), Network::Off, Duration::from_secs(20));
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        spec.environment =
            vec![variable("PATH", "/usr/local/bin:/usr/bin:/bin"), variable("OUT", self.at("").to_str().unwrap())];
        spec.writable = vec![self.at("cache")];
        spec
    }

    async fn run(&self, command: &str) -> Run {
        run(&self.spec(command)).await
    }
}

async fn run(spec: &Spec) -> Run {
    let helper = helper();
    let mut sandboxed = spawn(&[helper.as_os_str()], spec).await.unwrap();
    let (mut out, mut errors) = (sandboxed.keeper.stdout.take().unwrap(), sandboxed.keeper.stderr.take().unwrap());
    let (mut said, mut told) = (Vec::new(), Vec::new());
    let (a, b) = tokio::join!(out.read_to_end(&mut said), errors.read_to_end(&mut told));
    a.and(b).unwrap();
    let status = sandboxed.keeper.wait().await.unwrap();
    Run {
        code: u8::try_from(status.code().unwrap()).unwrap(),
        out: String::from_utf8_lossy(&said).into_owned(),
        errors: String::from_utf8_lossy(&told).into_owned(),
    }
}

/// Processes whose command line has the mark.
pub(crate) fn left(mark: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|entry| {
            fs::read(entry.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
        })
        .count()
}

#[tokio::test]
async fn this_machine_has_a_whole_sandbox_or_says_why_not() {
    let helper = helper();
    assert_eq!(check(&[helper.as_os_str()]).await, Availability::Whole);
    for broken in ["/bin/false", "/bin/true", "/nonexistent"] {
        let found = check(&[OsStr::new(broken)]).await;
        assert!(matches!(found, Availability::Unavailable { .. }), "{broken}: {found:?}");
    }
}

#[tokio::test]
async fn what_a_build_does_works() {
    let place = Place::new();
    for command in [
        "echo x > new && test -f new",
        "mkdir -p target/debug && echo x > target/debug/a",
        "echo x >> src/a && mv src/a src/b && rm src/b",
        "echo x > \"$TMPDIR/t\"",
        "echo x > \"$OUT/cache/c\"",
        "cat .git/config",
        "ls /usr/bin | head -n 1",
        "cat /etc/passwd > /dev/null",
        "python3 -c 'import socket; socket.socketpair()'",
        "sleep 0.01 & wait",
        "bash -c 'exit 0'",
        "f=$(mktemp) && echo x > $f",
    ] {
        let run = place.run(command).await;
        assert_eq!(run.code, 0, "{command}: {run:?}");
    }
    assert_eq!(place.run("exit 7").await.code, 7);
    assert_eq!(place.run("kill -9 $$").await.code, 128 + 9);
    assert_eq!(place.run("kill -TERM $$").await.code, 128 + 15, "the command is not the first process");
    let run = place.run("echo out; echo err >&2; cat").await;
    assert_eq!((run.out.as_str(), run.errors.as_str()), ("out\n", "err\n"));
}

/// The oracle: the command succeeds only if the sandbox was broken.
#[tokio::test]
async fn nothing_outside_the_workspace_is_changed_and_no_home_is_read() {
    let place = Place::new();
    let neighbour = place.at("out");
    for command in [
        "echo x > \"$OUT/out/pwned\"",
        "echo x > \"$OUT/out/s\"",
        "rm \"$OUT/out/s\"",
        "mkdir \"$OUT/x\"",
        "echo x > /tmp/finch-pwned",
        "touch /etc/finch-pwned",
        "cat \"$OUT/home/.ssh/id_rsa\"",
        "ls \"$OUT/home\"",
        "cat \"$OUT/out/s\"",
        "ln \"$OUT/out/s\" h && echo x > h",
        "ln -s \"$OUT/out\" d && echo x > d/pwned",
        "mv src \"$OUT/out/\"",
        "cat /proc/1/environ",
        "cat /proc/FINCH/environ",
        "cat /proc/FINCH/maps",
        "kill -0 FINCH",
        "chmod 777 \"$OUT/out\" && touch \"$OUT/out/x\"",
        "mount -t tmpfs x \"$OUT/out\"",
        "unshare -Ur true",
        "cat /dev/mem",
        "echo x > /proc/sys/kernel/core_pattern",
        "truncate -s 0 \"$OUT/out/s\"",
    ] {
        let command = command.replace("FINCH", &std::process::id().to_string());
        let run = place.run(&command).await;
        assert_ne!(run.code, 0, "B17 O2: {command}: {run:?}");
        assert_ne!(run.code, NOT_SET_UP, "{command}: {run:?}");
    }
    assert_eq!(fs::read_to_string(neighbour.join("s")).unwrap(), "canary");
    assert_eq!(fs::read_dir(neighbour).unwrap().count(), 1);
    assert!(!Path::new("/tmp/finch-pwned").exists());
    let run = place.run("grep NoNewPrivs /proc/self/status").await;
    assert_eq!(run.out.trim(), "NoNewPrivs:\t1");
}

#[tokio::test]
async fn guarded_entries_are_not_changed() {
    let place = Place::new();
    for command in [
        "echo x > .git/hooks/post-checkout",
        "echo x >> .git/config",
        "rm -rf .git",
        "mv .git g",
        "mv .git/config c",
        "ln -s src .git/x",
        "echo x > .vscode/tasks.json",
        "echo x > .mcp.json",
        "rm .mcp.json",
        "mv src/a .mcp.json",
        "ln -sf src/a .mcp.json",
        "echo x > sub/.git/config",
        "mv sub/.git sub/g",
        "umount .git",
        "chmod 777 .git/config",
    ] {
        let run = place.run(command).await;
        assert_ne!(run.code, 0, "A5 A8: {command}: {run:?}");
        assert_ne!(run.code, NOT_SET_UP, "{command}: {run:?}");
    }
    for name in ["ws/.git/config", "ws/.mcp.json"] {
        assert_eq!(fs::read_to_string(place.at(name)).unwrap(), "canary", "{name}");
    }
    assert_eq!(fs::read_dir(place.at("ws/.git")).unwrap().count(), 2, "A8");
}

#[tokio::test]
async fn a_guarded_entry_that_a_command_makes_is_set_aside() {
    let place = Place::new();
    let run = place.run("mkdir -p .finch && echo x > .finch/config.toml; echo x > .nvim.lua; ln -s src .idea").await;
    assert!(run.errors.contains("may not be made here"), "A6: {run:?}");
    for name in ["ws/.finch", "ws/.nvim.lua", "ws/.idea"] {
        assert!(place.at(name).symlink_metadata().is_err(), "A6: {name}");
    }
    assert!(place.at("ws/refused-1-finch/config.toml").exists(), "A6: the work is kept");
}

#[tokio::test]
async fn without_the_network_nothing_leaves_whatever_its_name() {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let commands = [
        format!("curl -s -m 2 http://127.0.0.1:{port}"),
        format!("wget -q -T 2 -t 1 -O - http://127.0.0.1:{port}"),
        format!("bash -c 'echo x > /dev/tcp/127.0.0.1/{port}'"),
        format!("bash -c 'echo x > /dev/udp/127.0.0.1/{port}'"),
        format!("nc -z 127.0.0.1 {port}"),
        "ping -c 1 -W 1 127.0.0.1".to_owned(),
        format!("ssh -o ConnectTimeout=2 -o BatchMode=yes -p {port} 127.0.0.1 true"),
        "getent ahosts example.com".to_owned(),
        format!("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'"),
        "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)'".to_owned(),
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX)'".to_owned(),
        "python3 -c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)'".to_owned(),
        "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'".to_owned(),
        format!("busybox wget -O - http://127.0.0.1:{port}"),
    ];
    for command in commands {
        let run = place.run(&command).await;
        assert_ne!(run.code, 0, "B17 O3: {command}: {run:?}");
        assert_ne!(run.code, NOT_SET_UP, "{command}: {run:?}");
        assert!(listener.accept().is_err(), "B17 O3: {command} connected");
    }
    let mut spec = place.spec(&format!("bash -c 'echo x > /dev/tcp/127.0.0.1/{port}'"));
    spec.has_network = true;
    assert_eq!(run(&spec).await.code, 0, "with the network it connects");
    assert!(listener.accept().is_ok());
}

/// Runs until the sandbox ends it, and looks for what is left.
async fn ended(row: &str, mark: &str, spec: &Spec, codes: &[u8]) {
    let began = Instant::now();
    let ended =
        tokio::time::timeout(Duration::from_secs(20), run(spec)).await.unwrap_or_else(|_| panic!("{row}: it hangs"));
    assert!(codes.contains(&ended.code), "{row}: {} after {:?}", ended.code, began.elapsed());
    assert_eq!(left(mark), 0, "{row} O6: processes are left");
}

#[tokio::test]
async fn runaways_are_ended_and_nothing_is_left() {
    let place = Place::new();
    let mark = |name: &str| format!("finch-mark-{name}-{}", std::process::id());
    let mut bomb = place.spec(&format!(": {}; b() {{ b | b & }}; b; sleep 20", mark("bomb")));
    bomb.processes_max = 60;
    bomb.seconds_max = 3;
    ended("B18 fork bomb", &mark("bomb"), &bomb, &[TOO_MANY_PROCESSES, OUT_OF_TIME]).await;
    let mut yes = place.spec(&format!("yes {} > /dev/null", mark("yes")));
    yes.seconds_max = 1;
    ended("B18 yes", &mark("yes"), &yes, &[OUT_OF_TIME]).await;
    let daemon =
        |name: &str| format!("setsid bash -c 'trap \"\" TERM HUP; sleep 1000; : {}' >/dev/null 2>&1 &", mark(name));
    ended("B18 daemon", &mark("daemon"), &place.spec(&format!("{} exit 0", daemon("daemon"))), &[0]).await;
    let mut stubborn = place.spec(&format!(
        "trap '' TERM HUP INT; {} while true; do sleep 0.1; done; : {}",
        daemon("stubborn"),
        mark("stubborn")
    ));
    stubborn.seconds_max = 1;
    ended("H42", &mark("stubborn"), &stubborn, &[OUT_OF_TIME]).await;
    let mut big = place.spec(&format!("head -c 3000000 /dev/zero > big; : {}", mark("big")));
    big.file_bytes_max = 1_000_000;
    run(&big).await;
    assert_eq!(fs::metadata(place.at("ws/big")).unwrap().len(), 1_000_000, "B18: a file ends at its limit");
}

#[tokio::test]
async fn dropping_a_command_kills_all_of_it() {
    let place = Place::new();
    let helper = helper();
    let mark = format!("finch-mark-drop-{}", std::process::id());
    let command = format!("setsid bash -c 'sleep 1000; : {mark}' & echo ready; sleep 1000; : {mark}");
    let mut sandboxed = spawn(&[helper.as_os_str()], &place.spec(&command)).await.unwrap();
    let mut ready = [0; 6];
    sandboxed.keeper.stdout.as_mut().unwrap().read_exact(&mut ready).await.unwrap();
    assert!(left(&mark) > 0);
    let began = Instant::now();
    drop(sandboxed);
    while left(&mark) > 0 {
        assert!(began.elapsed() < Duration::from_secs(2), "H20 O6: {} processes are left", left(&mark));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn without_namespaces_the_entries_that_are_there_can_be_written() {
    let place = Place::new();
    // Within a sandbox no namespaces can be made: the second one has to do without.
    let mark = format!("finch-mark-entry-{}", std::process::id());
    let inner = place.spec(&format!(
        "echo x > src/new && echo x > src/a && ! (echo x > .git/x) && ! (echo x > .mcp.json) && ! (echo x > new) && ! mkdir .finch && ! kill -0 $PPID; code=$?; \
         setsid bash -c 'sleep 1000; : {mark}' >/dev/null 2>&1 & exit $code"
    ));
    fs::write(place.at("ws/src/spec"), format!("{}\n", serde_json::to_string(&inner).unwrap())).unwrap();
    let helper = helper();
    let mut outer =
        place.spec(&format!("{{ cat src/spec; exec sleep 5; }} | {}; exit ${{PIPESTATUS[1]}}", helper.display()));
    outer.readable = vec![helper.parent().unwrap().to_owned()];
    let run = run(&outer).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(left(&mark), 0, "O6");
}

#[tokio::test]
async fn a_description_that_cannot_be_read_runs_nothing() {
    for text in ["", "\n", "{}\n", "{\"command\":\"ls\"}\n"] {
        let mut helper = std::process::Command::new(helper())
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut helper.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let done = helper.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(i32::from(NOT_SET_UP)), "{text:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("nothing was run"), "{text:?}");
    }
}

#[test]
fn the_environment_has_no_keys_and_a_path_of_absolute_folders() {
    let all = [
        ("PATH", ".:/usr/bin::bin:/t/ws/bin:/bin:/usr/../t/ws"),
        ("HOME", "/home/u"),
        ("ANTHROPIC_API_KEY", "k"),
        ("LD_PRELOAD", "x"),
        ("BASH_ENV", "x"),
        ("CARGO_HOME", "/c"),
    ];
    let all = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given = environment(all, &["CARGO_HOME".to_owned()], Path::new("/t/ws"));
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(given, [("PATH", "/usr/bin:/bin"), ("HOME", "/home/u"), ("CARGO_HOME", "/c")], "A3 B14 G13");
}

impl Place {
    /// The same on a throw-away workspace.
    fn over(&self, command: &str, staged: &[(&str, Option<&str>)]) -> Spec {
        let layers = self.at(&format!("layers{}", fs::read_dir(self.at("")).unwrap().count()));
        fs::create_dir(&layers).unwrap();
        let staged = staged.iter().enumerate().map(|(number, (path, text))| {
            let content = text.map(|text| {
                let content = layers.join(number.to_string());
                fs::write(&content, text).unwrap();
                content
            });
            Staged { path: self.at("ws").join(path), content }
        });
        let staged = staged.collect();
        Spec { overlay: Some(Overlay { layers, staged }), ..self.spec(command) }
    }

    /// Every file of the workspace with its text.
    fn all(&self) -> Vec<(PathBuf, String)> {
        let (mut all, mut folders) = (Vec::new(), vec![self.at("ws")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => all.push((path.clone(), String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())),
                }
            }
        }
        all.sort();
        all
    }
}

/// Bytes that the layers of an overlay hold.
fn held(layers: &Path) -> u64 {
    let (mut bytes, mut folders) = (0, vec![layers.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => bytes += entry.metadata().unwrap().len(),
            }
        }
    }
    bytes
}

#[tokio::test]
async fn a_command_sees_staged_edits_and_nothing_that_it_writes_stays() {
    let place = Place::new();
    for name in ["gone", "kept", "both"] {
        fs::write(place.at("ws/src").join(name), name).unwrap();
    }
    fs::write(place.at("ws/tool"), "#!/bin/sh\necho ran\n").unwrap();
    fs::set_permissions(place.at("ws/tool"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let before = place.all();
    fs::File::create(place.at("ws/big")).unwrap().set_len(1 << 30).unwrap();
    let staged = [
        ("src/a", Some("staged")),
        ("new/deep/b", Some("made")),
        ("src/gone", None),
        ("src/never-there", None),
        ("tool", Some("#!/bin/sh\necho staged\n")),
        (".vscode/tasks.json", Some("{}")),
    ];
    let command = "cat src/a new/deep/b .vscode/tasks.json; ./tool; test ! -e src/gone || exit 4; pwd; \
        echo x > made; echo x >> src/both; rm src/kept; mkdir -p target/debug && echo x > target/debug/o; \
        test -e made -a ! -e src/kept -a -e target/debug/o || exit 5; mv src/both moved && cat moved; \
        test $(stat -c %s big) = 1073741824 || exit 6; (echo x > .git/x) && exit 7; (echo y > .vscode/tasks.json) && exit 8; \
        (echo x > .mcp.json) && exit 9; mkdir .finch; exit 0";
    let spec = place.over(command, &staged);
    let ran = run(&spec).await;
    let seen = format!("stagedmade{{}}staged\n{}\nbothx\n", place.at("ws").display());
    assert_eq!((ran.code, ran.out.as_str()), (0, seen.as_str()), "{ran:?}");
    assert!(!ran.errors.contains("may not be made here"), "{ran:?}");
    let layers = spec.overlay.unwrap().layers;
    assert!(held(&layers) < 10_000, "a big tree is not copied");
    fs::remove_file(place.at("ws/big")).unwrap();
    assert_eq!(place.all(), before);
}

/// What holds of the real workspace holds of the other one, and the real one cannot be reached.
#[tokio::test]
async fn a_throw_away_workspace_is_no_way_out() {
    let place = Place::new();
    let before = place.all();
    for command in [
        "echo x > \"$OUT/out/pwned\"",
        "cat \"$OUT/home/.ssh/id_rsa\"",
        "umount .",
        "umount -l \"$OUT/ws\"",
        "ls \"$OUT\"/layers*",
        "echo x > \"$OUT\"/layers*/upper/x",
        "echo x > .git/config",
        "ln \"$OUT/out/s\" h && echo x > h",
        "unshare -Urm umount .",
        "ls /proc/FINCH/cwd/",
        "ls /proc/$PPID/cwd/ /proc/$PPID/root/",
    ] {
        let command = command.replace("FINCH", &std::process::id().to_string());
        let ran = run(&place.over(&command, &[])).await;
        assert!(ran.code != 0 && ran.code != NOT_SET_UP, "{command}: {ran:?}");
    }
    assert_eq!(place.all(), before);
    assert_eq!(fs::read_dir(place.at("out")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_staged_edit_goes_through_no_link_and_no_throw_away_workspace_runs_nothing() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.at("out"), place.at("ws/link")).unwrap();
    for path in ["link/pwned", "../out/pwned", "/t/elsewhere"] {
        let ran = run(&place.over("echo ran", &[(path, Some("x"))])).await;
        assert_eq!((ran.code, ran.out.as_str()), (NOT_SET_UP, ""), "C3: {path}: {ran:?}");
        assert!(ran.errors.contains("a staged edit cannot be shown"), "{ran:?}");
    }
    assert_eq!(fs::read_dir(place.at("out")).unwrap().count(), 1, "C3");
    // Within a sandbox no namespaces can be made, and no workspace laid over another.
    let inner = place.over("echo ran", &[]);
    fs::write(place.at("ws/src/spec"), format!("{}\n", serde_json::to_string(&inner).unwrap())).unwrap();
    let helper = helper();
    let command = format!("{{ cat src/spec; exec sleep 5; }} | {}; exit ${{PIPESTATUS[1]}}", helper.display());
    let mut outer = place.spec(&command);
    outer.readable = vec![helper.parent().unwrap().to_owned()];
    let ran = run(&outer).await;
    assert_eq!((ran.code, ran.out.as_str()), (NOT_SET_UP, ""), "{ran:?}");
    assert!(ran.errors.contains("lets finch make no throw-away view"), "{ran:?}");
}

#[tokio::test]
async fn an_end_that_is_the_keepers_doing_is_told_apart_from_the_commands_own() {
    let place = Place::new();
    let scratch = place.at("scratch");
    let with = |spec: Spec| Spec { scratch: Some(scratch.clone()), ..spec };
    for (mut spec, code, told) in [
        (place.spec("exit 123"), TOO_MANY_PROCESSES, None),
        (place.spec("exit 124"), OUT_OF_TIME, None),
        (place.spec("echo not-set-up > \"$OUT/scratch/report\"; exit 125"), NOT_SET_UP, None),
        (place.spec("sleep 100"), OUT_OF_TIME, Some(Ending::OutOfTime)),
        (place.over("true", &[("../out", Some("x"))]), NOT_SET_UP, Some(Ending::NotSetUp)),
    ] {
        fs::create_dir(&scratch).unwrap();
        spec.seconds_max = 2;
        let ran = run(&with(spec)).await;
        assert_eq!((ran.code, read_report(&scratch)), (code, told), "{ran:?}");
        fs::remove_dir_all(&scratch).unwrap();
    }
    assert_eq!(read_report(&scratch), Some(Ending::NotSetUp), "without a report nothing is sure");
    fs::create_dir(&scratch).unwrap();
    let mut sandboxed = spawn(&[helper().as_os_str()], &with(place.spec("sleep 100"))).await.unwrap();
    while !scratch.join("report").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sandboxed.keeper.stdout.take();
    sandboxed.stop().wait().await.unwrap();
    assert!(!scratch.exists(), "the keeper removes it when nobody else will");
}
