//! `finch.showLog`: the log as a document, or where the editor at the other end keeps it.
//!
//! finch logs to stderr, which an editor that starts it takes. Where each keeps it is told by the client's name.

use tower_lsp::lsp_types::MessageType;

use super::files;
use crate::dispatch::Shared;

pub(super) async fn show(shared: &Shared) {
    match shared.agent.as_ref().and_then(|agent| agent.backend.log.clone()) {
        Some(log) => files::show(shared, &log, "the log").await,
        None => {
            let name = shared.with_session(|session| session.facts.name.clone()).unwrap_or_default();
            files::message(shared, MessageType::INFO, format!("finch's log {}.", kept(&name))).await;
        }
    }
}

/// Where an editor of this name keeps what its servers write to stderr. The table in docs/editors.md says the same.
fn kept(client: &str) -> &'static str {
    match client.to_lowercase().as_str() {
        "neovim" => {
            "is in Neovim's log of language servers: `:Finch log` or `:lua vim.cmd.edit(require('vim.lsp.log').get_filename())`"
        }
        "helix" => "is in Helix's log: `:log-open`; start Helix with `-v` for more",
        "eglot" => "is in a buffer: `M-x eglot-stderr-buffer`",
        "emacs" => "is in the buffer `*finch::stderr*`",
        name if name.contains("code") || name == "vscodium" || name == "cursor" => {
            "is in the Output panel, under finch: the command \"finch: Show the Log\""
        }
        _ => "goes to stderr: it is where your editor keeps the output of its language servers (docs/editors.md)",
    }
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[track_caller]
    fn check(client: &str, says: &str) {
        assert!(kept(client).contains(says), "{client}: {}", kept(client));
    }

    #[test]
    fn each_editor_is_told_where_it_keeps_the_log() {
        check("Neovim", ":Finch log");
        check("helix", ":log-open");
        check("Eglot", "eglot-stderr-buffer");
        check("emacs", "*finch::stderr*");
        check("Visual Studio Code", "Output panel");
        check("Visual Studio Code - Insiders", "Output panel");
        check("", "goes to stderr");
    }
}
