//! The tools, one file each. Their names and arguments are stable; `docs/tools.md` lists them.

pub mod ask_user;
pub mod bash;
pub mod diagnostics;
mod edit;
mod glob;
mod grep;
mod lines;
mod read;
pub mod restart;
mod walk;
pub mod web_fetch;
mod write;

pub use ask_user::{AskUser, User};
pub use bash::{Bash, Confined, Documents, Job, NoDocuments, Runner, Settled, Shell};
pub use diagnostics::{Diagnostics, Reports};
pub use edit::Edit;
pub use glob::Glob;
pub use grep::Grep;
pub use read::Read;
pub use restart::{Restart, Restarter};
pub use web_fetch::WebFetch;
pub use write::Write;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
