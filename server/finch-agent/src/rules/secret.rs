//! Files that tend to hold keys, passwords or tokens.

use std::borrow::Cow;
use std::path::Path;

use super::protected::folded_name;

const NAMES: &[&str] = &[
    ".env",
    ".envrc",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".vault-token",
    "_netrc",
    "authorized_keys",
    "credentials",
    "known_hosts",
    "shadow",
    "shadow-",
    "gshadow",
];
const BEGINNINGS: &[&str] = &[".env.", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa", "credentials.", "secrets."];
const ENDINGS: &[&str] = &[
    ".asc",
    ".env",
    ".gpg",
    ".jks",
    ".kdbx",
    ".key",
    ".keystore",
    ".p12",
    ".p8",
    ".pem",
    ".pfx",
    ".pgp",
    ".ppk",
    ".tfstate",
    ".tfstate.backup",
    ".tfvars",
];
const FOLDERS: &[&str] =
    &[".aws", ".azure", ".docker", ".gnupg", ".kube", ".password-store", ".secrets", ".ssh", "secrets"];
/// The settings of a repository may hold an address with a password.
const GIT_FILES: &[&str] = &["config", "config.worktree", "credentials"];

/// Whether the file, by its name and its folders, looks like one that holds secrets.
pub(crate) fn is_secret(path: &Path) -> bool {
    let names: Vec<Cow<'_, str>> = path.iter().map(folded_name).collect();
    let Some((last, folders)) = names.split_last() else { return false };
    let last = &**last;
    NAMES.contains(&last)
        || FOLDERS.contains(&last)
        || BEGINNINGS.iter().any(|beginning| last.starts_with(beginning))
        || ENDINGS.iter().any(|ending| last.ends_with(ending))
        || folders.iter().any(|folder| FOLDERS.contains(&&**folder))
        || (folders.last().is_some_and(|folder| folder == ".git") && GIT_FILES.contains(&last))
}
