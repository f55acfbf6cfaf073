//! A captured terminal screen: the characters, and how each one is drawn. Reads the text that
//! `tmux capture-pane -e` prints, in which only SGR sequences occur.

/// A screen as it was.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug)]
struct Cell {
    character: char,
    style: String,
}

impl Screen {
    pub(crate) fn parse(captured: &str) -> Screen {
        let mut style = String::new();
        let rows = captured.lines().map(|line| parse_row(line, &mut style)).collect();
        Screen { rows }
    }

    /// The screen without its colours.
    pub(crate) fn text(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(|row| row_text(row)).collect();
        rows.join("\n")
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// How `text` is drawn, if it is on the screen and drawn in one style.
    pub(crate) fn style_of(&self, text: &str) -> Option<&str> {
        let wanted: Vec<char> = text.chars().collect();
        let windows = self.rows.iter().flat_map(|row| row.windows(wanted.len()));
        let found = windows
            .into_iter()
            .find(|cells| cells.iter().zip(&wanted).all(|(cell, character)| cell.character == *character))?;
        let style = &found[0].style;
        found.iter().all(|cell| cell.style == *style).then_some(style.as_str())
    }
}

fn row_text(row: &[Cell]) -> String {
    let text: String = row.iter().map(|cell| cell.character).collect();
    text.trim_end().to_owned()
}

fn parse_row(line: &str, style: &mut String) -> Vec<Cell> {
    let mut row = Vec::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            row.push(Cell { character, style: style.clone() });
            continue;
        }
        let codes: String = characters.by_ref().skip(1).take_while(|end| *end != 'm').collect();
        // A style is what has been switched on since the last reset.
        if codes.is_empty() || codes == "0" {
            style.clear();
        } else {
            style.push_str(&codes);
            style.push('m');
        }
    }
    row
}

#[test]
fn a_styled_word_is_found_with_its_style() {
    let screen = Screen::parse("def \u{1b}[38;5;239mreturn\u{1b}[0m x");
    assert_eq!(screen.text(), "def return x");
    assert_eq!(screen.style_of("return"), Some("38;5;239m"));
    assert_eq!(screen.style_of("def"), Some(""));
    assert_eq!(screen.style_of("return x"), None);
}
