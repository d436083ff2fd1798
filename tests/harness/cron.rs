//! Servers with the real pg_cron.

use crate::Cluster;

impl Cluster {
    /// A server with pg_cron, and without extensions; none where it is not installed, and need not be.
    ///
    /// # Panics
    /// When it does not start, or where pg_cron must be installed.
    #[must_use]
    pub fn start_with_pg_cron() -> Option<Self> {
        let mut cluster = Self::start_bare("");
        let available = "SELECT current_setting('server_version') LIKE '%(Debian %', EXISTS (
                           SELECT FROM pg_available_extensions WHERE name = 'pg_cron')";
        let row = cluster.client().query_one(available, &[]).expect("a row");
        if !row.get::<_, bool>(1) {
            // Debian has a package for its own PostgreSQL, which the project installs.
            let must_be_there: bool = row.get(0);
            assert!(!must_be_there, "pg_cron is not installed: scripts/setup.sh does that");
            eprintln!("pg_cron is not installed for this PostgreSQL: passed over");
            return None;
        }
        cluster.restart(|cluster| {
            cluster.configure(
                "shared_preload_libraries = 'pg_cron,trips_pipeline'
                 cron.database_name = 'trips'
                 cron.use_background_workers = on
                 max_worker_processes = 20",
            );
        });
        Some(cluster)
    }
}
