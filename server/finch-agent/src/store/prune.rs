//! Which tasks are kept no longer: those that are old, too many, or too much. One that a process is at stays.

use rusqlite::{Transaction, params};

use super::{file::Failed, task};
use crate::limits::{STORE_BYTES_MAX, TASK_AGE_MAX, TASKS_MAX};

/// Removes them, with all that belongs to them; says how many.
pub(super) fn prune(db: &Transaction<'_>, now_ms: i64) -> Result<usize, Failed> {
    let oldest_ms = now_ms.saturating_sub(TASK_AGE_MAX.as_millis() as i64);
    let old = rows(db, "SELECT * FROM tasks WHERE changed_ms < ?", oldest_ms)?;
    let many = rows(
        db,
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY workspace ORDER BY row DESC) AS place FROM tasks) \
         WHERE place > ?",
        TASKS_MAX as i64,
    )?;
    let mut removed = 0;
    for row in old.into_iter().chain(many) {
        removed += remove(db, row)?;
    }
    Ok(removed + prune_to(db, STORE_BYTES_MAX)?)
}

/// Removes the oldest until what is kept is at most so many bytes.
pub(super) fn prune_to(db: &Transaction<'_>, bytes_max: u64) -> Result<usize, Failed> {
    if used_bytes(db)? <= bytes_max {
        return Ok(0);
    }
    let mut removed = 0;
    for row in rows(db, "SELECT * FROM tasks WHERE row > ? ORDER BY changed_ms", -1)? {
        removed += remove(db, row)?;
        if used_bytes(db)? <= bytes_max {
            break;
        }
    }
    Ok(removed)
}

/// The rows that a query gives, without those of tasks that a process is at.
fn rows(db: &Transaction<'_>, sql: &str, bound: i64) -> Result<Vec<i64>, Failed> {
    let mut statement = db.prepare(sql)?;
    let mut found = statement.query([bound])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        match task::read(row)? {
            Ok(task) if task.is_held() => {}
            _ => rows.push(row.get("row")?),
        }
    }
    Ok(rows)
}

fn remove(db: &Transaction<'_>, row: i64) -> Result<usize, Failed> {
    Ok(db.execute("DELETE FROM tasks WHERE row = ?", params![row])?)
}

fn used_bytes(db: &Transaction<'_>) -> Result<u64, Failed> {
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = number("page_count")? - number("freelist_count")?;
    Ok((pages * number("page_size")?).unsigned_abs())
}
