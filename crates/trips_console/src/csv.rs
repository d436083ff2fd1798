//! Tables as CSV files (RFC 4180) that a spreadsheet opens without running what is in them.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use trips_libpq::Row;

use crate::answer::ApiError;

/// A file for the browser to save.
///
/// # Errors
/// When there are more rows than allowed.
pub fn attachment(
    name: &str,
    columns: &[&str],
    rows: &[Row],
    most: usize,
) -> Result<Response, ApiError> {
    if rows.len() > most {
        let message = format!("the table has more than {most} rows");
        return Err(ApiError::invalid(message, "Choose a shorter period or a region."));
    }
    let mut text = columns.join(",");
    text.push_str("\r\n");
    for row in rows {
        for (i, value) in row.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            push(&mut text, value.as_deref().unwrap_or_default());
        }
        text.push_str("\r\n");
    }
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, text).into_response())
}

fn push(text: &mut String, value: &str) {
    // Spreadsheets read such a cell as a formula.
    let is_formula =
        value.starts_with(['=', '+', '-', '@', '\t', '\r']) && value.parse::<f64>().is_err();
    let value = if is_formula { format!("'{value}") } else { value.to_owned() };
    if value.contains(['"', ',', '\r', '\n']) {
        text.push('"');
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let cell = |value: &str| {
            let mut text = String::new();
            push(&mut text, value);
            text
        };
        assert_eq!(cell("a b"), "a b");
        assert_eq!(cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@SUM(A1),2"), "\"'@SUM(A1),2\"");
        assert_eq!(cell("\t=x"), "'\t=x");
        assert_eq!(cell("-12"), "-12");
        assert_eq!(cell("-x"), "'-x");
        assert_eq!(cell(""), "");
    }
}
