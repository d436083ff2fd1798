//! Text of users: what surrounds it, and how messages show it.

pub mod escape;
pub mod whitespace;
