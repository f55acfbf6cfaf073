//! Whether a place is code, or text within it, and what encloses it.

use tree_sitter::Node;

use super::{Language, Syntax};

/// What the cursor stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    Code,
    Comment,
    /// A string, or what takes its place such as a template.
    Text,
}

/// What the innermost enclosing construct of several lines holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// Statements, members or items.
    Body,
    /// Arguments, elements or pairs.
    List,
}

const BODIES: &[&str] = &[
    "block",
    "chunk",
    "class_body",
    "compound_statement",
    "constructor_body",
    "declaration_list",
    "enum_body",
    "enum_variant_list",
    "enumerator_list",
    "field_declaration_list",
    "interface_body",
    "match_block",
    "module",
    "program",
    "source_file",
    "statement_block",
    "switch_block",
    "switch_body",
    "translation_unit",
];

const LISTS: &[&str] = &[
    "argument_list",
    "arguments",
    "array",
    "array_expression",
    "array_initializer",
    "dictionary",
    "formal_parameters",
    "import_spec_list",
    "initializer_list",
    "list",
    "literal_value",
    "named_imports",
    "object",
    "parameter_list",
    "parameters",
    "parenthesized_expression",
    "set",
    "subscript",
    "table_constructor",
    "token_tree",
    "tuple",
    "tuple_expression",
    "use_list",
];

impl Syntax {
    /// What stands at the offset: a place right behind a comment that ends with its line is still in it.
    #[must_use]
    pub fn token_at(&self, offset: usize) -> Token {
        let mut node = self.left_of(offset);
        while let Some(inner) = node {
            let kind = inner.kind();
            let inside = inner.start_byte() < offset && offset < inner.end_byte();
            if kind.contains("comment") {
                let to_line_end = offset == inner.end_byte() && !self.is_behind(offset, &["*/", "-->", "]]", "\n"]);
                return if inside || to_line_end { Token::Comment } else { Token::Code };
            }
            if matches!(kind, "interpolation" | "template_substitution") {
                return Token::Code;
            }
            if inside && is_text(kind) {
                return Token::Text;
            }
            node = inner.parent();
        }
        if self.leaves_text_open(offset) { Token::Text } else { Token::Code }
    }

    /// What the offset stands within; `None` if the text is too broken there to say.
    pub(crate) fn within(&self, offset: usize) -> Option<Within> {
        let mut node = self.left_of(offset);
        while let Some(inner) = node {
            if inner.is_error() && inner.start_byte() < offset {
                return None;
            }
            let open = inner.start_byte() < offset && offset <= inner.end_byte();
            if open && LISTS.contains(&inner.kind()) && offset < inner.end_byte() {
                return Some(Within::List);
            }
            if open && BODIES.contains(&inner.kind()) {
                return Some(Within::Body);
            }
            node = inner.parent();
        }
        Some(Within::Body)
    }

    /// The innermost node that holds the byte left of the offset.
    fn left_of(&self, offset: usize) -> Option<Node<'_>> {
        self.root().descendant_for_byte_range(offset.checked_sub(1)?, offset)
    }

    fn is_behind(&self, offset: usize, ends: &[&str]) -> bool {
        let before = self.text().get(..offset).unwrap_or_default();
        ends.iter().any(|end| before.ends_with(end))
    }

    /// Whether the line is broken before the offset by a string that is not closed.
    fn leaves_text_open(&self, offset: usize) -> bool {
        let before = self.text().get(..offset).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let mut quotes = vec!["\"", "`"];
        if self.language() != Language::Rust {
            quotes.push("'");
        }
        let opens = quotes.iter().any(|quote| line.matches(quote).count() % 2 == 1);
        opens && self.errors(offset - line.len()..offset) > 0
    }
}

fn is_text(kind: &str) -> bool {
    kind.contains("string") && kind != "concatenated_string" || kind == "quoted_attribute_value"
}

#[cfg(test)]
mod tests;
