//! The pipeline that this product replaces, in its own words: text everywhere, a concatenated key.

use postgres::{Client, Error};

/// Its tables and its view, in the schema `public`.
pub const CREATE: &str = "
    CREATE TABLE stg_trip_data (region varchar(150), origin_coord varchar(500),
        destination_coord varchar(500), date_time varchar(50), datasource varchar(150), trip_key varchar);
    CREATE TABLE hist_trip_data (LIKE stg_trip_data);
    CREATE UNIQUE INDEX ON hist_trip_data (trip_key);
    CREATE MATERIALIZED VIEW summarized_trip_data AS
        SELECT week.region, week.week_of_month, ceil(avg(week.count)) AS weekly_avg
          FROM (SELECT region,
                       concat(to_char(date_time::date, 'YYYY-MM'), '-0',
                              to_char(date_time::date, 'W')::integer) AS week_of_month,
                       count(*)
                  FROM hist_trip_data GROUP BY 1, 2) AS week
         GROUP BY 1, 2";

/// Loads a file: staging, key, history, view.
///
/// # Errors
/// What the server says.
pub fn load(client: &mut Client, path: &str) -> Result<(), Error> {
    client.batch_execute(&format!(
        "COPY stg_trip_data (region, origin_coord, destination_coord, date_time, datasource)
           FROM '{path}' (FORMAT csv, HEADER);"
    ))?;
    for step in [
        "UPDATE stg_trip_data
            SET trip_key = concat(region, origin_coord, destination_coord, date_time, datasource)",
        "INSERT INTO hist_trip_data SELECT * FROM stg_trip_data ON CONFLICT (trip_key) DO NOTHING",
        "TRUNCATE stg_trip_data",
        "REFRESH MATERIALIZED VIEW summarized_trip_data",
    ] {
        client.batch_execute(step)?;
    }
    Ok(())
}
