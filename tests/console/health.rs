//! Jobs of the real pg_cron on the page.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use trips_tests::{Cluster, FIVE_COLUMNS, trip_line, until};

use crate::page::Page;

#[test]
fn health_shows_the_last_run_of_a_job() {
    let Some(cluster) = Cluster::start_with_pg_cron() else { return };
    cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").expect("the extension");
    let page = Page::start_on(cluster);
    page.view("health");
    assert!(page.browser.text_of("main").contains("pg_cron is not installed"));
    let rights = format!("CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {}", page.role);
    page.client().batch_execute(&rights).expect("pg_cron");
    let inbox = page.database.path("inbox");
    fs::create_dir(&inbox).expect("a directory");
    fs::set_permissions(&inbox, fs::Permissions::from_mode(0o755)).expect("its rights");
    page.database.file("inbox/a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let schedule = "SELECT trips.schedule('inbox', '* * * * *', $1)";
    let mut client = page.database.client_as(&page.role);
    client.execute(schedule, &[&format!("{inbox}/*.csv")]).expect("a job");
    let row = until("the job has not run", || {
        page.view("now");
        page.view("health");
        let text = page.browser.text_of("main");
        text.contains("succeeded").then_some(text)
    });
    assert!(row.contains("inbox") && row.contains("* * * * *"), "{row}");
}
