//! llama.cpp as the judge, most of all of what candle's models leave out.
//!
//! Its server is asked for the probabilities of all successors, so logits are compared up to a constant.

use finch_model::tiny::{TinyArchitecture as Family, TinyHead, TinyPositions as Positions, TinySpec};
use serde_json::json;

use super::llama::Server;
use super::{network, tokens};
use crate::testing::TinyModel;

/// Behind how many tokens the next one is asked for: within windows, at their ends, and beyond.
const LENGTHS: [usize; 9] = [1, 2, 6, 7, 8, 9, 15, 27, 40];

/// Plain sums in another order.
const SUMS_MAX: f32 = 1e-3;
/// llama.cpp looks this activation up in a table of 16-bit floats.
const TABLE_MAX: f32 = 2e-2;

struct Row {
    name: &'static str,
    spec: TinySpec,
    /// The length of the context; some scalings depend on it.
    context_tokens: usize,
    max: f32,
}

fn rows() -> Vec<Row> {
    // A window as wide as everything: llama.cpp knows none in llama, phi3 and starcoder2.
    let of = |architecture, seed| TinySpec { architecture, seed, vocab: 301, window: 4096, ..TinySpec::default() };
    let row = |name, spec| Row { name, spec, context_tokens: 2048, max: SUMS_MAX };
    let gelu = |row: Row| Row { max: TABLE_MAX, ..row };
    let llama = TinySpec { layers: 3, heads: 3, kv_heads: 1, hidden: 96, ..of(Family::Llama, 21) };
    let phi3 = TinySpec { layers: 3, heads: 6, kv_heads: 2, hidden: 192, ..of(Family::Phi3, 22) };
    let longrope = TinySpec { positions: Positions::LongRope, ..phi3 };
    let gemma = |architecture, seed| TinySpec { layers: 7, window: 7, head_dim: Some(48), ..of(architecture, seed) };
    let qwen2 = of(Family::Qwen2, 25);
    vec![
        row("llama", llama),
        row("llama, heads of 24", TinySpec { heads: 4, kv_heads: 4, ..llama }),
        row("llama 3 positions", TinySpec { positions: Positions::Factors, ..llama }),
        row("llama, yarn", TinySpec { positions: Positions::Yarn, ..llama }),
        row("qwen2", qwen2),
        row("qwen2, yarn", TinySpec { positions: Positions::Yarn, ..qwen2 }),
        row("qwen3", TinySpec { head_dim: Some(48), ..of(Family::Qwen3, 26) }),
        gelu(row("gemma2", gemma(Family::Gemma2, 23))),
        gelu(row("gemma3", gemma(Family::Gemma3, 24))),
        gelu(row("gemma3, linear positions", TinySpec { positions: Positions::Linear, ..gemma(Family::Gemma3, 27) })),
        row("phi3", phi3),
        row("phi3, 24 of 32 rotate", TinySpec { rotated: Some(24), ..phi3 }),
        Row { context_tokens: 256, ..row("phi3, longrope, short", longrope) },
        row("phi3, longrope, long", longrope),
        row("phi3, longrope, long, 24 of 32 rotate", TinySpec { rotated: Some(24), ..longrope }),
        gelu(row("starcoder2", of(Family::Starcoder2, 28))),
        gelu(row("starcoder2, own head", TinySpec { head: TinyHead::Own, ..of(Family::Starcoder2, 29) })),
        row("granite", of(Family::Granite, 30)),
    ]
}

/// The furthest that any log probability is from llama.cpp's.
fn distance(row: &Row) -> f32 {
    let model = TinyModel::for_context(row.spec, row.context_tokens);
    let tokens = tokens(40, row.spec.vocab);
    let (mut network, mut slot) = network(&model);
    let ours = network.forward(&mut slot, &tokens, tokens.len()).unwrap().to_vec();
    let context = row.context_tokens.to_string();
    let arguments = ["--cache-type-k", "f32", "--cache-type-v", "f32", "--flash-attn", "off", "--ctx-size", &context];
    let server = Server::start_with(&model.gguf, 1, &arguments).unwrap();
    let of_length = |length: usize| {
        let ours = log_softmax(&ours[(length - 1) * row.spec.vocab..length * row.spec.vocab]);
        let body = json!({
            "prompt": tokens[..length],
            "n_predict": 1,
            "n_probs": row.spec.vocab,
            // Probabilities come with whole letters only, so one is sampled; they are those before this.
            "logit_bias": [[65, 100.0]],
            "cache_prompt": false,
        });
        let answer = server.post("/completion", &body).unwrap();
        let theirs = answer["completion_probabilities"][0]["top_logprobs"].as_array().unwrap();
        assert_eq!(theirs.len(), row.spec.vocab);
        let difference = |their: &serde_json::Value| {
            let id = usize::try_from(their["id"].as_u64().unwrap()).unwrap();
            (ours[id] - their["logprob"].as_f64().unwrap()).abs() as f32
        };
        theirs.iter().map(difference).fold(0.0, f32::max)
    };
    LENGTHS.iter().map(|length| of_length(*length)).fold(0.0, f32::max)
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
    logits.iter().map(|logit| f64::from(*logit) - sum.ln()).collect()
}

#[test]
fn families_compute_what_llama_cpp_computes() {
    println!("| family | from llama.cpp, at most |");
    println!("|---|---|");
    let mut wrong = Vec::new();
    for row in rows() {
        let distance = distance(&row);
        println!("| {} | {distance:.1e}, {:.0e} |", row.name, row.max);
        if distance >= row.max {
            wrong.push(row.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
