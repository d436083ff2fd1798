//! Signatures of functions that the documents show, beside those of the catalogue.

use trips_tests::Cluster;

const CATALOGUE: &str = "
    SELECT format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_arguments(p.oid))
        || coalesce(' RETURNS ' || pg_get_function_result(p.oid), '')
      FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
     WHERE n.nspname IN ('trips', 'trips_internal')";

/// Names of types, as the catalogue and as people write them.
const TYPES: [(&str, &str); 6] = [
    ("timestamp without time zone", "timestamp"),
    ("timestamp with time zone", "timestamptz"),
    ("time without time zone", "time"),
    ("double precision", "float8"),
    ("integer", "int"),
    ("boolean", "bool"),
];

/// Whether the catalogue has each of these functions.
///
/// # Errors
/// The first signature that it does not have.
pub fn check(cluster: &Cluster, lines: &str) -> Result<(), String> {
    let rows = cluster.client().query(CATALOGUE, &[]).expect("the catalogue");
    let known: Vec<_> = rows.iter().map(|row| normal(row.get(0))).collect();
    for signature in split(lines) {
        if !known.contains(&signature) {
            let name = signature.split_once('(').map_or("", |(name, _)| name).to_owned() + "(";
            let like: Vec<_> = known.iter().filter(|known| known.starts_with(&name)).collect();
            return Err(format!("the document shows {signature}, the catalogue has {like:?}"));
        }
    }
    Ok(())
}

/// Each signature begins its line with `trips`.
fn split(lines: &str) -> Vec<String> {
    let mut signatures: Vec<String> = Vec::new();
    for line in lines.lines() {
        let line = line.split_once("--").map_or(line, |(line, _)| line);
        match signatures.last_mut() {
            Some(last) if !line.starts_with("trips") => *last += &format!(" {line}"),
            _ => signatures.push(line.to_owned()),
        }
    }
    signatures.iter().map(|signature| normal(signature)).filter(|text| !text.is_empty()).collect()
}

/// One blank between words, no casts of defaults, short names of types.
fn normal(signature: &str) -> String {
    let mut text = signature.replace(';', " ");
    while let Some(begin) = text.find("::") {
        let is_type = |c: char| c.is_alphanumeric() || c == ' ' || c == '_';
        let length = text[begin + 2..].find(|c| !is_type(c)).unwrap_or(text.len() - begin - 2);
        text.replace_range(begin..begin + 2 + length, "");
    }
    for (long, short) in TYPES {
        text = text.replace(long, short);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")")
}
