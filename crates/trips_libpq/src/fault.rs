//! Why there is no session, and what to do.

use std::fmt;

use crate::error::PqError;

/// An error with a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// SQLSTATE, if the server sent the error.
    pub code: Option<String>,
    /// The message, which the server may have written.
    pub message: String,
    /// DETAIL of a statement's error.
    pub detail: Option<String>,
    /// What to do.
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
    fn of(error: PqError, hint: Option<String>) -> Self {
        let PqError { code, message, detail, hint: of_server } = error;
        Self { code, message, detail, hint: of_server.or(hint) }
    }

    fn own(code: &str, message: String, hint: String) -> Self {
        Self { code: Some(code.into()), message, detail: None, hint: Some(hint) }
    }

    /// A session that this program was refused.
    #[must_use]
    pub fn of_connection(error: PqError, program: &str) -> Self {
        let hint = match error.code.as_deref() {
            Some("28P01") => "Set PGPASSWORD, or write the password of the role to ~/.pgpass.".into(),
            Some("28000") => {
                "Set PGUSER to a role that pg_hba.conf of the server admits, and PGSSLMODE=require if it demands TLS."
                    .into()
            }
            Some("3D000") => "Set PGDATABASE to the database with the extension trips_pipeline.".into(),
            Some("53300") => "Close other sessions, or raise max_connections of the server.".into(),
            Some("57P03") => "Wait until the server has started, and try again.".into(),
            Some(_) => return Self::of(error, None),
            None => without_code(&error.message, program),
        };
        Self::of(error, Some(hint))
    }

    /// A statement that failed in the session of this role.
    #[must_use]
    pub fn of_statement(error: PqError, role: &str) -> Self {
        let hint = match error.code.as_deref() {
            Some("42501") => Some(grant_hint("reader", role)),
            Some("42P01" | "42703" | "42883" | "3F000") => {
                Some("Run ALTER EXTENSION trips_pipeline UPDATE in this database.".into())
            }
            _ => None,
        };
        Self::of(error, hint)
    }

    /// A statement of this role that was to change something. An error with details says itself who may.
    #[must_use]
    pub fn of_action(error: PqError, role: &str) -> Self {
        let lacks_right = error.code.as_deref() == Some("42501") && error.detail.is_none();
        let hint = lacks_right.then(|| grant_hint("loader", role));
        Self::of(error, hint)
    }

    /// A session that was lost; libpq adds lines that the server may have crashed.
    #[must_use]
    pub fn of_lost_session(error: &PqError) -> Self {
        let message = error.message.lines().next().unwrap_or_default().to_owned();
        Self { code: error.code.clone(), message, detail: None, hint: None }
    }

    /// A database without the extension.
    #[must_use]
    pub fn no_extension(database: &str) -> Self {
        Self::own(
            "42704",
            format!("database \"{database}\" does not have the extension trips_pipeline"),
            "Run CREATE EXTENSION trips_pipeline in this database, or set PGDATABASE to another one.".into(),
        )
    }

    /// A role that may not read the events.
    #[must_use]
    pub fn no_privilege(role: &str) -> Self {
        let message = format!("role \"{role}\" does not have the privilege to watch loads");
        Self::own("42501", message, grant_hint("reader", role))
    }
}

/// What to do when no server has answered.
fn without_code(message: &str, program: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let hint = if has(&["password"]) {
        "Set PGPASSWORD, or write the password of the role to ~/.pgpass."
    } else if has(&["SSL", "certificate"]) {
        "Set PGSSLMODE, and PGSSLROOTCERT to the file with the certificate of the authority."
    } else if message.starts_with("invalid ") || message.starts_with("missing ") {
        return format!("Run {program} --help for the forms of a connection string.");
    } else if has(&["definition of service", "service file"]) {
        "Set PGSERVICEFILE to the file that has the service, or write it to ~/.pg_service.conf."
    } else {
        "Start the server, or set PGHOST and PGPORT to its address."
    };
    hint.into()
}

fn grant_hint(kind: &str, role: &str) -> String {
    let literal = role.replace('\'', "''");
    format!("Run SELECT trips.grant_{kind}('{literal}') as the owner of the extension.")
}

/// A text of others as it may be written to a terminal: its control characters, and those that change the direction or
/// the width of what follows, are escaped.
#[must_use]
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
