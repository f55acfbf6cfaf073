use std::path::Path;

use super::*;

/// A home of finch and one of the user, with folders in the latter.
struct Place {
    folder: tempfile::TempDir,
    trust: Trust,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["user/work/app/src", "user/work/lib", "elsewhere"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let trust = Trust::open(folder.path().join("finch/trust.toml"), Some(folder.path().join("user")));
        Self { folder, trust }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, text: &str) {
        fs::create_dir_all(self.at("finch")).unwrap();
        fs::write(self.at("finch/trust.toml"), text).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.at("finch/trust.toml")).unwrap()
    }

    #[track_caller]
    fn answer(&self, name: &str, consent: Consent) {
        self.trust.answer(&self.at(name), consent).unwrap();
    }

    #[track_caller]
    fn check(&self, name: &str, expected: Consent) {
        assert_eq!(self.trust.consent(&self.at(name)), expected, "{name}");
    }
}

#[test]
fn nobody_who_was_not_asked_has_agreed() {
    let place = Place::new();
    place.check("user/work/app", Consent::Unknown);
    assert!(!place.at("finch").exists());
}

#[test]
fn the_nearest_answer_holds() {
    let place = Place::new();
    place.answer("user/work", Consent::Given);
    place.answer("user/work/app", Consent::Refused);
    place.check("user/work", Consent::Given);
    place.check("user/work/lib", Consent::Given);
    place.check("user/work/app", Consent::Refused);
    place.check("user/work/app/src", Consent::Refused);
    place.check("user", Consent::Unknown);
    place.check("elsewhere", Consent::Unknown);
    place.answer("user/work/app", Consent::Given);
    place.check("user/work/app/src", Consent::Given);
    assert_eq!(place.trust.list().unwrap().len(), 2);
    place.answer("user/work/app", Consent::Unknown);
    assert_eq!(place.trust.list().unwrap().len(), 1);
}

#[test]
fn an_answer_for_a_root_or_a_home_covers_nothing_in_it() {
    let place = Place::new();
    for name in ["user", ".", "/"] {
        place.answer(name, Consent::Given);
        place.check(name, Consent::Given);
        place.check("user/work", Consent::Unknown);
        place.check("elsewhere", Consent::Unknown);
        assert!(place.trust.forget(&place.at(name)).unwrap());
    }
}

#[test]
fn a_sibling_with_the_same_beginning_is_another_folder() {
    let place = Place::new();
    fs::create_dir_all(place.at("user/work2")).unwrap();
    place.answer("user/work", Consent::Given);
    place.check("user/work2", Consent::Unknown);
}

#[cfg(unix)]
#[test]
fn paths_are_compared_where_links_lead() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.at("elsewhere"), place.at("user/work/app/link")).unwrap();
    std::os::unix::fs::symlink(place.at("user/work"), place.at("short")).unwrap();
    place.answer("short", Consent::Given);
    place.check("user/work/app", Consent::Given);
    place.check("short/../work/app/./src", Consent::Given);
    // The text of a folder elsewhere is not that of the workspace.
    place.check("user/work/app/link", Consent::Unknown);
    // What was a folder when the user answered is a way to another one now.
    place.answer("elsewhere", Consent::Given);
    fs::remove_dir(place.at("elsewhere")).unwrap();
    fs::create_dir(place.at("private")).unwrap();
    std::os::unix::fs::symlink(place.at("private"), place.at("elsewhere")).unwrap();
    place.check("elsewhere", Consent::Unknown);
}

#[test]
fn a_folder_that_is_not_there_has_no_answer_and_gets_none() {
    let place = Place::new();
    let refused = place.trust.answer(&place.at("nowhere"), Consent::Given);
    assert!(matches!(refused, Err(TrustError::NoFolder { .. })), "{refused:?}");
    place.answer("elsewhere", Consent::Given);
    let canonical = fs::canonicalize(place.at("elsewhere")).unwrap();
    fs::remove_dir(&canonical).unwrap();
    place.check("elsewhere", Consent::Unknown);
    assert!(place.trust.forget(&canonical).unwrap());
    assert!(!place.trust.forget(&canonical).unwrap());
}

