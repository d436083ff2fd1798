//! Records in JSON, RFC 8259: one in each line, documents one after the other, lists, and pages with a list.

mod buffer;
pub mod chunk;
pub mod error;
pub mod layout;
mod list;
mod literal;
mod members;
mod names;
mod open;
pub mod reader;
mod record;
mod scan;
mod syntax;
mod token;

pub use self::chunk::JsonChunk;
pub use self::reader::JsonReader;
pub use self::record::JsonRecord;
