//! Staged edits as one edit of the workspace, in the words of the protocol. Pure.
//!
//! Every text that is changed goes with the version it is against, so that an editor whose user typed meanwhile refuses.

use std::collections::HashMap;
use std::path::Path;

use finch_agent::changes::{Against, Effect, TextEdit};
use finch_text::{Document, PositionEncoding};
use tower_lsp::lsp_types::{
    self, AnnotatedTextEdit, ChangeAnnotation, CreateFile, CreateFileOptions, DeleteFile, DeleteFileOptions,
    DocumentChangeOperation, DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier, RenameFile,
    RenameFileOptions, ResourceOp, TextDocumentEdit, Url, WorkspaceEdit,
};

use crate::facts::EditFacts;

/// What the edit bears as the one who makes it.
const ANNOTATION: &str = "finch";

/// How to put it for a client.
pub(super) struct Wording<'a> {
    pub(super) facts: EditFacts,
    pub(super) encoding: PositionEncoding,
    /// What the client calls a file.
    pub(super) uri: &'a dyn Fn(&Path) -> String,
    /// What the edit is for.
    pub(super) title: &'a str,
}

impl Wording<'_> {
    /// # Errors
    /// Why this client cannot make it.
    pub(super) fn edit(&self, effects: &[Effect]) -> Result<WorkspaceEdit, String> {
        if !self.facts.versions {
            return self.plain_edit(effects);
        }
        let mut operations = Vec::new();
        for effect in effects {
            self.add(effect, &mut operations)?;
        }
        Ok(WorkspaceEdit {
            changes: None,
            document_changes: Some(DocumentChanges::Operations(operations)),
            change_annotations: self
                .facts
                .annotations
                .then(|| HashMap::from([(ANNOTATION.to_owned(), self.annotation())])),
        })
    }

    fn annotation(&self) -> ChangeAnnotation {
        let description = Some(self.title.to_owned()).filter(|title| !title.is_empty());
        ChangeAnnotation { label: "finch".to_owned(), needs_confirmation: Some(false), description }
    }

    /// For a client that knows no versions.
    fn plain_edit(&self, effects: &[Effect]) -> Result<WorkspaceEdit, String> {
        let mut changes = HashMap::new();
        for effect in effects {
            match effect {
                Effect::Edit { path, against, edits } => {
                    let document = Document::new(&against.text);
                    let edits = edits.iter().map(|edit| self.text_edit(&document, edit)).collect();
                    changes.insert(self.url(path)?, edits);
                }
                Effect::Create { path, .. } => return Err(cannot("make files", path)),
                Effect::Rename { from, .. } => return Err(cannot("rename files", from)),
                Effect::Remove { path, .. } => return Err(cannot("remove files", path)),
            }
        }
        Ok(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() })
    }

    fn add(&self, effect: &Effect, operations: &mut Vec<DocumentChangeOperation>) -> Result<(), String> {
        let annotation_id = self.facts.annotations.then(|| ANNOTATION.to_owned());
        match effect {
            Effect::Edit { path, against, edits } => {
                operations.push(self.document_edit(path, against, against.version, edits)?);
            }
            // The editor decides on the encoding of a file that it makes.
            Effect::Create { path, text, .. } => {
                if !self.facts.create {
                    return Err(cannot("make files", path));
                }
                let options = Some(CreateFileOptions { overwrite: Some(false), ignore_if_exists: Some(false) });
                operations.push(operation(ResourceOp::Create(CreateFile {
                    uri: self.url(path)?,
                    options,
                    annotation_id,
                })));
                let nothing = Against { text: "".into(), version: None, encoding: Default::default() };
                let all = [TextEdit { range: 0..0, text: text.to_string() }];
                if !text.is_empty() {
                    operations.push(self.document_edit(path, &nothing, None, &all)?);
                }
            }
            Effect::Rename { from, to, against, edits } => {
                if !self.facts.rename {
                    return Err(cannot("rename files", from));
                }
                let options = Some(RenameFileOptions { overwrite: Some(false), ignore_if_exists: Some(false) });
                let (old_uri, new_uri) = (self.url(from)?, self.url(to)?);
                operations.push(operation(ResourceOp::Rename(RenameFile { old_uri, new_uri, options, annotation_id })));
                if !edits.is_empty() {
                    operations.push(self.document_edit(to, against, None, edits)?);
                }
            }
            Effect::Remove { path, .. } => {
                if !self.facts.delete {
                    return Err(cannot("remove files", path));
                }
                let options = Some(DeleteFileOptions {
                    recursive: Some(false),
                    ignore_if_not_exists: Some(false),
                    annotation_id,
                });
                operations.push(operation(ResourceOp::Delete(DeleteFile { uri: self.url(path)?, options })));
            }
        }
        Ok(())
    }

    fn document_edit(
        &self,
        path: &Path,
        against: &Against,
        version: Option<i64>,
        edits: &[TextEdit],
    ) -> Result<DocumentChangeOperation, String> {
        let document = Document::new(&against.text);
        let annotated = |edit: &TextEdit| {
            let text_edit = self.text_edit(&document, edit);
            match self.facts.annotations {
                true => OneOf::Right(AnnotatedTextEdit { text_edit, annotation_id: ANNOTATION.to_owned() }),
                false => OneOf::Left(text_edit),
            }
        };
        // A version that the protocol's type cannot hold is left out by no editor that exists.
        let version = version.and_then(|version| i32::try_from(version).ok());
        Ok(DocumentChangeOperation::Edit(TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier { uri: self.url(path)?, version },
            edits: edits.iter().map(annotated).collect(),
        }))
    }

    fn text_edit(&self, document: &Document, edit: &TextEdit) -> lsp_types::TextEdit {
        let position = |offset| {
            let place = document.position(offset, self.encoding);
            lsp_types::Position { line: place.line, character: place.character }
        };
        let range = lsp_types::Range { start: position(edit.range.start), end: position(edit.range.end) };
        lsp_types::TextEdit { range, new_text: edit.text.clone() }
    }

    fn url(&self, path: &Path) -> Result<Url, String> {
        let uri = (self.uri)(path);
        Url::parse(&uri).map_err(|error| format!("{} has no name that an editor knows: {error}", path.display()))
    }
}

