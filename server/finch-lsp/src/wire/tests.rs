//! The promises to clients: the committed schemas and the documented messages are those of the types here.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in server/").to_owned()
}

/// `FINCH_WRITE_SCHEMAS=1 cargo test -p finch-lsp schemas` writes them anew.
#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let folder = repository().join("schemas/lsp");
    let write = std::env::var_os("FINCH_WRITE_SCHEMAS").is_some();
    let mut expected = Vec::new();
    for (name, schema) in schemas() {
        let path = folder.join(format!("{name}.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("a schema is JSON"));
        if write {
            fs::create_dir_all(&folder).expect("the folder can be made");
            fs::write(&path, &text).expect("the schema can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, text, "{} is not current; run with FINCH_WRITE_SCHEMAS=1", path.display());
        expected.push(path);
    }
    let mut found: Vec<PathBuf> =
        fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "there is one file for each schema and no other");
}

#[test]
fn every_message_and_schema_is_documented() {
    let document = fs::read_to_string(repository().join("docs/protocol.md")).expect("the document is there");
    for method in method::OWN.into_iter().chain(method::AGENT_COMMANDS).chain([method::INLINE_COMPLETION]) {
        assert!(document.contains(&format!("`{method}`")), "docs/protocol.md does not mention {method}");
    }
    for (name, _) in schemas() {
        assert!(document.contains(&format!("`{name}.json`")), "docs/protocol.md does not mention {name}.json");
    }
}

/// The fields of a schema, those of the types it refers to included.
fn fields(schema: &serde_json::Value, into: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            if let Some(properties) = members.get("properties").and_then(serde_json::Value::as_object) {
                into.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| fields(member, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| fields(item, into)),
        _ => {}
    }
}

#[test]
fn every_field_of_finchs_own_messages_is_documented() {
    let document = fs::read_to_string(repository().join("docs/protocol.md")).expect("the document is there");
    for (name, schema) in schemas().into_iter().filter(|(name, _)| name.starts_with("finch.")) {
        let mut names = Vec::new();
        fields(schema.as_value(), &mut names);
        assert!(!names.is_empty(), "{name} has no fields");
        for field in names {
            assert!(document.contains(&format!("`{field}`")), "docs/protocol.md does not explain {field} of {name}");
        }
    }
}
