//! Which names a place in a document uses, and what the document imports.
//!
//! For whoever looks for definitions elsewhere: the nearest names matter most, and names in comments and in
//! strings do not count.

use tree_sitter::Node;

use super::tables::Tables;
use super::{Syntax, Walk};
use crate::limits::{IMPORTS_MAX, NAMES_BYTES_BEFORE, NAMES_BYTES_BEHIND, NAMES_MAX};

/// What one statement takes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Where from, as it is written but without quotes: a module's or a file's name.
    pub from: String,
    /// The names that it brings; empty if it does not say which.
    pub names: Vec<String>,
}

impl Import {
    /// Whether this file may be meant: the last part of the import's name, or the one before it, is the file's name, or
    /// its folder's where a file stands for its folder.
    #[must_use]
    pub fn may_mean(&self, path: &str) -> bool {
        let mut parts = path.rsplit(['/', '\\']);
        let stem = parts.next().and_then(|name| name.split('.').next()).unwrap_or_default();
        let folder = parts.next().unwrap_or_default();
        let stands_for_folder = matches!(stem, "mod" | "lib" | "index" | "__init__");
        let named = self.from.split(['.', '/', '\\', ':']).filter(|part| !part.is_empty());
        named.rev().take(2).any(|part| match stands_for_folder {
            true => part == folder,
            false => part == stem || (part == folder && path.ends_with(".go")),
        })
    }
}

