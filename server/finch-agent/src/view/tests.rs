//! Which text the tools see.

use std::collections::BTreeMap;

use super::*;

/// Documents as an editor would hold them.
#[derive(Default)]
struct Open(Mutex<BTreeMap<PathBuf, Buffer>>);

impl Open {
    fn put(&self, path: &Path, version: i64, text: &str) {
        let buffer = Buffer { document: Document::new(text), version };
        self.0.lock().unwrap().insert(path.to_owned(), buffer);
    }
}

impl Buffers for Open {
    fn buffer(&self, path: &Path) -> Option<Buffer> {
        self.0.lock().unwrap().get(path).cloned()
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

fn view() -> (View, Arc<Open>, tempfile::TempDir) {
    let open = Arc::new(Open::default());
    (View::new(Arc::clone(&open) as _, Arc::default()), open, tempfile::tempdir().unwrap())
}

#[track_caller]
fn seen(view: &View, path: &Path) -> Seen {
    match view.look(path).unwrap() {
        Content::Text(seen) => seen,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_document_is_seen_before_the_disk_and_staged_edits_on_top() {
    let (view, open, folder) = view();
    let path = folder.path().join("a");
    std::fs::write(&path, "disk\n\n\n").unwrap();
    assert_eq!(&*seen(&view, &path).text, "disk\n\n\n");
    open.put(&path, 3, "typed\n\n\n");
    let found = seen(&view, &path);
    assert_eq!((&*found.text, found.base.version), ("typed\n\n\n", Some(3)));
    view.changes().stage(&path, &found.base, Some("typed\n\n\nstaged\n".into()));
    assert_eq!(&*seen(&view, &path).text, "typed\n\n\nstaged\n");
    open.put(&path, 4, "more\n\n\n");
    let found = seen(&view, &path);
    assert_eq!((&*found.text, found.base.version), ("more\n\n\nstaged\n", Some(4)));
    open.put(&path, 5, "more\n\n\nmine\n");
    let found = seen(&view, &path);
    assert_eq!((&*found.text, found.standing), ("more\n\n\nmine\n", Standing::InConflict));
}

#[test]
fn a_file_that_is_staged_to_go_is_not_there_and_one_to_come_is() {
    let (view, _, folder) = view();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    std::fs::write(&old, "x").unwrap();
    let base = seen(&view, &old).base;
    view.changes().stage(&old, &base, None);
    view.changes().stage(&new, &Base::default(), Some("y".into()));
    assert!(matches!(view.look(&old).unwrap(), Content::Missing { base } if base.text.is_some()));
    assert_eq!(&*seen(&view, &new).text, "y");
    assert_eq!(view.overlaid(), [new, old]);
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_is_named_at_once() {
    let (view, _, folder) = view();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    assert_eq!(view.look(&pipe).unwrap(), Content::Special);
    assert_eq!(view.look(&folder.path().join("socket")).unwrap(), Content::Special);
    assert_eq!(view.look(Path::new("/dev/zero")).unwrap(), Content::Special);
    assert_eq!(view.look(folder.path()).unwrap(), Content::Folder);
    assert_eq!(view.look(&pipe.join("x")).unwrap(), Content::Missing { base: Base::default() });
    std::os::unix::fs::symlink("pipe", folder.path().join("link")).unwrap();
    assert!(view.look(&folder.path().join("link")).is_err(), "a link is not followed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_became_a_link_is_not_gone_through() {
    let (view, _, folder) = view();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("real")).unwrap();
    std::fs::write(root.join("real/f"), "outside").unwrap();
    std::os::unix::fs::symlink("real", root.join("swapped")).unwrap();
    assert!(view.look(&root.join("swapped/f")).is_err());
    assert_eq!(&*seen(&view, &root.join("real/f")).text, "outside");
}

#[test]
fn a_file_too_large_is_not_read() {
    let (view, _, folder) = view();
    let path = folder.path().join("large");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(crate::limits::FILE_BYTES_MAX + 1).unwrap();
    assert!(matches!(view.look(&path).unwrap(), Content::TooLarge { .. }));
}
