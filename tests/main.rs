//! End-to-end tests: the real binary, real editors and a real model; one module per user story.
//!
//! `tests/run.sh` installs what they drive (ONNX Runtime, Neovim, VS Code, Emacs, Helix, llama.cpp) and runs them.

#[cfg(test)]
mod answers_from_clouds;
#[cfg(test)]
#[cfg(unix)]
mod asks_a_daemon;
#[cfg(test)]
mod asks_clouds;
#[cfg(test)]
mod asks_the_model;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod attacks;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod attacks_the_door;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod carries_out_a_plan;
#[cfg(test)]
mod changes_the_model;
#[cfg(test)]
mod chooses_a_model;
#[cfg(test)]
mod completes_a_place;
#[cfg(test)]
#[cfg(unix)]
mod configures;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod confines_commands;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod emacs;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod helix_agent;
#[cfg(test)]
mod imports_an_export;
#[cfg(test)]
mod imports_any_file;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod jumps_the_clock;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod keeps_keys;
#[cfg(test)]
mod live;
#[cfg(test)]
mod neovim;
#[cfg(test)]
mod neovim_agent;
#[cfg(test)]
mod plans_a_task;
#[cfg(test)]
#[cfg(unix)]
mod plays_a_script;
#[cfg(test)]
mod pulls_from_a_hub;
#[cfg(test)]
mod refuses_hostile_models;
#[cfg(test)]
#[cfg(unix)]
mod remembers;
#[cfg(test)]
#[cfg(unix)]
mod restarts_the_server;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod runs_a_daemon;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod serves_official_clients;
#[cfg(test)]
#[cfg(unix)]
mod sets_up;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod shares_a_daemon;
#[cfg(test)]
#[cfg(unix)]
mod small_tasks;
#[cfg(test)]
mod speaks_lsp;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod survives_a_broken_editor;
#[cfg(test)]
mod survives_faulty_clouds;
#[cfg(test)]
mod tokens_like_the_peer;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod vscode;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod vscode_agent;

#[cfg(test)]
mod tidy;

#[cfg(test)]
mod support {
    #[cfg(target_os = "linux")]
    pub(crate) mod attack;
    pub(crate) mod client;
    pub(crate) mod closed_port;
    pub(crate) mod cloud_faults;
    pub(crate) mod conformance;
    #[cfg(target_os = "linux")]
    pub(crate) mod daemon;
    #[cfg(target_os = "linux")]
    pub(crate) mod emacs;
    pub(crate) mod faulty;
    pub(crate) mod finch;
    pub(crate) mod heard;
    #[cfg(target_os = "linux")]
    pub(crate) mod helix;
    pub(crate) mod hub;
    #[cfg(unix)]
    pub(crate) mod key_server;
    pub(crate) mod llama;
    pub(crate) mod llmock;
    pub(crate) mod neovim;
    #[cfg(target_os = "linux")]
    pub(crate) mod openai_clients;
    #[cfg(target_os = "linux")]
    pub(crate) mod process;
    pub(crate) mod record;
    pub(crate) mod screen;
    #[cfg(unix)]
    pub(crate) mod scripted;
    #[cfg(unix)]
    pub(crate) mod tasks;
    #[cfg(unix)]
    pub(crate) mod terminal;
    #[cfg(unix)]
    pub(crate) mod text_editor;
    pub(crate) mod todo;
    #[cfg(unix)]
    pub(crate) mod undo;
    #[cfg(target_os = "linux")]
    pub(crate) mod vscode;
    #[cfg(unix)]
    pub(crate) mod workbench;
}
