//! Bytes that leave the process: rows of binary COPY, of the history and of staging.

pub mod btree;
pub mod copy_binary;
pub mod heap;
pub mod jsonb;
pub mod line_fault;
pub mod page;
pub mod staged_row;
