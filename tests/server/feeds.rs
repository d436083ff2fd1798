//! Files of the public feeds: found by their header, stored with all that the feed says.

mod arguments;
mod directory;
mod fixtures;
mod identity;
mod personal;
mod repeated;
