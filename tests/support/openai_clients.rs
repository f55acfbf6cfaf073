//! Where the official clients of OpenAI's and Anthropic's APIs are.

use std::path::{Path, PathBuf};

/// The folder that `tests/support/install-openai-clients.sh` fills, of the repository at `root`.
pub(crate) fn folder(root: &Path) -> PathBuf {
    let folder = root.join("target/test-tools/openai-clients");
    assert!(folder.join("done").exists(), "run tests/support/install-tools.sh first");
    folder
}
