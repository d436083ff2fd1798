//! The views: each asks the database in one or a few statements, which are in the `.sql` files of `views/`.

pub mod area;
pub mod feeds;
pub mod health;
pub mod loads;
pub mod map;
pub mod now;
pub mod staging;
pub mod status;
pub mod trips;
pub mod when;