/// A file with this text counts for nothing, and an answer leaves it aside, whole.
#[track_caller]
fn check_damaged(text: &str) {
    let place = Place::new();
    let text = text.replace("ELSEWHERE", place.at("elsewhere").to_str().unwrap());
    place.write(&text);
    place.check("elsewhere", Consent::Unknown);
    assert_eq!(place.text(), text, "reading changes nothing");
    place.answer("user/work", Consent::Refused);
    assert_eq!(fs::read_to_string(place.at("finch/trust.toml.bad")).unwrap(), text);
    place.check("user/work", Consent::Refused);
    place.write(&text);
    place.answer("user/work", Consent::Given);
    assert!(place.at("finch/trust.toml.bad2").is_file());
}

#[test]
fn a_damaged_file_is_no_answer_and_is_kept_aside() {
    check_damaged("[[workspaces]]\npath = \"ELSEWHERE\"\ncloud = \"given\"\n[[workspaces");
    check_damaged(
        "[[workspaces]]\npath = \"ELSEWHERE\"\ncloud = \"given\"\n[[workspaces]]\npath = \"/x\"\ncloud = \"maybe\"\n",
    );
    check_damaged("[[workspaces]]\npath = \"ELSEWHERE\"\ncloud = true\n");
    check_damaged("[[workspaces]]\ncloud = \"given\"\n");
    check_damaged("workspaces = \"ELSEWHERE\"\n");
    check_damaged(&format!("#{}\n", "x".repeat(1 << 20)));
}

#[test]
fn a_file_that_cannot_be_read_is_no_answer_and_is_left_alone() {
    let place = Place::new();
    // A folder can be opened and not read.
    fs::create_dir_all(place.at("finch/trust.toml")).unwrap();
    place.check("elsewhere", Consent::Unknown);
    assert!(place.trust.answer(&place.at("elsewhere"), Consent::Given).is_err());
    assert!(place.at("finch/trust.toml").is_dir());
}

#[test]
fn of_two_answers_for_one_folder_the_careful_one_holds() {
    for (first, second) in [("given", "refused"), ("refused", "given")] {
        let place = Place::new();
        let path = fs::canonicalize(place.at("elsewhere")).unwrap();
        let entry = |cloud| format!("[[workspaces]]\npath = '{}'\ncloud = \"{cloud}\"\n", path.display());
        place.write(&(entry(first) + &entry(second)));
        place.check("elsewhere", Consent::Refused);
        place.answer("elsewhere", Consent::Given);
        place.check("elsewhere", Consent::Given);
    }
}

#[test]
fn what_else_is_in_the_file_stays() {
    let place = Place::new();
    place.write("# mine\nother = 1\n\n[[workspaces]] # here\npath = \"/x\"\ncloud = \"refused\"\nlater = true\n");
    place.answer("elsewhere", Consent::Given);
    let text = place.text();
    assert!(text.starts_with("# mine\nother = 1\n\n[[workspaces]] # here\npath = \"/x\"\n"), "{text}");
    assert!(text.contains("later = true\n\n[[workspaces]]\n"), "{text}");
    let list = place.trust.list().unwrap();
    assert_eq!(list[0], Workspace { path: "/x".into(), cloud: Some(Cloud::Refused), ..Workspace::default() });
    assert_eq!(list[1].cloud, Some(Cloud::Given));
    assert!(list[1].at.ends_with('Z') && list[1].at.len() == 20, "{}", list[1].at);
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.write("");
    fs::set_permissions(place.at("finch/trust.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    place.answer("elsewhere", Consent::Given);
    let mode = |name: &str| fs::metadata(place.at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("finch/trust.toml"), mode("finch/trust.lock")), (0o600, 0o600));
}

#[test]
fn two_editors_do_not_lose_each_others_answers() {
    let place = Place::new();
    let folders: Vec<PathBuf> = (0..24).map(|n| place.at(&format!("elsewhere/{n}"))).collect();
    folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
    std::thread::scope(|scope| {
        for part in folders.chunks(6) {
            scope.spawn(|| part.iter().for_each(|folder| place.trust.answer(folder, Consent::Given).unwrap()));
        }
    });
    assert_eq!(place.trust.list().unwrap().len(), folders.len());
    assert!(folders.iter().all(|folder| place.trust.consent(folder) == Consent::Given));
}

#[test]
fn a_lock_that_is_held_is_waited_for() {
    let place = Place::new();
    let held = lock::take(&place.at("finch/trust.toml")).unwrap();
    let (sender, answered) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(place.trust.answer(&place.at("elsewhere"), Consent::Given)).unwrap());
        assert!(answered.recv_timeout(std::time::Duration::from_millis(60)).is_err(), "it did not wait");
        drop(held);
    });
    answered.recv().unwrap().unwrap();
    place.check("elsewhere", Consent::Given);
}

