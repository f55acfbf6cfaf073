//! Rows of text in columns that stand below each other, on any terminal and in a file.
//!
//! No colours and no cutting: a line that is too long for a terminal is wrapped by it, and a script reads all of it.

/// Between two columns.
const GAP: usize = 2;

/// The lines, each column as wide as its widest text. The last one ends where its text does.
pub(super) fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut said = String::new();
    for line in lines {
        let padded: String =
            line.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}", width = width + GAP)).collect();
        said.push_str(padded.trim_end());
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
        assert_eq!(aligned(&lines), "a    bc  d\néöü      x\n\n");
        assert_eq!(aligned::<2>(&[]), "");
    }
}
