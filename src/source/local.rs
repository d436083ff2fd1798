//! Files of the server's file system.

pub mod confined;
pub mod server_files;
pub mod writers;
