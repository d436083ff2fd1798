//! A few sessions with the database, for the handlers. Each transaction is read-only and each statement has a time
//! limit, unless it is an action.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use trips_libpq::{Fault, PqError, Row, Session};

use crate::answer::{Answer, ApiError, JsonText};

/// Sessions that answer at the same time; more requests wait.
const SESSIONS: usize = 4;
/// More sessions, for what takes long.
const SLOW_SESSIONS: usize = 2;
/// How long a request waits for a session.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a session begins with. JIT takes longer than these statements.
const SETTINGS: &str = "default_transaction_read_only = on; SET jit = off; SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET row_security = on; \
    SET lock_timeout = '2s'; SET work_mem = '32MB'; SET idle_in_transaction_session_timeout = '1min'";

/// How long a statement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// What a view shows at once.
    View,
    /// What reads months of the history.
    Scan,
    /// What reads all of the history, on request.
    Long,
}

impl Limit {
    fn statement(self) -> &'static str {
        match self {
            Self::View => "SET statement_timeout = '5s'",
            Self::Scan => "SET statement_timeout = '2min'",
            Self::Long => "SET statement_timeout = '30min'",
        }
    }
}

/// Parameters of a statement; None is NULL.
pub type Parameters = Vec<Option<String>>;

/// The database of this program.
pub struct Database {
    connection: Vec<(&'static str, String)>,
    idle: Mutex<Vec<Session>>,
    places: Arc<Semaphore>,
    slow_places: Arc<Semaphore>,
}

/// Why there are no rows.
enum Failure {
    NoSession(Fault),
    /// The session was lost; the statement may work in another one.
    Lost(Fault),
    Statement(Fault),
}

impl Database {
    pub fn new(connection: Vec<(&'static str, String)>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        let (places, slow_places) = (places(SESSIONS), places(SLOW_SESSIONS));
        Self { connection, idle: Mutex::default(), places, slow_places }
    }

    /// A new session, as all of this program are.
    pub fn open(&self) -> Result<Session, Fault> {
        let session = Session::open("trips_console", &self.connection)?;
        for setting in SETTINGS.split("; ") {
            let setting = setting.strip_prefix("SET ").unwrap_or(setting);
            run(&session, &format!("SET {setting}"), &[])
                .map_err(|error| Fault::of_statement(error, &session.role))?;
        }
        Ok(session)
    }

    /// Rows of a statement.
    pub async fn rows(
        self: &Arc<Self>,
        limit: Limit,
        sql: &str,
        parameters: Parameters,
    ) -> Result<Vec<Row>, ApiError> {
        let sql = sql.to_owned();
        self.in_session(limit, move |session| run(session, &sql, &parameters)).await
    }

    /// What becomes of the rows of a statement, which are not in memory together.
    pub async fn fold<T: Default + Send + 'static>(
        self: &Arc<Self>,
        limit: Limit,
        sql: &str,
        parameters: Parameters,
        add: impl Fn(&mut T, Row) + Send + 'static,
    ) -> Result<T, ApiError> {
        let sql = CString::new(sql).unwrap_or_default();
        let work = move |session: &Session| {
            let mut sum = T::default();
            let parameters: Vec<Option<&str>> = parameters.iter().map(Option::as_deref).collect();
            session.connection.query_each(&sql, &parameters, |row| add(&mut sum, row))?;
            Ok(sum)
        };
        self.in_session(limit, work).await
    }

    async fn in_session<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Limit,
        work: impl Fn(&Session) -> Result<T, PqError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let places = if limit == Limit::View { &self.places } else { &self.slow_places };
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(places).acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            return Err(ApiError::busy(
                "all sessions of the page are busy",
                "Try again in a moment.",
            ));
        };
        let database = Arc::clone(self);
        let task = move || {
            let _permit = permit;
            database.in_some_session(limit, &work)
        };
        match tokio::task::spawn_blocking(task).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(Failure::Statement(fault))) => Err(ApiError::of_statement(fault)),
            Ok(Err(Failure::NoSession(fault) | Failure::Lost(fault))) => {
                Err(ApiError::disconnected(fault))
            }
            Err(_) => {
                Err(ApiError::busy("the request failed", "Look at the messages of trips_console."))
            }
        }
    }

    /// The first value of a statement that returns one row: JSON.
    pub async fn json(self: &Arc<Self>, sql: &str, parameters: Parameters) -> Answer {
        let rows = self.rows(Limit::View, sql, parameters).await?;
        Ok(JsonText(first(rows).unwrap_or_else(|| "null".into())))
    }

    /// The same; NULL if the role may not read what it needs.
    pub async fn json_if_allowed(self: &Arc<Self>, sql: &str, parameters: Parameters) -> Answer {
        match self.json(sql, parameters).await {
            Err(error) if error.is_of_privilege() => Ok(JsonText("null".into())),
            answer => answer,
        }
    }

    /// Runs an action in a session of its own, which may write.
    pub async fn act(self: &Arc<Self>, sql: &str, parameters: Parameters) -> Answer {
        let (database, sql) = (Arc::clone(self), sql.to_owned());
        let work = move || -> Result<Vec<Row>, ApiError> {
            let session = database.open().map_err(ApiError::disconnected)?;
            let fault =
                |error: PqError| ApiError::of_statement(Fault::of_action(error, &session.role));
            run(&session, "SET default_transaction_read_only = off", &[]).map_err(fault)?;
            run(&session, "SET lock_timeout = '1min'", &[]).map_err(fault)?;
            run(&session, Limit::Long.statement(), &[]).map_err(fault)?;
            run(&session, &sql, &parameters).map_err(fault)
        };
        let rows = tokio::task::spawn_blocking(work).await;
        let rows = rows.map_err(|_| {
            ApiError::busy("the action failed", "Look at the messages of trips_console.")
        })??;
        Ok(JsonText(first(rows).unwrap_or_else(|| "null".into())))
    }

    fn in_some_session<T>(
        &self,
        limit: Limit,
        work: &impl Fn(&Session) -> Result<T, PqError>,
    ) -> Result<T, Failure> {
        loop {
            let (session, is_new) = match self.idle().pop() {
                Some(session) => (session, false),
                None => (self.open().map_err(Failure::NoSession)?, true),
            };
            let found = run(&session, limit.statement(), &[]).and_then(|_| work(&session));
            match found.map_err(|error| failure(&session, error)) {
                // The server was restarted since the session was idle.
                Err(Failure::Lost(_)) if !is_new => continue,
                Err(Failure::Lost(fault)) => return Err(Failure::Lost(fault)),
                found => {
                    self.idle().push(session);
                    return found;
                }
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure(session: &Session, error: PqError) -> Failure {
    if session.connection.is_lost() {
        Failure::Lost(Fault::of_lost_session(&error))
    } else {
        Failure::Statement(Fault::of_statement(error, &session.role))
    }
}

/// Runs a statement in a session.
pub fn run(
    session: &Session,
    sql: &str,
    parameters: &[Option<String>],
) -> Result<Vec<Row>, PqError> {
    let sql = CString::new(sql).unwrap_or_default();
    let parameters: Vec<Option<&str>> = parameters.iter().map(Option::as_deref).collect();
    session.connection.query_with_nulls(&sql, &parameters)
}

/// The first value.
pub fn first(rows: Vec<Row>) -> Option<String> {
    rows.into_iter().next()?.into_iter().next()?
}
