//! The conversation of a task, kept as it grows: what an event told goes in, and the conversation comes back as it was.

use finch_llm::Message;
use rusqlite::{Transaction, params};

use super::{
    Store, StoreError, TaskId, bounded,
    file::Failed,
    record,
    task::{Found, find, free, touch},
};
use crate::{
    limits::{MESSAGE_BYTES_MAX, MESSAGES_MAX, NAMED_FILES_MAX, TASK_BYTES_MAX},
    turn::{Conversation, Pinned},
};

/// Which messages: those of the task itself, or what was said since.
#[derive(Debug, Clone, Copy)]
enum Part {
    Task,
    Said,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Said => "said",
        }
    }
}

impl Store {
    /// Keeps all of a conversation in the place of what was kept of it: where a turn begins.
    ///
    /// # Errors
    /// [`StoreError`] if it is not kept; what was there before still is.
    pub fn save(&self, id: &TaskId, conversation: &Conversation) -> Result<(), StoreError> {
        let (task, said) = (records(id, &conversation.task)?, records(id, conversation.messages())?);
        bounded("the conversation's instructions", conversation.system.len(), TASK_BYTES_MAX)?;
        self.file.change(|db| {
            let Found { row, .. } = free(db, id)?;
            let (system, summary) = (&conversation.system, &conversation.summary);
            db.execute("UPDATE tasks SET system = ?, summary = ? WHERE row = ?", params![system, summary, row])?;
            pin(db, row, &conversation.pinned)?;
            replace(db, row, Part::Task, &task)?;
            replace(db, row, Part::Said, &said)?;
            db.execute("DELETE FROM files WHERE task = ?", [row])?;
            name(db, row, conversation.files.iter().map(String::as_str))?;
            touch(db, row)
        })
    }

    /// Adds what was said, as [`Event::Said`](crate::turn::Event::Said) told it.
    ///
    /// # Errors
    /// [`StoreError`] if it is not kept.
    pub fn say(&self, id: &TaskId, message: &Message) -> Result<(), StoreError> {
        let json = written(id, message)?;
        self.file.change(|db| {
            let Found { row, .. } = free(db, id)?;
            bounded("what was said", count(db, "messages", row)? + 1, MESSAGES_MAX)?;
            add(db, row, Part::Said, &json)?;
            touch(db, row)
        })
    }

    /// Puts a summary in the place of what was said, as [`Event::Compacted`](crate::turn::Event::Compacted) told it.
    ///
    /// # Errors
    /// [`StoreError`] if it is not kept; what was there before still is.
    pub fn compact(&self, id: &TaskId, summary: &str, kept: &[Message]) -> Result<(), StoreError> {
        let kept = records(id, kept)?;
        bounded("the summary", summary.len(), TASK_BYTES_MAX)?;
        self.file.change(|db| {
            let Found { row, .. } = free(db, id)?;
            db.execute("UPDATE tasks SET summary = ? WHERE row = ?", params![summary, row])?;
            replace(db, row, Part::Said, &kept)?;
            touch(db, row)
        })
    }

    /// Puts these in the place of what was pinned.
    ///
    /// # Errors
    /// [`StoreError`] if they are not kept.
    pub fn pin(&self, id: &TaskId, pinned: &[Pinned]) -> Result<(), StoreError> {
        self.file.change(|db| {
            let Found { row, .. } = free(db, id)?;
            pin(db, row, pinned)?;
            touch(db, row)
        })
    }

    /// Notes that the conversation has text of these files, as they are called in the workspace.
    ///
    /// # Errors
    /// [`StoreError`] if it is not kept.
    pub fn add_files(&self, id: &TaskId, files: &[String]) -> Result<(), StoreError> {
        self.file.change(|db| {
            let Found { row, .. } = free(db, id)?;
            name(db, row, files.iter().map(String::as_str))?;
            touch(db, row)
        })
    }

