//! The table of families on a hub: what each calls its tensors, and how its numbers differ from a GGUF file's.
//!
//! A row is all a family is here; what it computes is a row in the table of `graph`. Called by `hub`.

use serde_json::Value as Json;

use super::{CONFIG, Directory};
use crate::checkpoint::CheckpointError;

/// How a family's directories differ.
#[derive(Debug)]
pub(crate) struct HubFamily {
    /// `model_type` in `config.json`.
    model_types: &'static [&'static str],
    /// The architecture its GGUF files name, and the prefix of their keys.
    pub(crate) architecture: &'static str,
    /// The activation its graph computes; any other cannot be built.
    activation: &'static str,
    norms: Norms,
    /// Parts of a layer with names of their own, before those in [`LAYER`].
    layer: &'static [(&'static str, &'static str)],
}

/// How the weights of norms are stored.
#[derive(Debug, PartialEq, Eq)]
enum Norms {
    Whole,
    /// Less one; GGUF files have it added.
    LessOne,
}

const SILU: &str = "silu";
const GELU: &str = "gelu_pytorch_tanh";

const PLAIN: HubFamily =
    HubFamily { model_types: &["llama"], architecture: "llama", activation: SILU, norms: Norms::Whole, layer: &[] };

const GEMMA: HubFamily = HubFamily {
    model_types: &["gemma2"],
    architecture: "gemma2",
    activation: GELU,
    norms: Norms::LessOne,
    layer: &[
        ("post_attention_layernorm", "post_attention_norm"),
        ("pre_feedforward_layernorm", "ffn_norm"),
        ("post_feedforward_layernorm", "post_ffw_norm"),
    ],
};

const FAMILIES: [HubFamily; 8] = [
    // Mistral's GGUF files call themselves llama too.
    HubFamily { model_types: &["llama", "mistral"], ..PLAIN },
    HubFamily { model_types: &["qwen2"], architecture: "qwen2", ..PLAIN },
    HubFamily { model_types: &["qwen3"], architecture: "qwen3", ..PLAIN },
    HubFamily { model_types: &["phi3"], architecture: "phi3", layer: &[("mlp.gate_up_proj", "ffn_up")], ..PLAIN },
    HubFamily { model_types: &["granite"], architecture: "granite", ..PLAIN },
    HubFamily {
        model_types: &["starcoder2"],
        architecture: "starcoder2",
        activation: GELU,
        layer: &[("mlp.c_fc", "ffn_up"), ("mlp.c_proj", "ffn_down")],
        ..PLAIN
    },
    GEMMA,
    HubFamily { model_types: &["gemma3_text"], architecture: "gemma3", ..GEMMA },
];

/// Tensors outside of layers.
const WHOLE: [(&str, &str); 3] =
    [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output")];

/// Parts of a layer.
const LAYER: [(&str, &str); 12] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// Tensors that older checkpoints carry and that follow from the configuration.
const COMPUTED: [&str; 1] = [".rotary_emb.inv_freq"];

pub(super) fn of(directory: &Directory<'_>, config: &Json) -> Result<&'static HubFamily, CheckpointError> {
    let Some(name) = config["model_type"].as_str() else {
        return Err(directory.broken(CONFIG, "it does not say its model_type".to_owned()));
    };
    if !config["quantization_config"].is_null() {
        let what = "its weights are quantised already; finch reads float weights, or a GGUF file".to_owned();
        return Err(directory.unsupported(CONFIG, what));
    }
    let Some(family) = FAMILIES.iter().find(|family| family.model_types.contains(&name)) else {
        let known = FAMILIES.iter().flat_map(|family| family.model_types).copied().collect::<Vec<_>>().join(", ");
        return Err(directory.unsupported(CONFIG, format!("model_type {name}, finch reads {known}")));
    };
    let activation = ["hidden_activation", "hidden_act"].iter().find_map(|key| config[*key].as_str());
    match activation {
        Some(other) if other != family.activation => {
            let what = format!("activation {other}, finch computes {} for {name}", family.activation);
            Err(directory.unsupported(CONFIG, what))
        }
        _ => Ok(family),
    }
}

/// The family whose GGUF files name this architecture.
pub(crate) fn of_architecture(name: &str) -> Option<&'static HubFamily> {
    FAMILIES.iter().find(|family| family.architecture == name)
}

impl HubFamily {
    /// The GGUF name of a tensor; the name itself where there is none, so that it is missed later; `None` where the
    /// tensor says nothing of its own.
    pub(super) fn tensor(&self, name: &str) -> Option<String> {
        if COMPUTED.iter().any(|end| name.ends_with(end)) {
            return None;
        }
        Some(self.ours(name).unwrap_or_else(|| name.to_owned()))
    }

    fn ours(&self, name: &str) -> Option<String> {
        let (part, kind) = name.rsplit_once('.')?;
        if let Some((_, ours)) = WHOLE.iter().find(|(theirs, _)| *theirs == part) {
            return Some(format!("{ours}.{kind}"));
        }
        let (layer, part) = part.strip_prefix("model.layers.")?.split_once('.')?;
        let layer: usize = layer.parse().ok()?;
        let (_, ours) = self.layer.iter().chain(&LAYER).find(|(theirs, _)| *theirs == part)?;
        Some(format!("blk.{layer}.{ours}.{kind}"))
    }

    /// The name on a hub of a tensor of a GGUF file.
    pub(crate) fn theirs(&self, ours: &str) -> Option<String> {
        let (part, kind) = ours.rsplit_once('.')?;
        if let Some((theirs, _)) = WHOLE.iter().find(|(_, ours)| *ours == part) {
            return Some(format!("{theirs}.{kind}"));
        }
        let (layer, part) = part.strip_prefix("blk.")?.split_once('.')?;
        let (theirs, _) = self.layer.iter().chain(&LAYER).find(|(_, ours)| *ours == part)?;
        Some(format!("model.layers.{layer}.{theirs}.{kind}"))
    }

    pub(crate) fn model_type(&self) -> &'static str {
        self.model_types[0]
    }

    pub(crate) fn activation(&self) -> &'static str {
        self.activation
    }

    /// What a GGUF file has added to the numbers of this tensor.
    pub(crate) fn offset(&self, ours: &str) -> f32 {
        if self.norms == Norms::LessOne && ours.ends_with("_norm.weight") { 1.0 } else { 0.0 }
    }
}
