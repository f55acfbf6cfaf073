//! Rows of text in columns that stand below each other, on any terminal and in a file.
//!
//! No colours and no cutting: a line that is too long for a terminal is wrapped by it, and a script reads all of it. A cell
//! may come out of a file that holds anything, so what would command a terminal becomes a space.

use super::visible;

/// Between two columns.
const GAP: &str = "  ";

/// The lines, each column as wide as its widest text; the columns in `right` end below each other.
pub(super) fn aligned<const N: usize>(lines: &[[String; N]], right: &[usize]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut said = String::new();
    for line in lines {
        let padded = line.iter().zip(widths).enumerate().map(|(column, (text, width))| {
            let text: String = text.chars().map(visible).collect();
            if right.contains(&column) { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        said.push_str(padded.collect::<Vec<_>>().join(GAP).trim_end());
        said.push('\n');
    }
    said
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_stand_below_each_other() {
        let lines = [["a", "bc", "d"], ["éöü", "", "x"], ["", "", ""]].map(|line| line.map(str::to_owned));
        assert_eq!(aligned(&lines, &[]), "a    bc  d\néöü      x\n\n");
        assert_eq!(aligned(&lines, &[0, 2]), "  a  bc  d\néöü      x\n\n");
        assert_eq!(aligned::<2>(&[], &[]), "");
        assert_eq!(aligned(&[["a\u{1b}[2J".to_owned()]], &[]), "a [2J\n");
    }
}
