//! End-to-end tests: the real binary, real editors and a real model; one module per user story.
//!
//! `tests/run.sh` installs what they drive (ONNX Runtime, Neovim, llama.cpp) and runs them.

mod bad_input;
mod completes_a_place;
mod speaks_lsp;
mod tokens_like_the_peer;

mod tidy;

mod support {
    pub(crate) mod client;
    pub(crate) mod finch;
    pub(crate) mod llama;
}
