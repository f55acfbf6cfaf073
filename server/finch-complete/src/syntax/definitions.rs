//! What a document defines: functions, types and constants, each with the lines that tell how it is used.
//!
//! Read off the tree by tables of node kinds, one per language. Bodies of functions are not entered: what they
//! define nobody else can use. A document that does not parse as a whole still yields what could be read of it.

use std::ops::Range;

use tree_sitter::Node;

use super::Syntax;
use super::tables::{DefinitionRule, Name, Shows, Tables};
use crate::limits::{DEFINITION_DEPTH_MAX, DEFINITIONS_MAX, SIGNATURE_BYTES_MAX, SIGNATURE_LINES_MAX};

/// Something that a document defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub name: String,
    pub kind: DefinitionKind,
    /// The type it belongs to, if it is a member of one.
    pub owner: Option<String>,
    /// Its bytes in the document, with decorators and modifiers.
    pub range: Range<usize>,
    /// The lines that tell how it is used: of functions and classes what stands before the body, of other types
    /// and of constants the whole, as far as it is short. Indented as if it stood at the top level.
    pub signature: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefinitionKind {
    Function,
    Type,
    Constant,
}

impl Syntax {
    /// What stands at the top level and in types, in the order of the document.
    #[must_use]
    pub fn definitions(&self) -> Vec<Definition> {
        let mut found = Vec::new();
        let search = Search { text: self.text(), tables: Tables::of(self.language()) };
        search.under(self.root(), None, 0, &mut found);
        found
    }
}

struct Search<'a> {
    text: &'a str,
    tables: &'static Tables,
}

impl Search<'_> {
    fn under(&self, parent: Node<'_>, owner: Option<&str>, depth: usize, found: &mut Vec<Definition>) {
        if depth > DEFINITION_DEPTH_MAX {
            return;
        }
        let mut cursor = parent.walk();
        for node in parent.named_children(&mut cursor) {
            if found.len() >= DEFINITIONS_MAX {
                return;
            }
            if let Some(rule) = self.tables.definitions.iter().find(|rule| rule.node == node.kind()) {
                found.extend(self.definition(node, rule, owner));
            }
            if self.tables.entered.contains(&node.kind()) || node.is_error() {
                let named = self.tables.owners.iter().find(|(kind, _)| *kind == node.kind());
                let own = named.and_then(|(_, field)| self.text_of(last_name(node.child_by_field_name(field)?)));
                self.under(node, own.or(owner), depth + 1, found);
            }
        }
    }

    fn definition(&self, node: Node<'_>, rule: &DefinitionRule, owner: Option<&str>) -> Option<Definition> {
        let name = self.text_of(name_of(node, rule.name)?)?.to_owned();
        let value = node.child_by_field_name("value").filter(|value| self.tables.functions.contains(&value.kind()));
        let kind = if value.is_some() || is_prototype(node) { DefinitionKind::Function } else { rule.kind };
        let outer = self.with_wrappers(node);
        let body = value.unwrap_or(node).child_by_field_name("body");
        let end = match (rule.shows, body) {
            (Shows::Head, Some(body)) => body.start_byte(),
            (Shows::Whole, Some(body)) if value.is_some() => body.start_byte(),
            (Shows::Head | Shows::Whole, _) => outer.end,
        };
        let receiver = node.child_by_field_name("receiver").and_then(|receiver| self.text_of(last_name(receiver)));
        Some(Definition {
            name,
            kind,
            owner: receiver.or(owner).map(str::to_owned),
            signature: signature(self.text, outer.start..end),
            range: outer,
        })
    }

    /// The bytes of a node together with what only decorates or introduces it.
    fn with_wrappers(&self, node: Node<'_>) -> Range<usize> {
        let mut range = node.byte_range();
        let mut inner = node;
        while let Some(outer) = inner.parent().filter(|outer| self.tables.wrappers.contains(&outer.kind())) {
            let mut cursor = outer.walk();
            let holds_others = outer
                .named_children(&mut cursor)
                .any(|child| child.id() != inner.id() && child.kind() != "decorator" && !child.is_extra());
            if holds_others {
                break;
            }
            range = outer.byte_range();
            inner = outer;
        }
        range
    }

    fn text_of(&self, node: Node<'_>) -> Option<&str> {
        self.text.get(node.byte_range()).filter(|text| !text.is_empty())
    }
}

fn name_of<'t>(node: Node<'t>, name: Name) -> Option<Node<'t>> {
    match name {
        Name::Field => node.child_by_field_name("name").filter(|name| is_plain(*name)).map(last_name),
        Name::Left => node.child_by_field_name("left").filter(|name| is_plain(*name)),
        Name::Declarator => {
            let mut inner = node.child_by_field_name("declarator")?;
            // Pointers, arrays and parameters stand around the name, each once more inside the other.
            for _ in 0..DEFINITION_DEPTH_MAX {
                let next = inner.child_by_field_name("declarator").or_else(|| inner.child_by_field_name("name"));
                let Some(next) = next else { break };
                inner = next;
            }
            is_plain(inner).then_some(inner)
        }
        Name::FirstVariable => {
            let variables = node.named_child(0).filter(|first| first.kind() == "variable_list")?;
            variables.child_by_field_name("name").filter(|name| name.kind() == "identifier")
        }
    }
}

/// A name, not a pattern that binds several.
fn is_plain(node: Node<'_>) -> bool {
    node.kind().ends_with("identifier")
        || matches!(node.kind(), "type" | "dot_index_expression" | "method_index_expression")
}

/// Of a path, a receiver or a generic type, the name that others use.
fn last_name(node: Node<'_>) -> Node<'_> {
    let mut found = node;
    for _ in 0..DEFINITION_DEPTH_MAX {
        let next = ["type", "name", "field", "method"].into_iter().find_map(|field| found.child_by_field_name(field));
        let lone = || found.named_child(0).filter(|_| !found.kind().ends_with("identifier"));
        let Some(inner) = next.or_else(lone) else { break };
        found = inner;
    }
    found
}

/// A declaration of a function without its body.
fn is_prototype(node: Node<'_>) -> bool {
    let mut declarator = node.child_by_field_name("declarator");
    while let Some(inner) = declarator {
        if inner.kind() == "function_declarator" {
            return true;
        }
        declarator = inner.child_by_field_name("declarator").filter(|_| inner.kind() == "pointer_declarator");
    }
    false
}

/// The first lines of a range, within bounds and without the indentation of its place.
fn signature(text: &str, range: Range<usize>) -> String {
    let before = text.get(..range.start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
    let shift = if before.trim().is_empty() { before } else { "" };
    let whole = text.get(range).unwrap_or_default();
    let mut shown = String::new();
    for line in whole.lines().take(SIGNATURE_LINES_MAX) {
        let line = line.strip_prefix(shift).unwrap_or(line).trim_end();
        if shown.len() + line.len() > SIGNATURE_BYTES_MAX && !shown.is_empty() {
            break;
        }
        if !shown.is_empty() {
            shown.push('\n');
        }
        let room = (0..=line.len().min(SIGNATURE_BYTES_MAX)).rev().find(|&at| line.is_char_boundary(at));
        shown.push_str(&line[..room.unwrap_or(0)]);
    }
    shown.truncate(shown.trim_end().len());
    shown
}

#[cfg(test)]
mod tests;
