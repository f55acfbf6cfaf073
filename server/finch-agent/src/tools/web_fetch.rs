//! What `WebFetch` may ask of the network: which addresses it may name, which it may connect to, and how far it goes.
//!
//! Pure. Whoever fetches asks three times: [`Target::parse`] before the question to the user, [`pinned`] with all that the
//! name resolves to before it connects, to that address and no other, and [`Target::redirected`] at each redirect.

mod address;
mod budget;
mod target;

pub use address::{Refused, pinned};
pub use budget::{Budget, Spent};
pub use target::{BadTarget, Redirect, Target};
