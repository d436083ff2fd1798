//! README.md and docs/*.md: their SQL prints what they show, and their links lead somewhere.
//!
//! CONTRIBUTING.md, "Documents are tests", has the convention.

mod links;
mod objects;
mod signatures;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use trips_tests::document::{Document, Step, compare};
use trips_tests::{Cluster, Psql, until};

const SAMPLE: &[u8] = include_bytes!("../../samples/trips_sample.csv");

macro_rules! documents {
    ($($name:ident: $path:literal,)*) => {
        const EXECUTED: &[&str] = &[$($path),*];
        $(
            #[test]
            fn $name() {
                execute($path);
            }
        )*
    };
}

documents! {
    console: "docs/console.md",
    corrections: "docs/corrections.md",
    deletion: "docs/deletion.md",
    loading: "docs/loading.md",
    retract: "docs/retract.md",
    querying: "docs/querying.md",
    readme: "README.md",
    reference: "docs/reference.md",
    spark: "docs/spark.md",
    administration: "docs/administration.md",
    troubleshooting: "docs/troubleshooting.md",
    limits: "docs/limits.md",
    feeds: "docs/feeds.md",
    install: "docs/install.md",
    containers: "docs/containers.md",
    upgrade: "docs/upgrade.md",
    stores: "docs/stores.md",
}

#[test]
fn every_document_with_sql_is_executed() {
    for name in documents() {
        let text = fs::read_to_string(root().join(&name)).expect("a document");
        let is_executed = EXECUTED.contains(&name.as_str());
        assert!(
            is_executed || !text.contains("```sql"),
            "{name} is not in tests/server/documents.rs"
        );
    }
}

#[test]
fn a_wrong_output_is_noticed() {
    let shown = " region  | trips\n---------+------\n Prague | 3\n … | …\n";
    let printed = " region | trips \n--------+-------\n Prague |     3\n Turin  |    12\n";
    assert_eq!(compare(shown, printed), Ok(()));
    assert_eq!(compare("…\nERROR:  no … here\n", "NOTICE:  a\nERROR:  no file here\n"), Ok(()));
    for (from, to) in
        [("3", "4"), ("Prague", "Turin"), ("| trips", "| trips | week"), ("…\n", "…\n Lyon | 1\n")]
    {
        assert!(compare(&shown.replace(from, to), printed).is_err(), "{from} as {to}");
    }
    assert!(compare("", printed).is_err());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README.md, and what lies in docs/.
fn documents() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs")).expect("docs/");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| format!("docs/{}", name.to_str().expect("UTF-8")));
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".md")).collect();
    names.push("README.md".into());
    names.sort();
    names
}

/// What the documents call `/data/`.
fn make_directory(cluster: &Cluster) -> String {
    let directory = cluster.path("files");
    fs::create_dir_all(format!("{directory}/inbox")).expect("a directory");
    fs::write(format!("{directory}/trips_sample.csv"), SAMPLE).expect("a file");
    cluster.give_to_server(&directory);
    format!("{directory}/")
}

/// Does what a document says.
fn execute(name: &str) {
    let document = Document::read(&root().join(name));
    let cluster = start(&document);
    let directory = make_directory(&cluster);
    if !document.without_extension {
        cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").expect("the extension");
    }
    let mut sessions = BTreeMap::new();
    let mut current = "main".to_owned();
    let mut faults = Vec::new();
    for (line, step) in document.steps {
        match step {
            Step::Session(name) => current = name,
            Step::File(name, text) => write(&cluster, &format!("files/{name}"), &text),
            Step::Until(query) => wait(&cluster, &query.replace("/data/", &directory), line),
            Step::Signatures(lines) => {
                faults.extend(signatures::check(&cluster, &lines).err().map(|fault| (line, fault)));
            }
            Step::Run(sql, output) => {
                let psql = sessions.entry(current.clone()).or_insert_with(|| Psql::start(&cluster));
                let printed =
                    psql.run(&sql.replace("/data/", &directory)).replace(&directory, "/data/");
                if let Err(fault) = check(output.as_deref(), &printed) {
                    faults.push((line, format!("{fault}; all that psql prints:\n{printed}")));
                }
            }
        }
    }
    let faults = faults.iter().map(|(line, fault)| format!("{name}:{line}: {fault}\n"));
    let faults = faults.collect::<String>();
    assert!(faults.is_empty(), "{faults}");
}

fn start(document: &Document) -> Cluster {
    let mut cluster = Cluster::start_bare("");
    if !document.configuration.is_empty() {
        let lines =
            document.configuration.replace("/data/", &format!("{}/", cluster.path("files")));
        make_directory(&cluster);
        cluster.restart(|cluster| cluster.configure(&lines));
    }
    cluster
}

/// Writes a file under another name and renames it, as the documents advise.
fn write(cluster: &Cluster, name: &str, text: &str) {
    let path = cluster.path(name);
    let part = cluster.file(&format!("{name}.part"), text);
    fs::rename(part, path).expect("another name");
}

fn wait(cluster: &Cluster, query: &str, line: usize) {
    let mut client = cluster.client();
    until(format!("line {line}: not true in time: {query}"), || {
        let is_true = client.query_one(query, &[]).expect("a query of one row").get::<_, bool>(0);
        is_true.then_some(())
    });
}

fn check(output: Option<&str>, printed: &str) -> Result<(), String> {
    let is_error = |line: &str| {
        ["ERROR:", "FATAL:", "error:", "invalid command"].iter().any(|word| line.starts_with(word))
    };
    match output {
        Some(shown) => compare(shown, printed),
        None if printed.lines().any(is_error) => {
            Err("an error that the document does not show".into())
        }
        None => Ok(()),
    }
}
