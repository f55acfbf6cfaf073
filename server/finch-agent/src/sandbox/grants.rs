//! What the user lets every command have beside the workspace: build caches to write, toolchains to read, names of
//! variables. What would give it more than that is refused, whoever lists it.

use std::path::{Component, Path, PathBuf};

use crate::rules::{is_guarded_name, is_secret, is_system};

/// What the user lists, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Folders that may be written. `~/` is the home folder.
    pub caches: Vec<String>,
    /// Folders and files that may be read.
    pub readable: Vec<String>,
    /// Names of variables.
    pub environment: Vec<String>,
    /// The home folder of the user.
    pub user_home: Option<PathBuf>,
    pub finch_home: PathBuf,
    /// Where programs are looked for.
    pub programs: Vec<PathBuf>,
}

/// What of it is given. Paths are canonical, and there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub(crate) writable: Vec<PathBuf>,
    pub(crate) readable: Vec<PathBuf>,
    pub(crate) environment: Vec<String>,
}

/// An entry that is not given, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry} is not given to commands: {why}")]
pub struct Refused {
    pub entry: String,
    pub why: &'static str,
}

/// Places in a home folder where keys and passwords are, whatever else is there.
const SECRET_PLACES: &[&str] = &[
    ".aws",
    ".azure",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/gh",
    ".config/google-chrome",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".local/share/keyrings",
    ".mozilla",
    ".netrc",
    ".npmrc",
    ".password-store",
    ".pypirc",
    ".ssh",
    "Library/Keychains",
];
/// Files in a home folder that shells run at their start.
const STARTERS: &[&str] = &[".bash_profile", ".bashrc", ".profile", ".zshenv", ".zshrc", ".config/autostart"];
/// Folders of the system: readable already, or no files, and never to be written.
const SYSTEM: &[&str] =
    &["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/run"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Write,
    Read,
}

impl Grants {
    /// What is given of what is wished. What is not there is left out without a word.
    #[must_use]
    pub fn of(wishes: &Wishes) -> (Self, Vec<Refused>) {
        let (mut grants, mut refused) = (Self::default(), Vec::new());
        let mut refuse = |entry: &str, why| refused.push(Refused { entry: entry.to_owned(), why });
        for entry in &wishes.caches {
            match place(entry, Use::Write, wishes) {
                Ok(place) => grants.writable.extend(place),
                Err(why) => refuse(entry, why),
            }
        }
        for entry in &wishes.readable {
            match place(entry, Use::Read, wishes) {
                Ok(place) => grants.readable.extend(place),
                Err(why) => refuse(entry, why),
            }
        }
        for name in &wishes.environment {
            match crate::tools::bash::may_be_seen(name) {
                true => grants.environment.push(name.clone()),
                false => refuse(name, "the variable is finch's, holds a secret by its name, or is run by shells"),
            }
        }
        (grants, refused)
    }
}

/// The place of an entry, if it is there.
fn place(entry: &str, purpose: Use, wishes: &Wishes) -> Result<Option<PathBuf>, &'static str> {
    let path = match (entry.strip_prefix("~/").or((entry == "~").then_some("")), &wishes.user_home) {
        (Some(rest), Some(home)) => home.join(rest),
        (Some(_), None) => return Err("this user has no home folder"),
        (None, _) => PathBuf::from(entry),
    };
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err("write a whole path, or one that begins with ~/, without `..`");
    }
    allowed(&path, purpose, wishes)?;
    let Ok(canonical) = path.canonicalize() else { return Ok(None) };
    allowed(&canonical, purpose, wishes)?;
    if purpose == Use::Write && !canonical.is_dir() {
        return Err("it is no folder");
    }
    Ok(Some(canonical))
}

