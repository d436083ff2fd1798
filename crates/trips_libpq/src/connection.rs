//! The functions of libpq that the programs need, behind safe ones.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{PqError, client_error, without_severity};

/// A row of a result; None is NULL.
pub type Row = Vec<Option<String>>;

/// A session of the database.
pub struct Connection(NonNull<pq_sys::PGconn>);

// SAFETY: libpq keeps nothing of a connection in the thread; a value that is not Sync is used by one thread at a time.
unsafe impl Send for Connection {}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the connection is open until here.
        unsafe { pq_sys::PQfinish(self.0.as_ptr()) }
    }
}

impl Connection {
    /// Connects with these parameters; later ones replace earlier ones. `dbname` may be a connection string.
    ///
    /// # Errors
    /// When a parameter is invalid, the server is unreachable or refuses the session.
    pub fn open(parameters: &[(&str, &str)]) -> Result<Self, PqError> {
        let texts = |of: fn(&(&str, &str)) -> String| -> Result<Vec<CString>, PqError> {
            parameters.iter().map(|parameter| c_text(&of(parameter))).collect()
        };
        let (names, values) = (texts(|p| p.0.into())?, texts(|p| p.1.into())?);
        let pointers = |texts: &[CString]| -> Vec<*const c_char> {
            texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
        };
        let (keywords, contents) = (pointers(&names), pointers(&values));
        // SAFETY: two arrays of the same length that end with NULL; their texts live until the end of this function.
        let raw = unsafe { pq_sys::PQconnectStartParams(keywords.as_ptr(), contents.as_ptr(), 1) };
        let connection =
            Self(NonNull::new(raw).ok_or_else(|| client_error("out of memory".into()))?);
        // Messages have the SQLSTATE then: there is no other way to get it before a session begins.
        // SAFETY: the connection is open; the function for notices reads nothing.
        unsafe {
            pq_sys::PQsetErrorVerbosity(raw, pq_sys::PGVerbosity::PQERRORS_VERBOSE);
            pq_sys::PQsetNoticeProcessor(raw, Some(ignore), ptr::null_mut());
        }
        connection.finish_connecting()?;
        Ok(connection)
    }