#[test]
fn only_a_folder_is_answered_for() {
    let place = Place::new();
    fs::write(place.at("elsewhere/file"), "").unwrap();
    let refused = place.trust.answer(Path::new(&place.at("elsewhere/file")), Consent::Given);
    assert!(matches!(refused, Err(TrustError::NoFolder { .. })), "{refused:?}");
}

impl Place {
    #[track_caller]
    fn check_trust(&self, name: &str, expected: project::Trust) {
        assert_eq!(self.trust.trusts(&self.at(name)), expected, "{name}");
    }
}

#[test]
fn trust_covers_the_folders_in_it_but_no_repository_of_its_own() {
    use project::Trust::{Trusted, Unknown};
    let place = Place::new();
    place.check_trust("user/work/app", Unknown);
    fs::create_dir_all(place.at("user/work/app/.git")).unwrap();
    fs::create_dir_all(place.at("user/work/app/vendor/deep")).unwrap();
    // A worktree and a submodule have a file in its place.
    fs::write(place.at("user/work/app/vendor/.git"), "gitdir: x").unwrap();
    place.trust.give(&place.at("user/work")).unwrap();
    place.check_trust("user/work", Trusted);
    place.check_trust("user/work/lib", Trusted);
    for name in ["user/work/app", "user/work/app/src", "user", "elsewhere", "nowhere"] {
        place.check_trust(name, Unknown);
    }
    place.trust.give(&place.at("user/work/app")).unwrap();
    place.check_trust("user/work/app/src", Trusted);
    for name in ["user/work/app/vendor", "user/work/app/vendor/deep"] {
        place.check_trust(name, Unknown);
    }
    place.trust.give(&place.at("user")).unwrap();
    assert!(place.trust.distrust(&place.at("user/work")).unwrap());
    assert!(!place.trust.distrust(&place.at("user/work")).unwrap());
    place.check_trust("user", Trusted);
    place.check_trust("user/work/lib", Unknown);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_carry_trust_elsewhere() {
    let place = Place::new();
    place.trust.give(&place.at("user/work")).unwrap();
    std::os::unix::fs::symlink(place.at("elsewhere"), place.at("user/work/link")).unwrap();
    place.check_trust("user/work/link", project::Trust::Unknown);
}

#[test]
fn trust_and_consent_of_a_folder_do_not_touch_each_other() {
    let place = Place::new();
    place.answer("user/work", Consent::Refused);
    place.trust.give(&place.at("user/work")).unwrap();
    assert_eq!(place.trust.list().unwrap().len(), 1, "{}", place.text());
    place.check("user/work/lib", Consent::Refused);
    place.answer("user/work", Consent::Given);
    place.check_trust("user/work", project::Trust::Trusted);
    place.answer("user/work", Consent::Unknown);
    place.check("user/work", Consent::Unknown);
    place.check_trust("user/work", project::Trust::Trusted);
    assert!(place.trust.distrust(&place.at("user/work")).unwrap());
    assert_eq!(place.trust.list().unwrap(), []);
}

#[test]
fn of_two_answers_about_trust_the_careful_one_holds_and_a_damaged_one_is_none() {
    let place = Place::new();
    let folder = fs::canonicalize(place.at("user/work")).unwrap();
    let entry = |trusted: &str| format!("[[workspaces]]\npath = \"{}\"\ntrusted = {trusted}\n", folder.display());
    for (text, expected) in [
        (entry("true"), project::Trust::Trusted),
        (entry("true") + &entry("false"), project::Trust::Unknown),
        (entry("false") + &entry("true"), project::Trust::Unknown),
        (entry("\"yes\""), project::Trust::Unknown),
    ] {
        place.write(&text);
        place.check_trust("user/work", expected);
    }
}
