//! The tables, and how those of an older finch become these.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Marks the file as finch's.
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"fnch");

/// Each makes the tables of one version out of those of the version before. What was released is not changed any more.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE tasks (
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        workspace BLOB NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        state TEXT NOT NULL,
        plan BLOB,
        approved TEXT,
        made_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,
        owner_pid INTEGER,
        owner_place TEXT,
        owner_started TEXT,
        system TEXT NOT NULL DEFAULT '',
        summary TEXT
    );
    CREATE INDEX tasks_by_workspace ON tasks (workspace, made_ms);
    CREATE INDEX tasks_by_age ON tasks (changed_ms);
    CREATE TABLE pinned (
        row INTEGER PRIMARY KEY,
        task INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
        title TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX pinned_by_task ON pinned (task, row);
    CREATE TABLE messages (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        task INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
        part TEXT NOT NULL,
        json TEXT NOT NULL
    );
    CREATE INDEX messages_by_task ON messages (task, part, row);
    CREATE TABLE files (
        task INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
        name TEXT NOT NULL,
        PRIMARY KEY (task, name)
    ) WITHOUT ROWID;
    CREATE TABLE change_sets (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        task INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE
    );
    CREATE INDEX change_sets_by_task ON change_sets (task, number);
    CREATE TABLE changes (
        row INTEGER PRIMARY KEY,
        number INTEGER NOT NULL REFERENCES change_sets ON DELETE CASCADE,
        path BLOB NOT NULL,
        renamed_from BLOB,
        encoding TEXT NOT NULL,
        base TEXT,
        after TEXT
    );
    CREATE INDEX changes_by_set ON changes (number, row);
"];

/// Carries the tables from `version` on through the steps that are left, each whole or not at all.
pub(super) fn migrate(connection: &mut Connection, version: usize, steps: &[&str]) -> rusqlite::Result<()> {
    for (number, step) in (1_i64..).zip(steps).skip(version) {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
