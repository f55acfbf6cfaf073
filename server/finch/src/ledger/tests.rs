use std::path::Path;
use std::process::Command;

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::*;
use crate::limits::{LEDGER_ENTRIES_MAX, LEDGER_LINE_BYTES_MAX};

/// 22 November 2026.
const NOW_MS: u64 = 1_795_305_845_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn departs(at_ms: u64) -> Departs {
    Departs {
        at_ms,
        provider: "claude".into(),
        model: "m".into(),
        host: "api.example".into(),
        is_loopback: false,
        task: Task::Chat,
        workspace: Some("/w".into()),
        files: vec!["a.rs".into(), "b.rs".into()],
        files_more: 0,
        bytes: 1000,
    }
}

fn ended(outcome: Outcome) -> Ended {
    let (prompt_tokens, cached_tokens, generated_tokens) = (30, 10, 5);
    Ended { at_ms: NOW_MS + 70, outcome, prompt_tokens, cached_tokens, generated_tokens, cost: Some(0.25), ms: 70 }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("2026-11.jsonl")
}

fn text(folder: &Path) -> String {
    std::fs::read_to_string(file(folder)).unwrap()
}

fn all(folder: &Path) -> (Vec<Entry>, Skipped) {
    read(folder, Since::EVER).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_made_before_the_first_line() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ledger");
    Ledger::open(folder.clone());
    assert!(!folder.exists());
    assert_eq!(all(&folder), (Vec::new(), Skipped::default()));
}

#[test]
fn a_departure_is_in_the_file_at_once_and_its_end_finds_it() {
    let home = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(home.path().join("ledger"));
    let folder = home.path().join("ledger");
    let ids = [0, 1, 2, 3].map(|n| ledger.departs(&departs(NOW_MS + n)).unwrap());
    assert_eq!(all(&folder).0.iter().filter(|entry| entry.ended.is_none()).count(), 4);
    let outcomes = [Outcome::Answered, Outcome::Cancelled, Outcome::Failed("rate-limited".into())];
    for (id, outcome) in ids.iter().zip(&outcomes).rev() {
        ledger.ended(id.clone(), &ended(outcome.clone()));
    }
    let (entries, skipped) = all(&folder);
    let expected: Vec<Entry> = (0..4)
        .map(|n| Entry {
            id: ids[n].to_string(),
            departs: departs(NOW_MS + n as u64),
            ended: outcomes.get(n).cloned().map(ended),
        })
        .collect();
    assert_eq!((entries, skipped), (expected, Skipped::default()));
}

#[test]
fn the_lines_are_a_promise() {
    let home = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(home.path().to_owned());
    let id = ledger.departs(&departs(NOW_MS)).unwrap();
    ledger.ended(id.clone(), &ended(Outcome::Failed("overloaded".into())));
    let expected = [
        r#"{"schema":1,"event":"departs","id":"ID","at_ms":1795305845000,"provider":"claude","model":"m","host":"api.example","is_loopback":false,"task":"chat","workspace":"/w","files":["a.rs","b.rs"],"bytes":1000}"#,
        r#"{"schema":1,"event":"ended","of":"ID","at_ms":1795305845070,"outcome":"failed:overloaded","prompt_tokens":30,"cached_tokens":10,"generated_tokens":5,"cost":0.25,"ms":70}"#,
    ];
    assert_eq!(text(home.path()).replace(&id.to_string(), "ID").lines().collect::<Vec<_>>(), expected);
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ledger");
    Ledger::open(folder.clone()).departs(&departs(NOW_MS)).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file(&folder))), (0o700, 0o600));
}

#[test]
fn what_cannot_be_written_down_may_not_depart() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ledger");
    std::fs::write(&folder, "in the way").unwrap();
    let ledger = Ledger::open(folder.clone());
    let said = ledger.departs(&departs(NOW_MS)).unwrap_err().to_string();
    assert!(said.contains("ledger of what leaves") && said.contains("nothing was sent"), "{said}");
    std::fs::remove_file(&folder).unwrap();
    ledger.departs(&departs(NOW_MS)).unwrap();
}

/// A disk that is full takes a part of a line, or nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_lets_nothing_depart() {
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", file(home.path())).unwrap();
    assert!(Ledger::open(home.path().to_owned()).departs(&departs(NOW_MS)).is_err());
}

