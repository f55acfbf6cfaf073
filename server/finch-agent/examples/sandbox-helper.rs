//! The helper of the sandbox alone, for the tests of this crate. The binary has it as a hidden command.

fn main() -> std::process::ExitCode {
    finch_agent::sandbox::helper_main()
}
