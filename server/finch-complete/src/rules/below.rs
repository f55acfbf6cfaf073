//! What stands behind the cursor already is not written once more: tags that are closed, lines that are there.

use crate::ask::Trigger;
use crate::limits::TELLING_CHARS_MIN;
use crate::outcome::Reason;
use crate::place::{Place, telling_chars};

use super::something;

/// The text does not close a tag that is closed behind the cursor already.
pub(super) fn drop_tags_closed_already(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let behind = if place.line_goes_on() { Some(place.tail()) } else { place.below().next() };
    let Some(name) = behind.and_then(closed_first) else { return Ok(text) };
    let close = format!("</{name}");
    let Some(at) = text.find(&close) else { return Ok(text) };
    if text[..at].contains(&format!("<{name}")) {
        return Ok(text);
    }
    // Only one that is open before the cursor is the one that is closed behind it.
    let opened = place.before().matches(&format!("<{name}")).count();
    let closed = place.before().matches(&close).count();
    if opened > closed { something(text[..at].trim_end(), Reason::DuplicateSuffix) } else { Ok(text) }
}

/// The name of the tag that a line begins by closing.
fn closed_first(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("</")?;
    let end = rest.find('>')?;
    Some(rest[..end].trim()).filter(|name| !name.is_empty())
}

/// The text does not end with the lines that stand below, however they are indented.
pub(super) fn drop_the_lines_below(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let below: Vec<&str> = place.below().map(str::trim).take(text.lines().count()).collect();
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let repeated = starts.into_iter().find(|&at| {
        let lines: Vec<&str> = text[at..].lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let is_whole = at > 0 || place.head().trim().is_empty();
        // One line that is the same may be meant, unless it ends several and says something.
        let chars_min = if at == 0 || lines.len() > 1 { 1 } else { TELLING_CHARS_MIN };
        let is_long = lines.len() > 1 || at > 0;
        is_whole && is_long && below.starts_with(&lines) && telling_chars(&lines.concat()) >= chars_min
    });
    match repeated {
        Some(at) => something(text[..at].trim_end(), Reason::DuplicateSuffix),
        None => Ok(text),
    }
}
