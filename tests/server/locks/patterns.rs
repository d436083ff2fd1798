//! Who may hold the pattern of a run of `trips.ingest_new`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use postgres::Client;
use trips_tests::{Cluster, FIVE_COLUMNS, server_error, trip_line};

fn call(client: &mut Client, pattern: &str) -> [i64; 3] {
    let row = client.query_one(&format!("CALL trips.ingest_new('{pattern}')"), &[]).unwrap();
    [0, 1, 2].map(|i| row.get(i))
}

/// Who holds a pattern in a transaction of his own holds up nobody else, and may hold only what he may list.
#[test]
fn nobody_holds_the_pattern_of_another_role() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    let inbox = cluster.path("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).unwrap();
    let pattern = format!("{inbox}/*.csv");
    cluster.file("inbox/a.csv", format!("{FIVE_COLUMNS}{}", trip_line("a", 1)));
    admin
        .batch_execute(&format!(
            "CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl');
             ALTER DATABASE trips SET trips.data_directories = '{inbox}'"
        ))
        .unwrap();
    let mut etl = cluster.client_as("etl");
    let take = |client: &mut Client, pattern: &str| {
        let taken = client.query_one("SELECT trips_internal.try_lock_pattern($1)", &[&pattern]);
        taken.map(|row| row.get::<_, bool>(0)).map_err(|error| server_error(&error).0)
    };
    for outside in ["/x/*.csv", &cluster.path("*.csv"), &format!("{inbox}/../*.csv")] {
        assert_eq!(take(&mut etl, outside), Err("42501".into()), "{outside}");
    }
    assert_eq!(take(&mut etl, "*.csv"), Err("42602".into()));
    etl.batch_execute("BEGIN").unwrap();
    assert_eq!(take(&mut etl, &pattern), Ok(true));
    assert_eq!(call(&mut cluster.client(), &pattern), [1, 0, 0]);
    // The second run of a role says that the first is at it.
    let notices = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let received = notices.clone();
    let mut config = cluster.config();
    config.user("etl").notice_callback(move |notice| {
        received.lock().unwrap().push((notice.severity().to_owned(), notice.message().to_owned()));
    });
    let mut second = config.connect(postgres::NoTls).unwrap();
    assert_eq!(call(&mut second, &pattern), [0, 0, 0]);
    let said = std::mem::take(&mut *notices.lock().unwrap());
    let is_said = |(severity, message): &(String, String)| {
        severity == "WARNING" && message.contains("role \"etl\" runs it in another session")
    };
    assert!(said.iter().any(is_said), "{said:?}");
    etl.batch_execute("ROLLBACK").unwrap();
    assert_eq!(call(&mut second, &pattern), [0, 0, 0]);
    assert_eq!(*notices.lock().unwrap(), []);
}
