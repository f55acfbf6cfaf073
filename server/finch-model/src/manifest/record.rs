//! The text of `model.toml`, and the one way from it to a [`Manifest`].
//!
//! These types are a promise to models built by earlier versions: unknown keys are let through, known ones keep
//! their meaning, and anything else gets a new `format`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{GRAPH_FILE, Manifest, TOKENIZER_FILE, WEIGHTS_FILE};
use crate::{digest::Digest, limits};

const FORMAT: u32 = 1;

/// How the weights of the linears are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quant {
    Int4,
    Int8,
    Fp16,
    Fp32,
}

impl Quant {
    pub const ALL: [Self; 4] = [Self::Int4, Self::Int8, Self::Fp16, Self::Fp32];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Fp16 => "fp16",
            Self::Fp32 => "fp32",
        }
    }
}

impl fmt::Display for Quant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Quant {
    type Err = BadQuant;

    fn from_str(text: &str) -> Result<Self, BadQuant> {
        Self::ALL.into_iter().find(|quant| quant.as_str() == text).ok_or_else(|| BadQuant { text: text.to_owned() })
    }
}

/// A text that names no quantisation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no quantisation: use int4, int8, fp16 or fp32")]
pub struct BadQuant {
    text: String,
}

/// Whose graph it is, and so what goes in and out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One that finch wrote.
    #[default]
    Finch,
    /// An export as optimum makes them.
    Optimum,
    /// An export for onnxruntime-genai.
    Genai,
}

impl Layout {
    /// Serde asks by reference.
    fn is_finch(&self) -> bool {
        *self == Self::Finch
    }
}

/// How the model is asked to fill a place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InfillStyle {
    /// Fill-in-the-middle tokens around prefix and suffix.
    Fim,
    /// The prefix alone, to be continued.
    Prefix,
}

impl std::fmt::Display for InfillStyle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fim => "fim",
            Self::Prefix => "prefix",
        })
    }
}

/// The sizes of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub hidden: usize,
    pub vocab: usize,
    pub context_tokens_max: usize,
}

/// The tokens with a meaning of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Ids that end generation.
    pub stop: Vec<u32>,
    /// The one of them that ends a text, as chat templates know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eos: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<u32>,
    pub add_bos: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fim: Option<FimTokens>,
}

/// The fill-in-the-middle tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FimTokens {
    pub prefix: u32,
    pub suffix: u32,
    pub middle: u32,
}

/// The weights the model was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    pub file: String,
    pub sha256: Digest,
    pub bytes: u64,
}

/// Who built the model, and how far it is from its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The version of finch that built it.
    pub finch: String,
    /// Mean divergence (nats per token) from the source weights, where measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_tokens: Option<usize>,
    /// A sum over the source and everything that decided about the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Digest>,
}

/// A file of the built model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltFile {
    pub name: String,
    pub bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    id: String,
    architecture: String,
    licence: String,
    #[serde(default, skip_serializing_if = "Layout::is_finch")]
    layout: Layout,
    quant: Quant,
    shape: Shape,
    tokens: Tokens,
    prompt: Prompt,
    source: SourceFile,
    build: Build,
    files: Vec<BuiltFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Prompt {
    infill: InfillStyle,
}

/// The format alone, so that a newer manifest is called newer and not malformed.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

pub(super) fn parse(text: &str) -> Result<Manifest, String> {
    let one_line = |error: toml::de::Error| error.message().trim().replace('\n', ", ");
    let FormatOnly { format } = toml::from_str(text).map_err(one_line)?;
    if format != FORMAT {
        return Err(format!("format {format} is not the format {FORMAT} this version reads"));
    }
    Manifest::try_from(toml::from_str::<Record>(text).map_err(one_line)?)
}

pub(super) fn print(manifest: &Manifest) -> Result<String, String> {
    let manifest = manifest.clone();
    toml::to_string(&Record {
        format: FORMAT,
        id: manifest.id.to_string(),
        architecture: manifest.architecture,
        licence: manifest.licence,
        layout: manifest.layout,
        quant: manifest.quant,
        shape: manifest.shape,
        tokens: manifest.tokens,
        prompt: Prompt { infill: manifest.infill },
        source: manifest.source,
        build: manifest.build,
        files: manifest.files,
    })
    .map_err(|error| error.to_string())
}

impl TryFrom<Record> for Manifest {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        check_shape(&record.shape)?;
        check_tokens(&record.tokens, record.prompt.infill, record.shape.vocab)?;
        check_names(&record.files, record.layout)?;
        if record.build.kl.is_some_and(|kl| !kl.is_finite()) {
            return Err("build.kl is not a number".to_owned());
        }
        Ok(Self {
            id: record.id.parse().map_err(|error: super::BadModelId| error.to_string())?,
            architecture: record.architecture,
            licence: record.licence,
            layout: record.layout,
            quant: record.quant,
            shape: record.shape,
            tokens: record.tokens,
            infill: record.prompt.infill,
            source: record.source,
            build: record.build,
            files: record.files,
        })
    }
}

fn check_shape(shape: &Shape) -> Result<(), String> {
    let counts = [
        ("layers", shape.layers, limits::LAYERS_MAX),
        ("heads", shape.heads, limits::HEADS_MAX),
        ("kv_heads", shape.kv_heads, limits::HEADS_MAX),
        ("head_dim", shape.head_dim, limits::HEAD_DIM_MAX),
        ("hidden", shape.hidden, limits::HIDDEN_MAX),
        ("vocab", shape.vocab, limits::VOCAB_MAX),
        ("context_tokens_max", shape.context_tokens_max, limits::CONTEXT_TOKENS_MAX),
    ];
    for (name, count, max) in counts {
        if count == 0 || count > max {
            return Err(format!("shape.{name} = {count} is not within 1 to {max}"));
        }
    }
    if !shape.heads.is_multiple_of(shape.kv_heads) {
        return Err(format!("{} heads cannot share {} kv_heads evenly", shape.heads, shape.kv_heads));
    }
    Ok(())
}

fn check_tokens(tokens: &Tokens, infill: InfillStyle, vocab: usize) -> Result<(), String> {
    let fim = tokens.fim.map(|fim| [fim.prefix, fim.suffix, fim.middle]);
    let ids = tokens.stop.iter().copied().chain(tokens.eos).chain(tokens.bos).chain(fim.into_iter().flatten());
    for id in ids {
        if id as usize >= vocab {
            return Err(format!("token {id} is outside a vocabulary of {vocab}"));
        }
    }
    if tokens.add_bos && tokens.bos.is_none() {
        return Err("tokens.add_bos is set and there is no tokens.bos".to_owned());
    }
    match (infill, tokens.fim) {
        (InfillStyle::Fim, None) => Err("prompt.infill is fim and there is no tokens.fim".to_owned()),
        (InfillStyle::Fim, Some(_)) | (InfillStyle::Prefix, _) => Ok(()),
    }
}

fn check_names(files: &[BuiltFile], layout: Layout) -> Result<(), String> {
    // Others may keep their weights in the graph, or call the file as they like.
    let own = (layout == Layout::Finch).then_some(WEIGHTS_FILE);
    for required in [GRAPH_FILE, TOKENIZER_FILE].into_iter().chain(own) {
        if !files.iter().any(|file| file.name == required) {
            return Err(format!("files does not list {required}"));
        }
    }
    match files.iter().find(|file| !is_plain_name(&file.name)) {
        Some(file) => Err(format!("{:?} is no file name", file.name)),
        None => Ok(()),
    }
}

/// True for a name that stays in its directory on every system.
fn is_plain_name(name: &str) -> bool {
    let first_is_plain = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first_is_plain && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
