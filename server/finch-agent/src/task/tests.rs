//! Tasks from end to end, with a scripted provider.
