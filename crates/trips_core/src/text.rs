//! Text of users: its encoding, the whitespace around it, names of columns, and its form in messages.

pub mod encoding;
pub mod escape;
pub(crate) mod hash;
pub mod list;
pub mod name;
pub mod whitespace;
