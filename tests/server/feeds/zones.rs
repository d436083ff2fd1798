//! `trips.zones`: the built-in rows, the rules of the table, dump and restore.

use trips_tests::{Cluster, Database, server_error};

use super::BIKES;

#[test]
fn the_taxi_zones_of_new_york_are_there() {
    let database = Database::on_shared();
    let mut client = database.client();
    let row = client
        .query_one(
            "SELECT count(*), count(DISTINCT zone_id), count(DISTINCT region),
                    bool_and(point <@ box '(-73.6,41),(-74.3,40.4)'), max(name) FILTER (WHERE zone_id = '1')
               FROM trips.zones WHERE zone_set = 'nyc_taxi_zones'",
            &[],
        )
        .unwrap();
    let counts = [0, 1, 2].map(|at| row.get::<_, i64>(at));
    assert_eq!(counts, [263, 263, 6]);
    assert!(row.get::<_, bool>(3), "a zone is not in New York");
    assert_eq!(row.get::<_, &str>(4), "Newark Airport");
}

#[test]
fn rows_that_loads_cannot_use_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (values, constraint) in [
        ("('s', '1', 2020, 2019, NULL, NULL, NULL)", "zones_years_check"),
        ("('s', '1', NULL, NULL, NULL, ' A', NULL)", "zones_region_check"),
        ("('s', '1', NULL, NULL, NULL, '', NULL)", "zones_region_check"),
        ("('s', '1', NULL, NULL, NULL, NULL, point(181, 0))", "zones_point_check"),
        ("('s', '1', NULL, NULL, NULL, NULL, point(0, 'NaN'))", "zones_point_check"),
        (
            "('s', '1', NULL, NULL, NULL, NULL, NULL), ('s', '1', NULL, NULL, 'B', NULL, NULL)",
            "zones_key",
        ),
    ] {
        let insert = format!("INSERT INTO trips.zones VALUES {values}");
        let error = client.batch_execute(&insert).expect_err(values);
        assert_eq!(error.as_db_error().unwrap().constraint(), Some(constraint), "{values}");
    }
    client
        .batch_execute(
            "INSERT INTO trips.zones VALUES ('s', '1', 2019, 2019), ('s', '1', 2020, 2020)",
        )
        .unwrap();
    let error = client.batch_execute("INSERT INTO trips.zones VALUES (NULL, '1')").unwrap_err();
    assert_eq!(server_error(&error).0, "23502");
}

/// A dump has the feeds and zones of users. The built-in zones come with CREATE EXTENSION.
#[test]
fn a_dump_has_what_users_added() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&BIKES]).unwrap();
    client
        .batch_execute("INSERT INTO trips.zones VALUES ('brno', '7', NULL, NULL, 'Spilberk', 'Brno', point(16.6, 49.2))")
        .unwrap();
    let dump = cluster.path("dump");
    cluster.tool("pg_dump", &["-d", "trips", "-Fc", "-f", &dump]);
    client.batch_execute("CREATE DATABASE restored").unwrap();
    cluster.tool("pg_restore", &["--exit-on-error", "-d", "restored", &dump]);
    let mut restored = cluster.client_of("restored");
    let all = "SELECT (SELECT string_agg(f::text, ' ' ORDER BY f) FROM trips.feeds AS f),
                      (SELECT string_agg(z::text, ' ' ORDER BY z.zone_set, z.zone_id) FROM trips.zones AS z)";
    let before = client.query_one(all, &[]).unwrap();
    let after = restored.query_one(all, &[]).unwrap();
    for at in 0..2 {
        assert_eq!(before.get::<_, String>(at), after.get::<_, String>(at));
    }
    let error = restored
        .execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&BIKES])
        .unwrap_err();
    assert_eq!(server_error(&error).0, "42710");
}
