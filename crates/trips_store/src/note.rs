//! What the last request of a task met. The errors of the crate `object_store` have texts of servers, which are not
//! shown; so the service that sends the requests notes their kind.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How a request failed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No connection.
    Connect,
    /// The name of the host is not known.
    Name,
    /// The certificate of the server is not trusted, or is of another host.
    Certificate,
    /// No answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Ended,
    /// The host has an IP address that is refused.
    Refused(IpAddr),
    /// The name is that of a server of credentials.
    RefusedName,
}

/// What the last request of a task met.
#[derive(Debug, Clone, Default)]
pub struct Note {
    /// Status of the answer.
    pub status: Option<u16>,
    /// The code of an error of S3, GCS or Azure, such as `SlowDown`.
    pub code: Option<String>,
    /// How it failed without an answer.
    pub fault: Option<Fault>,
    /// It asked for credentials. If it was the last request, nothing could be done with its answer.
    pub credentials: bool,
}

tokio::task_local! {
    static NOTE: Arc<Mutex<Note>>;
}

/// Runs requests, and returns what the last one met.
pub async fn noted<F: Future>(requests: F) -> (F::Output, Note) {
    let note = Arc::new(Mutex::new(Note::default()));
    let output = NOTE.scope(note.clone(), requests).await;
    let note = note.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (output, note)
}

/// Sets the note of this task, if it has one.
pub fn set(note: Note) {
    let _ = NOTE.try_with(|kept| *kept.lock().unwrap_or_else(PoisonError::into_inner) = note);
}
