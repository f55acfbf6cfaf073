//! The value of one word in the tree of a command line, if it is a literal.

use tree_sitter::Node;

/// What bash would pass for this word, or `None` if it would compute it.
pub(super) fn literal(node: Node<'_>, text: &str) -> Option<String> {
    let raw = text.get(node.byte_range())?;
    match node.kind() {
        "word" | "number" | "test_operator" => unquoted(raw),
        "raw_string" => raw.strip_prefix('\'')?.strip_suffix('\'').map(str::to_owned),
        "string" => quoted(node, raw),
        "concatenation" => concatenation(node, text),
        _ if node.child_count() == 0 => unquoted(raw),
        _ => None,
    }
}

fn concatenation(node: Node<'_>, text: &str) -> Option<String> {
    let mut cursor = node.walk();
    node.children(&mut cursor).map(|part| literal(part, text)).collect()
}

/// A word without quotes: a backslash takes the next character as it is.
fn unquoted(raw: &str) -> Option<String> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next()? {
                '\n' => {}
                taken => value.push(taken),
            },
            '*' | '?' | '[' | ']' | '{' | '}' | '$' | '`' => return None,
            '~' if value.is_empty() || value.ends_with(['=', ':']) => return None,
            _ => value.push(c),
        }
    }
    Some(value)
}

/// A word in double quotes: `$` and the backtick compute, a backslash takes only some characters.
fn quoted(node: Node<'_>, raw: &str) -> Option<String> {
    let mut cursor = node.walk();
    if node.named_children(&mut cursor).any(|part| part.kind() != "string_content") {
        return None;
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw.strip_prefix('"')?.strip_suffix('"')?.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next()? {
                '\n' => {}
                taken @ ('\\' | '"' | '$' | '`') => value.push(taken),
                other => value.extend(['\\', other]),
            },
            '$' | '`' => return None,
            _ => value.push(c),
        }
    }
    Some(value)
}
