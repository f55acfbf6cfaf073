//! The languages that finch has a grammar for, and how a document is known to be written in one.
//!
//! Grammars are linked in: nothing is fetched, and a language without one is served by the rules that need none.

use tree_sitter_language::LanguageFn;

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    C,
    Css,
    Go,
    Html,
    Java,
    JavaScript,
    Json,
    Lua,
    Python,
    Rust,
    Tsx,
    TypeScript,
}

/// The language ids that editors use.
const IDS: &[(&str, Language)] = &[
    ("c", Language::C),
    ("css", Language::Css),
    ("go", Language::Go),
    ("html", Language::Html),
    ("java", Language::Java),
    ("javascript", Language::JavaScript),
    ("javascriptreact", Language::JavaScript),
    ("json", Language::Json),
    ("lua", Language::Lua),
    ("python", Language::Python),
    ("rust", Language::Rust),
    ("typescript", Language::TypeScript),
    ("typescriptreact", Language::Tsx),
];

/// The ends of file names, without the dot.
const EXTENSIONS: &[(&str, Language)] = &[
    ("c", Language::C),
    ("cjs", Language::JavaScript),
    ("css", Language::Css),
    ("cts", Language::TypeScript),
    ("go", Language::Go),
    ("h", Language::C),
    ("htm", Language::Html),
    ("html", Language::Html),
    ("java", Language::Java),
    ("js", Language::JavaScript),
    ("json", Language::Json),
    ("jsx", Language::JavaScript),
    ("lua", Language::Lua),
    ("mjs", Language::JavaScript),
    ("mts", Language::TypeScript),
    ("py", Language::Python),
    ("pyi", Language::Python),
    ("rs", Language::Rust),
    ("ts", Language::TypeScript),
    ("tsx", Language::Tsx),
];

impl Language {
    /// The language of a document, by the id its editor gives it, or by its file's name.
    #[must_use]
    pub fn of(path: Option<&str>, language_id: Option<&str>) -> Option<Self> {
        let by_id = language_id.and_then(|id| find(IDS, id));
        by_id.or_else(|| find(EXTENSIONS, &extension(path?)?))
    }

    pub(crate) fn grammar(self) -> tree_sitter::Language {
        let grammar: LanguageFn = match self {
            Self::C => tree_sitter_c::LANGUAGE,
            Self::Css => tree_sitter_css::LANGUAGE,
            Self::Go => tree_sitter_go::LANGUAGE,
            Self::Html => tree_sitter_html::LANGUAGE,
            Self::Java => tree_sitter_java::LANGUAGE,
            Self::JavaScript => tree_sitter_javascript::LANGUAGE,
            Self::Json => tree_sitter_json::LANGUAGE,
            Self::Lua => tree_sitter_lua::LANGUAGE,
            Self::Python => tree_sitter_python::LANGUAGE,
            Self::Rust => tree_sitter_rust::LANGUAGE,
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        };
        grammar.into()
    }
}

fn find(table: &[(&str, Language)], name: &str) -> Option<Language> {
    table.iter().find(|(known, _)| *known == name).map(|(_, language)| *language)
}

fn extension(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next()?;
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}