fn allowed(path: &Path, purpose: Use, wishes: &Wishes) -> Result<(), &'static str> {
    let holds = |other: &Path| other.starts_with(path);
    let meets = |other: &Path| holds(other) || path.starts_with(other);
    let homes = wishes.user_home.iter().flat_map(|home| [Some(home.clone()), home.canonicalize().ok()]).flatten();
    let homes: Vec<PathBuf> = homes.collect();
    if path == Path::new("/") || homes.iter().any(|home| holds(home)) {
        return Err("the home folder is in it; name the folder that is needed");
    }
    if [wishes.finch_home.clone()].into_iter().chain(wishes.finch_home.canonicalize()).any(|home| meets(&home)) {
        return Err("finch's own folder holds keys and answers");
    }
    let in_homes = |names: &[&str], met: &dyn Fn(&Path) -> bool| {
        homes.iter().any(|home| names.iter().any(|name| met(&home.join(name))))
    };
    if is_secret(path) || in_homes(SECRET_PLACES, &meets) {
        return Err("keys or passwords are kept there");
    }
    let temporary = std::env::temp_dir();
    if holds(&temporary) || temporary.canonicalize().is_ok_and(|it| holds(&it)) {
        return Err("temporary files of all programs are in it; a command has a folder of its own for them");
    }
    if is_system(path) {
        return Err("it is the system's, and no file");
    }
    if purpose == Use::Read {
        return Ok(());
    }
    if SYSTEM.iter().any(|folder| meets(Path::new(folder))) {
        return Err("it is the system's");
    }
    if wishes.programs.iter().any(|folder| folder.is_absolute() && meets(folder)) {
        return Err("programs that you run are in it");
    }
    let is_guarded = path.iter().any(|name| is_guarded_name(&name.to_string_lossy()));
    if is_guarded || in_homes(STARTERS, &meets) {
        return Err("editors, shells or git run what is in it");
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    struct Home {
        folder: tempfile::TempDir,
    }

    impl Home {
        fn new() -> Self {
            // Not where temporary files are: those are refused.
            let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/../../target").unwrap();
            let folders = [".cargo/registry", ".cargo/bin", ".ssh", ".finch", ".npm", ".config/nvim", "link"];
            for name in folders {
                std::fs::create_dir_all(folder.path().join(name)).unwrap();
            }
            std::fs::write(folder.path().join(".cargo/env"), "").unwrap();
            std::os::unix::fs::symlink(folder.path().join(".ssh"), folder.path().join("keys")).unwrap();
            Self { folder }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().canonicalize().unwrap().join(name)
        }

        fn wishes(&self) -> Wishes {
            Wishes {
                user_home: Some(self.at("")),
                finch_home: self.at(".finch"),
                programs: vec![self.at(".cargo/bin"), "/usr/bin".into()],
                ..Wishes::default()
            }
        }

        #[track_caller]
        fn check(&self, entry: &str, write: Result<(), &str>, read: Result<(), &str>) {
            let told = |(_, refused): (Grants, Vec<Refused>)| refused.first().map(ToString::to_string);
            let entries = vec![entry.to_owned()];
            let written = told(Grants::of(&Wishes { caches: entries.clone(), ..self.wishes() }));
            let seen = told(Grants::of(&Wishes { readable: entries, ..self.wishes() }));
            for (found, expected) in [(written, write), (seen, read)] {
                match (found, expected) {
                    (None, Ok(())) => {}
                    (Some(told), Err(part)) if told.contains(part) && told.starts_with(entry) => {}
                    other => panic!("{entry}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn homes_secrets_and_what_is_run_are_refused() {
        let home = Home::new();
        home.check("~/.cargo/registry", Ok(()), Ok(()));
        home.check("~/.nothing-there", Ok(()), Ok(()));
        home.check("~/.cargo/bin", Err("programs that you run"), Ok(()));
        home.check("~/.config/nvim", Ok(()), Ok(()));
        home.check("/opt/cache", Ok(()), Ok(()));
        for entry in ["~", "~/", "/", &home.at("").to_string_lossy(), "/opt/.."] {
            let why = if entry.ends_with("..") { "without `..`" } else { "home folder is in it" };
            home.check(entry, Err(why), Err(why));
        }
        for entry in ["~/.ssh", "~/.ssh/x", "~/keys", "~/.cargo", "~/.config", "~/.aws", "~/.gnupg", "~/.local"] {
            home.check(entry, Err("keys or passwords"), Err("keys or passwords"));
        }
        for entry in ["~/.finch", "~/.finch/models"] {
            home.check(entry, Err("finch's own"), Err("finch's own"));
        }
        home.check("registry", Err("whole path"), Err("whole path"));
        let temporary = std::env::temp_dir();
        // A checkout may lie among temporary files itself.
        let is_around = home.at("").starts_with(temporary.canonicalize().unwrap());
        let why = if is_around { "home folder is in it" } else { "temporary files" };
        home.check(&temporary.to_string_lossy(), Err(why), Err(why));
        for entry in ["/usr/lib", "/etc"] {
            home.check(entry, Err("the system's"), Ok(()));
        }
        for entry in ["/dev", "/proc/1"] {
            home.check(entry, Err("the system's"), Err("the system's"));
        }
        for entry in ["~/x/.git", "~/.vscode", "~/.bashrc", "~/.config/autostart"] {
            home.check(entry, Err("editors, shells or git"), Ok(()));
        }
        home.check("~/.cargo/env", Err("no folder"), Ok(()));
    }

    #[test]
    fn what_is_there_is_given_by_its_real_name() {
        let home = Home::new();
        let entries = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let (grants, refused) = Grants::of(&Wishes {
            caches: entries(&["~/.npm", "~/.gone"]),
            readable: entries(&["~/.cargo/bin", "~/.cargo/env"]),
            environment: entries(&["CARGO_HOME", "NPM_TOKEN", "LD_PRELOAD", "FINCH_HOME"]),
            ..home.wishes()
        });
        assert_eq!(grants.writable, [home.at(".npm")]);
        assert_eq!(grants.readable, [home.at(".cargo/bin"), home.at(".cargo/env")]);
        assert_eq!(grants.environment, ["CARGO_HOME"]);
        let names: Vec<&str> = refused.iter().map(|refused| refused.entry.as_str()).collect();
        assert_eq!(names, ["NPM_TOKEN", "LD_PRELOAD", "FINCH_HOME"]);
    }
}