#[test]
fn lines_are_below_four_kib_whatever_the_names_are() {
    for piece in ["\"", "\\", "\u{1}", "é", "🙂", "x"] {
        let long = piece.repeat(9000);
        let departs = Departs {
            provider: long.clone(),
            model: long.clone(),
            host: long.clone(),
            workspace: Some(format!("{long}/end")),
            files: (0..500).map(|n| format!("{long}{n}")).collect(),
            ..departs(u64::MAX)
        };
        let line = line::departure(&LedgerId("9".repeat(40)), &departs);
        assert!((2000..=LEDGER_LINE_BYTES_MAX).contains(&line.len()), "{}", line.len());
        let line::Told::Departed(_, told) = line::parse(line.as_bytes()) else { panic!("{line}") };
        assert!(told.workspace.unwrap().ends_with("/end"));
        assert!(told.files[0].ends_with('0') && told.files_more > 0);
        assert_eq!(told.files.len() as u64 + told.files_more, 500);
        let line = line::end(&LedgerId("9".repeat(40)), &ended(Outcome::Failed(long)));
        assert!(line.len() <= LEDGER_LINE_BYTES_MAX, "{}", line.len());
    }
}

#[test]
fn a_cost_that_is_no_number_is_no_cost() {
    let line = line::end(&LedgerId("1".into()), &Ended { cost: Some(f64::NAN), ..ended(Outcome::Answered) });
    assert!(line.contains("\"cost\":null"), "{line}");
}

