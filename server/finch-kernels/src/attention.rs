//! Attention of queries over a key-value cache.
