//! What the extension promises, seen by a client of a real server.

mod access;
mod areas;
mod bad_inputs;
mod catalog;
mod changes;
mod concurrency;
mod differential;
mod dump;
mod failures;
mod hostile;
mod ingest;
mod keys;
mod partitions;
mod pollution;
mod privileges;
mod progress;
mod reader;
mod schema;
mod sessions;
mod staging;
mod standby;
mod storm;
mod summary;
mod upgrade;
mod versions;
mod witness;
