//! From the name that an editor gives a document to the path that patterns and prompts look at.

use std::path::PathBuf;

use tower_lsp::lsp_types::Url;

/// The file's path, or whatever names a buffer without a file.
pub(crate) fn path_of(uri: &str) -> String {
    let Ok(url) = Url::parse(uri) else { return uri.to_owned() };
    match url.to_file_path() {
        Ok(path) => path.to_string_lossy().into_owned(),
        Err(()) => url.path().to_owned(),
    }
}

/// The folder on this machine that a URI names, if it names one.
pub(crate) fn folder_of(uri: &str) -> Option<PathBuf> {
    Url::parse(uri).ok()?.to_file_path().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, path: &str) {
        assert_eq!(path_of(uri), path);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_found_in_any_uri_so_that_nothing_slips_past_the_excludes() {
        check("file:///home/a/b.rs", "/home/a/b.rs");
        check("file:///home/a%20b/%2Eenv", "/home/a b/.env");
        check("untitled:Untitled-1", "Untitled-1");
        check("vscode-remote://wsl/home/a/.env", "/home/a/.env");
        check("/plain/.env", "/plain/.env");
        check("", "");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_one_of_this_machine() {
        for (uri, folder) in [
            ("file:///home/a%20b", Some("/home/a b")),
            ("vscode-remote://wsl/home/a", None),
            ("untitled:a", None),
            ("/home/a", None),
        ] {
            assert_eq!(folder_of(uri), folder.map(PathBuf::from), "{uri}");
        }
    }
}
