//! The page of the console as a person meets it: a real browser, a real console, a real server.
//!
//! `make test-console` installs the browser, builds the page and runs these.

mod browser;
mod city;
mod console;
mod page;
mod pictures;
mod webdriver;
