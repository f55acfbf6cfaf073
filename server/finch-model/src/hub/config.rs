//! Turns `config.json` and its neighbours into metadata under GGUF keys.
//!
//! One table for the keys that are only renamed, and a function each for those that are computed. What is absent stays
//! absent: whether a key is needed is asked in `graph`. Called by `hub`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::families::HubFamily;
use super::rotary::Scaling;
use super::{CONFIG, Directory, Value};
use crate::checkpoint::CheckpointError;

type Metadata = BTreeMap<String, Value>;

/// How a number is written on the other side.
pub(crate) enum Kind {
    Count,
    Float,
}

/// Keys of `config.json` and of GGUF behind the architecture.
pub(crate) const KEYS: [(&str, &str, Kind); 19] = [
    ("num_hidden_layers", "block_count", Kind::Count),
    ("hidden_size", "embedding_length", Kind::Count),
    ("intermediate_size", "feed_forward_length", Kind::Count),
    ("num_attention_heads", "attention.head_count", Kind::Count),
    ("num_key_value_heads", "attention.head_count_kv", Kind::Count),
    ("head_dim", "attention.key_length", Kind::Count),
    ("head_dim", "attention.value_length", Kind::Count),
    ("max_position_embeddings", "context_length", Kind::Count),
    ("num_local_experts", "expert_count", Kind::Count),
    ("num_experts", "expert_count", Kind::Count),
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon", Kind::Float),
    ("norm_epsilon", "attention.layer_norm_epsilon", Kind::Float),
    ("attn_logit_softcapping", "attn_logit_softcapping", Kind::Float),
    ("final_logit_softcapping", "final_logit_softcapping", Kind::Float),
    ("attention_multiplier", "attention.scale", Kind::Float),
    ("embedding_multiplier", "embedding_scale", Kind::Float),
    ("residual_multiplier", "residual_scale", Kind::Float),
    ("logits_scaling", "logit_scale", Kind::Float),
    ("rope_local_base_freq", "rope.freq_base_swa", Kind::Float),
];

pub(super) fn translate(
    directory: &Directory<'_>,
    config: &Json,
    family: &HubFamily,
) -> Result<Metadata, CheckpointError> {
    let mut keys = Keys { metadata: Metadata::new(), architecture: family.architecture };
    keys.metadata.insert("general.architecture".to_owned(), Value::Text(family.architecture.to_owned()));
    for (theirs, ours, kind) in &KEYS {
        let value = match (&config[*theirs], kind) {
            (Json::Null, _) => continue,
            (number, Kind::Count) => number.as_u64().map(Value::Integer),
            (number, Kind::Float) => number.as_f64().map(Value::Float),
        };
        match value {
            Some(value) => keys.put(ours, value),
            None => return Err(directory.broken(CONFIG, format!("{theirs} is {}", config[*theirs]))),
        }
    }
    keys.attention(config);
    keys.rotary(&Scaling::read(directory, config)?);
    Ok(keys.metadata)
}

struct Keys {
    metadata: Metadata,
    architecture: &'static str,
}

impl Keys {
    fn put(&mut self, key: &str, value: Value) {
        self.metadata.insert(format!("{}.{key}", self.architecture), value);
    }

    fn attention(&mut self, config: &Json) {
        if let Some(scalar) = config["query_pre_attn_scalar"].as_f64() {
            self.put("attention.scale", Value::Float(scalar.sqrt().recip()));
        }
        let context = config["max_position_embeddings"].as_u64().unwrap_or(u64::MAX);
        // A window that is switched off, or as wide as everything, is none.
        let used = config["use_sliding_window"] != Json::Bool(false);
        if let Some(window) = config["sliding_window"].as_u64().filter(|window| used && *window < context) {
            self.put("attention.sliding_window", Value::Integer(window));
            if let Some(period) = period(config) {
                self.put("attention.sliding_window_pattern", Value::Integer(period));
            }
        }
        let head_dim = config["head_dim"].as_u64().or_else(|| {
            let (hidden, heads) = (config["hidden_size"].as_u64()?, config["num_attention_heads"].as_u64()?);
            hidden.checked_div(heads)
        });
        if let Some((head_dim, part)) = head_dim.zip(config["partial_rotary_factor"].as_f64()) {
            self.put("rope.dimension_count", Value::Integer((head_dim as f64 * part) as u64));
        }
    }

    fn rotary(&mut self, scaling: &Scaling) {
        if let Some(base) = scaling.base {
            self.put("rope.freq_base", Value::Float(base));
        }
        if let Some(base) = scaling.base_in_window {
            self.put("rope.freq_base_swa", Value::Float(base));
        }
        if let Some(kind) = scaling.kind_by_key() {
            self.put("rope.scaling.type", Value::Text(kind.to_owned()));
        }
        if scaling.ends_between_pairs() {
            self.put("rope.scaling.yarn_truncate", Value::Flag(false));
        }
        for (key, number) in scaling.floats() {
            self.put(key, Value::Float(number));
        }
        if let Some(tokens) = scaling.trained_tokens {
            self.put("rope.scaling.original_context_length", Value::Integer(tokens));
        }
    }
}

/// Every how many layers one attends over everything.
fn period(config: &Json) -> Option<u64> {
    let by_number = config["sliding_window_pattern"].as_u64();
    by_number.or_else(|| {
        let layers = config["layer_types"].as_array()?;
        let whole = layers.iter().position(|layer| layer == "full_attention")?;
        u64::try_from(whole + 1).ok()
    })
}

/// Ids that end or begin a text, from whichever file names them.
pub(super) fn add_special_tokens(
    metadata: &mut BTreeMap<String, Value>,
    config: &Json,
    generation: &Json,
    tokenizer_config: &Json,
) {
    let mut put = |key: &str, value| metadata.insert(format!("tokenizer.ggml.{key}"), value);
    let ends: Vec<i64> = [generation, config].iter().flat_map(|file| ids(&file["eos_token_id"])).collect();
    if let Some(first) = ends.first().and_then(|id| u64::try_from(*id).ok()) {
        put("eos_token_id", Value::Integer(first));
        put("eos_token_ids", Value::Integers(ends));
    }
    let begin = [config, generation].iter().find_map(|file| file["bos_token_id"].as_u64());
    if let Some(id) = begin {
        put("bos_token_id", Value::Integer(id));
    }
    if let Some(add) = tokenizer_config["add_bos_token"].as_bool() {
        put("add_bos_token", Value::Flag(add));
    }
}

/// One id or several.
fn ids(json: &Json) -> Vec<i64> {
    match json {
        Json::Array(ids) => ids.iter().filter_map(Json::as_i64).collect(),
        id => id.as_i64().into_iter().collect(),
    }
}
