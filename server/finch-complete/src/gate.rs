//! Places where ghost text would only disturb, found without asking a model.

use finch_llm::Capabilities;

use crate::ask::Trigger;
use crate::limits::{PROMPT_CHARS_MIN, TAIL_CHARS_MAX};
use crate::outcome::Gate;
use crate::place::Place;
use crate::window::Window;

/// The first gate that stays shut.
pub(crate) fn check(place: &Place, prompt: &Window, trigger: Trigger, capabilities: &Capabilities) -> Result<(), Gate> {
    if is_binary(place) {
        return Err(Gate::Binary);
    }
    if is_inside_word(place) {
        return Err(Gate::InsideWord);
    }
    if trigger == Trigger::Automatic && is_mid_line(place) {
        return Err(Gate::MidLine);
    }
    if is_too_little(prompt, trigger, capabilities) {
        return Err(Gate::TooLittle);
    }
    Ok(())
}

fn is_binary(place: &Place) -> bool {
    place.before().contains('\0') || place.after().contains('\0')
}

fn is_inside_word(place: &Place) -> bool {
    place.tail().starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn is_mid_line(place: &Place) -> bool {
    let closing =
        |c: &char| c.is_whitespace() || matches!(c, ')' | ']' | '}' | '>' | '"' | '\'' | '`' | ';' | ',' | ':');
    place.tail().chars().filter(|c| !closing(c)).count() > TAIL_CHARS_MAX
}

fn is_too_little(prompt: &Window, trigger: Trigger, capabilities: &Capabilities) -> bool {
    let chars = |text: &str| text.chars().filter(|c| !c.is_whitespace()).take(PROMPT_CHARS_MIN).count();
    let suffix = if capabilities.fill_in_the_middle { chars(&prompt.suffix) } else { 0 };
    let enough = match trigger {
        Trigger::Invoked => 1,
        Trigger::Automatic => PROMPT_CHARS_MIN,
    };
    chars(&prompt.prefix) + suffix < enough
}

#[cfg(test)]
mod tests;
