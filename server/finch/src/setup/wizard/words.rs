//! A command line into its words, so that no shell has to read it.

/// Splits at spaces; single and double quotes hold words together, and a backslash takes the next character as it is,
/// outside of single quotes.
///
/// # Errors
/// When a quote has no end, or there is no word.
pub(crate) fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, space) if space.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    match (quote, words.first()) {
        (Some(open), _) => Err(format!("the quote {open} has no end")),
        (None, None) => Err("it names no program".to_owned()),
        (None, Some(program)) if program.is_empty() => Err("it names no program".to_owned()),
        (None, Some(_)) => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_line_becomes_words() {
        let check = |line, words: &[&str]| assert_eq!(split(line).unwrap(), words);
        check("pass show cloud", &["pass", "show", "cloud"]);
        check("  a\tb  ", &["a", "b"]);
        check("a 'b c' \"d  e\" f\\ g", &["a", "b c", "d  e", "f g"]);
        check("a '' 'it\\' \"say \\\"x\\\"\"", &["a", "", "it\\", "say \"x\""]);
        check("a-'b'c", &["a-bc"]);
        check("$HOME/x ~", &["$HOME/x", "~"]);
    }

    #[test]
    fn a_line_without_a_program_or_an_end_is_refused() {
        for line in ["", "  ", "'' x", "a 'b", "a \"b"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
