//! The crate graph is the one that docs/architecture.md draws.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::{none, read, relative, root};

type Edges = BTreeMap<String, BTreeSet<String>>;

/// Direct, normal and build dependencies of each workspace member.
fn dependencies() -> Edges {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (text(&package["name"]), uses(package))).collect()
}

fn uses(package: &serde_json::Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap();
    dependencies.iter().filter(|d| d["kind"] != "dev").map(|d| text(&d["name"])).collect()
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Rows of the table in docs/architecture.md whose head starts with `head`: the first cell, and the names in the last.
fn table(head: &str) -> Edges {
    let page = read(&root().join("docs/architecture.md"));
    let rows: Edges = page
        .lines()
        .skip_while(|line| !line.starts_with(head))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            (names(cells[0]).pop_first().unwrap(), names(cells[cells.len() - 1]))
        })
        .collect();
    assert!(rows.len() > 2, "no table {head:?} in docs/architecture.md");
    rows
}

fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn crates_use_only_the_crates_they_may() {
    let (actual, allowed) = (dependencies(), table("| crate |"));
    assert_eq!(actual.keys().collect::<Vec<_>>(), allowed.keys().collect::<Vec<_>>(), "crates and table differ");
    let mut complaints = Vec::new();
    for (name, uses) in &actual {
        let finch: BTreeSet<String> = uses.iter().filter(|used| used.starts_with("finch")).cloned().collect();
        for edge in finch.symmetric_difference(&allowed[name]) {
            complaints.push(format!("{name} and {edge}: the code and docs/architecture.md disagree"));
        }
    }
    none(complaints);
}

#[test]
fn some_crates_from_outside_stand_in_one_place() {
    let actual = dependencies();
    let mut complaints = Vec::new();
    for (outside, places) in table("| from outside |") {
        let users: BTreeSet<String> =
            actual.iter().filter(|(_, uses)| uses.contains(&outside)).map(|(name, _)| name.clone()).collect();
        if users != places {
            complaints.push(format!("{outside} is used by {users:?}, docs/architecture.md says {places:?}"));
        }
    }
    none(complaints);
}

#[test]
fn nobody_depends_on_the_binary_and_no_crate_is_a_drawer() {
    let actual = dependencies();
    let mut complaints = Vec::new();
    for (name, uses) in &actual {
        if uses.contains("finch") {
            complaints.push(format!("{name} depends on the binary"));
        }
        if ["core", "common", "utils", "types"].iter().any(|drawer| name.ends_with(drawer)) {
            complaints.push(format!("{name} is a name for anything"));
        }
    }
    none(complaints);
}

#[test]
fn finch_text_is_pure() {
    let uses = &dependencies()["finch-text"];
    let mut complaints: Vec<String> = ["serde", "tokio", "serde_json"]
        .iter()
        .filter(|used| uses.contains(**used))
        .map(|u| format!("uses {u}"))
        .collect();
    for path in super::files(&root().join("server/finch-text/src"), &["rs"]) {
        for impure in ["std::fs", "std::io", "std::net", "std::env", "std::process"] {
            if read(&path).contains(impure) {
                complaints.push(format!("{}: {impure}", relative(&path)));
            }
        }
    }
    none(complaints);
}
