//! What goes before the prefix: texts from elsewhere and the text's own path, in the words that the model was taught.
//!
//! Models that read whole repositories have control tokens that begin a file and name the repository. Others get a
//! line with the name, marked as most languages mark a comment.

use finch_llm::{InfillContext, LlmError};

use super::encode;
use crate::vocabulary::Vocabulary;

/// Control tokens that name a repository and begin a file, in the spellings of the families.
const SPELLINGS: [(&str, &str); 3] =
    [("<|repo_name|>", "<|file_sep|>"), ("<repo_name>", "<file_sep>"), ("<reponame>", "<filename>")];

/// How a model tells files apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Files {
    repository: Option<u32>,
    file: Option<u32>,
}

impl Files {
    pub(super) fn of(vocabulary: &Vocabulary) -> Self {
        let known = |(repository, file): (&str, &str)| {
            let file = vocabulary.control(file)?;
            Some(Self { repository: vocabulary.control(repository), file: Some(file) })
        };
        SPELLINGS.into_iter().find_map(known).unwrap_or(Self::none())
    }

    /// For a model that was taught no such tokens.
    pub(super) fn none() -> Self {
        Self { repository: None, file: None }
    }

    /// The tokens before the prefix, at most `room` and at most what the context may take.
    pub(super) fn head(
        self,
        context: &InfillContext,
        vocabulary: &Vocabulary,
        room: usize,
    ) -> Result<Vec<u32>, LlmError> {
        let room = room.min(context.tokens_max);
        let path = self.path(context, vocabulary)?;
        if path.len() > room {
            return Ok(Vec::new());
        }
        let repository = self.repository(context, vocabulary)?;
        let mut used = repository.len() + path.len();
        // What stands nearest to the text is worth most.
        let mut files = Vec::new();
        for excerpt in context.excerpts.iter().rev() {
            let text = self.begin(&excerpt.name, vocabulary)?;
            let text = [text, encode(vocabulary, excerpt.text.trim_end_matches('\n'))?, self.end(vocabulary)?].concat();
            if used + text.len() <= room {
                used += text.len();
                files.push(text);
            }
        }
        files.reverse();
        // The name of a repository alone says nothing.
        let repository = if files.is_empty() { Vec::new() } else { repository };
        Ok([repository, files.concat(), path].concat())
    }

    /// A repository is named where files follow it, and only to models that were taught to read its name.
    fn repository(self, context: &InfillContext, vocabulary: &Vocabulary) -> Result<Vec<u32>, LlmError> {
        match (self.repository, &context.repository) {
            (Some(token), Some(name)) if !context.excerpts.is_empty() => {
                Ok([vec![token], encode(vocabulary, &format!("{}\n", one_line(name)))?].concat())
            }
            (Some(_) | None, _) => Ok(Vec::new()),
        }
    }

    /// What the text before the cursor is the beginning of.
    fn path(self, context: &InfillContext, vocabulary: &Vocabulary) -> Result<Vec<u32>, LlmError> {
        match &context.path {
            Some(path) => self.begin(path, vocabulary),
            // The text must not be taken for the end of the last excerpt.
            None if self.file.is_some() && !context.excerpts.is_empty() => self.begin("", vocabulary),
            None => Ok(Vec::new()),
        }
    }

    fn begin(self, name: &str, vocabulary: &Vocabulary) -> Result<Vec<u32>, LlmError> {
        let name = one_line(name);
        match self.file {
            Some(file) => Ok([vec![file], encode(vocabulary, &format!("{name}\n"))?].concat()),
            None => encode(vocabulary, &format!("# {name}\n")),
        }
    }

    fn end(self, vocabulary: &Vocabulary) -> Result<Vec<u32>, LlmError> {
        encode(vocabulary, if self.file.is_some() { "\n" } else { "\n\n" })
    }
}

/// Names of files may hold anything.
fn one_line(name: &str) -> String {
    name.replace(char::is_control, " ")
}
