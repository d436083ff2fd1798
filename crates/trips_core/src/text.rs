//! Text of users: the whitespace around it, and its form in messages.

pub mod escape;
pub mod whitespace;
