use super::*;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn everything_is_under_the_root() {
    let home = Home::new("/h");
    let id = "smollm2-135m".parse().unwrap();
    let paths = [home.config_file(), home.model(&id), home.downloads(), home.runtime()];
    assert_eq!(
        paths.map(|path| path.display().to_string().replace('\\', "/")),
        ["/h/config.toml", "/h/models/smollm2-135m", "/h/models/.downloads", "/h/runtime",]
    );
}

#[test]
fn a_save_replaces_the_whole_file_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/config.toml");
    write_atomic(&path, b"a much longer first text").unwrap();
    write_atomic(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(names(path.parent().unwrap()), ["config.toml"]);
}

#[test]
fn a_failed_save_leaves_the_old_file_and_no_litter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("taken");
    fs::create_dir_all(path.join("inside")).unwrap();
    assert!(write_atomic(&path, b"text").is_err());
    assert_eq!(names(dir.path()), ["taken"]);
    assert_eq!(names(&path), ["inside"]);
}

#[cfg(unix)]
#[test]
fn saved_files_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write_atomic(&path, b"secret").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
