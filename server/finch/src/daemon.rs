//! The daemon: one process per FINCH_HOME that loads the model once, for every editor and whoever speaks HTTP.
//!
//! In reading order: `run` is its life from the lock to the last answer, on a `port`, with `models` behind the door and
//! `settings` that follow the configuration; `start` finds it or starts it from another process, once the `version` was
//! looked at; `attach` lets one that runs answer for a command; `stop` ends it. `lock`, `log` and `unit` are what they stand on. docs/daemon.md tells the same to people.

pub(crate) mod attach;
mod lock;
mod log;
mod models;
mod port;
pub(crate) mod run;
mod settings;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod unit;
mod version;
