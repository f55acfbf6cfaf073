//! From what a person writes (`file:line:column`, 1-based, in characters) to a document and an offset in it.

use anyhow::{Context as _, Result, bail};
use finch_text::Document;

use crate::cli::Place;

/// A file larger than this is no source code. Bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads the file and finds the place; a column past the line's end is the line's end.
pub(crate) fn open(place: &Place) -> Result<(Document, usize)> {
    let path = place.file.display();
    let size = std::fs::metadata(&place.file).with_context(|| format!("cannot open {path}"))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{path} has {size} bytes, and finch completes files up to {FILE_BYTES_MAX}");
    }
    let bytes = std::fs::read(&place.file).with_context(|| format!("cannot read {path}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{path} is not UTF-8 text (first wrong byte at {at}); convert it, for example with iconv")
    })?;
    let document = Document::new(&text);
    let line = place.line as usize - 1;
    let Some(content) = document.line(line) else {
        bail!("{path} has {} lines, there is no line {}", document.line_count(), place.line);
    };
    let column = place.column as usize - 1;
    let in_line = content.char_indices().nth(column).map_or(content.len(), |(byte, _)| byte);
    let offset = document.line_start(line) + in_line;
    Ok((document, offset))
}

#[cfg(test)]
mod tests {
    use super::open;
    use crate::cli::Place;

    #[track_caller]
    fn check(content: &[u8], line: u32, column: u32, expected: Result<usize, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.py");
        std::fs::write(&file, content).unwrap();
        match (open(&Place { file, line, column }), expected) {
            (Ok((_, offset)), expected) => assert_eq!(Ok(offset), expected),
            (Err(error), Err(text)) => assert!(format!("{error:#}").contains(text), "said: {error:#}"),
            (Err(error), Ok(_)) => panic!("{error:#}"),
        }
    }

    #[test]
    fn a_place_is_counted_in_characters_from_one() {
        check(b"ab\ncd", 1, 1, Ok(0));
        check(b"ab\ncd", 2, 2, Ok(4));
        check("é𝄞x\n".as_bytes(), 1, 3, Ok(6));
        check(b"", 1, 1, Ok(0));
    }

    #[test]
    fn a_column_past_the_end_is_the_end_of_its_line() {
        check(b"ab\ncd", 1, 99, Ok(2));
        check(b"ab\r\ncd", 1, 99, Ok(2));
    }

    #[test]
    fn a_line_that_is_not_there_or_a_file_that_is_no_text_is_an_error() {
        check(b"ab\n", 9, 1, Err("has 2 lines, there is no line 9"));
        check(b"ab\xff", 1, 1, Err("not UTF-8 text (first wrong byte at 2)"));
    }
}
