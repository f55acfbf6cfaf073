//! The finch binary: arguments, configuration and the composition root.
fn main() {}
