//! From bytes to what a request means: the parts that every dialect of the API shares.
//!
//! Pure, and the only place that knows what a member may hold. Every dialect reads its own members with [`fields`]; what
//! is read here has one meaning in all of them: models' names, numbers, pictures, tools, finch's own extension.

pub(crate) mod extension;
pub(crate) mod fields;
pub(crate) mod model;
pub(crate) mod picture;
pub(crate) mod sampling;
pub(crate) mod tools;

pub(crate) use self::{extension::Extension, fields::Fields, sampling::Wishes};
