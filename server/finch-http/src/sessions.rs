//! What a client wants kept of a conversation, so that its next request need not say it again.
//!
//! One file for each answer, which holds the whole conversation up to it, in `daemon/sessions` of FINCH_HOME: nothing is
//! kept that a client did not ask for, all of it is the user's alone, and it goes after 30 days or when there is too much.
//! Works on files and blocks: not for an async task.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    endpoint::{FOLDER, write_private},
    limits::{SESSION_AGE_MAX, SESSION_BYTES_MAX, SESSIONS_BYTES_MAX, SESSIONS_MAX},
};

/// In the daemon's folder.
const SESSIONS_FOLDER: &str = "sessions";
/// What an id begins with; 32 hexadecimal digits follow.
pub(crate) const ID_PREFIX: &str = "resp_";
const ID_DIGITS: usize = 32;

/// Where conversations are kept.
#[derive(Debug, Clone)]
pub struct Sessions {
    folder: Arc<Path>,
}

/// A conversation up to one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// What was said, as items of `/v1/responses`.
    pub(crate) items: Vec<Value>,
    /// The answer as it was told.
    pub(crate) response: Value,
}

impl Sessions {
    /// Those of a FINCH_HOME. Nothing is read or made yet.
    #[must_use]
    pub fn of_home(home: &Path) -> Self {
        Self { folder: home.join(FOLDER).join(SESSIONS_FOLDER).into() }
    }

    /// The session of that id; none if it was never kept or is gone.
    pub(crate) fn read(&self, id: &str) -> io::Result<Option<Session>> {
        let Some(path) = self.path(id) else { return Ok(None) };
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if is_expired(metadata.modified()?, SystemTime::now()) {
            return Ok(None);
        }
        let mut text = String::new();
        // Written by this crate, with room for what stands around the items.
        let bytes_max = u64::try_from(SESSION_BYTES_MAX).unwrap_or(u64::MAX).saturating_mul(2);
        io::Read::read_to_string(&mut io::Read::take(file, bytes_max), &mut text)?;
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Keeps a session, and lets go of what is too old or too much. False if it is too big to be kept.
    pub(crate) fn write(&self, id: &str, session: &Session) -> io::Result<bool> {
        let Some(path) = self.path(id) else { return Ok(false) };
        let text = serde_json::to_string(session)?;
        if text.len() > SESSION_BYTES_MAX {
            return Ok(false);
        }
        write_private(&path, &text)?;
        self.tidy(SystemTime::now())?;
        Ok(true)
    }

    /// Whether there was one to be removed.
    pub(crate) fn remove(&self, id: &str) -> io::Result<bool> {
        let Some(path) = self.path(id) else { return Ok(false) };
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// None for what is no id of a session, such as a path.
    fn path(&self, id: &str) -> Option<PathBuf> {
        let digits = id.strip_prefix(ID_PREFIX)?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == ID_DIGITS && digits.bytes().all(is_hex)).then(|| self.folder.join(format!("{id}.json")))
    }

    /// Removes what is too old, then the oldest until the rest fits.
    fn tidy(&self, now: SystemTime) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                kept.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        kept.sort_by(|one, other| other.cmp(one));
        let mut bytes = 0;
        for (index, (modified, length, path)) in kept.into_iter().enumerate() {
            bytes += length;
            if is_expired(modified, now) || index >= SESSIONS_MAX || bytes > SESSIONS_BYTES_MAX {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// A time that lies ahead is not old: the clock was set back.
fn is_expired(modified: SystemTime, now: SystemTime) -> bool {
    now.duration_since(modified).is_ok_and(|age| age > SESSION_AGE_MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn id(number: usize) -> String {
        format!("{ID_PREFIX}{number:032x}")
    }

    fn session(text: &str) -> Session {
        Session { items: vec![json!({"role": "user", "content": text})], response: json!({"id": "x"}) }
    }

    #[test]
    fn what_is_kept_outlives_the_daemon_and_is_the_users_alone() {
        let home = tempfile::tempdir().unwrap();
        assert!(Sessions::of_home(home.path()).write(&id(1), &session("hi")).unwrap());
        let again = Sessions::of_home(home.path());
        assert_eq!(again.read(&id(1)).unwrap(), Some(session("hi")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = again.path(&id(1)).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert!(again.remove(&id(1)).unwrap());
        assert!(!again.remove(&id(1)).unwrap());
        assert_eq!(again.read(&id(1)).unwrap(), None);
    }

    #[test]
    fn an_id_is_no_path() {
        let home = tempfile::tempdir().unwrap();
        let sessions = Sessions::of_home(home.path());
        for broken in ["", "resp_", "../token", "resp_../../../token", &id(1).to_uppercase(), &id(1)[..36]] {
            assert_eq!(sessions.path(broken), None, "{broken}");
            assert_eq!(sessions.read(broken).unwrap(), None);
            assert!(!sessions.remove(broken).unwrap());
        }
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let home = tempfile::tempdir().unwrap();
        let sessions = Sessions::of_home(home.path());
        let start = SystemTime::now() - Duration::from_secs(10_000);
        for number in 0..SESSIONS_MAX + 1 {
            write_private(&sessions.path(&id(number)).unwrap(), "{}").unwrap();
            let file = fs::File::options().write(true).open(sessions.path(&id(number)).unwrap()).unwrap();
            file.set_modified(start + Duration::from_secs(u64::try_from(number).unwrap())).unwrap();
        }
        assert!(sessions.write(&id(999), &session("new")).unwrap());
        let there = |number| sessions.path(&id(number)).unwrap().exists();
        assert_eq!([there(0), there(1), there(2), there(999)], [false, false, true, true]);
    }

    #[test]
    fn what_is_old_is_gone_whether_tidied_or_not() {
        let home = tempfile::tempdir().unwrap();
        let sessions = Sessions::of_home(home.path());
        assert!(sessions.write(&id(1), &session("old")).unwrap());
        let file = fs::File::options().write(true).open(sessions.path(&id(1)).unwrap()).unwrap();
        file.set_modified(SystemTime::now() - SESSION_AGE_MAX - Duration::from_secs(60)).unwrap();
        assert_eq!(sessions.read(&id(1)).unwrap(), None);
        assert!(sessions.write(&id(2), &session("new")).unwrap());
        assert!(!sessions.path(&id(1)).unwrap().exists());
        file.set_modified(SystemTime::now() + SESSION_AGE_MAX).unwrap();
        assert_eq!(sessions.read(&id(2)).unwrap(), Some(session("new")));
    }

    #[test]
    fn what_is_too_big_is_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let sessions = Sessions::of_home(home.path());
        assert!(!sessions.write(&id(1), &session(&"x".repeat(SESSION_BYTES_MAX))).unwrap());
        assert_eq!(sessions.read(&id(1)).unwrap(), None);
    }
}
