//! Each built-in feed and version has a fixture: it is found by its header, and gives the expected trips, in whatever
//! order, quoting and spelling of numbers.

mod detection;
mod trips;
