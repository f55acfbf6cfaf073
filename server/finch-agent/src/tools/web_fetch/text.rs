//! What the bytes of a page say: of which type they are, in which charset, and their text.

use htmd::HtmlToMarkdown;

use super::{html, request::Page};
use crate::limits::FETCH_TYPE_CHARS_MAX;

/// What a page says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContentType {
    /// Type and subtype, in small letters.
    pub(super) essence: String,
    charset: Option<String>,
}

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

/// Types of text that do not begin with `text/`.
const PLAIN: &[&str] = &[
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/toml",
    "application/x-sh",
    "application/x-toml",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];

/// Bytes of a page in which its charset is looked for, as browsers do.
const META_BYTES: usize = 1024;

/// What 0x80 to 0x9f are in windows-1252.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

impl ContentType {
    pub(super) fn parse(header: &str) -> Self {
        let mut parts = header.split(';');
        let essence = parts.next().unwrap_or_default().trim();
        let essence: String = essence.chars().take(FETCH_TYPE_CHARS_MAX).collect();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        });
        Self { essence: essence.to_ascii_lowercase(), charset }
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        let essence = self.essence.as_str();
        let is_plain = || {
            essence.starts_with("text/")
                || PLAIN.contains(&essence)
                || (essence.starts_with("application/") && (essence.ends_with("+json") || essence.ends_with("+xml")))
        };
        match essence {
            "text/html" | "application/xhtml+xml" => Some(Kind::Html),
            _ => is_plain().then_some(Kind::Plain),
        }
    }
}

/// The text of a page, HTML as Markdown. Or why it cannot be read.
pub(super) fn readable(page: Page) -> Result<String, String> {
    let kind = page.content_type.kind();
    let charset = charset(&page.bytes, page.content_type.charset.as_deref(), kind)?;
    let text = decoded(&page.bytes, charset);
    drop(page.bytes);
    if text.contains('\0') {
        return Err(format!("the page says it is {} and has bytes in it that are no text", page.content_type.essence));
    }
    match kind {
        Some(Kind::Html) => HtmlToMarkdown::new()
            .convert(&html::reduced(&text, &page.url))
            .map_err(|error| format!("the page cannot be read as HTML: {error}")),
        _ => Ok(text),
    }
}

/// A byte order mark says it, then the header, then the page itself, then its bytes.
fn charset(bytes: &[u8], header: Option<&str>, kind: Option<Kind>) -> Result<Charset, String> {
    match bytes {
        [0xff, 0xfe, ..] => return Ok(Charset::Utf16Le),
        [0xfe, 0xff, ..] => return Ok(Charset::Utf16Be),
        [0xef, 0xbb, 0xbf, ..] => return Ok(Charset::Utf8),
        _ => {}
    }
    if let Some(label) = header {
        return labelled(label);
    }
    if kind == Some(Kind::Html)
        && let Some(label) = in_page(bytes)
    {
        // A page that can say so in ASCII is not in UTF-16.
        return labelled(&label).map(|charset| match charset {
            Charset::Utf16Le | Charset::Utf16Be => Charset::Utf8,
            other => other,
        });
    }
    match std::str::from_utf8(bytes) {
        // A character may have been cut at the end.
        Err(error) if error.error_len().is_some() => Ok(Charset::Windows1252),
        _ => Ok(Charset::Utf8),
    }
}

fn labelled(label: &str) -> Result<Charset, String> {
    match label.trim().to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "unicode-1-1-utf-8" => Ok(Charset::Utf8),
        "utf-16" | "utf-16le" => Ok(Charset::Utf16Le),
        "utf-16be" => Ok(Charset::Utf16Be),
        "ascii" | "us-ascii" | "iso-8859-1" | "iso8859-1" | "latin1" | "l1" | "windows-1252" | "cp1252"
        | "x-cp1252" => Ok(Charset::Windows1252),
        other => {
            let other: String = other.chars().take(FETCH_TYPE_CHARS_MAX).collect();
            Err(format!("the page is in the charset {other}, and only UTF-8, UTF-16 and windows-1252 are read"))
        }
    }
}

/// What follows `charset=` near the beginning.
fn in_page(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(META_BYTES)]).to_ascii_lowercase();
    let (_, behind) = head.split_once("charset=")?;
    let behind = behind.trim_start_matches(['"', '\'', ' ']);
    let end =
        behind.find(|c: char| matches!(c, '"' | '\'' | ';' | '>' | '/') || c.is_whitespace()).unwrap_or(behind.len());
    Some(behind[..end].to_owned())
}

fn decoded(bytes: &[u8], charset: Charset) -> String {
    let text = match charset {
        Charset::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Charset::Utf16Le => utf16(bytes, u16::from_le_bytes),
        Charset::Utf16Be => utf16(bytes, u16::from_be_bytes),
        Charset::Windows1252 => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
    };
    match text.strip_prefix('\u{feff}') {
        Some(behind) => behind.to_owned(),
        None => text,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a page with this header and these bytes says.
    #[track_caller]
    fn check(header: &str, bytes: &[u8], expected: Result<&str, &str>) {
        let content_type = ContentType::parse(header);
        let kind = content_type.kind();
        let found = charset(bytes, content_type.charset.as_deref(), kind).map(|charset| decoded(bytes, charset));
        match (&found, expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{header}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            other => panic!("{header}: {other:?}"),
        }
    }

    #[test]
    fn a_charset_is_told_by_mark_header_page_and_bytes_in_this_order() {
        check("text/plain", "größe".as_bytes(), Ok("größe"));
        check("text/plain", b"gr\xf6\xdfe \x80", Ok("größe €"));
        check("text/plain; charset=ISO-8859-1", b"gr\xf6\xdfe", Ok("größe"));
        check("text/plain; Charset=\"utf-8\"", b"gr\xf6\xdfe", Ok("gr\u{fffd}\u{fffd}e"));
        check("text/plain; charset=utf-7", b"+ADw-script+AD4-", Err("the charset utf-7"));
        check("text/plain; charset=utf-7", b"\xef\xbb\xbfa", Ok("a"));
        check("text/plain; charset=utf-16be", b"\0a\0b\0", Ok("ab"));
        check("text/plain", b"\xff\xfea\0\x3d\xd8\x00\xde", Ok("a😀"));
        check("text/plain", b"\xfe\xff\xd8\x3d", Ok("\u{fffd}"));
        check("text/html", b"<meta charset='latin1'>\xe4", Ok("<meta charset='latin1'>ä"));
        check("text/html", b"<meta charset=utf-16>\xc3\xa4", Ok("<meta charset=utf-16>ä"));
        check("text/html", b"<meta charset=shift_jis>", Err("the charset shift_jis"));
        check("text/html; charset=utf-8", b"<meta charset=shift_jis>", Ok("<meta charset=shift_jis>"));
        check("text/plain", b"charset=shift_jis", Ok("charset=shift_jis"));
        check("text/plain", b"cut \xe2\x82", Ok("cut \u{fffd}"));
    }

    #[test]
    fn only_text_is_read() {
        for (header, kind) in [
            ("text/html", Some(Kind::Html)),
            ("Text/HTML ; charset=x", Some(Kind::Html)),
            ("application/xhtml+xml", Some(Kind::Html)),
            ("text/markdown", Some(Kind::Plain)),
            ("application/json", Some(Kind::Plain)),
            ("application/ld+json", Some(Kind::Plain)),
            ("image/svg+xml", None),
            ("application/pdf", None),
            ("application/octet-stream", None),
            ("image/png", None),
            ("", None),
        ] {
            assert_eq!(ContentType::parse(header).kind(), kind, "{header}");
        }
    }
}