#[test]
fn many_processes_append_at_once() {
    const COUNT: u64 = 200;
    let home = tempfile::tempdir().unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            // Each has a ledger and a file handle of its own, as processes have.
            let ledger = Ledger::open(home.path().to_owned());
            std::thread::spawn(move || {
                for n in 0..COUNT {
                    let id = ledger.departs(&departs(NOW_MS + n)).unwrap();
                    ledger.ended(id, &ended(Outcome::Answered));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let (entries, skipped) = all(home.path());
    assert_eq!((entries.len() as u64, skipped), (8 * COUNT, Skipped::default()));
    assert!(entries.iter().all(|entry| entry.ended.is_some()));
    assert!(entries.is_sorted_by_key(|entry| entry.departs.at_ms));
}

#[test]
fn what_is_no_line_is_passed_over_and_counted() {
    let home = tempfile::tempdir().unwrap();
    let check = |content: &str, expected: Skipped| {
        let ledger = Ledger::open(home.path().to_owned());
        let id = ledger.departs(&departs(NOW_MS)).unwrap();
        let torn = format!("{}{content}", text(home.path()));
        std::fs::write(file(home.path()), torn).unwrap();
        // What is written after it is whole.
        ledger.ended(id, &ended(Outcome::Answered));
        ledger.departs(&departs(NOW_MS + 1)).unwrap();
        let (entries, skipped) = all(home.path());
        assert_eq!(entries.len(), 2, "{content}");
        assert!(entries[0].ended.is_some(), "{content}");
        assert_eq!(skipped, expected, "{content}");
        std::fs::remove_file(file(home.path())).unwrap();
    };
    let none = Skipped::default();
    check("", none);
    check("\n\n", none);
    check("{\"schema\":1,\"eve", Skipped { damaged: 1, ..none });
    check("hello\n[1]\n7\n\u{feff}\n", Skipped { damaged: 4, ..none });
    check("{\"schema\":2,\"event\":\"departs\"}\n", Skipped { unknown: 1, ..none });
    check("{\"schema\":1,\"event\":\"returned\"}\n", Skipped { unknown: 1, ..none });
    check("{\"schema\":1,\"event\":\"departs\",\"id\":\"x\"}\n", Skipped { damaged: 1, ..none });
    let outcome = "{\"schema\":1,\"event\":\"ended\",\"of\":\"x\",\"at_ms\":1,\"outcome\":\"lost\"}\n";
    check(outcome, Skipped { damaged: 1, ..none });
    check(&outcome.replace("lost", "answered"), none);
    check(&"x".repeat(100_000), Skipped { too_long: 1, ..none });
    check(&format!("{}\nx\n", "x".repeat(100_000)), Skipped { too_long: 1, damaged: 1, ..none });
}

#[test]
fn a_last_line_without_an_end_is_torn() {
    let home = tempfile::tempdir().unwrap();
    Ledger::open(home.path().to_owned()).departs(&departs(NOW_MS)).unwrap();
    let whole = text(home.path());
    std::fs::write(file(home.path()), &whole[..whole.len() - 1]).unwrap();
    assert_eq!(all(home.path()), (Vec::new(), Skipped { torn: 1, ..Skipped::default() }));
}

#[test]
fn only_what_departed_since_then_is_read_also_over_months() {
    let home = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(home.path().to_owned());
    for days in [40, 30, 2, 1, 0] {
        let id = ledger.departs(&departs(NOW_MS - days * DAY_MS)).unwrap();
        // An end may be written into the next month's file.
        ledger.ended(id, &ended(Outcome::Answered));
    }
    let check = |days, count| {
        let (entries, _) = read(home.path(), Since::days(days, NOW_MS)).unwrap();
        assert_eq!(entries.len(), count, "{days} days");
        assert!(entries.iter().all(|entry| entry.ended.is_some()), "{days} days");
    };
    check(0, 1);
    check(1, 2);
    check(35, 4);
    check(u64::MAX, 5);
}

#[test]
fn files_older_than_a_year_go_when_a_month_begins() {
    let home = tempfile::tempdir().unwrap();
    let old = ["2024-01.jsonl", "2025-10.jsonl", "2025-11.jsonl", "2026-10.jsonl", "2024-01.txt", "notes.jsonl"];
    let make = || old.iter().for_each(|name| std::fs::write(home.path().join(name), "").unwrap());
    make();
    let ledger = Ledger::open(home.path().to_owned());
    ledger.departs(&departs(NOW_MS)).unwrap();
    let left = ["2024-01.txt", "2025-11.jsonl", "2026-10.jsonl", "2026-11.jsonl", "notes.jsonl"];
    assert_eq!(files(home.path()), left);
    make();
    ledger.departs(&departs(NOW_MS)).unwrap();
    assert_eq!(files(home.path()).len(), 7, "only when a month begins");
}

#[test]
fn of_too_many_departures_the_newest_are_read() {
    let home = tempfile::tempdir().unwrap();
    let line = |n: u64| line::departure(&LedgerId(n.to_string()), &Departs { files: Vec::new(), ..departs(n) });
    let count = LEDGER_ENTRIES_MAX as u64 + 10;
    let mut lines: Vec<String> = (1..=count).map(line).collect();
    lines.extend([5, 11, count].map(|n| line::end(&LedgerId(n.to_string()), &ended(Outcome::Answered))));
    std::fs::write(file(home.path()), lines.join("\n") + "\n").unwrap();
    let (entries, skipped) = all(home.path());
    assert_eq!((entries.len(), skipped), (LEDGER_ENTRIES_MAX, Skipped { oldest: 10, ..Skipped::default() }));
    let over: Vec<&str> = entries.iter().filter(|entry| entry.ended.is_some()).map(|entry| entry.id.as_str()).collect();
    assert_eq!(over, ["11", &count.to_string()]);
}

#[test]
fn totals_are_by_provider_and_tell_apart_what_stayed() {
    let entry = |provider: &str, is_loopback, ended| Entry {
        id: String::new(),
        departs: Departs { provider: provider.into(), is_loopback, ..departs(1) },
        ended,
    };
    let free = Ended { cost: None, ..ended(Outcome::Answered) };
    let summary = Summary::of(&[
        entry("openai", false, Some(ended(Outcome::Answered))),
        entry("ollama", true, Some(free)),
        entry("openai", false, None),
        entry("claude", false, Some(ended(Outcome::Cancelled))),
    ]);
    let total = |provider: &str, requests: u64, ends: u64| Total {
        provider: provider.into(),
        is_loopback: false,
        requests,
        bytes: requests * 1000,
        prompt_tokens: ends * 30,
        cached_tokens: ends * 10,
        generated_tokens: ends * 5,
        cost: Some(ends as f64 * 0.25),
    };
    let stayed = Total { is_loopback: true, cost: None, ..total("ollama", 1, 1) };
    assert_eq!(summary.providers, [total("claude", 1, 1), stayed, total("openai", 2, 1)]);
    assert_eq!(summary.left(), total("", 3, 2));
}

/// Another process, ended in the middle of its work: what it wrote is whole, and what it held back is not needed.
#[cfg(unix)]
#[test]
fn a_foreign_process_appends_beside_us() {
    let home = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(home.path().to_owned());
    ledger.departs(&departs(NOW_MS)).unwrap();
    let script = format!("printf '{{\"torn' >> '{}'", file(home.path()).display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    ledger.departs(&departs(NOW_MS)).unwrap();
    let (entries, skipped) = all(home.path());
    assert_eq!((entries.len(), skipped), (2, Skipped { damaged: 1, ..Skipped::default() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is left of a file, and whatever was put into it, what is written afterwards is read.
    #[test]
    fn a_file_cut_anywhere_goes_on(cut in any::<prop::sample::Index>(), foreign in prop::collection::vec(any::<u8>(), 0..200)) {
        let home = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(home.path().to_owned());
        for n in 0..3 {
            let id = ledger.departs(&departs(NOW_MS + n)).unwrap();
            ledger.ended(id, &ended(Outcome::Answered));
        }
        let mut content = std::fs::read(file(home.path())).unwrap();
        content.truncate(cut.index(content.len() + 1));
        let whole = content.split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n") && String::from_utf8_lossy(line).contains("\"departs\""))
            .count();
        content.extend(foreign);
        std::fs::write(file(home.path()), content).unwrap();
        let id = ledger.departs(&departs(NOW_MS + 9)).unwrap();
        ledger.ended(id.clone(), &ended(Outcome::Cancelled));
        let (entries, _) = all(home.path());
        // The bytes after the cut may have ended the line that was cut.
        proptest::prop_assert!([whole, whole + 1].contains(&(entries.len() - 1)));
        let last = entries.last().unwrap();
        proptest::prop_assert_eq!((&last.id, last.ended.is_some()), (&id.to_string(), true));
    }
}
