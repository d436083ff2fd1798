//! The page of the console as a person meets it: a real browser, a real console, a real server.
//!
//! `make test-console` installs the browser, builds the page and runs these.

mod area;
mod browser;
mod city;
mod console;
mod filters;
mod health;
mod keyboard;
mod live;
mod page;
mod pictures;
mod safe;
mod webdriver;
