//! What a tool call would do to the world, in the words in which it is permitted.

use std::path::PathBuf;

/// One effect of a tool call. The user is shown exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads a file or a folder. The path is canonical, or that of its nearest parent is.
    Read { path: PathBuf },
    /// Makes, changes or removes a file; `diff` is the whole of it in unified form.
    Write { path: PathBuf, diff: String },
    /// Runs a command.
    Run { command: String, cwd: PathBuf, network: Network },
    /// Fetches an address.
    Fetch { url: String },
    /// Calls a tool of an MCP server; `arguments` is JSON.
    Mcp { server: String, tool: String, arguments: String },
    /// Restarts finch itself: the program that runs, and no other.
    Restart { reason: String },
}

/// Whether a command may reach the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Network {
    #[default]
    Off,
    On,
}
