//! The configuration in a workspace: the user's, with what the project's own file settles where the user trusts it.

use std::path::{Path, PathBuf};

use crate::config::{Config, project};
use crate::trust::Trust;

/// What holds in a workspace.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) config: Config,
    /// What is wrong with the project's file, with its place.
    pub(crate) complaints: Vec<String>,
    pub(crate) file: ProjectFile,
}

/// A project's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProjectFile {
    Absent,
    /// It is there, and was not read.
    Untrusted {
        path: PathBuf,
        workspace: PathBuf,
    },
    Trusted {
        path: PathBuf,
    },
}

impl ProjectFile {
    /// What there is to say of it.
    pub(crate) fn said(&self) -> Option<String> {
        // A folder may be called anything, and a log and a terminal obey control characters.
        let shown = |path: &Path| -> String {
            path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        };
        match self {
            Self::Absent => None,
            Self::Untrusted { path, workspace } => Some(format!(
                "{} is not read, for you have not said that you trust the folder; look at it, and then run `finch trust \
                 give {}`",
                shown(path),
                shown(workspace)
            )),
            Self::Trusted { path } => Some(format!("{} is read, for you trust the folder", shown(path))),
        }
    }
}

/// The user's configuration as it holds in a workspace.
pub(crate) fn settle(user: &Config, workspace: &Path, trust: &Trust) -> Settled {
    let path = project::path(workspace);
    let unchanged = |file| Settled { config: user.clone(), complaints: Vec::new(), file };
    // What cannot be looked at is read, if it is trusted, and then says what is wrong.
    if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return unchanged(ProjectFile::Absent);
    }
    let trusted = trust.trusts(workspace);
    let file = match trusted {
        project::Trust::Unknown => return unchanged(ProjectFile::Untrusted { path, workspace: workspace.to_owned() }),
        project::Trust::Trusted => ProjectFile::Trusted { path },
    };
    match project::read(workspace, trusted) {
        Ok(None) => unchanged(ProjectFile::Absent),
        Ok(Some((read, notes))) => {
            let (config, looser) = project::merge(user, &read);
            let mut problems = notes.into_sorted();
            problems.extend(looser);
            Settled { config, complaints: problems.iter().map(ToString::to_string).collect(), file }
        }
        Err(error) => {
            // It may have said that nothing leaves.
            let mut config = user.clone();
            config.router.keep_here();
            let complaint = format!("{error}; nothing of this project leaves this machine until that is mended");
            Settled { config, complaints: vec![complaint], file }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_folder_cannot_write_lines_of_a_log() {
        let file =
            ProjectFile::Untrusted { path: "/a\n[INFO]/.finch/config.toml".into(), workspace: "/a\n[INFO]".into() };
        let said = file.said().unwrap();
        assert!(!said.contains(char::is_control) && said.contains("finch trust give /a\u{fffd}[INFO]"), "{said}");
        assert_eq!(ProjectFile::Absent.said(), None);
    }
}
