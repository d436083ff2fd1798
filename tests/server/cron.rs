//! The real pg_cron: jobs that load files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, eventually, month_as_csv, server_error, text_of, trip_line,
};

#[test]
fn without_pg_cron_the_error_says_what_to_do() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    for call in [
        "trips.schedule('a', '* * * * *', '/data/*.csv')",
        "trips.schedule('a', '* * * * *', 's3://bucket/in/*.csv')",
        "trips.unschedule('a')",
    ] {
        let error = client.query_one(&format!("SELECT {call}"), &[]).unwrap_err();
        let (code, message, hint) = server_error(&error);
        assert_eq!(code, "55000", "{call}: {message}");
        assert!(hint.contains("CREATE EXTENSION pg_cron"), "{call}");
    }
    for pattern in ["data/*.csv", "", "3s://bucket/*.csv", "s 3://bucket/*.csv"] {
        let call = "SELECT trips.schedule('a', '* * * * *', $1)";
        let error = client.query_one(call, &[&pattern]).unwrap_err();
        assert_eq!(server_error(&error).0, "42602", "{pattern}");
    }
    // What only looks like it is not called.
    client
        .batch_execute(
            "CREATE SCHEMA cron; CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint
             LANGUAGE sql AS 'SELECT 1/0'",
        )
        .unwrap();
    let error = client.query_one("SELECT trips.schedule('a', '* * * * *', '/data/*.csv')", &[]);
    assert_eq!(server_error(&error.unwrap_err()).0, "55000");
}

