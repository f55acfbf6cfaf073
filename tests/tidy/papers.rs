//! What the documents say is what the code does.

use std::collections::BTreeSet;

use super::{files, none, read, relative, root};

/// Every `finch/…` message named in the server's code.
fn messages() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in files(&root().join("server"), &["rs"]) {
        if relative(&path).contains("tests") {
            continue;
        }
        for part in read(&path).split("\"finch/").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            if !name.is_empty() {
                found.insert(format!("finch/{name}"));
            }
        }
    }
    assert!(found.contains("finch/status"), "no messages found: {found:?}");
    found
}

#[test]
fn every_finch_message_is_documented() {
    let page = read(&root().join("docs/protocol.md"));
    none(
        messages()
            .into_iter()
            .filter(|m| !page.contains(&format!("`{m}`")))
            .map(|m| format!("{m}: not in docs/protocol.md"))
            .collect(),
    );
}

#[test]
fn the_configuration_schema_is_the_one_of_the_types() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_finch")).args(["config", "schema"]).output().unwrap();
    assert!(output.status.success());
    let path = root().join("schemas/config.json");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        read(&path),
        "write it anew: cargo run -- config schema > schemas/config.json"
    );
}

#[test]
fn every_configuration_key_is_documented() {
    let schema: serde_json::Value = serde_json::from_str(&read(&root().join("schemas/config.json"))).unwrap();
    let page = read(&root().join("docs/configuration.md"));
    let mut keys = Vec::new();
    leaves(&schema, &schema["properties"], "", &mut keys);
    assert!(keys.contains(&"providers.timeouts.connect_ms".to_owned()), "{keys:?}");
    none(
        keys.into_iter()
            .filter(|key| !page.contains(&format!("`{key}`")))
            .map(|key| format!("{key}: not in docs/configuration.md"))
            .collect(),
    );
}

/// The full names of all keys that hold a value.
fn leaves(schema: &serde_json::Value, properties: &serde_json::Value, section: &str, keys: &mut Vec<String>) {
    for (key, property) in properties.as_object().unwrap() {
        // A list of tables is a key, and so is everything in one of them.
        let of_list = property["items"]["$ref"].as_str();
        if of_list.is_some() {
            keys.push(format!("{section}{key}"));
        }
        let name = property["$ref"].as_str().or(of_list).unwrap_or_default().trim_start_matches("#/$defs/");
        match schema["$defs"][name].get("properties") {
            Some(inner) => leaves(schema, inner, &format!("{section}{key}."), keys),
            None if of_list.is_none() => keys.push(format!("{section}{key}")),
            None => {}
        }
    }
}

#[test]
fn the_readme_names_only_commands_that_exist() {
    let help = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_finch")).args(args).arg("--help").output().unwrap();
        output.status.success()
    };
    for command in ["lsp", "complete", "setup", "model", "doctor", "config"] {
        assert!(help(&[command]), "finch {command} --help");
    }
    let readme = read(&root().join("README.md"));
    let named: BTreeSet<&str> =
        readme.split("`finch ").skip(1).filter_map(|rest| rest.split([' ', '`']).next()).collect();
    assert!(named.contains("setup"), "{named:?}");
    for command in named {
        assert!(help(&[command]), "README.md names `finch {command}`, which does not exist");
    }
}
