//! The file of the store: how it is opened, and what becomes of one that cannot be used.
//!
//! Opening, migrating and moving aside happen under a lock, one process at a time. Invariant: the file is never opened
//! by other means than SQLite's while it is in use: closing it would give up the locks that SQLite holds for this process.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::{
    StoreError,
    schema::{APPLICATION_ID, STEPS, migrate},
};
use crate::{
    limits::{STORE_BAD_MAX, STORE_LOG_BYTES, STORE_LOOK, STORE_WAIT},
    lock,
};

/// What SQLite keeps beside the file, by the ends of the names.
const BESIDE: &[&str] = &["", "-wal", "-shm", "-journal"];

#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// None while it has to be opened anew.
    opened: Mutex<Option<Opened>>,
}

#[derive(Debug)]
struct Opened {
    connection: Connection,
    identity: Option<Identity>,
}

/// Tells a file from one that took its name.
type Identity = (u64, u64);

/// What ended a piece of work.
#[derive(Debug)]
pub(super) enum Failed {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why a file is not opened.
enum Unopened {
    /// It has to go.
    Bad(String),
    Failed(StoreError),
}

impl StateFile {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = open(path)?;
        Ok(Self { path: path.to_owned(), opened: Mutex::new(Some(opened)) })
    }

    /// Looks something up in one state of the file.
    pub(super) fn read<T>(&self, work: impl Fn(&Transaction<'_>) -> Result<T, Failed>) -> Result<T, StoreError> {
        self.transact(TransactionBehavior::Deferred, work)
    }

    /// Changes the file: all of it, or nothing if the work fails.
    pub(super) fn change<T>(&self, work: impl Fn(&Transaction<'_>) -> Result<T, Failed>) -> Result<T, StoreError> {
        self.transact(TransactionBehavior::Immediate, work)
    }

    /// Gives room that is no longer needed back to the disk.
    pub(super) fn shrink(&self) -> Result<(), StoreError> {
        self.with(|connection| {
            // It gives back a page a row.
            let mut statement = connection.prepare("PRAGMA incremental_vacuum")?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        })
    }

    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        self.with(|connection| {
            let transaction = Transaction::new(connection, behavior)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Works on the file; if it turns out to be damaged, on a new one.
    fn with<T>(&self, work: impl Fn(&mut Connection) -> Result<T, Failed>) -> Result<T, StoreError> {
        let mut place = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_second_try = false;
        loop {
            // Another process may have moved it aside.
            let here = place.take().filter(|opened| opened.identity == identity(&self.path));
            let opened = place.insert(match here {
                Some(opened) => opened,
                None => open(&self.path)?,
            });
            match work(&mut opened.connection) {
                Ok(done) => return Ok(done),
                Err(Failed::Store(error)) => return Err(error),
                Err(Failed::Sql(error)) if is_damage(&error) && !is_second_try => {
                    let identity = opened.identity;
                    *place = None;
                    is_second_try = true;
                    let _lock = lock::take(&self.path)?;
                    if self::identity(&self.path) == identity {
                        move_aside(&self.path, &error.to_string())?;
                    }
                }
                Err(Failed::Sql(source)) => return Err(StoreError::Database { path: self.path.clone(), source }),
            }
        }
    }
}

fn open(path: &Path) -> Result<Opened, StoreError> {
    let _lock = lock::take(path)?;
    match open_as_it_is(path) {
        Ok(opened) => return Ok(opened),
        Err(Unopened::Failed(error)) => return Err(error),
        Err(Unopened::Bad(reason)) => move_aside(path, &reason)?,
    }
    open_as_it_is(path).map_err(|unopened| match unopened {
        Unopened::Failed(error) => error,
        Unopened::Bad(reason) => StoreError::Disk { path: path.to_owned(), source: io::Error::other(reason) },
    })
}

fn open_as_it_is(path: &Path) -> Result<Opened, Unopened> {
    prepare(path)?;
    let failed = |source: rusqlite::Error| {
        if is_damage(&source) {
            return Unopened::Bad(source.to_string());
        }
        Unopened::Failed(StoreError::Database { path: path.to_owned(), source })
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_handler(Some(wait)).map_err(failed)?;
    let version = version(&connection).map_err(failed)?;
    let version = version.map_err(Unopened::Bad)?;
    set_up(&connection, version).map_err(failed)?;
    migrate(&mut connection, version, STEPS).map_err(failed)?;
    let missing = missing_table(&connection).map_err(failed)?;
    if let Some(table) = missing {
        return Err(Unopened::Bad(format!("it has no table {table}")));
    }
    Ok(Opened { connection, identity: identity(path) })
}

/// Sees to it that there is a plain file that is its owner's alone.
fn prepare(path: &Path) -> Result<(), Unopened> {
    let failed = |source| Unopened::Failed(StoreError::Disk { path: path.to_owned(), source });
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(Unopened::Bad("it is no file".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            // Nobody has it open yet, so that closing it gives up no lock.
            options.open(path).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    // SQLite gives what it makes beside the file the rights of the file.
    #[cfg(unix)]
    for beside in names(path) {
        use std::os::unix::fs::PermissionsExt as _;
        let is_open_to_others = |found: &fs::Metadata| found.permissions().mode() & 0o077 != 0;
        if fs::symlink_metadata(&beside).is_ok_and(|found| found.is_file() && is_open_to_others(&found)) {
            fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        }
    }
    Ok(())
}

/// The version of the tables, 0 if there are none yet; or why they are none of this finch.
fn version(connection: &Connection) -> rusqlite::Result<Result<usize, String>> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(Ok(0));
    }
    if number("application_id")? != i64::from(APPLICATION_ID) {
        return Ok(Err("it is a database of another program".to_owned()));
    }
    let version = number("user_version")?;
    Ok(match usize::try_from(version) {
        Ok(version @ 1..) if version <= STEPS.len() => Ok(version),
        _ => Err(format!("it is of version {version}, and this finch knows versions up to {}", STEPS.len())),
    })
}

/// Waits a moment for another process; false when it was waited for long enough. SQLite's own pauses grow so long that one
/// who writes much keeps others out.
fn wait(looks: i32) -> bool {
    std::thread::sleep(STORE_LOOK);
    STORE_LOOK.saturating_mul(looks.unsigned_abs()) < STORE_WAIT
}

fn set_up(connection: &Connection, version: usize) -> rusqlite::Result<()> {
    // It has an effect only before there are tables. Afterwards it would write all the same, and wait for other writers.
    if version == 0 {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // On some network drives there is no such log; it works without, but slower.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", STORE_LOG_BYTES as i64)?;
    // What is said to be kept outlives a loss of power too.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Text that is removed is gone from the file.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

fn missing_table(connection: &Connection) -> rusqlite::Result<Option<&'static str>> {
    for table in ["tasks", "pinned", "messages", "files", "change_sets", "changes"] {
        if !connection.table_exists(None, table)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Moves the file, and what belongs to it, to names that are not taken. The lock is held.
fn move_aside(path: &Path, reason: &str) -> Result<(), StoreError> {
    let named = |end: &str| PathBuf::from(with_end(path, end));
    let numbered = (2..=STORE_BAD_MAX).map(|number| named(&format!(".bad{number}")));
    let aside = std::iter::once(named(".bad")).chain(numbered).find(|path| fs::symlink_metadata(path).is_err());
    let aside = aside.unwrap_or_else(|| named(".bad"));
    for (from, to) in names(path).zip(names(&aside)) {
        let moved = match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::remove_file(&to) {
                // What belonged to an older one of the name.
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            moved => moved,
        };
        moved.map_err(|source| StoreError::NotMovedAside { path: from.clone(), reason: reason.to_owned(), source })?;
    }
    tracing::warn!(
        "{} could not be used ({reason}); it is {} now, and a new one is begun: tasks that were broken off are not known",
        path.display(),
        aside.display()
    );
    Ok(())
}

fn names(path: &Path) -> impl Iterator<Item = PathBuf> {
    BESIDE.iter().map(move |end| PathBuf::from(with_end(path, end)))
}

fn with_end(path: &Path, end: &str) -> OsString {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// A file that is open keeps its name there.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    path.exists().then_some((0, 0))
}
