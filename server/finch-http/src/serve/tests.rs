//! The door from outside: raw bytes on real connections, and what comes back.

mod bounds;
mod files;
mod flood;
mod framing;
mod guard;
mod life;
mod log;
mod server;
mod told;
