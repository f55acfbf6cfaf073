//! What a command line would run, read as bash reads it.
//!
//! Two readers look at it. A grammar finds every command anywhere in it, in substitutions and subshells too: a deny has
//! to hold for all of them. A strict lexer of our own accepts only words that are literals, joined by `&&`, `||`, `|`,
//! `;` and ends of lines. A command is plain if the lexer accepts it and both readers see the same words. Only a plain
//! command can be allowed without a question: what is not understood whole is not judged.

use tree_sitter::{Node, Parser};

use crate::characters;
use crate::limits::{COMMAND_BYTES_MAX, COMMANDS_MAX, NESTED_SCRIPTS_MAX};

mod lexer;
mod nested;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use nested::{name, starts_others};

/// A command line, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Every command that can be seen, at any depth and in any position, those that other commands start too.
    pub seen: Vec<Command>,
    /// The words of the commands if all of it is plain, else why it is not.
    pub plain: Result<Vec<Vec<String>>, NotPlain>,
}

/// One command, with the words that are literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// `None` is a word that bash would compute.
    pub words: Vec<Option<String>>,
}

/// Why a command cannot be judged by its text. The user is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotPlain {
    #[error("it has characters that cannot be seen or that change the order of the text")]
    Hidden,
    #[error("it computes a part of itself while it runs")]
    Expansion,
    #[error("it has a pattern of file names")]
    Glob,
    #[error("it redirects to or from a file")]
    Redirect,
    #[error("it goes on in the background")]
    Background,
    #[error("it sets variables")]
    Assignment,
    #[error("it groups commands, or has a loop, a condition or a function")]
    Compound,
    #[error("it has a comment")]
    Comment,
    #[error("it is empty")]
    Empty,
    #[error("it has more than {COMMANDS_MAX} commands")]
    TooMany,
    #[error("it cannot be read as bash reads it")]
    Unreadable,
}

/// A command line longer than anyone reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the command has more than {COMMAND_BYTES_MAX} bytes; write a script and run that")]
pub struct TooLong;

/// Reads a command line.
///
/// # Errors
/// [`TooLong`] if it cannot be read within bounds.
pub fn read(text: &str) -> Result<Script, TooLong> {
    if text.len() > COMMAND_BYTES_MAX {
        return Err(TooLong);
    }
    let Some(tree) = tree(text) else {
        return Ok(Script { seen: Vec::new(), plain: Err(NotPlain::Unreadable) });
    };
    let direct = commands(tree.root_node(), text);
    let plain = plain(text, tree.root_node(), &direct);
    let mut seen = Vec::new();
    for command in direct {
        nested::add(command, NESTED_SCRIPTS_MAX, &mut seen);
    }
    Ok(Script { seen, plain })
}

fn tree(text: &str) -> Option<tree_sitter::Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bash::LANGUAGE.into()).ok()?;
    parser.parse(text, None)
}

fn plain(text: &str, root: Node<'_>, seen: &[Command]) -> Result<Vec<Vec<String>>, NotPlain> {
    if text.chars().any(|c| c != '\n' && c != '\t' && characters::is_hidden(c)) {
        return Err(NotPlain::Hidden);
    }
    let commands = lexer::commands(text)?;
    if commands.is_empty() {
        return Err(NotPlain::Empty);
    }
    if commands.len() > COMMANDS_MAX {
        return Err(NotPlain::TooMany);
    }
    let is_same = commands.len() == seen.len()
        && commands.iter().zip(seen).all(|(lexed, seen)| {
            lexed.len() == seen.words.len() && lexed.iter().zip(&seen.words).all(|(a, b)| Some(a) == b.as_ref())
        });
    if root.has_error() || !is_same {
        return Err(NotPlain::Unreadable);
    }
    Ok(commands)
}

/// Every command in the tree, in the order of the text.
fn commands(root: Node<'_>, text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        if node.kind() == "command" {
            commands.push(command(node, text));
        } else if node.kind() == "declaration_command" || node.kind() == "unset_command" {
            commands.push(Command { words: declaration(node, text) });
        }
        let mut cursor = node.walk();
        let children: Vec<Node<'_>> = node.children(&mut cursor).collect();
        waiting.extend(children.into_iter().rev());
    }
    commands
}

fn command(node: Node<'_>, text: &str) -> Command {
    let mut words = Vec::new();
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        match child.kind() {
            "variable_assignment" | "file_redirect" | "herestring_redirect" | "heredoc_redirect" | "comment" => {}
            "command_name" => words.push(child.named_child(0).and_then(|name| word::literal(name, text))),
            _ => words.push(word::literal(child, text)),
        }
    }
    Command { words }
}

/// `export`, `declare` and the like are commands with a rule of their own in the grammar.
fn declaration(node: Node<'_>, text: &str) -> Vec<Option<String>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).map(|child| word::literal(child, text)).collect()
}

/// A word as it would be typed.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_./,+@%=:".contains(c);
    if !word.is_empty() && word.chars().all(is_bare) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
