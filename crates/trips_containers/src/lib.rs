//! Unpacks the containers in which files of trips are published: gzip, zstd, bzip2, xz and zip.
//!
//! A container is a stream ([`unpack`]) or an archive ([`Archive`]). What comes out is checked: a reader reports the
//! end of its bytes only after it has verified every checksum and size that the container has. A [`Budget`] bounds
//! what one file may unpack to. [`Threaded`] unpacks beside the reader.
//!
//! ```
//! use std::io::Read;
//! use trips_containers::{Budget, Limits, Packing, packing_of, unpack};
//!
//! // Two members of gzip, "a,b\n" and "1,2\n".
//! let file: &[u8] = b"\
//!     \x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xd4\
//!     \x49\xe2\x02\x00\xc5\x10\x97\x24\x04\x00\x00\x00\
//!     \x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x33\xd4\
//!     \x31\xe2\x02\x00\x33\x42\x21\x55\x04\x00\x00\x00";
//! assert_eq!(packing_of(file), Packing::Gzip);
//! let budget = Budget::new(Limits::default(), file.len() as u64);
//! let mut text = String::new();
//! unpack(Packing::Gzip, file, &budget).read_to_string(&mut text)?;
//! assert_eq!(text, "a,b\n1,2\n");
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

mod budget;
mod error;
mod input;
mod packing;
mod peel;
mod ranges;
mod stream;
mod threaded;
mod zip;

pub use budget::{Budget, Limits};
pub use error::{ContainerError, Kind, Limit};
pub use packing::{FIRST_BYTES, Packing, packing_of, unsupported_kind_of};
pub use peel::unpack;
pub use ranges::{Part, RangeReader, Ranges, Spool, SpoolFile};
pub use threaded::{Threaded, threaded};
pub use zip::{Archive, Member, PassedOver, Reason};
