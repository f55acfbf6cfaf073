//! Prompts that a client has written for one family of models, taken apart again into what stands before and behind the
//! cursor.
//!
//! Zed and Continue write such prompts themselves. Passed on as they are they would ask the wrong model in the wrong way:
//! which control tokens a prompt needs is for the provider to know, and text never becomes one. Pure.

use finch_llm::{Excerpt, InfillContext};

/// One family's way to write a place to fill in.
struct Template {
    /// Where what stands before the cursor begins.
    prefix: &'static str,
    suffix: &'static str,
    /// Where the answer begins; empty where it begins behind the prefix.
    middle: &'static str,
    /// What stands between other files, and what names the project.
    file: &'static str,
    repository: &'static str,
}

const fn template(prefix: &'static str, suffix: &'static str, middle: &'static str) -> Template {
    Template { prefix, suffix, middle, file: "", repository: "" }
}

const TEMPLATES: &[Template] = &[
    // Qwen, and CodeGemma without files.
    Template {
        file: "<|file_sep|>",
        repository: "<|repo_name|>",
        ..template("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
    },
    // StarCoder, StableCode, Granite.
    Template {
        file: "<file_sep>",
        repository: "<repo_name>",
        ..template("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
    },
    // SantaCoder.
    template("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    // CodeLlama, whose blanks belong to the markers.
    template("<PRE> ", " <SUF>", " <MID>"),
    // DeepSeek, also with the bar that some clients write.
    template("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    template("<|fim▁begin|>", "<|fim▁hole|>", "<|fim▁end|>"),
    // GLM.
    template("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    // Codestral, whose suffix comes first.
    template("[PREFIX]", "[SUFFIX]", ""),
];

/// What a prompt meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meant {
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    /// Other files that stood before it, and the project's name. Its `tokens_max` is not set.
    pub(crate) context: InfillContext,
}

/// Takes a prompt apart, if it is of a known template.
pub(crate) fn take_apart(prompt: &str) -> Option<Meant> {
    TEMPLATES.iter().find_map(|template| template.take_apart(prompt))
}

impl Template {
    fn take_apart(&self, prompt: &str) -> Option<Meant> {
        if self.middle.is_empty() {
            return self.suffix_first(prompt);
        }
        let text = prompt.trim_end_matches(['\n', ' ']).strip_suffix(self.middle.trim_end())?;
        // The suffix may stand before the prefix.
        if let Some(meant) = text.strip_prefix(self.suffix).and_then(|text| text.split_once(self.prefix)) {
            return Some(Meant { prefix: meant.1.to_owned(), suffix: meant.0.to_owned(), ..Meant::default() });
        }
        let (head, text) = text.split_once(self.prefix)?;
        let context = self.context(head)?;
        let (prefix, suffix) = text.split_once(self.suffix)?;
        Some(Meant { prefix: prefix.to_owned(), suffix: suffix.to_owned(), context })
    }

    fn suffix_first(&self, prompt: &str) -> Option<Meant> {
        let text = prompt.strip_prefix("<s>").unwrap_or(prompt).strip_prefix(self.suffix)?;
        let (suffix, prefix) = text.split_once(self.prefix)?;
        Some(Meant { prefix: prefix.to_owned(), suffix: suffix.to_owned(), ..Meant::default() })
    }

    /// Files before the one that is worked on. None for what no such template has there.
    fn context(&self, head: &str) -> Option<InfillContext> {
        let mut context = InfillContext::default();
        if head.is_empty() {
            return Some(context);
        }
        if self.file.is_empty() {
            return None;
        }
        let mut parts = head.split(self.file);
        let first = parts.next().unwrap_or_default();
        match first.strip_prefix(self.repository) {
            Some(name) => context.repository = Some(name.trim().to_owned()),
            None if first.trim().is_empty() => {}
            None => return None,
        }
        for part in parts {
            let (name, text) = part.split_once('\n').unwrap_or((part, ""));
            if text.is_empty() {
                // Nothing but a name: the file that is worked on.
                context.path = Some(name.trim().to_owned());
            } else {
                let excerpt = Excerpt { name: name.trim().to_owned(), text: text.into(), is_foreign: false };
                context.excerpts.push(excerpt);
            }
        }
        Some(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prompt: &str, expected: Option<(&str, &str)>) {
        let meant = take_apart(prompt);
        let found = meant.as_ref().map(|meant| (meant.prefix.as_str(), meant.suffix.as_str()));
        assert_eq!(found, expected, "{prompt}");
    }

    #[test]
    fn the_templates_of_editors_are_taken_apart() {
        check("<|fim_prefix|>fn a() {\n<|fim_suffix|>\n}\n<|fim_middle|>", Some(("fn a() {\n", "\n}\n")));
        check("<fim_prefix>a = <fim_suffix>\nb<fim_middle>", Some(("a = ", "\nb")));
        check("<PRE> a =  <SUF>\nb <MID>", Some(("a = ", "\nb")));
        check("<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>", Some(("a", "b")));
        check("<|fim▁begin|>a<|fim▁hole|>b<|fim▁end|>", Some(("a", "b")));
        check("<|code_prefix|>a<|code_suffix|>b<|code_middle|>", Some(("a", "b")));
        check("[SUFFIX]b[PREFIX]a ", Some(("a ", "b")));
        check("<s>[SUFFIX]b[PREFIX]a", Some(("a", "b")));
        check("<|fim_suffix|>b<|fim_prefix|>a<|fim_middle|>", Some(("a", "b")));
        check("<|fim_prefix|><|fim_suffix|><|fim_middle|>", Some(("", "")));
    }

    #[test]
    fn what_only_looks_like_one_stays_a_prompt() {
        for prompt in [
            "",
            "fn a() {",
            "<|fim_prefix|>a<|fim_suffix|>b",
            "<|fim_prefix|>a<|fim_middle|>",
            "a<|fim_prefix|>b<|fim_suffix|>c<|fim_middle|>",
            "let marker = \"<|fim_middle|>",
            "<fim_prefix>a<|fim_suffix|>b<|fim_middle|>",
            "[PREFIX]a[SUFFIX]b",
        ] {
            check(prompt, None);
        }
    }

    #[test]
    fn markers_within_the_text_stay_text() {
        let prompt =
            "<|fim_prefix|>let m = \"<|fim_middle|><|fim_prefix|>\";\n<|fim_suffix|>// <|fim_suffix|><|fim_middle|>";
        check(prompt, Some(("let m = \"<|fim_middle|><|fim_prefix|>\";\n", "// <|fim_suffix|>")));
    }

    #[test]
    fn other_files_become_the_context() {
        let prompt = "<|repo_name|>shop\n<|file_sep|>b.rs\nfn b() {}\n<|file_sep|>a.rs\n<|fim_prefix|>x<|fim_suffix|>y<|fim_middle|>";
        let excerpt = Excerpt { name: "b.rs".to_owned(), text: "fn b() {}\n".into(), is_foreign: false };
        let context = InfillContext {
            repository: Some("shop".to_owned()),
            path: Some("a.rs".to_owned()),
            excerpts: vec![excerpt],
            tokens_max: 0,
        };
        let expected = Meant { prefix: "x".to_owned(), suffix: "y".to_owned(), context };
        assert_eq!(take_apart(prompt), Some(expected));
    }
}
