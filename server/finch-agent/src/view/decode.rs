//! What the bytes of a file are: text, in which encoding, or a picture, or neither.

/// How a file's text is spelt in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Utf8,
    /// With a byte order mark, which is no part of the text.
    Utf8Bom,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    /// What a reader has to know about it.
    pub(crate) fn note(self) -> Option<&'static str> {
        match self {
            Self::Utf8 => None,
            Self::Utf8Bom => Some("UTF-8 with a byte order mark"),
            Self::Utf16Le => Some("UTF-16, little-endian"),
            Self::Utf16Be => Some("UTF-16, big-endian"),
        }
    }

    /// The bytes of a file with this text.
    #[must_use]
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf8Bom => [UTF8_BOM, text.as_bytes()].concat(),
            Self::Utf16Le => "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
        }
    }
}

/// What bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    Text { text: String, encoding: Encoding },
    Image { format: &'static str },
    Binary,
}

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// The first bytes of pictures.
const IMAGES: &[(&[u8], &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM\0", "BMP"),
    (b"\0\0\x01\0", "ICO"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
];

pub(crate) fn decode(bytes: Vec<u8>) -> Decoded {
    if let Some(&(_, format)) = IMAGES.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Decoded::Image { format };
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP".as_slice()) {
        return Decoded::Image { format: "WebP" };
    }
    let (text, encoding) = match &bytes[..] {
        [0xff, 0xfe, rest @ ..] => (utf16(rest, u16::from_le_bytes), Encoding::Utf16Le),
        [0xfe, 0xff, rest @ ..] => (utf16(rest, u16::from_be_bytes), Encoding::Utf16Be),
        [0xef, 0xbb, 0xbf, rest @ ..] => (String::from_utf8(rest.to_vec()).ok(), Encoding::Utf8Bom),
        _ => (String::from_utf8(bytes).ok(), Encoding::Utf8),
    };
    match text {
        Some(text) if !text.contains('\0') => Decoded::Text { text, encoding },
        _ => Decoded::Binary,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<(&str, Encoding), &str>) {
        match (decode(bytes.to_vec()), expected) {
            (Decoded::Text { text, encoding }, Ok(expected)) => {
                assert_eq!((text.as_str(), encoding), expected);
                assert_eq!(encoding.encode(&text), bytes, "the way back");
            }
            (Decoded::Image { format }, Err(expected)) => assert_eq!(format, expected),
            (Decoded::Binary, Err(expected)) => assert_eq!("binary", expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_is_told_from_what_is_none() {
        check("größe\r\n".as_bytes(), Ok(("größe\r\n", Encoding::Utf8)));
        check(b"", Ok(("", Encoding::Utf8)));
        check(b"\xef\xbb\xbfa", Ok(("a", Encoding::Utf8Bom)));
        check(b"\xff\xfea\0\x3d\xd8\x26\xde", Ok(("a\u{1f626}", Encoding::Utf16Le)));
        check(b"\xfe\xff\0a", Ok(("a", Encoding::Utf16Be)));
        check(b"\xff\xfe\x3d\xd8", Err("binary"));
        check(b"\xff\xfea", Err("binary"));
        check(b"a\0b", Err("binary"));
        check(b"caf\xe9", Err("binary"));
        check(b"\x89PNG\r\n\x1a\n\0\0", Err("PNG"));
        check(b"RIFF\x01\0\0\0WEBPVP8 ", Err("WebP"));
    }
}
