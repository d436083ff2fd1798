//! Why there is no session, and what to do.

use std::fmt;

use crate::libpq::PqError;

/// An error with a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        // The server has written parts of it.
        let lines: Vec<String> = self.message.lines().map(|line| shown(line.trim())).collect();
        write!(formatter, "{}", lines.join("\n  "))?;
        self.hint.iter().try_for_each(|hint| write!(formatter, "\nHINT:  {}", shown(hint)))
    }
}

impl Fault {
    /// A session that was refused.
    pub fn of_connection(error: PqError) -> Self {
        let hint = match error.code.as_deref() {
            Some("28P01") => "Set PGPASSWORD, or write the password of the role to ~/.pgpass.",
            Some("28000") => {
                "Set PGUSER to a role that pg_hba.conf of the server admits, and PGSSLMODE=require if it demands TLS."
            }
            Some("3D000") => "Set PGDATABASE to the database with the extension trips_pipeline.",
            Some("53300") => "Close other sessions, or raise max_connections of the server.",
            Some("57P03") => "Wait until the server has started, and try again.",
            Some(_) => return Self { message: error.message, hint: None },
            None => without_code(&error.message),
        };
        Self { message: error.message, hint: Some(hint.into()) }
    }

    /// A statement that failed in the session of this role.
    pub fn of_statement(error: PqError, role: &str) -> Self {
        let hint = match error.code.as_deref() {
            Some("42501") => Some(grant_hint(role)),
            Some("42P01" | "42703" | "42883" | "3F000") => {
                Some("Run ALTER EXTENSION trips_pipeline UPDATE in this database.".into())
            }
            _ => None,
        };
        Self { message: error.message, hint }
    }

    /// A database without the extension.
    pub fn no_extension(database: &str) -> Self {
        Self {
            message: format!("database \"{database}\" does not have the extension trips_pipeline"),
            hint: Some("Run CREATE EXTENSION trips_pipeline in this database, or set PGDATABASE to another one.".into()),
        }
    }

    /// A role that may not read the events.
    pub fn no_privilege(role: &str) -> Self {
        let message = format!("role \"{role}\" does not have the privilege to watch loads");
        Self { message, hint: Some(grant_hint(role)) }
    }
}

/// What to do when no server has answered.
fn without_code(message: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["password"]) {
        "Set PGPASSWORD, or write the password of the role to ~/.pgpass."
    } else if has(&["SSL", "certificate"]) {
        "Set PGSSLMODE, and PGSSLROOTCERT to the file with the certificate of the authority."
    } else if message.starts_with("invalid ") || message.starts_with("missing ") {
        "Run trips_watch --help for the forms of a connection string."
    } else if has(&["definition of service", "service file"]) {
        "Set PGSERVICEFILE to the file that has the service, or write it to ~/.pg_service.conf."
    } else {
        "Start the server, or set PGHOST and PGPORT to its address."
    }
}

fn grant_hint(role: &str) -> String {
    let literal = role.replace('\'', "''");
    format!("Run SELECT trips.grant_reader('{literal}') as the owner of the extension.")
}

/// A text of others as it may be written to a terminal: its control characters, and those that change the direction or
/// the width of what follows, are escaped.
pub fn shown(text: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_text() {
        assert_eq!(shown("/in/a b-ü-北京.csv"), "/in/a b-ü-北京.csv");
        assert_eq!(
            shown("a\x1b[31m\u{9b}b\r\n\u{202e}c"),
            r"a\u{1b}[31m\u{9b}b\u{d}\u{a}\u{202e}c"
        );
        let fault = Fault::no_privilege("o'\x1b[2J");
        let expected = "role \"o'\\u{1b}[2J\" does not have the privilege to watch loads\n\
                        HINT:  Run SELECT trips.grant_reader('o''\\u{1b}[2J') as the owner of the extension.";
        assert_eq!(fault.to_string(), expected);
    }
}
