//! The tokenizer of a hub directory: `tokenizer.json` as it is, and the tokens with a meaning of their own.
//!
//! The file is kept but for what would change a text on the way in: cutting and padding to a length. Called by
//! `tokenizer`.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::{Value as Json, json};

use super::{FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, FimPlace, STOP_TEXTS};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hub::Hub;
use crate::manifest::{FimTokens, Tokens};

/// Invariant: no id is beyond those of the model.
#[derive(Debug)]
pub(crate) struct HubVocabulary<'a> {
    hub: &'a Hub,
    added: Vec<(u32, &'a str)>,
    ids: usize,
}

impl<'a> HubVocabulary<'a> {
    pub(super) fn read(hub: &'a Hub, checkpoint: &Checkpoint, ids: usize) -> Result<Self, CheckpointError> {
        let tokenizer = hub.tokenizer();
        let kind = tokenizer["model"]["type"].as_str().unwrap_or("nameless");
        let spells_all = tokenizer["model"]["byte_fallback"] == Json::Bool(true);
        if !(kind == "BPE" || kind == "Unigram" && spells_all) {
            let known = "finch reads BPE, and Unigram that falls back to bytes";
            return Err(checkpoint.unsupported(format!("a {kind} tokenizer in tokenizer.json, {known}")));
        }
        // BPE maps tokens to ids; the pieces of Unigram are listed in the order of theirs.
        let vocab = &tokenizer["model"]["vocab"];
        let by_name = vocab.as_object().into_iter().flat_map(|vocab| vocab.values()).filter_map(Json::as_u64);
        let by_place = vocab.as_array().and_then(|pieces| pieces.len().checked_sub(1)).map(|last| last as u64);
        let mut added = Vec::new();
        for token in tokenizer["added_tokens"].as_array().into_iter().flatten() {
            let id = token["id"].as_u64().and_then(|id| u32::try_from(id).ok());
            match (id, token["content"].as_str()) {
                (Some(id), Some(content)) => added.push((id, content)),
                _ => return Err(checkpoint.broken(format!("tokenizer.json adds the token {token}"))),
            }
        }
        let highest = by_name.chain(by_place).chain(added.iter().map(|(id, _)| u64::from(*id))).max();
        match highest {
            Some(highest) if highest < ids as u64 => Ok(Self { hub, added, ids }),
            Some(highest) => Err(checkpoint.broken(format!("tokenizer.json has the token {highest} of {ids} ids"))),
            None => Err(checkpoint.broken("tokenizer.json has no tokens".to_owned())),
        }
    }

    pub(super) fn special(&self) -> Tokens {
        let fim = match (self.fim(&FIM_PREFIX), self.fim(&FIM_SUFFIX), self.fim(&FIM_MIDDLE)) {
            (Some(prefix), Some(suffix), Some(middle)) => Some(FimTokens { prefix, suffix, middle }),
            _ => None,
        };
        let named = self.hub.numbers("tokenizer.ggml.eos_token_ids").unwrap_or_default();
        let by_key = named.into_iter().filter_map(|id| self.known(id));
        let by_text = self.added.iter().filter(|(_, content)| STOP_TEXTS.contains(content)).map(|(id, _)| *id);
        let of_fim = fim.into_iter().flat_map(|fim| [fim.prefix, fim.suffix, fim.middle]);
        let stop: BTreeSet<u32> = by_key.chain(by_text).chain(of_fim).collect();
        let by_name = content(&self.hub.tokenizer_config()["bos_token"]).and_then(|name| self.by_text(&[name]));
        let by_number = self.hub.number("tokenizer.ggml.bos_token_id").and_then(|id| i64::try_from(id).ok());
        let bos = by_name.or_else(|| by_number.and_then(|id| self.known(id)));
        let add = self.hub.flag("tokenizer.ggml.add_bos_token").unwrap_or_else(|| self.begins_with(bos));
        let eos = content(&self.hub.tokenizer_config()["eos_token"]).and_then(|name| self.by_text(&[name]));
        let eos = eos.or_else(|| self.hub.number("tokenizer.ggml.eos_token_id").and_then(|id| self.known(id as i64)));
        Tokens { stop: stop.into_iter().collect(), eos, bos, add_bos: add && bos.is_some(), fim }
    }

    fn known(&self, id: i64) -> Option<u32> {
        u32::try_from(id).ok().filter(|id| (*id as usize) < self.ids)
    }

    fn by_text(&self, texts: &[&str]) -> Option<u32> {
        self.added.iter().find(|(_, content)| texts.contains(content)).map(|(id, _)| *id)
    }

    fn fim(&self, place: &FimPlace) -> Option<u32> {
        self.by_text(&place.texts)
    }

    /// Whether the tokenizer's own template puts the token in front of a text.
    fn begins_with(&self, bos: Option<u32>) -> bool {
        let post = &self.hub.tokenizer()["post_processor"];
        let steps = post["processors"].as_array().map_or(std::slice::from_ref(post), Vec::as_slice);
        let first = steps.iter().find_map(|step| step["single"][0]["SpecialToken"]["id"].as_str());
        first.is_some_and(|first| self.by_text(&[first]) == bos && bos.is_some())
    }

    pub(super) fn write_json(&self, out: impl Write) -> std::io::Result<()> {
        let mut file = self.hub.tokenizer().clone();
        file["truncation"] = json!(null);
        file["padding"] = json!(null);
        Ok(serde_json::to_writer(out, &file)?)
    }
}

/// A token is written as its text, or as an object around it.
fn content(token: &Json) -> Option<&str> {
    token.as_str().or_else(|| token["content"].as_str())
}
