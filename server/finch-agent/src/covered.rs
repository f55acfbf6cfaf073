//! What `docs/security.md` says is covered, is: every test that it names is there.

use std::fs;
use std::path::Path;

/// The sources below a folder, one after the other.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("../../docs/security.md")).unwrap();
    let mut source = String::new();
    // Of the agent, and of the daemon's door.
    for folder in ["src", "../finch-http/src", "../finch-http/tests"] {
        sources(&here.join(folder), &mut source);
    }
    // Those with real editors are there.
    sources(&here.join("../../tests"), &mut source);
    let table = page.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let names: Vec<&str> = table.flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 30, "the table is not read: {names:?}");
    let missing: Vec<&str> = names.into_iter().filter(|name| !source.contains(&format!("fn {name}()"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
