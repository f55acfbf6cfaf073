//! What a model will cost on a machine, told from its files before anything is loaded.
//!
//! A token reads all weights once, and little else of that size; a prompt is bound by multiplying. So the speed follows
//! from two rates of the machine and two sizes of the model. Memory is the weights, the keys and values of one full
//! context, and what any process takes. `finch model list` prints both, and a model is chosen by them.

use std::{path::Path, time::Duration};

use finch_model::manifest::{GRAPH_FILE, Manifest};

use crate::{EngineError, graph, limits, machine::Rates};

/// The sizes that the cost of a model follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// All weights.
    pub weights_bytes: u64,
    /// The weights that each token reads: not a table of which it takes a row.
    pub token_bytes: u64,
    /// Numbers of matrices in blocks that a token of a prompt is multiplied with. None where weights are floats.
    pub token_products: Option<u64>,
    /// Keys and values of one token.
    pub cache_bytes: u64,
    /// Tokens the model holds.
    pub context_tokens_max: usize,
}

/// How fast a model is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Tokens of a prompt in a second, where it can be told.
    pub prefill_tokens_per_s: Option<f64>,
    /// Tokens of an answer in a second.
    pub decode_tokens_per_s: f64,
}

/// The share of the memory's rate that writing reaches: two builds of a 0.5B model and one of 135M reached 0.6 to 0.85.
const DECODE_SHARE: f64 = 0.75;
/// The share of the multiplying rate that reading a prompt of 256 tokens reaches; attention and the rest take time too.
const PREFILL_SHARE: f64 = 0.6;

/// A prompt as ghost text has it when its beginning is known already, and an answer to it.
const GHOST_PROMPT_TOKENS: f64 = 64.0;
const GHOST_ANSWER_TOKENS: f64 = 16.0;

impl Sizes {
    /// Reads them from a model directory.
    pub fn read(model_dir: &Path, manifest: &Manifest) -> Result<Self, EngineError> {
        let shape = manifest.shape;
        let outline = graph::check(model_dir, manifest)?;
        // An export may hold its weights in the graph itself.
        let holds = |name: &String| name == GRAPH_FILE || outline.files.contains(name);
        let weights = manifest.files.iter().filter(|file| holds(&file.name));
        let weights_bytes = weights.fold(0u64, |sum, file| sum.saturating_add(file.bytes));
        let cache_bytes = shape.layers * 2 * shape.kv_heads * shape.head_dim * size_of::<f32>();
        // Only the last token of a prompt meets the head.
        let vocab = shape.vocab as u64;
        let products = outline.products.iter().filter(|(rows, _)| *rows != vocab);
        let products = products.fold(0u64, |sum, (rows, columns)| sum.saturating_add(rows.saturating_mul(*columns)));
        Ok(Self {
            weights_bytes,
            token_bytes: if outline.token_bytes > 0 { outline.token_bytes } else { weights_bytes },
            token_products: Some(products).filter(|&products| products > 0),
            cache_bytes: cache_bytes as u64,
            context_tokens_max: shape.context_tokens_max,
        })
    }

    /// Memory it takes to run the model with one sequence of so many tokens, or as many as the model holds.
    #[must_use]
    pub fn memory_bytes(&self, context_tokens: usize) -> u64 {
        let tokens = context_tokens.min(self.context_tokens_max) as u64;
        let cache = self.cache_bytes.saturating_mul(tokens);
        self.weights_bytes.saturating_add(cache).saturating_add(limits::PROCESS_BYTES)
    }

    /// How fast the model would be if nothing but reading weights and multiplying took time.
    #[must_use]
    pub fn limit(&self, rates: &Rates) -> Speed {
        let per = |rate: f64, count: u64| rate / count.max(1) as f64;
        Speed {
            prefill_tokens_per_s: rates.products_per_s.zip(self.token_products).map(|(rate, count)| per(rate, count)),
            decode_tokens_per_s: per(rates.bandwidth_bytes_per_s, self.token_bytes),
        }
    }

    /// How fast the model will probably be.
    #[must_use]
    pub fn expected(&self, rates: &Rates) -> Speed {
        let limit = self.limit(rates);
        Speed {
            prefill_tokens_per_s: limit.prefill_tokens_per_s.map(|speed| speed * PREFILL_SHARE),
            decode_tokens_per_s: limit.decode_tokens_per_s * DECODE_SHARE,
        }
    }
}