fn operation(operation: ResourceOp) -> DocumentChangeOperation {
    DocumentChangeOperation::Op(operation)
}

fn cannot(what: &str, path: &Path) -> String {
    let path = path.display();
    format!(
        "this editor cannot {what} for a language server, as {path} would need; do it in the editor by hand and go on"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ALL: EditFacts = EditFacts { versions: true, annotations: true, create: true, rename: true, delete: true };

    fn put(facts: EditFacts, effects: &[Effect]) -> Result<Value, String> {
        let uri = |path: &Path| format!("file://{}", path.display());
        let wording = Wording { facts, encoding: PositionEncoding::Utf16, uri: &uri, title: "tidy up" };
        wording.edit(effects).map(|edit| serde_json::to_value(edit).expect("it is JSON"))
    }

    fn against(text: &str, version: Option<i64>) -> Against {
        Against { text: text.into(), version, encoding: Default::default() }
    }

    fn edit() -> Effect {
        let edits = vec![TextEdit { range: 6..7, text: "Y".to_owned() }];
        Effect::Edit { path: "/w/a".into(), against: against("a\n𝄞x\n", Some(7)), edits }
    }

    #[test]
    fn positions_are_those_of_the_client_and_versions_go_along() {
        let seen = put(EditFacts { annotations: false, ..ALL }, &[edit()]).expect("an edit");
        let range = json!({"start": {"line": 1, "character": 2}, "end": {"line": 1, "character": 3}});
        let document = json!({"uri": "file:///w/a", "version": 7});
        let expected = json!({"textDocument": document, "edits": [{"range": range, "newText": "Y"}]});
        assert_eq!(seen, json!({"documentChanges": [expected]}));
    }

    #[test]
    fn an_edit_says_whose_it_is_where_the_client_can_show_it() {
        let seen = put(ALL, &[edit()]).expect("an edit");
        let label = json!({"label": "finch", "needsConfirmation": false, "description": "tidy up"});
        assert_eq!(seen["changeAnnotations"], json!({"finch": label}));
        assert_eq!(seen["documentChanges"][0]["edits"][0]["annotationId"], "finch");
    }

    #[test]
    fn files_come_and_go_where_the_client_can_do_that_and_else_it_is_said() {
        let create = Effect::Create { path: "/w/b".into(), text: "new\n".into(), encoding: Default::default() };
        let seen = put(ALL, std::slice::from_ref(&create)).expect("an edit");
        assert_eq!(seen["documentChanges"][0]["kind"], "create");
        assert_eq!(seen["documentChanges"][0]["options"], json!({"overwrite": false, "ignoreIfExists": false}));
        assert_eq!(seen["documentChanges"][1]["textDocument"], json!({"uri": "file:///w/b", "version": null}));
        assert_eq!(seen["documentChanges"][1]["edits"][0]["newText"], "new\n");
        let (from, to) = ("/w/b".into(), "/w/c".into());
        let rename = Effect::Rename { from, to, against: against("x", None), edits: Vec::new() };
        let remove = Effect::Remove { path: "/w/a".into(), against: against("x", None) };
        let seen = put(ALL, &[remove.clone(), rename.clone()]).expect("an edit");
        let kinds: Vec<&Value> =
            seen["documentChanges"].as_array().expect("a list").iter().map(|one| &one["kind"]).collect();
        assert_eq!(kinds, ["delete", "rename"]);
        for (effect, what) in [(create, "make files"), (rename, "rename files"), (remove, "remove files")] {
            for facts in [EditFacts { versions: true, ..EditFacts::default() }, EditFacts::default()] {
                let refused = put(facts, std::slice::from_ref(&effect)).expect_err("it cannot");
                assert!(refused.contains(what), "{refused}");
            }
        }
    }

    #[test]
    fn a_client_without_versions_gets_plain_edits() {
        let seen = put(EditFacts::default(), &[edit()]).expect("an edit");
        assert_eq!(seen["changes"]["file:///w/a"][0]["newText"], "Y");
        assert_eq!(seen.get("documentChanges"), None);
    }
}
