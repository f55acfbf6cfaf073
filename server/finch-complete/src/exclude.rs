//! Files that ghost text never reads, because they tend to hold secrets.
//!
//! Pure matching of paths against patterns. The defaults always apply first; the user's patterns add to them,
//! and one that starts with `!` takes a file back in. The last pattern that matches decides.

/// Names of files and directories that hold keys, passwords or tokens.
const DEFAULTS: &[&str] = &[
    ".env*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p8",
    "*.p12",
    "*.pfx",
    "*.ppk",
    "*.crt",
    "*.cer",
    "*.der",
    "*.csr",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.asc",
    "*.gpg",
    "*.pgp",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "authorized_keys",
    "known_hosts",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".vault-token",
    "*.tfvars",
    "*.tfstate",
    "*.tfstate.backup",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.yaml",
    "credentials.yml",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secrets.ini",
    "secrets.txt",
    "shadow",
    ".docker/config.json",
    ".kube/config",
    ".ssh/",
    ".gnupg/",
    ".aws/",
    ".azure/",
    ".finch/",
    "secrets/",
    ".secrets/",
];

/// Which files are excluded. A clone is cheap enough to make per configuration, not per key.
#[derive(Debug, Clone)]
pub struct Excludes {
    patterns: Vec<Pattern>,
}

impl Default for Excludes {
    fn default() -> Self {
        Self::with(std::iter::empty::<&str>())
    }
}

impl Excludes {
    /// The defaults and then the user's patterns.
    ///
    /// `*` and `?` stand for characters of one name, `**` for any number of directories. A pattern matches a run
    /// of names anywhere in the path, so `secrets/` excludes everything below such a directory. Case is ignored.
    pub fn with(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let defaults = DEFAULTS.iter().map(|&pattern| Pattern::new(pattern));
        let users = patterns.into_iter().map(|pattern| Pattern::new(pattern.as_ref()));
        Self { patterns: defaults.chain(users).filter(|pattern| !pattern.names.is_empty()).collect() }
    }

    /// Whether the file at `path` is excluded.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        let names: Vec<&str> = path.split(['/', '\\']).filter(|name| !name.is_empty()).collect();
        let verdict = self.patterns.iter().rev().find(|pattern| pattern.matches(&names));
        verdict.is_some_and(|pattern| pattern.verdict == Verdict::Excluded)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Excluded,
    Included,
}

#[derive(Debug, Clone)]
struct Pattern {
    verdict: Verdict,
    names: Vec<String>,
    /// It ends in `/`: it names a directory, so the file itself must stand below it.
    directory: bool,
}

impl Pattern {
    fn new(pattern: &str) -> Self {
        let pattern = pattern.trim().to_lowercase().replace('\\', "/");
        let (verdict, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (Verdict::Included, rest),
            None => (Verdict::Excluded, pattern.as_str()),
        };
        let names = pattern.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { verdict, names, directory: pattern.ends_with('/') }
    }

    fn matches(&self, path: &[&str]) -> bool {
        (0..path.len()).any(|start| self.matches_run(&self.names, &path[start..]))
    }

    /// Whether the names in the pattern match the first names of the path.
    fn matches_run(&self, names: &[String], path: &[&str]) -> bool {
        match (names.split_first(), path.split_first()) {
            (None, rest) => rest.is_some() || !self.directory,
            (Some((first, names)), _) if first == "**" => {
                (0..=path.len()).any(|skipped| self.matches_run(names, &path[skipped..]))
            }
            (Some((first, names)), Some((name, path))) => {
                name_matches(first.as_bytes(), name.as_bytes()) && self.matches_run(names, path)
            }
            (Some(_), None) => false,
        }
    }
}

/// Matches with at most one place to go back to, so that no pattern takes more than a square of the lengths.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((star_at, star_read)) = star else { return false };
                at = star_at + 1;
                read = star_read + 1;
                star = Some((star_at, read));
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests;