impl Speed {
    /// How long a person waits for ghost text. Reading the prompt counts for nothing where it cannot be told.
    #[must_use]
    pub fn ghost_text(&self) -> Duration {
        let prefill = self.prefill_tokens_per_s.map_or(0.0, |speed| GHOST_PROMPT_TOKENS / speed);
        Duration::try_from_secs_f64(prefill + GHOST_ANSWER_TOKENS / self.decode_tokens_per_s).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use finch_model::{
        manifest::{Manifest, Quant},
        tiny::{TinyHead, TinySpec},
    };

    use super::{Sizes, Speed};
    use crate::{machine::Rates, testing::TinyModel};

    const MIB: u64 = 1 << 20;

    fn sizes() -> Sizes {
        Sizes {
            weights_bytes: 700 * MIB,
            token_bytes: 500_000_000,
            token_products: Some(400_000_000),
            cache_bytes: 1024,
            context_tokens_max: 8192,
        }
    }

    #[track_caller]
    fn check(sizes: Sizes, context_tokens: usize, expected: u64) {
        assert_eq!(sizes.memory_bytes(context_tokens), expected);
    }

    #[test]
    fn memory_is_weights_and_one_context_and_a_process() {
        check(sizes(), 0, (700 + 256) * MIB);
        check(sizes(), 4096, (700 + 256 + 4) * MIB);
        check(sizes(), 1 << 20, (700 + 256 + 8) * MIB);
        check(Sizes { weights_bytes: u64::MAX, ..sizes() }, 4096, u64::MAX);
        check(Sizes { cache_bytes: u64::MAX, ..sizes() }, 4096, u64::MAX);
    }

    #[test]
    fn speed_is_a_rate_by_a_size_and_expected_is_less() {
        let rates = Rates { bandwidth_bytes_per_s: 20e9, products_per_s: Some(200e9) };
        let limit = Speed { prefill_tokens_per_s: Some(500.0), decode_tokens_per_s: 40.0 };
        assert_eq!(sizes().limit(&rates), limit);
        let expected = sizes().expected(&rates);
        assert!(expected.decode_tokens_per_s < 40.0 && expected.prefill_tokens_per_s < Some(500.0), "{expected:?}");
        let unknown = Rates { products_per_s: None, ..rates };
        assert_eq!(sizes().expected(&unknown).prefill_tokens_per_s, None);
        let nothing = Sizes { token_bytes: 0, token_products: Some(0), ..sizes() };
        assert_eq!(nothing.limit(&rates).decode_tokens_per_s, 20e9);
    }

    #[test]
    fn ghost_text_waits_for_its_prompt_and_its_answer() {
        #[track_caller]
        fn check(prefill: Option<f64>, decode: f64, expected: Duration) {
            let speed = Speed { prefill_tokens_per_s: prefill, decode_tokens_per_s: decode };
            assert_eq!(speed.ghost_text(), expected);
        }
        check(Some(128.0), 32.0, Duration::from_secs(1));
        check(None, 32.0, Duration::from_millis(500));
        check(None, 0.0, Duration::MAX);
    }

    #[test]
    fn a_token_reads_all_weights_but_a_table_of_its_own() {
        let [tied, own] = [TinyHead::Tied, TinyHead::Own].map(|head| {
            let model = TinyModel::new(TinySpec { head, ..TinySpec::default() }, Quant::Fp32);
            let manifest = Manifest::read(&model.dir).unwrap();
            let table = (manifest.shape.vocab * manifest.shape.hidden * size_of::<f32>()) as u64;
            (Sizes::read(&model.dir, &manifest).unwrap(), table)
        });
        let unread = |(sizes, _): (Sizes, u64)| sizes.weights_bytes - sizes.token_bytes;
        // Tensors begin at whole pages.
        let beside = unread(own) - unread(tied);
        assert!((own.1..own.1 + 4096).contains(&beside), "beside a head of its own lies the table: {own:?} {tied:?}");
        assert!(tied.0.token_bytes > tied.1, "a tied table is the head, which is read: {tied:?}");
        assert_eq!((tied.0.token_products, own.0.token_products), (None, None), "floats are in no blocks");
    }

    #[test]
    fn a_token_of_a_prompt_is_multiplied_with_all_matrices_but_the_head() {
        let spec = TinySpec::default();
        let model = TinyModel::new(spec, Quant::Int8);
        let manifest = Manifest::read(&model.dir).unwrap();
        let shape = manifest.shape;
        let rows = shape.heads * shape.head_dim;
        let attention = shape.hidden * (rows + 2 * shape.kv_heads * shape.head_dim) + rows * shape.hidden;
        let feed_forward = 3 * shape.hidden * spec.ff;
        let expected = (shape.layers * (attention + feed_forward)) as u64;
        assert_eq!(Sizes::read(&model.dir, &manifest).unwrap().token_products, Some(expected));
    }
}
