//! The same weights in candle's models, which were written by others from the families' publications.
//!
//! A tiny GGUF file is read by candle's own reader, its tensors get the names that models have on the hub, and what a GGUF
//! file does to the numbers is taken back. Where candle's model leaves something out of a family, the weights are changed
//! so that it computes the family nevertheless; what is left out and cannot be had so is asked of llama.cpp.

use std::collections::BTreeMap;
use std::fs::File;

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{gemma2, gemma3, granite, llama, mistral, phi3, qwen2, qwen3, starcoder2};
use finch_model::tiny::{TinyArchitecture, TinyPositions, TinySpec};
use serde_json::{Value as Json, json};

use crate::testing::TinyModel;

type Weights = BTreeMap<String, Tensor>;
/// The logits behind the last of some tokens that come after so many others; none begins anew.
type Model = Box<dyn FnMut(&Tensor, usize) -> candle_core::Result<Tensor>>;

/// The logits behind each of the tokens.
pub(super) fn logits(model: &TinyModel, spec: &TinySpec, tokens: &[u32]) -> Vec<f32> {
    let mut forward = load(model, spec).unwrap();
    let mut step = |from: usize, until: usize| {
        let input = Tensor::new(&tokens[from..until], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        forward(&input, from).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    // Most models forget their window when they read token by token, so each row is a pass over all before it. Gemma 3
    // cannot read several tokens at once with several KV heads, but its cache in single steps is as long as the window.
    let from = |row: usize| if spec.architecture == TinyArchitecture::Gemma3 { row } else { 0 };
    (0..tokens.len()).flat_map(|row| step(from(row), row + 1)).collect()
}

fn load(model: &TinyModel, spec: &TinySpec) -> candle_core::Result<Model> {
    let mut weights = named(model, spec)?;
    if is_mistral_in_disguise(spec) {
        take_apart(&mut weights, spec)?;
    }
    let vars = VarBuilder::from_tensors(weights.into_iter().collect(), DType::F32, &Device::Cpu);
    let config = config(spec);
    macro_rules! forward {
        ($model:expr) => {{
            let mut model = $model;
            Box::new(move |input: &Tensor, at: usize| {
                if at == 0 {
                    model.clear_kv_cache();
                }
                model.forward(input, at)
            })
        }};
    }
    Ok(match spec.architecture {
        TinyArchitecture::Llama => {
            let config: llama::LlamaConfig = parsed(config);
            let config = config.into_config(false);
            let model = llama::Llama::load(vars, &config)?;
            Box::new(move |input, at| {
                let mut cache = llama::Cache::new(true, DType::F32, &config, &Device::Cpu)?;
                model.forward(input, at, &mut cache)
            })
        }
        TinyArchitecture::Granite => {
            let config: granite::GraniteConfig = parsed(config);
            let config = config.into_config(false);
            let model = granite::Granite::load(vars, &config)?;
            Box::new(move |input, at| {
                let mut cache = granite::Cache::new(true, DType::F32, &config, &Device::Cpu)?;
                model.forward(input, at, &mut cache)
            })
        }
        TinyArchitecture::Phi3 if !is_mistral_in_disguise(spec) => forward!(phi3::Model::new(&parsed(config), vars)?),
        TinyArchitecture::Mistral | TinyArchitecture::Phi3 => forward!(mistral::Model::new(&parsed(config), vars)?),
        TinyArchitecture::Qwen2 => forward!(qwen2::ModelForCausalLM::new(&parsed(config), vars)?),
        TinyArchitecture::Qwen3 => forward!(qwen3::ModelForCausalLM::new(&parsed(config), vars)?),
        TinyArchitecture::Gemma2 => forward!(gemma2::Model::new(false, &parsed(config), vars)?),
        TinyArchitecture::Gemma3 => forward!(gemma3::Model::new(false, &parsed(config), vars)?),
        TinyArchitecture::Starcoder2 => forward!(starcoder2::Model::new(&parsed(config), vars)?),
    })
}

fn parsed<T: for<'a> serde::Deserialize<'a>>(config: Json) -> T {
    serde_json::from_value(config).unwrap()
}

/// candle's phi3 has no window. Phi-3 with all of each head rotating is Mistral with its matrices in fewer tensors.
fn is_mistral_in_disguise(spec: &TinySpec) -> bool {
    spec.architecture == TinyArchitecture::Phi3 && spec.rotated.is_none()
}

fn head_dim(spec: &TinySpec) -> usize {
    spec.head_dim.unwrap_or(spec.hidden / spec.heads)
}

/// `config.json`, with all that any of the models reads.
fn config(spec: &TinySpec) -> Json {
    let gemma3 = spec.architecture == TinyArchitecture::Gemma3;
    let gelu =
        matches!(spec.architecture, TinyArchitecture::Gemma2 | TinyArchitecture::Gemma3 | TinyArchitecture::Starcoder2);
    let activation = if gelu { "gelu_pytorch_tanh" } else { "silu" };
    let window = match spec.architecture {
        // This model has its window in every layer, Gemma 2 in every other: only llama.cpp can say.
        TinyArchitecture::Gemma2 | TinyArchitecture::Llama | TinyArchitecture::Granite => None,
        TinyArchitecture::Qwen2 | TinyArchitecture::Qwen3 => Some(1 << 20),
        TinyArchitecture::Gemma3 => Some(spec.window),
        // candle shows a token `sliding_window` others and itself, the publications it among them.
        _ => Some(spec.window - 1),
    };
    let caps = match spec.architecture {
        TinyArchitecture::Gemma2 => [json!(5.0), json!(8.0)],
        _ => [Json::Null, Json::Null],
    };
    json!({
        "vocab_size": spec.vocab,
        "hidden_size": spec.hidden,
        "intermediate_size": spec.ff,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "num_key_value_heads": spec.kv_heads,
        "head_dim": head_dim(spec),
        "max_position_embeddings": 2048,
        "rms_norm_eps": if spec.architecture == TinyArchitecture::Granite { 1e-2 } else { 1e-5 },
        "norm_epsilon": 1e-5,
        "rope_theta": rope_theta(spec),
        "rope_local_base_freq": 10_000.0,
        "rope_scaling": rope_scaling(spec),
        "partial_rotary_factor": spec.rotated.map(|rotated| rotated as f64 / head_dim(spec) as f64),
        "hidden_act": activation,
        "hidden_activation": activation,
        "attention_bias": false,
        "use_bias": true,
        "tie_word_embeddings": false,
        "sliding_window": window,
        "use_sliding_window": false,
        "max_window_layers": 0,
        "sliding_window_pattern": if gemma3 { 6 } else { 0 },
        "query_pre_attn_scalar": head_dim(spec),
        "attn_logit_softcapping": caps[0],
        "final_logit_softcapping": caps[1],
    })
}

fn rope_theta(spec: &TinySpec) -> f64 {
    let base = if spec.architecture == TinyArchitecture::Gemma3 { 100_000.0 } else { 10_000.0 };
    match spec.positions {
        // The published formula at the length of the build, 4096 tokens, of a model trained with 2048, by a factor of 2.
        TinyPositions::Dynamic => {
            let dim = head_dim(spec) as f64;
            base * (2.0_f64 * 4096.0 / 2048.0 - 1.0).powf(dim / (dim - 2.0))
        }
        _ => base,
    }
}

fn rope_scaling(spec: &TinySpec) -> Json {
    let llama3 = |factor: f64, low: f64, high: f64| {
        json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": 256,
        })
    };
    match spec.positions {
        TinyPositions::Factors => llama3(8.0, 1.0, 4.0),
        // With bounds so high, all wavelengths are long ones and divided.
        TinyPositions::Linear => llama3(2.5, 1e9, 2e9),
        _ => Json::Null,
    }
}

