//! When a process started: with its id, that names it, because ids are used again.

/// When a living process started, in the system's own unit; none where it cannot be seen. Reading `/proc` touches no disk
/// and takes microseconds.
#[must_use]
pub fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything; the rest is plain.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let is_dead = matches!(state, "Z" | "X" | "x");
    // The start time is field 22, so 18 fields lie between it and the state, field 3.
    fields.nth(18).filter(|_| !is_dead).map(str::to_owned)
}
