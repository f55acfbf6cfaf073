//! The words of the configuration for policies and consent, as the set-up offers them. Tables.

use finch_llm::router::Policy;

/// Who is asked whether text of a workspace may go to a cloud.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Agreement {
    #[default]
    Ask,
    All,
    None,
}

/// A value of a setting, and how it is offered.
#[derive(Debug)]
pub(super) struct Choice<T> {
    pub(super) value: T,
    pub(super) word: &'static str,
    pub(super) label: &'static str,
}

pub(super) const POLICIES: &[Choice<Policy>] = &[
    Choice {
        value: Policy::LocalFirst,
        word: "local-first",
        label: "the local model first, a cloud where that cannot or takes too long",
    },
    Choice {
        value: Policy::CloudFirst,
        word: "cloud-first",
        label: "a cloud first, the local model where that cannot",
    },
    Choice { value: Policy::Cheapest, word: "cheapest", label: "whoever costs least" },
    Choice { value: Policy::LocalOnly, word: "local-only", label: "the local model alone; no connection is opened" },
];

pub(super) const AGREEMENTS: &[Choice<Agreement>] = &[
    Choice { value: Agreement::Ask, word: "ask", label: "ask once in each workspace" },
    Choice { value: Agreement::All, word: "all", label: "text of any workspace may go to these clouds" },
    Choice { value: Agreement::None, word: "none", label: "none, until `finch consent give PATH` says otherwise" },
];

/// The value that a word stands for.
pub(super) fn value<T: Copy>(choices: &[Choice<T>], word: &str) -> Option<T> {
    choices.iter().find(|choice| choice.word.eq_ignore_ascii_case(word.trim())).map(|choice| choice.value)
}

/// The word for a value.
pub(super) fn word<T: Copy + PartialEq>(choices: &[Choice<T>], value: T) -> &'static str {
    choices.iter().find(|choice| choice.value == value).map_or("", |choice| choice.word)
}