/// The tensors of the file under the names of the hub, and their numbers as there.
fn named(model: &TinyModel, spec: &TinySpec) -> candle_core::Result<Weights> {
    let mut file = File::open(&model.gguf)?;
    let content = Content::read(&mut file)?;
    let mut weights = Weights::new();
    for name in content.tensor_infos.keys().filter(|name| !name.starts_with("rope_")) {
        let tensor = content.tensor(&mut file, name, &Device::Cpu)?.dequantize(&Device::Cpu)?;
        weights.insert(hub_name(name, spec.architecture), hub_numbers(name, tensor, spec)?);
    }
    // All models are told to have a head of their own.
    if let Some(embedding) = weights.get("model.embed_tokens.weight").cloned()
        && !weights.contains_key("lm_head.weight")
    {
        weights.insert("lm_head.weight".to_owned(), embedding);
    }
    if spec.architecture == TinyArchitecture::Granite {
        scale_granite(&mut weights, spec)?;
    }
    Ok(weights)
}

fn hub_name(name: &str, architecture: TinyArchitecture) -> String {
    let (part, kind) = name.rsplit_once('.').unwrap();
    let gemma = matches!(architecture, TinyArchitecture::Gemma2 | TinyArchitecture::Gemma3);
    let starcoder = architecture == TinyArchitecture::Starcoder2;
    let Some((layer, part)) = part.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
        let part = match part {
            "token_embd" => "model.embed_tokens",
            "output_norm" => "model.norm",
            "output" => "lm_head",
            other => panic!("{other}"),
        };
        return format!("{part}.{kind}");
    };
    let part = match part {
        "attn_norm" => "input_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_qkv" => "self_attn.qkv_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "post_attention_norm" => "post_attention_layernorm",
        "ffn_norm" if gemma => "pre_feedforward_layernorm",
        "ffn_norm" => "post_attention_layernorm",
        "post_ffw_norm" => "post_feedforward_layernorm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" if starcoder => "mlp.c_fc",
        "ffn_up" if architecture == TinyArchitecture::Phi3 => "mlp.gate_up_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" if starcoder => "mlp.c_proj",
        "ffn_down" => "mlp.down_proj",
        other => panic!("{other}"),
    };
    format!("model.layers.{layer}.{part}.{kind}")
}

