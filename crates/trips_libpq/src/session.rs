//! A session of a program with a database that has the extension.

use std::ffi::CStr;

use crate::connection::Connection;
use crate::fault::Fault;

/// The extension's version, and whether the role may read the events and the ledger, and the errors.
const ABILITIES: &CStr = c"
SELECT e.extversion,
       has_schema_privilege(n.oid, 'USAGE')
         AND (SELECT count(*) = 3 AND bool_and(has_table_privilege(c.oid, 'SELECT')) FROM pg_catalog.pg_class AS c
               WHERE c.relnamespace = n.oid AND c.relname IN ('loads', 'events', 'load_progress')),
       (SELECT bool_or(has_table_privilege(c.oid, 'SELECT')) FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = n.oid AND c.relname = 'load_errors')
  FROM pg_catalog.pg_extension AS e LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'trips'
 WHERE e.extname = 'trips_pipeline'";

/// A session of a role that may watch loads.
pub struct Session {
    /// The connection; its search_path has pg_catalog only.
    pub connection: Connection,
    /// Host of the server, or the directory of its socket.
    pub host: String,
    /// Port of the server.
    pub port: String,
    /// The database.
    pub database: String,
    /// The role.
    pub role: String,
    /// Version of the extension in the database.
    pub extension_version: String,
    /// Whether the role may read `trips.load_errors`.
    pub can_read_errors: bool,
}

impl Session {
    /// Connects with libpq's parameters; later ones replace earlier ones.
    ///
    /// # Errors
    /// When there is no server, no session, no extension or no privilege.
    pub fn open(program: &str, parameters: &[(&str, String)]) -> Result<Self, Fault> {
        // What the caller does not say. A server that vanishes is missed after half a minute.
        let mut all = vec![
            ("fallback_application_name", program),
            ("keepalives_idle", "10"),
            ("keepalives_interval", "5"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
        ];
        all.extend(parameters.iter().map(|(name, value)| (*name, value.as_str())));
        all.push(("client_encoding", "UTF8"));
        let connection =
            Connection::open(&all).map_err(|error| Fault::of_connection(error, program))?;
        let [host, port, database, role] = connection.address();
        let fault = |error| Fault::of_statement(error, &role);
        // Names of pg_catalog only: a role's search_path may have other functions of these names.
        connection.query(c"SET search_path = pg_catalog, pg_temp", &[]).map_err(fault)?;
        let rows = connection.query(ABILITIES, &[]).map_err(fault)?;
        let Some([version, may_watch, may_read_errors]) = rows.first().map(Vec::as_slice) else {
            return Err(Fault::no_extension(&database));
        };
        if may_watch.as_deref() != Some("t") {
            return Err(Fault::no_privilege(&role));
        }
        let extension_version = version.clone().unwrap_or_default();
        let can_read_errors = may_read_errors.as_deref() == Some("t");
        Ok(Self { connection, host, port, database, role, extension_version, can_read_errors })
    }

    /// The version of the server, without what a distribution adds.
    #[must_use]
    pub fn server_version(&self) -> String {
        let version = self.connection.server_parameter(c"server_version").unwrap_or_default();
        version.split(' ').next().unwrap_or_default().to_owned()
    }
}