    fn finish_connecting(&self) -> Result<(), PqError> {
        use pq_sys::{ConnStatusType, PostgresPollingStatusType as Polling};

        // SAFETY: the connection is open.
        if unsafe { pq_sys::PQstatus(self.0.as_ptr()) } == ConnStatusType::CONNECTION_BAD {
            return Err(self.error());
        }
        let timeout = self.connect_timeout();
        let end = Instant::now() + timeout;
        let mut wanted = PollFlags::OUT;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() || !self.wait_for(wanted, rest)? {
                let seconds = timeout.as_secs();
                return Err(client_error(format!("the server did not answer within {seconds} s")));
            }
            // SAFETY: the connection is open.
            wanted = match unsafe { pq_sys::PQconnectPoll(self.0.as_ptr()) } {
                Polling::PGRES_POLLING_OK => return Ok(()),
                Polling::PGRES_POLLING_READING => PollFlags::IN,
                Polling::PGRES_POLLING_WRITING => PollFlags::OUT,
                _ => return Err(self.error()),
            };
        }
    }

    /// `connect_timeout`, which libpq leaves to programs that connect in steps; 10 s by default.
    fn connect_timeout(&self) -> Duration {
        let given = self.parameter("connect_timeout").and_then(|text| text.parse().ok());
        Duration::from_secs(given.filter(|&seconds| seconds > 0).unwrap_or(10))
    }

    /// A parameter of the connection, as strings, variables, files and defaults gave it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        // SAFETY: the connection is open.
        let options = unsafe { pq_sys::PQconninfo(self.0.as_ptr()) };
        let mut option = options;
        let mut found = None;
        // SAFETY: an array whose last element has no keyword, NULL if there is no memory for it.
        unsafe {
            while !option.is_null() && !(*option).keyword.is_null() {
                if text((*option).keyword).as_deref() == Some(name) {
                    found = text((*option).val);
                }
                option = option.add(1);
            }
            pq_sys::PQconninfoFree(options);
        }
        found
    }

    /// Host, port, database and user of the session.
    #[must_use]
    pub fn address(&self) -> [String; 4] {
        let raw = self.0.as_ptr();
        // SAFETY: the connection is open; the texts live as long as it does, and are copied.
        let texts = unsafe {
            [pq_sys::PQhost(raw), pq_sys::PQport(raw), pq_sys::PQdb(raw), pq_sys::PQuser(raw)]
                .map(|value| text(value))
        };
        texts.map(Option::unwrap_or_default)
    }

    /// A parameter that the server reports, as `server_version`.
    #[must_use]
    pub fn server_parameter(&self, name: &CStr) -> Option<String> {
        // SAFETY: the connection is open, and the name ends with NUL.
        text(unsafe { pq_sys::PQparameterStatus(self.0.as_ptr(), name.as_ptr()) })
    }

    /// Version of TLS; None without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<String> {
        let raw = self.0.as_ptr();
        // SAFETY: the connection is open, and the name ends with NUL.
        unsafe {
            (pq_sys::PQsslInUse(raw) != 0)
                .then(|| text(pq_sys::PQsslAttribute(raw, c"protocol".as_ptr())))
                .map(|version| version.unwrap_or_else(|| "TLS".into()))
        }
    }

    /// Runs a statement with parameters.
    ///
    /// # Errors
    /// When the statement fails, or the connection is lost.
    pub fn query(&self, sql: &CStr, parameters: &[&str]) -> Result<Vec<Row>, PqError> {
        let parameters: Vec<Option<&str>> = parameters.iter().copied().map(Some).collect();
        self.query_with_nulls(sql, &parameters)
    }

    /// Runs a statement with parameters; None is NULL.
    ///
    /// # Errors
    /// When the statement fails, or the connection is lost.
    pub fn query_with_nulls(
        &self,
        sql: &CStr,
        parameters: &[Option<&str>],
    ) -> Result<Vec<Row>, PqError> {
        let texts = c_texts(parameters)?;
        let values = pointers(&texts);
        let count = c_int::try_from(values.len()).expect("few parameters");
        // SAFETY: texts that end with NUL and live longer than the call; types, lengths and formats may be NULL.
        let raw = unsafe {
            pq_sys::PQexecParams(
                self.0.as_ptr(),
                sql.as_ptr(),
                count,
                ptr::null(),
                values.as_ptr(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        let result = Answer(NonNull::new(raw).ok_or_else(|| self.error())?);
        result.rows().ok_or_else(|| result.error())
    }

    /// Runs a statement with parameters and passes its rows one by one: none of them stays in memory.
    ///
    /// # Errors
    /// When the statement fails, also after some rows, or the connection is lost.
    pub fn query_each(
        &self,
        sql: &CStr,
        parameters: &[Option<&str>],
        mut each: impl FnMut(Row),
    ) -> Result<(), PqError> {
        let texts = c_texts(parameters)?;
        let values = pointers(&texts);
        let count = c_int::try_from(values.len()).expect("few parameters");
        let raw = self.0.as_ptr();
        // SAFETY: as for PQexecParams in `query_with_nulls`.
        let is_sent = unsafe {
            pq_sys::PQsendQueryParams(
                raw,
                sql.as_ptr(),
                count,
                ptr::null(),
                values.as_ptr(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        // SAFETY: the connection is open, and has a statement whose results nobody has taken.
        if is_sent == 0 || unsafe { pq_sys::PQsetSingleRowMode(raw) } == 0 {
            return Err(self.error());
        }
        let mut failure = None;
        // All results are taken, also after an error: before that, the connection takes no other statement.
        // SAFETY: the connection is open.
        while let Some(result) = NonNull::new(unsafe { pq_sys::PQgetResult(raw) }).map(Answer) {
            match result.rows() {
                Some(rows) => rows.into_iter().for_each(&mut each),
                None => failure = failure.or_else(|| Some(result.error())),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Whether the connection is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        // SAFETY: the connection is open.
        let status = unsafe { pq_sys::PQstatus(self.0.as_ptr()) };
        status != pq_sys::ConnStatusType::CONNECTION_OK
    }

    /// Waits for a notification, and takes all that there are. Returns false if none came in time.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn wait(&self, timeout: Duration) -> Result<bool, PqError> {
        if self.take_notifications() {
            return Ok(true);
        }
        if self.wait_for(PollFlags::IN, timeout)? {
            // SAFETY: the connection is open.
            if unsafe { pq_sys::PQconsumeInput(self.0.as_ptr()) } == 0 || self.is_lost() {
                return Err(self.error());
            }
        }
        Ok(self.take_notifications())
    }

    fn take_notifications(&self) -> bool {
        let mut any = false;
        loop {
            // SAFETY: the connection is open.
            let notification = unsafe { pq_sys::PQnotifies(self.0.as_ptr()) };
            if notification.is_null() {
                return any;
            }
            // SAFETY: libpq has allocated it for us.
            unsafe { pq_sys::PQfreemem(notification.cast()) };
            any = true;
        }
    }

    fn wait_for(&self, events: PollFlags, timeout: Duration) -> Result<bool, PqError> {
        // SAFETY: the connection is open.
        let socket = unsafe { pq_sys::PQsocket(self.0.as_ptr()) };
        if socket < 0 {
            return Err(self.error());
        }
        // SAFETY: libpq closes the socket in calls of this connection only, and none runs while this one waits.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        let timeout = Timespec::try_from(timeout).expect("a short time");
        match poll(&mut [PollFd::new(&socket, events)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(client_error(error.to_string())),
        }
    }

    fn error(&self) -> PqError {
        // SAFETY: the connection is open; the text is copied.
        let message = text(unsafe { pq_sys::PQerrorMessage(self.0.as_ptr()) });
        without_severity(&message.unwrap_or_default())
    }
}

/// Takes notices, which libpq would print between the lines.
extern "C" fn ignore(_: *mut c_void, _: *const c_char) {}

/// The result of a statement.
struct Answer(NonNull<pq_sys::PGresult>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the result is ours until here.
        unsafe { pq_sys::PQclear(self.0.as_ptr()) }
    }
}

impl Answer {
    /// None if the statement failed.
    fn rows(&self) -> Option<Vec<Row>> {
        use pq_sys::ExecStatusType::{PGRES_COMMAND_OK, PGRES_SINGLE_TUPLE, PGRES_TUPLES_OK};

        let raw = self.0.as_ptr();
        // SAFETY: the result is there.
        let (status, rows, columns) = unsafe {
            (pq_sys::PQresultStatus(raw), pq_sys::PQntuples(raw), pq_sys::PQnfields(raw))
        };
        if ![PGRES_COMMAND_OK, PGRES_SINGLE_TUPLE, PGRES_TUPLES_OK].contains(&status) {
            return None;
        }
        // SAFETY: row and column are within the result; the texts live as long as it does, and are copied.
        let field = |row, column| unsafe {
            (pq_sys::PQgetisnull(raw, row, column) == 0)
                .then(|| text(pq_sys::PQgetvalue(raw, row, column)))
                .flatten()
        };
        Some((0..rows).map(|row| (0..columns).map(|column| field(row, column)).collect()).collect())
    }

    fn error(&self) -> PqError {
        let field = |code: u8| {
            // SAFETY: the result is there; the texts live as long as it does, and are copied.
            text(unsafe { pq_sys::PQresultErrorField(self.0.as_ptr(), c_int::from(code)) })
        };
        // The fields of the protocol: C is the SQLSTATE, M the primary message.
        match (field(b'C'), field(b'M')) {
            (code, Some(message)) => {
                PqError { code, message, detail: field(b'D'), hint: field(b'H') }
            }
            _ => {
                // SAFETY: as above.
                let all = text(unsafe { pq_sys::PQresultErrorMessage(self.0.as_ptr()) });
                without_severity(&all.unwrap_or_default())
            }
        }
    }
}

/// A copy of a text of libpq. Bytes that are not UTF-8 are replaced: messages before a session begins have the
/// encoding of the server.
fn text(raw: *const c_char) -> Option<String> {
    // SAFETY: libpq's texts end with NUL; the callers use texts that are valid now.
    (!raw.is_null()).then(|| unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned())
}

fn c_text(text: &str) -> Result<CString, PqError> {
    CString::new(text).map_err(|_| client_error("a parameter has a zero byte".into()))
}

fn c_texts(parameters: &[Option<&str>]) -> Result<Vec<Option<CString>>, PqError> {
    parameters.iter().map(|text| text.map(c_text).transpose()).collect()
}

/// NULL for None.
fn pointers(texts: &[Option<CString>]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ref().map_or(ptr::null(), |text| text.as_ptr())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_parameters() {
        let error =
            Connection::open(&[("dbname", "host=/nowhere colour=red")]).err().expect("an error");
        assert!(error.message.contains("colour"), "{error:?}");
        assert!(Connection::open(&[("host", "a\0b")]).is_err());
    }
}