fn hub_numbers(name: &str, tensor: Tensor, spec: &TinySpec) -> candle_core::Result<Tensor> {
    let pairs_together =
        matches!(spec.architecture, TinyArchitecture::Llama | TinyArchitecture::Mistral | TinyArchitecture::Granite);
    let gemma = matches!(spec.architecture, TinyArchitecture::Gemma2 | TinyArchitecture::Gemma3);
    if pairs_together && (name.ends_with("attn_q.weight") || name.ends_with("attn_k.weight")) {
        let (rows, columns) = tensor.dims2()?;
        let apart = tensor.reshape((rows / head_dim(spec), head_dim(spec) / 2, 2, columns))?.transpose(1, 2)?;
        return apart.reshape((rows, columns));
    }
    if gemma && name.ends_with("_norm.weight") { tensor - 1.0 } else { Ok(tensor) }
}

/// candle's granite is a llama without the four multipliers; weights can hold them.
fn scale_granite(weights: &mut Weights, spec: &TinySpec) -> candle_core::Result<()> {
    let (embedding, residual, attention, logits) = (6.0, 0.4, 0.2, 3.0);
    for (name, tensor) in weights.iter_mut() {
        let scale = match name.as_str() {
            "model.embed_tokens.weight" => embedding,
            "lm_head.weight" => 1.0 / logits,
            name if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") => residual,
            name if name.ends_with("q_proj.weight") => attention * (head_dim(spec) as f64).sqrt(),
            _ => continue,
        };
        *tensor = (&*tensor * scale)?;
    }
    Ok(())
}

/// Makes Mistral's tensors of Phi-3's.
fn take_apart(weights: &mut Weights, spec: &TinySpec) -> candle_core::Result<()> {
    let [query, key] = [spec.heads, spec.kv_heads].map(|heads| heads * head_dim(spec));
    for layer in 0..spec.layers {
        let mut split = |from: &str, to: &[(&str, usize)]| -> candle_core::Result<()> {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            let whole = weights.remove(&name(from)).unwrap();
            let mut first = 0;
            for (part, rows) in to {
                weights.insert(name(part), whole.narrow(0, first, *rows)?.contiguous()?);
                first += rows;
            }
            Ok(())
        };
        let qkv = [("self_attn.q_proj", query), ("self_attn.k_proj", key), ("self_attn.v_proj", key)];
        split("self_attn.qkv_proj", &qkv)?;
        split("mlp.gate_up_proj", &[("mlp.gate_proj", spec.ff), ("mlp.up_proj", spec.ff)])?;
    }
    Ok(())
}
