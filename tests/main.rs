//! End-to-end tests: one module per user story.
