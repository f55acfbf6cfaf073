//! How the tokens of a vocabulary spell bytes.
//!
//! Byte-level vocabularies have a letter for every byte. Vocabularies of pieces are written as text with `▁` for a space,
//! and a token such as `<0x0A>` for each byte. Called by `vocabulary`.

use std::collections::HashMap;

use tokenizers::{Tokenizer, decoders::DecoderWrapper};

/// What pieces write for a space.
pub(super) const SPACE: char = '▁';

/// The way from a token's text to its bytes.
pub(super) enum Spelling {
    /// A letter for a byte.
    Letters(HashMap<char, u8>),
    Pieces,
}

impl Spelling {
    /// The spelling that the tokenizer's decoder takes back.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Spelling> {
        let of_pieces =
            |step: &DecoderWrapper| matches!(step, DecoderWrapper::ByteFallback(_) | DecoderWrapper::Metaspace(_));
        // Without a token for each byte there are texts that no tokens spell.
        let spells_bytes = || tokenizer.token_to_id("<0x0A>").is_some();
        match tokenizer.get_decoder()? {
            DecoderWrapper::ByteLevel(_) => Some(Spelling::Letters(byte_alphabet())),
            DecoderWrapper::Sequence(steps) if steps.get_decoders().iter().any(of_pieces) && spells_bytes() => {
                Some(Spelling::Pieces)
            }
            step if of_pieces(step) && spells_bytes() => Some(Spelling::Pieces),
            _ => None,
        }
    }

    /// The bytes a token stands for.
    pub(super) fn bytes(&self, token: &str) -> Vec<u8> {
        match self {
            Spelling::Letters(byte_of) => {
                let bytes: Option<Vec<u8>> = token.chars().map(|letter| byte_of.get(&letter).copied()).collect();
                // A token with other letters stands for its own UTF-8.
                bytes.unwrap_or_else(|| token.as_bytes().to_vec())
            }
            Spelling::Pieces => match byte_of_piece(token) {
                Some(byte) => vec![byte],
                None => token.replace(SPACE, " ").into_bytes(),
            },
        }
    }
}

fn byte_of_piece(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>').filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

/// How byte-level vocabularies write bytes: printable Latin-1 as itself, the others from U+0100 on, in order.
fn byte_alphabet() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let plain = (0..=0xffu8).filter(printable).map(|byte| (char::from(byte), byte));
    let moved = (0x100..).filter_map(char::from_u32).zip((0..=0xffu8).filter(|byte| !printable(byte)));
    plain.chain(moved).collect()
}
