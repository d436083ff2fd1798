//! Errors of libpq.

/// An error of the server or of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PqError {
    /// SQLSTATE, if the server sent the error.
    pub code: Option<String>,
    /// The message, without the severity.
    pub message: String,
    /// DETAIL of an error of a statement.
    pub detail: Option<String>,
    /// HINT of an error of a statement.
    pub hint: Option<String>,
}

/// An error that no server has sent.
pub fn client_error(message: String) -> PqError {
    PqError { code: None, message, detail: None, hint: None }
}

/// Takes `FATAL:  28P01: ` out of a verbose message, and its lines for developers of PostgreSQL.
pub fn without_severity(message: &str) -> PqError {
    let lines = message.lines().filter(|line| !line.starts_with("LOCATION:  "));
    let message = lines.collect::<Vec<_>>().join("\n");
    let parts = ["FATAL:  ", "ERROR:  "].iter().find_map(|severity| message.split_once(severity));
    if let Some((before, after)) = parts
        && let Some((code, rest)) = after.split_once(": ")
        && code.len() == 5
        && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    {
        let message = format!("{before}{rest}");
        return PqError { code: Some(code.into()), message, detail: None, hint: None };
    }
    client_error(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_refused_session() {
        let found = without_severity(
            "connection to server at \"h\", port 1 failed: FATAL:  28P01: password authentication failed for user \"u\"\n\
             LOCATION:  auth_failed, auth.c:338\n",
        );
        let message = "connection to server at \"h\", port 1 failed: password authentication failed for user \"u\"";
        let expected = client_error(message.into());
        assert_eq!(found, PqError { code: Some("28P01".into()), ..expected });
        let refused =
            "connection to server at \"h\" failed: Connection refused\n\tIs the server running?\n";
        assert_eq!(without_severity(refused), client_error(refused.trim_end().into()));
    }
}
