//! Clusters that are made of other clusters: standbys, and what pg_upgrade makes.

use std::path::Path;

use crate::machine::{initdb, new_directory, run, server_command};
use crate::{Cluster, eventually};

impl Cluster {
    /// A streaming standby of this server, with a directory and a socket of its own.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_standby(&self) -> Self {
        let directory = new_directory();
        run(server_command(self.bin.join("pg_basebackup"))
            .args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "-U", "postgres"])
            .arg("-h")
            .arg(&self.directory)
            .arg("-D")
            .arg(directory.join("data")));
        Self::launch(self.bin.clone(), directory)
    }

    /// Waits until this standby has replayed all that its primary has written so far.
    ///
    /// # Panics
    /// When that takes minutes.
    pub fn catch_up_with(&self, primary: &Self) {
        let written: String = primary
            .client()
            .query_one("SELECT pg_current_wal_insert_lsn()::text", &[])
            .expect("a position")
            .get(0);
        let query = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        eventually(&mut self.client(), &query, "t");
    }

    /// Takes the data to the PostgreSQL of other programs by pg_upgrade, and starts that.
    ///
    /// # Panics
    /// When pg_upgrade fails, or the new server does not start.
    pub fn upgrade_to(&mut self, bin: &Path) {
        self.remove_stamps(bin);
        self.restart(|cluster| {
            let [old, new, kept] = ["data", "new", "old"].map(|name| cluster.directory.join(name));
            // Both sides must agree about checksums, and the default of initdb has changed.
            run(server_command(cluster.bin.join("pg_checksums")).arg("--enable").arg(&old));
            initdb(bin, &new, &["--data-checksums"]);
            let output = server_command(bin.join("pg_upgrade"))
                .current_dir(&cluster.directory)
                .args(["--no-sync", "-U", "postgres", "-s"])
                .arg(&cluster.directory)
                .arg("-b")
                .arg(&cluster.bin)
                .arg("-B")
                .arg(bin)
                .arg("-d")
                .arg(&old)
                .arg("-D")
                .arg(&new)
                .output()
                .expect("pg_upgrade runs");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success(),
                "{said}{}",
                last_lines(&new.join("pg_upgrade_output.d"))
            );
            std::fs::rename(&old, kept).expect("a directory");
            std::fs::rename(&new, &old).expect("a directory");
            cluster.database.bin = bin.to_owned();
        });
    }

    /// PostgreSQL 15.20 gives every column an option, `pg_attver`, that 18.6 does not know: it could take over no
    /// table of any 15.20. That is not what the extension is tested for.
    fn remove_stamps(&self, bin: &Path) {
        let mut grep = server_command("grep");
        let is_known = grep.args(["-q", "pg_attver"]).arg(bin.join("postgres")).status();
        if is_known.expect("grep runs").success() {
            return;
        }
        self.client()
            .batch_execute(
                "SET allow_system_table_mods = on;
                 UPDATE pg_attribute
                    SET attoptions = NULLIF(ARRAY(SELECT o FROM unnest(attoptions) AS o WHERE o NOT LIKE 'pg_attver=%'), '{}')
                  WHERE array_to_string(attoptions, ' ') LIKE '%pg_attver=%'",
            )
            .expect("a superuser may");
    }
}

/// The last lines of all logs below a directory.
fn last_lines(directory: &Path) -> String {
    let mut lines = String::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            lines += &last_lines(&path);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let last = text.char_indices().rev().nth(1000).map_or(0, |(at, _)| at);
            lines += &format!("== {}\n{}", path.display(), &text[last..]);
        }
    }
    lines
}
