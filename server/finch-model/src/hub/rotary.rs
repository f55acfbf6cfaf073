//! Rotary scaling as `config.json` states it, and the factors that GGUF files keep of it in tensors.
//!
//! Two spellings are read: `rope_theta` with `rope_scaling`, and `rope_parameters`, which may hold one set for layers with
//! a window and one for those without. Called by `hub` and `config`.

use std::f64::consts::TAU;

use serde_json::Value as Json;

use super::{CONFIG, Directory};
use crate::checkpoint::CheckpointError;
use crate::limits;

/// What a configuration says about rotation.
pub(super) struct Scaling<'a> {
    pub(super) base: Option<f64>,
    /// The base of layers with a window, where it differs.
    pub(super) base_in_window: Option<f64>,
    kind: Option<&'a str>,
    json: &'a Json,
    /// The context the model was first trained with.
    pub(super) trained_tokens: Option<u64>,
    context_tokens: Option<f64>,
}

/// Scalings and what of them GGUF files keep under keys.
const KINDS: [(&str, Option<&str>); 8] = [
    ("default", None),
    ("none", None),
    ("linear", Some("linear")),
    ("dynamic", Some("dynamic")),
    ("yarn", Some("yarn")),
    ("llama3", None),
    ("longrope", Some("longrope")),
    ("su", Some("longrope")),
];

/// Numbers of a scaling and their GGUF keys.
const FLOATS: [(&str, &str); 3] = [
    ("factor", "rope.scaling.factor"),
    ("beta_fast", "rope.scaling.yarn_beta_fast"),
    ("beta_slow", "rope.scaling.yarn_beta_slow"),
];

impl<'a> Scaling<'a> {
    pub(super) fn read(directory: &Directory<'_>, config: &'a Json) -> Result<Scaling<'a>, CheckpointError> {
        let parameters = &config["rope_parameters"];
        let (whole, window) = match &parameters["full_attention"] {
            Json::Null => (parameters, &Json::Null),
            whole => (whole, &parameters["sliding_attention"]),
        };
        let json = if whole.is_null() { &config["rope_scaling"] } else { whole };
        let kind = ["rope_type", "type"].iter().find_map(|key| json[*key].as_str());
        if let Some(other) = kind.filter(|kind| KINDS.iter().all(|(known, _)| known != kind)) {
            return Err(directory.unsupported(CONFIG, format!("rotary scaling {other}")));
        }
        let base = |json: &Json| json["rope_theta"].as_f64();
        let trained = ["original_max_position_embeddings"].iter().find_map(|key| {
            let here = json[*key].as_u64();
            here.or_else(|| config[*key].as_u64())
        });
        Ok(Scaling {
            base: base(whole).or_else(|| base(config)),
            base_in_window: base(window),
            kind,
            json,
            trained_tokens: trained.filter(|_| kind.is_some()),
            context_tokens: config["max_position_embeddings"].as_f64(),
        })
    }

    /// The name of the scaling, unless it is none or all in a tensor.
    pub(super) fn kind_by_key(&self) -> Option<&'static str> {
        KINDS.iter().find(|(known, _)| Some(*known) == self.kind).and_then(|(_, ours)| *ours)
    }

    /// True where yarn's mixing begins and ends between pairs, for which GGUF files have no key.
    pub(super) fn ends_between_pairs(&self) -> bool {
        self.kind == Some("yarn") && self.json["truncate"] == Json::Bool(false)
    }

    /// Numbers by their GGUF keys.
    pub(super) fn floats(&self) -> Vec<(&'static str, f64)> {
        let Some(kind) = self.kind_by_key() else { return Vec::new() };
        let stated = FLOATS.iter().filter_map(|(theirs, ours)| Some((*ours, self.json[*theirs].as_f64()?)));
        let mut floats: Vec<(&str, f64)> = stated.collect();
        let attention = match kind {
            "longrope" => self.json["attention_factor"].as_f64().or_else(|| self.longrope_attention()),
            "yarn" => self.yarn_attention(),
            _ => None,
        };
        floats.extend(attention.map(|factor| ("rope.scaling.attn_factor", factor)));
        floats
    }

    /// What comes on top of the magnitude that follows from the factor alone.
    fn yarn_attention(&self) -> Option<f64> {
        let number = |key: &str| self.json[key].as_f64();
        let factor = number("factor").filter(|factor| *factor > 1.0)?;
        let magnitude = |scale: f64| 1.0 + 0.1 * scale * factor.ln();
        let whole = number("attention_factor").or_else(|| {
            let (scale, all) = number("mscale").zip(number("mscale_all_dim"))?;
            Some(magnitude(scale) / magnitude(all))
        })?;
        Some(whole / magnitude(1.0))
    }

    /// How much longer contexts than those trained with sharpen attention.
    fn longrope_attention(&self) -> Option<f64> {
        let trained = self.trained_tokens? as f64;
        let stretch = self.json["factor"].as_f64().or_else(|| Some(self.context_tokens? / trained))?;
        Some(if stretch <= 1.0 { 1.0 } else { (1.0 + stretch.ln() / trained.ln()).sqrt() })
    }
}

/// Tensors of factors that frequencies are divided by, with their GGUF names.
pub(super) fn factors(
    directory: &Directory<'_>,
    config: &Json,
) -> Result<Vec<(&'static str, Vec<f32>)>, CheckpointError> {
    let scaling = Scaling::read(directory, config)?;
    let broken = |what: &str| directory.broken(CONFIG, format!("rotary scaling without {what}"));
    match scaling.kind {
        Some("llama3") => {
            let factors = llama3(config, &scaling).ok_or_else(|| broken("the numbers it needs"))?;
            Ok(vec![("rope_freqs.weight", factors)])
        }
        Some("longrope" | "su") => {
            let list = |key: &str| floats(&scaling.json[key]).ok_or_else(|| broken(key));
            Ok(vec![
                ("rope_factors_long.weight", list("long_factor")?),
                ("rope_factors_short.weight", list("short_factor")?),
            ])
        }
        _ => Ok(Vec::new()),
    }
}

fn floats(json: &Json) -> Option<Vec<f32>> {
    let list = json.as_array().filter(|list| !list.is_empty() && list.len() <= limits::HEAD_DIM_MAX)?;
    list.iter().map(|number| number.as_f64().map(|number| number as f32)).collect()
}

/// High frequencies stay, low ones are stretched whole, those between in part.
fn llama3(config: &Json, scaling: &Scaling<'_>) -> Option<Vec<f32>> {
    let head_dim = config["head_dim"]
        .as_u64()
        .or_else(|| config["hidden_size"].as_u64()?.checked_div(config["num_attention_heads"].as_u64()?))?;
    let pairs = usize::try_from(head_dim / 2).ok().filter(|pairs| (1..=limits::HEAD_DIM_MAX).contains(pairs))?;
    let number = |key: &str| scaling.json[key].as_f64();
    let (factor, low, high) = (number("factor")?, number("low_freq_factor")?, number("high_freq_factor")?);
    let trained = scaling.trained_tokens? as f64;
    let base = scaling.base.unwrap_or(10_000.0);
    let of_pair = |pair: usize| {
        let wavelength = TAU * base.powf(pair as f64 / pairs as f64);
        if wavelength < trained / high {
            return 1.0;
        }
        if wavelength > trained / low {
            return factor;
        }
        let smooth = (trained / wavelength - low) / (high - low);
        ((1.0 - smooth) / factor + smooth).recip()
    };
    Some((0..pairs).map(|pair| of_pair(pair) as f32).collect())
}