impl Syntax {
    /// Names of code near the cursor, the nearest first, then those that the document imports. Each once.
    #[must_use]
    pub fn names_in_use(&self, offset: usize) -> Vec<String> {
        let range = offset.saturating_sub(NAMES_BYTES_BEFORE)..offset.saturating_add(NAMES_BYTES_BEHIND);
        let mut near: Vec<(usize, &str)> = Vec::new();
        self.walk(range, |node| {
            if node.child_count() == 0
                && is_name(node)
                && let Some(name) = self.text_of(node)
            {
                near.push((node.start_byte().abs_diff(offset), name));
            }
            Walk::Under
        });
        near.sort_unstable();
        let imports = self.imports();
        let imported = imports.iter().flat_map(|import| import.names.iter().map(String::as_str));
        let mut names: Vec<String> = Vec::new();
        for name in near.iter().map(|(_, name)| *name).chain(imported) {
            if names.len() == NAMES_MAX {
                break;
            }
            // Of names such as `i` every document has its own.
            if name.chars().nth(1).is_some() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// What the document imports, in its order.
    #[must_use]
    pub fn imports(&self) -> Vec<Import> {
        let tables = Tables::of(self.language());
        let mut imports = Vec::new();
        if tables.imports.is_empty() {
            return imports;
        }
        self.walk(0..self.text().len(), |node| {
            if imports.len() >= IMPORTS_MAX {
                return Walk::Stop;
            }
            if tables.imports.contains(&node.kind()) {
                self.import(node, &mut imports);
                return Walk::Past;
            }
            if is_deep(node) { Walk::Past } else { Walk::Under }
        });
        imports
    }

    fn import(&self, node: Node<'_>, imports: &mut Vec<Import>) {
        let field = |name: &str| node.child_by_field_name(name).and_then(|node| self.text_of(node));
        let made = match node.kind() {
            "use_declaration" => {
                let argument = node.child_by_field_name("argument");
                return self.use_tree(argument, "", imports);
            }
            "import_from_statement" => field("module_name").map(|from| (from, self.bound(node, Some("module_name")))),
            "import_statement" => match field("source") {
                Some(source) => Some((source, self.bound(node, Some("source")))),
                // Python: each name is a module of its own.
                None => return self.modules(node, imports),
            },
            // Go, C and Java name one thing a statement.
            _ => {
                let path = field("path").or_else(|| node.named_child(0).and_then(|child| self.text_of(child)));
                path.map(|from| (from, vec![field("name").unwrap_or(last_part(unquoted(from))).to_owned()]))
            }
        };
        if let Some((from, names)) = made {
            imports.push(Import { from: unquoted(from).to_owned(), names });
        }
    }

    /// The modules of Python's `import a.b, c as d`.
    fn modules(&self, node: Node<'_>, imports: &mut Vec<Import>) {
        let mut cursor = node.walk();
        for child in node.children_by_field_name("name", &mut cursor) {
            let module = child.child_by_field_name("name").unwrap_or(child);
            let bound = child.child_by_field_name("alias").unwrap_or(module);
            if let (Some(from), Some(name)) = (self.text_of(module), self.text_of(bound)) {
                let first = name.split('.').next().unwrap_or(name);
                imports.push(Import { from: from.to_owned(), names: vec![first.to_owned()] });
            }
        }
    }

    /// The names that an import brings: aliases and originals both, for both are found in the text or elsewhere.
    fn bound(&self, node: Node<'_>, except: Option<&str>) -> Vec<String> {
        let from = except.and_then(|field| node.child_by_field_name(field)).map(|from| from.id());
        let mut names = Vec::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if Some(node.id()) == from {
                continue;
            }
            if is_name(node) && node.child_count() == 0 {
                names.extend(self.text_of(node).map(str::to_owned));
            }
            let mut cursor = node.walk();
            let children: Vec<_> = node.named_children(&mut cursor).collect();
            stack.extend(children.into_iter().rev());
        }
        names
    }

    /// Rust's trees of names: `a::{b, c::{self, d as e}}`.
    fn use_tree(&self, tree: Option<Node<'_>>, path: &str, imports: &mut Vec<Import>) {
        let Some(tree) = tree.filter(|_| imports.len() < IMPORTS_MAX && path.len() < NAMES_BYTES_BEHIND) else {
            return;
        };
        let text = |name: &str| tree.child_by_field_name(name).and_then(|node| self.text_of(node)).unwrap_or_default();
        let join = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}::{part}") };
        match tree.kind() {
            "use_list" | "scoped_use_list" => {
                let list = tree.child_by_field_name("list").unwrap_or(tree);
                let inner = if list.id() == tree.id() { path.to_owned() } else { join(text("path")) };
                let mut cursor = list.walk();
                for child in list.named_children(&mut cursor) {
                    self.use_tree(Some(child), &inner, imports);
                }
            }
            "use_wildcard" => {
                let from = tree.named_child(0).and_then(|node| self.text_of(node)).unwrap_or_default();
                imports.push(Import { from: join(from), names: Vec::new() });
            }
            "use_as_clause" => {
                let whole = join(text("path"));
                let names = vec![last_part(&whole).to_owned(), text("alias").to_owned()];
                imports.push(Import { from: parent_path(&whole).to_owned(), names });
            }
            "self" => {
                imports.push(Import { from: parent_path(path).to_owned(), names: vec![last_part(path).to_owned()] })
            }
            _ => {
                let whole = join(self.text_of(tree).unwrap_or_default());
                let names = vec![last_part(&whole).to_owned()];
                imports.push(Import { from: parent_path(&whole).to_owned(), names });
            }
        }
    }

    fn text_of(&self, node: Node<'_>) -> Option<&str> {
        self.text().get(node.byte_range()).filter(|text| !text.is_empty())
    }
}

fn is_name(node: Node<'_>) -> bool {
    node.kind().ends_with("identifier")
}

/// Nodes under which nobody imports anything that concerns the rest of the document.
fn is_deep(node: Node<'_>) -> bool {
    [
        "function_item",
        "impl_item",
        "function_definition",
        "class_definition",
        "function_declaration",
        "class_declaration",
    ]
    .contains(&node.kind())
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\'', '`', '<', '>'])
}

/// Of a path or a module's name what code says to mean it.
fn last_part(path: &str) -> &str {
    let name = path.rsplit(['/', ':']).next().unwrap_or(path);
    // A header keeps its name, a Java class is the last part of its package.
    let name = name.strip_suffix(".h").unwrap_or(name);
    name.rsplit('.').next().unwrap_or(name)
}

fn parent_path(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests;