    /// The conversation as it was kept. One that was never saved begins with the task's text.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such task, or a part cannot be read.
    pub fn load(&self, id: &TaskId) -> Result<Conversation, StoreError> {
        self.file.read(|db| {
            let Found { row, task, .. } = find(db, id)?;
            let (system, summary): (String, Option<String>) =
                db.query_row("SELECT system, summary FROM tasks WHERE row = ?", [row], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let mut conversation = Conversation::new(system, task.text);
            conversation.pinned = pinned(db, row)?;
            let of_task = messages(db, row, id, Part::Task)?;
            if !of_task.is_empty() {
                conversation.task = of_task;
            }
            let said = messages(db, row, id, Part::Said)?;
            match summary {
                Some(summary) => conversation.compact(summary, said),
                None => said.into_iter().for_each(|message| conversation.add(message)),
            }
            let mut statement = db.prepare_cached("SELECT name FROM files WHERE task = ?")?;
            for name in statement.query_map([row], |row| row.get(0))? {
                conversation.add_file(name?);
            }
            Ok(conversation)
        })
    }
}

fn written(id: &TaskId, message: &Message) -> Result<String, StoreError> {
    let unwritten = |error: record::BadRecord| StoreError::Unreadable { id: id.clone(), reason: error.to_string() };
    let json = record::write(message).map_err(unwritten)?;
    bounded("a message", json.len(), MESSAGE_BYTES_MAX)?;
    Ok(json)
}

fn records(id: &TaskId, messages: &[Message]) -> Result<Vec<String>, StoreError> {
    bounded("the conversation", messages.len(), MESSAGES_MAX)?;
    messages.iter().map(|message| written(id, message)).collect()
}

fn replace(db: &Transaction<'_>, row: i64, part: Part, records: &[String]) -> Result<(), Failed> {
    db.execute("DELETE FROM messages WHERE task = ? AND part = ?", params![row, part.name()])?;
    records.iter().try_for_each(|json| add(db, row, part, json))
}

fn add(db: &Transaction<'_>, row: i64, part: Part, json: &str) -> Result<(), Failed> {
    let mut statement = db.prepare_cached("INSERT INTO messages (task, part, json) VALUES (?, ?, ?)")?;
    statement.execute(params![row, part.name(), json])?;
    Ok(())
}

fn messages(db: &Transaction<'_>, row: i64, id: &TaskId, part: Part) -> Result<Vec<Message>, Failed> {
    let mut statement = db.prepare_cached("SELECT json FROM messages WHERE task = ? AND part = ? ORDER BY row")?;
    let mut rows = statement.query(params![row, part.name()])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable =
            |error: record::BadRecord| StoreError::Unreadable { id: id.clone(), reason: error.to_string() };
        messages.push(record::read(&row.get::<_, String>(0)?).map_err(unreadable)?);
    }
    Ok(messages)
}

fn pin(db: &Transaction<'_>, row: i64, pinned: &[Pinned]) -> Result<(), Failed> {
    let bytes = pinned.iter().map(|pinned| pinned.title.len() + pinned.text.len()).sum();
    bounded("what is pinned", bytes, MESSAGE_BYTES_MAX)?;
    db.execute("DELETE FROM pinned WHERE task = ?", [row])?;
    let mut statement = db.prepare_cached("INSERT INTO pinned (task, title, text) VALUES (?, ?, ?)")?;
    for Pinned { title, text } in pinned {
        statement.execute(params![row, title, text])?;
    }
    Ok(())
}

fn pinned(db: &Transaction<'_>, row: i64) -> Result<Vec<Pinned>, Failed> {
    let mut statement = db.prepare_cached("SELECT title, text FROM pinned WHERE task = ? ORDER BY row")?;
    let pinned = statement.query_map([row], |row| Ok(Pinned { title: row.get(0)?, text: row.get(1)? }))?;
    Ok(pinned.collect::<Result<_, _>>()?)
}

fn name<'a>(db: &Transaction<'_>, row: i64, files: impl Iterator<Item = &'a str>) -> Result<(), Failed> {
    let mut statement = db.prepare_cached("INSERT OR IGNORE INTO files (task, name) VALUES (?, ?)")?;
    for file in files {
        statement.execute(params![row, file])?;
    }
    bounded("the list of files", count(db, "files", row)?, NAMED_FILES_MAX)?;
    Ok(())
}

fn count(db: &Transaction<'_>, table: &str, row: i64) -> Result<usize, Failed> {
    let mut statement = db.prepare_cached(&format!("SELECT count(*) FROM {table} WHERE task = ?"))?;
    let count: i64 = statement.query_row([row], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}
