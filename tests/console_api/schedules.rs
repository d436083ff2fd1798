//! Jobs of the real pg_cron among the figures of health.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use trips_tests::{Cluster, Console, FIVE_COLUMNS, trip_line, until};

use super::{program, start};

/// The job of this name, once it has run.
fn run_of(console: &Console, name: &str) -> Value {
    until(format!("job {name} has not run"), || {
        let health = console.json("/api/health");
        let jobs = health["schedules"].as_array().expect("jobs").clone();
        let has_run = |job: &Value| {
            job["jobname"] == name
                && ["succeeded", "failed"].map(Value::from).contains(&job["status"])
        };
        jobs.into_iter().find(has_run)
    })
}

#[test]
fn health_shows_jobs_and_their_last_runs() {
    let Some(cluster) = Cluster::start_with_pg_cron() else { return };
    let mut client = cluster.client();
    client
        .batch_execute(
            "CREATE EXTENSION trips_pipeline; CREATE EXTENSION pg_cron; CREATE ROLE viewer LOGIN;
             SELECT trips.grant_reader('viewer')",
        )
        .unwrap();
    let console = start(&cluster);
    until("it does not connect", || {
        console.json("/api/status")["connected"].as_bool().filter(|is| *is)
    });
    assert_eq!(console.json("/api/health")["schedules"], Value::Array(Vec::new()));
    let inbox = cluster.path("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).unwrap();
    cluster.file("inbox/a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    client
        .execute("SELECT trips.schedule('inbox', '* * * * *', $1)", &[&format!("{inbox}/*.csv")])
        .unwrap();
    // Jobs that load nothing are not shown.
    client
        .batch_execute(
            "SELECT cron.schedule('broken', '*/1 * * * *', $$CALL trips.ingest_new('')$$);
             SELECT cron.schedule('vacuum', '0 3 * * *', 'VACUUM')",
        )
        .unwrap();
    let before = console.json("/api/health");
    let names: Vec<&Value> =
        before["schedules"].as_array().unwrap().iter().map(|job| &job["jobname"]).collect();
    assert_eq!(names, ["broken", "inbox"]);

    let good = run_of(&console, "inbox");
    assert_eq!(
        (&good["status"], &good["schedule"], &good["active"]),
        (&"succeeded".into(), &"* * * * *".into(), &true.into())
    );
    assert_eq!(good["command"], format!("CALL trips.ingest_new('{inbox}/*.csv')"));
    assert!(good["last_run"].is_string(), "{good}");
    let bad = run_of(&console, "broken");
    assert_eq!((&bad["status"], &bad["schedule"]), (&"failed".into(), &"*/1 * * * *".into()));
    assert!(bad["last_run"].is_string(), "{bad}");
    assert!(bad["message"].as_str().unwrap().contains("ERROR"), "{bad}");

    // A role that may not read the jobs sees the other figures.
    let viewer = Console::start(&mut program(&cluster, "viewer"));
    let seen = until("it does not connect", || {
        let reply = viewer.get("/api/health");
        (reply.status == 200).then(|| reply.json())
    });
    assert_eq!((&seen["schedules"], &seen["loaded_today"]), (&Value::Null, &1.into()), "{seen}");
}
