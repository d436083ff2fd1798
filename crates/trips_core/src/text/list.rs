//! Lists of names in messages.

/// The subject and the verb of a message about these columns, at least one.
///
/// ```
/// use trips_core::text::list::columns_are;
/// assert_eq!(columns_are(&["id".into()]), "column id is");
/// assert_eq!(columns_are(&["lon".into(), "lat".into()]), "columns lon, lat are");
/// ```
#[must_use]
pub fn columns_are(names: &[String]) -> String {
    match names {
        [name] => format!("column {name} is"),
        names => format!("columns {} are", names.join(", ")),
    }
}

/// Names in double quotes, the last one after "and".
///
/// ```
/// assert_eq!(trips_core::text::list::quoted_names(&["a".into(), "b".into()]), "\"a\" and \"b\"");
/// ```
#[must_use]
pub fn quoted_names(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => format!("\"{name}\""),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(|name| format!("\"{name}\"")).collect();
            format!("{} and \"{last}\"", others.join(", "))
        }
    }
}
