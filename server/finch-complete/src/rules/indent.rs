//! The indentation of a suggestion is the file's: its tabs or spaces, and as many of them for each level.

use crate::ask::Trigger;
use crate::outcome::Reason;
use crate::place::{Indent, Place, indentation, is_blank, leading_space};
use crate::syntax::Token;

/// Levels of one suggestion are so wide at most.
const WIDTH_MAX: usize = 8;

/// Writes the indentation of the lines behind the first one as the file does.
pub(super) fn indent_like_the_file(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let is_code = place.token() != Token::Text && text.contains('\n');
    let Some(indent) = place.indent().filter(|_| is_code) else { return Ok(text) };
    let foreign = match indent {
        Indent::Tabs => ' ',
        Indent::Spaces(_) => '\t',
    };
    let text = if text.lines().skip(1).any(|line| leading_space(line).contains(foreign)) {
        with_each_line(&text, &|space| respell(space, indent, own_width(&text)))
    } else {
        text
    };
    Ok(rescaled(text, place, indent))
}

fn with_each_line(text: &str, change: &dyn Fn(&str) -> String) -> String {
    let mut changed = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        let space = if n == 0 { "" } else { leading_space(line) };
        if n > 0 {
            changed.push('\n');
        }
        changed.push_str(&change(space));
        changed.push_str(&line[space.len()..]);
    }
    changed
}

/// How many spaces the text itself takes for a level.
fn own_width(text: &str) -> usize {
    let spaces = text.lines().skip(1).map(|line| leading_space(line).matches(' ').count());
    spaces.filter(|&spaces| spaces > 1).min().unwrap_or(4).min(WIDTH_MAX)
}

/// The same indentation in the file's characters. Single spaces align something and stay.
fn respell(space: &str, indent: Indent, width: usize) -> String {
    match indent {
        Indent::Tabs => {
            let (tabs, spaces) = (space.matches('\t').count(), space.matches(' ').count());
            "\t".repeat(tabs + spaces / width) + &" ".repeat(spaces % width)
        }
        Indent::Spaces(width) => space.replace('\t', &" ".repeat(width)),
    }
}

/// Levels as wide as the file's, where the text goes one level deeper than its line in another width throughout.
fn rescaled(text: String, place: &Place, indent: Indent) -> String {
    let Indent::Spaces(width) = indent else { return text };
    let base = indentation(place.head());
    let deeper = || text.lines().skip(1).filter(|line| !is_blank(line)).map(indentation).filter(|&at| at > base);
    let opens = text.lines().next().is_some_and(|line| line.trim_end().ends_with(['{', ':', '(', '[']));
    let Some(own) = deeper().next().map(|first| first - base).filter(|_| opens) else { return text };
    let throughout = deeper().all(|at| (at - base).is_multiple_of(own));
    if own == width || own > WIDTH_MAX || !throughout {
        return text;
    }
    with_each_line(&text, &|space| match space.len().checked_sub(base) {
        Some(more) if more > 0 => " ".repeat(base + more / own * width),
        _ => space.to_owned(),
    })
}