/// A role that may load from the inbox, and nothing else, has its own job, which fires.
#[test]
fn a_loader_has_a_job() {
    let Some(cluster) = Cluster::start_with_pg_cron() else { return };
    let mut admin = cluster.client();
    let inbox = cluster.path("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).unwrap();
    admin
        .batch_execute(&format!(
            "CREATE EXTENSION trips_pipeline; CREATE EXTENSION pg_cron; CREATE ROLE etl LOGIN;
             SELECT trips.grant_loader('etl'); GRANT USAGE ON SCHEMA cron TO etl;
             ALTER DATABASE trips SET trips.data_directories = '{inbox}'"
        ))
        .unwrap();
    admin.batch_execute("CREATE DATABASE second").unwrap();
    let mut etl = cluster.client_as("etl");
    etl.execute("SELECT trips.schedule('mine', '* * * * *', $1)", &[&format!("{inbox}/*.csv")])
        .unwrap();
    cluster.file("inbox/a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let by = "SELECT requested_by FROM trips.loads WHERE state = 'loaded'";
    eventually(&mut etl, by, "etl");
    etl.execute("SELECT trips.unschedule('mine')", &[]).unwrap();
    let error = etl.execute("SELECT trips.unschedule('mine')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42704");
    // In another database, a role that may not read all settings gets a message without their values.
    cluster
        .client_of("second")
        .batch_execute("CREATE EXTENSION trips_pipeline; SELECT trips.grant_loader('etl')")
        .unwrap();
    let mut second = cluster.config_of("second").user("etl").connect(postgres::NoTls).unwrap();
    let error = second.query_one("SELECT trips.schedule('a', '* * * * *', '/data/*.csv')", &[]);
    let (code, _, hint) = server_error(&error.unwrap_err());
    assert_eq!(code, "55000");
    assert!(hint.contains("cron.schedule_in_database('a', '* * * * *'"), "{hint}");
}

/// A file that is dropped into the inbox is in the history, and nobody has called anything.
#[test]
fn a_job_fires() {
    let Some(cluster) = Cluster::start_with_pg_cron() else { return };
    let mut client = cluster.client();
    client.batch_execute("CREATE EXTENSION trips_pipeline; CREATE EXTENSION pg_cron").unwrap();
    let inbox = cluster.path("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).unwrap();
    client
        .execute("SELECT trips.schedule('inbox', '* * * * *', $1)", &[&format!("{inbox}/*.csv")])
        .unwrap();
    client.execute("SELECT trips.schedule('another', '* * * * *', '/nowhere/*.csv')", &[]).unwrap();
    cluster.file("inbox/a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    eventually(&mut client, "SELECT count(*) FROM trips.hist_trip_data", 1);
    let job = client
        .query_one("SELECT command, username::text FROM cron.job WHERE jobname = 'inbox'", &[])
        .unwrap();
    assert_eq!(job.get::<_, String>(0), format!("CALL trips.ingest_new('{inbox}/*.csv')"));
    on_change_is_passed_on(&cluster, &mut client, &inbox);
    client.execute("SELECT trips.unschedule('inbox')", &[]).unwrap();
    let left = "SELECT count(*) FROM cron.job WHERE jobname = 'inbox'";
    assert_eq!(client.query_one(left, &[]).unwrap().get::<_, i64>(0), 0);
    // Jobs that are none of ours are not ours to remove.
    client.execute("SELECT cron.schedule('vacuum', '0 3 * * *', 'VACUUM')", &[]).unwrap();
    for job in ["vacuum", "inbox"] {
        let error = client.execute("SELECT trips.unschedule($1)", &[&job]).unwrap_err();
        assert_eq!(server_error(&error).0, "42704");
    }
    // In another database, the error names the database of pg_cron.
    client.batch_execute("CREATE DATABASE second").unwrap();
    let mut second = cluster.client_of("second");
    second.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let error = second.query_one("SELECT trips.schedule('a', '* * * * *', '/data/*.csv')", &[]);
    let hint = server_error(&error.unwrap_err()).2;
    assert!(
        hint.contains("cron.schedule_in_database('a', '* * * * *'")
            && hint.contains("Run in database \"trips\":"),
        "{hint}"
    );
}

/// The argument `on_change` of a schedule is that of its loads: the feed keeps, the job replaces.
fn on_change_is_passed_on(cluster: &Cluster, client: &mut Client, inbox: &str) {
    client
        .batch_execute(
            r#"SELECT trips.create_feed('rides', '{"title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}},
               "versions": {"1": ["Number", "When"]}, "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
               "region": [{"constant": "Here"}], "trip_id": "Number",
               "identity": {"scheme": "source_id", "columns": ["Number"], "policy": "keep"}}')"#,
        )
        .unwrap();
    let schedule = "SELECT trips.schedule('rides', '* * * * *', $1, on_change => 'replace')";
    client.execute(schedule, &[&format!("{inbox}/*.rides")]).unwrap();
    let command = "SELECT command FROM cron.job WHERE jobname = 'rides'";
    assert_eq!(
        client.query_one(command, &[]).unwrap().get::<_, String>(0),
        format!("CALL trips.ingest_new('{inbox}/*.rides', on_change => 'replace')")
    );
    let first = cluster.file("first.csv", "Number,When\n1,2024-02-03 08:05:00\n");
    client.execute("SELECT trips.ingest($1)", &[&first]).unwrap();
    cluster.file("inbox/second.rides", "Number,When\n1,2024-02-03 09:05:00\n");
    let corrected = "SELECT coalesce(sum(rows_corrected), 0)::bigint FROM trips.loads
                      WHERE options ->> 'on_change' = 'replace'";
    eventually(client, corrected, 1_i64);
}

/// A job deletes old trips: it runs as the role that has scheduled it, and needs the privilege.
#[test]
fn a_job_deletes_old_trips() {
    let Some(cluster) = Cluster::start_with_pg_cron() else { return };
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE EXTENSION trips_pipeline; CREATE EXTENSION pg_cron; CREATE ROLE privacy LOGIN;
             GRANT USAGE ON SCHEMA cron, trips TO privacy",
        )
        .unwrap();
    for month in ["2018-04-01", "2018-05-01"] {
        let path = cluster.file(month, month_as_csv(1_000, 1, month));
        cluster.ingest(&mut admin, &path);
    }
    let mut privacy = cluster.client_as("privacy");
    let schedule = "SELECT cron.schedule('retention', '* * * * *',
                           $$SELECT trips.delete_trips(before => '2018-05-10')$$)";
    privacy.execute(schedule, &[]).unwrap();
    let last = "SELECT coalesce(max(format('%s: %s', d.status, d.return_message)), '')
                  FROM cron.job_run_details AS d JOIN cron.job AS j USING (jobid) WHERE j.jobname = 'retention'";
    let denied =
        format!("SELECT ({last}) LIKE 'failed: %permission denied for function delete_trips%'");
    eventually(&mut admin, &denied, "t");
    let grant = "GRANT EXECUTE ON FUNCTION trips.delete_trips(text, timestamp, timestamp, text, text) TO privacy";
    admin.execute(grant, &[]).unwrap();
    // A run drops no partition that another session uses; a later one does. This query uses none.
    let april = "SELECT count(*) FROM pg_class WHERE relname = 'hist_trip_data_2018_04'";
    eventually(&mut admin, april, 0);
    privacy.execute("SELECT cron.unschedule('retention')", &[]).unwrap();
    for (query, expected) in [
        ("SELECT count(*) > 100 FROM trips.hist_trip_data", "t"),
        ("SELECT count(*) FROM trips.hist_trip_data WHERE date_time < '2018-05-10'", "0"),
        (
            "SELECT sum(rows_inserted - rows_deleted) = (SELECT count(*) FROM trips.hist_trip_data) FROM trips.loads",
            "t",
        ),
        ("SELECT count(*) FROM trips.verify() WHERE NOT passed", "0"),
    ] {
        assert_eq!(text_of(&mut admin, query), expected, "{query}");
    }
}
