//! The tools, one file each. Their names and arguments are stable; `docs/tools.md` lists them.

pub mod bash;
mod edit;
mod glob;
mod grep;
mod lines;
mod read;
mod walk;
mod write;

pub use bash::Bash;
pub use edit::Edit;
pub use glob::Glob;
pub use grep::Grep;
pub use read::Read;
pub use write::Write;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
