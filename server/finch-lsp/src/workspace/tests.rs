use std::fs;

use tempfile::TempDir;

use super::*;

fn workspace(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder can be made");
        fs::write(path, text).expect("the file can be written");
    }
    folder
}

/// The files that are read around the first one.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let folder = workspace(files);
    let (path, text) = files[0];
    let path = folder.path().join(path);
    let language = Language::of(Some(&path.to_string_lossy()), None).expect("it has a language");
    let imports = Syntax::parse(language, text).expect("it parses").imports();
    let mut workspace = Workspace::new(folder.path().to_owned(), Excludes::default());
    let around = workspace.listing().around(&path, language, &imports);
    let found: Vec<String> = around
        .iter()
        .map(|file| file.strip_prefix(folder.path()).expect("it is inside").to_string_lossy().replace('\\', "/"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn imports_lead_to_files() {
    check(&[("a.py", "from .shop.cart import Cart\n"), ("shop/cart.py", ""), ("shop/other.py", "")], &["shop/cart.py"]);
    check(&[("a.py", "import shop\n"), ("shop/__init__.py", ""), ("cart.py", "")], &["shop/__init__.py"]);
    check(&[("src/a.rs", "use crate::cart::Cart;\n"), ("src/cart.rs", ""), ("src/lib.rs", "")], &["src/cart.rs"]);
    check(&[("src/a.rs", "use crate::cart::Cart;\n"), ("src/cart/mod.rs", "")], &["src/cart/mod.rs"]);
    check(&[("a.ts", "import {b} from './lib/b';\n"), ("lib/b.tsx", ""), ("lib/b.py", "")], &["lib/b.tsx"]);
}

#[test]
fn a_folder_of_go_is_one_unit() {
    check(
        &[("p/a.go", "package p\nimport \"x.org/m/q\"\n"), ("p/b.go", "package p\n"), ("q/c.go", "package q\n")],
        &["q/c.go", "p/b.go"],
    );
}

#[test]
fn of_several_files_that_an_import_may_mean_the_nearest_comes_first() {
    let cart = ("x/deep/cart.py", "");
    check(&[("x/y/a.py", "import cart\n"), cart, ("x/y/cart.py", "")], &["x/y/cart.py", "x/deep/cart.py"]);
}

#[test]
fn what_is_ignored_or_may_hold_secrets_is_not_listed() {
    let user = ("a.py", "import cart\nimport secrets\n");
    check(&[user, ("secrets/cart.py", ""), (".gitignore", "out/\n"), ("out/cart.py", "")], &[]);
}

#[test]
fn what_files_define_is_told_once_until_they_change() {
    let files = [("a.py", "from cart import Cart\n"), ("cart.py", "class Cart: pass\n")];
    let folder = workspace(&files);
    let mut workspace = Workspace::new(folder.path().to_owned(), Excludes::default());
    let file = folder.path().join("cart.py");
    assert!(workspace.news(&file, READ_BYTES_MAX).is_some());
    assert!(workspace.news(&file, READ_BYTES_MAX).is_none());
    fs::File::options()
        .write(true)
        .open(&file)
        .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH))
        .expect("the time can be set");
    assert!(workspace.news(&file, READ_BYTES_MAX).is_some());
    assert!(workspace.news(&folder.path().join("gone.py"), READ_BYTES_MAX).is_none());
}

#[test]
fn a_file_that_is_too_long_or_no_text_is_passed_over() {
    let folder = workspace(&[("a.py", &"x".repeat(20))]);
    fs::write(folder.path().join("b.py"), [0xff, 0xfe]).expect("the file can be written");
    let mut workspace = Workspace::new(folder.path().to_owned(), Excludes::default());
    assert!(workspace.news(&folder.path().join("a.py"), 19).is_none());
    assert!(workspace.news(&folder.path().join("b.py"), READ_BYTES_MAX).is_none());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let outside = workspace(&[("cart.py", "class Cart: pass\n")]);
    let folder = workspace(&[("a.py", "import cart\n")]);
    let link = folder.path().join("cart.py");
    std::os::unix::fs::symlink(outside.path().join("cart.py"), &link).expect("the link can be made");
    let mut workspace = Workspace::new(folder.path().to_owned(), Excludes::default());
    assert!(workspace.news(&link, READ_BYTES_MAX).is_none());
    assert!(workspace.listing().around(&folder.path().join("a.py"), Language::Python, &[]).is_empty());
}
