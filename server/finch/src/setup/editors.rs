//! How the editors on this machine are connected, in a line or two each. Pure; the words are those of `docs/editors.md`, and a
//! test holds them to it.

/// The programs of the editors that something can be said of.
pub(crate) const PROGRAMS: [&str; 6] = ["nvim", "code", "codium", "emacs", "hx", "zed"];

const MORE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/editors.md");

/// How an editor is connected.
#[derive(Debug)]
struct Editor {
    program: &'static str,
    name: &'static str,
    how: &'static [&'static str],
}

const EDITORS: &[Editor] = &[
    Editor {
        program: "nvim",
        name: "Neovim",
        how: &["vim.opt.runtimepath:append('/path/to/finch/editors/nvim')", "require('finch').setup{}"],
    },
    Editor {
        program: "code",
        name: "VS Code",
        how: &["cd editors/vscode && npm ci && npm run package", "code --install-extension finch-0.1.0.vsix"],
    },
    Editor {
        program: "codium",
        name: "VSCodium",
        how: &["cd editors/vscode && npm ci && npm run package", "codium --install-extension finch-0.1.0.vsix"],
    },
    Editor {
        program: "emacs",
        name: "Emacs",
        how: &["lsp-mode 10, and lsp-register-client with (lsp-stdio-connection '(\"finch\" \"lsp\"))"],
    },
    Editor { program: "hx", name: "Helix", how: &["shows no ghost text: it has no inline completion"] },
    Editor { program: "zed", name: "Zed", how: &["shows no ghost text: it has no inline completion"] },
];

/// What is said of the programs that were found; nothing if there are none.
pub(crate) fn lines(found: &[&str]) -> String {
    let known: Vec<&Editor> = EDITORS.iter().filter(|editor| found.contains(&editor.program)).collect();
    if known.is_empty() {
        return String::new();
    }
    let mut lines = "\neditors found here, and how to connect each:\n".to_owned();
    for editor in known {
        for (place, how) in editor.how.iter().enumerate() {
            let name = if place == 0 { editor.name } else { "" };
            lines.push_str(&format!("  {name:9} {how}\n"));
        }
    }
    lines.push_str(&format!("more: {MORE}\n"));
    lines
}

#[cfg(test)]
mod tests {
    use super::{EDITORS, PROGRAMS, lines};

    #[track_caller]
    fn check(found: &[&str], expected: &str) {
        assert_eq!(lines(found), expected);
    }

    #[test]
    fn each_editor_that_was_found_is_named_with_its_way() {
        check(&[], "");
        check(&["vi", "ed"], "");
        let expected = "
editors found here, and how to connect each:
  Neovim    vim.opt.runtimepath:append('/path/to/finch/editors/nvim')
            require('finch').setup{}
  VS Code   cd editors/vscode && npm ci && npm run package
            code --install-extension finch-0.1.0.vsix
  Helix     shows no ghost text: it has no inline completion
more: https://github.com/darwin-finch/finch/blob/main/docs/editors.md
";
        check(&["hx", "code", "nvim"], expected);
    }

    #[test]
    fn every_program_that_is_looked_for_is_an_editor_with_something_to_say() {
        assert_eq!(EDITORS.iter().map(|editor| editor.program).collect::<Vec<_>>(), PROGRAMS);
        assert!(EDITORS.iter().all(|editor| (1..=2).contains(&editor.how.len())));
    }

    #[test]
    fn the_documents_say_the_same() {
        let document = include_str!("../../../../docs/editors.md");
        for editor in EDITORS {
            for part in editor.how.iter().flat_map(|how| how.split(" && ")) {
                let part = part.replace("codium --", "code --");
                let parts = match editor.program {
                    "emacs" => {
                        vec!["lsp-mode 10", "lsp-register-client", "(lsp-stdio-connection '(\"finch\" \"lsp\"))"]
                    }
                    "hx" | "zed" => vec![editor.name, "show no ghost text", "inline completion"],
                    _ => vec![part.as_str()],
                };
                for part in parts {
                    assert!(document.contains(part), "docs/editors.md says nothing of {part}");
                }
            }
        }
    }
}
